/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * connection.h
 *	  The session's connections, one per user mapping, and its counters of API
 *	  usage, one set per server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_CONNECTION_H
#define OPPORTUNITY_CONNECTION_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/ilist.h"
#include "nodes/pg_list.h"

#include "http/http.h"

/* Kinds of API requests. */
typedef enum ApiEndpoint
{
	ENDPOINT_RECORD,
	ENDPOINT_QUERY,
	ENDPOINT_SCHEMA,
	ENDPOINT_HEALTH,
	ENDPOINT_COUNT
} ApiEndpoint;

/* Counters of a session for one server; valid until the session ends. */
typedef struct SessionStats
{
	slist_node	 node;
	Oid			 serverid;
	TimestampTz	 since; /* time of the last reset */
	HttpCounters endpoints[ENDPOINT_COUNT];
	int64		 records;	 /* received */
	int64		 cache_hits; /* records or keys that needed no request */
} SessionStats;

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
	bool		  is_healthy;  /* the health endpoint reported a healthy API */

	/* for connection.c only */
	dlist_node node;
	Oid		   umid;
	uint32	   mapping_hash; /* syscache hash value, for invalidations */
	uint32	   server_hash;	 /* the same for the server */
	int		   users;		 /* number of statements that hold it */
	bool	   is_changed;	 /* its mapping or server has changed */
} Connection;

extern Connection *connection_find(Oid umid);
extern Connection *connection_acquire(Oid umid, Oid serverid);

#endif /* OPPORTUNITY_CONNECTION_H */
