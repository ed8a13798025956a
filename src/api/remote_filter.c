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
 * The features of a filter are a chain whose members never change, so filters
 * can share the rest of a chain.
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

/* Features of queries that the API may refuse. */
const RemoteUse created_at_sort = {"created_at", REMOTE_SORT, NULL};
const RemoteUse created_at_from = {"created_at", OPERATOR_GTE, NULL};
const RemoteUse created_at_absence = {"created_at", OPERATOR_NOT_EXISTS, NULL};

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
	filter->uses = remote_uses_add(NULL, field, operation);
	return filter;
}

/*
 * Returns the features with another one, which is allocated in the current
 * context unless they have it.  Keeps a reference to the field's name.
 */
const RemoteUse *
remote_uses_add(const RemoteUse *uses, const char *field, int operation)
{
	RemoteUse *added;

	for (const RemoteUse *use = uses; use != NULL; use = use->next)
	{
		if (use->operation == operation && strcmp(use->field, field) == 0)
			return uses;
	}
	added = palloc(sizeof(RemoteUse));
	added->field = field;
	added->operation = operation;
	added->next = uses;
	return added;
}

/* Returns true if both have the same features in the same order. */
bool
remote_uses_equal(const RemoteUse *a, const RemoteUse *b)
{
	while (a != NULL && b != NULL && a->operation == b->operation &&
		   strcmp(a->field, b->field) == 0)
	{
		a = a->next;
		b = b->next;
	}
	return a == NULL && b == NULL;
}

/* Returns a copy in the current context, including the names of the fields. */
const RemoteUse *
remote_uses_copy(const RemoteUse *uses)
{
	return uses == NULL
			   ? NULL
			   : remote_uses_add(remote_uses_copy(uses->next),
								 pstrdup(uses->field), uses->operation);
}

/*
 * Returns the fields and operators of a filter: "field operator", separated by
 * commas, in UTF-8 and palloc'd.
 */
char *
remote_uses_text(const RemoteUse *uses)
{
	char *text =
		psprintf("%s %s", uses->field, remote_operator_name(uses->operation));

	return uses->next == NULL
			   ? text
			   : psprintf("%s, %s", remote_uses_text(uses->next), text);
}

/* --- Filters by created_at --- */

/*
 * Returns true if a column's options permit to sort and filter by created_at.
 * A column of another attribute has no effect.
 */
bool
created_at_is_allowed(const ColumnSettings *column)
{
	if (!column_shows(column, "created_at"))
		return true;
	return column->sortable != TERNARY_FALSE &&
		   (column->filter_operators == NULL ||
			(remote_operators_read(column->filter_operators, NULL) &
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
