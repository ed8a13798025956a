/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_request.c
 *	  Queries that fetch the records of several keys.
 *
 * A query has a filter for the keys, and possibly further filters; all its
 * pages are read.  Records with other keys are ignored, because the API may
 * compare more widely than SQL.  A key without a record in the result has no
 * records.
 *
 * A query may fail without an error.  If the API may have refused the number of
 * keys, the query is made again with fewer, and the limit is noted.  The
 * remaining keys of a failed query become KEY_LEFT, so that the scans that need
 * them make queries of their own.
 *
 * Pages are read when they arrive.  A response that is not a page is processed
 * only if a key of its query is needed.  While the records in use exceed
 * work_mem, pages are requested only if a key is needed.  A query whose own
 * records exceed work_mem is given up.
 *
 * Must not know plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "api/record_key.h"
#include "base/id.h"
#include "fetch/key_cache_internal.h"

/* Maximum number of successive pages without a new record. */
#define MAX_BARREN_PAGES 100

/* Maximum number of successive restarts without a new record. */
#define MAX_RESTARTS 3

static KeyRequest	*create(KeyCache *cache, const Settings *settings,
							HttpBudget *budget, KeyEntry **entries, int count);
static RemoteFilter *keys_filter(const char *field, KeyEntry **entries,
								 int count);
static bool			 is_too_long(const KeyRequest *request);
static bool			 is_under_way(const KeyRequest *request);
static int			 under_way_count(KeyCache *cache);
static bool			 wait_for_any(KeyCache *cache, KeyRequest *needed);
static void			 take_in(KeyCache *cache);
static void			 read_response(KeyRequest *request, bool is_needed);
static void		   take_page(KeyRequest *request, const PageResponse *response);
static void		   verify_end(KeyRequest *request);
static void		   settle_end(KeyRequest *request, bool is_verified);
static bool		   take_record(KeyRequest *request, const Record *record);
static void		   finish(KeyRequest *request, KeyState state);
static void		   give_up_for_good(KeyRequest *request);
static void		   end_request(KeyRequest *request);
static void		   restart(KeyRequest *request);
static void		   settle_refusal(KeyRequest *request, QueryResult result);
static bool		   ask_for_less(KeyRequest *request);
static bool		   blames_keys(KeyRequest *request);
static QueryResult try_query(KeyRequest *request, List *filters);
static void		   split(KeyRequest *request, int size, RefusedQuery *half_of);
static void		   split_in_halves(KeyRequest *request);
static void		   note_accepted(KeyRequest *request);

/* Makes a request for pending keys, to be sent as concurrency allows. */
void
key_request_make(KeyCache *cache, const Settings *settings, HttpBudget *budget,
				 KeyEntry **entries, int count)
{
	KeyRequest *request = create(cache, settings, budget, entries, count);

	dlist_push_tail(&cache->requests, &request->node);
}

/* Returns a request that is in no list yet. */
static KeyRequest *
create(KeyCache *cache, const Settings *settings, HttpBudget *budget,
	   KeyEntry **entries, int count)
{
	MemoryContext context = AllocSetContextCreate(
		cache->context, "opportunity_fdw key request", ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	KeyRequest	 *request =
		palloc0(offsetof(KeyRequest, entries) + count * sizeof(KeyEntry *));
	ApiQuery query = {0};

	request->context = context;
	request->cache = cache;
	request->settings = settings;
	request->source.api = record_cache_api(cache->records);
	request->source.statement = record_cache_statement(cache->records);
	request->source.wanted = record_cache_wanted(cache->records);
	request->source.budget = budget;
	request->source.page_size =
		api_page_size(request->source.api, settings->page_size);
	request->filter = keys_filter(cache->field, entries, count);
	request->seen = seen_set_create();
	query.filters = list_concat(list_make1(request->filter), cache->filters);
	query.limit = request->source.page_size;
	request->pages = page_reader_create(&request->source, &query);
	request->count = count;
	for (int i = 0; i < count; i++)
	{
		request->entries[i] = entries[i];
		entries[i]->request = request;
	}
	MemoryContextSwitchTo(old_context);
	return request;
}

/* Returns a filter for the keys, palloc'd. */
static RemoteFilter *
keys_filter(const char *field, KeyEntry **entries, int count)
{
	StringInfoData json;

	initStringInfo(&json);
	for (int i = 0; i < count; i++)
		appendStringInfo(&json, "%c\"%s\"", i > 0 ? ',' : '[',
						 id_text(&entries[i]->key));
	appendStringInfoChar(&json, ']');
	return remote_filter_create(field, OPERATOR_IN, json.data);
}

/*
 * Requests the next page of each query that needs one, as concurrency, memory
 * and budget allow.
 */
void
key_request_send_all(KeyCache *cache)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &cache->requests)
	{
		KeyRequest *request = dlist_container(KeyRequest, node, iter.cur);

		if (request->pages->transfer != NULL)
			continue;
		if (is_too_long(request))
		{
			split(request, key_cache_at_once(cache, request->settings), NULL);
			continue;
		}
		if (record_cache_is_busy(cache->records, request->settings) ||
			key_cache_is_full(cache) || !http_allows(request->source.budget))
			return;
		page_reader_send(request->pages);
	}
}

/*
 * Waits for a response that the request for a key depends on, and processes it.
 * Raises an error only if this key needs the response.
 */
void
key_request_need(KeyEntry *entry)
{
	KeyRequest *request = entry->request;
	KeyCache   *cache = request->cache;
	bool		is_ready = true;

	/*
	 * Requests of this cache may have to end first.  Requests of other caches
	 * need not, so that no cache waits for another.
	 */
	if (request->pages->transfer == NULL)
	{
		dlist_move_head(&cache->requests, &request->node);
		if (is_too_long(request))
		{
			split(request, key_cache_at_once(cache, request->settings), NULL);
			return;
		}
		if (!record_cache_is_busy(cache->records, request->settings) ||
			under_way_count(cache) == 0)
			page_reader_send(request->pages);
	}
	if (request->pages->transfer == NULL ||
		!http_is_over(request->pages->transfer))
	{
		take_in(cache);
		if (entry->request != request)
			return;
		is_ready = wait_for_any(cache, request);
	}
	if (is_ready)
		read_response(request, true);
	take_in(cache);
}

/* Returns true if a query that is not sent yet has too many keys. */
static bool
is_too_long(const KeyRequest *request)
{
	return request->pages->cursor == NULL &&
		   request->count >
			   Max(key_cache_at_once(request->cache, request->settings), 1);
}

/* Returns true if a request is in flight. */
static bool
is_under_way(const KeyRequest *request)
{
	return request->pages->transfer != NULL &&
		   request->pages->transfer->outcome == HTTP_PENDING;
}

static int
under_way_count(KeyCache *cache)
{
	dlist_iter iter;
	int		   count = 0;

	dlist_foreach(iter, &cache->requests)
		count += is_under_way(dlist_container(KeyRequest, node, iter.cur));
	return count;
}

/*
 * Waits for the response to needed, or to another request in flight.  Returns
 * true if needed has its response.
 */
static bool
wait_for_any(KeyCache *cache, KeyRequest *needed)
{
	int			   most = under_way_count(cache) + 1;
	HttpTransfer **transfers = palloc(most * sizeof(HttpTransfer *));
	int			   count = 0;
	HttpTransfer  *ready = NULL;
	dlist_iter	   iter;

	if (needed->pages->transfer != NULL)
		transfers[count++] = needed->pages->transfer;
	dlist_foreach(iter, &cache->requests)
	{
		KeyRequest *request = dlist_container(KeyRequest, node, iter.cur);

		if (request != needed && is_under_way(request))
			transfers[count++] = request->pages->transfer;
	}
	if (count > 0)
		ready = http_wait_any(transfers, count);
	pfree(transfers);
	return ready != NULL && ready == needed->pages->transfer;
}

/* Processes the responses that have arrived, and sends further requests. */
static void
take_in(KeyCache *cache)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &cache->requests)
	{
		KeyRequest *request = dlist_container(KeyRequest, node, iter.cur);

		if (request->pages->transfer != NULL && !is_under_way(request) &&
			!request->is_set_aside)
			read_response(request, false);
	}
	key_request_send_all(cache);
}

/*
 * Processes the response to a request.  A response that is not a page is set
 * aside, unless it is needed.
 */
static void
read_response(KeyRequest *request, bool is_needed)
{
	KeyCache	 *cache = request->cache;
	MemoryContext old_context = MemoryContextSwitchTo(cache->page_context);
	PageResponse  response;

	if (page_reader_try(request->pages, &response))
	{
		take_page(request, &response);
		http_end(response.transfer);
	}
	else if (!is_needed)
		request->is_set_aside = true;
	else if (api_is_unusable_page(request->pages->transfer, request->source.wanted))
		finish(request, KEY_LEFT);
	else
	{
		request->is_set_aside = false;
		response = page_reader_read(request->pages);
		if (response.result == QUERY_PAGE)
			take_page(request, &response);
		else if (response.result == QUERY_CURSOR_GONE)
			restart(request);
		else
			settle_refusal(request, response.result);
		http_end(response.transfer);
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(cache->page_context);
}

/* Keeps the records of a page, and decides if the query is complete. */
static void
take_page(KeyRequest *request, const PageResponse *response)
{
	const RecordPage *page = response->page;
	bool			  is_barren = true;

	note_accepted(request);
	for (int i = 0; i < page->count; i++)
	{
		if (!seen_set_add(request->seen, &page->records[i]->id))
			continue;
		is_barren = false;
		request->restarts = 0;
		if (!take_record(request, page->records[i]))
		{
			give_up_for_good(request);
			return;
		}
	}
	request->barren = is_barren ? request->barren + 1 : 0;

	if (request->is_verifying)
		settle_end(request, is_barren);
	else if (request->pages->is_doubtful &&
			 2 * request->kept >= request->pages->received)
		split(request, (request->count + 1) / 2, NULL);
	else if (request->pages->is_doubtful)
		verify_end(request);
	else if (request->pages->is_at_end)
		finish(request, KEY_KNOWN);
	else if (response->is_circle || request->barren > MAX_BARREN_PAGES)
		finish(request, KEY_LEFT);
	else if (request->size > (size_t) work_mem * 1024)
	{
		request->cache->at_once = request->count / 2;
		finish(request, KEY_LEFT);
	}
}

/*
 * Makes the newest records of the query its next page, because the API may have
 * capped its result.
 */
static void
verify_end(KeyRequest *request)
{
	ApiQuery *query = &request->pages->query;

	request->is_verifying = true;
	request->is_like_cap = request->pages->is_like_cap;
	query->sort = "created_at";
	query->is_descending = true;
	query->limit = request->source.page_size;
	page_reader_restart(request->pages);
}

/*
 * Ends a query after its newest records were read.  is_verified: all of them
 * were known before.
 */
static void
settle_end(KeyRequest *request, bool is_verified)
{
	if (!is_verified)
	{
		split(request, (request->count + 1) / 2, NULL);
		return;
	}
	if (!request->is_like_cap)
		api_facts(request->source.api)->has_false_counts = true;
	finish(request, KEY_KNOWN);
}

/*
 * Keeps a record that has one of the keys.  Returns false if its key cannot be
 * read.
 */
static bool
take_record(KeyRequest *request, const Record *record)
{
	KeyCache *cache = request->cache;
	KeyEntry *entry;
	pg_uuid_t key;

	switch (record_key_read(record, cache->number, &key))
	{
		case RECORD_KEY_NONE:
			return true;
		case RECORD_KEY_ODD:
			return false;
		case RECORD_KEY_FOUND:
			break;
	}
	entry = hash_search(cache->entries, &key, HASH_FIND, NULL);
	if (entry != NULL && entry->request == request)
	{
		key_entry_keep(entry, request, record);
		request->kept++;
	}
	return true;
}

/* Ends a request, and sets the state of its remaining keys. */
static void
finish(KeyRequest *request, KeyState state)
{
	for (int i = 0; i < request->count; i++)
	{
		if (request->entries[i]->request == request)
			key_entry_settle(request->cache, request->entries[i], state);
	}
	end_request(request);
}

/*
 * Ends a request, and makes no more for the cache, because they would fail,
 * too.
 */
static void
give_up_for_good(KeyRequest *request)
{
	request->cache->is_given_up = true;
	finish(request, KEY_LEFT);
}

static void
end_request(KeyRequest *request)
{
	dlist_delete(&request->node);
	page_reader_end(request->pages);
	MemoryContextDelete(request->context);
}

/* Drops a request and its keys, unless one of them has a user. */
void
key_request_drop_unwanted(KeyRequest *request)
{
	for (int i = 0; i < request->count; i++)
	{
		if (request->entries[i]->users > 0)
			return;
	}
	for (int i = 0; i < request->count; i++)
		key_entry_remove(request->cache, request->entries[i]);
	end_request(request);
}

/*
 * Restarts a query whose cursor has expired.  Skips records that were received
 * before.
 */
static void
restart(KeyRequest *request)
{
	if (request->restarts++ >= MAX_RESTARTS)
		finish(request, KEY_LEFT);
	else
	{
		request->barren -= request->pages->pages;
		page_reader_restart(request->pages);
	}
}

/*
 * Handles a refused query or page.  The API may refuse the number of keys, the
 * page size, the keys in general, or something else.
 */
static void
settle_refusal(KeyRequest *request, QueryResult result)
{
	Api *api = request->source.api;

	if (request->is_verifying)
		settle_end(request, false);
	else if (result == QUERY_NOT_SUPPORTED)
		give_up_for_good(request);
	else if (request->pages->cursor != NULL)
		/* NOLINTNEXTLINE(bugprone-branch-clone): their order matters */
		finish(request, KEY_LEFT);
	else if (result == QUERY_REFUSED && ask_for_less(request))
		return;
	else if (!blames_keys(request))
		finish(request, KEY_LEFT);
	else if (result == QUERY_FILTER_REFUSED)
	{
		api_note_refusal(api, request->filter->uses, result);
		finish(request, KEY_LEFT);
	}
	else
		split_in_halves(request);
}

/*
 * Halves the page size, if a test query shows that the API refused it.  Returns
 * false if it refused something else.
 */
static bool
ask_for_less(KeyRequest *request)
{
	ApiQuery *query = &request->pages->query;
	int		  limit = (query->limit + 1) / 2;

	if (query->limit == 1 || request->cache->limit_is_fine)
		return false;
	if (try_query(request, query->filters) != QUERY_PAGE)
	{
		request->cache->limit_is_fine = true;
		return false;
	}
	api_limit_page_size(request->source.api, limit);
	request->source.page_size = limit;
	query->limit = limit;
	return true;
}

/*
 * Returns true if the API refuses the keys, not the further filters.  May make
 * a test query.
 */
static bool
blames_keys(KeyRequest *request)
{
	return request->cache->filters == NIL ||
		   try_query(request, list_make1(request->filter)) != QUERY_PAGE;
}

/* Returns the result of a query for one record with some filters. */
static QueryResult
try_query(KeyRequest *request, List *filters)
{
	ApiQuery	 query = {0};
	PageReader	*probe;
	PageResponse response;

	CHECK_FOR_INTERRUPTS();
	query.filters = filters;
	query.limit = 1;
	probe = page_reader_create(&request->source, &query);
	page_reader_send(probe);
	response = page_reader_read(probe);
	http_end(response.transfer);
	page_reader_end(probe);
	return response.result;
}

/*
 * Replaces a request with requests for up to size keys each, at the head of the
 * list.  A key that would be alone becomes KEY_LEFT.
 */
static void
split(KeyRequest *request, int size, RefusedQuery *half_of)
{
	KeyCache *cache = request->cache;

	for (int i = size > 1 ? (request->count - 1) / size * size : -1; i >= 0;
		 i -= size)
	{
		int			count = Min(size, request->count - i);
		KeyRequest *piece;

		if (count < 2)
			continue;
		for (int j = i; j < i + count; j++)
			key_entry_drop_records(cache, request->entries[j]);
		piece = create(cache, request->settings, request->source.budget,
					   &request->entries[i], count);
		piece->half_of = half_of;
		dlist_push_head(&cache->requests, &piece->node);
	}
	finish(request, KEY_LEFT);
}

/*
 * Requests the keys of a refused query in two halves, because the API may
 * refuse one of them.
 */
static void
split_in_halves(KeyRequest *request)
{
	int			  half = (request->count + 1) / 2;
	RefusedQuery *refused;

	if (request->count < 4)
		api_note_refusal(request->source.api, request->filter->uses,
						 QUERY_REFUSED);
	refused =
		MemoryContextAllocZero(request->cache->context, sizeof(RefusedQuery));
	refused->size = request->count;
	split(request, half, refused);
}

/* Notes that the API accepted a query. */
static void
note_accepted(KeyRequest *request)
{
	Api *api = request->source.api;

	api_note_accepted(api, request->filter->uses);
	if (request->half_of != NULL)
		api_note_half(api, request->cache->field, request->half_of);
	request->half_of = NULL;
}
