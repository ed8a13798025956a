-- SPDX-License-Identifier: PostgreSQL
--
-- Scans of a whole table: the requests and their number. A thousand records in
-- pages of a hundred cost ten requests. A limit reduces the number.
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
-- One request at a time, so that the order of the requests is known
CREATE FOREIGN TABLE sequential (id uuid, created_at timestamptz, updated_at timestamptz, closed_at timestamptz, display_name text, status text,
  amount numeric, account_id uuid, stage text) SERVER scan OPTIONS (max_concurrency '1');
CREATE FOREIGN TABLE sevens (id uuid, created_at timestamptz) SERVER scan OPTIONS (max_concurrency '1', page_size '7');
CREATE FOREIGN TABLE contact (id uuid, display_name text) SERVER scan OPTIONS (max_concurrency '1', record_type 'contact');
CREATE FOREIGN TABLE by_id (id uuid, status text) SERVER scan OPTIONS (use_query 'false');
CREATE FOREIGN TABLE limited (id uuid, status text) SERVER scan OPTIONS (max_concurrency '1', max_requests '3');

-- bodies returns the bodies of the queries in the simulator's log, without the
-- values of cursors.
CREATE FUNCTION bodies(stats jsonb) RETURNS SETOF text LANGUAGE sql AS $$
SELECT regexp_replace((entry ->> 'body')::jsonb::text, '"cursor": "[^"]*"', '"cursor": "..."') || CASE WHEN (entry ->> 'status') <> '200' THEN ' -> ' || (entry ->> 'status') ELSE '' END
FROM jsonb_array_elements(stats -> 'log') WITH ORDINALITY l (entry, place) WHERE entry ->> 'method' = 'POST' ORDER BY place $$;
-- :spent prints the number of requests since the last use of these variables,
-- :sent prints the queries, and :spent_at_most prints whether there were at most
-- $MOST.
\set spent '\\echo requests: `$REEVO_CTL requests; $REEVO_CTL reset`'
\set sent '\\set stats `$REEVO_CTL stats; $REEVO_CTL reset` \\\\ SELECT ''sent: '' || b FROM bodies(:''stats'') b;'
\set spent_at_most '\\echo requests: `n=$($REEVO_CTL requests); $REEVO_CTL reset; test $n -le $MOST && echo at most $MOST || echo $n`'
\pset format unaligned
\pset tuples_only on
\pset null NULL

--
-- Pages. A read of all 1000 records costs one more query, to verify that 1000 is
-- not a limit of the API.
--
SELECT count(*), count(DISTINCT id::text) FROM sequential; :spent
SELECT count(*), count(DISTINCT id::text) FROM sevens; :spent
SELECT count(*), count(DISTINCT id::text) FROM contact; :sent
SELECT count(*) FROM sequential WHERE length(display_name) < 0; :spent
-- Archived records are included or excluded.
SELECT count(*), count(archived_at) FROM opportunity; \! $REEVO_CTL reset
ALTER SERVER scan OPTIONS (ADD include_archived 'false');
SELECT count(*), count(archived_at) FROM opportunity; \! $REEVO_CTL reset
ALTER SERVER scan OPTIONS (DROP include_archived);
-- Parallel ranges: one page at the start, one for each end of created_at, one for
-- records without it. Each of the eight ranges adds one page that is not full.
\setenv MOST 29
SELECT count(*), count(DISTINCT id::text) FROM opportunity; :spent_at_most

--
-- No request at all
--
SELECT count(*) FROM sequential WHERE false; :spent
SELECT count(*) FROM sequential WHERE status = NULL; :spent
SELECT count(*) FROM sequential WHERE account_id = ANY ('{}'); :spent
SELECT count(*) FROM sequential WHERE created_at > (SELECT NULL::timestamptz); :spent
SELECT id FROM sequential LIMIT 0; :spent
EXPLAIN (COSTS OFF) SELECT id FROM sequential; :spent

--
-- Limits
--
SELECT count(*) FROM (SELECT FROM sequential LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT FROM sequential LIMIT 20 OFFSET 5) s; :sent
SELECT count(*) FROM (SELECT FROM sequential LIMIT 100) s; :sent
SELECT count(*) FROM (SELECT FROM sequential LIMIT 101) s; :spent
SELECT count(*) FROM (SELECT FROM sequential LIMIT 250) s; :spent
SELECT count(*) FROM (SELECT FROM opportunity LIMIT 20) s; :sent
-- A local condition may remove too many rows of a small page.
SELECT count(*) FROM (SELECT FROM sequential WHERE length(display_name) > 20 LIMIT 5) s; :sent
SELECT EXISTS (SELECT FROM sequential); :sent
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM sequential;
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
-- ORDER BY
--
SELECT count(*) FROM (SELECT created_at FROM sequential ORDER BY created_at DESC LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT created_at FROM opportunity ORDER BY created_at DESC LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT created_at FROM sequential ORDER BY created_at LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT id FROM sequential ORDER BY id LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT closed_at FROM sequential WHERE closed_at IS NOT NULL ORDER BY closed_at DESC LIMIT 20) s; :sent
SELECT count(*) FROM (SELECT updated_at FROM sequential WHERE updated_at < '2024-01-01' ORDER BY updated_at DESC LIMIT 20) s; :sent
SELECT min(created_at), max(created_at) FROM sequential; :sent
-- Nullable columns and texts are sorted by PostgreSQL.
SELECT count(*) FROM (SELECT closed_at FROM sequential ORDER BY closed_at LIMIT 20) s; :spent
SELECT count(*) FROM (SELECT status FROM sequential ORDER BY status LIMIT 20) s; :spent

--
-- Conditions
--
SELECT count(*) FROM sequential WHERE status = 'open' AND created_at >= '2024-06-01 00:00:00.5'; :sent
SELECT count(*) FROM sequential WHERE status = 'open' AND length(display_name) > 3; :sent
SELECT count(*) FROM sequential WHERE status = 'closed' OR amount > 400000; :sent
SELECT count(*) FROM sequential WHERE status = 'closed' OR length(display_name) > 20; :spent
SELECT count(*) FROM sequential WHERE account_id = '00000000-0000-4000-9000-000000000003'; :sent
SELECT count(*) FROM sequential WHERE updated_at >= (SELECT coalesce(max(t), '-infinity') FROM (VALUES ('2024-12-01'::timestamptz)) v (t)); :sent
SELECT count(*) FROM sequential WHERE updated_at >= (SELECT coalesce(max(t), '-infinity') FROM (SELECT now() WHERE false) v (t)); :spent
SELECT count(*) FROM sequential WHERE stage = 'Discovery'; :spent
SELECT count(*) FROM sequential WHERE display_name LIKE 'Acme%'; :sent
-- The wrapper drops a filter that the API rejects.
\! $REEVO_CTL behave '{"refuse_operators": ["starts_with"]}'
SELECT count(*) FROM sequential WHERE display_name LIKE 'Acme%'; :spent
-- EXPLAIN shows the filter that the API accepted.
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
SELECT filter_sent($$ SELECT FROM sequential WHERE display_name LIKE 'Acme%' AND status = 'open' $$);
SELECT filter_sent($$ SELECT FROM sequential WHERE display_name LIKE 'Acme%' AND status = 'open' $$); :spent
\! $REEVO_CTL behave '{"refuse_sort": true}'
SELECT count(*) FROM (SELECT created_at FROM sequential ORDER BY created_at DESC LIMIT 20) s; :spent

--
-- A rescan costs no request.
--
SELECT count(*) FROM sequential a, generate_series(1, 3) n; :spent
SELECT count(*) FROM (SELECT id, count(*) FROM sequential GROUP BY id) s; :spent
WITH w AS MATERIALIZED (SELECT * FROM sequential) SELECT (SELECT count(*) FROM w), (SELECT count(*) FROM w WHERE status = 'open'); :spent

--
-- max_requests and use_query 'false'
--
SELECT count(*) FROM limited; :spent
SELECT count(*) FROM (SELECT FROM limited LIMIT 250) s; :spent
SELECT count(*) FROM by_id; :spent
SELECT count(*) FROM by_id WHERE status = 'open'; :spent

--
-- Expired cursors, short pages and smaller limits
--
\! $REEVO_CTL behave '{"expire_cursors_after": 4, "expire_cursors_times": 1}'
SELECT count(*), count(DISTINCT id::text) FROM sequential; :spent
\! $REEVO_CTL behave '{"short_pages": true, "cursor_under": "meta"}'
SELECT count(*), count(DISTINCT id::text) FROM sequential; :spent
\! $REEVO_CTL behave '{"clamp_limit": 25, "omit_null_cursor": true}'
SELECT count(*), count(DISTINCT id::text) FROM sequential; :spent

\! $REEVO_CTL reset
RESET search_path;
DROP SERVER scan CASCADE;
DROP SCHEMA scan CASCADE;
