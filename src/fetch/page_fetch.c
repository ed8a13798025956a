/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_fetch.c
 *	  Reads the records that match a query's filters, by pages.
 *
 * From the second page on, the next one is requested before the records of the
 * current one are returned, unless the reader is likely to stop.  A long read
 * without a required order continues with parallel cursors: see range.c.  A long
 * list of values is sent in parts: see part.c.
 *
 * No record is returned twice.  A filter or a sort that the API rejects is
 * omitted for the rest of the session.  The caller rechecks the conditions and
 * sorts.
 *
 * Knows nothing about plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "api/api_facts.h"
#include "fetch/page_fetch.h"

/*
 * Starts or restarts the first reader, without a rejected sort or filter.  If the
 * sort is rejected, or for parts, all records must be read before they can be
 * sorted.
 */
void
page_fetch_begin(PageFetch *fetch)
{
	const PageSpec *spec = fetch->spec;
	const Api	   *api = fetch->source.api;
	const RemoteUse sort = {spec->sort, REMOTE_SORT, NULL};
	RangeReader	   *reader = linitial(fetch->readers);
	ApiQuery	   *query = &fetch->first_query;
	bool			is_long;

	fetch->is_sorted = spec->sort != NULL && fetch->list == NULL &&
					   !fetch->is_capped && !api_refuses(api, &sort);
	fetch->needs_all = spec->sort != NULL && !fetch->is_sorted;
	is_long = fetch->needs_all || spec->limit == 0 ||
			  spec->limit >= LONG_FETCH_REQUESTS * fetch->source.page_size;
	fetch->splits = 0;
	fetch->range_state = !fetch->is_sorted && spec->may_split && is_long &&
								 fetch->settings->max_concurrency >= 2 &&
								 !created_at_is_refused(api, !spec->is_dated)
							 ? RANGES_NOT_YET
							 : RANGES_NEVER;

	/* A long read by created_at can be resumed anywhere. */
	reader->is_by_time = !fetch->is_sorted && (is_long || fetch->is_capped) &&
						 spec->may_split && !created_at_is_refused(api, false);
	query->filters = fetch->filters;
	query->sort = fetch->is_sorted	   ? spec->sort
				  : reader->is_by_time ? "created_at"
									   : NULL;
	query->is_descending = fetch->is_sorted && spec->is_descending;
	query->limit = fetch->source.page_size;
	if (spec->limit > 0 && !fetch->needs_all)
		query->limit = Min(spec->limit, query->limit);
	reader->lower = reader->position = reader->no_split = NO_TIME;
	reader->upper = END_OF_TIME;
	reader->is_done = false;
	reader->pages->query = *query;
	page_reader_restart(reader->pages);
}

/*
 * Returns a fetch of the records that a spec describes.  It lives in the current
 * context; all arguments must live as long.  Charges requests to the budget.
 * Makes no request yet.
 */
PageFetch *
page_fetch_create(RecordSource *records, const Settings *settings,
				  const PageSpec *spec, HttpBudget *budget,
				  PageCounters *counters)
{
	PageFetch *fetch = palloc0(sizeof(PageFetch));
	ListCell  *cell;

	fetch->context = CurrentMemoryContext;
	fetch->page_context = AllocSetContextCreate(
		fetch->context, "opportunity_fdw page", ALLOCSET_DEFAULT_SIZES);
	fetch->settings = settings;
	fetch->spec = spec;
	fetch->counters = counters;
	fetch->found_at_cap = -1;
	page_source_init(&fetch->source, records, settings, budget);
	attribute_set_add(records->wanted, "created_at");
	fetch->seen = seen_set_create();
	foreach(cell, spec->filters)
	{
		RemoteFilter *filter = lfirst(cell);

		if (!api_refuses(fetch->source.api, filter->uses))
			fetch->filters = lappend(fetch->filters, filter);
	}
	part_begin(fetch);
	range_add_reader(fetch, RANGE_ALL, NO_TIME);
	page_fetch_begin(fetch);
	return fetch;
}

/* Returns true if page_fetch_next will probably not wait for a response. */
bool
page_fetch_is_ready(const PageFetch *fetch)
{
	bool	  is_under_way = false;
	ListCell *cell;

	if (fetch->response.page != NULL &&
		fetch->next < fetch->response.page->count)
		return true;
	foreach(cell, fetch->readers)
	{
		const RangeReader *reader = lfirst(cell);

		if (reader->pages->transfer == NULL)
			continue;
		if (http_is_over(reader->pages->transfer))
			return true;
		is_under_way = true;
	}
	return !is_under_way;
}

/*
 * Cancels the requests of a fetch, and releases its response.  The rest of its
 * memory is released with its context.
 */
void
page_fetch_end(PageFetch *fetch)
{
	ListCell *cell;

	if (fetch->response.transfer != NULL)
		http_end(fetch->response.transfer);
	foreach(cell, fetch->readers)
		page_reader_stop(((RangeReader *) lfirst(cell))->pages);
	part_stop_ahead(fetch);
}

/* --- Results that the API limits --- */

/* Raises the error for a limited query that cannot be resumed. */
pg_noreturn static void
raise_cap(int64 received, bool is_by_time)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("API returns at most " INT64_FORMAT " records per query",
					received),
			 is_by_time
				 ? errdetail("More records than that have the same value of "
							 "\"created_at\".")
				 : errdetail("The scan cannot continue by \"created_at\"."),
			 errhint("Narrow the query so that it returns fewer records.")));
}

/* Warns, once per session, that the end cannot be verified. */
static void
warn_of_cap(const PageFetch *fetch)
{
	const RangeReader *first = linitial(fetch->readers);
	ApiFacts		  *facts = api_facts(fetch->source.api);

	if (!facts->has_warned)
		ereport(WARNING,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("result may be incomplete: API returned " INT64_FORMAT
						" records and no further page",
						first->pages->received),
				 errdetail("The number of records may be a limit of the API. "
						   "The wrapper cannot verify it, because it cannot "
						   "sort by \"created_at\".")));
	facts->has_warned = true;
}

/* Returns true if a limited query can be read by created_at instead. */
static bool
can_read_by_time(const PageFetch *fetch)
{
	return fetch->spec->may_split && !fetch->is_capped &&
		   !created_at_is_refused(fetch->source.api, !fetch->spec->is_dated);
}

/* Starts to read all records again, by created_at. */
static void
read_by_time(PageFetch *fetch)
{
	fetch->is_capped = true;
	fetch->progress.stale_allowed += fetch->pages;
	page_fetch_begin(fetch);
}

/* Returns true if a query's first pages have a record that was not returned. */
static bool
has_new(PageFetch *fetch, const ApiQuery *query, int page_count)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->page_context);
	PageReader	 *probe = page_reader_create(&fetch->source, query);
	bool		  is_new = false;

	while (!is_new && !probe->is_at_end && probe->pages < page_count)
	{
		PageResponse response;

		page_reader_send(probe);
		response = page_reader_read(probe);
		is_new =
			response.result == QUERY_PAGE && range_is_new(fetch, response.page);
		http_end(response.transfer);
		if (response.result != QUERY_PAGE)
		{
			warn_of_cap(fetch);
			break;
		}
	}
	page_reader_end(probe);
	MemoryContextSwitchTo(old_context);
	return is_new;
}

/*
 * Verifies the queries that ended with many records of the same created_at.  They
 * cannot be resumed, so their first and last records by id are read.  Two pages
 * are read from each end, because the reader of the newest page may have returned
 * one.  Raises an error if there is a new record.
 */
static void
verify_ids(PageFetch *fetch)
{
	ApiQuery  query = {.sort = ID_FIELD, .limit = fetch->source.page_size};
	ListCell *cell;

	foreach(cell, fetch->unproven)
	{
		query.filters = lfirst(cell);
		for (int i = 0; i < 2; i++)
		{
			query.is_descending = i == 0;
			if (has_new(fetch, &query, 2))
				raise_cap(fetch->most_received, true);
		}
	}
	fetch->unproven = NIL;
	api_note_end(fetch->source.api, fetch->unproven_doubt);
}

/*
 * Verifies the end after all queries ended, if the API may have limited one.
 * Returns true if there may be more records, which are now read by created_at.
 * A sorted query is read again only if its first page in the opposite order has
 * new records.  Raises an error if created_at cannot be used for these.
 */
static bool
verify_end(PageFetch *fetch)
{
	const RangeReader *first = linitial(fetch->readers);
	ApiQuery		   query = first->pages->query;

	if (fetch->unproven != NIL)
		verify_ids(fetch);
	if (!fetch->is_doubtful)
	{
		if (fetch->found_at_cap == fetch->found)
			api_note_end(fetch->source.api, DOUBT_COUNTS);
		return false;
	}
	fetch->is_doubtful = false;
	if (query.sort != NULL)
	{
		query.limit = fetch->source.page_size;
		query.is_descending = !query.is_descending;
		if (!has_new(fetch, &query, 1))
		{
			api_note_end(fetch->source.api, first->pages->doubt);
			return false;
		}
		if (!can_read_by_time(fetch))
			raise_cap(first->pages->received, first->is_by_time);
	}
	else if (!can_read_by_time(fetch))
	{
		warn_of_cap(fetch);
		return false;
	}
	fetch->found_at_cap = first->pages->doubt == DOUBT_CAP ? -1 : fetch->found;
	read_by_time(fetch);
	return true;
}

/*
 * Handles the doubtful end of a reader's query, whose result the API may have
 * limited: resumes the reader at its position, or notes that the end must be
 * verified.  A reader that has passed its upper bound needs neither.
 */
static void
note_end(PageFetch *fetch, RangeReader *reader)
{
	if (!reader->is_done || reader->kind == RANGE_NEWEST ||
		reader->position >= reader->upper)
		return;
	if (!reader->is_by_time)
		fetch->is_doubtful = reader->kind == RANGE_ALL;
	else if (!range_resume(fetch, reader) && reader->position != NO_TIME)
	{
		MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
		List		 *filters = list_copy(reader->pages->query.filters);

		/* Other readers may have returned the records from its upper bound on. */
		if (reader->upper != END_OF_TIME)
			filters = list_concat(
				filters, created_at_filters(OPERATOR_LT, reader->upper));
		fetch->unproven = lappend(fetch->unproven, filters);
		fetch->unproven_doubt =
			Max(fetch->unproven_doubt, reader->pages->doubt);
		MemoryContextSwitchTo(old_context);
	}
}

/* --- Queries that the API refuses --- */

/*
 * Handles a query that the API does not continue: its cursor has expired, or the
 * API limits its results.  The reader is resumed at its position, or restarted;
 * its duplicates are skipped.  Raises an error if neither is possible.
 */
static void
settle_cursor(PageFetch *fetch, RangeReader *reader, QueryResult result)
{
	PageProgress *progress = &fetch->progress;
	bool		  is_expired =
		result == QUERY_CURSOR_GONE || result == QUERY_NOT_SUPPORTED;

	if (reader->is_by_time && range_resume(fetch, reader))
		return;

	/* If a cursor fails twice at a position, the API limits the results. */
	if ((!is_expired || progress->restarts > 0) && reader->kind == RANGE_ALL &&
		!reader->is_by_time && can_read_by_time(fetch))
	{
		read_by_time(fetch);
		return;
	}
	if (!is_expired)
		raise_cap(reader->pages->received, reader->is_by_time);
	if (!page_progress_restart(progress, reader->pages))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("API cursors expire before the scan can finish"),
				 errdetail("The scan was restarted %d times without reaching a "
						   "new record.",
						   MAX_RESTARTS),
				 errhint("Increase the option \"page_size\", so that the scan "
						 "needs fewer cursors.")));
	reader->position = NO_TIME;
}

/*
 * Continues without a filter, with a warning.  Notes the rejection for the
 * session, unless it concerned only the filter's value, or may have.
 */
static void
drop_filter(PageFetch *fetch, RemoteFilter *filter)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	char		 *uses = remote_uses_text(filter->uses);

	api_note_refusal(fetch->source.api, filter->uses, filter->refusal);
	fetch->filters = list_delete_ptr(list_copy(fetch->filters), filter);
	if (filter == fetch->list)
		fetch->list = NULL;
	MemoryContextSwitchTo(old_context);
	ereport(WARNING,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("API rejected a filter on record type \"%s\": %s",
					fetch->settings->record_type,
					pg_any_to_server(uses, strlen(uses), PG_UTF8)),
			 errdetail("The scan fetches more records than needed, and "
					   "PostgreSQL checks the condition."),
			 filter->refusal == QUERY_FILTER_REFUSED
				 ? errhint("Set the column option \"filter_operators\" to "
						   "the operators that the API accepts.")
				 : 0));
}

/*
 * Handles the rejection of a reader's query: omits the rejected filters or the
 * sort, reduces the size of parts or pages, or raises an error.
 */
static void
settle_refusal(PageFetch *fetch, RangeReader *reader,
			   const PageResponse *response)
{
	QueryResult	  result = response->result;
	List		 *refused;
	RemoteFilter *last;
	ListCell	 *cell;

	if (reader->pages->cursor == NULL &&
		range_note_refusal(fetch, reader, result))
		return;
	/* The page size and the sort were not the reason for a larger part. */
	if (result == QUERY_REFUSED && fetch->accepted_parts >= 0)
		result = QUERY_VALUE_REFUSED;
	switch (refusal_find(reader->pages, result, fetch->filters, &refused))
	{
		case REFUSED_SIZE:
			return;
		case REFUSED_CURSOR:
			settle_cursor(fetch, reader, result);
			return;
		case REFUSED_SORT:
			break;
		case REFUSED_FILTERS:
			foreach(cell, refused)
			{
				if (!part_shrink(fetch, lfirst(cell)))
					drop_filter(fetch, lfirst(cell));
			}
			break;
		case REFUSED_ENDPOINT:
			api_raise_refusal(fetch->source.api, response->transfer);
		case REFUSED_OTHER:
			/* If each filter is accepted, their combination is not. */
			if (fetch->filters == NIL)
				api_raise_refusal(fetch->source.api, response->transfer);
			last = llast(fetch->filters);
			last->refusal = QUERY_VALUE_REFUSED;
			drop_filter(fetch, last);
	}
	part_stop_ahead(fetch);
	/* Records of earlier parts may come again. */
	fetch->progress.stale_allowed += fetch->pages;
	page_fetch_begin(fetch);
}

/* --- Pages --- */

pg_noreturn static void
raise_endless(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
					errmsg("API pagination does not terminate"),
					errdetail_internal("%s", detail)));
}

/*
 * Returns the number of requests that may be in flight.  The records that are
 * certainly read need some of them.  Beyond these, there may be as many as
 * statement_read_ahead allows.  None is made before the first page is used up,
 * nor beyond a LIMIT before its records are.
 */
int
page_fetch_window(const PageFetch *fetch)
{
	const PageSpec	 *spec = fetch->spec;
	const RecordPage *page = fetch->response.page;
	int				  size = fetch->source.page_size;
	int				  unread = page == NULL ? 0 : page->count - fetch->next;
	int64			  missing = spec->wanted.least - fetch->found - unread;
	int64 used = fetch->found / size + 1; /* with the current or next page */
	int64 likely = used - fetch->pages;

	if (unread > 0 && used == 1)
		return 0;
	if (fetch->needs_all || spec->wanted.least == PG_INT64_MAX)
		return fetch->settings->max_concurrency;
	if (fetch->found >= spec->wanted.enough)
		likely += statement_read_ahead(used);
	return (int) Min(Max(likely, (missing + size - 1) / size),
					 fetch->settings->max_concurrency);
}

/* Returns the number of requests in flight or unread. */
int
page_fetch_in_flight(const PageFetch *fetch)
{
	int		  count = list_length(fetch->ahead);
	ListCell *cell;

	foreach(cell, fetch->readers)
		count += ((RangeReader *) lfirst(cell))->pages->transfer != NULL;
	return count;
}

/*
 * Requests the next pages of readers that have no request in flight, within the
 * fetch's window and the statement's concurrency.  Requests at least one if none
 * is in flight, so that a fetch never waits for another scan, unless is_ahead: the
 * current page has unread records then.
 */
static void
send_wanted(PageFetch *fetch, bool is_ahead)
{
	const PageSource *source = &fetch->source;
	int				  in_flight = page_fetch_in_flight(fetch);
	int				  window = page_fetch_window(fetch);
	bool is_needed = !is_ahead && in_flight == list_length(fetch->ahead);
	RangeReader *reader;

	while ((reader = range_next(fetch)) != NULL)
	{
		if (!is_needed &&
			(in_flight >= window ||
			 *source->pending >= fetch->settings->max_concurrency ||
			 !http_allows(source->budget)))
			return;
		page_reader_send(reader->pages);
		is_needed = false;
		in_flight++;
	}
}

/*
 * Returns the reader of the first page to arrive, or NULL if there is none.  If
 * several have arrived, it is the one that was opened last.
 */
static RangeReader *
wait_for_page(PageFetch *fetch)
{
	List		  *readers = fetch->readers;
	HttpTransfer **transfers = MemoryContextAlloc(
		fetch->page_context, list_length(readers) * sizeof(HttpTransfer *));
	HttpTransfer *ready;
	int			  count = 0;
	ListCell	 *cell;

	/* The first reader always has a response if the caller is slow. */
	for (int i = list_length(readers) - 1; i >= 0; i--)
	{
		HttpTransfer *transfer =
			((RangeReader *) list_nth(readers, i))->pages->transfer;

		if (transfer != NULL)
			transfers[count++] = transfer;
	}
	if (count == 0)
		return NULL;
	ready = http_wait_any(transfers, count);
	foreach(cell, readers)
	{
		if (((RangeReader *) lfirst(cell))->pages->transfer == ready)
			return lfirst(cell);
	}
	return NULL;
}

/*
 * Reads the response for a reader.  Returns true if there is a new current page;
 * otherwise another request is needed.  Raises the errors of api_finish_query.
 */
static bool
read_page(PageFetch *fetch, RangeReader *reader)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->page_context);
	PageResponse  response = page_reader_read(reader->pages);

	MemoryContextSwitchTo(old_context);
	if (response.is_circle)
		raise_endless(psprintf("The response to page %d contains the cursor "
							   "that requested page %d.",
							   reader->pages->pages, reader->pages->pages));
	if (response.result != QUERY_PAGE)
	{
		settle_refusal(fetch, reader, &response);
		http_end(response.transfer);
		return false;
	}

	fetch->response = response;
	fetch->next = 0;
	fetch->found_before = fetch->found;
	fetch->counters->pages++;
	fetch->counters->records += response.page->count;
	fetch->pages++;
	fetch->most_received = Max(fetch->most_received, reader->pages->received);
	reader->is_done = reader->pages->is_at_end;
	reader = range_note_page(fetch, reader, response.page);
	if (reader->pages->doubt != DOUBT_NONE)
		note_end(fetch, reader);
	send_wanted(fetch, true);
	part_send_ahead(fetch);
	return true;
}

/* Reads the next page.  Returns false at the end, or if it must not wait. */
static bool
next_page(PageFetch *fetch)
{
	RangeReader *reader;

	fetch->is_waiting = false;
	do
	{
		range_open(fetch);
		send_wanted(fetch, false);
		if (fetch->spec->nowait && !page_fetch_is_ready(fetch))
		{
			fetch->is_waiting = true;
			return false;
		}
		reader = wait_for_page(fetch);
		if (reader == NULL && !range_finish(fetch) && !verify_end(fetch) &&
			!part_next(fetch))
			return false;
	} while (reader == NULL || !read_page(fetch, reader));
	return true;
}

/*
 * Releases the current page, all records of which were returned.  Raises an error
 * for too many successive pages without a new record.
 */
static void
release_page(PageFetch *fetch)
{
	if (fetch->response.page != NULL)
	{
		int64 fresh = fetch->found - fetch->found_before;

		if (!page_progress_note(&fetch->progress, fresh > 0))
			raise_endless(
				psprintf("The last %d pages contained no new records.",
						 fetch->progress.stale_pages));
		http_end(fetch->response.transfer);
	}
	memset(&fetch->response, 0, sizeof(fetch->response));
	MemoryContextReset(fetch->page_context);
}

/*
 * Sets *record to the next record, in the current memory context.  It is valid
 * until the next call.  Returns false at the end, and also if the spec says nowait and
 * it would have to wait: then is_waiting is true.  Raises the errors of
 * api_finish_query, and an error for pages that do not end.
 */
bool
page_fetch_next(PageFetch *fetch, Record **record)
{
	do
	{
		const RecordPage *page = fetch->response.page;

		while (page != NULL && fetch->next < page->count)
		{
			int number = fetch->next++;

			if (seen_set_add(fetch->seen, &page->records[number].id))
			{
				fetch->found++;
				*record = record_read(page, number);
				return true;
			}
		}
		release_page(fetch);
	} while (next_page(fetch));
	return false;
}
