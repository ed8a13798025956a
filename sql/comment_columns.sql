-- SPDX-License-Identifier: PostgreSQL
--
-- opportunity_fdw_comment_columns() writes the API's descriptions as comments.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER describe FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER describe OPTIONS (api_key 'test-key');
CREATE SCHEMA describe;
SET search_path = describe, public;
\pset format unaligned
\pset tuples_only on

-- :spent prints the number of requests since its last use.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
CREATE FUNCTION comments(tablename regclass) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT quote_ident(attname) || ' ' || quote_nullable(col_description(attrelid, attnum))
    FROM pg_attribute WHERE attrelid = tablename AND attnum > 0 AND NOT attisdropped ORDER BY attnum
$$;

--
-- One request comments every column. The comment of a partial column names its
-- part.
--
\! $REEVO_CTL behave '{"custom_fields": true}'
IMPORT FOREIGN SCHEMA reevo LIMIT TO (opportunity, account) FROM SERVER describe INTO describe; :spent
SELECT opportunity_fdw_comment_columns('opportunity'); :spent
\! $REEVO_CTL last 1
SELECT count(*) FROM comments('opportunity') c WHERE c NOT LIKE '% of the record''';
SELECT * FROM comments('opportunity') c WHERE c ~ '^(id|amount|owner|stage|type|cf_tags|cf_location)';
SELECT opportunity_fdw_comment_columns('account'), opportunity_fdw_comment_columns(NULL); :spent
SELECT comments('account') LIMIT 4;
DROP FOREIGN TABLE opportunity, account;

--
-- Without a description from the API, a comment stays.
--
\setenv SCHEMA '{"attributes": [{"api_name": "both", "display_name": "Its name", "description": "and what it is", "type_info": {"value_type": "select"}}, {"api_name": "name_only", "display_name": "Its name", "description": "", "type_info": {"value_type": "opportunity_stage", "is_array": true}}, {"api_name": "description_only", "description": "What it is", "type_info": {"value_type": "select"}}, {"api_name": "neither_id", "display_name": "", "description": null, "type_info": {"value_type": "select"}}, {"api_name": "odd", "display_name": 7, "description": "It''s \\\\ a \\"quote\\", $$ -- \\n;", "type_info": {"value_type": "currency"}}]}'
\! $REEVO_CTL schema opportunity "$SCHEMA"
IMPORT FOREIGN SCHEMA reevo FROM SERVER describe INTO describe;
ALTER FOREIGN TABLE opportunity ADD everything jsonb OPTIONS (attribute '*'), ADD nowhere text, ADD dropped text OPTIONS (attribute 'odd'),
  ADD unit text OPTIONS (attribute 'odd.unit'), ADD "My ""own" jsonb OPTIONS (attribute 'both'), ADD id uuid;
ALTER FOREIGN TABLE opportunity DROP dropped;
CREATE DOMAIN key AS uuid;
CREATE DOMAIN keys AS key[];
ALTER FOREIGN TABLE opportunity ADD key key OPTIONS (attribute 'both'), ADD keys keys OPTIONS (attribute 'name_only'), ADD price uuid OPTIONS (attribute 'odd');
COMMENT ON COLUMN opportunity.neither IS 'one''s own';
COMMENT ON COLUMN opportunity.nowhere IS 'another';
COMMENT ON COLUMN opportunity.both IS 'replaced';
COMMENT ON FOREIGN TABLE opportunity IS 'the table';
ALTER FOREIGN TABLE opportunity RENAME TO "My ""Deals";
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SELECT opportunity_fdw_comment_columns('"My ""Deals"');
RESET standard_conforming_strings;
RESET escape_string_warning;
SELECT comments('"My ""Deals"');
SELECT obj_description('"My ""Deals"'::regclass);
-- An equal comment is not written again.
CREATE TABLE before AS SELECT objoid, objsubid, xmin::text AS writer FROM pg_description WHERE objoid = '"My ""Deals"'::regclass;
SELECT opportunity_fdw_comment_columns('"My ""Deals"');
SELECT count(*) FROM before NATURAL JOIN (SELECT objoid, objsubid, xmin::text AS writer FROM pg_description) d;
COMMENT ON COLUMN "My ""Deals".both IS NULL;
SELECT opportunity_fdw_comment_columns('"My ""Deals"');
SELECT count(*) FROM before NATURAL JOIN (SELECT objoid, objsubid, xmin::text AS writer FROM pg_description) d;
SELECT comments('"My ""Deals"') LIMIT 1;
BEGIN;
COMMENT ON COLUMN "My ""Deals".both IS 'mine';
SELECT opportunity_fdw_comment_columns('"My ""Deals"');
SELECT comments('"My ""Deals"') LIMIT 1;
ROLLBACK;
ALTER FOREIGN TABLE "My ""Deals" RENAME TO opportunity;
\! $REEVO_CTL reset

--
-- Errors about privileges and arguments cost no request.
--
\set now 0
CREATE TABLE local (id uuid);
CREATE ROLE describe_owner;
CREATE ROLE describe_reader;
CREATE ROLE describe_member IN ROLE describe_owner;
GRANT ALL ON SCHEMA describe TO describe_owner, describe_reader;
GRANT USAGE ON FOREIGN SERVER describe TO describe_owner;
CREATE USER MAPPING FOR PUBLIC SERVER describe OPTIONS (api_key 'other-key');
GRANT ALL ON opportunity TO describe_reader;
ALTER FOREIGN TABLE opportunity OWNER TO describe_owner;
SELECT opportunity_fdw_comment_columns('local');
SET ROLE describe_reader;
SELECT opportunity_fdw_comment_columns('opportunity');
RESET ROLE;
BEGIN READ ONLY;
SELECT opportunity_fdw_comment_columns('opportunity');
ROLLBACK; :spent
SET ROLE describe_owner;
SELECT opportunity_fdw_comment_columns('opportunity');
RESET ROLE; :spent
SET ROLE describe_member;
SELECT opportunity_fdw_comment_columns('opportunity');
RESET ROLE; :spent
SELECT count(*) FROM pg_description WHERE objoid = 'opportunity'::regclass AND objsubid > 0;
ALTER USER MAPPING FOR CURRENT_USER SERVER describe OPTIONS (SET api_key 'no-permission');
SELECT opportunity_fdw_comment_columns('opportunity');
ALTER USER MAPPING FOR CURRENT_USER SERVER describe OPTIONS (SET api_key 'test-key');

--
-- An event trigger sees each command as COMMENT.
--
CREATE FOREIGN TABLE watched (amount numeric, stage text, nowhere text) SERVER describe;
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
  command record;
BEGIN
  FOR command IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
    RAISE WARNING '% %', command.command_tag, command.object_identity;
  END LOOP;
  IF current_setting('describe.refuse', true) = 'on' THEN
    RAISE EXCEPTION 'no comments today';
  END IF;
END $$;
CREATE EVENT TRIGGER describe_watch ON ddl_command_end WHEN TAG IN ('COMMENT') EXECUTE FUNCTION watch();
\set SHOW_CONTEXT never
SET describe.refuse = on;
SELECT opportunity_fdw_comment_columns('watched');
SELECT comments('watched');
RESET describe.refuse;
SELECT opportunity_fdw_comment_columns('watched');
SELECT comments('watched');
-- The event trigger drops the table.
CREATE OR REPLACE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  DROP FOREIGN TABLE IF EXISTS watched;
END $$;
COMMENT ON COLUMN local.id IS 'drops it';
CREATE FOREIGN TABLE watched (amount numeric, stage text, nowhere text) SERVER describe;
SELECT opportunity_fdw_comment_columns('watched');
DROP EVENT TRIGGER describe_watch;
SELECT opportunity_fdw_comment_columns('watched');
SELECT comments('watched');

DROP SCHEMA describe CASCADE;
DROP SERVER describe CASCADE;
DROP ROLE describe_owner, describe_reader, describe_member;
\! $REEVO_CTL reset
