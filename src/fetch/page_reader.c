/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_reader.c
 *	  Reads the pages of one query.  Finds the reason if the API refuses it, and
 *	  limits the attempts if the API does not continue it.
 *
 * Only the absence of a cursor ends a query, not a short or empty page
 * (according to the API's documentation).
 *
 * If the API does not name the reason of a refusal, queries for one record, with
 * a part of the refused query, find it.  The session notes a refused sort and a
 * refused page size, so that no query uses them again.
 *
 * Knows nothing about the use of the records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "api/api_facts.h"
#include "fetch/page_reader.h"

/* Limit of successive pages without a new record. */
#define MAX_STALE_PAGES 100

/* Makes records the source of pages of the size that settings and API allow. */
void
page_source_init(PageSource *source, const RecordSource *records,
				 const Settings *settings, HttpBudget *budget)
{
	int limit = api_values_at_once(records->api, PAGE_FIELD);

	source->api = records->api;
	source->pending = records->pending;
	source->wanted = records->wanted;
	source->budget = budget;
	source->page_size =
		limit == 0 ? settings->page_size : Min(settings->page_size, limit);
}

/* Returns a reader in the current context.  Copies the query, but no strings. */
PageReader *
page_reader_create(PageSource *source, const ApiQuery *query)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw pages", ALLOCSET_SMALL_SIZES);
	PageReader *reader = MemoryContextAllocZero(context, sizeof(PageReader));

	reader->context = context;
	reader->source = source;
	reader->query = *query;
	return reader;
}

/*
 * Requests the next page.  Leaves the text in the current context.  Raises an
 * error if the budget is exhausted.
 */
void
page_reader_send(PageReader *reader)
{
	const PageSource *source = reader->source;

	reader->transfer = api_start_query(source->api, &reader->query,
									   reader->cursor, source->budget);
	(*source->pending)++;
}

/*
 * Passes the transfer to the caller.  If it has a page, notes that the API has
 * accepted the filters, the end or the next page's cursor, and the next size.
 */
static void
take_response(PageReader *reader, PageResponse *response)
{
	const PageSource *source = reader->source;
	const RecordPage *page = response->page;
	int				  limit = reader->query.limit;
	char			 *cursor = NULL;
	ListCell		 *cell;

	response->transfer = reader->transfer;
	reader->transfer = NULL;
	(*source->pending)--;
	if (response->result != QUERY_PAGE)
	{
		response->page = NULL;
		return;
	}
	if (reader->pages++ == 0)
	{
		foreach(cell, reader->query.filters)
			api_note_accepted(source->api,
							  ((RemoteFilter *) lfirst(cell))->uses);
	}
	reader->received += page->count;
	if (page->next_cursor != NULL)
	{
		response->is_circle = reader->cursor != NULL &&
							  strcmp(reader->cursor, page->next_cursor) == 0;
		cursor = MemoryContextStrdup(reader->context, page->next_cursor);
	}
	else
	{
		reader->is_at_end = true;
		reader->doubt =
			api_doubt_end(source->api, page, reader->received, limit);
	}
	if (reader->cursor != NULL)
		pfree(reader->cursor);
	reader->cursor = cursor;

	/* A small page was not enough, so the next one is larger. */
	reader->accepted_limit = limit;
	reader->query.limit = Min(limit * 2, source->page_size);
}

/*
 * Waits for the page and reads it into the current context.  The caller must
 * release its transfer by http_end.  Raises the errors of api_finish_query.
 */
PageResponse
page_reader_read(PageReader *reader)
{
	const PageSource *source = reader->source;
	PageResponse	  response = {0};

	response.result = api_finish_query(source->api, reader->transfer,
									   source->wanted, &response.page);
	take_response(reader, &response);
	return response;
}

/*
 * Reads a response that has arrived, in the same way.  If it is not a page,
 * returns false without an error, and page_reader_read can still read it.
 */
bool
page_reader_try(PageReader *reader, PageResponse *response)
{
	*response = (PageResponse){.result = QUERY_PAGE};
	if (!api_try_page(reader->source->api, reader->transfer,
					  reader->source->wanted, &response->page))
		return false;
	take_response(reader, response);
	return true;
}

/* Returns to the first page of reader->query, which may have changed. */
void
page_reader_restart(PageReader *reader)
{
	page_reader_stop(reader);
	if (reader->cursor != NULL)
		pfree(reader->cursor);
	reader->cursor = NULL;
	reader->is_at_end = false;
	reader->doubt = DOUBT_NONE;
	reader->pages = 0;
	reader->received = 0;
}

/* Cancels the request in flight, if any, which can be sent again. */
void
page_reader_stop(PageReader *reader)
{
	if (reader->transfer == NULL)
		return;
	http_end(reader->transfer);
	reader->transfer = NULL;
	(*reader->source->pending)--;
}

void
page_reader_end(PageReader *reader)
{
	page_reader_stop(reader);
	MemoryContextDelete(reader->context);
}

/* --- Queries that the API refuses, or does not continue --- */

/* Returns the result of a query with a limit of one record. */
static QueryResult
try_query(PageReader *reader, ApiQuery query)
{
	PageReader	*probe;
	PageResponse response;

	query.limit = 1;
	probe = page_reader_create(reader->source, &query);
	page_reader_send(probe);
	response = page_reader_read(probe);
	page_reader_end(probe);
	http_end(response.transfer);
	return response.result;
}

/*
 * Reduces the page size if it caused a refusal without a reason.  For a first
 * page a query for one record shows this.  A further page may have been larger
 * than the page before it.  Returns false if the size was not the reason.
 */
static bool
reduce_size(PageReader *reader)
{
	ApiQuery *query = &reader->query;
	int		  limit = (query->limit + 1) / 2;

	if (reader->cursor != NULL)
		limit = reader->accepted_limit;
	else if (query->limit == 1 || try_query(reader, *query) != QUERY_PAGE)
		return false;
	if (limit >= query->limit)
		return false;
	api_limit_values(reader->source->api, PAGE_FIELD, limit);
	reader->source->page_size = Min(reader->source->page_size, limit);
	query->limit = limit;
	return true;
}

/*
 * Finds the part of a reader's query that the API has refused, perhaps by
 * further queries.  The suspects are the filters whose refusal the caller can
 * handle; *refused is set to those that the API refuses, a list in the
 * current context.
 */
RefusedPart
refusal_find(PageReader *reader, QueryResult result, List *suspects,
			 List **refused)
{
	const ApiQuery *query = &reader->query;
	ListCell	   *cell;

	CHECK_FOR_INTERRUPTS();
	*refused = NIL;
	if (result == QUERY_REFUSED && reduce_size(reader))
		return REFUSED_SIZE;
	if (reader->cursor != NULL)
		return REFUSED_CURSOR;
	if (result == QUERY_NOT_SUPPORTED)
		return REFUSED_ENDPOINT;
	if (query->sort != NULL &&
		(result == QUERY_SORT_REFUSED ||
		 (result == QUERY_REFUSED &&
		  try_query(reader, (ApiQuery){.filters = query->filters}) ==
			  QUERY_PAGE)))
	{
		RemoteUse use = {query->sort, REMOTE_SORT, NULL};

		api_note_refusal(reader->source->api, &use, QUERY_SORT_REFUSED);
		return REFUSED_SORT;
	}
	foreach(cell, suspects)
	{
		RemoteFilter *filter = lfirst(cell);

		/* The API may not name the filter, so several are tested one by one. */
		if (list_length(query->filters) > 1)
			result =
				try_query(reader, (ApiQuery){.filters = list_make1(filter)});
		if (result == QUERY_PAGE)
			continue;
		filter->refusal = result;
		*refused = lappend(*refused, filter);
	}
	return *refused != NIL ? REFUSED_FILTERS : REFUSED_OTHER;
}

/*
 * Notes that a page was read, and whether it had a new record.  Returns false if
 * the pages may never end: too many in succession had none.
 */
bool
page_progress_note(PageProgress *progress, bool has_new)
{
	if (has_new)
		progress->stale_pages = progress->restarts = 0;
	else
		progress->stale_pages++;
	return progress->stale_pages <= MAX_STALE_PAGES + progress->stale_allowed;
}

/*
 * Restarts a reader; the caller must skip the records received before.  Returns
 * false instead after MAX_RESTARTS without a new record.
 */
bool
page_progress_restart(PageProgress *progress, PageReader *reader)
{
	if (progress->restarts++ >= MAX_RESTARTS)
		return false;
	progress->stale_allowed += reader->pages;
	page_reader_restart(reader);
	return true;
}
