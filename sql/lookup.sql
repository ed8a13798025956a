-- SPDX-License-Identifier: PostgreSQL
--
-- Batch lookups: the wrapper collects the distinct ids of a list, a subquery or a
-- join and fetches them together. A thousand ids cost ten requests.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER lookup FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER lookup OPTIONS (api_key 'test-key');
CREATE SCHEMA lookup;
CREATE SCHEMA foreign_side;
CREATE SCHEMA local_side;
SET search_path = lookup, foreign_side;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
SET max_parallel_workers_per_gather = 0;
-- Two tables of opportunities, with 100 and 10 ids in one request
IMPORT FOREIGN SCHEMA reevo FROM SERVER lookup INTO foreign_side OPTIONS (discover 'false');
CREATE FOREIGN TABLE foreign_side.tens (id uuid, stage text, status text, amount numeric, account_id uuid, primary_contact_id uuid)
  SERVER lookup OPTIONS (page_size '10');
CREATE FOREIGN TABLE foreign_side.by_text (id text, stage text) SERVER lookup OPTIONS (page_size '10');
CREATE FOREIGN TABLE foreign_side.account (id uuid, display_name text) SERVER lookup OPTIONS (record_type 'account', page_size '10');

-- no returns the number of a test record, id returns the id of a number, and ids
-- returns the ids of a range.
CREATE FUNCTION id(number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE number WHEN 0 THEN '3c90c3cc-0d44-4b50-8888-8dd25736052a' ELSE '00000000-0000-4000-8000-' || lpad(number::text, 12, '0') END::uuid $$;
CREATE FUNCTION no(id uuid) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN id = '3c90c3cc-0d44-4b50-8888-8dd25736052a' THEN 0 ELSE right(id::text, 12)::int END $$;
CREATE FUNCTION ids(first int, last int) RETURNS uuid[] LANGUAGE sql IMMUTABLE AS
$$ SELECT array_agg(lookup.id(n)) FROM generate_series(first, last) n $$;

-- A thousand rows, and the hundred of them from 100 to 199, with two ids in each
CREATE TABLE thousand AS SELECT n AS number, id(n) AS id, id(n)::text AS id_text, id((n * 7 + 3) % 1000) AS other, n % 10 AS digit
  FROM generate_series(0, 999) n;
CREATE TABLE hundred AS SELECT number, id, id_text, id(100 + (number * 7 + 3) % 100) AS other, digit
  FROM thousand WHERE number BETWEEN 100 AND 199 ORDER BY number;
CREATE TABLE small AS SELECT * FROM hundred WHERE number < 105;
ANALYZE thousand;
ANALYZE hundred;
ANALYZE small;

-- :spent prints the number of record requests since its last use.
-- :spent_at_most_2 prints whether there were at most two.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
\set spent_at_most_2 '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `test $(expr :now - :before) -le 2 && echo at most 2 || expr :now - :before`'
\pset format unaligned
\pset tuples_only on
\pset null NULL

-- Local tables of the same names, with the records of the API
CREATE TABLE local_side.opportunity AS SELECT * FROM opportunity WHERE id = ANY (ids(0, 999)); :spent
CREATE TABLE local_side.tens AS SELECT id, stage, status, amount, account_id, primary_contact_id FROM local_side.opportunity;
CREATE TABLE local_side.by_text AS SELECT id::text, stage FROM local_side.opportunity;
CREATE TABLE local_side.account AS SELECT id, display_name FROM account WHERE id IN (SELECT account_id FROM local_side.tens); :spent
ANALYZE local_side.opportunity;
ANALYZE local_side.tens;
ANALYZE local_side.by_text;
ANALYZE local_side.account;

-- in_any_order and in_order compare the rows of a query over the foreign and the
-- local tables, without or with their order.
CREATE FUNCTION rows_of(side text, query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  found text[] := '{}';
  r record;
BEGIN
  PERFORM set_config('search_path', 'lookup, ' || side, true);
  FOR r IN EXECUTE query LOOP
    found := found || r::text;
  END LOOP;
  RETURN found;
END $$;
CREATE FUNCTION in_order(query text) RETURNS text LANGUAGE plpgsql SET search_path = lookup AS $$
DECLARE
  found text[] := lookup.rows_of('foreign_side', query);
BEGIN
  RETURN cardinality(found) || ' rows, ' || CASE WHEN found = lookup.rows_of('local_side', query) THEN 'the same' ELSE 'NOT THE SAME' END;
END $$;
CREATE FUNCTION in_any_order(query text) RETURNS text LANGUAGE plpgsql SET search_path = lookup AS $$
DECLARE
  found text[] := (SELECT coalesce(array_agg(r ORDER BY r COLLATE "C"), '{}') FROM unnest(lookup.rows_of('foreign_side', query)) r);
  wanted text[] := (SELECT coalesce(array_agg(r ORDER BY r COLLATE "C"), '{}') FROM unnest(lookup.rows_of('local_side', query)) r);
BEGIN
  RETURN cardinality(found) || ' rows, ' || CASE WHEN found = wanted THEN 'the same' ELSE 'NOT THE SAME' END;
END $$;
-- plan_of returns the plan nodes of the given kinds from the top, or all if the
-- kinds are NULL. It shortens names that differ between versions.
CREATE FUNCTION plan_of(query text, kinds text DEFAULT 'Lookup|Sort') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
  found text[] := '{}';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    line := (regexp_match(line, '^ *(?:->  )?((?:Custom Scan \(Batch Lookup\)|[A-Z][A-Za-z ]*?))(?: on .*| using .*)?$'))[1];
    line := replace(line, 'Custom Scan (Batch Lookup)', 'Lookup');
    IF line ~ kinds THEN
      found := found || line;
    END IF;
  END LOOP;
  RETURN array_to_string(found, ' > ');
END $$;

--
-- Lists
--
SELECT in_any_order($$ SELECT * FROM opportunity WHERE id = ANY (lookup.ids(0, 999)) $$); :spent
SELECT count(*) FROM opportunity WHERE id = ANY (ids(0, 999) || ids(0, 999) || NULL::uuid); :spent
SELECT count(*) FROM opportunity WHERE id = ANY (ARRAY(SELECT id FROM thousand)); :spent
SELECT count(*) FROM opportunity WHERE id = ANY ((SELECT array_agg(id) FROM thousand)::uuid[]); :spent
SELECT count(*) FROM opportunity WHERE id IN (SELECT id FROM thousand); :spent
SELECT count(*) FROM opportunity WHERE id IN (SELECT id FROM thousand UNION ALL SELECT other FROM thousand UNION ALL SELECT NULL); :spent
SELECT count(*) FROM opportunity WHERE id = ANY (SELECT other FROM thousand); :spent
SELECT count(*) FROM opportunity WHERE id::text = ANY (ids(0, 999)::text[] || ARRAY['no id', '', NULL]); :spent
SELECT count(*) FROM opportunity WHERE id::text IN (SELECT id_text FROM thousand); :spent
SELECT count(*) FROM by_text WHERE id = ANY (ids(100, 199)::text[]); :spent
SELECT count(*) FROM by_text WHERE id IN (SELECT id_text FROM hundred); :spent
SELECT count(*) FROM by_text WHERE id = ANY (SELECT id::varchar FROM hundred); :spent
-- Lists in the text of the query
SELECT format('SELECT count(*) FROM opportunity WHERE id IN (%s)', string_agg(quote_literal(id), ', ')) AS by_in,
       format('SELECT count(*) FROM opportunity WHERE id IN (VALUES %s)', string_agg('(' || quote_literal(id) || '::uuid)', ', ')) AS by_values,
       format('SELECT count(*) FROM opportunity WHERE %s', string_agg('id = ' || quote_literal(id), ' OR ')) AS by_or,
       format('SELECT count(*) FROM opportunity WHERE %s', string_agg(CASE digit WHEN 0 THEN quote_literal(id) || ' = id::text'
         WHEN 1 THEN 'id IN (' || quote_literal(id) || ', NULL)' ELSE 'id = ' || quote_literal(id) END, ' OR ')) AS by_mixed_or
  FROM thousand \gset
:by_in ; :spent
:by_values ; :spent
:by_or ; :spent
:by_mixed_or ; :spent
-- Parameters
PREPARE by_ids (uuid[]) AS SELECT count(*) FROM opportunity WHERE id = ANY ($1);
PREPARE by_texts (text[]) AS SELECT count(*) FROM opportunity WHERE id::text = ANY ($1);
PREPARE by_two (uuid[], uuid[]) AS SELECT count(*) FROM opportunity WHERE id = ANY ($1) AND id = ANY ($2);
SET plan_cache_mode = force_generic_plan;
EXECUTE by_ids (ids(0, 999)); :spent
EXECUTE by_ids (ids(0, 100)); :spent
EXECUTE by_ids (ids(0, 99)); :spent
EXECUTE by_ids (ids(7, 7)); :spent
EXECUTE by_texts (ids(0, 999)::text[]); :spent
EXECUTE by_two (ids(0, 599), ids(400, 999)); :spent
SET plan_cache_mode = force_custom_plan;
EXECUTE by_ids (ids(0, 999)); :spent
EXECUTE by_ids (ids(0, 100)); :spent
EXECUTE by_ids (ids(7, 7)); :spent
EXECUTE by_texts (ids(0, 999)::text[]); :spent
EXECUTE by_two (ids(0, 599), ids(400, 999)); :spent
RESET plan_cache_mode;
DEALLOCATE ALL;
-- Intersections of lists
SELECT count(*) FROM opportunity WHERE id = ANY (ids(0, 999)) AND id IN (SELECT id FROM thousand); :spent
SELECT count(*) FROM opportunity WHERE id = ANY (ids(0, 599)) AND id = ANY (ids(400, 999)); :spent
SELECT count(*) FROM opportunity WHERE id = ANY (ids(0, 599)) AND id = ANY (ids(599, 999)); :spent
SELECT count(*) FROM opportunity WHERE id = ANY (ids(0, 599)) AND id = ANY (ids(600, 999)); :spent
SELECT count(*) FROM opportunity WHERE id = ANY (ids(0, 599)) AND stage = 'Discovery'; :spent
SELECT count(*) FROM opportunity WHERE id = ANY (ids(0, 599)) AND id IN (SELECT id FROM thousand WHERE number % 6 = 0); :spent
-- Two lists in one statement share their common records.
SELECT count(*) FROM tens a, tens b WHERE a.id = ANY (ids(100, 199)) AND b.id = ANY (ids(100, 199)) AND a.id = b.id; :spent
SELECT count(*) FROM (SELECT id FROM tens WHERE id = ANY (ids(100, 169)) UNION ALL SELECT id FROM tens WHERE id = ANY (ids(130, 199))) u; :spent
-- A single id is a GET.
SELECT count(*) FROM opportunity WHERE id = ANY (ids(5, 5)); :spent
\! $REEVO_CTL last 1
SELECT count(*) FROM opportunity WHERE id = ANY (ids(5, 6)); :spent
\! $REEVO_CTL last 1
SELECT count(*) FROM tens WHERE id = ANY (ids(1, 11)); :spent
\! $REEVO_CTL last 2 | sort

--
-- Joins
--
SELECT in_any_order($$ SELECT * FROM thousand t JOIN opportunity o ON o.id = t.id $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM opportunity o JOIN thousand t ON t.id = o.id $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t, opportunity o WHERE o.id = t.other $$); :spent
SELECT in_any_order($$ SELECT number, stage FROM thousand JOIN opportunity USING (id) $$); :spent
SELECT in_any_order($$ SELECT number, stage FROM (SELECT id, number FROM thousand) t NATURAL JOIN (SELECT id, stage FROM opportunity) o $$); :spent
SELECT in_any_order($$ SELECT * FROM thousand t LEFT JOIN opportunity o ON o.id = t.id $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM opportunity o RIGHT JOIN thousand t ON o.id = t.id $$); :spent
SELECT in_any_order($$ SELECT number FROM thousand t WHERE EXISTS (SELECT FROM opportunity o WHERE o.id = t.id) $$); :spent
SELECT in_any_order($$ SELECT number FROM thousand t WHERE id IN (SELECT id FROM opportunity WHERE status = 'open') $$); :spent
SELECT in_any_order($$ SELECT number FROM thousand t WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.id = t.id AND o.status = 'open') $$); :spent
SELECT in_any_order($$ SELECT number FROM thousand t LEFT JOIN opportunity o ON o.id = t.id WHERE o.id IS NULL $$); :spent
SELECT in_any_order($$ SELECT o.* FROM opportunity o WHERE EXISTS (SELECT FROM thousand t WHERE t.id = o.id AND digit < 9) $$); :spent
SELECT in_any_order($$ SELECT t.number, l.stage FROM thousand t, LATERAL (SELECT stage FROM opportunity o WHERE o.id = t.id) l $$); :spent
SELECT in_any_order($$ SELECT t.number, l.stage FROM thousand t LEFT JOIN LATERAL (SELECT stage FROM opportunity o WHERE o.id = t.id) l ON true $$); :spent
SELECT in_any_order($$ SELECT t.number, l.stage FROM thousand t LEFT JOIN LATERAL (SELECT stage || t.digit AS stage FROM opportunity o WHERE o.id = t.id) l ON true $$); :spent
SELECT in_any_order($$ SELECT g, o.stage FROM generate_series(0, 999) g JOIN opportunity o ON o.id = lookup.id(g) $$); :spent
SELECT in_any_order($$ SELECT v.n, o.stage FROM (VALUES (1), (2), (3)) v (n) JOIN opportunity o ON o.id = lookup.id(v.n) $$); :spent

-- Computed keys
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o ON o.id = t.id_text::uuid $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o ON o.id::text = t.id_text $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN by_text o ON o.id = t.id_text $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN by_text o ON o.id = t.id::text $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t LEFT JOIN tens o ON o.id = lookup.id(199 - t.digit) $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o ON o.id = coalesce(nullif(t.id, lookup.id(107)), t.other) $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t LEFT JOIN tens o ON o.id = CASE WHEN t.digit = 3 THEN t.id END $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o ON o.id = (SELECT max(h.id::text)::uuid FROM hundred h WHERE h.number < t.number + 2) $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o ON o.id = CASE WHEN t.digit = 1 THEN (SELECT max(id::text)::uuid FROM hundred) ELSE t.id END $$); :spent
-- Several ids for one row
SELECT in_any_order($$ SELECT t.number, o.stage FROM small t JOIN tens o ON o.id IN (t.id, t.other) $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM small t LEFT JOIN tens o ON o.id = t.id OR o.id = t.other $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM (SELECT digit AS number, array_agg(id) AS list FROM hundred GROUP BY digit) t JOIN tens o ON o.id = ANY (t.list) $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o ON o.id = t.id AND o.id = t.other $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o ON o.id = t.id AND o.id = ANY (lookup.ids(150, 300)) $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t LEFT JOIN tens o ON o.id = t.id AND o.id IN (lookup.id(105), lookup.id(106)) $$); :spent

-- Further conditions: on the local side, which reduces the number of ids; on the
-- foreign side; and on both
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o USING (id) WHERE t.digit < 5 $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o USING (id) WHERE o.amount > 100000 AND o.stage LIKE 'D%' $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t LEFT JOIN opportunity o ON o.id = t.id AND o.status = 'open' WHERE t.digit < 5 $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t LEFT JOIN opportunity o ON o.id = t.id WHERE t.digit < 5 AND o.status IS DISTINCT FROM 'open' $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o ON o.id = t.id AND o.amount > t.number * 1000 AND o.stage <> t.id_text $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t LEFT JOIN tens o ON o.id = t.id AND o.amount > t.number * 1000 $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t LEFT JOIN tens o ON o.id = t.id AND t.digit < 5 $$); :spent
SELECT in_any_order($$ SELECT t.number FROM hundred t WHERE EXISTS (SELECT FROM tens o WHERE o.id = t.id AND o.amount > t.number * 1000) $$); :spent
SELECT in_any_order($$ SELECT t.number FROM hundred t WHERE NOT EXISTS (SELECT FROM tens o WHERE o.id = t.id AND o.amount > t.number * 1000) $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) WHERE o.stage = 'Discovery' OR t.digit = 4 $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t LEFT JOIN tens o USING (id) WHERE coalesce(o.stage, 'x') = 'Discovery' OR t.digit = 4 $$); :spent

-- The outer side is empty, has only NULLs, or repeats ids.
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o USING (id) WHERE t.number < 0 $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t LEFT JOIN opportunity o ON o.id = nullif(t.id, t.id) $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t LEFT JOIN opportunity o ON o.id::text = t.number::text $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o ON o.id = lookup.id(t.number % 50) $$); :spent
\! $REEVO_CTL last 1
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t LEFT JOIN opportunity o ON o.id = CASE WHEN digit = 0 THEN lookup.id(t.number % 500) END $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o ON o.id = lookup.id(7) $$); :spent
\! $REEVO_CTL last 1
SELECT in_any_order($$ SELECT t.number, o.stage FROM thousand t LEFT JOIN opportunity o ON o.id = t.id WHERE t.number = 7 $$); :spent
\! $REEVO_CTL last 1

-- The wrapper fetches ids without a record again with GET, unless the table has
-- query_returns_archived 'true'.
SELECT in_any_order($$ SELECT t.number, o.stage FROM generate_series(1, 1000) t (number) LEFT JOIN opportunity o ON o.id = lookup.id(t.number) $$); :spent
\! $REEVO_CTL last 11 | sed 's/-[0-9]* / /' | sort | uniq -c | tr -s ' '
SELECT in_any_order($$ SELECT * FROM opportunity WHERE id = ANY (lookup.ids(1, 1000)) $$); :spent
SELECT in_any_order($$ SELECT t.number FROM generate_series(901, 1010) t (number) WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.id = lookup.id(t.number)) $$); :spent
ALTER SERVER lookup OPTIONS (ADD query_returns_archived 'true');
SELECT in_any_order($$ SELECT t.number, o.stage FROM generate_series(1, 1000) t (number) LEFT JOIN opportunity o ON o.id = lookup.id(t.number) $$); :spent
SELECT in_any_order($$ SELECT * FROM opportunity WHERE id = ANY (lookup.ids(1, 1000)) $$); :spent
SELECT in_any_order($$ SELECT t.number FROM generate_series(901, 1010) t (number) WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.id = lookup.id(t.number)) $$); :spent
ALTER SERVER lookup OPTIONS (DROP query_returns_archived, ADD include_archived 'false');
SELECT count(*), count(o.id) FROM generate_series(1, 1000) t (number) LEFT JOIN opportunity o ON o.id = id(t.number); :spent
SELECT count(*), count(o.id) FROM generate_series(1, 1000) t (number) LEFT JOIN local_side.opportunity o ON o.id = id(t.number) AND o.archived_at IS NULL;
ALTER SERVER lookup OPTIONS (DROP include_archived, ADD use_query 'false');
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) $$); :spent
ALTER SERVER lookup OPTIONS (DROP use_query);

--
-- Several tables
--
SELECT in_any_order($$ SELECT t.number, o.stage, p.stage FROM thousand t JOIN opportunity o ON o.id = t.id JOIN opportunity p ON p.id = t.other $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage, p.stage FROM hundred t LEFT JOIN tens o ON o.id = t.id LEFT JOIN tens p ON p.id = t.other $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage, p.stage FROM hundred t LEFT JOIN tens o ON o.id = t.id AND o.status = 'open' JOIN tens p ON p.id = t.id $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage, p.stage FROM hundred t JOIN tens o USING (id) JOIN by_text p ON p.id = t.id_text $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage, a.display_name FROM hundred t JOIN tens o USING (id) JOIN account a ON a.id = o.account_id $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage, a.display_name FROM hundred t LEFT JOIN tens o USING (id) LEFT JOIN account a ON a.id = o.account_id $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage, a.display_name, p.stage FROM hundred t JOIN tens o USING (id) LEFT JOIN account a ON a.id = o.account_id
  LEFT JOIN tens p ON p.id = t.other AND p.status = o.status $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage, a.display_name FROM hundred t LEFT JOIN (tens o JOIN account a ON a.id = o.account_id AND a.display_name > 'B') ON o.id = t.id $$);
\set now `$REEVO_CTL requests`
SELECT in_any_order($$ SELECT t.number FROM hundred t JOIN tens o USING (id) WHERE EXISTS (SELECT FROM account a WHERE a.id = o.account_id AND a.display_name > 'G') $$); :spent
-- Joins between foreign tables: one table supplies the ids of the other.
SELECT in_any_order($$ SELECT o.id, a.display_name FROM tens o JOIN account a ON a.id = o.account_id WHERE o.id = ANY (lookup.ids(100, 199)) $$); :spent
SELECT in_any_order($$ SELECT o.id, p.stage FROM tens o JOIN tens p ON p.id = o.id WHERE o.id = ANY (lookup.ids(100, 199)) $$); :spent
SELECT in_any_order($$ SELECT o.id, p.stage FROM tens o LEFT JOIN tens p ON p.id = o.primary_contact_id WHERE o.id = ANY (lookup.ids(100, 109)) $$);
SELECT in_any_order($$ SELECT o.id, p.stage FROM tens o LEFT JOIN tens p ON p.id::text = replace(o.account_id::text, '-9000-', '-8000-') WHERE o.id = ANY (lookup.ids(100, 199)) $$);
\set now `$REEVO_CTL requests`

--
-- Views, subqueries, sorts and aggregates
--
CREATE VIEW foreign_side.deal AS SELECT t.number, t.id, o.stage, o.amount FROM thousand t JOIN foreign_side.opportunity o ON o.id = t.id;
CREATE VIEW local_side.deal AS SELECT t.number, t.id, o.stage, o.amount FROM thousand t JOIN local_side.opportunity o ON o.id = t.id;
CREATE VIEW foreign_side.open_deal AS SELECT id, stage, amount, 'open'::text AS label FROM foreign_side.tens WHERE status = 'open';
CREATE VIEW local_side.open_deal AS SELECT id, stage, amount, 'open'::text AS label FROM local_side.tens WHERE status = 'open';
CREATE VIEW foreign_side.guarded WITH (security_barrier) AS SELECT t.number, t.id, o.stage FROM hundred t JOIN foreign_side.tens o ON o.id = t.id;
CREATE VIEW local_side.guarded WITH (security_barrier) AS SELECT t.number, t.id, o.stage FROM hundred t JOIN local_side.tens o ON o.id = t.id;
CREATE FUNCTION leak(value text) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RETURN true; END $$;
SELECT in_any_order($$ SELECT * FROM deal $$); :spent
SELECT in_any_order($$ SELECT * FROM deal WHERE number < 500 $$); :spent
SELECT in_any_order($$ SELECT stage, count(*), sum(amount), min(number) FROM deal GROUP BY stage $$); :spent
SELECT in_any_order($$ SELECT t.number, v.stage, v.label FROM hundred t LEFT JOIN open_deal v USING (id) $$); :spent
SELECT in_any_order($$ SELECT t.number, v.stage, v.label FROM hundred t JOIN open_deal v USING (id) WHERE v.label = 'open' $$); :spent
SELECT in_any_order($$ SELECT * FROM guarded $$); :spent
SELECT in_any_order($$ SELECT * FROM guarded WHERE lookup.leak(stage) AND number < 150 $$); :spent
SELECT in_any_order($$ SELECT g.*, p.stage FROM guarded g JOIN tens p ON p.id = g.id $$); :spent
SELECT in_any_order($$ WITH t AS MATERIALIZED (SELECT * FROM thousand WHERE digit < 5) SELECT t.number, o.stage FROM t JOIN opportunity o USING (id) $$); :spent
SELECT in_any_order($$ WITH o AS NOT MATERIALIZED (SELECT * FROM opportunity) SELECT t.number, o.stage FROM thousand t JOIN o USING (id) $$); :spent
SELECT in_any_order($$ WITH j AS MATERIALIZED (SELECT t.number, o.* FROM hundred t JOIN tens o USING (id)) SELECT * FROM j a JOIN j b USING (number) $$); :spent
SELECT in_any_order($$ WITH RECURSIVE chain (number, id, depth) AS (SELECT 100, lookup.id(100), 0 UNION ALL
  SELECT t.number, t.other, depth + 1 FROM chain c JOIN lookup.hundred t ON t.id = c.id WHERE depth < 99) SELECT c.depth, o.stage FROM chain c JOIN tens o ON o.id = c.id $$); :spent
SELECT in_any_order($$ SELECT o.stage, count(*), count(DISTINCT t.digit), sum(o.amount) FROM hundred t JOIN tens o USING (id) GROUP BY o.stage HAVING count(*) > 1 $$); :spent
SELECT in_any_order($$ SELECT o.stage, t.digit, count(*) FROM hundred t LEFT JOIN tens o USING (id) GROUP BY GROUPING SETS ((o.stage), (t.digit), ()) $$); :spent
SELECT in_any_order($$ SELECT t.number, rank() OVER (PARTITION BY o.stage ORDER BY o.amount, t.number), sum(o.amount) OVER (ORDER BY t.number) FROM hundred t JOIN tens o USING (id) $$); :spent
SELECT in_any_order($$ SELECT DISTINCT o.stage, o.status FROM hundred t JOIN tens o USING (id) $$); :spent
SELECT in_any_order($$ SELECT DISTINCT ON (o.stage) o.stage, t.number FROM hundred t JOIN tens o USING (id) ORDER BY o.stage, t.number DESC $$); :spent
SELECT in_any_order($$ SELECT * FROM (SELECT t.number, o.stage, o.amount FROM hundred t JOIN tens o USING (id)) s WHERE s.stage = (SELECT max(stage) FROM tens WHERE id = lookup.id(100)) $$); :spent
SELECT in_any_order($$ SELECT t.digit, s.n FROM small t, LATERAL (SELECT count(o.stage) AS n FROM hundred h LEFT JOIN tens o ON o.id = h.id WHERE h.digit = t.digit) s $$); :spent
SELECT in_any_order($$ SELECT number, stage FROM hundred JOIN tens USING (id) UNION SELECT number, stage FROM hundred JOIN tens ON tens.id = hundred.other $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) EXCEPT SELECT t.number, o.stage FROM hundred t JOIN tens o ON o.id = t.other $$); :spent
SELECT in_any_order($$ SELECT u.id, o.stage FROM (SELECT id FROM hundred UNION ALL SELECT other FROM hundred UNION ALL SELECT NULL) u LEFT JOIN tens o USING (id) $$); :spent
SELECT in_any_order($$ SELECT t.number, (SELECT o.stage FROM tens o WHERE o.id = t.id), p.stage FROM hundred t JOIN tens p ON p.id = t.id $$); :spent
CREATE TABLE made AS SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id); :spent
INSERT INTO made SELECT t.number, o.stage FROM hundred t LEFT JOIN tens o ON o.id = t.other; :spent
COPY (SELECT count(*) FROM hundred t JOIN tens o USING (id)) TO STDOUT; :spent
CREATE MATERIALIZED VIEW kept AS SELECT * FROM foreign_side.deal; :spent
REFRESH MATERIALIZED VIEW kept; :spent
SELECT count(*) FROM kept; :spent

--
-- The join keeps the order of the outer side, and needs no sort.
--
CREATE INDEX ON thousand (number);
CREATE INDEX ON thousand (id);
SET enable_seqscan = off;
SELECT plan_of($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o USING (id) ORDER BY t.number $$);
SELECT in_order($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o USING (id) ORDER BY t.number $$); :spent
SELECT plan_of($$ SELECT t.number, o.stage FROM thousand t LEFT JOIN opportunity o USING (id) ORDER BY t.number DESC $$);
SELECT in_order($$ SELECT t.number, o.stage FROM thousand t LEFT JOIN opportunity o USING (id) ORDER BY t.number DESC $$); :spent
SELECT plan_of($$ SELECT t.number FROM thousand t WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.id = t.id AND o.status = 'open') ORDER BY t.number $$);
SELECT in_order($$ SELECT t.number FROM thousand t WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.id = t.id AND o.status = 'open') ORDER BY t.number $$); :spent
SELECT plan_of($$ SELECT t.digit, count(o.stage) FROM thousand t JOIN opportunity o USING (id) WHERE t.number < 300 GROUP BY t.number, t.digit ORDER BY t.number $$, 'Lookup|^Sort');
SELECT in_order($$ SELECT t.number, count(o.stage) FROM thousand t JOIN opportunity o USING (id) WHERE t.number < 300 GROUP BY t.number ORDER BY t.number $$); :spent
RESET enable_seqscan;
SELECT rows_of('foreign_side', q) = rows_of('local_side', q || ' ORDER BY t.digit, t.number DESC')
  FROM (VALUES ('SELECT t.number, o.stage FROM (SELECT * FROM hundred ORDER BY digit, number DESC OFFSET 0) t LEFT JOIN tens o ON o.id = t.id')) v (q); :spent
SELECT plan_of($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) ORDER BY o.stage, t.number $$);
SELECT in_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) ORDER BY o.stage COLLATE "C", t.number $$); :spent
SELECT in_order($$ SELECT t.number, o.amount FROM hundred t LEFT JOIN tens o USING (id) ORDER BY o.amount DESC NULLS LAST, t.number LIMIT 7 $$); :spent
-- A merge join on top of the lookup
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT in_order($$ SELECT t.number, o.stage, u.digit FROM hundred t JOIN tens o USING (id) JOIN thousand u ON u.number = t.number ORDER BY t.number $$); :spent
RESET enable_hashjoin;
RESET enable_nestloop;

--
-- LIMIT, and partial reads
--
SELECT count(*) FROM (SELECT g, o.stage FROM generate_series(1, 1000000) g JOIN opportunity o ON o.id = id(g) LIMIT 10) s; :spent_at_most_2
SELECT count(*) FROM (SELECT g, o.stage FROM generate_series(1, 1000000) g LEFT JOIN opportunity o ON o.id = id(g) LIMIT 10) s; :spent_at_most_2
SELECT g, length(o.stage) > 0 FROM generate_series(1, 1000000) g JOIN opportunity o ON o.id = id(g) LIMIT 3; :spent
SELECT g, length(o.stage) > 0 FROM generate_series(1, 1000000) g JOIN opportunity o ON o.id = id(g) LIMIT 3 OFFSET 95; :spent
SELECT g, length(o.stage) > 0 FROM generate_series(1, 1000000) g JOIN opportunity o ON o.id = id(g) LIMIT 3 OFFSET 99; :spent
SELECT g, length(o.stage) > 0 FROM generate_series(1, 1000000) g JOIN opportunity o ON o.id = id(g) LIMIT (SELECT 3); :spent_at_most_2
SELECT g FROM generate_series(1, 1000000) g JOIN opportunity o ON o.id = id(g) LIMIT 0; :spent
SELECT count(*) FROM (SELECT g FROM generate_series(1, 1000000) g JOIN opportunity o ON o.id = id(g) LIMIT 150) s; :spent
SELECT count(*) FROM (SELECT g FROM generate_series(1, 1000000) g JOIN opportunity o ON o.id = id(g) LIMIT 500) s; :spent
SELECT EXISTS (SELECT FROM generate_series(1, 1000000) g JOIN opportunity o ON o.id = id(g)); :spent_at_most_2
SELECT g FROM generate_series(1, 1000000) g WHERE EXISTS (SELECT FROM opportunity o WHERE o.id = id(g)) LIMIT 2; :spent_at_most_2
SELECT g FROM generate_series(1, 1000000) g WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.id = id(g) AND o.status = 'open') LIMIT 2; :spent_at_most_2
-- Rows without a record do not count for LIMIT.
SELECT g FROM generate_series(-149, 1000000) g JOIN tens o ON o.id = CASE WHEN g > 0 THEN id(g) END LIMIT 3; :spent
-- A sort needs all rows in spite of LIMIT, and an aggregate over sorted rows the rows of
-- the first groups.
SELECT count(*) FROM (SELECT t.number FROM thousand t JOIN opportunity o USING (id) ORDER BY o.amount LIMIT 3) s; :spent
SELECT t.digit, count(*) FROM thousand t JOIN opportunity o USING (id) GROUP BY t.digit ORDER BY 1 LIMIT 1; :spent

-- Cursors: at first no request is ahead of the rows that are read.
BEGIN;
DECLARE c CURSOR FOR SELECT t.number, length(o.stage) > 0 FROM thousand t LEFT JOIN opportunity o USING (id);
FETCH 2 FROM c; :spent_at_most_2
FETCH 1 FROM c; :spent
MOVE FORWARD ALL FROM c; :spent
CLOSE c;
DECLARE c SCROLL CURSOR FOR SELECT t.number, length(o.stage) > 0 FROM hundred t JOIN tens o USING (id);
FETCH 2 FROM c; :spent_at_most_2
FETCH LAST FROM c; :spent
FETCH BACKWARD 2 FROM c; :spent
FETCH FIRST FROM c; :spent
FETCH ABSOLUTE 50 FROM c; :spent
MOVE BACKWARD ALL FROM c;
FETCH 1 FROM c; :spent
CLOSE c;
DECLARE c NO SCROLL CURSOR FOR SELECT t.number FROM hundred t JOIN tens o USING (id);
FETCH 1 FROM c; :spent_at_most_2
-- Another statement reads the same records in the meantime.
SELECT count(*) FROM hundred t JOIN tens o USING (id); :spent
FETCH 1 FROM c;
COMMIT;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT t.number, length(o.stage) > 0 FROM hundred t JOIN tens o USING (id); :spent
FETCH 1 FROM c; :spent_at_most_2
COMMIT; :spent
FETCH 2 FROM c; :spent
CLOSE c;
-- The cursor ends with two requests in flight.
\! $REEVO_CTL behave '{"delay_ms": 100}'
BEGIN;
DECLARE c CURSOR FOR SELECT t.number FROM thousand t JOIN opportunity o USING (id);
FETCH 1 FROM c;
ROLLBACK;
\! $REEVO_CTL reset
\set now 0

-- Prepared statements and functions
PREPARE joined (int) AS SELECT count(*), count(o.stage) FROM thousand t JOIN opportunity o USING (id) WHERE t.digit < $1;
PREPARE keyed (int) AS SELECT count(*), count(o.stage) FROM thousand t LEFT JOIN opportunity o ON o.id = id(t.number % $1);
SET plan_cache_mode = force_generic_plan;
EXECUTE joined (10); :spent
EXECUTE joined (1); :spent
EXECUTE joined (0); :spent
EXECUTE keyed (50); :spent
EXECUTE keyed (1000); :spent
SET plan_cache_mode = force_custom_plan;
EXECUTE joined (10); :spent
EXECUTE keyed (50); :spent
RESET plan_cache_mode;
DEALLOCATE ALL;
DO $$
DECLARE
  r record;
  c CURSOR (most int) FOR SELECT t.number, o.stage FROM lookup.hundred t JOIN foreign_side.tens o USING (id) WHERE t.number < most;
  n int := 0;
BEGIN
  FOR r IN SELECT t.number, o.stage FROM lookup.hundred t JOIN foreign_side.tens o USING (id) LOOP
    n := n + (r.stage IS NOT NULL)::int;
  END LOOP;
  FOR r IN EXECUTE 'SELECT t.number, o.stage FROM lookup.hundred t JOIN foreign_side.tens o USING (id) WHERE digit = $1' USING 7 LOOP
    n := n + (r.stage IS NOT NULL)::int;
  END LOOP;
  FOR r IN c (150) LOOP
    n := n + (r.stage IS NOT NULL)::int;
  END LOOP;
  RAISE WARNING '% rows', n;
END $$; :spent
-- Statements inside a loop, and one that fails and is caught
DO $$
DECLARE
  r record;
  n bigint := 0;
BEGIN
  FOR r IN SELECT t.digit FROM lookup.small t JOIN foreign_side.tens o USING (id) LOOP
    n := n + (SELECT count(o.stage) FROM lookup.hundred t JOIN foreign_side.tens o USING (id) WHERE t.digit = r.digit);
    BEGIN
      PERFORM 1 / (t.number - 105) FROM lookup.hundred t JOIN foreign_side.tens o USING (id) WHERE o.stage IS NOT NULL;
    EXCEPTION WHEN division_by_zero THEN
      n := n + 1000;
    END;
  END LOOP;
  RAISE WARNING '%', n;
END $$;
-- The requests of the failed statement have ended.
SELECT pg_sleep(0.1);
\! $REEVO_CTL in_flight
\set now `$REEVO_CTL requests`
CREATE FUNCTION of_digit(wanted int) RETURNS TABLE (number int, stage text) LANGUAGE sql STABLE AS
$$ SELECT t.number, o.stage FROM lookup.hundred t JOIN foreign_side.tens o USING (id) WHERE t.digit = wanted $$;
SELECT count(*), count(stage) FROM of_digit(3); :spent
SELECT count(*), count(stage) FROM generate_series(0, 9) d, of_digit(d); :spent

--
-- UPDATE, DELETE, INSERT and MERGE
--
CREATE TABLE target AS SELECT number, id, other, digit, NULL::text AS stage FROM hundred;
ANALYZE target;
UPDATE target t SET stage = o.stage FROM tens o WHERE o.id = t.id; :spent
SELECT count(*), sum((t.stage = o.stage)::int) FROM target t JOIN local_side.tens o USING (id);
UPDATE target t SET stage = o.stage FROM hundred h JOIN tens o ON o.id = h.other WHERE h.id = t.id AND o.status = 'open' RETURNING 1 / 1 = 0 AND t.number IS NULL AS never \g /dev/null
:spent
SELECT count(*), sum((t.stage = o.stage)::int) >= count(*) FROM target t JOIN local_side.tens o ON o.id = t.other AND o.status = 'open';
UPDATE target t SET stage = (SELECT o.stage FROM tens o WHERE o.id = t.id) WHERE number < 110; :spent
DELETE FROM target t USING tens o WHERE o.id = t.id AND o.status = 'open' AND t.digit < 5; :spent
SELECT count(*) FROM target t JOIN local_side.tens o USING (id) WHERE o.status = 'open' AND t.digit < 5;
DELETE FROM target t WHERE EXISTS (SELECT FROM tens o WHERE o.id = t.other AND o.status = 'open') AND t.digit < 7; :spent
SELECT count(*) FROM target t JOIN local_side.tens o ON o.id = t.other WHERE o.status = 'open' AND t.digit < 7;
INSERT INTO target SELECT h.number, h.id, h.other, h.digit, o.stage FROM hundred h JOIN tens o USING (id) WHERE h.number NOT IN (SELECT number FROM target); :spent
SELECT count(*) FROM target;
MERGE INTO target t USING (SELECT h.number, o.stage FROM hundred h JOIN tens o USING (id)) s ON s.number = t.number
  WHEN MATCHED AND s.stage = 'Discovery' THEN DELETE WHEN MATCHED THEN UPDATE SET stage = s.stage || '!';
:spent
SELECT count(*), sum((t.stage = o.stage || '!')::int), sum((t.stage = 'Discovery!')::int) FROM target t JOIN local_side.tens o USING (id);
-- The foreign table is the source.
MERGE INTO target t USING tens o ON o.id = t.id WHEN MATCHED THEN UPDATE SET stage = o.stage;
:spent
SELECT count(*), sum((t.stage = o.stage)::int) FROM target t JOIN local_side.tens o USING (id);
-- Row locks
BEGIN;
SELECT count(*) FROM (SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) FOR UPDATE OF t) s; :spent
SELECT count(*) FROM (SELECT t.number, o FROM hundred t LEFT JOIN tens o USING (id) FOR SHARE OF t) s; :spent
SELECT count(*) FROM (SELECT t.number, o.stage FROM small t JOIN tens o USING (id) FOR UPDATE) s; :spent
SELECT t.number FROM hundred t JOIN tens o USING (id) WHERE o.status = 'open' ORDER BY t.number LIMIT 2 FOR UPDATE OF t SKIP LOCKED; :spent
COMMIT;

--
-- Plans
--
-- A partitioned table, and a table with a child
CREATE TABLE part (number int, id uuid, digit int) PARTITION BY LIST (digit);
CREATE TABLE part_low PARTITION OF part FOR VALUES IN (0, 1, 2, 3, 4);
CREATE TABLE part_high PARTITION OF part FOR VALUES IN (5, 6, 7, 8, 9);
INSERT INTO part SELECT number, id, digit FROM hundred;
ANALYZE part;
CREATE TABLE child () INHERITS (hundred);
SELECT in_any_order($$ SELECT t.number, o.stage FROM part t JOIN tens o USING (id) $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage, t.tableoid::regclass FROM part t LEFT JOIN tens o USING (id) WHERE t.digit > 3 $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM part t JOIN tens o USING (id) WHERE t.digit = 4 $$); :spent
SET enable_partitionwise_join = on;
SELECT in_any_order($$ SELECT t.number, o.stage FROM part t JOIN part u USING (digit, number) JOIN tens o ON o.id = t.id $$); :spent
RESET enable_partitionwise_join;
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) $$); :spent
DROP TABLE child;

-- Whole rows and system columns
SELECT in_any_order($$ SELECT t, o FROM hundred t JOIN tens o USING (id) $$); :spent
SELECT in_any_order($$ SELECT t, o FROM hundred t LEFT JOIN tens o ON o.id = t.id AND o.status = 'open' $$); :spent
SELECT in_any_order($$ SELECT (t).number, (t).ctid IS NOT NULL, row_to_json(o) FROM hundred t LEFT JOIN tens o USING (id) $$); :spent
SELECT DISTINCT t.tableoid::regclass, o.tableoid::regclass, t.xmin = t.xmin FROM hundred t JOIN tens o USING (id); :spent
SELECT in_any_order($$ SELECT t.* FROM hundred t JOIN tens o USING (id) WHERE (t.ctid)::text <> '' AND (t IS NOT NULL) $$); :spent
SELECT in_any_order($$ SELECT count(*), count(t), count(o) FROM hundred t LEFT JOIN tens o ON o.id = t.id AND o.amount IS NULL $$); :spent

-- Expressions on the nullable side of an outer join
SELECT in_any_order($$ SELECT t.number, s.one, s.stage, s.x FROM hundred t LEFT JOIN (SELECT id, 1 AS one, stage, coalesce(stage, 'none') AS x FROM tens WHERE status = 'open') s ON s.id = t.id $$); :spent
SELECT in_any_order($$ SELECT u.number, s.one, s.stage, s.key FROM thousand u LEFT JOIN (SELECT t.number, 1 AS one, o.stage, coalesce(t.id, t.other) AS key
  FROM hundred t JOIN tens o ON o.id = coalesce(t.id, t.other)) s ON s.number = u.number $$); :spent
SELECT in_any_order($$ SELECT t.number, s.key, o.stage FROM hundred t LEFT JOIN (SELECT number, coalesce(id, other) AS key FROM small) s ON s.number = t.number
  LEFT JOIN tens o ON o.id = s.key $$); :spent
SELECT in_any_order($$ SELECT t.number, s.key, o.stage FROM hundred t LEFT JOIN (SELECT number, coalesce(id, other) AS key FROM small) s ON s.number = t.number
  LEFT JOIN tens o ON o.id = coalesce(s.key, t.other) $$); :spent
SELECT in_any_order($$ SELECT t.number, s.number, o.stage FROM hundred t LEFT JOIN small s ON s.number = t.number LEFT JOIN tens o ON o.id = s.id LEFT JOIN tens p ON p.id = t.other $$); :spent
SELECT in_any_order($$ SELECT t.number, s.stage, s.label FROM hundred t LEFT JOIN (SELECT s.number, o.stage, s.digit || o.stage AS label FROM small s LEFT JOIN tens o ON o.id = s.id) s ON s.number = t.number $$); :spent
SELECT in_any_order($$ SELECT t.number, s.k, l.stage, l.k FROM hundred t LEFT JOIN (SELECT number, 'k' AS k FROM small) s USING (number)
  LEFT JOIN LATERAL (SELECT o.stage, s.k FROM tens o WHERE o.id = t.id) l ON true $$); :spent
SELECT in_any_order($$ SELECT a.number, b.number, o.stage FROM small a LEFT JOIN hundred b ON b.number = a.number + 3 AND b.digit < 6 FULL JOIN thousand c ON c.number = b.number
  LEFT JOIN tens o ON o.id = b.id WHERE c.number < 110 $$); :spent

-- Conditions without a column. Before PostgreSQL 17, the planner offers no lookup
-- here.
SELECT in_any_order($$ SELECT t.number, o.stage FROM small t JOIN tens o ON o.id = t.id AND current_setting('server_version_num')::int > 0 $$);
SELECT in_any_order($$ SELECT t.number, o.stage FROM small t JOIN tens o ON o.id = t.id WHERE current_setting('server_version_num')::int < 0 $$);
SELECT in_any_order($$ SELECT t.number, o.stage FROM small t LEFT JOIN tens o ON o.id = t.id AND current_setting('server_version_num')::int < 0 $$);
SELECT in_any_order($$ SELECT t.number, o.stage FROM small t JOIN tens o ON o.id = t.id AND random() >= 0 $$);
\set now `$REEVO_CTL requests`

-- A rescan of a lookup with other parameters
SELECT in_any_order($$ SELECT s.number, (SELECT string_agg(o.stage, ' ' ORDER BY h.number) FROM hundred h JOIN tens o USING (id) WHERE h.digit = s.digit) FROM small s $$); :spent
SELECT in_any_order($$ SELECT s.number, l.n FROM small s LEFT JOIN LATERAL (SELECT count(*) AS n FROM hundred h JOIN tens o ON o.id = h.other WHERE h.digit < s.digit AND o.status = 'open') l ON true $$); :spent
SELECT in_any_order($$ SELECT s.number FROM small s WHERE s.number = ANY (ARRAY(SELECT h.number FROM hundred h JOIN tens o ON o.id = h.id WHERE h.digit = s.digit OFFSET 0)) $$); :spent
SELECT in_any_order($$ SELECT s.number, l.number, l.stage FROM small s, LATERAL (SELECT h.number, o.stage FROM hundred h JOIN tens o ON o.id = h.id WHERE h.digit = s.digit LIMIT 3) l $$);
\set now `$REEVO_CTL requests`
-- The key comes from an outer query level.
SELECT in_any_order($$ SELECT s.number, (SELECT count(o.stage) FROM hundred h JOIN tens o ON o.id = CASE WHEN h.digit = 1 THEN s.id ELSE h.id END WHERE h.digit < 2) FROM small s $$); :spent
SELECT in_any_order($$ SELECT s.number, (SELECT count(o.stage) FROM (SELECT * FROM hundred ORDER BY digit, number LIMIT 20) h JOIN tens o ON o.id = CASE WHEN h.digit = 1 THEN s.id ELSE h.id END) FROM small s $$); :spent
-- A rescan without parameters, and a scan that ends early
SET enable_material = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT in_any_order($$ SELECT s.number, j.number, j.stage FROM small s JOIN (SELECT h.number, o.stage FROM (SELECT * FROM hundred ORDER BY number LIMIT 30) h LEFT JOIN tens o USING (id) OFFSET 0) j ON j.number <= s.number + 10 $$); :spent
SELECT in_any_order($$ SELECT s.number FROM small s WHERE EXISTS (SELECT FROM (SELECT h.number, o.stage FROM (SELECT * FROM hundred ORDER BY number LIMIT 30) h JOIN tens o USING (id) OFFSET 0) j WHERE j.number = s.number + 10) $$);
\set now `$REEVO_CTL requests`
RESET enable_material;
RESET enable_hashjoin;
RESET enable_mergejoin;

--
-- Small work_mem
--
CREATE TABLE wide AS SELECT *, repeat(md5(number::text), 32) AS filler FROM thousand;
ANALYZE wide;
SET work_mem = '64kB';
SELECT in_any_order($$ SELECT t.number, o.stage FROM wide t JOIN opportunity o USING (id) $$);
SELECT in_any_order($$ SELECT t.number, t.filler, o.* FROM wide t LEFT JOIN opportunity o ON o.id = t.other $$);
SELECT in_any_order($$ SELECT t.number, o.stage, p.stage FROM thousand t JOIN opportunity o ON o.id = t.id JOIN opportunity p ON p.id = t.other $$);
SELECT count(*), count(o.display_name) FROM opportunity o WHERE id = ANY (ids(0, 999));
RESET work_mem;
\set now `$REEVO_CTL requests`

--
-- The setting enable_batch_lookup
--
SHOW opportunity_fdw.enable_batch_lookup;
SELECT plan_of($$ SELECT FROM hundred t JOIN tens o USING (id) $$);
SET opportunity_fdw.enable_batch_lookup = off;
SELECT plan_of($$ SELECT FROM hundred t JOIN tens o USING (id) $$);
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) $$); :spent
SELECT in_any_order($$ SELECT t.number, o.stage FROM hundred t LEFT JOIN tens o ON o.id = t.other AND o.status = 'open' $$); :spent
SELECT in_any_order($$ SELECT t.number FROM hundred t WHERE NOT EXISTS (SELECT FROM tens o WHERE o.id = t.other AND o.status = 'open') $$); :spent
SELECT in_any_order($$ SELECT o.* FROM tens o WHERE id IN (SELECT id FROM hundred) $$); :spent
SELECT in_any_order($$ SELECT o.* FROM tens o WHERE id = ANY (ARRAY(SELECT id FROM hundred)) $$); :spent
RESET opportunity_fdw.enable_batch_lookup;
-- Any role can change it.
CREATE ROLE lookup_reader;
SET ROLE lookup_reader;
SET opportunity_fdw.enable_batch_lookup = off;
RESET ROLE;
RESET opportunity_fdw.enable_batch_lookup;
DROP ROLE lookup_reader;

--
-- EXPLAIN
--
CREATE FUNCTION explained(query text, options text DEFAULT 'COSTS OFF') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, query) LOOP
    line := regexp_replace(line, '^.*((Custom|Foreign) Scan)', '\1');
    line := regexp_replace(line, ' \((actual|never).*\)$', '');
    IF line ~ '(Custom|Foreign) Scan|Lookup Key|Request|API Calls|Retries|Batches|Distinct Keys|Cache Hits|Prefetched|Id:' THEN
      RETURN NEXT btrim(line);
    END IF;
  END LOOP;
END $$;
\set analyzed 'ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF'
SELECT explained($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o USING (id) $$); :spent
SELECT explained($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) $$, 'COSTS OFF, VERBOSE'); :spent
SELECT explained($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o USING (id) $$, :'analyzed'); :spent
SELECT explained($$ SELECT t.number, o.stage FROM thousand t JOIN opportunity o ON o.id = id(t.number % 50) $$, :'analyzed'); :spent
SELECT explained($$ SELECT t.number, o.stage FROM thousand t JOIN tens o ON o.id = id(t.number % 50 + t.number / 200) $$, :'analyzed'); :spent
SELECT explained($$ SELECT t.number, o.stage FROM small t LEFT JOIN tens o ON o.id = CASE WHEN t.digit = 4 THEN id(1234) ELSE t.id END $$, :'analyzed'); :spent
SELECT explained($$ SELECT t.number, o.stage FROM small t JOIN tens o ON o.id IN (t.id, t.other) AND o.id = ANY (ids(103, 104)) $$);
SELECT explained($$ SELECT t.number, o.stage FROM hundred t JOIN tens o ON o.id = t.id OR o.id = t.other OR (o.id = coalesce(t.id, t.other) AND o.id::text = t.id_text) $$, :'analyzed'); :spent
SELECT explained($$ SELECT t.number, o.stage FROM hundred t LEFT JOIN tens o ON o.id = t.id LEFT JOIN tens p ON p.id = t.id AND p.status = o.status $$, :'analyzed'); :spent
SELECT explained($$ SELECT FROM small t JOIN tens o ON o.id = coalesce(t.id, t.other) JOIN account a ON a.id = o.account_id $$, 'COSTS OFF, VERBOSE');
SELECT explained($$ SELECT t.number, (SELECT count(o.stage) FROM hundred h JOIN tens o ON o.id = h.id WHERE h.digit = t.digit) FROM small t $$, :'analyzed'); :spent
SELECT explained($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) WHERE t.number < 0 $$, :'analyzed'); :spent
ALTER FOREIGN TABLE tens OPTIONS (ADD use_query 'false');
SELECT explained($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) $$, :'analyzed'); :spent
ALTER FOREIGN TABLE tens OPTIONS (DROP use_query);
\! $REEVO_CTL behave '{"fail_first": 1, "retry_after": 0}'
SELECT explained($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) $$, :'analyzed'); :spent
\! $REEVO_CTL behave '{"fail_first": null, "retry_after": null}'
-- The lookup node as JSON
CREATE FUNCTION explained_json(query text, options text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE format('EXPLAIN (FORMAT JSON, %s) %s', options, query) INTO plan;
  RETURN QUERY
    WITH RECURSIVE nodes (node) AS (
      SELECT plan -> 0 -> 'Plan' UNION ALL SELECT child FROM nodes, jsonb_array_elements(node -> 'Plans') child)
    SELECT concat(key, ': ', value) FROM nodes, jsonb_each(node)
      WHERE node ->> 'Custom Plan Provider' = 'Batch Lookup'
        AND key IN ('Custom Plan Provider', 'Lookup Key', 'Remote Request', 'Lookup Batches', 'Distinct Keys', 'API Calls', 'Retries', 'Cache Hits', 'Prefetched', 'Parent Relationship')
      ORDER BY key COLLATE "C";
END $$;
SELECT explained_json($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) $$, 'VERBOSE'); :spent
SELECT explained_json($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) $$, 'ANALYZE'); :spent
SELECT explained_json($$ SELECT t.number, o.stage FROM hundred t JOIN tens o USING (id) $$, 'ANALYZE, VERBOSE, BUFFERS'); :spent

DROP SCHEMA lookup, foreign_side, local_side CASCADE;
DROP SERVER lookup CASCADE;
