/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * fetch.h
 *	  The records of a scan, independent of their source: ids, pages or keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_FETCH_H
#define OPPORTUNITY_FETCH_H

#include "postgres.h"

#include "fetch/key_cache.h"
#include "fetch/page_fetch.h"

/* Fetch of a scan's records, and its position. */
typedef struct Fetch Fetch;

/* Counters of the records by id for which the fetch made no request. */
typedef struct FetchCounters
{
	int64 cache_hits; /* records that the cache had */
	int64 prefetched; /* records that a lookup requested */
} FetchCounters;

extern Fetch *fetch_ids(RecordCache *cache, const Settings *settings,
						const pg_uuid_t *ids, int count, int limit,
						HttpBudget *budget, FetchCounters *counters);
extern Fetch *fetch_pages(RecordCache *cache, const Settings *settings,
						  const PageSpec *spec, HttpBudget *budget,
						  PageCounters *counters);
extern Fetch *fetch_keys(KeyRecords *records);
extern bool	  fetch_is_sorted(const Fetch *fetch);
extern List	 *fetch_filters(const Fetch *fetch);
extern bool	  fetch_next(Fetch *fetch, Record **record, const pg_uuid_t **id);
extern void	  fetch_end(Fetch *fetch);

/* Used by async.c through scan.h. */
extern bool fetch_is_ready(const Fetch *fetch);
extern void fetch_set_patience(Fetch *fetch, bool may_wait);
extern bool fetch_is_waiting(const Fetch *fetch);

#endif /* OPPORTUNITY_FETCH_H */
