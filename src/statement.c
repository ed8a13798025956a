/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  What the scans of one running statement share: the records read so far,
 *	  the requests spent and the warnings given.
 *
 * All of it hangs on the statement's executor state, and ends with that.  A
 * record is kept as JSON with only the attributes that the statement's scans
 * want; beyond work_mem, the least recently used are forgotten, and may be
 * fetched again.
 *
 * Knows nothing of plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "api.h"
#include "statement.h"

/* A running statement, and the caches of its scans. */
typedef struct Statement
{
	dlist_node			  node;
	MemoryContextCallback callback;
	MemoryContext		  context;
	EState				 *estate;
	int64				  request_total;
	int					  pending; /* requests whose answer nobody has read */
	List				 *warned_columns; /* of the executor state's context */
	dlist_head			  caches;
} Statement;

struct RecordCache
{
	dlist_node	  node; /* in the statement's list */
	MemoryContext context;
	Statement	 *statement;
	Oid			  umid;
	char		 *record_type;
	Api			 *api;
	AttributeSet *wanted;
	HTAB		 *entries;
	dlist_head	  unused; /* entries that can go, least recently used first */
	size_t		  size;	  /* bytes of their and the others' text */
};

struct CacheEntry
{
	pg_uuid_t	  id;		/* the hash key */
	HttpTransfer *transfer; /* NULL once the answer is known */
	char	  *text; /* the record, cut down; NULL: there is no such record */
	int		   length;
	int		   users; /* while it has any, it cannot go */
	dlist_node unused_node;
};

/* The statements that are running, nested ones included. */
static dlist_head statements = DLIST_STATIC_INIT(statements);

static Statement   *find_statement(EState *estate);
static Statement   *create_statement(EState *estate);
static void			release_statement(void *arg);
static RecordCache *find_cache(Statement *statement, Oid umid,
							   const char *record_type);
static RecordCache *create_cache(Statement *statement, const Settings *settings,
								 Credentials *credentials);
static void			start_request(RecordCache *cache, CacheEntry *entry,
								  HttpBudget *budget);
static void			finish_request(RecordCache *cache, CacheEntry *entry,
								   HttpBudget *budget);
static void			end_request(RecordCache *cache, CacheEntry *entry);
static void			forget_beyond_work_mem(RecordCache *cache);

/*
 * The cache of a statement for a table's records as a user sees them, made
 * where there is none yet.  Raises an error where the user may not use the
 * table's server.  Makes no request.
 */
RecordCache *
record_cache_open(EState *estate, const Settings *settings, Oid userid)
{
	MemoryContext old_context = MemoryContextSwitchTo(estate->es_query_cxt);
	Credentials	 *credentials = credentials_read(settings, userid);
	Statement	 *statement = find_statement(estate);
	RecordCache	 *cache;

	if (statement == NULL)
		statement = create_statement(estate);
	cache = find_cache(statement, credentials->umid, settings->record_type);
	if (cache == NULL)
		cache = create_cache(statement, settings, credentials);
	MemoryContextSwitchTo(old_context);
	return cache;
}

/*
 * The attributes that the statement's scans want of these records.  Every scan
 * adds its own when it begins, before the first record is read.
 */
AttributeSet *
record_cache_wanted(RecordCache *cache)
{
	return cache->wanted;
}

/* Where the statement's requests are counted. */
int64 *
record_cache_request_total(RecordCache *cache)
{
	return &cache->statement->request_total;
}

/*
 * The statement's columns that have warned of values that do not fit.  Grows in
 * the context of the executor state, in the form of its readers' choice.
 */
List **
record_cache_warned_columns(RecordCache *cache)
{
	return &cache->statement->warned_columns;
}

/* How many of the statement's requests are on their way. */
int
record_cache_pending(RecordCache *cache)
{
	return cache->statement->pending;
}

/*
 * Makes sure that a record is here or on its way, and keeps it here until
 * record_cache_release.  *is_hit: no request was needed.
 */
CacheEntry *
record_cache_want(RecordCache *cache, const pg_uuid_t *id, HttpBudget *budget,
				  bool *is_hit)
{
	CacheEntry *entry = hash_search(cache->entries, id, HASH_ENTER, is_hit);

	if (!*is_hit)
	{
		memset((char *) entry + sizeof(entry->id), 0,
			   sizeof(CacheEntry) - sizeof(entry->id));
		start_request(cache, entry, budget);
	}
	else if (entry->users == 0)
		dlist_delete(&entry->unused_node);
	entry->users++;
	return entry;
}

/*
 * Waits for a wanted record and reads it into the current context; it points
 * into the entry, which has to be kept as long.  Returns whether there is such
 * a record.  Raises the errors of api_finish_record.
 */
bool
record_cache_read(RecordCache *cache, CacheEntry *entry, HttpBudget *budget,
				  Record **record)
{
	char *problem;

	if (entry->transfer != NULL)
		finish_request(cache, entry, budget);
	if (entry->text == NULL)
		return false;
	if (record_parse(cache->wanted, entry->text, entry->length, record,
					 &problem) != RECORD_OK)
		elog(ERROR, "record in the statement's cache cannot be read: %s",
			 problem);
	return true;
}

/* The entry is no longer needed by one of its users. */
void
record_cache_release(RecordCache *cache, CacheEntry *entry)
{
	if (--entry->users > 0)
		return;
	dlist_push_tail(&cache->unused, &entry->unused_node);
	forget_beyond_work_mem(cache);
}

static Statement *
find_statement(EState *estate)
{
	dlist_iter iter;

	dlist_foreach(iter, &statements)
	{
		Statement *statement = dlist_container(Statement, node, iter.cur);

		if (statement->estate == estate)
			return statement;
	}
	return NULL;
}

static Statement *
create_statement(EState *estate)
{
	MemoryContext context =
		AllocSetContextCreate(estate->es_query_cxt, "opportunity_fdw statement",
							  ALLOCSET_SMALL_SIZES);
	Statement *statement = MemoryContextAllocZero(context, sizeof(Statement));

	statement->context = context;
	statement->estate = estate;
	dlist_init(&statement->caches);
	dlist_push_head(&statements, &statement->node);
	statement->callback.func = release_statement;
	statement->callback.arg = statement;
	MemoryContextRegisterResetCallback(context, &statement->callback);
	return statement;
}

/* The statement's executor state ends. */
static void
release_statement(void *arg)
{
	Statement *statement = arg;

	dlist_delete(&statement->node);
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
	cache->statement = statement;
	cache->umid = credentials->umid;
	cache->record_type = pstrdup(settings->record_type);
	cache->api = api_open(settings, credentials);
	cache->wanted = attribute_set_create();
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

static void
start_request(RecordCache *cache, CacheEntry *entry, HttpBudget *budget)
{
	char *id = DatumGetCString(
		DirectFunctionCall1(uuid_out, UUIDPGetDatum(&entry->id)));

	entry->transfer = api_get_record(cache->api, id, budget);
	cache->statement->pending++;
	pfree(id);
}

/* Waits for an entry's answer, and keeps of it what is wanted. */
static void
finish_request(RecordCache *cache, CacheEntry *entry, HttpBudget *budget)
{
	char *id = DatumGetCString(
		DirectFunctionCall1(uuid_out, UUIDPGetDatum(&entry->id)));
	Record *record;

	if (api_finish_record(cache->api, entry->transfer, id, budget,
						  cache->wanted, &record))
	{
		StringInfoData text;

		initStringInfo(&text);
		record_write_cut(cache->wanted, record, &text);
		entry->text = MemoryContextAlloc(cache->context, text.len + 1);
		memcpy(entry->text, text.data, text.len + 1);
		entry->length = text.len;
		pfree(text.data);
	}
	end_request(cache, entry);
	cache->size += sizeof(CacheEntry) + entry->length;
}

/* Ends an entry's request, be its answer read or not. */
static void
end_request(RecordCache *cache, CacheEntry *entry)
{
	http_end(entry->transfer);
	entry->transfer = NULL;
	cache->statement->pending--;
}

/* Forgets records until the rest fits, or all of it is in use. */
static void
forget_beyond_work_mem(RecordCache *cache)
{
	while (cache->size > (size_t) work_mem * 1024 &&
		   !dlist_is_empty(&cache->unused))
	{
		CacheEntry *entry = dlist_container(
			CacheEntry, unused_node, dlist_pop_head_node(&cache->unused));

		/* A request that nobody came to wait for goes with its entry. */
		if (entry->transfer != NULL)
			end_request(cache, entry);
		else
			cache->size -= sizeof(CacheEntry) + entry->length;
		if (entry->text != NULL)
			pfree(entry->text);
		hash_search(cache->entries, &entry->id, HASH_REMOVE, NULL);
	}
}
