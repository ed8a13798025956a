/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_facts.c
 *	  What a session has learned of the API: how much one query takes, and what
 *	  the API refuses, by user mapping and type of records.
 *
 * Each fact rests on responses, and all of them expire: see connection.c for how
 * long.  A size expires sooner, so that it can grow again.
 *
 * Knows nothing of requests, and of SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api_internal.h"

/* How long a size is kept, in microseconds. */
#define SIZE_LIFETIME (60 * (int64) 1000000)

/* So often the API refuses a use of filters before that is not for the value. */
#define TELLING_REFUSALS 3

/* How many ids are known at most that queries refuse; the oldest goes first. */
#define MAX_BAD_IDS 64

/* How much a query takes of something: a page's records, a filter's values. */
typedef struct SizeLimit
{
	char *what;
	int	  limit;
	int64 since; /* by http_now */
} SizeLimit;

/* A use of filters that the API has refused, perhaps for the value. */
typedef struct Suspicion
{
	char *what;
	int	  count;
} Suspicion;

struct ApiFacts
{
	char	 *record_type;
	bool	  has_record_path;	/* see api_has_record_path */
	bool	  takes_ids;		/* the API has accepted a query by ids */
	bool	  has_false_counts; /* see api_note_false_doubt */
	bool	  has_warned;		/* see api_warns_of_cap */
	List	 *limits;			/* SizeLimits */
	List	 *refusals;			/* texts */
	List	 *suspicions;		/* Suspicions */
	int		  bad_id_total;
	pg_uuid_t bad_ids[MAX_BAD_IDS];
};

/* What the size of a page is called among the limits; no field is called so. */
#define PAGE_SIZE ""

static SizeLimit *find_limit(const Api *api, const char *what);
static int		  current_limit(const Api *api, const char *what);
static void		  set_limit(Api *api, const char *what, int limit);

/*
 * The facts of a connection about a type of records, made if there are none yet.
 * They live as long as the connection keeps its facts.
 */
ApiFacts *
api_facts_of(Connection *connection, const char *record_type)
{
	MemoryContext old_context;
	ApiFacts	 *facts;
	ListCell	 *cell;

	foreach(cell, connection->facts)
	{
		facts = lfirst(cell);
		if (strcmp(facts->record_type, record_type) == 0)
			return facts;
	}
	old_context = MemoryContextSwitchTo(connection->facts_context);
	facts = palloc0(sizeof(ApiFacts));
	facts->record_type = pstrdup(record_type);
	connection->facts = lappend(connection->facts, facts);
	MemoryContextSwitchTo(old_context);
	return facts;
}

/*
 * Whether the path of single records is known to be right: the API has returned
 * a record by it, or said that there is none.
 */
bool
api_has_record_path(const Api *api)
{
	return api->facts->has_record_path;
}

void
api_note_record_path(const Api *api)
{
	api->facts->has_record_path = true;
}

/*
 * How many values one filter of a field takes at most, as far as it is known; 0:
 * any number.
 */
int
api_values_at_once(const Api *api, const char *field)
{
	return current_limit(api, field);
}

/* Remembers that a filter of a field takes no more values than that. */
void
api_limit_values(Api *api, const char *field, int limit)
{
	int known = current_limit(api, field);

	if (known == 0 || known > limit)
		set_limit(api, field, limit);
}

/*
 * The API has accepted one half of a refused query.  If it has accepted both, the
 * refusal was for the number of values, which is remembered.
 */
void
api_note_half(Api *api, const char *field, RefusedQuery *whole)
{
	if (++whole->accepted_halves == 2)
		api_limit_values(api, field, (whole->size + 1) / 2);
}

/* The API has accepted a query by ids. */
void
api_note_accepted_ids(Api *api)
{
	api->facts->takes_ids = true;
}

/*
 * Remembers an id by which the API refuses a query, so that the id is fetched
 * with GET.  If the API has refused two of them and never accepted a query by
 * ids, it takes no such queries.
 */
void
api_note_bad_id(Api *api, const pg_uuid_t *id)
{
	ApiFacts *facts = api->facts;

	if (api_is_bad_id(api, id))
		return;
	facts->bad_ids[facts->bad_id_total++ % MAX_BAD_IDS] = *id;
	if (!facts->takes_ids && facts->bad_id_total > 1)
		api_limit_values(api, ID_FIELD, 1);
}

/* Whether the API is known to refuse queries by an id. */
bool
api_is_bad_id(const Api *api, const pg_uuid_t *id)
{
	const ApiFacts *facts = api->facts;

	for (int i = 0; i < Min(facts->bad_id_total, MAX_BAD_IDS); i++)
	{
		if (memcmp(&facts->bad_ids[i], id, sizeof(*id)) == 0)
			return true;
	}
	return false;
}

/* How large a page can be, as far as it is known. */
int
api_page_size(const Api *api, int wanted)
{
	int limit = current_limit(api, PAGE_SIZE);

	return limit == 0 ? wanted : Min(wanted, limit);
}

/* Remembers that a page cannot be larger than that. */
void
api_limit_page_size(Api *api, int limit)
{
	set_limit(api, PAGE_SIZE, api_page_size(api, limit));
}

/*
 * Remembers that the API refuses something of queries: a use of a filter, or a
 * sort, in words.
 */
void
api_note_refusal(Api *api, const char *what)
{
	MemoryContext old_context;

	if (api_refuses(api, what))
		return;
	old_context = MemoryContextSwitchTo(api->connection->facts_context);
	api->facts->refusals = lappend(api->facts->refusals, pstrdup(what));
	MemoryContextSwitchTo(old_context);
}

/* Whether the API is known to refuse something, in the same words. */
bool
api_refuses(const Api *api, const char *what)
{
	ListCell *cell;

	foreach(cell, api->facts->refusals)
	{
		if (strcmp(lfirst(cell), what) == 0)
			return true;
	}
	return false;
}

/* All that the API is known to refuse, as a list of those words. */
List *
api_refusals(const Api *api)
{
	return api->facts->refusals;
}

/*
 * The API said that a query had further records, and it had none: what the API
 * says of that is no evidence any more.
 */
void
api_note_false_doubt(Api *api)
{
	api->facts->has_false_counts = true;
}

bool
api_counts_are_false(const Api *api)
{
	return api->facts->has_false_counts;
}

/* Whether to warn of an end that cannot be verified: once in the session. */
bool
api_warns_of_cap(Api *api)
{
	bool is_first = !api->facts->has_warned;

	api->facts->has_warned = true;
	return is_first;
}

/*
 * The API has refused a use of filters without saying why: it may have been for
 * the value.  Remembers it as a refusal only if that happens time and again.
 */
void
api_suspect(Api *api, const char *what)
{
	Suspicion	 *suspicion = NULL;
	MemoryContext old_context;
	ListCell	 *cell;

	foreach(cell, api->facts->suspicions)
	{
		if (strcmp(((Suspicion *) lfirst(cell))->what, what) == 0)
			suspicion = lfirst(cell);
	}
	if (suspicion == NULL)
	{
		old_context = MemoryContextSwitchTo(api->connection->facts_context);
		suspicion = palloc0(sizeof(Suspicion));
		suspicion->what = pstrdup(what);
		api->facts->suspicions = lappend(api->facts->suspicions, suspicion);
		MemoryContextSwitchTo(old_context);
	}
	if (++suspicion->count >= TELLING_REFUSALS)
		api_note_refusal(api, what);
}

/* The API has accepted a use of filters. */
void
api_note_accepted(Api *api, const char *what)
{
	ListCell *cell;

	foreach(cell, api->facts->suspicions)
	{
		Suspicion *suspicion = lfirst(cell);

		if (strcmp(suspicion->what, what) == 0)
			suspicion->count = 0;
	}
}

/* A limit as long as it is kept; then 0. */
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
		api->facts->limits = lappend(api->facts->limits, entry);
		MemoryContextSwitchTo(old_context);
	}
	entry->limit = limit;
	entry->since = http_now();
}

static SizeLimit *
find_limit(const Api *api, const char *what)
{
	ListCell *cell;

	foreach(cell, api->facts->limits)
	{
		SizeLimit *limit = lfirst(cell);

		if (strcmp(limit->what, what) == 0)
			return limit;
	}
	return NULL;
}
