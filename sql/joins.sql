-- SPDX-License-Identifier: PostgreSQL
--
-- Joins, views, CTEs and set operations, with the number of requests of each
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER joins FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER joins OPTIONS (api_key 'test-key');
CREATE SCHEMA joins;
SET search_path = joins;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
IMPORT FOREIGN SCHEMA reevo FROM SERVER joins INTO joins OPTIONS (discover 'false');
CREATE FOREIGN TABLE by_text (id text, stage text) SERVER joins;
CREATE FOREIGN TABLE account (id uuid, display_name text, website text)
  SERVER joins OPTIONS (record_type 'account');

-- no returns the number of a test record, and id returns the id of a number.
CREATE FUNCTION no(id uuid) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT right(id::text, 12)::int $$;
CREATE FUNCTION id(number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid $$;

-- Five invoices: three ids, one of them twice, one NULL, and one without a record
CREATE TABLE invoice (number int, id uuid, id_text text, parent uuid, total numeric);
INSERT INTO invoice VALUES
  (1, id(1), id(1)::text, NULL, 10),
  (2, id(2), id(2)::text, id(1), 20),
  (3, id(1), id(1)::text, id(2), 30),
  (4, NULL, 'no id', id(1), 40),
  (5, id(999999), id(999999)::text, id(3), 50);
CREATE TABLE note (number int, opportunity_id uuid, body text);
INSERT INTO note SELECT n, id(n), 'note ' || n FROM generate_series(1, 3) n;
ANALYZE invoice;
ANALYZE note;

-- :spent prints the number of record requests since its last use.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
\pset format unaligned
\pset tuples_only on
\pset null NULL

--
-- Inner joins, with either order of the operands
--
SELECT i.number, no(o.id), o.stage FROM invoice i JOIN opportunity o ON o.id = i.id ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON i.id = o.id ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM opportunity o JOIN invoice i ON o.id = i.id ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM opportunity o, invoice i WHERE i.id = o.id ORDER BY 1; :spent
SELECT i.number, no(id) FROM invoice i JOIN opportunity USING (id) ORDER BY 1; :spent
SELECT i.number, no(id) FROM (SELECT id, number FROM invoice) i NATURAL JOIN (SELECT id, stage FROM opportunity) o ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id::text = i.id_text ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id = i.id_text::uuid WHERE i.number < 4 ORDER BY 1; :spent
SELECT i.number, o.stage FROM invoice i JOIN by_text o ON o.id = i.id_text ORDER BY 1; :spent
SELECT i.number, o.stage FROM invoice i JOIN by_text o ON o.id = i.id::text ORDER BY 1; :spent
SELECT i.number, o.stage FROM invoice i JOIN by_text o ON o.id::uuid = i.id ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id = coalesce(i.id, id(3)) ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id = i.id OR o.id = i.parent ORDER BY 1, 2; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id IN (i.id, i.parent) ORDER BY 1, 2; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id = ANY (ARRAY[i.id, i.parent]) ORDER BY 1, 2; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id = i.id AND o.id = i.parent ORDER BY 1, 2; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id IS NOT DISTINCT FROM i.id ORDER BY 1; :spent

-- PostgreSQL checks further conditions on the rows.
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id = i.id AND o.amount > i.total ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id = i.id WHERE i.total > 15 AND o.stage LIKE 'D%' ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id = i.id WHERE i.id = id(2); :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON o.id = i.id WHERE o.id = id(2); :spent
SELECT i.number, no(o.id) FROM invoice i JOIN opportunity o ON true WHERE o.id = id(2) ORDER BY 1; :spent

--
-- Semijoins and antijoins
--
SELECT no(id), stage FROM opportunity WHERE id IN (SELECT id FROM invoice) ORDER BY 1; :spent
SELECT no(id), stage FROM opportunity WHERE id = ANY (SELECT id FROM invoice WHERE total > 15) ORDER BY 1; :spent
SELECT no(id), stage FROM opportunity WHERE id::text IN (SELECT id_text FROM invoice) ORDER BY 1; :spent
SELECT no(id) FROM opportunity o WHERE EXISTS (SELECT FROM invoice i WHERE i.id = o.id AND i.total > 15) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id IN (SELECT opportunity_id FROM note LIMIT 2) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id IN (VALUES (id(1)), (id(2)), (id(1)), (NULL)) ORDER BY 1; :spent
SELECT number FROM invoice i WHERE EXISTS (SELECT FROM opportunity o WHERE o.id = i.id) ORDER BY 1; :spent
SELECT number FROM invoice i WHERE id IN (SELECT id FROM opportunity WHERE status = 'closed') ORDER BY 1; :spent
SELECT number FROM invoice i WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.id = i.id) ORDER BY 1; :spent
SELECT number FROM invoice i WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.id = i.id AND o.status = 'open') ORDER BY 1; :spent
SELECT number FROM invoice i WHERE i.id NOT IN (SELECT o.id FROM opportunity o WHERE o.id = i.id) ORDER BY 1; :spent
SELECT number FROM invoice i LEFT JOIN opportunity o ON o.id = i.id WHERE o.id IS NULL ORDER BY 1; :spent

--
-- Left joins, with missing records
--
SELECT i.number, no(o.id), o.stage FROM invoice i LEFT JOIN opportunity o ON o.id = i.id ORDER BY 1; :spent
SELECT i.number, no(o.id), o.stage FROM opportunity o RIGHT JOIN invoice i ON o.id = i.id ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i LEFT JOIN opportunity o ON o.id = i.id AND o.status = 'closed' ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i LEFT JOIN opportunity o ON o.id = i.id AND i.total > 15 ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i LEFT JOIN opportunity o ON o.id::text = i.id_text ORDER BY 1; :spent
SELECT i.number, o.stage FROM invoice i LEFT JOIN by_text o ON o.id = i.id_text ORDER BY 1; :spent
SELECT i.number, no(id), o.stage FROM invoice i LEFT JOIN opportunity o USING (id) WHERE i.number < 3 ORDER BY 1; :spent
SELECT i.number, o FROM invoice i LEFT JOIN by_text o ON o.id = i.id_text ORDER BY 1; :spent
SELECT i.number, no(o.id) FROM invoice i LEFT JOIN opportunity o ON o.id = i.id WHERE o.stage IS NULL OR o.amount IS NULL ORDER BY 1; :spent
-- Here the id is NULL although the record exists.
SELECT i.number, no(o.id) FROM invoice i LEFT JOIN opportunity o ON o.id = i.id WHERE o.id IS NOT DISTINCT FROM nullif(i.parent, id(1)) ORDER BY 1; :spent
-- PostgreSQL does not pass a condition on the outer table to the inner side. CASE
-- does.
SELECT i.number, no(o.id) FROM invoice i LEFT JOIN opportunity o ON o.id = CASE WHEN i.total < 15 THEN i.id END ORDER BY 1; :spent
-- One known opportunity on the outer side
SELECT no(o.id), i.number FROM opportunity o LEFT JOIN invoice i ON i.id = o.id WHERE o.id = id(1) ORDER BY 2; :spent
SELECT no(o.id), i.number FROM opportunity o LEFT JOIN invoice i ON i.id = o.id WHERE o.id = id(3); :spent
SELECT no(o.id), i.number FROM (SELECT * FROM opportunity WHERE id = id(1)) o FULL JOIN invoice i ON i.id = o.id ORDER BY 2, 1; :spent

--
-- LATERAL
--
SELECT i.number, l.stage FROM invoice i, LATERAL (SELECT stage FROM opportunity o WHERE o.id = i.id) l ORDER BY 1; :spent
SELECT i.number, l.stage FROM invoice i LEFT JOIN LATERAL (SELECT stage FROM opportunity o WHERE o.id = i.id LIMIT 1) l ON true ORDER BY 1; :spent
SELECT i.number, l.count FROM invoice i, LATERAL (SELECT count(*) FROM opportunity o WHERE o.id IN (i.id, i.parent)) l ORDER BY 1; :spent
SELECT i.number, l.label FROM invoice i, LATERAL (SELECT i.number || ': ' || o.stage AS label FROM opportunity o WHERE o.id = i.id OFFSET 0) l ORDER BY 1; :spent
SELECT i.number, l.label FROM invoice i LEFT JOIN LATERAL (SELECT i.number || ': ' || o.stage AS label FROM opportunity o WHERE o.id = i.id) l ON true ORDER BY 1; :spent
CREATE FUNCTION row_of(wanted uuid) RETURNS TABLE (found uuid, stage text) LANGUAGE sql STABLE AS
$$ SELECT id, stage FROM joins.opportunity WHERE id = wanted $$;
CREATE FUNCTION opaque_row_of(wanted uuid) RETURNS TABLE (found uuid, stage text) LANGUAGE plpgsql AS
$$ BEGIN RETURN QUERY SELECT id, o.stage FROM joins.opportunity o WHERE id = wanted; END $$;
SELECT i.number, f.stage FROM invoice i, row_of(i.id) f ORDER BY 1; :spent
SELECT i.number, f.stage FROM invoice i LEFT JOIN LATERAL row_of(i.id) f ON true ORDER BY 1; :spent
-- A function without inlining runs a statement for each row.
SELECT i.number, f.stage FROM invoice i, opaque_row_of(i.id) f WHERE i.number < 3 ORDER BY 1; :spent

--
-- Joins that need every opportunity. With use_query 'false', they are an error,
-- and cost no request.
--
ALTER FOREIGN TABLE opportunity OPTIONS (ADD use_query 'false');
\set VERBOSITY terse
SELECT * FROM opportunity o LEFT JOIN invoice i ON i.id = o.id;
SELECT * FROM invoice i RIGHT JOIN opportunity o ON i.id = o.id;
SELECT * FROM invoice i FULL JOIN opportunity o ON i.id = o.id;
SELECT no(id) FROM opportunity o WHERE NOT EXISTS (SELECT FROM invoice i WHERE i.id = o.id);
SELECT no(id) FROM opportunity WHERE id NOT IN (SELECT id FROM invoice);
SELECT number FROM invoice WHERE id NOT IN (SELECT id FROM opportunity);
SELECT number FROM invoice i JOIN opportunity o ON o.id <> i.id;
SELECT number FROM invoice i JOIN opportunity o ON o.account_id = i.id;
SELECT number FROM invoice i CROSS JOIN opportunity o;
:spent
\set VERBOSITY default
ALTER FOREIGN TABLE opportunity OPTIONS (DROP use_query);

--
-- More than two tables
--
SELECT i.number, n.body, o.stage FROM invoice i JOIN opportunity o ON o.id = i.id JOIN note n ON n.opportunity_id = o.id ORDER BY 1; :spent
SELECT i.number, n.body, o.stage FROM note n JOIN opportunity o ON o.id = n.opportunity_id JOIN invoice i ON i.id = o.id ORDER BY 1; :spent
SELECT n.body, i.number, o.stage FROM note n LEFT JOIN invoice i ON i.id = n.opportunity_id LEFT JOIN opportunity o ON o.id = i.id ORDER BY 1, 2; :spent
-- Two joins with the same table on different columns, with three ids in total
SELECT i.number, no(o.id), o.stage, no(p.id), p.status FROM invoice i
  LEFT JOIN opportunity o ON o.id = i.id LEFT JOIN opportunity p ON p.id = i.parent ORDER BY 1; :spent
SELECT i.number, o.stage, p.stage FROM invoice i
  JOIN opportunity o ON o.id = i.id JOIN opportunity p ON p.id = i.parent ORDER BY 1; :spent
SELECT no(o.id), no(p.id) FROM opportunity o JOIN invoice i ON i.id = o.id JOIN opportunity p ON p.id = i.parent
  WHERE o.id = id(2); :spent
-- Joins between foreign tables
SELECT no(o.id), o.stage, p.display_name FROM opportunity o JOIN opportunity p ON p.id = o.id WHERE o.id = id(1); :spent
SELECT no(o.id), no(a.id), a.website FROM opportunity o JOIN account a ON a.id = o.account_id
  WHERE o.id = ANY (ARRAY[id(1), id(2), id(4)]) ORDER BY 1; :spent
SELECT no(o.id), no(a.id) FROM opportunity o LEFT JOIN account a ON a.id = o.account_id
  WHERE o.id = ANY (ARRAY[id(1), id(2), id(4)]) ORDER BY 1; :spent
SELECT i.number, no(o.id), no(a.id) FROM invoice i JOIN opportunity o ON o.id = i.id LEFT JOIN account a ON a.id = o.account_id ORDER BY 1; :spent

-- Two servers with two user mappings fetch the record separately.
CREATE SERVER joins_other FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER joins_other OPTIONS (api_key 'other-key');
CREATE FOREIGN TABLE elsewhere (id uuid, status text) SERVER joins_other;
SELECT i.number, o.stage, e.status FROM invoice i JOIN opportunity o ON o.id = i.id JOIN elsewhere e ON e.id = i.id ORDER BY 1; :spent
SELECT o.stage, e.status FROM opportunity o JOIN elsewhere e USING (id) WHERE id = id(1); :spent

--
-- Join methods of the planner
--
CREATE FUNCTION plan_nodes(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
  found text[];
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    found := found || (regexp_match(line, '(Memoize|Materialize|Append|Hash Join|Merge Join|Nested Loop|Foreign Scan)'))[1];
  END LOOP;
  RETURN array_to_string(array_remove(found, NULL), ' > ');
END $$;
-- Many rows with few ids. Memoize or the statement's cache ensures one request
-- for each id.
CREATE TABLE visit AS SELECT n, id(1 + n % 5) AS id FROM generate_series(1, 1000) n;
ANALYZE visit;
SET opportunity_fdw.enable_batch_lookup = off;
SELECT plan_nodes('SELECT * FROM joins.visit v JOIN joins.opportunity o ON o.id = v.id') LIKE '%Memoize%';
SELECT count(*), count(o.amount), count(DISTINCT o.stage) FROM visit v JOIN opportunity o ON o.id = v.id; :spent
RESET opportunity_fdw.enable_batch_lookup;
SELECT count(*), count(o.amount), count(DISTINCT o.stage) FROM visit v JOIN opportunity o ON o.id = v.id; :spent
-- PostgreSQL uses a disabled join method if there is no other.
SET enable_nestloop = off;
SELECT i.number, o.stage FROM invoice i JOIN opportunity o ON o.id = i.id ORDER BY 1; :spent
SELECT i.number, o.stage FROM invoice i LEFT JOIN opportunity o ON o.id = i.id ORDER BY 1; :spent
SELECT i.number, o.stage FROM invoice i JOIN opportunity o ON o.id = i.id WHERE o.id IN (id(1), id(2)) ORDER BY 1; :spent
SET enable_hashjoin = off;
SELECT i.number, o.stage FROM invoice i JOIN opportunity o ON o.id = i.id WHERE o.id IN (id(1), id(2)) ORDER BY 1; :spent
RESET enable_hashjoin;
RESET enable_nestloop;
ALTER SERVER joins OPTIONS (ADD fdw_startup_cost '10000000000');
SELECT i.number, o.stage FROM invoice i JOIN opportunity o ON o.id = i.id ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id IN (SELECT id FROM invoice) ORDER BY 1; :spent
ALTER SERVER joins OPTIONS (DROP fdw_startup_cost);

--
-- Views
--
CREATE VIEW billed AS
  SELECT i.number, o.id, o.stage, o.amount, i.total FROM invoice i JOIN opportunity o ON o.id = i.id;
CREATE VIEW billed_by_stage AS SELECT stage, count(*) AS invoices, sum(total) AS total FROM billed GROUP BY stage;
CREATE VIEW every AS SELECT *, no(id) AS no FROM opportunity;
CREATE VIEW every_open AS SELECT * FROM every WHERE status = 'open';
CREATE VIEW noted AS SELECT n.body, e.no, e.stage FROM note n LEFT JOIN every_open e ON e.id = n.opportunity_id;
SELECT number, stage FROM billed ORDER BY 1; :spent
SELECT number, stage FROM billed WHERE id = id(2); :spent
SELECT * FROM billed_by_stage ORDER BY 1; :spent
SELECT * FROM billed_by_stage WHERE stage = 'Discovery'; :spent
SELECT no, stage FROM every WHERE id = id(1); :spent
SELECT no, stage FROM every_open WHERE id = id(1); :spent
SELECT no, stage FROM every_open WHERE id = id(2); :spent
SELECT * FROM noted ORDER BY 1; :spent
SELECT i.number, e.no FROM invoice i JOIN every_open e USING (id) ORDER BY 1; :spent

-- A leaky function sees only the rows of a security_barrier view.
CREATE FUNCTION leak(value text) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS
$$ BEGIN RAISE WARNING 'seen: %', value; RETURN true; END $$;
CREATE VIEW guarded WITH (security_barrier) AS SELECT id, stage, status FROM opportunity WHERE status = 'open';
SELECT no(id), stage FROM guarded WHERE id = id(1); :spent
SELECT no(id), stage FROM guarded WHERE id = id(1) AND leak(stage); :spent
SELECT no(id), stage FROM guarded WHERE id = id(2) AND leak(stage); :spent
SELECT no(id), stage FROM guarded WHERE leak(stage) AND id IN (id(1), id(2), id(3)); :spent
-- PostgreSQL does not push a join condition into such a view, and reads it whole.
-- LATERAL passes the condition.
ALTER FOREIGN TABLE opportunity OPTIONS (ADD max_concurrency '1');
SELECT i.number, g.stage FROM invoice i JOIN guarded g ON g.id = i.id ORDER BY 1; :spent
ALTER FOREIGN TABLE opportunity OPTIONS (DROP max_concurrency);
SELECT i.number, g.stage FROM invoice i, LATERAL (SELECT stage FROM guarded WHERE guarded.id = i.id OFFSET 0) g
  WHERE leak(g.stage) ORDER BY 1; :spent
-- A view on the view
CREATE VIEW guarded_discovery AS SELECT * FROM guarded WHERE stage = 'Discovery';
SELECT no(id) FROM guarded_discovery WHERE id = id(1) AND leak(status); :spent
PREPARE from_guarded (uuid) AS SELECT no(id), stage FROM guarded WHERE id = $1 AND leak(stage);
SET plan_cache_mode = force_generic_plan;
EXECUTE from_guarded (id(2)); :spent
EXECUTE from_guarded (id(1)); :spent
RESET plan_cache_mode;

CREATE MATERIALIZED VIEW kept AS SELECT * FROM billed; :spent
SELECT count(*) FROM kept; :spent
REFRESH MATERIALIZED VIEW kept; :spent

--
-- CTEs, set operations, sorts and aggregates
--
WITH o AS (SELECT id, stage FROM opportunity WHERE id = id(1)) SELECT no(id), stage FROM o; :spent
WITH o AS MATERIALIZED (SELECT * FROM opportunity WHERE id = id(1)) SELECT no(id), stage FROM o; :spent
WITH o AS NOT MATERIALIZED (SELECT * FROM opportunity) SELECT no(id), stage FROM o WHERE id = id(1); :spent
WITH i AS MATERIALIZED (SELECT id FROM invoice WHERE total > 15) SELECT no(o.id) FROM i JOIN opportunity o USING (id) ORDER BY 1; :spent
WITH o AS (SELECT * FROM opportunity WHERE id = id(1)) SELECT no(a.id), no(b.id) FROM o a, o b; :spent
WITH RECURSIVE up (id, depth) AS (
  SELECT id(2), 0 UNION ALL SELECT i.parent, depth + 1 FROM up JOIN invoice i ON i.id = up.id WHERE i.parent IS NOT NULL AND depth < 4)
SELECT up.depth, no(o.id), o.stage FROM up JOIN opportunity o ON o.id = up.id ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id = id(1) UNION ALL SELECT no(id) FROM opportunity WHERE id = id(2); :spent
SELECT stage FROM opportunity WHERE id = id(1) UNION SELECT stage FROM opportunity WHERE id = id(21); :spent
SELECT no(id) FROM opportunity WHERE id IN (id(1), id(2)) INTERSECT SELECT no(id) FROM opportunity WHERE id IN (id(2), id(3)); :spent
SELECT no(id) FROM opportunity WHERE id IN (id(1), id(2)) EXCEPT SELECT no(id) FROM opportunity WHERE id IN (id(2), id(3)); :spent
-- PostgreSQL pushes the condition into the branches.
SELECT kind, name FROM (SELECT 'opportunity' AS kind, id, stage AS name FROM opportunity
                        UNION ALL SELECT 'account', id, display_name FROM account) u WHERE id = id(1); :spent
SELECT i.number, u.kind FROM invoice i JOIN (SELECT 'opportunity' AS kind, id FROM opportunity
                        UNION ALL SELECT 'account', id FROM account) u ON u.id = i.id ORDER BY 1; :spent
SELECT i.number, u.name FROM invoice i JOIN (SELECT id, stage AS name FROM opportunity
                        UNION ALL SELECT opportunity_id, body FROM note) u ON u.id = i.id ORDER BY 1, 2; :spent
SELECT status, count(*), sum(amount), max(no(id)) FROM opportunity WHERE id = ANY (ARRAY(SELECT id(n) FROM generate_series(1, 12) n))
  GROUP BY status ORDER BY 1; :spent
SELECT count(*), count(DISTINCT stage), string_agg(no(id)::text, ' ' ORDER BY id DESC), count(*) FILTER (WHERE status = 'open')
  FROM opportunity WHERE id = ANY (ARRAY(SELECT id(n) FROM generate_series(1, 12) n)); :spent
SELECT DISTINCT status FROM opportunity WHERE id IN (id(1), id(2), id(3)) ORDER BY 1; :spent
SELECT DISTINCT ON (status) status, no(id) FROM opportunity WHERE id IN (id(1), id(2), id(3)) ORDER BY status, id DESC; :spent
SELECT status, GROUPING(status), count(*) FROM opportunity WHERE id IN (id(1), id(2), id(3)) GROUP BY ROLLUP (status) ORDER BY 2, 1; :spent
SELECT no(id), CASE WHEN amount IS NULL THEN 'none' WHEN amount > 300000 THEN 'large' ELSE 'small' END
  FROM opportunity WHERE id IN (id(1), id(2), id(4)) ORDER BY 1; :spent
SELECT no(id), rank() OVER (ORDER BY amount DESC NULLS LAST), count(*) OVER (PARTITION BY status), lag(no(id)) OVER (ORDER BY id)
  FROM opportunity WHERE id IN (id(1), id(2), id(3), id(4)) ORDER BY 1; :spent
SELECT no(id) FROM opportunity WHERE id IN (id(1), id(2), id(4)) ORDER BY amount NULLS FIRST; :spent
SELECT no(id) FROM opportunity WHERE id IN (id(1), id(2), id(4)) ORDER BY id DESC LIMIT 1 OFFSET 1; :spent
SELECT i.number, (SELECT o.stage FROM opportunity o WHERE o.id = i.id) FROM invoice i ORDER BY 1; :spent
SELECT i.number, ARRAY(SELECT no(o.id) FROM opportunity o WHERE o.id IN (i.id, i.parent) ORDER BY 1) FROM invoice i ORDER BY 1; :spent

--
-- A partitioned table with one foreign partition
--
CREATE TABLE deal (id uuid, stage text) PARTITION BY RANGE (id);
CREATE TABLE deal_old PARTITION OF deal FOR VALUES FROM (MINVALUE) TO ('00000000-0000-4000-8000-000000000002');
CREATE FOREIGN TABLE deal_new PARTITION OF deal FOR VALUES FROM ('00000000-0000-4000-8000-000000000002') TO (MAXVALUE) SERVER joins;
INSERT INTO deal VALUES (id(1), 'old');
SELECT no(id), stage FROM deal WHERE id = id(1); :spent
SELECT no(id), stage FROM deal WHERE id = id(2); :spent
SELECT i.number, d.stage, d.tableoid::regclass FROM invoice i JOIN deal d ON d.id = i.id WHERE i.number IN (1, 2) ORDER BY 1; :spent
PREPARE from_deal (uuid) AS SELECT no(id), stage FROM deal WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE from_deal (id(1)); :spent
EXECUTE from_deal (id(2)); :spent
RESET plan_cache_mode;
DEALLOCATE ALL;

DROP SCHEMA joins CASCADE;
DROP SERVER joins CASCADE;
DROP SERVER joins_other CASCADE;
