-- SPDX-License-Identifier: PostgreSQL
--
-- Queries for many records, however the API answers them where its documentation
-- is silent: the rows are the same, and so are the requests each time.
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
-- One request at a time, so that it is known which is which; and several.
CREATE FOREIGN TABLE foreign_side.tens (id uuid, display_name text, stage text, amount numeric, archived_at timestamptz, competitors_mentioned_other text[])
  SERVER variants OPTIONS (max_concurrency '1');
CREATE FOREIGN TABLE foreign_side.at_once (id uuid, display_name text, stage text, amount numeric, archived_at timestamptz, competitors_mentioned_other text[])
  SERVER variants;
CREATE FOREIGN TABLE foreign_side.trusting (id uuid, stage text) SERVER variants OPTIONS (max_concurrency '1', query_returns_archived 'true');
CREATE FOREIGN TABLE foreign_side.contact (id uuid, display_name text) SERVER variants OPTIONS (max_concurrency '1', record_type 'contact');
CREATE FOREIGN TABLE foreign_side.contact_by_text (id text, display_name text) SERVER variants OPTIONS (max_concurrency '1', record_type 'contact');

CREATE FUNCTION id(number int, kind text DEFAULT '8000') RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-' || kind || '-' || lpad(number::text, 12, '0'))::uuid $$;
CREATE FUNCTION ids(first int, last int, kind text DEFAULT '8000') RETURNS uuid[] LANGUAGE sql IMMUTABLE AS
$$ SELECT array_agg(variants.id(n, kind)) FROM generate_series(first, last) n $$;
-- A hundred records, of which nine are archived; and rows that want them, some
-- twice, and among them NULLs and ids of no record.
CREATE TABLE wanted AS SELECT n AS number, CASE WHEN n % 40 = 7 THEN NULL WHEN n % 50 = 3 THEN id(9000 + n) ELSE id(n) END AS id FROM generate_series(100, 199) n;
INSERT INTO wanted SELECT n + 1000, id(n) FROM generate_series(100, 199, 7) n;
INSERT INTO wanted SELECT n + 2000, id(n) FROM generate_series(100, 199) n WHERE n % 40 = 7 OR n % 50 = 3;
ANALYZE wanted;
CREATE TABLE local_side.tens AS SELECT * FROM at_once WHERE id = ANY (ids(100, 199));
CREATE VIEW local_side.at_once AS SELECT * FROM local_side.tens;
CREATE VIEW local_side.trusting AS SELECT id, stage FROM local_side.tens;
CREATE TABLE local_side.contact AS SELECT * FROM contact WHERE id = ANY (ids(1, 30, 'a000'));
CREATE VIEW local_side.contact_by_text AS SELECT id::text, display_name FROM local_side.contact;
ANALYZE local_side.tens;
SELECT count(*), count(archived_at) FROM local_side.tens;

-- The rows of a query over the foreign tables, and whether they are the same
-- over the local ones.
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
-- :fresh makes the API well-behaved again, and the session forget what it knows
-- of it; :spent prints the requests since.
\set fresh 'SELECT opportunity_fdw_disconnect() \\g /dev/null \\set ignored `$REEVO_CTL reset` \\set queries 0 \\set gets 0'
\set spent '\\set queries_before :queries \\set gets_before :gets \\set queries `$REEVO_CTL requests query` \\set gets `$REEVO_CTL requests get` \\echo `expr :queries - :queries_before` queries, `expr :gets - :gets_before` gets'
\set list 'SELECT same(''SELECT * FROM tens WHERE id = ANY (variants.ids(100, 199))'');'
\set join 'SELECT same(''SELECT w.number, o.* FROM wanted w LEFT JOIN tens o ON o.id = w.id'');'
\set list_at_once 'SELECT same(''SELECT * FROM at_once WHERE id = ANY (variants.ids(100, 199))'');'
\set join_at_once 'SELECT same(''SELECT w.number, o.* FROM wanted w LEFT JOIN at_once o ON o.id = w.id'');'

-- As it should be: ten queries, and a GET for each of the two ids of no record.
:fresh
:list :spent
:join :spent
:list_at_once :spent
:join_at_once :spent

--
-- Records that queries do not return
--
:fresh
\! $REEVO_CTL behave '{"archived_hidden_from_query": true}'
:list :spent
:join :spent
:join_at_once :spent
-- By a table that says that there are none, next to one that does not
SELECT count(*) FROM trusting WHERE id = ANY (ids(100, 199)); :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN trusting o ON o.id = w.id; :spent
SELECT count(*), count(o.id), count(p.id) FROM wanted w LEFT JOIN trusting o ON o.id = w.id LEFT JOIN tens p ON p.id = w.id; :spent
SELECT count(*), count(o.id), count(p.id) FROM wanted w LEFT JOIN tens o ON o.id = w.id LEFT JOIN trusting p ON p.id = w.id; :spent
SELECT (SELECT count(*) FROM trusting WHERE id = ANY (ids(100, 199))), (SELECT count(*) FROM tens WHERE id = ANY (ids(100, 199))); :spent
-- What is archived is not wanted.
ALTER FOREIGN TABLE tens OPTIONS (ADD include_archived 'false');
SELECT count(*), count(archived_at) FROM tens WHERE id = ANY (ids(100, 199)); :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN tens o ON o.id = w.id; :spent
ALTER FOREIGN TABLE tens OPTIONS (DROP include_archived);
-- One that wants them, while the other's queries are under way
CREATE FOREIGN TABLE foreign_side.not_archived (id uuid, stage text) SERVER variants OPTIONS (include_archived 'false', max_concurrency '2');
\! $REEVO_CTL behave '{"fail_every": 2, "only": ["query"]}'
SELECT count(*), min(found), max(found) FROM (SELECT n.id, (SELECT count(*) FROM tens t WHERE t.id = ANY (ids(110, 139)) AND n.stage <> '') AS found
  FROM not_archived n WHERE n.id = ANY (ids(100, 199))) s; :spent
\! $REEVO_CTL behave '{"fail_every": 2}'
SELECT count(*), count(archived_at) FROM (SELECT n.stage, o.archived_at FROM not_archived n, LATERAL (SELECT * FROM tens t WHERE t.id = CASE WHEN n.id > id(100) THEN id(116) END OFFSET 0) o
  WHERE n.id = ANY (ids(100, 199))) s; :spent
-- A record that is missing just then
:fresh
\! $REEVO_CTL behave '{"query_drops_some": ["00000000-0000-4000-8000-000000000100", "00000000-0000-4000-8000-000000000155", "00000000-0000-4000-8000-000000000199"]}'
:list :spent
:join :spent
:fresh
\! $REEVO_CTL behave '{"query_drops_some": true}'
:list :spent
:join_at_once :spent

--
-- A list of ids that is too long: halved, and the length that works remembered,
-- until the session forgets it.
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
:join_at_once
:fresh
-- Whoever reads only a few has not asked for more.
\! $REEVO_CTL behave '{"in_limit": 5}'
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 104)); :spent
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 109)); :spent
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 109)); :spent
-- A change of the server makes it forget.
ALTER SERVER variants OPTIONS (SET page_size '10');
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 109)); :spent
-- Refused for its limit
:fresh
\! $REEVO_CTL behave '{"refuse_limit": 4}'
:list :spent
:list :spent

--
-- No such filter, or no queries at all: each by itself, and no second try.
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
:join_at_once
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
-- As if _query were the id of a record
:fresh
\! $REEVO_CTL behave '{"status": 422, "only": ["query"], "body": {"detail": [{"type": "uuid_parsing", "loc": ["path", "opportunity_id"], "msg": "Input should be a valid UUID"}]}}'
:list :spent
:list :spent
-- Refused for whatever reason
:fresh
\! $REEVO_CTL behave '{"status": 400, "only": ["query"]}'
:list :spent
:list :spent
:fresh
\! $REEVO_CTL behave '{"status": 400, "only": ["query"]}'
:join_at_once
:fresh
\! $REEVO_CTL behave '{"status": 413, "only": ["query"], "body": "too large"}'
:list :spent
-- No such records, no rights, no luck: an error, as GET would say.
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
:join_at_once :spent
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
-- Empty pages in between; and one behind the last record, which nobody needs.
:fresh
\! $REEVO_CTL behave '{"empty_pages_with_cursor": true}'
:list :spent
:join :spent
:fresh
\! $REEVO_CTL behave '{"empty_pages_with_cursor": true, "short_pages": 4}'
:list :spent
:join_at_once :spent
-- Cursors that are gone: the rest is asked for anew, or by itself.
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
-- A cursor that leads to itself
:fresh
\! $REEVO_CTL behave '{"short_pages": 4, "repeat_cursor": true}'
:list :spent
:join :spent
-- Records that come twice
:fresh
\! $REEVO_CTL behave '{"short_pages": 4, "move_between_pages": true}'
:list :spent
:join :spent
:fresh
\! $REEVO_CTL behave '{"double_records": true}'
:list :spent
:join_at_once :spent
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
:join_at_once
:fresh
\! $REEVO_CTL behave '{"ignore_filters": true}'
:list :spent
:list :spent
:fresh
\! $REEVO_CTL behave '{"ignore_filters": true}'
:join_at_once
-- All at once
:fresh
\! $REEVO_CTL behave '{"in_limit": 7, "short_pages": 3, "cursor_under": "meta", "move_between_pages": true, "archived_hidden_from_query": true, "expire_cursors_after": 2, "expire_cursors_times": 3}'
:list :spent
:join :spent
:join_at_once

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
-- Answers that are no page
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
-- It says which record of the page it is.
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
-- What is not documented is nobody's business.
\! $REEVO_CTL behave '{"body": {"data": [], "next_cursor": null, "meta": "none", "total": [0, {}], "pagination": []}}'
SELECT listed();
\! $REEVO_CTL behave '{"body": {"data": [], "other": {"next_cursor": 7, "data": 8}, "meta": {"meta": {"next_cursor": 9}}}}'
SELECT listed();
-- An empty cursor is the end.
\! $REEVO_CTL behave '{"body": {"data": [], "next_cursor": ""}}'
SELECT listed();
-- Broken JSON, and what comes behind a page
\! $REEVO_CTL behave '{"body": "{\"data\": [}"}'
SELECT listed();
\! $REEVO_CTL behave '{"body": "{\"data\": []} and more"}'
SELECT listed();
\! $REEVO_CTL behave '{"body": "{\"data\": [{\"id\": \"\\u0000\", \"attributes\": {}}]}"}'
SELECT listed();
-- Each of them makes one request, except for the empty body: six attempts.
:spent
:fresh
SELECT listed();

--
-- Failures in between
--
-- A page that is cut short, as JSON or on its way: asked for again.
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
:join_at_once
ALTER SERVER variants OPTIONS (SET max_retry_wait '0.1');
:fresh
\! $REEVO_CTL behave '{"chunked": true, "gzip": true, "close_each": true}'
:join_at_once :spent
-- Too often
ALTER SERVER variants OPTIONS (ADD max_retries '1', SET max_retry_wait '0');
:fresh
\! $REEVO_CTL behave '{"fail_every": 1, "fail_how": "cut-json", "only": ["query"]}'
SELECT left(same('SELECT * FROM tens WHERE id = ANY (variants.ids(100, 199))'), 7); :spent
:fresh
\! $REEVO_CTL behave '{"fail_every": 1, "fail_status": 429, "retry_after": 0, "only": ["query"]}'
:list :spent
ALTER SERVER variants OPTIONS (DROP max_retries, SET max_retry_wait '0.1');

-- Only what is needed can fail: the second request does, and nobody wants it.
BEGIN;
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_status": 418, "only": ["query"]}'
DECLARE c CURSOR FOR SELECT w.number, o.stage IS NULL FROM wanted w LEFT JOIN at_once o ON o.id = w.id;
FETCH 3 FROM c;
CLOSE c;
DECLARE c CURSOR FOR SELECT w.number, o.stage IS NULL FROM wanted w LEFT JOIN at_once o ON o.id = w.id;
FETCH 1 FROM c;
MOVE 9 FROM c;
\set VERBOSITY terse
MOVE ALL FROM c;
ROLLBACK;
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_status": 418, "only": ["query"]}'
SELECT count(*) FROM (SELECT FROM at_once WHERE id = ANY (ids(100, 199)) LIMIT 5) o;
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_status": 418, "only": ["query"]}'
SELECT count(*) FROM (SELECT w.number FROM wanted w JOIN at_once o ON o.id = w.id LIMIT 5) o;
BEGIN;
:fresh
\! $REEVO_CTL behave '{"fail_every": 2, "fail_status": 418, "only": ["query"]}'
DECLARE c CURSOR FOR SELECT w.number, o.stage IS NULL FROM wanted w LEFT JOIN tens o ON o.id = w.id;
MOVE 10 FROM c;
MOVE 10 FROM c;
ROLLBACK;
-- A record that GET shows to be malformed, and that the query has left out
:fresh
\! $REEVO_CTL behave '{"query_drops_some": ["00000000-0000-4000-8000-000000000104"]}'
\! $REEVO_CTL body 00000000-0000-4000-8000-000000000104 '{"data": 4}'
SELECT count(*) FROM (SELECT w.number FROM wanted w LEFT JOIN at_once o ON o.id = w.id LIMIT 4) o;
SELECT count(*) FROM (SELECT w.number FROM wanted w LEFT JOIN at_once o ON o.id = w.id LIMIT 5) o;
BEGIN;
DECLARE c CURSOR FOR SELECT w.number, o.stage IS NULL FROM wanted w LEFT JOIN at_once o ON o.id = w.id;
FETCH 4 FROM c;
FETCH 1 FROM c;
ROLLBACK;
-- max_requests: the request that is one too many is not made, and an error where
-- it is needed.
ALTER SERVER variants OPTIONS (ADD max_requests '3');
:fresh
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 129)); :spent
SELECT count(*) FROM tens WHERE id = ANY (ids(100, 130)); :spent
SELECT count(*) FROM (SELECT w.number FROM wanted w JOIN at_once o ON o.id = w.id LIMIT 15) o; :spent
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
