-- SPDX-License-Identifier: PostgreSQL
--
-- opportunity_fdw_check() tests a server step by step.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER "check it" FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE SCHEMA checking;
SET search_path = checking, public;
\pset format unaligned
\pset null -

-- :spent prints the number of requests since its last use.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'

-- report replaces the parts that differ between runs. "timed" is true if the time
-- of a step is not negative.
CREATE FUNCTION report(server name, OUT step text, OUT ok boolean, OUT timed boolean, OUT detail text, OUT hint text)
RETURNS SETOF record LANGUAGE sql AS $$
  SELECT step, ok, milliseconds >= 0,
      replace(regexp_replace(detail, '(port |^)[0-9]+(\.[0-9])?(\.$|, | requests)', '\1N\3'), '"' || session_user || '"', '"USER"'),
      regexp_replace(hint, '127\.0\.0\.1:[0-9]+', '127.0.0.1:N')
    FROM opportunity_fdw_check(server)
$$;
-- problems returns the steps that did not pass.
CREATE FUNCTION problems(server name, OUT step text, OUT ok boolean, OUT detail text, OUT hint text)
RETURNS SETOF record LANGUAGE sql AS $$
  SELECT step, ok, detail, hint FROM report(server) WHERE ok IS NOT true AND step <> 'tls'
$$;
SELECT proretset, proisstrict, provolatile, proparallel, obj_description(oid) FROM pg_proc WHERE proname = 'opportunity_fdw_check';

--
-- A user mapping
--
SELECT step, ok, timed, CASE WHEN detail LIKE 'user mapping not found for %' THEN 'user mapping not found' ELSE detail END AS detail, hint
  FROM report('check it');
CREATE USER MAPPING FOR PUBLIC SERVER "check it";
SELECT * FROM report('check it');
CREATE USER MAPPING FOR CURRENT_USER SERVER "check it";
SELECT detail, hint FROM report('check it') LIMIT 1;
ALTER USER MAPPING FOR PUBLIC SERVER "check it" OPTIONS (ADD api_key 'other-key');
DROP USER MAPPING FOR CURRENT_USER SERVER "check it";
SELECT detail, hint FROM report('check it') LIMIT 1;
DROP USER MAPPING FOR PUBLIC SERVER "check it";
CREATE USER MAPPING FOR CURRENT_USER SERVER "check it" OPTIONS (api_key 'test-key');
\! $REEVO_CTL reset
\set now 0

--
-- All steps pass with five requests. The connection stays open.
--
SELECT * FROM report('check it'); :spent
\! $REEVO_CTL last 5
SELECT * FROM report('check it') WHERE step IN ('reach', 'tls', 'round trip'); :spent
\echo connections: `$REEVO_CTL connections`
SELECT opportunity_fdw_disconnect();
SELECT step, timed, detail FROM report('check it') WHERE step = 'reach'; :spent
BEGIN READ ONLY;
SELECT count(*), count(*) FILTER (WHERE ok) AS passed FROM opportunity_fdw_check('check it');
SAVEPOINT s;
SELECT count(*), count(*) FILTER (WHERE ok) AS passed FROM opportunity_fdw_check('check it');
ROLLBACK TO s;
COMMIT;
SELECT opportunity_fdw_check('check it') IS NULL AS is_null FROM generate_series(1, 2) OFFSET 21;
SELECT count(*) FROM opportunity_fdw_check(NULL);
\! $REEVO_CTL reset
\set now 0

--
-- The key
--
ALTER USER MAPPING FOR CURRENT_USER SERVER "check it" OPTIONS (SET api_key 'wrong');
SELECT * FROM report('check it') WHERE step <> 'tls'; :spent
ALTER USER MAPPING FOR CURRENT_USER SERVER "check it" OPTIONS (SET api_key 'no-permission');
SELECT * FROM report('check it') WHERE step <> 'tls'; :spent
-- 403 for GET only, and for queries only
ALTER USER MAPPING FOR CURRENT_USER SERVER "check it" OPTIONS (SET api_key 'test-key');
\! $REEVO_CTL behave '{"status": 403, "body": {"detail": "No."}, "only": ["get"]}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"only": ["query"]}'
SELECT * FROM problems('check it'); :spent
-- The API's message about the key is not shown.
\! $REEVO_CTL behave '{"status": 401, "body": {"message": "What is test-key?"}, "only": null}'
SELECT * FROM problems('check it') WHERE NOT ok; :spent
\! $REEVO_CTL reset
\set now 0

--
-- The API rejects queries. A GET of a nonexistent record checks the key.
--
\! $REEVO_CTL behave '{"status": 405, "body": {"detail": "Method Not Allowed"}, "only": ["query"]}'
SELECT * FROM report('check it') WHERE step NOT IN ('reach', 'tls'); :spent
\! $REEVO_CTL last 4
\! $REEVO_CTL behave '{"status": 404, "body": {"detail": "Not Found"}}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"status": 404, "body": {"error": {"code": "unknown_record_type"}}}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"status": 422, "body": {"detail": "What?"}}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"status": 503, "body": {"detail": "Later."}}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"status": 200, "body": "<html>", "content_type": "text/html"}'
SELECT * FROM problems('check it'); :spent
-- The same with a wrong key, and with a key without permission
\! $REEVO_CTL behave '{"status": 404, "body": {"detail": "Not Found"}, "content_type": null}'
ALTER USER MAPPING FOR CURRENT_USER SERVER "check it" OPTIONS (SET api_key 'wrong');
SELECT * FROM problems('check it'); :spent
ALTER USER MAPPING FOR CURRENT_USER SERVER "check it" OPTIONS (SET api_key 'no-permission');
SELECT * FROM problems('check it'); :spent
ALTER USER MAPPING FOR CURRENT_USER SERVER "check it" OPTIONS (SET api_key 'test-key');
-- None of the responses proves that the path exists.
\! $REEVO_CTL behave '{"not_found_form": "bare"}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"not_found_form": "html"}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"status": 502, "body": "", "only": ["query", "get"]}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL reset
\set now 0
-- use_query 'false' skips the query step.
ALTER SERVER "check it" OPTIONS (ADD use_query 'false');
SELECT * FROM report('check it') WHERE step NOT IN ('reach', 'tls', 'round trip'); :spent
ALTER SERVER "check it" OPTIONS (DROP use_query);

--
-- Records
--
\! $REEVO_CTL behave '{"archived_hidden_from_get": true}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"archived_hidden_from_get": false, "swap_id": true}'
SELECT * FROM problems('check it'); :spent
-- The workspace has no records.
\! $REEVO_CTL behave '{"swap_id": false, "status": 200, "body": {"data": []}, "only": ["query"]}'
SELECT step, ok, detail, hint FROM report('check it') WHERE step IN ('key', 'query', 'record', 'archived'); :spent
\! $REEVO_CTL reset
\set now 0

--
-- The schema
--
\! $REEVO_CTL behave '{"status": 404, "body": {"detail": "Not Found"}, "only": ["schema"]}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"status": 403, "body": {"detail": "No."}}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"status": 200, "body": {"attributes": 5}}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL reset
\set now 0

--
-- The health endpoint reports a problem. The other steps still run.
--
\! $REEVO_CTL behave '{"healthy": false}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"healthy": "degraded"}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"healthy": null, "status": 302, "body": "", "only": ["health"]}'
SELECT * FROM problems('check it'); :spent
-- At most five requests, even if a 404 requires the health endpoint again
SELECT opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"status": 404, "body": {"detail": "Not Found"}, "only": ["get"], "healthy": false}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL reset
\set now 0

--
-- Only an archived record in the response proves that the API returns archived
-- records.
--
\! $REEVO_CTL behave '{"archived_hidden_from_query": true}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"archived_hidden_from_query": false, "refuse_fields": ["archived_at"]}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"refuse_fields": [], "refuse_operators": ["archived_at.exists"]}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL behave '{"refuse_operators": [], "ignore_filters": true}'
\! $REEVO_CTL unarchive 3c90c3cc-0d44-4b50-8888-8dd25736052a
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL reset
\set now 0
ALTER SERVER "check it" OPTIONS (ADD query_returns_archived 'true');
SELECT ok, detail, hint FROM report('check it') WHERE step = 'archived'; :spent
ALTER SERVER "check it" OPTIONS (DROP query_returns_archived);

--
-- opportunity_fdw_check does not retry, and respects max_requests.
--
ALTER SERVER "check it" OPTIONS (ADD max_requests '2');
SELECT * FROM problems('check it'); :spent
ALTER SERVER "check it" OPTIONS (DROP max_requests);
\! $REEVO_CTL behave '{"status": 429, "retry_after": 1}'
SELECT * FROM problems('check it'); :spent
\! $REEVO_CTL reset
\set now 0

--
-- Privileges, and servers of other wrappers
--
SELECT * FROM opportunity_fdw_check('no such server');
CREATE FOREIGN DATA WRAPPER check_other;
CREATE SERVER check_other FOREIGN DATA WRAPPER check_other;
SELECT * FROM opportunity_fdw_check('check_other');
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN DATA WRAPPER check_other HANDLER opportunity_fdw_handler;
SELECT ok, hint FROM opportunity_fdw_check('check_other') LIMIT 1;
CREATE ROLE regress_check_user;
GRANT USAGE ON SCHEMA checking TO regress_check_user;
SET ROLE regress_check_user;
SELECT * FROM opportunity_fdw_check('check it');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER "check it" TO regress_check_user;
CREATE USER MAPPING FOR regress_check_user SERVER "check it";
SET ROLE regress_check_user;
SELECT step, ok, detail, hint FROM report('check it') LIMIT 2; :spent
RESET ROLE;
ALTER USER MAPPING FOR regress_check_user SERVER "check it" OPTIONS (ADD api_key 'other-key');
SET ROLE regress_check_user;
SELECT count(*) FILTER (WHERE ok) AS passed FROM opportunity_fdw_check('check it'); :spent
RESET ROLE;

DROP SCHEMA checking CASCADE;
DROP FOREIGN DATA WRAPPER check_other CASCADE;
DROP SERVER "check it" CASCADE;
DROP ROLE regress_check_user;
\! $REEVO_CTL reset
