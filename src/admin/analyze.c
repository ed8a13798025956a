/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * analyze.c
 *	  ANALYZE of a foreign table: sample rows, and the estimated number of
 *	  records.
 *
 * The choice of pages, and the estimate, are sample.c's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "admin/analyze.h"
#include "api/created_at.h"
#include "base/compat.h"
#include "exec/row.h"
#include "fetch/sample.h"
#include "option/option.h"
#include "plan/plan.h"

/* Limit of the requests of one ANALYZE. */
#define MAX_REQUESTS 50

/*
 * Accepted share of missing rows, and the steps in which the rate is searched.
 */
#define MAX_SHORTAGE 0.05
#define RATE_STEP 0.9
#define MAX_RATES 100

/* Rows of a page. */
typedef struct PageRows
{
	int		   total; /* number of the page's rows in the table */
	int		   count; /* number of rows kept in memory */
	HeapTuple *rows;
} PageRows;

typedef struct Analysis
{
	Relation	  relation;
	RowReader	 *reader;
	MemoryContext rows_context; /* ANALYZE's context, for rows */
	MemoryContext record_context;
	Datum		 *values;
	bool		 *isnull;

	PageRows *pages;
	int		  page_count;
	double	  records; /* number of records read */
	double	  total;   /* number of rows among them */
	double	  kept;	   /* number of rows kept in memory */
} Analysis;

static int	  acquire_rows(Relation relation, int elevel, HeapTuple *rows,
						   int wanted, double *total_rows, double *dead_rows);
static List	 *columns_to_read(const Settings *settings, Relation relation,
							  bool *by_time);
static void	  keep_page(Analysis *analysis, const SamplePage *page);
static void	  thin_out(Analysis *analysis);
static int	  choose_rows(const Analysis *analysis, const double *weights,
						  int wanted, HeapTuple *rows);
static double find_rate(const Analysis *analysis, const double *weights,
						int wanted);
static void	  choose_some(PageRows *page, int wanted);

/*
 * FDW callback: returns true if the table can be analyzed.  Sets *sampler, and
 * *pages to an estimate from the last known number of rows.  Makes no request.
 */
bool
analyze_table(Relation relation, AcquireSampleRowsFunc *sampler,
			  BlockNumber *pages)
{
	Settings *settings = settings_read(RelationGetRelid(relation));
	double	  rows = relation->rd_rel->reltuples;

	if (!settings->use_query)
		return false;
	if (rows <= 0)
		rows = PLAN_DEFAULT_RECORDS;
	*sampler = acquire_rows;
	*pages = (BlockNumber) Min(ceil(rows / settings->page_size), INT_MAX);
	return true;
}

/*
 * ANALYZE callback: stores at most wanted sample rows, in ANALYZE's memory
 * context.  Sets *total_rows to the estimated number of rows, and returns the
 * number of rows stored.
 *
 * Reads as the current user, which is the owner of the table, or of its parent
 * if that is analyzed.
 */
static int
acquire_rows(Relation relation, int elevel, HeapTuple *rows, int wanted,
			 double *total_rows, double *dead_rows)
{
	EState		 *estate = CreateExecutorState();
	Settings	 *settings = settings_read(RelationGetRelid(relation));
	Analysis	  analysis = {0};
	HttpBudget	 *budget; /* palloc'd, because transfers point to it */
	MemoryContext old_context;
	RecordCache	 *cache;
	Sample		 *sample;
	SamplePage	  page;
	double		 *weights;
	double		  weight = 0;
	bool		  by_time;
	int			  count;
	int			  limit = settings->max_requests > 0
							  ? Min(settings->max_requests, MAX_REQUESTS)
							  : MAX_REQUESTS;

	analysis.relation = relation;
	analysis.rows_context = CurrentMemoryContext;
	old_context = MemoryContextSwitchTo(estate->es_query_cxt);
	analysis.record_context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw record", ALLOCSET_DEFAULT_SIZES);
	analysis.values = palloc(relation->rd_att->natts * sizeof(Datum));
	analysis.isnull = palloc(relation->rd_att->natts * sizeof(bool));
	analysis.pages = palloc(limit * sizeof(PageRows));

	cache = record_cache_open(estate, settings, GetUserId());
	budget = palloc(sizeof(HttpBudget));
	*budget =
		statement_budget(record_cache_statement(cache), settings->max_requests);
	analysis.reader =
		row_reader_create(settings, relation,
						  columns_to_read(settings, relation, &by_time), cache);
	sample = sample_create(cache, settings, by_time, limit, budget);
	while (sample_next(sample, &page))
	{
		keep_page(&analysis, &page);
		while (analysis.kept > 2.0 * wanted)
			thin_out(&analysis);
	}

	/*
	 * The share of rows among unread records is assumed to be that among read
	 * ones.
	 */
	weights = sample_unread(sample);
	for (int i = 0; i < analysis.page_count; i++)
	{
		weights[i] *= analysis.total / Max(analysis.records, 1);
		weights[i] += analysis.pages[i].total;
		weight += weights[i];
	}
	count = choose_rows(&analysis, weights, wanted, rows);
	if (sample_scope(sample) == SAMPLE_START)
	{
		weight = Max(weight, relation->rd_rel->reltuples);
		ereport(elevel,
				(errmsg("\"%s\": %d requests did not reach the last record",
						RelationGetRelationName(relation),
						(int) budget->requests)));
	}
	ereport(elevel, (errmsg("\"%s\": %.0f records estimated, %d rows in "
							"sample, %d requests",
							RelationGetRelationName(relation), weight, count,
							(int) budget->requests)));
	sample_end(sample);
	MemoryContextSwitchTo(old_context);
	FreeExecutorState(estate);
	*total_rows = rint(weight);
	*dead_rows = 0;
	return count;
}

/*
 * Returns the numbers of the columns that have statistics.  Sets *by_time to
 * true if the table's options permit to sort and filter by created_at.
 */
static List *
columns_to_read(const Settings *settings, Relation relation, bool *by_time)
{
	TupleDesc tupdesc = RelationGetDescr(relation);
	List	 *columns = NIL;

	*by_time = true;
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		ColumnSettings	 *column;

		if (attribute->attisdropped || compat_is_virtual(attribute))
			continue;
		columns = lappend_int(columns, attribute->attnum);
		column = column_settings_read(settings, attribute->attnum);
		if (!created_at_is_allowed(
				column,
				attribute_path_read(column, NameStr(attribute->attname))))
			*by_time = false;
	}
	return columns;
}

/* Converts the records of a page into rows. */
static void
keep_page(Analysis *analysis, const SamplePage *page)
{
	PageRows *kept = &analysis->pages[analysis->page_count++];

	Assert(page->number == analysis->page_count - 1);
	kept->count = 0;
	kept->rows = MemoryContextAllocHuge(
		analysis->rows_context, Max(page->count, 1) * sizeof(HeapTuple));
	for (int i = 0; i < page->count; i++)
	{
		const Record *record = page->records[i];
		MemoryContext old_context;

		if (row_reader_leaves_out(analysis->reader, record))
			continue;
		MemoryContextReset(analysis->record_context);
		old_context = MemoryContextSwitchTo(analysis->record_context);
		row_reader_read(analysis->reader, record, &record->id, analysis->values,
						analysis->isnull);
		MemoryContextSwitchTo(analysis->rows_context);
		kept->rows[kept->count++] =
			heap_form_tuple(RelationGetDescr(analysis->relation),
							analysis->values, analysis->isnull);
		MemoryContextSwitchTo(old_context);
	}
	kept->total = kept->count;
	analysis->records += page->count;
	analysis->total += kept->total;
	analysis->kept += kept->total;
}

/*
 * Drops half of each page's rows, so that memory does not grow with the table.
 */
static void
thin_out(Analysis *analysis)
{
	analysis->kept = 0;
	for (int i = 0; i < analysis->page_count; i++)
	{
		choose_some(&analysis->pages[i], analysis->pages[i].count / 2);
		analysis->kept += analysis->pages[i].count;
	}
}

/*
 * Chooses rows from each page according to its weight.  Returns their number.
 */
static int
choose_rows(const Analysis *analysis, const double *weights, int wanted,
			HeapTuple *rows)
{
	double rate = find_rate(analysis, weights, wanted);
	double due = 0;
	int	   count = 0;

	for (int i = 0; i < analysis->page_count; i++)
	{
		PageRows *page = &analysis->pages[i];
		double	  before = floor(due);

		due += rate * weights[i];
		choose_some(page, (int) Min(floor(due) - before, page->count));
		for (int j = 0; j < page->count && count < wanted; j++)
			rows[count++] = page->rows[j];
	}
	return count;
}

/*
 * Returns the number of rows to take per unit of weight.  A page whose weight
 * is large may have too few rows.  The rate is reduced until at most
 * MAX_SHORTAGE of the rows are missing, so that other pages are not
 * overrepresented.
 */
static double
find_rate(const Analysis *analysis, const double *weights, int wanted)
{
	double rate = 1;
	double due;
	double there;

	for (int i = 0; i < MAX_RATES; i++)
	{
		due = there = 0;
		for (int j = 0; j < analysis->page_count; j++)
		{
			due += rate * weights[j];
			there += Min(rate * weights[j], analysis->pages[j].count);
		}
		if (due <= wanted && there >= due * (1 - MAX_SHORTAGE))
			break;
		rate = due > wanted ? rate * wanted / due : rate * RATE_STEP;
	}
	return rate;
}

/* Reduces a page's rows to a random choice of wanted rows, in their order. */
static void
choose_some(PageRows *page, int wanted)
{
	int chosen = 0;

	for (int i = 0; i < page->count; i++)
	{
		if ((page->count - i) * pg_prng_double(&pg_global_prng_state) <
			wanted - chosen)
			page->rows[chosen++] = page->rows[i];
		else
			heap_freetuple(page->rows[i]);
	}
	page->count = chosen;
}
