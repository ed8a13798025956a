/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_fetch.c
 *	  Reads the records that match a query's filters, by pages.
 *
 * The first page is read alone.  From the second on, the next page is
 * requested before the records of the current one are returned, unless the
 * reader is likely to stop.  A long read without a required order continues
 * with several cursors in parallel: see range.c.
 *
 * No record is returned twice, even if the API repeats it on another page.  A
 * filter or a sort that the API rejects is omitted for the rest of the
 * session.  The caller rechecks the conditions and sorts.
 *
 * Knows nothing about plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "api/created_at.h"
#include "fetch/page_fetch_internal.h"

static void start(PageFetch *fetch);
static void begin(PageFetch *fetch);
static bool take_record(PageFetch *fetch, Record **record);
static void let_go_of_page(PageFetch *fetch);
static bool next_page(PageFetch *fetch);
static bool verify_end(PageFetch *fetch);
static void verify_ids(PageFetch *fetch);
static bool has_new(PageFetch *fetch, const ApiQuery *query, int page_count);
static void warn_of_cap(PageFetch *fetch);
static void read_by_time(PageFetch *fetch);
static bool can_read_by_time(const PageFetch *fetch);
static void note_accepted_filters(PageFetch *fetch, const RangeReader *reader);
static void note_end(PageFetch *fetch, RangeReader *reader);
static void settle_cursor(PageFetch *fetch, RangeReader *reader,
						  QueryResult result);
static void send_wanted(PageFetch *fetch, bool is_ahead);
static bool is_worth_asking(const PageFetch *fetch);
static RangeReader	   *wait_for_page(PageFetch *fetch);
static bool				read_page(PageFetch *fetch, RangeReader *reader);
pg_noreturn static void raise_restarts(void);
static void				settle_refusal(PageFetch *fetch, RangeReader *reader,
									   PageResponse response);
static void				drop_filter(PageFetch *fetch, RemoteFilter *filter,
									QueryResult result);

/*
 * Returns a fetch of the records that an order describes.  It lives in the
 * current context; all arguments must live as long.  Charges requests to the
 * budget.  Makes no request yet.
 */
PageFetch *
page_fetch_create(RecordCache *cache, const Settings *settings,
				  const PageOrder *order, HttpBudget *budget,
				  PageCounters *counters)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw fetch", ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	PageFetch	 *fetch = palloc0(sizeof(PageFetch));

	fetch->context = context;
	fetch->page_context = AllocSetContextCreate(context, "opportunity_fdw page",
												ALLOCSET_DEFAULT_SIZES);
	fetch->settings = settings;
	fetch->order = order;
	fetch->counters = counters;
	fetch->source.api = record_cache_api(cache);
	fetch->source.statement = record_cache_statement(cache);
	fetch->source.wanted = record_cache_wanted(cache);
	fetch->source.budget = budget;
	fetch->source.page_size =
		api_page_size(fetch->source.api, settings->page_size);
	fetch->created_at =
		attribute_set_add(record_cache_wanted(cache), "created_at");
	fetch->seen = seen_set_create();
	start(fetch);
	MemoryContextSwitchTo(old_context);
	return fetch;
}

/* Creates the first reader, without filters that the API is known to reject. */
static void
start(PageFetch *fetch)
{
	ListCell *cell;

	foreach(cell, fetch->order->filters)
	{
		if (!api_refuses(fetch->source.api,
						 ((RemoteFilter *) lfirst(cell))->uses))
			fetch->filters = lappend(fetch->filters, lfirst(cell));
	}
	fetch->found_at_cap = -1;
	page_fetch_add_reader(fetch, RANGE_ALL, NIL, NULL, false);
	begin(fetch);
}

/*
 * Starts or restarts the first reader, without a rejected sort or filter.  If
 * the sort is rejected, all records must be read before they can be sorted.
 */
static void
begin(PageFetch *fetch)
{
	const PageOrder *order = fetch->order;
	RangeReader		*reader = fetch->readers[0];
	ApiQuery		*query = &reader->pages->query;

	fetch->is_sorted =
		order->sort != NULL && !fetch->is_capped &&
		!api_refuses(fetch->source.api,
					 &(RemoteUse){order->sort, REMOTE_SORT, NULL});
	fetch->must_read_all = order->sort != NULL && !fetch->is_sorted;
	fetch->limit = fetch->must_read_all ? 0 : order->limit;
	fetch->is_on_demand = !fetch->must_read_all && order->is_on_demand;
	fetch->ranges = !fetch->is_sorted && range_are_possible(fetch)
						? RANGES_NOT_YET
						: RANGES_NEVER;

	/*
	 * A long read is sorted by created_at, so that it can be resumed anywhere.
	 */
	reader->is_by_time =
		!fetch->is_sorted && (fetch->limit == 0 || fetch->is_capped) &&
		order->may_split && !created_at_is_refused(fetch->source.api, false);
	query->filters = fetch->filters;
	query->sort = fetch->is_sorted	   ? order->sort
				  : reader->is_by_time ? "created_at"
									   : NULL;
	query->is_descending = fetch->is_sorted && order->is_descending;
	query->limit = fetch->limit > 0 ? Min(fetch->limit, fetch->source.page_size)
									: fetch->source.page_size;
	reader->position = NO_TIME;
	reader->resumed_at = NO_TIME;
	reader->is_part = false;
	reader->is_done = false;
	page_reader_restart(reader->pages);
}

/* Adds a reader of a query, at its first page. */
RangeReader *
page_fetch_add_reader(PageFetch *fetch, RangeKind kind, List *filters,
					  const char *sort, bool is_descending)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	RangeReader	 *reader = palloc0(sizeof(RangeReader));
	ApiQuery	  query = {0};

	query.filters = filters;
	query.sort = sort;
	query.is_descending = is_descending;
	query.limit = fetch->source.page_size;
	reader->kind = kind;
	reader->lower = NO_TIME;
	reader->upper = END_OF_TIME;
	reader->position = NO_TIME;
	reader->no_split = NO_TIME;
	reader->resumed_at = NO_TIME;

	if (fetch->reader_count == fetch->reader_capacity)
	{
		fetch->reader_capacity = Max(8, fetch->reader_capacity * 2);
		fetch->readers =
			fetch->readers == NULL
				? palloc(fetch->reader_capacity * sizeof(RangeReader *))
				: repalloc(fetch->readers,
						   fetch->reader_capacity * sizeof(RangeReader *));
	}
	reader->pages = page_reader_create(&fetch->source, &query);
	fetch->readers[fetch->reader_count++] = reader;
	MemoryContextSwitchTo(old_context);
	return reader;
}

/* Releases a reader other than the first. */
void
page_fetch_drop_reader(PageFetch *fetch, RangeReader *reader)
{
	for (int i = 1; i < fetch->reader_count; i++)
	{
		if (fetch->readers[i]->parent == reader)
			fetch->readers[i]->parent = NULL;
		if (fetch->readers[i] != reader)
			continue;
		fetch->readers[i] = fetch->readers[--fetch->reader_count];
		i--;
	}
	page_reader_end(reader->pages);
	pfree(reader);
}

/*
 * Sets *record to the next record.  It is in the page's memory and valid until
 * the next call.  Returns false at the end.  Raises the errors of api.h, and an
 * error for pages that do not end.
 */
bool
page_fetch_next(PageFetch *fetch, Record **record)
{
	do
	{
		if (take_record(fetch, record))
			return true;
		let_go_of_page(fetch);
	} while (next_page(fetch));
	return false;
}

/*
 * Returns true if the records have the requested order; valid from the first
 * record on.
 */
bool
page_fetch_is_sorted(const PageFetch *fetch)
{
	return fetch->is_sorted;
}

/*
 * Returns the filters in use: the order's, without the ones that the API has
 * rejected.
 */
List *
page_fetch_filters(const PageFetch *fetch)
{
	return fetch->filters;
}

/* Returns true if page_fetch_next will probably not wait for a response. */
bool
page_fetch_is_ready(const PageFetch *fetch)
{
	bool is_under_way = false;

	if (fetch->response.page != NULL &&
		fetch->next < fetch->response.page->count)
		return true;
	for (int i = 0; i < fetch->reader_count; i++)
	{
		HttpTransfer *transfer = fetch->readers[i]->pages->transfer;

		if (transfer != NULL && http_is_over(transfer))
			return true;
		is_under_way = is_under_way || transfer != NULL;
	}
	return !is_under_way;
}

/*
 * Permits or forbids that page_fetch_next waits.  If it may not wait, it can
 * return false before the end: see page_fetch_is_waiting.
 */
void
page_fetch_set_patience(PageFetch *fetch, bool may_wait)
{
	fetch->must_not_wait = !may_wait;
}

/* Returns true if the last call returned false because it may not wait. */
bool
page_fetch_is_waiting(const PageFetch *fetch)
{
	return fetch->is_waiting;
}

/* Releases the fetch and its requests. */
void
page_fetch_end(PageFetch *fetch)
{
	if (fetch->response.transfer != NULL)
		http_end(fetch->response.transfer);
	for (int i = 0; i < fetch->reader_count; i++)
		page_reader_stop(fetch->readers[i]->pages);
	MemoryContextDelete(fetch->context);
}

/*
 * Sets *record to the current page's next record that was not returned before.
 * Returns false if there is none.
 */
static bool
take_record(PageFetch *fetch, Record **record)
{
	const RecordPage *page = fetch->response.page;

	while (page != NULL && fetch->next < page->count)
	{
		*record = page->records[fetch->next++];
		if (seen_set_add(fetch->seen, &(*record)->id))
		{
			fetch->found++;
			return true;
		}
	}
	return false;
}

/*
 * Releases the current page, all records of which were returned.  Raises an
 * error for too many successive pages without a new record.
 */
static void
let_go_of_page(PageFetch *fetch)
{
	if (fetch->response.page != NULL)
	{
		int64 fresh = fetch->found - fetch->found_before;

		if (fetch->ranges == RANGES_OPEN &&
			2 * fresh <= fetch->response.page->count)
			fetch->thin++;
		if (!page_progress_note(&fetch->progress, fresh > 0))
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("API pagination does not terminate"),
					 errdetail("The last %d pages contained no new records.",
							   fetch->progress.stale_pages)));
	}
	if (fetch->response.transfer != NULL)
		http_end(fetch->response.transfer);
	memset(&fetch->response, 0, sizeof(fetch->response));
	MemoryContextReset(fetch->page_context);
}

/*
 * Reads the next page of any reader, which becomes the current one.  Returns
 * false at the end, or if it may not wait.
 */
static bool
next_page(PageFetch *fetch)
{
	RangeReader *reader;

	fetch->is_waiting = false;
	do
	{
		range_open(fetch);
		send_wanted(fetch, false);
		if (fetch->must_not_wait && !page_fetch_is_ready(fetch))
		{
			fetch->is_waiting = true;
			return false;
		}
		reader = wait_for_page(fetch);
		if (reader == NULL && !verify_end(fetch))
			return false;
	} while (reader == NULL || !read_page(fetch, reader));
	return true;
}

/*
 * Verifies the end after all queries ended, if the API may have limited the
 * result of one.  Starts to read all records again by created_at if there may
 * be more, and returns true.  A sorted query is read again only if its last
 * record, in the opposite order, was not returned.  Raises an error if there
 * are more records but created_at cannot be used.
 */
static bool
verify_end(PageFetch *fetch)
{
	const PageReader *pages = fetch->readers[0]->pages;
	ApiQuery		  query = pages->query;

	if (fetch->unproven != NIL)
		verify_ids(fetch);
	if (!fetch->is_doubtful)
	{
		if (fetch->found_at_cap == fetch->found)
			api_note_false_doubt(fetch->source.api);
		return false;
	}
	fetch->is_doubtful = false;
	if (query.sort != NULL)
	{
		query.limit = fetch->source.page_size;
		query.is_descending = !query.is_descending;
		if (!has_new(fetch, &query, 1))
		{
			if (!pages->is_like_cap)
				api_note_false_doubt(fetch->source.api);
			return false;
		}
		if (!can_read_by_time(fetch))
			page_fetch_raise_cap(fetch->readers[0]->pages->received,
								 fetch->readers[0]->is_by_time);
	}
	else if (!can_read_by_time(fetch))
	{
		warn_of_cap(fetch);
		return false;
	}
	fetch->found_at_cap = pages->is_like_cap ? -1 : fetch->found;
	read_by_time(fetch);
	return true;
}

/*
 * Verifies the queries that ended with many records of the same created_at.
 * They cannot be resumed, so their first and last records by id are read.
 * Raises an error if one of them was not returned.
 *
 * Two pages are read from each end, because the reader of the newest page may
 * have returned the records of one end.
 */
static void
verify_ids(PageFetch *fetch)
{
	ApiQuery  query = {0};
	ListCell *cell;

	query.sort = ID_FIELD;
	query.limit = fetch->source.page_size;
	foreach(cell, fetch->unproven)
	{
		query.filters = lfirst(cell);
		for (int i = 0; i < 2; i++)
		{
			query.is_descending = i == 0;
			if (has_new(fetch, &query, 2))
				page_fetch_raise_cap(fetch->most_received, true);
		}
	}
	fetch->unproven = NIL;
	if (!fetch->is_like_cap)
		api_note_false_doubt(fetch->source.api);
}

/*
 * Returns true if one of a query's first pages, at most page_count of them, has
 * a record that was not returned.
 */
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
		is_new = response.result == QUERY_PAGE &&
				 page_fetch_is_new(fetch, response.page);
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

/* Warns, once per session, that the end cannot be verified. */
static void
warn_of_cap(PageFetch *fetch)
{
	const PageReader *pages = fetch->readers[0]->pages;

	if (api_warns_of_cap(fetch->source.api))
		ereport(WARNING,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("result may be incomplete: API returned " INT64_FORMAT
						" records and no further page",
						pages->received),
				 errdetail("The number of records may be a limit of the API. "
						   "The wrapper cannot verify it, because it cannot "
						   "sort by \"created_at\".")));
}

/*
 * Starts to read all records by created_at, since the API limits a query's
 * results.
 */
static void
read_by_time(PageFetch *fetch)
{
	fetch->is_capped = true;
	fetch->progress.stale_allowed += fetch->pages;
	begin(fetch);
}

/* Returns true if a page has a record that was not returned. */
bool
page_fetch_is_new(const PageFetch *fetch, const RecordPage *page)
{
	for (int i = 0; i < page->count; i++)
	{
		if (!seen_set_has(fetch->seen, &page->records[i]->id))
			return true;
	}
	return false;
}

/*
 * Requests the next page of each reader that has no request in flight, within
 * the statement's concurrency.  Requests at least one if none is in flight, so
 * that a fetch never waits for another scan.
 *
 * The argument is_ahead is true if the current page has unread records.
 */
static void
send_wanted(PageFetch *fetch, bool is_ahead)
{
	int under_way = 0;

	if (is_ahead && !is_worth_asking(fetch))
		return;
	for (int i = 0; i < fetch->reader_count; i++)
		under_way += fetch->readers[i]->pages->transfer != NULL;
	for (int i = 0; i < fetch->reader_count; i++)
	{
		RangeReader *reader = fetch->readers[i];

		if (reader->is_done || reader->pages->transfer != NULL)
			continue;
		if ((under_way > 0 || is_ahead) &&
			(fetch->source.statement->pending >=
				 fetch->settings->max_concurrency ||
			 !http_allows(fetch->source.budget)))
			return;
		page_reader_send(reader->pages);
		under_way++;
	}
}

/* Returns true if another page is likely to be needed after the current one. */
static bool
is_worth_asking(const PageFetch *fetch)
{
	int left = fetch->response.page->count - fetch->next;

	if (fetch->is_on_demand || fetch->pages < 2)
		return false;
	return fetch->limit == 0 || fetch->found >= fetch->limit ||
		   fetch->found + left < fetch->limit;
}

/*
 * Waits for any requested page.  Returns its reader, or NULL if none was
 * requested.
 */
static RangeReader *
wait_for_page(PageFetch *fetch)
{
	HttpTransfer **transfers = MemoryContextAlloc(
		fetch->page_context, fetch->reader_count * sizeof(HttpTransfer *));
	HttpTransfer *ready;
	int			  count = 0;

	for (int i = 0; i < fetch->reader_count; i++)
	{
		if (fetch->readers[i]->pages->transfer != NULL)
			transfers[count++] = fetch->readers[i]->pages->transfer;
	}
	if (count == 0)
		return NULL;
	ready = http_wait_any(transfers, count);
	for (int i = 0; i < fetch->reader_count; i++)
	{
		if (fetch->readers[i]->pages->transfer == ready)
			return fetch->readers[i];
	}
	return NULL;
}

/*
 * Reads the response for a reader.  Returns true if there is a new current
 * page; otherwise another request is needed.
 */
static bool
read_page(PageFetch *fetch, RangeReader *reader)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->page_context);
	PageResponse  response = page_reader_read(reader->pages);

	if (response.is_circle)
		page_reader_raise_circle(reader->pages);
	if (response.result != QUERY_PAGE)
		settle_refusal(fetch, reader, response);
	MemoryContextSwitchTo(old_context);
	if (response.result != QUERY_PAGE)
	{
		http_end(response.transfer);
		return false;
	}

	fetch->response = response;
	fetch->next = 0;
	fetch->found_before = fetch->found;
	fetch->pages++;
	fetch->counters->pages++;
	fetch->counters->records += response.page->count;
	fetch->most_received = Max(fetch->most_received, reader->pages->received);
	if (reader->pages->pages == 1)
		note_accepted_filters(fetch, reader);
	reader->is_done = reader->pages->is_at_end;
	reader = range_note_page(fetch, reader, response.page);
	if (reader->pages->is_doubtful)
		note_end(fetch, reader);
	send_wanted(fetch, true);
	return true;
}

/*
 * Handles the doubtful end of a reader's query, whose result the API may have
 * limited: resumes the reader at its position, or notes that the end must be
 * verified.
 */
static void
note_end(PageFetch *fetch, RangeReader *reader)
{
	if (!reader->is_done || reader->kind == RANGE_NEWEST ||
		(reader->position != NO_TIME && reader->position >= reader->upper))
		return;
	if (!reader->is_by_time)
		fetch->is_doubtful = reader->kind == RANGE_ALL;
	else if (!range_resume(fetch, reader) && reader->position != NO_TIME)
	{
		MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
		List		 *filters = list_copy(reader->pages->query.filters);

		/* Other readers may have returned the records from its upper bound on. */
		if (reader->upper != END_OF_TIME)
			filters =
				list_concat(filters, created_at_filters_before(reader->upper));
		fetch->unproven = lappend(fetch->unproven, filters);
		fetch->is_like_cap = fetch->is_like_cap || reader->pages->is_like_cap;
		MemoryContextSwitchTo(old_context);
	}
}

/*
 * Returns true if a query that the API limits can be read by created_at
 * instead.
 */
static bool
can_read_by_time(const PageFetch *fetch)
{
	return fetch->order->may_split && !fetch->is_capped &&
		   !created_at_is_refused(fetch->source.api, !fetch->order->is_dated);
}

/* Notes that the API has accepted the filters of a reader's query. */
static void
note_accepted_filters(PageFetch *fetch, const RangeReader *reader)
{
	ListCell *cell;

	foreach(cell, reader->pages->query.filters)
		api_note_accepted(fetch->source.api,
						  ((RemoteFilter *) lfirst(cell))->uses);
}

/*
 * Handles a query that the API does not continue: its cursor has expired, or
 * the API limits its results.  The reader is resumed at its position, or
 * restarted; its duplicates are skipped.
 */
static void
settle_cursor(PageFetch *fetch, RangeReader *reader, QueryResult result)
{
	bool is_expired =
		result == QUERY_CURSOR_GONE || result == QUERY_NOT_SUPPORTED;

	if (reader->is_by_time && range_resume(fetch, reader))
		return;
	/*
	 * If a cursor fails twice at the same position, the API limits the results.
	 */
	if ((!is_expired || fetch->progress.restarts > 0) &&
		reader->kind == RANGE_ALL && !reader->is_by_time &&
		can_read_by_time(fetch))
	{
		read_by_time(fetch);
		return;
	}
	if (!is_expired)
		page_fetch_raise_cap(reader->pages->received, reader->is_by_time);
	if (!page_progress_restart(&fetch->progress, reader->pages))
		raise_restarts();
	reader->position = NO_TIME;
}

/* Raises the error for a query whose cursors expire. */
static void
raise_restarts(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("API cursors expire before the scan can finish"),
			 errdetail("The scan was restarted %d times without reaching a new "
					   "record.",
					   MAX_RESTARTS),
			 errhint("Increase the option \"page_size\", so that the scan "
					 "needs fewer cursors.")));
}

/*
 * Raises the error for a query whose results the API limits, and that cannot be
 * resumed.  The argument received is the number of records that it returned.
 */
void
page_fetch_raise_cap(int64 received, bool is_by_time)
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

/*
 * Handles the rejection of a reader's query: omits the rejected filters or the
 * sort, or raises an error.
 */
static void
settle_refusal(PageFetch *fetch, RangeReader *reader, PageResponse response)
{
	List	 *refused;
	ListCell *cell;

	if (reader->pages->cursor == NULL &&
		range_note_refusal(fetch, reader, response.result))
		return;
	switch (
		refusal_find(reader->pages, response.result, fetch->filters, &refused))
	{
		case REFUSED_SIZE:
			return;
		case REFUSED_CURSOR:
			settle_cursor(fetch, reader, response.result);
			return;
		case REFUSED_SORT:
			break;
		case REFUSED_FILTERS:
			foreach(cell, refused)
			{
				const RefusedFilter *filter = lfirst(cell);

				drop_filter(fetch, filter->filter, filter->result);
			}
			break;
		default:
			/* If each filter is accepted, their combination is not. */
			if (response.result == QUERY_NOT_SUPPORTED || fetch->filters == NIL)
				api_raise_refusal(fetch->source.api, response.transfer);
			drop_filter(fetch, llast(fetch->filters), QUERY_VALUE_REFUSED);
	}
	begin(fetch);
}

/*
 * Continues without a filter, with a warning.  Notes the rejection for the
 * session, unless it concerned only the filter's value, or may have.
 */
static void
drop_filter(PageFetch *fetch, RemoteFilter *filter, QueryResult result)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	char		 *uses = remote_uses_text(filter->uses);
	bool		  for_good = result == QUERY_FILTER_REFUSED;

	api_note_refusal(fetch->source.api, filter->uses, result);
	fetch->filters = list_delete_ptr(list_copy(fetch->filters), filter);
	MemoryContextSwitchTo(old_context);
	ereport(WARNING,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("API rejected a filter on record type \"%s\": %s",
					fetch->settings->record_type,
					pg_any_to_server(uses, strlen(uses), PG_UTF8)),
			 errdetail("The scan fetches more records than needed, and "
					   "PostgreSQL checks the condition."),
			 for_good ? errhint("Set the column option \"filter_operators\" to "
								"the operators that the API accepts.")
					  : 0));
}
