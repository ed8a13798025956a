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
  'versions of the extension and of what it is built on, for bug reports';

CREATE FUNCTION opportunity_fdw_disconnect()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION opportunity_fdw_disconnect() IS
  'closes the connections that this session keeps to the API';

CREATE FUNCTION opportunity_fdw_clear_cache()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION opportunity_fdw_clear_cache() IS
  'forgets the records that this session keeps from statement to statement';

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
  OUT broken bigint,
  OUT unanswered bigint,
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
  'what this session has spent on each server';

CREATE VIEW opportunity_fdw_stats AS
SELECT s.srvname AS server, f.requests, f.record_requests, f.query_requests,
  f.schema_requests, f.health_requests, f.succeeded, f.not_found, f.refused,
  f.throttled, f.failed, f.broken, f.unanswered, f.retries, f.records,
  f.cache_hits, f.bytes, f.connections, f.wait_seconds, f.throttled_seconds,
  f.stats_reset
FROM opportunity_fdw_stats() f
JOIN pg_catalog.pg_foreign_server s ON s.oid = f.serverid;

COMMENT ON VIEW opportunity_fdw_stats IS
  'what this session has spent on each server';

GRANT SELECT ON opportunity_fdw_stats TO PUBLIC;

CREATE FUNCTION opportunity_fdw_stats_reset()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION opportunity_fdw_stats_reset() IS
  'sets what this session has spent to zero';

CREATE FUNCTION opportunity_fdw_progress(
  OUT pid integer,
  OUT datid oid,
  OUT usesysid oid,
  OUT relid oid,
  OUT started_at timestamptz,
  OUT planned_records double precision,
  OUT records bigint,
  OUT pages bigint,
  OUT requests bigint,
  OUT bytes bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION opportunity_fdw_progress() IS
  'how far the running scans of all sessions are (PostgreSQL 17)';

CREATE VIEW opportunity_fdw_progress AS
SELECT p.pid, p.datid, d.datname, p.usesysid, r.rolname AS usename, p.relid,
  p.started_at, p.planned_records, p.records, p.pages, p.requests, p.bytes
FROM opportunity_fdw_progress() p
LEFT JOIN pg_catalog.pg_database d ON d.oid = p.datid
LEFT JOIN pg_catalog.pg_roles r ON r.oid = p.usesysid;

COMMENT ON VIEW opportunity_fdw_progress IS
  'how far the running scans of all sessions are (PostgreSQL 17)';

GRANT SELECT ON opportunity_fdw_progress TO PUBLIC;

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
  'what works of a server for the current user, step by step, with at most five requests';

CREATE FUNCTION opportunity_fdw_drift(
  foreign_table regclass,
  OUT change text,
  OUT attribute text,
  OUT column_name name,
  OUT detail text,
  OUT mend text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION opportunity_fdw_drift(regclass) IS
  'what differs between a foreign table and the attributes that the API has';

CREATE FUNCTION opportunity_fdw_describe(foreign_table regclass)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION opportunity_fdw_describe(regclass) IS
  'comments on the columns of a foreign table with what the API says of them';
