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

#include "fetch/range.h"

extern PageFetch *page_fetch_create(RecordSource   *records,
									const Settings *settings,
									const PageSpec *spec, HttpBudget *budget,
									PageCounters *counters);
extern bool		  page_fetch_next(PageFetch *fetch, Record **record);
extern bool		  page_fetch_is_ready(const PageFetch *fetch);
extern void		  page_fetch_end(PageFetch *fetch);

#endif /* OPPORTUNITY_PAGE_FETCH_H */
