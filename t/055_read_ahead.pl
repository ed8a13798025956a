# SPDX-License-Identifier: PostgreSQL
# A reader that may stop at any row requests few pages that it does not use. Before it has
# used up the first page, it requests none of them. Then it requests at most one for every
# four pages that it has read, but one from the second page on.

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

# The ids of the records. Requests for few ids grow to those for a page of them.
my $ids = q(ARRAY(SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(1, 1300) n));

for my $scan ('', " WHERE id = ANY ($ids)")
{
	reads_ahead($scan, $_) for 1, 3, $PAGE, 4 * $PAGE;
}

# reads_ahead(CONDITION, ROWS): compares the requests of a cursor, which is read in portions,
# with the pages that it reads.
sub reads_ahead
{
	my ($condition, $fetch) = @_;
	for my $pages (1 .. 12, 15, 16, 20, 31, 32, 50, 64, 77, 100)
	{
		# All rows but one of the last page
		my $rows = $pages * $PAGE - 1;
		my $fetches = int($rows / $fetch);
		next if $fetches > 150 || $fetches < 1;
		my $made = spent("DECLARE c CURSOR FOR SELECT id FROM opportunity$condition; " . "MOVE $fetch FROM c; " x $fetches . 'CLOSE c');
		my $used = int(($fetches * $fetch + $PAGE - 1) / $PAGE);
		my $ahead = $used == 1 ? 0 : $used < 8 ? 1 : int($used / 4);
		$ahead += 5 if $condition ne '' && $fetch < $PAGE;
		cmp_ok($made, '<=', $used + $ahead, "FETCH $fetch$condition: $used pages read, $made requests");
	}
	return;
}

is(spent('DECLARE c CURSOR FOR SELECT id FROM opportunity; FETCH 10 FROM c; CLOSE c'), 1, 'ten rows and a close cost one request');
is(spent('DECLARE c CURSOR FOR SELECT id FROM opportunity ORDER BY created_at; FETCH 10 FROM c; CLOSE c'), 1, 'so they do in an order');
cmp_ok(spent('SELECT id FROM opportunity LIMIT ' . 20 * $PAGE), '<=', 25, 'LIMIT requests at most a quarter more than it needs');
is(spent('SELECT id FROM opportunity LIMIT 20'), 2, 'LIMIT 20 costs two pages of ten');

# Ids that no LIMIT needs cost nothing, whether they exist or not.
my $ten = "($ids)[1:10]";
my %missing = map { $_ => "ARRAY(SELECT ('$_-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid FROM generate_series(1, 8) n)" } '00000000', 'ffffffff';
$missing{'00000000'} =~ s/4000/3000/;
is(spent("SELECT id FROM opportunity WHERE id = ANY ($ten || $missing{ffffffff}) LIMIT 10"), 1, 'LIMIT requests no id beyond it');
is(spent("SELECT id FROM opportunity WHERE id = ANY ($ten || $missing{'00000000'}) LIMIT 10"), 10, 'if records before it are missing, it requests more ids');

# EXPLAIN shows the cursors, and how a query is read.
for my $plan ([ 'SELECT id FROM opportunity', 8, 0 ], [ 'SELECT id FROM opportunity LIMIT 1000', 8, 0 ], [ 'SELECT id FROM opportunity LIMIT 41', 5, 0 ],
	[ 'SELECT id FROM opportunity LIMIT 39', 0, 0 ], [ 'DECLARE c CURSOR FOR SELECT id FROM opportunity', 8, 1 ],
	[ 'DECLARE c CURSOR FOR SELECT count(*) FROM opportunity', 8, 0 ])
{
	my ($statement, $cursors, $ahead) = @$plan;
	my $explained = $session->query("EXPLAIN $statement")->{out};
	is($explained =~ /Parallel Cursors: (\d+)/ ? $1 : 0, $cursors, "EXPLAIN shows the cursors of $statement");
	is($explained =~ /Read Ahead: as rows are fetched/ ? 1 : 0, $ahead, 'and how it is read');
}

# Readers of all rows need the requests of a plain SELECT, up to the ends of their ranges.
# Without a delay, a busy machine decides which range ends first, and how often it splits
# another one.
$api->behave('{"delay_ms": 20}');
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

# An API that rejects the query for records without created_at: one request finds that out,
# and one page is read twice. Another request verifies the end, since the count is round.
$api->behave('{"refuse_operators": ["not_exists"]}');
for my $statement ('SELECT id FROM opportunity', 'BEGIN; DECLARE c CURSOR FOR SELECT id FROM opportunity; ' . "MOVE $PAGE FROM c; " x $PAGES . 'COMMIT')
{
	my $new = Reevo::Session->new($node);
	for my $expected ([ $PAGES + 3, 1 ], [ $PAGES + 1, 0 ])
	{
		my ($most, $warnings) = @$expected;
		my $result;
		my $made = $api->requests_of(sub { $result = $new->query($statement); });
		is(() = $result->{err} =~ /WARNING:.*rejected a query of a parallel scan on record type "opportunity": created_at not_exists/g, $warnings, "$warnings warnings")
		  or diag($result->{err});
		cmp_ok($made, '<=', $most, "$made requests for $PAGES pages if not_exists is rejected");
	}
	$new->quit;
}

$session->quit;
$node->stop('fast');
done_testing();
