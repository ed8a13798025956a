/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_schema.h
 *	  GET /api/v2/_schema/{record_type}: the attributes of records.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_SCHEMA_H
#define OPPORTUNITY_API_SCHEMA_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "api/api.h"

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
extern char			*api_json_library_version(void);

#endif /* OPPORTUNITY_API_SCHEMA_H */
