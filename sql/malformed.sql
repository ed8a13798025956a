-- SPDX-License-Identifier: PostgreSQL
--
-- Malformed responses: each error has a documented SQLSTATE and message, and the
-- next statement works. Without retries, each costs one request.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
RESET client_min_messages;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER malformed FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url', max_retries '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER malformed OPTIONS (api_key 'test-key');
CREATE SCHEMA malformed;
SET search_path = malformed, public;
SET timezone = 'UTC';
SET datestyle = ISO;
CREATE FOREIGN TABLE probe (id uuid, display_name text, amount numeric, created_at timestamptz, updated_at timestamptz,
	competitors_mentioned_other text[], stage jsonb) SERVER malformed;
CREATE FOREIGN TABLE whole (id uuid, record jsonb OPTIONS (attribute '*')) SERVER malformed;

-- attempt reads a record, and returns its row or the SQLSTATE, message and detail
-- of the error. It hides the parser's position, which differs between major
-- versions. Then it reads the example record.
CREATE FUNCTION attempt(wanted uuid DEFAULT '00000000-0000-4000-8000-000000010001') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
BEGIN
	BEGIN
		SELECT coalesce(p::text, 'no row') INTO STRICT result FROM (SELECT 1) one LEFT JOIN probe p ON p.id = wanted;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
		result := format('%s: %s', SQLSTATE, regexp_replace(SQLERRM, 'invalid JSON at byte \d+', 'invalid JSON at byte ...')) || CASE WHEN detail <> '' THEN E'\n ' || detail ELSE '' END;
	END;
	IF NOT EXISTS (SELECT FROM probe WHERE id = '3c90c3cc-0d44-4b50-8888-8dd25736052a' AND amount = 125000.50) THEN
		RAISE 'the next statement does not work';
	END IF;
	RETURN result;
END
$$;
\setenv R 00000000-0000-4000-8000-000000010001
\setenv HEAD '{"data":{"id":"00000000-0000-4000-8000-000000010001","attributes":{'
\setenv TAIL '}}}'
\set try 'SELECT attempt();'
\pset format unaligned
\pset tuples_only on

-- Valid records
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"fine","value_type":"string"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD$TAIL"
:try

--
-- Bodies without JSON
--
\! $REEVO_CTL body $R ''
:try
\! printf ' \r\n\t ' | $REEVO_CTL body $R -
:try
\! $REEVO_CTL body $R '<!DOCTYPE html><html><head><title>Please log in</title></head><body>...</body></html>'
:try
\! $REEVO_CTL body $R 'upstream connect error'
:try
\! $REEVO_CTL body $R "{'data': {}}"
:try
\! printf '\177ELF\001\002\000\003' | $REEVO_CTL body $R -
:try
-- The error does not repeat the API key.
\! $REEVO_CTL body $R '<p>Authorization: Bearer test-key</p>'
:try
-- A long body is truncated between two characters.
\! printf '<p>%0195dä%0100d</p>' 0 0 | $REEVO_CTL body $R -
:try
\! printf '<p>%0196dä%0100d</p>' 0 0 | $REEVO_CTL body $R -
:try

--
-- A body that ends after any number of bytes is a broken transfer, and never a
-- row.
--
\! body='{"data":{"id":"%s","attributes":{"display_name":{"value":"a\\u00e4","value_type":"string"},"amount":{"value":-1.5e3}}}}'; n=0; while [ $n -le 41 ]; do id=$(printf '00000000-0000-4000-8000-%012d' $((20000 + n))); whole=$(printf "$body" $id); printf "%.$((n * 4))s" "$whole" | $REEVO_CTL body $id -; n=$((n + 1)); done
SELECT state, count(*), min(n), max(n)
FROM (SELECT n, left(attempt(format('00000000-0000-4000-8000-%s', lpad((20000 + n)::text, 12, '0'))::uuid), 5) AS state FROM generate_series(0, 41) n) t
GROUP BY state ORDER BY state;
\! printf '%s"display_name":{"value":"\303' "$HEAD" | $REEVO_CTL body $R -
:try
\! printf '%s"display_name":{"value":"\360\237\232' "$HEAD" | $REEVO_CTL body $R -
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"\ud83d'
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":tru'
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":12'
:try
-- The wrapper retries a truncated response if max_retries allows it.
ALTER SERVER malformed OPTIONS (SET max_retries '1', ADD max_retry_wait '0.01');
\! $REEVO_CTL reset
\! $REEVO_CTL body $R "$HEAD"
SELECT display_name FROM probe WHERE id = '00000000-0000-4000-8000-000000010001';
\echo :LAST_ERROR_SQLSTATE requests: `$REEVO_CTL requests`
-- It does not retry a malformed response.
\! $REEVO_CTL reset
\! $REEVO_CTL body $R '<html>'
SELECT display_name FROM probe WHERE id = '00000000-0000-4000-8000-000000010001';
\echo :LAST_ERROR_SQLSTATE requests: `$REEVO_CTL requests`
SELECT display_name LIKE 'Acme%' FROM probe WHERE id = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
ALTER SERVER malformed OPTIONS (SET max_retries '0', DROP max_retry_wait);

--
-- JSON with something before or after it
--
\! $REEVO_CTL body $R "$HEAD$TAIL x"
:try
\! $REEVO_CTL body $R "$HEAD$TAIL$HEAD$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD$TAIL}"
:try
\! $REEVO_CTL body $R "$HEAD$TAIL,"
:try
\! printf '%s%s\000' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try
-- White space around the JSON is valid.
\! printf '\r\n\t %s%s \r\n\r\n' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try
\! $REEVO_CTL body $R "$HEAD"'"amount":{"value":1,"value_type":"number"},'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"amount":{"value":01,"value_type":"number"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"amount":{"value":+1,"value_type":"number"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"amount":{"value":1.,"value_type":"number"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"amount":{"value":NaN,"value_type":"number"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"amount":{"value":-Infinity,"value_type":"number"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"amount":{"value":1 /* one */,"value_type":"number"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"\x41","value_type":"string"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"\u00zz","value_type":"string"}'"$TAIL"
:try
\! printf '%s"display_name":{"value":"a\nb","value_type":"string"}%s' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try
\! printf '%s"other":{"value":"a\001b","value_type":"string"}%s' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try

--
-- Nesting: 64 levels are valid at any place.
--
\! printf '%s"stage":{"value":%s%s,"value_type":"x"}%s' "$HEAD" "$(printf '%050d' 0 | tr 0 '[')" "$(printf '%050d' 0 | tr 0 ']')" "$TAIL" | $REEVO_CTL body $R -
:try
\! printf '%s"stage":{"value":%s%s,"value_type":"x"}%s' "$HEAD" "$(printf '%070d' 0 | tr 0 '[')" "$(printf '%070d' 0 | tr 0 ']')" "$TAIL" | $REEVO_CTL body $R -
:try
\! printf '%s"other":{"value":%s%s,"value_type":"x"}%s' "$HEAD" "$(printf '%070d' 0 | tr 0 '[')" "$(printf '%070d' 0 | tr 0 ']')" "$TAIL" | $REEVO_CTL body $R -
:try
\! printf '%s"other":{"value":%s1%s,"value_type":"x"}%s' "$HEAD" "$(printf '%070d' 0 | sed 's/0/{"a":/g')" "$(printf '%070d' 0 | tr 0 '}')" "$TAIL" | $REEVO_CTL body $R -
:try
\! head -c 1000000 /dev/zero | tr '\000' '[' | $REEVO_CTL body $R -
:try
\! (printf '%s"other":' "$HEAD"; head -c 1000000 /dev/zero | tr '\000' '[') | $REEVO_CTL body $R -
:try

--
-- Encoding: only UTF-8 without a byte order mark is valid.
--
\! printf '\357\273\277%s%s' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try
\! printf '\377\376{\000}\000' | $REEVO_CTL body $R -
:try
\! printf '%s"display_name":{"value":"\377","value_type":"string"}%s' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try
\! printf '%s"display_name":{"value":"M\374ller","value_type":"string"}%s' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try
\! printf '%s"other":{"value":"\300\257","value_type":"string"}%s' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try
\! printf '%s"display_name":{"value":"\355\240\200","value_type":"string"}%s' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try
\! printf '%s"display_name":{"value":"\364\220\200\200","value_type":"string"}%s' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try
\! printf '%s"display_name":{"value":"a\303","value_type":"string"}%s' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try
-- Escapes: a pair of surrogates is a character, and a single one is an error.
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"\u00e4\u20ac\ud83d\ude80\\ud800\/\"","value_type":"string"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"\ud83d","value_type":"string"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"\ude80","value_type":"string"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"\ude80\ud83d","value_type":"string"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"\ud83d\u0041","value_type":"string"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"a\u0000b","value_type":"string"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"a\\u0000b","value_type":"string"}'"$TAIL"
:try
\! printf '%s"display_name":{"value":"a\000b","value_type":"string"}%s' "$HEAD" "$TAIL" | $REEVO_CTL body $R -
:try

--
-- JSON with another structure than the documented one
--
\! $REEVO_CTL body $R '[]'
:try
\! $REEVO_CTL body $R "[$HEAD$TAIL]"
:try
\! $REEVO_CTL body $R 'null'
:try
\! $REEVO_CTL body $R '"data"'
:try
\! $REEVO_CTL body $R '12'
:try
\! $REEVO_CTL body $R '{}'
:try
\! $REEVO_CTL body $R '{"error": {"code": "record_not_found"}}'
:try
\! $REEVO_CTL body $R '{"data": null}'
:try
\! $REEVO_CTL body $R '{"data": []}'
:try
\! $REEVO_CTL body $R '{"data": "x"}'
:try
\! $REEVO_CTL body $R '{"data": [{"id": "00000000-0000-4000-8000-000000010001", "attributes": {}}]}'
:try
\! $REEVO_CTL body $R '{"id": "00000000-0000-4000-8000-000000010001", "attributes": {}}'
:try
\! $REEVO_CTL body $R '{"data": {}}'
:try
\! $REEVO_CTL body $R '{"data": {"attributes": {}}}'
:try
\! $REEVO_CTL body $R '{"data": {"attributes": {"id": {"value": "00000000-0000-4000-8000-000000010001", "value_type": "uuid"}}}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": null, "attributes": {}}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": 10001, "attributes": {}}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": {"value": "00000000-0000-4000-8000-000000010001"}, "attributes": {}}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": "00000000-0000-4000-8000-000000010001"}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": "00000000-0000-4000-8000-000000010001", "attributes": null}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": "00000000-0000-4000-8000-000000010001", "attributes": []}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": "00000000-0000-4000-8000-000000010001", "attributes": "none"}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": "00000000-0000-4000-8000-000000010001", "created_at": 1717245296, "attributes": {}}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": "00000000-0000-4000-8000-000000010001", "updated_at": {}, "attributes": {}}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": "00000000-0000-4000-8000-000000010001", "record_type": ["opportunity"], "attributes": {}}}'
:try
\! $REEVO_CTL body $R "$HEAD"'"display_name":"bare"'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"amount":5'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"stage":true'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"stage":{}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"stage":{"id":"x","display_value":"Won"}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"stage":{"value":1,"value_type":7}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"stage":{"value_type":{"name":"x"},"value":1}'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"competitors_mentioned_other":["bare"]'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"competitors_mentioned_other":[[]]'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"competitors_mentioned_other":[{"value":"a"},1]'"$TAIL"
:try
\! $REEVO_CTL body $R "$HEAD"'"competitors_mentioned_other":[{}]'"$TAIL"
:try
-- The name of an attribute can be long or unusual.
\! $REEVO_CTL body $R "$HEAD"'"display_name":{"value":"a","value_type":"string"},"":5,"\u00e4 \"":[],"value":{"value_type":"x","data":{"id":1}}'"$TAIL"
:try
-- Undocumented keys are ignored at every level.
\! $REEVO_CTL body $R '{"meta": {"data": [1]}, "data": {"links": [{"id": 5}], "id": "00000000-0000-4000-8000-000000010001", "attributes": {"display_name": {"source": {"value": "no"}, "value": "yes", "more": [], "value_type": "string"}}, "version": 2}, "links": null}'
:try

--
-- A record with another id than the requested one
--
\! $REEVO_CTL body $R '{"data": {"id": "00000000-0000-4000-8000-000000010002", "attributes": {}}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": "00000000000040008000000000010001", "attributes": {}}}'
:try
\! $REEVO_CTL body $R '{"data": {"id": "00000000-0000-4000-8000-000000010001 ", "attributes": {}}}'
:try
\! $REEVO_CTL reset
\! $REEVO_CTL behave '{"swap_id": true}'
SELECT count(*) FROM probe WHERE id = '00000000-0000-4000-8000-000000000005';
\! $REEVO_CTL behave '{"swap_id": null}'

--
-- Other statuses of success: 204 means no record, and the others are errors.
--
\! $REEVO_CTL behave '{"status": 204, "body": ""}'
SELECT count(*) FROM probe WHERE id = '00000000-0000-4000-8000-000000000005';
\! $REEVO_CTL behave '{"status": 202, "body": {"data": {"id": "00000000-0000-4000-8000-000000000005", "attributes": {}}}}'
SELECT count(*) FROM probe WHERE id = '00000000-0000-4000-8000-000000000005';
\echo :LAST_ERROR_SQLSTATE
\! $REEVO_CTL reset
SELECT count(*) FROM probe WHERE id = '00000000-0000-4000-8000-000000000005';

--
-- The same errors for a column with the whole record
--
\! $REEVO_CTL body $R "$HEAD"'"other":{"value":"\u0000"}'"$TAIL"
SELECT record FROM whole WHERE id = '00000000-0000-4000-8000-000000010001';
\echo :LAST_ERROR_SQLSTATE
\! $REEVO_CTL body $R "$HEAD"'"other":5,"more":[{},[]]'"$TAIL"
SELECT record FROM whole WHERE id = '00000000-0000-4000-8000-000000010001';

-- In a transaction, the session continues after ROLLBACK TO SAVEPOINT.
\! $REEVO_CTL body $R '{}'
BEGIN;
SAVEPOINT a;
SELECT record FROM whole WHERE id = '00000000-0000-4000-8000-000000010001';
ROLLBACK TO a;
SELECT record -> 'id' FROM whole WHERE id = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
COMMIT;
\pset format aligned
\pset tuples_only off

SET client_min_messages = warning;
DROP SCHEMA malformed CASCADE;
DROP SERVER malformed CASCADE;
