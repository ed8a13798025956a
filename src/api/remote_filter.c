/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * remote_filter.c
 *	  Filters of the API's queries, and the features of queries that they use.
 *
 * The features of a filter are a chain whose members never change, so filters
 * can share the rest of a chain.
 *
 * Must not know SQL, and makes no requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/json.h"

#include "api/remote_filter.h"

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
