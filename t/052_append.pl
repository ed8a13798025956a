# SPDX-License-Identifier: PostgreSQL
# Scans that an Append waits for together: none waits for what is there already.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $count = 60;
my $scans = 6;

# So many times: what goes wrong by chance is to show.
my $times = 60;

# One takes a fraction of a second.
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
is_deeply(\%outcomes, { $count * $scans . "|$count" => $times }, 'all rows come, and without delay');

my $plan = $session->query("EXPLAIN $statement")->{out};
is(scalar(() = $plan =~ /Async Foreign Scan/g), Reevo::reads_together($node) ? $scans : 0, 'which scans are waited for together');

# An Append that also reads something else only looks now and then whether there
# is a response; the time in between counts against no request.
$api->behave('{"delay_ms": 300}');
my $idle = Reevo::Session->new($node);
$idle->query("CREATE SERVER hasty FOREIGN DATA WRAPPER opportunity_fdw
		OPTIONS (base_url '" . $api->url . "', request_timeout '0.6', max_retries '0');
	CREATE USER MAPPING FOR CURRENT_USER SERVER hasty OPTIONS (api_key 'test-key');
	CREATE FOREIGN TABLE hasty (id uuid) SERVER hasty;
	CREATE TABLE one AS SELECT NULL::uuid AS id; CREATE TABLE many AS SELECT NULL::uuid AS id FROM generate_series(1, 3)");
my $polled = $idle->query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM one UNION ALL SELECT id FROM many UNION ALL SELECT id FROM hasty;
	FETCH 2 FROM c; SELECT pg_sleep(1); FETCH ALL FROM c; COMMIT');
is($polled->{sqlstate}, '', 'what comes while an Append reads something else is not late') or diag($polled->{err});
is(scalar(() = $polled->{out} =~ /^[0-9a-f-]{36}$/mg), $count, 'and all of it is there');
$idle->quit;

$session->quit;
done_testing();
