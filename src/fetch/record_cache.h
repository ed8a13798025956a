/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_cache.h
 *	  Cache of the records that one running statement reads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_RECORD_CACHE_H
#define OPPORTUNITY_RECORD_CACHE_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "utils/uuid.h"

#include "api/api_facts.h"
#include "api/record.h"
#include "fetch/statement.h"
#include "option/option.h"

/* Records of one type, for one user, in one statement. */
typedef struct RecordCache RecordCache;

/* Records that are needed together and released together. */
typedef struct RecordBatch RecordBatch;

extern RecordCache	*record_cache_open(EState *estate, const Settings *settings,
									   Oid userid);
extern Api			*record_cache_api(const RecordCache *cache);
extern Statement	*record_cache_statement(const RecordCache *cache);
extern AttributeSet *record_cache_wanted(RecordCache *cache);
extern List		   **record_cache_warned_columns(RecordCache *cache);
extern int			 record_cache_delayed(const RecordCache *cache);
extern bool			 record_cache_is_busy(const RecordCache *cache,
										  const Settings	*settings);

extern RecordBatch *record_batch_create(RecordCache	   *cache,
										const Settings *settings,
										HttpBudget *budget, bool is_ahead);
extern void			record_batch_add(RecordBatch *batch, const pg_uuid_t *id);
extern bool			record_batch_is_full(const RecordBatch *batch);
extern void			record_batch_send(RecordBatch *batch);
extern int			record_batch_count(const RecordBatch *batch);
extern int			record_batch_hits(const RecordBatch *batch);
extern int			record_batch_prefetched(const RecordBatch *batch);
extern bool			record_batch_advance(RecordBatch *batch, int number);
extern bool record_batch_read(RecordBatch *batch, int number, Record **record,
							  const pg_uuid_t **id);
extern void record_batch_release(RecordBatch *batch);

#endif /* OPPORTUNITY_RECORD_CACHE_H */
