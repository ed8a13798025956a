/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_fetch.h
 *	  All records that match some filters, read page by page.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PAGE_FETCH_H
#define OPPORTUNITY_PAGE_FETCH_H

#include "postgres.h"

#include "record_cache.h"

/* What is to be read; lives as long as the fetch. */
typedef struct PageOrder
{
	List	   *filters; /* RemoteFilters, which are ANDed */
	const char *sort;	 /* a field, in UTF-8; NULL: in any order */
	bool		is_descending;
	int			limit;		  /* records that are likely to do; 0: all */
	bool		is_on_demand; /* nothing is to be read that is not needed yet */
	bool		is_hesitant;  /* a few may do, nobody knows how many */
	bool		may_split;	  /* created_at can be filtered and sorted by */
	bool		is_dated;	  /* only records with a created_at are needed */
} PageOrder;

/* How far it has been read. */
typedef struct PageFetch PageFetch;

/* What it took, for EXPLAIN ANALYZE. */
typedef struct PageCounters
{
	int64 pages;
	int64 records; /* received */
	int64 ranges;  /* cursors that were opened at once with others */
} PageCounters;

extern PageFetch *page_fetch_create(RecordCache		*cache,
									const Settings	*settings,
									const PageOrder *order, HttpBudget *budget,
									PageCounters *counters);
extern bool		  page_fetch_next(PageFetch *fetch, Record **record);
extern bool		  page_fetch_is_ready(const PageFetch *fetch);
extern void		  page_fetch_set_patience(PageFetch *fetch, bool may_wait);
extern bool		  page_fetch_is_waiting(const PageFetch *fetch);
extern bool		  page_fetch_is_sorted(const PageFetch *fetch);
extern List		 *page_fetch_filters(const PageFetch *fetch);
extern void		  page_fetch_end(PageFetch *fetch);

#endif /* OPPORTUNITY_PAGE_FETCH_H */
