/*-------------------------------------------------------------------------
 *
 * range.c
 *	  Reads a long table with several cursors at once, over ranges of
 *	  created_at, which never changes.
 *
 * The first reader goes through everything in the order of created_at, and is
 * enough by itself.  Once its first page was not the last, one page is read from
 * the other end, which tells where the first reader may stop, and another query
 * takes the records without created_at.  From then on, whenever another request
 * may be made, a new reader takes over the upper half of what is left of the
 * range in which most is likely to be.
 *
 * Ranges are bounded by whole seconds, so that an API that cuts timestamps off
 * sorts the records on either side as we do; and a range's query begins a second
 * earlier.  What does not look like a range (a record outside, another order, a
 * refused filter) ends all that, and the first reader goes on alone.
 *
 * Knows nothing of plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "created_at.h"
#include "page_fetch_internal.h"

/* A range is worth a reader of its own from so many pages on. */
#define MIN_PAGES 2.0

/* Of so many pages, one more may bring little for the sake of new readers. */
#define PAGES_PER_THIN 8

/* The pages after which there are more readers, where few rows may do. */
#define HESITANT_PAGES 3

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
static List	 *filters_from(PageFetch *fetch, int64 lower);

/* Whether a fetch may be read by ranges of created_at. */
bool
range_are_possible(const PageFetch *fetch)
{
	const PageOrder *order = fetch->order;

	return order->may_split && fetch->limit <= 0 && !fetch->is_on_demand &&
		   fetch->settings->max_concurrency >= 2 &&
		   !created_at_is_refused(fetch->source.api, !order->is_dated);
}

/*
 * Opens as many readers as there may be, once there is something to share; the
 * page in hand is used up.
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
		!first->is_done &&
		(!fetch->order->is_hesitant || fetch->pages >= HESITANT_PAGES))
		open_ends(fetch);
	if (fetch->ranges == RANGES_OPEN)
	{
		while (fetch->reader_count < fetch->settings->max_concurrency &&
			   split_widest(fetch))
			;
	}
}

/* The first reader is no longer alone. */
static void
open_ends(PageFetch *fetch)
{
	int64		  position = fetch->readers[0]->position;
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);

	fetch->ranges = RANGES_OPEN;
	page_fetch_add_reader(fetch, RANGE_NEWEST, filters_from(fetch, position),
						  "created_at", true)
		->lower = position;
	if (!fetch->order->is_dated)
		page_fetch_add_reader(
			fetch, RANGE_DATELESS,
			lappend(list_copy(fetch->filters), created_at_filter_missing()),
			NULL, false);
	MemoryContextSwitchTo(old_context);
	fetch->counters->ranges += fetch->reader_count;
}

/*
 * Splits the range in which most is likely to be left, if it is worth it.  Where
 * records lie in heaps, that is a bad guess time and again, which is noticed by
 * pages that bring little.
 */
static bool
split_widest(PageFetch *fetch)
{
	RangeReader *widest = NULL;

	for (int i = 0; i < fetch->reader_count; i++)
	{
		if (widest == NULL ||
			records_left(fetch->readers[i]) > records_left(widest))
			widest = fetch->readers[i];
	}
	Assert(widest != NULL);
	if (fetch->thin >
		fetch->settings->max_concurrency + fetch->pages / PAGES_PER_THIN)
		return false;
	if (records_left(widest) < MIN_PAGES * fetch->source.page_size)
		return false;
	split(fetch, widest);
	return true;
}

/* How many records a reader is likely to find that can be left to another. */
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

/* A new reader takes over the upper half of what is left of a range. */
static void
split(PageFetch *fetch, RangeReader *reader)
{
	int64 from = Max(reader->position, Max(reader->lower, reader->no_split));
	int64 middle = from + (reader->upper - from) / 2;
	RangeReader *half = page_fetch_add_reader(
		fetch, RANGE_PART, filters_from(fetch, middle), "created_at", false);

	half->is_by_time = true;
	half->lower = middle;
	half->upper = reader->upper;
	half->density = reader->density;
	half->parent = reader;
	reader->upper = middle;
	fetch->counters->ranges++;
}

/*
 * Looks at the times of a page that has come for a reader, which may be the last
 * that it has to read.
 */
void
range_note_page(PageFetch *fetch, RangeReader *reader, const RecordPage *page)
{
	bool is_as_expected = true;

	if (reader->kind == RANGE_NEWEST)
		is_as_expected = note_newest(fetch, reader, page);
	else if (reader->kind == RANGE_DATELESS)
		is_as_expected = is_dateless(fetch, page);
	else if (reader->is_by_time)
		is_as_expected = note_part(fetch, reader, page);
	if (!is_as_expected)
		fall_back(fetch);
}

/* Whether a page has nothing but records without created_at. */
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
 * The page from the other end: the first reader may stop where it begins.
 * Returns false where it does not go back from the latest.
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
 * A page of a range.  Returns false where it is not in order, or has what does
 * not belong there.  The first reader also meets records without created_at,
 * before the others or after them.
 */
static bool
note_part(PageFetch *fetch, RangeReader *reader, const RecordPage *page)
{
	bool  is_first_page = reader->pages->pages == 1;
	int64 first = NO_TIME;
	int64 last = reader->position;

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
	}
	if (first == NO_TIME)
		return true;
	reader->position = last;
	reader->density = (double) page->count / Max(last - first, 1);
	if (last >= reader->upper)
		reader->is_done = true;
	else if (reader->kind == RANGE_PART && is_first_page &&
			 last < reader->lower && !reader->is_done)
		give_back(fetch, reader);
	return true;
}

/*
 * A whole page of a new range came from before it: so much was made in one second
 * that two readers would go through all that.  The other one gets it back.
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

/* A reader is to stop at a time that it may have reached. */
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
 * What a refusal means for ranges: they are given up.  Returns false where that
 * does not help.
 */
bool
range_note_refusal(PageFetch *fetch, RangeReader *reader, QueryResult result)
{
	if (fetch->ranges != RANGES_OPEN ||
		(reader->kind == RANGE_ALL && !reader->is_part) ||
		result == QUERY_NOT_SUPPORTED)
		return false;
	api_note_refusal(fetch->source.api,
					 result == QUERY_SORT_REFUSED	  ? "sort created_at"
					 : reader->kind == RANGE_DATELESS ? "created_at not_exists"
													  : "created_at gte");
	fall_back(fetch);
	return true;
}

/* The first reader goes on alone, through everything. */
static void
fall_back(PageFetch *fetch)
{
	RangeReader *first = fetch->readers[0];

	fetch->ranges = RANGES_NEVER;
	fetch->barren_allowed += fetch->pages;
	while (fetch->reader_count > 1)
		page_fetch_drop_reader(fetch, fetch->readers[1]);
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

/* A reader's cursor is gone: it begins anew, where it was if possible. */
void
range_restart(PageFetch *fetch, RangeReader *reader)
{
	if (fetch->ranges == RANGES_OPEN && reader->is_by_time &&
		reader->position != NO_TIME)
	{
		reader->lower = reader->position;
		reader->is_part = reader->kind == RANGE_ALL;
		reader->pages->query.filters = filters_from(fetch, reader->position);
	}
	reader->position = NO_TIME;
	page_reader_restart(reader->pages);
}

/* The fetch's filters, and that of a range. */
static List *
filters_from(PageFetch *fetch, int64 lower)
{
	MemoryContext old_context = MemoryContextSwitchTo(fetch->context);
	List		 *filters =
		list_concat_copy(fetch->filters, created_at_filters_from(lower));

	MemoryContextSwitchTo(old_context);
	return filters;
}
