-- SPDX-License-Identifier: PostgreSQL
--
-- The report views of examples/reports.sql return the same rows over the foreign
-- table and over a local copy. They make the number of API calls that their comments
-- state. A few deals with known reports follow.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\set file `dirname "$REEVO_CTL"`/../examples/reports.sql
\! $REEVO_CTL reset
CREATE SERVER reports FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER reports OPTIONS (api_key 'test-key');
CREATE SCHEMA crm;
IMPORT FOREIGN SCHEMA reevo FROM SERVER reports INTO crm OPTIONS (discover 'false');
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
\pset format unaligned
\pset tuples_only on
\pset null NULL

-- The file can run twice, and names of owners stay.
\set ECHO none
\i :file
\set ECHO all
INSERT INTO crm_reports.owner
SELECT ('00000000-0000-4000-b000-' || lpad(n::text, 12, '0'))::uuid, 'Owner ' || n FROM generate_series(1, 30) n;
\set ECHO none
\i :file
\set ECHO all
SELECT count(*) FROM crm_reports.owner;
ALTER SCHEMA crm_reports RENAME TO remote;

-- The same views over a copy, as the file recommends it for many readers.
CREATE MATERIALIZED VIEW crm.opportunity_copy AS TABLE crm.opportunity;
CREATE UNIQUE INDEX ON crm.opportunity_copy (id);
\set opportunity crm.opportunity_copy
\set ECHO none
\i :file
\set ECHO all
INSERT INTO crm_reports.owner TABLE remote.owner;

CREATE TEMP VIEW report AS
SELECT relname AS name, obj_description(oid, 'pg_class') AS comment
FROM pg_class WHERE relnamespace = 'remote'::regnamespace AND relkind = 'v';
SELECT name, comment FROM report ORDER BY name;

--
-- Each view has rows, and the same ones as over the copy, in every time zone
--
CREATE TEMP TABLE compared (name text, zone text, has_rows boolean, only_remote bigint, only_local bigint);
CREATE PROCEDURE pg_temp.compare(zone text) LANGUAGE plpgsql AS $$
DECLARE report record;
BEGIN
  PERFORM set_config('timezone', zone, true);
  FOR report IN SELECT name FROM report LOOP
    EXECUTE format('CREATE TEMP TABLE r AS TABLE remote.%I', report.name);
    SET LOCAL timezone = 'UTC';
    EXECUTE format('CREATE TEMP TABLE l AS TABLE crm_reports.%I', report.name);
    PERFORM set_config('timezone', zone, true);
    INSERT INTO compared
    SELECT report.name, zone, EXISTS (TABLE l), (SELECT count(*) FROM (TABLE r EXCEPT ALL TABLE l) d),
           (SELECT count(*) FROM (TABLE l EXCEPT ALL TABLE r) d);
    DROP TABLE r, l;
  END LOOP;
END $$;
CALL pg_temp.compare('UTC');
CALL pg_temp.compare('Pacific/Kiritimati');
SELECT * FROM compared ORDER BY name, zone;

--
-- API calls, as the comments have them
--
CREATE TEMP TABLE spent (name text, parallel boolean, calls bigint);
CREATE PROCEDURE pg_temp.spend(parallel boolean) LANGUAGE plpgsql AS $$
DECLARE report record;
BEGIN
  FOR report IN SELECT name FROM report LOOP
    PERFORM opportunity_fdw_stats_reset();
    EXECUTE format('CREATE TEMP TABLE r AS TABLE remote.%I', report.name);
    INSERT INTO spent SELECT report.name, parallel, sum(requests) FROM opportunity_fdw_stats;
    DROP TABLE r;
  END LOOP;
END $$;
CALL pg_temp.spend(true);
ALTER SERVER reports OPTIONS (ADD max_concurrency '1');
CALL pg_temp.spend(false);
SELECT name, sum(calls) FILTER (WHERE NOT parallel) AS calls,
       bool_and(calls = stated[1]::bigint) FILTER (WHERE NOT parallel) AS as_stated,
       bool_and(calls BETWEEN stated[1]::bigint AND stated[2]::bigint) FILTER (WHERE parallel) AS parallel_as_stated
FROM report JOIN spent USING (name),
     regexp_match(comment, 'API calls for 1,000 opportunities: (\d+), or up to (\d+) in parallel\.') stated
GROUP BY name ORDER BY name;
SELECT status, outcome, count(*) FROM crm.opportunity_copy GROUP BY 1, 2 ORDER BY 1, 2;

--
-- Deals whose reports are known. Days are relative to today in UTC; one transaction
-- has one today.
--
CREATE TABLE crm.known (LIKE crm.opportunity);
\set opportunity crm.known
\set ECHO none
\i :file
\set ECHO all
SET timezone = 'Pacific/Kiritimati';
BEGIN;
SELECT (now() AT TIME ZONE 'UTC')::date AS today \gset
-- Times are days from the start of today: -30 is a midnight, -30.1 the evening before.
CREATE FUNCTION pg_temp.moment(days numeric) RETURNS timestamptz LANGUAGE sql STABLE AS
$$ SELECT ((now() AT TIME ZONE 'UTC')::date::timestamp + days * interval '1 day') AT TIME ZONE 'UTC' $$;
INSERT INTO crm.known (id, display_name, status, stage, stage_closing_probability, stage_expected_days, amount,
  archived_at, created_at, anticipated_closing_at, last_activity_at, next_meeting_date, stage_last_shifted_at)
SELECT gen_random_uuid(), name, 'open', 'Demo', 35.5, 14, 100, pg_temp.moment(archived), pg_temp.moment(created),
       pg_temp.moment(closing), pg_temp.moment(activity), pg_temp.moment(meeting), pg_temp.moment(shifted)
FROM (VALUES
  ('all is well',             NULL, -9.5,   5, -1,    1, -2),
  ('idle 30 days',            NULL,  -90, NULL, -30,  NULL, -2),
  ('idle 31 days',            NULL,  -90, NULL, -30.1, NULL, -2),
  ('no activity',             NULL,  -40, NULL, NULL, NULL, -2),
  ('no activity, new',        NULL,  -30, NULL, NULL, NULL, -2),
  ('idle, meets tomorrow',    NULL,  -90, NULL, -60,   1.5, -2),
  ('idle, met yesterday',     NULL,  -90, NULL, -60,  -0.5, -2),
  ('closes today',            NULL,   -9,    0, -1,   NULL, -2),
  ('should have closed',      NULL,   -9, -0.1, -1,   NULL, -2),
  ('14 days in stage',        NULL,  -90, NULL, -1,   NULL, -14),
  ('15 days in stage',        NULL,  -90, NULL, -1,   NULL, -14.1),
  ('20 days, never shifted',  NULL,  -20, NULL, -1,   NULL, NULL),
  ('archived',                  -1,  -90,  -60, -60,  NULL, -60)
) deal (name, archived, created, closing, activity, meeting, shifted);
-- Without an amount, without a probability, without expected days.
INSERT INTO crm.known (id, display_name, status, stage, stage_closing_probability, amount, created_at, last_activity_at) VALUES
  (gen_random_uuid(), 'no amount', 'open', 'Demo', 35.5, NULL, now(), now()),
  (gen_random_uuid(), 'no probability', 'open', 'New', NULL, 7, now(), now());

SELECT name, last_activity - :'today', idle_days FROM crm_reports.stale_deals ORDER BY name;
SELECT name, closing_date - :'today', days_late FROM crm_reports.slipped_deals ORDER BY name;
SELECT name, in_stage_since - :'today', expected_days, days_over FROM crm_reports.overdue_in_stage ORDER BY name;
SELECT * FROM crm_reports.pipeline_by_stage ORDER BY stage;
SELECT sum(deals), sum(amount), sum(weighted), sum(without_amount) FROM crm_reports.forecast_by_month;
SELECT count(*) FROM crm_reports.forecast_by_month
WHERE month = date_trunc('month', now() AT TIME ZONE 'UTC' + interval '5 days')::date;
DELETE FROM crm.known;

-- The end of a month in UTC, which is the next day in the session's time zone.
INSERT INTO crm.known (id, status, outcome, type, amount, owner_user_id, created_at, closed_at, archived_at) VALUES
  (gen_random_uuid(), 'closed', 'won', 'New Business', 10, '00000000-0000-4000-b000-000000000001', '2024-01-01Z', '2024-03-31 23:30Z', NULL),
  (gen_random_uuid(), 'closed', 'won', 'New Business', 20, '00000000-0000-4000-b000-000000000001', '2024-01-01Z', '2024-01-11Z', NULL),
  (gen_random_uuid(), 'closed', 'won', 'Renewal', 40, '00000000-0000-4000-b000-000000000001', '2024-03-02Z', '2024-03-01Z', NULL),
  (gen_random_uuid(), 'closed', 'lost', NULL, 80, '00000000-0000-4000-b000-000000000001', '2024-01-01Z', '2024-03-05Z', NULL),
  (gen_random_uuid(), 'closed', 'lost', NULL, NULL, '00000000-0000-4000-b000-000000000099', '2024-01-01Z', '2024-04-01Z', NULL),
  (gen_random_uuid(), 'closed', 'won', NULL, NULL, NULL, '2024-01-01Z', NULL, NULL),
  (gen_random_uuid(), 'closed', 'won', NULL, 1000, NULL, '2024-01-01Z', '2024-02-01Z', '2024-02-02Z'),
  (gen_random_uuid(), 'closed', 'disqualified', NULL, 2000, NULL, '2024-01-01Z', '2024-02-01Z', NULL);
SELECT * FROM crm_reports.win_rate_by_owner ORDER BY owner;
SELECT * FROM crm_reports.win_rate_by_quarter ORDER BY quarter;
SELECT * FROM crm_reports.won_by_month ORDER BY month, type;
COMMIT;

SET timezone = 'UTC';
DROP SCHEMA remote, crm_reports, crm CASCADE;
DROP SERVER reports CASCADE;
\! $REEVO_CTL reset
