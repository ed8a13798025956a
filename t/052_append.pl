# SPDX-License-Identifier: PostgreSQL
# An Append that waits for several scans: no scan delays the rows that have arrived.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $count = 60;
my $scans = 6;

# The number of repetitions, because the failure depends on chance
my $times = 60;

# A single statement takes a fraction of a second.
my $stall = '2s';

my $api = Reevo::start(records => $count);
my $node = Reevo::cluster('append');
Reevo::set_up($node, $api->url, "page_size '1'", "max_concurrency '2'");
my $session = Reevo::Session->new($node);
$session->query("CREATE FOREIGN TABLE part$_ (id uuid) SERVER reevo; SET statement_timeout = '$stall'") for 1 .. $scans;

my $statement = 'SELECT count(*), count(DISTINCT id) FROM ('
  . join(' UNION ALL ', map { "SELECT id FROM part$_" } 1 .. $scans) . ') u';
my %outcomes;
for (1 .. $times)
{
	my $result = $session->query($statement);
	$outcomes{ $result->{sqlstate} || $result->{out} }++;
}
is_deeply(\%outcomes, { $count * $scans . "|$count" => $times }, 'every statement returns all rows without delay');

my $plan = $session->query("EXPLAIN $statement")->{out};
is(scalar(() = $plan =~ /Async Foreign Scan/g), Reevo::reads_together($node) ? $scans : 0, 'the plan has asynchronous scans');

# An Append that also reads another source polls for responses occasionally. The
# time between does not count against request_timeout.
$api->behave('{"delay_ms": 300}');
my $idle = Reevo::Session->new($node);
$idle->query("CREATE SERVER short_timeout FOREIGN DATA WRAPPER opportunity_fdw
		OPTIONS (base_url '" . $api->url . "', request_timeout '0.6', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER short_timeout OPTIONS (api_key 'test-key');
	CREATE FOREIGN TABLE short_timeout (id uuid) SERVER short_timeout;
	CREATE TABLE one AS SELECT NULL::uuid AS id; CREATE TABLE many AS SELECT NULL::uuid AS id FROM generate_series(1, 3)");
my $polled = $idle->query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM one UNION ALL SELECT id FROM many UNION ALL SELECT id FROM short_timeout;
	FETCH 2 FROM c; SELECT pg_sleep(1); FETCH ALL FROM c; COMMIT');
is($polled->{sqlstate}, '', 'a response that arrives while an Append reads another source is in time') or diag($polled->{err});
is(scalar(() = $polled->{out} =~ /^[0-9a-f-]{36}$/mg), $count, 'the Append returns all rows');
$idle->quit;

$session->quit;
done_testing();
