/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_cache.c
 *	  Cache of the records that one running statement looks up by keys.
 *
 * A key is a record's id, or the value of another attribute, which many records
 * may have.  An entry has the records of one key, with the attributes that the
 * statement's scans want.
 *
 * A lookup inside a correlated subquery has other filters, and so another cache,
 * for each outer row.  All caches share work_mem.  Beyond it, the least recently
 * used entries are evicted, and may be fetched again.  A cache lives until its
 * last entry and its last user are gone.
 *
 * Must not know requests, plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "api/api_records.h"
#include "fetch/key_cache.h"

/* Functions of a dynahash whose key is KeyCache.name. */
static uint32
hash_name(const void *key, Size size)
{
	const char *name = *(const char *const *) key;

	(void) size;
	return hash_bytes((const unsigned char *) name, (int) strlen(name));
}

static int
match_names(const void *a, const void *b, Size size)
{
	(void) size;
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* Returns the empty store of a statement, which lives as long. */
static KeyStore *
create_store(Statement *statement)
{
	MemoryContext context = AllocSetContextCreate(
		statement->context, "opportunity_fdw cache", ALLOCSET_DEFAULT_SIZES);
	KeyStore *store = MemoryContextAllocZero(context, sizeof(KeyStore));
	HASHCTL	  names = {.keysize = sizeof(char *),
					   .entrysize = sizeof(KeyCache),
					   .hash = hash_name,
					   .match = match_names,
					   .hcxt = context};
	HASHCTL	  keys = {.keysize = sizeof(KeyEntryId),
					  .entrysize = sizeof(KeyEntry),
					  .hcxt = context};

	store->context = context;
	store->page_context = AllocSetContextCreate(context, "opportunity_fdw page",
												ALLOCSET_DEFAULT_SIZES);
	store->response_number = 1;
	dlist_init(&store->unused);
	store->caches =
		hash_create("opportunity_fdw caches", 16, &names,
					HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	store->entries = hash_create("opportunity_fdw keys", 256, &keys,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	return store;
}

/*
 * Returns a key attribute of a source.  name: of the attribute, in UTF-8.  Adds
 * it to the wanted ones if it is new, or returns NULL if it may not create it.
 */
static KeyField *
find_field(KeyStore *store, RecordSource *records, const char *name,
		   bool may_create)
{
	KeyField	 *field;
	ListCell	 *cell;
	MemoryContext old_context;

	foreach(cell, store->fields)
	{
		field = lfirst(cell);
		if (field->records == records && strcmp(field->name, name) == 0)
			return field;
	}
	if (!may_create)
		return NULL;

	old_context = MemoryContextSwitchTo(store->context);
	field = palloc0(sizeof(KeyField));
	field->store = store;
	field->records = records;
	field->name = pstrdup(name);
	field->is_id = strcmp(name, ID_FIELD) == 0;
	field->number =
		field->is_id ? -1 : attribute_set_add(records->wanted, name);
	dlist_init(&field->requests);
	field->at_once = field->is_id ? INT_MAX : MAX_REMOTE_VALUES;
	field->limit_is_fine = field->is_id; /* a query's limit is its keys */
	store->fields = lappend(store->fields, field);
	MemoryContextSwitchTo(old_context);
	return field;
}

static int
compare_filters(const ListCell *a, const ListCell *b)
{
	return strcmp(((RemoteFilter *) lfirst(a))->json,
				  ((RemoteFilter *) lfirst(b))->json);
}

/*
 * Returns the identity of a cache, palloc'd: the address of the attribute, and
 * the filters in a defined order, separated by commas.  The text after the first
 * comma is one filter that joins them by AND.
 */
static char *
name_of(const KeyField *field, List *filters)
{
	List		  *sorted = list_copy(filters);
	StringInfoData name;
	ListCell	  *cell;

	list_sort(sorted, compare_filters);
	initStringInfo(&name);
	appendStringInfo(&name, "%p", (const void *) field);
	foreach(cell, sorted)
		appendStringInfo(&name, ",%s", ((RemoteFilter *) lfirst(cell))->json);
	list_free(sorted);
	return name.data;
}

/* Returns the memory of a cache without its entries, in bytes. */
static size_t
size_of(const KeyCache *cache)
{
	return sizeof(KeyCache) + GetMemoryChunkSpace(cache->name);
}

/*
 * Returns the cache of a source's records by the attribute field, under further
 * RemoteFilters in any order, or NULL if there is none and it may not create it.
 * The caller must release the reference by key_cache_close.  The first cache of
 * an attribute must be created before the first record is read.
 */
KeyCache *
key_cache_open(RecordSource *records, const char *field, List *filters,
			   bool may_create)
{
	Statement *statement = records->statement;
	KeyField  *found;
	KeyCache  *cache;
	char	  *name;
	char	  *comma;
	bool	   is_old;

	if (statement->store == NULL && !may_create)
		return NULL;
	if (statement->store == NULL)
		statement->store = create_store(statement);
	found = find_field(statement->store, records, field, may_create);
	if (found == NULL)
		return NULL;
	name = name_of(found, filters);
	cache = hash_search(statement->store->caches, &name,
						may_create ? HASH_ENTER : HASH_FIND, &is_old);
	if (cache != NULL && !is_old)
	{
		cache->name = MemoryContextStrdup(statement->store->context, name);
		cache->field = found;
		comma = strchr(cache->name, ',');
		cache->filter =
			(RemoteFilter){.json = comma != NULL ? comma + 1 : NULL};
		cache->users = 0;
		statement->store->size += size_of(cache);
	}
	if (cache != NULL)
		cache->users++;
	pfree(name);
	return cache;
}

/* Releases a reference to a cache, and frees it after the last one. */
void
key_cache_close(KeyCache *cache)
{
	KeyStore *store = cache->field->store;
	char	 *name = cache->name;

	if (--cache->users > 0)
		return;
	store->size -= size_of(cache);
	hash_search(store->caches, &name, HASH_REMOVE, NULL);
	pfree(name);
}

/*
 * Returns the entry of a key.  If there is none, creates it pending and without
 * users, or returns NULL if it may not.
 */
KeyEntry *
key_entry_find(KeyCache *cache, const pg_uuid_t *key, bool may_create)
{
	KeyStore  *store = cache->field->store;
	KeyEntryId id = {*key, cache};
	KeyEntry  *entry;
	bool	   found;

	entry = hash_search(store->entries, &id,
						may_create ? HASH_ENTER : HASH_FIND, &found);
	if (entry != NULL && !found)
	{
		memset((char *) entry + sizeof(entry->id), 0,
			   sizeof(KeyEntry) - sizeof(entry->id));
		entry->size = sizeof(KeyEntry);
		store->size += entry->size;
		cache->users++;
	}
	return entry;
}

/* Adds a reference to an entry, so that it is not evicted. */
void
key_entry_use(KeyEntry *entry)
{
	if (entry->users++ == 0 && entry->state != KEY_PENDING)
		dlist_delete(&entry->unused_node);
}

/*
 * Releases a reference to an entry.  After the last one, the entry may be evicted
 * if it has a final state.  It is removed if it was never requested.
 */
void
key_entry_release(KeyEntry *entry)
{
	if (--entry->users > 0)
		return;
	if (entry->state != KEY_PENDING)
		dlist_push_tail(&entry->id.cache->field->store->unused,
						&entry->unused_node);
	else if (entry->request == NULL)
		key_entry_remove(entry);
}

/*
 * Adds a copy of a record's text, which record_write_cut or record_write_whole has
 * written.  parsed: the record in the store's response, or NULL.
 */
void
key_entry_add(KeyEntry *entry, const char *text, int length, Record *parsed)
{
	KeyStore	 *store = entry->id.cache->field->store;
	MemoryContext old_context = MemoryContextSwitchTo(store->context);
	KeptRecord	 *kept =
		palloc(offsetof(KeptRecord, text) + length + JSON_PADDING);

	kept->parsed = parsed;
	kept->response_number = parsed != NULL ? store->response_number : 0;
	kept->length = length;
	memcpy(kept->text, text, length + JSON_PADDING);
	entry->records = lappend(entry->records, kept);
	entry->size += GetMemoryChunkSpace(kept);
	store->size += GetMemoryChunkSpace(kept);
	MemoryContextSwitchTo(old_context);
}

/* Sets the final state of an entry, whose request ends. */
void
key_entry_settle(KeyEntry *entry, KeyState state)
{
	if (state == KEY_OWN_QUERY)
		key_entry_drop_records(entry);
	entry->state = state;
	entry->request = NULL;
	if (entry->users == 0)
		dlist_push_tail(&entry->id.cache->field->store->unused,
						&entry->unused_node);
}

/* Frees the records of an entry that has users or is pending. */
void
key_entry_drop_records(KeyEntry *entry)
{
	list_free_deep(entry->records);
	entry->records = NIL;
	entry->id.cache->field->store->size -= entry->size - sizeof(KeyEntry);
	entry->size = sizeof(KeyEntry);
}

/* Removes an entry that has no users and is not in the unused list. */
void
key_entry_remove(KeyEntry *entry)
{
	KeyCache *cache = entry->id.cache;
	KeyStore *store = cache->field->store;

	key_entry_drop_records(entry);
	store->size -= entry->size;
	hash_search(store->entries, &entry->id, HASH_REMOVE, NULL);
	key_cache_close(cache);
}

/*
 * Returns true if the records in use exceed work_mem.  Unused ones do not count,
 * because each growth of the store is followed by key_store_evict.
 */
bool
key_store_is_full(const KeyStore *store)
{
	return store->size > (size_t) work_mem * 1024;
}

/* Evicts the least recently used entries until the rest fits in work_mem. */
void
key_store_evict(KeyStore *store)
{
	while (key_store_is_full(store) && !dlist_is_empty(&store->unused))
	{
		KeyEntry *entry =
			dlist_head_element(KeyEntry, unused_node, &store->unused);

		dlist_delete(&entry->unused_node);
		key_entry_remove(entry);
	}
}
