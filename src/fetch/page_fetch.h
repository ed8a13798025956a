/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_fetch.h
 *	  The records that match a query's filters, read by pages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PAGE_FETCH_H
#define OPPORTUNITY_PAGE_FETCH_H

#include "postgres.h"

#include "api/record.h"
#include "fetch/statement.h"

/* Description of the records to read; must live as long as the fetch. */
typedef struct PageSpec
{
	List	   *filters; /* RemoteFilters, joined by AND */
	const char *sort;	 /* attribute to sort by, in UTF-8; NULL: any order */
	bool		is_descending;
	int			limit;		  /* number of records that are likely to be read;
							   * 0: all */
	bool		is_on_demand; /* a cursor's reader: no page may be read ahead */
	bool		may_stop;	  /* the reader may stop early, after an unknown
							   * number of records */
	bool		may_split;	  /* the API can filter and sort by created_at */
	bool		is_dated;	  /* records without created_at are not needed */
} PageSpec;

/* Fetch of a query's records, and its position. */
typedef struct PageFetch PageFetch;

/* Counters of a fetch, for EXPLAIN ANALYZE. */
typedef struct PageCounters
{
	int64 pages;
	int64 records; /* received, including duplicates */
	int64 ranges;  /* cursors that were opened in parallel */
} PageCounters;

extern PageFetch *page_fetch_create(RecordSource   *records,
									const Settings *settings,
									const PageSpec *spec, HttpBudget *budget,
									PageCounters *counters);
extern bool		  page_fetch_next(PageFetch *fetch, Record **record);
extern bool		  page_fetch_is_ready(const PageFetch *fetch);
extern void		  page_fetch_set_nowait(PageFetch *fetch, bool nowait);
extern bool		  page_fetch_is_waiting(const PageFetch *fetch);
extern bool		  page_fetch_is_sorted(const PageFetch *fetch);
extern List		 *page_fetch_filters(const PageFetch *fetch);
extern void		  page_fetch_end(PageFetch *fetch);

#endif /* OPPORTUNITY_PAGE_FETCH_H */
