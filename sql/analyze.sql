-- SPDX-License-Identifier: PostgreSQL
--
-- ANALYZE estimates the number of records and their statistics with a bounded
-- number of requests. The simulator has 1000 opportunities and 200 accounts.
-- Smaller pages stand for a larger table.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER analysis FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER analysis OPTIONS (api_key 'test-key');
CREATE SCHEMA analysis;
SET search_path = analysis;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
IMPORT FOREIGN SCHEMA reevo FROM SERVER analysis INTO analysis OPTIONS (discover 'false');
CREATE FOREIGN TABLE account (id uuid, display_name text) SERVER analysis OPTIONS (record_type 'account');
-- 1000 records are 100 pages of this table.
CREATE FOREIGN TABLE tens (id uuid, status text, created_at timestamptz, archived_at timestamptz)
  SERVER analysis OPTIONS (page_size '10');

-- :spent prints the number of requests since its last use. rows_of returns the
-- planner's row count of a table. close_to compares two numbers, with a tolerance
-- in percent.
\set now `$REEVO_CTL requests`
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
CREATE FUNCTION rows_of(name regclass) RETURNS float8 LANGUAGE sql AS
$$ SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = name $$;
CREATE FUNCTION close_to(found float8, wanted float8, percent float8) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN abs(found - wanted) <= abs(wanted) * percent / 100 THEN 'close to ' || wanted ELSE found || ' is NOT CLOSE TO ' || wanted END $$;
\pset format unaligned
\pset tuples_only on
\pset null NULL

--
-- The whole table: ten pages, and one query to verify that 1000 records are not a
-- limit of the API
--
SELECT rows_of('opportunity');
ANALYZE opportunity; :spent
SELECT rows_of('opportunity'), relpages FROM pg_class WHERE oid = 'opportunity'::regclass;
ANALYZE account; :spent
SELECT rows_of('account');

-- All 53 columns have the same statistics as in a local copy.
CREATE TABLE copy AS SELECT * FROM opportunity;
ANALYZE copy;
SELECT count(*), count(DISTINCT tablename)
FROM (SELECT *, count(*) OVER (PARTITION BY attname, null_frac, n_distinct, most_common_freqs) AS equal
      FROM pg_stats WHERE schemaname = 'analysis' AND tablename IN ('opportunity', 'copy')) s
WHERE equal = 2;
SELECT attname, null_frac, n_distinct FROM pg_stats
WHERE schemaname = 'analysis' AND tablename = 'opportunity' AND attname IN ('id', 'stage', 'status') ORDER BY attname;

\set now `$REEVO_CTL requests`
-- The second ANALYZE knows the number of pages. One column costs as many
-- requests.
ANALYZE account (display_name); :spent
SELECT rows_of('account'), relpages FROM pg_class WHERE oid = 'account'::regclass;
SET client_min_messages = error;
VACUUM (ANALYZE) account; :spent
SET client_min_messages = warning;

-- A random sample of fewer rows than the table has
SET default_statistics_target = 1;
ANALYZE opportunity; :spent
SELECT rows_of('opportunity');
RESET default_statistics_target;

--
-- A sample of the pages. The tolerances are four to six standard deviations of it.
--
ANALYZE tens; :spent
SELECT close_to(rows_of('tens'), 1000, 15);
SELECT close_to((1 - null_frac) * 1000, (SELECT count(archived_at) FROM copy), 60) FROM pg_stats
WHERE schemaname = 'analysis' AND tablename = 'tens' AND attname = 'archived_at';
SELECT close_to(most_common_freqs[1] * 100, (SELECT 100.0 * max(n) / 1000 FROM (SELECT count(*) AS n FROM copy GROUP BY status) s), 20)
FROM pg_stats WHERE schemaname = 'analysis' AND tablename = 'tens' AND attname = 'status';
SELECT attname, n_distinct FROM pg_stats WHERE schemaname = 'analysis' AND tablename = 'tens' AND attname = 'id';
-- The quartiles of created_at match those in the local copy.
SELECT string_agg(close_to(extract(epoch FROM bound - '2022-01-01'), extract(epoch FROM wanted - '2022-01-01'), 13), ', ')
FROM (SELECT bounds[1 + (part * (cardinality(bounds) - 1))::int] AS bound, part
      FROM unnest(ARRAY[0, 0.25, 0.5, 0.75, 1]) part,
           (SELECT histogram_bounds::text::timestamptz[] AS bounds FROM pg_stats
            WHERE schemaname = 'analysis' AND tablename = 'tens' AND attname = 'created_at') b) s,
  LATERAL (SELECT percentile_disc(part) WITHIN GROUP (ORDER BY created_at) AS wanted FROM copy) c;
\set now `$REEVO_CTL requests`
-- The wrapper reads a table whole if it is not much larger than the first pages.
-- One query checks its end first. Expired cursors do not change that.
CREATE FOREIGN TABLE thirties (id uuid, created_at timestamptz) SERVER analysis OPTIONS (page_size '30');
ANALYZE thirties; :spent
SELECT rows_of('thirties');
\! $REEVO_CTL behave '{"expire_cursors_after": 4}'
ANALYZE thirties; :spent
SELECT close_to(rows_of('thirties'), 1000, 5);
\! $REEVO_CTL behave '{"expire_cursors_after": null}'
-- The row count excludes the records that the table excludes.
ALTER FOREIGN TABLE tens OPTIONS (ADD include_archived 'false');
ANALYZE tens; :spent
SELECT close_to(rows_of('tens'), (SELECT count(*) FROM copy WHERE archived_at IS NULL), 7);
ALTER FOREIGN TABLE tens OPTIONS (DROP include_archived);
-- ANALYZE does not exceed max_requests.
ALTER FOREIGN TABLE tens OPTIONS (ADD max_requests '20');
ANALYZE tens; :spent
SELECT close_to(rows_of('tens'), 1000, 25);
ALTER FOREIGN TABLE tens OPTIONS (SET max_requests '1');
ANALYZE tens; :spent
ALTER FOREIGN TABLE tens OPTIONS (DROP max_requests);

--
-- Without filters on created_at, the row count is at least the number of records
-- read. A larger former count stays.
--
CREATE FOREIGN TABLE unsorted (id uuid, created_at timestamptz OPTIONS (sortable 'false')) SERVER analysis OPTIONS (page_size '10');
ANALYZE unsorted; :spent
SELECT rows_of('unsorted');
ALTER FOREIGN TABLE unsorted OPTIONS (SET page_size '100');
ANALYZE unsorted; :spent
SELECT rows_of('unsorted');
ALTER FOREIGN TABLE unsorted OPTIONS (SET page_size '10');
ANALYZE unsorted; :spent
SELECT rows_of('unsorted');
CREATE FOREIGN TABLE unfiltered (id uuid, created_at timestamptz OPTIONS (filter_operators 'lte')) SERVER analysis OPTIONS (page_size '10');
ANALYZE unfiltered; :spent
SELECT rows_of('unfiltered');
-- The API returns pages in another order or without the filter, or it rejects the
-- request. Each case has a new session.
CREATE FOREIGN TABLE odd (id uuid) SERVER analysis OPTIONS (page_size '10', max_requests '30');
\! $REEVO_CTL behave '{"ignore_sort": true}'
ANALYZE odd; :spent
SELECT rows_of('odd');
\! $REEVO_CTL behave '{"ignore_sort": false, "ignore_filters": true}'
ANALYZE odd; :spent
SELECT rows_of('odd') BETWEEN 290 AND 300;
\! $REEVO_CTL behave '{"ignore_filters": false, "empty_pages_with_cursor": true}'
ANALYZE odd; :spent
SELECT close_to(rows_of('odd'), 1000, 30);
\! $REEVO_CTL behave '{"empty_pages_with_cursor": false, "move_between_pages": true, "nulls_first": true}'
ANALYZE odd; :spent
SELECT close_to(rows_of('odd'), 1000, 40);
\! $REEVO_CTL behave '{"move_between_pages": false, "expire_cursors_after": 2}'
ANALYZE odd; :spent
SELECT close_to(rows_of('odd'), 1000, 30);
\! $REEVO_CTL behave '{"expire_cursors_after": null, "refuse_operators": ["created_at.gte"]}'
CREATE FOREIGN TABLE refused (id uuid) SERVER analysis OPTIONS (page_size '10', max_requests '30');
ANALYZE refused; :spent
SELECT rows_of('refused');
-- The session remembers the rejection and reads one more page instead.
ANALYZE refused; :spent
SELECT rows_of('refused');
\c
SET client_min_messages = warning;
SET search_path = analysis;
\! $REEVO_CTL reset
\! $REEVO_CTL behave '{"refuse_sort": true}'
\set now `$REEVO_CTL requests`
CREATE FOREIGN TABLE unsortable (id uuid) SERVER analysis OPTIONS (page_size '10', max_requests '30');
ANALYZE unsortable; :spent
SELECT rows_of('unsortable');
ANALYZE unsortable; :spent
SELECT rows_of('unsortable');
\! $REEVO_CTL reset
\c
SET client_min_messages = warning;
SET search_path = analysis;
SET timezone = 'UTC';
SET jit = off;
\set now `$REEVO_CTL requests`

--
-- Tables that ANALYZE cannot read
--
\set VERBOSITY terse
CREATE FOREIGN TABLE by_id (id uuid) SERVER analysis OPTIONS (use_query 'false');
ANALYZE by_id; :spent
CREATE FOREIGN TABLE misfit (id uuid, status integer) SERVER analysis;
ANALYZE misfit; :spent
ALTER FOREIGN TABLE misfit OPTIONS (ADD invalid_value 'null');
SET client_min_messages = error;
ANALYZE misfit; :spent
SET client_min_messages = warning;
SELECT rows_of('misfit'), null_frac FROM pg_stats WHERE schemaname = 'analysis' AND tablename = 'misfit' AND attname = 'status';
\! $REEVO_CTL behave '{"status": 404, "body": {"error": {"code": "unknown_record_type", "message": "No."}}}'
ANALYZE account;
\! $REEVO_CTL reset
-- The API rejects this page size. The first ANALYZE spends four requests to find
-- a smaller one, and the second spends none.
\! $REEVO_CTL behave '{"refuse_limit": 40}'
\set now `$REEVO_CTL requests`
ANALYZE account; :spent
ANALYZE account; :spent
SELECT rows_of('account');
\! $REEVO_CTL reset
\c
SET client_min_messages = warning;
SET search_path = analysis;
-- A table whose owner has no API key, and a table of another owner
\set now `$REEVO_CTL requests`
CREATE ROLE regress_keyless;
GRANT USAGE ON SCHEMA analysis TO regress_keyless;
CREATE FOREIGN TABLE keyless (id uuid) SERVER analysis;
ALTER FOREIGN TABLE keyless OWNER TO regress_keyless;
\set VERBOSITY sqlstate
ANALYZE keyless;
\set VERBOSITY terse
SET client_min_messages = error;
SET ROLE regress_keyless;
ANALYZE account;
RESET ROLE;
SET client_min_messages = warning;
:spent
-- ANALYZE uses the privileges and the API key of the table's owner.
CREATE USER MAPPING FOR regress_keyless SERVER analysis OPTIONS (api_key 'no-permission');
ANALYZE keyless;
ALTER USER MAPPING FOR regress_keyless SERVER analysis OPTIONS (SET api_key 'other-key');
\set now `$REEVO_CTL requests`
ANALYZE keyless; :spent
SELECT rows_of('keyless');
DROP FOREIGN TABLE keyless;
DROP USER MAPPING FOR regress_keyless SERVER analysis;
\set VERBOSITY default

--
-- Dropped columns, generated columns, partitions and child tables
--
CREATE FOREIGN TABLE altered (gone text, id uuid, stage text, more text OPTIONS (attribute 'status')) SERVER analysis;
ALTER FOREIGN TABLE altered DROP COLUMN gone;
ALTER FOREIGN TABLE altered ADD COLUMN computed text GENERATED ALWAYS AS ('x' || more) STORED;
ANALYZE altered; :spent
ALTER FOREIGN TABLE altered DROP COLUMN computed;
ANALYZE altered; :spent
SELECT attname, null_frac, n_distinct FROM pg_stats WHERE schemaname = 'analysis' AND tablename = 'altered' ORDER BY attname;
CREATE TABLE parts (id uuid, kind text) PARTITION BY LIST (kind);
CREATE TABLE local_part PARTITION OF parts FOR VALUES IN ('local');
INSERT INTO local_part SELECT gen_random_uuid(), 'local' FROM generate_series(1, 500);
CREATE FOREIGN TABLE foreign_part PARTITION OF parts FOR VALUES IN (NULL) SERVER analysis OPTIONS (record_type 'account');
ANALYZE parts; :spent
SELECT rows_of('foreign_part');
SELECT attname, inherited, round(null_frac::numeric, 1), n_distinct FROM pg_stats WHERE schemaname = 'analysis' AND tablename = 'parts' ORDER BY attname;
CREATE TABLE parent (id uuid);
CREATE FOREIGN TABLE child () INHERITS (parent) SERVER analysis OPTIONS (record_type 'account');
ANALYZE parent;
SELECT attname, inherited, n_distinct FROM pg_stats WHERE schemaname = 'analysis' AND tablename = 'parent' ORDER BY attname;

--
-- In a transaction that is rolled back
--
\set now `$REEVO_CTL requests`
BEGIN;
ANALYZE account;
ANALYZE tens;
ROLLBACK;
:spent

DROP SCHEMA analysis CASCADE;
DROP ROLE regress_keyless;
DROP SERVER analysis CASCADE;
