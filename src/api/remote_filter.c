/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * remote_filter.c
 *	  Filters of the API's queries, and the features of queries that they use.
 *
 * created_at never changes, so a table can be divided by it.  Its times are whole
 * seconds since PostgreSQL's epoch, so that an API which truncates timestamps
 * sorts the records on either side of a time in the same way.
 *
 * Must not know SQL, and makes no requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/json.h"

#include "api/remote_filter.h"
#include "base/iso8601.h"

/*
 * Returns the name of a feature, palloc'd: an operator on a field, or the sort by
 * it.
 */
char *
remote_use(const char *field, int operation)
{
	return psprintf("%s %s", field,
					operation == REMOTE_SORT ? "sort"
											 : remote_operator_name(operation));
}

/*
 * Returns a filter on one field, in the current context.  The value is JSON, or
 * NULL if the operator has none.
 */
RemoteFilter *
remote_filter_create(const char *field, RemoteOperator operation,
					 const char *value)
{
	RemoteFilter  *filter = palloc(sizeof(RemoteFilter));
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"field\":");
	escape_json(&json, field);
	appendStringInfo(&json, ",\"operator\":\"%s\"",
					 remote_operator_name(operation));
	if (value != NULL)
		appendStringInfo(&json, ",\"value\":%s", value);
	appendStringInfoChar(&json, '}');
	filter->json = json.data;
	filter->uses = remote_use(field, operation);
	return filter;
}

/*
 * Returns the features of two filters, each once and in their order, palloc'd.
 * uses may be NULL.
 */
char *
remote_uses_add(const char *uses, const char *added)
{
	char *all = uses == NULL ? NULL : pstrdup(uses);
	char *rest = pstrdup(added);
	char *use;

	while ((use = strsep(&rest, ",")) != NULL)
	{
		use += strspn(use, " ");
		if (all == NULL)
			all = use;
		else if (strstr(psprintf(", %s,", all), psprintf(", %s,", use)) == NULL)
			all = psprintf("%s, %s", all, use);
	}
	return all;
}

/* --- Filters by created_at --- */

/*
 * Returns true if a column's options permit to sort and filter by created_at.
 * A column of another attribute has no effect.
 */
bool
created_at_is_allowed(const ColumnSettings *column, const AttributePath *path)
{
	if (!attribute_path_is(path, "created_at"))
		return true;
	return column->sortable != TERNARY_FALSE &&
		   (column->filter_operators == NULL ||
			(remote_operators_read(column->filter_operators) &
			 OPERATOR_BIT(OPERATOR_GTE)) != 0);
}

/*
 * Returns the filters of records from a created_at on.  The text has the API's
 * form in UTF-8.
 */
List *
created_at_filters_at(const char *text)
{
	StringInfoData json;

	initStringInfo(&json);
	escape_json(&json, text);
	return list_make1(
		remote_filter_create("created_at", OPERATOR_GTE, json.data));
}

/*
 * Returns the filters of records from a second on (OPERATOR_GTE), which begin
 * CREATED_AT_MARGIN earlier, or before a second (OPERATOR_LT).  The list is in
 * the current context; NIL if ISO 8601 cannot represent the year.
 */
List *
created_at_filters(RemoteOperator operation, int64 seconds)
{
	char *time;

	if (operation == OPERATOR_GTE)
		seconds -= CREATED_AT_MARGIN;
	time = iso8601_write(seconds * USECS_PER_SEC);
	return time == NULL
			   ? NIL
			   : list_make1(remote_filter_create("created_at", operation,
												 psprintf("\"%s\"", time)));
}
