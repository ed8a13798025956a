/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * session_cache.c
 *	  Records that a session keeps across statements, as the option cache_ttl
 *	  allows.
 *
 * They are never shared between user mappings.  All are evicted if a server, a
 * user mapping or a foreign table changes.  Beyond work_mem, the least recently
 * used ones are evicted.
 *
 * Must not know requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "fetch/session_cache.h"

/* Hash key; it contains no padding. */
typedef struct RecordKey
{
	pg_uuid_t id;
	Oid		  umid;
	int32	  type; /* number of the record type */
} RecordKey;

typedef struct KeptRecord
{
	RecordKey	key;
	TimestampTz since;
	char	   *text; /* NULL: the record does not exist */
	int			length;
	dlist_node	node; /* element of used */
} KeptRecord;

struct SessionCache
{
	dlist_node node;
	Oid		   umid;
	char	  *record_type;
	int32	   type;
};

static MemoryContext context = NULL; /* owner of all records */
static HTAB			*records;
static dlist_head	 used;
static size_t		 size; /* bytes of all records */
static uint64		 kept_generation;

/* Incremented by each change that a record may depend on. */
static uint64 generation = 0;

/* All caches.  They are few, and are never freed. */
static dlist_head caches = DLIST_STATIC_INIT(caches);
static int32	  type_total = 0;

PG_FUNCTION_INFO_V1(opportunity_fdw_clear_cache);

static void		 prepare(void);
static void		 invalidate(Datum arg, int cache_id, uint32 hash_value);
static RecordKey make_key(const SessionCache *cache, const pg_uuid_t *id);
static size_t	 size_of(const KeptRecord *record);
static void		 forget(KeptRecord *record);
static void		 forget_all(void);

/*
 * SQL function opportunity_fdw_clear_cache: evicts all records of the session.
 */
Datum
opportunity_fdw_clear_cache(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	generation++;
	forget_all();
	PG_RETURN_VOID();
}

/*
 * Returns the session's cache for a user mapping and a record type, creating it
 * if necessary.  It is never freed.
 */
SessionCache *
session_cache_open(Oid umid, const char *record_type)
{
	static bool	  registered = false;
	dlist_iter	  iter;
	SessionCache *cache;
	char		 *name;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate, (Datum) 0);
		CacheRegisterSyscacheCallback(FOREIGNTABLEREL, invalidate, (Datum) 0);
		registered = true;
	}

	dlist_foreach(iter, &caches)
	{
		cache = dlist_container(SessionCache, node, iter.cur);
		if (cache->umid == umid && strcmp(cache->record_type, record_type) == 0)
			return cache;
	}

	name = MemoryContextStrdup(TopMemoryContext, record_type);
	cache = MemoryContextAlloc(TopMemoryContext, sizeof(SessionCache));
	cache->umid = umid;
	cache->record_type = name;
	cache->type = ++type_total;
	dlist_push_tail(&caches, &cache->node);
	return cache;
}

/*
 * Returns the generation to pass to session_cache_keep, to be read before a
 * record is requested.
 */
uint64
session_cache_generation(void)
{
	return generation;
}

/*
 * Finds a record that was kept at most ttl seconds ago.  Returns false if there
 * is none.  *text is NULL if the record is known not to exist; otherwise it is
 * valid until the next call.
 */
bool
session_cache_find(SessionCache *cache, const pg_uuid_t *id, int ttl,
				   const char **text, int *length)
{
	RecordKey	key = make_key(cache, id);
	KeptRecord *record;

	prepare();
	record = hash_search(records, &key, HASH_FIND, NULL);
	if (record == NULL)
		return false;
	if (TimestampTzPlusMilliseconds(record->since, (int64) ttl * 1000) <
		GetCurrentTimestamp())
	{
		forget(record);
		return false;
	}
	dlist_delete(&record->node);
	dlist_push_tail(&used, &record->node);
	*text = record->text;
	*length = record->length;
	return true;
}

/*
 * Keeps a copy of a record; text NULL: it does not exist.  Does nothing if
 * options have changed since the generation as_of, or if the record exceeds
 * work_mem.
 */
void
session_cache_keep(SessionCache *cache, uint64 as_of, const pg_uuid_t *id,
				   const char *text, int length)
{
	RecordKey	key = make_key(cache, id);
	KeptRecord *record;
	char	   *copy = NULL;
	bool		found;

	if (as_of != generation)
		return;
	prepare();
	record = hash_search(records, &key, HASH_FIND, NULL);
	if (record != NULL)
		forget(record);
	if (length > work_mem * (int64) 1024)
		return;

	/* Allocate first, because that can fail. */
	if (text != NULL)
		copy =
			memcpy(MemoryContextAlloc(context, length + 1), text, length + 1);
	record = hash_search(records, &key, HASH_ENTER, &found);
	record->since = GetCurrentTimestamp();
	record->text = copy;
	record->length = length;
	dlist_push_tail(&used, &record->node);
	size += size_of(record);

	while (size > (size_t) work_mem * 1024 && !dlist_is_empty(&used))
		forget(dlist_head_element(KeptRecord, node, &used));
}

/* Creates the hash table if necessary, after evicting outdated records. */
static void
prepare(void)
{
	HASHCTL		  control = {0};
	MemoryContext new_context;

	if (kept_generation != generation)
		forget_all();
	if (context != NULL)
		return;

	/* Assign context last, when its contents are complete. */
	new_context =
		AllocSetContextCreate(CurrentMemoryContext, "opportunity_fdw session",
							  ALLOCSET_DEFAULT_SIZES);
	control.keysize = sizeof(RecordKey);
	control.entrysize = sizeof(KeptRecord);
	control.hcxt = new_context;
	records = hash_create("opportunity_fdw session", 256, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	dlist_init(&used);
	size = 0;
	kept_generation = generation;
	MemoryContextSetParent(new_context, TopMemoryContext);
	context = new_context;
}

static void
forget_all(void)
{
	if (context != NULL)
		MemoryContextDelete(context);
	context = NULL;
}

/* Syscache callback: a record may depend on the change. */
static void
invalidate(Datum arg, int cache_id, uint32 hash_value)
{
	(void) arg;
	(void) cache_id;
	(void) hash_value;
	generation++;
}

static RecordKey
make_key(const SessionCache *cache, const pg_uuid_t *id)
{
	RecordKey key;

	memset(&key, 0, sizeof(key));
	key.id = *id;
	key.umid = cache->umid;
	key.type = cache->type;
	return key;
}

/* Returns the memory of a record, in bytes. */
static size_t
size_of(const KeptRecord *record)
{
	return sizeof(KeptRecord) +
		   (record->text != NULL ? GetMemoryChunkSpace(record->text) : 0);
}

static void
forget(KeptRecord *record)
{
	dlist_delete(&record->node);
	size -= size_of(record);
	if (record->text != NULL)
		pfree(record->text);
	hash_search(records, &record->key, HASH_REMOVE, NULL);
}
