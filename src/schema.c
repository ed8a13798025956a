/*-------------------------------------------------------------------------
 *
 * schema.c
 *	  The live schema of a type of records, for commands and functions that
 *	  belong to no scan.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "schema.h"

/*
 * The attributes of a table's records, as the current user may read them: a list
 * of SchemaAttributes in the current context.  Makes one request, which is added
 * to those of its statement.  Raises the errors of api_read_schema.
 */
List *
schema_read(const Settings *settings, int64 *request_total)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw schema", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	HttpBudget	  budget = {0};
	Credentials	 *credentials = credentials_read(settings, GetUserId());
	Api			 *api = api_open(settings, credentials, NULL);
	List		 *attributes;

	budget.limit = settings->max_requests;
	budget.total = request_total;
	MemoryContextSwitchTo(old_context);
	attributes = api_read_schema(api, &budget);
	MemoryContextDelete(context);
	return attributes;
}
