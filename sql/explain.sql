-- SPDX-License-Identifier: PostgreSQL
--
-- EXPLAIN shows the request, the source of the id, and the API calls.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER explained FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER explained OPTIONS (api_key 'test-key');
CREATE SCHEMA explained;
SET search_path = explained;
SET jit = off;
CREATE FOREIGN TABLE opportunity (id uuid, stage text, amount numeric, account_id uuid) SERVER explained;
CREATE FOREIGN TABLE account (id uuid, display_name text) SERVER explained OPTIONS (record_type 'account');
CREATE FUNCTION id(number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid $$;
CREATE TABLE invoice (number int, id uuid, id_text text, parent uuid);
INSERT INTO invoice VALUES (1, id(1), id(1), NULL), (2, id(2), id(2), id(1)), (3, id(1), id(1), id(2)), (4, NULL, 'no id', id(1));
ANALYZE invoice;
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
\set one '''00000000-0000-4000-8000-000000000001'''
\set two '''00000000-0000-4000-8000-000000000002'''
\pset format unaligned
\pset tuples_only on

-- A whole plan. The other tests print the properties of the foreign scans only,
-- because these are the same in all versions of PostgreSQL.
EXPLAIN (COSTS OFF) SELECT stage FROM opportunity WHERE id = :one; :spent
EXPLAIN (COSTS OFF, VERBOSE) SELECT stage FROM opportunity WHERE id = :one; :spent
CREATE FUNCTION scans(query text, options text DEFAULT 'VERBOSE') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (COSTS OFF, %s) %s', options, query) LOOP
    line := regexp_replace(line, '^.*Foreign Scan', 'Foreign Scan');
    line := regexp_replace(line, ' \((actual|never).*\)$', '');
    line := regexp_replace(line, '\(InitPlan (\d)\)\.col1|\$\d+(?=$| )', 'PARAMETER');
    IF line ~ 'Foreign Scan|Request|API Calls|Id:|Cache Hits|Prefetched|Retries' THEN
      RETURN NEXT btrim(line);
    END IF;
  END LOOP;
END $$;

-- Values that the id is compared with
SELECT scans($$ SELECT FROM opportunity WHERE id = id(1) $$);
SELECT scans($$ SELECT FROM opportunity o WHERE o.id::text = id(1)::text $$);
SELECT scans($$ SELECT FROM opportunity WHERE id = coalesce(current_setting('explained.id', true)::uuid, id(1)) $$);
SELECT scans($$ SELECT FROM opportunity WHERE id = (SELECT i.id FROM invoice i LIMIT 1) $$);
SELECT scans($$ SELECT FROM opportunity WHERE id IN (id(1), id(2)) $$);
SELECT scans($$ SELECT FROM opportunity WHERE id = ANY (string_to_array(current_setting('explained.ids', true), ',')::uuid[]) $$);
SELECT scans($$ SELECT FROM opportunity WHERE id = id(1) OR id::text = lower('X' || current_date) OR id = ANY (ARRAY[id(2), id(3)]) $$);
SELECT scans($$ SELECT FROM opportunity WHERE id::text = lower('X' || current_date) AND id = ANY (ARRAY[id(2), id(3)]) $$);
SELECT scans($$ SELECT FROM opportunity WHERE id::text = lower('X' || current_date) AND stage = 'x' OR id = id(2) AND (id = id(3) OR id = id(4)) $$);
SELECT scans($$ SELECT FROM invoice i JOIN opportunity o ON o.id = i.id $$);
SELECT scans($$ SELECT FROM invoice i JOIN opportunity o ON o.id::text = i.id_text $$);
SELECT scans($$ SELECT FROM invoice i JOIN opportunity o ON o.id = coalesce(i.id, i.parent) $$);
SELECT scans($$ SELECT FROM invoice i JOIN opportunity o ON o.id = i.id OR o.id = i.parent $$);
SELECT scans($$ SELECT FROM invoice i LEFT JOIN LATERAL (SELECT stage FROM opportunity o WHERE o.id = i.id LIMIT 1) l ON true $$);
SELECT scans($$ SELECT (SELECT o.stage FROM opportunity o WHERE o.id = i.id) FROM invoice i $$);
SELECT scans($$ SELECT FROM opportunity o JOIN account a ON a.id = o.account_id WHERE o.id = id(1) $$);
SELECT scans($$ SELECT FROM opportunity $$);
SELECT scans($$ SELECT FROM opportunity WHERE id = id(1) $$, 'VERBOSE false');
SELECT scans($$ UPDATE invoice i SET number = 0 FROM opportunity o WHERE o.id = i.id $$);
:spent

-- A custom plan shows a parameter's value, and a generic plan does not.
PREPARE by_id (uuid) AS SELECT stage FROM opportunity WHERE id = $1;
PREPARE by_ids (uuid[]) AS SELECT stage FROM opportunity WHERE id = ANY ($1);
SET plan_cache_mode = force_custom_plan;
EXPLAIN (COSTS OFF, VERBOSE) EXECUTE by_id (:one);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF, VERBOSE) EXECUTE by_id (:one);
EXPLAIN (COSTS OFF, VERBOSE) EXECUTE by_ids (ARRAY[:one, :two]::uuid[]);
:spent
RESET plan_cache_mode;

-- API calls
\set spent_in 'ANALYZE, TIMING OFF, SUMMARY OFF'
SELECT scans($$ SELECT stage FROM opportunity WHERE id = id(1) $$, :'spent_in'); :spent
SELECT scans($$ SELECT stage FROM opportunity WHERE id = (SELECT parent FROM invoice WHERE number = 1) $$, :'spent_in'); :spent
SELECT scans($$ SELECT stage FROM opportunity WHERE id IN (id(1), id(2), id(3), id(999999)) $$, :'spent_in'); :spent
SELECT scans($$ SELECT stage FROM opportunity WHERE id = ANY (ARRAY[id(1), id(1), NULL]) $$, :'spent_in'); :spent
SELECT scans($$ SELECT stage FROM opportunity WHERE id = id(1) UNION ALL SELECT stage FROM opportunity WHERE id IN (id(1), id(2)) $$, :'spent_in'); :spent
SELECT scans($$ SELECT 1 FROM invoice i WHERE number < 0 AND EXISTS (SELECT FROM opportunity o WHERE o.id = i.id) $$, :'spent_in'); :spent
-- Three lookups, one of them from the statement's cache. Memoize would keep the
-- records, too.
DO $$
BEGIN
  IF current_setting('server_version_num')::int >= 140000 THEN
    SET enable_memoize = off;
  END IF;
END $$;
SELECT scans($$ SELECT o.stage FROM invoice i JOIN opportunity o ON o.id = i.id $$, :'spent_in'); :spent
SELECT scans($$ SELECT o.stage FROM invoice i LEFT JOIN opportunity o ON o.id = i.id LEFT JOIN opportunity p ON p.id = i.parent $$, :'spent_in'); :spent
-- Retries count as API calls.
\! $REEVO_CTL behave '{"fail_first": 1, "fail_status": 503, "retry_after": 0}'
SELECT scans($$ SELECT stage FROM opportunity WHERE id = id(1) $$, :'spent_in'); :spent

-- JSON shows all properties.
CREATE FUNCTION plan_json(query text, options text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE format('EXPLAIN (COSTS OFF, FORMAT JSON, %s) %s', options, query) INTO plan;
  RETURN plan -> 0 -> 'Plan';
END $$;
SELECT p -> 'Remote Request', p -> 'Id', p -> 'API Calls', p -> 'Retries', p -> 'Cache Hits'
  FROM plan_json($$ SELECT stage FROM opportunity WHERE id IN (id(1), id(2)) $$, :'spent_in' || ', VERBOSE') AS p; :spent
SELECT p -> 'Remote Request', p ? 'Id', p ? 'API Calls'
  FROM plan_json($$ SELECT stage FROM opportunity WHERE id = id(1) $$, 'VERBOSE false') AS p; :spent
SELECT p -> 'Remote Request', p -> 'Id'
  FROM plan_json($$ SELECT stage FROM opportunity WHERE amount = 1 $$, 'VERBOSE') AS p; :spent

-- JSON shows the hits of a lookup by key, also if there are none. A scan without
-- a lookup does not have this property.
SET opportunity_fdw.enable_batch_lookup = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT jsonb_path_query_array(p, '$.**."API Calls"'), jsonb_path_query_array(p, '$.**."Cache Hits"')
  FROM plan_json($$ SELECT o.stage FROM invoice i JOIN opportunity o ON o.account_id = i.parent WHERE i.number = 2 $$, :'spent_in') AS p; :spent
SELECT jsonb_path_query_array(p, '$.**."API Calls"'), jsonb_path_query_array(p, '$.**."Cache Hits"')
  FROM plan_json($$ SELECT display_name FROM account WHERE display_name = 'x' $$, :'spent_in') AS p; :spent
RESET opportunity_fdw.enable_batch_lookup;
RESET enable_hashjoin;
RESET enable_mergejoin;

-- A plan shows neither the key nor the URL, and planning needs neither.
CREATE FUNCTION has_secret(query text, format text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (ANALYZE, VERBOSE, FORMAT %s) %s', format, query) LOOP
    IF line ~ 'test-key|127\.0\.0\.1|localhost' THEN
      RETURN true;
    END IF;
  END LOOP;
  RETURN false;
END $$;
SELECT format, has_secret($$ SELECT * FROM opportunity WHERE id = id(1) $$, format) FROM unnest('{text,json,yaml,xml}'::text[]) format; :spent
CREATE SERVER explained_no_mapping FOREIGN DATA WRAPPER opportunity_fdw;
CREATE FOREIGN TABLE unmapped (id uuid) SERVER explained_no_mapping;
SELECT scans($$ SELECT FROM unmapped WHERE id = id(1) $$);

DROP SCHEMA explained CASCADE;
DROP SERVER explained CASCADE;
DROP SERVER explained_no_mapping CASCADE;
