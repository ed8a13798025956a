-- SPDX-License-Identifier: PostgreSQL
--
-- opportunity_fdw_drift() compares a table with the live schema.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER drift FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url', max_retries '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER drift OPTIONS (api_key 'test-key');
CREATE SCHEMA drift;
SET search_path = drift, public;
\pset format unaligned
\pset tuples_only on

-- :spent prints the number of requests since its last use.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
CREATE FUNCTION columns(tablename regclass) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT concat_ws(' ', quote_ident(attname), format_type(atttypid, atttypmod), attfdwoptions::text)
    FROM pg_attribute WHERE attrelid = tablename AND attnum > 0 AND NOT attisdropped ORDER BY attnum
$$;
-- schema_of makes a schema from 'name:value_type' and 'name:value_type:list'.
CREATE FUNCTION schema_of(VARIADIC attributes text[]) RETURNS text LANGUAGE sql AS $$
  SELECT json_build_object('attributes', json_agg(json_build_object('api_name', split_part(a, ':', 1), 'is_filterable', true,
      'filter_operators', '["eq"]'::json, 'type_info', json_build_object('value_type', split_part(a, ':', 2), 'is_array', a LIKE '%:list')) ORDER BY n))::text
    FROM unnest(attributes) WITH ORDINALITY u (a, n)
$$;
-- repair runs the commands in the "ddl" column, forwards or backwards.
CREATE PROCEDURE repair(tablename regclass, backwards boolean = false) LANGUAGE plpgsql AS $$
DECLARE
  command text;
BEGIN
  FOR command IN SELECT d.ddl FROM opportunity_fdw_drift(tablename) WITH ORDINALITY d
      ORDER BY CASE WHEN backwards THEN -d.ordinality ELSE d.ordinality END LOOP
    EXECUTE command;
  END LOOP;
END $$;

--
-- A new table matches the schema. The check costs one request.
--
IMPORT FOREIGN SCHEMA reevo LIMIT TO (opportunity, account) FROM SERVER drift INTO drift; :spent
SELECT * FROM opportunity_fdw_drift('opportunity'); :spent
\! $REEVO_CTL last 1
SELECT * FROM opportunity_fdw_drift('account'); :spent
\! $REEVO_CTL last 1
DROP FOREIGN TABLE opportunity, account;
IMPORT FOREIGN SCHEMA reevo FROM SERVER drift INTO drift OPTIONS (discover 'false');
SELECT * FROM opportunity_fdw_drift('opportunity');

--
-- Custom fields appear and disappear.
--
\! $REEVO_CTL behave '{"custom_fields": true}'
SELECT change, attribute, column_name, detail FROM opportunity_fdw_drift('opportunity');
SELECT ddl FROM opportunity_fdw_drift('opportunity') WHERE attribute IN ('cf_score', 'cf_region', 'cf_tags');
CALL repair('opportunity');
SELECT * FROM opportunity_fdw_drift('opportunity');
SELECT * FROM columns('opportunity') c WHERE c LIKE 'cf\_%';
SELECT cf_score, cf_region, cf_region_id IS NOT NULL, cf_tags FROM opportunity WHERE cf_score = 12.50 ORDER BY id LIMIT 1;
\! $REEVO_CTL behave '{"custom_fields": null}'
SELECT change, attribute, column_name, detail FROM opportunity_fdw_drift('opportunity');
SELECT ddl FROM opportunity_fdw_drift('opportunity') LIMIT 1;
CALL repair('opportunity', true);
SELECT * FROM opportunity_fdw_drift('opportunity');
SELECT count(*) FROM columns('opportunity');
DROP FOREIGN TABLE opportunity;

--
-- Attributes that are added, removed and changed, and column names that are taken
--
SELECT schema_of('id:uuid', 'name:string', 'size:number', 'tier_id:select', 'tags:string:list', 'marks:select:list', 'stage:opportunity_stage',
    'when:date', 'old thing:string', 'plan:select', 'level:select', 'parts:address') AS schema \gset
\setenv SCHEMA :schema
\! $REEVO_CTL schema opportunity "$SCHEMA"
IMPORT FOREIGN SCHEMA reevo FROM SERVER drift INTO drift;
ALTER FOREIGN TABLE opportunity RENAME TO "My ""Deals";
ALTER FOREIGN TABLE "My ""Deals" RENAME name TO "new";
ALTER FOREIGN TABLE "My ""Deals" ALTER "new" OPTIONS (attribute 'name');
ALTER FOREIGN TABLE "My ""Deals" RENAME size TO "Size";
ALTER FOREIGN TABLE "My ""Deals" ALTER "Size" OPTIONS (attribute 'size');
SELECT schema_of('stage_id:enum', 'new:currency', 'name:string', 'size:string', 'tier_id:string', 'tags:string', 'marks:select',
    'stage:opportunity_stage', 'when:timestamp', 'plan:select:list', 'level:record_reference', 'parts:address:list', 'other:contact_stage:list',
    'weird "name" ''so'':number', 'select:boolean', 'new_2:geo', 'ctid:uuid', 'a_name_that_is_longer_than_the_sixty_three_bytes_that_a_name_may_have_one:email',
    'a_name_that_is_longer_than_the_sixty_three_bytes_that_a_name_may_have_two:time') AS schema \gset
\setenv SCHEMA :schema
\! $REEVO_CTL schema opportunity "$SCHEMA"
SELECT * FROM opportunity_fdw_drift('"My ""Deals"');
BEGIN;
CALL repair('"My ""Deals"');
SELECT * FROM opportunity_fdw_drift('"My ""Deals"');
SELECT columns('"My ""Deals"');
SELECT count(*) FROM "My ""Deals";
COMMIT;
DROP FOREIGN TABLE "My ""Deals";

-- The commands can run in any order, and each can run alone.
SELECT schema_of('id:uuid', 'a:string', 'b:number', 'c:select') AS before, schema_of('id:uuid', 'a:number', 'c:string', 'a_2:string', 'c_id:select') AS after \gset
\setenv SCHEMA :before
\! $REEVO_CTL schema opportunity "$SCHEMA"
IMPORT FOREIGN SCHEMA reevo FROM SERVER drift INTO drift;
\setenv SCHEMA :after
\! $REEVO_CTL schema opportunity "$SCHEMA"
SELECT * FROM opportunity_fdw_drift('opportunity');
DO $$
DECLARE
  row record;
BEGIN
  FOR row IN SELECT * FROM opportunity_fdw_drift('opportunity') LOOP
    BEGIN
      EXECUTE row.ddl;
      IF EXISTS (SELECT FROM opportunity_fdw_drift('opportunity') d WHERE d.column_name = row.column_name AND d.change = row.change) THEN
        RAISE WARNING '% does not help', row.ddl;
      END IF;
      RAISE EXCEPTION USING ERRCODE = 'ZZ001';
    EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
    END;
  END LOOP;
END $$;
CALL repair('opportunity', true);
SELECT * FROM opportunity_fdw_drift('opportunity');
SELECT columns('opportunity');
DROP FOREIGN TABLE opportunity;

--
-- Column types that fit each value type
--
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN title AS varchar(20) CHECK (value <> '');
CREATE DOMAIN titles AS text[];
CREATE DOMAIN points AS numeric(10,2);
CREATE TYPE pair AS (a text, b text);
CREATE TABLE type_to_try (n serial, name text);
INSERT INTO type_to_try (name) SELECT unnest(ARRAY['text', 'varchar(3)', 'char(3)', 'name', 'mood', 'title', 'smallint', 'bigint', 'numeric(5,1)', 'real',
    'points', 'boolean', 'uuid', 'date', 'time', 'timetz', 'timestamp(0)', 'timestamptz', 'json', 'jsonb', 'interval', 'inet', 'bytea', 'pair',
    'text[]', 'title[]', 'titles', 'integer[]', 'uuid[]', 'jsonb[]', 'mood[]', 'inet[]']);
CREATE TABLE value_type_to_try AS SELECT n, name FROM unnest(ARRAY['string', 'long_text', 'rich_text', 'enum', 'email', 'phone_number', 'url', 'number', 'percent',
    'currency', 'boolean', 'uuid', 'record_reference', 'date', 'time', 'timestamp', 'select', 'opportunity_stage', 'address', 'unheard_of',
    'string:list', 'number:list', 'select:list', 'address:list', 'record_reference:list']) WITH ORDINALITY u (name, n);
SELECT schema_of(VARIADIC array_agg(n || ':' || name ORDER BY n)) AS schema FROM value_type_to_try \gset
\setenv SCHEMA :schema
\! $REEVO_CTL schema opportunity "$SCHEMA"
DO $$
DECLARE
  command text;
BEGIN
  FOR command IN SELECT format('CREATE FOREIGN TABLE fit_%s (%s) SERVER drift', v.n, string_agg(format('%I %s OPTIONS (attribute %L)', t.name, t.name, v.n::text), ', ' ORDER BY t.n))
      FROM value_type_to_try v, type_to_try t GROUP BY v.n LOOP
    EXECUTE command;
  END LOOP;
END $$;
CREATE TABLE misfit AS SELECT v.n, v.name, d.column_name, d.detail, regexp_replace(d.ddl, '^ALTER FOREIGN TABLE drift.fit_\d* ', '') AS ddl
  FROM value_type_to_try v, opportunity_fdw_drift(('fit_' || v.n)::regclass) d WHERE d.change = 'type';
SELECT v.name || ':', string_agg(t.name, ' ' ORDER BY t.n)
  FROM value_type_to_try v, type_to_try t WHERE (v.n, t.name) NOT IN (SELECT n, column_name FROM misfit)
  GROUP BY v.n, v.name ORDER BY v.n;
SELECT detail, ddl FROM misfit WHERE column_name IN ('uuid', 'uuid[]', 'time', 'titles', 'title[]')
  AND name IN ('string', 'number', 'uuid', 'select', 'opportunity_stage', 'address', 'select:list', 'address:list') ORDER BY n, column_name COLLATE "C";
DO $$
DECLARE
  command text;
BEGIN
  FOR command IN SELECT format('ALTER FOREIGN TABLE fit_%s %s', n, ddl) FROM misfit LOOP
    EXECUTE command;
  END LOOP;
END $$;
SELECT count(*) FROM value_type_to_try, opportunity_fdw_drift(('fit_' || n)::regclass) WHERE change <> 'added';

--
-- Parts of values, whole records, and columns without an attribute
--
SELECT schema_of('stage:opportunity_stage', 'site:address', 'price:currency', 'note:string', 'tags:select:list') AS schema \gset
\setenv SCHEMA :schema
\! $REEVO_CTL schema opportunity "$SCHEMA"
CREATE FOREIGN TABLE parts (
  id uuid, created_at timestamptz, "made" date OPTIONS (attribute 'created_at'), updated_at timestamptz, everything jsonb OPTIONS (attribute '*'), also text OPTIONS (attribute '*'),
  dropped text, colour text OPTIONS (attribute 'stage.color'), chance integer OPTIONS (attribute 'stage.closing_probability'), days text OPTIONS (attribute 'stage.expected_days'),
  extra integer OPTIONS (attribute 'stage.extra'), city text OPTIONS (attribute 'site.city'), unit text OPTIONS (attribute 'price.unit'),
  word text OPTIONS (attribute 'note.word'), tag_colours text OPTIONS (attribute 'tags.color'), lost text OPTIONS (attribute 'gone.color'),
  lost_id uuid OPTIONS (attribute 'gone'), "site.zip" text, "nowhere.at" text, "Stage" text, "made up" text NOT NULL GENERATED ALWAYS AS ('x') STORED
) SERVER drift;
ALTER FOREIGN TABLE parts DROP COLUMN dropped;
SELECT * FROM opportunity_fdw_drift('parts');
CALL repair('parts');
SELECT * FROM opportunity_fdw_drift('parts');
SELECT columns('parts');
DROP FOREIGN TABLE parts;

--
-- The ddl for an inherited column alters the parent table.
--
CREATE TABLE whole (id uuid, note integer, old text) PARTITION BY LIST (id);
CREATE FOREIGN TABLE one PARTITION OF whole FOR VALUES IN ('3c90c3cc-0d44-4b50-8888-8dd25736052a') SERVER drift;
CREATE TABLE parent (note integer);
CREATE FOREIGN TABLE child (old text, price text) INHERITS (parent) SERVER drift;
SELECT change, attribute, column_name, ddl FROM opportunity_fdw_drift('one');
SELECT change, attribute, column_name, ddl FROM opportunity_fdw_drift('child');
DROP TABLE whole, parent CASCADE;

--
-- Invalid attribute names, and a schema without attributes
--
SELECT schema_of('id:uuid', 'a.b:string', '*:string', 'id:number', 'a:string') AS schema \gset
\setenv SCHEMA :schema
\! $REEVO_CTL schema opportunity "$SCHEMA"
CREATE FOREIGN TABLE odd (id uuid, x text) SERVER drift;
SELECT * FROM opportunity_fdw_drift('odd');
\! $REEVO_CTL schema opportunity '{"attributes": []}'
SELECT * FROM opportunity_fdw_drift('odd');
\! $REEVO_CTL schema opportunity '{"data": {"attributes": []}}'
\set VERBOSITY terse
SELECT * FROM opportunity_fdw_drift('odd');
\set VERBOSITY default
\! $REEVO_CTL reset

--
-- Privileges and arguments
--
\set now 0
CREATE TABLE local (id uuid);
CREATE VIEW seen AS SELECT * FROM odd;
CREATE FOREIGN DATA WRAPPER idle;
CREATE SERVER idle FOREIGN DATA WRAPPER idle;
CREATE FOREIGN TABLE idle (id uuid) SERVER idle;
CREATE FOREIGN DATA WRAPPER another HANDLER opportunity_fdw_handler VALIDATOR opportunity_fdw_validator;
CREATE SERVER another FOREIGN DATA WRAPPER another OPTIONS (base_url :'url');
CREATE FOREIGN TABLE another (id uuid) SERVER another OPTIONS (record_type 'contact');
CREATE USER MAPPING FOR CURRENT_USER SERVER another OPTIONS (api_key 'test-key');
SELECT * FROM opportunity_fdw_drift('local');
SELECT * FROM opportunity_fdw_drift('seen');
SELECT * FROM opportunity_fdw_drift('idle');
SELECT * FROM opportunity_fdw_drift('pg_class_oid_index');
SELECT * FROM opportunity_fdw_drift(NULL);
SELECT * FROM opportunity_fdw_drift('nonsense');
SELECT * FROM opportunity_fdw_drift(1);
-- The columns of an import, whether the table has them or not
SELECT attribute, column_name, column_type, definition FROM opportunity_fdw_columns('odd')
WHERE attribute IN ('id', 'amount', 'stage_id') ORDER BY attribute;
\set now `$REEVO_CTL requests`
CREATE ROLE drift_reader;
GRANT USAGE ON SCHEMA drift TO drift_reader;
SET ROLE drift_reader;
SELECT count(*) FROM opportunity_fdw_columns('odd');
SELECT * FROM opportunity_fdw_drift('odd');
RESET ROLE;
GRANT SELECT ON odd TO drift_reader;
SET ROLE drift_reader;
\set VERBOSITY sqlstate
SELECT * FROM opportunity_fdw_drift('odd');
\set VERBOSITY default
RESET ROLE; :spent
CREATE USER MAPPING FOR drift_reader SERVER drift OPTIONS (api_key 'no-permission');
SET ROLE drift_reader;
SELECT * FROM opportunity_fdw_drift('odd');
RESET ROLE;
ALTER USER MAPPING FOR drift_reader SERVER drift OPTIONS (SET api_key 'other-key');
SET ROLE drift_reader;
SELECT count(*) FROM opportunity_fdw_drift('odd');
RESET ROLE; :spent
SELECT count(*) FROM opportunity_fdw_drift('another'); :spent
-- The hint contains the URL, which differs between runs.
\! $REEVO_CTL behave '{"status": 404, "body": {"detail": "Not Found"}}'
DO $$
DECLARE
  said text;
BEGIN
  PERFORM opportunity_fdw_drift('odd');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS said = PG_EXCEPTION_HINT;
  RAISE WARNING '% % %', SQLSTATE, SQLERRM, regexp_replace(said, '"http[^"]*"', '...');
END $$;
\! $REEVO_CTL reset
-- Retries count against max_requests.
ALTER SERVER drift OPTIONS (SET max_retries '3', ADD max_retry_wait '5');
ALTER FOREIGN TABLE odd OPTIONS (ADD max_requests '2');
\! $REEVO_CTL behave '{"fail_first": 1, "fail_how": "status", "fail_status": 503}'
SELECT count(*) FROM opportunity_fdw_drift('odd');
\! $REEVO_CTL behave '{"fail_first": 2, "fail_how": "status", "fail_status": 503}'
SELECT count(*) FROM opportunity_fdw_drift('odd');
\! $REEVO_CTL reset
-- The function runs in a read-only transaction.
BEGIN READ ONLY;
SELECT count(*) FROM opportunity_fdw_drift('odd');
COMMIT;

DROP SCHEMA drift CASCADE;
DROP SERVER drift CASCADE;
DROP FOREIGN DATA WRAPPER idle CASCADE;
DROP FOREIGN DATA WRAPPER another CASCADE;
DROP ROLE drift_reader;
