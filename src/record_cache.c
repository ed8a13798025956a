/*-------------------------------------------------------------------------
 *
 * record_cache.c
 *	  The records that one running statement has read or is about to read.
 *
 * Records are asked for in batches: one id with a GET, more with one query.
 * What a query does not return is asked for by itself, unless the table says
 * that queries return all there is, and a query that is refused is halved; so
 * that the answer is always what GET says.
 *
 * A record is kept as JSON with only the attributes that the statement's scans
 * want; beyond work_mem, the least recently used are forgotten, and may be
 * fetched again.
 *
 * Knows nothing of plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "api.h"
#include "record_cache.h"
#include "session_cache.h"
#include "statement.h"

/* So many pages of a query may bring nothing before it is given up. */
#define MAX_BARREN_PAGES 5

struct RecordCache
{
	dlist_node	  node; /* in the statement's list */
	MemoryContext context;
	MemoryContext scratch_context; /* of what asking leaves behind */
	Statement	 *statement;
	Oid			  umid;
	char		 *record_type;
	Api			 *api;
	AttributeSet *wanted;
	HTAB		 *entries;
	SessionCache *session; /* what is kept over statements, and since when */
	uint64		  session_generation;
	uint64		  batch_total;
	dlist_head	  queued; /* requests that are still to be sent */
	dlist_head	  sent; /* those whose answer is still to come, or to be read */
	dlist_head	  set_aside; /* and those whose answer only a need will read */
	dlist_head	  unused; /* entries that can go, least recently used first */
	size_t		  size;	  /* bytes of all entries that are known */

	/* the answer read last, whose records are still there as they were parsed */
	MemoryContext answer_context;
	HttpTransfer *answer; /* what they point into; NULL: it had no records */
	uint64		  answer_number;
};

typedef enum EntryState
{
	ENTRY_PENDING,
	ENTRY_FOUND,
	ENTRY_NOT_LISTED, /* a query did not return it, and that was good enough */
	ENTRY_MISSING	  /* there is no such record */
} EntryState;

/* One record, or what is known of it. */
typedef struct CacheEntry
{
	pg_uuid_t		id; /* the hash key */
	EntryState		state;
	struct Request *request;  /* while it is pending */
	uint64			batch;	  /* the batch that took it last */
	bool			is_ahead; /* fetched ahead, and not used since */
	char		   *text;	  /* the record, cut down, where there is one */
	int				length;
	Record		   *record;		   /* all of it, parsed, but only as long as */
	uint64			answer_number; /* this is the cache's answer */
	int				users;		   /* while it has any, it cannot go */
	dlist_node		unused_node;
} CacheEntry;

/* What is asked for together.  More than one entry: a query. */
typedef struct Request
{
	dlist_node		node;
	HttpTransfer   *transfer;	  /* NULL: not sent yet */
	bool			is_under_way; /* sent, and not set aside */
	const Settings *settings;
	HttpBudget	   *budget;
	char		   *cursor; /* of the page to ask for; NULL: the first */
	int				barren; /* pages that brought nothing */
	int				count;
	CacheEntry	   *entries[FLEXIBLE_ARRAY_MEMBER];
} Request;

/* The request of entries that are about to get one. */
static Request to_be_made;

struct RecordBatch
{
	RecordCache	   *cache;
	const Settings *settings;
	HttpBudget	   *budget;
	bool			is_ahead;
	uint64			number;
	int				hits; /* entries that needed no request */
	int				count;
	int				capacity;
	CacheEntry	  **entries;
	int				new_count; /* those of them at the end of new_entries */
	int				new_capacity;
	CacheEntry	  **new_entries; /* that have not been asked for yet */
};

static RecordCache *find_cache(Statement *statement, Oid umid,
							   const char *record_type);
static RecordCache *create_cache(Statement *statement, const Settings *settings,
								 Credentials *credentials);
static void append_entry(CacheEntry ***entries, int *count, int *capacity,
						 CacheEntry *entry);
static bool is_good_enough(const CacheEntry *entry, const Settings *settings);
static bool find_in_session(RecordCache *cache, CacheEntry *entry,
							const Settings *settings);
static int	ids_per_request(const RecordBatch *batch);

static void enqueue(RecordCache *cache, const Settings *settings,
					HttpBudget *budget, CacheEntry **entries, int count,
					bool at_front);
static void send_queued(RecordCache *cache, const Request *needed);
static void send_request(RecordCache *cache, Request *request);
static void end_transfer(RecordCache *cache, Request *request);
static void drop_request(RecordCache *cache, Request *request);
static void forget_request(Request *request);
static bool is_wanted(const Request *request);
static bool is_too_long(const RecordCache *cache, const Request *request);

static void wait_for_entry(RecordBatch *batch, CacheEntry *entry);
static void finish_answered(RecordCache *cache);
static void finish_request(RecordCache *cache, Request *request,
						   bool is_needed);
static void finish_get(RecordCache *cache, Request *request, bool is_needed);
static void finish_query(RecordCache *cache, Request *request, bool is_needed);
static void set_aside(RecordCache *cache, Request *request);
static void forget_answer(RecordCache *cache);
static bool take_page(RecordCache *cache, Request *request,
					  const RecordPage *page);
static void ask_again(RecordCache *cache, Request *request, char *cursor);
static void ask_in_halves(RecordCache *cache, Request *request);
static void ask_in_pieces(RecordCache *cache, Request *request, int size);
static void settle_rest(RecordCache *cache, Request *request);

static void	  keep_record(RecordCache *cache, const Request *request,
						  CacheEntry *entry, Record *record);
static void	  keep_text(RecordCache *cache, CacheEntry *entry, const char *text,
						int length);
static void	  settle(RecordCache *cache, CacheEntry *entry, EntryState state);
static void	  unsettle(RecordCache *cache, CacheEntry *entry);
static size_t size_of(const CacheEntry *entry);
static void	  forget_beyond_work_mem(RecordCache *cache);

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
	Statement	 *statement = statement_of(estate);
	RecordCache	 *cache;

	cache = find_cache(statement, credentials->umid, settings->record_type);
	if (cache == NULL)
		cache = create_cache(statement, settings, credentials);
	MemoryContextSwitchTo(old_context);
	return cache;
}

/* The API as the cache's records are read from it. */
Api *
record_cache_api(const RecordCache *cache)
{
	return cache->api;
}

/* The statement that the cache belongs to. */
Statement *
record_cache_statement(const RecordCache *cache)
{
	return cache->statement;
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

/* Whether the statement has as many requests under way as it may. */
bool
record_cache_is_busy(const RecordCache *cache, const Settings *settings)
{
	return cache->statement->pending >= settings->max_concurrency;
}

/*
 * An empty batch of records to be read by a table's settings, in the current
 * context, as which settings and budget must live at least.
 *
 * is_ahead: it only makes sure that the records are there when others want
 * them, and these others do not count as hits of the cache.
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

/* Adds a record to a batch, once.  It is not asked for yet. */
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
		/* Of the batches that want it, the first to be sent asks for it. */
		append_entry(&batch->new_entries, &batch->new_count,
					 &batch->new_capacity, entry);
	}
	else if (is_known && is_good_enough(entry, batch->settings))
	{
		if (batch->is_ahead || !entry->is_ahead)
			batch->hits++;
	}
	else
	{
		if (is_known)
			unsettle(cache, entry);
		if (find_in_session(cache, entry, batch->settings))
			batch->hits++;
		else
			append_entry(&batch->new_entries, &batch->new_count,
						 &batch->new_capacity, entry);
	}
	entry->is_ahead = batch->is_ahead;
}

/* Whether the records still to be asked for fill a request. */
bool
record_batch_is_full(const RecordBatch *batch)
{
	return batch->new_count >= ids_per_request(batch);
}

/* Asks for what of a batch has to be asked for, as soon as there is room. */
void
record_batch_send(RecordBatch *batch)
{
	int at_once = ids_per_request(batch);
	int count = 0;

	/*
	 * Another batch may have asked for some of them in the meantime, or have
	 * made the batch take them once more.
	 */
	for (int i = 0; i < batch->new_count; i++)
	{
		CacheEntry *entry = batch->new_entries[i];

		if (entry->state == ENTRY_PENDING && entry->request == NULL)
		{
			entry->request = &to_be_made;
			batch->new_entries[count++] = entry;
		}
	}
	for (int i = 0; i < count; i += at_once)
		enqueue(batch->cache, batch->settings, batch->budget,
				&batch->new_entries[i], Min(at_once, count - i), false);
	batch->new_count = 0;
	send_queued(batch->cache, NULL);
}

/* How many different records a batch is for. */
int
record_batch_count(const RecordBatch *batch)
{
	return batch->count;
}

/* How many of them needed no request. */
int
record_batch_hits(const RecordBatch *batch)
{
	return batch->hits;
}

/*
 * Waits for one of a batch's records, numbered from 0 as they were added, and
 * reads it into the current context; it points into the cache, and is gone with
 * the batch, or when another one is read.  Returns whether there is such a
 * record.  Raises the errors of api.c.
 */
bool
record_batch_read(RecordBatch *batch, int number, Record **record,
				  const pg_uuid_t **id)
{
	CacheEntry *entry = batch->entries[number];
	char	   *problem;

	*id = &entry->id;
	while (entry->state == ENTRY_PENDING ||
		   !is_good_enough(entry, batch->settings))
		wait_for_entry(batch, entry);
	if (entry->state != ENTRY_FOUND)
		return false;
	if (entry->answer_number == batch->cache->answer_number)
		*record = entry->record;
	else if (record_parse(batch->cache->wanted, entry->text, entry->length,
						  record, &problem) != RECORD_OK)
		elog(ERROR, "record in the statement's cache cannot be read: %s",
			 problem);
	return true;
}

/* Lets go of a batch's records; what nobody wants is not asked for. */
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
		else if (!entry->request->is_under_way && !is_wanted(entry->request))
			drop_request(cache, entry->request);
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
	cache->answer_context = AllocSetContextCreate(
		context, "opportunity_fdw answer", ALLOCSET_DEFAULT_SIZES);
	cache->answer_number = 1;
	cache->statement = statement;
	cache->umid = credentials->umid;
	cache->record_type = pstrdup(settings->record_type);
	cache->api = api_open(settings, credentials);
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

/* Appends to a palloc'd array that lives in the current context. */
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
 * Whether what is known of a record, or is being asked, will do for a table.
 * That a query did not return it is nothing for a table that wants to know.
 */
static bool
is_good_enough(const CacheEntry *entry, const Settings *settings)
{
	return entry->state != ENTRY_NOT_LISTED || settings_trust_query(settings);
}

/* Takes what the session has kept of a record, if it is young enough. */
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
	settle(cache, entry, text != NULL ? ENTRY_FOUND : ENTRY_MISSING);
	return true;
}

/* How many ids are asked for together. */
static int
ids_per_request(const RecordBatch *batch)
{
	int limit = api_ids_at_once(batch->cache->api);

	if (!batch->settings->use_query)
		return 1;
	return limit == 0 ? batch->settings->page_size
					  : Min(limit, batch->settings->page_size);
}

/* Makes a request for some entries, to be sent when there is room. */
static void
enqueue(RecordCache *cache, const Settings *settings, HttpBudget *budget,
		CacheEntry **entries, int count, bool at_front)
{
	Request *request = MemoryContextAllocZero(cache->context,
											  offsetof(Request, entries) +
												  count * sizeof(CacheEntry *));

	request->settings = settings;
	request->budget = budget;
	request->count = count;
	for (int i = 0; i < count; i++)
	{
		request->entries[i] = entries[i];
		entries[i]->request = request;
	}
	if (at_front)
		dlist_push_head(&cache->queued, &request->node);
	else
		dlist_push_tail(&cache->queued, &request->node);
}

/*
 * Sends what can be sent.  The caches of a statement share its concurrency, but
 * each may have one request, so that none waits for another.  Only a request
 * that is needed now, if any, can raise an error for exceeding its budget.
 */
static void
send_queued(RecordCache *cache, const Request *needed)
{
	while (!dlist_is_empty(&cache->queued))
	{
		Request *request = dlist_head_element(Request, node, &cache->queued);

		if (is_too_long(cache, request))
		{
			dlist_delete(&request->node);
			ask_in_pieces(cache, request, api_ids_at_once(cache->api));
			continue;
		}
		if (!dlist_is_empty(&cache->sent) &&
			record_cache_is_busy(cache, request->settings))
			return;
		if (request != needed && !http_allows(request->budget))
			return;
		send_request(cache, request);
	}
}

/* Sends a request.  Raises an error where it would exceed the budget. */
static void
send_request(RecordCache *cache, Request *request)
{
	MemoryContext old_context = MemoryContextSwitchTo(cache->scratch_context);

	if (request->cursor != NULL)
		request->transfer = api_query_next(cache->api, request->cursor,
										   request->count, request->budget);
	else if (request->count == 1)
		request->transfer = api_get_record(cache->api, &request->entries[0]->id,
										   request->budget);
	else
	{
		const pg_uuid_t **ids = palloc(request->count * sizeof(pg_uuid_t *));

		for (int i = 0; i < request->count; i++)
			ids[i] = &request->entries[i]->id;
		request->transfer =
			api_query_ids(cache->api, ids, request->count, request->budget);
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(cache->scratch_context);

	dlist_delete(&request->node);
	dlist_push_tail(&cache->sent, &request->node);
	request->is_under_way = true;
	cache->statement->pending++;
}

/*
 * Takes a sent request out of its list, be its answer read or not.  The answer
 * stays where records point into it.
 */
static void
end_transfer(RecordCache *cache, Request *request)
{
	if (request->transfer != cache->answer)
		http_end(request->transfer);
	request->transfer = NULL;
	dlist_delete(&request->node);
	if (request->is_under_way)
		cache->statement->pending--;
	request->is_under_way = false;
}

/* Forgets a request that nobody wants, and its entries. */
static void
drop_request(RecordCache *cache, Request *request)
{
	if (request->transfer != NULL)
		end_transfer(cache, request);
	else
		dlist_delete(&request->node);
	for (int i = 0; i < request->count; i++)
		hash_search(cache->entries, &request->entries[i]->id, HASH_REMOVE,
					NULL);
	forget_request(request);
}

/* A request that is in no list any more. */
static void
forget_request(Request *request)
{
	if (request->cursor != NULL)
		pfree(request->cursor);
	pfree(request);
}

/* Whether somebody keeps one of the request's entries. */
static bool
is_wanted(const Request *request)
{
	for (int i = 0; i < request->count; i++)
	{
		if (request->entries[i]->users > 0)
			return true;
	}
	return false;
}

/* Whether it has turned out that a query cannot be for so many records. */
static bool
is_too_long(const RecordCache *cache, const Request *request)
{
	int limit = api_ids_at_once(cache->api);

	return request->cursor == NULL && limit > 0 && request->count > limit;
}

/*
 * Waits for the next answer that brings an entry of the batch closer, of which
 * it is not known yet what the batch has to know, and reads it.  Where there is
 * nothing to be read yet, it is time for the others.  Raises an error only for
 * what the entry needs: the other requests keep theirs until they are needed,
 * if ever.
 */
static void
wait_for_entry(RecordBatch *batch, CacheEntry *entry)
{
	RecordCache *cache = batch->cache;
	Request		*request;

	/* That a query did not return it may have been enough for others. */
	if (entry->state != ENTRY_PENDING)
		unsettle(cache, entry);
	/* The batch that wanted it first may not have been sent yet. */
	if (entry->request == NULL)
		enqueue(cache, batch->settings, batch->budget, &entry, 1, true);
	if (entry->request->transfer == NULL && is_too_long(cache, entry->request))
	{
		dlist_delete(&entry->request->node);
		ask_in_pieces(cache, entry->request, api_ids_at_once(cache->api));
	}
	request = entry->request;
	if (request->transfer == NULL)
	{
		dlist_move_head(&cache->queued, &request->node);
		send_queued(cache, request);
	}
	if (request->transfer == NULL)
	{
		/* The others have to make room for it. */
		http_wait(dlist_head_element(Request, node, &cache->sent)->transfer);
		finish_answered(cache);
		send_queued(cache, NULL);
		return;
	}
	if (!http_is_over(request->transfer))
	{
		finish_answered(cache);
		send_queued(cache, NULL);
		http_wait(request->transfer);
	}
	finish_request(cache, request, true);
	send_queued(cache, NULL);
}

/* Reads the answers that have come, of those that nobody needs now. */
static void
finish_answered(RecordCache *cache)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &cache->sent)
	{
		Request *request = dlist_container(Request, node, iter.cur);

		if (request->transfer->outcome != HTTP_PENDING)
			finish_request(cache, request, false);
	}
}

/*
 * Reads a request's answer, and asks for whatever it left open.  What cannot be
 * read without an error or another request is set aside, unless it is needed.
 */
static void
finish_request(RecordCache *cache, Request *request, bool is_needed)
{
	MemoryContext old_context;

	forget_answer(cache);
	old_context = MemoryContextSwitchTo(cache->answer_context);
	if (request->count == 1 && request->cursor == NULL)
		finish_get(cache, request, is_needed);
	else
		finish_query(cache, request, is_needed);
	MemoryContextSwitchTo(old_context);
}

/* Lets go of the answer read last; its records are read from their text now. */
static void
forget_answer(RecordCache *cache)
{
	if (cache->answer != NULL)
		http_end(cache->answer);
	cache->answer = NULL;
	cache->answer_number++;
	MemoryContextReset(cache->answer_context);
}

static void
finish_get(RecordCache *cache, Request *request, bool is_needed)
{
	CacheEntry *entry = request->entries[0];
	Record	   *record = NULL;

	if (is_needed)
		api_finish_record(cache->api, request->transfer, &entry->id,
						  request->budget, cache->wanted, &record);
	else if (!api_try_record(cache->api, request->transfer, &entry->id,
							 cache->wanted, &record))
	{
		set_aside(cache, request);
		return;
	}

	if (record != NULL)
		keep_record(cache, request, entry, record);
	else
	{
		if (request->settings->cache_ttl > 0)
			session_cache_keep(cache->session, cache->session_generation,
							   &entry->id, NULL, 0);
		settle(cache, entry, ENTRY_MISSING);
	}
	end_transfer(cache, request);
	forget_request(request);
}

static void
finish_query(RecordCache *cache, Request *request, bool is_needed)
{
	RecordPage *page;
	bool		is_honest = true;
	char	   *cursor = NULL;
	QueryResult result = QUERY_PAGE;

	if (is_needed)
		result = api_finish_query(cache->api, request->transfer, cache->wanted,
								  &page);
	else if (!api_try_page(request->transfer, cache->wanted, &page))
	{
		set_aside(cache, request);
		return;
	}

	if (result == QUERY_PAGE)
	{
		is_honest = take_page(cache, request, page);
		if (page->next_cursor != NULL)
			cursor = MemoryContextStrdup(cache->context, page->next_cursor);
	}
	end_transfer(cache, request);

	if (result == QUERY_FILTER_REFUSED || result == QUERY_NOT_SUPPORTED ||
		!is_honest)
		api_limit_ids_at_once(cache->api, 1);
	if (request->count == 0)
		forget_request(request);
	else if (result == QUERY_PAGE && is_honest && cursor == NULL)
		settle_rest(cache, request);
	else if (result == QUERY_PAGE && is_honest)
		ask_again(cache, request, cursor);
	else if (result == QUERY_CURSOR_GONE)
		ask_again(cache, request, NULL);
	else if ((result == QUERY_REFUSED || result == QUERY_VALUE_REFUSED) &&
			 request->cursor == NULL)
		ask_in_halves(cache, request);
	else
		ask_in_pieces(cache, request, 1);
}

/* Makes room for others, and keeps the answer for whoever will need it. */
static void
set_aside(RecordCache *cache, Request *request)
{
	if (!is_wanted(request))
	{
		drop_request(cache, request);
		return;
	}
	dlist_delete(&request->node);
	dlist_push_tail(&cache->set_aside, &request->node);
	request->is_under_way = false;
	cache->statement->pending--;
}

/*
 * Takes the records of a page, and their entries out of the request.  Returns
 * false where there is one that was not asked for: the filter is ignored.
 */
static bool
take_page(RecordCache *cache, Request *request, const RecordPage *page)
{
	bool is_honest = true;
	int	 rest = 0;

	for (int i = 0; i < page->count; i++)
	{
		CacheEntry *entry =
			hash_search(cache->entries, &page->records[i]->id, HASH_FIND, NULL);

		if (entry == NULL)
			is_honest = false;
		else if (entry->request == request)
			keep_record(cache, request, entry, page->records[i]);
	}

	for (int i = 0; i < request->count; i++)
	{
		if (request->entries[i]->request == request)
			request->entries[rest++] = request->entries[i];
	}
	request->barren = rest < request->count ? 0 : request->barren + 1;
	request->count = rest;
	return is_honest;
}

/*
 * Asks for the rest of a query's records: by the cursor of its next page, or, as
 * NULL, all over.  Pages that bring nothing may go on for ever, as may a cursor
 * that leads to itself.
 */
static void
ask_again(RecordCache *cache, Request *request, char *cursor)
{
	bool is_circle = cursor != NULL && request->cursor != NULL &&
					 strcmp(cursor, request->cursor) == 0;

	if (request->cursor != NULL)
		pfree(request->cursor);
	request->cursor = cursor;
	if (cursor == NULL)
		request->barren++;
	if (request->count == 1 || is_circle || request->barren > MAX_BARREN_PAGES)
		ask_in_pieces(cache, request, 1);
	else
		dlist_push_head(&cache->queued, &request->node);
}

/*
 * Asks for a refused query's records in two of half its size, or in those that
 * are known to work by now, and remembers that it was too large.
 */
static void
ask_in_halves(RecordCache *cache, Request *request)
{
	if (!is_too_long(cache, request))
		api_limit_ids_at_once(cache->api, (request->count + 1) / 2);
	ask_in_pieces(cache, request, api_ids_at_once(cache->api));
}

/* Asks for a request's records anew, next of all, so many at a time. */
static void
ask_in_pieces(RecordCache *cache, Request *request, int size)
{
	for (int i = (request->count - 1) / size * size; i >= 0; i -= size)
		enqueue(cache, request->settings, request->budget, &request->entries[i],
				Min(size, request->count - i), true);
	forget_request(request);
}

/* What a query did not return is missing, where it would have returned it. */
static void
settle_rest(RecordCache *cache, Request *request)
{
	if (!settings_trust_query(request->settings))
	{
		ask_in_pieces(cache, request, 1);
		return;
	}
	for (int i = 0; i < request->count; i++)
		settle(cache, request->entries[i], ENTRY_NOT_LISTED);
	forget_request(request);
}

/*
 * Keeps of a record what the statement wants; all of it, where later statements
 * may want to have it, too.
 */
static void
keep_record(RecordCache *cache, const Request *request, CacheEntry *entry,
			Record *record)
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
	entry->answer_number = cache->answer_number;
	cache->answer = request->transfer;
	settle(cache, entry, ENTRY_FOUND);
}

static void
keep_text(RecordCache *cache, CacheEntry *entry, const char *text, int length)
{
	entry->text = MemoryContextAlloc(cache->context, length + 1);
	memcpy(entry->text, text, length + 1);
	entry->length = length;
}

/* All that there is to know of an entry is known. */
static void
settle(RecordCache *cache, CacheEntry *entry, EntryState state)
{
	entry->state = state;
	entry->request = NULL;
	cache->size += size_of(entry);
	if (entry->users == 0)
		dlist_push_tail(&cache->unused, &entry->unused_node);
}

/* Nothing is known of an entry any more: what is, is not enough for a table. */
static void
unsettle(RecordCache *cache, CacheEntry *entry)
{
	cache->size -= size_of(entry);
	entry->state = ENTRY_PENDING;
}

/* The memory that an entry takes. */
static size_t
size_of(const CacheEntry *entry)
{
	return sizeof(CacheEntry) +
		   (entry->text != NULL ? GetMemoryChunkSpace(entry->text) : 0);
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

		cache->size -= size_of(entry);
		if (entry->text != NULL)
			pfree(entry->text);
		hash_search(cache->entries, &entry->id, HASH_REMOVE, NULL);
	}
}
