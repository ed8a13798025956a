-- SPDX-License-Identifier: PostgreSQL
--
-- The documented record by column, and many other records compared with their
-- JSON
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
RESET client_min_messages;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER record FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER record OPTIONS (api_key 'test-key');
CREATE SCHEMA record;
SET search_path = record, public;
SET timezone = 'UTC';
SET datestyle = ISO;
IMPORT FOREIGN SCHEMA reevo FROM SERVER record INTO record OPTIONS (discover 'false');

-- The documented record. The output is unaligned, because psql versions differ in
-- widths.
\pset format unaligned
\x on
SELECT * FROM opportunity WHERE id = '3c90c3cc-0d44-4b50-8888-8dd25736052a';
\x off
\pset format aligned
\echo requests: `$REEVO_CTL requests`

-- The expected value of each column, from its name, its options and the record's
-- JSON. This SQL does not use the extension's code.
CREATE FOREIGN TABLE whole (id uuid, record jsonb OPTIONS (attribute '*')) SERVER record;
CREATE TABLE columns AS
	SELECT attnum, attname, format_type(atttypid, atttypmod) AS type,
		coalesce(split_part(substr(attfdwoptions[1], 11), '.', 1), attname) AS attribute,
		nullif(split_part(substr(attfdwoptions[1], 11), '.', 2), '') AS key
	FROM pg_attribute WHERE attrelid = 'opportunity'::regclass AND attnum > 0;

-- scalar returns the scalar of one envelope for a column type.
CREATE FUNCTION scalar(envelope jsonb, type text, key text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE
		WHEN key IS NOT NULL THEN envelope #>> ARRAY['value', key]
		WHEN envelope ->> 'value_type' = 'currency' THEN envelope #>> '{value,amount}'
		WHEN envelope ->> 'value_type' = 'record_reference' THEN envelope #>> '{value,related_record_id}'
		WHEN envelope ->> 'value_type' IN ('select', 'opportunity_stage') THEN
			CASE WHEN type = 'uuid' THEN envelope #>> '{value,id}' ELSE envelope #>> '{value,display_value}' END
		ELSE envelope ->> 'value' END
$$;

-- written returns the scalar in the format of the column's type.
CREATE FUNCTION written(value text, type text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE type
		WHEN 'uuid' THEN value::uuid::text
		WHEN 'numeric' THEN value::numeric::text
		WHEN 'integer' THEN value::integer::text
		WHEN 'timestamp with time zone' THEN value::timestamptz::text
		ELSE value END
$$;

CREATE FUNCTION expected(record jsonb, attribute text, key text, type text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT CASE
		WHEN type LIKE '%[]' THEN CASE jsonb_typeof(record -> 'attributes' -> attribute) WHEN 'array' THEN
			(SELECT coalesce(array_agg(written(scalar(e, rtrim(type, '[]'), key), rtrim(type, '[]')) ORDER BY i), '{}')::text
			 FROM jsonb_array_elements(record -> 'attributes' -> attribute) WITH ORDINALITY x (e, i)) END
		ELSE written(coalesce(scalar(record -> 'attributes' -> attribute, type, key),
			CASE WHEN key IS NULL AND attribute IN ('id', 'created_at', 'updated_at') THEN record ->> attribute END), type)
		END
$$;

-- compare returns the row of one record by column. Each call is a statement with
-- its own GET.
CREATE FUNCTION compare(wanted uuid, OUT record jsonb, OUT shown record.opportunity)
LANGUAGE plpgsql AS $$
BEGIN
	SELECT w.record INTO STRICT record FROM whole w WHERE w.id = wanted;
	SELECT o.* INTO STRICT shown FROM opportunity o WHERE o.id = wanted;
END
$$;
CREATE FUNCTION value_of(shown record.opportunity, name text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT ($1).%I::text', name) INTO result USING shown;
	RETURN result;
END
$$;
CREATE TABLE compared AS
	SELECT number, attname, attribute, type, value_of(shown, attname) AS shown, expected(record, attribute, key, type) AS expected,
		record -> 'attributes' ? attribute AS there, record -> 'attributes' -> attribute AS envelope
	FROM generate_series(0, 300) number,
		compare(CASE number WHEN 0 THEN '3c90c3cc-0d44-4b50-8888-8dd25736052a'
			ELSE format('00000000-0000-4000-8000-%s', lpad(number::text, 12, '0')) END::uuid),
		columns;
\echo requests: `$REEVO_CTL requests`
SELECT count(DISTINCT number) AS records, count(DISTINCT attname) AS columns, count(*) AS values,
	count(*) FILTER (WHERE shown IS DISTINCT FROM expected) AS mismatches
FROM compared;
SELECT * FROM compared WHERE shown IS DISTINCT FROM expected ORDER BY number, attname LIMIT 10;

-- The test is meaningful only if every column and every form of a value occurred.
SELECT string_agg(attname, ' ' ORDER BY attname) AS never_filled
FROM (SELECT attname FROM compared GROUP BY attname HAVING count(shown) = 0) t;
\x on
SELECT
	bool_or(NOT there AND shown IS NULL) AS missing,
	bool_or(NOT there AND shown IS NOT NULL) AS at_the_top_only,
	bool_or(envelope = 'null' AND shown IS NULL) AS null_attribute,
	bool_or(envelope -> 'value' = 'null' AND shown IS NULL) AS null_value,
	bool_or(envelope = '[]' AND shown = '{}') AS empty_list,
	bool_or(shown LIKE '{%NULL}' AND type = 'uuid[]') AS null_element,
	bool_or(shown LIKE '{%,%}') AS longer_list,
	bool_or(shown = '' AND type = 'text') AS empty_string,
	bool_or(shown LIKE '%.______+00') AS microseconds,
	bool_or(envelope ->> 'value' LIKE '%+02:00') AS offset_from_utc,
	bool_or(attribute = 'amount' AND length(shown) > 25) AS long_amount,
	bool_or(attribute = 'amount' AND shown LIKE '-%') AS negative_amount,
	bool_or(octet_length(shown) > 20000) AS long_text,
	bool_or(shown LIKE E'%\n%') AS several_lines,
	bool_or(shown LIKE E'%\U0001F680%') AS beyond_the_basic_plane
FROM compared;
\x off

SET client_min_messages = warning;
DROP SCHEMA record CASCADE;
DROP SERVER record CASCADE;
