/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api.h
 *	  Endpoints of the Reevo API.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_H
#define OPPORTUNITY_API_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/uuid.h"

#include "api/record.h"
#include "http/http.h"
#include "option/option.h"

/* The API for one user and one record type. */
typedef struct Api Api;

extern Api *api_open(const Settings *settings, Credentials *credentials,
					 int64 *record_total);
extern HttpTransfer *api_get_record(Api *api, const pg_uuid_t *id,
									HttpBudget *budget);
extern bool			 api_finish_record(Api *api, HttpTransfer *transfer,
									   const pg_uuid_t *id, HttpBudget *budget,
									   const AttributeSet *wanted, Record **record);
extern bool		   api_try_record(const Api *api, const HttpTransfer *transfer,
								  const pg_uuid_t *id, const AttributeSet *wanted,
								  Record **record);
extern void		   api_count_hit(const Api *api);
extern const char *api_secret(const Api *api);
extern char		  *api_json_library_version(void);

extern HttpTransfer	   *api_ask_health(Api *api, HttpBudget *budget);
extern bool				api_finish_health(Api *api, HttpTransfer *transfer);
pg_noreturn extern void api_raise_unhealthy(const Api	 *api,
											HttpTransfer *transfer);

/* Result of a query. */
typedef enum QueryResult
{
	QUERY_PAGE,			  /* a page of records */
	QUERY_CURSOR_GONE,	  /* unknown or expired cursor */
	QUERY_REFUSED,		  /* unknown reason, possibly the query's size */
	QUERY_FILTER_REFUSED, /* unsupported field or operator of a filter */
	QUERY_VALUE_REFUSED,  /* unsupported value of a filter, or too many */
	QUERY_SORT_REFUSED,	  /* unsupported sort */
	QUERY_NOT_SUPPORTED	  /* no query endpoint */
} QueryResult;

/* One palloc'd filter of a query, in UTF-8. */
typedef struct RemoteFilter
{
	char *json; /* {"field": ...}, or a group */
	List *uses; /* distinct strings "field operator" */
} RemoteFilter;

/* A query for records. */
typedef struct ApiQuery
{
	List	   *filters; /* RemoteFilters, ANDed */
	const char *sort;	 /* field; NULL: unordered */
	bool		is_descending;
	int			limit; /* records per page */
} ApiQuery;

extern HttpTransfer *api_query_ids(Api *api, const pg_uuid_t **ids, int count,
								   HttpBudget *budget);
extern HttpTransfer *api_query_first(Api *api, const ApiQuery *query,
									 HttpBudget *budget);
extern HttpTransfer *api_query_next(Api *api, const char *cursor, int limit,
									HttpBudget *budget);
extern QueryResult	 api_finish_query(Api *api, HttpTransfer *transfer,
									  const AttributeSet *wanted,
									  RecordPage		**page);
extern bool			 api_try_page(const Api *api, const HttpTransfer *transfer,
								  const AttributeSet *wanted, RecordPage **page);
extern bool			 api_is_misfit(const HttpTransfer *transfer,
								   const AttributeSet *wanted);
extern bool api_is_denial(const Api *api, const HttpTransfer *transfer);
pg_noreturn extern void api_raise_refusal(const Api	   *api,
										  HttpTransfer *transfer);
extern bool api_is_doubtful_end(const Api *api, const RecordPage *page,
								int64 received, int limit);
extern bool api_is_like_cap(const RecordPage *page, int64 received, int limit);

/* Facts that the session has learned about the API: see api_facts.c. */
extern int	 api_values_at_once(const Api *api, const char *field);
extern void	 api_limit_values(Api *api, const char *field, int limit);
extern void	 api_note_accepted_ids(Api *api);
extern void	 api_note_bad_id(Api *api, const pg_uuid_t *id);
extern bool	 api_is_bad_id(const Api *api, const pg_uuid_t *id);
extern int	 api_page_size(const Api *api, int wanted);
extern void	 api_limit_page_size(Api *api, int limit);
extern void	 api_note_refusal(Api *api, const char *what);
extern bool	 api_refuses(const Api *api, const char *what);
extern List *api_refusals(const Api *api);
extern void	 api_note_false_doubt(Api *api);
extern bool	 api_counts_are_false(const Api *api);
extern bool	 api_warns_of_cap(Api *api);
extern void	 api_suspect(Api *api, const char *what);
extern void	 api_note_accepted(Api *api, const char *what);

/* A refused query whose filter values are being sent again in two halves. */
typedef struct RefusedQuery
{
	int size; /* number of values */
	int accepted_halves;
} RefusedQuery;

extern void api_note_half(Api *api, const char *field, RefusedQuery *whole);

/* The field of record ids. */
#define ID_FIELD "id"

/* An attribute in the API's schema, in UTF-8. */
typedef struct SchemaAttribute
{
	char *name;
	char *display_name; /* NULL: none */
	char *description;	/* NULL: none */
	char *value_type;
	bool  is_list;
	bool  is_custom;
	bool  is_sortable;
	List *operators; /* names of filter operators */
} SchemaAttribute;

extern HttpTransfer *api_ask_schema(Api *api, HttpBudget *budget);
extern List			*api_finish_schema(const Api *api, HttpTransfer *transfer,
									   bool for_import);
extern List *api_read_schema(Api *api, HttpBudget *budget, bool for_import);

/* For callers that wait for several things: see http.h. */
extern int	api_wait_fd(const Api *api);
extern void api_prepare_wait(const Api *api);
extern void api_take_in(const Api *api);
extern int	api_delayed(const Api *api);

#define API_HEALTH_PATH "/api/v2/health"
#define API_RECORD_PATH "/api/v2/%s/%s"
#define API_QUERY_PATH "/api/v2/%s/_query"
#define API_SCHEMA_PATH "/api/v2/_schema/%s"

#endif /* OPPORTUNITY_API_H */
