/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_facts.c
 *	  Facts that a session has learned about the API.
 *
 * These are size limits of queries, and features that the API refuses, per user
 * mapping and record type.  Each fact is derived from responses, and
 * connection.c clears them after FACTS_LIFETIME.  Size limits expire sooner, so
 * that sizes can grow again.
 *
 * Must not know SQL, and makes no requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api_facts.h"

/* Time in microseconds for which a size limit is kept. */
#define SIZE_LIFETIME (60 * (int64) 1000000)

/*
 * Number of refusals in succession after which a use of filters counts as
 * unsupported, regardless of the value.
 */
#define TELLING_REFUSALS 3

/* Maximum number of ids known to be refused; the oldest is evicted. */
#define MAX_BAD_IDS 64

/* Limit of a query's size: records of a page, or values of a field's filter. */
typedef struct SizeLimit
{
	char *what;
	int	  limit;
	int64 since; /* time of the refusal, by http_now */
} SizeLimit;

/* A use of filters that the API refused, possibly because of the value. */
typedef struct Suspicion
{
	char *what;
	int	  count;
} Suspicion;

/* The facts about one record type. */
typedef struct ApiFacts
{
	char	 *record_type;
	bool	  has_record_path;	/* see api_has_record_path */
	bool	  takes_ids;		/* a query by ids was accepted */
	bool	  has_false_counts; /* see api_note_false_doubt */
	bool	  has_warned;		/* see api_warns_of_cap */
	List	 *limits;			/* SizeLimits */
	List	 *refusals;			/* strings */
	List	 *suspicions;		/* Suspicions */
	int		  bad_id_total;
	pg_uuid_t bad_ids[MAX_BAD_IDS];
} ApiFacts;

/* Key of the page size among the limits; no field has this name. */
#define PAGE_SIZE ""

static SizeLimit *find_limit(const Api *api, const char *what);
static int		  current_limit(const Api *api, const char *what);
static void		  set_limit(Api *api, const char *what, int limit);

/*
 * Returns the facts about an Api's record type, creating them if necessary.
 * They live until the connection clears its facts, which is not while it is in
 * use.
 */
static ApiFacts *
facts_of(const Api *api)
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
 * Returns true if the path of single records is known to exist.  The API has
 * then returned a record for it, or reported that a record does not exist.
 */
bool
api_has_record_path(const Api *api)
{
	return facts_of(api)->has_record_path;
}

void
api_note_record_path(const Api *api)
{
	facts_of(api)->has_record_path = true;
}

/*
 * Returns the maximum number of values in one filter of a field; 0: not known.
 */
int
api_values_at_once(const Api *api, const char *field)
{
	return current_limit(api, field);
}

/* Limits the number of values in one filter of a field. */
void
api_limit_values(Api *api, const char *field, int limit)
{
	int known = current_limit(api, field);

	if (known == 0 || known > limit)
		set_limit(api, field, limit);
}

/*
 * Notes that the API accepted half of a refused query.  If it accepted both
 * halves, the number of values caused the refusal, and is limited from now on.
 */
void
api_note_half(Api *api, const char *field, RefusedQuery *whole)
{
	if (++whole->accepted_halves == 2)
		api_limit_values(api, field, (whole->size + 1) / 2);
}

/* Notes that the API accepted a query by ids. */
void
api_note_accepted_ids(Api *api)
{
	facts_of(api)->takes_ids = true;
}

/*
 * Notes an id for which the API refuses a query, so that it is fetched with
 * GET.  After two such ids and no accepted query, queries by ids count as
 * unsupported.
 */
void
api_note_bad_id(Api *api, const pg_uuid_t *id)
{
	ApiFacts *facts = facts_of(api);

	if (api_is_bad_id(api, id))
		return;
	facts->bad_ids[facts->bad_id_total++ % MAX_BAD_IDS] = *id;
	if (!facts->takes_ids && facts->bad_id_total > 1)
		api_limit_values(api, ID_FIELD, 1);
}

/* Returns true if the API is known to refuse queries for an id. */
bool
api_is_bad_id(const Api *api, const pg_uuid_t *id)
{
	const ApiFacts *facts = facts_of(api);

	for (int i = 0; i < Min(facts->bad_id_total, MAX_BAD_IDS); i++)
	{
		if (memcmp(&facts->bad_ids[i], id, sizeof(*id)) == 0)
			return true;
	}
	return false;
}

/* Returns the page size: wanted, or a smaller known limit. */
int
api_page_size(const Api *api, int wanted)
{
	int limit = current_limit(api, PAGE_SIZE);

	return limit == 0 ? wanted : Min(wanted, limit);
}

/* Limits the page size. */
void
api_limit_page_size(Api *api, int limit)
{
	set_limit(api, PAGE_SIZE, api_page_size(api, limit));
}

/*
 * Notes that the API refuses a feature of queries.  what: "field operator" of a
 * filter, or a description of a sort.
 */
void
api_note_refusal(Api *api, const char *what)
{
	MemoryContext old_context;

	if (api_refuses(api, what))
		return;
	old_context = MemoryContextSwitchTo(api->connection->facts_context);
	facts_of(api)->refusals = lappend(facts_of(api)->refusals, pstrdup(what));
	MemoryContextSwitchTo(old_context);
}

/* Returns true if the API is known to refuse a feature. */
bool
api_refuses(const Api *api, const char *what)
{
	ListCell *cell;

	foreach(cell, facts_of(api)->refusals)
	{
		if (strcmp(lfirst(cell), what) == 0)
			return true;
	}
	return false;
}

/* Returns the refused features, as a list of strings that the facts own. */
List *
api_refusals(const Api *api)
{
	return facts_of(api)->refusals;
}

/*
 * Notes that the API announced further records where there were none.  Its
 * counts are not used as evidence any more.
 */
void
api_note_false_doubt(Api *api)
{
	facts_of(api)->has_false_counts = true;
}

bool
api_counts_are_false(const Api *api)
{
	return facts_of(api)->has_false_counts;
}

/*
 * Returns true for the first call until the facts are cleared, to warn of an
 * end that cannot be verified.
 */
bool
api_warns_of_cap(Api *api)
{
	bool is_first = !facts_of(api)->has_warned;

	facts_of(api)->has_warned = true;
	return is_first;
}

/*
 * Notes that the API refused a use of filters without a reason, which may have
 * been the value.  After TELLING_REFUSALS in succession, it counts as refused.
 */
void
api_suspect(Api *api, const char *what)
{
	Suspicion	 *suspicion = NULL;
	MemoryContext old_context;
	ListCell	 *cell;

	foreach(cell, facts_of(api)->suspicions)
	{
		if (strcmp(((Suspicion *) lfirst(cell))->what, what) == 0)
			suspicion = lfirst(cell);
	}
	if (suspicion == NULL)
	{
		old_context = MemoryContextSwitchTo(api->connection->facts_context);
		suspicion = palloc0(sizeof(Suspicion));
		suspicion->what = pstrdup(what);
		facts_of(api)->suspicions =
			lappend(facts_of(api)->suspicions, suspicion);
		MemoryContextSwitchTo(old_context);
	}
	if (++suspicion->count >= TELLING_REFUSALS)
		api_note_refusal(api, what);
}

/* Notes that the API accepted a use of filters. */
void
api_note_accepted(Api *api, const char *what)
{
	ListCell *cell;

	foreach(cell, facts_of(api)->suspicions)
	{
		Suspicion *suspicion = lfirst(cell);

		if (strcmp(suspicion->what, what) == 0)
			suspicion->count = 0;
	}
}

/* Returns a limit, or 0 if it is unknown or has expired. */
static int
current_limit(const Api *api, const char *what)
{
	const SizeLimit *limit = find_limit(api, what);

	return limit == NULL || http_now() - limit->since > SIZE_LIFETIME
			   ? 0
			   : limit->limit;
}

static void
set_limit(Api *api, const char *what, int limit)
{
	SizeLimit	 *entry = find_limit(api, what);
	MemoryContext old_context;

	if (entry == NULL)
	{
		old_context = MemoryContextSwitchTo(api->connection->facts_context);
		entry = palloc0(sizeof(SizeLimit));
		entry->what = pstrdup(what);
		facts_of(api)->limits = lappend(facts_of(api)->limits, entry);
		MemoryContextSwitchTo(old_context);
	}
	entry->limit = limit;
	entry->since = http_now();
}

static SizeLimit *
find_limit(const Api *api, const char *what)
{
	ListCell *cell;

	foreach(cell, facts_of(api)->limits)
	{
		SizeLimit *limit = lfirst(cell);

		if (strcmp(limit->what, what) == 0)
			return limit;
	}
	return NULL;
}
