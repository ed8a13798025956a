/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * analyze.c
 *	  ANALYZE of a foreign table: sample rows, and the estimated number of
 *	  records.
 *
 * The API does not return the number of records, and a sample has a limited
 * number of requests.  It reads the first pages by created_at, and then the
 * last one.  A page covers a stretch of time, and a gap between two stretches
 * has unread records, whose number follows from the density on both sides.  If
 * the remaining requests suffice for all gaps, the sample reads them in order.
 * Otherwise it reads pages from the middle of the largest gaps.  It reads one
 * page of each of several gaps in parallel.
 *
 * If created_at cannot be used, or a page does not fit its query, the sample
 * continues with the first query alone.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "admin/admin.h"
#include "base/compat.h"
#include "base/id.h"
#include "exec/row.h"
#include "fetch/page_reader.h"
#include "plan/plan.h"

/* Limit of the requests, and so of the pages, of a sample. */
#define MAX_SAMPLE_REQUESTS 50

/* Number of pages that are read before the last one. */
#define FIRST_PAGES 2

/*
 * A gap of more pages is divided even if all of it is read, because one cursor
 * returns one page after the other.
 */
#define UNDIVIDED_PAGES 8

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
	int			chosen;	 /* number of pages in flight of the gap after it */
} Stretch;

/* A request for a page of records from a time on. */
typedef struct Probe
{
	PageReader *reader;
	int64		from;
} Probe;

typedef enum SamplePhase
{
	SAMPLE_FIRST, /* the first pages by created_at, and the last one */
	SAMPLE_GAPS,  /* pages of the gaps */
	SAMPLE_PLAIN  /* the first query's pages in any order */
} SamplePhase;

/* A sample of a table's pages and rows. */
typedef struct Sample
{
	Relation	  relation;
	RowReader	 *row_reader;
	MemoryContext rows_context; /* ANALYZE's context, for rows */
	MemoryContext record_context;
	Datum		 *values;
	bool		 *isnull;

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
	int			  page_length; /* most records of a page */
	Stretch		  stretches[MAX_SAMPLE_REQUESTS]; /* in order of time */
	int			  stretch_count;
	Probe		  probes[MAX_SAMPLE_REQUESTS]; /* requests in flight */
	int			  probe_count;

	HeapTuple *rows;
	int		  *row_pages;					   /* index of each row's page */
	int		   count;						   /* number of rows */
	int		   wanted;						   /* limit of count */
	int		   pages;						   /* number of pages read */
	double	   page_rows[MAX_SAMPLE_REQUESTS]; /* number read of each page */
	double	   total;						   /* sum of page_rows */
	double	   records; /* number of records, including those left out */
} Sample;

/*
 * Returns the numbers of the columns that have statistics.  Avoids created_at
 * if the table's options forbid to sort or filter by it.
 */
static List *
columns_to_read(Sample *sample, const Settings *settings)
{
	TupleDesc tupdesc = RelationGetDescr(sample->relation);
	List	 *columns = NIL;

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped || compat_is_virtual(attribute))
			continue;
		columns = lappend_int(columns, attribute->attnum);
		if (!created_at_is_allowed(column_settings_read(settings, attribute)))
			sample->phase = SAMPLE_PLAIN;
	}
	return columns;
}

/* Prepares a sample in the current context.  Makes no request yet. */
static void
begin_sample(Sample *sample, Relation relation, RecordSource *records,
			 const Settings *settings)
{
	int		 natts = RelationGetNumberOfAttributes(relation);
	ApiQuery query = {0};

	sample->relation = relation;
	sample->record_context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw record", ALLOCSET_DEFAULT_SIZES);
	sample->page_context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw page", ALLOCSET_DEFAULT_SIZES);
	sample->values = palloc(natts * sizeof(Datum));
	sample->isnull = palloc(natts * sizeof(bool));
	sample->row_pages = palloc(sample->wanted * sizeof(int));
	sample->row_reader = row_reader_create(
		settings, relation, columns_to_read(sample, settings), records);

	sample->budget =
		statement_budget(records->statement, settings->max_requests);
	page_source_init(&sample->source, records, settings, &sample->budget);
	sample->seen = seen_set_create();
	sample->created_at = attribute_set_add(records->wanted, "created_at");
	sample->limit = MAX_SAMPLE_REQUESTS;
	if (settings->max_requests > 0)
		sample->limit = Min(sample->limit, settings->max_requests);
	if (created_at_is_refused(records->api, false))
		sample->phase = SAMPLE_PLAIN;
	if (sample->phase != SAMPLE_PLAIN)
		query.sort = "created_at";
	query.limit = sample->source.page_size;
	sample->first = page_reader_create(&sample->source, &query);
}

/*
 * Inserts the stretch that the current page covers.  The page has records from a
 * time on, and may overlap the stretches after it.  If it is not in order or does
 * not fit its query, the sample no longer uses created_at.
 */
static void
insert_stretch(Sample *sample, PageReader *reader, int64 from)
{
	const RecordPage *page = sample->response.page;
	bool			  is_descending = reader->query.is_descending;
	Stretch			 *stretch;
	int				  at = 0;
	int64			  first = AFTER_ALL;
	int64			  last = PG_INT64_MIN;
	int64			  seconds;

	while (at < sample->stretch_count && sample->stretches[at].from <= from)
		at++;
	stretch = &sample->stretches[at];

	for (int i = 0; i < page->count; i++)
	{
		int number = is_descending ? page->count - 1 - i : i;

		if (!created_at_read(&page->records[number], &seconds))
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
	stretch->chosen = 0;
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
 * Reads a reader's next page, which has records from a time on.  Requests it,
 * unless it is in flight.  Returns true if it became the current page.  If the API rejects a query by
 * created_at, the sample no longer uses it.
 */
static bool
read_stretch(Sample *sample, PageReader *reader, int64 from)
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
		if (reader->transfer == NULL)
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
			insert_stretch(sample, reader, from);
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
						 ((RemoteFilter *) linitial(refused))->refusal);
	sample->phase = SAMPLE_PLAIN;
	if (sample->first != NULL)
		sample->first->query.sort = NULL;
	return false;
}

/* Returns a new reader by created_at, from a time on. */
static PageReader *
reader_from(Sample *sample, int64 from, bool is_descending)
{
	ApiQuery query = {.filters = created_at_filters(OPERATOR_GTE, from),
					  .sort = "created_at",
					  .is_descending = is_descending,
					  .limit = sample->source.page_size};

	return page_reader_create(&sample->source, &query);
}

/*
 * Estimates the number of records in the gap after a stretch.  The time per
 * record is interpolated between both sides, so that a second with thousands of
 * imported records has little effect on the months around it.  If is_high, the
 * density is interpolated instead: the gap may have as many records.
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
 * Returns true if another page from the middle of a gap can be read.  least: the
 * number of unread records from which on a part of a gap is divided.
 */
static bool
is_divided(const Stretch *before, double least)
{
	return before[1].from - before->to > before->chosen + 1 &&
		   unread_after(before, true) / (before->chosen + 1) > least;
}

/*
 * Returns the stretch before the gap that has the largest part without a page in
 * flight, or NULL if no gap can have another page.
 */
static Stretch *
find_largest_gap(Sample *sample, double least)
{
	Stretch *largest = NULL;
	double	 most = 0;

	for (int i = 1; i < sample->stretch_count; i++)
	{
		Stretch *before = &sample->stretches[i - 1];
		double	 unread = unread_after(before, true) / (before->chosen + 1);

		if (unread <= most ||
			(before->chosen > 0 && !is_divided(before, least)))
			continue;
		most = unread;
		largest = before;
	}
	return largest;
}

/*
 * Adds the probes for the chosen pages of a gap: pages that divide it evenly, or
 * its first page.  The reader of the page before the gap continues with that.
 */
static void
add_probes(Sample *sample, Stretch *before, double least)
{
	int64 width = before[1].from - before->to;
	int	  parts = before->chosen + 1;

	before->chosen--;
	if (is_divided(before, least))
	{
		for (int i = 1; i < parts; i++)
		{
			Probe *probe = &sample->probes[sample->probe_count++];

			probe->from = before->to + width * i / parts;
			probe->reader = reader_from(sample, probe->from, false);
		}
	}
	else
	{
		Probe *probe = &sample->probes[sample->probe_count++];

		probe->from = before->to;
		probe->reader = before->reader != NULL
							? before->reader
							: reader_from(sample, probe->from, false);
		before->reader = NULL;
	}
	before->chosen = 0;
}

/*
 * Adds probes for pages of the largest gaps, as many as max_concurrency allows.
 * Gaps are divided if the remaining requests do not suffice for all of them.  If
 * they suffice even if all large gaps are divided, these are.
 */
static void
choose_gaps(Sample *sample)
{
	int64  requests = sample->limit - sample->budget.requests;
	int	   most = sample->source.api->settings->max_concurrency;
	double pages = 0; /* in all gaps */
	double least = UNDIVIDED_PAGES * sample->page_length;

	for (int i = 1; i < sample->stretch_count; i++)
		pages += unread_after(&sample->stretches[i - 1], true) /
				 Max(sample->page_length, 1);
	if (pages > requests)
		least = 0;
	else if (pages + most >= requests)
		least = get_float8_infinity();
	for (most = Min(most, requests); most > 0; most--)
	{
		Stretch *before = find_largest_gap(sample, least);

		if (before == NULL)
			break;
		before->chosen++;
	}
	for (int i = 1; i < sample->stretch_count; i++)
	{
		if (sample->stretches[i - 1].chosen > 0)
			add_probes(sample, &sample->stretches[i - 1], least);
	}
	sample->is_whole = sample->probe_count == 0;
}

/*
 * Chooses the next pages to read, and requests them.  There are none if no
 * further page is worth a request.
 */
static void
send_probes(Sample *sample)
{
	int	   count = sample->stretch_count;
	Probe *probe = sample->probes;

	sample->probe_count = 0;
	if (sample->phase == SAMPLE_GAPS)
		choose_gaps(sample);
	else
	{
		probe->from =
			count > 0 ? sample->stretches[count - 1].to : PG_INT64_MIN;
		probe->reader = sample->first;
		if (count > 0 && sample->phase == SAMPLE_FIRST &&
			(sample->first == NULL || sample->pages >= FIRST_PAGES))
			probe->reader = reader_from(sample, probe->from, true);
		else if (count > 0)
			sample->stretches[count - 1].reader = NULL;
		sample->probe_count = probe->reader != NULL;
	}
	for (int i = 0; i < sample->probe_count; i++)
	{
		if (sample->probes[i].reader->transfer == NULL)
			page_reader_send(sample->probes[i].reader);
	}
}

/*
 * Adds a row of the current page, which it takes over.  A full sample is a
 * random choice of all rows so far: each new row takes the place of another one
 * or is dropped.
 */
static void
add_row(Sample *sample, HeapTuple row)
{
	int at = sample->count;

	sample->page_rows[sample->pages]++;
	sample->total++;
	if (at < sample->wanted)
		sample->count++;
	else
	{
		at = (int) (sample->total * pg_prng_double(&pg_global_prng_state));
		if (at >= sample->wanted)
		{
			heap_freetuple(row);
			return;
		}
		heap_freetuple(sample->rows[at]);
	}
	sample->rows[at] = row;
	sample->row_pages[at] = sample->pages;
}

/* Adds the records of the current page that no earlier page had. */
static void
add_page(Sample *sample)
{
	const RecordPage *page = sample->response.page;

	for (int i = 0; i < page->count; i++)
	{
		const Record *record;
		MemoryContext old_context;
		HeapTuple	  row;

		if (!seen_set_add(sample->seen, &page->records[i].id))
			continue;
		sample->records++;
		MemoryContextReset(sample->record_context);
		old_context = MemoryContextSwitchTo(sample->record_context);
		record = record_read(page, i);
		if (row_reader_leaves_out(sample->row_reader, record))
		{
			MemoryContextSwitchTo(old_context);
			continue;
		}
		row_reader_read(sample->row_reader, record, sample->values,
						sample->isnull);
		MemoryContextSwitchTo(sample->rows_context);
		row = heap_form_tuple(RelationGetDescr(sample->relation),
							  sample->values, sample->isnull);
		MemoryContextSwitchTo(old_context);
		add_row(sample, row);
	}
	sample->pages++;
}

/*
 * Drops rows at random, so that each page has as many as it represents: its own
 * and half of the unread ones of each gap next to it.  Returns the estimated
 * number of rows of the table.
 *
 * Unread records are assumed to have the same share of rows as the read ones.
 * A page cannot have more rows than were read.  So in a large table, a row of
 * an average page stays with a chance of one half.  In a table that was read
 * whole, all rows stay.
 */
static double
weigh_rows(Sample *sample)
{
	double unread[MAX_SAMPLE_REQUESTS] = {0};
	double share = sample->total / Max(sample->records, 1);
	double weight = sample->total;
	double rate;
	int	   count = 0;

	for (int i = 1; sample->phase == SAMPLE_GAPS && i < sample->stretch_count;
		 i++)
	{
		const Stretch *before = &sample->stretches[i - 1];
		double		   rows = unread_after(before, false) * share;

		unread[before->page] += rows / 2;
		unread[before[1].page] += rows / 2;
		weight += rows;
	}
	rate = sample->total / (2 * weight - sample->total);
	for (int i = 0; i < sample->count; i++)
	{
		int	   page = sample->row_pages[i];
		double own = sample->page_rows[page];

		if (pg_prng_double(&pg_global_prng_state) <
			rate * (own + unread[page]) / own)
			sample->rows[count++] = sample->rows[i];
		else
			heap_freetuple(sample->rows[i]);
	}
	sample->count = count;
	return weight;
}

/*
 * Reads the pages of the sample.  If it no longer uses created_at, the requests
 * in flight are of no use, except the one of the first reader.
 */
static void
read_sample(Sample *sample)
{
	while (!sample->is_whole && sample->budget.requests < sample->limit)
	{
		bool uses_time = sample->phase != SAMPLE_PLAIN;

		send_probes(sample);
		if (sample->probe_count == 0)
			return;
		for (int i = 0; i < sample->probe_count; i++)
		{
			Probe *probe = &sample->probes[i];

			if (uses_time && sample->phase == SAMPLE_PLAIN)
			{
				if (probe->reader != sample->first)
					page_reader_end(probe->reader);
			}
			else if (read_stretch(sample, probe->reader, probe->from))
				add_page(sample);
		}
	}
}

/*
 * ANALYZE callback: stores at most wanted sample rows, in ANALYZE's memory
 * context.  Sets *total_rows to the estimated number of rows, and returns the
 * number of rows stored.  If the last record was not reached, the table's last
 * known number of rows is the least estimate.
 *
 * Reads as the current user, which is the owner of the table, or of its parent
 * if that is analyzed.
 */
static int
acquire_rows(Relation relation, int elevel, HeapTuple *rows, int wanted,
			 double *total_rows, double *dead_rows)
{
	const char *name = RelationGetRelationName(relation);
	EState	   *estate = CreateExecutorState();
	Settings   *settings = settings_read(RelationGetRelid(relation));
	/* A request may outlive this function, after an error. */
	Sample *sample =
		MemoryContextAllocZero(estate->es_query_cxt, sizeof(Sample));
	MemoryContext old_context;
	RecordSource *records;
	int			  requests;
	int			  count;

	sample->rows = rows;
	sample->wanted = wanted;
	sample->rows_context = CurrentMemoryContext;
	old_context = MemoryContextSwitchTo(estate->es_query_cxt);
	records = statement_source(estate, settings, GetUserId());
	begin_sample(sample, relation, records, settings);
	read_sample(sample);
	*total_rows = rint(weigh_rows(sample));
	*dead_rows = 0;

	requests = (int) records->statement->request_total;
	if (!sample->is_whole && sample->phase != SAMPLE_GAPS)
	{
		*total_rows = Max(*total_rows, relation->rd_rel->reltuples);
		ereport(elevel,
				(errmsg("\"%s\": %d requests did not reach the last record",
						name, requests)));
	}
	ereport(elevel, (errmsg("\"%s\": %.0f records estimated, %d rows in "
							"sample, %d requests",
							name, *total_rows, sample->count, requests)));
	MemoryContextSwitchTo(old_context);
	count = sample->count;
	FreeExecutorState(estate);
	return count;
}

/*
 * FDW callback: returns true if the table can be analyzed, which takes queries.
 * Autovacuum must not make requests without a user who wants them.
 * Sets *sampler, and *pages to an estimate from the last known number of rows.
 * Makes no request.
 */
bool
analyze_table(Relation relation, AcquireSampleRowsFunc *sampler,
			  BlockNumber *pages)
{
	Settings *settings = settings_read(RelationGetRelid(relation));
	double	  rows = relation->rd_rel->reltuples;

	/* It analyzes foreign tables that inherit from a local one. */
	if (!settings->use_query || compat_is_autovacuum())
		return false;
	if (rows <= 0)
		rows = PLAN_DEFAULT_RECORDS;
	*sampler = acquire_rows;
	*pages = (BlockNumber) Min(ceil(rows / settings->page_size), INT_MAX);
	return true;
}
