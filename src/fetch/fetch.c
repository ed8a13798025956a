/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * fetch.c
 *	  Fetches the records of a scan, from one of three sources.
 *
 * The sources are a set of ids, read in parallel batches; the pages of a query
 * (page_fetch.c); and the records that a lookup has fetched by key
 * (key_cache.c).
 *
 * Uses the statement's cache.  Knows nothing about plans or HTTP.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fetch/fetch.h"

/*
 * Limit of the number of batches while one of them waits before its next
 * attempt, as a multiple of max_concurrency.
 */
#define RUN_AHEAD 8

struct Fetch
{
	PageFetch  *pages;
	KeyRecords *kept; /* if this and pages are NULL, the fetch is by ids and
					   * uses the members below */

	MemoryContext	 context; /* context of the batches */
	RecordCache		*cache;
	const Settings	*settings;
	HttpBudget		*budget;
	FetchCounters	*counters;
	const pg_uuid_t *ids;
	int				 count;
	int				 limit;	 /* number of records that are likely to be read;
							  * 0: all */
	int				 wanted; /* number of ids that were added to a batch */
	int				 passed; /* number of ids whose record was returned or is
							  * missing */
	int				 found;	 /* number of records returned */

	/* batches in flight, the oldest first */
	RecordBatch **batches; /* ring buffer of most_batches */
	int			  most_batches;
	int			  first;
	int			  batch_count;
	int			  next; /* position in the first batch */
};

static bool may_want_more(const Fetch *fetch);
static void start_batch(Fetch *fetch);
static void end_batch(Fetch *fetch);

/*
 * Returns a fetch of the records with the given ids, which must be distinct.
 *
 * At most max_concurrency requests of the statement are in flight or unread at
 * any time.  The limit is the number of records that are likely to be read; 0
 * for all.  Charges requests to the budget, and adds the number of records that
 * needed none to *counters.  The fetch lives in the current context; all
 * arguments must live as long.
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

/* Returns a fetch of the records of a query, see page_fetch_create. */
Fetch *
fetch_pages(RecordCache *cache, const Settings *settings, const PageSpec *spec,
			HttpBudget *budget, PageCounters *counters)
{
	Fetch *fetch = palloc0(sizeof(Fetch));

	fetch->pages = page_fetch_create(cache, settings, spec, budget, counters);
	return fetch;
}

/* Returns a fetch of the records of a key.  The fetch releases them. */
Fetch *
fetch_keys(KeyRecords *records)
{
	Fetch *fetch = palloc0(sizeof(Fetch));

	fetch->kept = records;
	return fetch;
}

/* Returns the result of page_fetch_is_sorted, or false for other sources. */
bool
fetch_is_sorted(const Fetch *fetch)
{
	return fetch->pages != NULL && page_fetch_is_sorted(fetch->pages);
}

/* Returns the result of page_fetch_filters, or NIL for other sources. */
List *
fetch_filters(const Fetch *fetch)
{
	return fetch->pages != NULL ? page_fetch_filters(fetch->pages) : NIL;
}

/*
 * Sets *record to the next record, in the order of the ids, and *id to its id.
 * Returns false at the end.  The record may be allocated in the current
 * context, and is valid until the next call.
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
 * Returns true if another batch may be started.  Until the limit is reached,
 * the number of ids in flight does not exceed it.
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


	/*
	 * While a batch waits before its next attempt, further ones may be started.
	 */
	return fetch->batch_count < (record_cache_delayed(fetch->cache) > 0
									 ? fetch->most_batches
									 : fetch->settings->max_concurrency) &&
		   !record_cache_is_busy(fetch->cache, fetch->settings);
}

/* Starts a batch with the next ids, as many as one request can have. */
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

/* Releases the oldest batch. */
static void
end_batch(Fetch *fetch)
{
	record_batch_release(fetch->batches[fetch->first]);
	fetch->first = (fetch->first + 1) % fetch->most_batches;
	fetch->batch_count--;
	fetch->next = 0;
}

/* Releases the fetch and its requests. */
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

/*
 * Returns the result of page_fetch_is_ready.  A fetch by ids always waits, and
 * so is always ready.
 */
bool
fetch_is_ready(const Fetch *fetch)
{
	return fetch->pages == NULL || page_fetch_is_ready(fetch->pages);
}

/* Calls page_fetch_set_nowait; has no effect on other sources. */
void
fetch_set_patience(Fetch *fetch, bool may_wait)
{
	if (fetch->pages != NULL)
		page_fetch_set_nowait(fetch->pages, !may_wait);
}

/* Returns the result of page_fetch_is_waiting, or false for other sources. */
bool
fetch_is_waiting(const Fetch *fetch)
{
	return fetch->pages != NULL && page_fetch_is_waiting(fetch->pages);
}
