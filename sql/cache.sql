-- SPDX-License-Identifier: PostgreSQL
--
-- cache_ttl: how long a session caches records, which statements and users share
-- them, and which events clear the cache.
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
-- Tables of the same records that are cached for an hour, a minute, a second, or
-- not
CREATE FOREIGN TABLE kept (id uuid, display_name text, stage text, amount numeric, archived_at timestamptz) SERVER cache OPTIONS (cache_ttl '3600');
CREATE FOREIGN TABLE also_kept (number text OPTIONS (attribute 'id'), whole jsonb OPTIONS (attribute '*')) SERVER cache OPTIONS (cache_ttl '3600');
CREATE FOREIGN TABLE kept_a_minute (id uuid, stage text) SERVER cache OPTIONS (cache_ttl '60');
CREATE FOREIGN TABLE kept_briefly (id uuid, stage text) SERVER cache OPTIONS (cache_ttl '1');
CREATE FOREIGN TABLE not_kept (id uuid, stage text) SERVER cache;
CREATE FOREIGN TABLE not_archived (id uuid, archived_at timestamptz) SERVER cache OPTIONS (cache_ttl '3600', include_archived 'false');
CREATE FOREIGN TABLE query_is_complete (id uuid, stage text) SERVER cache OPTIONS (cache_ttl '3600', query_returns_archived 'true');
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
-- :spent prints the number of record requests since its last use. :clear clears
-- the session's cache.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
\set clear 'SELECT opportunity_fdw_clear_cache() \\g /dev/null'

--
-- Later statements use a cached record, also for other columns.
--
SELECT stage FROM not_kept WHERE id = id(1); :spent
SELECT stage FROM not_kept WHERE id = id(1); :spent
SELECT stage FROM kept WHERE id = id(1); :spent
SELECT stage FROM kept WHERE id = id(1); :spent
SELECT display_name IS NOT NULL, amount IS NOT NULL FROM kept WHERE id = id(1); :spent
SELECT number, whole ->> 'id', whole #>> '{attributes,stage,value,display_value}' FROM also_kept WHERE number = id(1)::text; :spent
SELECT stage FROM kept_a_minute WHERE id = id(1); :spent
-- A table without cache_ttl neither reads nor fills the cache.
SELECT stage FROM not_kept WHERE id = id(1); :spent
SELECT stage FROM not_kept WHERE id = id(2); :spent
SELECT stage FROM kept WHERE id = id(2); :spent
-- Two tables in one statement share a record, in either order.
SELECT a.stage = b.stage FROM not_kept a JOIN kept b USING (id) WHERE id = id(3); :spent
-- A record of another type can have the same id.
SELECT count(*) FROM account WHERE id = id(1); :spent
SELECT count(*) FROM account WHERE id = id(1, '9000'); :spent
SELECT count(*) FROM account WHERE id = id(1, '9000'); :spent
-- The records of a query serve a later lookup by id, a list or a join, and vice
-- versa. The wrapper fetches only records that are not cached.
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
-- Statements in functions, and generic plans
DO $$ BEGIN FOR n IN 1 .. 20 LOOP PERFORM stage FROM cache.kept WHERE id = cache.id(160 + n % 2); END LOOP; END $$; :spent
PREPARE by_id (uuid) AS SELECT stage IS NOT NULL FROM kept WHERE id = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_id (id(160)); :spent
EXECUTE by_id (id(162)); :spent
EXECUTE by_id (id(162)); :spent
RESET plan_cache_mode;
DEALLOCATE ALL;
-- EXPLAIN shows the cache hits.
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
-- A failed statement or transaction keeps its records in the cache.
SELECT 1 / (length(stage) * 0) FROM kept WHERE id = id(170);
BEGIN;
SELECT stage IS NOT NULL FROM kept WHERE id = id(171);
ROLLBACK;
\set now `$REEVO_CTL requests`
SELECT count(stage) FROM kept WHERE id IN (id(170), id(171)); :spent

--
-- The cache also keeps a 404 response to GET.
--
SELECT count(*) FROM kept WHERE id = id(9001); :spent
SELECT count(*) FROM kept WHERE id = id(9001); :spent
SELECT count(*) FROM kept WHERE id IN (id(9001), id(9002), id(9003), id(101)); :spent
SELECT count(*) FROM kept WHERE id IN (id(9001), id(9002), id(9003), id(101)); :spent
SELECT count(*), count(o.id) FROM generate_series(8999, 9004) n LEFT JOIN kept o ON o.id = id(n); :spent
SELECT count(*), count(o.id) FROM generate_series(8999, 9004) n LEFT JOIN kept o ON o.id = id(n); :spent
-- A record that is absent from a query's response is not cached as missing.
\! $REEVO_CTL behave '{"query_drops_some": ["00000000-0000-4000-8000-000000000181"]}'
SELECT count(*) FROM query_is_complete WHERE id IN (id(180), id(181)); :spent
SELECT count(*) FROM kept WHERE id IN (id(180), id(181)); :spent
SELECT count(*) FROM query_is_complete WHERE id IN (id(180), id(181)); :spent
\! $REEVO_CTL behave '{"query_drops_some": null}'

--
-- The session sees a change at the API after cache_ttl, or after the cache is
-- cleared.
--
\! $REEVO_CTL attributes 00000000-0000-4000-8000-000000000001 '{"stage": {"value": "Changed", "value_type": "string"}}'
\! $REEVO_CTL attributes 00000000-0000-4000-8000-000000009001 '{"stage": {"value": "New", "value_type": "string"}}'
\! $REEVO_CTL delete 00000000-0000-4000-8000-000000000101
SELECT stage FROM kept WHERE id = id(1); :spent
SELECT stage FROM kept WHERE id = id(9001); :spent
SELECT count(*) FROM kept WHERE id = id(101); :spent
:clear
SELECT stage FROM kept WHERE id = id(1); :spent
SELECT stage FROM kept WHERE id = id(9001); :spent
SELECT count(*) FROM kept WHERE id = id(101); :spent
\! $REEVO_CTL reset
\set now 0
:clear
-- After one second, the records are too old for one table and not for the other.
SELECT count(stage) FROM kept_briefly WHERE id = id(1); :spent
SELECT count(stage) FROM kept_briefly WHERE id IN (id(2), id(3), id(9001)); :spent
SELECT pg_sleep(1.1);
SELECT count(stage) FROM kept WHERE id IN (id(1), id(2), id(3), id(9001)); :spent
SELECT count(stage) FROM kept_briefly WHERE id = id(1); :spent
SELECT count(stage) FROM kept_briefly WHERE id IN (id(2), id(3), id(9001)); :spent
SELECT count(stage) FROM kept WHERE id IN (id(1), id(2), id(3), id(9001)); :spent
-- A record does not expire during a statement.
CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN n; END $$;
SELECT n, (SELECT stage IS NOT NULL FROM kept_briefly WHERE id = id(5 + slow(n) * 0)) FROM generate_series(1, 4) n; :spent

--
-- A change of the server, the user mapping or the table clears the cache.
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
-- A change that is rolled back clears it, too.
BEGIN;
ALTER SERVER cache OPTIONS (SET page_size '10');
ROLLBACK;
SELECT read_some(); :spent
-- Other changes do not clear it.
ALTER TABLE wanted ADD COLUMN more int;
CREATE TABLE another (id uuid);
SELECT opportunity_fdw_disconnect() \g /dev/null
SELECT read_some(); :spent
-- A statement that began before the cache was cleared does not fill it
-- afterwards.
:clear
BEGIN;
DECLARE c CURSOR FOR SELECT w.number, o.stage FROM wanted w JOIN kept o USING (id);
MOVE 5 FROM c;
SELECT opportunity_fdw_clear_cache() \g /dev/null
MOVE ALL FROM c;
COMMIT;
\set now `$REEVO_CTL requests`
SELECT count(*) FROM wanted w JOIN kept o USING (id); :spent
:clear
BEGIN;
DECLARE c CURSOR FOR SELECT w.number, o.stage FROM wanted w JOIN kept o USING (id);
MOVE 5 FROM c;
ALTER SERVER cache OPTIONS (SET page_size '10');
MOVE ALL FROM c;
COMMIT;
\set now `$REEVO_CTL requests`
SELECT count(*) FROM wanted w JOIN kept o USING (id); :spent
:clear
-- cache_ttl 0 stops caching, and ignores the cached records.
SELECT read_some(); :spent
SELECT stage IS NOT NULL FROM not_kept WHERE id = id(201); :spent

--
-- Two user mappings do not share records, even with the same API key.
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
-- A view uses the cache of its owner's user mapping.
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
-- The cache holds at most work_mem, and evicts the least recently used records
-- first.
--
:clear
SET work_mem = '64kB';
SELECT count(*) FROM kept WHERE id = ANY (ids(401, 410)); :spent
-- A record that is used again and again stays.
DO $$ BEGIN FOR n IN 411 .. 440 LOOP PERFORM stage FROM cache.kept WHERE id = cache.id(n); PERFORM stage FROM cache.kept WHERE id = cache.id(411); END LOOP; END $$; :spent
SELECT count(stage) FROM kept WHERE id = id(411); :spent
SELECT count(stage) FROM kept WHERE id = id(440); :spent
SELECT count(stage) FROM kept WHERE id = id(402); :spent
SELECT count(*) FROM kept WHERE id = ANY (ids(401, 500));
\set now `$REEVO_CTL requests`
SELECT count(stage) FROM kept WHERE id = id(403); :spent
-- A record larger than work_mem is not cached, and evicts no other record.
\! printf '{"display_name": {"value": "%0100000d", "value_type": "string"}}' 0 | $REEVO_CTL attributes 00000000-0000-4000-8000-000000000501 -
SELECT length(display_name) FROM kept WHERE id = id(501); :spent
SELECT length(display_name) FROM kept WHERE id = id(501); :spent
SELECT length(display_name) FROM kept WHERE id IN (id(501), id(502)) ORDER BY 1 DESC LIMIT 1; :spent
SELECT count(stage) FROM kept WHERE id IN (id(403), id(502)); :spent
RESET work_mem;
SELECT length(display_name) FROM kept WHERE id = id(501); :spent
SELECT length(display_name) FROM kept WHERE id = id(501); :spent
:clear
SELECT count(*) FROM kept WHERE id = ANY (ids(401, 500)); :spent
SELECT count(*) FROM kept WHERE id = ANY (ids(401, 500)); :spent

DROP SCHEMA cache CASCADE;
DROP SERVER cache CASCADE;
DROP SERVER cache_other CASCADE;
