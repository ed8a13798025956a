/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_request.c
 *	  Requests for the records of a statement's cache.
 *
 * One id is fetched with a GET, several with a query.  Ids that a query does
 * not return are fetched with GET, unless the table trusts queries: see
 * settings_trust_query.  A refused query is split in halves.  The result is
 * therefore always the same as GET's.
 *
 * Must not know plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "fetch/record_cache_internal.h"

/* Maximum number of successive pages of a query without a requested record. */
#define MAX_BARREN_PAGES 5

static RecordRequest *create(RecordCache *cache, const Settings *settings,
							 HttpBudget *budget, CacheEntry **entries,
							 int count, RequestKind kind);
static void send_queued(RecordCache *cache, const RecordRequest *needed);
static void send_request(RecordCache *cache, RecordRequest *request);
static void end_transfer(RecordCache *cache, RecordRequest *request);
static void drop_request(RecordCache *cache, RecordRequest *request);
static void forget_request(RecordRequest *request);
static bool is_wanted(const RecordRequest *request);
static bool is_too_long(const RecordCache *cache, const RecordRequest *request);
static void wait_for_any(RecordCache *cache);
static void finish_responded(RecordCache *cache);
static void finish_request(RecordCache *cache, RecordRequest *request,
						   bool is_needed);
static void forget_response(RecordCache *cache);
static void finish_get(RecordCache *cache, RecordRequest *request,
					   bool is_needed);
static void finish_query(RecordCache *cache, RecordRequest *request,
						 bool is_needed);
static void set_aside(RecordCache *cache, RecordRequest *request);
static void take_page(RecordCache *cache, RecordRequest *request,
					  const RecordPage *page);
static void note_accepted(RecordCache *cache, RecordRequest *request);
static bool seems_unfiltered(const RecordRequest *request,
							 const RecordPage	 *page);
static void ask_again(RecordCache *cache, RecordRequest *request, char *cursor);
static void ask_in_halves(RecordCache *cache, RecordRequest *request);
static void ask_in_pieces(RecordCache *cache, RecordRequest *request,
						  RequestKind kind, int size, RefusedQuery *half_of);
static void ask_one_by_one(RecordCache *cache, RecordRequest *request,
						   RequestKind kind);
static void settle_rest(RecordCache *cache, RecordRequest *request,
						bool is_doubtful);

/* Makes a request for count entries, to be sent as concurrency allows. */
void
record_request_make(RecordCache *cache, const Settings *settings,
					HttpBudget *budget, CacheEntry **entries, int count)
{
	RecordRequest *request = create(cache, settings, budget, entries, count,
									count == 1 ? REQUEST_GET : REQUEST_QUERY);

	dlist_push_tail(&cache->queued, &request->node);
}

/* Returns a request that is in no list yet. */
static RecordRequest *
create(RecordCache *cache, const Settings *settings, HttpBudget *budget,
	   CacheEntry **entries, int count, RequestKind kind)
{
	RecordRequest *request = MemoryContextAllocZero(
		cache->context,
		offsetof(RecordRequest, entries) + count * sizeof(CacheEntry *));

	request->kind = kind;
	request->settings = settings;
	request->budget = budget;
	request->count = count;
	for (int i = 0; i < count; i++)
	{
		request->entries[i] = entries[i];
		entries[i]->request = request;
	}
	return request;
}

/*
 * Sends requests as concurrency allows.  The caches of a statement share its
 * concurrency, but each may have one request in flight, so that none waits for
 * another.  A request over its budget is not sent.  That is an error only for
 * needed, which may be NULL.
 */
static void
send_queued(RecordCache *cache, const RecordRequest *needed)
{
	while (!dlist_is_empty(&cache->queued))
	{
		RecordRequest *request =
			dlist_head_element(RecordRequest, node, &cache->queued);

		if (is_too_long(cache, request))
		{
			dlist_delete(&request->node);
			ask_in_pieces(cache, request, REQUEST_QUERY,
						  api_values_at_once(cache->api, ID_FIELD), NULL);
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

/* Sends a request.  Raises an error if it would exceed the budget. */
static void
send_request(RecordCache *cache, RecordRequest *request)
{
	MemoryContext old_context = MemoryContextSwitchTo(cache->scratch_context);

	if (request->cursor != NULL)
		request->transfer = api_query_next(cache->api, request->cursor,
										   request->count, request->budget);
	else if (request->kind != REQUEST_QUERY)
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
 * Takes a sent request out of its list.  Frees its response, unless records
 * point into it.
 */
static void
end_transfer(RecordCache *cache, RecordRequest *request)
{
	if (request->transfer != cache->response)
		http_end(request->transfer);
	request->transfer = NULL;
	dlist_delete(&request->node);
	if (request->is_under_way)
		cache->statement->pending--;
	request->is_under_way = false;
}

/* Drops a request that no batch needs, and its entries. */
static void
drop_request(RecordCache *cache, RecordRequest *request)
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

/* Frees a request that is in no list any more. */
static void
forget_request(RecordRequest *request)
{
	if (request->cursor != NULL)
		pfree(request->cursor);
	pfree(request);
}

/* Returns true if one of a request's entries has a user. */
static bool
is_wanted(const RecordRequest *request)
{
	for (int i = 0; i < request->count; i++)
	{
		if (request->entries[i]->users > 0)
			return true;
	}
	return false;
}

/* Returns true if the API is known to accept fewer ids in one query. */
static bool
is_too_long(const RecordCache *cache, const RecordRequest *request)
{
	int limit = api_values_at_once(cache->api, ID_FIELD);

	return request->kind == REQUEST_QUERY && request->cursor == NULL &&
		   limit > 0 && request->count > limit;
}

/*
 * Waits for a response, and processes it.  It is the response for entry, whose
 * state is not sufficient for a table with these settings, or the response to
 * another request.  Raises an error only if entry needs the response; other
 * responses with an error are kept until they are needed.
 */
void
record_request_need(RecordCache *cache, const Settings *settings,
					HttpBudget *budget, CacheEntry *entry)
{
	RecordRequest *request;

	/* ENTRY_NOT_LISTED may be sufficient for other tables. */
	if (entry->state != ENTRY_PENDING)
		record_entry_unsettle(cache, entry);
	/* The first batch that contains it may not have been sent yet. */
	if (entry->request == NULL)
	{
		request = create(cache, settings, budget, &entry, 1, REQUEST_GET);
		dlist_push_head(&cache->queued, &request->node);
	}
	if (entry->request->transfer == NULL && is_too_long(cache, entry->request))
	{
		dlist_delete(&entry->request->node);
		ask_in_pieces(cache, entry->request, REQUEST_QUERY,
					  api_values_at_once(cache->api, ID_FIELD), NULL);
	}
	request = entry->request;
	if (request->transfer == NULL)
	{
		dlist_move_head(&cache->queued, &request->node);
		send_queued(cache, request);
	}
	/* If it was not sent, other requests must end first. */
	if (request->transfer == NULL || !http_is_over(request->transfer))
	{
		finish_responded(cache);
		send_queued(cache, NULL);
		wait_for_any(cache);
	}
	if (request->transfer != NULL && request->transfer->outcome != HTTP_PENDING)
		finish_request(cache, request, true);
	else
		finish_responded(cache);
	send_queued(cache, NULL);
}

/* Waits until one of the requests in flight is over. */
static void
wait_for_any(RecordCache *cache)
{
	MemoryContext  old_context = MemoryContextSwitchTo(cache->scratch_context);
	HttpTransfer **transfers =
		palloc(cache->statement->pending * sizeof(HttpTransfer *));
	int		   count = 0;
	dlist_iter iter;

	dlist_foreach(iter, &cache->sent)
		transfers[count++] =
			dlist_container(RecordRequest, node, iter.cur)->transfer;
	MemoryContextSwitchTo(old_context);
	if (count > 0)
		http_wait_any(transfers, count);
	MemoryContextReset(cache->scratch_context);
}

/* Processes the responses that have arrived and are not needed now. */
static void
finish_responded(RecordCache *cache)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &cache->sent)
	{
		RecordRequest *request = dlist_container(RecordRequest, node, iter.cur);

		if (request->transfer->outcome != HTTP_PENDING)
			finish_request(cache, request, false);
	}
}

/*
 * Processes a response, and queues the requests that it leads to.  Unless it is
 * needed, a response that leads to an error or another request is set aside.
 */
static void
finish_request(RecordCache *cache, RecordRequest *request, bool is_needed)
{
	MemoryContext old_context;

	forget_response(cache);
	old_context = MemoryContextSwitchTo(cache->response_context);
	if (request->kind != REQUEST_QUERY)
		finish_get(cache, request, is_needed);
	else
		finish_query(cache, request, is_needed);
	MemoryContextSwitchTo(old_context);
}

/*
 * Frees the response read last.  Its records are parsed again from their text.
 */
static void
forget_response(RecordCache *cache)
{
	if (cache->response != NULL)
		http_end(cache->response);
	cache->response = NULL;
	cache->response_number++;
	MemoryContextReset(cache->response_context);
}

static void
finish_get(RecordCache *cache, RecordRequest *request, bool is_needed)
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
	{
		/* The query should have returned it. */
		if (request->kind == REQUEST_CHECK)
			api_limit_values(cache->api, ID_FIELD, 1);
		record_entry_keep(cache, request, entry, record);
	}
	else
	{
		if (request->settings->cache_ttl > 0)
			session_cache_keep(cache->session, cache->session_generation,
							   &entry->id, NULL, 0);
		record_entry_settle(cache, entry, ENTRY_MISSING);
	}
	end_transfer(cache, request);
	forget_request(request);
}

static void
finish_query(RecordCache *cache, RecordRequest *request, bool is_needed)
{
	RecordPage *page = NULL;
	bool		is_unfiltered = false;
	bool		is_doubtful = false;
	char	   *cursor = NULL;
	QueryResult result = QUERY_PAGE;

	if (is_needed)
		result = api_finish_query(cache->api, request->transfer, cache->wanted,
								  &page);
	else if (!api_try_page(cache->api, request->transfer, cache->wanted, &page))
	{
		set_aside(cache, request);
		return;
	}

	if (result == QUERY_PAGE)
	{
		note_accepted(cache, request);
		take_page(cache, request, page);
		is_unfiltered = seems_unfiltered(request, page);
		is_doubtful = api_is_doubtful_end(cache->api, page, request->received,
										  page->count + 1);
		if (page->next_cursor != NULL)
			cursor = MemoryContextStrdup(cache->context, page->next_cursor);
	}
	end_transfer(cache, request);

	if (request->count == 0)
		forget_request(request);
	else if (is_unfiltered)
		ask_one_by_one(cache, request, REQUEST_CHECK);
	else if (result == QUERY_PAGE && cursor == NULL)
		settle_rest(cache, request, is_doubtful);
	else if (result == QUERY_PAGE)
		ask_again(cache, request, cursor);
	else if (request->cursor != NULL || result == QUERY_CURSOR_GONE)
		ask_again(cache, request, NULL);
	else if (result == QUERY_REFUSED || result == QUERY_VALUE_REFUSED)
		ask_in_halves(cache, request);
	else if (result == QUERY_NOT_SUPPORTED)
		/* If GET fails, too, the API cannot be reached at all. */
		ask_one_by_one(cache, request, REQUEST_CHECK);
	else
	{
		api_limit_values(cache->api, ID_FIELD, 1);
		ask_one_by_one(cache, request, REQUEST_GET);
	}
}

/*
 * Keeps a response until it is needed, without counting it against the
 * concurrency.
 */
static void
set_aside(RecordCache *cache, RecordRequest *request)
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

/* Keeps the records of a page, and removes their entries from the request. */
static void
take_page(RecordCache *cache, RecordRequest *request, const RecordPage *page)
{
	int rest = 0;

	for (int i = 0; i < page->count; i++)
	{
		CacheEntry *entry =
			hash_search(cache->entries, &page->records[i]->id, HASH_FIND, NULL);

		if (entry == NULL)
			request->strange++;
		else if (entry->request == request)
			record_entry_keep(cache, request, entry, page->records[i]);
	}

	for (int i = 0; i < request->count; i++)
	{
		if (request->entries[i]->request == request)
			request->entries[rest++] = request->entries[i];
	}
	request->received += page->count;
	request->barren = rest < request->count ? 0 : request->barren + 1;
	request->count = rest;
}

/* Notes that the API accepted a query. */
static void
note_accepted(RecordCache *cache, RecordRequest *request)
{
	api_facts(cache->api)->takes_ids = true;
	if (request->half_of != NULL)
		api_note_half(cache->api, ID_FIELD, request->half_of);
	request->half_of = NULL;
}

/*
 * Returns true if the API seems to ignore the filter, because most records of
 * the page were not requested.  A few may be records that others were merged
 * into.
 */
static bool
seems_unfiltered(const RecordRequest *request, const RecordPage *page)
{
	return page->count > 0 && request->strange > 1 &&
		   2 * request->strange > request->received;
}

/*
 * Requests the rest of a query's records: the next page, or with cursor NULL
 * the query again.  Takes over cursor.  Changes to GET if the query might never
 * end: after pages without a requested record, or if a cursor repeats.
 */
static void
ask_again(RecordCache *cache, RecordRequest *request, char *cursor)
{
	bool is_circle = cursor != NULL && request->cursor != NULL &&
					 strcmp(cursor, request->cursor) == 0;

	if (request->cursor != NULL)
		pfree(request->cursor);
	request->cursor = cursor;
	if (cursor == NULL)
	{
		request->barren++;
		request->received = 0;
		request->strange = 0;
	}
	if ((cursor == NULL && request->count == 1) || is_circle ||
		request->barren > MAX_BARREN_PAGES)
		ask_one_by_one(cache, request, REQUEST_GET);
	else
		dlist_push_head(&cache->queued, &request->node);
}

/*
 * Requests the records of a refused query in two halves, because the API may
 * refuse one of the ids.  A single refused id is noted, and fetched with GET.
 */
static void
ask_in_halves(RecordCache *cache, RecordRequest *request)
{
	RefusedQuery *refused;

	if (request->count == 1)
	{
		api_note_bad_id(cache->api, &request->entries[0]->id);
		ask_one_by_one(cache, request, REQUEST_GET);
		return;
	}
	refused = MemoryContextAllocZero(cache->context, sizeof(RefusedQuery));
	refused->size = request->count;
	ask_in_pieces(cache, request, REQUEST_QUERY, (request->count + 1) / 2,
				  refused);
}

/*
 * Replaces a request with requests for up to size records each, at the head of
 * the queue.
 */
static void
ask_in_pieces(RecordCache *cache, RecordRequest *request, RequestKind kind,
			  int size, RefusedQuery *half_of)
{
	for (int i = (request->count - 1) / size * size; i >= 0; i -= size)
	{
		int			   count = Min(size, request->count - i);
		RecordRequest *piece = create(
			cache, request->settings, request->budget, &request->entries[i],
			count,
			kind == REQUEST_QUERY && half_of == NULL && count == 1 ? REQUEST_GET
																   : kind);

		piece->half_of = half_of;
		dlist_push_head(&cache->queued, &piece->node);
	}
	forget_request(request);
}

static void
ask_one_by_one(RecordCache *cache, RecordRequest *request, RequestKind kind)
{
	ask_in_pieces(cache, request, kind, 1, NULL);
}

/*
 * Decides about the records that a query did not return.  They are missing if
 * the query is complete; otherwise they are requested again.  A record that was
 * merged is fetched, so that a warning can name it.
 */
static void
settle_rest(RecordCache *cache, RecordRequest *request, bool is_doubtful)
{
	if (is_doubtful && request->barren == 0)
		ask_again(cache, request, NULL);
	else if (!settings_trust_query(request->settings) || request->strange > 0)
		ask_one_by_one(cache, request, REQUEST_GET);
	else
	{
		for (int i = 0; i < request->count; i++)
			record_entry_settle(cache, request->entries[i], ENTRY_NOT_LISTED);
		forget_request(request);
	}
}

/* Sends queued requests as concurrency allows. */
void
record_request_send_all(RecordCache *cache)
{
	send_queued(cache, NULL);
}

/* Drops a request that no batch needs any more, unless it is in flight. */
void
record_request_drop_unwanted(RecordCache *cache, RecordRequest *request)
{
	if (!request->is_under_way && !is_wanted(request))
		drop_request(cache, request);
}
