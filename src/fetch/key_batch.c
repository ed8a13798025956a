/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_batch.c
 *	  Keys whose records are needed together and released together, and scans
 *	  by keys.
 *
 * A lookup prefetches the records of the keys that it knows in advance.  A scan
 * by ids reads its records from parallel batches, too.  A scan by another key
 * finds the records of a lookup's batch here, or makes a query of its own.
 *
 * Must not know plans, columns or HTTP.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/record.h"
#include "fetch/key_cache.h"

/* Limit of a scan's batches while one backs off, per max_concurrency. */
#define RUN_AHEAD 8

struct KeyFetch
{
	MemoryContext	  context; /* of the batches */
	RecordSource	 *records;
	const Settings	 *settings;
	HttpBudget		 *budget;
	FetchCounters	 *counters;
	const pg_uuid_t	 *ids;
	int				  count;
	const RowsWanted *wanted; /* NULL: a lookup fetched the records */
	int	  added;   /* number of ids in all batches, including ended ones */
	int	  ended;   /* number of ids in the batches that ended */
	int	  used;	   /* number of batches that ended */
	int64 found;   /* number of records returned */
	List *batches; /* KeyBatches, the oldest first */
};

/*
 * Returns an empty batch in the current memory context, which takes over the
 * caller's reference to the cache.  Settings and budget must live as long as the
 * statement.  is_ahead: it only prefetches the records for others, whose use of
 * them does not count as a cache hit.
 */
KeyBatch *
key_batch_create(KeyCache *cache, const Settings *settings, HttpBudget *budget,
				 bool is_ahead)
{
	KeyBatch *batch = palloc0(sizeof(KeyBatch));

	batch->cache = cache;
	batch->settings = settings;
	batch->budget = budget;
	batch->is_ahead = is_ahead;
	batch->number = ++cache->field->store->batch_total;
	batch->size = key_request_size(cache->field, settings);
	return batch;
}

/* Takes a record from the session's cache.  Returns false if it has none. */
static bool
find_in_session(KeyEntry *entry, const Settings *settings)
{
	const KeyField *field = entry->id.cache->field;
	const char	   *text;
	int				length;

	if (!field->is_id || settings->cache_ttl == 0 ||
		!session_cache_find(field->records->session, &entry->id.key,
							settings->cache_ttl, &text, &length))
		return false;
	if (text != NULL)
		key_entry_add(entry, text, length, NULL);
	key_entry_settle(entry, KEY_KNOWN);
	return true;
}

/*
 * Returns true if an entry has its final state.  A query's omission of a record
 * is final only for tables that trust queries; for others it becomes pending.
 * Two tables of one record type may differ in this, and share the entry.
 */
static bool
is_settled(KeyEntry *entry, const Settings *settings)
{
	if (entry->state == KEY_NOT_LISTED && !settings_trust_query(settings))
		entry->state = KEY_PENDING;
	return entry->state != KEY_PENDING;
}

/*
 * Adds a key to a batch, unless it is there.  Does not request it yet.  The
 * current memory context must be the batch's.
 */
void
key_batch_add(KeyBatch *batch, const pg_uuid_t *key)
{
	KeyEntry *entry;
	bool	  is_hit;

	if (batch->size == 0)
		return;
	entry = key_entry_find(batch->cache, key, true);
	if (entry->batch == batch->number && entry->users > 0)
		return;
	key_entry_use(entry);
	batch->entries = lappend(batch->entries, entry);

	/* The first batch to be sent requests a new key for all. */
	is_hit = is_settled(entry, batch->settings) || entry->request != NULL ||
			 (entry->batch == 0 && find_in_session(entry, batch->settings));
	if (!is_hit)
		batch->new_entries = lappend(batch->new_entries, entry);
	else if (entry->is_ahead && !batch->is_ahead)
		batch->prefetched++;
	else if (entry->state != KEY_OWN_QUERY)
	{
		batch->hits++;
		batch->cache->field->records->api->connection->stats->cache_hits++;
	}
	entry->batch = batch->number;
	entry->is_ahead = batch->is_ahead;
}

/* Returns true if one request has no room for a number of further keys. */
bool
key_batch_is_full(const KeyBatch *batch, int further)
{
	return list_length(batch->new_entries) + further > batch->size;
}

/* Makes the requests that a batch needs.  They are sent as limits allow. */
void
key_batch_send(KeyBatch *batch)
{
	key_request_make(batch->cache, batch->settings, batch->budget,
					 batch->new_entries);
	list_free(batch->new_entries);
	batch->new_entries = NIL;
	key_request_send_all(batch->cache->field);
}

/*
 * Releases a batch, and its references to entries and to the cache.  Requests
 * that no batch needs any more are dropped before the next ones are sent.
 */
void
key_batch_release(KeyBatch *batch)
{
	KeyStore *store = batch->cache->field->store;
	ListCell *cell;

	foreach(cell, batch->entries)
		key_entry_release(lfirst(cell));
	key_cache_close(batch->cache);
	key_store_evict(store);
	list_free(batch->entries);
	list_free(batch->new_entries);
	pfree(batch);
}

/*
 * Returns a fetch of the records with the given ids, which must be distinct, in
 * their order.  *wanted may grow.  Charges requests to the budget, and adds the
 * number of records that needed none to *counters.  The fetch lives in the current
 * context; all arguments must live as long, settings and budget as long as the
 * statement.
 */
KeyFetch *
key_fetch_ids(RecordSource *records, const Settings *settings,
			  const pg_uuid_t *ids, int count, const RowsWanted *wanted,
			  HttpBudget *budget, FetchCounters *counters)
{
	KeyFetch *fetch = palloc0(sizeof(KeyFetch));

	fetch->context = CurrentMemoryContext;
	fetch->records = records;
	fetch->settings = settings;
	fetch->ids = ids;
	fetch->count = count;
	fetch->wanted = wanted;
	fetch->budget = budget;
	fetch->counters = counters;
	return fetch;
}

/*
 * Returns a fetch of the records of a key in the current memory context, if a
 * lookup's batch has requested them.  Waits for the response.  Returns NULL if
 * the caller has to make a query of its own.  Raises the errors of
 * key_request_need.
 */
KeyFetch *
key_fetch_find(RecordSource *records, const Settings *settings,
			   const char *field, List *filters, const pg_uuid_t *key)
{
	KeyCache *cache = key_cache_open(records, field, filters, false);
	KeyEntry *entry;
	KeyBatch *batch;
	KeyFetch *fetch;

	if (cache == NULL)
		return NULL;
	batch = key_batch_create(cache, settings, NULL, false);
	entry = key_entry_find(cache, key, false);
	if (entry != NULL)
	{
		key_entry_use(entry);
		batch->entries = list_make1(entry);
		while (entry->state == KEY_PENDING && entry->request != NULL)
			key_request_need(entry);
	}
	if (entry == NULL || entry->state != KEY_KNOWN)
	{
		key_batch_release(batch);
		return NULL;
	}
	fetch = palloc0(sizeof(KeyFetch));
	fetch->batches = list_make1(batch);
	return fetch;
}

/*
 * Returns true if another batch may be started.  If the caller may stop, there
 * are ids in flight for the records that it certainly reads.  Beyond these, there
 * are batches ahead as there are pages ahead of page_fetch_window.
 */
static bool
may_start_batch(const KeyFetch *fetch)
{
	int64 ahead;
	int	  unread = fetch->added - fetch->ended;
	int	  most;

	if (fetch->added == fetch->count)
		return false;
	if (fetch->batches == NIL)
		return true;
	unread -= ((KeyBatch *) linitial(fetch->batches))->position;
	ahead = fetch->wanted->least - fetch->found;
	if (fetch->found >= fetch->wanted->enough)
		ahead += statement_read_ahead(fetch->used + 1) *
				 ((KeyBatch *) linitial(fetch->batches))->size;
	if (fetch->wanted->least != PG_INT64_MAX && unread >= ahead)
		return false;

	/* While a batch waits before its next attempt, others may be started. */
	most = fetch->settings->max_concurrency;
	if (http_pool_delayed(fetch->records->api->connection->pool) > 0)
		most *= RUN_AHEAD;
	return list_length(fetch->batches) < most &&
		   !statement_is_busy(fetch->records, fetch->settings);
}

/*
 * Starts a batch with the next ids, as many as one request can have.  If the
 * caller may stop, these are as many as it certainly reads, or as many again as
 * before: each id that a query does not return needs a GET.
 */
static void
start_batch(KeyFetch *fetch)
{
	int64		  most = Max(fetch->wanted->least - fetch->found, fetch->added);
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	KeyBatch	 *batch =
		key_batch_create(key_cache_open(fetch->records, ID_FIELD, NIL, true),
						 fetch->settings, fetch->budget, false);

	fetch->batches = lappend(fetch->batches, batch);
	do
		key_batch_add(batch, &fetch->ids[fetch->added++]);
	while (fetch->added < fetch->count && --most != 0 &&
		   !key_batch_is_full(batch, 1));
	key_batch_send(batch);
	fetch->counters->cache_hits += batch->hits;
	fetch->counters->prefetched += batch->prefetched;
	MemoryContextSwitchTo(old_context);
}

static void
end_batch(KeyFetch *fetch)
{
	KeyBatch *batch = linitial(fetch->batches);

	fetch->ended += list_length(batch->entries);
	fetch->used++;
	fetch->batches = list_delete_first(fetch->batches);
	key_batch_release(batch);
}

/*
 * Returns a kept record.  Parses it into the current memory context, unless it
 * is in the response read last.  A second parse would cost up to a quarter of
 * the processor time of a read by ids.
 */
static Record *
parse_record(const KeyBatch *batch, KeptRecord *kept)
{
	Record *record;
	char   *problem;

	if (kept->response_number == batch->cache->field->store->response_number)
		return kept->parsed;
	if (record_parse(batch->cache->field->records->wanted, kept->text,
					 kept->length, &record, &problem) != RECORD_OK)
		elog(ERROR, "could not read cached record: %s", problem);
	return record;
}

/*
 * Sets *record to the next record.  Returns false at the end.  The record is
 * valid until the next call, or until the current context is reset.  Raises the
 * errors of key_request_need.
 */
bool
key_fetch_next(KeyFetch *fetch, Record **record)
{
	for (;;)
	{
		KeyBatch *batch;
		KeyEntry *entry;

		while (may_start_batch(fetch))
			start_batch(fetch);
		if (fetch->batches == NIL)
			return false;
		batch = linitial(fetch->batches);
		if (batch->position == list_length(batch->entries))
		{
			end_batch(fetch);
			continue;
		}
		entry = list_nth(batch->entries, batch->position);
		if (!is_settled(entry, batch->settings))
		{
			/* Another batch may contain it, and may not have been sent yet. */
			if (entry->request == NULL)
				key_request_make(batch->cache, batch->settings, batch->budget,
								 list_make1(entry));
			key_request_need(entry);
			continue;
		}
		if (batch->record < list_length(entry->records))
		{
			fetch->found++;
			*record =
				parse_record(batch, list_nth(entry->records, batch->record++));
			return true;
		}
		batch->position++;
		batch->record = 0;
	}
}

/* Releases the fetch.  Its requests go on only if other batches need them. */
void
key_fetch_end(KeyFetch *fetch)
{
	while (fetch->batches != NIL)
		end_batch(fetch);
	pfree(fetch);
}
