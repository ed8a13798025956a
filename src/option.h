/*-------------------------------------------------------------------------
 *
 * option.h
 *	  The options of servers, tables, columns, user mappings and imports.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_OPTION_H
#define OPPORTUNITY_OPTION_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"

#define OPTION_DEFAULT_RECORD_TYPE "opportunity"

/* What becomes of a value that does not fit its column. */
typedef enum InvalidValue
{
	INVALID_VALUE_ERROR,
	INVALID_VALUE_NULL
} InvalidValue;

/*
 * What the options of a foreign table and of its server come to; every string
 * is palloc'd.  Times are in seconds.
 */
typedef struct Settings
{
	Oid relid;
	Oid serverid;

	/* where the API is and how to reach it */
	char  *base_url; /* without a trailing slash */
	bool   allow_http;
	char  *proxy;	/* NULL: none */
	char  *ca_file; /* NULL: the system's trust store */
	double connect_timeout;
	double request_timeout;
	int	   max_retries;
	double max_retry_wait;
	int	   max_response_size; /* MB, after decompression */

	/* what a statement may spend */
	int max_requests; /* 0: no limit */
	int max_concurrency;
	int page_size;
	int cache_ttl;

	/* what is read */
	char *record_type;
	bool  use_query;
	bool  query_returns_archived;
	bool  include_archived;
	int	  invalid_value; /* InvalidValue */

	/* for the planner */
	double fdw_startup_cost;
	double fdw_tuple_cost;
} Settings;

/* The options of one column. */
typedef struct ColumnSettings
{
	char *attribute;		/* NULL: the column's name */
	char *filter_operators; /* NULL: by the value type */
	bool  sortable;
	int	  invalid_value; /* InvalidValue */
} ColumnSettings;

/* The options of IMPORT FOREIGN SCHEMA. */
typedef struct ImportSettings
{
	bool discover;
} ImportSettings;

/* Who asks the API. */
typedef struct Credentials
{
	Oid	  umid;	   /* the user mapping, which connections belong to */
	char *api_key; /* NULL: none, and no Authorization header */
} Credentials;

extern Settings		  *settings_read(Oid relid);
extern bool			   settings_trust_query(const Settings *settings);
extern ColumnSettings *column_settings_read(const Settings *table,
											AttrNumber		attnum);
extern ImportSettings *import_settings_read(List *options);
extern Credentials	  *credentials_read(const Settings *settings, Oid userid);

#endif /* OPPORTUNITY_OPTION_H */
