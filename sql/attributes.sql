-- SPDX-License-Identifier: PostgreSQL
--
-- opportunity_fdw_attributes: the live schema as rows.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS opportunity_fdw;
\set url `echo "$REEVO_URL"`
\! $REEVO_CTL reset
CREATE SERVER attributes FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url :'url', max_retries '0');
CREATE USER MAPPING FOR CURRENT_USER SERVER attributes OPTIONS (api_key 'test-key');
\pset format unaligned
\pset tuples_only on

-- :spent prints the number of requests since its last use.
\set now 0
\set spent '\\set before :now \\set now `$REEVO_CTL requests` \\echo requests: `expr :now - :before`'

--
-- One row for each attribute, in the API's order, with one request
--
SELECT count(*), count(DISTINCT attribute), bool_or(is_custom) FROM opportunity_fdw_attributes('attributes'); :spent
\! $REEVO_CTL last 1
SELECT * FROM opportunity_fdw_attributes('attributes') LIMIT 6;
SELECT count(*) FROM opportunity_fdw_attributes('attributes', 'account'); :spent
\! $REEVO_CTL last 1
SELECT count(*) FROM opportunity_fdw_attributes(record_type => 'contact', server => 'attributes'); :spent

-- The flags and operators of custom fields
\! $REEVO_CTL behave '{"custom_fields": true}'
SELECT attribute, value_type, is_array, is_sortable, filter_operators FROM opportunity_fdw_attributes('attributes') WHERE is_custom;
-- The rows join with the catalog. This query lists attributes without a column.
CREATE SCHEMA attributes;
IMPORT FOREIGN SCHEMA reevo FROM SERVER attributes INTO attributes OPTIONS (discover 'false');
SELECT string_agg(attribute, ' ') FROM opportunity_fdw_attributes('attributes') WHERE attribute LIKE 'cf_s%'
  AND attribute NOT IN (SELECT attname FROM pg_attribute WHERE attrelid = 'attributes.opportunity'::regclass);
\! $REEVO_CTL reset

--
-- Absent flags and texts
--
\setenv SCHEMA '{"attributes": [{"api_name": "plain", "type_info": {"value_type": "string"}}, {"api_name": "odd", "display_name": 7, "description": "", "is_custom": "yes", "is_filterable": true, "filter_operators": ["eq", "sounds_like", 1], "is_sortable": null, "type_info": {"value_type": "geo", "is_array": true}}]}'
\! $REEVO_CTL schema opportunity "$SCHEMA"
\pset null NULL
SELECT * FROM opportunity_fdw_attributes('attributes');
\pset null ''
\! $REEVO_CTL schema opportunity '{"attributes": []}'
SELECT * FROM opportunity_fdw_attributes('attributes');
\! $REEVO_CTL reset

--
-- Errors
--
SELECT * FROM opportunity_fdw_attributes(NULL);
SELECT * FROM opportunity_fdw_attributes('attributes', NULL);
SELECT * FROM opportunity_fdw_attributes('nonexistent');
SELECT * FROM opportunity_fdw_attributes('attributes', 'a/b');
SELECT * FROM opportunity_fdw_attributes('attributes', '');
CREATE FOREIGN DATA WRAPPER attributes_other;
CREATE SERVER attributes_other FOREIGN DATA WRAPPER attributes_other;
SELECT * FROM opportunity_fdw_attributes('attributes_other');
CREATE ROLE attributes_reader;
SET ROLE attributes_reader;
SELECT * FROM opportunity_fdw_attributes('attributes');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER attributes TO attributes_reader;
CREATE USER MAPPING FOR attributes_reader SERVER attributes OPTIONS (api_key 'no-permission');
SET ROLE attributes_reader;
SELECT * FROM opportunity_fdw_attributes('attributes');
RESET ROLE;

DROP SCHEMA attributes CASCADE;
DROP SERVER attributes CASCADE;
DROP FOREIGN DATA WRAPPER attributes_other CASCADE;
DROP ROLE attributes_reader;
