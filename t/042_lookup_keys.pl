# SPDX-License-Identifier: PostgreSQL
# Joins by a key that many records share return the same rows as a local copy of the
# records. They also return the same rows as one query for each key. This holds for
# every variant of the API, unless the API permits an error only.
#
# REEVO_SEED in the environment chooses other queries, REEVO_QUERIES the number for
# each variant of the API, and REEVO_VARIANT (a part of one) selects variants.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Compare;
use Reevo;
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{REEVO_SEED} || 4242;
my $per_variant = $ENV{REEVO_QUERIES} || 20;
my $only = $ENV{REEVO_VARIANT};

my $api = Reevo::start(records => 120);
my $node = Reevo::cluster('lookup_keys', "max_parallel_workers_per_gather = 0\njit = off");
Reevo::set_up($node, $api->url, "max_retry_wait '0.02'", "connect_timeout '60'", "request_timeout '60'");
my $session = Reevo::Session->new($node);

# Outer rows of accounts, contacts and users with records, of some without, with
# NULLs, and with duplicates. Small pages hold few keys.
my $result = $session->query(q(
	SET client_min_messages = error;
	CREATE SCHEMA foreign_side;
	CREATE SCHEMA local_side;
	CREATE FUNCTION acc(n int) RETURNS uuid LANGUAGE sql IMMUTABLE
		AS $$ SELECT ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid $$;
	CREATE FOREIGN TABLE foreign_side.o (id uuid, stage text, status text, amount numeric, created_at timestamptz, account_id uuid, primary_contact_id uuid)
		SERVER reevo OPTIONS (page_size '3');
	CREATE FOREIGN TABLE foreign_side.p (id uuid, name text OPTIONS (attribute 'display_name'), outcome text, account_id uuid, owner uuid OPTIONS (attribute 'owner_user_id'))
		SERVER reevo OPTIONS (page_size '40', max_concurrency '2');
	CREATE FOREIGN TABLE foreign_side.x (stage_id uuid OPTIONS (attribute 'stage', filter_operators 'eq, in'), status text, account_id uuid OPTIONS (filter_operators 'in'), whole jsonb OPTIONS (attribute '*'))
		SERVER reevo OPTIONS (page_size '7', max_concurrency '1', include_archived 'false');
	CREATE FOREIGN TABLE foreign_side.a (id uuid, name text OPTIONS (attribute 'display_name')) SERVER reevo
		OPTIONS (record_type 'account', page_size '5', query_returns_archived 'true');
	CREATE TABLE local_side.o AS SELECT * FROM foreign_side.o;
	CREATE TABLE local_side.p AS SELECT * FROM foreign_side.p;
	CREATE TABLE local_side.x AS SELECT * FROM foreign_side.x;
	CREATE TABLE local_side.a AS SELECT * FROM foreign_side.a;
	CREATE TABLE t AS SELECT n, CASE WHEN n % 7 = 3 THEN NULL WHEN n = 9 THEN acc(5009) ELSE acc(1 + n % 9) END AS acc,
		CASE WHEN n % 5 = 2 THEN NULL ELSE acc(6 + n % 6) END AS other,
		(SELECT owner FROM local_side.p ORDER BY id OFFSET n LIMIT 1) AS owner,
		(SELECT primary_contact_id FROM local_side.o ORDER BY id OFFSET n LIMIT 1) AS contact, n % 3 AS grp
		FROM generate_series(1, 13) n;
	CREATE TABLE u (n int, acc uuid, label text);
	INSERT INTO u SELECT n, CASE WHEN n = 3 THEN NULL ELSE acc(2 + n) END, 'label ' || n % 4 FROM generate_series(1, 8) n;
	INSERT INTO u SELECT n + 8, acc, label FROM u WHERE n < 3;
	CREATE INDEX ON t (n);
	CREATE INDEX ON u (acc);
	ANALYZE;
	CREATE VIEW foreign_side.v AS SELECT t.n, t.grp, o.id, o.stage, 'v' AS fixed FROM t JOIN foreign_side.o ON o.account_id = t.acc;
	CREATE VIEW local_side.v AS SELECT t.n, t.grp, o.id, o.stage, 'v' AS fixed FROM t JOIN local_side.o ON o.account_id = t.acc;

	-- Returns the number and the hash of a query's rows, or the error.
	CREATE FUNCTION digest(query text, side text, lookup text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		found text;
	BEGIN
		PERFORM set_config('search_path', side || ', public', true), set_config('opportunity_fdw.enable_batch_lookup', lookup, true);
		EXECUTE format('SELECT count(*) || '' '' || md5(coalesce(string_agg(q::text, E''\n'' ORDER BY q::text COLLATE "C"), '''')) FROM (%s) q', query) INTO found;
		RETURN found;
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE || ' ' || SQLERRM;
	END $$;
	CREATE FUNCTION has_lookup(query text) RETURNS bool LANGUAGE plpgsql AS $$
	DECLARE
		line text;
	BEGIN
		PERFORM set_config('search_path', 'foreign_side, public', true);
		FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
			IF line ~ 'keys of' THEN
				RETURN true;
			END IF;
		END LOOP;
		RETURN false;
	END $$;
	-- Runs queries, each with its own settings ("a=b c=d"). Returns the queries with
	-- different rows, and the numbers of queries, rows and lookups. may_fail: the
	-- pattern of the errors that are permitted.
	CREATE FUNCTION compare(queries text[], settings text[], may_fail text) RETURNS SETOF text LANGUAGE plpgsql AS $$
	DECLARE
		setting text;
		together text;
		single text;
		wanted text;
		rows bigint := 0;
		lookups int := 0;
	BEGIN
		FOR i IN 1 .. cardinality(queries) LOOP
			FOREACH setting IN ARRAY string_to_array(settings[i], ' ') LOOP
				PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true);
			END LOOP;
			lookups := lookups + has_lookup(queries[i])::int;
			together := digest(queries[i], 'foreign_side', 'on');
			single := digest(queries[i], 'foreign_side', 'off');
			wanted := digest(queries[i], 'local_side', 'on');
			rows := rows + CASE WHEN wanted ~ '^\d+ [0-9a-f]{32}$' THEN split_part(wanted, ' ', 1)::bigint ELSE 0 END;
			IF wanted !~ '^\d+ [0-9a-f]{32}$' OR NOT (together = wanted OR coalesce(together ~ may_fail, false))
				OR NOT (single = wanted OR coalesce(single ~ may_fail, false)) THEN
				RETURN NEXT format('%s: together %s, one by one %s, local %s: SET %s; %s', i, together, single, wanted, settings[i], queries[i]);
			END IF;
			FOREACH setting IN ARRAY string_to_array(settings[i], ' ') LOOP
				EXECUTE 'RESET ' || split_part(setting, '=', 1);
			END LOOP;
		END LOOP;
		RETURN NEXT format('%s queries, %s rows, %s lookups', cardinality(queries), rows, lookups);
	END $$;));
is($result->{sqlstate}, '', 'the tables are created') or BAIL_OUT($result->{err});

# Returns a condition that supplies a key of a foreign table with an alias, from the
# columns of t.
sub key
{
	my ($alias) = @_;
	my $account = "$alias.account_id";
	my @others = @{ { o => ['o.primary_contact_id = t.contact'], p => [ 'p.owner = t.owner', 't.owner = p.owner AND p.account_id = t.acc' ], x => ['x.account_id = t.acc'] }->{$alias} };
	return one_of(
		("$account = t.acc") x 3, "t.acc = $account", "$account = t.other", @others,
		"$account = coalesce(t.acc, t.other)", "$account = CASE WHEN t.grp < 2 THEN t.acc ELSE t.other END",
		"$account = t.acc AND $account = t.other", "$account = t.acc AND $account IN (acc(1), acc(2), acc(3), acc(77))",
		"$account = public.acc(6 + t.n % 4)", "$account = t.acc AND $account = (SELECT max(z.acc::text)::uuid FROM u z WHERE z.n < 6)",
		"$account = (SELECT max(z.acc::text)::uuid FROM u z WHERE z.n < t.n)");
}

sub further
{
	my ($alias) = @_;
	return '' if chance(45);
	my %of = (
		o => [ "o.status = 'open'", 'o.amount > t.n * 20000', 'o.amount > 100000', 'o.stage IS NULL', "o.stage > 'D'", "o.created_at > '2024-03-01'", "o.status IN ('open', 'closed')" ],
		p => [ "p.name ILIKE '%a%'", "p.outcome = 'won'", 'p.outcome IS NULL', 'length(p.name) > t.n', "p.name LIKE 'A%'", 'p.owner IS NOT NULL' ],
		x => [ "x.status = 'open'", "x.whole #>> '{attributes,status,value}' = 'open'", 'x.stage_id IS NOT NULL' ]);
	my $condition = one_of(@{ $of{$alias} }, @{ $of{$alias} }, 't.grp = 1', 't.n > 4', 't.acc IS NOT NULL', 'true', 't.grp IS NULL OR t.n < 9');
	return chance(80) ? " AND ($condition)" : " AND NOT ($condition)";
}

sub foreign
{
	my $alias = one_of(qw(o o p x));
	return ($alias, key($alias) . further($alias));
}

sub shown
{
	my ($alias) = @_;
	return one_of("$alias.account_id", "$alias", "$alias.account_id, " . { o => 'o.id, o.stage, o.amount', p => 'p.id, p.name', x => 'x.stage_id, x.whole' }->{$alias},
		"$alias IS NULL AS missing", "coalesce($alias.account_id::text, 'none') AS shown");
}

# Returns an item for FROM that has the alias t and its columns.
sub outer_side
{
	return one_of(
		('t') x 6,
		'(SELECT * FROM t ORDER BY n DESC OFFSET 0) t',
		'(SELECT * FROM t WHERE grp <> 2) t',
		'(SELECT DISTINCT acc, other, owner, contact, grp, n / 4 AS n FROM t) t',
		"(SELECT * FROM t UNION ALL SELECT n + 20, acc, acc, NULL, NULL, 1 FROM u) t",
		"(SELECT u.n, u.acc, t.other, t.owner, t.contact, t.grp FROM u LEFT JOIN t ON t.acc = u.acc AND t.grp > 0) t",
		'(SELECT t.* FROM t WHERE EXISTS (SELECT FROM u WHERE u.acc = t.acc)) t',
		'(SELECT * FROM t LIMIT 0) t');
}

my @shapes = (
	(sub {    # one join
		my ($alias, $on) = foreign();
		return 'SELECT t.n, ' . shown($alias) . ' FROM ' . outer_side() . one_of(' JOIN', ' LEFT JOIN') . " $alias ON $on";
	}) x 2,
	sub {    # the other order
		my ($alias, $on) = foreign();
		return 'SELECT t.n, ' . shown($alias) . " FROM $alias " . one_of('JOIN', 'RIGHT JOIN') . ' ' . outer_side() . " ON $on";
	},
	sub {    # two joins, and a third
		my @on = map { key($_) . further($_) } qw(o p);
		my $third = one_of('', '', ' LEFT JOIN x ON ' . key('x'), ' JOIN x ON ' . key('x'));
		return 'SELECT t.n, ' . shown('o') . ', ' . shown('p') . ' FROM ' . outer_side()
		  . one_of(' JOIN', ' LEFT JOIN') . " o ON $on[0]" . one_of(' JOIN', ' LEFT JOIN') . " p ON $on[1]$third";
	},
	sub {    # a table twice, and joins between foreign tables
		return one_of(
			'SELECT t.n, o.id, q.id AS qid FROM ' . outer_side() . one_of(' JOIN', ' LEFT JOIN') . ' o ON o.account_id = t.acc' . one_of(' JOIN', ' LEFT JOIN') . ' o q ON q.account_id = ' . one_of('t.acc', 't.other', 'o.account_id'),
			'SELECT t.n, o.stage, a.name FROM ' . outer_side() . one_of(' JOIN', ' LEFT JOIN') . ' o ON ' . key('o') . further('o') . one_of(' JOIN', ' LEFT JOIN') . ' a ON a.id = o.account_id',
			'SELECT a.name, p.id FROM a' . one_of(' JOIN', ' LEFT JOIN') . " p ON p.account_id = a.id WHERE a.name > 'F'",
			'SELECT t.n, a.name, o.id FROM ' . outer_side() . ' JOIN a ON a.id = t.acc LEFT JOIN o ON o.account_id = a.id' . further('o'));
	},
	sub {    # a local table between, and nullable expressions
		my ($alias, $on) = foreign();
		my $local = one_of('u', "(SELECT n, acc, label, 'c' AS c FROM u) u", "(SELECT n, acc, upper(label) AS label FROM u WHERE n < 6) u");
		return 'SELECT t.n, u.label, ' . shown($alias) . ' FROM ' . outer_side()
		  . one_of(' JOIN', ' LEFT JOIN', ' FULL JOIN') . " $local ON u.acc = t.acc"
		  . one_of(' JOIN', ' LEFT JOIN') . " $alias ON $on";
	},
	sub {    # the key from the nullable side
		my $key = one_of('u.acc', 'coalesce(u.acc, t.other)', 'CASE WHEN u.n > 2 THEN u.acc END');
		return 'SELECT t.n, u.acc, ' . shown('o') . ' FROM ' . outer_side() . ' LEFT JOIN (SELECT n, acc, 1 AS one FROM u) u ON u.acc = t.acc'
		  . one_of(' AND u.n > 3', '') . ' LEFT JOIN o ON o.account_id = ' . $key . further('o');
	},
	sub {    # a join on the inner side
		return 'SELECT t.n, s.* FROM ' . outer_side() . one_of(' JOIN', ' LEFT JOIN')
		  . ' (SELECT u.n AS un, o.stage, 5 AS five, coalesce(o.stage, u.label) AS x FROM u ' . one_of('JOIN', 'LEFT JOIN')
		  . ' o ON o.account_id = u.acc) s ON s.un = t.n' . one_of('', ' AND s.five > 4', " AND s.x > 'D'");
	},
	(sub {    # semijoins and antijoins
		my ($alias, $on) = foreign();
		return 'SELECT ' . one_of('t.n, t.acc', 't.grp', 't.*') . ' FROM ' . outer_side() . ' WHERE ' . one_of('EXISTS', 'NOT EXISTS') . " (SELECT FROM $alias WHERE $on)";
	}) x 2,
	sub {
		return one_of(
			'SELECT t.n FROM ' . outer_side() . ' WHERE t.acc IN (SELECT o.account_id FROM o' . one_of('', " WHERE o.status = 'open'", ' WHERE o.amount IS NOT NULL') . ')',
			'SELECT o.* FROM o WHERE o.account_id IN (' . one_of('SELECT acc FROM t', 'SELECT other FROM t WHERE grp = 1', 'SELECT acc FROM u UNION SELECT other FROM t', 'VALUES (acc(1)), (acc(2)), (NULL)') . ')'
			  . one_of('', " AND o.status = 'open'"),
			'SELECT t.n FROM ' . outer_side() . ' LEFT JOIN p ON ' . key('p') . ' WHERE p.id IS ' . one_of('NULL', 'NOT NULL'));
	},
	sub {    # LATERAL
		my ($alias, $on) = foreign();
		my $end = one_of('', '', ' OFFSET 0', " ORDER BY $alias.account_id, $alias\::text COLLATE \"C\" LIMIT 2");
		return 'SELECT t.n, l.* FROM ' . outer_side() . one_of(' CROSS JOIN LATERAL (', ' LEFT JOIN LATERAL (') . 'SELECT ' . one_of("$alias.account_id", "$alias.account_id, t.grp + 1 AS g", "$alias.*, 7 AS seven")
		  . " FROM $alias WHERE $on$end) l";
	},
	sub {    # correlated subqueries with joins
		my ($alias, $on) = foreign();
		return 'SELECT t.n, ' . one_of(
			"(SELECT count(*) FROM $alias WHERE $on)",
			"(SELECT string_agg(o.stage, ',' ORDER BY u.n, o.id) FROM u JOIN o ON o.account_id = u.acc WHERE u.n < t.n)",
			"(SELECT count(p.name) FROM u LEFT JOIN p ON p.account_id = u.acc AND p.name > t.n::text WHERE u.n > t.n)",
			"(SELECT count(o.stage) FROM u JOIN o ON o.account_id = CASE WHEN u.n < 4 THEN t.acc ELSE u.acc END)") . ' AS s FROM ' . outer_side();
	},
	(sub {    # subqueries for each row, in any place
		my ($alias, $on) = foreign();
		my $outer = outer_side();
		my $first = one_of("(SELECT count(*) FROM $alias WHERE $on)", "(SELECT max($alias.account_id::text) FROM $alias WHERE $on)", "EXISTS (SELECT FROM $alias WHERE $on)::text",
			"array_to_string(ARRAY(SELECT $alias\::text FROM $alias WHERE $on ORDER BY 1), ',')", "(SELECT $alias\::text FROM $alias WHERE $on ORDER BY $alias\::text COLLATE \"C\" LIMIT 1)",
			"(SELECT string_agg(s.id::text, ',' ORDER BY s.id) FROM (SELECT o.id FROM o WHERE o.account_id = t.acc ORDER BY o.created_at DESC, o.id LIMIT 2) s)");
		return one_of(
			"SELECT t.n, t.acc, t.other, $first AS s FROM $outer", "SELECT t.n, CASE WHEN t.grp = 1 THEN ($first)::text END AS s FROM $outer",
			"SELECT t.n, t.acc FROM $outer WHERE ($first)::text > '1'", "SELECT t.n FROM $outer WHERE t.grp = 2 OR ($first)::text = '0'",
			"SELECT t.grp, count($first) FROM $outer GROUP BY t.grp", "SELECT t.n, u.label, $first AS s FROM $outer JOIN u ON u.n = t.n",
			"SELECT t.n, t.acc, t.other, $first AS s FROM $outer ORDER BY 1, 2, 3 LIMIT 4", "SELECT t.n, l.s FROM $outer CROSS JOIN LATERAL (SELECT $first AS s OFFSET 0) l",
			"SELECT t.n, $first AS s, row_number() OVER (ORDER BY t.n, t.acc, t.other) FROM $outer");
	}) x 4,
	sub {    # aggregates, DISTINCT and window functions
		my $on = key('o') . further('o');
		my $type = one_of('JOIN', 'LEFT JOIN');
		return one_of(
			'SELECT * FROM v', 'SELECT t.n, v.stage, v.fixed FROM t LEFT JOIN v ON v.n = t.n AND v.grp > 0',
			'SELECT o.stage, count(*), count(o.id), sum(t.n) FROM ' . outer_side() . " $type o ON $on GROUP BY o.stage",
			'SELECT DISTINCT o.status, t.grp FROM ' . outer_side() . " $type o ON $on",
			'SELECT t.n, o.id FROM ' . outer_side() . " $type o ON $on EXCEPT ALL SELECT u.n, u.acc FROM u",
			'WITH j AS MATERIALIZED (SELECT t.n, o.id FROM ' . outer_side() . " $type o ON $on) SELECT * FROM j JOIN j k USING (n)");
	},
	sub {    # ORDER BY with LIMIT
		my ($alias, $on) = foreign();
		return 'SELECT t.n, t.acc AS tacc, t.other AS too, ' . "$alias.account_id AS facc FROM " . outer_side() . one_of(' JOIN', ' LEFT JOIN') . " $alias ON $on ORDER BY "
		  . one_of('1, 2, 3, 4', '1 DESC, 2, 3, 4', '4, 1, 2, 3', '2, 1 DESC, 3, 4') . ' LIMIT ' . int(rand(9)) . one_of('', ' OFFSET 1', ' OFFSET 4');
	});

sub generated
{
	my $query = one_of(@shapes)->();
	# CROSS JOIN LATERAL takes no condition, LEFT JOIN LATERAL needs one.
	$query .= ' ON true' if $query =~ /LEFT JOIN LATERAL/;
	my @settings = ('work_mem=' . one_of('4MB', '4MB', '64kB'));
	push @settings, map { chance($_ =~ /join/ ? 60 : 20) ? "enable_$_=off" : () } qw(hashjoin mergejoin material sort seqscan hashagg);
	push @settings, 'enable_memoize=off' if chance(50);
	return ($query, join(' ', @settings));
}

# The variants of the API. In some, a read of several pages may be an error.
my @variants = (
	'{}',
	'{"in_limit": 2}',
	'{"in_limit": 1, "refuse_status": 422}',
	'{"in_limit": 3}',
	'{"refuse_limit": 2}',
	'{"refuse_operators": ["in"]}',
	'{"refuse_operators": ["account_id.in"], "refuse_status": 422}',
	'{"refuse_fields": ["account_id"]}',
	'{"refuse_values": ["account_id"]}',
	'{"refuse_operators": ["eq", "status.in"]}',
	'{"refuse_fields": ["status", "amount", "created_at"], "refuse_status": 422}',
	'{"status": 404, "only": ["query"]}',
	'{"status": 400, "only": ["query"]}',
	'{"short_pages": 1}',
	'{"clamp_limit": 2, "cursor_under": "meta"}',
	'{"empty_pages_with_cursor": true, "short_pages": 2}',
	'{"short_pages": 1, "expire_cursors_after": 1, "expire_cursors_times": 9}',
	'{"short_pages": 2, "expire_cursors_after": 2}',
	'{"short_pages": 1, "repeat_cursor": true}',
	'{"short_pages": 2, "move_between_pages": true}',
	'{"ignore_filters": true}',
	'{"stray_record": true}',
	'{"double_records": true, "short_pages": 2}',
	'{"fail_every": 23, "fail_status": 503, "retry_after": 0}',
	'{"fail_every": 6, "fail_how": "cut-json", "cut_at": 700}',
	'{"jitter": 4, "upper_case_ids": true, "short_pages": 2}',
	'{"result_cap": 7, "total": true}',
	'{"result_cap": 9, "cap_how": "refuse", "total": true, "short_pages": 2}',
	'{"result_cap": 9, "cap_how": "invalid_cursor", "has_more": true, "short_pages": 3}',
	'{"result_cap": 20, "cap_how": "refuse", "cap_status": 422}',
	'{"total": true, "total_lies": 1000}',
	'{"has_more": true, "total": true, "total_lies": -1, "short_pages": 2}',
	'{"fail_every": 11, "fail_how": "error-body", "error_body": {"data": [], "errors": [{"message": "Index is rebuilding"}]}}',
	'{"fail_every": 13, "fail_how": "error-body", "error_body": {"data": [], "error": {"code": "rate_limited"}}, "headers": {"Retry-After": "0"}}',
	'{"quota_requests": 80, "quota_seconds": 1, "quota_header": "RateLimit-Reset"}',
	'{"empty_strings": true}',
	'{"empty_strings": true, "in_limit": 2}',
	'{"fail_every": 7, "fail_how": "error-body", "error_body": {"data": [], "error": {"code": "internal_error"}}}',
	'{"fail_every": 9, "fail_how": "error-body", "error_bodies": [{"data": [], "errors": [{"status": "503"}]}, {"error": "timeout"}]}',
	'{"fail_every": 6, "fail_status": 520}',
	'{"empty_last_cursor": true, "short_pages": 2}',
	'{"no_content_when_empty": true}',
	'{"bad_ids": ["00000000-0000-4000-9000-000000000003"], "short_pages": 2}',
	'{"bad_ids": ["00000000-0000-4000-9000-000000000003", "00000000-0000-4000-9000-000000000006"], "bad_id_status": 422}',
	'{"in_limit": 2, "short_pages": 1, "move_between_pages": true, "expire_cursors_after": 2, "expire_cursors_times": 5, "fail_every": 11, "fail_how": "half-body-close"}');
my $any_error = q('^(?!\d+ [0-9a-f]{32}$)');
my %may_fail = (
	'"status"' => $any_error, expire_cursors => $any_error, repeat_cursor => $any_error, rebuilding => $any_error,
	# A record that does not match the filters has no place in the order.
	stray_record => q('^HV000 API returned records out of order'));

# Fills the local copies with the records as the API shows them in this variant.
sub refill
{
	my ($variant) = @_;
	$api->reset;
	$api->behave($variant);
	$result = $session->query(join(';', 'BEGIN', (map { "TRUNCATE local_side.$_; INSERT INTO local_side.$_ SELECT * FROM foreign_side.$_" } qw(o p x a)), 'COMMIT'));
	is($result->{sqlstate}, '', "the copies are filled: $variant") or BAIL_OUT($result->{err});
	return;
}

sub max_retry_wait { $session->query("ALTER SERVER reevo OPTIONS (SET max_retry_wait '$_[0]')"); return; }

srand($seed);
my %total = (queries => 0, rows => 0, lookups => 0);
my $started = time;
for my $variant (grep { !defined $only || index($_, $only) >= 0 } @variants)
{
	my $is_quota = $variant =~ /"quota/;
	max_retry_wait(10) if $is_quota;
	my ($permitted) = map { $may_fail{$_} } grep { index($variant, $_) >= 0 } sort keys %may_fail;
	refill('{"empty_strings": true}') if $variant =~ /"empty_strings/;
	compare_in_variant(
		$api, $session, $variant,
		{
			queries => $per_variant,
			batch => 10,
			generated => \&generated,
			arguments => [ $permitted // 'NULL' ],
			seed => $seed
		},
		\%total);
	refill('{}') if $variant =~ /"empty_strings/;
	max_retry_wait('0.02') if $is_quota;
}
note(sprintf('%d queries, %d rows, %d with lookups, in %.0f s', @total{qw(queries rows lookups)}, time - $started));
cmp_ok($total{lookups}, '>', $total{queries} / 2, 'more than half of the queries use batch lookups');
cmp_ok($total{rows}, '>', $total{queries} * 4, 'the queries return more than 4 rows on average');
$api->reset;
$session->quit;
$node->stop('fast');

done_testing();
