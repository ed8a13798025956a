/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * session_cache.c
 *	  Records that a session keeps across statements, as the option cache_ttl
 *	  allows.
 *
 * They are never shared between user mappings.  All are evicted if a server, a
 * user mapping or a foreign table changes, and the least recently used ones
 * beyond work_mem.
 *
 * Must not know requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "fetch/statement.h"

/* Hash key; it contains no padding. */
typedef struct SessionKey
{
	pg_uuid_t id;
	Oid		  umid;
	int32	  type;
} SessionKey;

typedef struct SessionRecord
{
	SessionKey	key;
	TimestampTz since;
	char	   *text; /* NULL: the record does not exist */
	int			length;
	size_t		size; /* bytes of memory */
	dlist_node	node; /* element of used */
} SessionRecord;

static MemoryContext context = NULL; /* owner of all records */
static HTAB			*records = NULL;
static dlist_head	 used; /* the least recently used first */
static size_t		 size; /* bytes of all records */
static uint64		 kept_generation;

/* Incremented by each change that a record may depend on. */
static uint64 generation = 0;

/* Names of record types, by their number.  They are few, and never freed. */
static List *record_types = NIL;

PG_FUNCTION_INFO_V1(opportunity_fdw_clear_cache);

/* Syscache callback: a record may depend on the change. */
static void
invalidate_session(Datum arg, int cache_id, uint32 hash_value)
{
	(void) arg;
	(void) cache_id;
	(void) hash_value;
	generation++;
}

static void
forget_all(void)
{
	if (context != NULL)
		MemoryContextDelete(context);
	context = NULL;
	records = NULL;
}

/* SQL function opportunity_fdw_clear_cache. */
Datum
opportunity_fdw_clear_cache(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	generation++;
	forget_all();
	PG_RETURN_VOID();
}

/*
 * Returns the scope of records that will be requested.  It must be made before,
 * so that records requested under older options are not kept.
 */
SessionScope
session_cache_scope(Oid umid, const char *record_type)
{
	SessionScope  scope = {umid, 0, generation};
	MemoryContext old_context;
	ListCell	 *cell;

	if (record_types == NIL)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate_session, 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate_session, 0);
		CacheRegisterSyscacheCallback(FOREIGNTABLEREL, invalidate_session, 0);
	}
	foreach(cell, record_types)
	{
		if (strcmp(lfirst(cell), record_type) == 0)
			return scope;
		scope.type++;
	}
	old_context = MemoryContextSwitchTo(TopMemoryContext);
	record_types = lappend(record_types, pstrdup(record_type));
	MemoryContextSwitchTo(old_context);
	return scope;
}

/* Creates the hash table if necessary, after evicting outdated records. */
static void
prepare_records(void)
{
	HASHCTL control = {.keysize = sizeof(SessionKey),
					   .entrysize = sizeof(SessionRecord)};

	if (kept_generation != generation)
		forget_all();
	if (records != NULL)
		return;
	if (context == NULL)
		context =
			AllocSetContextCreate(TopMemoryContext, "opportunity_fdw session",
								  ALLOCSET_DEFAULT_SIZES);
	control.hcxt = context;
	records = hash_create("opportunity_fdw session", 256, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	dlist_init(&used);
	size = 0;
	kept_generation = generation;
}

static void
forget_record(SessionRecord *record)
{
	dlist_delete(&record->node);
	size -= record->size;
	if (record->text != NULL)
		pfree(record->text);
	hash_search(records, &record->key, HASH_REMOVE, NULL);
}

/*
 * Finds a record that was kept at most ttl seconds ago.  *text is NULL if it is
 * known not to exist, and otherwise valid until the next call.
 */
bool
session_cache_find(SessionScope scope, const pg_uuid_t *id, int ttl,
				   const char **text, int *length)
{
	SessionKey	   key = {*id, scope.umid, scope.type};
	SessionRecord *record;

	prepare_records();
	record = hash_search(records, &key, HASH_FIND, NULL);
	if (record == NULL)
		return false;
	if (TimestampTzPlusMilliseconds(record->since, (int64) ttl * 1000) <
		GetCurrentTimestamp())
	{
		forget_record(record);
		return false;
	}
	dlist_move_tail(&used, &record->node);
	*text = record->text;
	*length = record->length;
	return true;
}

/*
 * Keeps a copy of a text that record_write_whole has written, unless options have
 * changed; text NULL: there is no record.
 */
void
session_cache_keep(SessionScope scope, const pg_uuid_t *id, const char *text,
				   int length)
{
	SessionKey	   key = {*id, scope.umid, scope.type};
	SessionRecord *record;
	char		  *copy = NULL;

	if (scope.generation != generation)
		return;
	prepare_records();
	record = hash_search(records, &key, HASH_FIND, NULL);
	if (record != NULL)
		forget_record(record);
	if (length > work_mem * (int64) 1024)
		return;

	/* Allocate first, because that can fail. */
	if (text != NULL)
		copy = memcpy(MemoryContextAlloc(context, length + JSON_PADDING), text,
					  length + JSON_PADDING);
	record = hash_search(records, &key, HASH_ENTER, NULL);
	record->since = GetCurrentTimestamp();
	record->text = copy;
	record->length = length;
	dlist_push_tail(&used, &record->node);
	record->size =
		sizeof(SessionRecord) + (copy != NULL ? GetMemoryChunkSpace(copy) : 0);
	size += record->size;

	while (size > (size_t) work_mem * 1024 && !dlist_is_empty(&used))
		forget_record(dlist_head_element(SessionRecord, node, &used));
}
