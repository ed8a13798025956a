/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  The executor's callbacks of a foreign scan: begin, iterate, rescan, end.
 *
 * The scan evaluates the plan's conditions, starts a fetch by keys or by pages,
 * and turns its records into rows.  Must not know how the records are fetched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "condition/condition.h"
#include "condition/evaluate.h"
#include "condition/scan_private.h"
#include "exec/order.h"
#include "exec/row.h"
#include "exec/scan.h"
#include "fetch/key_batch.h"
#include "option/option.h"

typedef struct OpportunityScan
{
	/* from the plan */
	List *id_condition;
	List *filters;	   /* conditions, in the form of condition.h */
	List *roles;	   /* FilterRoles */
	List *expressions; /* ExprStates of id_condition and filters */

	/* for the conversion of records into rows */
	Settings	 *settings;
	RecordSource *records;
	RowReader	 *rows;
	RowOrder	 *order; /* promised order; NULL: none */

	/* for the fetch */
	KeySet	 ids;
	PageSpec page_spec;
	List *own_filters; /* members of its filters that are FILTER_RESTRICTION */
	bool  is_started;
	KeyFetch	   *by_keys;  /* NULL, as by_pages: not started, or no record
								  * can match */
	PageFetch	   *by_pages; /* if it is not by_keys */
	bool			nowait;
	Tuplesortstate *sorted; /* NULL: rows are not sorted here */
	TupleTableSlot *sort_slot;
	HttpBudget		budget;
	FetchCounters	counters;
	bool			is_prefetched; /* by_keys: a lookup fetched the records */
	PageCounters	page_counters;

	MemoryContext scan_context;	  /* reset by a rescan */
	MemoryContext record_context; /* reset before the next row */
} OpportunityScan;

/*
 * Returns true if the rows are read through a cursor, whose reader may stop at
 * any time.  Then the scan must not read ahead.
 *
 * PostgreSQL has no flag for this.  It sets CURSOR_OPT_FAST_PLAN for DECLARE
 * CURSOR and for the explicit cursors of PL/pgSQL.  A client that fetches in
 * portions by the protocol is not recognized.
 */
static bool
is_read_on_demand(void)
{
	return ActivePortal != NULL &&
		   (ActivePortal->cursorOptions & CURSOR_OPT_FAST_PLAN) != 0;
}

/*
 * Prepares a scan that reads pages.  Requests created_at, by which a scan is
 * split into ranges: this must precede the first record.
 */
static void
begin_pages(ForeignScanState *node, OpportunityScan *scan)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	List		*flags = list_nth(plan->fdw_private, SCAN_PRIVATE_FLAGS);
	List		*sort = list_nth(plan->fdw_private, SCAN_PRIVATE_SORT);
	int limit = intVal(list_nth(plan->fdw_private, SCAN_PRIVATE_LIMIT));

	attribute_set_add(scan->records->wanted, "created_at");
	scan->page_spec.limit = Max(limit, 0);
	scan->page_spec.may_stop = limit == UNKNOWN_LIMIT;
	scan->page_spec.is_on_demand = is_read_on_demand();
	scan->page_spec.may_split = list_nth_int(flags, SCAN_FLAG_MAY_SPLIT);
	scan->page_spec.is_dated = list_nth_int(flags, SCAN_FLAG_HAS_CREATED_AT);
	if (sort == NIL)
		return;
	scan->order =
		row_order_create(RelationGetDescr(node->ss.ss_currentRelation), sort);
	scan->page_spec.sort = strVal(list_nth(sort, SCAN_SORT_FIELD));
	scan->page_spec.is_descending =
		list_nth_int(list_nth(sort, SCAN_SORT_PROPERTIES), SORT_IS_DESCENDING);
}

/*
 * Returns the user whose rights and user mapping a scan uses.  PostgreSQL 16
 * stores it in the plan node.
 */
static Oid
scan_user(const ForeignScan *plan, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	Oid userid = plan->checkAsUser;

	(void) estate;
#else
	Oid userid = exec_rt_fetch(plan->scan.scanrelid, estate)->checkAsUser;
#endif
	return OidIsValid(userid) ? userid : GetUserId();
}

/*
 * FDW callback: prepares the scan for the user whose privileges apply.  Makes
 * no request.  Raises an error if the user has no mapping.  Does nothing for
 * EXPLAIN without ANALYZE.
 */
void
scan_begin(ForeignScanState *node, int eflags)
{
	ForeignScan		*plan = (ForeignScan *) node->ss.ps.plan;
	EState			*estate = node->ss.ps.state;
	Relation		 relation = node->ss.ss_currentRelation;
	OpportunityScan *scan;
	Oid				 userid;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	scan = palloc0(sizeof(OpportunityScan));
	node->fdw_state = scan;
	scan->scan_context = AllocSetContextCreate(
		estate->es_query_cxt, "opportunity_fdw scan", ALLOCSET_SMALL_SIZES);
	scan->record_context = AllocSetContextCreate(
		estate->es_query_cxt, "opportunity_fdw record", ALLOCSET_DEFAULT_SIZES);

	scan->id_condition = list_nth(plan->fdw_private, SCAN_PRIVATE_ID_CONDITION);
	scan->filters = list_nth(plan->fdw_private, SCAN_PRIVATE_FILTERS);
	scan->roles = list_nth(plan->fdw_private, SCAN_PRIVATE_ROLES);
	scan->expressions = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);

	userid = scan_user(plan, estate);
	scan->settings = settings_read(RelationGetRelid(relation));
	scan->records = statement_source(estate, scan->settings, userid);
	scan->budget = statement_budget(scan->records->statement,
									scan->settings->max_requests);

	scan->rows = row_reader_create(
		scan->settings, relation,
		list_nth(plan->fdw_private, SCAN_PRIVATE_COLUMNS), scan->records);
	if (scan->id_condition == NIL)
		begin_pages(node, scan);
}

/*
 * Evaluates the filters in the current context, which is the scan's.  Returns
 * false if no record can match.
 */
static bool
evaluate_filters(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;
	Api				*api = scan->records->api;
	ListCell		*cell;
	ListCell		*role_cell;

	scan->page_spec.filters = NIL;
	scan->own_filters = NIL;
	forboth(cell, scan->filters, role_cell, scan->roles)
	{
		RemoteFilter *filter;

		if (!condition_evaluate_filter(lfirst(cell), scan->expressions,
									   node->ss.ps.ps_ExprContext, api,
									   &filter))
			return false;
		if (filter == NULL)
			continue;
		scan->page_spec.filters = lappend(scan->page_spec.filters, filter);
		if (lfirst_int(role_cell) == FILTER_RESTRICTION)
			scan->own_filters = lappend(scan->own_filters, filter);
	}
	return true;
}

/*
 * Starts a fetch of the records that a lookup has fetched by key, in the current
 * context.  Returns false if there are none.  The lookup may not have applied
 * all of the scan's conditions, but PostgreSQL rechecks them.
 */
static bool
find_by_key(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;
	ListCell		*cell;
	ListCell		*role_cell;

	forboth(cell, scan->filters, role_cell, scan->roles)
	{
		const List *condition = lfirst(cell);
		KeySet		keys;

		if (lfirst_int(role_cell) != FILTER_KEY)
			continue;
		keys = condition_evaluate_keys(condition, scan->expressions,
									   node->ss.ps.ps_ExprContext);
		if (keys.count == 0)
			continue;
		scan->by_keys = key_fetch_find(scan->records, scan->settings,
									   condition_field(condition),
									   scan->own_filters, keys.keys);
		if (scan->by_keys == NULL)
			continue;
		scan->page_spec.filters = NIL;
		scan->is_prefetched = true;
		api_count_hit(scan->records->api);
		return true;
	}
	return false;
}

/*
 * Raises the error for a scan without a condition on the id, of a table that
 * can be read by ids alone.
 */
static void
report_unreadable(ForeignScanState *node)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot scan foreign table \"%s\" without a condition on "
					"attribute \"id\"",
					RelationGetRelationName(node->ss.ss_currentRelation)),
			 errdetail("The option \"use_query\" of the table is false."),
			 errhint("Add a condition such as WHERE id = '...', or join the "
					 "table by the column of attribute \"id\".")));
}

/*
 * Evaluates the conditions, and starts the fetch of the records that they
 * allow.  Raises an error if the table can be read by ids alone and there is no
 * condition on the id.
 */
static void
start_fetch(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;
	MemoryContext	 old_context;

	if (scan->id_condition == NIL && !scan->settings->use_query)
		report_unreadable(node);

	old_context = MemoryContextSwitchTo(scan->scan_context);
	if (scan->id_condition != NIL)
	{
		List *plan = ((ForeignScan *) node->ss.ps.plan)->fdw_private;
		int	  limit = intVal(list_nth(plan, SCAN_PRIVATE_LIMIT));

		scan->ids = condition_evaluate_keys(
			scan->id_condition, scan->expressions, node->ss.ps.ps_ExprContext);
		scan->by_keys = key_fetch_ids(
			scan->records, scan->settings, scan->ids.keys, scan->ids.count,
			Max(limit, 0), &scan->budget, &scan->counters);
	}
	else if (evaluate_filters(node) && !find_by_key(node))
	{
		scan->by_pages =
			page_fetch_create(scan->records, scan->settings, &scan->page_spec,
							  &scan->budget, &scan->page_counters);
		page_fetch_set_nowait(scan->by_pages, scan->nowait);
	}
	scan->is_started = true;
	MemoryContextSwitchTo(old_context);
}

/*
 * Stores the next row in the slot.  Returns false, with an empty slot, at the
 * end.
 */
static bool
next_row(OpportunityScan *scan, TupleTableSlot *slot)
{
	MemoryContext old_context;
	Record		 *record;
	bool		  found;

	ExecClearTuple(slot);
	if (scan->by_keys == NULL && scan->by_pages == NULL)
		return false;
	old_context = MemoryContextSwitchTo(scan->record_context);
	do
	{
		MemoryContextReset(scan->record_context);
		found = scan->by_keys != NULL
					? key_fetch_next(scan->by_keys, &record)
					: page_fetch_next(scan->by_pages, &record);
	} while (found && row_reader_leaves_out(scan->rows, record));
	if (found)
	{
		row_reader_read(scan->rows, record, &record->id, slot->tts_values,
						slot->tts_isnull);
		ExecStoreVirtualTuple(slot);
		scan->counters.prefetched += scan->is_prefetched;
	}
	MemoryContextSwitchTo(old_context);
	return found;
}

/*
 * Sorts the rows here, since the API has rejected the sort: reads all of them,
 * beginning with the one in the slot.
 */
static void
sort_rows(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;
	TupleTableSlot	*slot = node->ss.ss_ScanTupleSlot;
	MemoryContext	 old_context;

	/* The caller's context lives for one row only. */
	old_context = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
	if (scan->sort_slot == NULL)
		scan->sort_slot = ExecInitExtraTupleSlot(
			node->ss.ps.state, slot->tts_tupleDescriptor, &TTSOpsMinimalTuple);
	scan->sorted = row_order_begin_sort(scan->order, slot->tts_tupleDescriptor);
	MemoryContextSwitchTo(old_context);
	if (scan->by_pages != NULL)
		page_fetch_set_nowait(scan->by_pages, false);
	do
		tuplesort_puttupleslot(scan->sorted, slot);
	while (next_row(scan, slot));
	tuplesort_performsort(scan->sorted);
}

/*
 * FDW callback: returns the next row, or an empty slot at the end.  The slot
 * may also be empty while scan_is_waiting returns true.
 */
TupleTableSlot *
scan_iterate(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;
	TupleTableSlot	*slot = node->ss.ss_ScanTupleSlot;
	bool			 is_first = !scan->is_started;
	bool			 found;

	if (is_first)
		start_fetch(node);
	if (scan->sorted == NULL)
	{
		found = next_row(scan, slot);
		if (!found || scan->order == NULL)
			return slot;
		if (scan->by_pages != NULL && page_fetch_is_sorted(scan->by_pages))
		{
			row_order_check(scan->order, slot);
			return slot;
		}
		sort_rows(node);
	}
	if (tuplesort_gettupleslot(scan->sorted, true, false, scan->sort_slot,
							   NULL))
		return ExecCopySlot(slot, scan->sort_slot);
	return ExecClearTuple(slot);
}

/* Returns the scan to the state before its first row. */
static void
forget_rows(OpportunityScan *scan)
{
	if (scan->by_keys != NULL)
		key_fetch_end(scan->by_keys);
	if (scan->by_pages != NULL)
		page_fetch_end(scan->by_pages);
	scan->by_keys = NULL;
	scan->by_pages = NULL;
	if (scan->sorted != NULL)
		tuplesort_end(scan->sorted);
	scan->sorted = NULL;
	if (scan->order != NULL)
		row_order_start(scan->order);
	scan->is_started = false;
	scan->is_prefetched = false;
	scan->page_spec.filters = NIL;
	MemoryContextReset(scan->scan_context);
}

/*
 * FDW callback: starts again, with other ids perhaps.  The statement's cache
 * keeps the records that were read by id.
 */
void
scan_rescan(ForeignScanState *node)
{
	forget_rows(node->fdw_state);
}

/*
 * FDW callback: ends the fetch.  The memory lives as long as the executor
 * state.
 */
void
scan_end(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;

	if (scan != NULL)
		forget_rows(scan);
}

/* Returns the scan's counters; all are zero before it begins. */
ScanCounters
scan_counters(const ForeignScanState *node)
{
	const OpportunityScan *scan = node->fdw_state;
	ScanCounters		   counters = {0};

	if (scan != NULL)
	{
		counters.requests = scan->budget.requests;
		counters.retries = scan->budget.retries;
		counters.bytes = scan->budget.bytes;
		counters.cache_hits = scan->counters.cache_hits;
		counters.prefetched = scan->counters.prefetched;
		counters.waited = scan->budget.waited;
	}
	return counters;
}

/* Returns the counters of the pages; all are zero before the scan begins. */
PageCounters
scan_page_counters(const ForeignScanState *node)
{
	const OpportunityScan *scan = node->fdw_state;
	PageCounters		   counters = {0};

	return scan != NULL ? scan->page_counters : counters;
}

/*
 * Returns the JSON of the filters that the last query was sent with, a list;
 * NIL if there are none, or if no query was sent yet.
 */
List *
scan_sent_filters(const ForeignScanState *node)
{
	const OpportunityScan *scan = node->fdw_state;

	return scan != NULL && scan->by_pages != NULL
			   ? page_fetch_filters(scan->by_pages)
			   : NIL;
}

/*
 * Returns true if the next row is available without waiting.  A fetch by keys
 * always waits, and so is always ready.
 */
bool
scan_is_ready(const ForeignScanState *node)
{
	const OpportunityScan *scan = node->fdw_state;

	return scan->by_pages == NULL || page_fetch_is_ready(scan->by_pages);
}

/*
 * Forbids that the scan waits for responses (nowait), or permits it.  A scan that
 * may not wait can return an empty slot before the end: see scan_is_waiting.
 */
void
scan_set_nowait(ForeignScanState *node, bool nowait)
{
	OpportunityScan *scan = node->fdw_state;

	scan->nowait = nowait;
	if (scan->by_pages != NULL)
		page_fetch_set_nowait(scan->by_pages, nowait);
}

/* Returns true if the last slot was empty because the scan may not wait. */
bool
scan_is_waiting(const ForeignScanState *node)
{
	const OpportunityScan *scan = node->fdw_state;

	return scan->by_pages != NULL && page_fetch_is_waiting(scan->by_pages);
}

/* Returns the descriptor that becomes readable when data may have arrived. */
int
scan_wait_fd(const ForeignScanState *node)
{
	const OpportunityScan *scan = node->fdw_state;

	return scan->records->api->connection->pool->epoll_fd;
}

/* Prepares for a wait for that descriptor by the caller. */
void
scan_prepare_wait(const ForeignScanState *node)
{
	const OpportunityScan *scan = node->fdw_state;

	http_pool_prepare_wait(scan->records->api->connection->pool);
}
