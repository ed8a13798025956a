/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_records.h
 *	  The endpoints for records: one by its id, pages of a query, health, and
 *	  the schema.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_RECORDS_H
#define OPPORTUNITY_API_RECORDS_H

#include "postgres.h"

#include "api/api_facts.h"

/* Doubt whether the last page of a query ends its records. */
typedef enum EndDoubt
{
	DOUBT_NONE,
	DOUBT_COUNTS, /* the API announces more records, or the page is empty */
	DOUBT_CAP	  /* the API may limit the number of a query's records */
} EndDoubt;

/* A query for records.  All members must live until its last page is read. */
typedef struct ApiQuery
{
	List	   *filters; /* RemoteFilters, ANDed */
	const char *sort;	 /* field, in UTF-8; NULL: unordered */
	bool		is_descending;
	int			limit; /* records per page */
} ApiQuery;

/* An attribute in the API's schema, in UTF-8. */
typedef struct SchemaAttribute
{
	char *name;
	char *display_name; /* NULL: none */
	char *description;	/* NULL: none */
	char *value_type;	/* may be unknown to value_type_find */
	bool  is_list;
	bool  is_custom;
	bool  is_sortable;
	List *operators; /* names of filter operators; NIL: not filterable */
} SchemaAttribute;

extern HttpTransfer *api_start_query(Api *api, const ApiQuery *query,
									 const char *cursor, HttpBudget *budget);
extern QueryResult	 api_finish_query(Api *api, HttpTransfer *transfer,
									  const AttributeSet *wanted,
									  RecordPage		**page);
extern bool			 api_try_page(const Api *api, const HttpTransfer *transfer,
								  const AttributeSet *wanted, RecordPage **page);
extern bool			 api_is_unusable_page(const HttpTransfer *transfer,
										  const AttributeSet *wanted);
extern bool			 api_is_denial(const Api *api, HttpTransfer *transfer);
pg_noreturn extern void api_raise_refusal(const Api	   *api,
										  HttpTransfer *transfer);
extern EndDoubt			api_doubt_end(const Api *api, const RecordPage *page,
									  int64 received, int limit);
extern void				api_note_end(const Api *api, EndDoubt doubt);

extern HttpTransfer *api_get_record(Api *api, const pg_uuid_t *id,
									HttpBudget *budget);
extern bool			 api_finish_record(Api *api, HttpTransfer *transfer,
									   const pg_uuid_t *id, HttpBudget *budget,
									   const AttributeSet *wanted, Record **record);
extern bool			 api_try_record(const Api *api, HttpTransfer *transfer,
									const pg_uuid_t *id, const AttributeSet *wanted,
									Record **record);

extern HttpTransfer	   *api_ask_health(Api *api, HttpBudget *budget);
extern bool				api_finish_health(Api *api, HttpTransfer *transfer);
pg_noreturn extern void api_raise_unhealthy(const Api	 *api,
											HttpTransfer *transfer);

extern HttpTransfer *api_ask_schema(Api *api, HttpBudget *budget);
extern List			*api_finish_schema(const Api *api, HttpTransfer *transfer,
									   bool for_import);
extern char			*api_json_library_version(void);

#endif /* OPPORTUNITY_API_RECORDS_H */
