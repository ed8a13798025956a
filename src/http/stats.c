/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * stats.c
 *	  Counters of a session's API usage, by server, and their SQL functions.
 *
 * http_account.c, api.c and the caches increment the counters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "lib/ilist.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "http/stats.h"

#define SECOND 1000000 /* in microseconds, the unit of the counters */

#define STATS_COLUMNS (17 + ENDPOINT_COUNT)

typedef struct ServerStats
{
	SessionStats public;
	slist_node	node;
	Oid			serverid;
	TimestampTz since;
} ServerStats;

static slist_head servers = SLIST_STATIC_INIT(servers);

PG_FUNCTION_INFO_V1(opportunity_fdw_stats);
PG_FUNCTION_INFO_V1(opportunity_fdw_stats_reset);

static HttpCounters total_of(const SessionStats *stats);
static int64		outcomes_of(const HttpCounters *counters);
static void			put_row(ReturnSetInfo *rows, const ServerStats *server);

/* Returns the session's counters for a server; creates them if necessary. */
SessionStats *
stats_of_server(Oid serverid)
{
	ServerStats *server;
	slist_iter	 iter;

	slist_foreach(iter, &servers)
	{
		server = slist_container(ServerStats, node, iter.cur);
		if (server->serverid == serverid)
			return &server->public;
	}
	server = MemoryContextAllocZero(TopMemoryContext, sizeof(ServerStats));
	server->serverid = serverid;
	server->since = GetCurrentTimestamp();
	slist_push_head(&servers, &server->node);
	return &server->public;
}

/* SQL function: returns a row for each server that the session has used. */
Datum
opportunity_fdw_stats(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	slist_iter	   iter;

	InitMaterializedSRF(fcinfo, 0);
	slist_foreach(iter, &servers)
		put_row(rows, slist_container(ServerStats, node, iter.cur));
	return (Datum) 0;
}

/* SQL function: sets all counters of the session to zero. */
Datum
opportunity_fdw_stats_reset(PG_FUNCTION_ARGS)
{
	slist_iter iter;

	(void) fcinfo;
	slist_foreach(iter, &servers)
	{
		ServerStats *server = slist_container(ServerStats, node, iter.cur);

		for (int i = 0; i < ENDPOINT_COUNT; i++)
			http_reset_counters(&server->public.endpoints[i]);
		server->public.records = 0;
		server->public.cache_hits = 0;
		server->since = GetCurrentTimestamp();
	}
	PG_RETURN_VOID();
}

static void
put_row(ReturnSetInfo *rows, const ServerStats *server)
{
	const SessionStats *stats = &server->public;
	HttpCounters		total = total_of(stats);
	Datum				values[STATS_COLUMNS];
	bool				nulls[STATS_COLUMNS] = {false};
	int					column = 0;

	values[column++] = ObjectIdGetDatum(server->serverid);
	values[column++] = Int64GetDatum(total.requests);
	for (int endpoint = 0; endpoint < ENDPOINT_COUNT; endpoint++)
		values[column++] = Int64GetDatum(stats->endpoints[endpoint].requests);
	values[column++] = Int64GetDatum(total.succeeded);
	values[column++] = Int64GetDatum(total.not_found);
	values[column++] = Int64GetDatum(total.refused);
	values[column++] = Int64GetDatum(total.throttled);
	values[column++] = Int64GetDatum(total.failed);
	values[column++] = Int64GetDatum(total.broken);
	values[column++] = Int64GetDatum(total.requests - outcomes_of(&total));
	values[column++] = Int64GetDatum(total.retries);
	values[column++] = Int64GetDatum(stats->records);
	values[column++] = Int64GetDatum(stats->cache_hits);
	values[column++] = Int64GetDatum(total.bytes);
	values[column++] = Int64GetDatum(total.connections);
	values[column++] = Float8GetDatum((double) total.waited / SECOND);
	values[column++] = Float8GetDatum((double) total.held_back / SECOND);
	values[column++] = TimestampTzGetDatum(server->since);
	Assert(column == STATS_COLUMNS);
	tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
}

/* Returns the sum of the counters of all endpoints. */
static HttpCounters
total_of(const SessionStats *stats)
{
	HttpCounters total = {0};

	for (int i = 0; i < ENDPOINT_COUNT; i++)
	{
		const HttpCounters *part = &stats->endpoints[i];

		total.requests += part->requests;
		total.retries += part->retries;
		total.succeeded += part->succeeded;
		total.not_found += part->not_found;
		total.refused += part->refused;
		total.throttled += part->throttled;
		total.failed += part->failed;
		total.broken += part->broken;
		total.connections += part->connections;
		total.bytes += part->bytes;
		total.waited += part->waited;
		total.held_back += part->held_back;
	}
	return total;
}

/* Returns the number of requests whose outcome is known. */
static int64
outcomes_of(const HttpCounters *counters)
{
	return counters->succeeded + counters->not_found + counters->refused +
		   counters->throttled + counters->failed + counters->broken;
}
