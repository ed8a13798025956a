/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_reader.c
 *	  Reads the pages of one query.
 *
 * A short or empty page does not end a query.  Only the absence of a cursor
 * does (according to the API's documentation).
 *
 * Knows nothing about the use of the records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "api/api_facts.h"
#include "fetch/page_reader.h"

/*
 * Returns a reader of a query's pages, in the current context, at the first
 * page.  Copies the query, but not the strings that it points to.  Makes no
 * request.
 */
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
 * Requests the next page.  The page requested before must have been read.
 * Raises an error if the budget is exhausted.
 */
void
page_reader_send(PageReader *reader)
{
	const PageSource *source = reader->source;
	MemoryContext	  scratch = AllocSetContextCreate(
			reader->context, "opportunity_fdw request", ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(scratch);

	reader->transfer =
		reader->cursor == NULL
			? api_query_first(source->api, &reader->query, source->budget)
			: api_query_next(source->api, reader->cursor, reader->query.limit,
							 source->budget);
	source->statement->pending++;
	MemoryContextSwitchTo(old_context);
	MemoryContextDelete(scratch);
}

/*
 * Notes that the API has accepted the filters, the end or the next page's
 * cursor, and the next page's size.
 */
static void
take_cursor(PageReader *reader, PageResponse *response)
{
	const RecordPage *page = response->page;
	int				  limit = reader->query.limit;
	char			 *cursor = NULL;
	ListCell		 *cell;

	if (reader->pages++ == 0)
	{
		foreach(cell, reader->query.filters)
			api_note_accepted(reader->source->api,
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
			api_doubt_end(reader->source->api, page, reader->received, limit);
	}
	if (reader->cursor != NULL)
		pfree(reader->cursor);
	reader->cursor = cursor;

	/* A small page was not enough, so the next one is larger. */
	reader->accepted_limit = limit;
	reader->query.limit = Min(limit * 2, reader->source->page_size);
}

/* Passes the transfer to the caller, and reads the page's cursor. */
static void
take_response(PageReader *reader, PageResponse *response)
{
	response->transfer = reader->transfer;
	reader->transfer = NULL;
	reader->source->statement->pending--;
	if (response->result == QUERY_PAGE)
		take_cursor(reader, response);
	else
		response->page = NULL;
}

/*
 * Waits for the requested page and reads it, in the current context.  The
 * caller must release the result's transfer with http_end.  Raises the errors
 * of api_finish_query.
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
	memset(response, 0, sizeof(*response));
	response->result = QUERY_PAGE;
	if (!api_try_page(reader->source->api, reader->transfer,
					  reader->source->wanted, &response->page))
		return false;
	take_response(reader, response);
	return true;
}

/*
 * Returns the reader to the first page of reader->query, which the caller may
 * have changed.
 */
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

/* Cancels the request in flight, if any.  It can be sent again. */
void
page_reader_stop(PageReader *reader)
{
	if (reader->transfer == NULL)
		return;
	http_end(reader->transfer);
	reader->transfer = NULL;
	reader->source->statement->pending--;
}

/* Releases a reader and its request. */
void
page_reader_end(PageReader *reader)
{
	page_reader_stop(reader);
	MemoryContextDelete(reader->context);
}
