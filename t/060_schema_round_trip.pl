# SPDX-License-Identifier: PostgreSQL
# Custom attributes of every value type and with unusual names: they are imported,
# read, dumped, restored and imported again, and the functions for drift and
# comments handle them. REEVO_SEED in the environment chooses other schemas.

use strict;
use warnings;
use utf8;

use Encode qw(decode encode);
use FindBin;
use lib $FindBin::RealBin;
use File::Temp qw(tempdir);
use IPC::Run ();
use List::Util qw(shuffle);
use Reevo;
use Test::More;

my $id = $Reevo::EXAMPLE;
my $api = Reevo::start(records => 20);
my $node = Reevo::cluster('round_trip');
my $folder = tempdir('reevoXXXXXX', TMPDIR => 1, CLEANUP => 1);

sub json
{
	my ($text) = @_;
	return '"' . join('', map { /["\\]/ ? "\\$_" : ord($_) < 32 ? sprintf('\\u%04x', ord $_) : $_ } split(//, $text)) . '"';
}

sub select_value
{
	my ($number, $more) = @_;
	return sprintf('{"id": "10000000-0000-4000-8000-%012d", "display_value": "Chöice %d", "api_name": "choice_%d", "color": "#%06d"%s}',
		($number) x 4, $more || '');
}

# For each value type: two values, the column type, and the text of each value in
# the column. A select has the same for each column with a suffix.
my %select = (
	'' => [ 'text', 'Chöice 1', 'Chöice 2' ],
	_id => [ 'uuid', map { "10000000-0000-4000-8000-00000000000$_" } 1, 2 ],
	_api_name => [ 'text', 'choice_1', 'choice_2' ],
	_color => [ 'text', '#000001', '#000002' ]);
my @select_values = (select_value(1), select_value(2));
my @stage_values = map { select_value($_, qq(, "closing_probability": "0.$_", "expected_days": $_)) } 1, 2;
my %structured = map { $_->[0] => { values => [ @$_[ 1, 2 ] ], '' => [ 'jsonb', @$_[ 1, 2 ] ] } } (
	[ 'address', '{"city": "Zürich", "state": null}', '{"city": "Genève"}' ],
	[ 'contact_email', '{"email": "a@example.test", "is_primary": true}', '{"email": "b@example.test", "labels": []}' ],
	[ 'contact_phone_number', '{"labels": ["work"], "phone_number": "+41"}', '{"phone_number": "+42"}' ],
	[ 'account_domain', '{"domain_name": "example.test"}', '{"is_primary": false, "domain_name": "b.example.test"}' ],
	[ 'geo_point', '{"lat": 47.37688900000000001}', '{"lat": 1}' ],
	[ 'duration', '12.50', '[1, "x"]' ]);
my @uuids = map { "0000000$_-0000-4000-8000-00000000000$_" } 1, 2;
my %type = (
	uuid => { '' => [ 'uuid', @uuids ] },
	(map { $_ => { '' => [ 'text', "a $_", qq(it's, "{$_}" \\ ü 🚀) ] } } qw(string long_text rich_text enum email phone_number url)),
	number => { values => [ '12345678901234567890.000000000000000001', '"-0.10"' ], '' => [ 'numeric', '12345678901234567890.000000000000000001', '-0.10' ] },
	percent => { values => [ '"12.5"', '7' ], '' => [ 'numeric', '12.5', '7' ] },
	boolean => { values => [ 'true', 'false' ], '' => [ 'boolean', 'true', 'false' ] },
	date => { '' => [ 'date', '2024-02-29', '1999-12-31' ] },
	time => { '' => [ 'time', '23:59:58.5', '00:00:00' ] },
	timestamp => { '' => [ 'timestamptz', '2024-02-29T23:59:58.123456Z', '1999-12-31T00:00:00+02:00' ] },
	currency => { values => [ '{"amount": "0.10"}', '{"amount": "99999999999999999.99", "code": "CHF"}' ], '' => [ 'numeric', '0.10', '99999999999999999.99' ] },
	record_reference => { values => [ map { qq({"related_record_id": "$_", "related_record_type": "user"}) } @uuids ], '' => [ 'uuid', @uuids ] },
	(map { $_ => { values => \@select_values, %select } } qw(select contact_stage account_stage)),
	opportunity_stage => {
		values => \@stage_values,
		%select,
		_closing_probability => [ 'numeric', '0.1', '0.2' ],
		_expected_days => [ 'integer', '1', '2' ]
	},
	%structured);
for my $type (values %type)
{
	$type->{values} ||= [ map { json($_) } @{ $type->{''} }[ 1, 2 ] ];
}

# Unusual attribute names. The names in the first line have types with several
# columns, and other attributes have the names of these columns.
my %odd = (
	tier_id => 'select', pipeline_stage => 'opportunity_stage', sector => 'select', SECTOR => 'select',
	map { $_ => 'string' } ('tier', 'tier_color', 'tier_color_2', 'tier_id_2', 'pipeline_stage_id', 'sector_api_name', 'stage_id', 'stage_color', 'type',
		'sector_id', 'Amount', 'AMOUNT', 'select', 'user', 'table', 'null', 'Upper Case', ' leading', 'trailing ', ' ', 'quote"d', '"', "it's", 'back\\slash', '\\',
		'a,b', '{a}', 'a=b', '=', '$1', '$$', '%s', '%', '--', '/*', ';', '1st', "tab\there", "new\nline", "return\r", "\x{7f}", 'xmin', 'ctid', 'tableoid', 'größe', 'GRÖSSE', 'ñ',
		"n\x{303}", '日本語の項目', '🚀', "\x{200b}", 'x' x 63, 'x' x 64, 'y' x 200, 'ü' x 40, 'ü' x 40 . 'one', 'ü' x 40 . 'two', 'x' . 'ü' x 40, '語' x 21 . 'x', '語' x 22));

# --- A workspace with all of them ---

my %attributes;    # JSON by attribute name
my %expected;      # [type, text] by attribute and column type
for my $name (sort keys %type)
{
	my $type = $type{$name};
	my @envelopes = map { qq({"value": $_, "value_type": "$name"}) } @{ $type->{values} };
	$attributes{"f_$name"} = $envelopes[0];
	$attributes{"l_$name"} = '[' . join(', ', @envelopes) . ']';
	for my $suffix (grep { $_ ne 'values' } keys %$type)
	{
		my ($column_type, @texts) = @{ $type->{$suffix} };
		$expected{"f_$name$suffix"} = [ $column_type, "'" . $texts[0] =~ s/'/''/gr . "'::$column_type" ];
		$expected{"l_$name$suffix"} =
		  [ "${column_type}[]", 'ARRAY[' . join(', ', map { "'" . s/'/''/gr . "'::$column_type" } @texts) . ']' ];
	}
}
for my $name (sort keys %odd)
{
	my $value = $odd{$name} eq 'string' ? json("of $name") : $type{ $odd{$name} }{values}[0];
	$attributes{$name} = qq({"value": $value, "value_type": "$odd{$name}"});
}
$api->ctl('attributes', $id, encode('UTF-8', '{' . join(', ', map { json($_) . ": $attributes{$_}" } sort keys %attributes) . '}'));

$node->safe_psql('postgres', 'CREATE DATABASE source');
my $session = Reevo::Session->new($node, dbname => 'source', client_encoding => 'UTF8');

# ask(SQL, SESSION): returns the output as characters. An error fails the test.
sub ask
{
	my ($sql, $in) = @_;
	my $result = ($in || $session)->query(encode('UTF-8', $sql));
	fail(encode('UTF-8', $sql) . ": $result->{err}") if $result->{sqlstate} ne '';
	return decode('UTF-8', $result->{out});
}

sub is_same
{
	my ($got, $wanted, $what) = @_;
	is(encode('UTF-8', $got), encode('UTF-8', $wanted), $what);
	return;
}

# Returns the definition of a table in the order of its columns. pg_dump changes the
# order of options, so they are sorted.
sub definition
{
	my ($table, $in) = @_;
	return ask("SELECT attname, format_type(atttypid, atttypmod), ARRAY(SELECT unnest(attfdwoptions) ORDER BY 1) FROM pg_attribute
		WHERE attrelid = '$table'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", $in);
}

sub comments
{
	my ($in) = @_;
	return ask(q(SELECT attname, col_description(attrelid, attnum) FROM pg_attribute
		WHERE attrelid = 'crm.opportunity'::regclass AND attnum > 0 ORDER BY attnum), $in);
}

sub drift
{
	my ($table, $in) = @_;
	return ask("SELECT * FROM opportunity_fdw_drift('$table')", $in);
}

ask(Reevo::set_up_sql($api->url, "max_retries '0'") . q(
	DROP FOREIGN TABLE opportunity;
	CREATE SCHEMA crm; CREATE SCHEMA again;
	IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO crm;
	SET timezone = 'UTC'));
my $definition = definition('crm.opportunity');
is(drift('crm.opportunity'), '', 'an imported table has no drift');

# --- Every column returns the record's value ---

# The columns: [name, type, attribute]
my @columns = map { [ split(/\x{1}/, $_) ] } split(/\x{2}/, ask(q(
	SELECT string_agg(concat_ws(E'\x01', quote_ident(attname), format_type(atttypid, atttypmod),
		coalesce((SELECT substr(o, length('attribute=') + 1) FROM unnest(attfdwoptions) o WHERE o LIKE 'attribute=%'), attname)), E'\x02' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'crm.opportunity'::regclass AND attnum > 0)));
cmp_ok(scalar @columns, '>', 45 + 52 + 60, 'IMPORT creates all columns');

my $read = "FROM crm.opportunity WHERE id = '$id'";
for my $column (sort keys %expected)
{
	my ($type, $text) = @{ $expected{$column} };
	is(ask("SELECT pg_typeof($column) = '$type'::regtype, $column = $text $read"), 't|t', "$column returns its value as $type");
}
my %shown;
for my $column (@columns)
{
	my ($name, undef, $attribute) = @$column;
	my ($first) = split(/\./, $attribute);
	$shown{$first}{$attribute}++;
	next unless $odd{$attribute} && $odd{$attribute} eq 'string';
	is_same(ask("SELECT $name $read"), "of $attribute", 'an unusual name: ' . encode('UTF-8', json($attribute)));
}
is(join(' ', map { encode('UTF-8', $_) } grep { !$shown{$_} } sort keys %attributes), '', 'each attribute has a column');
for my $name (grep { $odd{$_} ne 'string' } sort keys %odd)
{
	is(join(' ', map { "$_ $shown{$name}{$_}" } sort keys %{ $shown{$name} }),
		join(' ', "$name 2", map { "$name.$_ 1" } qw(api_name), $odd{$name} eq 'select' ? 'color' : qw(closing_probability color expected_days)),
		"$name has all its columns");
}

# The whole record in one column, and the expected value of each other column
ask(q(CREATE FOREIGN TABLE whole (id uuid, everything jsonb OPTIONS (attribute '*')) SERVER reevo));
my @comparisons;
for my $column (@columns)
{
	my ($name, $type, $attribute) = @$column;
	my ($first, $key) = map { s/'/''/gr } split(/\./, $attribute);
	my $element_type = $type =~ s/\[\]$//r;
	my $scalar = defined $key ? "v ->> '$key'"
	  : $element_type eq 'jsonb' ? 'v'
	  : "CASE WHEN jsonb_typeof(v) <> 'object' THEN v #>> '{}' WHEN v ? 'amount' THEN v ->> 'amount' WHEN v ? 'related_record_id' THEN v ->> 'related_record_id' "
	  . "WHEN '$element_type' = 'uuid' THEN v ->> 'id' ELSE v ->> 'display_value' END";
	my $from = "(SELECT everything -> 'attributes' -> E'@{[ $first =~ s/\\/\\\\/gr ]}') a (a)";
	my $made =
	  $type eq $element_type
	  ? "(SELECT ($scalar)::$type FROM $from, LATERAL (SELECT a -> 'value') v (v))"
	  : "(SELECT array_agg(($scalar)::$element_type ORDER BY n) FROM $from, jsonb_array_elements(a) WITH ORDINALITY e (e, n), LATERAL (SELECT e -> 'value') v (v))";
	push @comparisons, "(" . scalar(@comparisons) . ", t.$name = $made, t.$name IS NOT NULL)";
}
my $comparison = 'SELECT string_agg(n::text, $$ $$) FROM crm.opportunity t JOIN whole w ON w.id = t.id, LATERAL (VALUES '
  . join(",\n", @comparisons) . ") c (n, same, there) WHERE t.id = '$id' AND same AND there";
is(ask($comparison), join(' ', 0 .. $#columns), 'all columns agree with the whole record');

# The way in which the record is fetched makes no difference.
my $row = ask("SELECT t $read"  =~ s/WHERE/t WHERE/r);
is_same(ask("SELECT t FROM crm.opportunity t WHERE id = ANY (ARRAY['$id', '@{[ Reevo::id(1) ]}']::uuid[]) AND id = '$id'"), $row, 'a query by ids returns the same row');
is_same(ask("SELECT t FROM crm.opportunity t WHERE f_string = 'a string'"), $row, 'a query with a condition returns the same row');

# --- Comments on columns ---

is($api->requests_of(sub { ask(q(SELECT opportunity_fdw_comment_columns('crm.opportunity'))) }), 1, 'opportunity_fdw_comment_columns makes one request');
my $comments = comments();
like($comments, qr/^f_select_color\|F select \(color\): F select of the record$/m, 'the comment of a partial column names the part');
like($comments, qr/^größe\|Größe: Größe of the record$/m, 'the comment of a column with an unusual name is set');
is(scalar(() = ask('SELECT * FROM pg_description WHERE objoid = \'crm.opportunity\'::regclass') =~ /^\d+\|\d+\|\d+\|/mg), scalar @columns, 'all columns have a comment');

# --- Dump, restore, and a second import ---

my $dump = "$folder/dump.sql";
my ($output, $error);
is($api->requests_of(sub {
	ok(IPC::Run::run([ 'pg_dump', '-d', $node->connstr('source'), '-f', $dump ], '>', \$output, '2>', \$error), 'pg_dump succeeds') or diag($error);
}), 0, 'pg_dump makes no request');
(my $text = Reevo::slurp($dump)) =~ s/^CREATE USER MAPPING .*?;$//msg;
unlike($text, qr/test-key/, 'the dump contains the API key in the user mapping only');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
ok(IPC::Run::run([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-d', $node->connstr('restored'), '-f', $dump ], '2>', \$error), 'psql restores the dump')
  or diag($error);

my $restored = Reevo::Session->new($node, dbname => 'restored', client_encoding => 'UTF8');
ask("SET timezone = 'UTC'", $restored);
is_same(definition('crm.opportunity', $restored), $definition, 'restored: the same definition');
is_same(comments($restored), $comments, 'restored: the same comments');
is_same(ask("SELECT t $read" =~ s/WHERE/t WHERE/r, $restored), $row, 'restored: the same row');
is(drift('crm.opportunity', $restored), '', 'restored: no drift');
is(ask($comparison, $restored), join(' ', 0 .. $#columns), 'restored: all columns agree with the whole record');
for my $in ($session, $restored)
{
	ask('IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO again', $in);
	is_same(definition('again.opportunity', $in), $definition, 'imported again: the same definition');
	is(drift('again.opportunity', $in), '', 'imported again: no drift');
}
$restored->quit;

# --- Columns that are added later equal the columns of an import ---

ask(q(CREATE FOREIGN TABLE bare (id uuid) SERVER reevo));
my $ddl = q(SELECT string_agg(ddl, E'\n') FROM opportunity_fdw_drift('bare'));
ask(ask($ddl));
is(drift('bare'), '', 'the ddl adds all columns to a table with an id only');
my $sorted = sub { return join("\n", sort split(/\n(?=[^\n]*\|[^|]*\|\{.*\}$)/m, $_[0])); };
is_same($sorted->(definition('bare')), $sorted->($definition), 'the added columns equal those of an import');
ask('DROP FOREIGN TABLE bare');

SKIP:
{
	skip 'virtual generated columns need PostgreSQL 18', 1 if Reevo::server_version($node) < 18;
	ask(q(CREATE FOREIGN TABLE computed (id uuid, made text GENERATED ALWAYS AS ('x') VIRTUAL) SERVER reevo));
	unlike(drift('computed'), qr/\|made\|/, 'a generated column has no drift');
}

# --- Random changes of the schema: the ddl of drift repairs each ---

# The attribute names collide with each other, and with the names of derived
# columns.
my @names = ('a', 'a_id', 'a_2', 'a_id_2', 'a_2_id', 'a_color', 'a_color_2', 'A b', 'x' x 70, 'x' x 63, 'x' x 70 . '_id', 'display_name', 'ctid', 'created_at', 'n"\'\\');
srand($ENV{REEVO_SEED} || 6060);

# random_schema(): returns value types and 'list' by name.
sub random_schema
{
	my @types = sort keys %type;
	return map { $_ => [ $types[ rand @types ], rand() < 0.3 ] } grep { rand() < 0.6 } @names;
}

sub serve
{
	my (%schema) = @_;
	$api->ctl('schema', 'opportunity', encode('UTF-8', '{"attributes": [' . join(', ', map {
		sprintf('{"api_name": %s, "type_info": {"value_type": "%s", "is_array": %s}}', json($_), $schema{$_}[0], $schema{$_}[1] ? 'true' : 'false')
	} shuffle(sort keys %schema)) . ']}'));
	return;
}

ask('CREATE SCHEMA changing');
for my $round (1 .. 25)
{
	serve(random_schema());
	ask('IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO changing');
	for my $change (1 .. 3)
	{
		my %schema = random_schema();
		serve(%schema);
		my @ddl = split(/\x{1}/, ask(q(SELECT string_agg(ddl, E'\x01') FROM opportunity_fdw_drift('changing.opportunity'))));
		ask($_) for shuffle(@ddl);
		is(drift('changing.opportunity'), '', "round $round, change $change: " . scalar(@ddl) . ' commands repair the table') or diag(definition('changing.opportunity'));

		# Check the columns without the function.
		my $labels = ask(q(SELECT coalesce((SELECT substr(o, length('attribute=') + 1) FROM unnest(attfdwoptions) o WHERE o LIKE 'attribute=%'), attname)
			FROM pg_attribute WHERE attrelid = 'changing.opportunity'::regclass AND attnum > 0 AND NOT attisdropped));
		my %labels = map { s/\..*//r => 1 } split(/\n/, $labels);
		$labels{created_at} = 1;
		is(join(' ', sort keys %labels), join(' ', sort keys %{ { %schema, created_at => 1 } }), 'each attribute has a column, and each column has an attribute');
	}
	ask('DROP FOREIGN TABLE changing.opportunity');
}
$api->reset;

# --- Databases with other encodings ---

$node->safe_psql('postgres', "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
my $latin = Reevo::Session->new($node, dbname => 'latin', client_encoding => 'UTF8');
my $describing = sub {
	my ($name, $display_name, $description) = @_;
	$api->ctl('schema', 'opportunity', encode('UTF-8', sprintf('{"attributes": [{"api_name": "id", "type_info": {"value_type": "uuid"}},
		{"api_name": %s, "display_name": %s, "description": %s, "type_info": {"value_type": "select"}}]}', map { json($_) } $name, $display_name, $description)));
};
ask(Reevo::set_up_sql($api->url) . 'DROP FOREIGN TABLE opportunity; CREATE FOREIGN TABLE t (id uuid) SERVER reevo', $latin);
$describing->('größe', 'Größe', 'wie groß');
ask(ask(q(SELECT ddl FROM opportunity_fdw_drift('t')), $latin), $latin);
is(drift('t', $latin), '', 'LATIN1: an added column has no drift');
ask(q(SELECT opportunity_fdw_comment_columns('t')), $latin);
is(ask(q(SELECT attname, col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 1 ORDER BY attnum), $latin),
	join("\n", 'größe|Größe: wie groß', 'größe_id|Größe (id): wie groß', 'größe_api_name|Größe (api_name): wie groß', 'größe_color|Größe (color): wie groß'),
	'LATIN1: the comments are converted');
$describing->('größe', 'Größe', '大きさ');
my $refused = $latin->query(q(SELECT opportunity_fdw_comment_columns('t')));
is($refused->{sqlstate}, '22P05', 'LATIN1: a description that does not fit is an error');
like(comments_of_latin(), qr/wie groß$/, 'LATIN1: the error keeps the comments');
$describing->('大きさ', 'x', 'x');
is($latin->query(q(SELECT * FROM opportunity_fdw_drift('t')))->{sqlstate}, '22P05', 'LATIN1: an attribute name that does not fit is an error');
$describing->("größe", 'Gr"ö\'ß\\e', "so\nund \x{85} so");
ask(q(SELECT opportunity_fdw_comment_columns('t')), $latin);
is(comments_of_latin(), "Gr\"ö'ß\\e: so\nund \x{85} so", 'LATIN1: the comments keep quotes and control characters');
$latin->quit;

sub comments_of_latin { return ask(q(SELECT col_description('t'::regclass, 2)), $latin); }

# --- A cancel while a long schema is processed ---

$api->ctl('schema', 'opportunity', '{"attributes": [' . join(', ', map { qq({"api_name": "a$_", "type_info": {"value_type": "select"}}) } 1 .. 6000) . ']}');
my $long = $session->query(q(SELECT count(*) FROM opportunity_fdw_drift('whole')));
is($long->{out}, '6000', 'a long schema is processed');
for my $sql (q(SELECT count(*) FROM opportunity_fdw_drift('whole')), q(DROP FOREIGN TABLE again.opportunity; IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO again))
{
	my $left = $session->query("SET statement_timeout = 100; $sql");
	is($left->{sqlstate}, '57014', 'statement_timeout cancels the processing of a long schema') or diag($left->{err});
	cmp_ok($left->{ms}, '<', $long->{ms} / 2, 'the cancel takes effect before the end');
	$session->query('RESET statement_timeout');
}

$session->quit;
$node->stop('fast');

done_testing();
