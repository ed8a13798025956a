# SPDX-License-Identifier: PostgreSQL
# After the API has recovered from a fault, a session that met the fault makes as
# many requests as a new session, and as many in parallel.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;
use Time::HiRes qw(sleep);

my $records = 2033;
my $api = Reevo::start(records => $records);
my $node = Reevo::cluster('recovery', "max_parallel_workers_per_gather = 0\njit = off");
Reevo::set_up($node, $api->url, "max_retry_wait '10'", "max_retries '10'");
my $session = Reevo::Session->new($node);
my $bad = Reevo::id(377);
my $merged = Reevo::id(5);

$session->query(q(
	CREATE FUNCTION id(n int, kind text DEFAULT '8000') RETURNS uuid LANGUAGE sql IMMUTABLE
		AS $$ SELECT ('00000000-0000-4000-' || kind || '-' || lpad(n::text, 12, '0'))::uuid $$;
	CREATE TABLE t AS SELECT n, id(n) AS id FROM generate_series(1, 1000) n;
	CREATE TABLE a AS SELECT n, id(n, '9000') AS id FROM generate_series(1, 150) n;
	CREATE FOREIGN TABLE sequential (id uuid, created_at timestamptz, amount numeric) SERVER reevo OPTIONS (max_concurrency '1');
	ANALYZE t;
	ANALYZE a));

# The reads, and their expected results
my $missing = Reevo::id(999999);
my @reads = (
	[ 'a scan', 'SELECT count(DISTINCT id) FROM opportunity', $records ],
	[ 'a scan by one reader', 'SELECT count(DISTINCT id) FROM sequential', $records ],
	[ 'a sorted scan', 'SELECT count(*) FROM (SELECT id FROM sequential ORDER BY created_at) s', $records ],
	[ 'a join by id', 'SELECT count(o.id) FROM t LEFT JOIN opportunity o USING (id)', 1000 ],
	[ 'a join by a reference', 'SELECT count(o.id) > 500 FROM a JOIN opportunity o ON o.account_id = a.id', 't' ],
	[ 'one id', "SELECT count(*) FROM opportunity WHERE id = '" . Reevo::id(7) . "'", 1 ],
	[ 'a missing id', "SELECT count(*) FROM opportunity WHERE id = '$missing'", 0 ]);

# cost(SESSION): returns the number of requests and the most requests in flight for
# each read, after a statement that opens the connection. With a delay that is long
# compared to what a busy machine adds, the responses keep their order.
sub cost
{
	my ($of) = @_;
	my @cost;
	$of->query($reads[5][1]);
	for (@reads)
	{
		my ($name, $query, $rows) = @$_;
		$api->ctl('reset');
		$api->behave('{"delay_ms": 25}');
		my $result = $of->query($query);
		is($result->{out}, $rows, "$name returns its rows") or diag($result->{err});
		push @cost, [ $name, $api->requests, $api->ctl('max_in_flight') ];
	}
	$api->reset;
	return @cost;
}

# The variants of the API, and whether a read may fail or return other rows during
# the fault
my @variants = (
	[ 'a cap without a cursor', '{"result_cap": 1000}' ],
	[ 'a cap with a rejection', '{"result_cap": 1000, "cap_how": "refuse"}' ],
	[ 'a cap that expires cursors', '{"result_cap": 700, "cap_how": "invalid_cursor"}' ],
	[ 'transient errors in a 200 response', '{"fail_every": 5, "fail_how": "error-body", "error_body": {"data": [], "error": {"code": "internal_error"}}}' ],
	[ 'permanent errors in a 200 response', '{"fail_every": 5, "fail_how": "error-body", "error_body": {"data": [], "error": {"message": "Index is rebuilding"}}}', 1 ],
	[ 'rate limits in a body', '{"fail_every": 9, "fail_how": "error-body", "error_body": {"data": [], "error": {"code": "rate_limited"}}}' ],
	[ 'an empty last cursor', '{"empty_last_cursor": true}' ],
	[ 'no content', '{"no_content_when_empty": true}' ],
	[ 'a merged id', qq({"merged": {"$merged": "@{[ Reevo::id(6) ]}"}}), 1 ],
	(map { [ "a bad id, $_", qq({"bad_ids": ["$bad"], "bad_id_status": $_}) ] } 400, 413, 422),
	[ 'a quota', '{"quota_requests": 30, "quota_seconds": 1}' ],
	[ 'a quota with a header', '{"quota_requests": 30, "quota_seconds": 1, "quota_header": "X-RateLimit-Reset"}' ],
	[ 'single 520s', '{"fail_every": 6, "fail_status": 520}' ],
	[ 'broken transfers', '{"fail_every": 4, "fail_how": "reset"}' ],
	[ 'empty strings', '{"empty_strings": true}' ],
	[ 'a 404 without a code', '{"not_found_form": "empty"}' ],
	[ 'a rejection by a gateway', '{"status": 403, "body": "<html>no</html>", "content_type": "text/html"}', 1 ],
	[ 'a wrong path', '{"path_prefix_gone": true, "not_found_form": "kong"}', 1 ]);

my $fresh = Reevo::Session->new($node);
my @fresh = cost($fresh);
for (@variants)
{
	my ($name, $variant, $may_differ) = @$_;
	subtest $name => sub {
		my $of = Reevo::Session->new($node);
		$api->reset;
		$api->behave($variant);
		for my $read (@reads)
		{
			my $result = $of->query($read->[1]);
			is($result->{out}, $read->[2], "$read->[0] returns its rows during the fault") or diag($result->{err})
			  unless $may_differ;
		}
		$api->reset;
		# The session recovers its pace within seconds.
		sleep 3 if $name =~ /quota|rate/;
		my @after = cost($of);
		for my $i (0 .. $#reads)
		{
			my ($read, $requests, $in_flight) = @{ $fresh[$i] };
			# For a while, the session fetches a rejected id separately.
			my $more = $name =~ /bad id/ && $read eq 'a join by id' ? 1 : 0;
			# The order of the responses determines how several readers share a
			# table.
			$more = 8 if $read eq 'a scan';
			cmp_ok($after[$i][1], '<=', $requests + $more, "$read makes no more requests than in a new session");
			cmp_ok($after[$i][2], '>=', $in_flight - 1, "$read has as many requests in flight as in a new session");
		}
		$of->quit;
	};
}
$fresh->quit;
$session->quit;
$node->stop('fast');

done_testing();
