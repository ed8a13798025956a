-- SPDX-License-Identifier: PostgreSQL
--
-- Queries in every variant of the API that its documentation permits: the rows
-- are the same, and so is the number of requests.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER variants FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url', page_size '10', max_retry_wait '0.1');
CREATE USER MAPPING FOR CURRENT_USER SERVER variants OPTIONS (api_key 'test-key');
CREATE SCHEMA variants;
CREATE SCHEMA foreign_side;
CREATE SCHEMA local_side;
SET search_path = variants, foreign_side, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
SET max_parallel_workers_per_gather = 0;
-- A table with one request at a time, so that their order is known, and one with
-- several
CREATE FOREIGN TABLE foreign_side.tens (id uuid, display_name text, stage text, amount numeric, archived_at timestamptz, competitors_mentioned_other text[])
  SERVER variants OPTIONS (max_concurrency '1');
CREATE FOREIGN TABLE foreign_side.in_parallel (id uuid, display_name text, stage text, amount numeric, archived_at timestamptz, competitors_mentioned_other text[])
  SERVER variants;
CREATE FOREIGN TABLE foreign_side.query_is_complete (id uuid, stage text) SERVER variants OPTIONS (max_concurrency '1', query_returns_archived 'true');
CREATE FOREIGN TABLE foreign_side.contact (id uuid, display_name text) SERVER variants OPTIONS (max_concurrency '1', record_type 'contact');
CREATE FOREIGN TABLE foreign_side.contact_by_text (id text, display_name text) SERVER variants OPTIONS (max_concurrency '1', record_type 'contact');

CREATE FUNCTION id(number int, kind text DEFAULT '8000') RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-' || kind || '-' || lpad(number::text, 12, '0'))::uuid $$;
CREATE FUNCTION ids(first int, last int, kind text DEFAULT '8000') RETURNS uuid[] LANGUAGE sql IMMUTABLE AS
$$ SELECT array_agg(variants.id(n, kind)) FROM generate_series(first, last) n $$;
-- A hundred records, nine of them archived. "wanted" has NULLs, ids twice, and
-- ids without a record.
CREATE TABLE wanted AS SELECT n AS number, CASE WHEN n % 40 = 7 THEN NULL WHEN n % 50 = 3 THEN id(9000 + n) ELSE id(n) END AS id FROM generate_series(100, 199) n;
INSERT INTO wanted SELECT n + 1000, id(n) FROM generate_series(100, 199, 7) n;
INSERT INTO wanted SELECT n + 2000, id(n) FROM generate_series(100, 199) n WHERE n % 40 = 7 OR n % 50 = 3;
ANALYZE wanted;
CREATE TABLE local_side.tens AS SELECT * FROM in_parallel WHERE id = ANY (ids(100, 199));
CREATE VIEW local_side.in_parallel AS SELECT * FROM local_side.tens;
CREATE VIEW local_side.query_is_complete AS SELECT id, stage FROM local_side.tens;
CREATE TABLE local_side.contact AS SELECT * FROM contact WHERE id = ANY (ids(1, 30, 'a000'));
CREATE VIEW local_side.contact_by_text AS SELECT id::text, display_name FROM local_side.contact;
ANALYZE local_side.tens;
SELECT count(*), count(archived_at) FROM local_side.tens;

-- same compares the rows of a query over the foreign and the local tables.
CREATE FUNCTION rows_of(side text, query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  found text[] := '{}';
  r record;
BEGIN
  PERFORM set_config('search_path', 'variants, ' || side, true);
  FOR r IN EXECUTE query LOOP
    found := found || r::text;
  END LOOP;
  RETURN (SELECT coalesce(array_agg(line ORDER BY line COLLATE "C"), '{}') FROM unnest(found) line);
END $$;
CREATE FUNCTION same(query text) RETURNS text LANGUAGE plpgsql SET search_path = variants AS $$
DECLARE
  found text[];
  detail text;
BEGIN
  found := variants.rows_of('foreign_side', query);
  RETURN cardinality(found) || ' rows, ' || CASE WHEN found = variants.rows_of('local_side', query) THEN 'the same' ELSE 'NOT THE SAME' END;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
  RETURN format('%s: %s', SQLSTATE, regexp_replace(SQLERRM, 'invalid JSON at byte \d+', 'invalid JSON at byte ...')) || CASE WHEN detail <> '' THEN E'\n ' || detail ELSE '' END;
END $$;
\pset format unaligned
\pset tuples_only on
\pset null NULL
-- :fresh resets the simulator, and clears the session's knowledge of the API.
-- :spent prints the number of requests since its last use.
\set fresh 'SELECT opportunity_fdw_disconnect() \\g /dev/null \\set ignored `$REEVO_CTL reset` \\set queries 0 \\set gets 0'
\set spent '\\set queries_before :queries \\set gets_before :gets \\set queries `$REEVO_CTL requests query` \\set gets `$REEVO_CTL requests get` \\echo `expr :queries - :queries_before` queries, `expr :gets - :gets_before` gets'
\set list 'SELECT same(''SELECT * FROM tens WHERE id = ANY (variants.ids(100, 199))'');'
\set join 'SELECT same(''SELECT w.number, o.* FROM wanted w LEFT JOIN tens o ON o.id = w.id'');'
\set list_in_parallel 'SELECT same(''SELECT * FROM in_parallel WHERE id = ANY (variants.ids(100, 199))'');'
\set join_in_parallel 'SELECT same(''SELECT w.number, o.* FROM wanted w LEFT JOIN in_parallel o ON o.id = w.id'');'

-- Without a fault: ten queries, and a GET for each of the two ids without a
-- record
:fresh
:list :spent
:join :spent
:list_in_parallel :spent
:join_in_parallel :spent

--
-- Records that the API excludes from queries
--
:fresh
\! $REEVO_CTL behave '{"archived_hidden_from_query": true}'
:list :spent
:join :spent
:join_in_parallel :spent
-- query_returns_archived 'true' is set for one of the tables.
SELECT count(*) FROM query_is_complete WHERE id = ANY (ids(100, 199)); :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN query_is_complete o ON o.id = w.id; :spent
SELECT count(*), count(o.id), count(p.id) FROM wanted w LEFT JOIN query_is_complete o ON o.id = w.id LEFT JOIN tens p ON p.id = w.id; :spent
SELECT count(*), count(o.id), count(p.id) FROM wanted w LEFT JOIN tens o ON o.id = w.id LEFT JOIN query_is_complete p ON p.id = w.id; :spent
SELECT (SELECT count(*) FROM query_is_complete WHERE id = ANY (ids(100, 199))), (SELECT count(*) FROM tens WHERE id = ANY (ids(100, 199))); :spent
-- include_archived 'false'
ALTER FOREIGN TABLE tens OPTIONS (ADD include_archived 'false');
SELECT count(*), count(archived_at) FROM tens WHERE id = ANY (ids(100, 199)); :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN tens o ON o.id = w.id; :spent
ALTER FOREIGN TABLE tens OPTIONS (DROP include_archived);
-- One scan includes archived records while the queries of another, which excludes
-- them, are in flight.
CREATE FOREIGN TABLE foreign_side.not_archived (id uuid, stage text) SERVER variants OPTIONS (include_archived 'false', max_concurrency '2');
\! $REEVO_CTL behave '{"fail_every": 2, "only": ["query"]}'
SELECT count(*), min(found), max(found) FROM (SELECT n.id, (SELECT count(*) FROM tens t WHERE t.id = ANY (ids(110, 139)) AND n.stage <> '') AS found
  FROM not_archived n WHERE n.id = ANY (ids(100, 199))) s; :spent
\! $REEVO_CTL behave '{"fail_every": 2}'
SELECT count(*), count(archived_at) FROM (SELECT n.stage, o.archived_at FROM not_archived n, LATERAL (SELECT * FROM tens t WHERE t.id = CASE WHEN n.id > id(100) THEN id(116) END OFFSET 0) o
  WHERE n.id = ANY (ids(100, 199))) s; :spent
-- A query excludes some records by accident.
:fresh
\! $REEVO_CTL behave '{"query_drops_some": ["00000000-0000-4000-8000-000000000100", "00000000-0000-4000-8000-000000000155", "00000000-0000-4000-8000-000000000199"]}'
:list :spent
:join :spent
:fresh
\! $REEVO_CTL behave '{"query_drops_some": true}'
:list :spent
:join_in_parallel :spent

--
-- The API rejects a long list of ids. The wrapper halves it, and remembers the
-- accepted length until the session disconnects.
--
:fresh
\! $REEVO_CTL behave '{"in_limit": 4}'
:list :spent
:list :spent
:join :spent
:fresh
\! $REEVO_CTL behave '{"in_limit": 4, "refuse_status": 422}'
:join :spent
:fresh
\! $REEVO_CTL behave '{"in_limit": 9}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"in_limit": 1}'
:list :spent
:list :spent
:fresh
\! $REEVO_CTL behave '{"in_limit": 3}'
:join_in_parallel
:fresh
-- A short list that succeeds does not set the limit.
\! $REEVO_CTL behave '{"in_limit": 5}'
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 104)); :spent
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 109)); :spent
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 109)); :spent
-- A change of the server clears the limit.
ALTER SERVER variants OPTIONS (SET page_size '10');
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 109)); :spent
-- The API rejects the limit of the page.
:fresh
\! $REEVO_CTL behave '{"refuse_limit": 4}'
:list :spent
:list :spent

--
-- The API rejects the filter or the path. The wrapper uses GET for each id, and
-- does not try a query again.
--
:fresh
\! $REEVO_CTL behave '{"refuse_operators": ["in"]}'
:list :spent
:list :spent
:join :spent
:fresh
\! $REEVO_CTL behave '{"refuse_operators": ["id.in"], "refuse_status": 422}'
:join :spent
:fresh
\! $REEVO_CTL behave '{"refuse_fields": ["id"]}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"refuse_fields": ["id"], "refuse_status": 422}'
:join_in_parallel
:fresh
\! $REEVO_CTL behave '{"status": 404, "only": ["query"]}'
:list :spent
:list :spent
:fresh
\! $REEVO_CTL behave '{"status": 404, "only": ["query"], "body": {"detail": "Not Found"}}'
:join :spent
:fresh
\! $REEVO_CTL behave '{"status": 404, "only": ["query"], "body": "<html>", "content_type": "text/html"}'
:join :spent
:fresh
\! $REEVO_CTL behave '{"status": 405, "only": ["query"]}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"status": 501, "only": ["query"]}'
:list :spent
-- The API treats "_query" as the id of a record.
:fresh
\! $REEVO_CTL behave '{"status": 422, "only": ["query"], "body": {"detail": [{"type": "uuid_parsing", "loc": ["path", "opportunity_id"], "msg": "Input should be a valid UUID"}]}}'
:list :spent
:list :spent
-- The API rejects the query without a reason.
:fresh
\! $REEVO_CTL behave '{"status": 400, "only": ["query"]}'
:list :spent
:list :spent
:fresh
\! $REEVO_CTL behave '{"status": 400, "only": ["query"]}'
:join_in_parallel
:fresh
\! $REEVO_CTL behave '{"status": 413, "only": ["query"], "body": "too large"}'
:list :spent
-- An unknown record type, a missing permission and a server error end the
-- statement, as for GET.
:fresh
\! $REEVO_CTL behave '{"status": 404, "only": ["query"], "body": {"error": {"code": "unknown_record_type", "message": "no opportunities here"}}}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"status": 403, "only": ["query"], "body": {"error": {"code": "permission_denied", "message": "The API key lacks the permission to query."}}}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"status": 401, "only": ["query"]}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"status": 500, "only": ["query"]}'
SELECT same('SELECT * FROM tens WHERE id = ANY (variants.ids(100, 109))'); :spent
:fresh
\! $REEVO_CTL behave '{"status": 418, "only": ["query"]}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"status": 204, "only": ["query"], "body": ""}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"redirect": "http://127.0.0.1:9/", "only": ["query"]}'
SELECT split_part(same('SELECT * FROM tens WHERE id = ANY (variants.ids(100, 199))'), E'\n', 1); :spent

--
-- Pages
--
:fresh
\! $REEVO_CTL behave '{"short_pages": true}'
:list :spent
:join :spent
:fresh
\! $REEVO_CTL behave '{"short_pages": 3}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"short_pages": 1}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"clamp_limit": 4}'
:list :spent
:join_in_parallel :spent
:fresh
\! $REEVO_CTL behave '{"short_pages": 4, "cursor_under": "meta"}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"short_pages": 4, "cursor_under": "pagination"}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"short_pages": 4, "omit_null_cursor": true}'
:list :spent
:join :spent
:fresh
\! $REEVO_CTL behave '{"omit_null_cursor": true, "cursor_under": "meta"}'
:list :spent
-- Empty pages between others. The wrapper does not fetch an empty last page.
:fresh
\! $REEVO_CTL behave '{"empty_pages_with_cursor": true}'
:list :spent
:join :spent
:fresh
\! $REEVO_CTL behave '{"empty_pages_with_cursor": true, "short_pages": 4}'
:list :spent
:join_in_parallel :spent
-- Expired cursors: the wrapper queries the remaining ids again, or fetches each
-- with GET.
:fresh
\! $REEVO_CTL behave '{"short_pages": 4, "expire_cursors_after": 1, "expire_cursors_times": 1}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"short_pages": 4, "expire_cursors_after": 1}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"short_pages": 4, "expire_cursors_after": 1, "refuse_status": 422}'
:join :spent
:fresh
\! $REEVO_CTL behave '{"short_pages": 1, "expire_cursors_after": 2}'
:list :spent
-- A cursor that points to its own page
:fresh
\! $REEVO_CTL behave '{"short_pages": 4, "repeat_cursor": true}'
:list :spent
:join :spent
-- Duplicate records
:fresh
\! $REEVO_CTL behave '{"short_pages": 4, "move_between_pages": true}'
:list :spent
:join :spent
:fresh
\! $REEVO_CTL behave '{"double_records": true}'
:list :spent
:join_in_parallel :spent
:fresh
\! $REEVO_CTL behave '{"double_records": true, "short_pages": 3, "move_between_pages": true, "empty_pages_with_cursor": true}'
:list :spent
:join :spent
-- Records that the query did not request: one of them in a page proves nothing. An
-- API that ignores the filter is not queried again.
:fresh
\! $REEVO_CTL behave '{"stray_record": true}'
:list :spent
:list :spent
:fresh
\! $REEVO_CTL behave '{"stray_record": true}'
:join_in_parallel
:fresh
\! $REEVO_CTL behave '{"ignore_filters": true}'
:list :spent
:list :spent
:fresh
\! $REEVO_CTL behave '{"ignore_filters": true}'
:join_in_parallel
-- Several deviations together
:fresh
\! $REEVO_CTL behave '{"in_limit": 7, "short_pages": 3, "cursor_under": "meta", "move_between_pages": true, "archived_hidden_from_query": true, "expire_cursors_after": 2, "expire_cursors_times": 3}'
:list :spent
:join :spent
:join_in_parallel

--
-- Forms of ids
--
:fresh
\! $REEVO_CTL behave '{"upper_case_ids": true}'
SELECT same('SELECT * FROM contact WHERE id = ANY (variants.ids(1, 30, ''a000''))'); :spent
SELECT same('SELECT n, c.* FROM generate_series(1, 40) n LEFT JOIN contact c ON c.id = variants.id(n, ''a000'') WHERE n <= 30'); :spent
SELECT same('SELECT n, c.display_name FROM generate_series(1, 30) n LEFT JOIN contact_by_text c ON c.id::uuid = variants.id(n, ''a000'')'); :spent
SELECT id FROM contact_by_text WHERE id::uuid IN (id(1, 'a000'), id(2, 'a000')) ORDER BY 1; :spent
SELECT id FROM contact_by_text WHERE id::uuid = id(1, 'a000'); :spent
SELECT id FROM contact_by_text WHERE id IN (upper(id(1, 'a000')::text), upper(id(2, 'a000')::text)) ORDER BY 1; :spent

--
-- Malformed pages
--
CREATE FUNCTION listed() RETURNS text LANGUAGE sql AS $$ SELECT variants.same('SELECT * FROM tens WHERE id = ANY (variants.ids(100, 105))') $$;
:fresh
\! $REEVO_CTL behave '{"status": 200, "only": ["query"], "body": {"data": [{"id": "00000000-0000-4000-8000-000000000100", "attributes": {}}], "next_cursor": null}}'
SELECT count(*), count(stage) FROM tens WHERE id IN (id(100), id(101)); :spent
\! $REEVO_CTL behave '{"body": ""}'
SELECT listed();
\! $REEVO_CTL behave '{"body": "<html><body>Please log in.</body></html>", "content_type": "text/html"}'
SELECT listed();
\! $REEVO_CTL behave '{"body": "null", "content_type": null}'
SELECT listed();
\! $REEVO_CTL behave '{"body": []}'
SELECT listed();
\! $REEVO_CTL behave '{"body": "17"}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"next_cursor": null}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": null}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": {}}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": "none"}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": 0}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": false}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [null]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [[]]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": ["00000000-0000-4000-8000-000000000100"]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [{}]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [{"attributes": {}}]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [{"id": "00000000-0000-4000-8000-000000000100"}]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [{"id": null, "attributes": {}}]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [{"id": 100, "attributes": {}}]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [{"id": "100", "attributes": {}}]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [{"id": "00000000-0000-4000-8000-000000000100", "attributes": null}]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [{"id": "00000000-0000-4000-8000-000000000100", "attributes": []}]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [{"id": "00000000-0000-4000-8000-000000000100", "attributes": {"stage": 1}}]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [{"id": "00000000-0000-4000-8000-000000000100", "attributes": {"id": {"value": "00000000-0000-4000-8000-000000000101", "value_type": "uuid"}}}]}}'
SELECT listed();
-- The error names the record within the page.
\! $REEVO_CTL behave '{"body": {"data": [{"id": "00000000-0000-4000-8000-000000000100", "attributes": {}}, {"id": "00000000-0000-4000-8000-000000000101", "attributes": {"amount": "x"}}]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [], "next_cursor": 7}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [], "next_cursor": true}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [], "next_cursor": ["c"]}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [], "next_cursor": {"c": "c"}}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [], "meta": {"next_cursor": 7}}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [], "pagination": {"next_cursor": [null]}}}'
SELECT listed();
-- Undocumented members are ignored.
\! $REEVO_CTL behave '{"body": {"data": [], "next_cursor": null, "meta": "none", "total": [0, {}], "pagination": []}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [], "other": {"next_cursor": 7, "data": 8}, "meta": {"meta": {"next_cursor": 9}}}}'
SELECT listed();
-- An empty cursor ends the pages.
\! $REEVO_CTL behave '{"body": {"data": [], "next_cursor": ""}}'
SELECT listed();
-- Invalid JSON, and text after the JSON
\! $REEVO_CTL behave '{"body": "{\"data\": [}"}'
SELECT listed();
\! $REEVO_CTL behave '{"body": "{\"data\": []} and more"}'
SELECT listed();
\! $REEVO_CTL behave '{"body": "{\"data\": [{\"id\": \"\\u0000\", \"attributes\": {}}]}"}'
SELECT listed();
-- Each case costs one request, except for the empty body with six attempts.
:spent
:fresh
SELECT listed();

--
-- Transient failures
--
-- The wrapper fetches a truncated page again.
:fresh
\! $REEVO_CTL behave '{"fail_first": 1, "fail_how": "cut-json", "only": ["query"]}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"fail_every": 3, "fail_how": "cut-json", "cut_at": 2, "only": ["query"]}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"fail_every": 3, "fail_how": "half-body-close", "only": ["query"]}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"fail_every": 4, "fail_how": "half-body-reset", "short_pages": 5}'
:join :spent
:fresh
\! $REEVO_CTL behave '{"fail_every": 4, "fail_how": "reset"}'
:list :spent
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_how": "close"}'
:join :spent
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_status": 429, "retry_after": 0}'
:list :spent
:fresh
ALTER SERVER variants OPTIONS (SET max_retry_wait '60');
\! $REEVO_CTL behave '{"fail_every": 3, "fail_status": 503, "short_pages": 4}'
:join_in_parallel
ALTER SERVER variants OPTIONS (SET max_retry_wait '0.1');
:fresh
\! $REEVO_CTL behave '{"chunked": true, "gzip": true, "close_each": true}'
:join_in_parallel :spent
-- More failures than max_retries
ALTER SERVER variants OPTIONS (ADD max_retries '1', SET max_retry_wait '0');
:fresh
\! $REEVO_CTL behave '{"fail_every": 1, "fail_how": "cut-json", "only": ["query"]}'
SELECT left(same('SELECT * FROM tens WHERE id = ANY (variants.ids(100, 199))'), 7); :spent
:fresh
\! $REEVO_CTL behave '{"fail_every": 1, "fail_status": 429, "retry_after": 0, "only": ["query"]}'
:list :spent
ALTER SERVER variants OPTIONS (DROP max_retries, SET max_retry_wait '0.1');

-- A failed request is an error only if its rows are read. Here the second request
-- fails.
BEGIN;
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_status": 418, "only": ["query"]}'
DECLARE c CURSOR FOR SELECT w.number, o.stage IS NULL FROM wanted w LEFT JOIN in_parallel o ON o.id = w.id;
FETCH 3 FROM c;
CLOSE c;
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_status": 418, "only": ["query"]}'
DECLARE c CURSOR FOR SELECT w.number, o.stage IS NULL FROM wanted w LEFT JOIN in_parallel o ON o.id = w.id;
FETCH 1 FROM c;
MOVE 9 FROM c;
\set VERBOSITY terse
MOVE ALL FROM c;
ROLLBACK;
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_status": 418, "only": ["query"]}'
SELECT count(*) FROM (SELECT FROM in_parallel WHERE id = ANY (ids(100, 199)) LIMIT 5) o;
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_status": 418, "only": ["query"]}'
SELECT count(*) FROM (SELECT w.number FROM wanted w JOIN in_parallel o ON o.id = w.id LIMIT 5) o;
BEGIN;
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_status": 418, "only": ["query"]}'
DECLARE c CURSOR FOR SELECT w.number, o.stage IS NULL FROM wanted w LEFT JOIN tens o ON o.id = w.id;
MOVE 10 FROM c;
MOVE 10 FROM c;
ROLLBACK;
-- GET returns a malformed record, which the query excluded.
:fresh
\! $REEVO_CTL behave '{"query_drops_some": ["00000000-0000-4000-8000-000000000104"]}'
\! $REEVO_CTL body 00000000-0000-4000-8000-000000000104 '{"data": 4}'
SELECT count(shown) FROM (SELECT coalesce(o.stage, 'none') AS shown FROM wanted w LEFT JOIN in_parallel o ON o.id = w.id LIMIT 4) o;
SELECT count(shown) FROM (SELECT coalesce(o.stage, 'none') AS shown FROM wanted w LEFT JOIN in_parallel o ON o.id = w.id LIMIT 5) o;
BEGIN;
DECLARE c CURSOR FOR SELECT w.number, o.stage IS NULL FROM wanted w LEFT JOIN in_parallel o ON o.id = w.id;
FETCH 4 FROM c;
FETCH 1 FROM c;
ROLLBACK;
-- max_requests: the wrapper does not make the excess request. The statement fails
-- only if it needs the rows.
ALTER SERVER variants OPTIONS (ADD max_requests '3');
:fresh
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 129)); :spent
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 130)); :spent
SELECT count(*) FROM (SELECT w.number FROM wanted w JOIN in_parallel o ON o.id = w.id LIMIT 15) o; :spent
SELECT count(o.id) FROM wanted w LEFT JOIN tens o ON o.id = w.id; :spent
BEGIN;
DECLARE c CURSOR FOR SELECT w.number, o.stage IS NULL FROM wanted w LEFT JOIN tens o ON o.id = w.id;
MOVE 18 FROM c;
MOVE 20 FROM c;
ROLLBACK;
:spent
ALTER SERVER variants OPTIONS (DROP max_requests);
\set VERBOSITY default
:fresh
:list :spent
:join :spent

DROP SCHEMA variants, foreign_side, local_side CASCADE;
DROP SERVER variants CASCADE;
