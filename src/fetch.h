/*-------------------------------------------------------------------------
 *
 * fetch.h
 *	  Where the records of a scan come from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_FETCH_H
#define OPPORTUNITY_FETCH_H

#include "postgres.h"

#include "page_fetch.h"

/* A scan's way through its records. */
typedef struct Fetch Fetch;

extern Fetch *fetch_ids(RecordCache *cache, const Settings *settings,
						const pg_uuid_t *ids, int count, int limit,
						HttpBudget *budget, int64 *cache_hits);
extern Fetch *fetch_pages(RecordCache *cache, const Settings *settings,
						  const PageOrder *order, HttpBudget *budget,
						  PageCounters *counters);
extern bool	  fetch_is_sorted(const Fetch *fetch);
extern bool	  fetch_next(Fetch *fetch, Record **record, const pg_uuid_t **id);
extern void	  fetch_end(Fetch *fetch);

#endif /* OPPORTUNITY_FETCH_H */
