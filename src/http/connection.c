/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * connection.c
 *	  The session's connections, one per user mapping.
 *
 * A connection outlives statements and transactions.  It is closed when its
 * user mapping or server changes, and is never shared between user mappings.
 *
 * Must not know requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/ilist.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "http/connection.h"

/* Time in microseconds for which a session keeps its facts about the API. */
#define FACTS_LIFETIME (600 * (int64) 1000000)

typedef struct SessionConnection
{
	Connection public;
	dlist_node node;
	Oid		   umid;
	uint32	   mapping_hash; /* syscache hash value, for invalidations */
	uint32	   server_hash;	 /* the same for the server */
	int		   users;		 /* number of statements that hold it */
	bool	   is_stale;	 /* its mapping or server has changed */
} SessionConnection;

/* A statement's reference to a connection. */
typedef struct Hold
{
	MemoryContextCallback callback;
	SessionConnection	 *connection;
} Hold;

static dlist_head connections = DLIST_STATIC_INIT(connections);

PG_FUNCTION_INFO_V1(opportunity_fdw_disconnect);

static SessionConnection *find(Oid umid);
static bool				  is_stale(const SessionConnection *connection);
static SessionConnection *create(Oid umid, Oid serverid);
static void				  release_hold(void *arg);
static void				  forget_facts(SessionConnection *connection);
static void				  close_if_unused(SessionConnection *connection);
static void				  close_stale(void);
static void invalidate(Datum arg, int cache_id, uint32 hash_value);

/*
 * Returns the session's connection for a user mapping, creating it if
 * necessary.  The current memory context holds a reference until it is reset or
 * deleted.  Clears facts that have expired.  Raises an error if no pool can be
 * created.
 */
Connection *
connection_acquire(Oid umid, Oid serverid)
{
	Hold			  *hold = palloc0(sizeof(Hold));
	SessionConnection *connection;

	close_stale();
	connection = find(umid);
	if (connection == NULL)
		connection = create(umid, serverid);
	else if (connection->users == 0 &&
			 http_now() - connection->public.facts_since > FACTS_LIFETIME)
		forget_facts(connection);

	hold->connection = connection;
	hold->callback.func = release_hold;
	hold->callback.arg = hold;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &hold->callback);
	connection->users++;
	return &connection->public;
}

/*
 * SQL function opportunity_fdw_disconnect: closes the session's connections.  A
 * connection in use, for example by an open cursor, is closed when it is
 * released.
 */
Datum
opportunity_fdw_disconnect(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	invalidate((Datum) 0, FOREIGNSERVEROID, 0);
	close_stale();
	PG_RETURN_VOID();
}

static SessionConnection *
find(Oid umid)
{
	dlist_iter iter;

	dlist_foreach(iter, &connections)
	{
		SessionConnection *connection =
			dlist_container(SessionConnection, node, iter.cur);

		if (connection->umid == umid && !is_stale(connection))
			return connection;
	}
	return NULL;
}

/* Returns true if a connection must not be acquired again. */
static bool
is_stale(const SessionConnection *connection)
{
	return connection->is_stale || http_pool_is_broken(connection->public.pool);
}

static SessionConnection *
create(Oid umid, Oid serverid)
{
	static bool		   registered = false;
	MemoryContext	   context;
	SessionConnection *connection;
	HttpPool		  *pool;
	uint32			   mapping_hash;
	uint32			   server_hash;
	SessionStats	  *stats;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, invalidate, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, invalidate, (Datum) 0);
		registered = true;
	}

	mapping_hash =
		GetSysCacheHashValue1(USERMAPPINGOID, ObjectIdGetDatum(umid));
	server_hash =
		GetSysCacheHashValue1(FOREIGNSERVEROID, ObjectIdGetDatum(serverid));
	stats = stats_of_server(serverid);

	context = AllocSetContextCreate(CurrentMemoryContext,
									"opportunity_fdw connection",
									ALLOCSET_SMALL_SIZES);
	connection = MemoryContextAllocZero(context, sizeof(SessionConnection));
	connection->public.context = context;
	connection->public.stats = stats;
	connection->public.facts_context = AllocSetContextCreate(
		context, "opportunity_fdw facts", ALLOCSET_SMALL_SIZES);
	connection->public.facts_since = http_now();
	connection->umid = umid;
	connection->mapping_hash = mapping_hash;
	connection->server_hash = server_hash;

	/* Stale and in the list, so that it is freed if http_pool_create fails. */
	connection->is_stale = true;
	MemoryContextSetParent(context, TopMemoryContext);
	dlist_push_tail(&connections, &connection->node);
	pool = http_pool_create();
	connection->public.pool = pool;
	connection->is_stale = false;
	return connection;
}

/* Clears the facts of a connection that no statement uses. */
static void
forget_facts(SessionConnection *connection)
{
	connection->public.facts = NIL;
	connection->public.is_healthy = false;
	connection->public.facts_since = http_now();
	MemoryContextReset(connection->public.facts_context);
}

/* Memory context callback: releases a statement's reference. */
static void
release_hold(void *arg)
{
	Hold *hold = arg;

	hold->connection->users--;
	close_if_unused(hold->connection);
}

/*
 * Closes a stale connection without users.  Does not drive its pool, because
 * the memory that its transfers refer to may be gone.
 */
static void
close_if_unused(SessionConnection *connection)
{
	HttpPool *pool = connection->public.pool;

	/* Destroying a pool that is not quiet would block, so close it later. */
	if ((pool != NULL && !http_pool_is_quiet(pool)) || !is_stale(connection) ||
		connection->users > 0)
		return;
	dlist_delete(&connection->node);
	if (pool != NULL)
		http_pool_destroy(pool);
	MemoryContextDelete(connection->public.context);
}

static void
close_stale(void)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &connections)
	{
		SessionConnection *connection =
			dlist_container(SessionConnection, node, iter.cur);
		HttpPool *pool = connection->public.pool;

		if (pool != NULL && !http_pool_is_quiet(pool))
			http_pool_drive(pool);
		close_if_unused(connection);
	}
}

/*
 * Syscache callback: marks connections of a changed server or user mapping as
 * stale.  hash_value 0 matches all.  Closes none, because invalidations arrive
 * at arbitrary points.
 */
static void
invalidate(Datum arg, int cache_id, uint32 hash_value)
{
	dlist_iter iter;

	(void) arg;
	dlist_foreach(iter, &connections)
	{
		SessionConnection *connection =
			dlist_container(SessionConnection, node, iter.cur);
		uint32 own_hash = cache_id == USERMAPPINGOID ? connection->mapping_hash
													 : connection->server_hash;

		if (hash_value == 0 || hash_value == own_hash)
			connection->is_stale = true;
	}
}
