-- SPDX-License-Identifier: PostgreSQL
--
-- IMPORT FOREIGN SCHEMA reads the attributes of a record type from the API.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER discover FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER discover OPTIONS (api_key 'test-key');
CREATE SCHEMA discover;
CREATE SCHEMA discover_again;
SET search_path = discover;
\pset format unaligned
\pset tuples_only on

-- :spent prints the number of requests since its last use.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'
CREATE FUNCTION columns(tablename regclass) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT concat_ws(' ', quote_ident(attname), format_type(atttypid, atttypmod), attfdwoptions::text)
    FROM pg_attribute WHERE attrelid = tablename AND attnum > 0 AND NOT attisdropped ORDER BY attnum
$$;

--
-- By default, IMPORT makes "opportunity" with one request. The live schema
-- matches the documented columns, except for stages and selects.
--
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover; :spent
\! $REEVO_CTL last 1
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover_again OPTIONS (discover 'false'); :spent
SELECT columns('opportunity') EXCEPT SELECT columns('discover_again.opportunity') ORDER BY 1;
SELECT columns('discover_again.opportunity') EXCEPT SELECT columns('opportunity') ORDER BY 1;
SELECT stage, type, amount FROM opportunity WHERE id = '3c90c3cc-0d44-4b50-8888-8dd25736052a'; :spent
DROP FOREIGN TABLE opportunity, discover_again.opportunity;

--
-- Custom attributes of each value type, with the operators that can be pushed
-- down
--
\! $REEVO_CTL behave '{"custom_fields": true}'
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover; :spent
SELECT * FROM columns('opportunity') c WHERE c LIKE 'cf\_%';
SELECT cf_score, cf_renewal, cf_kickoff_date, cf_call_time, cf_region, cf_tags, cf_site -> 'city' FROM opportunity
  WHERE cf_score > 0 AND cf_renewal ORDER BY cf_score, id LIMIT 2;
SELECT count(*) > 0 FROM opportunity WHERE cf_region_id = (SELECT cf_region_id FROM opportunity WHERE cf_region_id IS NOT NULL LIMIT 1);
DROP FOREIGN TABLE opportunity;

--
-- Other record types
--
IMPORT FOREIGN SCHEMA reevo LIMIT TO (account, opportunity, contact) FROM SERVER discover INTO discover;
SELECT columns('account');
SELECT ftrelid::regclass, ftoptions FROM pg_foreign_table WHERE ftrelid::regclass::text IN ('account', 'opportunity', 'contact') ORDER BY 1;
SELECT count(*) FROM account;
SELECT count(*) FROM contact;
DROP FOREIGN TABLE account, opportunity, contact;
-- Each table costs one request. max_requests limits the statement.
\set VERBOSITY terse
\set now `$REEVO_CTL requests`
ALTER SERVER discover OPTIONS (ADD max_requests '1');
IMPORT FOREIGN SCHEMA reevo LIMIT TO (account, contact) FROM SERVER discover INTO discover; :spent
ALTER SERVER discover OPTIONS (SET max_requests '2');
IMPORT FOREIGN SCHEMA reevo LIMIT TO (account, contact) FROM SERVER discover INTO discover; :spent
ALTER SERVER discover OPTIONS (DROP max_requests);
\set VERBOSITY default
DROP FOREIGN TABLE account, contact;
IMPORT FOREIGN SCHEMA reevo EXCEPT (opportunity) FROM SERVER discover INTO discover;
IMPORT FOREIGN SCHEMA reevo EXCEPT (account) FROM SERVER discover INTO discover;
SELECT count(*) FROM columns('opportunity');
DROP FOREIGN TABLE opportunity;

--
-- Names: taken by other columns or by system columns, with quotes, too long, and
-- in another script. The order of the attributes makes no difference.
--
CREATE FUNCTION schema_of(names text[]) RETURNS text LANGUAGE sql AS $$
  SELECT json_build_object('attributes', json_agg(json_build_object(
      'api_name', split_part(n, ':', 1), 'type_info', json_build_object('value_type', split_part(n, ':', 2), 'is_array', false)) ORDER BY o))::text
    FROM unnest(names) WITH ORDINALITY u (n, o)
$$;
CREATE FUNCTION odd_names(last_first boolean) RETURNS text LANGUAGE sql SET search_path = discover AS $$
  SELECT schema_of(array_agg(n ORDER BY CASE WHEN last_first THEN -o ELSE o END)) FROM unnest(ARRAY[
    'id:uuid', 'stage:opportunity_stage', 'stage_id:string', 'stage_color:uuid', 'tier_id:select', 'tier:string', 'tier_color_2:string',
    'select:string', 'Upper Case:string', 'quote"d:string', 'xmin:number', 'ctid:string', 'größe:number', 'a.b:string', '*:string',
    'a_name_that_is_longer_than_the_sixty_three_bytes_that_a_name_may_have_one:string',
    'a_name_that_is_longer_than_the_sixty_three_bytes_that_a_name_may_have_two:number',
    'a_name_that_is_longer_than_the_sixty_three_bytes_that_a_name_may:boolean']) WITH ORDINALITY u (n, o)
$$;
SELECT odd_names(false) AS forwards, odd_names(true) AS backwards \gset
\setenv SCHEMA :forwards
\! $REEVO_CTL schema opportunity "$SCHEMA"
SET client_min_messages = notice;
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
SET client_min_messages = error;
SELECT columns('opportunity');
\setenv SCHEMA :backwards
\! $REEVO_CTL schema opportunity "$SCHEMA"
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover_again;
SELECT count(*) FROM (SELECT columns('opportunity') EXCEPT SELECT columns('discover_again.opportunity')) d;
SELECT count(*) FROM opportunity;
DROP FOREIGN TABLE opportunity, discover_again.opportunity;

--
-- Invalid responses
--
SET client_min_messages = warning;
\set VERBOSITY default
\! $REEVO_CTL schema opportunity '[]'
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
\! $REEVO_CTL schema opportunity '{"data": {"attributes": []}}'
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
\! $REEVO_CTL schema opportunity '{"attributes": [{"api_name": "id", "type_info": {"value_type": "uuid"}}, {"api_name": 5}]}'
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
\! $REEVO_CTL schema opportunity '{"attributes": [{"api_name": "id", "type_info": "uuid"}]}'
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
\! $REEVO_CTL schema opportunity '<html></html>'
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
\! $REEVO_CTL schema opportunity '{"attributes": [{"api_name": "id", "api_name": "x", "type_info": {"value_type": "uuid", "is_array": 7}, "filter_operators": 5, "is_filterable": true, "is_sortable": "yes"}]}'
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
SELECT columns('opportunity');
DROP FOREIGN TABLE opportunity;
-- A schema of 8 MB or more is rejected.
\! python3 -c 'print("""{"attributes": [{"api_name": "id", "type_info": {"value_type": "uuid"}}]}""".ljust(8 << 20), end="")' | $REEVO_CTL schema opportunity -
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
SELECT columns('opportunity');
\! python3 -c 'print("[" * (8 << 20), end="]")' | $REEVO_CTL schema opportunity -
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover_again;
SELECT public.opportunity_fdw_comment_columns('opportunity');
DROP FOREIGN TABLE opportunity;
-- A duplicate attribute makes one column.
\! $REEVO_CTL schema opportunity '{"attributes": [{"api_name": "size", "type_info": {"value_type": "number"}}, {"api_name": "size", "type_info": {"value_type": "string"}}]}'
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
SELECT columns('opportunity');
DROP FOREIGN TABLE opportunity;
\! $REEVO_CTL reset
-- The hint contains the URL, which differs between runs.
\set VERBOSITY terse
IMPORT FOREIGN SCHEMA reevo LIMIT TO (nonsense) FROM SERVER discover INTO discover;
IMPORT FOREIGN SCHEMA reevo LIMIT TO ("my object") FROM SERVER discover INTO discover;
\! $REEVO_CTL behave '{"status": 404, "body": {"detail": "Not Found"}, "only": ["schema"]}'
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
\! $REEVO_CTL behave '{"status": null, "body": null, "fail_first": 2, "fail_how": "cut-json"}'
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
SELECT count(*) FROM columns('opportunity');
DROP FOREIGN TABLE opportunity;
\! $REEVO_CTL reset
\set VERBOSITY default
ALTER USER MAPPING FOR CURRENT_USER SERVER discover OPTIONS (SET api_key 'no-permission');
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
ALTER USER MAPPING FOR CURRENT_USER SERVER discover OPTIONS (SET api_key 'wrong');
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
DROP USER MAPPING FOR CURRENT_USER SERVER discover;
\set VERBOSITY sqlstate
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover;
IMPORT FOREIGN SCHEMA reevo FROM SERVER discover INTO discover OPTIONS (discover 'false');

DROP SCHEMA discover, discover_again CASCADE;
DROP SERVER discover CASCADE;
\! $REEVO_CTL reset
