# SPDX-License-Identifier: PostgreSQL
# Each SQL form that needs a record for each row returns the rows of a local copy, and
# makes the fewest requests. It runs as a plain query, a prepared statement with a generic
# plan, a cursor and a view, with easy and with difficult keys.
#
# REEVO_FORM in the environment selects forms by a regular expression.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Reevo;
use Test::More;

my $only = $ENV{REEVO_FORM};

my $api = Reevo::start(records => 3000);
my $node = Reevo::cluster('forms', "max_parallel_workers_per_gather = 0\njit = off");
my $version = Reevo::server_version($node);
Reevo::set_up($node, $api->url, "connect_timeout '60'", "request_timeout '60'");
my $session = Reevo::Session->new($node);

# t has 300 rows, each with a record of its own. The two workspaces of w share one API.
my $result = $session->query("\\set url '" . $api->url . "'\n" . q(
	SET client_min_messages = error;
	CREATE SCHEMA foreign_side;
	CREATE SCHEMA local_side;
	CREATE SERVER other FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
	CREATE USER MAPPING FOR CURRENT_USER SERVER other OPTIONS (api_key 'test-key');
	CREATE FUNCTION id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE
		AS $$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
	CREATE FOREIGN TABLE foreign_side.o (id uuid, stage text, amount numeric, status text, created_at timestamptz, account_id uuid) SERVER reevo;
	CREATE FOREIGN TABLE foreign_side.p (id uuid, stage text, amount numeric, status text, created_at timestamptz, account_id uuid) SERVER other;
	CREATE FOREIGN TABLE foreign_side.g (id uuid, stage text, amount numeric) SERVER reevo OPTIONS (use_query 'false');
	CREATE TABLE foreign_side.parted (id uuid, stage text, amount numeric) PARTITION BY HASH (stage);
	CREATE FOREIGN TABLE foreign_side.part1 PARTITION OF foreign_side.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0) SERVER reevo;
	CREATE FOREIGN TABLE foreign_side.part2 PARTITION OF foreign_side.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1) SERVER other;
	CREATE TABLE local_side.o AS SELECT * FROM foreign_side.o;
	CREATE TABLE local_side.p AS SELECT * FROM local_side.o;
	CREATE TABLE local_side.g AS SELECT id, stage, amount FROM local_side.o;
	CREATE TABLE local_side.parted AS SELECT id, stage, amount FROM local_side.o UNION ALL SELECT id, stage, amount FROM local_side.o;
	CREATE INDEX ON local_side.o (id); CREATE INDEX ON local_side.p (id); CREATE INDEX ON local_side.g (id); CREATE INDEX ON local_side.parted (id);
	CREATE INDEX ON local_side.o (account_id);
	ANALYZE local_side.p; ANALYZE local_side.g; ANALYZE local_side.parted;
	CREATE SCHEMA easy;
	CREATE SCHEMA difficult;
	CREATE TABLE easy.t AS SELECT n, id(n * 7) AS id, id(n * 7)::text AS txt, n % 3 AS grp, now() - n * interval '1 hour' AS at, 'label ' || n AS label
		FROM generate_series(1, 300) n;
	-- NULL, repeated and missing keys, and the keys of archived records
	CREATE TABLE difficult.t AS SELECT n, CASE WHEN n % 5 = 0 THEN NULL WHEN n % 5 = 1 THEN id(7) WHEN n % 9 = 2 THEN id(9000 + n) ELSE id(n * 7) END AS id,
		NULL::text AS txt, n % 3 AS grp, at, label FROM easy.t WHERE n <= 90;
	UPDATE difficult.t SET txt = CASE WHEN n % 10 = 4 THEN 'no id' ELSE id::text END;
	SET search_path = easy, public;
	CREATE TABLE public.big AS SELECT n, CASE WHEN n <= 3000 THEN id(n) ELSE gen_random_uuid() END AS id, now() - n * interval '1 minute' AS at, md5(n::text) AS label
		FROM generate_series(1, 20000) n;
	CREATE TABLE public.accounts AS SELECT DISTINCT account_id FROM local_side.o WHERE account_id IS NOT NULL;
	CREATE TABLE public.target AS SELECT n, id, NULL::text AS stage, NULL::numeric AS amount FROM t;
	CREATE TABLE foreign_side.result (n int, stage text, amount numeric);
	CREATE TABLE local_side.result (n int, stage text, amount numeric);
	CREATE TABLE public.empty AS SELECT * FROM t WHERE false;
	CREATE TABLE public.pt (n int, id uuid, grp int) PARTITION BY LIST (grp);
	CREATE TABLE public.pt0 PARTITION OF public.pt FOR VALUES IN (0);
	CREATE TABLE public.pt1 PARTITION OF public.pt FOR VALUES IN (1, 2);
	INSERT INTO pt SELECT n, id, grp FROM t;
	INSERT INTO foreign_side.result SELECT n FROM t;
	INSERT INTO local_side.result SELECT n FROM t;
	ANALYZE easy.t; ANALYZE difficult.t; ANALYZE big; ANALYZE accounts; ANALYZE target; ANALYZE pt;
	ANALYZE local_side.o;
	CREATE VIEW foreign_side.w AS SELECT 'a' AS ws, id, stage, amount FROM foreign_side.o UNION ALL SELECT 'b', id, stage, amount FROM foreign_side.p;
	CREATE VIEW local_side.w AS SELECT 'a' AS ws, id, stage, amount FROM local_side.o UNION ALL SELECT 'b', id, stage, amount FROM local_side.p;
	CREATE VIEW foreign_side.report AS SELECT t.*, o.stage FROM t LEFT JOIN foreign_side.o ON o.id = t.id;
	CREATE VIEW local_side.report AS SELECT t.*, o.stage FROM t LEFT JOIN local_side.o ON o.id = t.id;
	CREATE FUNCTION foreign_side.stage_of(uuid) RETURNS text LANGUAGE sql STABLE AS 'SELECT stage FROM foreign_side.o WHERE id = $1';
	CREATE FUNCTION foreign_side.stages_of(uuid) RETURNS TABLE (stage text) LANGUAGE sql STABLE AS 'SELECT stage FROM foreign_side.o WHERE id = $1';
	CREATE FUNCTION local_side.stage_of(uuid) RETURNS text LANGUAGE sql STABLE AS 'SELECT stage FROM local_side.o WHERE id = $1';
	CREATE FUNCTION local_side.stages_of(uuid) RETURNS TABLE (stage text) LANGUAGE sql STABLE AS 'SELECT stage FROM local_side.o WHERE id = $1';
));
is($result->{sqlstate}, '', 'the tables are created') or BAIL_OUT($result->{err});
my $accounts = $session->query('SELECT count(*) FROM accounts')->{out};
chomp $accounts;
note("$accounts accounts");

# The ids of difficult.t: one query for those that are not NULL, and a GET for each that
# the query does not return.
$result = $session->query(q(SELECT count(DISTINCT t.id) - count(DISTINCT o.id) FROM difficult.t LEFT JOIN local_side.o ON o.id = t.id));
my $ids = 1 + $result->{out};

# Form, query, requests with the keys of easy.t, and requests with the keys of difficult.t
# unless each of its ids is looked up once
my @forms = (
	[ 'scalar subquery', 'SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id) FROM t', 3 ],
	[ 'scalar subquery with a text key', 'SELECT n, (SELECT o.stage FROM o WHERE o.id = t.txt::uuid) FROM t', 3, undef ],
	[ 'two scalar subqueries', 'SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id), (SELECT o.amount FROM o WHERE o.id = t.id) FROM t', 3 ],
	[ 'scalar subquery in WHERE', "SELECT n FROM t WHERE (SELECT o.stage FROM o WHERE o.id = t.id) > 'D'", 3 ],
	[ 'scalar subquery in ORDER BY', 'SELECT n FROM t ORDER BY (SELECT o.amount FROM o WHERE o.id = t.id), n', 3 ],
	[ 'scalar subquery in an expression', "SELECT n, upper(coalesce((SELECT o.stage FROM o WHERE o.id = t.id), 'none')) FROM t", 3 ],
	[ 'scalar subquery over a join', 'SELECT t.n, (SELECT o.stage FROM o WHERE o.id = t.id) FROM t JOIN target x ON x.n = t.n WHERE x.n > 200', 1, 0 ],
	[ 'scalar subquery over groups', 'SELECT grp, (SELECT o.stage FROM o WHERE o.id = max(t.txt)::uuid) FROM t GROUP BY grp', 1, undef ],
	[ 'scalar subquery in an aggregate', 'SELECT grp, sum((SELECT o.amount FROM o WHERE o.id = t.id)) FROM t GROUP BY grp', 3 ],
	[ 'scalar subquery in HAVING', "SELECT grp FROM t GROUP BY grp HAVING (SELECT o.stage FROM o WHERE o.id = max(t.txt)::uuid) > 'A'", 1, undef ],
	[ 'scalar subquery over a window', 'SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id), row_number() OVER (PARTITION BY grp ORDER BY n) FROM t', 3 ],
	[ 'scalar subquery over partitions', 'SELECT n, (SELECT o.stage FROM o WHERE o.id = pt.id) FROM pt', 3, 3 ],
	[ 'scalar subquery and LIMIT', 'SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id) FROM t ORDER BY n LIMIT 10', 1, 2 ],
	[ 'scalar subquery and OFFSET', 'SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id) FROM t ORDER BY n DESC OFFSET 20 LIMIT 50', 1, 6 ],
	[ 'scalar subquery of an empty table', 'SELECT n, (SELECT o.stage FROM o WHERE o.id = e.id) FROM empty e', 0, 0 ],
	[ 'nested scalar subqueries', 'SELECT n, (SELECT (SELECT o.stage FROM o WHERE o.id = t.id) FROM target x WHERE x.n = t.n) FROM t', 3, $ids ],
	[ 'EXISTS in the select list', 'SELECT n, EXISTS (SELECT FROM o WHERE o.id = t.id) FROM t', 3 ],
	[ 'EXISTS in CASE', "SELECT n, CASE WHEN EXISTS (SELECT FROM o WHERE o.id = t.id) THEN 'yes' ELSE 'no' END FROM t", 3 ],
	[ 'EXISTS below OR', 'SELECT n FROM t WHERE t.n < 0 OR EXISTS (SELECT FROM o WHERE o.id = t.id)', 3 ],
	[ 'NOT EXISTS below OR', 'SELECT n FROM t WHERE t.n < 5 OR NOT EXISTS (SELECT FROM o WHERE o.id = t.id)', 3 ],
	[ 'function in FROM', 'SELECT n, s.stage FROM t, LATERAL stages_of(t.id) s', 3 ],
	[ 'function without inlining', 'SELECT n, stage_of(id) FROM t WHERE n <= 4', 4, 4 ],
	[ 'LATERAL with LIMIT', 'SELECT n, x.stage FROM t LEFT JOIN LATERAL (SELECT o.stage FROM o WHERE o.id = t.id LIMIT 1) x ON true', 3 ],
	[ 'LATERAL with json_agg', q(SELECT n, x.j::text FROM t LEFT JOIN LATERAL (SELECT coalesce(json_agg(row_to_json(o)), '[]') AS j
		FROM (SELECT o.stage, o.amount FROM o WHERE o.id = t.id) o) x ON true), 3 ],
	[ 'LATERAL with an aggregate', 'SELECT n, x.m FROM t, LATERAL (SELECT max(o.amount) AS m FROM o WHERE o.id = t.id) x', 3 ],
	[ 'LATERAL with OFFSET 0', 'SELECT n, x.stage FROM t, LATERAL (SELECT o.stage FROM o WHERE o.id = t.id OFFSET 0) x', 3 ],
	[ 'LATERAL with two ids', 'SELECT n, x.c FROM t, LATERAL (SELECT count(*) AS c FROM o WHERE o.id IN (t.id, id(t.n))) x', 6, 8 ],
	[ 'UNION ALL view', 'SELECT t.n, w.* FROM t JOIN w ON w.id = t.id', 6, 2 * $ids ],
	[ 'UNION ALL view, left join', 'SELECT t.n, w.* FROM t LEFT JOIN w ON w.id = t.id', 6, 2 * $ids ],
	[ 'partitioned table', 'SELECT DISTINCT t.n, p.id FROM t JOIN parted p ON p.id = t.id', 6, 2 * $ids ],
	[ 'partitioned table, left join', 'SELECT DISTINCT t.n, p.id FROM t LEFT JOIN parted p ON p.id = t.id', 6, 2 * $ids ],
	[ 'join on the nullable side', 'SELECT t.n, a.stage, b.amount FROM t LEFT JOIN (o a JOIN o b ON b.id = a.id) ON a.id = t.id', 3 ],
	[ 'join condition without columns', "SELECT t.n, o.stage FROM t LEFT JOIN o ON o.id = t.id AND current_setting('jit') = 'off'", 3 ],
	[ 'reference', 'SELECT account_id, (SELECT count(*) FROM o WHERE o.account_id = a.account_id) FROM accounts a', 24, 24 ],
	[ 'latest record of a reference', 'SELECT a.account_id, x.id FROM accounts a LEFT JOIN LATERAL (SELECT o.id FROM o WHERE o.account_id = a.account_id
		ORDER BY o.created_at DESC LIMIT 1) x ON true', 24, 24 ],
	[ 'ORDER BY of the outer side', 'SELECT b.n, o.stage FROM big b LEFT JOIN o ON o.id = b.id ORDER BY b.at DESC LIMIT 10', 1, 1 ],
	[ 'ORDER BY of the outer side, inner join', 'SELECT b.n, o.stage FROM big b JOIN o ON o.id = b.id ORDER BY b.at DESC LIMIT 10', 1, 1 ],
	[ 'ORDER BY with OFFSET', "SELECT t.n, o.stage FROM t LEFT JOIN o ON o.id = t.id ORDER BY t.label OFFSET 50 LIMIT 50", 1, $ids ],
	[ 'unused left join', 'SELECT count(*) FROM report', 0, 0 ],
	[ 'GETs alone', 'SELECT t.n, g.stage FROM t JOIN g ON g.id = t.id', 300, 55 ],
	[ 'id IS NULL', 'SELECT count(*) FROM o WHERE id IS NULL', 0, 0 ],
	[ 'UPDATE', 'UPDATE result r SET stage = (SELECT o.stage FROM o WHERE o.id = t.id) FROM t WHERE t.n = r.n RETURNING r.n, r.stage', 3 ],
	[ 'UPDATE of two columns', 'UPDATE result r SET (stage, amount) = (SELECT o.stage, o.amount FROM o WHERE o.id = t.id) FROM t WHERE t.n = r.n RETURNING r.*', 3 ],
	[ 'inner join', 'SELECT t.n, o.stage FROM t JOIN o ON o.id = t.id', 3 ],
	[ 'left join', 'SELECT t.n, o.stage FROM t LEFT JOIN o ON o.id = t.id', 3 ],
	[ 'EXISTS', 'SELECT n FROM t WHERE EXISTS (SELECT FROM o WHERE o.id = t.id)', 3 ],
	[ 'NOT EXISTS', 'SELECT n FROM t WHERE NOT EXISTS (SELECT FROM o WHERE o.id = t.id)', 3 ],
	[ 'IN', 'SELECT n FROM t WHERE id IN (SELECT id FROM o)', 3 ],
	[ 'chain of left joins', 'SELECT t.n, a.stage, b.amount FROM t LEFT JOIN o a ON a.id = t.id LEFT JOIN p b ON b.id = a.id', 6, 8 ],
);


# rows(SIDE, KEYS, QUERY): runs a query on a side. Returns the sorted rows.
sub rows
{
	my ($side, $keys, $query) = @_;
	my $answer = $session->query("SET search_path = $side, $keys, public; $query");
	return $answer->{sqlstate} ne '' ? "$answer->{sqlstate} $answer->{err}" : join("\n", sort grep { $_ ne '' } split(/\n/, $answer->{out}));
}

# compare(NAME, KEYS, QUERY, REQUESTS, FOREIGN): compares the rows of a query on both
# sides, and the number of requests unless it is undefined. FOREIGN is the query for the
# foreign side, by default the same.
my %local_rows;

sub compare
{
	my ($name, $keys, $query, $requests, $foreign) = @_;
	my $wanted = $local_rows{"$keys $query"} //= rows('local_side', $keys, $query);
	my $found;
	$session->query('SELECT opportunity_fdw_disconnect()');
	my $made = $api->requests_of(sub { $found = rows('foreign_side', $keys, $foreign || $query); });
	is($found, $wanted, "$name: rows");
	return unless defined $requests;
	is($made, $requests, "$name: requests")
	  or diag($session->query("SET search_path = foreign_side, $keys, public; EXPLAIN (COSTS OFF) $query")->{out});
	return;
}

for my $form (@forms)
{
	my ($name, $query, $requests, @difficult) = @$form;
	next if defined $only && $name !~ /$only/;
	compare($name, 'easy', $query, $requests);
	compare("$name, difficult keys", 'difficult', $query, @difficult ? $difficult[0] : $ids);
	compare("$name, generic plan", 'easy', $query, $requests, "SET plan_cache_mode = force_generic_plan; PREPARE s AS $query; EXECUTE s; DEALLOCATE s; RESET plan_cache_mode");
	next if $query =~ /^UPDATE/;
	compare("$name, cursor", 'easy', $query, $requests, "BEGIN; DECLARE c CURSOR FOR $query; FETCH ALL FROM c; COMMIT");
	compare("$name, cursor, backwards", 'easy', $query, $name =~ /inlining/ ? 2 * $requests : $requests, "BEGIN; DECLARE c SCROLL CURSOR FOR $query; MOVE ALL FROM c; FETCH BACKWARD ALL FROM c; COMMIT");
	compare("$name, view", 'easy', $query, $requests, "CREATE TEMP VIEW v AS $query; SELECT * FROM v; DROP VIEW v");
}

# A caller that stops early costs one request, and a FETCH no more than its rows need.
{
	my $query = 'SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id) FROM t ORDER BY n';
	my $limited = 'SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id) FROM t ORDER BY n LIMIT';
	my $join = 'SELECT t.n, o.stage FROM t JOIN o ON o.id = t.id';
	my $cursor = "BEGIN; DECLARE c CURSOR FOR $query;";
	compare('SELECT INTO of PL/pgSQL', 'easy', 'SELECT 1', 1, 
		"DO 'DECLARE r record; BEGIN SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id) INTO r FROM t; END'; SELECT 1");
	compare('EXISTS of PL/pgSQL', 'easy', 'SELECT 1', 1,
		"DO 'BEGIN PERFORM 1 WHERE EXISTS (SELECT FROM t JOIN o ON o.id = t.id); END'; SELECT 1");
	compare('FOR loop of PL/pgSQL', 'easy', 'SELECT 1', 3,
		"DO 'DECLARE r record; BEGIN FOR r IN SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id) FROM t LOOP END LOOP; END'; SELECT 1");
	compare('twenty FETCH 15', 'easy', $query, 3, "$cursor " . 'FETCH 15 FROM c; ' x 20 . 'COMMIT');
	compare('two FETCH 150', 'easy', $query, 3, "$cursor FETCH 150 FROM c; FETCH 150 FROM c; COMMIT");
	compare('three FETCH 100', 'easy', $query, 3, "$cursor FETCH 100 FROM c; FETCH 100 FROM c; FETCH 100 FROM c; COMMIT");
	for my $type (qw(int bigint))
	{
		compare("LIMIT as a parameter of type $type", 'easy', "$limited 10", 1,
			"SET plan_cache_mode = force_generic_plan; PREPARE s($type) AS $limited \$1; EXECUTE s(10); DEALLOCATE s; RESET plan_cache_mode");
	}
	$session->query("SET plan_cache_mode = force_generic_plan; PREPARE s(int) AS $limited 10 / \$1");
	is($session->query('EXPLAIN EXECUTE s(0)')->{sqlstate}, '', 'EXPLAIN does not evaluate LIMIT');
	is($session->query('EXECUTE s(0)')->{sqlstate}, '22012', 'the executor evaluates it');
	$session->query('DEALLOCATE s; RESET plan_cache_mode');

	# A cursor that changes its direction, in any place, and updates its current row
	my @moves = map { sprintf('FETCH %s FROM c', $_) } '3', 'BACKWARD 2', '120', 'BACKWARD 60', 'FORWARD 5', 'PRIOR', 'NEXT', 'NEXT', 'ABSOLUTE 250', 'BACKWARD 10',
	  'ALL', 'PRIOR', 'BACKWARD ALL', 'NEXT', 'PRIOR', 'PRIOR', 'FORWARD 301', 'NEXT', 'BACKWARD 101', 'LAST', 'FIRST', 'RELATIVE 99', 'RELATIVE -98';
	for my $source ('t', "t WHERE n % 7 <> 0", '(SELECT * FROM t LIMIT 280 OFFSET 10) t', 't ORDER BY label LIMIT 120')
	{
		my $moving = "BEGIN; DECLARE c CURSOR FOR SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id) FROM $source; " . join('; ', @moves) . '; COMMIT';
		my @rows = map { $session->query("SET search_path = $_, easy, public; $moving")->{out} } qw(foreign_side local_side);
		is($rows[0], $rows[1], "a cursor that changes its direction over $source");
	}
	my $current = 'BEGIN; DECLARE c CURSOR FOR SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id) FROM t; MOVE 7 FROM c; UPDATE t SET label = label WHERE CURRENT OF c RETURNING n;
		MOVE 105 FROM c; UPDATE t SET label = label WHERE CURRENT OF c RETURNING n; FETCH PRIOR FROM c; UPDATE t SET label = label WHERE CURRENT OF c RETURNING n;
		DELETE FROM t WHERE CURRENT OF c RETURNING n; MOVE ALL FROM c; UPDATE t SET label = label WHERE CURRENT OF c RETURNING n; ROLLBACK';
	compare('WHERE CURRENT OF', 'easy', $current, 3);
	# Of a partitioned table, only the partition of the current row has a row to update.
	my $update = 'UPDATE pt SET grp = grp WHERE CURRENT OF c RETURNING tableoid::regclass, n';
	compare('WHERE CURRENT OF partitions', 'easy', "BEGIN; DECLARE c CURSOR FOR SELECT n, (SELECT o.stage FROM o WHERE o.id = pt.id) FROM pt; "
		. join('; ', map { "$_; $update" } 'FETCH 120 FROM c', 'FETCH FIRST FROM c', 'FETCH LAST FROM c', 'FETCH BACKWARD 250 FROM c') . '; ROLLBACK');
	# The current row of a scan that is not directly below the lookup, or that reads only an index
	for my $source ('(SELECT * FROM t OFFSET 9 LIMIT 200) t', '(SELECT n, id FROM t WHERE n > 9 OFFSET 0) t', 't WHERE n > 9')
	{
		compare("WHERE CURRENT OF $source", 'easy', "BEGIN; CREATE INDEX ON t (n, id); SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
			DECLARE c CURSOR FOR SELECT n, (SELECT o.stage FROM o WHERE o.id = t.id) FROM $source; MOVE 7 FROM c; UPDATE t SET label = label WHERE CURRENT OF c RETURNING n;
			MOVE 105 FROM c; UPDATE t SET label = label WHERE CURRENT OF c RETURNING n; ROLLBACK");
	}
	for my $run ([ '10', 10, 1 ], [ '100', 100, 1 ], [ '150', 150, 2 ], [ 'ALL', 300, 3 ])
	{
		my ($fetch, $rows, $requests) = @$run;
		compare("FETCH $fetch", 'easy', "$limited $rows", $requests, "$cursor FETCH $fetch FROM c; COMMIT");
		compare("FETCH $fetch of a join", 'easy', 'SELECT count(*) FROM (SELECT 1 FROM t LIMIT ' . $rows . ') x', $requests,
			"BEGIN; DECLARE c CURSOR FOR $join; MOVE $fetch FROM c; COMMIT; SELECT $rows");
	}
}

# A cancel in the middle of each form leaves no request in flight, and the next execution
# returns the right rows. Repeated executions keep no memory.
{
	my @cancelled = grep { $_->[2] > 0 && (!defined $only || $_->[0] =~ /$only/) } @forms;
	for my $form (@cancelled)
	{
		my ($name, $query) = @$form;
		$session->query('SELECT opportunity_fdw_disconnect()');
		$api->behave('{"delay_ms": 150}');
		is($session->query("SET search_path = foreign_side, easy, public; SET statement_timeout = 70; $query")->{sqlstate}, '57014', "$name: is cancelled");
		$api->behave('{"delay_ms": 0}');
		$session->query('RESET statement_timeout');
		ok($api->becomes('in_flight', 0), "$name: no request is left in flight");
		compare("$name, after a cancel", 'easy', $query);
	}
	my $held = sub {
		return (Reevo::resident($session->{backend}),
			$session->query("SELECT sum(total_bytes) / 1024 FROM pg_backend_memory_contexts")->{out});
	};
	my $executions = join('; ', map { my $query = $_->[1]; ($query) x 6 } @cancelled);
	$session->query("SET search_path = foreign_side, easy, public; $executions");
	my @before = $held->();
	$session->query($executions) for 1 .. 4;
	my @after = $held->();
	note(sprintf('%d executions: %d and %d kB before, %d and %d kB after', 24 * @cancelled, @before, @after));
	cmp_ok($after[0] - $before[0], '<', 4096, 'the memory of the process does not grow') unless Reevo::keeps_freed($session->{backend});
	cmp_ok($after[1] - $before[1], '<', 128, 'the memory contexts do not grow');
}

# Queries may omit archived records. Then an EXISTS that remains a subplan must not read the
# ids of the whole table, although that costs less for many rows with few ids.
{
	my $query = 'SELECT count(*) FROM (SELECT t.id FROM t, generate_series(1, 50)) m WHERE EXISTS (SELECT FROM o WHERE o.id = m.id) OR m.id IS NULL';
	$api->behave('{"archived_hidden_from_query": true}');
	compare("$_ keys, many rows, hidden archived records", $_, $query) for qw(easy difficult);
	$api->behave('{"archived_hidden_from_query": null}');
}

# An API that rejects the filter by the reference: the table is read at most twice.
my $pages = $api->requests_of(sub { rows('foreign_side', 'easy', 'SELECT count(stage) FROM o'); });
for my $form (grep { $_->[0] =~ /reference/ } @forms)
{
	my ($name, $query) = @$form;
	next if defined $only && $name !~ /$only/;
	my $wanted = rows('local_side', 'easy', $query);
	my $found;
	$session->query('SELECT opportunity_fdw_disconnect()');
	$api->behave('{"refuse_fields": ["account_id"], "refuse_status": 422}');
	my $made = $api->requests_of(sub { $found = rows('foreign_side', 'easy', $query); });
	$api->behave('{"refuse_fields": null, "refuse_status": null}');
	is($found, $wanted, "$name, rejected filter: rows");
	cmp_ok($made, '<=', 2 * $pages, "$name, rejected filter: $made requests for $pages pages");
}

done_testing();
