-- SPDX-License-Identifier: PostgreSQL
--
-- Scans of a whole table: what is sent, and how often. A thousand records in
-- pages of a hundred are ten requests; fewer are wanted, fewer are sent.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER scan FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url', max_retry_wait '0.1');
CREATE USER MAPPING FOR CURRENT_USER SERVER scan OPTIONS (api_key 'test-key');
CREATE SCHEMA scan;
SET search_path = scan;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
SET max_parallel_workers_per_gather = 0;
IMPORT FOREIGN SCHEMA reevo FROM SERVER scan INTO scan OPTIONS (discover 'false');
-- Page after page, so that it is known which request is which.
CREATE FOREIGN TABLE calm (id uuid, created_at timestamptz, updated_at timestamptz, closed_at timestamptz, display_name text, status text,
  amount numeric, account_id uuid, stage text) SERVER scan OPTIONS (max_concurrency '1');
CREATE FOREIGN TABLE sevens (id uuid, created_at timestamptz) SERVER scan OPTIONS (max_concurrency '1', page_size '7');
CREATE FOREIGN TABLE contact (id uuid, display_name text) SERVER scan OPTIONS (max_concurrency '1', record_type 'contact');
CREATE FOREIGN TABLE by_id (id uuid, status text) SERVER scan OPTIONS (use_query 'false');
CREATE FOREIGN TABLE thrifty (id uuid, status text) SERVER scan OPTIONS (max_concurrency '1', max_requests '3');

-- The bodies of the queries in a simulator's log, without the cursors' values.
CREATE FUNCTION bodies(stats jsonb) RETURNS SETOF text LANGUAGE sql AS $$
SELECT regexp_replace((entry ->> 'body')::jsonb::text, '"cursor": "[^"]*"', '"cursor": "..."') || CASE WHEN (entry ->> 'status') <> '200' THEN ' -> ' || (entry ->> 'status') ELSE '' END
FROM jsonb_array_elements(stats -> 'log') WITH ORDINALITY l (entry, place) WHERE entry ->> 'method' = 'POST' ORDER BY place $$;
-- :spent prints the requests since the last of these, :sent the queries,
-- :spent_at_most whether there were no more than a number.
\set spent '\\echo requests: `$REEVO_CTL requests; $REEVO_CTL reset`'
\set sent '\\set stats `$REEVO_CTL stats; $REEVO_CTL reset` \\\\ SELECT ''sent: '' || b FROM bodies(:''stats'') b;'
\set spent_at_most '\\echo requests: `n=$($REEVO_CTL requests); $REEVO_CTL reset; test $n -le $MOST && echo at most $MOST || echo $n`'
\pset format unaligned
\pset tuples_only on
\pset null NULL

--
-- Pages. All 1000 records take one query more: it verifies that they are not the
-- API's limit.
--
SELECT count(*), count(DISTINCT id::text) FROM calm; :spent
SELECT count(*), count(DISTINCT id::text) FROM sevens; :spent
SELECT count(*), count(DISTINCT id::text) FROM contact; :sent
SELECT count(*) FROM calm WHERE length(display_name) < 0; :spent
-- Archived records are there, or are not.
SELECT count(*), count(archived_at) FROM opportunity; \! $REEVO_CTL reset
ALTER SERVER scan OPTIONS (ADD include_archived 'false');
SELECT count(*), count(archived_at) FROM opportunity; \! $REEVO_CTL reset
ALTER SERVER scan OPTIONS (DROP include_archived);
-- Several at once: a page for the start, one for each end of created_at, one for
-- records without it, and for each of eight ranges a page begun and not full.
\setenv MOST 29
SELECT count(*), count(DISTINCT id::text) FROM opportunity; :spent_at_most

--
-- No request at all
--
SELECT count(*) FROM calm WHERE false; :spent
SELECT count(*) FROM calm WHERE status = NULL; :spent
SELECT count(*) FROM calm WHERE account_id = ANY ('{}'); :spent
SELECT count(*) FROM calm WHERE created_at > (SELECT NULL::timestamptz); :spent
SELECT id FROM calm LIMIT 0; :spent
EXPLAIN (COSTS OFF) SELECT id FROM calm; :spent

--
-- Limits
--
SELECT count(*) FROM (SELECT FROM calm LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT FROM calm LIMIT 20 OFFSET 5) s; :sent
SELECT count(*) FROM (SELECT FROM calm LIMIT 100) s; :sent
SELECT count(*) FROM (SELECT FROM calm LIMIT 101) s; :spent
SELECT count(*) FROM (SELECT FROM calm LIMIT 250) s; :spent
SELECT count(*) FROM (SELECT FROM opportunity LIMIT 20) s; :sent
-- What is left out here may leave too few of a small page.
SELECT count(*) FROM (SELECT FROM calm WHERE length(display_name) > 20 LIMIT 5) s; :sent
SELECT EXISTS (SELECT FROM calm); :sent
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM calm;
\o /dev/null
FETCH 10 FROM c;
\o
:spent
\o /dev/null
FETCH 80 FROM c;
\o
:spent
CLOSE c;
COMMIT;

--
-- The order
--
SELECT count(*) FROM (SELECT created_at FROM calm ORDER BY created_at DESC LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT created_at FROM opportunity ORDER BY created_at DESC LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT created_at FROM calm ORDER BY created_at LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT id FROM calm ORDER BY id LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT closed_at FROM calm WHERE closed_at IS NOT NULL ORDER BY closed_at DESC LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT updated_at FROM calm WHERE updated_at < '2024-01-01' ORDER BY updated_at DESC LIMIT 20) s; :sent
SELECT min(created_at), max(created_at) FROM calm; :sent
-- Not by what may be NULL, nor by texts.
SELECT count(*) FROM (SELECT closed_at FROM calm ORDER BY closed_at LIMIT 20) s; :spent
SELECT count(*) FROM (SELECT status FROM calm ORDER BY status LIMIT 20) s; :spent

--
-- Conditions
--
SELECT count(*) FROM calm WHERE status = 'open' AND created_at >= '2024-06-01 00:00:00.5'; :sent
SELECT count(*) FROM calm WHERE status = 'open' AND length(display_name) > 3; :sent
SELECT count(*) FROM calm WHERE status = 'closed' OR amount > 400000; :sent
SELECT count(*) FROM calm WHERE status = 'closed' OR length(display_name) > 20; :spent
SELECT count(*) FROM calm WHERE account_id = '00000000-0000-4000-9000-000000000003'; :sent
SELECT count(*) FROM calm WHERE updated_at >= (SELECT coalesce(max(t), '-infinity') FROM (VALUES ('2024-12-01'::timestamptz)) v (t)); :sent
SELECT count(*) FROM calm WHERE updated_at >= (SELECT coalesce(max(t), '-infinity') FROM (SELECT now() WHERE false) v (t)); :spent
SELECT count(*) FROM calm WHERE stage = 'Discovery'; :spent
SELECT count(*) FROM calm WHERE display_name LIKE 'Acme%'; :sent
-- One that the API refuses is left out.
\! $REEVO_CTL behave '{"refuse_operators": ["starts_with"]}'
SELECT count(*) FROM calm WHERE display_name LIKE 'Acme%'; :spent
-- What it does take is what EXPLAIN says was sent.
CREATE FUNCTION filter_sent(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ 'Filter JSON' THEN
      RETURN NEXT trim(line);
    END IF;
  END LOOP;
END $$;
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"refuse_operators": ["starts_with", "contains"]}'
SELECT filter_sent($$ SELECT FROM calm WHERE display_name LIKE 'Acme%' AND status = 'open' $$);
SELECT filter_sent($$ SELECT FROM calm WHERE display_name LIKE 'Acme%' AND status = 'open' $$); :spent
\! $REEVO_CTL behave '{"refuse_sort": true}'
SELECT count(*) FROM (SELECT created_at FROM calm ORDER BY created_at DESC LIMIT 20) s; :spent

--
-- Once is enough
--
SELECT count(*) FROM calm a, generate_series(1, 3) n; :spent
SELECT count(*) FROM (SELECT id, count(*) FROM calm GROUP BY id) s; :spent
WITH w AS MATERIALIZED (SELECT * FROM calm) SELECT (SELECT count(*) FROM w), (SELECT count(*) FROM w WHERE status = 'open'); :spent

--
-- Not so many
--
SELECT count(*) FROM thrifty; :spent
SELECT count(*) FROM (SELECT FROM thrifty LIMIT 250) s; :spent
SELECT count(*) FROM by_id; :spent
SELECT count(*) FROM by_id WHERE status = 'open'; :spent

--
-- Cursors
--
\! $REEVO_CTL behave '{"expire_cursors_after": 4, "expire_cursors_times": 1}'
SELECT count(*), count(DISTINCT id::text) FROM calm; :spent
\! $REEVO_CTL behave '{"short_pages": true, "cursor_under": "meta"}'
SELECT count(*), count(DISTINCT id::text) FROM calm; :spent
\! $REEVO_CTL behave '{"clamp_limit": 25, "omit_null_cursor": true}'
SELECT count(*), count(DISTINCT id::text) FROM calm; :spent

\! $REEVO_CTL reset
RESET search_path;
DROP SERVER scan CASCADE;
DROP SCHEMA scan CASCADE;
