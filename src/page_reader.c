/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_reader.c
 *	  The answers to one query, page by page.
 *
 * Neither a short page nor an empty one ends a query, only the absence of a
 * cursor does (from the API's documentation).
 *
 * Knows nothing of what the records are for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "page_reader.h"

static void take_answer(PageReader *reader, PageAnswer *answer);
static void take_cursor(PageReader *reader, PageAnswer *answer);

/*
 * A reader of a query's pages, in the current context, from the first on; the
 * query is copied, but not the texts in it.  Nothing is asked for yet.
 */
PageReader *
page_reader_create(const PageSource *source, const ApiQuery *query)
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
 * Asks for the next page.  Nothing may have been asked for that has not been
 * read.  Raises an error where the budget is used up.
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
 * Waits for the page that was asked for and reads it, in the current context.
 * Raises the errors of api_finish_query.
 */
PageAnswer
page_reader_read(PageReader *reader)
{
	const PageSource *source = reader->source;
	PageAnswer		  answer = {0};

	answer.result = api_finish_query(source->api, reader->transfer,
									 source->wanted, &answer.page);
	take_answer(reader, &answer);
	return answer;
}

/*
 * The same for an answer that has come.  Returns false where that is no page, and
 * raises no error; it can still be read.
 */
bool
page_reader_try(PageReader *reader, PageAnswer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->result = QUERY_PAGE;
	if (!api_try_page(reader->source->api, reader->transfer,
					  reader->source->wanted, &answer->page))
		return false;
	take_answer(reader, answer);
	return true;
}

/* Raises the error for a page that leads to itself. */
void
page_reader_raise_circle(const PageReader *reader)
{
	ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
					errmsg("API pagination does not terminate"),
					errdetail("The response to page %d contains the cursor "
							  "that requested page %d.",
							  reader->pages, reader->pages)));
}

/* The answer has been read, and is the caller's now. */
static void
take_answer(PageReader *reader, PageAnswer *answer)
{
	answer->transfer = reader->transfer;
	reader->transfer = NULL;
	reader->source->statement->pending--;
	if (answer->result == QUERY_PAGE)
		take_cursor(reader, answer);
	else
		answer->page = NULL;
}

/* Where the next page is, and how large it may be. */
static void
take_cursor(PageReader *reader, PageAnswer *answer)
{
	const RecordPage *page = answer->page;
	char			 *cursor = NULL;

	reader->received += page->count;
	if (page->next_cursor == NULL)
	{
		reader->is_at_end = true;
		reader->is_doubtful = api_is_doubtful_end(
			reader->source->api, page, reader->received, reader->query.limit);
		reader->is_like_cap =
			api_is_like_cap(page, reader->received, reader->query.limit);
	}
	else
	{
		answer->is_circle = reader->cursor != NULL &&
							strcmp(reader->cursor, page->next_cursor) == 0;
		cursor = MemoryContextStrdup(reader->context, page->next_cursor);
	}

	if (reader->cursor != NULL)
		pfree(reader->cursor);
	reader->cursor = cursor;
	reader->pages++;

	reader->accepted_limit = reader->query.limit;

	/* Where a small page was not enough, a larger one may be. */
	reader->query.limit =
		Min(reader->query.limit * 2, reader->source->page_size);
}

/* The next page is the first again, of what reader->query says by then. */
void
page_reader_restart(PageReader *reader)
{
	page_reader_stop(reader);
	if (reader->cursor != NULL)
		pfree(reader->cursor);
	reader->cursor = NULL;
	reader->is_at_end = false;
	reader->is_doubtful = false;
	reader->is_like_cap = false;
	reader->pages = 0;
	reader->received = 0;
}

/* Gives up what was asked for, if anything was; it can be asked for again. */
void
page_reader_stop(PageReader *reader)
{
	if (reader->transfer == NULL)
		return;
	http_end(reader->transfer);
	reader->transfer = NULL;
	reader->source->statement->pending--;
}

void
page_reader_end(PageReader *reader)
{
	page_reader_stop(reader);
	MemoryContextDelete(reader->context);
}
