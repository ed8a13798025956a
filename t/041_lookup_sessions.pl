# SPDX-License-Identifier: PostgreSQL
# Joins with batch lookups and several sessions: cancels at every stage, rows that
# another session changes, cached records when another session changes the options,
# and memory.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;
use Time::HiRes qw(sleep time);

# The goal is 100 milliseconds, during stalls of a minute. A busy machine may need
# longer, so the limit is generous, and a note has the measured time.
my $BOUND = 3000;

# Allowed growth by the allocators in kB
my $SLACK = 4096;

my $api = Reevo::start();
my $node = Reevo::cluster('lookup_sessions', 'max_parallel_workers_per_gather = 0');
Reevo::set_up($node, $api->url, "page_size '10'", "connect_timeout '60'", "request_timeout '60'");
my $admin = Reevo::Session->new($node);
my $result = $admin->query(q(
	CREATE FUNCTION id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE
		AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
	CREATE TABLE deal (n int PRIMARY KEY, opportunity_id uuid, note text);
	INSERT INTO deal SELECT n, id(n), 'deal ' || n FROM generate_series(1, 50) n;
	CREATE TABLE with_missing AS SELECT n, id(CASE WHEN n % 10 = 7 THEN 9000 ELSE 0 END + n) AS opportunity_id FROM generate_series(1, 50) n;
	CREATE TABLE copy AS SELECT * FROM opportunity WHERE id IN (SELECT opportunity_id FROM deal);
	ANALYZE;));
is($result->{sqlstate}, '', 'the tables are created') or BAIL_OUT($result->{err});
my $connecting = 'http://127.0.0.1:' . $api->port('backlog_port');
$admin->query(qq(
	CREATE SERVER connecting FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url '$connecting', page_size '10', connect_timeout '60');
	CREATE USER MAPPING FOR CURRENT_USER SERVER connecting OPTIONS (api_key 'test-key');
	CREATE FOREIGN TABLE connecting (id uuid, stage text) SERVER connecting;));

sub joined
{
	my ($table, $type, $foreign) = @_;
	return "SELECT count(*), count(o.stage) FROM $table d $type JOIN $foreign o ON o.id = d.opportunity_id";
}

# --- Cancels ---

# Stage to its join, and the behaviour that stalls it there
my %stage = (
	'connecting' => [ joined('deal', '', 'connecting'), '{}' ],
	'before the response' => [ joined('deal', '', 'opportunity'), '{"stall": "headers", "only": ["query"]}' ],
	'in the headers' => [ joined('deal', 'LEFT', 'opportunity'), '{"stall": "mid-headers", "only": ["query"]}' ],
	'in the body' => [ joined('deal', '', 'opportunity'), '{"stall": "body", "only": ["query"]}' ],
	'in the third response' => [ joined('deal', '', 'opportunity'), '{"fail_every": 3, "fail_how": "stall", "only": ["query"]}' ],
	'before the next page' => [ joined('deal', '', 'opportunity'), '{"short_pages": 4, "fail_every": 6, "fail_how": "stall", "only": ["query"]}' ],
	'before the response to GET of a missing record' => [ joined('with_missing', 'LEFT', 'opportunity'), '{"stall": "headers", "only": ["get"]}' ],
	'in the body of GET of a missing record' => [ joined('with_missing', 'LEFT', 'opportunity'), '{"stall": "body", "only": ["get"]}' ],
	'waiting for a retry' => [ joined('deal', '', 'opportunity'), '{"status": 503, "retry_after": 2, "only": ["query"]}' ]);

for my $stage (sort keys %stage)
{
	my ($query, $behaviour) = @{ $stage{$stage} };
	my $session = Reevo::Session->new($node);

	$api->reset;
	is($session->query('SELECT 1 FROM opportunity WHERE id = id(1)')->{out}, '1', "$stage: the session can read");
	$api->behave($behaviour);
	my $before = $api->requests;
	$session->send($query);
	Reevo::wait_until(sub {
		return $admin->query(qq(SELECT count(*) FROM pg_stat_activity
			WHERE pid = $session->{backend} AND wait_event_type = 'Extension'))->{out} == 1
		  && ($stage eq 'connecting' || $api->requests > $before);
	}) or diag("$stage: the statement does not reach its wait");
	# Let all earlier requests end.
	sleep 0.2;
	my $started = time;
	$admin->query("SELECT pg_cancel_backend($session->{backend})");
	$result = $session->result;
	my $ms = (time - $started) * 1000;
	is($result->{sqlstate}, '57014', "$stage: pg_cancel_backend raises query_canceled") or diag($result->{out}, $result->{err});
	cmp_ok($ms, '<', $BOUND, "$stage: pg_cancel_backend takes effect immediately");
	note(sprintf('%s: cancelled after %.0f ms', $stage, $ms));
	ok($api->becomes('in_flight', 0), "$stage: the cancelled requests end at the API");
	is($session->query('SELECT 1 FROM opportunity WHERE id = id(1)')->{out}, '1', "$stage: the session continues")
	  unless $behaviour =~ /"get"/;

	$result = $session->query("SET statement_timeout = '300ms'; $query");
	is($result->{sqlstate}, '57014', "$stage: statement_timeout raises query_canceled") or diag($result->{out}, $result->{err});
	cmp_ok($result->{ms}, '<', 300 + $BOUND, "$stage: statement_timeout takes effect immediately");
	note(sprintf('%s: timed out %.0f ms late', $stage, $result->{ms} - 300));
	ok($api->becomes('in_flight', 0), "$stage: the timed-out requests end at the API");

	$api->reset;
	$session->query('RESET statement_timeout');
	my $expected = $stage =~ /missing/ ? '50|45' : '50|50';
	is($session->query($query)->{out}, $expected, "$stage: the join works after the stall") if $stage ne 'connecting';
	$session->quit;
}

# Many cancels at random points leave nothing behind.
{
	my $session = Reevo::Session->new($node);
	my $query = joined('with_missing', 'LEFT', 'opportunity');
	my $cancel = sub {
		my ($count) = @_;
		my $result = $session->query(join('; ', map { "SET statement_timeout = '" . (1 + $_ % 25) . "ms'; $query" } 1 .. $count));
		$session->reset_timeout;
		return $result;
	};

	$api->reset;
	$api->behave('{"delay_ms": 3, "jitter": 3, "short_pages": 4}');
	$session->query($query);
	$cancel->(50);
	$session->query('SELECT opportunity_fdw_disconnect()');
	my ($files, $contexts) = (Reevo::open_files($session->{backend}), contexts($session));
	my $cancelled = () = $cancel->(150)->{err} =~ /57014/g;
	cmp_ok($cancelled, '>', 50, "statement_timeout cancels $cancelled of 150 joins");
	ok($api->becomes('in_flight', 0), 'the cancelled requests end at the API');
	is($session->query($query)->{out}, '50|45', 'the session continues');
	$session->query('SELECT opportunity_fdw_disconnect()');
	cmp_ok(Reevo::open_files($session->{backend}), '<=', $files, 'no file stays open');
	is(contexts($session), $contexts, 'no memory context remains');
	$session->quit;
}

# Returns the number of the extension's memory contexts.
sub contexts
{
	my ($session) = @_;
	return $session->query("SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'opportunity_fdw%'")->{out};
}

# --- Rows that another session changes while a statement waits ---

# A statement over the foreign table and over a local copy must treat a changed and
# locked row in the same way.
my ($one, $other) = map { Reevo::Session->new($node) } 1 .. 2;

sub of_changed_row
{
	my ($statement, $change, $source) = @_;
	(my $text = $statement) =~ s/SOURCE/$source/g;

	$admin->query(q(TRUNCATE deal; INSERT INTO deal SELECT n, id(n), 'deal ' || n FROM generate_series(1, 50) n));
	$one->query("BEGIN; $change");
	# The loop repeats, so that both sources run the same statements.
	$other->send("SET enable_hashjoin = off; SET enable_mergejoin = off; $text");
	Reevo::wait_until(sub {
		return $admin->query(qq(SELECT count(*) FROM pg_stat_activity
			WHERE pid = $other->{backend} AND wait_event_type = 'Lock'))->{out} == 1;
	}) or diag("the statement does not reach its lock: $text");
	$one->query('COMMIT');
	my $rows = $other->result;
	return $rows->{sqlstate} . $rows->{out} . "\n" . $admin->query('SELECT n, opportunity_id, note FROM deal ORDER BY n')->{out};
}

my %statement = (
	'FOR UPDATE' => 'SELECT d.n, d.opportunity_id, d.note, o.id, o.stage FROM deal d JOIN SOURCE o ON o.id = d.opportunity_id FOR UPDATE OF d',
	'FOR UPDATE, with a condition' => q(SELECT d.n, d.note, o.stage FROM deal d JOIN SOURCE o ON o.id = d.opportunity_id AND o.status = 'open' WHERE d.note <> 'gone' FOR UPDATE OF d),
	'FOR SHARE of a left join' => 'SELECT d.n, d.note, o.id, o.stage FROM deal d LEFT JOIN SOURCE o ON o.id = d.opportunity_id FOR SHARE OF d',
	'FOR UPDATE, without a match' => q(SELECT d.n, d.note FROM deal d WHERE NOT EXISTS (SELECT FROM SOURCE o WHERE o.id = d.opportunity_id AND o.status <> 'open') FOR UPDATE OF d),
	'FOR UPDATE with whole rows' => 'SELECT d.n, o.id, o IS NULL FROM deal d LEFT JOIN SOURCE o ON o.id = d.opportunity_id LEFT JOIN SOURCE p ON p.id = o.id FOR UPDATE OF d',
	'FOR UPDATE with a subquery' => 'SELECT d.n, (SELECT o.stage FROM SOURCE o WHERE o.id = d.opportunity_id) FROM deal d FOR UPDATE',
	'UPDATE with a subquery' => 'UPDATE deal d SET note = (SELECT o.stage FROM SOURCE o WHERE o.id = d.opportunity_id)',
	'UPDATE with two subqueries' => 'UPDATE deal d SET note = (SELECT o.stage FROM SOURCE o WHERE o.id = d.opportunity_id) WHERE EXISTS (SELECT FROM SOURCE o WHERE o.id = d.opportunity_id) OR d.n = 3',
	'UPDATE' => q(UPDATE deal d SET note = d.note || ': ' || o.stage FROM SOURCE o WHERE o.id = d.opportunity_id),
	'DELETE' => q(DELETE FROM deal d USING SOURCE o WHERE o.id = d.opportunity_id AND o.status = 'open'));
my %change = (
	'another column' => q(UPDATE deal SET note = 'changed' WHERE n IN (15, 16, 33)),
	'the key' => 'UPDATE deal SET opportunity_id = id(n + 1) WHERE n IN (15, 16, 33)',
	'the key, to NULL' => 'UPDATE deal SET opportunity_id = NULL WHERE n = 15',
	'a condition' => q(UPDATE deal SET note = 'gone' WHERE n IN (5, 25, 45)),
	'the row, deleted' => 'DELETE FROM deal WHERE n IN (15, 40)');
$api->reset;
for my $kind (sort keys %statement)
{
	for my $what (sort keys %change)
	{
		my $before = $api->requests;
		my $foreign = of_changed_row($statement{$kind}, $change{$what}, 'opportunity');
		# The new version of the row already has its record, so it makes no request.
		is($api->requests - $before, 5, "$kind: $what: the statement makes five requests");
		is($foreign, of_changed_row($statement{$kind}, $change{$what}, 'copy'), "$kind, change of $what: the rows are the same as with a local copy");
	}
}

$_->quit for ($one, $other);

# --- Cached records ---

$admin->query("ALTER FOREIGN TABLE opportunity OPTIONS (ADD cache_ttl '3600')");
{
	my ($one, $other) = map { Reevo::Session->new($node) } 1 .. 2;
	my $query = joined('deal', '', 'opportunity');
	my $spent = sub {
		my ($session) = @_;
		return $api->requests_of(sub { $session->query($query) });
	};

	$admin->query(q(TRUNCATE deal; INSERT INTO deal SELECT n, id(n), 'deal ' || n FROM generate_series(1, 50) n; ANALYZE deal));
	is($spent->($one), 5, 'the first join of a session makes requests');
	is($spent->($one), 0, 'the second join uses the cache');
	is($spent->($other), 5, 'another session does not use the cache of the first');
	is($spent->($other), 0, 'another session uses its own cache');
	for my $change (
		"ALTER SERVER reevo OPTIONS (SET page_size '9')",
		"ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'other-key')",
		"ALTER FOREIGN TABLE opportunity OPTIONS (SET cache_ttl '60')")
	{
		$admin->query($change);
		is($spent->($one), 6, "$change, by another session, clears the cache");
		is($spent->($one), 0, "$change: the records are cached again");
	}
	$one->query("SET plan_cache_mode = force_generic_plan; PREPARE p AS $query; EXECUTE p");
	is($api->requests_of(sub { $one->query('EXECUTE p') }), 0, 'a prepared statement uses the cache');
	$admin->query("ALTER SERVER reevo OPTIONS (SET page_size '10')");
	is($api->requests_of(sub { $one->query('EXECUTE p') }), 5, 'a change by another session clears the cache of a prepared statement');
	$admin->query('DROP USER MAPPING FOR CURRENT_USER SERVER reevo');
	is($one->query($query)->{sqlstate}, '42704', 'the cache is not used without a user mapping');
	$admin->query("CREATE USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (api_key 'expired-key')");
	is($one->query($query)->{sqlstate}, '28000', 'the cache is not used with another key');
	$admin->query("ALTER USER MAPPING FOR CURRENT_USER SERVER reevo OPTIONS (SET api_key 'test-key')");
	is($one->query($query)->{out}, '50|50', 'the session continues');
	is($one->query('SELECT opportunity_fdw_clear_cache()')->{sqlstate}, '', 'opportunity_fdw_clear_cache succeeds');
	is($spent->($other), 5, 'opportunity_fdw_clear_cache does not affect another session');
	is($spent->($one), 5, 'opportunity_fdw_clear_cache clears the cache');

	# The cache uses at most work_mem, plus the overhead of allocation.
	my $held = "SELECT round(sum(used_bytes) / 1024), round(sum(total_bytes) / 1024) FROM pg_backend_memory_contexts WHERE name = 'opportunity_fdw session'";
	$one->query("SET work_mem = '1MB'; SELECT count(*) FROM opportunity WHERE id IN (SELECT id(n) FROM generate_series(1, 900) n)");
	my ($kept, $taken) = split(/\|/, $one->query($held)->{out});
	note("$kept kB are cached for a work_mem of 1 MB, in blocks of $taken kB");
	cmp_ok($kept, '<', 1536, 'the cache is limited by work_mem');
	cmp_ok($kept, '>', 768, 'the cache uses most of work_mem');
	$_->quit for ($one, $other);
}
$admin->query('ALTER FOREIGN TABLE opportunity OPTIONS (DROP cache_ttl)');

# --- Memory ---

# Compares the memory, files and memory contexts of a session before and after some
# work, which it has done before. The number of contexts may grow by $more.
sub compare_memory
{
	my ($what, $session, $warm, $work, $more) = @_;

	$warm->();
	my ($memory, $files, $contexts) = (Reevo::resident($session->{backend}), Reevo::open_files($session->{backend}), contexts($session));
	$work->();
	my $after = Reevo::resident($session->{backend});
	note("$what: $memory kB before, $after kB after");
	cmp_ok($after - $memory, '<', $SLACK, "$what: the memory does not grow")
	  unless Reevo::keeps_freed($session->{backend});
	# The session keeps the connections that were in use in parallel.
	cmp_ok(Reevo::open_files($session->{backend}), '<=', $files + 8, "$what: the number of files does not grow");
	cmp_ok(contexts($session) - $contexts, '<=', $more, "$what: the number of memory contexts is limited");
	return;
}

{
	my $session = Reevo::Session->new($node);
	my $query = joined('with_missing', 'LEFT', 'opportunity');
	my $left = "BEGIN; DECLARE c CURSOR FOR SELECT d.n, o.* FROM with_missing d JOIN opportunity o ON o.id = d.opportunity_id; FETCH 3 FROM c; ROLLBACK";
	my $failing = 'SELECT sum(o.stage::int) FROM deal d JOIN opportunity o ON o.id = d.opportunity_id';
	my $counts = sub {
		my ($n) = @_;
		return scalar(() = $session->query(join('; ', ($query) x $n))->{out} =~ /^50\|45$/mg);
	};

	$api->reset;
	compare_memory('1000 joins', $session, sub { $counts->(100) for 1 .. 2; },
		sub { my $good = 0; $good += $counts->(100) for 1 .. 10; is($good, 1000, '1000 joins in one session succeed'); }, 0);
	compare_memory('joins that fail or are closed early', $session, sub { $session->query(join('; ', ($left, $failing) x 20)); },
		sub {
			my $failed = 0;
			$failed += () = $session->query(join('; ', ($left, $failing) x 50))->{err} =~ /22P02/g for 1 .. 3;
			is($failed, 150, '150 joins fail');
		}, 0);

	# One long join releases the batches that it has returned.
	$session->query("SET work_mem = '256kB'; ALTER SERVER reevo OPTIONS (ADD query_returns_archived 'true', SET page_size '100')");
	compare_memory('one long join', $session,
		sub {
			$session->query("BEGIN; DECLARE c CURSOR FOR SELECT g, o.stage FROM generate_series(1, 60000) g LEFT JOIN opportunity o ON o.id = id(g * 7); MOVE 12000 FROM c");
		},
		sub { is($session->query('MOVE 40000 FROM c; FETCH 1 FROM c')->{out}, '52001|', 'the long join returns all rows'); },
		# For the batches in progress
		20);
	$session->query('COMMIT');
	$session->quit;
}

$admin->quit;
$node->stop('fast');

done_testing();
