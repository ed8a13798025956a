-- SPDX-License-Identifier: PostgreSQL
--
-- Conditions that are pushed down. A filter may return more records than the
-- condition, but never fewer. This holds for each way in which the API treats
-- case, NULLs, rounding and formats.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
\! $REEVO_CTL behave '{"custom_fields": true}'
-- With one page for all records, each query is one request.
CREATE SERVER pushdown FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url', page_size '1000', max_concurrency '1');
CREATE USER MAPPING FOR CURRENT_USER SERVER pushdown OPTIONS (api_key 'test-key');
CREATE SCHEMA pushdown;
CREATE SCHEMA pushdown_foreign;
CREATE SCHEMA pushdown_local;
SET search_path = pushdown, pushdown_foreign;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
IMPORT FOREIGN SCHEMA reevo FROM SERVER pushdown INTO pushdown_foreign OPTIONS (discover 'false');
-- Custom attributes, with the options that a user can set
CREATE FOREIGN TABLE pushdown_foreign.custom (
  id uuid,
  score numeric OPTIONS (attribute 'cf_score', filter_operators 'gt,gte,lt,lte,exists'),
  score_by_gt numeric OPTIONS (attribute 'cf_score', filter_operators 'gt,lt'),
  score_by_nothing numeric OPTIONS (attribute 'cf_score'),
  renewal boolean OPTIONS (attribute 'cf_renewal', filter_operators 'eq,ne'),
  kickoff date OPTIONS (attribute 'cf_kickoff_date', filter_operators 'gt,gte,lt,lte,exists'),
  kickoff_by_gt date OPTIONS (attribute 'cf_kickoff_date', filter_operators 'gt,lt'),
  website text OPTIONS (attribute 'cf_website', filter_operators 'in,contains'),
  email text OPTIONS (attribute 'cf_billing_email', filter_operators 'eq,ne,in,contains,starts_with,ends_with,gt,lt,exists'),
  created_by_gt timestamptz OPTIONS (attribute 'created_at', filter_operators 'gt,lt'),
  created_by_nothing timestamptz OPTIONS (attribute 'created_at', filter_operators ''),
  created_text text OPTIONS (attribute 'created_at'),
  created_date date OPTIONS (attribute 'created_at'),
  created_milliseconds timestamptz(3) OPTIONS (attribute 'created_at'),
  closed_or_null timestamptz OPTIONS (attribute 'closed_at', invalid_value 'null'),
  amount_double float8 OPTIONS (attribute 'amount'),
  amount_single real OPTIONS (attribute 'amount'),
  amount_or_null float8 OPTIONS (attribute 'amount', invalid_value 'null'),
  cents numeric(60,2) OPTIONS (attribute 'amount'),
  created_local timestamp OPTIONS (attribute 'created_at'),
  label varchar(40) OPTIONS (attribute 'display_name'),
  name name OPTIONS (attribute 'display_name'),
  code char(40) OPTIONS (attribute 'display_name'),
  stage_by_id uuid OPTIONS (attribute 'stage', filter_operators 'eq,in'),
  stage text OPTIONS (attribute 'stage', filter_operators 'eq,in'),
  probability numeric OPTIONS (attribute 'stage.closing_probability', filter_operators 'gt')
) SERVER pushdown;
CREATE FOREIGN TABLE pushdown_foreign.account (id uuid, created_at timestamptz, display_name text, annual_revenue numeric)
  SERVER pushdown OPTIONS (record_type 'account');
\pset format unaligned
\pset tuples_only on
\pset null NULL

-- Local tables with the same records
CREATE FUNCTION ids() RETURNS uuid[] LANGUAGE sql IMMUTABLE AS
$$ SELECT array_agg(CASE n WHEN 0 THEN '3c90c3cc-0d44-4b50-8888-8dd25736052a' ELSE '00000000-0000-4000-8000-' || lpad(n::text, 12, '0') END::uuid)
     FROM generate_series(0, 999) n $$;
CREATE TABLE pushdown_local.opportunity AS SELECT * FROM opportunity WHERE id = ANY (ids());
CREATE TABLE pushdown_local.custom AS SELECT * FROM custom WHERE id = ANY (ids());
CREATE TABLE pushdown_local.account AS SELECT * FROM account WHERE id IN (SELECT account_id FROM pushdown_local.opportunity);

-- same compares the rows that meet a condition in the foreign table and the local
-- one.
CREATE FUNCTION rows_of(side text, query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  found text[];
BEGIN
  PERFORM set_config('search_path', 'pushdown, ' || side, true);
  EXECUTE format('SELECT coalesce(array_agg(q::text ORDER BY q::text COLLATE "C"), ''{}'') FROM (%s) q', query) INTO found;
  RETURN found;
END $$;
CREATE FUNCTION same(condition text, tablename text DEFAULT 'opportunity') RETURNS text LANGUAGE plpgsql SET search_path = pushdown AS $$
DECLARE
  query text := format('SELECT * FROM %I WHERE %s', tablename, condition);
  found text[] := pushdown.rows_of('pushdown_foreign', query);
BEGIN
  RETURN cardinality(found) || ' rows, ' || CASE WHEN found = pushdown.rows_of('pushdown_local', query) THEN 'the same' ELSE 'NOT THE SAME' END;
END $$;
-- :sent prints the filters of the queries since its last use. After a query that
-- returns all 1000 records, a query from the last created_at on verifies that
-- 1000 is not a limit of the API.
CREATE FUNCTION sent(stats json, seen int) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT coalesce(nullif((entry ->> 'body')::json ->> 'filters', '[]'), 'no filter')
    FROM json_array_elements(stats -> 'log') WITH ORDINALITY log (entry, number)
    WHERE entry ->> 'path' LIKE '%/\_query'
      AND number > json_array_length(stats -> 'log') - ((stats ->> 'requests')::int - seen)
    ORDER BY number
$$;
\set sent '\\set stats `$REEVO_CTL stats` \\\\ SELECT sent(:''stats'', :seen); SELECT (:''stats''::json ->> ''requests'')::int AS seen \\gset'
\set sent_begin '\\set stats `$REEVO_CTL stats` \\\\ SELECT left(sent(:''stats'', :seen), 100); SELECT (:''stats''::json ->> ''requests'')::int AS seen \\gset'
\set seen `$REEVO_CTL requests`

--
-- Equality of UUIDs, texts and booleans
--
SELECT same($$ account_id = '00000000-0000-4000-9000-000000000034' $$); :sent
SELECT same($$ '00000000-0000-4000-9000-000000000034' = account_id $$); :sent
SELECT same($$ account_id IN ('00000000-0000-4000-9000-000000000007', '00000000-0000-4000-9000-000000000034', NULL) $$); :sent
SELECT same($$ account_id = ANY (ARRAY['00000000-0000-4000-9000-000000000034', '00000000-0000-4000-9000-000000000034']::uuid[]) $$); :sent
SELECT same($$ status = 'closed' $$); :sent
SELECT same($$ status = 'closed'::varchar $$); :sent
SELECT same($$ status = 'closed'::name $$); :sent
SELECT same($$ status IN ('open', 'closed') $$); :sent
SELECT same($$ renewal $$, 'custom'); :sent
SELECT same($$ NOT renewal $$, 'custom'); :sent
SELECT same($$ renewal IS TRUE $$, 'custom'); :sent
SELECT same($$ renewal IS FALSE $$, 'custom'); :sent
SELECT same($$ website = 'https://example.com/1' $$, 'custom'); :sent
SELECT same($$ display_name = 'say "hi" / ü 日本' $$); :sent
-- Inequality of UUIDs and booleans
SELECT same($$ account_id <> '00000000-0000-4000-9000-000000000034' $$); :sent
SELECT same($$ account_id NOT IN ('00000000-0000-4000-9000-000000000007', '00000000-0000-4000-9000-000000000034') $$); :sent
SELECT same($$ renewal <> (now() > '-infinity') $$, 'custom'); :sent
-- Texts that the API may compare in another way are not pushed down.
SELECT same($$ status IN ('closed', '') AND status IN ('closed', ' open') AND status IN ('closed', 'open ') AND status IN ('closed', U&'open\00A0')
  AND status IN ('closed', E'op\ten') AND status IN ('closed', E'open\n') AND status IN ('closed', 'o%n') AND status IN ('closed', 'o_en')
  AND status IN ('closed', 'o*n') AND status IN ('closed', 'o\n') AND status IN ('closed', U&'\FEFFopen') $$); :sent
SELECT same($$ status = 'open ' $$); :sent
-- Conditions that the API may evaluate in another way, or not at all
SELECT same($$ status <> 'open' AND status NOT IN ('open', 'won') AND status > 'a' AND status COLLATE "C" = 'closed' AND upper(status) = 'CLOSED'
  AND status <> display_name AND status = 'closed' || left(random()::text, 0) AND (status = 'open') IS NOT TRUE AND status IS DISTINCT FROM 'open'
  AND created_at <> '2024-01-01' AND amount <> 100 AND amount NOT IN (1, 2) AND amount + 1 > 100 AND created_at::date <> '2024-01-01'
  AND extract(month FROM created_at) < 13 AND extract(dow FROM created_at) >= 0 AND to_char(created_at, 'YYYY') > '2000' AND now() - created_at > '1 day'
  AND date_trunc('mo' || left(random()::text, 0) || 'nth', created_at) > '2000-01-01' AND created_at + (updated_at - created_at) > '2000-01-01' $$); :sent
-- User-defined operators are not pushed down.
CREATE FUNCTION is_large(numeric) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 > 100000; END $$;
CREATE OPERATOR === (FUNCTION = uuid_eq, LEFTARG = uuid, RIGHTARG = uuid);
CREATE OPERATOR !!! (FUNCTION = pushdown.is_large, RIGHTARG = numeric);
SELECT same($$ account_id === '00000000-0000-4000-9000-000000000034' AND account_id === ANY (ARRAY['00000000-0000-4000-9000-000000000034']::uuid[]) AND !!! amount $$); :sent
SELECT same($$ renewal IS NOT TRUE AND renewal IN (true, false) AND renewal IS NOT NULL AND renewal < true AND (renewal OR email <> 'x') IS NOT NULL $$, 'custom'); :sent

--
-- Bounds are widened: timestamps by a second
--
SELECT same($$ created_at >= '2024-01-01' $$); :sent
SELECT same($$ created_at > '2024-01-01 00:00:00.5+00' $$); :sent
SELECT same($$ created_at <= '2024-01-01 02:00+02' $$); :sent
SELECT same($$ '2024-01-01 00:00:00.000001+00' > created_at $$); :sent
SELECT same($$ created_at = '2023-11-07 05:31:56+00' $$); :sent
SELECT same($$ created_at IN ('2023-11-07 05:31:56+00', '2024-02-01') $$); :sent
SELECT same($$ created_at BETWEEN '2024-01-01' AND '2024-02-01' $$); :sent
SELECT same($$ created_at >= date '2024-01-01' $$); :sent
SELECT same($$ created_at >= timestamp '2024-01-01' $$); :sent
SELECT same($$ created_by_gt >= '2024-01-01' AND created_by_gt < '2024-02-01' $$, 'custom'); :sent
SELECT same($$ created_at < 'infinity' AND created_at > '-infinity' AND created_at > '0044-03-15 BC' AND created_at < '12000-01-01'
  AND created_at < date '5874897-12-31' $$); :sent
-- Dates are widened by a day.
SELECT same($$ kickoff >= '2024-02-29' $$, 'custom'); :sent
SELECT same($$ kickoff = '2024-02-29' $$, 'custom'); :sent
SELECT same($$ kickoff < timestamptz '2024-03-01 12:00+00' $$, 'custom'); :sent
SELECT same($$ kickoff_by_gt <= '2024-12-31' $$, 'custom'); :sent
SELECT same($$ kickoff < 'infinity' AND kickoff > '-infinity' AND kickoff < '9999-12-31' $$, 'custom'); :sent
-- Numbers are widened by one unit in the last place of a double.
SELECT same($$ amount > 0 $$); :sent
SELECT same($$ amount >= 100.1 $$); :sent
SELECT same($$ amount = 0.1 $$); :sent
SELECT same($$ amount IN (100, 250000, 7.5) $$); :sent
SELECT same($$ amount <= 99999999999999999999999999.9999 $$); :sent
SELECT same($$ amount >= 99999999999999999999999999.9999 $$); :sent
SELECT same($$ amount = 99999999999999999999999999.9999 $$); :sent
SELECT same($$ amount > 100 AND forecast_weighted_amount < 50000 $$); :sent
SELECT same($$ score_by_gt > 3 $$, 'custom'); :sent
SELECT same($$ score_by_gt = 3 $$, 'custom'); :sent
SELECT same($$ amount < 'NaN' AND amount < 1e400 AND amount > -1e400 AND amount <= ANY (ARRAY[1000, 2000]) $$); :sent

--
-- Functions of a column, in any time zone. A range of the column is sent, which is
-- one or two days wider than the condition.
--
SET timezone = 'America/St_Johns';
SELECT same($$ created_at::timestamp >= '2024-03-01' AND created_at::timestamp < '2024-04-01' $$); :sent
SELECT same($$ CAST(created_at AS date) = date '2024-03-01' $$); :sent
SELECT same($$ date(created_at) IN ('2024-03-01', '2024-03-03') $$); :sent
SELECT same($$ created_at::date BETWEEN '2024-03-01' AND '2024-03-31' $$); :sent
SELECT same($$ date '2024-03-01' >= created_at::date $$); :sent
SELECT same($$ created_at::date > timestamptz '2024-12-01 12:00+00' $$); :sent
SELECT same($$ created_at AT TIME ZONE 'Europe/Berlin' >= '2024-12-01' $$); :sent
SELECT same($$ created_at AT TIME ZONE 'UTC+100' >= '2024-12-01' $$); :sent
SELECT same($$ created_at AT TIME ZONE CASE WHEN status = 'open' THEN 'Europe/Berlin' ELSE 'Asia/Kathmandu' END >= '2024-12-01' $$); :sent
SELECT same($$ date_trunc('month', created_at) = date_trunc('month', timestamptz '2024-03-15') $$); :sent
SELECT same($$ date_trunc('Weeks', created_at, 'Asia/Kathmandu') < '2024-03-01' $$); :sent
SELECT same($$ date_trunc('quarter', created_at AT TIME ZONE 'Europe/Berlin') = '2024-04-01' $$); :sent
SELECT same($$ date_trunc('day', created_at AT TIME ZONE 'Europe/Berlin')::date = '2024-06-01' $$); :sent
SELECT same($$ extract(year FROM created_at) = 2024 $$); :sent
SELECT same($$ CAST(date_part('year', created_at AT TIME ZONE 'UTC') AS int) IN (2022, 2023) $$); :sent
SELECT same($$ extract(year FROM created_at) < 2023.5 AND extract(year FROM created_at) > -1 AND extract(year FROM created_at) < 10000 $$); :sent
SELECT same($$ created_at + interval '1 day' > '2024-12-01' $$); :sent
SELECT same($$ created_at - interval '1 month' > '2024-11-01' $$); :sent
SELECT same($$ created_at + '1 day' < 'infinity' AND created_at::date > '0044-03-15 BC' AND created_at::date < '12000-01-01' $$); :sent
SELECT same($$ date_trunc('month', kickoff) = '2024-02-01' $$, 'custom'); :sent
SELECT same($$ extract(year FROM kickoff) = 2024 $$, 'custom'); :sent
SELECT same($$ kickoff + 7 <= '2024-02-29' $$, 'custom'); :sent
-- A row comparison restricts its first column.
SELECT same($$ (created_at, id) < ('2024-01-01', '00000000-0000-4000-8000-000000000500') $$); :sent
SELECT same($$ ('2024-11-01', 'x') <= (created_at::date, status) $$); :sent
SELECT same($$ (amount, created_at) > (1000, '2024-01-01') AND (status, amount) > ('o', 5) $$); :sent
-- Unknown offsets from UTC
SET timezone = 'UTC+100';
SELECT same($$ created_at::date >= '2024-12-01' $$); :sent
SET timezone = 'UTC';
-- Other types
SELECT same($$ amount > 100::float8 AND amount < 200000::real $$); :sent
SELECT same($$ amount BETWEEN 100::smallint AND 200000::bigint $$); :sent
SELECT same($$ amount_double > 100 $$, 'custom'); :sent
SELECT same($$ cents = 1000.005 $$, 'custom'); :sent
SELECT same($$ score::numeric(40,0) = 3 $$, 'custom'); :sent
SELECT same($$ amount < 'NaN'::float8 AND amount > '-infinity'::float8 $$); :sent
SELECT same($$ created_local >= '2024-12-01' AND created_local < timestamptz '2024-12-31 00:00+00' $$, 'custom'); :sent
SELECT same($$ created_date = '2024-12-01' $$, 'custom'); :sent
SELECT same($$ created_milliseconds > '2024-12-01' $$, 'custom'); :sent
SELECT same($$ starts_with(label, 'Ac') $$, 'custom'); :sent
SELECT same($$ label LIKE '%1' $$, 'custom'); :sent
SELECT same($$ label = 'say "hi" / ü 日本' $$, 'custom'); :sent
SELECT same($$ label = repeat('a', 40) AND label LIKE repeat('a', 39) || '%' AND name = repeat('a', 60) $$, 'custom'); :sent
SELECT same($$ name = 'say "hi" / ü 日本' $$, 'custom'); :sent

--
-- IS NULL and IS NOT NULL
--
SELECT same($$ closed_at IS NOT NULL $$); :sent
SELECT same($$ closed_by_user_id IS NOT NULL $$); :sent
SELECT same($$ amount IS NOT NULL $$); :sent
SELECT same($$ kickoff IS NOT NULL $$, 'custom'); :sent
SELECT same($$ status IS NOT NULL AND closed_at IS NULL AND participant_user_id_list IS NOT NULL $$); :sent

--
-- Patterns
--
SELECT same($$ display_name LIKE 'A%' $$); :sent
SELECT same($$ display_name LIKE '%1' $$); :sent
SELECT same($$ display_name LIKE '%an%' $$); :sent
SELECT same($$ display_name LIKE 'Acme' $$); :sent
SELECT same($$ starts_with(display_name, 'A') $$); :sent
SELECT same($$ display_name ^@ 'A' $$); :sent
SELECT same($$ website LIKE 'https:%' $$, 'custom'); :sent
SELECT same($$ email LIKE 'person1%' $$, 'custom'); :sent
SELECT same($$ display_name LIKE '%' AND display_name LIKE 'A%1' AND display_name LIKE '%_1' AND display_name LIKE '% %' AND display_name LIKE '%\1'
  AND display_name ILIKE 'a%' AND display_name ~ '^A' AND display_name NOT LIKE 'B%' AND status LIKE 'op%' AND starts_with(display_name, '') $$); :sent
SELECT same($$ display_name LIKE '' $$); :sent

--
-- AND pushes down the parts that it can, and OR all or nothing.
--
SELECT same($$ status = 'open' AND amount > 1000 AND upper(display_name) LIKE 'A%' $$); :sent
SELECT same($$ status = 'open' OR amount > 1000 $$); :sent
SELECT same($$ status = 'open' OR amount = 1000 $$); :sent
SELECT same($$ status = 'open' OR (outcome = 'won' AND amount > 1000) $$); :sent
SELECT same($$ status = 'open' OR (outcome = 'won' AND upper(display_name) LIKE 'A%') $$); :sent
SELECT same($$ (status = 'open' OR amount > 1000) AND (outcome = 'won' OR closed_at IS NOT NULL) $$); :sent
-- At run time, one branch of OR matches nothing, or cannot be pushed down.
SELECT same($$ status = 'open' OR outcome = (SELECT NULL::text) $$); :sent
SELECT same($$ status = 'open' OR outcome = (SELECT ''::text) $$); :sent
SELECT same($$ status = 'open' OR upper(display_name) LIKE 'A%' $$); :sent
-- A branch of OR that no record meets
SELECT same($$ status = 'open' OR (amount > 1000 AND outcome = (SELECT NULL::text)) $$); :sent
-- The number of branches is limited as the number of values in a list.
SELECT same(string_agg(format('amount < -%s OR closed_at < ''19%s-01-01''', n, n), ' OR ')) FROM generate_series(10, 59) n; :sent_begin
SELECT same(string_agg(format('amount < -%s OR closed_at < ''19%s-01-01''', n, n), ' OR ')) FROM generate_series(10, 60) n; :sent_begin
-- Groups that are nested too deeply
SELECT same($$ status = 'open' OR (amount > 1 AND (outcome = 'won' OR (created_source = 'api' AND amount > 1000))) $$); :sent

--
-- Values that are known only at execution
--
SELECT same($$ updated_at >= (SELECT coalesce(max(updated_at), '-infinity') FROM pushdown_local.opportunity WHERE created_at < '2024-01-01') $$); :sent
SELECT same($$ updated_at >= (SELECT coalesce(max(updated_at), '-infinity') FROM pushdown_local.opportunity WHERE false) $$); :sent
SELECT same($$ created_at > timestamptz '2024-06-01' - interval '7 days' $$); :sent
SELECT same($$ status = ANY (ARRAY(SELECT DISTINCT status FROM pushdown_local.opportunity WHERE status < 'p' ORDER BY 1)) $$); :sent
SELECT same($$ status = ANY (ARRAY(SELECT 'status ' || g FROM generate_series(1, 101) g)) $$); :sent
SELECT same($$ status LIKE (SELECT 'op%') $$); :sent
-- A condition that cannot be true costs no request.
SELECT same($$ status = (SELECT NULL::text) $$); :sent
SELECT same($$ amount > (SELECT NULL::numeric) $$); :sent
SELECT same($$ status = ANY (ARRAY(SELECT status FROM pushdown_local.opportunity WHERE false)) $$); :sent
SELECT same($$ status = (SELECT NULL::text) OR amount > (SELECT NULL::numeric) $$); :sent
SELECT same($$ account_id <> ALL (ARRAY(SELECT NULL::uuid)) $$); :sent
-- A condition that is always true
SELECT same($$ account_id <> ALL (ARRAY(SELECT account_id FROM pushdown_local.opportunity WHERE false)) $$); :sent
-- Parameters
SET plan_cache_mode = force_generic_plan;
SET search_path = pushdown, pushdown_foreign;
PREPARE by_status (text, numeric) AS SELECT count(*) FROM opportunity WHERE status = $1 AND amount > $2;
EXECUTE by_status ('open', 1000); :sent
EXECUTE by_status ('', 1e400); :sent
EXECUTE by_status (NULL, 1000); :sent
PREPARE by_day (date, text) AS SELECT count(*) FROM opportunity WHERE created_at::date = $1 AND (created_at AT TIME ZONE $2)::date = $1;
EXECUTE by_day ('2024-03-01', 'UTC'); :sent
EXECUTE by_day ('2024-03-01', NULL); :sent
PREPARE by_amount (float8, real, smallint, int, bigint) AS SELECT count(*) FROM opportunity WHERE amount >= $1 AND amount > $2 AND amount > $3 AND amount > $4 AND amount <= $5;
EXECUTE by_amount (0.1, 0.1, 1, 2, 100000); :sent
DEALLOCATE ALL;
RESET plan_cache_mode;

--
-- Columns whose conditions are not pushed down
--
SELECT same($$ stage = 'Discovery' AND stage_id IS NOT NULL AND stage_closing_probability < 100 AND type LIKE 'N%' $$); :sent
SELECT same($$ stage <> 'x' AND stage IN ('Discovery', 'Qualification') AND probability > 1 AND score_by_nothing > 0 AND created_by_nothing > '2023-01-01' AND created_text > '2023'
  AND closed_or_null IS NOT NULL AND code = 'Acme' AND amount_single > 100 AND amount_or_null > 100 $$, 'custom'); :sent
-- The id of a stage, with filter_operators set by the user
SELECT same($$ stage_by_id = '3c90c3cc-0d44-4b50-8888-8dd25736052a' $$, 'custom'); :sent
-- For other record types, only the common attributes are documented.
SELECT count(*) FROM account WHERE created_at > '2024-01-01' AND display_name = 'x' AND annual_revenue > 5; :sent

--
-- EXPLAIN shows the filter of a condition. The name of a subquery's result
-- differs between versions.
--
CREATE FUNCTION remote_filter(query text, options text DEFAULT 'COSTS OFF') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, query) LOOP
    IF line ~ 'Remote Filter' THEN
      RETURN NEXT regexp_replace(trim(line), '\$\d|\(InitPlan \d\)\.col1', '(subquery)', 'g');
    END IF;
  END LOOP;
END $$;
SELECT remote_filter($$ SELECT * FROM opportunity WHERE status = 'open' $$);
SELECT remote_filter($$ SELECT * FROM opportunity WHERE status IN ('open', 'closed') AND amount > 1000 $$);
SELECT remote_filter($$ SELECT * FROM opportunity WHERE account_id <> '00000000-0000-4000-9000-000000000034' OR amount = 5 AND closed_at IS NOT NULL $$);
SELECT remote_filter($$ SELECT * FROM custom WHERE NOT renewal AND score_by_gt IN (1, 2) AND website LIKE 'a%' AND starts_with(email, 'x') $$);
SELECT remote_filter($$ SELECT * FROM opportunity WHERE created_at > now() - interval '7 days' $$);
SELECT remote_filter($$ SELECT * FROM opportunity WHERE updated_at >= (SELECT max(updated_at) FROM pushdown_local.opportunity) $$);
SELECT remote_filter($$ SELECT * FROM opportunity WHERE updated_at >= (SELECT max(updated_at) FROM pushdown_local.opportunity) $$, 'COSTS OFF, VERBOSE');
SELECT remote_filter($$ SELECT * FROM pushdown_local.custom c, LATERAL (SELECT * FROM opportunity o WHERE o.updated_at > c.created_by_gt OFFSET 0) l $$);
SELECT remote_filter($$ SELECT * FROM opportunity WHERE created_at::date = '2024-03-01' AND created_at AT TIME ZONE 'UTC' >= '2024-03-01' $$);
SELECT remote_filter($$ SELECT * FROM opportunity WHERE date_trunc('month', created_at) IN ('2024-03-01', '2024-04-01') AND extract(year FROM created_at) <= 2024 $$);
SELECT remote_filter($$ SELECT * FROM opportunity WHERE (created_at, id) < ('2024-01-01', '00000000-0000-4000-8000-000000000500') $$);
SELECT remote_filter($$ SELECT * FROM custom WHERE cents = 5 AND created_local > '2024-03-01' AND created_milliseconds > '2024-03-01' $$);
SELECT remote_filter($$ SELECT * FROM opportunity WHERE stage = 'Discovery' $$);

DROP SCHEMA pushdown, pushdown_foreign, pushdown_local CASCADE;
DROP SERVER pushdown CASCADE;
