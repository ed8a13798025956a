/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * range.c
 *	  Reads a long table with several cursors in parallel, over ranges of
 *	  created_at, an attribute that never changes.
 *
 * The first reader reads all records in the order of created_at, and suffices
 * alone.  If its first page is not the last one, a second reader reads one
 * page in the opposite order, which shows where the first may stop.  A third
 * one reads the records without created_at.  From then on, whenever another
 * request may be in flight, a new reader takes over the upper half of the
 * range that probably has the most unread records.
 *
 * The bounds of ranges are whole seconds, so that an API which truncates
 * timestamps sorts the records on either side in the same way.  A range's
 * query begins a second earlier than the range.  If a response does not fit a
 * range (a record outside of it, another order, a rejected filter), the first
 * reader continues alone.
 *
 * Knows nothing about plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "api/created_at.h"
#include "base/iso8601.h"
#include "fetch/page_fetch_internal.h"

/* Number of unread pages from which a range is split. */
#define MIN_PAGES 2.0

/* Number of remaining requests, of a limited budget, per additional reader. */
#define BUDGET_PER_READER 20

/*
 * One page among this number may have few new records because of new readers.
 */
#define PAGES_PER_THIN 8

/*
 * Number of pages before further readers start, if the reader may stop early.
 */
#define HESITANT_PAGES 3

static bool	  budget_allows(const PageFetch *fetch, int readers, double pages);
static void	  open_ends(PageFetch *fetch);
static bool	  split_widest(PageFetch *fetch);
static double records_left(const RangeReader *reader);
static void	  split(PageFetch *fetch, RangeReader *reader);
static void	  give_back(PageFetch *fetch, RangeReader *reader);
static bool	  note_newest(PageFetch *fetch, RangeReader *reader,
						  const RecordPage *page);
static bool	  note_part(PageFetch *fetch, RangeReader *reader,
						const RecordPage *page);
static bool	  is_dateless(const PageFetch *fetch, const RecordPage *page);
static void	  end_at(RangeReader *reader, int64 upper);
static void	  fall_back(PageFetch *fetch);
static void	  note_order(PageFetch *fetch, RangeReader *reader,
						 const Record *record);
static void	  keep_text(PageFetch *fetch, char **kept, const char *text);
static void	  read_dateless(PageFetch *fetch, const RangeReader *reader);
static List	 *filters_from(PageFetch *fetch, int64 lower, const char *exact);

/* Returns true if a fetch may read ranges of created_at in parallel. */
bool
range_are_possible(const PageFetch *fetch)
{
	const PageOrder *order = fetch->order;

	return order->may_split && fetch->limit <= 0 && !fetch->is_on_demand &&
		   fetch->settings->max_concurrency >= 2 &&
		   !created_at_is_refused(fetch->source.api, !order->is_dated);
}

/*
 * Drops the readers that are done, and opens as many new ones as are permitted
 * and useful.  The current page has been used up.
 */
void
range_open(PageFetch *fetch)
{
	RangeReader *first = fetch->readers[0];

	for (int i = fetch->reader_count - 1; i > 0; i--)
	{
		if (fetch->readers[i]->is_done)
			page_fetch_drop_reader(fetch, fetch->readers[i]);
	}
	if (fetch->ranges == RANGES_NOT_YET && first->position != NO_TIME &&
		!first->is_done && budget_allows(fetch, 2, 0) &&
		(!fetch->order->is_hesitant || fetch->pages >= HESITANT_PAGES))
		open_ends(fetch);
	if (fetch->ranges == RANGES_OPEN)
	{
		while (fetch->reader_count < fetch->settings->max_concurrency &&
			   split_widest(fetch))
			;
	}
}

/*
 * Returns true if the budget allows this number of additional readers.  Each
 * may cost one additional request.  Enough requests must remain for the table's
 * unread pages, estimated as pages; 0 if unknown.
 */
static bool
budget_allows(const PageFetch *fetch, int readers, double pages)
{
	const HttpBudget *budget = fetch->source.budget;
	double			  left = (double) (budget->limit - *budget->total);

	return budget->limit == 0 ||
		   (readers <= left / BUDGET_PER_READER && 2 * pages + readers <= left);
}

/*
 * Opens the reader from the opposite end, and that of records without
 * created_at.
 */
static void
open_ends(PageFetch *fetch)
{
	int64		  position = fetch->readers[0]->position;
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);

	fetch->ranges = RANGES_OPEN;
	page_fetch_add_reader(fetch, RANGE_NEWEST,
						  filters_from(fetch, position, NULL), "created_at",
						  true)
		->lower = position;
	MemoryContextSwitchTo(old_context);
	read_dateless(fetch, fetch->readers[0]);
	fetch->counters->ranges += fetch->reader_count;
}

/*
 * Splits the range with the most unread records, if it is large enough.
 * Returns false if it is not.  Its estimate fails for records in clusters: then
 * many pages have few new records, and no range is split.
 */
static bool
split_widest(PageFetch *fetch)
{
	RangeReader *widest = NULL;
	double		 left = 0;

	for (int i = 0; i < fetch->reader_count; i++)
	{
		left += records_left(fetch->readers[i]);
		if (widest == NULL ||
			records_left(fetch->readers[i]) > records_left(widest))
			widest = fetch->readers[i];
	}
	Assert(widest != NULL);
	if (fetch->thin >
		fetch->settings->max_concurrency + fetch->pages / PAGES_PER_THIN)
		return false;
	if (records_left(widest) < MIN_PAGES * fetch->source.page_size ||
		!budget_allows(fetch, 1, left / fetch->source.page_size))
		return false;
	split(fetch, widest);
	return true;
}

/*
 * Returns the estimated number of unread records that another reader could
 * read.
 */
static double
records_left(const RangeReader *reader)
{
	int64 from = Max(reader->position, Max(reader->lower, reader->no_split));

	if (reader->is_done || !reader->is_by_time ||
		reader->upper == END_OF_TIME || from == NO_TIME ||
		reader->upper - from < 2)
		return 0;
	return reader->density * (double) (reader->upper - from);
}

/* Gives the upper half of a reader's unread range to a new reader. */
static void
split(PageFetch *fetch, RangeReader *reader)
{
	int64 from = Max(reader->position, Max(reader->lower, reader->no_split));
	int64 middle = from + (reader->upper - from) / 2;
	RangeReader *half = page_fetch_add_reader(fetch, RANGE_PART,
											  filters_from(fetch, middle, NULL),
											  "created_at", false);

	half->is_by_time = true;
	half->lower = middle;
	half->upper = reader->upper;
	half->density = reader->density;
	half->parent = reader;
	reader->upper = middle;
	fetch->counters->ranges++;
}

/*
 * Checks the times on a reader's page, and ends the reader at its upper bound.
 * If the page is not as expected, drops all readers but the first.  Returns the
 * reader, or the first one in its place.
 */
RangeReader *
range_note_page(PageFetch *fetch, RangeReader *reader, const RecordPage *page)
{
	bool is_as_expected = true;

	if (reader->kind == RANGE_NEWEST)
		is_as_expected = note_newest(fetch, reader, page);
	else if (reader->kind == RANGE_DATELESS)
		is_as_expected = is_dateless(fetch, page);
	else if (reader->is_by_time)
		is_as_expected = note_part(fetch, reader, page);
	if (is_as_expected)
		return reader;
	fall_back(fetch);
	return fetch->readers[0];
}

/* Returns true if no record on a page has a created_at. */
static bool
is_dateless(const PageFetch *fetch, const RecordPage *page)
{
	for (int i = 0; i < page->count; i++)
	{
		int64 seconds;

		if (created_at_read(page->records[i], fetch->created_at, &seconds))
			return false;
	}
	return true;
}

/*
 * Handles the page from the opposite end: the first reader may stop where it
 * begins.  Returns false if the page is not in descending order.
 */
static bool
note_newest(PageFetch *fetch, RangeReader *reader, const RecordPage *page)
{
	int64 last = END_OF_TIME;

	for (int i = 0; i < page->count; i++)
	{
		int64 seconds;

		if (!created_at_read(page->records[i], fetch->created_at, &seconds) ||
			seconds > last || seconds < reader->lower - CREATED_AT_MARGIN - 1)
			return false;
		last = seconds;
	}
	reader->is_done = true;
	if (page->count == 0)
		return false;
	end_at(fetch->readers[0], last + 1);
	return true;
}

/*
 * Handles a page of a range.  Returns false if it is not in order, or has
 * records outside of the range.  The first reader may also receive records
 * without created_at, before or after the others.
 */
static bool
note_part(PageFetch *fetch, RangeReader *reader, const RecordPage *page)
{
	bool		  is_first_page = reader->pages->pages == 1;
	int64		  first = NO_TIME;
	int64		  last = reader->position;
	const Record *last_record = NULL;

	if (is_first_page)
	{
		reader->is_exact = true;
		reader->last_seconds = NO_TIME;
	}
	for (int i = 0; i < page->count; i++)
	{
		int64 seconds;

		if (!created_at_read(page->records[i], fetch->created_at, &seconds))
		{
			if (reader->kind == RANGE_PART)
				return false;
			continue;
		}
		if (last == NO_TIME && reader->lower != NO_TIME &&
			seconds < reader->lower - CREATED_AT_MARGIN - 1)
			return false;
		if (last != NO_TIME && seconds < last)
			return false;
		if (first == NO_TIME)
			first = seconds;
		last = seconds;
		last_record = page->records[i];
		note_order(fetch, reader, last_record);
	}
	if (first == NO_TIME)
		return true;
	reader->position = last;
	keep_text(fetch, &reader->last_text,
			  created_at_text(last_record, fetch->created_at));

	/* There were further records after the end at which it was resumed. */
	if (reader->is_part && page_fetch_is_new(fetch, page))
		read_dateless(fetch, reader);
	reader->density = (double) page->count / Max(last - first, 1);
	if (last >= reader->upper)
		reader->is_done = true;
	else if (reader->kind == RANGE_PART && is_first_page &&
			 last < reader->lower && !reader->is_done)
		give_back(fetch, reader);
	return true;
}

/* Notes whether a reader's records are in the order of exact times. */
static void
note_order(PageFetch *fetch, RangeReader *reader, const Record *record)
{
	int64 seconds = 0;
	int	  nanoseconds = 0;

	if (!iso8601_instant(created_at_text(record, fetch->created_at), &seconds,
						 &nanoseconds) ||
		seconds < reader->last_seconds ||
		(seconds == reader->last_seconds &&
		 nanoseconds < reader->last_nanoseconds))
		reader->is_exact = false;
	reader->last_seconds = seconds;
	reader->last_nanoseconds = nanoseconds;
}

/*
 * Returns a new reader's range to its parent, because a whole page precedes the
 * range.  One second has more records than a page, so both readers would read
 * all of them.
 */
static void
give_back(PageFetch *fetch, RangeReader *reader)
{
	RangeReader *parent = reader->parent;

	(void) fetch;
	if (parent == NULL || parent->is_done || parent->upper != reader->lower)
		return;
	parent->upper = reader->upper;
	parent->no_split = reader->lower;
	reader->is_done = true;
}

/* Sets a reader's upper bound, and ends the reader if it has reached it. */
static void
end_at(RangeReader *reader, int64 upper)
{
	reader->upper = upper;
	if (reader->position != NO_TIME && reader->position >= upper)
	{
		page_reader_stop(reader->pages);
		reader->is_done = true;
	}
}

/*
 * Handles the rejection of a range's query: the first reader continues alone.
 * Returns false if the query has no range.
 */
bool
range_note_refusal(PageFetch *fetch, RangeReader *reader, QueryResult result)
{
	if ((reader->kind == RANGE_ALL && !reader->is_part) ||
		result == QUERY_NOT_SUPPORTED)
		return false;
	api_note_refusal(fetch->source.api,
					 result == QUERY_SORT_REFUSED	  ? &created_at_sort
					 : reader->kind == RANGE_DATELESS ? &created_at_absence
													  : &created_at_from,
					 result == QUERY_VALUE_REFUSED ? QUERY_REFUSED : result);
	fall_back(fetch);
	return true;
}

/* Drops all other readers.  The first one reads all records. */
static void
fall_back(PageFetch *fetch)
{
	RangeReader *first = fetch->readers[0];

	fetch->ranges = RANGES_NEVER;
	fetch->progress.stale_allowed += fetch->pages;
	while (fetch->reader_count > 1)
		page_fetch_drop_reader(fetch, fetch->readers[1]);
	fetch->has_dateless = false;
	first->upper = END_OF_TIME;
	first->lower = NO_TIME;
	first->is_by_time = false;
	first->is_done = first->pages->is_at_end;
	if (first->is_part)
	{
		first->is_part = false;
		first->is_done = false;
		first->pages->query.filters = fetch->filters;
		page_reader_restart(first->pages);
	}
}

/*
 * Resumes a reader's query at its position by created_at.  The API does not
 * continue the query, or may have ended it too early.  Duplicates are skipped.
 * Returns false if resuming cannot return more records.
 *
 * The first reader receives the records without created_at before or after all
 * others.  A resumed query excludes them, so another reader is opened for them.
 */
bool
range_resume(PageFetch *fetch, RangeReader *reader)
{
	bool is_at_end = reader->pages->is_at_end;

	if (reader->position == NO_TIME ||
		created_at_is_refused(fetch->source.api,
							  !is_at_end && reader->kind == RANGE_ALL &&
								  !fetch->order->is_dated))
		return false;
	if (reader->position != reader->resumed_at)
		keep_text(fetch, &reader->bound_text, NULL);
	else if (reader->is_exact &&
			 (reader->bound_text == NULL ||
			  strcmp(reader->last_text, reader->bound_text) != 0))
		keep_text(fetch, &reader->bound_text, reader->last_text);
	else if (!is_at_end || reader->pages->received >= fetch->most_received)
		return false;
	else
	{
		/*
		 * Another query returned more records, so this one was not limited: the
		 * API's announcement of further records was wrong.
		 */
		if (!reader->pages->is_like_cap)
			api_note_false_doubt(fetch->source.api);
		return true;
	}

	if (!is_at_end)
		read_dateless(fetch, reader);
	reader->resumed_at = reader->lower = reader->position;
	reader->is_part = reader->kind == RANGE_ALL;
	reader->is_done = false;
	reader->pages->query.filters =
		filters_from(fetch, reader->lower, reader->bound_text);
	reader->position = NO_TIME;
	page_reader_restart(reader->pages);
	return true;
}

/* Replaces a reader's string by a copy of text, or by NULL. */
static void
keep_text(PageFetch *fetch, char **kept, const char *text)
{
	char *copy =
		text != NULL ? MemoryContextStrdup(fetch->context, text) : NULL;

	if (*kept != NULL)
		pfree(*kept);
	*kept = copy;
}

/*
 * Opens a reader of the records without created_at, if the first one may miss
 * them.
 */
static void
read_dateless(PageFetch *fetch, const RangeReader *reader)
{
	MemoryContext old_context;

	if (reader->kind != RANGE_ALL || fetch->order->is_dated ||
		fetch->has_dateless)
		return;
	old_context = MemoryContextSwitchTo(fetch->context);
	page_fetch_add_reader(
		fetch, RANGE_DATELESS,
		lappend(list_copy(fetch->filters), created_at_filter_missing()), NULL,
		false);
	fetch->has_dateless = true;
	MemoryContextSwitchTo(old_context);
}

/*
 * Returns the filters of the fetch and of a range: from lower on, or from the
 * text exact on unless it is NULL.
 */
static List *
filters_from(PageFetch *fetch, int64 lower, const char *exact)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	List		 *filters = list_concat_copy(
				fetch->filters, exact != NULL ? created_at_filters_at(exact)
											  : created_at_filters_from(lower));

	MemoryContextSwitchTo(old_context);
	return filters;
}
