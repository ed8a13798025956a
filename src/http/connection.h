/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * connection.h
 *	  The session's connections, one per user mapping.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_CONNECTION_H
#define OPPORTUNITY_CONNECTION_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "http/http.h"
#include "http/stats.h"

/* Session state for one user mapping. */
typedef struct Connection
{
	MemoryContext context; /* its own context */
	HttpPool	 *pool;
	SessionStats *stats;

	/* facts learned about the API: see api_facts.c */
	MemoryContext facts_context;
	int64		  facts_since; /* time of the last clearing, by http_now */
	List		 *facts;	   /* ApiFacts, one per record type */
	bool		  is_healthy;  /* cached result of api_is_healthy */
} Connection;

extern Connection *connection_acquire(Oid umid, Oid serverid);

#endif /* OPPORTUNITY_CONNECTION_H */
