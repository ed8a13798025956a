/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * sample.c
 *	  Samples a table's pages, and estimates the number of unread records.
 *
 * The API does not return the number of records, and a sample has a limited
 * number of requests.  The sample reads the first pages by created_at, and then
 * the last one.  A page covers a stretch of time, and a gap between two
 * stretches has unread records, whose number follows from the density on both
 * sides.  If the remaining requests suffice for all gaps, the sample reads them
 * in order.  Otherwise it reads a page from the middle of the largest gap.
 *
 * If created_at cannot be used, or a page does not fit its query, the sample
 * continues with the first query alone.
 *
 * Must not know plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "api/api_facts.h"
#include "base/seen_set.h"
#include "fetch/page_reader.h"
#include "fetch/sample.h"

/* Divisor of the requests: the share that reads the first pages. */
#define FIRST_PART 5

/* A time later than any record's. */
#define AFTER_ALL PG_INT64_MAX

/* Interval of created_at of which all records were read. */
typedef struct Stretch
{
	int			page;	/* index of the page */
	PageReader *reader; /* reader that continues after it, or NULL */
	int64		from;
	int64		to;		 /* the last second, which may have unread records */
	double		density; /* records per second */
} Stretch;

typedef enum SamplePhase
{
	SAMPLE_FIRST, /* the first pages by created_at, and the last one */
	SAMPLE_GAPS,  /* pages of the gaps */
	SAMPLE_PLAIN  /* the first query's pages in any order */
} SamplePhase;

struct Sample
{
	HttpBudget	  budget;
	PageSource	  source;
	SeenSet		 *seen;
	int			  created_at; /* index among the wanted attributes */
	int			  limit;	  /* limit of the number of requests */
	SamplePhase	  phase;
	PageReader	 *first;	/* reader of all records; NULL if it has ended */
	bool		  is_whole; /* all records were read */
	MemoryContext page_context;
	PageResponse  response;	   /* current page, in page_context */
	int			  pages;	   /* number of pages read before it */
	int			  page_length; /* most records of a page */
	Stretch		  stretches[SAMPLE_MAX_REQUESTS]; /* in order of time */
	int			  stretch_count;
};

/*
 * Returns a sample of a table, for at most SAMPLE_MAX_REQUESTS requests.  The
 * argument by_time is true if the table's options permit to sort and filter by
 * created_at.  The sample lives in the current context.  Makes no request yet.
 */
Sample *
sample_create(RecordSource *records, const Settings *settings, bool by_time)
{
	Sample	  *sample = palloc0(sizeof(Sample));
	Api		  *api = records->api;
	Statement *statement = records->statement;
	ApiQuery   query = {0};

	sample->budget = statement_budget(statement, settings->max_requests);
	sample->source.api = api;
	sample->source.statement = statement;
	sample->source.wanted = records->wanted;
	sample->source.budget = &sample->budget;
	sample->source.page_size = api_page_size(api, settings->page_size);
	sample->seen = seen_set_create();
	sample->created_at = attribute_set_add(records->wanted, "created_at");
	sample->limit = SAMPLE_MAX_REQUESTS;
	if (settings->max_requests > 0)
		sample->limit = Min(sample->limit, settings->max_requests);
	sample->page_context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw page", ALLOCSET_DEFAULT_SIZES);

	if (by_time && !created_at_is_refused(api, false))
		query.sort = "created_at";
	else
		sample->phase = SAMPLE_PLAIN;
	query.limit = sample->source.page_size;
	sample->first = page_reader_create(&sample->source, &query);
	return sample;
}

/*
 * Inserts the stretch that the current page covers, as the stretch with the
 * number at.  The page has records from a time on, or until the table's end,
 * and may overlap the stretches after it.  Its reader can continue after it.
 *
 * If the page is not in order or does not fit its query, the sample no longer
 * uses created_at.
 */
static void
insert_stretch(Sample *sample, PageReader *reader, int at, int64 from)
{
	const RecordPage *page = sample->response.page;
	bool			  is_descending = reader->query.is_descending;
	Stretch			 *stretch = &sample->stretches[at];
	int64			  first = AFTER_ALL;
	int64			  last = PG_INT64_MIN;
	int64			  seconds;

	for (int i = 0; i < page->count; i++)
	{
		int number = is_descending ? page->count - 1 - i : i;

		if (!created_at_read(page->records[number], sample->created_at,
							 &seconds))
			continue;
		if (seconds < last)
			sample->phase = SAMPLE_PLAIN;
		last = seconds;
		first = Min(first, seconds);
	}
	/* Only the first query returns records without created_at. */
	if (first == AFTER_ALL ? reader != sample->first && reader->is_at_end
						   : first + CREATED_AT_MARGIN + 1 < from)
		sample->phase = SAMPLE_PLAIN;
	if (first == AFTER_ALL || sample->phase == SAMPLE_PLAIN)
		return;

	memmove(stretch + 1, stretch,
			(sample->stretch_count - at) * sizeof(Stretch));
	sample->stretch_count++;
	stretch->page = sample->pages;
	stretch->reader = reader->is_at_end ? NULL : reader;
	stretch->from = at == 0 ? first : from;
	if (is_descending)
	{
		/* The last page may lack records of its first second. */
		if (!reader->is_at_end || reader->doubt != DOUBT_NONE)
			stretch->from = first + 1;
		sample->phase = SAMPLE_GAPS;
	}
	stretch->to = Max(stretch->from, last);
	stretch->density =
		page->count / Max((double) (stretch->to - stretch->from), 1);
	for (int i = at + 1; i < sample->stretch_count; i++)
		sample->stretches[i].to =
			Max(sample->stretches[i].to, sample->stretches[i - 1].to);
}

/*
 * Reads a reader's next page, from a time on, as the stretch with the number
 * at.  Returns true if it became the current page.
 *
 * If the API rejects a query by created_at, the session notes it, and the
 * sample no longer uses created_at.  Raises an error if the API rejects all
 * queries.
 */
static bool
read_stretch(Sample *sample, PageReader *reader, int at, int64 from)
{
	PageResponse *response = &sample->response;
	RefusedPart	  part;
	List		 *refused;

	do
	{
		MemoryContext old_context;

		if (response->transfer != NULL)
			http_end(response->transfer);
		response->transfer = NULL;
		MemoryContextReset(sample->page_context);
		page_reader_send(reader);
		old_context = MemoryContextSwitchTo(sample->page_context);
		*response = page_reader_read(reader);
		MemoryContextSwitchTo(old_context);
	} while (response->result == QUERY_PAGE && response->page->count == 0 &&
			 !reader->is_at_end && sample->budget.requests < sample->limit);

	if (response->result == QUERY_PAGE)
	{
		sample->page_length = Max(sample->page_length, response->page->count);
		if (sample->phase != SAMPLE_PLAIN)
			insert_stretch(sample, reader, at, from);
		if (reader == sample->first && reader->is_at_end)
		{
			sample->is_whole = reader->doubt == DOUBT_NONE;
			sample->first = NULL;
		}
		return true;
	}
	part =
		refusal_find(reader, response->result, reader->query.filters, &refused);
	if (part == REFUSED_CURSOR && reader == sample->first)
		sample->first = NULL;
	if (part == REFUSED_CURSOR || part == REFUSED_SIZE)
		return false;
	if (part == REFUSED_ENDPOINT || sample->phase == SAMPLE_PLAIN)
		api_raise_refusal(sample->source.api, response->transfer);
	if (part == REFUSED_FILTERS)
		api_note_refusal(sample->source.api, &created_at_from,
						 ((RefusedFilter *) linitial(refused))->result);
	sample->phase = SAMPLE_PLAIN;
	if (sample->first != NULL)
		sample->first->query.sort = NULL;
	return false;
}

/* Returns a new reader by created_at, from a time on. */
static PageReader *
reader_from(Sample *sample, int64 from, bool is_descending)
{
	ApiQuery query = {0};

	query.filters = created_at_filters(OPERATOR_GTE, from);
	query.sort = "created_at";
	query.is_descending = is_descending;
	query.limit = sample->source.page_size;
	return page_reader_create(&sample->source, &query);
}

/*
 * Returns the estimated number of records in the gap after a stretch.  The time
 * per record is interpolated between both sides, so that a second with thousands
 * of imported records has little effect on the months around it.  If is_high,
 * the density is interpolated instead: the gap may have as many records.
 */
static double
unread_after(const Stretch *stretch, bool is_high)
{
	double before = stretch->density;
	double behind = stretch[1].density;

	if (stretch[1].from <= stretch->to)
		return 0;
	return (double) (stretch[1].from - stretch->to) *
		   (is_high ? (before + behind) / 2
					: 2 * before * behind / (before + behind));
}

/*
 * Reads a page of the gap that may have the most records, like read_stretch.
 * It is the gap's first page if the remaining requests suffice for all gaps, or
 * if the gap cannot be divided.  Otherwise it is a page from the middle.
 */
static bool
read_gap(Sample *sample)
{
	int64		requests = sample->limit - sample->budget.requests;
	double		sum = 0;
	double		most = 0;
	int			at = 0;
	PageReader *reader = NULL;
	int64		from;
	int64		width;
	Stretch	   *before;

	for (int i = 1; i < sample->stretch_count; i++)
	{
		double unread = unread_after(&sample->stretches[i - 1], true);

		sum += unread;
		if (unread > most)
		{
			most = unread;
			at = i;
		}
	}
	if (at == 0)
	{
		sample->is_whole = true;
		return false;
	}
	before = &sample->stretches[at - 1];
	from = before->to;
	width = before[1].from - from;
	if (width > 1 && sum > (double) requests * sample->page_length)
		from += width / 2;
	else
	{
		reader = before->reader;
		before->reader = NULL;
	}
	if (reader == NULL)
		reader = reader_from(sample, from, false);
	return read_stretch(sample, reader, at, from);
}

/*
 * Reads the next page.  Returns the records that no earlier page had, which are
 * valid until the next call.  Returns NULL if no further page is worth a
 * request, or the limit is reached.  Must be called in the sample's context.
 * Raises the errors of api_finish_query.
 */
const RecordPage *
sample_next(Sample *sample)
{
	bool		found = false;
	int			count = 0;
	RecordPage *page;

	while (!found)
	{
		int	  at = sample->stretch_count;
		int64 from = at > 0 ? sample->stretches[at - 1].to : PG_INT64_MIN;

		if (sample->is_whole || sample->budget.requests >= sample->limit)
			return NULL;
		if (sample->phase == SAMPLE_GAPS)
			found = read_gap(sample);
		else if (sample->phase == SAMPLE_FIRST && at > 0 &&
				 (sample->first == NULL ||
				  sample->pages * FIRST_PART >= sample->limit))
			found =
				read_stretch(sample, reader_from(sample, from, true), at, from);
		else if (sample->first != NULL)
		{
			if (at > 0)
				sample->stretches[at - 1].reader = NULL;
			found = read_stretch(sample, sample->first, at, from);
		}
		else
			return NULL;
	}
	sample->pages++;
	page = sample->response.page;
	for (int i = 0; i < page->count; i++)
	{
		if (seen_set_add(sample->seen, &page->records[i]->id))
			page->records[count++] = page->records[i];
	}
	page->count = count;
	return page;
}

/*
 * Adds to unread, for each page that was read, the estimated number of unread
 * records that it represents.  Returns false if that is unknown, because only
 * the first pages in the API's order were read.
 */
bool
sample_estimate(const Sample *sample, double *unread)
{
	if (sample->phase == SAMPLE_GAPS)
	{
		for (int i = 1; i < sample->stretch_count; i++)
		{
			const Stretch *before = &sample->stretches[i - 1];
			double		   number = unread_after(before, false);

			unread[before->page] += number / 2;
			unread[before[1].page] += number / 2;
		}
	}
	return sample->is_whole || sample->phase == SAMPLE_GAPS;
}
