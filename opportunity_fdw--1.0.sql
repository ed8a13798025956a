/* opportunity_fdw--1.0.sql */

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
