/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  Counters of a session's API usage, by server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_STATS_H
#define OPPORTUNITY_STATS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/ilist.h"

#include "http/http_pool.h"

/* Kinds of API requests. */
typedef enum ApiEndpoint
{
	ENDPOINT_RECORD,
	ENDPOINT_QUERY,
	ENDPOINT_SCHEMA,
	ENDPOINT_HEALTH
} ApiEndpoint;

#define ENDPOINT_COUNT (ENDPOINT_HEALTH + 1)

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

extern SessionStats *stats_of_server(Oid serverid);

#endif /* OPPORTUNITY_STATS_H */
