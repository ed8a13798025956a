/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_cache.h
 *	  Cache of the records that one running statement reads by keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_KEY_CACHE_H
#define OPPORTUNITY_KEY_CACHE_H

#include "postgres.h"

#include "fetch/record_cache.h"

/*
 * Records of one type, for one user, in one statement, by one attribute, and
 * under the same further filters.
 */
typedef struct KeyCache KeyCache;

/* Keys whose records are needed together and released together. */
typedef struct KeyBatch KeyBatch;

/* Reader of the records of one key. */
typedef struct KeyRecords KeyRecords;

extern KeyCache *key_cache_open(RecordCache *records, const char *field,
								List *filters);
extern bool		 key_cache_is_full(const KeyCache *cache);

extern KeyBatch *key_batch_create(KeyCache *cache, const Settings *settings,
								  HttpBudget *budget);
extern void		 key_batch_add(KeyBatch *batch, const pg_uuid_t *key);
extern bool		 key_batch_is_full(const KeyBatch *batch);
extern void		 key_batch_send(KeyBatch *batch);
extern int		 key_batch_count(const KeyBatch *batch);
extern int		 key_batch_hits(const KeyBatch *batch);
extern void		 key_batch_release(KeyBatch *batch);

extern KeyRecords *key_records_find(RecordCache *records, const char *field,
									List *filters, const pg_uuid_t *key);
extern bool		   key_records_next(KeyRecords *reader, Record **record);
extern void		   key_records_end(KeyRecords *reader);

#endif /* OPPORTUNITY_KEY_CACHE_H */
