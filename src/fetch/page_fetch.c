/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_fetch.c
 *	  Reads the records that match a query's filters, by pages.
 *
 * From the second page on, the next one is requested before the records of the
 * current one are returned, unless the reader is likely to stop.  A long read
 * without a required order continues with parallel cursors: see range.c.
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

/* Starts the first reader again; without its sort, it must read all records. */
static void
begin_fetch(PageFetch *fetch)
{
	const PageSpec *spec = fetch->spec;
	const Api	   *api = fetch->source.api;
	const RemoteUse sort = {spec->sort, REMOTE_SORT, NULL};
	RangeReader	   *reader = linitial(fetch->readers);
	ApiQuery	   *query = &reader->pages->query;
	bool			needs_all;

	fetch->is_sorted =
		spec->sort != NULL && !fetch->is_capped && !api_refuses(api, &sort);
	needs_all = spec->sort != NULL && !fetch->is_sorted;
	fetch->limit = needs_all ? 0 : spec->limit;
	fetch->is_on_demand = spec->is_on_demand && !needs_all;
	fetch->range_state = !fetch->is_sorted && spec->may_split &&
								 fetch->limit == 0 && !fetch->is_on_demand &&
								 fetch->settings->max_concurrency >= 2 &&
								 !created_at_is_refused(api, !spec->is_dated)
							 ? RANGES_NOT_YET
							 : RANGES_NEVER;

	/* A long read by created_at can be resumed anywhere. */
	reader->is_by_time = !fetch->is_sorted &&
						 (fetch->limit == 0 || fetch->is_capped) &&
						 spec->may_split && !created_at_is_refused(api, false);
	query->filters = fetch->filters;
	query->sort = fetch->is_sorted	   ? spec->sort
				  : reader->is_by_time ? "created_at"
									   : NULL;
	query->is_descending = fetch->is_sorted && spec->is_descending;
	query->limit = fetch->source.page_size;
	if (fetch->limit > 0)
		query->limit = Min(fetch->limit, query->limit);
	reader->lower = reader->position = NO_TIME;
	reader->is_done = false;
	page_reader_restart(reader->pages);
}

/* Returns a fetch in the current context; all arguments must live as long. */
PageFetch *
page_fetch_create(RecordSource *records, const Settings *settings,
				  const PageSpec *spec, HttpBudget *budget,
				  PageCounters *counters)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw fetch", ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	PageFetch	 *fetch = palloc0(sizeof(PageFetch));
	ListCell	 *cell;

	fetch->context = context;
	fetch->page_context = AllocSetContextCreate(context, "opportunity_fdw page",
												ALLOCSET_DEFAULT_SIZES);
	fetch->settings = settings;
	fetch->spec = spec;
	fetch->counters = counters;
	fetch->found_at_cap = -1;
	page_source_init(&fetch->source, records, settings, budget);
	fetch->created_at = attribute_set_add(records->wanted, "created_at");
	fetch->seen = seen_set_create();
	foreach(cell, spec->filters)
	{
		RemoteFilter *filter = lfirst(cell);

		if (!api_refuses(fetch->source.api, filter->uses))
			fetch->filters = lappend(fetch->filters, filter);
	}
	range_add_reader(fetch, RANGE_ALL, NO_TIME);
	begin_fetch(fetch);
	MemoryContextSwitchTo(old_context);
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

/* Releases the fetch and its requests. */
void
page_fetch_end(PageFetch *fetch)
{
	ListCell *cell;

	if (fetch->response.transfer != NULL)
		http_end(fetch->response.transfer);
	foreach(cell, fetch->readers)
		page_reader_stop(((RangeReader *) lfirst(cell))->pages);
	MemoryContextDelete(fetch->context);
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

static void
read_by_time(PageFetch *fetch)
{
	fetch->is_capped = true;
	fetch->progress.stale_allowed += fetch->pages;
	begin_fetch(fetch);
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
 * Verifies the queries that ended within equal created_at by their first and last
 * records by id.  It reads two pages of each, because the reader of the newest
 * page may have returned one.
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
 * Verifies the end, if the API may have limited a query.  Returns true if there
 * may be more records, which are now read by created_at.  A sorted query is read
 * again only if its first page in the opposite order has new records.
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

/* Resumes a reader with a doubtful end, or notes that it must be verified. */
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
			filters = list_concat(
				filters, created_at_filters(OPERATOR_LT, reader->upper));
		fetch->unproven = lappend(fetch->unproven, filters);
		fetch->unproven_doubt =
			Max(fetch->unproven_doubt, reader->pages->doubt);
		MemoryContextSwitchTo(old_context);
	}
}

/* --- Queries that the API refuses --- */

/* Handles an expired cursor, or a limit of the API. */
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

/* Notes the rejection of a filter, and continues without it. */
static void
drop_filter(PageFetch *fetch, RemoteFilter *filter)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	char		 *uses = remote_uses_text(filter->uses);

	api_note_refusal(fetch->source.api, filter->uses, filter->refusal);
	fetch->filters = list_delete_ptr(list_copy(fetch->filters), filter);
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

/* Continues without the rejected parts of a query, or raises an error. */
static void
settle_refusal(PageFetch *fetch, RangeReader *reader,
			   const PageResponse *response)
{
	List		 *refused;
	RemoteFilter *last;
	ListCell	 *cell;

	if (reader->pages->cursor == NULL &&
		range_note_refusal(fetch, reader, response->result))
		return;
	switch (
		refusal_find(reader->pages, response->result, fetch->filters, &refused))
	{
		case REFUSED_SIZE:
			return;
		case REFUSED_CURSOR:
			settle_cursor(fetch, reader, response->result);
			return;
		case REFUSED_SORT:
			break;
		case REFUSED_FILTERS:
			foreach(cell, refused)
				drop_filter(fetch, lfirst(cell));
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
	begin_fetch(fetch);
}

/* --- Pages --- */

pg_noreturn static void
raise_endless(const char *detail)
{
	ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
					errmsg("API pagination does not terminate"),
					errdetail_internal("%s", detail)));
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
 * Requests the next pages within the statement's concurrency, but at least one,
 * so that no fetch waits for another scan.  is_ahead: before it needs them.
 */
static void
send_wanted(PageFetch *fetch, bool is_ahead)
{
	const PageSource *source = &fetch->source;
	bool			  is_needed = !is_ahead;
	ListCell		 *cell;

	if (is_ahead && !is_worth_asking(fetch))
		return;
	foreach(cell, fetch->readers)
	{
		if (((RangeReader *) lfirst(cell))->pages->transfer != NULL)
			is_needed = false;
	}
	foreach(cell, fetch->readers)
	{
		RangeReader *reader = lfirst(cell);

		if (reader->is_done || reader->pages->transfer != NULL)
			continue;
		if (!is_needed &&
			(source->statement->pending >= fetch->settings->max_concurrency ||
			 !http_allows(source->budget)))
			return;
		page_reader_send(reader->pages);
		is_needed = false;
	}
}

/* Returns the reader of the first page to arrive, or NULL if there is none. */
static RangeReader *
wait_for_page(PageFetch *fetch)
{
	List		  *readers = fetch->readers;
	HttpTransfer **transfers = MemoryContextAlloc(
		fetch->page_context, list_length(readers) * sizeof(HttpTransfer *));
	HttpTransfer *ready;
	int			  count = 0;
	ListCell	 *cell;

	foreach(cell, readers)
	{
		HttpTransfer *transfer =
			((RangeReader *) lfirst(cell))->pages->transfer;

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

/* Reads a response.  Returns false if it is no page. */
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
		if (reader == NULL && !verify_end(fetch))
			return false;
	} while (reader == NULL || !read_page(fetch, reader));
	return true;
}

/* Releases the current page, all records of which were returned. */
static void
release_page(PageFetch *fetch)
{
	if (fetch->response.page != NULL)
	{
		int64 fresh = fetch->found - fetch->found_before;

		if (fetch->range_state == RANGES_OPEN &&
			2 * fresh <= fetch->response.page->count)
			fetch->sparse_pages++;
		if (!page_progress_note(&fetch->progress, fresh > 0))
			raise_endless(
				psprintf("The last %d pages contained no new records.",
						 fetch->progress.stale_pages));
		http_end(fetch->response.transfer);
	}
	memset(&fetch->response, 0, sizeof(fetch->response));
	MemoryContextReset(fetch->page_context);
}

/* Sets *record, which is valid until the next call.  Returns false at the end. */
bool
page_fetch_next(PageFetch *fetch, Record **record)
{
	do
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
		release_page(fetch);
	} while (next_page(fetch));
	return false;
}
