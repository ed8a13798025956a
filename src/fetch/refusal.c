/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * refusal.c
 *	  Queries that the API refuses, or does not continue: finds the reason, and
 *	  limits the attempts.
 *
 * The API may name the reason of a refusal.  If it does not, queries for one
 * record, with a part of the refused query, find it.  The session notes a
 * refused sort and a refused page size, so that no query uses them again.
 *
 * Knows nothing about the use of the records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "fetch/refusal.h"

/* Limit of successive pages without a new record. */
#define MAX_STALE_PAGES 100

/* Returns the result of a query for one record. */
static QueryResult
try_query(PageReader *reader, List *filters, const ApiQuery *sort)
{
	ApiQuery	 query = {0};
	PageReader	*probe;
	PageResponse response;

	if (sort != NULL)
		query = *sort;
	query.filters = filters;
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
	else if (query->limit == 1 ||
			 try_query(reader, query->filters, query) != QUERY_PAGE)
		return false;
	if (limit >= query->limit)
		return false;
	api_limit_page_size(reader->source->api, limit);
	reader->source->page_size = Min(reader->source->page_size, limit);
	query->limit = limit;
	return true;
}

/*
 * Returns the filters that the API refuses, as RefusedFilters.  It may not name
 * them, so several filters are tested one by one.
 */
static List *
find_filters(PageReader *reader, QueryResult result, List *suspects)
{
	bool	  is_alone = list_length(reader->query.filters) == 1;
	List	 *found = NIL;
	ListCell *cell;

	foreach(cell, suspects)
	{
		RefusedFilter *refused;

		if (!is_alone)
			result = try_query(reader, list_make1(lfirst(cell)), NULL);
		if (result == QUERY_PAGE)
			continue;
		refused = palloc(sizeof(RefusedFilter));
		refused->filter = lfirst(cell);
		refused->result = result;
		found = lappend(found, refused);
	}
	return found;
}

/*
 * Finds the part of a reader's query that the API has refused with a result
 * other than QUERY_PAGE.  May make further queries, which are charged to the
 * reader's budget.
 *
 * The suspects are the query's filters whose refusal the caller can handle, and
 * *refused is set to those that the API refuses, a list of RefusedFilters in
 * the current context.
 */
RefusedPart
refusal_find(PageReader *reader, QueryResult result, List *suspects,
			 List **refused)
{
	const ApiQuery *query = &reader->query;

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
		  try_query(reader, query->filters, NULL) == QUERY_PAGE)))
	{
		RemoteUse use = {query->sort, REMOTE_SORT, NULL};

		api_note_refusal(reader->source->api, &use, QUERY_SORT_REFUSED);
		return REFUSED_SORT;
	}
	*refused = find_filters(reader, result, suspects);
	return *refused != NIL ? REFUSED_FILTERS : REFUSED_OTHER;
}

/*
 * Notes that a page was read, and whether it had a new record.  Returns false
 * if the pages may never end: too many in succession had none.
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
 * Restarts a reader.  The caller must skip the records that it has received
 * before.  Returns false after MAX_RESTARTS without a new record, without
 * restarting it.
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
