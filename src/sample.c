/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * sample.c
 *	  Some pages of a table, and how many records there are beside them.
 *
 * The API does not say how many records there are, and who wants to know has
 * only so many requests.  The first pages are read one after another, which is
 * all that a small table takes.  A larger one is then looked at in other places,
 * by created_at: at its end, and from there on wherever most may be hidden.
 *
 * A page that was read covers a stretch of time, in which there are so many
 * records per second.  Between two stretches there is a gap.  What is in it is
 * guessed from the stretches on either side: the geometric mean of their
 * densities counts, so that the second into which thousands were imported says
 * little of the months beside it.  But the next page is read where the greater
 * of both densities would make for most records: a gap between a crowded stretch
 * and a quiet one is what may be most wrong about the guess.
 *
 * Where created_at cannot be asked for, or an answer is not what was asked for,
 * the first pages are simply gone on with.
 *
 * Knows nothing of plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "created_at.h"
#include "page_reader.h"
#include "sample.h"
#include "seen_set.h"

/* So many pages are read from the start, or this part of all, before others. */
#define FIRST_PAGES 10
#define FIRST_PART 5

/* A time before and after that of any record, in seconds. */
#define BEFORE_ALL PG_INT64_MIN
#define AFTER_ALL PG_INT64_MAX

/* The time that a page covers: nothing in between was left out. */
typedef struct Stretch
{
	int			number; /* of the page */
	PageReader *reader; /* that goes on behind it, or NULL */
	int64		from;
	int64		to;		 /* there may be more in that second */
	double		density; /* records per second */
} Stretch;

/* What there may be between a stretch and the next. */
typedef struct Gap
{
	int	   after; /* the number of the stretch before it, by time */
	int64  width; /* seconds */
	double guess; /* records that are likely in it */
	double most;  /* those that there may be */
} Gap;

struct Sample
{
	MemoryContext	context;
	MemoryContext	page_context; /* of the page in hand */
	const Settings *settings;
	PageSource		source;
	SeenSet		   *seen;
	int				created_at; /* its number among the wanted */
	int				limit;		/* of requests */

	bool		is_by_time;	   /* sorted by created_at */
	bool		is_spread;	   /* the end has been looked at, too */
	bool		is_done;	   /* there is nothing left to read, or no way */
	bool		is_whole;	   /* everything has been read */
	bool		is_first_gone; /* the first reader cannot go on */
	PageReader *first;		   /* from the start, through everything */
	int			pages;		   /* read */
	int			page_length;   /* records of the longest */
	PageAnswer	answer;		   /* the page in hand */

	Stretch *stretches; /* by time; room for one per request */
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
 * Sets out to read some pages, with at most so many requests, which are charged
 * to the budget.  by_time: the table leaves it open to ask for created_at.  Lives
 * in the current context; makes no request yet.
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
 * Reads the next page; its records are gone with the next call.  False where no
 * further page is worth a request, or may be asked for.  Raises the errors of
 * api.h.
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
									   Max(sample->answer.page->count, 1) *
										   sizeof(Record *));
	for (int i = 0; i < sample->answer.page->count; i++)
	{
		Record *record = sample->answer.page->records[i];

		if (seen_set_add(sample->seen, &record->id))
			page->records[page->count++] = record;
	}
	return true;
}

/* How much of the table the pages have shown that were read so far. */
SampleScope
sample_scope(const Sample *sample)
{
	return sample->is_whole	   ? SAMPLE_WHOLE
		   : sample->is_spread ? SAMPLE_SPREAD
							   : SAMPLE_START;
}

/*
 * For each page, how many records there are likely to be that nobody has read and
 * that it stands for; in the current context.
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

/* Lets go of all that is kept. */
void
sample_end(Sample *sample)
{
	let_go_of_page(sample);
	seen_set_end(sample->seen);
	MemoryContextDelete(sample->context);
}

/* The next page from the start.  Returns whether there is one in hand. */
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
			api_raise_refusal(sample->source.api, sample->answer.transfer);
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

/* The first reader cannot go on; others begin where it has been. */
static void
end_first(Sample *sample)
{
	sample->is_first_gone = true;
	if (sample->is_by_time && sample->stretch_count > 0)
		sample->stretches[sample->stretch_count - 1].reader = NULL;
	else
		sample->is_done = true;
}

/* Whether it may be the size of the first page that is refused. */
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

/* Whether a refused query may do without its sort; then it begins anew. */
static bool
begin_without_sort(Sample *sample, QueryResult result)
{
	if (!sample->is_by_time || sample->first->cursor != NULL ||
		result == QUERY_NOT_SUPPORTED)
		return false;
	if (result == QUERY_SORT_REFUSED)
		api_note_refusal(sample->source.api, "sort created_at");
	sample->is_by_time = false;
	sample->first->query.sort = NULL;
	sample->first->query.limit = sample->source.page_size =
		api_page_size(sample->source.api, sample->settings->page_size);
	page_reader_restart(sample->first);
	return true;
}

/* A page from the end.  Returns whether there is one in hand. */
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

	/* Of its first second it may not show everything. */
	insert_stretch(
		sample, sample->stretch_count, NULL,
		reader->is_at_end && !reader->is_doubtful ? start : first + 1, last);
	sample->stretches[sample->stretch_count - 1].to = AFTER_ALL;
	sample->is_spread = true;
	page_reader_end(reader);
	return true;
}

/*
 * A page of the gap about which least is known: from its middle, or going on from
 * its beginning where that may fill it.
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

/* The page behind a stretch.  Returns whether there is one in hand. */
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
		/* From there on, another query will do. */
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
	/* Those without created_at may come last. */
	insert_stretch(sample, after + 1, reader, stretch->to,
				   first == AFTER_ALL ? AFTER_ALL : last);
	return true;
}

/* The page from the middle of a gap.  Returns whether there is one in hand. */
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
	/* There was something behind it before. */
	if (!span_of(sample, false, &first, &last) || first == AFTER_ALL ||
		first < middle - CREATED_AT_MARGIN - 1)
	{
		give_up_time(sample);
		return true;
	}
	insert_stretch(sample, gap.after + 1, reader, middle, last);
	return true;
}

/* A reader of the records from some time on, from the earliest or the latest. */
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
 * Asks for a reader's next page that is not empty, and takes the answer in hand.
 * Returns whether it is a page; if not, what it is.
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
		sample->answer = page_reader_read(reader);
		MemoryContextSwitchTo(old_context);
		*result = sample->answer.result;
		if (*result != QUERY_PAGE)
			return false;
	} while (sample->answer.page->count == 0 && !reader->is_at_end &&
			 sample->source.budget->requests < sample->limit);
	sample->page_length = Max(sample->page_length, sample->answer.page->count);
	return true;
}

/*
 * A query by created_at is refused: the session asks for none again, unless it
 * was only for that time.  Raises an error where all queries are refused.
 */
static void
note_refusal(Sample *sample, QueryResult result)
{
	CHECK_FOR_INTERRUPTS();
	if (result == QUERY_NOT_SUPPORTED || result == QUERY_CURSOR_GONE)
		api_raise_refusal(sample->source.api, sample->answer.transfer);
	if (result == QUERY_SORT_REFUSED)
		api_note_refusal(sample->source.api, "sort created_at");
	else if (result == QUERY_FILTER_REFUSED)
		api_note_refusal(sample->source.api, "created_at gte");
	else if (result == QUERY_REFUSED)
		api_suspect(sample->source.api, "created_at gte");
	give_up_time(sample);
}

/* Only the first reader goes on. */
static void
give_up_time(Sample *sample)
{
	sample->is_by_time = false;
	sample->is_spread = false;
}

/*
 * The earliest and the latest second of the page in hand; AFTER_ALL and
 * BEFORE_ALL where no record says when it was made.  Returns false where the page
 * is not in order.
 */
static bool
span_of(const Sample *sample, bool is_descending, int64 *first, int64 *last)
{
	const RecordPage *page = sample->answer.page;
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
 * The page in hand covers a stretch of time.  It may reach beyond the stretches
 * that come after it; where its reader is at the end, beyond all of them.
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
		sample->answer.page->count / Max((double) to - (double) from, 1);
	for (int i = at + 1; i < sample->stretch_count; i++)
		sample->stretches[i].to =
			Max(sample->stretches[i].to, sample->stretches[i - 1].to);
}

/* The gap after a stretch; false where there is none. */
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
 * The gap in which there may be most; false where there is none.  *can_read_all:
 * whether the requests that are left fill all gaps.
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

/* The page in hand has been used. */
static void
let_go_of_page(Sample *sample)
{
	if (sample->answer.transfer != NULL)
		http_end(sample->answer.transfer);
	memset(&sample->answer, 0, sizeof(sample->answer));
	MemoryContextReset(sample->page_context);
}
