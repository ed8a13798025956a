/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_cache.c
 *	  Cache of the records that one running statement reads.
 *
 * Records are fetched by id, in batches: see record_request.c.  The cache keeps
 * each record as JSON with the attributes that the statement's scans want.
 * Beyond work_mem it evicts the least recently used records, which may be
 * fetched again.
 *
 * Must not know plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "fetch/record_cache_internal.h"

/* Placeholder for the request that an entry is about to get. */
static RecordRequest to_be_made;

struct RecordBatch
{
	RecordCache	   *cache;
	const Settings *settings;
	HttpBudget	   *budget;
	bool			is_ahead;
	uint64			number;
	int				hits;		/* entries that needed no request */
	int				prefetched; /* entries that a lookup requested */
	int				count;
	int				capacity;
	CacheEntry	  **entries;
	int				new_count; /* number of new_entries */
	int				new_capacity;
	CacheEntry	  **new_entries; /* entries not requested yet */
};

static RecordCache *find_cache(Statement *statement, Oid umid,
							   const char *record_type);
static RecordCache *create_cache(Statement *statement, const Settings *settings,
								 Credentials *credentials);
static void			count_hit(RecordBatch *batch);
static void append_entry(CacheEntry ***entries, int *count, int *capacity,
						 CacheEntry *entry);
static bool is_good_enough(const CacheEntry *entry, const Settings *settings);
static bool find_in_session(RecordCache *cache, CacheEntry *entry,
							const Settings *settings);
static int	ids_per_request(const RecordBatch *batch);


static void	  keep_text(RecordCache *cache, CacheEntry *entry, const char *text,
						int length);
static size_t size_of(const CacheEntry *entry);
static void	  forget_beyond_work_mem(RecordCache *cache);

/*
 * Returns the statement's cache of a table's records for a user, creating it if
 * necessary.  It lives as long as the executor state.  Raises an error if the
 * user may not use the table's server.  Makes no request.
 */
RecordCache *
record_cache_open(EState *estate, const Settings *settings, Oid userid)
{
	MemoryContext old_context = MemoryContextSwitchTo(estate->es_query_cxt);
	Credentials	 *credentials = credentials_read(settings, userid);
	Statement	 *statement = statement_of(estate);
	RecordCache	 *cache;

	cache = find_cache(statement, credentials->umid, settings->record_type);
	if (cache == NULL)
		cache = create_cache(statement, settings, credentials);
	MemoryContextSwitchTo(old_context);
	return cache;
}

/* Returns the API that the records are fetched from. */
Api *
record_cache_api(const RecordCache *cache)
{
	return cache->api;
}

/* Returns the statement of a cache. */
Statement *
record_cache_statement(const RecordCache *cache)
{
	return cache->statement;
}

/*
 * Returns the attributes that the statement's scans want.  Each scan adds its
 * own at its start, before the first record is read.
 */
AttributeSet *
record_cache_wanted(RecordCache *cache)
{
	return cache->wanted;
}

/*
 * Returns the list of columns that have warned of an invalid value in the
 * statement.  It lives in the context of the executor state, and its callers
 * define its elements.
 */
List **
record_cache_warned_columns(RecordCache *cache)
{
	return &cache->statement->warned_columns;
}

/*
 * Returns true if the statement has max_concurrency or more requests in flight.
 * A request that backs off does not count.
 */
bool
record_cache_is_busy(const RecordCache *cache, const Settings *settings)
{
	return cache->statement->pending - record_cache_delayed(cache) >=
		   settings->max_concurrency;
}

/* Returns the number of requests that back off. */
int
record_cache_delayed(const RecordCache *cache)
{
	return http_pool_delayed(cache->api->connection->pool);
}

/*
 * Returns an empty batch in the current memory context.  It refers to settings
 * and budget, which must live as long.  If is_ahead, it only prefetches the
 * records for others, whose use of them does not count as a cache hit.
 */
RecordBatch *
record_batch_create(RecordCache *cache, const Settings *settings,
					HttpBudget *budget, bool is_ahead)
{
	RecordBatch *batch = palloc0(sizeof(RecordBatch));

	batch->cache = cache;
	batch->settings = settings;
	batch->budget = budget;
	batch->is_ahead = is_ahead;
	batch->number = ++cache->batch_total;
	return batch;
}

/* Adds a record to a batch, unless it is there.  Does not request it yet. */
void
record_batch_add(RecordBatch *batch, const pg_uuid_t *id)
{
	RecordCache *cache = batch->cache;
	bool		 is_known;
	CacheEntry	*entry = hash_search(cache->entries, id, HASH_ENTER, &is_known);

	if (!is_known)
		memset((char *) entry + sizeof(entry->id), 0,
			   sizeof(CacheEntry) - sizeof(entry->id));
	else if (entry->batch == batch->number && entry->users > 0)
		return;
	else if (entry->users == 0 && entry->state != ENTRY_PENDING)
		dlist_delete(&entry->unused_node);
	entry->users++;
	entry->batch = batch->number;
	append_entry(&batch->entries, &batch->count, &batch->capacity, entry);

	if (is_known && entry->state == ENTRY_PENDING && entry->request == NULL)
	{
		/* The first batch to be sent requests it for all. */
		append_entry(&batch->new_entries, &batch->new_count,
					 &batch->new_capacity, entry);
	}
	else if (is_known && is_good_enough(entry, batch->settings))
	{
		if (batch->is_ahead || !entry->is_ahead)
			count_hit(batch);
		else
			batch->prefetched++;
	}
	else
	{
		if (is_known)
			record_entry_unsettle(cache, entry);
		if (find_in_session(cache, entry, batch->settings))
			count_hit(batch);
		else
			append_entry(&batch->new_entries, &batch->new_count,
						 &batch->new_capacity, entry);
	}
	entry->is_ahead = batch->is_ahead;
}

static void
count_hit(RecordBatch *batch)
{
	batch->hits++;
	api_count_hit(batch->cache->api);
}

/* Returns true if the records to be requested fill one request. */
bool
record_batch_is_full(const RecordBatch *batch)
{
	return batch->new_count >= ids_per_request(batch);
}

/*
 * Makes the requests that a batch needs.  They are sent as concurrency allows.
 */
void
record_batch_send(RecordBatch *batch)
{
	int at_once = ids_per_request(batch);
	int count = 0;

	/*
	 * An entry may be listed twice, or have been requested by another batch in
	 * the meantime.  An id that the API refuses in queries is fetched with GET.
	 */
	for (int i = 0; i < batch->new_count; i++)
	{
		CacheEntry *entry = batch->new_entries[i];

		if (entry->state != ENTRY_PENDING || entry->request != NULL)
			continue;
		entry->request = &to_be_made;
		if (api_is_bad_id(batch->cache->api, &entry->id))
			record_request_make(batch->cache, batch->settings, batch->budget,
								&entry, 1);
		else
			batch->new_entries[count++] = entry;
	}
	for (int i = 0; i < count; i += at_once)
		record_request_make(batch->cache, batch->settings, batch->budget,
							&batch->new_entries[i], Min(at_once, count - i));
	batch->new_count = 0;
	record_request_send_all(batch->cache);
}

/* Returns the number of distinct records in a batch. */
int
record_batch_count(const RecordBatch *batch)
{
	return batch->count;
}

/* Returns the number of records in a batch that needed no request. */
int
record_batch_hits(const RecordBatch *batch)
{
	return batch->hits;
}

/* Returns the number of a batch's records that a lookup requested before. */
int
record_batch_prefetched(const RecordBatch *batch)
{
	return batch->prefetched;
}

/*
 * Waits for a record of a batch, numbered from 0 in the order of addition, and
 * parses it into the current memory context.  It points into the cache, and is
 * valid until the batch is released or another record is read.  Returns false
 * if the record does not exist.  Raises the errors of api.c.
 */
bool
record_batch_read(RecordBatch *batch, int number, Record **record,
				  const pg_uuid_t **id)
{
	CacheEntry *entry = batch->entries[number];
	char	   *problem;

	*id = &entry->id;
	while (!record_batch_advance(batch, number))
		;
	if (entry->state != ENTRY_FOUND)
		return false;
	if (entry->response_number == batch->cache->response_number)
		*record = entry->record;
	else if (record_parse(batch->cache->wanted, entry->text, entry->length,
						  record, &problem) != RECORD_OK)
		elog(ERROR, "could not read cached record: %s", problem);
	return true;
}

/*
 * Returns true if record_batch_read would not wait.  Otherwise waits for one
 * response and processes it.
 */
bool
record_batch_advance(RecordBatch *batch, int number)
{
	CacheEntry *entry = batch->entries[number];

	if (entry->state != ENTRY_PENDING && is_good_enough(entry, batch->settings))
		return true;
	record_request_need(batch->cache, batch->settings, batch->budget, entry);
	return false;
}

/*
 * Releases a batch, and its references to entries.  Drops requests that no
 * batch needs any more, unless they are in flight.
 */
void
record_batch_release(RecordBatch *batch)
{
	RecordCache *cache = batch->cache;

	for (int i = 0; i < batch->count; i++)
	{
		CacheEntry *entry = batch->entries[i];

		if (--entry->users > 0)
			continue;
		if (entry->state != ENTRY_PENDING)
			dlist_push_tail(&cache->unused, &entry->unused_node);
		else if (entry->request == NULL)
			hash_search(cache->entries, &entry->id, HASH_REMOVE, NULL);
		else
			record_request_drop_unwanted(cache, entry->request);
	}
	forget_beyond_work_mem(cache);
	if (batch->entries != NULL)
		pfree(batch->entries);
	if (batch->new_entries != NULL)
		pfree(batch->new_entries);
	pfree(batch);
}

static RecordCache *
find_cache(Statement *statement, Oid umid, const char *record_type)
{
	dlist_iter iter;

	dlist_foreach(iter, &statement->caches)
	{
		RecordCache *cache = dlist_container(RecordCache, node, iter.cur);

		if (cache->umid == umid && strcmp(cache->record_type, record_type) == 0)
			return cache;
	}
	return NULL;
}

static RecordCache *
create_cache(Statement *statement, const Settings *settings,
			 Credentials *credentials)
{
	MemoryContext context = AllocSetContextCreate(
		statement->context, "opportunity_fdw records", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	RecordCache	 *cache = palloc0(sizeof(RecordCache));
	HASHCTL		  control = {0};

	cache->context = context;
	cache->scratch_context = AllocSetContextCreate(
		context, "opportunity_fdw scratch", ALLOCSET_DEFAULT_SIZES);
	cache->response_context = AllocSetContextCreate(
		context, "opportunity_fdw response", ALLOCSET_DEFAULT_SIZES);
	cache->response_number = 1;
	cache->statement = statement;
	cache->umid = credentials->umid;
	cache->record_type = pstrdup(settings->record_type);
	cache->api = api_open(settings, credentials, &statement->record_total);
	cache->wanted = attribute_set_create();
	cache->session = session_cache_open(cache->umid, cache->record_type);
	cache->session_generation = session_cache_generation();
	dlist_init(&cache->queued);
	dlist_init(&cache->sent);
	dlist_init(&cache->set_aside);
	dlist_init(&cache->unused);
	control.keysize = sizeof(pg_uuid_t);
	control.entrysize = sizeof(CacheEntry);
	control.hcxt = context;
	cache->entries = hash_create("opportunity_fdw records", 256, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	MemoryContextSwitchTo(old_context);

	dlist_push_tail(&statement->caches, &cache->node);
	return cache;
}

/* Appends to a palloc'd array in the current memory context. */
static void
append_entry(CacheEntry ***entries, int *count, int *capacity,
			 CacheEntry *entry)
{
	if (*entries == NULL)
	{
		*capacity = 4;
		*entries = palloc(*capacity * sizeof(CacheEntry *));
	}
	else if (*count == *capacity)
	{
		*capacity *= 2;
		*entries = repalloc(*entries, *capacity * sizeof(CacheEntry *));
	}
	(*entries)[(*count)++] = entry;
}

/*
 * Returns true if an entry's state is sufficient for a table.  A query's
 * omission of a record is not, unless the table trusts queries.
 */
static bool
is_good_enough(const CacheEntry *entry, const Settings *settings)
{
	return entry->state != ENTRY_NOT_LISTED || settings_trust_query(settings);
}

/*
 * Takes a record from the session's cache, if it is not older than cache_ttl.
 * Returns false if it is not there.
 */
static bool
find_in_session(RecordCache *cache, CacheEntry *entry, const Settings *settings)
{
	const char *text;
	int			length;

	if (settings->cache_ttl == 0 ||
		!session_cache_find(cache->session, &entry->id, settings->cache_ttl,
							&text, &length))
		return false;
	if (text != NULL)
		keep_text(cache, entry, text, length);
	record_entry_settle(cache, entry,
						text != NULL ? ENTRY_FOUND : ENTRY_MISSING);
	return true;
}

/* Returns the maximum number of ids in one request. */
static int
ids_per_request(const RecordBatch *batch)
{
	int limit = api_values_at_once(batch->cache->api, ID_FIELD);

	if (!batch->settings->use_query)
		return 1;
	return limit == 0 ? batch->settings->page_size
					  : Min(limit, batch->settings->page_size);
}

/*
 * Keeps a fetched record in its entry: the wanted attributes, or all of it if
 * cache_ttl lets later statements use it.
 */
void
record_entry_keep(RecordCache *cache, const RecordRequest *request,
				  CacheEntry *entry, Record *record)
{
	StringInfoData text;

	initStringInfo(&text);
	if (request->settings->cache_ttl > 0)
	{
		record_write_whole(record, &text);
		session_cache_keep(cache->session, cache->session_generation,
						   &entry->id, text.data, text.len);
	}
	else
		record_write_cut(cache->wanted, record, &text);
	keep_text(cache, entry, text.data, text.len);
	pfree(text.data);
	entry->record = record;
	entry->response_number = cache->response_number;
	cache->response = request->transfer;
	record_entry_settle(cache, entry, ENTRY_FOUND);
}

static void
keep_text(RecordCache *cache, CacheEntry *entry, const char *text, int length)
{
	entry->text = MemoryContextAlloc(cache->context, length + 1);
	memcpy(entry->text, text, length + 1);
	entry->length = length;
}

/* Sets the final state of an entry, and counts its memory. */
void
record_entry_settle(RecordCache *cache, CacheEntry *entry, EntryState state)
{
	entry->state = state;
	entry->request = NULL;
	cache->size += size_of(entry);
	if (entry->users == 0)
		dlist_push_tail(&cache->unused, &entry->unused_node);
}

/*
 * Makes an entry pending again, because its state is not sufficient for a
 * table.
 */
void
record_entry_unsettle(RecordCache *cache, CacheEntry *entry)
{
	cache->size -= size_of(entry);
	entry->state = ENTRY_PENDING;
}

/* Returns the memory of an entry, in bytes. */
static size_t
size_of(const CacheEntry *entry)
{
	return sizeof(CacheEntry) +
		   (entry->text != NULL ? GetMemoryChunkSpace(entry->text) : 0);
}

/* Evicts unused entries until the rest fits in work_mem. */
static void
forget_beyond_work_mem(RecordCache *cache)
{
	while (cache->size > (size_t) work_mem * 1024 &&
		   !dlist_is_empty(&cache->unused))
	{
		CacheEntry *entry = dlist_container(
			CacheEntry, unused_node, dlist_pop_head_node(&cache->unused));

		cache->size -= size_of(entry);
		if (entry->text != NULL)
			pfree(entry->text);
		hash_search(cache->entries, &entry->id, HASH_REMOVE, NULL);
	}
}
