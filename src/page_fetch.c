/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_fetch.c
 *	  All records that match some filters, read page by page.
 *
 * The first page is read alone.  From the second on, the next page is on its
 * way before the records of one are handed out, unless nobody is likely to want
 * it; and a long read in no particular order goes on with several cursors at
 * once: see range.c.
 *
 * No record is handed out twice, whatever the API does between pages.  What it
 * refuses of the filters and of the sort is left out, and remembered for the
 * session: who reads checks all of it again.
 *
 * Knows nothing of plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "created_at.h"
#include "page_fetch_internal.h"

/* So many pages in a row may have nothing new. */
#define MAX_BARREN_PAGES 100

/* A query is begun anew so often without a new record in between. */
#define MAX_RESTARTS 3

static void		  start(PageFetch *fetch);
static void		  begin(PageFetch *fetch);
static char		 *uses_of(const RemoteFilter *filter);
static bool		  take_record(PageFetch *fetch, Record **record);
static void		  let_go_of_page(PageFetch *fetch);
static bool		  next_page(PageFetch *fetch);
static bool		  verify_end(PageFetch *fetch);
static void		  verify_ids(PageFetch *fetch);
static bool		  has_new(PageFetch *fetch, const ApiQuery *query);
static void		  warn_of_cap(PageFetch *fetch);
static void		  read_by_time(PageFetch *fetch);
static bool		  can_read_by_time(const PageFetch *fetch);
static PageAnswer ask_once(PageFetch *fetch, const ApiQuery *query);
static void note_accepted_filters(PageFetch *fetch, const RangeReader *reader);
static void note_end(PageFetch *fetch, RangeReader *reader);
static bool settle_cursor(PageFetch *fetch, RangeReader *reader,
						  QueryResult result);
static void send_wanted(PageFetch *fetch, bool is_ahead);
static bool is_worth_asking(const PageFetch *fetch);
static RangeReader	   *wait_for_page(PageFetch *fetch);
static bool				read_page(PageFetch *fetch, RangeReader *reader);
pg_noreturn static void raise_restarts(void);
static void				settle_refusal(PageFetch *fetch, RangeReader *reader,
									   PageAnswer answer);
static void		   drop_refused_filters(PageFetch *fetch, QueryResult result);
static bool		   ask_for_less(PageFetch *fetch, RangeReader *reader);
static QueryResult try_query(PageFetch *fetch, List *filters,
							 const ApiQuery *sort);
static void		   drop_filter(PageFetch *fetch, RemoteFilter *filter,
							   QueryResult result);

/*
 * Sets out to read the records that an order describes.  Lives in the current
 * context; all that is pointed to must live as long.  Requests are charged to
 * the budget.  Makes none yet.
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

/* Makes the first reader, with the filters that are not known to be refused. */
static void
start(PageFetch *fetch)
{
	ListCell *cell;

	foreach(cell, fetch->order->filters)
	{
		if (!api_refuses(fetch->source.api, uses_of(lfirst(cell))))
			fetch->filters = lappend(fetch->filters, lfirst(cell));
	}
	fetch->barren_allowed = MAX_BARREN_PAGES;
	fetch->found_at_cap = -1;
	page_fetch_add_reader(fetch, RANGE_ALL, NIL, NULL, false);
	begin(fetch);
}

/*
 * The first reader begins, or begins again without what has turned out to be
 * refused.  Where the sort is refused, all has to be read before it is sorted.
 */
static void
begin(PageFetch *fetch)
{
	const PageOrder *order = fetch->order;
	RangeReader		*reader = fetch->readers[0];
	ApiQuery		*query = &reader->pages->query;

	fetch->is_sorted =
		order->sort != NULL && !fetch->is_capped &&
		!api_refuses(fetch->source.api, psprintf("sort %s", order->sort));
	fetch->must_read_all = order->sort != NULL && !fetch->is_sorted;
	fetch->limit = fetch->must_read_all ? 0 : order->limit;
	fetch->is_on_demand = !fetch->must_read_all && order->is_on_demand;
	fetch->ranges = !fetch->is_sorted && range_are_possible(fetch)
						? RANGES_NOT_YET
						: RANGES_NEVER;

	/* A long read goes by created_at, so that it can be resumed anywhere. */
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

/* Adds a reader for a query, from its first page on. */
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

/* Lets go of a reader that is not the first. */
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
 * The next record, in the memory of the page that it came with: it is gone with
 * the next call.  False at the end.  Raises the errors of api.h, and one for
 * pages that never end.
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
 * Whether the records come in the order that was asked for; known once the
 * first has come.
 */
bool
page_fetch_is_sorted(const PageFetch *fetch)
{
	return fetch->is_sorted;
}

/* The filters that are sent: those of the order that were not refused. */
List *
page_fetch_filters(const PageFetch *fetch)
{
	return fetch->filters;
}

/*
 * Whether page_fetch_next will not have to wait for the next answer, as far as
 * that can be known.
 */
bool
page_fetch_is_ready(const PageFetch *fetch)
{
	bool is_under_way = false;

	if (fetch->answer.page != NULL && fetch->next < fetch->answer.page->count)
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
 * Whether page_fetch_next may wait.  Where it may not, it can return false before
 * the end; page_fetch_is_waiting tells.
 */
void
page_fetch_set_patience(PageFetch *fetch, bool may_wait)
{
	fetch->must_not_wait = !may_wait;
}

bool
page_fetch_is_waiting(const PageFetch *fetch)
{
	return fetch->is_waiting;
}

/* Lets go of all that is kept and under way. */
void
page_fetch_end(PageFetch *fetch)
{
	if (fetch->answer.transfer != NULL)
		http_end(fetch->answer.transfer);
	for (int i = 0; i < fetch->reader_count; i++)
		page_reader_stop(fetch->readers[i]->pages);
	seen_set_end(fetch->seen);
	MemoryContextDelete(fetch->context);
}

/* The next record of the page in hand that was not handed out before. */
static bool
take_record(PageFetch *fetch, Record **record)
{
	const RecordPage *page = fetch->answer.page;

	while (page != NULL && fetch->next < page->count)
	{
		*record = page->records[fetch->next++];
		if (seen_set_add(fetch->seen, &(*record)->id))
		{
			fetch->found++;
			fetch->restarts = 0;
			return true;
		}
	}
	return false;
}

/* All records of the page in hand have been handed out. */
static void
let_go_of_page(PageFetch *fetch)
{
	if (fetch->answer.page != NULL)
	{
		int64 fresh = fetch->found - fetch->found_before;

		if (fetch->ranges == RANGES_OPEN &&
			2 * fresh <= fetch->answer.page->count)
			fetch->thin++;
		fetch->barren = fresh == 0 ? fetch->barren + 1 : 0;
		if (fetch->barren > fetch->barren_allowed)
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("API pagination does not terminate"),
					 errdetail("The last %d pages contained no new records.",
							   fetch->barren)));
	}
	if (fetch->answer.transfer != NULL)
		http_end(fetch->answer.transfer);
	memset(&fetch->answer, 0, sizeof(fetch->answer));
	MemoryContextReset(fetch->page_context);
}

/* Takes the next page in hand, whose ever it is.  False where there is none. */
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
 * All queries have ended, one of them where the API may have capped its result:
 * reads all records again by created_at; those in some order only if the last of
 * them has not been handed out.  Returns whether it does.
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
		if (!has_new(fetch, &query))
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
 * A query has ended with many records that all have the same created_at, so that it
 * can neither be resumed nor told from a capped one: looks at the first and the last
 * of its ids.  Raises an error if one of them has not been handed out.
 */
static void
verify_ids(PageFetch *fetch)
{
	ApiQuery query = {0};

	query.filters = fetch->unproven;
	query.sort = ID_FIELD;
	query.limit = fetch->source.page_size;
	fetch->unproven = NIL;
	for (int i = 0; i < 2; i++)
	{
		query.is_descending = i == 0;
		if (has_new(fetch, &query))
			page_fetch_raise_cap(fetch->unproven_received, true);
	}
}

/* Whether the first page of a query has a record that has not been handed out. */
static bool
has_new(PageFetch *fetch, const ApiQuery *query)
{
	PageAnswer answer = ask_once(fetch, query);
	bool	   is_new =
		answer.result == QUERY_PAGE && page_fetch_is_new(fetch, answer.page);

	if (answer.result != QUERY_PAGE)
		warn_of_cap(fetch);
	http_end(answer.transfer);
	return is_new;
}

/* The end looks like a cap, and cannot be verified. */
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

/* The API returns no more records of a query: reads them all by created_at. */
static void
read_by_time(PageFetch *fetch)
{
	fetch->is_capped = true;
	fetch->barren_allowed += fetch->pages;
	begin(fetch);
}

/* Whether a page has a record that has not been handed out. */
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
 * Asks for the next page of each reader that has nothing under way, as far as
 * the statement's concurrency allows; but for one in any case, so that none
 * waits for another scan.
 *
 * is_ahead: there is still a page in hand.
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

/* Whether another page is likely to be needed after the one in hand. */
static bool
is_worth_asking(const PageFetch *fetch)
{
	int left = fetch->answer.page->count - fetch->next;

	if (fetch->is_on_demand || fetch->pages < 2)
		return false;
	return fetch->limit == 0 || fetch->found >= fetch->limit ||
		   fetch->found + left < fetch->limit;
}

/* Waits for any page that was asked for; NULL: none was. */
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
 * Reads the answer that has come for a reader.  Returns whether there is a page
 * in hand; otherwise something else is to be asked for.
 */
static bool
read_page(PageFetch *fetch, RangeReader *reader)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->page_context);
	PageAnswer	  answer = page_reader_read(reader->pages);

	MemoryContextSwitchTo(old_context);
	if (answer.is_circle)
		page_reader_raise_circle(reader->pages);
	if (answer.result != QUERY_PAGE)
	{
		if (!settle_cursor(fetch, reader, answer.result))
			settle_refusal(fetch, reader, answer);
		http_end(answer.transfer);
		return false;
	}

	fetch->answer = answer;
	fetch->next = 0;
	fetch->found_before = fetch->found;
	fetch->pages++;
	fetch->counters->pages++;
	fetch->counters->records += answer.page->count;
	fetch->most_received = Max(fetch->most_received, reader->pages->received);
	if (reader->pages->pages == 1)
		note_accepted_filters(fetch, reader);
	reader->is_done = reader->pages->is_at_end;
	range_note_page(fetch, reader, answer.page);
	if (reader->pages->is_doubtful)
		note_end(fetch, reader);
	send_wanted(fetch, true);
	return true;
}

/*
 * A reader's query has ended, perhaps because the API caps its result: resumes it
 * where it was, or has the end verified before the fetch ends.
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
		fetch->unproven = reader->pages->query.filters;
		fetch->unproven_received = reader->pages->received;
	}
}

/* Whether the fetch may read by created_at what the API has capped. */
static bool
can_read_by_time(const PageFetch *fetch)
{
	return fetch->order->may_split && !fetch->is_capped &&
		   !created_at_is_refused(fetch->source.api, !fetch->order->is_dated);
}

/* The API has accepted the filters of a reader's query. */
static void
note_accepted_filters(PageFetch *fetch, const RangeReader *reader)
{
	ListCell *cell;

	foreach(cell, reader->pages->query.filters)
		api_note_accepted(fetch->source.api, uses_of(lfirst(cell)));
}

/*
 * The API does not continue a query: its cursor is gone, or there are more results
 * than the API returns.  The reader begins again, where it was if possible, and
 * records that come again are skipped.  Returns false if it is something else that
 * the API refuses.
 */
static bool
settle_cursor(PageFetch *fetch, RangeReader *reader, QueryResult result)
{
	PageReader *pages = reader->pages;
	bool		is_capped;

	if (pages->cursor == NULL)
		return false;
	if (result == QUERY_REFUSED && ask_for_less(fetch, reader))
		return true;
	if (reader->is_by_time && range_resume(fetch, reader))
		return true;
	/* A cursor that is gone again at the same place is beyond a cap. */
	is_capped =
		(result != QUERY_CURSOR_GONE && result != QUERY_NOT_SUPPORTED) ||
		fetch->restarts > 0;
	if (is_capped && reader->kind == RANGE_ALL && !reader->is_by_time &&
		can_read_by_time(fetch))
	{
		read_by_time(fetch);
		return true;
	}
	if (result != QUERY_CURSOR_GONE && result != QUERY_NOT_SUPPORTED)
		page_fetch_raise_cap(reader->pages->received, reader->is_by_time);
	if (fetch->restarts++ >= MAX_RESTARTS)
		raise_restarts();
	fetch->barren_allowed += pages->pages;
	reader->position = NO_TIME;
	page_reader_restart(pages);
	return true;
}

/* Raises the error for a query whose cursors do not last. */
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

/* Raises the error for a query that the API caps, and that cannot be resumed. */
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

/* Something of a reader's query is refused: it goes on without that. */
static void
settle_refusal(PageFetch *fetch, RangeReader *reader, PageAnswer answer)
{
	const ApiQuery *query = &reader->pages->query;

	CHECK_FOR_INTERRUPTS();
	if (range_note_refusal(fetch, reader, answer.result) ||
		(answer.result == QUERY_REFUSED && ask_for_less(fetch, reader)))
		return;
	if (answer.result == QUERY_NOT_SUPPORTED)
		api_raise_refusal(fetch->source.api, answer.transfer);

	/* A refusal that does not say what it is about may be about either. */
	if (query->sort != NULL &&
		(answer.result == QUERY_SORT_REFUSED ||
		 (answer.result == QUERY_REFUSED &&
		  try_query(fetch, fetch->filters, NULL) == QUERY_PAGE)))
		api_note_refusal(fetch->source.api, psprintf("sort %s", query->sort));
	else if (fetch->filters != NIL)
		drop_refused_filters(fetch, answer.result);
	else
		api_raise_refusal(fetch->source.api, answer.transfer);
	begin(fetch);
}

/*
 * Asks for a smaller page, where the size was what the API refused: for a first
 * page that can be found out, and a further one may have been larger than those
 * before.  Returns false where it was something else.
 */
static bool
ask_for_less(PageFetch *fetch, RangeReader *reader)
{
	PageReader *pages = reader->pages;
	int			limit = (pages->query.limit + 1) / 2;

	if (pages->cursor != NULL)
		limit = pages->accepted_limit;
	else if (pages->query.limit == 1 || try_query(fetch, pages->query.filters,
												  &pages->query) != QUERY_PAGE)
		return false;
	if (limit >= pages->query.limit)
		return false;
	api_limit_page_size(fetch->source.api, limit);
	fetch->source.page_size = Min(fetch->source.page_size, limit);
	pages->query.limit = limit;
	return true;
}

/*
 * Drops the filters that the API refuses.  Which these are, it may not tell; so
 * where there are several, each is tried by itself.
 */
static void
drop_refused_filters(PageFetch *fetch, QueryResult result)
{
	List	 *filters = fetch->filters;
	ListCell *cell;

	if (list_length(filters) == 1)
	{
		drop_filter(fetch, linitial(filters), result);
		return;
	}
	foreach(cell, filters)
	{
		result = try_query(fetch, list_make1(lfirst(cell)), NULL);
		if (result != QUERY_PAGE)
			drop_filter(fetch, lfirst(cell), result);
	}

	/* Only together they are too much. */
	if (list_length(fetch->filters) == list_length(filters))
		drop_filter(fetch, llast(filters), QUERY_VALUE_REFUSED);
}

/*
 * What becomes of a query for one record, with some filters and the sort of some
 * query, or NULL for none.
 */
static QueryResult
try_query(PageFetch *fetch, List *filters, const ApiQuery *sort)
{
	ApiQuery   query = {0};
	PageAnswer answer;

	if (sort != NULL)
		query = *sort;
	query.filters = filters;
	query.limit = 1;
	answer = ask_once(fetch, &query);
	http_end(answer.transfer);
	return answer.result;
}

/* The first page of a query; to be given to http_end. */
static PageAnswer
ask_once(PageFetch *fetch, const ApiQuery *query)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->page_context);
	PageReader	 *probe = page_reader_create(&fetch->source, query);
	PageAnswer	  answer;

	page_reader_send(probe);
	answer = page_reader_read(probe);
	page_reader_end(probe);
	MemoryContextSwitchTo(old_context);
	return answer;
}

/*
 * Goes on without a filter, and says so; and also later in the session, unless the
 * API refused a mere value of it, or may have.
 */
static void
drop_filter(PageFetch *fetch, RemoteFilter *filter, QueryResult result)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	char		 *uses = uses_of(filter);
	bool		  for_good = result == QUERY_FILTER_REFUSED;

	if (for_good)
		api_note_refusal(fetch->source.api, uses);
	else if (result == QUERY_REFUSED)
		api_suspect(fetch->source.api, uses);
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

/* What a filter uses, in words: "field operator", or several of them. */
static char *
uses_of(const RemoteFilter *filter)
{
	StringInfoData text;
	ListCell	  *cell;

	initStringInfo(&text);
	foreach(cell, filter->uses)
		appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "",
						 (char *) lfirst(cell));
	return text.data;
}
