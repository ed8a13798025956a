# SPDX-License-Identifier: PostgreSQL
# A reader that may stop at any row requests few pages that it does not use: none before
# the first page is used up, then at most one for every four pages that it has read, but
# one from the second page on.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $PAGE = 10;
my $PAGES = 130;

my $api = Reevo::start(records => $PAGE * $PAGES);
my $node = Reevo::cluster('read_ahead', "max_parallel_workers_per_gather = 0\njit = off");
Reevo::set_up($node, $api->url, "page_size '$PAGE'");
my $session = Reevo::Session->new($node);

# spent(SQL): the number of requests of statements in a transaction.
sub spent
{
	my ($sql) = @_;
	return $api->requests_of(sub {
		my $result = $session->query("BEGIN; $sql; COMMIT");
		is($result->{sqlstate}, '', "no error: $sql") or diag($result->{err});
		$api->becomes('in_flight', 0);
	});
}

$session->query('SELECT count(*) FROM opportunity');

for my $fetch (1, 3, $PAGE, 4 * $PAGE)
{
	my @spent;
	my @most;
	for my $pages (1 .. 12, 15, 16, 20, 31, 32, 50, 64, 77, 100)
	{
		# All rows but one of the last page
		my $rows = $pages * $PAGE - 1;
		my $fetches = int($rows / $fetch);
		next if $fetches > 150 || $fetches < 1;
		my $made = spent("DECLARE c CURSOR FOR SELECT id FROM opportunity; " . "MOVE $fetch FROM c; " x $fetches . 'CLOSE c');
		my $used = int(($fetches * $fetch + $PAGE - 1) / $PAGE);
		my $ahead = $used == 1 ? 0 : $used < 8 ? 1 : int($used / 4);
		cmp_ok($made, '>=', $used, "FETCH $fetch: $used pages need $made requests") if $made < $used;
		cmp_ok($made, '<=', $used + $ahead, "FETCH $fetch: $used pages read, $made requests");
	}
}

is(spent('DECLARE c CURSOR FOR SELECT id FROM opportunity; FETCH 10 FROM c; CLOSE c'), 1, 'ten rows and a close cost one request');
is(spent('DECLARE c CURSOR FOR SELECT id FROM opportunity ORDER BY created_at; FETCH 10 FROM c; CLOSE c'), 1, 'so they do in an order');
cmp_ok(spent('SELECT id FROM opportunity LIMIT ' . 20 * $PAGE), '<=', 25, 'LIMIT requests at most a quarter more than it needs');
is(spent('SELECT id FROM opportunity LIMIT 20'), 2, 'LIMIT 20 costs two pages of ten');

# Readers of all rows need the requests of a plain SELECT, up to the ends of their ranges.
my $plain = spent('SELECT id FROM opportunity');
cmp_ok($plain, '<=', $PAGES + 8 + 2, "a scan of $PAGES pages makes $plain requests");
for my $way (
	'DECLARE c CURSOR FOR SELECT id FROM opportunity; FETCH ALL FROM c',
	'DECLARE c CURSOR WITH HOLD FOR SELECT id FROM opportunity; COMMIT; BEGIN; CLOSE c',
	'DECLARE c CURSOR FOR SELECT id FROM opportunity ORDER BY display_name || id::text; FETCH 1 FROM c',
	'DECLARE c CURSOR FOR SELECT count(DISTINCT id) FROM opportunity; FETCH 1 FROM c',
	'SET LOCAL cursor_tuple_fraction = 1; DECLARE c CURSOR FOR SELECT id FROM opportunity; MOVE 1299 FROM c; CLOSE c',
	'SELECT id FROM opportunity LIMIT 100000')
{
	$api->behave('{"delay_ms": 20}');
	my $made = spent($way);
	my $peak = $api->ctl('max_in_flight');
	$api->behave('{"delay_ms": 0}');
	cmp_ok($made, '<=', $PAGES + 2 * 8 + 2, "a complete read makes few requests: $way");
	is($peak, 8, 'it reads in parallel');
	$api->reset;
}

$session->quit;
$node->stop('fast');
done_testing();
