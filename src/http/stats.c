/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  Counters of a session's API usage, by server, and their SQL functions.
 *
 * The pool, the attempts, api.c and the caches increment the counters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "http/stats.h"

#define STATS_COLUMNS (17 + ENDPOINT_COUNT)

static slist_head servers = SLIST_STATIC_INIT(servers);

PG_FUNCTION_INFO_V1(opportunity_fdw_stats);
PG_FUNCTION_INFO_V1(opportunity_fdw_stats_reset);

/* Returns the session's counters for a server; creates them if necessary. */
SessionStats *
stats_of_server(Oid serverid)
{
	SessionStats *stats;
	slist_iter	  iter;

	slist_foreach(iter, &servers)
	{
		stats = slist_container(SessionStats, node, iter.cur);
		if (stats->serverid == serverid)
			return stats;
	}
	stats = MemoryContextAllocZero(TopMemoryContext, sizeof(SessionStats));
	stats->serverid = serverid;
	stats->since = GetCurrentTimestamp();
	slist_push_head(&servers, &stats->node);
	return stats;
}

static void
put_stats(ReturnSetInfo *rows, const SessionStats *stats)
{
	int64 total[HTTP_COUNTER_COUNT] = {0};
	int64 unfinished;
	Datum values[STATS_COLUMNS];
	bool  nulls[STATS_COLUMNS] = {false};
	int	  column = 0;

	for (int i = 0; i < ENDPOINT_COUNT; i++)
	{
		for (int counter = 0; counter < HTTP_COUNTER_COUNT; counter++)
			total[counter] += stats->endpoints[i].counts[counter];
	}

	values[column++] = ObjectIdGetDatum(stats->serverid);
	values[column++] = Int64GetDatum(total[HTTP_COUNT_REQUESTS]);
	for (int i = 0; i < ENDPOINT_COUNT; i++)
		values[column++] =
			Int64GetDatum(stats->endpoints[i].counts[HTTP_COUNT_REQUESTS]);
	unfinished = total[HTTP_COUNT_REQUESTS];
	for (int counter = HTTP_COUNT_SUCCEEDED;
		 counter <= HTTP_COUNT_CONNECTION_ERRORS; counter++)
	{
		values[column++] = Int64GetDatum(total[counter]);
		unfinished -= total[counter];
	}
	values[column++] = Int64GetDatum(unfinished);
	values[column++] = Int64GetDatum(total[HTTP_COUNT_RETRIES]);
	values[column++] = Int64GetDatum(stats->records);
	values[column++] = Int64GetDatum(stats->cache_hits);
	values[column++] = Int64GetDatum(total[HTTP_COUNT_BYTES]);
	values[column++] = Int64GetDatum(total[HTTP_COUNT_CONNECTIONS]);
	values[column++] = Float8GetDatum(total[HTTP_COUNT_WAITED] / 1e6);
	values[column++] = Float8GetDatum(total[HTTP_COUNT_HELD_BACK] / 1e6);
	values[column++] = TimestampTzGetDatum(stats->since);
	Assert(column == STATS_COLUMNS);
	tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
}

/* SQL function: returns a row for each server that the session has used. */
Datum
opportunity_fdw_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	slist_iter	   iter;

	InitMaterializedSRF(fcinfo, 0);
	slist_foreach(iter, &servers)
		put_stats(rows, slist_container(SessionStats, node, iter.cur));
	return (Datum) 0;
}

/*
 * SQL function: sets all counters of the session to zero.  Outcomes of attempts
 * in flight are not counted later.
 */
Datum
opportunity_fdw_stats_reset(PG_FUNCTION_ARGS)
{
	slist_iter iter;

	(void) fcinfo;
	slist_foreach(iter, &servers)
	{
		SessionStats *stats = slist_container(SessionStats, node, iter.cur);

		memset(stats->endpoints, 0, sizeof(stats->endpoints));
		for (int i = 0; i < ENDPOINT_COUNT; i++)
			stats->endpoints[i].reset_at = http_now();
		stats->records = 0;
		stats->cache_hits = 0;
		stats->since = GetCurrentTimestamp();
	}
	PG_RETURN_VOID();
}
