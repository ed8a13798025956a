# SPDX-License-Identifier: PostgreSQL
# A long session does not need more memory, files or connections than a new one,
# whether its statements succeed or fail.
#
# REEVO_READS in the environment sets the number of reads, 20,000 by default.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;
use Time::HiRes qw(time);

my $reads = $ENV{REEVO_READS} || 20000;
my $chunk = 2000;

# Allowed growth by the allocators in kB, for any number of reads
my $SLACK = 4096;
my $CONTEXT_SLACK = 128;

my $id = $Reevo::EXAMPLE;
my $api = Reevo::start();
my $node = Reevo::cluster('memory', 'log_statement = none');
Reevo::set_up($node, $api->url, "max_retries '1'", "max_retry_wait '0.001'");
my $session = Reevo::Session->new($node);

$session->query(q(
	CREATE FOREIGN TABLE misfit (id uuid, number integer OPTIONS (attribute 'display_name'),
		whole jsonb OPTIONS (attribute '*')) SERVER reevo;
	CREATE FUNCTION record_id(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE
		AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
	CREATE FUNCTION read(n integer) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
		found bigint := 0;
		r opportunity;
	BEGIN
		FOR i IN 1 .. n LOOP
			SELECT * INTO r FROM opportunity WHERE id = record_id(1 + i % 997);
			found := found + (r.id IS NOT NULL)::int;
		END LOOP;
		RETURN found;
	END $$;
	-- The number of the n statements that failed with that SQLSTATE
	CREATE FUNCTION fail(statement text, state text, n integer) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
		failed bigint := 0;
		t text;
	BEGIN
		FOR i IN 1 .. n LOOP
			BEGIN
				EXECUTE statement INTO t;
			EXCEPTION WHEN OTHERS THEN
				failed := failed + (SQLSTATE = state)::int;
			END;
		END LOOP;
		RETURN failed;
	END $$;));

# Returns the backend's memory and memory contexts in kB, the number of the
# extension's memory contexts, and the number of files.
sub holdings
{
	my ($contexts, $count) = split(/\|/, $session->query(q(
		SELECT sum(total_bytes) / 1024, count(*) FILTER (WHERE name LIKE 'opportunity_fdw%')
		FROM pg_backend_memory_contexts))->{out});
	return {
		memory => Reevo::resident($session->{backend}),
		contexts => int($contexts),
		count => $count,
		files => Reevo::open_files($session->{backend})
	};
}

sub describe
{
	my ($holdings) = @_;
	return join(', ', map { "$_ $holdings->{$_}" } sort keys %$holdings);
}

sub compare
{
	my ($what, $before) = @_;
	my $after = holdings();
	note("$what: before: " . describe($before));
	note("$what: after: " . describe($after));
	cmp_ok($after->{memory} - $before->{memory}, '<', $SLACK, "$what: the memory of the process does not grow")
	  unless Reevo::keeps_freed($session->{backend});
	cmp_ok($after->{contexts} - $before->{contexts}, '<', $CONTEXT_SLACK, "$what: the memory contexts do not grow");
	is($after->{count}, $before->{count}, "$what: the number of memory contexts stays the same");
	cmp_ok($after->{files}, '<=', $before->{files}, "$what: the number of files does not grow");
	return;
}

# --- Reads that succeed ---

is($session->query("SELECT read($chunk)")->{out}, $chunk, 'a first series of reads succeeds');
holdings();
my $before = holdings();
$api->reset;
my $started = time;
my $found = 0;
for (1 .. $reads / $chunk)
{
	$found += $session->query("SELECT read($chunk)")->{out};
	note(describe(holdings())) if $reads > 20000;
}
my $seconds = time - $started;
is($found, int($reads / $chunk) * $chunk, "$found reads in one session succeed");
is($api->requests, $found, 'each read makes one request');
is($api->ctl('connections'), 0, 'no read opens a connection');
is($api->ctl('open_connections'), 1, 'the session keeps one connection');
compare("$found reads", $before);
note(sprintf('%d reads in %.1f s: %.0f per second', $found, $seconds, $found / $seconds));

# Separate statements, and a prepared one
$session->query('PREPARE p (integer) AS SELECT * FROM opportunity WHERE id = record_id($1); SET plan_cache_mode = force_generic_plan');
my $separate = sub {
	my ($count) = @_;
	return $session->query(join('; ', map { "SELECT count(*) FROM opportunity WHERE id = '$id'; EXECUTE p ($_)" } 1 .. $count / 2));
};
$separate->(100);
$before = holdings();
my $result = $separate->(1000);
is(scalar(() = $result->{out} =~ /^1$/mg), 500, '1000 separate statements succeed');
compare('1000 separate statements', $before);

# Many records in one statement, and cursors that are closed early
my $many = "SELECT count(display_name) FROM opportunity WHERE id IN (SELECT record_id(i) FROM generate_series(1, 900) i)";
my $left = "BEGIN; DECLARE c CURSOR FOR SELECT * FROM opportunity WHERE id IN ("
  . join(', ', map { "'" . Reevo::id($_) . "'" } 1 .. 50) . '); FETCH 3 FROM c; ROLLBACK';
$session->query(join('; ', $many, ($left) x 10));
$session->query('SELECT opportunity_fdw_disconnect()');
$before = holdings();
$result = $session->query(join('; ', ($many) x 3));
is($result->{out}, "900\n900\n900", 'statements with many records succeed') or diag($result->{err});
$session->query(join('; ', ($left) x 50));
ok($api->becomes('in_flight', 0), 'cursors that are closed early leave no request in flight');
$session->query('SELECT opportunity_fdw_disconnect()');
compare('many records, and cursors that are closed early', $before);

# --- One statement with many sets of filters ---

# The lookup of the subquery has another filter for each row of customer. Its
# records share work_mem, so the records for past rows are evicted.
$session->query(q(
	CREATE FOREIGN TABLE referring (id uuid, account_id uuid, created_at timestamptz) SERVER reevo;
	CREATE TABLE customer AS SELECT n AS id, timestamptz '2020-01-01' + n * interval '1 minute' AS since FROM generate_series(1, 1500) n;
	CREATE TABLE contact AS SELECT c.id AS customer, record_id(k) AS account_id FROM customer c, generate_series(1, 4) k;
	CREATE INDEX ON contact (customer);
	ANALYZE customer, contact;
	SET work_mem = '256kB'; SET jit = off;));
my $correlated = q(SELECT c.id, (SELECT count(*) FROM contact k JOIN referring o ON o.account_id = k.account_id
	WHERE k.customer = c.id AND o.created_at > c.since) FROM customer c);
like($session->query("EXPLAIN $correlated")->{out}, qr/SubPlan.*Batch Lookup/s, 'a correlated subquery has a lookup');
# A cursor that can scroll keeps its rows, in up to work_mem.
$session->query("BEGIN; DECLARE correlated NO SCROLL CURSOR FOR $correlated; MOVE 300 FROM correlated");
$before = holdings();
$api->reset;
$session->query('MOVE 1000 FROM correlated');
is($api->requests, 1000, 'each row has a request of its own');
compare('1000 sets of filters in one statement', $before);
$session->query('ROLLBACK; RESET work_mem');

# --- Statements that fail ---

my $good = "SELECT count(*) FROM opportunity WHERE id = '$id'";
my %failure = (
	'404 in HTML' => [ 'HV00R', $good, '{"status": 404, "content_type": "text/html", "body": "<html>"}' ],
	'a rejected request' => [ 'HV000', $good, '{"status": 422}' ],
	'a value that does not fit its column' => [ '22P02', "SELECT number FROM misfit WHERE id = '$id'", '{}' ],
	'malformed JSON' => [ '08P01', $good, '{"status": 200, "body": "{\"data\": {\"id\": oops}}"}' ],
	'truncated JSON' => [ '08006', $good, '{"fail_every": 1, "fail_how": "cut-json"}' ],
	'broken connections' => [ '08006', $good, '{"fail_every": 1, "fail_how": "half-body-close"}' ],
	'many records' => [ '22P02', 'SELECT sum(number) FROM misfit WHERE id IN (SELECT record_id(i) FROM generate_series(1, 20) i)', '{}' ]);
for my $what (sort keys %failure)
{
	my ($sqlstate, $statement, $behaviour) = @{ $failure{$what} };
	my $count = $what eq 'many records' ? 50 : 300;
	$api->reset;
	$api->behave($behaviour);
	(my $quoted = $statement) =~ s/'/''/g;
	my $fail = sub { return $session->query("SELECT fail('$quoted', '$sqlstate', $_[0])"); };
	$fail->(50);
	$session->query("SELECT opportunity_fdw_disconnect()");
	$before = holdings();
	my $failed = $fail->($count);
	is($failed->{out}, $count, "$count statements fail: $what") or diag($failed->{err});
	$session->query("SELECT opportunity_fdw_disconnect()");
	ok($api->becomes('open_connections', 0), "$what: opportunity_fdw_disconnect() closes all connections");
	compare($what, $before);
}

# An error at the top level takes another path than in a subtransaction.
$api->reset;
$api->behave('{"status": 404, "content_type": "text/html", "body": "<html>"}');
$session->query(join('; ', ($good) x 20));
$before = holdings();
is(scalar(() = $session->query(join('; ', ($good) x 200))->{err} =~ /HV00R/g), 200, '200 statements fail at the top level');
compare('failures at the top level', $before);

# Cancel statements at random points.
$api->reset;
$api->behave('{"delay_ms": 2, "jitter": 3}');
my $cancel = sub {
	my ($count) = @_;
	my $result = $session->query(join('; ', map { ("SET statement_timeout = '" . (1 + $_ % 5) . "ms'", $good, $many) } 1 .. $count / 2));
	$session->reset_timeout;
	return $result;
};
$session->query($good);
$cancel->(40);
$session->query('SELECT opportunity_fdw_disconnect()');
$before = holdings();
my $cancelled = () = $cancel->(500)->{err} =~ /57014/g;
cmp_ok($cancelled, '>', 200, "statement_timeout cancels $cancelled of 500 statements");
$session->query('SELECT opportunity_fdw_disconnect()');
ok($api->becomes('open_connections', 0), 'cancelled statements leave no connection');
compare('cancelled statements', $before);

$api->reset;
is($session->query($good)->{out}, '1', 'the session still works after all errors');
$session->quit;
$node->stop('fast');

done_testing();
