/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  Where the records of a scan come from: from a set of ids, asked for in
 *	  batches, several at once; from pages of all that match some filters, for
 *	  which see page_fetch.c; or from what others have asked for, by a key: see
 *	  key_cache.c.
 *
 * Knows the statement's cache, and nothing of plans or of HTTP.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fetch.h"

/* So many times max_concurrency batches wait for one that backs off. */
#define RUN_AHEAD 8

struct Fetch
{
	PageFetch  *pages;
	KeyRecords *kept; /* both NULL: by ids, which the rest is for */

	MemoryContext	 context; /* of the batches */
	RecordCache		*cache;
	const Settings	*settings;
	HttpBudget		*budget;
	FetchCounters	*counters;
	const pg_uuid_t *ids;
	int				 count;
	int				 limit;	 /* as many records are likely to do; 0: all */
	int				 wanted; /* ids that are in a batch, or were */
	int				 passed; /* ids whose record was handed out or is missing */
	int				 found;	 /* records handed out */

	/* the batches that are under way, the oldest first */
	RecordBatch **batches; /* a ring of most_batches */
	int			  most_batches;
	int			  first;
	int			  batch_count;
	int			  next; /* in the first batch */
};

static bool may_want_more(const Fetch *fetch);
static void start_batch(Fetch *fetch);
static void end_batch(Fetch *fetch);

/*
 * Fetches the records with the given ids, which are distinct.
 *
 * At most max_concurrency of the statement's requests are on their way or
 * waiting to be read at any time.  limit is how many records are likely to do,
 * 0 for all.  Requests are charged to the budget, records that needed none are
 * added to *counters.  Lives in the current context; all that is pointed to
 * must live as long.
 */
Fetch *
fetch_ids(RecordCache *cache, const Settings *settings, const pg_uuid_t *ids,
		  int count, int limit, HttpBudget *budget, FetchCounters *counters)
{
	Fetch *fetch = palloc0(sizeof(Fetch));

	fetch->context = CurrentMemoryContext;
	fetch->cache = cache;
	fetch->settings = settings;
	fetch->ids = ids;
	fetch->count = count;
	fetch->limit = limit;
	fetch->budget = budget;
	fetch->counters = counters;
	fetch->most_batches = RUN_AHEAD * settings->max_concurrency;
	fetch->batches = palloc0(fetch->most_batches * sizeof(RecordBatch *));
	return fetch;
}

/* Fetches the records that an order describes, as page_fetch_create does. */
Fetch *
fetch_pages(RecordCache *cache, const Settings *settings,
			const PageOrder *order, HttpBudget *budget, PageCounters *counters)
{
	Fetch *fetch = palloc0(sizeof(Fetch));

	fetch->pages = page_fetch_create(cache, settings, order, budget, counters);
	return fetch;
}

/* Fetches the records of a key, which the fetch lets go of. */
Fetch *
fetch_keys(KeyRecords *records)
{
	Fetch *fetch = palloc0(sizeof(Fetch));

	fetch->kept = records;
	return fetch;
}

/* As page_fetch_is_sorted. */
bool
fetch_is_sorted(const Fetch *fetch)
{
	return fetch->pages != NULL && page_fetch_is_sorted(fetch->pages);
}

/* As page_fetch_filters; NIL where there are none. */
List *
fetch_filters(const Fetch *fetch)
{
	return fetch->pages != NULL ? page_fetch_filters(fetch->pages) : NIL;
}

/*
 * The next record there is, of ids in their order; false at the end.  It may be
 * made in the current context, and is gone with the next call.
 */
bool
fetch_next(Fetch *fetch, Record **record, const pg_uuid_t **id)
{
	if (fetch->pages != NULL || fetch->kept != NULL)
	{
		if (fetch->pages != NULL ? !page_fetch_next(fetch->pages, record)
								 : !key_records_next(fetch->kept, record))
			return false;
		*id = &(*record)->id;
		return true;
	}

	for (;;)
	{
		RecordBatch *batch;

		if (fetch->batch_count > 0 &&
			fetch->next == record_batch_count(fetch->batches[fetch->first]))
			end_batch(fetch);
		do
		{
			while (may_want_more(fetch))
				start_batch(fetch);
			if (fetch->batch_count == 0)
				return false;
			batch = fetch->batches[fetch->first];
		} while (!record_batch_advance(batch, fetch->next));
		fetch->passed++;
		if (record_batch_read(batch, fetch->next++, record, id))
		{
			fetch->found++;
			return true;
		}
	}
}

/*
 * Whether the next ids can be asked for now.  Up to the limit, no more is asked
 * for than that.
 */
static bool
may_want_more(const Fetch *fetch)
{
	int ahead = fetch->wanted - fetch->passed;

	if (fetch->wanted == fetch->count)
		return false;
	if (fetch->batch_count == 0)
		return true;
	if (fetch->found < fetch->limit && ahead >= fetch->limit - fetch->found)
		return false;


	/* Others need not wait while one of them backs off. */
	return fetch->batch_count < (record_cache_delayed(fetch->cache) > 0
									 ? fetch->most_batches
									 : fetch->settings->max_concurrency) &&
		   !record_cache_is_busy(fetch->cache, fetch->settings);
}

/* Asks for the next ids, as many as one request takes. */
static void
start_batch(Fetch *fetch)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	RecordBatch	 *batch = record_batch_create(fetch->cache, fetch->settings,
											  fetch->budget, false);
	int slot = (fetch->first + fetch->batch_count) % fetch->most_batches;

	fetch->batches[slot] = batch;
	fetch->batch_count++;
	while (fetch->wanted < fetch->count && !record_batch_is_full(batch))
		record_batch_add(batch, &fetch->ids[fetch->wanted++]);
	record_batch_send(batch);
	fetch->counters->cache_hits += record_batch_hits(batch);
	fetch->counters->prefetched += record_batch_prefetched(batch);
	MemoryContextSwitchTo(old_context);
}

/* Lets go of the oldest batch. */
static void
end_batch(Fetch *fetch)
{
	record_batch_release(fetch->batches[fetch->first]);
	fetch->first = (fetch->first + 1) % fetch->most_batches;
	fetch->batch_count--;
	fetch->next = 0;
}

/* Lets go of what is still kept for the fetch. */
void
fetch_end(Fetch *fetch)
{
	if (fetch->pages != NULL)
		page_fetch_end(fetch->pages);
	if (fetch->kept != NULL)
		key_records_end(fetch->kept);
	while (fetch->batch_count > 0)
		end_batch(fetch);
	if (fetch->batches != NULL)
		pfree(fetch->batches);
	pfree(fetch);
}

/* As page_fetch_is_ready; the ids' records are always waited for. */
bool
fetch_is_ready(const Fetch *fetch)
{
	return fetch->pages == NULL || page_fetch_is_ready(fetch->pages);
}

/* As page_fetch_set_patience. */
void
fetch_set_patience(Fetch *fetch, bool may_wait)
{
	if (fetch->pages != NULL)
		page_fetch_set_patience(fetch->pages, may_wait);
}

/* As page_fetch_is_waiting. */
bool
fetch_is_waiting(const Fetch *fetch)
{
	return fetch->pages != NULL && page_fetch_is_waiting(fetch->pages);
}
