-- SPDX-License-Identifier: PostgreSQL
--
-- Sales reports over crm.opportunity, as views in the schema crm_reports.
--
--   psql -v ON_ERROR_STOP=1 -f examples/reports.sql
--
-- IMPORT FOREIGN SCHEMA must have created the table crm.opportunity. After you edit
-- this file, run it again: it replaces the views. To remove all of it:
--
--   DROP SCHEMA crm_reports CASCADE;
--
-- Reports
--
-- - pipeline_by_stage: open deals by stage, with weighted amounts
-- - forecast_by_month: open deals by the month in which they should close
-- - win_rate_by_owner: won and lost deals, win rate and sales cycle by owner
-- - win_rate_by_quarter: the same by the quarter of closing
-- - won_by_month: new business, that is won deals by month of closing and type
-- - stale_deals: open deals without activity for 30 days
-- - slipped_deals: open deals whose anticipated closing date has passed
-- - overdue_in_stage: open deals that exceed the expected days of their stage
--
-- Definitions
--
-- - Deal: an opportunity that is not archived.
-- - Open: the status is 'open'. Won, lost: the outcome is 'won' or 'lost'. The API
--   documents neither list of values. See the query below, and edit the views
--   open_deals and closed_deals if your values differ.
-- - Dates: days, months and quarters are in UTC, in every session. Deals without a
--   date have NULL as their month or quarter, so the rows add up to all deals.
-- - Amounts: the views add amounts of all currencies, because the API documents no
--   currency code. With several currencies, add the code as a column to
--   crm.opportunity and group by it. NULL amounts count in without_amount.
-- - Weighted: the amount times the closing probability of the stage.
-- - Cycle: the median number of days from creation to closing of won deals. Deals that
--   were closed before they were created, such as imported ones, do not count.
-- - Owner: the API returns ids. Insert names into crm_reports.owner to see names.
--
--   SELECT status, outcome, count(*) FROM crm.opportunity GROUP BY 1, 2;
--
-- API calls
--
-- The comment on each view (\dv+ crm_reports.*) has the number of API calls for 1,000
-- opportunities, of which 729 are open, 102 won and 99 lost. The first number is for
-- max_concurrency '1'. The number grows with the deals that the view reads, 100 in each
-- call. A condition on an amount reduces it, because the wrapper pushes it down. A
-- condition on a stage, a month, a quarter or a number of days does not.
--
-- If many people read the reports, let the views read a copy. Then only REFRESH makes
-- API calls, for example once an hour with pg_cron:
--
--   CREATE MATERIALIZED VIEW crm.opportunity_copy AS TABLE crm.opportunity;
--   CREATE UNIQUE INDEX ON crm.opportunity_copy (id);
--   REFRESH MATERIALIZED VIEW CONCURRENTLY crm.opportunity_copy;
--
--   psql -v ON_ERROR_STOP=1 -v opportunity=crm.opportunity_copy -f examples/reports.sql
--
-- Readers need no API key, because a view uses the key of its owner:
--
--   GRANT USAGE ON SCHEMA crm_reports TO sales;
--   GRANT SELECT ON ALL TABLES IN SCHEMA crm_reports TO sales;

\if :{?opportunity}
\else
    \set opportunity crm.opportunity
\endif

BEGIN;

CREATE SCHEMA IF NOT EXISTS crm_reports;
COMMENT ON SCHEMA crm_reports IS 'Sales reports over the opportunities of Reevo';

CREATE TABLE IF NOT EXISTS crm_reports.owner (user_id uuid PRIMARY KEY, name text NOT NULL);
COMMENT ON TABLE crm_reports.owner IS 'Names of the owners of deals, by owner_user_id; to be filled by hand';

CREATE OR REPLACE VIEW crm_reports.open_deals AS
SELECT o.id, o.display_name AS name, coalesce(w.name, o.owner_user_id::text) AS owner, o.owner_user_id,
       o.account_id, o.type, o.stage, o.stage_id, o.stage_closing_probability AS probability,
       o.amount, o.amount * o.stage_closing_probability * 0.01 AS weighted,
       o.created_at, o.anticipated_closing_at, o.last_activity_at, o.next_meeting_date,
       coalesce(o.stage_last_shifted_at, o.created_at) AS in_stage_since,
       o.stage_expected_days AS expected_days
FROM :opportunity o LEFT JOIN crm_reports.owner w ON w.user_id = o.owner_user_id
WHERE o.status = 'open' AND o.archived_at IS NULL;
COMMENT ON VIEW crm_reports.open_deals IS
  'Open deals, one in each row: the base of the reports. in_stage_since is the creation if the stage never changed. '
  'API calls for 1,000 opportunities: 8, or up to 12 in parallel.';

CREATE OR REPLACE VIEW crm_reports.closed_deals AS
SELECT o.id, o.display_name AS name, coalesce(w.name, o.owner_user_id::text) AS owner, o.owner_user_id,
       o.account_id, o.type, o.outcome, o.amount, o.created_at, o.closed_at,
       CASE WHEN o.closed_at >= o.created_at
            THEN extract(epoch FROM o.closed_at - o.created_at) / 86400 END AS cycle_days
FROM :opportunity o LEFT JOIN crm_reports.owner w ON w.user_id = o.owner_user_id
WHERE o.outcome IN ('won', 'lost') AND o.archived_at IS NULL;
COMMENT ON VIEW crm_reports.closed_deals IS
  'Won and lost deals, one in each row: the base of the reports. cycle_days is NULL if the deal was closed before it was created. '
  'API calls for 1,000 opportunities: 3, or up to 6 in parallel.';

CREATE OR REPLACE VIEW crm_reports.pipeline_by_stage AS
SELECT stage, probability, count(*) AS deals, sum(amount) AS amount, round(sum(weighted), 2) AS weighted,
       count(*) FILTER (WHERE amount IS NULL) AS without_amount
FROM crm_reports.open_deals
GROUP BY stage_id, stage, probability;
COMMENT ON VIEW crm_reports.pipeline_by_stage IS
  'Open deals by stage: number, amount, amount weighted by the closing probability (percent), deals without amount. '
  'API calls for 1,000 opportunities: 8, or up to 12 in parallel.';

CREATE OR REPLACE VIEW crm_reports.forecast_by_month AS
SELECT date_trunc('month', anticipated_closing_at AT TIME ZONE 'UTC')::date AS month, count(*) AS deals,
       sum(amount) AS amount, round(sum(weighted), 2) AS weighted,
       count(*) FILTER (WHERE amount IS NULL) AS without_amount
FROM crm_reports.open_deals
GROUP BY 1;
COMMENT ON VIEW crm_reports.forecast_by_month IS
  'Open deals by the month of the anticipated closing, with weighted amounts. Past months hold slipped deals; NULL: no date. '
  'API calls for 1,000 opportunities: 8, or up to 12 in parallel.';

CREATE OR REPLACE VIEW crm_reports.win_rate_by_owner AS
SELECT owner, count(*) FILTER (WHERE outcome = 'won') AS won, count(*) FILTER (WHERE outcome = 'lost') AS lost,
       round(100.0 * count(*) FILTER (WHERE outcome = 'won') / count(*), 1) AS win_rate,
       sum(amount) FILTER (WHERE outcome = 'won') AS won_amount,
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY cycle_days) FILTER (WHERE outcome = 'won'))::numeric, 1)
         AS cycle_days
FROM crm_reports.closed_deals
GROUP BY owner_user_id, owner;
COMMENT ON VIEW crm_reports.win_rate_by_owner IS
  'Won and lost deals by owner: win rate (won, in percent of won and lost), won amount, median sales cycle in days. '
  'API calls for 1,000 opportunities: 3, or up to 6 in parallel.';

CREATE OR REPLACE VIEW crm_reports.win_rate_by_quarter AS
SELECT date_trunc('quarter', closed_at AT TIME ZONE 'UTC')::date AS quarter,
       count(*) FILTER (WHERE outcome = 'won') AS won, count(*) FILTER (WHERE outcome = 'lost') AS lost,
       round(100.0 * count(*) FILTER (WHERE outcome = 'won') / count(*), 1) AS win_rate,
       sum(amount) FILTER (WHERE outcome = 'won') AS won_amount,
       round((percentile_cont(0.5) WITHIN GROUP (ORDER BY cycle_days) FILTER (WHERE outcome = 'won'))::numeric, 1)
         AS cycle_days
FROM crm_reports.closed_deals
GROUP BY 1;
COMMENT ON VIEW crm_reports.win_rate_by_quarter IS
  'Won and lost deals by the quarter of closing: win rate (won, in percent of won and lost), won amount, median sales cycle in days. '
  'API calls for 1,000 opportunities: 3, or up to 6 in parallel.';

CREATE OR REPLACE VIEW crm_reports.won_by_month AS
SELECT date_trunc('month', closed_at AT TIME ZONE 'UTC')::date AS month, type, count(*) AS deals,
       sum(amount) AS amount, count(*) FILTER (WHERE amount IS NULL) AS without_amount
FROM crm_reports.closed_deals
WHERE outcome = 'won'
GROUP BY 1, type;
COMMENT ON VIEW crm_reports.won_by_month IS
  'Won deals by the month of closing and by type, for example new business and renewals. '
  'API calls for 1,000 opportunities: 2, or up to 5 in parallel.';

CREATE OR REPLACE VIEW crm_reports.stale_deals AS
SELECT id, name, owner, stage, amount, (last_activity_at AT TIME ZONE 'UTC')::date AS last_activity,
       (now() AT TIME ZONE 'UTC')::date - (coalesce(last_activity_at, created_at) AT TIME ZONE 'UTC')::date AS idle_days
FROM crm_reports.open_deals
WHERE created_at < ((now() AT TIME ZONE 'UTC')::date - 30)::timestamp AT TIME ZONE 'UTC'
  AND (last_activity_at IS NULL
       OR last_activity_at < ((now() AT TIME ZONE 'UTC')::date - 30)::timestamp AT TIME ZONE 'UTC')
  AND (next_meeting_date IS NULL OR next_meeting_date < now());
COMMENT ON VIEW crm_reports.stale_deals IS
  'Open deals, at least 30 days old, without activity for 30 days and without a future meeting. idle_days counts from the creation if there was no activity. '
  'API calls for 1,000 opportunities: 8, or up to 12 in parallel.';

CREATE OR REPLACE VIEW crm_reports.slipped_deals AS
SELECT id, name, owner, stage, amount, (anticipated_closing_at AT TIME ZONE 'UTC')::date AS closing_date,
       (now() AT TIME ZONE 'UTC')::date - (anticipated_closing_at AT TIME ZONE 'UTC')::date AS days_late
FROM crm_reports.open_deals
WHERE anticipated_closing_at < (now() AT TIME ZONE 'UTC')::date::timestamp AT TIME ZONE 'UTC';
COMMENT ON VIEW crm_reports.slipped_deals IS
  'Open deals whose anticipated closing day is before today. The API keeps no earlier closing dates. '
  'API calls for 1,000 opportunities: 6, or up to 10 in parallel.';

CREATE OR REPLACE VIEW crm_reports.overdue_in_stage AS
SELECT id, name, owner, stage, amount, (in_stage_since AT TIME ZONE 'UTC')::date AS in_stage_since, expected_days,
       (now() AT TIME ZONE 'UTC')::date - (in_stage_since AT TIME ZONE 'UTC')::date - expected_days AS days_over
FROM crm_reports.open_deals
WHERE (now() AT TIME ZONE 'UTC')::date - (in_stage_since AT TIME ZONE 'UTC')::date > expected_days;
COMMENT ON VIEW crm_reports.overdue_in_stage IS
  'Open deals that are in their stage for more days than the stage expects. '
  'API calls for 1,000 opportunities: 8, or up to 12 in parallel.';

COMMIT;
