/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_cache.c
 *	  Cache of the records that one running statement reads by keys.
 *
 * Many records may have the same key.  A caller that knows keys in advance adds
 * them to a batch, which is fetched with one query: see key_request.c.  A scan
 * that needs the records of one key takes them from here.  It makes a query of
 * its own if no batch contains the key, or if the batch failed.  That the API
 * refuses a batch, or that its response cannot be read, is therefore not an
 * error.
 *
 * The cache keeps each record as JSON with the attributes that the statement's
 * scans want.  Beyond work_mem it evicts unused entries, the oldest first.
 *
 * Must not know plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "fetch/key_cache_internal.h"

struct KeyBatch
{
	KeyCache	   *cache;
	const Settings *settings;
	HttpBudget	   *budget;
	uint64			number;
	int				at_once; /* keys per request; below 2: no requests */
	int				hits;	 /* number of entries that needed no request */
	int				count;
	int				capacity;
	KeyEntry	  **entries;
	int				new_count; /* number of new_entries */
	int				new_capacity;
	KeyEntry	  **new_entries; /* entries not requested yet */
};

struct KeyRecords
{
	KeyCache   *cache;
	KeyEntry   *entry;
	KeptRecord *next;
};

static char		*name_of(const char *field, List *filters);
static int		 compare_texts(const void *a, const void *b);
static KeyCache *find_cache(RecordCache *records, const char *name);
static KeyCache *create_cache(RecordCache *records, const char *field,
							  List *filters, const char *name);
static bool		 is_refused(const KeyCache *cache);
static void		 append_entry(KeyEntry ***entries, int *count, int *capacity,
							  KeyEntry *entry);
static void		 take(KeyCache *cache, KeyEntry *entry);
static void		 let_go(KeyCache *cache, KeyEntry *entry);
static void		 become_unused(KeyCache *cache, KeyEntry *entry);
static void		 forget_beyond_work_mem(KeyCache *cache);

/*
 * Returns the statement's cache of records by the attribute field, creating it
 * if necessary.  The record type and the user are taken from records.  filters:
 * further RemoteFilters of the query, in any order.  Makes no request.
 */
KeyCache *
key_cache_open(RecordCache *records, const char *field, List *filters)
{
	char	 *name = name_of(field, filters);
	KeyCache *cache = find_cache(records, name);

	return cache != NULL ? cache : create_cache(records, field, filters, name);
}

/* Returns true if the records in use take work_mem or more. */
bool
key_cache_is_full(const KeyCache *cache)
{
	return cache->size - cache->unused_size >= (size_t) work_mem * 1024;
}

/*
 * Returns the number of keys for one request; below 2: requests are of no use.
 */
int
key_cache_at_once(const KeyCache *cache, const Settings *settings)
{
	int known =
		api_values_at_once(record_cache_api(cache->records), cache->field);
	int at_once = Min(Min(settings->page_size, MAX_REMOTE_VALUES),
					  Min(cache->at_once, known > 0 ? known : INT_MAX));

	return settings->use_query && !cache->is_given_up && !is_refused(cache)
			   ? at_once
			   : 0;
}

/*
 * Returns an empty batch in the current memory context.  It refers to settings
 * and budget, which must live as long.
 */
KeyBatch *
key_batch_create(KeyCache *cache, const Settings *settings, HttpBudget *budget)
{
	KeyBatch *batch = palloc0(sizeof(KeyBatch));

	batch->cache = cache;
	batch->settings = settings;
	batch->budget = budget;
	batch->number = ++cache->batch_total;
	batch->at_once = key_cache_at_once(cache, settings);
	return batch;
}

/*
 * Adds a key to a batch, unless it is there.  Does not request it yet.  The
 * current memory context must be the batch's.
 */
void
key_batch_add(KeyBatch *batch, const pg_uuid_t *key)
{
	KeyCache *cache = batch->cache;
	bool	  is_known;
	KeyEntry *entry;

	if (batch->at_once < 2)
		return;
	entry = hash_search(cache->entries, key, HASH_ENTER, &is_known);
	if (!is_known)
	{
		memset((char *) entry + sizeof(entry->key), 0,
			   sizeof(KeyEntry) - sizeof(entry->key));
		entry->size = sizeof(KeyEntry);
		cache->size += entry->size;
	}
	else if (entry->batch == batch->number && entry->users > 0)
		return;
	take(cache, entry);
	entry->batch = batch->number;
	append_entry(&batch->entries, &batch->count, &batch->capacity, entry);

	/* The first batch to be sent requests it for all. */
	if (entry->state == KEY_PENDING && entry->request == NULL)
		append_entry(&batch->new_entries, &batch->new_count,
					 &batch->new_capacity, entry);
	else if (entry->state != KEY_LEFT)
	{
		batch->hits++;
		api_count_hit(record_cache_api(cache->records));
	}
}

/* Returns true if the keys to be requested fill one request. */
bool
key_batch_is_full(const KeyBatch *batch)
{
	return batch->at_once < 2 || batch->new_count >= batch->at_once;
}

/* Makes the request that a batch needs.  It is sent as concurrency allows. */
void
key_batch_send(KeyBatch *batch)
{
	int count = 0;

	/* Another batch may have requested some of them in the meantime. */
	for (int i = 0; i < batch->new_count; i++)
	{
		KeyEntry *entry = batch->new_entries[i];

		if (entry->state == KEY_PENDING && entry->request == NULL)
			batch->new_entries[count++] = entry;
	}
	if (count > 0)
		key_request_make(batch->cache, batch->settings, batch->budget,
						 batch->new_entries, count);
	batch->new_count = 0;
	key_request_send_all(batch->cache);
}

/* Returns the number of distinct keys in a batch. */
int
key_batch_count(const KeyBatch *batch)
{
	return batch->count;
}

/* Returns the number of keys in a batch that needed no request. */
int
key_batch_hits(const KeyBatch *batch)
{
	return batch->hits;
}

/*
 * Releases a batch, and its references to entries.  Drops requests that no
 * batch needs any more.
 */
void
key_batch_release(KeyBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
		let_go(batch->cache, batch->entries[i]);
	forget_beyond_work_mem(batch->cache);
	if (batch->entries != NULL)
		pfree(batch->entries);
	if (batch->new_entries != NULL)
		pfree(batch->new_entries);
	pfree(batch);
}

/*
 * Returns a reader of the records of a key in the current memory context, if a
 * batch has requested them.  Waits for the response.  Returns NULL if the
 * caller has to make a query of its own.  Raises the errors of api.h.
 */
KeyRecords *
key_records_find(RecordCache *records, const char *field, List *filters,
				 const pg_uuid_t *key)
{
	KeyCache   *cache = find_cache(records, name_of(field, filters));
	KeyEntry   *entry;
	KeyRecords *reader;

	if (cache == NULL)
		return NULL;
	entry = hash_search(cache->entries, key, HASH_FIND, NULL);
	if (entry == NULL)
		return NULL;
	take(cache, entry);
	while (entry->state == KEY_PENDING && entry->request != NULL)
		key_request_need(entry);
	if (entry->state != KEY_KNOWN)
	{
		let_go(cache, entry);
		return NULL;
	}

	reader = palloc(sizeof(KeyRecords));
	reader->cache = cache;
	reader->entry = entry;
	reader->next = entry->first;
	return reader;
}

/*
 * Parses the next record into the current memory context; it points into the
 * cache.  Returns false at the end.
 */
bool
key_records_next(KeyRecords *reader, Record **record)
{
	KeptRecord *kept = reader->next;
	char	   *problem;

	if (kept == NULL)
		return false;
	if (record_parse(record_cache_wanted(reader->cache->records), kept->text,
					 kept->length, record, &problem) != RECORD_OK)
		elog(ERROR, "could not read cached record: %s", problem);
	reader->next = kept->next;
	return true;
}

/* Releases a reader, and its reference to the entry. */
void
key_records_end(KeyRecords *reader)
{
	let_go(reader->cache, reader->entry);
	forget_beyond_work_mem(reader->cache);
	pfree(reader);
}

/*
 * Returns the identity of a cache: field and filters, one per line.  JSON has
 * no unescaped line breaks.
 */
static char *
name_of(const char *field, List *filters)
{
	int			   count = list_length(filters);
	const char	 **texts = palloc(Max(count, 1) * sizeof(char *));
	StringInfoData name;
	ListCell	  *cell;

	foreach(cell, filters)
		texts[foreach_current_index(cell)] =
			((RemoteFilter *) lfirst(cell))->json;
	qsort(texts, count, sizeof(char *), compare_texts);

	initStringInfo(&name);
	appendStringInfoString(&name, field);
	for (int i = 0; i < count; i++)
		appendStringInfo(&name, "\n%s", texts[i]);
	pfree(texts);
	return name.data;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static KeyCache *
find_cache(RecordCache *records, const char *name)
{
	dlist_iter iter;

	dlist_foreach(iter, &record_cache_statement(records)->key_caches)
	{
		KeyCache *cache = dlist_container(KeyCache, node, iter.cur);

		if (cache->records == records && strcmp(cache->name, name) == 0)
			return cache;
	}
	return NULL;
}

static KeyCache *
create_cache(RecordCache *records, const char *field, List *filters,
			 const char *name)
{
	Statement	 *statement = record_cache_statement(records);
	MemoryContext context = AllocSetContextCreate(
		statement->context, "opportunity_fdw keys", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	KeyCache	 *cache = palloc0(sizeof(KeyCache));
	HASHCTL		  control = {0};
	ListCell	 *cell;

	cache->context = context;
	cache->page_context = AllocSetContextCreate(context, "opportunity_fdw page",
												ALLOCSET_DEFAULT_SIZES);
	cache->records = records;
	cache->field = pstrdup(field);
	cache->name = pstrdup(name);
	cache->at_once = MAX_REMOTE_VALUES;
	cache->number = attribute_set_add(record_cache_wanted(records), field);
	foreach(cell, filters)
	{
		RemoteFilter *filter = palloc0(sizeof(RemoteFilter));

		filter->json = pstrdup(((RemoteFilter *) lfirst(cell))->json);
		cache->filters = lappend(cache->filters, filter);
	}
	dlist_init(&cache->requests);
	dlist_init(&cache->unused);
	control.keysize = sizeof(pg_uuid_t);
	control.entrysize = sizeof(KeyEntry);
	control.hcxt = context;
	cache->entries = hash_create("opportunity_fdw keys", 256, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	MemoryContextSwitchTo(old_context);

	dlist_push_tail(&statement->key_caches, &cache->node);
	return cache;
}

/* Returns true if the API is known to refuse queries by this attribute. */
static bool
is_refused(const KeyCache *cache)
{
	RemoteUse use = {cache->field, OPERATOR_IN, NULL};

	return api_refuses(record_cache_api(cache->records), &use);
}

/* Appends to a palloc'd array in the current memory context. */
static void
append_entry(KeyEntry ***entries, int *count, int *capacity, KeyEntry *entry)
{
	if (*entries == NULL)
	{
		*capacity = 16;
		*entries = palloc(*capacity * sizeof(KeyEntry *));
	}
	else if (*count == *capacity)
	{
		*capacity *= 2;
		*entries = repalloc(*entries, *capacity * sizeof(KeyEntry *));
	}
	(*entries)[(*count)++] = entry;
}

/* Increments the reference count of an entry. */
static void
take(KeyCache *cache, KeyEntry *entry)
{
	if (entry->users++ == 0 && entry->state != KEY_PENDING)
	{
		dlist_delete(&entry->unused_node);
		cache->unused_size -= entry->size;
	}
}

/*
 * Decrements the reference count of an entry.  A pending entry without users is
 * removed, and its request dropped if no other key needs it.
 */
static void
let_go(KeyCache *cache, KeyEntry *entry)
{
	if (--entry->users > 0)
		return;
	if (entry->state != KEY_PENDING)
		become_unused(cache, entry);
	else if (entry->request == NULL)
		key_entry_remove(cache, entry);
	else
		key_request_drop_unwanted(entry->request);
}

static void
become_unused(KeyCache *cache, KeyEntry *entry)
{
	dlist_push_tail(&cache->unused, &entry->unused_node);
	cache->unused_size += entry->size;
}

/* Adds a record to the entry of its key. */
void
key_entry_keep(KeyEntry *entry, KeyRequest *request, const Record *record)
{
	KeyCache	  *cache = request->cache;
	KeptRecord	  *kept;
	StringInfoData text;
	size_t		   size;

	initStringInfo(&text);
	record_write_cut(record_cache_wanted(cache->records), record, &text);
	kept = MemoryContextAlloc(cache->context,
							  offsetof(KeptRecord, text) + text.len + 1);
	kept->next = NULL;
	kept->length = text.len;
	memcpy(kept->text, text.data, text.len + 1);
	pfree(text.data);

	if (entry->first == NULL)
		entry->first = kept;
	else
		entry->last->next = kept;
	entry->last = kept;
	size = GetMemoryChunkSpace(kept);
	entry->size += size;
	request->size += size;
	cache->size += size;
}

/* Sets the final state of an entry. */
void
key_entry_settle(KeyCache *cache, KeyEntry *entry, KeyState state)
{
	if (state == KEY_LEFT)
		key_entry_drop_records(cache, entry);
	entry->state = state;
	entry->request = NULL;
	if (entry->users == 0)
		become_unused(cache, entry);
}

/* Removes an entry that has no users and is not in the unused list. */
void
key_entry_remove(KeyCache *cache, KeyEntry *entry)
{
	key_entry_drop_records(cache, entry);
	cache->size -= entry->size;
	hash_search(cache->entries, &entry->key, HASH_REMOVE, NULL);
}

/* Frees the records of an entry. */
void
key_entry_drop_records(KeyCache *cache, KeyEntry *entry)
{
	KeptRecord *next;

	for (KeptRecord *kept = entry->first; kept != NULL; kept = next)
	{
		next = kept->next;
		pfree(kept);
	}
	entry->first = entry->last = NULL;
	cache->size -= entry->size - sizeof(KeyEntry);
	entry->size = sizeof(KeyEntry);
}

/* Evicts unused entries until the rest fits in work_mem. */
static void
forget_beyond_work_mem(KeyCache *cache)
{
	while (cache->size > (size_t) work_mem * 1024 &&
		   !dlist_is_empty(&cache->unused))
	{
		KeyEntry *entry = dlist_container(KeyEntry, unused_node,
										  dlist_pop_head_node(&cache->unused));

		cache->unused_size -= entry->size;
		key_entry_remove(cache, entry);
	}
}
