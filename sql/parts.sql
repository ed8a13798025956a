-- SPDX-License-Identifier: PostgreSQL
--
-- A list of more values than a filter may have is sent in parts: each query has
-- up to 100 of the values.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER parts FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url', max_retry_wait '0.1');
CREATE USER MAPPING FOR CURRENT_USER SERVER parts OPTIONS (api_key 'test-key');
CREATE SCHEMA parts;
CREATE SCHEMA parts_foreign;
CREATE SCHEMA parts_local;
SET search_path = parts, parts_foreign;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
SET max_parallel_workers_per_gather = 0;
-- Tables that make requests one after another, or in parallel; with small pages;
-- with one page for all records; and with a limit of requests
CREATE FOREIGN TABLE parts_foreign.o (id uuid, display_name text, status text, amount numeric, created_at timestamptz, closed_at timestamptz,
  account_id uuid) SERVER parts OPTIONS (max_concurrency '1');
CREATE FOREIGN TABLE parts_foreign.parallel (id uuid, status text, account_id uuid) SERVER parts;
CREATE FOREIGN TABLE parts_foreign.thirties (id uuid, status text, account_id uuid) SERVER parts OPTIONS (page_size '30', max_concurrency '1');
CREATE FOREIGN TABLE parts_foreign.fives (id uuid, account_id uuid) SERVER parts OPTIONS (page_size '5', max_concurrency '1');
CREATE FOREIGN TABLE parts_foreign.one_page (id uuid, account_id uuid) SERVER parts OPTIONS (page_size '1000', max_concurrency '1');
CREATE FOREIGN TABLE parts_foreign.limited (id uuid, account_id uuid) SERVER parts OPTIONS (max_requests '3');
\pset format unaligned
\pset tuples_only on
\pset null NULL
CREATE TABLE parts_local.o AS SELECT * FROM o;
CREATE TABLE parts_local.parallel AS SELECT id, status, account_id FROM parts_local.o;
CREATE TABLE parts_local.thirties AS TABLE parts_local.parallel;
CREATE TABLE parts_local.one_page AS SELECT id, account_id FROM parts_local.o;
CREATE TABLE parts_local.fives AS TABLE parts_local.one_page;
CREATE TABLE parts_local.limited AS TABLE parts_local.one_page;
SELECT count(*), count(DISTINCT account_id) FROM parts_local.o;

CREATE FUNCTION account_id(number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-9000-' || lpad(number::text, 12, '0'))::uuid $$;
-- This many accounts: only the last 20 have opportunities.
CREATE FUNCTION accounts(number int) RETURNS uuid[] LANGUAGE sql IMMUTABLE AS
$$ SELECT array_agg(parts.account_id(CASE WHEN n > number - 20 THEN n - number + 20 ELSE 1000 + n END) ORDER BY n) FROM generate_series(1, number) n $$;
CREATE FUNCTION names(number int) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$ SELECT array_agg('name ' || n) FROM generate_series(1, number) n $$;

-- same compares the rows of a query over the foreign and the local tables.
CREATE FUNCTION rows_of(side text, query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  found text[] := '{}';
  r record;
BEGIN
  PERFORM set_config('search_path', 'parts, ' || side, true);
  FOR r IN EXECUTE query LOOP
    found := found || r::text;
  END LOOP;
  RETURN found;
END $$;
CREATE FUNCTION same(query text, in_order bool DEFAULT false) RETURNS text LANGUAGE plpgsql SET search_path = parts AS $$
DECLARE
  found text[] := parts.rows_of('parts_foreign', query);
  wanted text[] := parts.rows_of('parts_local', query);
BEGIN
  IF NOT in_order THEN
    found := ARRAY(SELECT f FROM unnest(found) f ORDER BY f COLLATE "C");
    wanted := ARRAY(SELECT w FROM unnest(wanted) w ORDER BY w COLLATE "C");
  END IF;
  RETURN cardinality(found) || ' rows, ' || CASE WHEN found = wanted THEN 'the same' ELSE 'NOT THE SAME' END;
END $$;
-- :sent prints the queries since its last use: the operators of the filters, with
-- the number of values; the sort, the limit, and whether there is a cursor.
CREATE FUNCTION sent(stats jsonb) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT 'sent: ' || coalesce((SELECT string_agg(format('%s %s', filter ->> 'field', filter ->> 'operator')
        || CASE jsonb_typeof(filter -> 'value') WHEN 'array' THEN format(' %s values', jsonb_array_length(filter -> 'value')) ELSE '' END, ', ')
      FROM jsonb_array_elements(body -> 'filters') filter), 'no filter')
    || coalesce('; sort ' || (body -> 'sort' -> 0 ->> 'field'), '') || '; limit ' || (body ->> 'limit')
    || CASE WHEN body ? 'cursor' THEN '; next page' ELSE '' END
    || CASE entry ->> 'status' WHEN '200' THEN '' ELSE ' -> ' || (entry ->> 'status') END
  FROM jsonb_array_elements(stats -> 'log') WITH ORDINALITY l (entry, place), LATERAL (SELECT (entry ->> 'body')::jsonb AS body) b
  WHERE entry ->> 'path' LIKE '%/\_query' ORDER BY place
$$;
\set sent '\\set stats `$REEVO_CTL stats; $REEVO_CTL reset` \\\\ SELECT sent(:''stats'');'
\set refused '\\set stats `$REEVO_CTL stats; $REEVO_CTL reset` \\\\ SELECT ''refused: '' || count(*) FROM sent(:''stats'') s WHERE s LIKE ''%-> 4%'';'
\set spent '\\echo requests: `$REEVO_CTL requests; $REEVO_CTL reset`'
\set few '\\echo requests, 5 or 6: `$REEVO_CTL requests | sed s/[56]/yes/; $REEVO_CTL reset`'
\! $REEVO_CTL reset

--
-- The number of queries
--
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(100)) $$); :sent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(101)) $$); :sent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) $$); :sent
SELECT same(format('SELECT * FROM o WHERE account_id IN (%s)', string_agg(quote_literal(a), ', '))) FROM unnest(accounts(250)) a; :sent
-- Duplicates and NULLs do not count.
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(110) || NULL || accounts(120) || accounts(130)) $$); :sent
-- A parameter
SET plan_cache_mode = force_generic_plan;
PREPARE by_accounts (uuid[]) AS SELECT count(*) FROM o WHERE account_id = ANY ($1);
EXECUTE by_accounts (accounts(250)); :sent
EXECUTE by_accounts (accounts(10)); :sent
DEALLOCATE by_accounts;
RESET plan_cache_mode;
-- Texts. One that the API may compare in another way prevents the filter.
SELECT same($$ SELECT * FROM o WHERE status = ANY (ARRAY(SELECT 'status ' || n FROM generate_series(1, 150) n) || 'open'::text) $$); :sent
SELECT same($$ SELECT * FROM o WHERE status = ANY (ARRAY(SELECT 'status ' || n FROM generate_series(1, 150) n) || ' '::text) $$); :spent
-- Timestamps and numbers have a range.
SELECT same($$ SELECT * FROM o WHERE amount = ANY (ARRAY(SELECT n::numeric FROM generate_series(1, 1000) n)) $$); :spent
-- Each part has the other filters, and further pages.
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) AND status = 'open' AND created_at > '2024-01-01' $$); :sent
SELECT same($$ SELECT * FROM thirties WHERE account_id = ANY (accounts(150)) $$); :sent
-- The pages without the list are fewer than the parts. Without statistics, these
-- are the pages of 1000 records.
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(1000)) $$); :spent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(1001)) $$); :spent
SELECT same($$ SELECT * FROM one_page WHERE account_id = ANY (accounts(101)) $$); :spent
-- More parts without records than a query may have pages without records
SELECT same($$ SELECT * FROM fives WHERE account_id = ANY (accounts(10600)) $$); :spent
ANALYZE o;
\! $REEVO_CTL reset
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) AND created_at > '2024-12-01' $$); :sent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) AND created_at > '2023-02-01' $$); :sent
-- The shorter of two long lists is sent in parts. A short one is always sent.
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) AND status = ANY (ARRAY(SELECT 'status ' || n FROM generate_series(1, 150) n) || 'open'::text)
  AND display_name = ANY (names(100)) $$); :sent
-- No part is sent of a list in OR or NOT.
SELECT same($$ SELECT * FROM o WHERE account_id <> ALL (accounts(101)) $$); :spent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(101)) OR status = 'open' $$); :spent

--
-- Orders and limits
--
-- A sorted scan with a limit sends no part. PostgreSQL chooses between the sorted
-- pages of the table and the parts, by cost. The rows of parts are sorted locally.
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (ARRAY(SELECT unnest(accounts(250)))) ORDER BY created_at, id $$, true); :sent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (ARRAY(SELECT unnest(accounts(250)))) ORDER BY created_at, id LIMIT 100 $$, true); :sent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) ORDER BY created_at, id $$, true); :sent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) ORDER BY created_at DESC, id LIMIT 5 $$, true); :sent
SELECT same($$ SELECT * FROM o WHERE display_name = ANY (names(150)) ORDER BY created_at LIMIT 60 $$, true); :sent
-- A limit needs no further parts.
SELECT count(*) FROM (SELECT FROM o WHERE account_id = ANY (accounts(250)) LIMIT 5) l; :sent
SELECT count(*) FROM (SELECT FROM o WHERE account_id = ANY (accounts(20) || accounts(250)) LIMIT 5) l; :sent
SELECT EXISTS (SELECT FROM o WHERE account_id = ANY (accounts(20) || accounts(250))); :sent
BEGIN;
DECLARE c CURSOR FOR SELECT account_id FROM parallel WHERE account_id = ANY (account_id(1) || accounts(250));
FETCH 1 FROM c; :sent
MOVE ALL FROM c; :spent
DECLARE d CURSOR FOR SELECT account_id FROM parallel WHERE account_id = ANY (ARRAY(SELECT account_id(n) FROM generate_series(0, 199) n) || accounts(250));
-- The order in which two responses arrive decides.
MOVE 320 FROM d; :few
COMMIT;
SELECT count(*) FROM limited WHERE account_id = ANY (accounts(300)); :spent
SELECT count(*) FROM limited WHERE account_id = ANY (accounts(301)); :spent

--
-- Requests in parallel: the first one, then as many as max_concurrency
--
\! $REEVO_CTL behave '{"delay_ms": 50}'
SELECT same($$ SELECT * FROM parallel WHERE account_id = ANY (accounts(880)) $$);
\! echo in flight: `$REEVO_CTL max_in_flight`
:spent
SELECT same($$ SELECT id FROM parallel WHERE account_id = ANY (accounts(250)) UNION ALL SELECT id FROM parallel WHERE account_id = ANY (accounts(150)) $$); :spent
-- A cancel
\! $REEVO_CTL behave '{"stall": "headers"}'
SET statement_timeout = '300ms';
\set VERBOSITY sqlstate
SELECT count(*) FROM parallel WHERE account_id = ANY (accounts(880));
RESET statement_timeout;
\set VERBOSITY default
\! $REEVO_CTL reset
SELECT same($$ SELECT * FROM parallel WHERE account_id = ANY (accounts(250)) $$); :spent

--
-- Rescans: the same list is sent once more, and then its rows are kept.
--
CREATE TABLE lists AS SELECT n, accounts(CASE WHEN n < 4 THEN 250 ELSE 150 END) AS list FROM generate_series(1, 5) n;
SELECT same($$ SELECT l.n, o.id FROM (SELECT * FROM lists ORDER BY n) l, LATERAL (SELECT id FROM o WHERE account_id = ANY (l.list) OFFSET 0) o $$); :spent

--
-- EXPLAIN shows the last part.
--
CREATE FUNCTION explained(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, SUMMARY OFF, TIMING OFF) ' || query LOOP
    IF line ~ 'Remote|Pages|Records|Calls|Scan|Sort' THEN
      RETURN NEXT regexp_replace(trim(regexp_replace(line, '\(actual.*\)', '')), '\$\d|\(InitPlan \d\)\.col1', '(subquery)');
    END IF;
  END LOOP;
END $$;
SELECT explained($$ SELECT id FROM o WHERE account_id = ANY (ARRAY(SELECT account_id(n) FROM generate_series(1, 202) n)) $$); :spent

--
-- The API refuses the number of values: the parts become smaller, and the session
-- notes the size.
--
\! $REEVO_CTL behave '{"in_limit": 60}'
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) $$); :sent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(120)) $$); :sent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(60)) $$); :sent
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"in_limit": 60, "refuse_status": 422}'
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(70)) AND status = 'open' $$); :sent
SELECT public.opportunity_fdw_disconnect();
-- Too many parts for the table
\! $REEVO_CTL behave '{"in_limit": 15}'
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) $$); :sent
-- A value is refused in the first part, or in the second one.
\! $REEVO_CTL behave '{"bad_ids": ["00000000-0000-4000-9000-000000001001"]}'
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) $$); :sent
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"bad_ids": ["00000000-0000-4000-9000-000000000019"]}'
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(20) || accounts(250)) $$); :sent
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"bad_ids": ["00000000-0000-4000-9000-000000001150"]}'
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(20) || accounts(250)) $$); :sent
SELECT same($$ SELECT * FROM parallel WHERE account_id = ANY (accounts(20) || accounts(250)) $$); \! $REEVO_CTL reset
SELECT public.opportunity_fdw_disconnect();
-- The records of many pages come again.
\! $REEVO_CTL behave '{"bad_ids": ["00000000-0000-4000-9000-000000001001"]}'
SELECT same($$ SELECT * FROM fives WHERE account_id = ANY (ARRAY(SELECT account_id(n) FROM generate_series(0, 199) n) || accounts(30)) AND account_id <> '3c90c3cc-0d44-4b50-8888-8dd25736052a' $$); \! $REEVO_CTL reset
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"bad_ids": ["00000000-0000-4000-9000-000000001150"]}'
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (ARRAY(SELECT unnest(accounts(20) || accounts(250)))) ORDER BY created_at, id $$, true); :spent
SELECT public.opportunity_fdw_disconnect();
-- No part is skipped although the next one is already requested.
\! $REEVO_CTL behave '{"bad_ids": ["00000000-0000-4000-9000-000000001160"]}'
SELECT same($$ SELECT * FROM parallel WHERE account_id = ANY (ARRAY(SELECT account_id(n) FROM generate_series(1001, 1160) n) || ARRAY(SELECT account_id(n) FROM generate_series(0, 30) n)
  || ARRAY(SELECT account_id(n) FROM generate_series(1201, 1290) n)) $$); \! $REEVO_CTL reset
SELECT public.opportunity_fdw_disconnect();
-- The operator is refused. The next parts are requested after the first page.
\! $REEVO_CTL behave '{"refuse_operators": ["in"]}'
SELECT same($$ SELECT * FROM parallel WHERE account_id = ANY (accounts(880)) $$); :refused
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"refuse_operators": ["in"]}'
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) $$); :sent
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(250)) $$); :spent
SELECT public.opportunity_fdw_disconnect();

--
-- Records that several parts return
--
\! $REEVO_CTL behave '{"case_insensitive": true}'
SELECT same($$ SELECT * FROM o WHERE status = ANY (ARRAY(SELECT 'status ' || n FROM generate_series(1, 150) n) || '{open,OPEN}'::text[] || ARRAY(SELECT 'state ' || n FROM generate_series(1, 99) n) || 'Open'::text) $$); :spent
\! $REEVO_CTL behave '{"ignore_filters": true}'
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(150)) $$); \! $REEVO_CTL reset
-- The API limits the results of each query.
\! $REEVO_CTL behave '{"result_cap": 50, "total": true}'
SELECT same($$ SELECT * FROM o WHERE account_id = ANY (accounts(20) || accounts(150) || ARRAY(SELECT account_id(n) FROM generate_series(20, 190) n)) $$); \! $REEVO_CTL reset
SELECT same($$ SELECT * FROM parallel WHERE account_id = ANY (accounts(20) || accounts(150) || ARRAY(SELECT account_id(n) FROM generate_series(20, 190) n)) $$); \! $REEVO_CTL reset
\! $REEVO_CTL behave '{"result_cap": 30, "cap_how": "refuse"}'
SELECT same($$ SELECT * FROM thirties WHERE account_id = ANY (ARRAY(SELECT account_id(n) FROM generate_series(1, 250) n)) $$); \! $REEVO_CTL reset
\! $REEVO_CTL behave '{"expire_cursors_after": 1, "expire_cursors_times": 3}'
SELECT same($$ SELECT * FROM thirties WHERE account_id = ANY (ARRAY(SELECT account_id(n) FROM generate_series(1, 250) n)) $$); \! $REEVO_CTL reset

-- Records without created_at, in each part
CREATE FOREIGN TABLE parts_foreign.tens (id uuid, account_id uuid) SERVER parts OPTIONS (page_size '10');
CREATE TABLE parts_local.tens AS TABLE parts_local.one_page;
SELECT min(id::text) AS first, max(id::text) AS last FROM parts_local.o WHERE account_id IN (account_id(50), account_id(150)) \gset
\setenv FIRST :first
\setenv LAST :last
\! for id in $FIRST $LAST; do $REEVO_CTL attributes $id '{"created_at": null}'; done
SELECT same($$ SELECT * FROM tens WHERE account_id = ANY (account_id(50) || ARRAY(SELECT account_id(n) FROM generate_series(0, 199) n) || account_id(150)) $$); \! $REEVO_CTL reset
SELECT same($$ SELECT * FROM tens WHERE account_id = ANY (account_id(150) || ARRAY(SELECT account_id(n) FROM generate_series(0, 199) n)) $$); \! $REEVO_CTL reset

DROP SCHEMA parts, parts_foreign, parts_local CASCADE;
DROP SERVER parts CASCADE;
