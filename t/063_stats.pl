# SPDX-License-Identifier: PostgreSQL
# The counters of opportunity_fdw_stats agree with the simulator's in a mix of
# statements with faults. The log has a line for each request.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use JSON::PP ();
use Reevo;
use Test::More;

my $api = Reevo::start(records => 1000);
my $node = Reevo::cluster('stats');
Reevo::set_up($node, $api->url, "max_retries '8'", "max_retry_wait '0.05'");
my $session = Reevo::Session->new($node);

# Compares the session's counters with those that the simulator has, too.
sub compare
{
	my ($name) = @_;
	my %own;
	@own{qw(requests get query schema health ok not_found throttled failed connection_errors in_flight connections)} = split /\|/,
	  $session->query(qq(SELECT requests, record_requests, query_requests, schema_requests, health_requests, succeeded,
		not_found, throttled, failed, connection_errors, in_flight, connections FROM opportunity_fdw_stats))->{out};
	my $seen = JSON::PP::decode_json($api->ctl('stats'));
	my %status = %{ $seen->{statuses} };
	is($own{$_}, $seen->{$_} || 0, "$name: $_ agrees with the simulator") for qw(requests get query schema health connections);
	is($own{throttled}, ($status{429} || 0) + ($status{503} || 0), "$name: throttled agrees with the simulator");
	is($own{failed}, ($status{500} || 0) + ($status{502} || 0) + ($status{504} || 0), "$name: failed agrees with the simulator");
	# A response with a successful status may break within its body.
	is($own{ok} + $own{not_found} + $own{connection_errors}, $seen->{requests} - $own{throttled} - $own{failed},
		"$name: the other requests succeeded or broke");
	is($own{in_flight}, 0, "$name: no request is in flight");
	return %own;
}

sub ids { my ($first, $last) = @_; return join ',', map { "'" . Reevo::id($_) . "'" } $first .. $last; }

my @statements = (
	'SELECT count(*) FROM opportunity',
	'SELECT count(*) FROM opportunity WHERE id IN (' . ids(1, 250) . ')',
	"SELECT count(*) FROM opportunity WHERE id = '" . Reevo::id(7) . "'",
	"SELECT count(*) FROM opportunity WHERE id = '99999999-9999-4999-8999-999999999999'",
	"SELECT count(*) FROM opportunity WHERE status = 'open'",
	'SELECT id FROM opportunity ORDER BY created_at LIMIT 5',
	'SELECT count(*) FROM opportunity a JOIN opportunity b USING (id) WHERE a.id IN (' . ids(300, 420) . ')',
	'ANALYZE opportunity',
	'CREATE SCHEMA again; IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO again; DROP SCHEMA again CASCADE');

sub run
{
	my @failed = grep { $_->{sqlstate} } map { $session->query($_) } @_;
	is(scalar @failed, 0, 'all statements succeed') or diag($failed[0]{err});
	return;
}

run(@statements);
my %quiet = compare('without faults');
is($quiet{not_found}, 1, 'not_found counts the missing record');
is($quiet{connection_errors}, 0, 'connection_errors stays zero without faults');

$api->reset;
$session->query('SELECT opportunity_fdw_stats_reset(), opportunity_fdw_disconnect()');
$api->behave('{"fail_every": 4, "fail_how": [429, 502, "half-body-close", 503, 504, "half-body-reset"]}');
run(@statements);
my %rough = compare('with a fault in every fourth request');
cmp_ok($rough{$_}, '>', 0, "$_ counts the faults") for qw(throttled failed connection_errors);

# A cancelled request has no outcome. A new connection has no rate limit.
$api->reset;
$session->query('SELECT opportunity_fdw_stats_reset(), opportunity_fdw_disconnect()');
$api->behave('{"stall": "headers"}');
is($session->query("SET statement_timeout = '200ms'; SELECT count(*) FROM opportunity")->{sqlstate}, '57014', 'statement_timeout cancels a scan');
is($session->query('SELECT requests, in_flight FROM opportunity_fdw_stats')->{out}, '1|1', 'the cancelled request stays in flight');
$api->reset;
is($session->query('RESET statement_timeout; SELECT wait_seconds BETWEEN 0.1 AND 30, throttled_seconds FROM opportunity_fdw_stats')->{out},
	't|0', 'wait_seconds counts the cancelled request');

# Reset the counters during a scan of 50 pages, while pages are in flight and others
# are still to be requested.
$api->reset;
$session->query("ALTER SERVER reevo OPTIONS (ADD page_size '20')");
$api->behave('{"delay_ms": 50}');
my $half_way = "CASE WHEN id = '" . Reevo::id(150) . "' THEN";
is( $session->query(
		"SELECT max($half_way (SELECT in_flight FROM opportunity_fdw_stats) END) > 0,
			count($half_way (SELECT 1 FROM opportunity_fdw_stats_reset()) END), count(*) FROM opportunity")->{out},
	't|1|1000', 'requests are in flight during the reset');
is($session->query('SELECT requests > 0, in_flight >= 0 FROM opportunity_fdw_stats')->{out},
	't|t', 'a response to an earlier request does not make in_flight negative');
$session->query('ALTER SERVER reevo OPTIONS (DROP page_size)');

# --- Log ---

$api->reset;
$session->query('SELECT opportunity_fdw_disconnect(); SET client_min_messages = debug1');
my $id = Reevo::id(3);

# logged(SQL): returns the log lines of a statement, without the variable numbers.
sub logged
{
	my ($sql) = @_;
	my @lines = $session->query($sql)->{err} =~ /^(?:psql:\S+ )?DEBUG:  00000: ((?:GET|POST) .*)$/mg;
	s/after [\d.]+ ms, \d+ bytes/after T ms, B bytes/ for @lines;
	return join "\n", @lines;
}

is(logged("SELECT count(*) FROM opportunity WHERE id = '$id'"),
	"GET /api/v2/opportunity/$id: HTTP status 200 after T ms, B bytes, attempt 1", 'a GET has a log line');
$api->behave('{"fail_first": 2, "fail_how": [502, "half-body-close"]}');
is(logged("SELECT count(*) FROM opportunity WHERE id IN ('$id', '" . Reevo::id(4) . "')"),
	join("\n",
		'POST /api/v2/opportunity/_query: HTTP status 502 after T ms, B bytes, attempt 1',
		'POST /api/v2/opportunity/_query: request failed after T ms, B bytes, attempt 2',
		'POST /api/v2/opportunity/_query: HTTP status 200 after T ms, B bytes, attempt 3'),
	'each attempt has a log line, without ids');
$session->query("ALTER SERVER reevo OPTIONS (SET max_retries '0')");
for my $fault ([ '"header_bomb": true', 'not HTTP' ], [ '"gzip_bomb": 70', 'response too large' ])
{
	$api->reset;
	$api->behave("{$fault->[0]}");
	is(logged("SELECT count(*) FROM opportunity WHERE id = '$id'"),
		"GET /api/v2/opportunity/$id: $fault->[1] after T ms, B bytes, attempt 1", "a response has a log line: $fault->[1]");
}
$api->reset;
$session->query("ALTER SERVER reevo OPTIONS (SET base_url 'http://127.0.0.1:" . $api->port('closed_port') . "', SET max_retries '0')");
is(logged("SELECT count(*) FROM opportunity WHERE id = '$id'"),
	"GET /api/v2/opportunity/$id: connection failed after T ms, B bytes, attempt 1", 'a failed connection has a log line');
$session->query('SET client_min_messages = notice');
$session->query("ALTER SERVER reevo OPTIONS (SET base_url '" . $api->url . "')");
is(logged("SELECT count(*) FROM opportunity WHERE id = '$id'"), '', 'the log has no line if client_min_messages is notice');
$session->quit;

$node->stop('fast');
done_testing();
