/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * session_cache.h
 *	  The records that a session keeps from statement to statement.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SESSION_CACHE_H
#define OPPORTUNITY_SESSION_CACHE_H

#include "postgres.h"

#include "utils/uuid.h"

/* The records of one type, as one user mapping reads them. */
typedef struct SessionCache SessionCache;

extern SessionCache *session_cache_open(Oid umid, const char *record_type);
extern uint64		 session_cache_generation(void);
extern bool session_cache_find(SessionCache *cache, const pg_uuid_t *id,
							   int ttl, const char **text, int *length);
extern void session_cache_keep(SessionCache *cache, uint64 as_of,
							   const pg_uuid_t *id, const char *text,
							   int length);

#endif /* OPPORTUNITY_SESSION_CACHE_H */
