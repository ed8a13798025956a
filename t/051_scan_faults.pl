# SPDX-License-Identifier: PostgreSQL
# A scan that stops at any point for any reason leaves nothing behind, and the
# session continues. Expired and repeated cursors never cause a loop. The memory of
# a scan is limited to a few pages, and a scan returns each record once while
# records change.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use ManyRecords;
use Reevo;
use Test::More;
use Time::HiRes qw(sleep time);

my $count = 300;
my $page = 10;

# 001_cancel.pl tests the latency on an idle session. Here a scan must end long
# before the API responds.
my $BOUND = 3000;

my $many = ManyRecords::start(100_000);
my $api = Reevo::start(records => $count);
my $node = Reevo::cluster('scan_faults', "max_parallel_workers_per_gather = 0\njit = off");
Reevo::set_up($node, $api->url, "page_size '$page'", "max_retries '2'", "max_retry_wait '0.05'");
my $session = Reevo::Session->new($node);
my $admin = Reevo::Session->new($node);
$session->query(q(CREATE FOREIGN TABLE sequential (id uuid, created_at timestamptz, display_name text) SERVER reevo OPTIONS (max_concurrency '1')));
my $result;

# Returns the open files of a backend, and the extension's memory.
sub holdings
{
	$session->query('SELECT opportunity_fdw_disconnect()');
	my $files = Reevo::open_files($session->{backend});
	my $contexts = $session->query(q(SELECT count(*), coalesce(sum(total_bytes), 0) FROM pg_backend_memory_contexts
		WHERE name LIKE 'opportunity_fdw%'))->{out};
	return "$files files, contexts $contexts";
}

my $all = "$count|$count";
my $whole = 'SELECT count(*), count(DISTINCT id) FROM opportunity';
my %statements = (
	'in no order' => 'SELECT id, length(display_name) FROM opportunity',
	'with a filter' => q(SELECT id FROM opportunity WHERE created_at > '2000-01-01'),
	'in order' => 'SELECT id FROM opportunity ORDER BY created_at DESC',
	'two parallel scans' => q(SELECT id FROM opportunity WHERE created_at < '2024-01-01' UNION ALL SELECT id FROM sequential WHERE created_at >= '2024-01-01'),
	'sequential pages' => 'SELECT id, length(display_name) FROM sequential');

is($session->query($whole)->{out}, $all, 'a scan returns each record once');
my $before = holdings();

sub is_fit
{
	my ($what) = @_;
	$api->behave('{"delay_ms": null, "status": null, "stall": null, "fail_first": null, "fail_every": null, "fail_how": null, "only": null}');
	$result = $session->query($whole);
	is($result->{out}, $all, "$what: the next statement works") or diag($result->{err});
	is(holdings(), $before, "$what: no file or memory remains");
	ok($api->becomes('in_flight', 0), "$what: no request remains in flight");
	return;
}

# --- Stopped by another session or the client ---

# Starts a statement, and waits until it has read some pages.
sub enter
{
	my ($statement) = @_;
	my $asked = $api->requests;
	$api->behave('{"delay_ms": 60}');
	$session->send($statement);
	ok(Reevo::wait_until(sub { $api->requests >= $asked + 3 && $api->ctl('in_flight') > 0 }), "the statement reads pages: $statement");
	$api->behave('{"delay_ms": 60000}');
	sleep 0.1;
	return;
}

for my $name (sort keys %statements)
{
	my $statement = $statements{$name};
	enter($statement);
	ok(Reevo::wait_until(sub { $api->ctl('in_flight') >= 2 }), "$name: several requests are in flight") if $name eq 'in no order';
	my $started = time;
	$admin->query("SELECT pg_cancel_backend($session->{backend})");
	$result = $session->result;
	is($result->{sqlstate}, '57014', "$name: pg_cancel_backend raises query_canceled");
	cmp_ok((time - $started) * 1000, '<', $BOUND, "$name: pg_cancel_backend takes effect immediately");
	is_fit("$name, cancelled");

	$api->behave('{"delay_ms": 60}');
	$result = $session->query("SET statement_timeout = '250ms'; $statement");
	is($result->{sqlstate}, '57014', "$name: statement_timeout raises query_canceled");
	cmp_ok($result->{ms}, '<', 250 + $BOUND, "$name: statement_timeout takes effect immediately");
	$session->query('RESET statement_timeout');
	is_fit("$name, timed out");
}

# A terminated backend, and a client that disconnects
for my $how ('terminated', 'disconnected')
{
	my $other = Reevo::Session->new($node);
	$other->query("SET client_connection_check_interval = '100ms'");
	$api->behave('{"delay_ms": 60}');
	my $asked = $api->requests;
	$other->send($statements{'in no order'});
	ok(Reevo::wait_until(sub { $api->requests >= $asked + 3 }), "$how: the statement reads pages");
	$api->behave('{"delay_ms": 60000}');
	$how eq 'terminated' ? $admin->query("SELECT pg_terminate_backend($other->{backend})") : $other->disconnect;
	ok(Reevo::wait_until(sub { !-e "/proc/$other->{backend}" }), "$how: the backend ends");
	is_fit($how);
}

# --- Stopped by an error ---

# About the third request and all later ones fail.
for my $name (sort keys %statements)
{
	for my $fault (['{"status": 500, "only": ["query"]}', 'HV000'], ['{"fail_every": 1, "fail_how": "reset"}', '08006'], [ '{"status": 401}', '28000' ], [ '{"status": 200, "body": "[1]"}', '08P01' ])
	{
		my ($behaviour, $sqlstate) = @$fault;
		$session->query('BEGIN');
		$result = $session->query("DECLARE c CURSOR FOR $statements{$name}");
		$session->query('FETCH 15 FROM c');
		$api->behave($behaviour);
		$result = $session->query('FETCH ALL FROM c');
		is($result->{sqlstate}, $sqlstate, "$name: $behaviour raises an error");
		$session->query('ROLLBACK');
		$api->behave('{"body": null}');
		is_fit("$name, $behaviour");
	}
}

# Within a transaction that continues
$api->behave('{"fail_first": 3, "fail_status": 500}');
$result = $session->query(q(DO $$ DECLARE number int; BEGIN
	BEGIN PERFORM count(*) FROM opportunity; EXCEPTION WHEN fdw_error THEN RAISE NOTICE 'caught'; END;
	SELECT count(*) INTO number FROM opportunity;
	RAISE NOTICE 'then %', number; END $$));
like($result->{err}, qr/caught.*then $count\b/s, 'the transaction continues after a caught error');
is_fit('a caught error');

# Another part of the statement fails, while requests are in flight.
$api->behave('{"delay_ms": 20}');
$result = $session->query(q(SELECT 1 / (length(id::text) - 36) FROM opportunity));
is($result->{sqlstate}, '22012', 'an error of another part of the statement is raised');
is_fit('an error of another part of the statement');
$result = $session->query(q(SELECT sum(l.x) FROM opportunity a, LATERAL (SELECT 1 / (a.amount - b.amount) AS x FROM opportunity b WHERE b.account_id = a.account_id ORDER BY b.created_at LIMIT 2) l));
is($result->{sqlstate}, '22012', 'an error in a rescan is raised');
is_fit('an error in a rescan');

# --- Stopped by the reader ---

for my $name (sort keys %statements)
{
	$api->behave('{"delay_ms": 20}');
	is(scalar(() = $session->query("$statements{$name} LIMIT 25")->{out} =~ /^.+$/mg), 25, "$name: LIMIT returns its rows");
	is_fit("$name, LIMIT");

	$api->behave('{"delay_ms": 20}');
	$session->query("BEGIN; DECLARE c CURSOR FOR $statements{$name}");
	$result = $session->query('FETCH 35 FROM c; CLOSE c; COMMIT');
	is($result->{sqlstate}, '', "$name: a cursor can be closed early");
	is_fit("$name, a cursor is closed");

	$session->query("BEGIN; DECLARE c CURSOR WITH HOLD FOR $statements{$name}; FETCH 5 FROM c; COMMIT");
	$result = $session->query('FETCH ALL FROM c; CLOSE c');
	is(scalar(() = $result->{out} =~ /^.+$/mg), $count - 5, "$name: a cursor WITH HOLD returns the other rows");
	is_fit("$name, a cursor is held");

	$session->query("BEGIN; SAVEPOINT s; DECLARE c CURSOR FOR $statements{$name}; FETCH 35 FROM c; ROLLBACK TO s; COMMIT");
	is_fit("$name, rolled back to a savepoint");
}

# Many statements that stop early do not accumulate anything.
$session->query(join(';', ("SELECT id FROM opportunity LIMIT 15") x 30));
is_fit('thirty statements with LIMIT');

# --- Expired and repeated cursors ---

for my $name (sort keys %statements)
{
	my $counted = "SELECT count(*), count(DISTINCT id) FROM ($statements{$name} OFFSET 0) s";

	$api->behave('{"expire_cursors_after": 2, "expire_cursors_times": 1}');
	$result = $session->query($counted);
	is($result->{out}, $all, "$name: a scan returns all records if a cursor expires") or diag($result->{err});
	$api->behave('{"expire_cursors_after": 3, "expire_cursors_times": 3}');
	$result = $session->query($counted);
	is($result->{out}, $all, "$name: a scan returns all records if several cursors expire") or diag($result->{err});

	# All cursors expire: the scan ends, completely or with an error.
	my $asked = $api->requests;
	$api->behave('{"expire_cursors_after": 2, "expire_cursors_times": 0}');
	$result = $session->query("SET statement_timeout = '30s'; $counted");
	ok($result->{out} eq $all || $result->{sqlstate} =~ /^(HV000|08P01)$/, "$name: a scan is complete or fails if all cursors expire") or diag($result->{out}, $result->{err});
	note("$name: $result->{out} $result->{message}");
	cmp_ok($api->requests - $asked, '<=', 10 * $count / $page, "$name: the number of requests is limited");
	$api->behave('{"expire_cursors_after": null, "expire_cursors_times": null}');
	is_fit("$name, expired");

	# The API repeats the second page.
	$asked = $api->requests;
	$api->behave('{"repeat_cursor": true}');
	$result = $session->query($counted);
	like($result->{sqlstate}, qr/^(08P01|HV000)$/, "$name: a repeated cursor is an error") or diag($result->{out}, $result->{err});
	cmp_ok($api->requests - $asked, '<=', 2 * $count / $page, "$name: a repeated cursor is found early");
	$session->query('RESET statement_timeout');
	$api->behave('{"repeat_cursor": null}');
	is_fit("$name, repeated");
}

# --- Changes during a scan ---

# New records: one before all others, one after them, one among them, and one
# without created_at, whose place in an order is undefined. An existing record
# changes.
sub new_record
{
	my ($number, $created) = @_;
	my $value = defined $created ? qq("$created") : 'null';
	$api->ctl('attributes', Reevo::id($number), qq({"created_at": {"value": $value, "value_type": "timestamp"}, "display_name": {"value": "new", "value_type": "string"}}));
	return;
}

my $fresh = 700000;
for my $name (sort keys %statements)
{
	$session->query("BEGIN; DECLARE c CURSOR FOR SELECT id FROM ($statements{$name}) s");
	my $rows = $session->query('FETCH 25 FROM c')->{out};
	new_record($fresh++, $_) for '1999-01-01T00:00:00Z', '2040-01-01T00:00:00Z', '2023-10-28T00:00:00Z';
	new_record($fresh++) unless $name eq 'in order';
	$api->ctl('attributes', Reevo::id(3), '{"updated_at": {"value": "2041-01-01T00:00:00Z", "value_type": "timestamp"}}');
	$result = $session->query('FETCH ALL FROM c');
	is($result->{sqlstate}, '', "$name: a scan succeeds while records are created") or diag($result->{err});
	$session->query('COMMIT');
	my %times;
	$times{$_}++ for split(/\n/, "$rows\n$result->{out}");
	my @missing = grep { !$times{ Reevo::id($_) } } 0 .. $count - 1;
	my @twice = grep { $times{$_} > 1 } sort keys %times;
	is("@missing", '', "$name: no other record is missing");
	is("@twice", '', "$name: no record is returned twice");
	$api->reset;
	is_fit("$name, records that arrive");
}

# --- Ranges with an uneven distribution of records ---

# Layout name to a function: the creation time of a number, in seconds after
# 2020-01-01
my %layouts = (
	'at the same time' => sub { return 86400; },
	'half of them at the same time' => sub { my ($n) = @_; return $n % 2 ? 86400 * 300 : $n * 86400; },
	'half of them within a minute, in the end' => sub { my ($n) = @_; return $n < 150 ? $n * 86400 : 86400 * 400 + $n % 60; },
	'a few far from the others' => sub { my ($n) = @_; return $n == 7 ? 7_000_000_000 : $n == 8 ? -1_500_000_000 : $n * 60; },
	'in two clusters among others, and far away' => sub {
		my ($n) = @_;
		return $n == 0 ? -1_500_000_000 : $n == 1 ? 30_000_000_000 : $n % 8 == 3 ? 86400 * 400 : $n % 8 == 5 ? 86400 * 500 : ($n * 7919) % 1000 * 86400 + $n;
	},
	'many of them in each of a few seconds' => sub { my ($n) = @_; return int($n / 30); },
	'in a hundred clusters' => sub { my ($n) = @_; return int($n / 3) * 86400 * 5; });
my $most = $count / $page + 3 + 2 * 8;
# In this layout, a new reader begins with a page or two that another reader has.
my %more = ('many of them in each of a few seconds' => 2 * 8);
for my $layout (sort keys %layouts)
{
	for my $n (0 .. $count - 1)
	{
		my @parts = gmtime(1577836800 + $layouts{$layout}->($n));
		my $created = sprintf('%04d-%02d-%02dT%02d:%02d:%02dZ', $parts[5] + 1900, $parts[4] + 1, @parts[ 3, 2, 1, 0 ]);
		$api->ctl('attributes', Reevo::id($n), qq({"created_at": {"value": "$created", "value_type": "timestamp"}}));
	}
	# The order of the responses determines the next requests.
	$api->behave('{"jitter": 20}');
	my @requests;
	for (1 .. 5)
	{
		push @requests, $api->requests_of(sub { $result = $session->query($whole) });
		is($result->{out}, $all, "records created $layout: a scan returns all records") or diag($result->{err});
	}
	cmp_ok((sort { $b <=> $a } @requests)[0], '<=', $most + ($more{$layout} || 0), "records created $layout: a scan makes few requests more than pages");
	note("records created $layout: @requests");
	$api->reset;
}

# --- Memory ---

$session->query(sprintf(q(
	CREATE SERVER many FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url '%s');
	CREATE USER MAPPING FOR CURRENT_USER SERVER many OPTIONS (api_key 'test-key');
	CREATE FOREIGN TABLE many (id uuid, created_at timestamptz, display_name text) SERVER many;
	CREATE FOREIGN TABLE many_sequential (id uuid, created_at timestamptz, display_name text) SERVER many OPTIONS (max_concurrency '1')), $many->url));
SKIP:
{
	skip 'a checker keeps freed memory', 6 if Reevo::keeps_freed($session->{backend});
	for my $scan ('many', 'many_sequential', 'many ORDER BY created_at DESC')
	{
		# The size is measured while the scan is open.
		$session->query("BEGIN; DECLARE c CURSOR FOR SELECT * FROM $scan; MOVE 1000 FROM c");
		my $small = Reevo::resident($session->{backend});
		my $started = time;
		$result = $session->query('MOVE 98999 FROM c');
		my $large = Reevo::resident($session->{backend});
		is(scalar(() = $session->query('FETCH ALL FROM c')->{out} =~ /^.+$/mg), 1, "$scan returns 100,000 records") or diag($result->{err});
		$session->query('COMMIT');
		cmp_ok($large - $small, '<', 20 * 1024, "$scan: 100,000 records need no more memory than a thousand");
		note(sprintf('%s: %d kB, then %d kB, %.1f s', $scan, $small, $large, time - $started));
	}
}
$many->stop;
$session->quit;
$admin->quit;
$node->stop('fast');

done_testing();
