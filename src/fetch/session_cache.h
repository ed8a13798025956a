/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * session_cache.h
 *	  Records that a session keeps across statements.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SESSION_CACHE_H
#define OPPORTUNITY_SESSION_CACHE_H

#include "postgres.h"

#include "utils/uuid.h"

/* Records of one type, for one user mapping. */
typedef struct SessionCache SessionCache;

extern SessionCache *session_cache_open(Oid umid, const char *record_type);
extern uint64		 session_cache_generation(void);
extern bool session_cache_find(SessionCache *cache, const pg_uuid_t *id,
							   int ttl, const char **text, int *length);
extern void session_cache_keep(SessionCache *cache, uint64 as_of,
							   const pg_uuid_t *id, const char *text,
							   int length);

#endif /* OPPORTUNITY_SESSION_CACHE_H */
