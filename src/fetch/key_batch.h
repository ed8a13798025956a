/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_batch.h
 *	  Keys whose records are needed together and released together, and scans
 *	  by keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_KEY_BATCH_H
#define OPPORTUNITY_KEY_BATCH_H

#include "postgres.h"

#include "api/record.h"
#include "fetch/key_cache.h"

/* A batch of distinct keys, and the position of its reader. */
typedef struct KeyBatch
{
	KeyCache	   *cache;
	const Settings *settings;
	HttpBudget	   *budget;
	bool			is_ahead;
	uint64			number;
	int				size;		 /* keys per request; 0: no requests */
	int				hits;		 /* keys that needed no request */
	int				prefetched;	 /* ids that a lookup requested */
	List		   *entries;	 /* KeyEntries */
	List		   *new_entries; /* those not requested yet */
	int				position;	 /* of the reader in entries */
	int				record;		 /* its position in the entry's records */
} KeyBatch;

/* Fetch of the records of a scan by keys, and its position. */
typedef struct KeyFetch KeyFetch;

/* Counters of the records by id for which the fetch made no request. */
typedef struct FetchCounters
{
	int64 cache_hits; /* records that the cache had */
	int64 prefetched; /* records that a lookup requested */
} FetchCounters;

extern KeyBatch *key_batch_create(KeyCache *cache, const Settings *settings,
								  HttpBudget *budget, bool is_ahead);
extern void		 key_batch_add(KeyBatch *batch, const pg_uuid_t *key);
extern bool		 key_batch_is_full(const KeyBatch *batch);
extern void		 key_batch_send(KeyBatch *batch);
extern void		 key_batch_release(KeyBatch *batch);

extern KeyFetch *key_fetch_ids(RecordSource *records, const Settings *settings,
							   const pg_uuid_t *ids, int count, int limit,
							   HttpBudget *budget, FetchCounters *counters);
extern KeyFetch *key_fetch_find(RecordSource *records, const Settings *settings,
								const char *field, List *filters,
								const pg_uuid_t *key);
extern bool		 key_fetch_next(KeyFetch *fetch, Record **record);
extern void		 key_fetch_end(KeyFetch *fetch);

#endif /* OPPORTUNITY_KEY_BATCH_H */
