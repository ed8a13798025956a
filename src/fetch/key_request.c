/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_request.c
 *	  Requests for the records of keys.
 *
 * A query has a filter for several keys, and possibly further filters; all its
 * pages are read.  Records with other keys are ignored, because the API may
 * compare more widely than SQL.  If the API may have refused the number of
 * keys, the query is made again with fewer, and the limit is noted.
 *
 * A single id is fetched with GET.  So are the ids that a query does not
 * return, unless the table trusts queries: see settings_trust_query.  The
 * result is therefore always the same as GET's.
 *
 * A query by another attribute may fail without an error.  Its keys become
 * KEY_OWN_QUERY, so that the scans that need them make queries of their own.  A key
 * without a record in a complete result has no records.
 *
 * Responses are processed when they arrive.  A response that leads to an error
 * or to a decision about the next query is set aside until one of its keys is
 * needed.  While the records in use exceed work_mem, only needed requests are
 * sent.
 *
 * Must not know batches, plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "api/api_records.h"
#include "base/id.h"
#include "fetch/key_cache.h"
#include "fetch/page_reader.h"

typedef enum RequestKind
{
	REQUEST_QUERY, /* any number of keys */
	REQUEST_GET,   /* one id */
	REQUEST_CHECK  /* GET of an id whose query the API did not seem to
					* understand: if it exists, queries do not work */
} RequestKind;

/* A refused query whose filter values are being sent again in two halves. */
typedef struct RefusedQuery
{
	int size; /* number of values */
	int accepted_halves;
} RefusedQuery;

/* A request for the records of some keys. */
typedef struct KeyRequest
{
	dlist_node		node; /* element of field->requests */
	MemoryContext	context;
	KeyCache	   *cache;
	KeyField	   *field; /* of the cache */
	RequestKind		kind;
	const Settings *settings;
	PageSource		source;
	HttpTransfer   *get;		  /* of a GET; NULL: not sent */
	bool			is_set_aside; /* the response is read only if needed */

	/* of a query */
	PageReader	 *pages;   /* NULL: not sent */
	RemoteFilter *filter;  /* for the keys */
	SeenSet		 *seen;	   /* ids, to skip duplicates; NULL: by ids */
	RefusedQuery *half_of; /* NULL: not half of a refused query */
	PageProgress  progress;
	int64		  known; /* records with a cached key, since the first page */
	EndDoubt doubt; /* about the end that is verified; see complete_query */

	int		  count;
	KeyEntry *entries[FLEXIBLE_ARRAY_MEMBER];
} KeyRequest;

/*
 * Returns the maximum number of keys in one request.  0: requests are of no use,
 * because each key would have its own.
 */
int
key_request_size(const KeyField *field, const Settings *settings)
{
	const Api *api = field->records->api;
	RemoteUse  use = {field->name, OPERATOR_IN, NULL};
	int		   limit = api_values_at_once(api, field->name);
	int		   size = Min(settings->page_size, field->at_once);

	if (limit > 0)
		size = Min(size, limit);
	if (field->is_id)
		return settings->use_query ? size : 1;
	return size < 2 || !settings->use_query || api_refuses(api, &use) ? 0
																	  : size;
}

/* Returns a request with room for size keys, to be sent before the next one. */
static KeyRequest *
create_request(KeyCache *cache, const Settings *settings, HttpBudget *budget,
			   RequestKind kind, int size, dlist_node *next)
{
	KeyField	 *field = cache->field;
	MemoryContext context = AllocSetContextCreate(
		field->store->context, "opportunity_fdw request", ALLOCSET_SMALL_SIZES);
	KeyRequest *request = MemoryContextAllocZero(
		context, offsetof(KeyRequest, entries) + size * sizeof(KeyEntry *));

	request->context = context;
	request->cache = cache;
	request->field = field;
	request->kind = kind;
	request->settings = settings;
	page_source_init(&request->source, field->records, settings, budget);
	if (field->is_id)
		request->source.page_size = size;
	dlist_insert_before(next, &request->node);
	return request;
}

static void
add_entry(KeyRequest *request, KeyEntry *entry)
{
	request->entries[request->count++] = entry;
	entry->request = request;
}

/*
 * Makes requests for the entries that have neither a final state nor a request.
 * They are sent as concurrency allows.  Settings and budget must live as long as
 * the statement.  An id that the API refuses in queries is fetched with GET.
 */
void
key_request_make(KeyCache *cache, const Settings *settings, HttpBudget *budget,
				 List *entries)
{
	KeyField *field = cache->field;
	int		  size =
		Min(Max(key_request_size(field, settings), 1), list_length(entries));
	KeyRequest *request = NULL;
	ListCell   *cell;

	foreach(cell, entries)
	{
		KeyEntry *entry = lfirst(cell);
		bool	  is_bad = field->is_id &&
					  seen_set_has(api_facts(field->records->api)->bad_ids,
								   &entry->id.key);
		KeyRequest *target = is_bad ? NULL : request;

		if (entry->state != KEY_PENDING || entry->request != NULL)
			continue;
		if (target == NULL || target->count == size)
			target = create_request(cache, settings, budget,
									is_bad ? REQUEST_GET : REQUEST_QUERY, size,
									&field->requests.head);
		add_entry(target, entry);
		if (!is_bad)
			request = target;
	}
}

/* Returns the transfer in flight or not yet read; NULL: nothing was sent. */
static HttpTransfer *
transfer_of(const KeyRequest *request)
{
	return request->pages != NULL ? request->pages->transfer : request->get;
}

static bool
is_in_flight(const KeyRequest *request)
{
	const HttpTransfer *transfer = transfer_of(request);

	return transfer != NULL && transfer->outcome == HTTP_PENDING;
}

/* Ends a request, and sets the state of the keys that no other took over. */
static void
finish_request(KeyRequest *request, KeyState state)
{
	for (int i = 0; i < request->count; i++)
	{
		if (request->entries[i]->request == request)
			key_entry_settle(request->entries[i], state);
	}
	*request->source.pending += request->is_set_aside;
	if (request->pages != NULL)
		page_reader_end(request->pages);
	if (request->get != NULL)
	{
		http_end(request->get);
		(*request->source.pending)--;
	}
	dlist_delete(&request->node);
	MemoryContextDelete(request->context);
}

/*
 * Replaces a request with requests for up to size keys each.  A key of another
 * attribute than the id that would be alone becomes KEY_OWN_QUERY.
 */
static void
split_request(KeyRequest *request, RequestKind kind, int size,
			  RefusedQuery *half_of)
{
	for (int i = 0; i < request->count; i += size)
	{
		int			count = Min(size, request->count - i);
		KeyRequest *piece;

		if (count == 1 && !request->field->is_id)
			continue;
		piece =
			create_request(request->cache, request->settings,
						   request->source.budget, kind, count, &request->node);
		piece->half_of = half_of;
		for (int j = i; j < i + count; j++)
		{
			key_entry_drop_records(request->entries[j]);
			add_entry(piece, request->entries[j]);
		}
	}
	finish_request(request, KEY_OWN_QUERY);
}

/* Fetches the ids with GET, or leaves other keys to queries of their own. */
static void
give_up_query(KeyRequest *request)
{
	split_request(request, REQUEST_GET, 1, NULL);
}

/*
 * Makes a query again, for the keys whose records are incomplete: its cursor has
 * expired, or its end is doubtful.  Gives it up if it does not progress.
 */
static void
restart_query(KeyRequest *request)
{
	request->known = 0;
	if (!page_progress_restart(&request->progress, request->pages))
		give_up_query(request);
}

/*
 * Makes two queries, with half of the keys each.  half_of: the query, if the API
 * refused it, so that two accepted halves show a limit of values; or NULL.
 */
static void
halve_query(KeyRequest *request, RefusedQuery *half_of)
{
	split_request(request, REQUEST_QUERY, (request->count + 1) / 2, half_of);
}

/*
 * Decides about the keys of a query whose last page was read.  Missing ids are
 * fetched with GET, unless the table trusts queries.  So are merged records, so
 * that a warning can name them.  If the end is doubtful, because the API may have
 * capped the result, the newest records are the next page.  If all of them are
 * known, the result is complete.
 */
static void
complete_query(KeyRequest *request, bool has_new)
{
	PageReader *pages = request->pages;

	if (request->field->is_id)
	{
		if (pages->doubt != DOUBT_NONE && has_new)
			restart_query(request);
		else if (!settings_trust_query(request->settings) ||
				 pages->received > request->known)
			give_up_query(request);
		else
			finish_request(request, KEY_NOT_LISTED);
	}
	else if (pages->doubt == DOUBT_NONE)
		finish_request(request, KEY_KNOWN);
	else if (2 * request->known >= pages->received)
		halve_query(request, NULL);
	else
	{
		request->doubt = pages->doubt;
		pages->query.sort = "created_at";
		pages->query.is_descending = true;
		pages->query.limit = request->source.page_size;
		page_reader_restart(pages);
	}
}

/* Keeps the wanted attributes, or the whole record for later statements. */
static void
keep_record(KeyRequest *request, KeyEntry *entry, Record *record)
{
	KeyField	  *field = request->field;
	StringInfoData text;

	initStringInfo(&text);
	if (field->is_id && request->settings->cache_ttl > 0)
	{
		record_write_whole(record, &text);
		session_cache_keep(field->records->session, &entry->id.key, text.data,
						   text.len);
	}
	else
		record_write_cut(request->source.wanted, record, &text);
	key_entry_add(entry, text.data, text.len, record);
	pfree(text.data);
}

/*
 * Keeps a record of a page if it has one of the keys.  Sets *has_new to true if the query
 * progresses by it.  Returns false if the key cannot be read as a uuid: then a
 * scan might raise an error for it, and needs a query of its own.
 */
static bool
take_record(KeyRequest *request, const RecordPage *page, int number,
			bool *has_new)
{
	bool	  is_id = request->field->is_id;
	pg_uuid_t id = page->records[number].id;
	pg_uuid_t key = id;
	RecordKey found = RECORD_KEY_FOUND;
	Record	 *record = NULL;
	KeyEntry *entry = NULL;
	bool	  is_mine;

	if (!is_id)
	{
		record = record_read(page, number);
		found = record_key_read(record, request->field->number, &key);
	}
	if (found == RECORD_KEY_FOUND)
		entry = key_entry_find(request->cache, &key, false);
	is_mine = entry != NULL && entry->request == request;

	request->known += entry != NULL;
	if (is_id ? !is_mine : !seen_set_add(request->seen, &id))
		return true;
	*has_new = true;
	if (is_mine)
		keep_record(request, entry,
					record != NULL ? record : record_read(page, number));
	if (is_id)
		key_entry_settle(entry, KEY_KNOWN);
	return found != RECORD_KEY_ODD;
}

/*
 * Keeps the records of a page, and decides how the query continues.  If most
 * records have other ids, the API has ignored the filter.  A few may be records
 * that others were merged into.
 */
static void
take_page(KeyRequest *request, const PageResponse *response)
{
	KeyField   *field = request->field;
	Api		   *api = request->source.api;
	PageReader *pages = request->pages;
	bool		has_new = false;
	bool		is_progressing;
	int64		unrequested;
	int			count = request->count;
	size_t		size = 0;

	if (field->is_id)
		api_facts(api)->takes_ids = true;
	/* Both halves are accepted: the number of values caused the refusal. */
	if (request->half_of != NULL && ++request->half_of->accepted_halves == 2)
		api_limit_values(api, field->name, (request->half_of->size + 1) / 2);
	request->half_of = NULL;

	for (int i = 0; i < response->page->count; i++)
	{
		if (!take_record(request, response->page, i, &has_new))
		{
			field->at_once = 0;
			give_up_query(request);
			return;
		}
	}
	request->count = 0;
	for (int i = 0; i < count; i++)
	{
		if (request->entries[i]->request != request)
			continue;
		size += request->entries[i]->size;
		add_entry(request, request->entries[i]);
	}
	unrequested = pages->received - request->known;
	is_progressing =
		page_progress_note(&request->progress, has_new) && !response->is_circle;

	if (request->count == 0)
		finish_request(request, KEY_KNOWN);
	else if (field->is_id && unrequested > 1 &&
			 2 * unrequested > pages->received)
		split_request(request, REQUEST_CHECK, 1, NULL);
	else if (request->doubt != DOUBT_NONE && has_new)
		halve_query(request, NULL);
	else if (request->doubt != DOUBT_NONE)
	{
		api_note_end(api, request->doubt);
		finish_request(request, KEY_KNOWN);
	}
	else if (pages->is_at_end)
		complete_query(request, has_new);
	else if (!is_progressing)
		give_up_query(request);
	else if (!field->is_id && size > (size_t) work_mem * 1024)
	{
		field->at_once = request->count / 2;
		give_up_query(request);
	}
}

/*
 * Halves a refused query, because the API may refuse one of its keys.  A single
 * refused id is noted, and fetched with GET.
 */
static void
split_in_halves(KeyRequest *request)
{
	Api			 *api = request->source.api;
	RefusedQuery *refused;

	if (request->field->is_id && request->count == 1)
	{
		api_note_bad_id(api, &request->entries[0]->id.key);
		give_up_query(request);
		return;
	}
	if (!request->field->is_id && request->count < 4)
		api_note_refusal(api, request->filter->uses, QUERY_REFUSED);
	refused = MemoryContextAllocZero(request->field->store->context,
									 sizeof(RefusedQuery));
	refused->size = request->count;
	halve_query(request, refused);
}

/*
 * Handles a refused query or page.  If the API has no queries, a GET shows if it
 * can be reached at all.
 */
static void
settle_key_refusal(KeyRequest *request, QueryResult result)
{
	KeyField   *field = request->field;
	List	   *refused;
	QueryResult reason;

	if (request->doubt != DOUBT_NONE)
	{
		halve_query(request, NULL);
		return;
	}
	if (result == QUERY_REFUSED && field->limit_is_fine)
		result = QUERY_VALUE_REFUSED;
	switch (refusal_find(request->pages, result, list_make1(request->filter),
						 &refused))
	{
		case REFUSED_SIZE:
			break;
		case REFUSED_CURSOR:
			if (field->is_id)
				restart_query(request);
			else
				give_up_query(request);
			break;
		case REFUSED_ENDPOINT:
			if (!field->is_id)
				field->at_once = 0;
			split_request(request, REQUEST_CHECK, 1, NULL);
			break;
		case REFUSED_FILTERS:
			field->limit_is_fine = true;
			reason = ((RemoteFilter *) linitial(refused))->refusal;
			if (reason != QUERY_FILTER_REFUSED)
			{
				split_in_halves(request);
				break;
			}
			if (field->is_id)
				api_limit_values(request->source.api, field->name, 1);
			else
				api_note_refusal(request->source.api, request->filter->uses,
								 reason);
			give_up_query(request);
			break;
		default:
			field->limit_is_fine = true;
			give_up_query(request);
			break;
	}
}

/* Processes the response to a GET.  Returns false if it must be needed first. */
static bool
take_get(KeyRequest *request, bool is_needed)
{
	KeyField  *field = request->field;
	Api		  *api = request->source.api;
	KeyEntry  *entry = request->entries[0];
	pg_uuid_t *id = &entry->id.key;
	Record	  *record = NULL;

	if (is_needed)
		api_finish_record(api, request->get, id, request->source.budget,
						  request->source.wanted, &record);
	else if (!api_try_record(api, request->get, id, request->source.wanted,
							 &record))
		return false;
	if (record != NULL)
	{
		/* The query should have returned it. */
		if (request->kind == REQUEST_CHECK)
			api_limit_values(api, field->name, 1);
		keep_record(request, entry, record);
	}
	else if (request->settings->cache_ttl > 0)
		session_cache_keep(field->records->session, id, NULL, 0);
	field->store->response = request->get;
	request->get = NULL;
	(*request->source.pending)--;
	finish_request(request, KEY_KNOWN);
	return true;
}

/*
 * Processes the response to a query.  Returns false if it must be needed first.
 * The scans' own queries raise the error of an unusable page.
 */
static bool
take_query(KeyRequest *request, bool is_needed)
{
	KeyStore	*store = request->field->store;
	PageResponse response;

	if (!page_reader_try(request->pages, &response))
	{
		if (!is_needed)
			return false;
		if (!request->field->is_id &&
			api_is_unusable_page(request->pages->transfer,
								 request->source.wanted))
		{
			give_up_query(request);
			return true;
		}
		response = page_reader_read(request->pages);
	}
	if (response.result == QUERY_PAGE)
		take_page(request, &response);
	else if (response.result == QUERY_CURSOR_GONE)
		restart_query(request);
	else
		settle_key_refusal(request, response.result);
	store->response = response.transfer;
	return true;
}

/*
 * Processes the response to a request.  A response to a query that is not a page,
 * and one to a GET that is an error, is set aside unless it is needed.  Then it
 * does not count against the concurrency.
 */
static void
read_response(KeyRequest *request, bool is_needed)
{
	KeyStore	 *store = request->field->store;
	MemoryContext old_context = MemoryContextSwitchTo(store->page_context);

	/* The records of the last response are parsed again from now on. */
	if (store->response != NULL)
		http_end(store->response);
	store->response = NULL;
	store->response_number++;
	MemoryContextReset(store->page_context);
	*request->source.pending += request->is_set_aside;
	request->is_set_aside = false;
	if (!(request->pages != NULL ? take_query(request, is_needed)
								 : take_get(request, is_needed)))
	{
		request->is_set_aside = true;
		(*request->source.pending)--;
	}
	MemoryContextSwitchTo(old_context);
}

/* Creates the reader of a query's pages, in the request's context. */
static void
begin_query(KeyRequest *request)
{
	ApiQuery	   query = {0};
	StringInfoData json;

	initStringInfo(&json);
	for (int i = 0; i < request->count; i++)
		appendStringInfo(&json, "%c\"%s\"", i > 0 ? ',' : '[',
						 id_text(&request->entries[i]->id.key));
	appendStringInfoChar(&json, ']');
	request->filter =
		remote_filter_create(request->field->name, OPERATOR_IN, json.data);
	query.filters = list_make1(request->filter);
	if (request->cache->filter.json != NULL)
		query.filters = lappend(query.filters, &request->cache->filter);
	query.limit = request->source.page_size;
	if (!request->field->is_id)
		request->seen = seen_set_create();
	request->pages = page_reader_create(&request->source, &query);
}

/*
 * Sends a request, or the one for a query's next page.  Raises an error if it
 * would exceed the budget.
 */
static void
send_request(KeyRequest *request)
{
	bool		  is_id = request->field->is_id;
	MemoryContext old_context = MemoryContextSwitchTo(request->context);

	/* After a restart, the query is for the other ids only. */
	if (is_id && request->pages != NULL && request->pages->cursor == NULL)
	{
		page_reader_end(request->pages);
		request->pages = NULL;
	}
	if (is_id && request->pages == NULL && request->count == 1 &&
		request->half_of == NULL && request->kind == REQUEST_QUERY)
		request->kind = REQUEST_GET;
	if (request->kind == REQUEST_QUERY)
	{
		if (request->pages == NULL)
			begin_query(request);
		if (is_id)
			request->pages->query.limit = request->count;
		page_reader_send(request->pages);
	}
	else
	{
		request->get =
			api_get_record(request->source.api, &request->entries[0]->id.key,
						   request->source.budget);
		(*request->source.pending)++;
	}
	MemoryContextSwitchTo(old_context);
}

/* Splits a query that is not sent yet, and returns true, if it is too long. */
static bool
split_if_too_long(KeyRequest *request)
{
	int size = Max(key_request_size(request->field, request->settings), 1);

	if (request->kind != REQUEST_QUERY || request->count <= size ||
		(request->pages != NULL && request->pages->cursor != NULL))
		return false;
	split_request(request, REQUEST_QUERY, size, NULL);
	return true;
}

/*
 * Returns true if a request may be sent.  The statement's requests share its
 * concurrency.  One request by an attribute may always be in flight or unread, so
 * that no attribute waits for another.
 */
static bool
may_send(const KeyRequest *request)
{
	dlist_iter iter;

	if (!statement_is_busy(request->field->records, request->settings))
		return true;
	dlist_foreach(iter, &request->field->requests)
	{
		KeyRequest *other = dlist_container(KeyRequest, node, iter.cur);

		if (transfer_of(other) != NULL && !other->is_set_aside)
			return false;
	}
	return true;
}

static bool
is_wanted(const KeyRequest *request)
{
	for (int i = 0; i < request->count; i++)
	{
		if (request->entries[i]->users > 0)
			return true;
	}
	return false;
}

/*
 * Sends the requests by an attribute as concurrency, memory and budgets allow.
 * Drops those that no batch needs any more, unless they are in flight.
 */
void
key_request_send_all(KeyField *field)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &field->requests)
	{
		KeyRequest *request = dlist_container(KeyRequest, node, iter.cur);

		if (transfer_of(request) != NULL && !request->is_set_aside)
			continue;
		if (!is_wanted(request))
		{
			while (request->count > 0)
				key_entry_remove(request->entries[--request->count]);
			finish_request(request, KEY_OWN_QUERY);
		}
		else if (transfer_of(request) == NULL)
			split_if_too_long(request);
	}
	key_store_evict(field->store);
	dlist_foreach_modify(iter, &field->requests)
	{
		KeyRequest *request = dlist_container(KeyRequest, node, iter.cur);

		if (transfer_of(request) != NULL)
			continue;
		if (!may_send(request) || key_store_is_full(field->store) ||
			!http_allows(request->source.budget))
			return;
		send_request(request);
	}
}

/* Waits until one of the requests by an attribute that are in flight is over. */
static void
wait_for_any(KeyField *field)
{
	HttpTransfer **transfers =
		palloc(*field->records->pending * sizeof(HttpTransfer *));
	int		   count = 0;
	dlist_iter iter;

	dlist_foreach(iter, &field->requests)
	{
		KeyRequest *request = dlist_container(KeyRequest, node, iter.cur);

		if (is_in_flight(request))
			transfers[count++] = transfer_of(request);
	}
	if (count > 0)
		http_wait_any(transfers, count);
	pfree(transfers);
}

/*
 * Waits for a response that the request for a pending key depends on, and
 * processes it.  The caller repeats this until the key has a final state.  Raises
 * the errors of api_finish_query and api_finish_record, only if this key needs
 * the response.
 */
void
key_request_need(KeyEntry *entry)
{
	KeyRequest		  *request = entry->request;
	KeyField		  *field = request->field;
	dlist_mutable_iter iter;

	/* Other requests by the attribute may have to end first. */
	if (transfer_of(request) == NULL)
	{
		dlist_move_head(&field->requests, &request->node);
		if (split_if_too_long(request))
			return;
		if (may_send(request))
			send_request(request);
	}
	if (transfer_of(request) != NULL && http_is_over(transfer_of(request)))
	{
		/* Others wait, so that the parsed records of this one can be used. */
		read_response(request, true);
		key_request_send_all(field);
		return;
	}
	dlist_foreach_modify(iter, &field->requests)
	{
		KeyRequest *other = dlist_container(KeyRequest, node, iter.cur);

		if (transfer_of(other) != NULL && !is_in_flight(other) &&
			!other->is_set_aside)
			read_response(other, false);
	}
	key_request_send_all(field);
	if (entry->request == request &&
		(transfer_of(request) == NULL || is_in_flight(request)))
		wait_for_any(field);
}
