/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  What the scans of one running statement share: the records read so far,
 *	  the requests spent and the warnings given.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_STATEMENT_H
#define OPPORTUNITY_STATEMENT_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "utils/uuid.h"

#include "http.h"
#include "option.h"
#include "record.h"

/* The records of one type, as one user reads them within one statement. */
typedef struct RecordCache RecordCache;

/* One record in it, or that there is none, or the request under way. */
typedef struct CacheEntry CacheEntry;

extern RecordCache	*record_cache_open(EState *estate, const Settings *settings,
									   Oid userid);
extern AttributeSet *record_cache_wanted(RecordCache *cache);
extern int64		*record_cache_request_total(RecordCache *cache);
extern List		   **record_cache_warned_columns(RecordCache *cache);
extern int			 record_cache_pending(RecordCache *cache);
extern CacheEntry	*record_cache_want(RecordCache *cache, const pg_uuid_t *id,
									   HttpBudget *budget, bool *is_hit);
extern bool			 record_cache_read(RecordCache *cache, CacheEntry *entry,
									   HttpBudget *budget, Record **record);
extern void record_cache_release(RecordCache *cache, CacheEntry *entry);

#endif /* OPPORTUNITY_STATEMENT_H */
