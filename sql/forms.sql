-- SPDX-License-Identifier: PostgreSQL
--
-- Each form of WHERE id = ... costs one request or none.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\set url_slashes `echo "$REEVO_URL//"`
\! $REEVO_CTL reset
CREATE SERVER forms FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER forms OPTIONS (api_key 'test-key');
CREATE SCHEMA forms;
SET search_path = forms;
SET timezone = 'UTC';
SET datestyle = 'ISO';
IMPORT FOREIGN SCHEMA reevo FROM SERVER forms INTO forms OPTIONS (discover 'false');

-- Tables with the id column as another type, and twice
CREATE DOMAIN opportunity_id AS uuid;
CREATE DOMAIN opportunity_name AS text CHECK (value <> '');
CREATE FOREIGN TABLE by_text (id text, stage text) SERVER forms;
CREATE FOREIGN TABLE by_varchar (stage text, id varchar(36)) SERVER forms;
CREATE FOREIGN TABLE by_domain (key opportunity_id OPTIONS (attribute 'id'), stage text) SERVER forms;
CREATE FOREIGN TABLE by_text_domain (id opportunity_name, stage text) SERVER forms;
CREATE FOREIGN TABLE by_json (id jsonb, key uuid OPTIONS (attribute 'id'), stage text) SERVER forms;
CREATE FOREIGN TABLE by_two (id uuid, name text OPTIONS (attribute 'id'), stage text) SERVER forms;

-- no returns the number of a test record, and id returns the id of a number.
CREATE FUNCTION no(id text) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN id LIKE '00000000-%' THEN right(id, 12)::int ELSE 0 END $$;
CREATE FUNCTION no(id uuid) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT forms.no(id::text) $$;
CREATE FUNCTION id(number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-8000-' || lpad(number::text, 12, '0'))::uuid $$;
CREATE FUNCTION stable_id(number int) RETURNS uuid LANGUAGE plpgsql STABLE AS
$$ BEGIN RETURN forms.id(number); END $$;
CREATE FUNCTION volatile_id(number int) RETURNS uuid LANGUAGE plpgsql VOLATILE AS
$$ BEGIN RETURN forms.id(number); END $$;

-- :spent prints the number of record requests since its last use.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
\set example '''3c90c3cc-0d44-4b50-8888-8dd25736052a'''
\set upper '''3C90C3CC-0D44-4B50-8888-8DD25736052A'''
\set one '''00000000-0000-4000-8000-000000000001'''
\set two '''00000000-0000-4000-8000-000000000002'''
\set three '''00000000-0000-4000-8000-000000000003'''
\set missing '''ffffffff-ffff-4fff-bfff-ffffffffffff'''
\pset format unaligned
\pset tuples_only on
\pset null NULL

--
-- Constants
--
SELECT id, stage FROM opportunity WHERE id = :example; :spent
SELECT stage FROM opportunity WHERE id = :example::uuid; :spent
SELECT stage FROM opportunity WHERE id = CAST(:example AS uuid); :spent
SELECT stage FROM opportunity WHERE :example = id; :spent
SELECT stage FROM opportunity WHERE id = :upper; :spent
SELECT stage FROM opportunity WHERE id = '{3C90C3CC-0D44-4B50-8888-8DD25736052A}'; :spent
SELECT stage FROM opportunity WHERE id = '3c90c3cc0d444b5088888dd25736052a'; :spent
SELECT stage FROM opportunity WHERE id::text = :example; :spent
SELECT stage FROM opportunity WHERE id::varchar = :example; :spent
SELECT stage FROM opportunity WHERE :example = id::text; :spent
SELECT stage FROM opportunity WHERE id::text::uuid = :example; :spent
SELECT stage FROM opportunity WHERE id = :example::opportunity_id; :spent
SELECT stage FROM opportunity WHERE NOT id <> :example; :spent
SELECT stage FROM opportunity WHERE (id, status) = (:example, 'open'); :spent
SELECT stage FROM opportunity WHERE id IN (:example); :spent
SELECT stage FROM opportunity WHERE id IS NOT DISTINCT FROM :example; :spent
SELECT stage FROM opportunity WHERE id = ('3c90c3cc-0d44-4b50-8888-' || '8dd25736052a')::uuid; :spent
SELECT stage FROM opportunity WHERE id = CASE WHEN current_user IS NULL THEN :one ELSE :example END::uuid; :spent
SELECT stage FROM opportunity WHERE id = coalesce(NULL, :example)::uuid; :spent
SELECT count(*) FROM opportunity WHERE id = :missing; :spent

-- A text column shows the id in canonical form, and equals only that form.
SELECT id, stage FROM by_text WHERE id = :example; :spent
SELECT id, stage FROM by_text WHERE id = :example::varchar; :spent
SELECT id, stage FROM by_text WHERE id::uuid = :upper; :spent
SELECT id, stage FROM by_varchar WHERE id = :example; :spent
SELECT key, stage FROM by_domain WHERE key = :example; :spent
SELECT key, stage FROM by_domain WHERE key::text = :example; :spent
SELECT id, stage FROM by_text_domain WHERE id = :example; :spent
SELECT id, name FROM by_two WHERE id = :example; :spent
SELECT id, name FROM by_two WHERE name = :example; :spent
SELECT id, name FROM by_two WHERE name = :example AND id = :example; :spent
SELECT count(*) FROM by_text WHERE id = :upper; :spent
SELECT count(*) FROM opportunity WHERE id::text = :upper; :spent

-- A text that is not a UUID costs no request.
SELECT count(*) FROM by_text WHERE id = '{3c90c3cc-0d44-4b50-8888-8dd25736052a}'; :spent
SELECT count(*) FROM by_text WHERE id = '3c90c3cc0d444b5088888dd25736052a'; :spent
SELECT count(*) FROM by_text WHERE id = '3c90c3cc-0d44-4b50-8888-8dd25736052a '; :spent
SELECT count(*) FROM by_text WHERE id = '3c90c3cc-0d44-4b50-8888-8dd25736052g'; :spent
SELECT count(*) FROM by_text WHERE id = '../../../v2/health'; :spent
SELECT count(*) FROM by_varchar WHERE id = 'é'; :spent
SELECT count(*) FROM by_text_domain WHERE id = ''; :spent
SELECT count(*) FROM opportunity WHERE id::text = 'Acme'; :spent
SELECT count(*) FROM opportunity WHERE id = NULL; :spent
SELECT count(*) FROM opportunity WHERE id = NULL::uuid; :spent
SELECT count(*) FROM opportunity WHERE id IS NOT DISTINCT FROM nullif(stable_id(1), stable_id(1)); :spent
SELECT count(*) FROM by_text WHERE id = (SELECT NULL::text); :spent
SELECT count(*) FROM opportunity WHERE id IS NULL AND id = :one; :spent
SELECT count(*) FROM opportunity WHERE id = :one AND id = :two; :spent
SELECT count(*) FROM by_two WHERE id = :one AND name = :two; :spent
SELECT count(*) FROM opportunity WHERE id = stable_id(1) AND id = stable_id(2); :spent
SELECT count(*) FROM opportunity WHERE false; :spent
SELECT count(*) FROM opportunity WHERE id = :one AND false; :spent
SELECT count(*) FROM opportunity WHERE id = :one AND current_user IS NULL; :spent
SELECT count(*) FROM opportunity WHERE id = :one LIMIT 0; :spent

--
-- Values that are known only at execution
--
SELECT no(id) FROM opportunity WHERE id = (SELECT id(1)); :spent
SELECT no(id) FROM opportunity WHERE id = (SELECT max(n)::text::uuid FROM (VALUES (:one), (:two)) AS v (n)); :spent
SELECT no(id) FROM opportunity WHERE (SELECT id(1)) = id; :spent
SELECT no(id) FROM opportunity WHERE id = (SELECT id(n) FROM generate_series(1, 3) n WHERE n > 3); :spent
SELECT no(id) FROM opportunity WHERE id = id(1); :spent
SELECT no(id) FROM opportunity WHERE id = stable_id(1); :spent
SELECT no(id) FROM opportunity WHERE id::text = stable_id(1)::text; :spent
SET forms.id = :one;
SELECT no(id) FROM opportunity WHERE id = current_setting('forms.id')::uuid; :spent
SELECT no(id) FROM opportunity WHERE id = current_setting('forms.unset', true)::uuid; :spent

SELECT no(id) FROM opportunity WHERE id = (SELECT volatile_id(1)); :spent

-- Prepared statements: ten executions cost one request each.
CREATE FUNCTION run_ten(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  found text;
  numbers text := '';
BEGIN
  FOR n IN 1..10 LOOP
    EXECUTE format('EXECUTE %I (%L)', statement, forms.id(n)) INTO found;
    numbers := numbers || coalesce(found, '-') || ' ';
  END LOOP;
  RETURN rtrim(numbers);
END $$;
PREPARE by_uuid (uuid) AS SELECT no(id) FROM opportunity WHERE id = $1;
PREPARE by_name (text) AS SELECT no(id) FROM opportunity WHERE id::text = $1;
PREPARE by_cast (text) AS SELECT no(id) FROM opportunity WHERE id = $1::uuid;
PREPARE by_text (text) AS SELECT no(id) FROM by_text WHERE id = $1;
PREPARE by_expression (uuid) AS SELECT no(id) FROM opportunity WHERE id = coalesce($1, NULL);
SET plan_cache_mode = force_generic_plan;
SELECT run_ten('by_uuid'); :spent
SELECT run_ten('by_name'); :spent
SELECT run_ten('by_cast'); :spent
SELECT run_ten('by_text'); :spent
SELECT run_ten('by_expression'); :spent
EXECUTE by_uuid (NULL); :spent
EXECUTE by_name ('no id'); :spent
EXECUTE by_uuid (:one); :spent
SET plan_cache_mode = force_custom_plan;
SELECT run_ten('by_uuid'); :spent
SELECT run_ten('by_name'); :spent
SELECT run_ten('by_cast'); :spent
SELECT run_ten('by_text'); :spent
SELECT run_ten('by_expression'); :spent
EXECUTE by_uuid (NULL); :spent
EXECUTE by_name ('no id'); :spent
SET plan_cache_mode = auto;
SELECT run_ten('by_uuid'); :spent
DEALLOCATE ALL;

-- PL/pgSQL: a variable, a loop, a loop over a query, and a function without
-- inlining
DO $$
DECLARE
  wanted uuid := forms.id(1);
  wanted_text text := forms.id(2)::text;
  found record;
BEGIN
  SELECT no(id), stage INTO found FROM opportunity WHERE id = wanted;
  RAISE WARNING '%', found;
  SELECT no(id), stage INTO found FROM opportunity WHERE id::text = wanted_text;
  RAISE WARNING '%', found;
END $$; :spent
DO $$
DECLARE
  found record;
  numbers int[];
BEGIN
  FOR n IN 1..10 LOOP
    SELECT no(id) AS no INTO found FROM opportunity WHERE id = id(n);
    numbers := numbers || found.no;
  END LOOP;
  RAISE WARNING '%', numbers;
END $$; :spent
-- Each statement of a polling loop fetches the record again.
DO $$
BEGIN
  FOR n IN 1..3 LOOP
    PERFORM stage FROM opportunity WHERE id = id(1);
  END LOOP;
END $$; :spent
DO $$
DECLARE
  found record;
BEGIN
  FOR found IN SELECT no(id), stage FROM opportunity WHERE id IN (id(1), id(2)) LOOP
    RAISE WARNING '%', found;
  END LOOP;
END $$; :spent

CREATE FUNCTION stage_of(wanted uuid) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT stage FROM forms.opportunity WHERE id = wanted $$;
CREATE FUNCTION volatile_stage_of(wanted uuid) RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT stage FROM forms.opportunity WHERE id = $1 $$;
CREATE FUNCTION row_of(wanted uuid) RETURNS SETOF opportunity LANGUAGE sql STABLE AS
$$ SELECT * FROM forms.opportunity WHERE id = wanted $$;
CREATE FUNCTION plpgsql_row_of(wanted uuid) RETURNS SETOF opportunity LANGUAGE plpgsql AS
$$ BEGIN RETURN QUERY SELECT * FROM forms.opportunity WHERE id = wanted; END $$;
SELECT stage_of(:one); :spent
SELECT volatile_stage_of(:one); :spent
SELECT stage_of(NULL); :spent
SELECT no(id), stage FROM row_of(:one); :spent
SELECT no(id), stage FROM row_of(:one) WHERE amount > 0; :spent
SELECT no(id), stage FROM plpgsql_row_of(:one); :spent
SELECT stage FROM opportunity WHERE id = (SELECT id FROM row_of(:one)); :spent

--
-- PostgreSQL checks further conditions on the row.
--
SELECT no(id) FROM opportunity WHERE id = :one AND stage = 'Discovery'; :spent
SELECT no(id) FROM opportunity WHERE id = :one AND stage <> 'Discovery'; :spent
SELECT no(id) FROM opportunity WHERE id = :one AND display_name LIKE '%1' AND amount BETWEEN 1 AND 1e6; :spent
SELECT no(id) FROM opportunity WHERE id = :one AND lower(status) = 'open'; :spent
SELECT no(id) FROM opportunity WHERE id = :one AND outcome IS NULL; :spent
SELECT no(id) FROM opportunity WHERE id = :one AND outcome IS NOT NULL; :spent
SELECT no(id) FROM opportunity WHERE id = :one AND (stage = 'x' OR amount > 1); :spent
SELECT no(id) FROM opportunity WHERE id = :one AND NOT (stage = 'x' OR amount > 1); :spent
SELECT no(id) FROM opportunity WHERE id = :one AND no(id) = 2; :spent
SELECT no(id) FROM opportunity WHERE id = :one AND id <> :two; :spent
SELECT no(id) FROM opportunity WHERE id = :one AND id > :one; :spent
SELECT no(id) FROM opportunity WHERE id = :one AND volatile_id(1) = id; :spent
SELECT no(id) FROM opportunity WHERE id = :one AND EXISTS (SELECT FROM pg_class); :spent
SELECT no(id) FROM opportunity WHERE id = :one AND created_at < now(); :spent
SELECT no(id) FROM opportunity o WHERE id = :one AND 1 = (SELECT count(*) FROM (VALUES (o.stage)) AS v); :spent

--
-- With use_query 'false', a scan without a condition on the id is an error, and
-- costs no request.
--
ALTER FOREIGN TABLE opportunity OPTIONS (ADD use_query 'false');
ALTER FOREIGN TABLE by_text OPTIONS (ADD use_query 'false');
ALTER FOREIGN TABLE by_json OPTIONS (ADD use_query 'false');
SELECT no(id) FROM opportunity;
\echo :LAST_ERROR_SQLSTATE
-- PostgreSQL 18 also marks such a plan as disabled.
CREATE FUNCTION plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS
$$ DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line NOT LIKE '%Disabled: true' THEN RETURN NEXT line; END IF;
  END LOOP;
END $$;
SELECT plan('SELECT no(id) FROM opportunity');
\set VERBOSITY terse
SELECT no(id) FROM opportunity WHERE id = :one OR stage = 'x';
SELECT no(id) FROM opportunity WHERE id = :one OR id = id;
SELECT no(id) FROM opportunity WHERE id <> :one;
SELECT no(id) FROM opportunity WHERE id > :one;
SELECT no(id) FROM opportunity WHERE NOT (id = :one AND stage = 'x');
SELECT no(id) FROM opportunity WHERE id <> ALL (ARRAY[:one, :two]::uuid[]);
SELECT no(id) FROM opportunity WHERE id = account_id;
SELECT no(id) FROM opportunity WHERE id::text LIKE :one;
SELECT no(id) FROM opportunity WHERE account_id = :one;
SELECT no(id) FROM opportunity WHERE id IS DISTINCT FROM :one;
SELECT no(id) FROM opportunity LIMIT 1;
-- JSON puts quotes around the id, so a condition on this column does not find it.
SELECT count(*) FROM by_json WHERE id::text = '"00000000-0000-4000-8000-000000000001"';
SELECT count(*) FROM by_json WHERE id = '"00000000-0000-4000-8000-000000000001"';
:spent
SELECT b.id, b.stage FROM by_json b WHERE b.key = :one; :spent
-- A tsvector puts quotes around the word, so this value is not a UUID.
SELECT stage FROM by_text WHERE id::tsvector::text = '''' || :example || ''''; :spent
-- A volatile function returns another value for each row, so it does not fix the
-- id.
SELECT no(id) FROM opportunity WHERE id = volatile_id(1); :spent
ALTER FOREIGN TABLE opportunity OPTIONS (DROP use_query);
ALTER FOREIGN TABLE by_text OPTIONS (DROP use_query);
ALTER FOREIGN TABLE by_json OPTIONS (DROP use_query);

--
-- Other uses of the row
--
SELECT o.stage, (o).amount FROM opportunity o WHERE id = :one; :spent
SELECT o FROM by_two o WHERE id = :one; :spent
SELECT row_to_json(o) FROM by_two o WHERE id = :one; :spent
SELECT to_jsonb(o) ->> 'stage' FROM opportunity o WHERE o.id = :one; :spent
SELECT count(o), count(o.*) FROM by_two o WHERE id = :one; :spent
SELECT o.* IS NOT NULL FROM by_two o WHERE id = :one; :spent
SELECT 'constant' FROM opportunity WHERE id = :one; :spent
SELECT FROM opportunity WHERE id = :missing; :spent
SELECT EXISTS (SELECT FROM opportunity WHERE id = :one), EXISTS (SELECT FROM opportunity WHERE id = :missing); :spent
SELECT tableoid::regclass, stage FROM opportunity WHERE id = :one; :spent
SELECT tableoid = 'opportunity'::regclass FROM opportunity WHERE id = :one AND tableoid <> 0; :spent
SELECT no(id) FROM opportunity WHERE id = :one FOR UPDATE; :spent
SELECT no(id) FROM opportunity WHERE id = :one FOR SHARE SKIP LOCKED; :spent
COPY (SELECT no(id), stage FROM opportunity WHERE id = :one) TO STDOUT; :spent
TABLE opportunity LIMIT 0; :spent
CREATE TEMP TABLE kept AS SELECT id, stage FROM opportunity WHERE id = :one; :spent
INSERT INTO kept SELECT id, stage FROM opportunity WHERE id = :two RETURNING no(id); :spent
UPDATE kept SET stage = o.stage FROM opportunity o WHERE o.id = kept.id RETURNING no(kept.id), kept.stage; :spent
DELETE FROM kept USING opportunity o WHERE o.id = kept.id AND o.status = 'closed' RETURNING no(kept.id); :spent

-- A foreign table does not have ctid or xmin. The message differs between
-- versions.
DO $$
BEGIN
  PERFORM ctid, xmin FROM opportunity WHERE id = forms.id(1);
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'no system columns';
END $$; :spent

--
-- Writing
--
INSERT INTO opportunity (display_name) VALUES ('new');
INSERT INTO opportunity (id) VALUES (:one) ON CONFLICT DO NOTHING;
UPDATE opportunity SET display_name = 'new' WHERE id = :one;
DELETE FROM opportunity WHERE id = :one;
UPDATE opportunity o SET display_name = 'new' FROM kept WHERE kept.id = o.id;
COPY opportunity (display_name) FROM STDIN;
new
\.
COPY opportunity TO STDOUT;
TRUNCATE opportunity;
SET client_min_messages = warning;
:spent
\set VERBOSITY default

--
-- Forms of the API's response for a missing record
--
CREATE FOREIGN TABLE lead (id uuid, stage text) SERVER forms OPTIONS (record_type 'lead');
SELECT count(*) FROM opportunity WHERE id = :missing; :spent
\! $REEVO_CTL behave '{"not_found_form": "code"}'
SELECT count(*) FROM opportunity WHERE id = :missing; :spent
\! $REEVO_CTL behave '{"not_found_form": "flat"}'
SELECT count(*) FROM opportunity WHERE id = :missing; :spent
\! $REEVO_CTL behave '{"not_found_form": "string"}'
SELECT count(*) FROM opportunity WHERE id = :missing; :spent
\! $REEVO_CTL behave '{"not_found_form": "detail"}'
SELECT count(*) FROM opportunity WHERE id = :missing; :spent
\echo health: `$REEVO_CTL requests health`
-- A bare 404 costs no further request, because the path has worked in this
-- session.
\! $REEVO_CTL behave '{"not_found_form": "bare"}'
SELECT count(*) FROM opportunity WHERE id = :missing; :spent
SELECT count(*) FROM opportunity WHERE id = :missing; :spent
SELECT count(*) FROM opportunity WHERE id = :missing OR id = :one; :spent
\echo health: `$REEVO_CTL requests health`
\! $REEVO_CTL behave '{"not_found_form": "html"}'
SELECT count(*) FROM opportunity WHERE id = :missing; :spent
-- The hint contains the base URL, which differs between runs.
\set VERBOSITY terse
SELECT count(*) FROM lead WHERE id = :one; :spent
\echo :LAST_ERROR_SQLSTATE
\! $REEVO_CTL behave '{"not_found_form": "code"}'
SELECT count(*) FROM lead WHERE id = :one; :spent
\echo :LAST_ERROR_SQLSTATE
SELECT no(id) FROM opportunity WHERE id = :one; :spent
-- A new server: no path is proven yet, so one query checks the path. With
-- use_query 'false', the health endpoint checks it.
CREATE SERVER forms_unproven FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url', max_retries '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER forms_unproven OPTIONS (api_key 'test-key');
CREATE FOREIGN TABLE unproven (id uuid, stage text) SERVER forms_unproven;
\! $REEVO_CTL behave '{"not_found_form": "bare", "healthy": "degraded"}'
SELECT count(*) FROM unproven WHERE id = :missing; :spent
SELECT count(*) FROM unproven WHERE id = :one; :spent
SELECT public.opportunity_fdw_disconnect() \g /dev/null
ALTER SERVER forms_unproven OPTIONS (ADD use_query 'false');
SELECT count(*) FROM unproven WHERE id = :missing; :spent
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM unproven WHERE id = :one; :spent
\! $REEVO_CTL reset
\set now 0
\set VERBOSITY default
-- Trailing slashes of base_url are ignored.
CREATE SERVER forms_slashes FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url_slashes');
CREATE USER MAPPING FOR CURRENT_USER SERVER forms_slashes OPTIONS (api_key 'test-key');
CREATE FOREIGN TABLE slashes (id uuid, stage text) SERVER forms_slashes;
SELECT no(id), stage FROM slashes WHERE id = :one; :spent
\! $REEVO_CTL last 1

--
-- Archived records
--
SELECT no(id), archived_at FROM opportunity WHERE id IN (id(5), id(6)); :spent
ALTER FOREIGN TABLE opportunity OPTIONS (ADD include_archived 'false');
SELECT no(id), archived_at FROM opportunity WHERE id IN (id(5), id(6)); :spent
SELECT no(id) FROM opportunity WHERE id = id(6); :spent
SELECT count(*) FROM opportunity WHERE id = id(6) AND archived_at IS NOT NULL; :spent
ALTER FOREIGN TABLE opportunity OPTIONS (DROP include_archived);
ALTER SERVER forms OPTIONS (ADD include_archived 'false');
SELECT no(id) FROM by_two WHERE id IN (id(5), id(6)); :spent
ALTER FOREIGN TABLE by_two OPTIONS (ADD include_archived 'true');
SELECT no(id) FROM by_two WHERE id IN (id(5), id(6)); :spent
ALTER SERVER forms OPTIONS (DROP include_archived);

--
-- A session continues after DISCARD ALL.
--
DISCARD ALL;
SET client_min_messages = warning;
SELECT forms.no(id), stage FROM forms.opportunity WHERE id = :one; :spent
SELECT opportunity_fdw_disconnect() IS NOT NULL;
SELECT forms.no(id), stage FROM forms.opportunity WHERE id = :one; :spent

DROP SCHEMA forms CASCADE;
DROP SERVER forms CASCADE;
DROP SERVER forms_unproven CASCADE;
DROP SERVER forms_slashes CASCADE;
