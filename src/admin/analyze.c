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
#include "api/remote_filter.h"
#include "base/compat.h"
#include "exec/row.h"
#include "fetch/sample.h"
#include "option/option.h"
#include "plan/plan.h"

typedef struct Analysis
{
	Relation	  relation;
	RowReader	 *reader;
	MemoryContext rows_context; /* ANALYZE's context, for rows */
	MemoryContext record_context;
	Datum		 *values;
	bool		 *isnull;

	HeapTuple *rows;
	int		  *row_pages;					   /* index of each row's page */
	int		   count;						   /* number of rows */
	int		   wanted;						   /* limit of count */
	double	   page_rows[SAMPLE_MAX_REQUESTS]; /* read of each page */
	double	   total;						   /* sum of page_rows */
	double	   records; /* number of records, including those left out */
} Analysis;

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
		column = column_settings_read(settings, attribute);
		if (!created_at_is_allowed(column))
			*by_time = false;
	}
	return columns;
}

/*
 * Adds a row to the sample.  If that is full, the row takes the place of another
 * one or is dropped, so that the sample is a random choice of all rows so far.
 * Takes over the row.
 */
static void
add_row(Analysis *analysis, HeapTuple row, int page)
{
	int at = analysis->count;

	analysis->page_rows[page]++;
	analysis->total++;
	if (at < analysis->wanted)
		analysis->count++;
	else
	{
		at = (int) (analysis->total * pg_prng_double(&pg_global_prng_state));
		if (at >= analysis->wanted)
		{
			heap_freetuple(row);
			return;
		}
		heap_freetuple(analysis->rows[at]);
	}
	analysis->rows[at] = row;
	analysis->row_pages[at] = page;
}

/* Converts the records of a page into rows, and adds them to the sample. */
static void
add_page(Analysis *analysis, const RecordPage *page, int number)
{
	for (int i = 0; i < page->count; i++)
	{
		const Record *record = page->records[i];
		MemoryContext old_context;
		HeapTuple	  row;

		analysis->records++;
		if (row_reader_leaves_out(analysis->reader, record))
			continue;
		MemoryContextReset(analysis->record_context);
		old_context = MemoryContextSwitchTo(analysis->record_context);
		row_reader_read(analysis->reader, record, &record->id, analysis->values,
						analysis->isnull);
		MemoryContextSwitchTo(analysis->rows_context);
		row = heap_form_tuple(RelationGetDescr(analysis->relation),
							  analysis->values, analysis->isnull);
		MemoryContextSwitchTo(old_context);
		add_row(analysis, row, number);
	}
}

/*
 * Drops rows at random, so that each page has as many as it represents: its own
 * and the unread ones, whose number is given for each page in records.  Returns
 * the estimated number of rows of the table.
 *
 * The share of rows among unread records is assumed to be that among read ones.
 * A page cannot have more rows than were read.  So in a large table, a row of an
 * average page stays with a chance of one half.  In a table that was read whole,
 * all rows stay.
 */
static double
weigh_rows(Analysis *analysis, const double *unread, int page_count)
{
	double share = analysis->total / Max(analysis->records, 1);
	double weight = analysis->total;
	double rate;
	int	   count = 0;

	for (int i = 0; i < page_count; i++)
		weight += unread[i] * share;
	rate = analysis->total / (2 * weight - analysis->total);
	for (int i = 0; i < analysis->count; i++)
	{
		int	   page = analysis->row_pages[i];
		double own = analysis->page_rows[page];

		if (pg_prng_double(&pg_global_prng_state) <
			rate * (own + unread[page] * share) / own)
			analysis->rows[count++] = analysis->rows[i];
		else
			heap_freetuple(analysis->rows[i]);
	}
	analysis->count = count;
	return weight;
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
	const char		 *name = RelationGetRelationName(relation);
	EState			 *estate = CreateExecutorState();
	Settings		 *settings = settings_read(RelationGetRelid(relation));
	Analysis		  analysis = {0};
	double			  unread[SAMPLE_MAX_REQUESTS] = {0};
	MemoryContext	  old_context;
	RecordSource	 *records;
	Sample			 *sample;
	const RecordPage *page;
	bool			  by_time;
	bool			  is_known;
	int				  page_count = 0;
	int				  requests;

	analysis.relation = relation;
	analysis.rows = rows;
	analysis.wanted = wanted;
	analysis.rows_context = CurrentMemoryContext;
	old_context = MemoryContextSwitchTo(estate->es_query_cxt);
	analysis.record_context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw record", ALLOCSET_DEFAULT_SIZES);
	analysis.values = palloc(relation->rd_att->natts * sizeof(Datum));
	analysis.isnull = palloc(relation->rd_att->natts * sizeof(bool));
	analysis.row_pages = palloc(wanted * sizeof(int));

	records = statement_source(estate, settings, GetUserId());
	analysis.reader = row_reader_create(
		settings, relation, columns_to_read(settings, relation, &by_time),
		records);
	sample = sample_create(records, settings, by_time);
	while ((page = sample_next(sample)) != NULL)
		add_page(&analysis, page, page_count++);
	is_known = sample_estimate(sample, unread);
	*total_rows = rint(weigh_rows(&analysis, unread, page_count));
	*dead_rows = 0;

	requests = (int) records->statement->request_total;
	if (!is_known)
	{
		*total_rows = Max(*total_rows, relation->rd_rel->reltuples);
		ereport(elevel,
				(errmsg("\"%s\": %d requests did not reach the last record",
						name, requests)));
	}
	ereport(elevel, (errmsg("\"%s\": %.0f records estimated, %d rows in "
							"sample, %d requests",
							name, *total_rows, analysis.count, requests)));
	MemoryContextSwitchTo(old_context);
	FreeExecutorState(estate);
	return analysis.count;
}

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
