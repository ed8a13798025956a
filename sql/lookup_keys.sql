-- SPDX-License-Identifier: PostgreSQL
--
-- Batch lookups by a key that many records share, such as the account of an
-- opportunity: one request fetches the records of many keys.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER lookup_keys FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER lookup_keys OPTIONS (api_key 'test-key');
CREATE SCHEMA lookup_keys;
CREATE SCHEMA keys_foreign;
CREATE SCHEMA keys_local;
SET search_path = lookup_keys, keys_foreign;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET jit = off;
SET max_parallel_workers_per_gather = 0;
-- Two tables of opportunities, with a page_size of 100 and of 10. A request has
-- as many keys as its page has records.
CREATE FOREIGN TABLE keys_foreign.opportunity (id uuid, display_name text, stage text, status text, amount numeric, created_at timestamptz,
  account_id uuid, owner_user_id uuid, archived_at timestamptz) SERVER lookup_keys;
CREATE FOREIGN TABLE keys_foreign.tens (id uuid, stage text, status text, amount numeric, account_id uuid) SERVER lookup_keys OPTIONS (page_size '10');
CREATE FOREIGN TABLE keys_foreign.account (id uuid, display_name text) SERVER lookup_keys
  OPTIONS (record_type 'account', query_returns_archived 'true');

CREATE FUNCTION account_id(number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-9000-' || lpad(number::text, 12, '0'))::uuid $$;

-- :spent prints the number of record requests since its last use.
-- :spent_at_most_8 prints whether there were at most eight.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
\set spent_at_most_8 '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `test $(expr :now - :before) -le 8 && echo at most 8 || expr :now - :before`'
\pset format unaligned
\pset tuples_only on
\pset null NULL

-- Local tables of the same names, with the records of the API
CREATE TABLE keys_local.opportunity AS SELECT * FROM opportunity;
CREATE TABLE keys_local.tens AS SELECT id, stage, status, amount, account_id FROM keys_local.opportunity;
CREATE TABLE keys_local.account AS SELECT * FROM account;
ANALYZE keys_local.opportunity;
ANALYZE keys_local.tens;
ANALYZE keys_local.account;
-- Local tables of accounts: a hundred; 299, of which 99 do not exist; five; and
-- one with NULLs and repeated ids
CREATE TABLE hundred AS SELECT n AS number, account_id(n) AS id, account_id(n)::text AS id_text, n % 10 AS digit FROM generate_series(1, 100) n;
CREATE TABLE more AS SELECT n AS number, account_id(n) AS id, n % 10 AS digit FROM generate_series(1, 299) n;
CREATE TABLE small AS SELECT * FROM hundred WHERE number <= 5;
CREATE TABLE odd AS SELECT n AS number, CASE WHEN n % 3 > 0 THEN account_id(n % 30 + 1) END AS id FROM generate_series(1, 100) n;
ANALYZE hundred;
ANALYZE more;
ANALYZE small;
ANALYZE odd;
SELECT count(*), count(DISTINCT account_id) FROM keys_local.opportunity WHERE account_id IN (SELECT id FROM hundred);
SELECT count(*), count(DISTINCT account_id) FROM keys_local.opportunity WHERE account_id IN (SELECT id FROM odd);
SELECT count(*), count(DISTINCT account_id) FROM keys_local.opportunity WHERE account_id IN (SELECT id FROM small);
\set now `$REEVO_CTL requests`

-- in_any_order compares the rows of a query over the foreign and the local
-- tables.
CREATE FUNCTION rows_of(side text, query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  found text[] := '{}';
  r record;
BEGIN
  PERFORM set_config('search_path', 'lookup_keys, ' || side, true);
  FOR r IN EXECUTE query LOOP
    found := found || r::text;
  END LOOP;
  RETURN found;
END $$;
CREATE FUNCTION in_any_order(query text) RETURNS text LANGUAGE plpgsql SET search_path = lookup_keys AS $$
DECLARE
  found text[] := (SELECT coalesce(array_agg(r ORDER BY r COLLATE "C"), '{}') FROM unnest(lookup_keys.rows_of('keys_foreign', query)) r);
  wanted text[] := (SELECT coalesce(array_agg(r ORDER BY r COLLATE "C"), '{}') FROM unnest(lookup_keys.rows_of('keys_local', query)) r);
BEGIN
  RETURN cardinality(found) || ' rows, ' || CASE WHEN found = wanted THEN 'the same' ELSE 'NOT THE SAME' END;
END $$;
-- explained returns the lines of EXPLAIN about scans and lookups.
CREATE FUNCTION explained(query text, options text DEFAULT 'COSTS OFF') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, query) LOOP
    line := regexp_replace(line, '^.*((Custom|Foreign) Scan)', '\1');
    line := regexp_replace(line, ' \((actual|never).*\)$', '');
    IF line ~ '(Custom|Foreign) Scan|Lookup Key|Request|API Calls|Retries|Batches|Distinct Keys|Cache Hits|Prefetched|Remote Filter' THEN
      RETURN NEXT btrim(line);
    END IF;
  END LOOP;
END $$;
\set analyzed 'ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF'

--
-- A hundred accounts cost one query and its pages.
--
SELECT explained($$ SELECT a.number, o.stage FROM hundred a JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a JOIN opportunity o ON o.account_id = a.id $$); :spent
\! $REEVO_CTL last 4
SELECT explained($$ SELECT a.number, o.stage FROM hundred a JOIN opportunity o ON o.account_id = a.id $$, :'analyzed'); :spent
SELECT explained($$ SELECT a.number, o.stage FROM hundred a JOIN opportunity o ON o.account_id = a.id $$, 'COSTS OFF, VERBOSE'); :spent
-- From here on, a scan of the whole table is disabled, because it may be the
-- cheapest.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
-- Several batches, and keys without a record
SELECT explained($$ SELECT a.number, o.stage FROM more a LEFT JOIN opportunity o ON o.account_id = a.id $$, :'analyzed'); :spent
SELECT in_any_order($$ SELECT a.number, o.id FROM more a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT in_any_order($$ SELECT a.number, o.id FROM more a JOIN opportunity o ON o.account_id = a.id WHERE a.number > 199 $$); :spent
-- Small pages: ten keys in each request
SELECT explained($$ SELECT a.number, o.stage FROM small a JOIN tens o ON o.account_id = a.id $$, :'analyzed'); :spent
SELECT in_any_order($$ SELECT a.number, o.* FROM small a JOIN tens o ON o.account_id = a.id $$); :spent
SELECT explained($$ SELECT a.number, o.stage FROM hundred a JOIN tens o ON o.account_id = a.id $$, :'analyzed'); :spent
-- NULLs and repeated keys cost no request.
SELECT explained($$ SELECT a.number, o.stage FROM odd a JOIN opportunity o ON o.account_id = a.id $$, :'analyzed'); :spent
SELECT in_any_order($$ SELECT a.number, o.stage FROM odd a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT in_any_order($$ SELECT a.number, o.stage FROM odd a LEFT JOIN tens o ON o.account_id = nullif(a.id, a.id) $$); :spent
SELECT in_any_order($$ SELECT a.number, o.stage FROM odd a JOIN opportunity o ON o.account_id = a.id WHERE a.number < 0 $$); :spent

--
-- Join types
--
SELECT in_any_order($$ SELECT a.number, o.stage FROM opportunity o JOIN hundred a ON a.id = o.account_id $$); :spent
SELECT in_any_order($$ SELECT a.number, o.stage FROM opportunity o RIGHT JOIN hundred a ON a.id = o.account_id $$); :spent
SELECT in_any_order($$ SELECT a.number FROM hundred a WHERE EXISTS (SELECT FROM opportunity o WHERE o.account_id = a.id) $$); :spent
SELECT in_any_order($$ SELECT a.number FROM hundred a WHERE EXISTS (SELECT FROM opportunity o WHERE o.account_id = a.id AND o.amount > a.number * 1000) $$); :spent
SELECT in_any_order($$ SELECT a.number FROM hundred a WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.account_id = a.id) $$); :spent
SELECT in_any_order($$ SELECT a.number FROM hundred a WHERE a.id NOT IN (SELECT account_id FROM keys_local.opportunity WHERE account_id IS NOT NULL)
  AND NOT EXISTS (SELECT FROM opportunity o WHERE o.account_id = a.id AND o.amount > 500000) $$); :spent
SELECT in_any_order($$ SELECT o.* FROM opportunity o WHERE account_id IN (SELECT id FROM hundred WHERE digit < 5) $$); :spent
SELECT in_any_order($$ SELECT a.number, l.n FROM hundred a, LATERAL (SELECT o.stage, o.amount + a.digit AS n FROM opportunity o WHERE o.account_id = a.id) l $$); :spent
SELECT in_any_order($$ SELECT a.number, l.stage FROM hundred a LEFT JOIN LATERAL (SELECT stage, a.digit FROM opportunity o WHERE o.account_id = a.id) l ON true $$); :spent
SELECT in_any_order($$ SELECT a.number, count(o.id), sum(o.amount) FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id GROUP BY a.number $$); :spent
-- Computed keys
SELECT in_any_order($$ SELECT a.number, o.stage FROM hundred a JOIN opportunity o ON o.account_id = a.id_text::uuid $$); :spent
SELECT in_any_order($$ SELECT a.number, o.stage FROM hundred a LEFT JOIN opportunity o ON o.account_id = CASE WHEN a.digit = 3 THEN lookup_keys.account_id(a.number + 1) END $$); :spent
SELECT in_any_order($$ SELECT g, o.stage FROM generate_series(1, 100) g JOIN opportunity o ON o.account_id = lookup_keys.account_id(g) $$); :spent
-- A condition on the id takes precedence.
SELECT in_any_order($$ SELECT a.number, o.stage FROM hundred a JOIN opportunity o ON o.account_id = a.id AND o.id = '3c90c3cc-0d44-4b50-8888-8dd25736052a' $$); :spent

--
-- Further conditions: the wrapper pushes down conditions on the table alone, and
-- PostgreSQL checks the others.
--
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a JOIN opportunity o ON o.account_id = a.id WHERE o.status = 'open' AND o.amount > 1000 $$);
\set now `$REEVO_CTL requests`
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a JOIN opportunity o ON o.account_id = a.id WHERE o.amount > 100000 $$); :spent
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id AND o.status = 'open' $$); :spent
SELECT explained($$ SELECT a.number, o.stage FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id AND o.status IN ('open', 'won') AND o.amount > a.number * 1000 AND length(o.stage) > 5 $$, :'analyzed'); :spent
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id AND o.status IN ('open', 'won') AND o.amount > a.number * 1000 AND length(o.stage) > 5 $$); :spent
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id AND o.created_at >= (SELECT min(created_at) + interval '1 day' FROM keys_local.opportunity) $$); :spent
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id AND a.digit > 4 $$); :spent
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id AND o.status = NULL $$); :spent
-- Only one of several keys is looked up.
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a JOIN opportunity o ON o.account_id = a.id AND o.owner_user_id = (SELECT min(p.owner_user_id::text)::uuid FROM keys_local.opportunity p WHERE p.account_id = a.id) $$); :spent
SELECT in_any_order($$ SELECT p.id, o.id FROM keys_local.opportunity p JOIN opportunity o ON o.account_id = p.account_id AND o.owner_user_id = p.owner_user_id WHERE p.amount < 100000 $$);
\set now `$REEVO_CTL requests`
-- The second lookup finds the records that the first has read.
SELECT explained($$ SELECT a.number, o.id, p.id FROM hundred a JOIN opportunity o ON o.account_id = a.id JOIN opportunity p ON p.account_id = a.id $$, :'analyzed'); :spent
SELECT in_any_order($$ SELECT a.number, o.id, p.id FROM hundred a JOIN opportunity o ON o.account_id = a.id JOIN opportunity p ON p.account_id = a.id $$); :spent
SELECT in_any_order($$ SELECT a.number, o.id, p.id FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id AND o.status = 'open' LEFT JOIN opportunity p ON p.account_id = a.id AND p.status = 'won' $$); :spent
-- From one foreign table to another, and back by the id
SELECT explained($$ SELECT a.display_name, o.stage FROM account a LEFT JOIN opportunity o ON o.account_id = a.id WHERE a.display_name < 'B' $$, :'analyzed');
SELECT in_any_order($$ SELECT a.display_name, o.stage FROM account a LEFT JOIN opportunity o ON o.account_id = a.id WHERE a.display_name COLLATE "C" < 'B' $$);
SELECT in_any_order($$ SELECT a.display_name, o.stage FROM account a JOIN opportunity o ON o.account_id = a.id $$);
\set now `$REEVO_CTL requests`
SELECT in_any_order($$ SELECT a.number, o.stage, c.display_name FROM hundred a JOIN opportunity o ON o.account_id = a.id JOIN account c ON c.id = o.account_id WHERE a.digit < 3 $$); :spent
-- Archived records
ALTER FOREIGN TABLE opportunity OPTIONS (ADD include_archived 'false');
SELECT count(*), count(o.id) FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id; :spent
SELECT count(*), count(o.id) FROM hundred a LEFT JOIN keys_local.opportunity o ON o.account_id = a.id AND o.archived_at IS NULL;
ALTER FOREIGN TABLE opportunity OPTIONS (DROP include_archived);

--
-- LIMIT, cursors, and rescans
--
SELECT count(*) FROM (SELECT a.number, o.stage FROM hundred a JOIN opportunity o ON o.account_id = a.id LIMIT 3) s; :spent
SELECT count(*) FROM (SELECT a.number, o.stage FROM hundred a JOIN opportunity o ON o.account_id = a.id LIMIT 300) s; :spent
SELECT count(*) FROM (SELECT g, o.stage FROM generate_series(1, 1000000) g LEFT JOIN opportunity o ON o.account_id = account_id(g) LIMIT 150) s; :spent_at_most_8
SELECT count(*) FROM (SELECT a.number FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id LIMIT 0) s; :spent
BEGIN;
SET LOCAL cursor_tuple_fraction = 1;
DECLARE c CURSOR FOR SELECT a.number, o.id IS NOT NULL FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id;
FETCH 2 FROM c; :spent
MOVE FORWARD ALL FROM c; :spent
CLOSE c;
-- At most two queries are ahead of the rows that are read.
SET LOCAL cursor_tuple_fraction = 0.9;
DECLARE c CURSOR FOR SELECT a.number, o.id IS NOT NULL FROM hundred a LEFT JOIN tens o ON o.account_id = a.id;
FETCH 1 FROM c; :spent_at_most_8
CLOSE c;
COMMIT;
PREPARE joined (int, text) AS SELECT count(*), count(o.id) FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id AND o.status = $2 WHERE a.digit < $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE joined (10, 'open'); :spent
EXECUTE joined (1, 'open'); :spent
EXECUTE joined (1, NULL); :spent
RESET plan_cache_mode;
DEALLOCATE joined;
SELECT in_any_order($$ SELECT s.number, (SELECT count(o.stage) FROM hundred h JOIN opportunity o ON o.account_id = h.id WHERE h.digit = s.digit) FROM small s $$); :spent
SELECT in_any_order($$ SELECT s.number, (SELECT count(o.stage) FROM hundred h JOIN opportunity o ON o.account_id = h.id AND o.amount > s.number * 10000 WHERE h.digit = 1) FROM small s $$); :spent
-- Rows that are updated, deleted or locked
CREATE TABLE target AS SELECT number, id, NULL::text AS stage FROM hundred;
ANALYZE target;
UPDATE target t SET stage = 'some' FROM opportunity o WHERE o.account_id = t.id; :spent
SELECT count(*) FROM target WHERE stage = 'some';
DELETE FROM target t WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.account_id = t.id AND o.status = 'open');
\set now `$REEVO_CTL requests`
SELECT count(*) = (SELECT count(DISTINCT account_id) FROM keys_local.opportunity WHERE status = 'open' AND account_id IN (SELECT id FROM hundred)) FROM target;
SELECT count(*) FROM (SELECT t.number, o FROM target t LEFT JOIN opportunity o ON o.account_id = t.id FOR UPDATE OF t) s; :spent

--
-- With a small work_mem, the wrapper fetches the remaining keys one by one.
--
SET work_mem = '64kB';
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT in_any_order($$ SELECT a.number, o.* FROM hundred a LEFT JOIN tens o ON o.account_id = a.id $$);
SELECT in_any_order($$ SELECT p.id, o.id FROM keys_local.opportunity p JOIN opportunity o ON o.account_id = p.account_id $$);
RESET work_mem;
\set now `$REEVO_CTL requests`

--
-- The API rejects the request or returns a useless response. The scan makes one
-- query for each key, as without a lookup.
--
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"refuse_operators": ["account_id.in"]}'
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
-- The session remembers the rejection.
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT public.opportunity_fdw_disconnect();
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id AND o.status = 'open' $$); :spent
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"refuse_operators": ["status.eq", "status.in"]}'
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id AND o.status = 'open' $$); :spent
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id AND o.status = 'open' $$); :spent
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"refuse_operators": null, "in_limit": 30}'
SELECT in_any_order($$ SELECT a.number, o.id FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT in_any_order($$ SELECT a.number, o.id FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"in_limit": null, "refuse_limit": 30}'
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT public.opportunity_fdw_disconnect();
\! $REEVO_CTL behave '{"refuse_limit": null, "short_pages": 3, "expire_cursors_after": 1, "expire_cursors_times": 2}'
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
\! $REEVO_CTL behave '{"short_pages": null, "expire_cursors_after": null, "ignore_filters": true}'
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
\! $REEVO_CTL behave '{"ignore_filters": null, "double_records": true, "short_pages": 4}'
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
-- A query for many keys has several pages, and a query for one key has one. A
-- failure of a further page is not an error.
\! $REEVO_CTL behave '{"double_records": null, "short_pages": 10, "expire_cursors_after": 1, "expire_cursors_times": null}'
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
\! $REEVO_CTL behave '{"short_pages": 6, "expire_cursors_after": null, "repeat_cursor": true}'
SELECT in_any_order($$ SELECT a.number, o.id FROM small a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
-- Single keys that the API rejects are no record ids, so a join by id still makes
-- one query for all.
\! $REEVO_CTL reset
\! $REEVO_CTL behave '{"refuse_values": ["account_id.in"]}'
SELECT public.opportunity_fdw_disconnect();
CREATE TABLE first AS SELECT n AS number, account_id(1) AS id FROM generate_series(1, 20) n;
CREATE TABLE second AS SELECT n AS number, account_id(2) AS id FROM generate_series(1, 20) n;
CREATE TABLE hundred_ids AS SELECT id FROM keys_local.opportunity ORDER BY id LIMIT 100;
ANALYZE first;
ANALYZE second;
ANALYZE hundred_ids;
\set now `$REEVO_CTL requests`
SELECT explained($$ SELECT a.number, o.id FROM first a LEFT JOIN opportunity o ON o.account_id = a.id $$);
SELECT in_any_order($$ SELECT a.number, o.id FROM first a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT in_any_order($$ SELECT a.number, o.id FROM second a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT in_any_order($$ SELECT o.id, o.stage FROM hundred_ids i JOIN opportunity o ON o.id = i.id $$); :spent
-- A reference in an unusual form, which only the column's type accepts
\! $REEVO_CTL reset
\set now 0
\! $REEVO_CTL attributes 00000000-0000-4000-8000-000000000001 '{"account_id": {"value": {"related_record_id": "{00000000000040009000000000000001}"}, "value_type": "record_reference"}}'
\! $REEVO_CTL behave '{"ignore_filters": true}'
SELECT a.number, o.id FROM small a JOIN opportunity o ON o.account_id = a.id WHERE o.id < '00000000-0000-4000-8000-000000000002' ORDER BY 2;
SELECT count(*) FROM small a JOIN opportunity o ON o.account_id = a.id;
SET opportunity_fdw.enable_batch_lookup = off;
SELECT count(*) FROM small a JOIN opportunity o ON o.account_id = a.id;
RESET opportunity_fdw.enable_batch_lookup;
\! $REEVO_CTL reset
\set now 0

--
-- The setting enable_batch_lookup
--
SET opportunity_fdw.enable_batch_lookup = off;
SELECT explained($$ SELECT a.number, o.stage FROM small a JOIN opportunity o ON o.account_id = a.id $$, :'analyzed'); :spent
SELECT in_any_order($$ SELECT a.number, o.* FROM small a LEFT JOIN opportunity o ON o.account_id = a.id $$); :spent
SELECT in_any_order($$ SELECT a.number FROM small a WHERE NOT EXISTS (SELECT FROM opportunity o WHERE o.account_id = a.id AND o.status = 'open') $$);
\set now `$REEVO_CTL requests`
RESET opportunity_fdw.enable_batch_lookup;
-- A max_requests that single queries would exceed
ALTER FOREIGN TABLE opportunity OPTIONS (ADD max_requests '4');
SELECT in_any_order($$ SELECT a.number, o.id FROM hundred a JOIN opportunity o ON o.account_id = a.id $$); :spent
ALTER FOREIGN TABLE opportunity OPTIONS (SET max_requests '3');
SELECT count(*) FROM hundred a LEFT JOIN opportunity o ON o.account_id = a.id; :spent
ALTER FOREIGN TABLE opportunity OPTIONS (DROP max_requests);
-- The lookup as JSON
CREATE FUNCTION explained_json(query text, options text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  EXECUTE format('EXPLAIN (FORMAT JSON, %s) %s', options, query) INTO plan;
  RETURN QUERY
    WITH RECURSIVE nodes (node) AS (
      SELECT plan -> 0 -> 'Plan' UNION ALL SELECT child FROM nodes, jsonb_array_elements(node -> 'Plans') child)
    SELECT concat(node ->> 'Node Type', ': ', key, ': ', value) FROM nodes, jsonb_each(node)
      WHERE node ->> 'Node Type' IN ('Custom Scan', 'Foreign Scan')
        AND key IN ('Lookup Key', 'Remote Request', 'Remote Filter', 'Lookup Batches', 'Distinct Keys', 'API Calls', 'Retries', 'Cache Hits', 'Prefetched', 'Pages', 'Records')
      ORDER BY concat(node ->> 'Node Type', key, value) COLLATE "C";
END $$;
SELECT explained_json($$ SELECT a.number, o.stage FROM hundred a JOIN opportunity o ON o.account_id = a.id AND o.amount > 5 $$, 'ANALYZE'); :spent

DROP SCHEMA lookup_keys, keys_foreign, keys_local CASCADE;
DROP SERVER lookup_keys CASCADE;
