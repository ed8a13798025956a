/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  State that the scans of one running statement share, and NOTICEs about
 *	  the statement's progress.
 *
 * It is owned by the executor state of the statement.  Must not know plans,
 * scans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/int.h"
#include "datatype/timestamp.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "fetch/statement.h"

#define SECOND 1000000.0 /* in microseconds, the unit of http_now */

static double progress_interval = 0; /* seconds; 0: no NOTICEs */

/* Running statements, including nested ones. */
static dlist_head statements = DLIST_STATIC_INIT(statements);

/* Defines the setting, when the module is loaded. */
void
statement_initialize(void)
{
	DefineCustomRealVariable("opportunity_fdw.progress_interval",
							 "Sets the time between progress notices while a "
							 "statement reads from the API.",
							 "Zero turns the notices off.", &progress_interval,
							 0, 0, SECS_PER_DAY, PGC_USERSET, GUC_UNIT_S, NULL,
							 NULL, NULL);
}

/* Memory context callback. */
static void
release_statement(void *arg)
{
	dlist_delete(&((Statement *) arg)->node);
}

/* Sends a NOTICE with the counters of a statement; now: time of http_now. */
static void
send_notice(HttpWatch *watch, int64 now)
{
	Statement *statement = (Statement *) watch;
	int64	   records = statement->record_total;
	double	   rate = (records - statement->noticed_records) * SECOND /
				  Max(now - statement->noticed_at, 1);

	statement->noticed_at = now;
	statement->noticed_records = records;

	/* A function in the query may have turned NOTICEs off. */
	watch->due = progress_interval > 0
					 ? now + (int64) (progress_interval * SECOND)
					 : PG_INT64_MAX;
	ereport(NOTICE, (errmsg("reading from the API: records " INT64_FORMAT
							", requests " INT64_FORMAT
							", records per second %.0f, seconds %.1f",
							records, statement->request_total, rate,
							(now - statement->started) / SECOND)));
}

/* Returns the statement of an executor state, or NULL. */
static Statement *
find_statement(const EState *estate)
{
	dlist_iter iter;

	dlist_foreach(iter, &statements)
	{
		Statement *statement = dlist_container(Statement, node, iter.cur);

		if (statement->estate == estate)
			return statement;
	}
	return NULL;
}

/*
 * Returns the statement of an executor state, which lives as long.  PostgreSQL
 * checks a changed row again with an executor state of its own, which belongs to
 * the same statement and ends before it.
 */
Statement *
statement_of(EState *estate)
{
	Statement	 *statement;
	MemoryContext context;

	while (estate->es_epq_active != NULL)
		estate = estate->es_epq_active->parentestate;
	statement = find_statement(estate);
	if (statement != NULL)
		return statement;
	context =
		AllocSetContextCreate(estate->es_query_cxt, "opportunity_fdw statement",
							  ALLOCSET_SMALL_SIZES);
	statement = MemoryContextAllocZero(context, sizeof(Statement));
	statement->context = context;
	statement->estate = estate;
	statement->started = statement->noticed_at = http_now();
	statement->watch.tell = send_notice;
	statement->watch.due =
		statement->started + (int64) (progress_interval * SECOND);
	dlist_push_head(&statements, &statement->node);
	statement->callback.func = release_statement;
	statement->callback.arg = statement;
	MemoryContextRegisterResetCallback(context, &statement->callback);
	return statement;
}

/*
 * Notes that the executor runs for a number of rows, or for all if it is 0, and
 * whether it may run again.  Does nothing if an executor state has no statement.
 */
void
statement_note_run(EState *estate, uint64 count, bool may_run_again)
{
	Statement *statement = find_statement(estate);

	if (statement == NULL)
		return;
	statement->may_run_again = may_run_again;
	if (count == 0 || pg_add_s64_overflow(statement->rows_wanted, count,
										  &statement->rows_wanted))
		statement->rows_wanted = PG_INT64_MAX;
}

/*
 * Returns the least number of rows that a node is certain to return, or
 * PG_INT64_MAX for all.  rows is the limit of the nodes above; 0: none; negative:
 * unknown.  If is_by_run, the rows that the executor runs for limit it, too.
 */
int64
statement_rows_wanted(const Statement *statement, int rows, bool is_by_run)
{
	int64 wanted = rows == 0 ? PG_INT64_MAX : Max(rows, 0);

	return is_by_run ? Min(wanted, statement->rows_wanted) : wanted;
}

/*
 * Notes that a lookup prefetches the records of a scan, which has a range table
 * index.  EXPLAIN reports it.
 */
void
statement_note_lookup(Statement *statement, Index scan)
{
	MemoryContext old_context = MemoryContextSwitchTo(statement->context);

	statement->lookup_scans = bms_add_member(statement->lookup_scans, scan);
	MemoryContextSwitchTo(old_context);
}

/* Returns the budget of one reader; max_requests 0: no limit. */
HttpBudget
statement_budget(Statement *statement, int max_requests)
{
	return (HttpBudget){.limit = max_requests,
						.total = &statement->request_total,
						.watch =
							progress_interval > 0 ? &statement->watch : NULL};
}

/*
 * Returns the source of a table's records for a user, which lives as long as the
 * statement.  The current memory context must live as long.  Raises an error if
 * the user may not use the table's server.  Makes no request.
 */
RecordSource *
statement_source(EState *estate, const Settings *settings, Oid userid)
{
	MemoryContext old_context = CurrentMemoryContext;
	Credentials	 *credentials = credentials_read(settings, userid);
	Statement	 *statement = statement_of(estate);
	RecordSource *source;
	int			 *pending = NULL;
	ListCell	 *cell;

	foreach(cell, statement->sources)
	{
		source = lfirst(cell);
		if (source->session.umid != credentials->umid)
			continue;
		if (strcmp(source->api->settings->record_type, settings->record_type) ==
			0)
			return source;
		pending = source->pending;
	}

	/* Holds the transfers, too. */
	MemoryContextSwitchTo(AllocSetContextCreate(
		statement->context, "opportunity_fdw source", ALLOCSET_DEFAULT_SIZES));
	source = palloc0(sizeof(RecordSource));
	source->statement = statement;
	source->api = api_open(settings, credentials, &statement->record_total);
	source->wanted = attribute_set_create();
	source->session =
		session_cache_scope(credentials->umid, settings->record_type);
	MemoryContextSwitchTo(statement->context);
	source->pending = pending != NULL ? pending : palloc0(sizeof(int));
	statement->sources = lappend(statement->sources, source);
	MemoryContextSwitchTo(old_context);
	return source;
}

/*
 * Returns true if the statement has max_concurrency or more requests in flight
 * or unread.  A request that waits before its next attempt does not count.
 */
bool
statement_is_busy(const RecordSource *source, const Settings *settings)
{
	return *source->pending -
			   http_pool_delayed(source->api->connection->pool) >=
		   settings->max_concurrency;
}
