-- SPDX-License-Identifier: PostgreSQL
--
-- opportunity_fdw_stats shows the API calls of the session for each server.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER stats FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url', max_retries '2', max_retry_wait '0.1', max_concurrency '1');
CREATE SERVER other_stats FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER stats OPTIONS (api_key 'test-key');
CREATE USER MAPPING FOR CURRENT_USER SERVER other_stats OPTIONS (api_key 'other-key');
CREATE SCHEMA stats;
SET search_path = stats, public;
SET jit = off;
CREATE FOREIGN TABLE opportunity (id uuid, account_id uuid, stage text) SERVER stats;
CREATE FOREIGN TABLE kept (id uuid, stage text) SERVER stats OPTIONS (cache_ttl '3600');
CREATE FOREIGN TABLE elsewhere (id uuid, stage text) SERVER other_stats;
CREATE FUNCTION id(number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid $$;
-- The deterministic counters, and whether the others add up
CREATE VIEW spent AS
SELECT server, requests, record_requests AS record, query_requests AS query, schema_requests AS schema, health_requests AS health,
  succeeded, not_found, refused, throttled, failed, connection_errors, in_flight, retries, records, cache_hits,
  requests = record_requests + query_requests + schema_requests + health_requests
    AND requests = succeeded + not_found + refused + throttled + failed + connection_errors + in_flight
    AND (bytes > 0) = (succeeded > 0) AND connections <= requests AND wait_seconds >= throttled_seconds
    AND stats_reset <= now() AS adds_up
FROM opportunity_fdw_stats WHERE server LIKE '%stats' ORDER BY server;
\x on
\pset format unaligned

-- No row exists before the first request.
SELECT * FROM spent;
SELECT count(stage) FROM opportunity WHERE id = id(1);
SELECT * FROM spent;
\! $REEVO_CTL requests

--
-- Records by id, pages, cached records, and a missing record
--
SELECT count(*) FROM opportunity WHERE id IN (id(1), id(2), id(3));
SELECT count(*) FROM opportunity WHERE id = '99999999-0000-4000-8000-000000000000';
SELECT count(*) FROM opportunity;
SELECT count(*) FROM kept WHERE id = id(5);
SELECT count(*) FROM kept WHERE id = id(5);
SELECT count(*) FROM elsewhere WHERE id = id(6);
SELECT * FROM spent;

--
-- Reset
--
SELECT opportunity_fdw_stats_reset();
SELECT * FROM spent;

--
-- All outcomes
--
\! $REEVO_CTL behave '{"fail_first": 2, "fail_how": [429, "half-body-close"]}'
SELECT count(*) FROM opportunity WHERE id = id(1);
\! $REEVO_CTL behave '{"fail_first": 1, "fail_how": [501]}'
SELECT count(*) FROM opportunity WHERE id = id(1);
\! $REEVO_CTL behave '{"fail_first": 1, "fail_how": [403]}'
SELECT count(*) FROM opportunity WHERE id = id(1);
\! $REEVO_CTL behave '{"fail_first": null, "fail_how": null}'
IMPORT FOREIGN SCHEMA reevo LIMIT TO (account) FROM SERVER stats INTO stats;
SELECT * FROM spent;

-- A dropped server is not shown.
DROP SERVER other_stats CASCADE;
SELECT server FROM opportunity_fdw_stats WHERE server LIKE '%stats';
-- Any role can see the counters of its session.
CREATE ROLE stats_reader;
SET ROLE stats_reader;
SELECT count(*) FROM opportunity_fdw_stats WHERE server = 'stats';
RESET ROLE;
DROP ROLE stats_reader;
DROP SCHEMA stats CASCADE;
DROP SERVER stats CASCADE;
