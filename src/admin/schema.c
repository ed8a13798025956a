/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * schema.c
 *	  The API's schema of a record type, for commands and functions that do
 *	  not scan a table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "admin/schema.h"

/*
 * Returns the attributes of a table's records, which the current user may read:
 * a list of SchemaAttributes in the current context.  Makes one request, and
 * adds it to *request_total.  Raises the errors of api_read_schema.
 */
List *
schema_read(const Settings *settings, int64 *request_total, bool for_import)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw schema", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	HttpBudget	 *budget = palloc0(sizeof(HttpBudget));
	Credentials	 *credentials = credentials_read(settings, GetUserId());
	Api			 *api = api_open(settings, credentials, NULL);
	List		 *attributes;

	/* The transfer points to both, and may outlive this function's frame. */
	budget->limit = settings->max_requests;
	budget->total = palloc(sizeof(int64));
	*budget->total = *request_total;
	MemoryContextSwitchTo(old_context);
	attributes = api_read_schema(api, budget, for_import);
	*request_total = *budget->total;
	MemoryContextDelete(context);
	return attributes;
}

/*
 * Returns the attribute with a name, in UTF-8, from a list of SchemaAttributes;
 * or NULL.
 */
const SchemaAttribute *
schema_find(List *attributes, const char *name)
{
	ListCell *cell;

	foreach(cell, attributes)
	{
		const SchemaAttribute *attribute = lfirst(cell);

		if (strcmp(attribute->name, name) == 0)
			return attribute;
	}
	return NULL;
}

/* Returns a string of the schema in the database's encoding, palloc'd. */
char *
schema_text(const char *text)
{
	return pstrdup(pg_any_to_server(text, strlen(text), PG_UTF8));
}
