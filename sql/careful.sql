-- SPDX-License-Identifier: PostgreSQL
--
-- No fault of the API loses or repeats a row without an error. Each fault costs
-- few requests. After the fault, the session works as a new one does.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER careful FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER careful OPTIONS (api_key 'test-key');
CREATE SCHEMA careful;
SET search_path = careful, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
SET max_parallel_workers_per_gather = 0;
-- Tables with one reader and with eight readers, and one that only uses GET
CREATE FOREIGN TABLE one (id uuid, created_at timestamptz, closed_at timestamptz, display_name text, status text, amount numeric, account_id uuid)
  SERVER careful OPTIONS (max_concurrency '1');
CREATE FOREIGN TABLE eight (id uuid, created_at timestamptz, closed_at timestamptz, display_name text, status text, amount numeric, account_id uuid)
  SERVER careful OPTIONS (max_concurrency '8');
CREATE FOREIGN TABLE by_id (id uuid, status text) SERVER careful OPTIONS (max_concurrency '1', use_query 'false');

CREATE FUNCTION id(number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid $$;
CREATE TABLE wanted AS SELECT n AS number, id(n) AS id FROM generate_series(1, 1000) n;
ANALYZE wanted;
-- read returns the number of rows, the number of distinct records, and whether
-- the rows are in the order of their column "key".
CREATE FUNCTION read(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  r record;
  last timestamptz;
  ids uuid[] := '{}';
  steps text[] := '{}';
BEGIN
  FOR r IN EXECUTE query LOOP
    ids := ids || r.id;
    steps := steps || CASE WHEN r.key > last THEN 'up' WHEN r.key < last THEN 'down' END;
    last := r.key;
  END LOOP;
  RETURN format('%s rows, %s records, %s', cardinality(ids), (SELECT count(DISTINCT id::text) FROM unnest(ids) id),
    (SELECT coalesce(string_agg(DISTINCT step, ' and ' ORDER BY step), 'level') FROM unnest(steps) step));
END $$;
\pset format unaligned
\pset tuples_only on
\pset null NULL
-- :recovered restores the simulator, with $RECORDS records. :fresh also starts
-- with new connections. :spent prints the number of requests since then.
-- :spent_at_most prints whether they are at most $MOST.
\setenv RECORDS 1000
\set fresh 'SELECT opportunity_fdw_disconnect() \\g /dev/null \\set before 0 \\set ignored `$REEVO_CTL reset; $REEVO_CTL records $RECORDS`'
\set recovered '\\set before 0 \\set ignored `$REEVO_CTL reset; $REEVO_CTL records $RECORDS`'
\set begin '\\set before `$REEVO_CTL requests`'
\set spent '\\set after `$REEVO_CTL requests` \\echo requests: `expr :after - :before` \\set before :after'
\setenv MOST 0
\set spent_at_most '\\set after `$REEVO_CTL requests` \\echo requests: `n=$(expr :after - :before); test $n -le $MOST && echo at most $MOST || echo $n` \\set before :after'
\set count 'SELECT count(*), count(DISTINCT id::text) FROM one;'

--
-- Without a fault: ten pages, and one query to verify that 1000 records are not a
-- limit of the API
--
:fresh
:count :spent
:count :spent

--
-- Errors in the body of a 200 response. The wrapper retries a transient one once.
--
:fresh
\! $REEVO_CTL behave '{"fail_at": [5], "fail_how": "error-body", "error_body": {"data": [], "errors": [{"message": "Complexity budget exhausted"}]}}'
:count :spent
\! $REEVO_CTL behave '{"fail_at": [5], "error_body": {"data": [], "error": {"code": "rate_limited"}, "next_cursor": null}}'
:count :spent
\! $REEVO_CTL behave '{"fail_at": [5], "error_body": {"data": [], "error": "Internal server error", "next_cursor": null}}'
:count :spent
\! $REEVO_CTL behave '{"fail_at": [5], "error_body": {"data": [{"id": "00000000-0000-4000-8000-000000000001", "attributes": {}}], "meta": {"timed_out": true}, "next_cursor": null}}'
:count :spent
\! $REEVO_CTL behave '{"fail_at": [5], "error_body": {"data": [], "statusCode": "502", "message": "Bad gateway"}}'
:count :spent
\! $REEVO_CTL behave '{"fail_at": [5], "error_body": {"status": "error", "error": {"type": "ServiceUnavailable"}}}'
:count :spent
-- A permanent error ends the statement with the API's message.
:fresh
\! $REEVO_CTL behave '{"fail_after": 4, "fail_how": "error-body", "error_body": {"data": [], "errors": [{"message": "The field x is unknown", "extensions": {"code": "BAD_USER_INPUT"}}]}}'
:count :spent
\! $REEVO_CTL behave '{"fail_after": 4, "error_body": {"success": false, "data": [], "message": "Not now"}}'
:count :spent
\! $REEVO_CTL behave '{"fail_after": 4, "error_body": {"data": [], "error": {"code": "permission_denied", "message": "No."}}}'
:count :spent
\! $REEVO_CTL behave '{"fail_after": 4, "error_body": {"data": [], "error": {"message": "no"}}}'
:count :spent
:recovered
:count :spent
-- Empty members do not report an error.
\! $REEVO_CTL behave '{"more_members": {"error": null, "errors": [], "fault": {}, "message": "", "success": true, "partial": false, "status": "ok", "code": 0}}'
:count :spent
\! $REEVO_CTL behave '{"more_members": {"has_errors": "no", "code": "ok"}}'
:count :spent
-- A materialized view and ANALYZE
:fresh
CREATE MATERIALIZED VIEW copied AS SELECT id, status FROM one;
CREATE UNIQUE INDEX ON copied (id);
:begin
\! $REEVO_CTL behave '{"fail_at": [5], "fail_how": "error-body", "error_body": {"data": [], "error": {"code": "rate_limited"}, "next_cursor": null}}'
REFRESH MATERIALIZED VIEW CONCURRENTLY copied; :spent
SELECT count(*) FROM copied;
\! $REEVO_CTL behave '{"fail_at": null, "fail_after": 4, "error_body": {"data": [], "errors": [{"message": "No."}]}}'
REFRESH MATERIALIZED VIEW CONCURRENTLY copied; :spent
SELECT count(*) FROM copied;
:fresh
\! $REEVO_CTL behave '{"fail_at": [5], "fail_how": "error-body", "error_body": {"data": [], "error": {"code": "rate_limited"}, "next_cursor": null}}'
ANALYZE one; :spent
SELECT reltuples FROM pg_class WHERE oid = 'one'::regclass;
\! $REEVO_CTL behave '{"fail_at": null, "fail_after": 4, "error_body": {"data": [], "errors": [{"message": "No."}]}}'
ANALYZE one; :spent
SELECT reltuples FROM pg_class WHERE oid = 'one'::regclass;
DROP MATERIALIZED VIEW copied;

--
-- The API returns at most 1000 records for one query. The table has 25 pages.
--
\setenv MOST 40
\setenv RECORDS 2500
:fresh
:count :spent
:fresh
\! $REEVO_CTL behave '{"result_cap": 1000, "cap_how": "no_cursor"}'
:count :spent
:count :spent
SELECT count(*), count(DISTINCT id::text) FROM eight; :spent_at_most
SELECT count(*), count(DISTINCT id::text) FROM (SELECT id FROM one LIMIT 1500) s; :spent
SELECT count(*), count(DISTINCT id::text) FROM (SELECT id FROM eight LIMIT 2500) s; :spent_at_most
SELECT count(*), count(DISTINCT id::text) FROM one WHERE status = 'open'; :spent
SELECT read('SELECT id, created_at AS key FROM one ORDER BY created_at'); :spent
SELECT read('SELECT id, created_at AS key FROM one ORDER BY created_at DESC'); :spent
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM one;
MOVE 900 FROM c;
FETCH 1 FROM c \g /dev/null
MOVE ALL FROM c;
\echo :ROW_COUNT more
COMMIT;
:spent
:recovered
:count :spent
:fresh
\! $REEVO_CTL behave '{"result_cap": 1000, "cap_how": "refuse"}'
:count :spent
:count :spent
SELECT count(*), count(DISTINCT id::text) FROM eight; :spent_at_most
SELECT count(*), count(DISTINCT id::text) FROM (SELECT id FROM one LIMIT 1500) s; :spent
SELECT read('SELECT id, created_at AS key FROM one ORDER BY created_at'); :spent
SELECT read('SELECT id, created_at AS key FROM one ORDER BY created_at DESC'); :spent
:recovered
:count :spent
:fresh
\! $REEVO_CTL behave '{"result_cap": 1000, "cap_how": "invalid_cursor"}'
:count :spent
:count :spent
SELECT count(*), count(DISTINCT id::text) FROM eight; :spent_at_most
SELECT count(*), count(DISTINCT id::text) FROM (SELECT id FROM one LIMIT 1500) s; :spent
:recovered
:count :spent
-- Another limit, which "total" or "has_more" reveals
:fresh
\! $REEVO_CTL behave '{"result_cap": 770, "cap_how": "no_cursor", "total": true}'
:count :spent
\! $REEVO_CTL behave '{"total": null, "has_more": true}'
:count :spent
-- One record is much older, so all others are in the same range of created_at.
:fresh
\! $REEVO_CTL attributes 00000000-0000-4000-8000-000000000010 '{"created_at": {"value": "1950-01-01T00:00:00Z", "value_type": "timestamp"}}'
\! $REEVO_CTL behave '{"result_cap": 1000, "cap_how": "no_cursor"}'
SELECT count(*), count(DISTINCT id::text) FROM eight; :spent_at_most
\! $REEVO_CTL behave '{"cap_how": "refuse"}'
SELECT count(*), count(DISTINCT id::text) FROM eight; :spent_at_most
-- The wrapper cannot continue the query, or cannot verify that it is complete.
:fresh
ALTER FOREIGN TABLE one ALTER COLUMN created_at OPTIONS (ADD sortable 'false');
\! $REEVO_CTL behave '{"result_cap": 1000, "cap_how": "refuse"}'
:count :spent
\! $REEVO_CTL behave '{"cap_how": "no_cursor", "total": true}'
:count :spent
\! $REEVO_CTL behave '{"total": null}'
:count :spent
:fresh
\! $REEVO_CTL behave '{"result_cap": 770, "cap_how": "no_cursor", "total": true}'
:count :spent
:count :spent
ALTER FOREIGN TABLE one ALTER COLUMN created_at OPTIONS (DROP sortable);

--
-- 404: one query for each session shows whether the path exists.
--
:fresh
\! $REEVO_CTL behave '{"not_found_form": "kong"}'
SELECT count(*) FROM one WHERE id = id(9000); :spent
SELECT count(*) FROM one WHERE id = id(9001); :spent
SELECT count(*) FROM one WHERE id = id(1); :spent
SELECT count(*) FROM one WHERE id = id(9002); :spent
\set VERBOSITY terse
:fresh
\! $REEVO_CTL behave '{"not_found_form": "kong", "path_prefix_gone": true}'
SELECT count(*) FROM one WHERE id = id(1); :spent
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM one WHERE id = id(1); :spent
:count :spent
\! $REEVO_CTL behave '{"not_found_form": "express", "path_prefix_gone": ["get"]}'
SELECT count(*) FROM one WHERE id = id(1); :spent
\echo :LAST_ERROR_SQLSTATE
:recovered
SELECT count(*) FROM one WHERE id = id(1); :spent
\set VERBOSITY default
-- Deleted records: 404 with an empty body, or 410
:fresh
\! $REEVO_CTL delete 00000000-0000-4000-8000-000000000017
\! $REEVO_CTL behave '{"not_found_form": "empty"}'
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id WHERE w.number <= 100; :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN by_id o ON o.id = w.id WHERE w.number BETWEEN 16 AND 18; :spent
\! $REEVO_CTL behave '{"not_found_form": "gone"}'
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id WHERE w.number <= 100; :spent

--
-- The API rejects one of 1000 ids.
--
:fresh
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
:fresh
\! $REEVO_CTL behave '{"bad_ids": ["00000000-0000-4000-8000-000000000555"]}'
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
:recovered
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
:fresh
\! $REEVO_CTL behave '{"bad_ids": ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000001000"], "bad_id_status": 413}'
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
:fresh
\! $REEVO_CTL behave '{"bad_ids": ["00000000-0000-4000-8000-000000000099"], "bad_id_status": 422}'
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent

--
-- Merged records
--
:fresh
\! $REEVO_CTL behave '{"merged": {"00000000-0000-4000-8000-000000000020": "00000000-0000-4000-8000-000000000021", "00000000-0000-4000-8000-000000000500": "00000000-0000-4000-8000-000000002000"}}'
SELECT count(*) FROM one WHERE id = id(20); :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
:recovered
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent

--
-- Empty values: a cursor, pages, strings
--
:fresh
\! $REEVO_CTL behave '{"empty_last_cursor": true}'
:count :spent
SELECT count(*), count(DISTINCT id::text) FROM eight WHERE status = 'closed'; :spent_at_most
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN one o ON o.id = w.id; :spent
\! $REEVO_CTL behave '{"empty_last_cursor": null, "no_content_when_empty": true}'
SELECT count(*) FROM one WHERE status = 'of none'; :spent
SELECT count(*) FROM one WHERE id IN (id(9000), id(9001)); :spent
\! $REEVO_CTL behave '{"status": 204, "only": ["query"]}'
:count :spent
SELECT count(*) FROM eight; :spent
\! $REEVO_CTL behave '{"status": null, "only": null, "no_content_when_empty": null}'
SELECT count(*), count(closed_at), count(amount), count(account_id) FROM one; :spent
\! $REEVO_CTL behave '{"empty_strings": true}'
SELECT count(*), count(closed_at), count(amount), count(account_id) FROM one; :spent

--
-- Quotas, and transient statuses
--
\setenv RECORDS 1000
:fresh
\! $REEVO_CTL behave '{"quota_requests": 6, "quota_seconds": 1, "quota_header": "X-RateLimit-Reset"}'
\setenv MOST 12
:count :spent_at_most
\setenv MOST 18
\! $REEVO_CTL behave '{"quota_requests": 6, "quota_header": null}'
:count :spent_at_most
:recovered
:count :spent
-- A quota window longer than max_retry_wait
ALTER SERVER careful OPTIONS (ADD max_retry_wait '0.1');
\! $REEVO_CTL behave '{"quota_requests": 6, "quota_seconds": 60, "quota_header": "RateLimit-old"}'
\set VERBOSITY terse
:count :spent
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
ALTER SERVER careful OPTIONS (DROP max_retry_wait);
:fresh
\! $REEVO_CTL behave '{"fail_at": [3, 9], "fail_how": [520, 524]}'
:count :spent
-- 403 for throttling, and 403 from a gateway
\! $REEVO_CTL behave '{"fail_at": [5], "fail_how": "status", "fail_status": 403, "retry_after": 0}'
:count :spent
:recovered
\! $REEVO_CTL behave '{"status": 403, "body": "<html>Access denied</html>", "content_type": "text/html"}'
:count :spent
SELECT count(*) FROM one WHERE id = id(1); :spent
\! $REEVO_CTL behave '{"status": 403, "body": {"message": "no"}, "content_type": null}'
:count :spent

--
-- A missing ca_file, and a proxy that rejects the request
--
\set VERBOSITY terse
CREATE SERVER careful_restored FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url 'https://127.0.0.1:9', ca_file '/nowhere/ca.pem');
CREATE USER MAPPING FOR CURRENT_USER SERVER careful_restored OPTIONS (api_key 'test-key');
CREATE FOREIGN TABLE restored (id uuid) SERVER careful_restored;
EXPLAIN (COSTS OFF) SELECT * FROM restored;
ALTER SERVER careful_restored OPTIONS (ADD max_retries '1');
SELECT * FROM restored;
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER careful_restored OPTIONS (DROP ca_file, ADD proxy :'url');
:recovered
\! $REEVO_CTL behave '{"status": 407}'
SELECT * FROM restored; :spent
\echo :LAST_ERROR_SQLSTATE
\! $REEVO_CTL behave '{"status": 403}'
SELECT * FROM restored; :spent
ALTER SERVER careful_restored OPTIONS (SET proxy 'http://me:secret@127.0.0.1:9');
\set VERBOSITY default

--
-- The wrapper adds a reader only if max_requests allows it.
--
:fresh
ALTER FOREIGN TABLE eight OPTIONS (ADD max_requests '12');
\setenv MOST 12
SELECT count(*), count(DISTINCT id::text) FROM eight; :spent_at_most
ALTER FOREIGN TABLE eight OPTIONS (SET max_requests '9');
SELECT count(*), count(DISTINCT id::text) FROM eight; :spent_at_most

\! $REEVO_CTL reset
DROP SCHEMA careful CASCADE;
DROP SERVER careful CASCADE;
DROP SERVER careful_restored CASCADE;
