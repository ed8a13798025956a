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

static Statement *create(EState *estate);
static void		  release(void *arg);

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
	return create(estate);
}

static Statement *
create(EState *estate)
{
	MemoryContext context =
		AllocSetContextCreate(estate->es_query_cxt, "opportunity_fdw statement",
							  ALLOCSET_SMALL_SIZES);
	Statement *statement = MemoryContextAllocZero(context, sizeof(Statement));

	statement->context = context;
	statement->estate = estate;
	dlist_init(&statement->caches);
	dlist_init(&statement->key_caches);
	progress_start(&statement->progress, &statement->request_total,
				   &statement->record_total);
	dlist_push_head(&statements, &statement->node);
	statement->callback.func = release;
	statement->callback.arg = statement;
	MemoryContextRegisterResetCallback(context, &statement->callback);
	return statement;
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

/* Memory context callback: removes a statement from the list. */
static void
release(void *arg)
{
	Statement *statement = arg;

	dlist_delete(&statement->node);
}
