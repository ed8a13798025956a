/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  Where the records of a scan come from: for now, a set of ids, each asked
 *	  for by itself, several at once.
 *
 * Knows the statement's cache, and nothing of plans or of HTTP.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fetch.h"

struct Fetch
{
	RecordCache		*cache;
	HttpBudget		*budget;
	int64			*cache_hits;
	const pg_uuid_t *ids;
	int				 count;
	int				 concurrency;
	int				 wanted;  /* ids asked for so far */
	int				 read;	  /* ids handed out or found missing so far */
	int				 found;	  /* records handed out so far */
	int				 limit;	  /* as many are likely to do; 0: all */
	CacheEntry	   **entries; /* those between, by their position modulo
							   * concurrency */
	CacheEntry		*current; /* of the record handed out last */
};

static bool may_want_more(const Fetch *fetch);

/*
 * Fetches the records with the given ids, which are distinct.
 *
 * At most concurrency of the statement's requests are on their way or waiting
 * to be read at any time.  limit is how many records are likely to do, 0 for all.
 * Requests are charged to the budget, records that needed none are added to
 * *cache_hits.  Lives in the current context; the ids
 * must live as long.
 */
Fetch *
fetch_ids(RecordCache *cache, const pg_uuid_t *ids, int count, int concurrency,
		  int limit, HttpBudget *budget, int64 *cache_hits)
{
	Fetch *fetch = palloc0(sizeof(Fetch));

	fetch->cache = cache;
	fetch->ids = ids;
	fetch->count = count;
	fetch->limit = limit;
	fetch->concurrency = Max(1, Min(concurrency, count));
	fetch->budget = budget;
	fetch->cache_hits = cache_hits;
	fetch->entries = palloc0(fetch->concurrency * sizeof(CacheEntry *));
	return fetch;
}

/*
 * The next record there is, in the order of the ids; false at the end.  It is
 * made in the current context, and is gone with the next call.
 */
bool
fetch_next(Fetch *fetch, Record **record, const pg_uuid_t **id)
{
	for (;;)
	{
		CacheEntry *entry;

		if (fetch->current != NULL)
		{
			record_cache_release(fetch->cache, fetch->current);
			fetch->current = NULL;
		}
		while (may_want_more(fetch))
		{
			bool is_hit;

			fetch->entries[fetch->wanted % fetch->concurrency] =
				record_cache_want(fetch->cache, &fetch->ids[fetch->wanted],
								  fetch->budget, &is_hit);
			fetch->wanted++;
			*fetch->cache_hits += is_hit ? 1 : 0;
		}
		if (fetch->read == fetch->count)
			return false;

		entry = fetch->entries[fetch->read % fetch->concurrency];
		*id = &fetch->ids[fetch->read];
		fetch->read++;
		fetch->current = entry;
		if (record_cache_read(fetch->cache, entry, fetch->budget, record))
		{
			fetch->found++;
			return true;
		}
	}
}

/*
 * Whether the next id can be asked for now.  The scans of a statement share its
 * concurrency, but each may have one request, so that none waits for another.
 * Up to the limit, no more is asked for than that.
 */
static bool
may_want_more(const Fetch *fetch)
{
	int ahead = fetch->wanted - fetch->read;

	if (fetch->wanted == fetch->count)
		return false;
	if (ahead == 0)
		return true;
	if (fetch->found < fetch->limit && ahead >= fetch->limit - fetch->found)
		return false;
	return ahead < fetch->concurrency &&
		   record_cache_pending(fetch->cache) < fetch->concurrency;
}

/* Lets go of what is still kept for the fetch. */
void
fetch_end(Fetch *fetch)
{
	if (fetch->current != NULL)
		record_cache_release(fetch->cache, fetch->current);
	for (; fetch->read < fetch->wanted; fetch->read++)
		record_cache_release(fetch->cache,
							 fetch->entries[fetch->read % fetch->concurrency]);
	pfree(fetch->entries);
	pfree(fetch);
}
