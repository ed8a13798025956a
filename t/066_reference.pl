# SPDX-License-Identifier: PostgreSQL
# doc/reference.md against the code: options with their objects, defaults, values and
# who may set them; functions, views and their columns; settings; lines of EXPLAIN;
# SQLSTATEs. What the code has and the document lacks is a failure, and the other
# way round.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Documents;
use Reevo;
use Test::More;

my $top = $Documents::top;
my $reference = Reevo::slurp("$top/doc/reference.md");
my $code = join('', map { Reevo::slurp($_) } glob("$top/src/*.c"));

# section(HEADING): what stands below it, up to the next of its level.
sub section
{
	my ($heading) = @_;
	my ($level) = $heading =~ /^(#+)/;
	my ($text) = $reference =~ /^\Q$heading\E\n(.*?)(?=^#{1,@{[ length $level ]}} |\z)/ms;
	die "no section $heading" unless defined $text;
	return $text;
}

# --- Options ---

# by name: [ objects, default, values, superuser ], as the reference has them.
sub options_of_code
{
	my %options;
	my ($table) = $code =~ /^static const OptionDef option_table\[\] = \{(.*?)^\};/ms;
	my %objects = (
		OPTION_SERVER => 'server',
		ST => 'server, table',
		STC => 'server, table, column',
		OPTION_TABLE => 'table',
		OPTION_COLUMN => 'column',
		OPTION_USER => 'user mapping',
		OPTION_IMPORT => 'import');

	while ($table =~ /^\t(\w*)(?:_OPTION\(|\{)"(\w+)",\s*(\w+),\s*(.*?)(?=^\t\w+_OPTION\(|^\t\{|\z)/msg)
	{
		my ($kind, $name, $where, $rest) = ($1, $2, $3, $4);
		$rest =~ s/OPTION_(CHOICE|TERNARY),\s*//;
		my ($default, @more) = split(/,\s*/, $rest);
		$default = $default =~ /^"(.*)"$/ ? $1 : undef;
		$default = 'opportunity' if $name eq 'record_type';
		my $values =
			$kind eq 'BOOL' || $name eq 'sortable' ? 'boolean'
		  : $kind !~ /^(INT|REAL)$/ ? undef
		  : $more[1] =~ /^(INT_MAX|1e10)$/ ? "from $more[0]"
		  : "$more[0] to $more[1]";
		my $superuser = $kind =~ /^(BOOL|TEXT)$/ && $rest =~ /\btrue,\s*(IN_|ELSE)/;
		$options{$name} = [ $objects{$where}, $default, $values, $superuser ? 1 : 0 ];
	}
	return \%options;
}

my $options = options_of_code();
my %documented = map { /^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \| (.*) \|$/ ? ($1 => [ $2, $3, $4, $5 ]) : () }
  split(/\n/, section('## Options'));

cmp_ok(scalar keys %$options, '>', 20, 'the code has options');
is_deeply([ sort keys %documented ], [ sort keys %$options ], 'the options are those of the code');
for my $name (sort keys %$options)
{
	my ($objects, $default, $values, $superuser) = @{ $options->{$name} };
	my ($of, $by_default, $range, $meaning) = @{ $documented{$name} || [ ('') x 4 ] };

	is($of, $objects, "$name: of what");
	is($by_default, "`$default`", "$name: the default") if defined $default;
	is($range, $values, "$name: values") if defined $values;
	is($meaning =~ /; superuser\b/ ? 1 : 0, $superuser, "$name: who may set it");
}
my ($operators) = $code =~ /api_operators\[\] = \{(.*?)\};/s;
is($documented{filter_operators}[2], join(', ', map { "`$_`" } $operators =~ /"(\w+)"/g), 'the operators');

# --- Functions, views and settings ---

my $api = Reevo::start(records => 300);
my $node = Reevo::cluster('reference');
my $version = Reevo::server_version($node);
Reevo::set_up($node, $api->url);
my $session = Reevo::Session->new($node);

# What the extension has for users: the handler and the validator are for PostgreSQL, and
# what is behind a view is not for anybody.
my $made = $session->query(q(
	SELECT p.proname || '(' || CASE WHEN p.pronargs > 0 THEN pg_get_function_identity_arguments(p.oid) ELSE '' END || ')'
	FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
	JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass
	WHERE e.extname = 'opportunity_fdw' AND p.prorettype <> 'fdw_handler'::regtype AND p.proname NOT LIKE '%_validator'
	AND NOT EXISTS (SELECT FROM pg_class c WHERE c.relname = p.proname)
	UNION ALL
	SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
	WHERE c.relname LIKE 'opportunity%'))->{out};
my $names = sub { join("\n", sort map { s/\(.*//r } @_) };
is($names->(section('## Functions and views') =~ /^\| `(opportunity_fdw_\w+(?:\(.*?\))?)` \|/mg),
	$names->(split(/\n/, $made)), 'functions and views');

for my $view (qw(stats progress))
{
	my @columns = split(/\n/, $session->query(qq(SELECT attname FROM pg_attribute
		WHERE attrelid = 'opportunity_fdw_$view'::regclass AND attnum > 0 ORDER BY attnum))->{out});
	my $text = section("### opportunity_fdw_$view");
	cmp_ok(scalar @columns, '>', 5, "opportunity_fdw_$view has columns");
	ok($text =~ /`$_`|\b$_,.*FROM opportunity_fdw_$view/, "opportunity_fdw_$view: column $_") for @columns;
}

my $settings = $session->query(q(LOAD 'opportunity_fdw';
	SELECT '`' || name || '` | `' || boot_val || '`' FROM pg_settings WHERE name LIKE 'opportunity_fdw.%' ORDER BY name))->{out};
my @described = section('## Settings') =~ /^\| (`opportunity_fdw\.\w+` \| `\w+`) \|/mg;
is(join("\n", sort @described), $settings, 'settings and their defaults');

# --- EXPLAIN ---

my $lines = section('## EXPLAIN');
my %lines = map { $_ => 1 } map { /`([\w ]+): / ? $1 : () } $lines =~ /^\|.*?\|/mg, $lines =~ /`[\w ]+: [^`]*`/g;
my %printed = map { $_ => 1 } Reevo::slurp("$top/src/explain.c") =~ /ExplainProperty\w+\(\s*"(\w[\w ]*)"/g;
delete $lines{Filter};
is_deeply([ sort keys %lines ], [ sort keys %printed ], 'the lines of EXPLAIN are those of the code');

$session->query(q(CREATE TABLE invoice AS
	SELECT n AS number, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid AS opportunity_id FROM generate_series(1, 2) n;
	CREATE TABLE customer AS
	SELECT ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid AS account_id FROM generate_series(1, 20) n;
	ANALYZE invoice, customer;
	CREATE FOREIGN TABLE by_id (id uuid) SERVER reevo OPTIONS (use_query 'false')));

# explains(SQL, OPTIONS, LINE...): each line is said as the reference has it.
sub explains
{
	my ($sql, $explain, @wanted) = @_;
	my $plan = $session->query("EXPLAIN ($explain) $sql")->{out};
	for my $line (@wanted)
	{
		like($plan, qr/^\s*\Q$line\E/m, "EXPLAIN says $line");
		like($lines, qr/^\|[^|]*`\Q$line\E/m, 'and the reference explains it');
	}
	return;
}

explains(
	'SELECT i.number, o.stage FROM invoice i JOIN opportunity o ON o.id = i.opportunity_id', 'ANALYZE, VERBOSE, COSTS OFF',
	'Lookup Key: i.opportunity_id', 'Request: POST /api/v2/opportunity/_query for up to 100 ids',
	'Batches: 1', 'Distinct Keys: 2', 'Request: GET /api/v2/opportunity/{id}', 'Id: i.opportunity_id', 'Requests: 1', 'Cache Hits: ');
explains('SELECT count(*) FROM customer c JOIN opportunity o ON o.account_id = c.account_id',
	'COSTS OFF', 'Request: POST /api/v2/opportunity/_query for up to 100 keys of account_id');
explains(q(SELECT FROM opportunity WHERE status = 'open'),
	'ANALYZE, VERBOSE, COSTS OFF', 'Request: POST /api/v2/opportunity/_query for pages of 100',
	"Remote Filter: status eq 'open'", 'Ranges of created_at at Once: 8', 'Filter Sent: {"field":"status",', 'Pages: ', 'Received: ');
explains('SELECT FROM opportunity ORDER BY created_at DESC LIMIT 100', 'COSTS OFF', 'Remote Sort: created_at desc');
explains('SELECT FROM by_id', 'COSTS OFF', 'Request: none possible without an id');
$api->behave('{"fail_first": 1, "fail_status": 429, "retry_after": 0}');
explains('SELECT FROM opportunity LIMIT 1', 'ANALYZE, COSTS OFF', 'Retries: 1', 'Throttled: ');
$api->reset;

# --- SQLSTATEs ---

# Of the messages that troubleshooting.md has, but for those of warnings and of DDL.
my %listed = map { $_ => 1 } section('## Errors') =~ /^\| .* \| (\w{5}) \|$/mg;
my ($messages) = Reevo::slurp("$top/doc/troubleshooting.md") =~ /^(## Connections\n.*?)^## Values/ms;
my %of_messages = map { $_ => 1 } $messages =~ /^\*\*(\w{5})\.\*\*/mg;
is_deeply([ grep { !$listed{$_} } sort keys %of_messages ], [qw(22P05 42704 HV00Q)], 'the SQLSTATEs of what goes wrong');

$session->quit;
done_testing();
