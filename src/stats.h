/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * stats.h
 *	  What a session has spent on each server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_STATS_H
#define OPPORTUNITY_STATS_H

#include "postgres.h"

#include "http.h"

/* What is asked of the API. */
typedef enum ApiEndpoint
{
	ENDPOINT_RECORD,
	ENDPOINT_QUERY,
	ENDPOINT_SCHEMA,
	ENDPOINT_HEALTH
} ApiEndpoint;

#define ENDPOINT_COUNT (ENDPOINT_HEALTH + 1)

/* What a session has spent on one server; it stays there until the session ends. */
typedef struct SessionStats
{
	HttpCounters endpoints[ENDPOINT_COUNT];
	int64		 records;	 /* that came */
	int64		 cache_hits; /* records, or keys, that needed no request */
} SessionStats;

extern SessionStats *stats_of_server(Oid serverid);

#endif /* OPPORTUNITY_STATS_H */
