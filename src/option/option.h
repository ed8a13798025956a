/* SPDX-License-Identifier: PostgreSQL */
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

#include "catalog/pg_attribute.h"
#include "nodes/pg_list.h"

#include "option/attribute.h"

/* The treatment of a value that does not fit its column. */
typedef enum InvalidValue
{
	INVALID_VALUE_ERROR,
	INVALID_VALUE_NULL
} InvalidValue;

/* A boolean option whose default depends on something else. */
typedef enum Ternary
{
	TERNARY_UNSET,
	TERNARY_FALSE,
	TERNARY_TRUE
} Ternary;

/*
 * The settings of a foreign table: its options, then its server's, then defaults.
 * Each string is palloc'd.  Times are in seconds.
 */
typedef struct Settings
{
	Oid relid;
	Oid serverid;

	/* the API's address and the transport */
	char  *base_url; /* without a trailing slash */
	bool   allow_http;
	char  *proxy;	/* NULL: none */
	char  *ca_file; /* NULL: the system's trust store */
	double connect_timeout;
	double request_timeout;
	int	   max_retries;
	double max_retry_wait;
	int	   max_response_size; /* MB, after decompression */

	/* limits of a statement */
	int max_requests; /* 0: no limit */
	int max_concurrency;
	int page_size;
	int cache_ttl;

	/* the records to read */
	char *record_type;
	bool  use_query;
	bool  query_returns_archived;
	bool  include_archived;
	int	  invalid_value; /* InvalidValue */

	/* for the planner */
	double fdw_startup_cost;
	double fdw_tuple_cost;
} Settings;

/* The credentials of a request. */
typedef struct Credentials
{
	Oid	  umid;	   /* user mapping; each has its own connections */
	char *api_key; /* NULL: none, and no Authorization header */

	/* for the proxy, in UTF-8; NULL: none */
	char *proxy_user;
	char *proxy_password;
} Credentials;

extern Settings *settings_read(Oid relid);
extern Settings *settings_read_server(Oid serverid, const char *record_type);
extern bool		 settings_trust_query(const Settings *settings);
extern ColumnSettings *column_settings_read(const Settings	 *table,
											Form_pg_attribute attribute);
extern bool			   import_option_discover(List *options);
extern int remote_operators_read(const char *list, const char **unknown);
extern int remote_operator_find(const char *name);
extern const char  *remote_operator_name(RemoteOperator remote_operator);
extern Credentials *credentials_read(const Settings *settings, Oid userid);

#endif /* OPPORTUNITY_OPTION_H */
