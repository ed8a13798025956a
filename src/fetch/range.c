/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * range.c
 *	  Reads a long table with several cursors in parallel, over ranges of
 *	  created_at, an attribute that never changes.
 *
 * The first reader reads all records in the order of created_at, and suffices
 * alone.  If its first page is not the last one, a second reader reads one
 * page in the opposite order, which shows where the first may stop.  Then the time
 * in between is divided into max_concurrency ranges.  Another reader reads the
 * records without created_at.  A reader that reaches the end of its range takes
 * over the upper half of the one that probably has the most unread records.
 *
 * The bounds of ranges are whole seconds, so that an API which truncates
 * timestamps sorts the records on either side in the same way.  A range's query
 * begins a second earlier.  If a response does not fit its range, the first
 * reader continues alone.
 *
 * Knows nothing about plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "api/api_facts.h"
#include "base/iso8601.h"
#include "fetch/page_fetch.h"

/*
 * Number of unread pages from which a range is split, and from which it is split
 * more often than an even table needs.
 */
#define MIN_PAGES 3.0
#define UNEVEN_PAGES 8.0

/* Number of remaining requests, of a limited budget, per additional reader. */
#define BUDGET_PER_READER 20

/*
 * Returns the filters of the fetch and of a range, which begins at a second or
 * at the exact time in a text, in the context of the readers.
 */
static List *
filters_from(PageFetch *fetch, int64 seconds, const char *exact)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	List		 *from = exact != NULL
							 ? list_make1(remote_filter_create(
								   "created_at", OPERATOR_GTE, json_quote(exact)))
							 : created_at_filters(OPERATOR_GTE, seconds);
	List		 *filters = list_concat_copy(fetch->filters, from);

	MemoryContextSwitchTo(old_context);
	return filters;
}

/* Adds a reader of a kind, from a time on. */
RangeReader *
range_add_reader(PageFetch *fetch, RangeKind kind, int64 lower)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	RangeReader	 *reader = palloc0(sizeof(RangeReader));
	ApiQuery	  query = {.limit = fetch->source.page_size};

	if (kind == RANGE_UNDATED)
		query.filters = lappend(
			list_copy(fetch->filters),
			remote_filter_create("created_at", OPERATOR_NOT_EXISTS, NULL));
	else if (kind != RANGE_ALL)
	{
		query.filters = filters_from(fetch, lower, NULL);
		query.sort = "created_at";
		query.is_descending = kind == RANGE_NEWEST;
	}
	reader->kind = kind;
	reader->is_by_time = kind == RANGE_PART;
	reader->lower = lower;
	reader->upper = END_OF_TIME;
	reader->position = reader->no_split = NO_TIME;
	reader->bound_nanoseconds = -1;
	reader->pages = page_reader_create(&fetch->source, &query);
	fetch->readers = lappend(fetch->readers, reader);
	MemoryContextSwitchTo(old_context);
	return reader;
}

/* Releases the readers other than the first, or only those that are done. */
static void
drop_readers(PageFetch *fetch, bool only_done)
{
	ListCell *cell;

	foreach(cell, fetch->readers)
	{
		RangeReader *reader = lfirst(cell);

		if (reader == linitial(fetch->readers) ||
			(only_done && !reader->is_done))
			continue;
		fetch->readers = foreach_delete_current(fetch->readers, cell);
		page_reader_end(reader->pages);
		pfree(reader);
	}
}

/*
 * Opens a reader of the records without created_at, if they are needed and it was
 * not opened before.  Returns false otherwise.
 */
static bool
read_undated(PageFetch *fetch)
{
	if (fetch->spec->is_dated || fetch->has_undated)
		return false;
	range_add_reader(fetch, RANGE_UNDATED, NO_TIME);
	fetch->has_undated = true;
	return true;
}

/*
 * Returns true if the budget allows this number of additional readers.  Each may
 * cost one additional request.  pages: estimate of the unread ones; 0: unknown.
 */
static bool
budget_allows(const PageFetch *fetch, int readers, double pages)
{
	const HttpBudget *budget = fetch->source.budget;
	double			  left = (double) (budget->limit - *budget->total);

	return budget->limit == 0 ||
		   (readers <= left / BUDGET_PER_READER && 2 * pages + readers <= left);
}

/* Returns the time from which a reader could leave records to another one. */
static int64
split_from(const RangeReader *reader)
{
	return Max(reader->position, Max(reader->lower, reader->no_split));
}

/* Returns the estimated number of records that a reader could leave. */
static double
records_left(const RangeReader *reader)
{
	int64 from = split_from(reader);

	if (reader->is_done || !reader->is_by_time ||
		reader->upper == END_OF_TIME || from == NO_TIME ||
		reader->upper - from < 2)
		return 0;
	return reader->density * (double) (reader->upper - from);
}

/*
 * Divides the range with the most unread records into equal times, one more than
 * there are new readers for it.  Returns false if it is not large enough, or if
 * too many ranges were opened: each may cost one request more, and the estimate
 * fails for records in clusters.
 */
static bool
split_largest(PageFetch *fetch, int new_readers)
{
	RangeReader *largest = linitial(fetch->readers);
	double		 left = 0;
	double		 pages;
	int64		 from;
	int64		 upper;
	int			 most;
	int			 parts;
	ListCell	*cell;

	foreach(cell, fetch->readers)
	{
		left += records_left(lfirst(cell));
		if (records_left(lfirst(cell)) > records_left(largest))
			largest = lfirst(cell);
	}
	pages = records_left(largest) / fetch->source.page_size;
	from = split_from(largest);
	upper = largest->upper;
	most = pages < UNEVEN_PAGES ? fetch->settings->max_concurrency
								: 2 * (fetch->settings->max_concurrency - 1);
	new_readers = Min(new_readers, most - fetch->splits);
	parts = (int) Min(new_readers + 1, 2 * pages / MIN_PAGES);
	if (pages < MIN_PAGES || parts < 2 || upper - from < parts ||
		!budget_allows(fetch, parts - 1, left / fetch->source.page_size))
		return false;

	for (int i = parts - 1; i > 0; i--)
	{
		RangeReader *part = range_add_reader(fetch, RANGE_PART,
											 from + (upper - from) / parts * i);

		part->upper = largest->upper;
		part->density = largest->density;
		largest->upper = part->lower;
	}
	fetch->splits += parts - 1;
	fetch->counters->ranges += parts - 1;
	return true;
}

/* Returns the number of readers of ranges that there may be in addition. */
static int
free_readers(const PageFetch *fetch)
{
	int		  count = fetch->settings->max_concurrency;
	ListCell *cell;

	foreach(cell, fetch->readers)
	{
		const RangeReader *reader = lfirst(cell);

		count -= !reader->is_done &&
				 (reader->kind == RANGE_ALL || reader->kind == RANGE_PART);
	}
	return count;
}

/*
 * Returns true if the first page of the records without created_at has not
 * arrived.  The API may reject its query, and the ranges then have no use.
 */
static bool
awaits_undated(const PageFetch *fetch)
{
	ListCell *cell;

	foreach(cell, fetch->readers)
	{
		const RangeReader *reader = lfirst(cell);

		if (reader->kind == RANGE_UNDATED && reader->pages->pages == 0)
			return true;
	}
	return false;
}

/*
 * Replaces the readers that are done.  The current page must be used up.  A page
 * of records without created_at is probably empty.  So its request waits until
 * as many as possible may be in flight, unless the API might reject it.
 */
void
range_open(PageFetch *fetch)
{
	RangeReader *first = linitial(fetch->readers);

	drop_readers(fetch, true);
	if (fetch->range_state == RANGES_NOT_YET && first->position != NO_TIME &&
		!first->is_done && budget_allows(fetch, 2, 0) &&
		page_fetch_window(fetch) >= 2)
	{
		range_add_reader(fetch, RANGE_NEWEST, first->position);
		fetch->counters->ranges += 2;
		fetch->range_state = RANGES_OPEN;
	}
	if (fetch->range_state == RANGES_OPEN &&
		(!api_facts(fetch->source.api)->takes_absence ||
		 page_fetch_window(fetch) >= fetch->settings->max_concurrency))
		fetch->counters->ranges += read_undated(fetch);
	while (fetch->range_state == RANGES_OPEN && !awaits_undated(fetch) &&
		   free_readers(fetch) > 0 && split_largest(fetch, free_readers(fetch)))
		;
}

/*
 * Returns the next reader to send a request, or NULL if none can.  It is the one
 * that probably has the most unread records, so that all end at the same time.
 * The page from the opposite end comes first, because it allows for ranges.
 */
RangeReader *
range_next(const PageFetch *fetch)
{
	RangeReader *next = NULL;
	ListCell	*cell;

	foreach(cell, fetch->readers)
	{
		RangeReader *reader = lfirst(cell);

		if (reader->is_done || reader->pages->transfer != NULL)
			continue;
		if (reader->kind == RANGE_NEWEST)
			return reader;
		if (next == NULL || records_left(reader) > records_left(next))
			next = reader;
	}
	return next;
}

/*
 * Opens a reader of the records without created_at after the ranges, unless it
 * was opened before, or the first reader has read all records.  Returns true if
 * there is a new reader.
 */
bool
range_finish(PageFetch *fetch)
{
	const RangeReader *first = linitial(fetch->readers);
	bool			   is_new = fetch->range_state == RANGES_OPEN &&
				  !first->pages->is_at_end && read_undated(fetch);

	fetch->counters->ranges += is_new;
	return is_new;
}

/* Drops all other readers.  The first one reads all records. */
static void
fall_back(PageFetch *fetch)
{
	RangeReader *first = linitial(fetch->readers);

	fetch->range_state = RANGES_NEVER;
	fetch->progress.stale_allowed += fetch->pages;
	fetch->has_undated = false;
	drop_readers(fetch, false);
	first->upper = END_OF_TIME;
	first->is_by_time = false;
	first->is_done = first->pages->is_at_end;
	if (first->lower != NO_TIME)
	{
		first->lower = NO_TIME;
		first->is_done = false;
		first->pages->query.filters = fetch->filters;
		page_reader_restart(first->pages);
	}
}

/* Returns false if the page from the opposite end is not in descending order. */
static bool
note_newest(PageFetch *fetch, RangeReader *reader, const RecordPage *page)
{
	RangeReader *first = linitial(fetch->readers);
	int64		 last = END_OF_TIME;

	for (int i = 0; i < page->count; i++)
	{
		int64 seconds;

		if (!created_at_read(&page->records[i], &seconds) || seconds > last ||
			seconds < reader->lower - CREATED_AT_MARGIN - 1)
			return false;
		last = seconds;
	}
	reader->is_done = true;
	if (page->count == 0)
		return false;
	first->upper = last + 1;
	if (first->position >= first->upper)
	{
		page_reader_stop(first->pages);
		first->is_done = true;
	}
	return true;
}

/*
 * Returns a new reader's range to the reader before it.  One second has more
 * records than a page, so both readers would read all of them.
 */
static void
give_back(PageFetch *fetch, RangeReader *reader)
{
	ListCell *cell;

	foreach(cell, fetch->readers)
	{
		RangeReader *before = lfirst(cell);

		if (before->is_done || before->upper != reader->lower)
			continue;
		before->upper = reader->upper;
		before->no_split = reader->lower;
		reader->is_done = true;
		return;
	}
}

/*
 * Notes the times on a page of a reader by created_at.  Returns false if they
 * are not in order, or outside of the range.  Only the first reader may receive
 * records without created_at, before or after the others.
 */
static bool
note_part(PageFetch *fetch, RangeReader *reader, const RecordPage *page)
{
	int64 first = NO_TIME;
	bool  has_time = false;
	char  text[RECORD_TIME_SIZE];

	if (reader->position == NO_TIME)
		reader->is_exact = true;
	for (int i = 0; i < page->count; i++)
	{
		char	next[RECORD_TIME_SIZE];
		Iso8601 parts;
		int64	seconds;
		int		nanoseconds;

		if (!created_at_text(&page->records[i], next) ||
			!iso8601_instant(next, &parts, &seconds, &nanoseconds))
		{
			if (reader->kind == RANGE_PART)
				return false;
			continue;
		}
		if (reader->position == NO_TIME
				? reader->lower != NO_TIME &&
					  seconds < reader->lower - CREATED_AT_MARGIN - 1
				: seconds < reader->position)
			return false;
		if (seconds == reader->position &&
			nanoseconds < reader->position_nanoseconds)
			reader->is_exact = false;
		if (first == NO_TIME)
			first = seconds;
		has_time = true;
		strlcpy(text, next, sizeof(text));
		reader->position = seconds;
		reader->position_nanoseconds = nanoseconds;
	}
	if (!has_time)
		return true;
	if (reader->position_text != NULL)
		pfree(reader->position_text);
	reader->position_text = MemoryContextStrdup(fetch->context, text);

	/* There were further records after the end at which it was resumed. */
	if (reader->kind == RANGE_ALL && reader->lower != NO_TIME &&
		range_is_new(fetch, page))
		read_undated(fetch);
	reader->density = (double) page->count / Max(reader->position - first, 1);
	if (reader->position >= reader->upper)
		reader->is_done = true;
	else if (reader->kind == RANGE_PART && reader->pages->pages == 1 &&
			 reader->position < reader->lower && !reader->is_done)
		give_back(fetch, reader);
	return true;
}

/*
 * Notes that the API accepts the query for records without created_at.  Returns
 * false if a record on its page has one.
 */
static bool
note_undated(const PageFetch *fetch, const RecordPage *page)
{
	api_facts(fetch->source.api)->takes_absence = true;
	for (int i = 0; i < page->count; i++)
	{
		int64 seconds;

		if (created_at_read(&page->records[i], &seconds))
			return false;
	}
	return true;
}

/*
 * Checks the times on a reader's page, and ends the reader at its upper bound.
 * Returns the reader, or the first one if that has to continue alone.
 */
RangeReader *
range_note_page(PageFetch *fetch, RangeReader *reader, const RecordPage *page)
{
	if (reader->kind == RANGE_NEWEST ? note_newest(fetch, reader, page)
		: reader->kind == RANGE_UNDATED
			? note_undated(fetch, page)
			: !reader->is_by_time || note_part(fetch, reader, page))
		return reader;
	fall_back(fetch);
	return linitial(fetch->readers);
}

/*
 * Handles the rejection of a range's query: the first reader continues alone, with
 * a warning.  Notes the rejection, so that the session's next scans open no range.
 * Returns false if the query has no range.
 */
bool
range_note_refusal(PageFetch *fetch, RangeReader *reader, QueryResult result)
{
	Api				*api = fetch->source.api;
	const RemoteUse *use = &created_at_from;
	bool			 was_known;

	if ((reader->kind == RANGE_ALL && reader->lower == NO_TIME) ||
		result == QUERY_NOT_SUPPORTED)
		return false;
	if (result == QUERY_SORT_REFUSED)
		use = &created_at_sort;
	else if (reader->kind == RANGE_UNDATED)
	{
		/* The filter has no value that could be the reason. */
		use = &created_at_absence;
		result = QUERY_FILTER_REFUSED;
	}
	else if (result == QUERY_VALUE_REFUSED)
		result = QUERY_REFUSED;
	was_known = api_refuses(api, use);
	api_note_refusal(api, use, result);
	fall_back(fetch);
	if (!was_known && api_refuses(api, use))
		ereport(
			WARNING,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("API rejected a query of a parallel scan on record type "
					"\"%s\": %s",
					fetch->settings->record_type, remote_uses_text(use)),
			 errdetail("Scans of this record type read one page after another "
					   "in this session."),
			 use == &created_at_absence
				 ? errhint("With a condition on attribute \"created_at\", a "
						   "scan reads in parallel.")
				 : 0));
	return true;
}

/*
 * Resumes a reader's query at its position by created_at.  Returns false if that
 * cannot return more records.
 *
 * A second resumption at the same position begins at its exact time, if the API
 * sorts by exact times.  A resumed query excludes the records without
 * created_at, so another reader is opened for them.
 */
bool
range_resume(PageFetch *fetch, RangeReader *reader)
{
	PageReader *pages = reader->pages;
	bool		needs_undated = !pages->is_at_end && reader->kind == RANGE_ALL;

	if (reader->position == NO_TIME ||
		created_at_is_refused(fetch->source.api,
							  needs_undated && !fetch->spec->is_dated))
		return false;
	if (reader->position != reader->lower)
		reader->bound_nanoseconds = -1;
	else if (reader->is_exact &&
			 reader->position_nanoseconds != reader->bound_nanoseconds)
		reader->bound_nanoseconds = reader->position_nanoseconds;
	else if (!pages->is_at_end || pages->received >= fetch->most_received)
		return false;
	else
	{
		/* Another query returned more records, so this one was not limited. */
		api_note_end(fetch->source.api, pages->doubt);
		return true;
	}

	if (needs_undated)
		read_undated(fetch);
	reader->lower = reader->position;
	reader->is_done = false;
	pages->query.filters = filters_from(
		fetch, reader->lower,
		reader->bound_nanoseconds >= 0 ? reader->position_text : NULL);
	reader->position = NO_TIME;
	page_reader_restart(pages);
	return true;
}

/* Returns true if a page has a record that was not returned. */
bool
range_is_new(const PageFetch *fetch, const RecordPage *page)
{
	for (int i = 0; i < page->count; i++)
	{
		if (!seen_set_has(fetch->seen, &page->records[i].id))
			return true;
	}
	return false;
}
