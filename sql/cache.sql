-- SPDX-License-Identifier: PostgreSQL
--
-- cache_ttl: the records that a session keeps from statement to statement, for
-- how long, for whom, and what makes it forget them.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER cache FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url', page_size '10', max_retry_wait '0.1');
CREATE USER MAPPING FOR CURRENT_USER SERVER cache OPTIONS (api_key 'test-key');
CREATE SCHEMA cache;
SET search_path = cache, public;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
SET max_parallel_workers_per_gather = 0;
-- Tables of the same records: kept for an hour, a minute, a second, and not at all.
CREATE FOREIGN TABLE kept (id uuid, display_name text, stage text, amount numeric, archived_at timestamptz) SERVER cache OPTIONS (cache_ttl '3600');
CREATE FOREIGN TABLE also_kept (number text OPTIONS (attribute 'id'), whole jsonb OPTIONS (attribute '*')) SERVER cache OPTIONS (cache_ttl '3600');
CREATE FOREIGN TABLE kept_a_minute (id uuid, stage text) SERVER cache OPTIONS (cache_ttl '60');
CREATE FOREIGN TABLE kept_briefly (id uuid, stage text) SERVER cache OPTIONS (cache_ttl '1');
CREATE FOREIGN TABLE not_kept (id uuid, stage text) SERVER cache;
CREATE FOREIGN TABLE not_archived (id uuid, archived_at timestamptz) SERVER cache OPTIONS (cache_ttl '3600', include_archived 'false');
CREATE FOREIGN TABLE trusting (id uuid, stage text) SERVER cache OPTIONS (cache_ttl '3600', query_returns_archived 'true');
CREATE FOREIGN TABLE account (id uuid, display_name text) SERVER cache OPTIONS (cache_ttl '3600', record_type 'account');

CREATE FUNCTION id(number int, kind text DEFAULT '8000') RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-' || kind || '-' || lpad(number::text, 12, '0'))::uuid $$;
CREATE FUNCTION ids(first int, last int) RETURNS uuid[] LANGUAGE sql IMMUTABLE AS
$$ SELECT array_agg(cache.id(n)) FROM generate_series(first, last) n $$;
CREATE TABLE wanted AS SELECT n AS number, id(n) AS id FROM generate_series(101, 150) n;
ANALYZE wanted;
\pset format unaligned
\pset tuples_only on
\pset null NULL
-- :spent prints the requests for records since it was last used; :forget makes
-- the session forget what it keeps.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
\set forget 'SELECT opportunity_fdw_clear_cache() \\g /dev/null'

--
-- A record that was read serves later statements, whatever they want of it.
--
SELECT stage FROM not_kept WHERE id = id(1); :spent
SELECT stage FROM not_kept WHERE id = id(1); :spent
SELECT stage FROM kept WHERE id = id(1); :spent
SELECT stage FROM kept WHERE id = id(1); :spent
SELECT display_name IS NOT NULL, amount IS NOT NULL FROM kept WHERE id = id(1); :spent
SELECT number, whole ->> 'id', whole #>> '{attributes,stage,value,display_value}' FROM also_kept WHERE number = id(1)::text; :spent
SELECT stage FROM kept_a_minute WHERE id = id(1); :spent
-- Not those of a table that keeps nothing, which keeps none for others, either
SELECT stage FROM not_kept WHERE id = id(1); :spent
SELECT stage FROM not_kept WHERE id = id(2); :spent
SELECT stage FROM kept WHERE id = id(2); :spent
-- Within one statement, whoever asks first
SELECT a.stage = b.stage FROM not_kept a JOIN kept b USING (id) WHERE id = id(3); :spent
-- Another type of records with the same number
SELECT count(*) FROM account WHERE id = id(1); :spent
SELECT count(*) FROM account WHERE id = id(1, '9000'); :spent
SELECT count(*) FROM account WHERE id = id(1, '9000'); :spent
-- A query's records serve a later id, a list or a join, and the other way round;
-- only what is not known is asked for.
SELECT count(*) FROM kept WHERE id = ANY (ids(101, 120)); :spent
SELECT stage IS NOT NULL FROM kept WHERE id = id(115); :spent
SELECT count(*) FROM kept WHERE id = ANY (ids(111, 130)); :spent
SELECT stage IS NOT NULL FROM kept WHERE id = id(131); :spent
SELECT count(*), count(o.id), count(o.stage) FROM wanted w LEFT JOIN kept o USING (id); :spent
\! $REEVO_CTL last 1
SELECT count(*), count(o.id), count(o.stage) FROM wanted w LEFT JOIN kept o USING (id); :spent
SELECT count(*), count(whole) FROM wanted w JOIN also_kept o ON o.number = w.id::text; :spent
SELECT count(*) FROM kept WHERE id IN (SELECT id FROM wanted); :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN not_archived o USING (id); :spent
SELECT count(*), count(o.id) FROM wanted w LEFT JOIN kept o USING (id) WHERE o.archived_at IS NULL; :spent
-- Statements in functions and of plans that are kept
DO $$ BEGIN FOR n IN 1 .. 20 LOOP PERFORM stage FROM cache.kept WHERE id = cache.id(160 + n % 2); END LOOP; END $$; :spent
PREPARE by_id (uuid) AS SELECT stage IS NOT NULL FROM kept WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_id (id(160)); :spent
EXECUTE by_id (id(162)); :spent
EXECUTE by_id (id(162)); :spent
RESET plan_cache_mode;
DEALLOCATE ALL;
-- EXPLAIN says so.
CREATE FUNCTION counted(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ 'Batches|Keys|API Calls|Cache Hits' THEN
      RETURN NEXT btrim(line);
    END IF;
  END LOOP;
END $$;
SELECT counted('SELECT FROM kept WHERE id = cache.id(160)'); :spent
SELECT counted('SELECT FROM kept WHERE id = ANY (cache.ids(160, 164))'); :spent
SELECT counted('SELECT o.stage FROM wanted w JOIN kept o USING (id)'); :spent
-- A statement that fails, and a transaction that does, have read what they have.
SELECT 1 / (length(stage) * 0) FROM kept WHERE id = id(170);
BEGIN;
SELECT stage IS NOT NULL FROM kept WHERE id = id(171);
ROLLBACK;
\set now `$REEVO_CTL requests`
SELECT count(stage) FROM kept WHERE id IN (id(170), id(171)); :spent

--
-- That there is no such record is kept, too, as GET says it.
--
SELECT count(*) FROM kept WHERE id = id(9001); :spent
SELECT count(*) FROM kept WHERE id = id(9001); :spent
SELECT count(*) FROM kept WHERE id IN (id(9001), id(9002), id(9003), id(101)); :spent
SELECT count(*) FROM kept WHERE id IN (id(9001), id(9002), id(9003), id(101)); :spent
SELECT count(*), count(o.id) FROM generate_series(8999, 9004) n LEFT JOIN kept o ON o.id = id(n); :spent
SELECT count(*), count(o.id) FROM generate_series(8999, 9004) n LEFT JOIN kept o ON o.id = id(n); :spent
-- What a query has left out is not known to others.
\! $REEVO_CTL behave '{"query_drops_some": ["00000000-0000-4000-8000-000000000181"]}'
SELECT count(*) FROM trusting WHERE id IN (id(180), id(181)); :spent
SELECT count(*) FROM kept WHERE id IN (id(180), id(181)); :spent
SELECT count(*) FROM trusting WHERE id IN (id(180), id(181)); :spent
\! $REEVO_CTL behave '{"query_drops_some": null}'

--
-- What changes at the API is seen when the time is up, or on request.
--
\! $REEVO_CTL attributes 00000000-0000-4000-8000-000000000001 '{"stage": {"value": "Changed", "value_type": "string"}}'
\! $REEVO_CTL attributes 00000000-0000-4000-8000-000000009001 '{"stage": {"value": "New", "value_type": "string"}}'
\! $REEVO_CTL delete 00000000-0000-4000-8000-000000000101
SELECT stage FROM kept WHERE id = id(1); :spent
SELECT stage FROM kept WHERE id = id(9001); :spent
SELECT count(*) FROM kept WHERE id = id(101); :spent
:forget
SELECT stage FROM kept WHERE id = id(1); :spent
SELECT stage FROM kept WHERE id = id(9001); :spent
SELECT count(*) FROM kept WHERE id = id(101); :spent
\! $REEVO_CTL reset
\set now 0
:forget
-- A second later: for the one table it has been too long, for the other not yet.
SELECT count(stage) FROM kept_briefly WHERE id = id(1); :spent
SELECT count(stage) FROM kept_briefly WHERE id IN (id(2), id(3), id(9001)); :spent
SELECT pg_sleep(1.1);
SELECT count(stage) FROM kept WHERE id IN (id(1), id(2), id(3), id(9001)); :spent
SELECT count(stage) FROM kept_briefly WHERE id = id(1); :spent
SELECT count(stage) FROM kept_briefly WHERE id IN (id(2), id(3), id(9001)); :spent
SELECT count(stage) FROM kept WHERE id IN (id(1), id(2), id(3), id(9001)); :spent
-- Within a statement, nothing gets too old.
CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN n; END $$;
SELECT n, (SELECT stage IS NOT NULL FROM kept_briefly WHERE id = id(5 + slow(n) * 0)) FROM generate_series(1, 4) n; :spent

--
-- What changes here makes the session forget.
--
CREATE FUNCTION read_some() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM cache.kept WHERE id IN (cache.id(201), cache.id(9002)) $$;
CREATE SERVER cache_other FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE FOREIGN TABLE elsewhere (id uuid, stage text) SERVER cache_other OPTIONS (cache_ttl '3600');
SELECT read_some(); :spent
SELECT read_some(); :spent
ALTER SERVER cache OPTIONS (SET page_size '11');
SELECT read_some(); :spent
ALTER USER MAPPING FOR CURRENT_USER SERVER cache OPTIONS (SET api_key 'other-key');
SELECT read_some(); :spent
ALTER FOREIGN TABLE kept OPTIONS (SET cache_ttl '1800');
SELECT read_some(); :spent
ALTER SERVER cache_other OPTIONS (ADD page_size '12');
SELECT read_some(); :spent
DROP USER MAPPING FOR CURRENT_USER SERVER cache;
CREATE USER MAPPING FOR CURRENT_USER SERVER cache OPTIONS (api_key 'test-key');
SELECT read_some(); :spent
ALTER FOREIGN TABLE not_kept OPTIONS (ADD cache_ttl '0');
SELECT read_some(); :spent
-- Even where it is undone
BEGIN;
ALTER SERVER cache OPTIONS (SET page_size '10');
ROLLBACK;
SELECT read_some(); :spent
-- Other things do not.
ALTER TABLE wanted ADD COLUMN more int;
CREATE TABLE another (id uuid);
SELECT opportunity_fdw_disconnect() \g /dev/null
SELECT read_some(); :spent
-- A statement that began before keeps nothing of what it reads afterwards.
:forget
BEGIN;
DECLARE c CURSOR FOR SELECT w.number, o.stage FROM wanted w JOIN kept o USING (id);
MOVE 5 FROM c;
SELECT opportunity_fdw_clear_cache() \g /dev/null
MOVE ALL FROM c;
COMMIT;
\set now `$REEVO_CTL requests`
SELECT count(*) FROM wanted w JOIN kept o USING (id); :spent
:forget
BEGIN;
DECLARE c CURSOR FOR SELECT w.number, o.stage FROM wanted w JOIN kept o USING (id);
MOVE 5 FROM c;
ALTER SERVER cache OPTIONS (SET page_size '10');
MOVE ALL FROM c;
COMMIT;
\set now `$REEVO_CTL requests`
SELECT count(*) FROM wanted w JOIN kept o USING (id); :spent
:forget
-- 0 keeps nothing any more, and does not use what is kept.
SELECT read_some(); :spent
SELECT stage IS NOT NULL FROM not_kept WHERE id = id(201); :spent

--
-- Each for himself: two user mappings, be it with the same key
--
CREATE USER MAPPING FOR CURRENT_USER SERVER cache_other OPTIONS (api_key 'test-key');
CREATE ROLE cache_alice;
CREATE ROLE cache_bob;
CREATE ROLE cache_nobody;
GRANT USAGE ON SCHEMA cache TO cache_alice, cache_bob, cache_nobody;
GRANT USAGE ON FOREIGN SERVER cache TO cache_alice, cache_bob;
GRANT SELECT ON kept, elsewhere TO cache_alice, cache_bob, cache_nobody;
CREATE USER MAPPING FOR cache_alice SERVER cache OPTIONS (api_key 'test-key');
CREATE USER MAPPING FOR cache_bob SERVER cache OPTIONS (api_key 'no-permission');
CREATE VIEW seen AS SELECT * FROM kept;
ALTER VIEW seen OWNER TO cache_alice;
GRANT SELECT ON seen TO cache_bob, cache_nobody;
SELECT count(*) FROM kept WHERE id = id(301); :spent
SELECT count(*) FROM elsewhere WHERE id = id(301); :spent
SELECT count(*) FROM elsewhere WHERE id = id(301); :spent
SET ROLE cache_alice;
SELECT count(*) FROM kept WHERE id = id(301); :spent
SELECT count(*) FROM kept WHERE id = id(301); :spent
SET ROLE cache_bob;
SELECT count(*) FROM kept WHERE id = id(301); :spent
-- The view's owner has it.
SELECT count(*) FROM seen WHERE id = id(301); :spent
SET ROLE cache_nobody;
\set VERBOSITY sqlstate
SELECT count(*) FROM kept WHERE id = id(301); :spent
\set VERBOSITY default
SELECT count(*) FROM seen WHERE id = id(301); :spent
RESET ROLE;
SELECT count(*) FROM kept WHERE id = id(301); :spent
DROP VIEW seen;
DROP OWNED BY cache_alice, cache_bob, cache_nobody;
DROP ROLE cache_alice, cache_bob, cache_nobody;

--
-- No more than work_mem holds: what was not used for longest goes first.
--
:forget
SET work_mem = '64kB';
SELECT count(*) FROM kept WHERE id = ANY (ids(401, 410)); :spent
-- One after the other, and one of them again and again
DO $$ BEGIN FOR n IN 411 .. 440 LOOP PERFORM stage FROM cache.kept WHERE id = cache.id(n); PERFORM stage FROM cache.kept WHERE id = cache.id(411); END LOOP; END $$; :spent
SELECT count(stage) FROM kept WHERE id = id(411); :spent
SELECT count(stage) FROM kept WHERE id = id(440); :spent
SELECT count(stage) FROM kept WHERE id = id(402); :spent
SELECT count(*) FROM kept WHERE id = ANY (ids(401, 500));
\set now `$REEVO_CTL requests`
SELECT count(stage) FROM kept WHERE id = id(403); :spent
-- A record that is larger than that is read, and not kept; the others stay.
\! printf '{"display_name": {"value": "%0100000d", "value_type": "string"}}' 0 | $REEVO_CTL attributes 00000000-0000-4000-8000-000000000501 -
SELECT length(display_name) FROM kept WHERE id = id(501); :spent
SELECT length(display_name) FROM kept WHERE id = id(501); :spent
SELECT length(display_name) FROM kept WHERE id IN (id(501), id(502)) ORDER BY 1 DESC LIMIT 1; :spent
SELECT count(stage) FROM kept WHERE id IN (id(403), id(502)); :spent
RESET work_mem;
SELECT length(display_name) FROM kept WHERE id = id(501); :spent
SELECT length(display_name) FROM kept WHERE id = id(501); :spent
:forget
SELECT count(*) FROM kept WHERE id = ANY (ids(401, 500)); :spent
SELECT count(*) FROM kept WHERE id = ANY (ids(401, 500)); :spent

DROP SCHEMA cache CASCADE;
DROP SERVER cache CASCADE;
DROP SERVER cache_other CASCADE;
