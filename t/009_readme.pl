# What the README shows and claims: its SQL runs, from the first block to the
# last, and costs what it says; its options are those of the code.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use lib $FindBin::RealBin;
use Test::More;

use Reevo;

my $top = abs_path(dirname(__FILE__) . '/..');
my $readme = Reevo::slurp("$top/README.md");

# --- The SQL ---

my @blocks = $readme =~ /^```sql\n(.*?)^```/msg;
cmp_ok(scalar @blocks, '>=', 8, 'the README has SQL');

my $standin = Reevo::start(records => 1001);
my $url = $standin->url;

# The one change: the default URL is that of the real API.
is(scalar($readme =~ s/(CREATE SERVER reevo FOREIGN DATA WRAPPER opportunity_fdw);/$1 OPTIONS (base_url '$url');/g),
	1, 'the README makes one server');
@blocks = $readme =~ /^```sql\n(.*?)^```/msg;

my $session = Reevo::Session->new(Reevo::cluster('readme'));
my %results;
for my $block (@blocks)
{
	my $name = (split /\n/, $block)[0];
	my $result;
	my $requests = $standin->requests_of(sub { $result = $session->query($block) });

	is($result->{sqlstate}, '', "runs: $name") or diag($result->{err});
	$results{$name} = { %$result, requests => $requests };
}

sub result_of
{
	my ($pattern) = @_;
	my ($name) = grep { /$pattern/ } keys %results;
	die "no block starts with $pattern" unless defined $name;
	return $results{$name};
}

is(result_of('^CREATE EXTENSION')->{requests}, 0, 'setting up asks for nothing');
is(result_of('^SELECT \* FROM opportunity_fdw_check')->{requests}, 5, 'a check-up makes five requests');
is(scalar(() = result_of('^SELECT \* FROM opportunity_fdw_check')->{out} =~ /^[a-z ]+\|t\|/mg), 10, 'which say that all is well');
is(result_of('^CREATE SCHEMA')->{requests}, 1, 'the import asks for the schema');
is(scalar(() = result_of('^IMPORT FOREIGN SCHEMA')->{out} =~ /\|/g), 3, 'accounts can be joined, too');
is(result_of('^SELECT display_name')->{requests}, 1, 'one opportunity, one request');
is(result_of('^CREATE TABLE invoice')->{requests}, 1, 'four invoices, one request');
is(scalar(() = result_of('^CREATE TABLE invoice')->{out} =~ /^\d\|/mg), 4, 'and four rows');
is(result_of('^CREATE TABLE many')->{requests}, 10, 'a thousand, ten requests');
is(result_of('^CREATE VIEW billed')->{requests}, 1, 'the report, one');

my $report = result_of('^SELECT stage, count');
cmp_ok($report->{requests}, '>=', 3, 'a report over many opportunities costs a request per page, and that of the latest one');
cmp_ok($report->{requests}, '<=', 12, 'and no more than all of them would');
like($report->{out}, qr/^Discovery\|\d+\|/m, 'it comes to something');
is(scalar(() = $report->{out} =~ /^[^|\n]*\|\d{4}-/mg), 20, 'and the latest are twenty');
is(result_of('^ANALYZE')->{requests}, 11, 'and statistics of 1001 records, eleven');
is($session->query("SELECT reltuples FROM pg_class WHERE oid = 'crm.opportunity'::regclass")->{out}, 1001, 'which are counted');

my $plan = result_of('^EXPLAIN')->{out};
for my $line ('Lookup Key: i.opportunity_id', 'Request: POST /api/v2/opportunity/_query for up to 100 ids',
	'Batches: 1', 'Distinct Keys: 2', 'Request: GET /api/v2/opportunity/{id}', 'Id: i.opportunity_id',
	'Requests: 1', 'Cache Hits: 1')
{
	like($plan, qr/^\s*\Q$line\E$/m, "EXPLAIN says $line");
	like($readme, qr/^\| `\Q$line\E` \|/m, 'and the README explains it');
}

$session->query(q(CREATE TABLE customer AS
	SELECT ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid AS account_id FROM generate_series(1, 20) n; ANALYZE customer));
my ($join) = $readme =~ /in `(FROM customer c [^`]*)`/;
my $requests = $standin->requests_of(sub { $plan = $session->query("EXPLAIN (ANALYZE, COSTS OFF) SELECT count(*) $join")->{out} });
is($requests, 1, 'twenty customers, one request');
my $by_key = 'Request: POST /api/v2/opportunity/_query for up to 100 keys of account_id';
like($plan, qr/^\s*\Q$by_key\E$/m, "EXPLAIN says $by_key");
like($readme, qr/^\| `\Q$by_key\E` \|/m, 'and the README explains it');
like($plan, qr/^\s*Cache Hits: 20$/m, 'and that each key needed none of its own');

$plan = $session->query(q(EXPLAIN (ANALYZE, VERBOSE, COSTS OFF) SELECT FROM crm.opportunity WHERE status = 'open'))->{out}
  . $session->query('EXPLAIN SELECT FROM crm.opportunity ORDER BY created_at DESC LIMIT 100')->{out};
for my $line (qw(Request Remote~Filter Remote~Sort Ranges~of~created_at~at~Once Filter~Sent Pages Records Ranges Received))
{
	my $name = $line =~ tr/~/ /r;

	like($plan, qr/^\s*\Q$name\E: /m, "EXPLAIN says $name of a scan");
	like($readme, qr/^\|.* `\Q$name\E: /m, 'and the README explains it');
}

# --- A copy that is brought up to date ---

my ($update) = $readme =~ /^(INSERT INTO pipeline_copy\n.*?;)$/ms;
my $copied = 'SELECT count(*) FROM pipeline_copy';
is($session->query($copied)->{out}, 1001, 'the copy has all opportunities');
is($standin->requests_of(sub { $session->query($update) }), 1, 'nothing has changed: one request');
$standin->ctl('attributes', Reevo::id(7), '{"display_name": {"value": "another", "value_type": "string"},
	"updated_at": {"value": "2031-01-01T00:00:00Z", "value_type": "timestamp"}}');
is($standin->requests_of(sub { $session->query($update) }), 1, 'one has changed: one request');
is($session->query("SELECT display_name FROM pipeline_copy WHERE id = '@{[ Reevo::id(7) ]}'")->{out}, 'another', 'the copy has it');
is($session->query($copied)->{out}, 1001, 'once');

# --- The options ---

sub options_of_code
{
	my %options;
	my $code = Reevo::slurp("$top/src/option.c");
	my ($table) = $code =~ /^static const OptionDef option_table\[\] = \{(.*?)^\};/ms;

	while ($table =~ /(?:_OPTION\(|\{)"(\w+)",\s*\w+,\s*(?:OPTION_CHOICE,\s*)?("[^"]*"|NULL|\w+)/g)
	{
		my ($name, $default) = ($1, $2);
		$default = $default =~ /^"(.*)"$/ ? $1 : undef;
		$default = 'opportunity' if $name eq 'record_type';
		$options{$name} = $default;
	}
	return \%options;
}

my $options = options_of_code();
cmp_ok(scalar keys %$options, '>', 20, 'the code has options');

my ($section) = $readme =~ /^## Options\n(.*?)^## /ms;
my %documented = map { $_ => 1 } $section =~ /`([a-z_]+)`(?=[,| (])/g;
for my $name (sort keys %$options)
{
	ok($documented{$name}, "option $name is documented");
	next unless $section =~ /^\| `\Q$name\E` \| [^|]* \| `([^|`]*)` \|/m;
	is($1, $options->{$name}, 'with its default');
}
is_deeply([ grep { !exists $options->{$_} } $section =~ /^\| `(\w+)`/mg ],
	[], 'and there are no others');

# --- The functions ---

for my $function ($readme =~ /^\| `(opportunity_fdw_\w+)\([^)`]*\)` \|/mg)
{
	is($session->query("SELECT count(*) FROM pg_proc WHERE proname = '$function'")->{out},
		1, "there is a function $function");
}

$session->quit;
done_testing();
