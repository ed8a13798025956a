/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_facts.c
 *	  Filters of the API's queries, the features and sizes of queries, and the
 *	  facts about them that a session has learned.
 *
 * The facts are features and sizes that the API refuses, per user mapping and
 * record type.  connection.c clears them after FACTS_LIFETIME.  Size limits
 * expire sooner, so that sizes can grow again.
 *
 * Must not know SQL, and makes no requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/value.h"
#include "utils/json.h"

#include "api/api_facts.h"
#include "base/iso8601.h"

/*
 * Time in microseconds for which a size limit is kept.  The cause may have been
 * temporary, such as a timeout of a gateway under load.
 */
#define SIZE_LIFETIME (60 * (int64) 1000000)

/* Successive refusals after which features count as refused for any value. */
#define TELLING_REFUSALS 3

/* The refusals of features that are used together, or of their size. */
typedef struct KnownRefusal
{
	const RemoteUse *uses;
	int				 count; /* see TELLING_REFUSALS */
	int	  limit; /* values of a filter, or records of a page; 0: unlimited */
	int64 since; /* time at which the limit was set, by http_now */
} KnownRefusal;

const RemoteUse created_at_sort = {"created_at", REMOTE_SORT, NULL};
const RemoteUse created_at_from = {"created_at", OPERATOR_GTE, NULL};
const RemoteUse created_at_absence = {"created_at", OPERATOR_NOT_EXISTS, NULL};

/* --- Filters and their features --- */

/*
 * Returns a text in UTF-8 as a JSON string, palloc'd.  escape_json examines
 * single bytes, so the server's encoding does not matter.
 */
char *
json_quote(const char *text)
{
	StringInfoData json;

	initStringInfo(&json);
	escape_json(&json, text);
	return json.data;
}

/* Returns a JSON array of the Strings of JSON from one index up to another. */
char *
json_list(const List *elements, int from, int to)
{
	StringInfoData json;

	initStringInfo(&json);
	for (int i = from; i < to; i++)
		appendStringInfo(&json, "%c%s", i > from ? ',' : '[',
						 strVal(list_nth(elements, i)));
	appendStringInfoChar(&json, ']');
	return json.data;
}

/*
 * Returns a filter on one field, in the current context.  The value is JSON, or
 * NULL if the operator has none.
 */
RemoteFilter *
remote_filter_create(const char *field, RemoteOperator operation,
					 const char *value)
{
	RemoteFilter  *filter = palloc0(sizeof(RemoteFilter));
	RemoteUse	   use = {field, operation, NULL};
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"field\":%s,\"operator\":\"%s\"",
					 json_quote(field), remote_operator_name(operation));
	if (value != NULL)
		appendStringInfo(&json, ",\"value\":%s", value);
	appendStringInfoChar(&json, '}');
	filter->json = filter->text = json.data;
	filter->uses = remote_uses_unite(NULL, &use);
	return filter;
}

static bool
is_same_use(const RemoteUse *a, const RemoteUse *b)
{
	return a->operation == b->operation && strcmp(a->field, b->field) == 0;
}

/* Returns true if both have the same features in the same order. */
static bool
are_same_uses(const RemoteUse *a, const RemoteUse *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return is_same_use(a, b) && are_same_uses(a->next, b->next);
}

/*
 * Returns the features, preceded by copies of others that they lack, in the
 * current context.  The result ends with uses itself, which never changes.
 * With uses NULL, it is a copy of others in their order.
 */
const RemoteUse *
remote_uses_unite(const RemoteUse *uses, const RemoteUse *others)
{
	RemoteUse *added;

	if (others == NULL)
		return uses;
	uses = remote_uses_unite(uses, others->next);
	for (const RemoteUse *use = uses; use != NULL; use = use->next)
	{
		if (is_same_use(use, others))
			return uses;
	}
	added = palloc(sizeof(RemoteUse));
	added->field = pstrdup(others->field);
	added->operation = others->operation;
	added->next = uses;
	return added;
}

/* Returns the features of a filter: "field operator, ...", in UTF-8. */
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
 * A column of another attribute has no effect.  created_at never changes, so
 * that a table can be divided by it.
 */
bool
created_at_is_allowed(const ColumnSettings *column)
{
	if (!column_shows(column, "created_at"))
		return true;
	return column->sortable != 0 &&
		   (column->filter_operators & OPERATOR_BIT(OPERATOR_GTE)) != 0;
}

/*
 * Returns the filters of records before a second since PostgreSQL's epoch
 * (OPERATOR_LT), or from CREATED_AT_MARGIN before it on (OPERATOR_GTE); or NIL
 * if ISO 8601 cannot represent the year.
 *
 * The times are whole seconds, so that an API which truncates timestamps sorts
 * the records on either side of a time in the same way.
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

/* --- Facts --- */

/*
 * Returns the facts about an Api's record type, which live until the
 * connection clears its facts, and that is not while it is in use.
 */
ApiFacts *
api_facts(const Api *api)
{
	Connection	 *connection = api->connection;
	MemoryContext old_context;
	ApiFacts	 *facts;
	ListCell	 *cell;

	foreach(cell, connection->facts)
	{
		facts = lfirst(cell);
		if (strcmp(facts->record_type, api->settings->record_type) == 0)
			return facts;
	}
	old_context = MemoryContextSwitchTo(connection->facts_context);
	facts = palloc0(sizeof(ApiFacts));
	facts->record_type = pstrdup(api->settings->record_type);
	connection->facts = lappend(connection->facts, facts);
	MemoryContextSwitchTo(old_context);
	return facts;
}

/*
 * Returns what is known of features that are used together.  If nothing is,
 * returns NULL, or a new entry if create is true.
 */
static KnownRefusal *
find_refusal(const Api *api, const RemoteUse *uses, bool create)
{
	ApiFacts	 *facts = api_facts(api);
	KnownRefusal *refusal;
	MemoryContext old_context;
	ListCell	 *cell;

	foreach(cell, facts->refusals)
	{
		refusal = lfirst(cell);
		if (are_same_uses(refusal->uses, uses))
			return refusal;
	}
	if (!create)
		return NULL;
	old_context = MemoryContextSwitchTo(api->connection->facts_context);
	refusal = palloc0(sizeof(KnownRefusal));
	refusal->uses = remote_uses_unite(NULL, uses);
	facts->refusals = lappend(facts->refusals, refusal);
	MemoryContextSwitchTo(old_context);
	return refusal;
}

/* Returns true if the API is known to refuse features that are used together. */
bool
api_refuses(const Api *api, const RemoteUse *uses)
{
	const KnownRefusal *refusal = find_refusal(api, uses, false);

	return refusal != NULL && refusal->count >= TELLING_REFUSALS;
}

/*
 * Returns true if the API is known to reject sorting by created_at or filtering
 * from a time on or, if or_its_absence, for records without created_at.
 */
bool
created_at_is_refused(const Api *api, bool or_its_absence)
{
	return api_refuses(api, &created_at_sort) ||
		   api_refuses(api, &created_at_from) ||
		   (or_its_absence && api_refuses(api, &created_at_absence));
}

/*
 * Notes the refusal of a query because of these features.  A refusal without a
 * reason may have been caused by the value, so it counts only after
 * TELLING_REFUSALS in succession.  A refusal of the value has no effect.
 */
void
api_note_refusal(Api *api, const RemoteUse *uses, QueryResult result)
{
	if (result == QUERY_SORT_REFUSED || result == QUERY_FILTER_REFUSED)
		find_refusal(api, uses, true)->count = TELLING_REFUSALS;
	else if (result == QUERY_REFUSED)
		find_refusal(api, uses, true)->count++;
}

/*
 * Notes that the API accepted features, so that earlier refusals without a
 * reason were due to their values.  A refusal with a reason remains.
 */
void
api_note_accepted(Api *api, const RemoteUse *uses)
{
	KnownRefusal *refusal = find_refusal(api, uses, false);

	if (refusal != NULL && refusal->count < TELLING_REFUSALS)
		refusal->count = 0;
}

/* --- Sizes that the API refuses --- */

/*
 * Returns the maximum number of values in one filter of a field, or for
 * PAGE_FIELD of records in a page; 0: not known, or known for too long.
 */
int
api_values_at_once(const Api *api, const char *field)
{
	RemoteUse			use = {field, OPERATOR_IN, NULL};
	const KnownRefusal *refusal = find_refusal(api, &use, false);

	return refusal == NULL || http_now() - refusal->since > SIZE_LIFETIME
			   ? 0
			   : refusal->limit;
}

/* Limits the number of values in one filter of a field; never raises a limit. */
void
api_limit_values(const Api *api, const char *field, int limit)
{
	RemoteUse	  use = {field, OPERATOR_IN, NULL};
	int			  known = api_values_at_once(api, field);
	KnownRefusal *refusal;

	if (known != 0 && known <= limit)
		return;
	refusal = find_refusal(api, &use, true);
	refusal->limit = limit;
	refusal->since = http_now();
}

/* --- Ids that the API refuses --- */

/*
 * Notes an id for which the API refuses a query, so that it is fetched with
 * GET.  After two of them and no accepted query, queries by ids count as
 * unsupported.
 */
void
api_note_bad_id(Api *api, const pg_uuid_t *id)
{
	ApiFacts	 *facts = api_facts(api);
	MemoryContext old_context;

	if (facts->bad_ids == NULL)
	{
		old_context = MemoryContextSwitchTo(api->connection->facts_context);
		facts->bad_ids = seen_set_create();
		MemoryContextSwitchTo(old_context);
	}
	if (seen_set_add(facts->bad_ids, id) && ++facts->bad_id_total > 1 &&
		!facts->takes_ids)
		api_limit_values(api, ID_FIELD, 1);
}
