# SPDX-License-Identifier: PostgreSQL
# Records that are difficult to filter and to sort, and generated queries over them.
# The module knows the columns and valid SQL, and not which conditions are pushed down.
#
# The records are always the same. The queries depend on srand().

package Queries;

use strict;
use warnings;

# Twelve rows that queries join with; see local_table().
our $JOINED = 't';

sub chance { my ($percent) = @_; return rand(100) < $percent; }

sub one_of { return $_[ int(rand(@_)) ]; }

sub quoted { my ($text) = @_; $text =~ s/'/''/g; return "'$text'"; }

# --- The records ---

# A separate random generator, so that different queries use the same records
my $state;

sub draw
{
	my ($below) = @_;
	my $drawn = 0;
	for (1 .. 2)
	{
		$state = ($state * 1103515245 + 12345) % 2147483648;
		$drawn = $drawn * 32768 + int($state / 65536);
	}
	return $drawn % $below;
}

sub drawn { return $_[ draw(scalar @_) ]; }

my $SECOND = 1_000_000;
my $DAY = 86400 * $SECOND;
my $START = 19358 * $DAY;    # 2023-01-01

# Returns microseconds since 1970 as ISO 8601, with some digits of the second.
sub moment
{
	my ($microseconds, $digits, $offset) = @_;
	my $fraction = $microseconds % $SECOND;
	my @parts = gmtime(($microseconds - $fraction) / $SECOND + ($offset || 0) * 3600);
	my $text = sprintf('%04d-%02d-%02dT%02d:%02d:%02d', $parts[5] + 1900, $parts[4] + 1, @parts[ 3, 2, 1, 0 ]);
	$text .= '.' . substr(sprintf('%06d', $fraction), 0, $digits) if $digits;
	return $text . ($offset ? sprintf('%+03d:00', $offset) : 'Z');
}

# Times near the first or the last year: in another time zone, the year may differ.
sub is_far { my ($value) = @_; return abs($value) > 1e16; }

my @TEXTS = (
	'Acme rollout', 'ACME ROLLOUT', 'acme rollout', 'Acme', 'acme', 'Acme rollout ', ' Acme rollout', "\tAcme", "Acme\n", '',
	' ', 'Müller & Söhne', 'MÜLLER & SÖHNE', 'müller & söhne', 'Muller & Sohne', "Cafe\xcc\x81", "Caf\xc3\xa9", 'CAFÉ',
	'straße', 'STRASSE', 'strasse', 'İstanbul', 'istanbul', 'ıstanbul', '株式会社', '🚀 Rocket', "zero\xe2\x80\x8bwidth", "\xc2\xa0Acme\xc2\xa0",
	'100%', '100% sure', '100', '100x', '%', '_', 'a_b', 'axb', 'a*b', '*', '\\', 'C:\\dir', 'C:dir', '"quoted"', "O'Brien",
	'NULL', 'null', 'true', '{}', '[a]', '$1', '0', "two\nlines", 'two lines', 'zz', 'Zz', 'open', 'Open', 'a', 'A', 'ab', 'b');
my @STATUSES = ('open', 'open', 'open', 'closed', 'closed', 'Open', 'CLOSED', 'on hold', 'open ', 'öffen', '');
my @NUMBERS = (
	'0', '0.00', '-1500.50', '1.10', '1.1', '0.1', '0.3', '0.01', '1000', '1e3', '99999.99', '100000', '-0.000000000000000001',
	'123456789012345678901234567890', '123456789012345678901234567891', '9007199254740992', '9007199254740993', '9007199254740994',
	'0.30000000000000004', '0.3000000000000000444', '2.5', '2.50', '-2.5', '33.3', '100', '1e25', '0.1000000000000000055511151231257827');
my @STAGES = map { [ sprintf('00000000-0000-4000-b200-%012d', $_), (qw(Discovery Demo Proposal Won Lost))[$_] ] } 0 .. 4;

# The stored values by attribute, so that conditions can match them
my %stored;

# Stores a value unless it is NULL.
sub noted { my ($name, $value) = @_; push @{ $stored{$name} }, $value if defined $value; return $value; }

sub json_text
{
	my ($text) = @_;
	$text =~ s/(["\\])/\\$1/g;
	$text =~ s/([\x00-\x1f])/sprintf('\\u%04x', ord $1)/ge;
	return qq("$text");
}

# Returns "name": envelope. NULL has one of its forms.
sub attribute
{
	my ($name, $type, $json) = @_;
	if (!defined $json)
	{
		my $form = draw(4);
		# Without a creation time, the simulator would use another one.
		return () if $form == 0 && $name !~ /^(created|updated)_at$/;
		return qq("$name": null) if $form == 1;
		return qq("$name": {"value": {"amount": null}, "value_type": "$type"}) if $form == 2 && $type eq 'currency';
		return qq("$name": {"value": null, "value_type": "$type"});
	}
	return draw(2) ? qq("$name": {"value": $json, "value_type": "$type"}) : qq("$name": {"value_type": "$type", "value": $json});
}

# Returns an instant in one of the formats that a service may use.
sub timestamp
{
	my ($name, $value) = @_;
	noted($name, $value);
	return attribute($name, 'timestamp', undef) unless defined $value;
	my $text = moment($value, $value % $SECOND ? 6 : draw(3), is_far($value) ? 0 : drawn(0, 0, 0, 2, -11));
	# More digits than microseconds: PostgreSQL rounds.
	$text =~ s/(\.\d{6})/$1 . drawn('', '', '4', '499')/e;
	return attribute($name, 'timestamp', qq("$text"));
}

sub text { my ($name, $type, $value) = @_; noted($name, $value); return attribute($name, $type, defined $value ? json_text($value) : undef); }

sub number
{
	my ($name, $type, $value) = @_;
	noted($name, $value);
	return attribute($name, $type, undef) unless defined $value;
	return attribute($name, $type, qq({"amount": "$value"})) if $type eq 'currency';
	return attribute($name, $type, draw(2) ? $value : qq("$value"));
}

sub reference
{
	my ($name, $kind, $number) = @_;
	my $id = defined $number ? sprintf('00000000-0000-4000-%s-%012d', $kind, $number) : undef;
	noted($name, $id);
	return attribute($name, 'record_reference', defined $id ? qq({"related_record_id": "$id", "related_record_type": "account"}) : undef);
}

sub maybe { my ($percent, $value) = @_; return draw(100) < $percent ? $value : undef; }

# The creation times cover three years. One record in eight shares an instant, and
# many are in the same second. The first two are far from all others.
sub created
{
	my ($number, $is_dated) = @_;
	return undef unless $is_dated;
	return 0 if $number == 0;
	return 376_000 * $DAY + 1 if $number == 1;
	return $START + 400 * $DAY if $number % 8 == 3;
	return $START + 500 * $DAY + drawn(0, 1, 2, 499_999, 500_000, 500_001, 999_999) if $number % 8 == 5;
	return $START + draw(1000) * $DAY + draw(86400) * $SECOND + (maybe(30, draw($SECOND)) // 0);
}

sub id_of
{
	my ($number) = @_;
	return sprintf('00000000-0000-4000-8000-%012d', 5000 + $number) if $number % 3 == 0;
	return sprintf('%04x%04x-%04x-4%03x-a%03x-%012x', draw(65536), draw(65536), draw(65536), draw(4096), draw(4096), $number);
}

# records(N, DATELESS): returns [id, JSON of its attributes] for each record. The
# last DATELESS records do not have created_at.
sub records
{
	my ($count, $dateless) = @_;
	my @records;

	$state = 2718;
	%stored = ();
	for my $number (0 .. $count - 1)
	{
		my $id = noted('id', id_of($number));
		my $created = created($number, $number < $count - $dateless);
		my $updated = defined $created && draw(20) ? $created + draw(90) * $DAY + drawn(0, 0, 1, draw($SECOND)) : undef;
		my $stage = $STAGES[ draw(5) ];
		my @attributes = (
			timestamp('created_at', $created),
			timestamp('updated_at', $updated),
			timestamp('closed_at', maybe(50, drawn(-62135596800 * $SECOND, 253402300799 * $SECOND + 999_999, ($START + 400 * $DAY) x 3, map { $START + draw(600) * $DAY + draw(3) } 1 .. 9))),
			timestamp('archived_at', $number % 11 == 6 ? $START + draw(900) * $DAY : undef),
			text('display_name', 'string', drawn(@TEXTS) . (draw(3) ? '' : " $number")),
			text('next_step_details', 'long_text', maybe(70, drawn(@TEXTS))),
			text('status', 'enum', drawn(@STATUSES)),
			text('outcome', 'enum', maybe(60, drawn('won', 'lost', 'Won', 'pending'))),
			number('amount', 'currency', maybe(75, drawn(@NUMBERS, map { draw(5000) / 4 } 1 .. 9))),
			reference('account_id', '9000', maybe(85, draw(12))),
			reference('owner_user_id', 'b000', maybe(70, draw(5))),
			attribute('stage', 'opportunity_stage', qq({"id": "$stage->[0]", "display_value": "$stage->[1]", "api_name": "\L$stage->[1]\E", "color": "#000000"})),
			number('score', 'number', maybe(75, drawn(@NUMBERS))),
			number('share', 'percent', maybe(75, drawn('0', '15', '33.3', '-2.5', '100'))),
			attribute('renewal', 'boolean', maybe(75, drawn('true', 'false'))),
			text('kickoff', 'date', maybe(75, drawn('0001-01-01', '9999-12-31', '2024-02-29', map { sprintf('2024-%02d-%02d', 1 + draw(12), 1 + draw(28)) } 1 .. 9))),
			text('website', 'url', maybe(75, 'https://example.com/' . drawn('', 'a', 'A', 'a%20b', 'a_b', $number % 20))),
			text('email', 'email', maybe(75, drawn('Jo@example.com', 'jo@example.com', 'jo_x@example.com', 'jo%x@example.com', "p$number\@example.com"))),
			text('notes', 'rich_text', maybe(50, '<p>' . drawn('a', 'A &amp; b', 'ä') . '</p>')));
		push @{ $stored{stage} }, $stage->[1];
		push @{ $stored{stage_id} }, $stage->[0];
		push @records, [ $id, '{' . join(', ', @attributes) . '}' ];
	}
	return @records;
}

# --- The tables ---

my $range = "filter_operators 'gt,gte,lt,lte,between,exists'";
my $texts = "filter_operators 'eq,ne,in,not_in,contains,starts_with,ends_with,exists'";

# name => [kind, type, options, attribute]. Filters on the columns of o are
# permitted by default or by filter_operators, and few filters on the columns of p.
our %TABLES = (
	o => {
		id => [ 'uuid', 'uuid' ],
		created_at => [ 'time', 'timestamptz' ],
		updated_at => [ 'time', 'timestamptz' ],
		closed_at => [ 'time', 'timestamptz' ],
		archived_at => [ 'time', 'timestamptz' ],
		display_name => [ 'text', 'text' ],
		next_step_details => [ 'text', 'text' ],
		status => [ 'text', 'text' ],
		outcome => [ 'text', 'text' ],
		amount => [ 'number', 'numeric' ],
		account_id => [ 'uuid', 'uuid' ],
		owner_user_id => [ 'uuid', 'uuid' ],
		stage => [ 'text', 'text' ],
		stage_id => [ 'uuid', 'uuid', "filter_operators 'eq,in'", 'stage' ],
		score => [ 'number', 'numeric', "$range, sortable 'true'" ],
		share => [ 'number', 'numeric', "$range, sortable 'true'" ],
		renewal => [ 'boolean', 'boolean', "filter_operators 'eq,ne,exists'" ],
		kickoff => [ 'date', 'date', "$range, sortable 'true'" ],
		website => [ 'text', 'text', $texts ],
		email => [ 'text', 'text', $texts ],
		notes => [ 'text', 'text' ],
	},
	p => {
		id => [ 'text', 'text' ],
		created_at => [ 'time', 'timestamp' ],
		updated_on => [ 'date', 'date', '', 'updated_at' ],
		rounded => [ 'time', 'timestamptz(0)', '', 'closed_at' ],
		display_name => [ 'text', 'varchar' ],
		initial => [ 'text', 'text', '', 'display_name' ],
		status => [ 'text', 'status_name' ],
		amount => [ 'number', 'numeric(60,2)' ],
		about => [ 'number', 'float8', $range, 'score' ],
		whole => [ 'number', 'int', "$range, invalid_value 'null'", 'score' ],
		account_id => [ 'text', 'text' ],
		renewal => [ 'text', 'text' ],
		kickoff => [ 'text', 'text', $range ],
	});

sub attribute_of { my ($table, $name) = @_; return $TABLES{$table}{$name}[3] || $name; }

# foreign_tables(SCHEMA, SERVER, OPTIONS): returns SQL that creates the tables in
# that schema.
sub foreign_tables
{
	my ($schema, $server, $options) = @_;
	my $sql = "CREATE SCHEMA $schema;\n";
	for my $table (sort keys %TABLES)
	{
		my @columns;
		for my $name (sort keys %{ $TABLES{$table} })
		{
			my (undef, $type, $more, $attribute) = @{ $TABLES{$table}{$name} };
			my @options = grep { $_ } $attribute && "attribute '$attribute'", $more;
			push @columns, "$name $type" . (@options ? ' OPTIONS (' . join(', ', @options) . ')' : '') . ($name eq 'initial' ? ' COLLATE blind' : '');
		}
		$sql .= "CREATE FOREIGN TABLE $schema.$table (\n\t" . join(",\n\t", @columns) . ") SERVER $server OPTIONS ($options);\n";
	}
	return $sql;
}

# local_table(): returns SQL that creates the table that queries join with, from a
# copy of o. Some of its values occur several times, some do not occur, and some are
# NULL.
sub local_table
{
	my ($copy) = @_;
	return qq(
		CREATE TABLE $JOINED AS
			SELECT n::int, id, account_id, owner_user_id, CASE WHEN n % 4 = 1 THEN upper(status) ELSE status END AS status,
				display_name AS name, created_at AS at, amount, kickoff AS day, renewal AS flag
			FROM (SELECT *, row_number() OVER (ORDER BY md5(id::text)) AS n FROM $copy) o WHERE n <= 10;
		INSERT INTO $JOINED (n) VALUES (11);
		INSERT INTO $JOINED VALUES (12, '00000000-0000-4000-8000-000000009999', '00000000-0000-4000-9000-000000009999',
			'00000000-0000-4000-b000-000000009999', 'nowhere', 'nowhere', '2033-03-03', 77.77, '2033-03-03', NULL);
		ANALYZE $JOINED;
	);
}

# --- Values ---

# The kinds of query that generated() may make; see there.
my $may;

# The parameters of the current query, [type, value] each; undef for a query without
# parameters
my $parameters;

sub characters { return $_[0] =~ /([\x00-\x7f]|[\xc0-\xf7][\x80-\xbf]+)/g; }

sub some_text
{
	my ($table, $name) = @_;
	my @known = @{ $stored{ attribute_of($table, $name) } || \@TEXTS };
	my $text = one_of(one_of(@known), one_of(@known), one_of(@known), one_of(@TEXTS));
	return one_of($text, $text, $text, uc $text, lc $text, ucfirst $text, "$text ", " $text", $text =~ s/^\s+|\s+$//gr);
}

# Returns a part of a text, perhaps empty.
sub piece
{
	my ($text) = @_;
	my @characters = characters($text);
	my $start = one_of(0, 0, int(rand(@characters + 1)));
	return join('', grep { defined } @characters[ $start .. $start + int(rand(4)) ]);
}

sub pattern
{
	my ($table, $name) = @_;
	my $text = piece(some_text($table, $name));
	return one_of("$text%", "$text%", "%$text", "%$text%", "%$text%", $text, "$text%%", "_$text%", "$text\_%", "${text}_", "%${text}_%", '%', '', '_%',
		$text =~ s/([\\%_])/\\$1/gr . '%', '%' . ($text =~ s/([\\%_])/\\$1/gr) . '%', "$text\\%", uc("$text%"), lc("%$text"));
}

sub time_text { my ($value) = @_; return moment($value, 6, is_far($value) ? 0 : one_of(0, 0, 0, 3, -7)); }

# Returns a stored instant, or one step before or after it.
sub some_time
{
	my ($table, $name) = @_;
	my $value = one_of(@{ $stored{ attribute_of($table, $name) } || $stored{created_at} });
	return $value if is_far($value);
	return $value + one_of((0) x 4, 1, -1, 1, -1, $SECOND, -$SECOND, $SECOND - 1, -$value % $SECOND, $DAY);
}

# Returns a constant of a kind, as [type, SQL without a cast].
my %constants = (
	uuid => sub {
		my ($table, $name) = @_;
		my $id = one_of(@{ $stored{$name} });
		return [ 'uuid', quoted(one_of($id, $id, $id, uc $id, $id =~ s/-//gr, '00000000-0000-4000-9000-000000009999')) ];
	},
	text => sub {
		my ($table, $name) = @_;
		return [ 'text', quoted(one_of(@{ $stored{ attribute_of($table, $name) } || \@TEXTS })) ] if chance(30);
		return [ one_of('text', 'text', 'text', 'varchar', 'char(9)', 'name'), quoted(some_text($table, $name)) ];
	},
	boolean => sub { return [ 'boolean', one_of(qw('t' 'f' 'true' 'off')) ]; },
	time => sub {
		my ($table, $name) = @_;
		return [ 'timestamptz', one_of("'infinity'", "'-infinity'", "'epoch'", "'0044-03-15 BC'", "'294000-01-01'") ] if chance(8);
		my $text = time_text(some_time($table, $name));
		return [ 'timestamptz', quoted($text) ] if chance(80);
		return [ 'date', quoted(substr($text, 0, 10)) ] if chance(50);
		return [ 'timestamp', quoted($text =~ s/(Z|[+-]\d\d:00)$//r) ];
	},
	date => sub {
		my ($table, $name) = @_;
		my $stored = $stored{ attribute_of($table, $name) };
		return [ 'date', one_of("'infinity'", "'-infinity'", "'0044-03-15 BC'", "'10000-01-01'") ] if chance(8);
		my $text = $stored->[0] =~ /-../ && $stored->[0] !~ /^-/ ? one_of(@$stored) : substr(moment(one_of(@$stored), 0), 0, 10);
		return [ one_of('timestamptz', 'timestamp'), quoted($text . one_of('', ' 00:00:01', ' 12:00')) ] if chance(15);
		return [ 'date', quoted($text) ];
	},
	number => sub {
		my ($table, $name) = @_;
		my $text = one_of(@{ $stored{ attribute_of($table, $name) } });
		return [ 'numeric', one_of("'NaN'", '1e400', '-1e400', '1e300', '1e-300', '0.30000000000000004', '9007199254740993') ] if chance(10);
		return [ 'int', int($text) ] if chance(15) && abs($text) < 1e9;
		return [ 'float8', quoted($text) ] if chance(8);
		return [ 'numeric', one_of($text, $text, $text, "$text + 0.000000000000000001", "$text - 0.000000000000000001", "$text + 1", "- ($text)") ];
	});

# Returns a constant of a column's type, or of a type that is comparable with it.
sub constant
{
	my ($table, $name) = @_;
	my ($kind, $type) = @{ $TABLES{$table}{$name} };
	my $made = chance(3) ? [ { number => 'numeric', time => 'timestamptz' }->{$kind} || $kind, 'NULL' ] : $constants{$kind}->($table, $name);
	if ($parameters && chance(60))
	{
		push @$parameters, $made;
		return '$' . @$parameters;
	}
	my ($of, $text) = @$made;
	return $text if $text =~ /^'/ && $kind ne 'number' && $of !~ /^(char|name|timestamp$|date)/ && chance(30);
	return "($text)::$of";
}

# Values that are known only at execution
my %computed = (
	uuid => [ '(SELECT account_id FROM t WHERE n = 3)', '(SELECT owner_user_id FROM t WHERE n = 1)', '(SELECT id FROM t WHERE n = 11)' ],
	text => [ '(SELECT name FROM t WHERE n = 2)', '(SELECT max(status) FROM t)', "concat('op', 'en')", '(SELECT name FROM t WHERE n > 20)', "format('%s', 'Acme')" ],
	boolean => [ '(SELECT flag FROM t WHERE n = 4)', '(SELECT true)', '(now() IS NULL)' ],
	time => [
		"now() - interval '700 days'", "now() - interval '3 years'", 'now()', "date_trunc('month', now() - interval '20 months')",
		"(SELECT coalesce(max(at), '-infinity') FROM t WHERE n > 20)", "(SELECT coalesce(max(at), '-infinity') FROM t WHERE n < 5)", '(SELECT min(at) FROM t)',
		'current_date - 800', "'yesterday'::timestamptz", '(SELECT max(created_at) FROM o)'
	],
	date => [ 'current_date', 'current_date - 900', '(SELECT min(day) FROM t)', '(SELECT max(day) FROM t WHERE n > 20)', 'now()' ],
	number => [ '(SELECT amount FROM t WHERE n = 12)', '(SELECT avg(amount) FROM t)', 'length(current_user) * 3', '(SELECT count(*) FROM t)', 'sqrt(9)' ]);

sub value
{
	my ($table, $name) = @_;
	my $kind = $TABLES{$table}{$name}[0];
	if (chance(10))
	{
		return one_of(grep { $may->{extremes} || !/FROM o/ } @{ $computed{$kind} });
	}
	return constant($table, $name);
}

# --- Conditions ---

sub list { my ($table, $name, $most) = @_; return join(', ', map { constant($table, $name) } 1 .. 1 + int(rand($most))); }

# Returns an array with more values than the API takes in one filter.
sub long_array
{
	my ($table, $name) = @_;
	my $type = $TABLES{$table}{$name}[0];
	my $other = $type eq 'uuid' ? "('00000000-0000-4000-9000-' || lpad(g::text, 12, '0'))::uuid" : "'other ' || g";
	return '(' . join(' || ', map { ("ARRAY[" . list($table, $name, 5) . "]::${type}[]", "ARRAY(SELECT $other FROM generate_series(@{[ 100 * $_ ]}, @{[ 100 * $_ + int(rand(99)) ]}) g)") } 1 .. one_of(2, 3, 5)) . ')';
}

# Returns ARRAY[...] of one type.
sub array
{
	my ($table, $name) = @_;
	my $kind = $TABLES{$table}{$name}[0];
	my $type = { number => 'numeric', time => 'timestamptz' }->{$kind} || $kind;
	return "'{}'::${type}[]" if chance(4);
	return "NULL::${type}[]" if chance(2);
	return "ARRAY(SELECT " . { uuid => 'account_id', text => 'status', boolean => 'flag', time => 'at', date => 'day', number => 'amount' }->{$kind} . ' FROM t)' if chance(6);
	return long_array($table, $name) if $kind =~ /uuid|text/ && chance(25);
	return 'ARRAY[' . list($table, $name, chance(4) ? 120 : 5) . "]::${type}[]";
}

my @comparisons = qw(= = = <> < < <= <= > > >= >=);

# Conditions for any type
my @general = (
	sub { my ($c, @of) = @_; return "$c " . one_of(@comparisons) . ' ' . value(@of); },
	sub { my ($c, @of) = @_; return "$c " . one_of(@comparisons) . ' ' . value(@of); },
	sub { my ($c, @of) = @_; return value(@of) . ' ' . one_of(@comparisons) . " $c"; },
	sub { my ($c, @of) = @_; return "$c BETWEEN " . value(@of) . ' AND ' . value(@of); },
	sub { my ($c, @of) = @_; return "$c " . one_of('NOT BETWEEN', 'BETWEEN SYMMETRIC', 'NOT BETWEEN SYMMETRIC') . ' ' . value(@of) . ' AND ' . value(@of); },
	sub { my ($c, @of) = @_; return "$c " . one_of('>', '>=') . ' ' . value(@of) . " AND $c " . one_of('<', '<=') . ' ' . value(@of); },
	sub { my ($c, @of) = @_; return "$c " . one_of('IN', 'IN', 'NOT IN') . ' (' . list(@of, 4) . ')'; },
	sub { my ($c, @of) = @_; return "$c " . one_of('IN', 'NOT IN') . ' (' . list(@of, 3) . ', NULL)'; },
	sub { my ($c, @of) = @_; return "$c " . one_of('= ANY', '= ANY', '= ANY', '<> ALL', '<> ANY', '= ALL', '< ANY', '> ALL') . ' (' . array(@of) . ')'; },
	sub { my ($c) = @_; return "$c IS NULL"; },
	sub { my ($c) = @_; return "$c IS NOT NULL"; },
	sub { my ($c, @of) = @_; return "$c IS " . one_of('', 'NOT ') . 'DISTINCT FROM ' . value(@of); },
	sub { my ($c, @of) = @_; return "($c " . one_of(@comparisons) . ' ' . value(@of) . ') IS ' . one_of('TRUE', 'NOT TRUE', 'FALSE', 'NOT FALSE', 'UNKNOWN', 'NOT UNKNOWN'); },
	sub { my ($c, @of) = @_; return "$c " . one_of('=', '<>', '<', '>=') . ' NULL'; },
	sub { my ($c, @of) = @_; return "coalesce($c, " . constant(@of) . ') ' . one_of(@comparisons) . ' ' . value(@of); });

my @textual = (
	sub { my ($c, @of) = @_; return "$c " . one_of('LIKE', 'LIKE', 'LIKE', 'LIKE', 'NOT LIKE', 'ILIKE') . ' ' . known_text(pattern(@of)); },
	sub { my ($c, @of) = @_; return "$c " . one_of('LIKE', 'LIKE', 'NOT LIKE') . ' ' . known_text(pattern(@of)); },
	sub { my ($c, @of) = @_; return "starts_with($c, " . known_text(piece(some_text(@of))) . ')'; },
	sub { my ($c, @of) = @_; return "$c ^@ " . known_text(piece(some_text(@of))); },
	sub { my ($c, @of) = @_; return "lower($c) = " . known_text(lc some_text(@of)); },
	sub { my ($c, @of) = @_; return "$c LIKE " . quoted(pattern(@of) =~ s/\\//gr) . " ESCAPE '!'"; },
	sub { my ($c, @of) = @_; return "$c ~ " . one_of("'^A'", "'e\$'", "'[0-9]'"); },
	sub { my ($c, @of) = @_; return "$c || 'x' = " . quoted(some_text(@of) . 'x'); },
	sub { my ($c, @of) = @_; return "$c COLLATE \"C\" " . one_of(@comparisons) . ' ' . known_text(some_text(@of)); },
	sub { my ($c, @of) = @_; return "length($c) > " . int(rand(12)); });

# Returns a text, or a parameter.
sub known_text
{
	my ($text) = @_;
	return quoted($text) if !$parameters || chance(40);
	push @$parameters, [ 'text', quoted($text) ];
	return '$' . @$parameters;
}

my %special = (
	uuid => [ sub { my ($c, @of) = @_; return "$c\::text = " . quoted(one_of(@{ $stored{ $of[1] } })); } ],
	text => \@textual,
	boolean => [
		sub { return $_[0]; },
		sub { return "NOT $_[0]"; },
		sub { return "$_[0] IS " . one_of('TRUE', 'FALSE', 'NOT TRUE', 'NOT FALSE', 'UNKNOWN', 'NOT UNKNOWN'); },
		sub { return "$_[0] " . one_of('=', '<>') . ' ' . one_of('true', 'false'); }
	],
	time => [
		sub { my ($c, @of) = @_; return "$c + interval '1 day' " . one_of(@comparisons) . ' ' . value(@of); },
		sub { my ($c, @of) = @_; return "date_trunc('day', $c) = " . quoted(substr(time_text(some_time(@of)), 0, 10)); },
		sub { my ($c, @of) = @_; return "$c\::date " . one_of('=', '<=', '>') . ' ' . quoted(substr(time_text(some_time(@of)), 0, 10)); },
		sub { my ($c, @of) = @_; return "isfinite($c)"; }
	],
	date => [
		sub { my ($c, @of) = @_; return "$c - 1 " . one_of(@comparisons) . ' current_date'; },
		sub { my ($c, @of) = @_; return "extract(year FROM $c) > 2023"; }
	],
	number => [
		sub { my ($c, @of) = @_; return "$c + 0 " . one_of(@comparisons) . ' ' . value(@of); },
		sub { my ($c, @of) = @_; return "$c\::float8 " . one_of(@comparisons) . ' ' . one_of(@{ $stored{ attribute_of(@of) } }); },
		sub { my ($c, @of) = @_; return "abs($c) > 2"; }
	]);

# Conditions with several columns
my %several = (
	o => [
		sub { my ($a) = @_; return "$a.created_at " . one_of(@comparisons) . " $a.updated_at"; },
		sub { my ($a) = @_; return "$a.amount " . one_of(@comparisons) . " $a.score"; },
		sub { my ($a) = @_; return "$a.status = $a.outcome"; },
		sub { my ($a) = @_; return "($a.created_at, $a.amount) " . one_of(qw(< <= > >= =)) . ' (' . constant('o', 'created_at') . ', ' . constant('o', 'amount') . ')'; },
		sub { my ($a) = @_; return "($a.status, $a.renewal) IN ((" . quoted(one_of(@STATUSES)) . ", true), ('open', false))"; },
		sub { my ($a) = @_; return "CASE WHEN $a.renewal THEN $a.amount > 1 ELSE $a.status = 'open' END"; },
		sub { my ($a) = @_; return "num_nulls($a.closed_at, $a.amount, $a.outcome) = 1"; },
		sub { my ($a) = @_; return "$a.account_id IN (SELECT account_id FROM t)"; },
		sub { my ($a) = @_; return "$a.status NOT IN (SELECT status FROM t WHERE n < 4)"; },
		sub { my ($a) = @_; return "$a.amount > ALL (SELECT amount FROM t WHERE n < 3)"; },
	],
	p => [
		sub { my ($a) = @_; return "$a.created_at < $a.updated_on"; },
		sub { my ($a) = @_; return "$a.amount > $a.about"; },
		sub { my ($a) = @_; return "$a.display_name = $a.status::text"; },
		sub { my ($a) = @_; return "$a.account_id IN (SELECT account_id::text FROM t)"; },
	]);

# An equality with the id determines the request by itself.
sub is_about_id { my ($name) = @_; return $name eq 'id' && !$may->{id_equality}; }

sub leaf
{
	my ($alias, $table) = @_;
	return one_of('true', 'false', 'NULL::boolean', 'now() IS NOT NULL', "(SELECT count(*) FROM t) = 12") if chance(2);
	return one_of(@{ $several{$table} })->($alias) if chance(8);
	my @names = sort keys %{ $TABLES{$table} };
	my $name = one_of(@names);
	$name = one_of(@names) while is_about_id($name);
	my $kind = $TABLES{$table}{$name}[0];
	# Before PostgreSQL 18, a nondeterministic collation does not support patterns.
	my @makers = $name ne 'initial' && chance($kind eq 'text' || $kind eq 'boolean' ? 50 : 12) ? @{ $special{$kind} } : @general;
	return one_of(@makers)->("$alias.$name", $table, $name);
}

# condition(ALIAS, TABLE, DEPTH)
sub condition
{
	my ($alias, $table, $depth) = @_;
	return leaf($alias, $table) if $depth <= 0 || chance(35);
	my @arms = map { condition($alias, $table, $depth - 1) } 1 .. one_of(2, 2, 2, 3);
	return 'NOT (' . $arms[0] . ')' if chance(12);
	my $operator = one_of(qw(AND AND OR OR OR));
	return join(" $operator ", map { "($_)" } @arms);
}

sub where
{
	my ($alias, $table, $percent) = @_;
	return '' if !chance(defined $percent ? $percent : 85);
	return ' WHERE ' . condition($alias, $table, one_of(0, 1, 1, 1, 2, 3));
}

# --- Queries ---

sub columns { my ($table) = @_; return sort keys %{ $TABLES{$table} }; }

sub shown
{
	my ($alias, $table) = @_;
	return one_of('*', "$alias.id", "$alias", join(', ', map { "$alias.$_" } map { one_of(columns($table)) } 1 .. 3), "count(*) OVER (), $alias.id")
	  if chance(70);
	return join(', ', map { "$alias.$_" } 'id', one_of(columns($table)));
}

# Returns ORDER BY with a unique order.
sub total_order
{
	my ($alias, $table) = @_;
	my @keys = map { one_of('created_at', 'created_at', 'updated_at', 'amount', one_of(columns($table))) } 1 .. one_of(1, 1, 1, 2, 3);
	@keys = map { exists $TABLES{$table}{$_} ? $_ : 'created_at' } @keys;
	@keys = ('id') if chance(12);
	return ' ORDER BY ' . join(', ', map { "$alias.$_" . one_of('', '', ' ASC', ' DESC', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST') } @keys, 'id');
}

sub limit { return ' LIMIT ' . one_of(0, 1, 1, 2, 5, 5, 10, 19, 20, 21, 60, 1000) . (chance(25) ? ' OFFSET ' . int(rand(30)) : ''); }

# With a condition that excludes NULL from a sorted column, the sort can be pushed
# down.
sub ordered_by
{
	my ($alias, $table, $where) = @_;
	my $order = total_order($alias, $table);
	my ($key) = $order =~ /ORDER BY (\S+?)(?:,| |$)/;
	my ($name) = $key =~ /\.(\w+)/;
	return $where . $order if chance(40) || is_about_id($name);
	my $more = one_of("$key IS NOT NULL", "$key IS NOT NULL", "$key " . one_of('<', '<=', '>', '>=') . ' ' . constant($table, $name));
	return ($where eq '' ? " WHERE $more" : $where =~ s/^ WHERE (.*)/ WHERE ($1) AND $more/sr) . $order;
}

sub table { return !$may->{text_id} || chance(80) ? 'o' : 'p'; }

# Removes the trailing zeros of a number, because equal numbers can have different
# scales.
sub scaled { my ($expression) = @_; return $expression =~ /amount|score/ ? "trim_scale($expression)" : $expression; }

# Returns a join condition between o and t.
sub joined
{
	my $id = $may->{id_equality} ? one_of('o.id = t.id', 'o.account_id = t.account_id') : 'o.account_id = t.account_id';
	return one_of('o.account_id = t.account_id', 'o.account_id = t.account_id', 'o.owner_user_id = t.owner_user_id', 'o.status = t.status', 'o.display_name = t.name',
		'o.created_at = t.at', 'o.created_at < t.at AND t.n < 4', 'o.amount = t.amount', 'o.kickoff = t.day', 'o.renewal = t.flag AND t.n < 6', $id,
		'o.status = t.status AND o.account_id = t.account_id', 'o.account_id = coalesce(t.account_id, t.owner_user_id)',
		'o.account_id IN (t.account_id, t.owner_user_id)', 'o.closed_at >= t.at AND o.amount < t.amount');
}

# Each function returns a query: the comparison of its rows ("set", "list" in order,
# or "count" only), and its text.
my %shapes = (
	plain => sub {
		my $table = table();
		my $query = 'SELECT ' . shown('a', $table) . " FROM $table a" . where('a', $table, 97);
		return ('set', chance(15) ? "SELECT q::text FROM ($query) q" : $query);
	},
	ordered => sub {
		my $table = table();
		return ('list', 'SELECT ' . one_of("a.*", "a.id") . " FROM $table a" . ordered_by('a', $table, where('a', $table)));
	},
	limited => sub {
		my $table = table();
		return ('list', 'SELECT ' . one_of("a.*", "a.id") . " FROM $table a" . ordered_by('a', $table, where('a', $table)) . limit());
	},
	ties => sub {
		my $key = one_of(qw(created_at updated_at amount status kickoff));
		return ('set', "SELECT a.id FROM o a" . where('a', 'o') . " ORDER BY a.$key" . one_of('', ' DESC', ' NULLS FIRST') . ' FETCH FIRST ' . one_of(1, 3, 10) . ' ROWS WITH TIES');
	},
	some => sub { return ('count', 'SELECT a.id FROM o a' . where('a', 'o') . limit()); },
	counted => sub {
		my $table = table();
		return ('set', 'SELECT count(*)' . one_of('', ', count(a.id)', ', count(DISTINCT a.status)') . " FROM $table a" . where('a', $table));
	},
	grouped => sub {
		my $key = one_of(qw(a.status a.account_id a.renewal a.outcome a.kickoff a.amount a.created_at), "date_trunc('month', a.created_at)");
		return ('set', 'SELECT ' . scaled($key) . ", count(*), sum(a.amount), count(a.closed_at) FROM o a" . where('a', 'o') . " GROUP BY $key" . one_of('', '', ' HAVING count(*) > 2'));
	},
	extremes => sub {
		my $key = one_of(qw(created_at updated_at closed_at amount score kickoff status));
		my ($least, $most) = map { scaled("$_(a.$key)") } qw(min max);
		return ('set', 'SELECT ' . one_of("$least, $most", $most, $least) . ' FROM o a' . where('a', 'o'));
	},
	extremes_of => sub {
		return ('set', 'SELECT a.account_id, min(a.created_at), ' . scaled('max(a.amount)') . ' FROM o a' . where('a', 'o') . ' GROUP BY 1');
	},
	distinct => sub {
		return ('set', 'SELECT DISTINCT ' . one_of('a.status', 'a.account_id, a.renewal', 'a.created_at', 'a.updated_at, a.amount IS NULL') . ' FROM o a' . where('a', 'o'));
	},
	first_of => sub {
		my $key = one_of(qw(account_id status renewal));
		return ('set', "SELECT DISTINCT ON (a.$key) a.$key, a.id, a.amount FROM o a" . where('a', 'o') . " ORDER BY a.$key, a.created_at " . one_of('', 'DESC') . ', a.id');
	},
	joins => sub {
		my $further = chance(40) ? ' AND (' . condition('o', 'o', 1) . ')' : '';
		my $sides = one_of('t JOIN o', 't LEFT JOIN o', 'o LEFT JOIN t', 'o RIGHT JOIN t', 'o JOIN t');
		return ('set', 'SELECT t.n, ' . one_of('o.id', 'o.id, o.amount, o.status') . " FROM $sides ON " . joined() . $further . (chance(30) ? where('o', 'o', 100) : ''));
	},
	full => sub {
		my $on = one_of('o.account_id = t.account_id', 'o.status = t.status', 'o.created_at = t.at');
		return ('set', "SELECT t.n, o.id FROM t FULL JOIN o ON $on" . where('o', 'o', 30));
	},
	filtered_join => sub {
		my $inner = 'SELECT * FROM o a' . where('a', 'o');
		return ('set', "SELECT t.n, o.id FROM t " . one_of('JOIN', 'LEFT JOIN', 'FULL JOIN') . " ($inner) o ON o.account_id = t.account_id");
	},
	exist => sub {
		my $further = chance(50) ? ' AND (' . condition('o', 'o', 1) . ')' : '';
		return ('set', 'SELECT t.n FROM t WHERE ' . one_of('EXISTS', 'NOT EXISTS') . ' (SELECT FROM o WHERE ' . joined() . "$further)") if chance(50);
		return ('set', 'SELECT o.id FROM o WHERE ' . one_of('EXISTS', 'NOT EXISTS') . ' (SELECT FROM t WHERE ' . joined() . ')' . $further);
	},
	correlated => sub {
		return ('set', 'SELECT t.n, (SELECT ' . one_of('count(*)', 'sum(o.amount)', "string_agg(o.status, ',' ORDER BY o.status)") . ' FROM o WHERE ' . joined()
			  . ') AS s FROM t WHERE t.n ' . one_of('< 5', '> 8'));
	},
	for_each => sub {
		my $further = chance(40) ? ' AND (' . condition('o', 'o', 1) . ')' : '';
		my $on = joined() . $further;
		my $value = one_of("(SELECT count(*) FROM o WHERE $on)", "(SELECT min(o.id::text) FROM o WHERE $on)", "EXISTS (SELECT FROM o WHERE $on)::text",
			"(SELECT string_agg(s.id::text, ',') FROM (SELECT o.id FROM o WHERE $on ORDER BY o.id LIMIT 3) s)");
		return ('set', one_of(
			"SELECT t.n, CASE WHEN t.n < 9 THEN ($value)::text END AS s FROM t", "SELECT t.n FROM t WHERE ($value)::text > '1' AND t.n > 3",
			"SELECT t.n FROM t WHERE t.n = 2 OR ($value)::text = '0'", "SELECT t.n % 3, count($value) FROM t GROUP BY 1",
			"SELECT t.n, $value AS s FROM t ORDER BY t.n LIMIT 5", "SELECT t.n, l.s FROM t CROSS JOIN LATERAL (SELECT $value AS s OFFSET 0) l WHERE t.n < 7"));
	},
	lateral => sub {
		my $key = one_of('created_at', 'created_at', 'updated_at', 'amount');
		return ('set', 'SELECT t.n, l.id FROM t ' . one_of('CROSS JOIN', 'LEFT JOIN') . ' LATERAL (SELECT o.id FROM o WHERE ' . joined()
			  . " ORDER BY o.$key" . one_of('', ' DESC') . ', o.id LIMIT ' . one_of(1, 2, 7) . ') l');
	},
	both => sub {
		return ('set', 'SELECT count(*) FROM o') unless $may->{text_id};
		my $on = $may->{id_equality} ? one_of('p.id::uuid = o.id', 'p.account_id = o.account_id::text AND p.created_at = o.updated_at') : 'p.created_at = o.updated_at';
		return ('set', 'SELECT o.id, p.id FROM o ' . one_of('JOIN', 'LEFT JOIN', 'JOIN') . " p ON $on" . where('o', 'o', 90));
	},
	twice => sub {
		return ('set', 'SELECT a.id, b.id FROM o a JOIN o b ON a.account_id = b.account_id AND a.created_at < b.created_at' . where('a', 'o', 100));
	},
	sets => sub {
		my @arms = map { "SELECT a.id, a.status FROM o a" . where('a', 'o', 95) } 1 .. 2;
		return ('set', join(' ' . one_of('UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT', 'EXCEPT ALL') . ' ', @arms));
	},
	all_of => sub {
		my @arms = map { "SELECT a.id, a.amount IS NULL FROM o a" . where('a', 'o', 70) } 1 .. one_of(2, 2, 3);
		my $all = join(' UNION ALL ', @arms);
		return @{ one_of([ 'set', $all ], [ 'set', "SELECT t.n, u.id FROM t JOIN ($all) u USING (id)" ], [ 'count', $all . limit() ]) } if $may->{id_equality};
		return ('set', $all);
	},
	appended => sub {
		return ('list', "SELECT * FROM (SELECT a.id, a.created_at FROM o a" . where('a', 'o') . ' UNION ALL SELECT t.id, t.at FROM t WHERE t.n > 10) u ORDER BY created_at, id LIMIT 12');
	},
	with => sub {
		my $materialized = one_of('', 'MATERIALIZED ', 'NOT MATERIALIZED ');
		return ('set', "WITH w AS $materialized(SELECT a.* FROM o a" . where('a', 'o') . ') SELECT ' . one_of('count(*), count(w.amount) FROM w', 'w.id, t.n FROM w JOIN t USING (account_id)',
				'v.id FROM w v WHERE v.amount >= (SELECT avg(amount) FROM w)', "w.id FROM w" . where('w', 'o', 100)));
	},
	windows => sub {
		my $window = 'PARTITION BY ' . one_of('a.account_id', 'a.status') . ' ORDER BY ' . one_of('a.created_at', 'a.amount DESC', 'a.updated_at') . ', a.id';
		return ('set', 'SELECT a.id, ' . one_of('row_number()', 'lag(a.id)', 'sum(a.amount)', 'count(*)') . " OVER ($window) FROM o a" . where('a', 'o'));
	});

# The weight of each shape
my %weights = (plain => 12, ordered => 5, limited => 7, joins => 3, all_of => 3);

# The shapes whose rows are right even if the API sorts wrongly, because they read
# all rows
my %reads_all = map { $_ => 1 } qw(plain ordered counted grouped distinct windows sets with all_of);

# The shapes without an order. The plan of another shape may need an order.
my %wants_no_order = map { $_ => 1 } qw(plain counted some all_of);

# generated(id_equality => BOOL, extremes => BOOL, sorts => BOOL, text_id => BOOL):
# returns a query with {text}, {mode} as above, {settings} ("a=b c=d"), {shape} and
# {wants_order}. Parameters:
# - id_equality permits conditions on the id.
# - sorts: the API sorts correctly.
# - extremes permits min and max in subqueries.
# - text_id: an id in a text column has the same format as in the copy.
sub generated
{
	my (%allowed) = @_;
	my @names = map { ($_) x ($weights{$_} || 1) } grep { $allowed{sorts} || $reads_all{$_} } sort keys %shapes;

	$may = \%allowed;
	$parameters = chance(15) ? [] : undef;
	my $shape = one_of(@names);
	my ($mode, $text) = $shapes{$shape}->();
	$text .= ' ON true' if $text =~ /LEFT JOIN LATERAL/;

	my @settings = ('work_mem=' . one_of('4MB', '4MB', '64kB'));
	push @settings, map { chance(15) ? "enable_$_=off" : () } qw(hashjoin mergejoin nestloop material sort incremental_sort hashagg)
	  if $allowed{sorts};
	if ($parameters && @$parameters)
	{
		push @settings, 'plan_cache_mode=' . one_of('auto', 'force_generic_plan', 'force_custom_plan');
		my $types = join(', ', map { $_->[0] } @$parameters);
		my $values = join(', ', map { $_->[1] } @$parameters);
		$text = "PREPARE generated ($types) AS $text\x1fEXECUTE generated ($values)";
	}
	$parameters = undef;
	return { shape => $shape, mode => $mode, text => $text, settings => join(' ', @settings), wants_order => (!$wants_no_order{$shape} || $text =~ /\b(min|max)\(/) ? 1 : 0 };
}

1;
