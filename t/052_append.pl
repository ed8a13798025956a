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

$session->quit;
done_testing();
