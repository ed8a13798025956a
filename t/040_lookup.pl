# SPDX-License-Identifier: PostgreSQL
# Joins with batch lookups return the same rows as a local copy of the records, and
# as single lookups, in every variant of the API.
#
# REEVO_SEED in the environment chooses other queries, REEVO_QUERIES the number for
# each variant of the API, and REEVO_VARIANT (a part of one) selects variants.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Compare;
use List::Util qw(min);
use Reevo;
use Test::More;
use Time::HiRes qw(sleep time);

my $seed = $ENV{REEVO_SEED} || 4040;
my $per_variant = $ENV{REEVO_QUERIES} || 75;
my $only = $ENV{REEVO_VARIANT};

my $api = Reevo::start();
my $node = Reevo::cluster('lookup', "max_parallel_workers_per_gather = 0\njit = off");
Reevo::set_up($node, $api->url, "page_size '3'", "max_retry_wait '0.02'", "connect_timeout '60'", "request_timeout '60'");
my $session = Reevo::Session->new($node);
my $result;

# --- Generated queries ---

# Small tables: ids of 12 records, ids without a record, NULLs, and duplicates
$result = $session->query(q(
	CREATE SCHEMA foreign_side;
	CREATE SCHEMA local_side;
	CREATE FUNCTION id(n int, kind text DEFAULT '8000') RETURNS uuid LANGUAGE sql IMMUTABLE
		AS $$ SELECT ('00000000-0000-4000-' || kind || '-' || lpad(n::text, 12, '0'))::uuid $$;
	CREATE FUNCTION ids(first int, last int) RETURNS uuid[] LANGUAGE sql IMMUTABLE
		AS $$ SELECT array_agg(public.id(n)) FROM generate_series(first, last) n $$;
	CREATE TABLE t (n int, id uuid, other uuid, txt text, grp int);
	INSERT INTO t SELECT n, CASE WHEN n % 7 = 3 THEN NULL WHEN n = 9 THEN id(5009) ELSE id(60 + n % 9) END,
		CASE WHEN n % 5 = 2 THEN NULL ELSE id(66 + n % 6) END, CASE WHEN n % 6 = 4 THEN 'no id' ELSE id(60 + n % 9)::text END, n % 3
		FROM generate_series(1, 13) n;
	CREATE TABLE u (n int, id uuid, label text);
	INSERT INTO u SELECT n, CASE WHEN n = 3 THEN NULL ELSE id(62 + n) END, 'label ' || n % 4 FROM generate_series(1, 8) n;
	INSERT INTO u SELECT n + 8, id, label FROM u WHERE n < 3;
	CREATE INDEX ON t (n);
	CREATE INDEX ON u (id);
	ANALYZE t;
	ANALYZE u;
	CREATE FOREIGN TABLE foreign_side.o (id uuid, stage text, status text, amount numeric, account_id uuid) SERVER reevo;
	CREATE FOREIGN TABLE foreign_side.p (id uuid, name varchar OPTIONS (attribute 'display_name'), won boolean OPTIONS (attribute 'cf_won'),
		rivals text[] OPTIONS (attribute 'competitors_mentioned_other')) SERVER reevo OPTIONS (page_size '4', max_concurrency '2');
	CREATE FOREIGN TABLE foreign_side.x (id text, stage text, whole jsonb OPTIONS (attribute '*')) SERVER reevo OPTIONS (max_concurrency '1');
	CREATE FOREIGN TABLE foreign_side.a (id uuid, name text OPTIONS (attribute 'display_name')) SERVER reevo OPTIONS (record_type 'account');
	CREATE TABLE local_side.o AS SELECT * FROM foreign_side.o WHERE id = ANY (ids(1, 99));
	CREATE TABLE local_side.p AS SELECT * FROM foreign_side.p WHERE id = ANY (ids(1, 99));
	CREATE TABLE local_side.x AS SELECT * FROM foreign_side.x WHERE id = ANY (ids(1, 99)::text[]);
	CREATE TABLE local_side.a AS SELECT * FROM foreign_side.a WHERE id IN (SELECT account_id FROM local_side.o);
	CREATE VIEW foreign_side.v AS SELECT t.n, t.grp, o.id, o.stage, 'v' AS fixed FROM t JOIN foreign_side.o ON o.id = t.id;
	CREATE VIEW local_side.v AS SELECT t.n, t.grp, o.id, o.stage, 'v' AS fixed FROM t JOIN local_side.o ON o.id = t.id;
	CREATE VIEW foreign_side.w AS SELECT o.id, o.stage, coalesce(o.stage, 'none') AS shown, 1 AS one FROM foreign_side.o WHERE status = 'open';
	CREATE VIEW local_side.w AS SELECT o.id, o.stage, coalesce(o.stage, 'none') AS shown, 1 AS one FROM local_side.o WHERE status = 'open';
	CREATE VIEW foreign_side.y AS SELECT 'o' AS source, id, stage AS label FROM foreign_side.o UNION ALL SELECT 'p', id, name::text FROM foreign_side.p;
	CREATE VIEW local_side.y AS SELECT 'o' AS source, id, stage AS label FROM local_side.o UNION ALL SELECT 'p', id, name::text FROM local_side.p;
	CREATE TABLE parts (n int, id uuid, other uuid, txt text, grp int) PARTITION BY LIST (grp);
	CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN (0);
	CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN (1, 2);
	INSERT INTO parts SELECT * FROM t;
	ANALYZE;

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
			IF line ~ 'Batch Lookup' THEN
				RETURN true;
			END IF;
		END LOOP;
		RETURN false;
	END $$;
	-- Runs queries, each with its own settings ("a=b c=d"). Returns the queries with
	-- different rows, and the numbers of queries, rows and lookups. may_fail: the
	-- beginning of an error that is permitted.
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
			IF wanted !~ '^\d+ [0-9a-f]{32}$' OR NOT (together = wanted OR coalesce(starts_with(together, may_fail), false))
				OR NOT (single = wanted OR coalesce(starts_with(single, may_fail), false)) THEN
				RETURN NEXT format('%s: together %s, one by one %s, local %s: SET %s; %s', i, together, single, wanted, settings[i], queries[i]);
			END IF;
			FOREACH setting IN ARRAY string_to_array(settings[i], ' ') LOOP
				EXECUTE 'RESET ' || split_part(setting, '=', 1);
			END LOOP;
		END LOOP;
		RETURN NEXT format('%s queries, %s rows, %s lookups', cardinality(queries), rows, lookups);
	END $$;));
is($result->{sqlstate}, '', 'the tables are created') or BAIL_OUT($result->{err});

# Returns a condition that supplies the id of a foreign table with an alias, from
# the columns of t.
sub key
{
	my ($alias, $is_text) = @_;
	my $id = $is_text ? "$alias.id::uuid" : "$alias.id";
	return one_of(
		"$id = t.id", "t.id = $id", "$id = t.id", "$id = t.other",
		"$id = coalesce(t.id, t.other)", "$id = CASE WHEN t.grp < 2 THEN t.id ELSE t.other END",
		"$alias.id::text = t.txt", "$id IN (t.id, t.other)", "($id = t.id OR $id = t.other)",
		"$id = t.id AND $id = t.other", "$id = t.id AND $id = ANY (ids(61, 65))",
		"$id = public.id(60 + t.n % 4)", "$id = (SELECT max(z.id::text)::uuid FROM u z WHERE z.n < 6)",
		"$id = ANY (ARRAY[t.id, t.other, NULL])", "$alias.id::text IN (t.txt, t.other::text)");
}

sub further
{
	my ($alias) = @_;
	return '' if chance(50);
	my %of = (
		o => [ "o.status = 'open'", 'o.amount > t.n * 20000', 'o.stage IS NULL', "o.stage > 'D'", "coalesce(o.stage, '') <> t.txt" ],
		p => [ 'cardinality(p.rivals) > 1', "p.name ILIKE '%a%'", 'p.rivals IS NOT NULL', 'length(p.name) > t.n' ],
		x => [ "x.stage LIKE 'D%'", "x.whole #>> '{attributes,status,value}' = 'open'", 'x.stage <> t.txt' ]);
	my $condition = one_of(@{ $of{$alias} }, 't.grp = 1', 't.n > 4', 't.id IS NOT NULL', 'true', '1 = 0', 't.grp IS NULL OR t.n < 9');
	return chance(80) ? " AND ($condition)" : " AND NOT ($condition)";
}

sub foreign
{
	my $alias = one_of(qw(o o p x));
	return ($alias, key($alias, $alias eq 'x') . further($alias));
}

sub shown
{
	my ($alias) = @_;
	return one_of("$alias.id", "$alias", "$alias.id, " . { o => 'o.stage, o.amount', p => 'p.name, p.rivals', x => 'x.stage' }->{$alias},
		"$alias IS NULL AS missing", "coalesce($alias.id::text, 'none') AS shown");
}

# Returns an item for FROM that has the alias t and its columns.
sub outer_side
{
	return one_of(
		('t') x 6,
		'(SELECT * FROM t ORDER BY n DESC OFFSET 0) t',
		'(SELECT * FROM t WHERE grp <> 2) t',
		'(SELECT DISTINCT id, other, txt, grp, n / 4 AS n FROM t) t',
		'(SELECT min(n) AS n, id, max(other::text)::uuid AS other, max(txt) AS txt, grp FROM t GROUP BY id, grp) t',
		"(SELECT * FROM t UNION ALL SELECT n + 20, id, id, label, 1 FROM u) t",
		"(SELECT u.n, u.id, t.other, coalesce(t.txt, u.label) AS txt, t.grp FROM u LEFT JOIN t ON t.id = u.id AND t.grp > 0) t",
		'(SELECT t.* FROM t WHERE EXISTS (SELECT FROM u WHERE u.id = t.id)) t',
		'(SELECT * FROM t LIMIT 0) t', 'parts t');
}

# Returns an expression with a subquery that refers to t.
sub subquery
{
	my ($alias, $on) = foreign();
	my $text = one_of(
		"(SELECT max($alias.id::text) FROM $alias WHERE $on)",
		"(SELECT $alias.id::text FROM $alias WHERE $on ORDER BY 1 LIMIT 1)",
		"EXISTS (SELECT FROM $alias WHERE $on)::text",
		"(NOT EXISTS (SELECT FROM $alias WHERE $on))::text",
		"array_to_string(ARRAY(SELECT $alias.id::text FROM $alias WHERE $on ORDER BY 1), ',')",
		"(SELECT json_agg(s ORDER BY s.id)::text FROM (SELECT $alias.id FROM $alias WHERE $on) s)",
		"(SELECT max(u.label || (SELECT o.stage FROM o WHERE o.id = t.id)) FROM u WHERE u.n = t.n)",
		"(SELECT string_agg(y.source || y.label, ',' ORDER BY y.source, y.label) FROM y WHERE y.id = t.id)");
	return one_of($text, $text, $text, "coalesce($text, 'none')", "CASE WHEN t.grp = 1 THEN $text ELSE 'none' END", "CASE WHEN $text > '0' THEN $text END");
}

my @shapes = (
	sub {    # one join
		my ($alias, $on) = foreign();
		my $type = one_of('JOIN', 'LEFT JOIN', 'LEFT JOIN');
		return 'SELECT t.n, ' . shown($alias) . ' FROM ' . outer_side() . " $type $alias ON $on";
	},
	sub {    # the other order
		my ($alias, $on) = foreign();
		my $type = one_of('JOIN', 'RIGHT JOIN');
		return 'SELECT t.n, ' . shown($alias) . " FROM $alias $type " . outer_side() . " ON $on";
	},
	sub {    # two joins, and a third
		my @on = map { key($_, 0) . further($_) } qw(o p);
		my $third = one_of('', '', ' LEFT JOIN x ON ' . key('x', 1), ' JOIN x ON ' . key('x', 1));
		return 'SELECT t.n, ' . shown('o') . ', ' . shown('p') . ' FROM ' . outer_side()
		  . one_of(' JOIN', ' LEFT JOIN') . " o ON $on[0]" . one_of(' JOIN', ' LEFT JOIN') . " p ON $on[1]$third";
	},
	sub {    # one foreign table supplies the id of another
		my $on = key('o', 0) . further('o');
		my $chain = one_of('a.id = o.account_id', "a.id = o.account_id AND a.name > 'C'", 'a.id = o.account_id AND t.grp = 0');
		return 'SELECT t.n, o.stage, a.name FROM ' . outer_side()
		  . one_of(' JOIN', ' LEFT JOIN') . " o ON $on" . one_of(' JOIN', ' LEFT JOIN') . " a ON $chain";
	},
	sub {    # a local table between, and nullable expressions
		my ($alias, $on) = foreign();
		my $local = one_of('u', "(SELECT n, id, label, 'c' AS c FROM u) u", "(SELECT n, id, upper(label) AS label FROM u WHERE n < 6) u");
		return 'SELECT t.n, u.label, ' . shown($alias) . ' FROM ' . outer_side()
		  . one_of(' JOIN', ' LEFT JOIN', ' FULL JOIN') . " $local ON u.id = t.id"
		  . one_of(' JOIN', ' LEFT JOIN') . " $alias ON $on";
	},
	sub {    # the key from the nullable side
		my $key = one_of('u.id', 'coalesce(u.id, t.other)', 'CASE WHEN u.n > 2 THEN u.id END');
		return 'SELECT t.n, u.id, ' . shown('o') . ' FROM ' . outer_side() . ' LEFT JOIN (SELECT n, id, 1 AS one FROM u) u ON u.id = t.id'
		  . one_of(' AND u.n > 3', '') . ' LEFT JOIN o ON o.id = ' . $key . further('o');
	},
	sub {    # a join on the inner side
		return 'SELECT t.n, s.* FROM ' . outer_side() . one_of(' JOIN', ' LEFT JOIN')
		  . ' (SELECT u.n AS un, o.stage, 5 AS five, coalesce(o.stage, u.label) AS x FROM u ' . one_of('JOIN', 'LEFT JOIN')
		  . ' o ON o.id = u.id) s ON s.un = t.n' . one_of('', ' AND s.five > 4', " AND s.x > 'D'");
	},
	sub {    # semijoins and antijoins
		my ($alias, $on) = foreign();
		my $list = one_of('t.n, t.id', 't.grp', 't.*');
		return "SELECT $list FROM " . outer_side() . ' WHERE ' . one_of('EXISTS', 'NOT EXISTS') . " (SELECT FROM $alias WHERE $on)";
	},
	sub {
		my $condition = one_of('', " WHERE o.status = 'open'", ' WHERE o.amount IS NOT NULL');
		return 'SELECT t.n FROM ' . outer_side() . ' WHERE t.id IN (SELECT o.id FROM o' . $condition . ')';
	},
	sub {
		my ($alias, $on) = foreign();
		return 'SELECT t.n FROM ' . outer_side() . " LEFT JOIN $alias ON $on WHERE $alias.id IS " . one_of('NULL', 'NOT NULL');
	},
	sub {    # ids from a subquery
		my $alias = one_of(qw(o p));
		my $ids = one_of('SELECT id FROM t', 'SELECT other FROM t WHERE grp = 1', 'SELECT id FROM u UNION SELECT other FROM t', 'VALUES (id(61)), (id(62)), (NULL)');
		return "SELECT $alias.* FROM $alias WHERE $alias.id " . one_of("IN ($ids)", "= ANY ($ids)", "= ANY (ARRAY($ids))")
		  . ($alias eq 'o' ? one_of('', " AND o.status = 'open'", ' AND o.id <> id(62)') : '');
	},
	sub {    # lists
		my $list = one_of('ids(60, 70)', 'ids(63, 64) || id(5001)', "ids(60, 67) || NULL::uuid || ids(62, 63)", "'{}'::uuid[]");
		return 'SELECT ' . shown('o') . " FROM o WHERE " . one_of("o.id = ANY ($list)", "o.id = ANY ($list) OR o.id = id(71)",
			"o.id = ANY ($list) AND (o.status = 'open' OR o.id = id(64))", "o.id::text = ANY (($list)::text[])", "o.id = ANY ($list) AND o.id IN (SELECT id FROM t)");
	},
	sub {    # LATERAL
		my ($alias, $on) = foreign();
		my $end = one_of('', '', ' OFFSET 0', " ORDER BY $alias.id LIMIT 1");
		return 'SELECT t.n, l.* FROM ' . outer_side() . one_of(' CROSS JOIN LATERAL (', ' LEFT JOIN LATERAL (') . 'SELECT ' . one_of("$alias.id", "$alias.id, t.grp + 1 AS g", "$alias.*, 7 AS seven")
		  . " FROM $alias WHERE $on$end) l" =~ s/^/ /r;
	},
	sub {    # correlated subqueries with joins
		my ($alias, $on) = foreign();
		return 'SELECT t.n, ' . one_of(
			"(SELECT count(*) FROM $alias WHERE $on)",
			"(SELECT string_agg(o.stage, ',' ORDER BY u.n) FROM u JOIN o ON o.id = u.id WHERE u.n < t.n)",
			'ARRAY(SELECT p.name FROM u LEFT JOIN p ON p.id = u.id WHERE u.n > t.n ORDER BY 1)',
			"(SELECT count(o.stage) FROM u JOIN o ON o.id = CASE WHEN u.n < 4 THEN t.id ELSE u.id END)") . ' AS s FROM ' . outer_side();
	},
	(sub {    # subqueries for each row, in any place
		my ($first, $second) = (subquery(), subquery());
		my $outer = outer_side();
		return one_of(
			"SELECT t.n, t.id AS tid, t.other AS too, $first AS s FROM $outer", "SELECT t.n, $first AS a, $second AS b FROM $outer",
			"SELECT t.n, t.id FROM $outer WHERE $first > '00000000-0000-4000-8000-000000000063'", "SELECT t.n FROM $outer WHERE t.grp = 2 OR $first IS NULL",
			"SELECT t.n, $second AS s FROM $outer WHERE t.n > 2 AND $first IS NOT NULL", "SELECT t.n, t.id, $first AS s FROM $outer ORDER BY 3, 1, 2 LIMIT 5",
			"SELECT t.n, t.id, t.other, $first AS s FROM $outer ORDER BY 1, 2, 3 LIMIT 4 OFFSET 2", "SELECT t.grp, count($first), max($second) FROM $outer GROUP BY t.grp",
			"SELECT t.grp, t.id, $first FROM (SELECT grp, id, min(n) AS n, max(txt) AS txt, max(other::text)::uuid AS other FROM $outer GROUP BY grp, id) t",
			"SELECT t.n, $first AS s, count(*) OVER (PARTITION BY t.grp) FROM $outer", "SELECT t.n, u.label, $first AS s FROM $outer JOIN u ON u.n = t.n",
			"SELECT DISTINCT t.grp, $first AS s FROM $outer", "SELECT t.n, l.s FROM $outer CROSS JOIN LATERAL (SELECT $first AS s OFFSET 0) l",
			"SELECT t.n, $first AS s FROM $outer UNION ALL SELECT t.n, $second FROM t");
	}) x 5,
	sub {    # a UNION ALL view, and lookups on the nullable side
		my $outer = outer_side();
		return one_of(
			"SELECT t.n, y.* FROM $outer " . one_of('JOIN', 'LEFT JOIN') . ' y ON y.id = ' . one_of('t.id', 't.other', 'coalesce(t.id, t.other)'),
			"SELECT t.n, q.id, r.name FROM $outer LEFT JOIN (o q JOIN p r ON r.id = q.id) ON q.id = t.id",
			"SELECT t.n, q.stage FROM $outer LEFT JOIN (u JOIN o q ON q.id = u.id) ON u.n = t.n",
			"SELECT t.n FROM $outer WHERE " . one_of('EXISTS', 'NOT EXISTS') . ' (SELECT FROM y WHERE y.id = t.id)',
			"SELECT t.n, o.stage FROM $outer LEFT JOIN o ON o.id = t.id AND current_setting('port') <> ''",
			"SELECT t.n, count(o.id) FROM $outer LEFT JOIN o ON o.id = t.id WHERE o.id IS NULL OR o.stage > 'D' GROUP BY t.n");
	},
	sub {    # views
		return one_of(
			'SELECT * FROM v', 'SELECT t.n, v.stage, v.fixed FROM t LEFT JOIN v ON v.n = t.n AND v.grp > 0',
			'SELECT stage, count(*), min(n) FROM v GROUP BY stage', 'SELECT t.n, w.* FROM ' . outer_side() . ' LEFT JOIN w ON w.id = t.id' . one_of('', ' AND w.one = 1', " AND w.shown <> 'none'"),
			'SELECT t.n, w.shown FROM ' . outer_side() . " JOIN w ON w.id = t.other WHERE w.shown > 'C'",
			'SELECT v.n, w.one, v.fixed FROM v LEFT JOIN w ON w.id = v.id');
	},
	sub {    # aggregates, DISTINCT and window functions
		my $on = key('o', 0) . further('o');
		my $type = one_of('JOIN', 'LEFT JOIN');
		return one_of(
			'SELECT o.stage, count(*), count(o.id), sum(t.n) FROM ' . outer_side() . " $type o ON $on GROUP BY o.stage",
			'SELECT DISTINCT o.status, t.grp FROM ' . outer_side() . " $type o ON $on",
			'SELECT t.n, o.id, count(*) OVER (PARTITION BY o.stage), rank() OVER (ORDER BY o.id) FROM ' . outer_side() . " $type o ON $on",
			'SELECT t.n, o.id FROM ' . outer_side() . " $type o ON $on UNION SELECT u.n, u.id FROM u",
			'SELECT t.n, o.id FROM ' . outer_side() . " $type o ON $on EXCEPT ALL SELECT u.n, u.id FROM u",
			'WITH j AS MATERIALIZED (SELECT t.n, o.id FROM ' . outer_side() . " $type o ON $on) SELECT * FROM j JOIN j k USING (n)");
	},
	sub {    # ORDER BY with LIMIT
		my ($alias, $on) = foreign();
		my $type = one_of('JOIN', 'LEFT JOIN');
		return 'SELECT t.n, t.id AS tid, t.other AS too, ' . "$alias.id AS fid FROM " . outer_side() . " $type $alias ON $on ORDER BY "
		  . one_of('1, 2, 3, 4', '1 DESC, 2, 3, 4', '4, 1, 2, 3', '2, 1 DESC, 3, 4') . ' LIMIT ' . int(rand(9)) . one_of('', ' OFFSET 1', ' OFFSET 4');
	});

sub generated
{
	my $query = one_of(@shapes)->();
	# CROSS JOIN LATERAL takes no condition, LEFT JOIN LATERAL needs one.
	$query .= ' ON true' if $query =~ /LEFT JOIN LATERAL/;
	my @settings = ('work_mem=' . one_of('4MB', '4MB', '64kB'));
	push @settings, map { chance(25) ? "enable_$_=off" : () } qw(hashjoin mergejoin material sort seqscan hashagg);
	push @settings, 'enable_memoize=off' if chance(50);
	return ($query, join(' ', @settings));
}

is($session->query(q(SELECT has_lookup($$SELECT o.stage FROM t JOIN o USING (id) WHERE current_setting('port') <> ''$$)))->{out},
	't', 'a join with a condition without a column has a lookup');

# The variants of the API. All must give the same rows.
my @variants = (
	'{}',
	'{"archived_hidden_from_query": true}',
	'{"in_limit": 2}',
	'{"in_limit": 1, "refuse_status": 422}',
	'{"refuse_limit": 2}',
	'{"refuse_operators": ["in"]}',
	'{"refuse_fields": ["id"], "refuse_status": 422}',
	'{"status": 404, "only": ["query"]}',
	'{"status": 405, "only": ["query"]}',
	'{"status": 501, "only": ["query"]}',
	'{"status": 400, "only": ["query"]}',
	'{"short_pages": 1}',
	'{"clamp_limit": 2, "cursor_under": "meta"}',
	'{"empty_pages_with_cursor": true, "short_pages": 2}',
	'{"short_pages": true, "omit_null_cursor": true, "cursor_under": "pagination"}',
	'{"short_pages": 1, "expire_cursors_after": 1, "expire_cursors_times": 9}',
	'{"short_pages": 1, "expire_cursors_after": 1}',
	'{"short_pages": 1, "repeat_cursor": true}',
	'{"short_pages": 2, "move_between_pages": true}',
	'{"ignore_filters": true}',
	'{"stray_record": true}',
	'{"double_records": true, "short_pages": 2}',
	'{"query_drops_some": true}',
	'{"fail_every": 7, "fail_status": 503}',
	'{"fail_every": 5, "fail_how": "reset"}',
	'{"fail_every": 6, "fail_how": "cut-json", "cut_at": 700}',
	'{"fail_every": 5, "fail_status": 429, "retry_after": 0, "short_pages": 2}',
	'{"jitter": 4, "upper_case_ids": true, "short_pages": 2, "archived_hidden_from_query": true}',
	'{"result_cap": 2, "total": true}',
	'{"result_cap": 2, "cap_how": "refuse", "short_pages": 1}',
	'{"result_cap": 2, "cap_how": "invalid_cursor", "short_pages": 1}',
	'{"result_cap": 2, "has_more": true}',
	'{"total": true, "total_lies": 1000}',
	'{"has_more": true, "total": true, "total_lies": -1, "short_pages": 2}',
	'{"fail_every": 11, "fail_how": "error-body", "error_body": {"data": [], "errors": [{"message": "Index is rebuilding"}]}}',
	'{"fail_every": 8, "fail_how": "error-body", "error_body": {"data": [], "error": {"code": "rate_limited"}}, "headers": {"Retry-After": "0"}}',
	'{"quota_requests": 60, "quota_seconds": 1}',
	'{"quota_requests": 60, "quota_seconds": 1, "quota_header": "X-RateLimit-Reset-ms"}',
	'{"empty_strings": true}',
	'{"empty_strings": true, "status": 405, "only": ["query"]}',
	'{"fail_every": 5, "fail_how": "error-body", "error_body": {"data": [], "error": {"code": "internal_error"}}}',
	'{"fail_every": 7, "fail_how": "error-body", "error_bodies": [{"data": [], "errors": [{"status": "503"}]}, {"error": "timeout"}, {"data": [], "status": 502, "success": false}]}',
	'{"fail_every": 6, "fail_status": 520}',
	'{"empty_last_cursor": true, "short_pages": 2}',
	'{"no_content_when_empty": true}',
	'{"bad_ids": ["00000000-0000-4000-8000-000000000063"]}',
	'{"bad_ids": ["00000000-0000-4000-8000-000000000063", "00000000-0000-4000-8000-000000000067"], "bad_id_status": 413}',
	'{"bad_ids": ["00000000-0000-4000-8000-000000000064"], "bad_id_status": 422, "short_pages": 1}',
	'{"merged": {"00000000-0000-4000-8000-000000000061": "00000000-0000-4000-8000-000000000062"}}',
	'{"merged": {"00000000-0000-4000-8000-000000000061": "00000000-0000-4000-8000-000000000090"}, "archived_hidden_from_query": true}',
	'{"not_found_form": "kong"}',
	'{"not_found_form": "aws"}',
	'{"not_found_form": "express"}',
	'{"not_found_form": "express_long"}',
	'{"not_found_form": "empty", "archived_hidden_from_query": true}',
	'{"not_found_form": "gone"}',
	'{"in_limit": 2, "short_pages": 1, "move_between_pages": true, "archived_hidden_from_query": true, "expire_cursors_after": 2, "expire_cursors_times": 5, "fail_every": 11, "fail_how": "half-body-close"}');

# Fills the local copies with the records as the API shows them in this variant.
sub refill
{
	my ($variant) = @_;
	my %known = (o => 'id = ANY (ids(1, 99))', p => 'id = ANY (ids(1, 99))', x => 'id = ANY (ids(1, 99)::text[])', a => 'id IN (SELECT account_id FROM local_side.o)');
	$api->reset;
	$api->behave($variant);
	$result = $session->query(join(';', 'BEGIN', (map { "TRUNCATE local_side.$_; INSERT INTO local_side.$_ SELECT * FROM foreign_side.$_ WHERE $known{$_}" } qw(o p x a)), 'COMMIT'));
	is($result->{sqlstate}, '', "the copies are filled: $variant") or BAIL_OUT($result->{err});
	return;
}

sub max_retry_wait { $session->query("ALTER SERVER reevo OPTIONS (SET max_retry_wait '$_[0]')"); return; }

srand($seed);
my %total = (queries => 0, rows => 0, lookups => 0);
my $started = time;
for my $variant (grep { !defined $only || index($_, $only) >= 0 } @variants)
{
	# A merged id has no row.
	my $merged = $variant =~ /"merged"/;
	my @copies = map { "local_side.$_" } qw(o p);
	$session->query(join(';', 'BEGIN', (map {; "CREATE TABLE ${_}_merged AS SELECT * FROM $_ WHERE id = id(61)", "DELETE FROM $_ WHERE id = id(61)" } @copies),
		'CREATE TABLE local_side.x_merged AS SELECT * FROM local_side.x WHERE id = id(61)::text', 'DELETE FROM local_side.x WHERE id = id(61)::text', 'COMMIT')) if $merged;
	my $is_quota = $variant =~ /"quota/;
	my $is_slow = $is_quota || $variant =~ /"rate_limited"/;
	max_retry_wait(10) if $is_quota;
	refill('{"empty_strings": true}') if $variant =~ /"empty_strings/;
	compare_in_variant(
		$api, $session, $variant,
		{
			queries => $is_slow ? min($per_variant, 25) : $per_variant,
			batch => 25,
			generated => \&generated,
			arguments => [ $variant =~ /rebuilding/ ? "'HV000 API reported an error: HTTP status 200'" : 'NULL' ],
			seed => $seed
		},
		\%total);
	refill('{}') if $variant =~ /"empty_strings/;
	max_retry_wait('0.02') if $is_quota;
	$session->query(join(';', 'BEGIN', (map {; "INSERT INTO $_ SELECT * FROM ${_}_merged", "DROP TABLE ${_}_merged" } @copies, 'local_side.x'), 'COMMIT')) if $merged;
}
note(sprintf('%d queries, %d rows, %d with lookups, in %.0f s', @total{qw(queries rows lookups)}, time - $started));
cmp_ok($total{lookups}, '>', $total{queries} / 2, 'more than half of the queries use batch lookups');
cmp_ok($total{rows}, '>', $total{queries} * 4, 'the queries return more than 4 rows on average');
$api->reset;
$session->quit;
$node->stop('fast');

done_testing();
