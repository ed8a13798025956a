/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * sample.c
 *	  Samples a table's pages, and estimates the number of unread records.
 *
 * The API does not return the number of records, and a sample has a limited
 * number of requests.  It reads the first pages in order, which suffices for a
 * small table.  In a larger table it then reads pages elsewhere by created_at:
 * first the last page, and then pages from the gap that may have the most
 * records.
 *
 * A page covers a stretch of time and has a density, in records per second.
 * There is a gap between two stretches.  Its number of records is estimated
 * with the geometric mean of the densities on both sides.  So a second with
 * thousands of imported records has little effect on the months around it.
 * The next page, however, is read from the gap that would have the most
 * records at the greater of its two densities.  The estimate for a gap between
 * a dense and a sparse stretch may have the greatest error.
 *
 * If created_at cannot be used, or a response does not fit the query, the
 * sample continues to read the pages in order.
 *
 * Knows nothing about plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "api/created_at.h"
#include "base/seen_set.h"
#include "fetch/page_reader.h"
#include "fetch/sample.h"

/*
 * Number of pages that are read in order before others, and the limit of their
 * share of the requests, as a divisor.
 */
#define FIRST_PAGES 10
#define FIRST_PART 5

/* Times earlier and later than any record's. */
#define BEFORE_ALL PG_INT64_MIN
#define AFTER_ALL PG_INT64_MAX

/* Interval of created_at of which all records were read. */
typedef struct Stretch
{
	int			number; /* index of the page */
	PageReader *reader; /* reader that continues after it, or NULL */
	int64		from;
	int64		to;		 /* the last second, which may have unread records */
	double		density; /* records per second */
} Stretch;

/* Gap between a stretch and the next. */
typedef struct Gap
{
	int	   after; /* index of the stretch before it */
	int64  width; /* in seconds */
	double guess; /* estimated number of records */
	double most;  /* number of records at the greater density */
} Gap;

struct Sample
{
	MemoryContext	context;
	MemoryContext	page_context; /* context of the current page */
	const Settings *settings;
	PageSource		source;
	SeenSet		   *seen;
	int				created_at; /* index among the wanted attributes */
	int				limit;		/* limit of the number of requests */

	bool		 is_by_time;	/* sorted by created_at */
	bool		 is_spread;		/* the last page was read too */
	bool		 is_done;		/* no further page is needed or can be read */
	bool		 is_whole;		/* all records were read */
	bool		 is_first_gone; /* the first reader cannot continue */
	PageReader	*first;			/* reads all records from the start */
	int			 pages;			/* number of pages read */
	int			 page_length;	/* most records of a page */
	PageResponse response;		/* current page */

	Stretch *stretches; /* in order of time; room for one per request */
	int		 stretch_count;
};

static bool		   read_first(Sample *sample);
static void		   end_first(Sample *sample);
static bool		   ask_for_less(Sample *sample, QueryResult result);
static bool		   begin_without_sort(Sample *sample, QueryResult result);
static bool		   read_end(Sample *sample);
static bool		   read_gap(Sample *sample);
static bool		   read_on(Sample *sample, int after);
static bool		   read_middle(Sample *sample, Gap gap);
static PageReader *reader_from(Sample *sample, int64 from, bool is_descending);
static bool		   ask(Sample *sample, PageReader *reader, QueryResult *result);
static void		   note_refusal(Sample *sample, QueryResult result);
static void		   give_up_time(Sample *sample);
static bool span_of(const Sample *sample, bool is_descending, int64 *first,
					int64 *last);
static void insert_stretch(Sample *sample, int at, PageReader *reader,
						   int64 from, int64 to);
static bool find_gap(const Sample *sample, int after, Gap *gap);
static bool find_widest(const Sample *sample, Gap *widest, bool *can_read_all);
static void let_go_of_page(Sample *sample);

/*
 * Returns a sample that uses at most limit requests, which are charged to the
 * budget.  The argument by_time is true if the table's options permit to sort
 * and filter by created_at.  The sample lives in the current context.  Makes no
 * request yet.
 */
Sample *
sample_create(RecordCache *cache, const Settings *settings, bool by_time,
			  int limit, HttpBudget *budget)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw sample", ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	Sample		 *sample = palloc0(sizeof(Sample));
	ApiQuery	  query = {0};

	sample->context = context;
	sample->page_context = AllocSetContextCreate(
		context, "opportunity_fdw page", ALLOCSET_DEFAULT_SIZES);
	sample->settings = settings;
	sample->limit = limit;
	sample->source.api = record_cache_api(cache);
	sample->source.statement = record_cache_statement(cache);
	sample->source.wanted = record_cache_wanted(cache);
	sample->source.budget = budget;
	sample->source.page_size =
		api_page_size(sample->source.api, settings->page_size);
	sample->created_at =
		attribute_set_add(record_cache_wanted(cache), "created_at");
	sample->seen = seen_set_create();
	sample->stretches = palloc(limit * sizeof(Stretch));
	sample->is_by_time =
		by_time && !created_at_is_refused(sample->source.api, false);

	query.sort = sample->is_by_time ? "created_at" : NULL;
	query.limit = sample->source.page_size;
	sample->first = page_reader_create(&sample->source, &query);
	MemoryContextSwitchTo(old_context);
	return sample;
}

/*
 * Reads the next page; its records are valid until the next call.  Returns
 * false if no further page is worth a request, or the limit is reached.  Raises
 * the errors of api.h.
 */
bool
sample_next(Sample *sample, SamplePage *page)
{
	int	 first_pages = Max(1, Min(FIRST_PAGES, sample->limit / FIRST_PART));
	bool found = false;

	let_go_of_page(sample);
	while (!found && !sample->is_done &&
		   sample->source.budget->requests < sample->limit)
	{
		if (sample->is_spread)
			found = read_gap(sample);
		else if (sample->is_by_time &&
				 (sample->is_first_gone || sample->pages >= first_pages))
			found = read_end(sample);
		else
			found = read_first(sample);
	}
	if (!found)
		return false;

	page->number = sample->pages++;
	page->count = 0;
	page->records = MemoryContextAlloc(sample->page_context,
									   Max(sample->response.page->count, 1) *
										   sizeof(Record *));
	for (int i = 0; i < sample->response.page->count; i++)
	{
		Record *record = sample->response.page->records[i];

		if (seen_set_add(sample->seen, &record->id))
			page->records[page->count++] = record;
	}
	return true;
}

/* Returns the coverage of the table by the pages read so far. */
SampleScope
sample_scope(const Sample *sample)
{
	return sample->is_whole	   ? SAMPLE_WHOLE
		   : sample->is_spread ? SAMPLE_SPREAD
							   : SAMPLE_START;
}

/*
 * Returns, for each page, the estimated number of unread records that it
 * represents.  The array is palloc'd in the current context.
 */
double *
sample_unread(const Sample *sample)
{
	double *unread = palloc0(Max(sample->pages, 1) * sizeof(double));
	Gap		gap;

	if (!sample->is_spread)
		return unread;
	for (int i = 0; i < sample->stretch_count - 1; i++)
	{
		if (!find_gap(sample, i, &gap))
			continue;
		unread[sample->stretches[i].number] += gap.guess / 2;
		unread[sample->stretches[i + 1].number] += gap.guess / 2;
	}
	return unread;
}

/* Releases the sample. */
void
sample_end(Sample *sample)
{
	let_go_of_page(sample);
	seen_set_end(sample->seen);
	MemoryContextDelete(sample->context);
}

/* Reads the next page in order.  Returns true if it became the current page. */
static bool
read_first(Sample *sample)
{
	bool		is_known = sample->stretch_count > 0;
	QueryResult result;
	int64		first;
	int64		last;

	if (!ask(sample, sample->first, &result))
	{
		if (sample->first->cursor != NULL && result != QUERY_NOT_SUPPORTED)
			end_first(sample);
		else if (!ask_for_less(sample, result) &&
				 !begin_without_sort(sample, result))
			api_raise_refusal(sample->source.api, sample->response.transfer);
		return false;
	}
	if (sample->source.page_size < sample->settings->page_size)
		api_limit_page_size(sample->source.api, sample->source.page_size);
	sample->is_done = sample->first->is_at_end;
	sample->is_whole = sample->is_done && !sample->first->is_doubtful;
	if (!sample->is_by_time)
		return true;

	/* The API may have ended the query before its last record. */
	if (!sample->is_whole && sample->is_done)
	{
		sample->is_done = false;
		sample->is_first_gone = true;
	}
	if (!span_of(sample, false, &first, &last) ||
		(is_known && first < sample->stretches[sample->stretch_count - 1].to))
		sample->is_by_time = false;
	else if (first != AFTER_ALL)
	{
		if (is_known)
		{
			first = sample->stretches[sample->stretch_count - 1].to;
			sample->stretches[sample->stretch_count - 1].reader = NULL;
		}
		insert_stretch(sample, sample->stretch_count, sample->first, first,
					   last);
	}
	return true;
}

/* Ends the first reader.  Others start at its last time. */
static void
end_first(Sample *sample)
{
	sample->is_first_gone = true;
	if (sample->is_by_time && sample->stretch_count > 0)
		sample->stretches[sample->stretch_count - 1].reader = NULL;
	else
		sample->is_done = true;
}

/*
 * Halves the size of the first page.  Returns false if the rejection cannot
 * concern the size.
 */
static bool
ask_for_less(Sample *sample, QueryResult result)
{
	ApiQuery *query = &sample->first->query;

	if (result != QUERY_REFUSED || sample->first->cursor != NULL ||
		query->limit == 1)
		return false;
	query->limit = sample->source.page_size = (query->limit + 1) / 2;
	return true;
}

/* Restarts a rejected query without a sort.  Returns false if it had none. */
static bool
begin_without_sort(Sample *sample, QueryResult result)
{
	if (!sample->is_by_time || sample->first->cursor != NULL ||
		result == QUERY_NOT_SUPPORTED)
		return false;
	if (result == QUERY_SORT_REFUSED)
		api_note_refusal(sample->source.api, &created_at_sort, result);
	sample->is_by_time = false;
	sample->first->query.sort = NULL;
	sample->first->query.limit = sample->source.page_size =
		api_page_size(sample->source.api, sample->settings->page_size);
	page_reader_restart(sample->first);
	return true;
}

/* Reads the last page.  Returns true if it became the current page. */
static bool
read_end(Sample *sample)
{
	QueryResult result;
	PageReader *reader;
	int64		first;
	int64		last;
	int64		start;

	if (sample->stretch_count == 0)
	{
		give_up_time(sample);
		return false;
	}
	start = sample->stretches[sample->stretch_count - 1].to;
	reader = reader_from(sample, start, true);
	if (!ask(sample, reader, &result))
	{
		note_refusal(sample, result);
		return false;
	}
	if (!span_of(sample, true, &first, &last) || first == AFTER_ALL ||
		first < start - CREATED_AT_MARGIN - 1)
	{
		give_up_time(sample);
		return true;
	}

	/* The page may lack records of its first second. */
	insert_stretch(
		sample, sample->stretch_count, NULL,
		reader->is_at_end && !reader->is_doubtful ? start : first + 1, last);
	sample->stretches[sample->stretch_count - 1].to = AFTER_ALL;
	sample->is_spread = true;
	page_reader_end(reader);
	return true;
}

/*
 * Reads a page of the gap with the most records: the page after the preceding
 * stretch if that may fill the gap, otherwise a page from its middle.  Returns
 * true if it became the current page.
 */
static bool
read_gap(Sample *sample)
{
	Gap	 gap = {0};
	bool can_read_all;

	if (!find_widest(sample, &gap, &can_read_all))
	{
		sample->is_whole = sample->is_done = true;
		return false;
	}
	if (can_read_all || gap.width < 2 || gap.most <= sample->page_length)
		return read_on(sample, gap.after);
	return read_middle(sample, gap);
}

/*
 * Reads the page after a stretch.  Returns true if it became the current page.
 */
static bool
read_on(Sample *sample, int after)
{
	Stretch	   *stretch = &sample->stretches[after];
	PageReader *reader = stretch->reader;
	bool		is_new = reader == NULL;
	QueryResult result;
	int64		first;
	int64		last;

	if (is_new)
		reader = reader_from(sample, stretch->to, false);
	if (!ask(sample, reader, &result))
	{
		/* Another query can start there. */
		stretch->reader = NULL;
		if (is_new || result == QUERY_NOT_SUPPORTED)
			note_refusal(sample, result);
		return false;
	}
	if (!span_of(sample, false, &first, &last) ||
		first < stretch->to - (is_new ? CREATED_AT_MARGIN + 1 : 0))
	{
		give_up_time(sample);
		return true;
	}
	sample->is_whole = sample->is_done =
		reader == sample->first && reader->is_at_end && !reader->is_doubtful;
	stretch->reader = NULL;
	/* Records without created_at may be sorted last. */
	insert_stretch(sample, after + 1, reader, stretch->to,
				   first == AFTER_ALL ? AFTER_ALL : last);
	return true;
}

/*
 * Reads a page from the middle of a gap.  Returns true if it became the current
 * page.
 */
static bool
read_middle(Sample *sample, Gap gap)
{
	int64		middle = sample->stretches[gap.after].to + gap.width / 2;
	PageReader *reader = reader_from(sample, middle, false);
	QueryResult result;
	int64		first;
	int64		last;

	if (!ask(sample, reader, &result))
	{
		note_refusal(sample, result);
		return false;
	}
	/* The gap's end is a stretch with records, so the query has a result. */
	if (!span_of(sample, false, &first, &last) || first == AFTER_ALL ||
		first < middle - CREATED_AT_MARGIN - 1)
	{
		give_up_time(sample);
		return true;
	}
	insert_stretch(sample, gap.after + 1, reader, middle, last);
	return true;
}

/*
 * Returns a reader of the records from a time on, in either order of
 * created_at.
 */
static PageReader *
reader_from(Sample *sample, int64 from, bool is_descending)
{
	MemoryContext old_context = MemoryContextSwitchTo(sample->context);
	ApiQuery	  query = {0};
	PageReader	 *reader;

	query.filters = created_at_filters_from(from);
	query.sort = "created_at";
	query.is_descending = is_descending;
	query.limit = sample->source.page_size;
	reader = page_reader_create(&sample->source, &query);
	MemoryContextSwitchTo(old_context);
	return reader;
}

/*
 * Requests and reads a reader's next page that is not empty.  Sets *result, and
 * returns true if the page became the current page.
 */
static bool
ask(Sample *sample, PageReader *reader, QueryResult *result)
{
	MemoryContext old_context;

	do
	{
		let_go_of_page(sample);
		page_reader_send(reader);
		old_context = MemoryContextSwitchTo(sample->page_context);
		sample->response = page_reader_read(reader);
		MemoryContextSwitchTo(old_context);
		*result = sample->response.result;
		if (*result != QUERY_PAGE)
			return false;
	} while (sample->response.page->count == 0 && !reader->is_at_end &&
			 sample->source.budget->requests < sample->limit);
	sample->page_length =
		Max(sample->page_length, sample->response.page->count);
	return true;
}

/*
 * Notes for the session that the API rejects queries by created_at, unless only
 * the value was rejected.  Raises an error if the API rejects all queries.
 */
static void
note_refusal(Sample *sample, QueryResult result)
{
	CHECK_FOR_INTERRUPTS();
	if (result == QUERY_NOT_SUPPORTED || result == QUERY_CURSOR_GONE)
		api_raise_refusal(sample->source.api, sample->response.transfer);
	api_note_refusal(sample->source.api,
					 result == QUERY_SORT_REFUSED ? &created_at_sort
												  : &created_at_from,
					 result);
	give_up_time(sample);
}

/* Continues with the first reader alone. */
static void
give_up_time(Sample *sample)
{
	sample->is_by_time = false;
	sample->is_spread = false;
}

/*
 * Sets *first and *last to the earliest and the latest second of the current
 * page; to AFTER_ALL and BEFORE_ALL if no record has a created_at.  Returns
 * false if the page is not in order.
 */
static bool
span_of(const Sample *sample, bool is_descending, int64 *first, int64 *last)
{
	const RecordPage *page = sample->response.page;
	int64			  previous = is_descending ? AFTER_ALL : BEFORE_ALL;

	*first = AFTER_ALL;
	*last = BEFORE_ALL;
	for (int i = 0; i < page->count; i++)
	{
		int64 seconds;

		if (!created_at_read(page->records[i], sample->created_at, &seconds))
			continue;
		if (is_descending ? seconds > previous : seconds < previous)
			return false;
		previous = seconds;
		*first = Min(*first, seconds);
		*last = Max(*last, seconds);
	}
	return true;
}

/*
 * Inserts the stretch that the current page covers.  It may overlap the
 * stretches after it.  If its reader is at the end, it extends to the end of
 * time.
 */
static void
insert_stretch(Sample *sample, int at, PageReader *reader, int64 from, int64 to)
{
	Stretch *stretch = &sample->stretches[at];
	bool	 is_at_end = reader != NULL && reader->is_at_end;
	bool	 is_last = is_at_end && !reader->is_doubtful;

	memmove(stretch + 1, stretch,
			(sample->stretch_count - at) * sizeof(Stretch));
	sample->stretch_count++;
	to = Max(from, to);
	stretch->number = sample->pages;
	stretch->reader = is_at_end ? NULL : reader;
	stretch->from = from;
	stretch->to = is_last ? AFTER_ALL : to;
	stretch->density =
		sample->response.page->count / Max((double) to - (double) from, 1);
	for (int i = at + 1; i < sample->stretch_count; i++)
		sample->stretches[i].to =
			Max(sample->stretches[i].to, sample->stretches[i - 1].to);
}

/* Finds the gap after a stretch.  Returns false if there is none. */
static bool
find_gap(const Sample *sample, int after, Gap *gap)
{
	const Stretch *before = &sample->stretches[after];
	const Stretch *behind = before + 1;

	if (behind->from <= before->to)
		return false;
	gap->after = after;
	gap->width = behind->from - before->to;
	gap->guess = sqrt(before->density * behind->density) * (double) gap->width;
	gap->most = Max(before->density, behind->density) * (double) gap->width;
	return true;
}

/*
 * Finds the gap that may have the most records.  Returns false if there is
 * none.  Sets *can_read_all to true if the remaining requests suffice for all
 * gaps.
 */
static bool
find_widest(const Sample *sample, Gap *widest, bool *can_read_all)
{
	double needed = 0;
	Gap	   gap;

	widest->most = -1;
	for (int i = 0; i < sample->stretch_count - 1; i++)
	{
		if (!find_gap(sample, i, &gap))
			continue;
		needed += ceil(gap.most / Max(sample->page_length, 1)) + 1;
		if (gap.most > widest->most)
			*widest = gap;
	}
	*can_read_all = needed <= sample->limit - sample->source.budget->requests;
	return widest->most >= 0;
}

/* Releases the current page. */
static void
let_go_of_page(Sample *sample)
{
	if (sample->response.transfer != NULL)
		http_end(sample->response.transfer);
	memset(&sample->response, 0, sizeof(sample->response));
	MemoryContextReset(sample->page_context);
}
