/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * connection.c
 *	  The session's connections, one per user mapping, and its counters of API
 *	  usage, one set per server.
 *
 * A connection outlives statements and transactions.  It is closed when its
 * user mapping or server changes, and is never shared between user mappings.
 *
 * The pool, the attempts and the readers of higher folders increment the
 * counters; this file only creates, resets and shows them.
 *
 * Must not read requests or responses.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "http/connection.h"

/* Time in microseconds for which a session keeps its facts about the API. */
#define FACTS_LIFETIME (600 * (int64) 1000000)

#define STATS_COLUMNS (17 + ENDPOINT_COUNT)

static dlist_head connections = DLIST_STATIC_INIT(connections);
static slist_head servers = SLIST_STATIC_INIT(servers);

PG_FUNCTION_INFO_V1(opportunity_fdw_disconnect);
PG_FUNCTION_INFO_V1(opportunity_fdw_stats);
PG_FUNCTION_INFO_V1(opportunity_fdw_stats_reset);

/* Returns true if a connection must not be acquired again. */
static bool
is_stale(const Connection *connection)
{
	return connection->is_changed || connection->pool->broken[0] != '\0';
}

/*
 * Closes a stale connection without users.  The end of a pool with abandoned
 * handles would block, so it is closed later.  Does not drive its pool, because
 * the memory that its transfers refer to may be gone.
 */
static void
close_if_unused(Connection *connection)
{
	if (!is_stale(connection) || connection->users > 0 ||
		connection->pool->abandoned > 0)
		return;
	dlist_delete(&connection->node);
	MemoryContextDelete(connection->context);
}

/* Closes stale connections; drives pools so that lookups can end. */
static void
close_stale(void)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &connections)
	{
		Connection *connection = dlist_container(Connection, node, iter.cur);

		if (connection->pool->abandoned > 0)
			http_pool_drive(connection->pool);
		close_if_unused(connection);
	}
}

/*
 * Syscache callback: marks the connections of a server or user mapping as
 * changed.  hash_value 0 matches all.  Closes none, because invalidations
 * arrive at arbitrary points.
 */
static void
connection_invalidate(Datum arg, int cache_id, uint32 hash_value)
{
	dlist_iter iter;

	(void) arg;
	dlist_foreach(iter, &connections)
	{
		Connection *connection = dlist_container(Connection, node, iter.cur);
		uint32 own_hash = cache_id == USERMAPPINGOID ? connection->mapping_hash
													 : connection->server_hash;

		if (hash_value == 0 || hash_value == own_hash)
			connection->is_changed = true;
	}
}

/* Returns the session's counters for a server; creates them if necessary. */
static SessionStats *
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

/*
 * Makes a connection that lives until it is closed.  Until all of it exists, it
 * is a child of the current memory context, so an error leaves nothing behind.
 */
static Connection *
create_connection(Oid umid, Oid serverid)
{
	static bool	  registered = false;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "opportunity_fdw connection",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	Connection	 *connection = palloc0(sizeof(Connection));

	if (!registered)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, connection_invalidate,
									  (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, connection_invalidate,
									  (Datum) 0);
		registered = true;
	}
	connection->context = context;
	connection->umid = umid;
	connection->mapping_hash =
		GetSysCacheHashValue1(USERMAPPINGOID, ObjectIdGetDatum(umid));
	connection->server_hash =
		GetSysCacheHashValue1(FOREIGNSERVEROID, ObjectIdGetDatum(serverid));
	connection->stats = stats_of_server(serverid);
	connection->facts_context = AllocSetContextCreate(
		context, "opportunity_fdw facts", ALLOCSET_SMALL_SIZES);
	connection->facts_since = http_now();
	connection->pool = http_pool_create();

	/* No error can be raised from here on. */
	MemoryContextSwitchTo(old_context);
	MemoryContextSetParent(context, TopMemoryContext);
	dlist_push_tail(&connections, &connection->node);
	return connection;
}

/* Memory context callback: releases a reference to a connection. */
static void
release_connection(void *arg)
{
	Connection *connection = arg;

	connection->users--;
	close_if_unused(connection);
}

/* Returns the session's connection for a user mapping, or NULL. */
Connection *
connection_find(Oid umid)
{
	dlist_iter iter;

	dlist_foreach(iter, &connections)
	{
		Connection *connection = dlist_container(Connection, node, iter.cur);

		if (connection->umid == umid && !is_stale(connection))
			return connection;
	}
	return NULL;
}

/*
 * Returns the session's connection for a user mapping, creating it if
 * necessary.  The current memory context holds a reference until it is reset or
 * deleted.  Clears facts that have expired, unless another statement uses them.
 * Raises an error if no pool can be created.
 */
Connection *
connection_acquire(Oid umid, Oid serverid)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	Connection			  *connection;

	close_stale();
	connection = connection_find(umid);
	if (connection == NULL)
		connection = create_connection(umid, serverid);
	else if (connection->users == 0 &&
			 http_now() - connection->facts_since > FACTS_LIFETIME)
	{
		connection->facts = NIL;
		connection->is_healthy = false;
		connection->facts_since = http_now();
		MemoryContextReset(connection->facts_context);
	}

	callback->func = release_connection;
	callback->arg = connection;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	connection->users++;
	return connection;
}

/*
 * SQL function: closes the session's connections.  A connection in use, for
 * example by an open cursor, is closed when it is released.
 */
Datum
opportunity_fdw_disconnect(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	connection_invalidate((Datum) 0, FOREIGNSERVEROID, 0);
	close_stale();
	PG_RETURN_VOID();
}

/* --- Counters --- */

/*
 * Adds a server's row to the result.  An attempt in flight, or one that ended
 * with its statement, is a request without an outcome: it counts as unfinished.
 */
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

/* SQL function.  Outcomes of attempts in flight are not counted later. */
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
