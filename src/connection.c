/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * connection.c
 *	  The connections of a session, kept per user mapping.
 *
 * They outlive statements and transactions, are never shared between user
 * mappings, and are dropped when the mapping or its server changes.
 *
 * Knows nothing of requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/ilist.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "connection.h"

/* How long a session keeps what it has learned of the API, in microseconds. */
#define FACTS_LIFETIME (600 * (int64) 1000000)

typedef struct SessionConnection
{
	Connection public;
	dlist_node node;
	Oid		   umid;
	uint32	   mapping_hash; /* of the mapping's and the server's syscache */
	uint32	   server_hash;	 /* entries, by which their changes are known */
	int		   users;		 /* statements that have acquired it */
	bool	   is_stale;	 /* what it is for has changed */
} SessionConnection;

/* A statement's hold on a connection. */
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
 * The session's connection for a user mapping, made where there is none yet.
 * The current memory context holds it until that is reset or deleted.
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
 * SQL function: closes the session's connections; those in use, by an open
 * cursor say, are closed when that ends.
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

/* Whether a connection is not to be acquired again. */
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

	/* In the list, and closed with the rest, should its pool not come up. */
	connection->is_stale = true;
	MemoryContextSetParent(context, TopMemoryContext);
	dlist_push_tail(&connections, &connection->node);
	pool = http_pool_create();
	connection->public.pool = pool;
	connection->is_stale = false;
	return connection;
}

/* The session finds out again what it has learned.  Nobody uses the facts. */
static void
forget_facts(SessionConnection *connection)
{
	connection->public.facts = NIL;
	connection->public.is_healthy = false;
	connection->public.facts_since = http_now();
	MemoryContextReset(connection->public.facts_context);
}

/* A statement is over, in whatever way. */
static void
release_hold(void *arg)
{
	Hold *hold = arg;

	hold->connection->users--;
	close_if_unused(hold->connection);
}

/* Drives no pool: what its transfers refer to may be gone by now. */
static void
close_if_unused(SessionConnection *connection)
{
	HttpPool *pool = connection->public.pool;

	/* A pool that is not quiet is closed another time. */
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
 * A server or a user mapping has changed; a hash value of 0 stands for any.
 * Closing is left for later, since this may be called from anywhere.
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
