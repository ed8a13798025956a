/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * option.h
 *	  The options of servers, tables, columns, user mappings and imports, and
 *	  the documented attributes and value types of the API.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_OPTION_H
#define OPPORTUNITY_OPTION_H

#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "nodes/pg_list.h"

#define OPTION_DEFAULT_RECORD_TYPE "opportunity"

/* The operators that the API documents for filters. */
typedef enum RemoteOperator
{
	OPERATOR_EQ,
	OPERATOR_NE,
	OPERATOR_IN,
	OPERATOR_NOT_IN,
	OPERATOR_CONTAINS,
	OPERATOR_STARTS_WITH,
	OPERATOR_ENDS_WITH,
	OPERATOR_GT,
	OPERATOR_GTE,
	OPERATOR_LT,
	OPERATOR_LTE,
	OPERATOR_BETWEEN,
	OPERATOR_EXISTS,
	OPERATOR_NOT_EXISTS
} RemoteOperator;

/* One operator in a set of them. */
#define OPERATOR_BIT(remote_operator) (1 << (remote_operator))

/* A value_type of the API, as its schema endpoint names it. */
typedef struct ValueType
{
	const char *name;
	const char *column_type; /* type of the column that IMPORT makes */
	const char *scalar_key;	 /* key of the scalar; NULL: the value itself */
	const char *uuid_key;	 /* key for a uuid column; NULL: scalar_key */
	bool		is_select;	 /* with a display value, a name and a color */
	int			operators;	 /* set of OPERATOR_BIT, to be pushed down */
	bool		is_sortable;
} ValueType;

/*
 * An attribute that the API documents, so that IMPORT works without a schema.
 */
typedef struct DocumentedAttribute
{
	const char *name;
	const char *value_type;
	bool		is_list;
} DocumentedAttribute;

/* The treatment of a value that does not fit its column. */
typedef enum InvalidValue
{
	INVALID_VALUE_ERROR,
	INVALID_VALUE_NULL
} InvalidValue;

/*
 * The settings of a foreign table: its options, then its server's, then
 * defaults.  Each string is palloc'd.  Times are in seconds.
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

/*
 * The options of one column, and what it shows: an attribute, one key of its
 * value, or the whole record.  Each string is palloc'd.
 */
typedef struct ColumnSettings
{
	char *attribute;		/* NULL: the column's name */
	int	  filter_operators; /* set of OPERATOR_BIT; -1: by the value type */
	int	  sortable;			/* true or false; -1: by the attribute */
	int	  invalid_value;	/* InvalidValue */

	bool  is_record; /* "*" */
	char *field;	 /* the attribute's name, in UTF-8 */
	char *key;		 /* in UTF-8; NULL: the whole value */
} ColumnSettings;

/* The credentials of a request. */
typedef struct Credentials
{
	Oid	  umid;	   /* user mapping; each has its own connections */
	char *api_key; /* NULL: none, and no Authorization header */

	/* for the proxy, in UTF-8; NULL: none */
	char *proxy_user;
	char *proxy_password;
} Credentials;

extern const DocumentedAttribute documented_attributes[];
extern const int				 documented_attribute_count;

extern const ValueType			 *value_type_find(const char *name);
extern const DocumentedAttribute *documented_attribute_find(
	const char *record_type, const char *name);
extern void column_set_field(ColumnSettings *column, const char *column_name);
extern bool column_shows(const ColumnSettings *column, const char *attribute);

extern Settings *settings_read(Oid relid);
extern Settings *settings_read_server(Oid serverid, const char *record_type);
extern bool		 settings_trust_query(const Settings *settings);
extern ColumnSettings *column_settings_read(const Settings	 *table,
											Form_pg_attribute attribute);
extern bool			   import_option_discover(List *options);
extern int			   remote_operator_find(const char *name);
extern const char	  *remote_operator_name(RemoteOperator remote_operator);
extern Credentials	  *credentials_read(const Settings *settings, Oid userid);

#endif /* OPPORTUNITY_OPTION_H */
