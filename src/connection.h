/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * connection.h
 *	  The connections of a session, kept per user mapping.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_CONNECTION_H
#define OPPORTUNITY_CONNECTION_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "http.h"
#include "stats.h"

/* What a session keeps for one user mapping. */
typedef struct Connection
{
	MemoryContext context; /* that it lives in */
	HttpPool	 *pool;
	SessionStats *stats;

	/* what the session has learned of the API: see api_facts.c */
	MemoryContext facts_context;
	int64		  facts_since; /* by http_now */
	List		 *facts;	   /* ApiFacts, one per type of records */
	bool		  is_healthy;  /* the API has said so: see api_health.c */
} Connection;

extern Connection *connection_acquire(Oid umid, Oid serverid);

#endif /* OPPORTUNITY_CONNECTION_H */
