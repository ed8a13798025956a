-- SPDX-License-Identifier: PostgreSQL
/* opportunity_fdw--0.9.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION opportunity_fdw" to load this file. \quit

CREATE FUNCTION opportunity_fdw_handler()
RETURNS fdw_handler
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FUNCTION opportunity_fdw_validator(options text[], catalog oid)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FOREIGN DATA WRAPPER opportunity_fdw
  HANDLER opportunity_fdw_handler
  VALIDATOR opportunity_fdw_validator;

CREATE FUNCTION opportunity_fdw_version()
RETURNS text
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT STABLE PARALLEL SAFE;

COMMENT ON FUNCTION opportunity_fdw_version() IS
  'versions of the extension, PostgreSQL, libcurl and jansson, for bug reports';

CREATE FUNCTION opportunity_fdw_disconnect()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION opportunity_fdw_disconnect() IS
  'closes the connections of this session to the API';

CREATE FUNCTION opportunity_fdw_clear_cache()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION opportunity_fdw_clear_cache() IS
  'clears the cache of records of this session';

CREATE FUNCTION opportunity_fdw_stats(
  OUT serverid oid,
  OUT requests bigint,
  OUT record_requests bigint,
  OUT query_requests bigint,
  OUT schema_requests bigint,
  OUT health_requests bigint,
  OUT succeeded bigint,
  OUT not_found bigint,
  OUT refused bigint,
  OUT throttled bigint,
  OUT failed bigint,
  OUT connection_errors bigint,
  OUT in_flight bigint,
  OUT retries bigint,
  OUT records bigint,
  OUT cache_hits bigint,
  OUT bytes bigint,
  OUT connections bigint,
  OUT wait_seconds double precision,
  OUT throttled_seconds double precision,
  OUT stats_reset timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION opportunity_fdw_stats() IS
  'API requests of this session, by server';

CREATE VIEW opportunity_fdw_stats AS
SELECT s.srvname AS server, f.requests, f.record_requests, f.query_requests,
  f.schema_requests, f.health_requests, f.succeeded, f.not_found, f.refused,
  f.throttled, f.failed, f.connection_errors, f.in_flight, f.retries,
  f.records, f.cache_hits, f.bytes, f.connections, f.wait_seconds, f.throttled_seconds,
  f.stats_reset
FROM opportunity_fdw_stats() f
JOIN pg_catalog.pg_foreign_server s ON s.oid = f.serverid;

COMMENT ON VIEW opportunity_fdw_stats IS
  'API requests of this session, by server';

GRANT SELECT ON opportunity_fdw_stats TO PUBLIC;

CREATE FUNCTION opportunity_fdw_stats_reset()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION opportunity_fdw_stats_reset() IS
  'resets the statistics of this session';

CREATE FUNCTION opportunity_fdw_check(
  server name,
  OUT step text,
  OUT ok boolean,
  OUT milliseconds numeric,
  OUT detail text,
  OUT hint text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE ROWS 11;

COMMENT ON FUNCTION opportunity_fdw_check(name) IS
  'tests a server for the current user, step by step, with at most five API requests';

CREATE FUNCTION opportunity_fdw_attributes(
  server name,
  record_type text DEFAULT 'opportunity',
  OUT attribute text,
  OUT value_type text,
  OUT is_array boolean,
  OUT is_custom boolean,
  OUT is_sortable boolean,
  OUT filter_operators text[],
  OUT display_name text,
  OUT description text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 50;

COMMENT ON FUNCTION opportunity_fdw_attributes(name, text) IS
  'attributes of a record type in the live schema of the API';

CREATE FUNCTION opportunity_fdw_columns(
  foreign_table regclass,
  OUT attribute text,
  OUT value_type text,
  OUT is_array boolean,
  OUT has_keys boolean,
  OUT attribute_option text,
  OUT column_name name,
  OUT column_type text,
  OUT definition text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 50;

COMMENT ON FUNCTION opportunity_fdw_columns(regclass) IS
  'columns that an import would make for a foreign table, from the live schema of the API';

-- You can write a table by hand. Therefore a column's name makes no difference, nor
-- does its type as long as it fits: "fit" has the types that can replace a type of an
-- import. A type that replaces none of them was chosen deliberately, so it fits.
-- The search_path is the caller's, because the details show types.
CREATE FUNCTION opportunity_fdw_drift(
  foreign_table regclass,
  OUT change text,
  OUT attribute text,
  OUT column_name name,
  OUT detail text,
  OUT ddl text)
RETURNS SETOF record
LANGUAGE plpgsql STRICT VOLATILE PARALLEL RESTRICTED
AS $$
#variable_conflict use_column
DECLARE
  columns jsonb;
BEGIN
  EXECUTE pg_catalog.format('SELECT jsonb_agg(f) FROM %I.opportunity_fdw_columns($1) WITH ORDINALITY f',
    (SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'opportunity_fdw'))
  INTO columns USING foreign_table;

  RETURN QUERY
  WITH RECURSIVE imported AS (
    SELECT *, format('%svalue type %s', CASE WHEN is_array THEN 'list of ' END, value_type) AS described,
      replace(column_type, '[]', '') AS element
    FROM jsonb_to_recordset(columns) AS f (attribute text, value_type text, is_array boolean, has_keys boolean,
      attribute_option text, column_name name, column_type text, definition text, ordinality bigint)
  ), base (attnum, is_array, typeid) AS (
    SELECT attnum, false, atttypid FROM pg_catalog.pg_attribute
    WHERE attrelid = foreign_table AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
  UNION ALL
    SELECT attnum, is_array OR typtype <> 'd', CASE typtype WHEN 'd' THEN typbasetype ELSE typelem END
    FROM base JOIN pg_catalog.pg_type ON oid = typeid
    WHERE typtype = 'd' OR (typcategory = 'A' AND typelem <> 0)
  ), fit AS (
    SELECT t.oid AS typeid, f.element
    FROM pg_catalog.pg_type t JOIN (VALUES ('text', '[SE]', '{}'), ('numeric', 'N', '{}'), ('integer', 'N', '{}'),
      ('boolean', 'B', '{}'), ('uuid', '!', '{uuid}'), ('date', '!', '{date,timestamp}'), ('time', '!', '{time,timetz}'),
      ('timestamptz', '!', '{timestamptz,timestamp,date}')) f (element, category, types)
      ON t.typcategory::text ~ f.category OR t.typname = ANY (f.types::text[]) AND t.typnamespace = 'pg_catalog'::regnamespace
  ), shown AS (
    SELECT a.attnum, a.attname, a.attinhcount > 0 AS is_inherited, format_type(a.atttypid, NULL) AS type,
      b.is_array, b.typeid, t.typname IN ('json', 'jsonb') AS is_json, o.path, p.attribute,
      CASE WHEN i.attribute IS NOT NULL THEN CASE WHEN o.path <> p.attribute AND NOT has_keys THEN described || ' has no keys' END
        WHEN p.attribute NOT IN ('id', 'created_at', 'updated_at') THEN 'the API has no such attribute' END AS problem
    FROM pg_catalog.pg_attribute a
    JOIN base b ON b.attnum = a.attnum
    JOIN pg_catalog.pg_type t ON t.oid = b.typeid AND t.typtype <> 'd' AND (t.typcategory <> 'A' OR t.typelem = 0)
    CROSS JOIN LATERAL (SELECT coalesce((SELECT option_value FROM pg_catalog.pg_options_to_table(a.attfdwoptions)
      WHERE option_name = 'attribute'), a.attname)) o (path)
    CROSS JOIN LATERAL split_part(o.path, '.', 1) p (attribute)
    LEFT JOIN (SELECT DISTINCT attribute, has_keys, described FROM imported) i ON i.attribute = p.attribute
    WHERE a.attrelid = foreign_table AND o.path <> '*'
  ), differences (change, attribute, column_name, detail, action, place) AS (
    SELECT 'added', attribute, (array_agg(column_name ORDER BY ordinality))[1],
      format('no column shows this attribute (%s)', described),
      CASE WHEN NOT relispartition THEN string_agg('ADD COLUMN ' || definition, ', ' ORDER BY ordinality) END, min(ordinality) - 1e6
    FROM imported i JOIN pg_catalog.pg_class ON oid = foreign_table
    WHERE NOT EXISTS (SELECT FROM shown s WHERE s.attribute = i.attribute AND problem IS NULL)
    GROUP BY attribute, described, relispartition
  UNION ALL
    SELECT 'removed', path, attname, problem, CASE WHEN NOT is_inherited THEN format('DROP COLUMN %I', attname) END, attnum
    FROM shown WHERE problem IS NOT NULL
  UNION ALL
    SELECT 'type', path, attname,
      format('column type is %s; %s is imported as %s', type, min(described), string_agg(column_type, ' or ' ORDER BY ordinality)),
      CASE WHEN NOT is_inherited THEN format('ALTER COLUMN %I TYPE %s', attname,
        (array_agg(column_type ORDER BY is_json OR fits DESC, ordinality))[1]) END, attnum
    FROM shown s
    JOIN imported i ON i.attribute_option = path
    CROSS JOIN LATERAL (SELECT coalesce(bool_or(f.element = i.element), i.element <> 'jsonb') FROM fit f WHERE f.typeid = s.typeid) f (fits)
    WHERE problem IS NULL
    GROUP BY path, attname, type, is_inherited, attnum
    HAVING NOT bool_or(CASE WHEN is_json AND NOT s.is_array THEN true ELSE (is_json OR fits) AND s.is_array = i.is_array END)
  )
  SELECT change, attribute, column_name, detail, format('ALTER FOREIGN TABLE %I.%I ', nspname, relname) || action || ';'
  FROM differences
  JOIN pg_catalog.pg_class c ON c.oid = foreign_table
  JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
  ORDER BY place;
END
$$;

COMMENT ON FUNCTION opportunity_fdw_drift(regclass) IS
  'differences between a foreign table and the live schema of the API';

-- A comment is "Display name (part): description". The part is the key of the
-- option "attribute", or id for the id of a select or a stage. The extension can
-- move to another schema, so pg_extension says where its functions are.
CREATE FUNCTION opportunity_fdw_comment_columns(foreign_table regclass)
RETURNS void
LANGUAGE plpgsql STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  command text;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_foreign_table WHERE ftrelid = foreign_table) THEN
    RAISE EXCEPTION '"%" is not a foreign table', foreign_table
      USING ERRCODE = 'wrong_object_type';
  ELSIF NOT (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = foreign_table) THEN
    RAISE EXCEPTION 'must be owner of foreign table %', foreign_table
      USING ERRCODE = 'insufficient_privilege';
  ELSIF current_setting('transaction_read_only')::boolean THEN
    RAISE EXCEPTION 'cannot execute opportunity_fdw_comment_columns() in a read-only transaction'
      USING ERRCODE = 'read_only_sql_transaction';
  END IF;

  FOR command IN EXECUTE format($query$
    SELECT format('COMMENT ON COLUMN %%s.%%I IS %%L', c.attrelid::regclass, c.attname, n.comment)
    FROM pg_foreign_table t
    JOIN pg_foreign_server s ON s.oid = t.ftserver
    CROSS JOIN LATERAL %I.opportunity_fdw_attributes(s.srvname, coalesce(
      (SELECT option_value FROM pg_options_to_table(t.ftoptions) WHERE option_name = 'record_type'),
      'opportunity')) a
    JOIN pg_attribute c ON c.attrelid = t.ftrelid AND c.attnum > 0
      AND NOT c.attisdropped AND c.attgenerated = ''
    LEFT JOIN pg_options_to_table(c.attfdwoptions) o ON o.option_name = 'attribute'
    CROSS JOIN LATERAL regexp_match(coalesce(o.option_value, c.attname), '^([^.]*)([.](.*))?$') p (path)
    CROSS JOIN LATERAL coalesce(p.path[3], CASE
      WHEN c.atttypid IN ('uuid'::regtype, 'uuid[]'::regtype)
        AND a.value_type ~ '^(select|(opportunity|account|contact)_stage)$' THEN 'id' END) k (part)
    CROSS JOIN LATERAL concat_ws(': ',
      coalesce(nullif(a.display_name, ''), CASE WHEN k.part <> '' THEN a.attribute END)
        || coalesce(' (' || k.part || ')', ''),
      nullif(a.description, '')) n (comment)
    WHERE t.ftrelid = $1 AND a.attribute = p.path[1]
      AND coalesce(nullif(a.display_name, ''), a.description) <> ''
      AND n.comment IS DISTINCT FROM col_description(c.attrelid, c.attnum)
    ORDER BY c.attnum
  $query$, (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
            WHERE e.extname = 'opportunity_fdw'))
  USING foreign_table LOOP
    EXECUTE command;
  END LOOP;
END
$$;

COMMENT ON FUNCTION opportunity_fdw_comment_columns(regclass) IS
  'writes the names and descriptions of attributes in the live schema as comments on columns';
