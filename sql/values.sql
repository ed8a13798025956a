-- SPDX-License-Identifier: PostgreSQL
--
-- Conversion of API values to columns, by the column's type and the value's type
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
RESET client_min_messages;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER column_values FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER column_values OPTIONS (api_key 'test-key');
CREATE SCHEMA column_values;
SET search_path = column_values, public;
SET timezone = 'UTC';
SET datestyle = ISO;
SET intervalstyle = postgres;
\pset format unaligned

-- The test record has the attributes in this table, each with its JSON. "TABLE
-- body" with \g sends them to the simulator.
\set R 00000000-0000-4000-8000-000000020001
\setenv R :R
CREATE TABLE served (name text PRIMARY KEY, json text NOT NULL);
CREATE VIEW body AS
	SELECT format('{"data":{"id":"00000000-0000-4000-8000-000000020001","attributes":{%s}}}',
		string_agg(to_json(name) || ':' || json, ',')) FROM served;

-- look returns the value of an attribute in a column of the given type, NULL, or
-- the SQLSTATE of the error. For the extension's own errors it adds message and
-- hint. It reports an error that does not name the value.
CREATE FUNCTION look(type text, attribute text, options text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	hint text;
	context text;
BEGIN
	EXECUTE format('CREATE FOREIGN TABLE looked (id uuid, v %s OPTIONS (attribute %L%s)) SERVER column_values', type, attribute, options);
	EXECUTE 'SELECT CASE WHEN num_nulls(v) = 1 THEN ''NULL'' ELSE format(''%s'', v) END FROM looked WHERE id = ''00000000-0000-4000-8000-000000020001'''
		INTO STRICT result;
	DROP FOREIGN TABLE looked;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	IF strpos(context, format('column "v" of foreign table "looked", attribute "%s", record 00000000-0000-4000-8000-000000020001', attribute)) = 0 THEN
		RETURN format('no context: %s: %s', SQLSTATE, SQLERRM);
	ELSIF SQLSTATE IN ('HV004', '08P01') THEN
		RETURN format('%s: %s', SQLSTATE, SQLERRM) || CASE WHEN hint <> '' THEN E'\n  ' || hint ELSE '' END;
	END IF;
	RETURN SQLSTATE;
END
$$;

--
-- Every documented value type in its IMPORT column type: alone, with the
-- envelope's keys in either order, and as a list
--
CREATE TABLE value_types (number serial, value_type text, column_type text, value text, second text);
INSERT INTO value_types (value_type, column_type, value, second) VALUES
	('uuid', 'uuid', '"3c90c3cc-0d44-4b50-8888-8dd25736052a"', '"3C90C3CC0D444B5088888DD25736052B"'),
	('string', 'text', '"a string"', '""'),
	('long_text', 'text', '"two\nlines"', '"{}"'),
	('rich_text', 'text', '"<p>a &amp; b<\/p>"', '"NULL"'),
	('enum', 'text', '"open"', '"a,b"'),
	('email', 'text', '"a.b@example.com"', '"\"a b\"@example.com"'),
	('phone_number', 'text', '"+49 89 1234-0"', '"1"'),
	('url', 'text', '"https://example.com/?a=b#c"', '"HTTPS:"'),
	('number', 'numeric', '12.50', '"12.5000"'),
	('percent', 'numeric', '"33.3"', '100'),
	('boolean', 'boolean', 'true', 'false'),
	('date', 'date', '"2024-02-29"', '"1999-12-31"'),
	('time', 'time', '"10:20:30"', '"23:59:59.999"'),
	('timestamp', 'timestamptz', '"2024-06-01T10:20:30Z"', '"2024-06-01T10:20:30.5+02:00"'),
	('currency', 'numeric', '{"amount": "125000.50"}', '{"currency": "EUR", "amount": -0.01, "more": {"amount": 5}}'),
	('record_reference', 'uuid', '{"related_record_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "related_record_type": "user"}',
		'{"related_record_type": "account", "name": "x", "related_record_id": "00000000-0000-4000-8000-000000000001"}'),
	('select', 'text', '{"id": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "display_value": "New Business", "api_name": "new_business", "color": "#0969DA"}',
		'{"display_value": "", "rank": [1]}'),
	('opportunity_stage', 'text', '{"id": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "display_value": "Won", "api_name": "won", "color": null, "closing_probability": "99.5", "expected_days": 14}',
		'{"display_value": "Lost"}'),
	('contact_stage', 'text', '{"id": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "display_value": "Lead", "api_name": "lead", "color": "#000"}', '{"display_value": "Customer"}'),
	('account_stage', 'text', '{"id": "3c90c3cc-0d44-4b50-8888-8dd25736052a", "display_value": "Prospect", "api_name": "prospect", "color": "#000"}', '{"display_value": "Churned"}'),
	('address', 'jsonb', '{"street_one": "1 Main St", "street_two": null, "city": "Ulm", "zip_code": "89073"}', '{}'),
	('contact_email', 'jsonb', '{"id": "1", "email": "a@example.com", "is_primary": true, "labels": ["work"]}', '{"email": null}'),
	('contact_phone_number', 'jsonb', '{"id": "1", "phone_number": "+1", "is_primary": false, "labels": []}', '{}'),
	('account_domain', 'jsonb', '{"domain_name": "example.com", "is_primary": true}', '{"domain_name": "example.org"}'),
	('never_heard_of', 'jsonb', '{"a": [1, {"b": null}]}', '5');
INSERT INTO served SELECT value_type, format('{"value": %s, "value_type": "%s"}', value, value_type) FROM value_types;
INSERT INTO served SELECT value_type || '_turned', format('{"value_type":"%s","value":%s}', value_type, value) FROM value_types;
INSERT INTO served SELECT value_type || '_list', format('[{"value": %s, "value_type": "%s"}, null, {"value_type": "%2$s", "value": %3$s}]', value, value_type, second)
	FROM value_types;
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
SELECT value_type, column_type, look(column_type, value_type) AS shown, look(column_type || '[]', value_type || '_list') AS list,
	look(column_type, value_type) = look(column_type, value_type || '_turned') AS either_order
FROM value_types ORDER BY number;

-- Column types for selects, stages, references and currencies
SELECT attribute, type, look(type, attribute) AS shown, look(type || '[]', replace(attribute, type_name, type_name || '_list')) AS list
FROM (VALUES ('select'), ('opportunity_stage'), ('record_reference'), ('currency')) t (type_name),
	LATERAL (VALUES ('', 'text'), ('', 'varchar(3)'), ('', 'uuid'), ('', 'jsonb'), ('.id', 'uuid'), ('.api_name', 'text'), ('.color', 'text'),
		('.closing_probability', 'numeric'), ('.closing_probability', 'numeric(3,0)'), ('.expected_days', 'integer'), ('.related_record_type', 'text'),
		('.amount', 'float8'), ('.currency', 'char(4)')) k (key, type),
	concat(type_name, key) attribute
WHERE key = '' OR type_name = 'opportunity_stage' OR (type_name = 'select' AND key IN ('.api_name', '.color'))
	OR key = CASE type_name WHEN 'record_reference' THEN '.related_record_type' WHEN 'currency' THEN '.amount' END
	OR (type_name = 'currency' AND key = '.currency')
ORDER BY type_name COLLATE "C", key COLLATE "C", type COLLATE "C";

--
-- Scalars in many types give the same value or SQLSTATE as INSERT.
--
CREATE TYPE mood AS ENUM ('low', 'Müller', 'a ''quoted'' "one"');
CREATE TYPE pair AS (n integer, t text);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN code AS varchar(3) NOT NULL;
CREATE DOMAIN amount AS numeric(5,2) CHECK (VALUE < 500);
CREATE DOMAIN small_amount AS amount CHECK (VALUE < 50);
CREATE TABLE scalars (number serial, json text, value text);
INSERT INTO scalars (json) SELECT unnest(ARRAY['0', '-0', '1', '-1', '42', '128', '32767', '32768', '-32769', '2147483647', '2147483648',
	'9223372036854775807', '9223372036854775808', '-9223372036854775808', '1.5', '2.5', '-0.005', '999.994', '999.995', '49.999', '1e2', '1E-3', '1e40', '1e400', '-1e-400',
	'123456789012345678901234567890.123456789012345678901234567890', '0.1', '100000000000000000000000000000000000000000000000000',
	'true', 'false', '""', '" "', '"abc"', '"abcd"', '"abc   "', '"12.50"', '" 7 "', '"1e3"', '"-0"', '"NaN"', '"t"', '"yes"', '"off"', '"TRUE"', '"tru e"',
	'"3c90c3cc-0d44-4b50-8888-8dd25736052a"', '"{3C90C3CC0D444B5088888DD25736052A}"', '"\\x00ff"', '"\\xzz"', '"\\000\\\\"', '"{1,2}"', '"[1,5)"', '"(1,a)"', '"(,)"',
	'"101"', '"1 day"', '"P1DT2H"', '"192.168.0.1"', '"192.168.0.0/16"', '"08:00:2b:01:02:03"', '"<a>b</a>"', '"<a>"', '"low"', '"LOW"',
	'"M\u00fcller"', '"a ''quoted'' \"one\""', '"\u20acuro \ud83d\ude80"', '"12,5"', '"now"', '"null"', '"NULL"']);
UPDATE scalars SET value = json::jsonb #>> '{}';
UPDATE scalars SET value = json WHERE json !~ '"';
INSERT INTO served SELECT 's' || number, format('{"value":%s,"value_type":"string"}', json) FROM scalars;
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
-- given returns the text to insert: NULL for an empty string unless the type is a
-- text, and an integer without a point or an exponent.
CREATE FUNCTION given(type text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t pg_type = t FROM pg_type t WHERE t.oid = type::regtype;
	name text = format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL);
BEGIN
	IF name = 'amount' THEN
		name := 'numeric';
	END IF;
	IF value = '' AND t.typcategory <> 'S' THEN
		RETURN NULL;
	ELSIF value = 'NaN' AND name IN ('numeric', 'real', 'double precision') THEN
		RETURN 'not a number';
	ELSIF name IN ('smallint', 'integer', 'bigint') AND value ~ '^-?[0-9.]+(e[0-9]+)?$' AND value::numeric % 1 = 0 THEN
		RETURN round(value::numeric);
	END IF;
	RETURN value;
END
$$;
CREATE TABLE converted (type text, number integer, shown text, shown_error text, inserted text, inserted_error text);
DO $$
DECLARE
	s record;
	r converted;
BEGIN
	FOREACH r.type IN ARRAY ARRAY['text', 'varchar', 'varchar(3)', 'char(3)', '"char"', 'name', 'smallint', 'integer', 'bigint', 'numeric', 'numeric(5,2)', 'numeric(3,0)',
		'real', 'float8', 'boolean', 'uuid', 'bytea', 'interval', 'interval(0)', 'inet', 'cidr', 'macaddr', 'xml', 'oid', 'int4range', 'point',
		'mood', 'pair', 'positive', 'code', 'amount', 'small_amount'] LOOP
		EXECUTE format('CREATE FOREIGN TABLE shown (id uuid, %s) SERVER column_values', (SELECT string_agg(format('s%s %s', number, r.type), ', ') FROM scalars));
		EXECUTE format('CREATE TABLE inserted (v %s)', r.type);
		FOR s IN SELECT * FROM scalars ORDER BY number LOOP
			r.number := s.number;
			r.shown := NULL;
			r.shown_error := NULL;
			r.inserted := NULL;
			r.inserted_error := NULL;
			BEGIN
				EXECUTE format('SELECT format(''%%s'', s%s) FROM shown WHERE id = ''00000000-0000-4000-8000-000000020001''', s.number) INTO STRICT r.shown;
			EXCEPTION WHEN OTHERS THEN
				r.shown_error := SQLSTATE;
			END;
			BEGIN
				EXECUTE format('INSERT INTO inserted VALUES (%L) RETURNING format(''%%s'', v)', given(r.type, s.value)) INTO STRICT r.inserted;
			EXCEPTION WHEN OTHERS THEN
				r.inserted_error := SQLSTATE;
			END;
			INSERT INTO converted VALUES (r.*);
		END LOOP;
		DROP FOREIGN TABLE shown;
		DROP TABLE inserted;
	END LOOP;
END
$$;
SELECT c.*, json FROM converted c JOIN scalars USING (number)
WHERE (shown, shown_error) IS DISTINCT FROM (inserted, inserted_error) ORDER BY type, number;
-- (xml depends on the build, and the syntax of interval on the major version)
SELECT type, count(shown) AS fit, string_agg(DISTINCT shown_error, ' ' ORDER BY shown_error) AS errors
FROM converted WHERE type <> 'xml' AND type NOT LIKE 'interval%' GROUP BY type ORDER BY type COLLATE "C";
SELECT type, json, shown, shown_error FROM converted JOIN scalars USING (number)
WHERE (type, json) IN (('varchar(3)', '"abcd"'), ('varchar(3)', '"abc   "'), ('char(3)', '1'), ('char(3)', '"abcd"'), ('numeric(5,2)', '999.994'), ('numeric(5,2)', '999.995'),
	('smallint', '32768'), ('bigint', '9223372036854775808'), ('integer', '1.5'), ('float8', '1e400'), ('boolean', '1'), ('text', 'true'), ('text', '1e400'), ('text', '-0'),
	('bytea', '"\\x00ff"'), ('mood', '"LOW"'), ('pair', '"(1,a)"'), ('positive', '0'), ('code', '"abcd"'), ('amount', '999.995'), ('small_amount', '128'), ('small_amount', '49.999'))
ORDER BY type COLLATE "C", number;

--
-- Numbers: an integer may have a point or an exponent. Any other format than
-- decimal numbers is invalid.
--
CREATE DOMAIN whole_number AS bigint;
CREATE DOMAIN small_numbers AS smallint[];
CREATE TABLE numbers (number serial, json text);
INSERT INTO numbers (json) SELECT unnest(ARRAY['30.0', '30.00', '3e1', '3.0E+1', '-0.0', '0e9', '0.0e-9', '-12.50e1', '120e-1', '0.003e4', '1e18', '9223372036854775807.0',
	'922337203685477580.7e1', '-9223372036854775808.000', '9.223372036854775808e18', '-92233720368547758090e-1', '32767.0', '32768.0', '1e5', '-3276.8e1', '1e19', '1e20', '-1e400',
	'1.5', '15e-1', '1e-1', '0.5e0', '1e-400', '123456789012345678901.5', '1e2147483648', '-1e99999999999999999999', '1e-2147483648', '1e-99999999999999999999', '0e99999999999999999999',
	'0.00000000000000000000000000000000000001e38', '1' || repeat('0', 100) || 'e-100', '10' || repeat('0', 100) || '.' || repeat('0', 100) || 'e-100',
	'"30.0"', '" 30 "', '" 3e1\t"', '"+30.0"', '".5e1"', '"5."', '"-.0"', '"+7"', '"\n7\r"',
	'"."', '"+"', '"-"', '"e5"', '"."', '".e1"', '"1e"', '"1e+"', '"1e 5"', '"1 e5"', '"- 1"', '"--1"', '"1.5.0"', '"1,0"', '"1.0x"', '" "', '"0x1E"', '"0x1p3"', '"0b11"', '"0o7"', '"1_000"', '"1_0.0"',
	'"NaN"', '" nan "', '"Infinity"', '"-Infinity"', '"inf"', '"+inf"', '"infinity"', '"\u0663"', '"3\u00a0"', '"\uff13"', '"$1"', '"1e5 1"', 'true']);
INSERT INTO served SELECT 'u' || number, format('{"value":%s,"value_type":"number"}', json) FROM numbers UNION ALL SELECT 'ul' || number, format('[{"value":%s}]', json) FROM numbers;
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
SELECT left(json, 60) AS json, look('smallint', 'u' || number) AS smallint, look('integer', 'u' || number) AS integer, look('bigint', 'u' || number) AS bigint,
	CASE WHEN json !~ '[0-9]{10}$' THEN left(look('numeric', 'u' || number), 45) END AS numeric, look('real', 'u' || number) AS real, look('float8', 'u' || number) AS float8
FROM numbers ORDER BY number;
-- Domains and array elements behave the same.
CREATE FUNCTION element(shown text) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN shown IN ('22P02', '22003') THEN shown ELSE format('{%s}', shown) END $$;
SELECT type, element_type, json FROM numbers, (VALUES ('bigint', 'whole_number'), ('bigint', 'bigint'), ('smallint', 'smallint'), ('numeric', 'numeric'), ('float8', 'float8')) t (type, element_type)
WHERE look(element_type, 'u' || number) <> look(type, 'u' || number) OR look(element_type || '[]', 'ul' || number) <> element(look(type, 'u' || number))
	OR (type = 'smallint' AND look('small_numbers', 'ul' || number) <> look('smallint[]', 'ul' || number));
-- Their error messages
CREATE FOREIGN TABLE numbered (id uuid, half smallint OPTIONS (attribute 'u24'), hex numeric OPTIONS (attribute 'u63'), large whole_number OPTIONS (attribute 'u15'),
	nan float8 OPTIONS (attribute 'u69', invalid_value 'null'), half_or_none whole_number OPTIONS (attribute 'u24', invalid_value 'null'), large_or_none integer[] OPTIONS (attribute 'ul15', invalid_value 'null'))
	SERVER column_values;
SELECT half FROM numbered WHERE id = :'R';
SELECT hex FROM numbered WHERE id = :'R';
SELECT large FROM numbered WHERE id = :'R';
SET client_min_messages = error;
SELECT nan, half_or_none, large_or_none FROM numbered WHERE id = :'R';
RESET client_min_messages;
SELECT nan, large_or_none FROM numbered WHERE id = :'R';
DELETE FROM served WHERE name ~ '^ul?[0-9]';

--
-- An empty string is a value for texts and JSON only.
--
CREATE DOMAIN never_none AS numeric NOT NULL;
CREATE DOMAIN all_there AS uuid[] CHECK (array_position(VALUE, NULL) IS NULL);
INSERT INTO served SELECT 'e' || n || f, CASE f WHEN 'l' THEN format('[%s, %1$s]', envelope) ELSE envelope END
FROM (VALUES (1, '{"value":""}'), (2, '{"value":"","value_type":"timestamp"}'), (3, '{"value":{"amount":"","currency":"EUR"},"value_type":"currency"}'),
	(4, '{"value":{"related_record_id":""},"value_type":"record_reference"}'), (5, '{"value":{"id":"","display_value":"","color":""},"value_type":"select"}'),
	(6, '{"value":{"expected_days":"","id":"","display_value":""},"value_type":"opportunity_stage"}'), (7, '{"value":"","value_type":"currency"}'),
	(8, '{"value":"","value_type":"opportunity_stage"}')) v (n, envelope), unnest('{"",l}'::text[]) f;
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
SELECT type, string_agg(look(type, 'e' || n), ' ' ORDER BY n) AS shown, string_agg(look(type || '[]', 'e' || n || 'l'), ' ' ORDER BY n) AS list
FROM unnest('{timestamptz,timestamp,date,time,timetz,numeric,"numeric(5,2)",bigint,real,uuid,boolean,interval,inet,bytea,mood,positive,amount,never_none}'::text[]) WITH ORDINALITY t (type, i), generate_series(1, 8) n
GROUP BY type, i ORDER BY i;
SELECT type, n, look(type, 'e' || n) AS shown, look(type || '[]', 'e' || n || 'l') AS list
FROM unnest('{text,varchar(3),char(2),name,json,jsonb}'::text[]) WITH ORDINALITY t (type, i), generate_series(1, 8) n ORDER BY i, n;
SELECT look('integer', 'e6.expected_days'), look('text', 'e6.expected_days') AS text, look('jsonb', 'e6.expected_days') AS jsonb, look('uuid', 'e5.id') AS uuid, look('text', 'e5.color') AS color,
	look('uuid[]', 'e1') AS "uuid[]", look('text[]', 'e1') AS "text[]", look('all_there', 'e4l') AS domain;
DELETE FROM served WHERE name ~ '^e[0-9]';
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
-- Empty strings may be in any place of the API's sort order, and in the result of
-- a filter.
CREATE FUNCTION page(attribute text, VARIADIC envelopes text[]) RETURNS text LANGUAGE sql AS $$
	SELECT json_build_object('status', 200, 'only', '["query"]'::json, 'body', format('{"data":[%s]}', string_agg(
		format('{"id":"00000000-0000-4000-8000-00000003000%s","attributes":{"%s":%s}}', n, attribute, envelope), ',' ORDER BY n)))::text
	FROM unnest(envelopes) WITH ORDINALITY u (envelope, n)
$$;
CREATE FOREIGN TABLE dated (id uuid, closed_at timestamptz, created_at timestamptz) SERVER column_values OPTIONS (max_concurrency '1');
SELECT page('closed_at', '{"value":""}', '{"value":"2024-01-01T00:00:00Z"}', '{"value":""}', '{"value":"2024-02-01T00:00:00Z"}', '{"value":null}') AS page \gset
\setenv PAGE :page
\! $REEVO_CTL behave "$PAGE"
SELECT id, closed_at FROM dated WHERE closed_at IS NOT NULL ORDER BY closed_at;
SELECT id, closed_at FROM dated WHERE closed_at < '2024-01-15' ORDER BY closed_at;
SELECT right(id::text, 1) AS id FROM dated WHERE closed_at IS NULL ORDER BY 1;
-- The other values must be in PostgreSQL's order.
SELECT page('closed_at', '{"value":"2024-02-01T00:00:00Z"}', '{"value":""}', '{"value":"2024-01-01T00:00:00Z"}') AS page \gset
\setenv PAGE :page
\! $REEVO_CTL behave "$PAGE"
SELECT id, closed_at FROM dated WHERE closed_at IS NOT NULL ORDER BY closed_at;
SELECT page('created_at', '{"value":""}', '{"value":"2024-01-01T00:00:00Z"}', '{"value":""}') AS page \gset
\setenv PAGE :page
\! $REEVO_CTL behave "$PAGE"
SELECT right(id::text, 1) AS id, created_at FROM dated ORDER BY id::text;
-- An empty reference is not a key. A lookup fetches the others with one request.
CREATE FOREIGN TABLE referring (id uuid, account_id uuid) SERVER column_values;
CREATE TABLE accounts AS SELECT format('00000000-0000-4000-9000-00000000000%s', n)::uuid AS id FROM generate_series(1, 3) n;
ANALYZE accounts;
SELECT page('account_id', '{"value":{"related_record_id":""},"value_type":"record_reference"}',
	'{"value":{"related_record_id":"00000000-0000-4000-9000-000000000002"},"value_type":"record_reference"}', '{"value":"","value_type":"record_reference"}') AS page \gset
\setenv PAGE :page
\! $REEVO_CTL behave "$PAGE"
SET enable_hashjoin = off;
SET enable_mergejoin = off;
\set before `$REEVO_CTL requests query`
SELECT right(a.id::text, 1) AS account, right(r.id::text, 1) AS referring FROM accounts a LEFT JOIN referring r ON r.account_id = a.id ORDER BY 1;
\set after `$REEVO_CTL requests query`
SELECT :after - :before AS requests;
RESET enable_hashjoin;
RESET enable_mergejoin;
\! $REEVO_CTL behave '{"status": null, "body": null, "only": null}'

-- Dates and times accept only ISO 8601, and no empty string.
INSERT INTO scalars (json) SELECT unnest(ARRAY['"today"', '"epoch"', '"infinity"', '"-infinity"', '"allballs"', '"20240601"', '"2024-6-1"', '"06/01/2024"', '"1 June 2024"', '"J2460463"',
	'"2024-06-01 BC"', '"0044-03-15 BC"', '"-0043-03-15"', '"+12024-06-01"', '"12024-06-01"', '"24-06-01"', '"2024"', '1717245296', '"1717245296"', '"2024-06-01T"',
	'" 2024-06-01"', '"2024-06-01 "', '"2024-06-01T10:20:30 Z"', '"2024-06-01T10:20:30Z "', '"2024-06-01  10:20:30Z"', '"2024-06-01T10:20:30 Europe/Berlin"', '"2024-06-01T10:20:30PST"',
	'"2024-06-01T10:20:30+2"', '"2024-06-01T10:20:30+02:0"', '"2024-06-01T10:20:30+02:00:"', '"2024-06-01T10:20:30.Z"', '"2024-06-01T10:20:30,Z"', '"2024-06-01T10:20:3Z"',
	'"2024-06-01T10:20:30.5.5Z"', '"10:20 PM"', '"1:20"', '"2024-06-01T10:20:30Z2024-06-01T10:20:30Z"', '"Z"', '"T"', '"+02:00"', '"2024-06-01\n"', '"\uff12\uff10\uff12\uff14-06-01"']);
INSERT INTO served SELECT 's' || number, format('{"value":%s,"value_type":"timestamp"}', json) FROM scalars WHERE value IS NULL;
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
SELECT json, type, result
FROM scalars, unnest('{timestamptz,timestamp,date,time,timetz}'::text[]) type, look(type, 's' || number) result
WHERE result <> '22007' ORDER BY number, type COLLATE "C";

--
-- Types without a time zone show the time in UTC. timetz rejects a timestamp, as
-- INSERT does.
--
CREATE TABLE times (number serial, value text);
INSERT INTO times (value) VALUES
	('2024-06-01T10:20:30Z'), ('2024-06-01T10:20:30.123456Z'), ('2024-06-01T10:20:30.1Z'), ('2024-06-01T10:20:30.123456789Z'), ('2024-06-01T10:20:30,5Z'),
	('2024-06-01T10:20Z'), ('2024-06-01T10:20:30'), ('2024-06-01 10:20:30+00:00'), ('2024-06-01t10:20:30z'),
	('2024-06-01T01:20:30+02:00'), ('2024-06-01T23:20:30-0230'), ('2024-06-01T23:20:30-12'), ('2024-06-01T01:20:30.25+05:30'), ('2024-06-01T01:20:30+14:00'),
	('2024-06-01T10:20:30-00:00'), ('2024-03-31T02:30:00'), ('2024-03-31T02:30:00Z'),
	('2024-06-01'), ('10:20:30'), ('10:20:30.123456789Z'), ('10:20'), ('10:20:30+00'), ('10:20:30+02:00'),
	('2016-12-31T23:59:60Z'), ('2016-12-31T23:59:60'), ('2017-01-01T00:59:60+01:00'), ('23:59:60'),
	('2024-12-31T24:00:00Z'), ('2024-12-31T24:00:00'), ('2025-01-01T24:00:00+24:00'), ('2024-12-31T24:00:00+01:00'), ('24:00:00'), ('24:00:00.1'),
	('2024-12-31T23:59:59.9999999Z'), ('2024-12-31T23:59:59.9999999'), ('2025-01-01T00:59:59.9999999+01:00'), ('23:59:59.9999999'),
	('0001-01-01T00:00:00Z'), ('0001-01-01T00:00:00+14:00'), ('0001-01-01'), ('0000-12-31'), ('9999-12-31T23:59:59.999999Z'), ('9999-12-31T23:59:59-14:00'),
	('2024-02-29'), ('2023-02-29'), ('2024-13-01T00:00:00Z'), ('2024-06-31T00:00:00+01:00'), ('2024-06-01T25:00:00Z'), ('2024-06-01T10:60:00Z'),
	('2024-06-01T10:20:61Z'), ('2024-06-01T10:20:30+16:00'), ('2024-06-01T10:20:30+00:60'), ('2024-13-01T10:20:30,5'), ('99:99:99'), ('10:20:30,25');
INSERT INTO served SELECT 't' || number, format('{"value":"%s","value_type":"timestamp"}', value) FROM times;
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
CREATE TABLE shown_times AS
	SELECT *, look('timestamptz', 't' || number) AS timestamptz, look('timestamp', 't' || number) AS timestamp, look('date', 't' || number) AS date,
		look('time', 't' || number) AS time, look('timetz', 't' || number) AS timetz FROM times;
SELECT value, timestamptz, timestamp, date, time, timetz FROM shown_times ORDER BY number;
-- Types show the same instant for every notation.
SELECT value, timestamptz, timestamp, date, time FROM shown_times
WHERE timestamptz LIKE '____-%'
	AND (timestamp IS DISTINCT FROM replace(timestamptz, '+00', '') OR date IS DISTINCT FROM (timestamp::timestamp)::date::text
		OR (value LIKE '%:%' AND time IS DISTINCT FROM (timestamp::timestamp)::time::text))
ORDER BY number;
-- TimeZone and DateStyle do not change the values.
SET timezone = 'America/New_York';
SET datestyle = 'SQL, DMY';
CREATE TABLE shown_elsewhere AS
	SELECT number, look('timestamptz', 't' || number) AS timestamptz, look('timestamp', 't' || number) AS timestamp, look('date', 't' || number) AS date,
		look('time', 't' || number) AS time, look('timetz', 't' || number) AS timetz FROM times WHERE value ~ '^20|^..:';
SELECT t.value, e.* FROM shown_times t JOIN shown_elsewhere e USING (number)
WHERE (e.time, e.timetz) <> (t.time, t.timetz)
	OR CASE WHEN t.date ~ '-' THEN e.date::date <> t.date::date ELSE e.date <> t.date END
	OR CASE WHEN t.timestamp ~ '-' THEN e.timestamp::timestamp <> t.timestamp::timestamp ELSE e.timestamp <> t.timestamp END
	OR CASE WHEN t.timestamptz ~ '-' THEN e.timestamptz::timestamptz <> t.timestamptz::timestamptz ELSE e.timestamptz <> t.timestamptz END;
SELECT count(*), count(*) FILTER (WHERE e.timestamptz <> t.timestamptz) AS written_otherwise FROM shown_times t JOIN shown_elsewhere e USING (number);
SELECT look('timestamptz', 't1'), look('timestamp', 't1'), look('date', 't14');
SET timezone = 'UTC';
SET datestyle = ISO;
-- Precision, domains, arrays, and other types
CREATE DOMAIN day AS date CHECK (VALUE >= '2024-05-01');
SELECT type, look(type, 't2') AS timestamp, look(type, 't18') AS date, look(type, 't20') AS time
FROM unnest('{timestamptz(0),timestamp(3),time(1),timetz(2),day,text,varchar(10),jsonb}'::text[]) WITH ORDINALITY v (type, i) ORDER BY i;
SELECT look('day', 't38') AS too_early, look('timestamp[]', 'timestamp_list'), look('date[]', 'timestamp_list'), look('time[]', 'timestamp_list'), look('day[]', 'date_list');
-- The wrapper's parser returns the same times as the input functions.
INSERT INTO served SELECT 'plain_times', json_agg(json_build_object('value', date || 'T' || clock || zone, 'value_type', 'timestamp'))
FROM (SELECT to_char(date '0001-01-01' + i * 1097, 'YYYY-MM-DD') FROM generate_series(0, 3300) i
	UNION ALL SELECT unnest('{0004-02-29,1899-12-31,1900-03-01,1999-12-31,2000-01-01,2000-02-29,2024-02-29,9999-12-31}'::text[])) d (date),
	unnest('{00:00,00:00:00,12:34:56,23:59:59.999999,23:59:59.9999999,24:00:00,23:59:60,07:08:09.1,07:08:09.012}'::text[], '{Z,+00:00,"",Z,Z,Z,Z,-00,-01:30}'::text[]) c (clock, zone);
INSERT INTO served SELECT 'plain_uuids', json_agg(json_build_object('value', CASE WHEN i % 2 = 0 THEN id ELSE upper(id) END, 'value_type', 'uuid'))
FROM generate_series(1, 1000) i, LATERAL CAST(md5(i::text)::uuid AS text) id;
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
CREATE FOREIGN TABLE plain (id uuid, times timestamptz[] OPTIONS (attribute 'plain_times'), time_texts text[] OPTIONS (attribute 'plain_times'),
	uuids uuid[] OPTIONS (attribute 'plain_uuids'), uuid_texts text[] OPTIONS (attribute 'plain_uuids')) SERVER column_values;
SELECT count(*), count(DISTINCT time), count(*) FILTER (WHERE time IS DISTINCT FROM text::timestamptz) AS wrong
FROM plain, unnest(times, time_texts) v (time, text) WHERE id = :'R';
SELECT count(*), count(DISTINCT uuid), count(*) FILTER (WHERE uuid IS DISTINCT FROM text::uuid) AS wrong
FROM plain, unnest(uuids, uuid_texts) v (uuid, text) WHERE id = :'R';
DELETE FROM served WHERE name IN ('plain_times', 'plain_uuids');
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -

--
-- All forms of NULL
--
CREATE DOMAIN filled AS text NOT NULL;
CREATE DOMAIN filled_list AS text[] NOT NULL;
CREATE TABLE empties (number serial, json text);
INSERT INTO empties (json) VALUES ('missing'), ('null'), ('{"value": null, "value_type": "string"}'), ('{"value_type": "string", "value": null}'), ('{"value": null}'),
	('{"value_type": "string"}'), ('{"value": null, "value_type": null}'), ('{"value": null, "value_type": "never_heard_of"}'),
	('{"value": {"amount": null}, "value_type": "currency"}'), ('{"value": {"display_value": null, "id": null}, "value_type": "select"}'),
	('[]'), ('[null]'), ('[{"value": null}]'), ('[{"value_type": "string"}]'), ('[{"value": "a"}, null, {"value": null}, {"value": ""}]');
INSERT INTO served SELECT 'n' || number, json FROM empties WHERE json <> 'missing';
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
SELECT json, look('text', 'n' || number) AS text, look('filled', 'n' || number) AS filled, look('uuid', 'n' || number) AS uuid,
	look('numeric', 'n' || number) AS numeric, look('timestamptz', 'n' || number) AS timestamptz, look('jsonb', 'n' || number) AS jsonb, look('json', 'n' || number) AS json
FROM empties WHERE json NOT LIKE '[%' ORDER BY number;
SELECT json, look('text[]', 'n' || number) AS "text[]", look('filled[]', 'n' || number) AS "filled[]", look('filled_list', 'n' || number) AS filled_list,
	look('jsonb[]', 'n' || number) AS "jsonb[]", look('jsonb', 'n' || number) AS jsonb, look('json', 'n' || number) AS json
FROM empties WHERE number <= 4 OR json LIKE '[%' ORDER BY number;

--
-- Values without a scalar for the column, and lists in scalar columns: the hint
-- names a suitable type.
--
INSERT INTO served VALUES
	('object', '{"value": {"a": {"b": 1}, "l": [1, "two", null], "s": "x", "n": 1.50, "z": null, "t": true, "": "no name", "\u00e4 \"q\"": "odd"}, "value_type": "never_heard_of"}'),
	('untyped', '{"value": {"amount": "5", "display_value": "x"}}'),
	('array', '{"value": ["a", {"b": 1}], "value_type": "string"}'),
	('scalar', '{"value": "a", "value_type": "never_heard_of"}'),
	('scalar_currency', '{"value": "12.50", "value_type": "currency"}'),
	('scalar_select', '{"value": "Won", "value_type": "select"}'),
	('no_amount', '{"value": {"currency": "EUR"}, "value_type": "currency"}'),
	('no_id', '{"value": {"display_value": "Won"}, "value_type": "select"}'),
	('no_reference', '{"value": {}, "value_type": "record_reference"}'),
	('deep_amount', '{"value": {"amount": {"value": 5}}, "value_type": "currency"}'),
	('array_currency', '{"value": [{"amount": 5}], "value_type": "currency"}'),
	('scalars', '[{"value": "a"}, {"value": 1.50}, {"value": true}]'),
	('objects', '[{"value": {"s": "x"}}, {"value": {"s": 2}}, {"value": "scalar"}, {"value": {}}, null]'),
	('nested', '[{"value": ["a"]}, {"value": [["b"]]}]'),
	('two_types', '[{"value": {"amount": 5}, "value_type": "currency"}, {"value": 6, "value_type": "number"}, {"value": {"display_value": "7"}, "value_type": "select"}]');
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
SELECT attribute, type, look(type, attribute)
FROM (VALUES ('object', '{text,integer,boolean,uuid,timestamptz,mood,pair,positive,"text[]","jsonb[]",jsonb,json}'),
		('untyped', '{numeric,text,jsonb}'), ('array', '{text,numeric,"text[]","jsonb[]",jsonb,json}'), ('scalar', '{text,"text[]","jsonb[]",jsonb}'),
		('scalar_currency', '{numeric}'), ('scalar_select', '{text,uuid}'), ('select', '{numeric,"text[]","uuid[]"}'), ('address', '{text,"text[]"}'), ('address_list', '{text,"text[]"}'),
		('no_amount', '{numeric,text,jsonb}'), ('no_id', '{text,uuid,jsonb}'), ('no_reference', '{uuid,text,jsonb}'), ('deep_amount', '{numeric,jsonb}'), ('array_currency', '{numeric}'),
		('scalars', '{text,numeric,varchar(3),date,positive,mood,pair,"text[]","varchar(3)[]","numeric[]",jsonb,json,"jsonb[]"}'),
		('objects', '{text,"text[]",jsonb,json,"json[]"}'), ('nested', '{"text[]",jsonb,"jsonb[]"}'), ('two_types', '{"numeric[]","text[]","integer[]",jsonb}'), ('n11', '{text,positive}'))
	v (attribute, types), unnest(types::text[]) WITH ORDINALITY t (type, i)
ORDER BY attribute COLLATE "C", i;

--
-- A key inside a value, and NULL if the key is absent
--
SELECT attribute, type, look(type, attribute)
FROM (VALUES ('object.a', '{text,jsonb,json}'), ('object.l', '{text,"text[]",jsonb}'), ('object.s', '{text,jsonb,integer,mood,"text[]"}'), ('object.n', '{text,numeric,jsonb}'),
		('object.z', '{text,jsonb,filled}'), ('object.t', '{boolean,text}'), ('object.b', '{text,jsonb}'), ('object.S', '{text}'), ('object.value', '{text}'), ('object.ä "q"', '{text}'),
		('untyped.amount', '{numeric}'), ('scalar.s', '{text,jsonb,"text[]"}'), ('array.b', '{text,jsonb,"jsonb[]"}'), ('missing.key', '{text,"text[]",jsonb}'), ('n2.key', '{text,"text[]"}'),
		('n3.key', '{text}'), ('n11.key', '{text,"text[]",jsonb}'), ('scalars.s', '{text,"text[]",jsonb}'), ('objects.s', '{text,"text[]","integer[]","jsonb[]",jsonb,json}'),
		('nested.a', '{"text[]",jsonb}'), ('two_types.amount', '{"numeric[]"}'), ('id.key', '{text}'), ('id', '{uuid,text,jsonb,"char(40)",integer}'))
	v (attribute, types), unnest(types::text[]) WITH ORDINALITY t (type, i)
ORDER BY attribute COLLATE "C", i;

--
-- JSON is exact to the last digit.
--
CREATE TABLE documents (number serial, json text);
INSERT INTO documents (json) VALUES ('"text"'), ('""'), ('true'), ('0'), ('-0'), ('-0.0'), ('1.0'), ('1.50'), ('1e2'), ('1E+2'), ('1e-7'), ('1e400'), ('-1e400'), ('1e-400'),
	('123456789012345678901234567890'), ('-0.123456789012345678901234567890'), ('1234567890123456789012345678901234567890'), ('0.1000000000000000055511151231257827'),
	('[]'), ('{}'), ('[ 1 , [ ] , { } ]'), (E'{ "a" : [ 123456789012345678901234567890 , 1e400 , -0 , 1.10 ] ,\n\t"b" : { "c" : null , "d" : "\\u00e4\\ud83d\\ude80\\/" } }'),
	('{"b": 1, "a": {"z": 1, "y": [{"x": 1.000000000000000000000000000000000000000000000001}]}}'), ('{"value": {"value": 1, "value_type": "number"}, "value_type": "currency"}');
INSERT INTO served SELECT 'd' || number, format('{"value": %s , "value_type": "never_heard_of"}', json) FROM documents;
INSERT INTO served SELECT 'dl', '[' || string_agg(format('{ "value":%s}', json), ' , ' ORDER BY number) || ', null]' FROM documents;
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
CREATE TABLE copies AS SELECT number, json AS text, json::json AS json, json::jsonb AS jsonb FROM documents;
SELECT number, text, json, jsonb FROM copies, LATERAL (SELECT look('json', 'd' || number) AS shown_json, look('jsonb', 'd' || number) AS shown_jsonb) s
WHERE shown_json IS DISTINCT FROM text OR shown_jsonb IS DISTINCT FROM jsonb::text;
CREATE FOREIGN TABLE documented (id uuid, dl jsonb, list json OPTIONS (attribute 'dl'), elements jsonb[] OPTIONS (attribute 'dl'), texts json[] OPTIONS (attribute 'dl'),
	d12 jsonb, d22 jsonb, d23 jsonb) SERVER column_values;
SELECT dl = (SELECT jsonb_agg(jsonb ORDER BY number) || 'null' FROM copies) AS jsonb, list::text = (SELECT '[' || string_agg(text, ',' ORDER BY number) || ',null]' FROM copies) AS json,
	elements = (SELECT array_agg(jsonb ORDER BY number) || NULL::jsonb FROM copies) AS "jsonb[]", texts::text[] = (SELECT array_agg(text ORDER BY number) || NULL::text FROM copies) AS "json[]",
	d12 = (SELECT jsonb FROM copies WHERE number = 12) AS d12, d22 = (SELECT jsonb FROM copies WHERE number = 22) AS d22, d23 = (SELECT jsonb FROM copies WHERE number = 23) AS d23,
	d22 #>> '{a,0}' AS digits, length(d22 #>> '{a,1}') AS digits_of_1e400
FROM documented WHERE id = :'R';
-- Numbers are exact, too, as JSON numbers and as decimal strings.
INSERT INTO served SELECT 'f' || n || f, format('{"value": %s, "value_type": "%s"}', CASE f WHEN 'c' THEN format('{"amount": "%s"}', v) WHEN 's' THEN format('"%s"', v) ELSE v END,
	CASE f WHEN 'c' THEN 'currency' ELSE 'number' END)
FROM unnest('{1234567890123456789012345678901234567890,-0.0000000000123456789012345678901234567890,123456789012345678901234567890.1234567890,1.10,1e30,-0}'::text[]) WITH ORDINALITY v (v, n),
	unnest('{n,s,c}'::text[]) f;
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
SELECT look('numeric', 'f' || n || 'n') AS shown, look('numeric', 'f' || n || 's') = look('numeric', 'f' || n || 'n') AS string,
	look('numeric', 'f' || n || 'c') = look('numeric', 'f' || n || 'n') AS currency, look('numeric(50,20)', 'f' || n || 's') AS "numeric(50,20)", look('float8', 'f' || n || 'c') AS float8,
	look('text', 'f' || n || 'n') AS text, look('jsonb', 'f' || n || 'c') AS jsonb
FROM generate_series(1, 6) n ORDER BY n;

--
-- Text: all escapes, and many characters, raw and escaped. psql does not write
-- the last two code points of each plane, which are not characters.
--
CREATE FUNCTION escaped(code integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN code < 65536 THEN '\u' || lpad(to_hex(code), 4, '0')
		ELSE format('\u%s\u%s', to_hex(55296 + ((code - 65536) >> 10)), upper(to_hex(56320 + ((code - 65536) & 1023)))) END
$$;
CREATE TABLE characters AS
	SELECT code, chr(code) AS character FROM (SELECT generate_series(1, 800) UNION SELECT generate_series(801, 1114111, 211)
		UNION SELECT unnest('{8364,55295,57344,65279,65533,65534,65535,65536,128640,1114111}'::integer[])) c (code)
	WHERE code NOT BETWEEN 55296 AND 57343;
INSERT INTO served
	SELECT 'raw', format('{"value":"%s"}', string_agg(CASE WHEN code < 32 OR code IN (34, 92) OR code & 65534 = 65534 THEN escaped(code) ELSE character END, '' ORDER BY code)) FROM characters
	UNION ALL SELECT 'escaped', format('{"value":"%s"}', string_agg(escaped(code), '' ORDER BY code)) FROM characters
	UNION ALL SELECT 'short', '{"value":"\b\f\n\r\t\/\\\"\\u0041\\n\u0041\u00E4\u00e4\ud83d\ude80🚀"}'
	UNION ALL SELECT 'megabyte', format('{"value":"%s"}', repeat('\u00e4🚀x€\n', 90000));
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
CREATE FOREIGN TABLE texts (id uuid, raw text, escaped varchar, short text, megabyte text, raw_json jsonb OPTIONS (attribute 'raw'), escaped_json jsonb OPTIONS (attribute 'escaped'))
	SERVER column_values;
SELECT count, raw = characters AS raw, escaped = characters AS escaped, raw_json #>> '{}' = characters AS jsonb, escaped_json = raw_json AS escaped_jsonb,
	short = E'\b\f\n\r\t/\\"\\u0041\\nAää🚀🚀' AS short, megabyte = repeat(E'ä🚀x€\n', 90000) AS megabyte, octet_length(megabyte)
FROM texts, (SELECT count(*), string_agg(character, '' ORDER BY code) AS characters FROM characters) c WHERE id = :'R';
-- Length limits count characters.
INSERT INTO served VALUES ('ten', '{"value":"ä🚀ä🚀ä🚀ä🚀ä🚀"}');
DELETE FROM served WHERE name IN ('megabyte', 'raw', 'escaped');
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
SELECT look('varchar(10)', 'ten') AS ten, look('varchar(9)', 'ten') AS nine, look('char(11)', 'ten') || '|' AS eleven, look('varchar(9)', 'd1') AS ascii;
-- NUL in an attribute that no column reads is harmless.
\! $REEVO_CTL body 00000000-0000-4000-8000-000000020002 '{"data":{"id":"00000000-0000-4000-8000-000000020002","attributes":{"other":{"value":"a\u0000"}}}}'
SELECT id FROM texts WHERE id = '00000000-0000-4000-8000-000000020002';
-- Attribute names can contain such characters, too.
INSERT INTO served VALUES ('Gr#e "x" 🚀', '{"value": "odd name"}'), (repeat('n', 100), '{"value": "long name"}'), (' ', '{"value": "blank"}');
TABLE body \g (tuples_only=on) |sed 's/Gr#e/Gr\\u00f6\\u00DFe/' | $REEVO_CTL body $R -
SELECT attribute, look('text', attribute) FROM (VALUES ('Größe "x" 🚀'), ('grösse "x" 🚀'), (repeat('n', 100)), (repeat('n', 99)), (' ')) v (attribute);

--
-- Domains over arrays and arrays of domains, with their constraints
--
CREATE DOMAIN codes AS varchar(3)[] CHECK (cardinality(VALUE) < 3);
CREATE DOMAIN few_codes AS codes CHECK (VALUE[1] <> 'no');
CREATE DOMAIN amounts AS numeric(5,2)[];
INSERT INTO served VALUES ('l1', '[{"value": "abc"}]'), ('l2', '[{"value": "ab"}, {"value": "abcd"}]'), ('l3', '[{"value": "a"}, {"value": "b"}, {"value": "c"}]'),
	('l4', '[{"value": "no"}]'), ('l5', '[{"value": 1.005}, {"value": "999.994"}, null]'), ('l6', '[{"value": 999.995}]'), ('l7', '[{"value": 1}, {"value": 0}]'),
	('l8', '[{"value": "low"}, {"value": "Müller"}]'), ('l9', '[{"value": "{"}, {"value": "NULL"}, {"value": "a,b"}, {"value": "\\\"q\\\""}, {"value": ""}]'),
	('l10', '[{"value": "\\\\x00ff"}, {"value": ""}]'), ('l11', '[{"value": "(1,a)"}]'), ('l12', '[{"value": "{1,2}"}, {"value": "{}"}]');
CREATE DOMAIN row_of_numbers AS integer[];
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
SELECT attribute, type, look(type, attribute)
FROM (VALUES ('l1', '{varchar(3)[],codes,few_codes,code[],mood[]}'), ('l2', '{varchar(3)[],codes,few_codes,code[],text[]}'), ('l3', '{varchar(3)[],codes,few_codes}'),
		('l4', '{codes,few_codes}'), ('l5', '{"numeric(5,2)[]",amounts,amount[],float8[],text[]}'), ('l6', '{"numeric(5,2)[]",amounts}'), ('l7', '{positive[],smallint[],boolean[]}'),
		('l8', '{mood[]}'), ('l9', '{text[],char(5)[],json[]}'), ('l10', '{bytea[]}'), ('l11', '{pair[]}'), ('l12', '{row_of_numbers[],int4range[]}'))
	v (attribute, types), unnest(types::text[]) WITH ORDINALITY t (type, i)
ORDER BY substr(attribute, 2)::integer, i;
-- The same values by INSERT
CREATE TABLE local (codes codes, amounts amounts);
INSERT INTO local VALUES ('{ab,abcd}');
INSERT INTO local (amounts) VALUES ('{1.005,999.994,NULL}') RETURNING amounts;

--
-- The whole record
--
\! $REEVO_CTL body 00000000-0000-4000-8000-000000020003 '{"data": { "record_type":"opportunity" , "id":"00000000-0000-4000-8000-000000020003", "attributes":{"a":{"value":1e400},"l":[ ], "deep":{"value":[[{"x":-0.10}]]}}, "extra": [1.50] } , "meta": 1}'
CREATE FOREIGN TABLE whole (id uuid, a numeric, json json OPTIONS (attribute '*'), jsonb jsonb OPTIONS (attribute '*'), text text OPTIONS (attribute '*'), varchar varchar OPTIONS (attribute '*'))
	SERVER column_values;
SELECT a = 1e400 AS a, json, json::text = text AND text = varchar AS as_text, json::jsonb = jsonb AS as_jsonb, jsonb #> '{attributes,a,value}' = to_jsonb(a) AS number
FROM whole WHERE id = '00000000-0000-4000-8000-000000020003';
CREATE DOMAIN document AS jsonb CHECK (VALUE ? 'id') CHECK (NOT VALUE ? 'secret');
CREATE FUNCTION whole_as(type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	hint text;
BEGIN
	EXECUTE format('CREATE FOREIGN TABLE looked (id uuid, v %s OPTIONS (attribute ''*'')) SERVER column_values', type);
	EXECUTE 'SELECT left(v::text, 10) FROM looked WHERE id = ''00000000-0000-4000-8000-000000020003''' INTO STRICT result;
	DROP FOREIGN TABLE looked;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN format('%s: %s %s', SQLSTATE, SQLERRM, hint);
END
$$;
SELECT type, whole_as(type)
FROM unnest('{document,filled,varchar(400),varchar(20),integer,char(400),name,uuid,text[],jsonb[],bytea,pair,filled_list}'::text[]) WITH ORDINALITY v (type, i) ORDER BY i;

--
-- Times at the top level of a record and in its attributes. Either place may be
-- absent.
--
CREATE FOREIGN TABLE top_level (id uuid, created_at timestamptz, created_json jsonb OPTIONS (attribute 'created_at'), updated_at timestamptz, updated_key text OPTIONS (attribute 'updated_at.x'))
	SERVER column_values;
\setenv HEAD '{"data":{"id":"00000000-0000-4000-8000-000000020004"'
\setenv TOP ',"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-02T00:00:00.5Z"'
\! $REEVO_CTL body 00000000-0000-4000-8000-000000020004 "$HEAD$TOP"',"attributes":{}}}'
SELECT * FROM top_level WHERE id = '00000000-0000-4000-8000-000000020004';
\! $REEVO_CTL body 00000000-0000-4000-8000-000000020004 "$HEAD"',"attributes":{"created_at":{"value":"2024-02-01T00:00:00Z","value_type":"timestamp"},"updated_at":null}}}'
SELECT * FROM top_level WHERE id = '00000000-0000-4000-8000-000000020004';
\! $REEVO_CTL body 00000000-0000-4000-8000-000000020004 "$HEAD"',"created_at":null,"attributes":{"created_at":{"value":"2024-02-01T00:00:00Z"}},"updated_at":"2024-01-02T00:00:00Z"}}'
SELECT * FROM top_level WHERE id = '00000000-0000-4000-8000-000000020004';
\! $REEVO_CTL body 00000000-0000-4000-8000-000000020004 "$HEAD$TOP"',"attributes":{"created_at":null,"updated_at":{"value":null,"value_type":"timestamp"}}}}'
SELECT * FROM top_level WHERE id = '00000000-0000-4000-8000-000000020004';
\! $REEVO_CTL body 00000000-0000-4000-8000-000000020004 "$HEAD"',"attributes":{}}}'
SELECT * FROM top_level WHERE id = '00000000-0000-4000-8000-000000020004';

--
-- Error messages
--
CREATE FOREIGN TABLE strict (id uuid, "Größe" integer OPTIONS (attribute 'd1'), when_it_was date OPTIONS (attribute 'd1'), list varchar(3) OPTIONS (attribute 'l2'),
	codes codes OPTIONS (attribute 'l3'), probability numeric(3,0) OPTIONS (attribute 'opportunity_stage.api_name'), filled filled OPTIONS (attribute 'missing'),
	stage integer OPTIONS (attribute 'opportunity_stage'), object text, no_amount numeric, short varchar(2) OPTIONS (attribute 'd1')) SERVER column_values;
SELECT "Größe" FROM strict WHERE id = :'R';
\echo :LAST_ERROR_SQLSTATE
SELECT when_it_was FROM strict WHERE id = :'R';
\echo :LAST_ERROR_SQLSTATE
SELECT list FROM strict WHERE id = :'R';
\echo :LAST_ERROR_SQLSTATE
SELECT codes FROM strict WHERE id = :'R';
\echo :LAST_ERROR_SQLSTATE
SELECT probability FROM strict WHERE id = :'R';
\echo :LAST_ERROR_SQLSTATE
SELECT filled FROM strict WHERE id = :'R';
\echo :LAST_ERROR_SQLSTATE
SELECT stage FROM strict WHERE id = :'R';
\echo :LAST_ERROR_SQLSTATE
SELECT object FROM strict WHERE id = :'R';
\echo :LAST_ERROR_SQLSTATE
SELECT no_amount FROM strict WHERE id = :'R';
\echo :LAST_ERROR_SQLSTATE
SELECT short FROM strict WHERE id = upper(:'R')::uuid;
\echo :LAST_ERROR_SQLSTATE
-- A column that is not read cannot fail.
SELECT id FROM strict WHERE id = :'R';
SELECT count(*) FROM strict WHERE id = :'R';

--
-- invalid_value 'null' returns NULL, and one warning for each column and
-- statement.
--
CREATE FOREIGN TABLE lenient (id uuid, number integer OPTIONS (attribute 'n'), amount numeric(5,2) OPTIONS (attribute 'a'), due date OPTIONS (attribute 'd'), list text OPTIONS (attribute 'l'),
	object text OPTIONS (attribute 'o'), numbers integer[] OPTIONS (attribute 'l'), id_number integer OPTIONS (attribute 'id'), id_text varchar(5) OPTIONS (attribute 'id', invalid_value 'null'),
	no_amount numeric OPTIONS (attribute 'c'), strict integer OPTIONS (attribute 'n', invalid_value 'error')) SERVER column_values OPTIONS (invalid_value 'null');
\! for i in 5 6 7; do $REEVO_CTL body 00000000-0000-4000-8000-00000002000$i '{"data":{"id":"00000000-0000-4000-8000-00000002000'$i'","attributes":{"n":{"value":"n'$i'"},"a":{"value":1000.'$i'},"d":{"value":"now"},"l":[{"value":"1"},{"value":"l'$i'"}],"o":{"value":{}},"c":{"value":{"x":1},"value_type":"currency"}}}}'; done
\set few '''00000000-0000-4000-8000-000000020005'', ''00000000-0000-4000-8000-000000020006'', ''00000000-0000-4000-8000-000000020007'''
SELECT number, amount, due FROM lenient WHERE id IN (:few);
SELECT list, object, numbers, no_amount FROM lenient WHERE id IN (:few);
SELECT right(id::text, 1) AS id, number FROM lenient WHERE id IN (:few) AND number IS NULL ORDER BY 1;
SELECT count(*) FROM lenient WHERE id IN (:few) AND number = 5;
-- The same for a statement with several scans or rescans
SELECT a.number, b.number FROM lenient a JOIN lenient b USING (id) WHERE id = '00000000-0000-4000-8000-000000020005';
SELECT (SELECT number FROM lenient WHERE id = v.id) FROM (VALUES ('00000000-0000-4000-8000-000000020005'::uuid), ('00000000-0000-4000-8000-000000020006')) v (id)
UNION ALL SELECT number FROM lenient WHERE id = '00000000-0000-4000-8000-000000020005';
BEGIN;
DECLARE numbers CURSOR FOR SELECT number FROM lenient WHERE id IN (:few);
FETCH 1 FROM numbers;
FETCH 2 FROM numbers;
COMMIT;
-- Another column has its own warning.
SELECT number::text FROM lenient WHERE id = '00000000-0000-4000-8000-000000020005' UNION ALL SELECT due::text FROM lenient WHERE id = '00000000-0000-4000-8000-000000020005';
-- The id is never replaced.
SELECT id_number FROM lenient WHERE id = '00000000-0000-4000-8000-000000020005';
SELECT id_text FROM lenient WHERE id = '00000000-0000-4000-8000-000000020005';
-- The option of the column takes precedence.
SELECT strict FROM lenient WHERE id = '00000000-0000-4000-8000-000000020005';
-- Precedence: column, table, server
CREATE FUNCTION option_is(value text) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN value <> '' THEN format('invalid_value %L', value) END $$;
CREATE FUNCTION of_places(on_server text, on_table text, on_column text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	IF on_server <> '' THEN
		EXECUTE format('ALTER SERVER column_values OPTIONS (ADD %s)', option_is(on_server));
	END IF;
	EXECUTE format('CREATE FOREIGN TABLE placed (id uuid, n integer %s) SERVER column_values %s', 'OPTIONS (' || option_is(on_column) || ')', 'OPTIONS (' || option_is(on_table) || ')');
	BEGIN
		SELECT coalesce(n::text, 'null') INTO STRICT result FROM placed WHERE id = '00000000-0000-4000-8000-000000020005';
	EXCEPTION WHEN invalid_text_representation THEN
		result := 'error';
	END;
	DROP FOREIGN TABLE placed;
	IF on_server <> '' THEN
		ALTER SERVER column_values OPTIONS (DROP invalid_value);
	END IF;
	RETURN result;
END
$$;
SET client_min_messages = error;
SELECT result, count(*), count(*) FILTER (WHERE result = coalesce(nullif(c, ''), nullif(t, ''), nullif(s, ''), 'error')) AS as_expected
FROM unnest('{"",error,"null"}'::text[]) s, unnest('{"",error,"null"}'::text[]) t, unnest('{"",error,"null"}'::text[]) c, of_places(s, t, c) result GROUP BY result ORDER BY result;
-- A type that rejects NULL is still an error.
SELECT look('filled', 'missing', ', invalid_value ''null'''), look('filled', 'object', ', invalid_value ''null'''), look('filled_list', 'object', ', invalid_value ''null''');
-- Each built-in type. Other errors remain errors.
INSERT INTO served VALUES ('huge', '{"value": {"n": 1e200000}}'), ('huge_list', '[{"value": 1e200000}]');
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
SELECT type, look(type, 'd1', ', invalid_value ''null''') AS text, look(type, 'd2', ', invalid_value ''null''') AS empty, look(type, 'd8', ', invalid_value ''null''') AS number,
	look(type, 'd24', ', invalid_value ''null''') AS object, look(type, 'scalars', ', invalid_value ''null''') AS list, look(type || '[]', 'l2', ', invalid_value ''null''') AS texts,
	look(type || '[]', 'd1', ', invalid_value ''null''') AS "no list"
FROM unnest('{boolean,smallint,integer,bigint,real,float8,numeric,"numeric(3,1)",uuid,date,time,timestamp,timestamptz,varchar(3),text,json,jsonb}'::text[]) WITH ORDINALITY v (type, i) ORDER BY i;
SELECT look('jsonb', 'huge'), look('jsonb', 'huge', ', invalid_value ''null''') AS jsonb, look('numeric[]', 'huge_list', ', invalid_value ''null''') AS "numeric[]",
	look('timestamp', 't51', ', invalid_value ''null''') AS "+16:00", look('date', 't47', ', invalid_value ''null''') AS "06-31+01:00", look('codes', 'l2', ', invalid_value ''null''') AS codes;
-- Other types, since PostgreSQL 16, if their input function supports soft errors.
-- The same for lists in domains.
SELECT type, attribute, CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN shown = 'NULL' ELSE shown = look(type, attribute) END AS as_it_can
FROM (VALUES ('mood', 'd1'), ('positive', 's1'), ('codes', 'l3'), ('few_codes', 'l4'), ('code[]', 'l2'), ('filled[]', 'n12'), ('inet', 'd1'), ('document', 'object')) v (type, attribute),
	look(type, attribute, ', invalid_value ''null''') shown;
DELETE FROM served WHERE name LIKE 'huge%';
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
RESET client_min_messages;

--
-- Columns with other names, in another order, altered and dropped
--
CREATE FOREIGN TABLE shaped (gone1 integer OPTIONS (attribute 's1'), "select" text OPTIONS (attribute 'select.api_name'), "opportunity_stage.color" text, "opportunity_stage.expected_days" integer,
	currency jsonb, gone2 text, who uuid OPTIONS (attribute 'id'), "Currency" numeric OPTIONS (attribute 'currency'), again numeric OPTIONS (attribute 'currency'), gone3 text, "*" jsonb)
	SERVER column_values;
ALTER FOREIGN TABLE shaped DROP COLUMN gone2, DROP COLUMN gone1;
SELECT "select", "opportunity_stage.color", "opportunity_stage.expected_days", currency, who, "Currency", again, gone3, "*" ->> 'id' AS record FROM shaped WHERE who = :'R';
ALTER FOREIGN TABLE shaped DROP COLUMN gone3, DROP COLUMN "*";
ALTER FOREIGN TABLE shaped ADD COLUMN percent numeric, ADD COLUMN added text OPTIONS (attribute 'string');
SELECT * FROM shaped WHERE who = :'R';
SELECT shaped FROM shaped WHERE who = :'R';
-- The same for a prepared statement
PREPARE shape AS SELECT pg_typeof(percent), percent::text, added::text FROM shaped WHERE who = '00000000-0000-4000-8000-000000020001';
EXECUTE shape;
ALTER FOREIGN TABLE shaped ALTER COLUMN percent TYPE float8, ALTER COLUMN added TYPE varchar(100);
EXECUTE shape;
ALTER FOREIGN TABLE shaped ALTER COLUMN percent TYPE jsonb, ALTER COLUMN added OPTIONS (SET attribute 'url');
EXECUTE shape;
ALTER FOREIGN TABLE shaped ALTER COLUMN percent TYPE numeric(3,2);
EXECUTE shape;
ALTER FOREIGN TABLE shaped ALTER COLUMN percent OPTIONS (ADD invalid_value 'null');
EXECUTE shape;
ALTER FOREIGN TABLE shaped ALTER COLUMN percent OPTIONS (SET invalid_value 'error', ADD attribute 'string_list'), ALTER COLUMN percent TYPE text[], ALTER COLUMN added OPTIONS (DROP attribute);
EXECUTE shape;
ALTER FOREIGN TABLE shaped RENAME COLUMN added TO email;
SELECT email FROM shaped WHERE who = :'R';
DEALLOCATE shape;

--
-- Other declarations of a table's columns. A stored generated column is rejected
-- only when it is read.
--
INSERT INTO served VALUES ('size', '{"value": 5, "value_type": "number"}'), ('doubled', '{"value": 7, "value_type": "number"}');
TABLE body \g (tuples_only=on) |$REEVO_CTL body $R -
CREATE FOREIGN TABLE generated (id uuid, size numeric, doubled numeric OPTIONS (filter_operators 'gt,gte,lt,lte', sortable 'true') GENERATED ALWAYS AS (size * 2) STORED,
	created_at timestamptz GENERATED ALWAYS AS ('2024-01-01 00:00:00+00') STORED) SERVER column_values;
SELECT id, size FROM generated WHERE id = :'R';
SELECT count(*) FROM generated WHERE id = :'R';
SELECT doubled FROM generated WHERE id = :'R';
\echo :LAST_ERROR_SQLSTATE
SELECT size FROM generated WHERE id = :'R' AND doubled > 5;
SELECT generated FROM generated WHERE id = :'R';
ANALYZE generated;
-- Its conditions are not pushed down, even if an attribute has its name.
CREATE FUNCTION sent(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
		IF line ~ 'Id:|Remote (Filter|Sort):' THEN
			RETURN NEXT trim(line);
		END IF;
	END LOOP;
END
$$;
SELECT sent($q$ SELECT id FROM dated WHERE closed_at > '2024-01-01' ORDER BY closed_at LIMIT 10 $q$);
SELECT sent($q$ SELECT id FROM generated WHERE doubled > 5 AND created_at > '2020-01-01' ORDER BY doubled LIMIT 10 $q$);
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT doubled FROM generated;
CREATE FOREIGN TABLE named (number numeric, id uuid GENERATED ALWAYS AS ('00000000-0000-4000-8000-000000020001') STORED) SERVER column_values;
SELECT sent($q$ SELECT number FROM named WHERE id = '00000000-0000-4000-8000-000000020001' $q$);
SELECT number FROM named WHERE id = '00000000-0000-4000-8000-000000020001';
-- PostgreSQL computes a virtual generated column (since PostgreSQL 18).
CREATE FUNCTION virtual_works() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	IF current_setting('server_version_num')::integer < 180000 THEN
		RETURN true;
	END IF;
	EXECUTE 'CREATE FOREIGN TABLE computed (id uuid, size numeric, doubled numeric GENERATED ALWAYS AS (size * 2) VIRTUAL) SERVER column_values';
	SELECT concat_ws(' ', doubled, c, (SELECT doubled FROM computed WHERE id = c.id AND doubled = 10)) INTO STRICT result
		FROM computed c WHERE id = '00000000-0000-4000-8000-000000020001' AND doubled > 9 FOR UPDATE;
	ANALYZE computed;
	RETURN result = '10 (00000000-0000-4000-8000-000000020001,5,10) 10' AND
		NOT EXISTS (SELECT FROM opportunity_fdw_drift('computed') WHERE column_name = 'doubled' AND change <> 'added');
END
$$;
SELECT virtual_works();
-- A default does not replace a missing value. The planner trusts NOT NULL and
-- CHECK, and PostgreSQL does not check them.
CREATE FOREIGN TABLE declared (id uuid, size numeric NOT NULL CHECK (size < 0), nothing numeric DEFAULT 3, missing numeric NOT NULL) SERVER column_values;
SELECT size, nothing, missing FROM declared WHERE id = :'R';
SELECT count(*) FROM declared WHERE id = :'R' AND size > 0;
SET constraint_exclusion = on;
SELECT size FROM declared WHERE id = :'R';
SELECT count(*) FROM declared WHERE id = :'R' AND size > 0;
EXPLAIN (COSTS OFF) SELECT id FROM declared WHERE size > 0;
RESET constraint_exclusion;
SELECT count(*) = CASE WHEN current_setting('server_version_num')::integer < 170000 THEN 1 ELSE 0 END AS as_the_major_does FROM declared WHERE id = :'R' AND missing IS NULL;
DELETE FROM served WHERE name IN ('size', 'doubled');

SET client_min_messages = warning;
DROP SCHEMA column_values CASCADE;
DROP SERVER column_values CASCADE;
