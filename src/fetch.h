/* SPDX-License-Identifier: PostgreSQL */
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

#include "key_cache.h"
#include "page_fetch.h"

/* A scan's way through its records. */
typedef struct Fetch Fetch;

/* Records by id that needed no request of the scan's own. */
typedef struct FetchCounters
{
	int64 cache_hits; /* read before */
	int64 prefetched; /* requested by a lookup */
} FetchCounters;

extern Fetch *fetch_ids(RecordCache *cache, const Settings *settings,
						const pg_uuid_t *ids, int count, int limit,
						HttpBudget *budget, FetchCounters *counters);
extern Fetch *fetch_pages(RecordCache *cache, const Settings *settings,
						  const PageOrder *order, HttpBudget *budget,
						  PageCounters *counters);
extern Fetch *fetch_keys(KeyRecords *records);
extern bool	  fetch_is_sorted(const Fetch *fetch);
extern List	 *fetch_filters(const Fetch *fetch);
extern bool	  fetch_next(Fetch *fetch, Record **record, const pg_uuid_t **id);
extern void	  fetch_end(Fetch *fetch);

/* For scans that others wait for: see async.c. */
extern bool fetch_is_ready(const Fetch *fetch);
extern void fetch_set_patience(Fetch *fetch, bool may_wait);
extern bool fetch_is_waiting(const Fetch *fetch);

#endif /* OPPORTUNITY_FETCH_H */
