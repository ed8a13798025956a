/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  State that the scans of one running statement share.
 *
 * It is owned by the executor state of the statement.  Must not know plans,
 * scans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "fetch/statement.h"

/* Running statements, including nested ones. */
static dlist_head statements = DLIST_STATIC_INIT(statements);

/* Memory context callback: removes a statement from the list. */
static void
release_statement(void *arg)
{
	Statement *statement = arg;

	dlist_delete(&statement->node);
}

static Statement *
create_statement(EState *estate)
{
	MemoryContext context =
		AllocSetContextCreate(estate->es_query_cxt, "opportunity_fdw statement",
							  ALLOCSET_SMALL_SIZES);
	Statement *statement = MemoryContextAllocZero(context, sizeof(Statement));

	statement->context = context;
	statement->estate = estate;
	progress_start(&statement->progress, &statement->request_total,
				   &statement->record_total);
	dlist_push_head(&statements, &statement->node);
	statement->callback.func = release_statement;
	statement->callback.arg = statement;
	MemoryContextRegisterResetCallback(context, &statement->callback);
	return statement;
}

/*
 * Returns the statement of an executor state, creating it if necessary.  It
 * lives as long as the executor state.
 */
Statement *
statement_of(EState *estate)
{
	dlist_iter iter;

	dlist_foreach(iter, &statements)
	{
		Statement *statement = dlist_container(Statement, node, iter.cur);

		if (statement->estate == estate)
			return statement;
	}
	return create_statement(estate);
}

/* Notes that a lookup prefetches records of a table, which EXPLAIN reports. */
void
statement_note_lookup(Statement *statement, Oid relid)
{
	MemoryContext old_context = MemoryContextSwitchTo(statement->context);

	statement->lookup_tables =
		list_append_unique_oid(statement->lookup_tables, relid);
	MemoryContextSwitchTo(old_context);
}

/* Returns true if a lookup of the statement prefetches records of a table. */
bool
statement_has_lookup(EState *estate, Oid relid)
{
	return list_member_oid(statement_of(estate)->lookup_tables, relid);
}

/*
 * Returns the budget of one reader within the statement; max_requests 0: no
 * limit.
 */
HttpBudget
statement_budget(Statement *statement, int max_requests)
{
	HttpBudget budget = {0};

	budget.limit = max_requests;
	budget.total = &statement->request_total;
	budget.watch = progress_watch(&statement->progress);
	return budget;
}

/*
 * Returns the source of a table's records for a user, creating it if necessary.
 * It lives as long as the executor state.  Raises an error if the user may not
 * use the table's server.  Makes no request.
 */
RecordSource *
statement_source(EState *estate, const Settings *settings, Oid userid)
{
	MemoryContext old_context = MemoryContextSwitchTo(estate->es_query_cxt);
	Credentials	 *credentials = credentials_read(settings, userid);
	Statement	 *statement = statement_of(estate);
	RecordSource *source;
	ListCell	 *cell;

	foreach(cell, statement->sources)
	{
		source = lfirst(cell);
		if (source->umid == credentials->umid &&
			strcmp(source->record_type, settings->record_type) == 0)
		{
			MemoryContextSwitchTo(old_context);
			return source;
		}
	}

	/* Holds the transfers, too. */
	MemoryContextSwitchTo(AllocSetContextCreate(
		statement->context, "opportunity_fdw source", ALLOCSET_DEFAULT_SIZES));
	source = palloc0(sizeof(RecordSource));
	source->statement = statement;
	source->umid = credentials->umid;
	source->record_type = pstrdup(settings->record_type);
	source->api = api_open(settings, credentials, &statement->record_total);
	source->wanted = attribute_set_create();
	source->session = session_cache_scope(source->umid, source->record_type);
	MemoryContextSwitchTo(statement->context);
	statement->sources = lappend(statement->sources, source);
	MemoryContextSwitchTo(old_context);
	return source;
}

/*
 * Returns true if the statement has max_concurrency or more requests in flight.
 * A request that backs off does not count.
 */
bool
statement_is_busy(const RecordSource *source, const Settings *settings)
{
	return source->statement->pending -
			   http_pool_delayed(source->api->connection->pool) >=
		   settings->max_concurrency;
}
