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

/* Records of one type, for one user mapping, as they are now. */
typedef struct SessionScope
{
	Oid	   umid;
	int32  type; /* number of the record type */
	uint64 generation;
} SessionScope;

extern SessionScope session_cache_scope(Oid umid, const char *record_type);
extern bool session_cache_find(SessionScope scope, const pg_uuid_t *id, int ttl,
							   const char **text, int *length);
extern void session_cache_keep(SessionScope scope, const pg_uuid_t *id,
							   const char *text, int length);

#endif /* OPPORTUNITY_SESSION_CACHE_H */
