/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  The executor's callbacks of a foreign scan, and asynchronous execution below
 *	  an Append.
 *
 * The scan evaluates the plan's conditions, starts a fetch by keys or by pages,
 * and turns its records into rows.  It checks the order of rows that the API has
 * sorted, and sorts them if it has not.  Must not know requests or responses.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/execAsync.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sortsupport.h"
#include "utils/tuplesort.h"
#include "utils/tuplestore.h"

#include "base/compat.h"
#include "condition/condition.h"
#include "exec/row.h"
#include "exec/scan.h"
#include "fetch/key_cache.h"

typedef struct OpportunityScan
{
	List		 *expressions; /* ExprStates of the plan's conditions */
	Settings	 *settings;
	RecordSource *records;
	RowReader	 *rows;
	ScanCounters  counters;

	MemoryContext scan_context;	  /* of one scan */
	MemoryContext record_context; /* reset before the next row */

	int	 bound_rows; /* as BoundMember, as the next one */
	bool is_bound_by_run;

	/* the fetch */
	PageSpec   page_spec;
	bool	   is_started;
	KeyFetch  *by_keys;	 /* NULL, as by_pages: not started, or no record can
						  * match */
	PageFetch *by_pages; /* if it is not by_keys */
	bool	   is_prefetched; /* by_keys: a lookup fetched the records */

	/*
	 * Rows of by_pages.  A rescan with the same filters returns them before it
	 * reads further ones.  They are kept from the second scan with the same
	 * filters on, or if the API has rejected a lookup's key.
	 */
	Tuplestorestate *kept; /* NULL: none are kept */
	TupleTableSlot	*kept_slot;
	char			*last_filters; /* of the last scan by pages, or NULL */

	/* the order that the plan promises, if page_spec.sort is not NULL */
	Oid				sort_operator;
	SortSupportData order;
	bool excludes_nulls;	   /* the query excludes rows without a value */
	Tuplesortstate *sorted;	   /* NULL: rows are not sorted here */
	TupleTableSlot *sort_slot; /* row of sorted, or else the previous row */
} OpportunityScan;

/* Returns a member of the plan's private list. */
static void *
plan_member(const ForeignScanState *node, ScanPrivate which)
{
	return list_nth(((ForeignScan *) node->ss.ps.plan)->fdw_private, which);
}

/*
 * Prepares a scan that reads pages.  Requests created_at, by which a scan is
 * split into ranges: this must precede the first record.
 */
static void
begin_pages(ForeignScanState *node, OpportunityScan *scan)
{
	TupleDesc tupdesc = node->ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	List	 *flags = plan_member(node, SCAN_PRIVATE_FLAGS);
	List	 *sort = plan_member(node, SCAN_PRIVATE_SORT);
	int		  limit = intVal(plan_member(node, SCAN_PRIVATE_LIMIT));
	List	 *properties;

	attribute_set_add(scan->records->wanted, "created_at");
	scan->page_spec.limit = Max(limit, 0);
	scan->page_spec.max_parts = intVal(plan_member(node, SCAN_PRIVATE_PARTS));
	scan->page_spec.may_split = list_nth_int(flags, SCAN_FLAG_MAY_SPLIT);
	scan->page_spec.is_dated = list_nth_int(flags, SCAN_FLAG_HAS_CREATED_AT);
	if (sort == NIL)
		return;

	properties = list_nth(sort, SCAN_SORT_PROPERTIES);
	scan->page_spec.sort = strVal(list_nth(sort, SCAN_SORT_FIELD));
	scan->page_spec.is_descending =
		list_nth_int(properties, SORT_IS_DESCENDING);
	scan->excludes_nulls = list_nth_int(properties, SORT_EXCLUDES_NULLS);
	scan->sort_operator = linitial_oid(list_nth(sort, SCAN_SORT_OIDS));
	scan->order.ssup_cxt = CurrentMemoryContext;
	scan->order.ssup_collation = lsecond_oid(list_nth(sort, SCAN_SORT_OIDS));
	scan->order.ssup_nulls_first = list_nth_int(properties, SORT_NULLS_FIRST);
	scan->order.ssup_attno = list_nth_int(properties, SORT_COLUMN);
	PrepareSortSupportFromOrderingOp(scan->sort_operator, &scan->order);
	scan->sort_slot =
		ExecInitExtraTupleSlot(node->ss.ps.state, tupdesc, &TTSOpsMinimalTuple);
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
 * FDW callback: prepares the scan.  Makes no request.  Raises an error if the
 * user has no mapping.  Does nothing for EXPLAIN without ANALYZE.
 */
static void
scan_begin(ForeignScanState *node, int eflags)
{
	ForeignScan		*plan = (ForeignScan *) node->ss.ps.plan;
	EState			*estate = node->ss.ps.state;
	Relation		 relation = node->ss.ss_currentRelation;
	OpportunityScan *scan;
	MemoryContext	 old_context;
	List			*bound;
	Oid				 userid;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	/* Requests refer to it, and the statement may need these for longer. */
	old_context = MemoryContextSwitchTo(statement_of(estate)->context);
	scan = palloc0(sizeof(OpportunityScan));
	node->fdw_state = scan;
	userid = scan_user(plan, estate);
	scan->settings = settings_read(RelationGetRelid(relation));
	scan->records = statement_source(estate, scan->settings, userid);
	scan->counters.budget = statement_budget(scan->records->statement,
											 scan->settings->max_requests);
	MemoryContextSwitchTo(old_context);

	scan->record_context = AllocSetContextCreate(
		estate->es_query_cxt, "opportunity_fdw record", ALLOCSET_DEFAULT_SIZES);
	scan->expressions = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	bound = plan_member(node, SCAN_PRIVATE_BOUND);
	scan->bound_rows = list_nth_int(bound, BOUND_ROWS);
	scan->is_bound_by_run = list_nth_int(bound, BOUND_BY_RUN);
	scan->page_spec.wanted.enough = Max(scan->bound_rows, 0);
	scan->rows = row_reader_create(scan->settings, relation,
								   plan_member(node, SCAN_PRIVATE_COLUMNS),
								   scan->records);
	if (plan_member(node, SCAN_PRIVATE_ID_CONDITION) == NIL)
		begin_pages(node, scan);
}

/*
 * Evaluates the filters in the current context, or those that a lookup pushes
 * down with the keys.  Returns false if no record can match.
 */
static bool
evaluate_filters(ForeignScanState *node, bool of_lookup, List **filters)
{
	OpportunityScan *scan = node->fdw_state;
	const Api		*api = scan->records->api;
	int				 max_parts = of_lookup ? 1 : scan->page_spec.max_parts;
	ListCell		*cell;
	ListCell		*role;

	forboth(cell, plan_member(node, SCAN_PRIVATE_FILTERS), role,
			plan_member(node, SCAN_PRIVATE_ROLES))
	{
		if (of_lookup && lfirst_int(role) != FILTER_RESTRICTION)
			continue;
		if (!condition_evaluate_filter(lfirst(cell), scan->expressions,
									   node->ss.ps.ps_ExprContext, api,
									   max_parts * MAX_REMOTE_VALUES, filters))
			return false;
	}
	if (!of_lookup)
		*filters = part_choose(api, *filters, max_parts);
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
	List			*filters = NIL;
	ListCell		*cell;
	ListCell		*role;

	forboth(cell, plan_member(node, SCAN_PRIVATE_FILTERS), role,
			plan_member(node, SCAN_PRIVATE_ROLES))
	{
		const List *condition = lfirst(cell);
		KeySet		keys;

		if (lfirst_int(role) != FILTER_KEY)
			continue;
		keys = condition_evaluate_keys(condition, scan->expressions,
									   node->ss.ps.ps_ExprContext);
		if (keys.count == 0 || !evaluate_filters(node, true, &filters))
			return false;
		scan->by_keys =
			key_fetch_find(scan->records, scan->settings,
						   condition_field(condition), filters, keys.keys);
		if (scan->by_keys == NULL)
			return false;
		scan->is_prefetched = true;
		scan->records->api->connection->stats->cache_hits++;
		return true;
	}
	return false;
}

/* Returns the filters as a text, palloc'd. */
static char *
filters_text(const List *filters)
{
	StringInfoData text;
	ListCell	  *cell;

	initStringInfo(&text);
	foreach(cell, filters)
		appendStringInfo(&text, "%s\n", ((RemoteFilter *) lfirst(cell))->text);
	return text.data;
}

/* Releases the fetch and the rows of the last scan. */
static void
end_fetch(OpportunityScan *scan)
{
	if (scan->by_keys != NULL)
		key_fetch_end(scan->by_keys);
	if (scan->by_pages != NULL)
		page_fetch_end(scan->by_pages);
	scan->by_keys = NULL;
	scan->by_pages = NULL;
	if (scan->sort_slot != NULL)
		ExecClearTuple(scan->sort_slot);
	if (scan->sorted != NULL)
		tuplesort_end(scan->sorted);
	scan->sorted = NULL;
	if (scan->kept != NULL)
	{
		ExecClearTuple(scan->kept_slot);
		tuplestore_end(scan->kept);
	}
	scan->kept = NULL;
	scan->is_prefetched = false;
	if (scan->scan_context != NULL)
		MemoryContextDelete(scan->scan_context);
	scan->scan_context = NULL;
}

/* Returns true if a lookup fetches records of the scan by a key. */
static bool
has_lookup(const ForeignScanState *node)
{
	return list_member_int(plan_member(node, SCAN_PRIVATE_ROLES), FILTER_KEY);
}

/* Starts a fetch by pages, in the current context, and keeps its rows. */
static void
start_pages(ForeignScanState *node, bool keeps_rows)
{
	OpportunityScan *scan = node->fdw_state;
	EState			*estate = node->ss.ps.state;

	scan->by_pages =
		page_fetch_create(scan->records, scan->settings, &scan->page_spec,
						  &scan->counters.budget, &scan->counters.pages);
	if (!keeps_rows)
		return;
	MemoryContextSwitchTo(estate->es_query_cxt);
	if (scan->kept_slot == NULL)
		scan->kept_slot = ExecInitExtraTupleSlot(
			estate, node->ss.ss_ScanTupleSlot->tts_tupleDescriptor,
			&TTSOpsMinimalTuple);
	scan->kept = tuplestore_begin_heap(false, false, work_mem);
	tuplestore_set_eflags(scan->kept, EXEC_FLAG_REWIND);
}

/*
 * Starts the fetch of the records that the conditions allow, or starts again
 * with the rows that the last scan has kept.  Raises an error if the table can be
 * read by ids alone and there is no condition on the id.
 */
static void
start_fetch(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;
	List		 *id_condition = plan_member(node, SCAN_PRIVATE_ID_CONDITION);
	List		 *filters = NIL;
	bool		  is_possible = true;
	bool		  is_same = false;
	MemoryContext old_context;
	MemoryContext context;
	KeySet		  ids;

	if (id_condition == NIL && !scan->settings->use_query)
		ereport(
			ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot scan foreign table \"%s\" without a condition on "
					"attribute \"id\"",
					RelationGetRelationName(node->ss.ss_currentRelation)),
			 errdetail("The option \"use_query\" of the table is false."),
			 errhint("Add a condition such as WHERE id = '...', or join the "
					 "table by the column of attribute \"id\".")));

	scan->is_started = true;
	context =
		AllocSetContextCreate(node->ss.ps.state->es_query_cxt,
							  "opportunity_fdw scan", ALLOCSET_SMALL_SIZES);
	old_context = MemoryContextSwitchTo(context);
	if (id_condition == NIL)
	{
		is_possible = evaluate_filters(node, false, &filters);
		is_same = is_possible && scan->last_filters != NULL &&
				  strcmp(filters_text(filters), scan->last_filters) == 0;
		if (is_same && scan->kept != NULL)
		{
			tuplestore_rescan(scan->kept);
			MemoryContextSwitchTo(old_context);
			MemoryContextDelete(context);
			return;
		}
	}
	end_fetch(scan);
	scan->scan_context = context;
	scan->page_spec.filters = filters;
	if (id_condition != NIL)
	{
		ids = condition_evaluate_keys(id_condition, scan->expressions,
									  node->ss.ps.ps_ExprContext);
		scan->by_keys =
			key_fetch_ids(scan->records, scan->settings, ids.keys, ids.count,
						  &scan->page_spec.wanted, &scan->counters.budget,
						  &scan->counters.keys);
	}
	else if (is_possible && !find_by_key(node))
		start_pages(node, is_same || has_lookup(node));
	MemoryContextSwitchTo(old_context);
}

/* Stores the next row in the slot, or returns false with an empty slot. */
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
	scan->page_spec.wanted.least = statement_rows_wanted(
		scan->records->statement, scan->bound_rows, scan->is_bound_by_run);
	do
	{
		MemoryContextReset(scan->record_context);
		found = scan->by_keys != NULL
					? key_fetch_next(scan->by_keys, &record)
					: page_fetch_next(scan->by_pages, &record);
	} while (found && row_reader_leaves_out(scan->rows, record));
	if (found)
	{
		row_reader_read(scan->rows, record, slot->tts_values, slot->tts_isnull);
		ExecStoreVirtualTuple(slot);
		scan->counters.keys.prefetched += scan->is_prefetched;
	}
	MemoryContextSwitchTo(old_context);
	return found;
}

/*
 * Raises an error if a row that the API has sorted belongs before the previous
 * one.  The API's documentation does not say how it compares values or where it
 * puts NULLs.  A row that the query excludes may be anywhere.
 */
static void
check_order(OpportunityScan *scan, TupleTableSlot *row)
{
	const char *field = scan->page_spec.sort;
	AttrNumber	attnum = scan->order.ssup_attno;
	bool		isnull;
	Datum		value = slot_getattr(row, attnum, &isnull);
	Datum		previous;
	bool		previous_isnull;

	if (isnull && scan->excludes_nulls)
		return;
	if (!TupIsNull(scan->sort_slot))
	{
		previous = slot_getattr(scan->sort_slot, attnum, &previous_isnull);
		if (ApplySortComparator(previous, previous_isnull, value, isnull,
								&scan->order) > 0)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_ERROR),
					 errmsg("API returned records out of order for sort field "
							"\"%s\"",
							pg_any_to_server(field, strlen(field), PG_UTF8)),
					 errhint("Set the option \"sortable\" of column \"%s\" to "
							 "\"false\".",
							 NameStr(TupleDescAttr(row->tts_tupleDescriptor,
												   attnum - 1)
										 ->attname))));
	}
	ExecCopySlot(scan->sort_slot, row);
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
	scan->sorted = tuplesort_begin_heap(
		slot->tts_tupleDescriptor, 1, &scan->order.ssup_attno,
		&scan->sort_operator, &scan->order.ssup_collation,
		&scan->order.ssup_nulls_first, work_mem, NULL, 0);
	MemoryContextSwitchTo(old_context);
	scan->page_spec.nowait = false;
	do
		tuplesort_puttupleslot(scan->sorted, slot);
	while (next_row(scan, slot));
	tuplesort_performsort(scan->sorted);
}

/*
 * Stores the next row that was not kept in the slot, in the promised order, or
 * empties the slot.
 */
static void
read_row(ForeignScanState *node, TupleTableSlot *slot)
{
	OpportunityScan *scan = node->fdw_state;

	if (scan->sorted == NULL)
	{
		if (!next_row(scan, slot) || scan->page_spec.sort == NULL)
			return;
		if (scan->by_pages != NULL && scan->by_pages->is_sorted)
		{
			check_order(scan, slot);
			return;
		}
		sort_rows(node);
	}
	if (tuplesort_gettupleslot(scan->sorted, true, false, scan->sort_slot,
							   NULL))
		ExecCopySlot(slot, scan->sort_slot);
	else
		ExecClearTuple(slot);
}

/*
 * FDW callback: returns the next row, or an empty slot at the end.  The slot
 * may also be empty while by_pages->is_waiting.
 */
static TupleTableSlot *
scan_iterate(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;
	TupleTableSlot	*slot = node->ss.ss_ScanTupleSlot;

	if (!scan->is_started)
		start_fetch(node);
	if (scan->kept != NULL)
	{
		/* A row that is read from a file must last until the slot frees it. */
		MemoryContext old_context =
			MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
		bool is_kept =
			tuplestore_gettupleslot(scan->kept, true, false, scan->kept_slot);

		MemoryContextSwitchTo(old_context);
		if (is_kept)
			return ExecCopySlot(slot, scan->kept_slot);
	}
	read_row(node, slot);
	if (scan->kept != NULL && !TupIsNull(slot))
		tuplestore_puttupleslot(scan->kept, slot);
	return slot;
}

/*
 * FDW callback: returns the scan to the state before its first row.  The
 * statement's cache keeps the records that were read by id.
 */
static void
scan_rescan(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;

	if (scan == NULL) /* EXPLAIN without ANALYZE */
		return;
	scan->is_started = false;
	if (scan->by_pages != NULL)
	{
		MemoryContext old_context =
			MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);

		if (scan->last_filters != NULL)
			pfree(scan->last_filters);
		scan->last_filters = filters_text(scan->by_pages->filters);
		MemoryContextSwitchTo(old_context);
	}
	if (scan->kept == NULL)
		end_fetch(scan);
}

/* FDW callback: ends the scan. */
static void
scan_end(ForeignScanState *node)
{
	if (node->fdw_state != NULL) /* not EXPLAIN without ANALYZE */
		end_fetch(node->fdw_state);
}

/* Returns the counters of a scan that has begun. */
const ScanCounters *
scan_counters(const ForeignScanState *node)
{
	return &((const OpportunityScan *) node->fdw_state)->counters;
}

/* Returns the RemoteFilters of a fetch by pages that the API has not rejected. */
List *
scan_sent_filters(const ForeignScanState *node)
{
	const OpportunityScan *scan = node->fdw_state;

	return scan->by_pages != NULL ? scan->by_pages->filters : NIL;
}

/*
 * Asynchronous execution: an Append requests a row from each of its scans.  A
 * scan that would have to wait returns the descriptor that becomes readable when
 * data may have arrived.  Scans of one user mapping share a connection pool and
 * its descriptor, and the Append notifies only one of them.  So that one also
 * completes the requests of the others.
 */

static OpportunityScan *
scan_of(const AsyncRequest *request)
{
	return ((ForeignScanState *) request->requestee)->fdw_state;
}

static HttpPool *
pool_of(const AsyncRequest *request)
{
	return scan_of(request)->records->api->connection->pool;
}

/*
 * FDW callback: completes a request with a row or the end, or adds it to the
 * statement's pending requests.
 */
static void
scan_request(AsyncRequest *request)
{
	OpportunityScan *scan = scan_of(request);
	Statement		*statement = scan->records->statement;
	PlanState		*node = request->requestee;
	TupleTableSlot	*row;
	MemoryContext	 old_context;

	scan->page_spec.nowait = true;
	row = node->ExecProcNodeReal(node); /* not instrumented twice */
	scan->page_spec.nowait = false;
	if (TupIsNull(row) && scan->by_pages != NULL && scan->by_pages->is_waiting)
	{
		old_context = MemoryContextSwitchTo(statement->context);
		statement->async_requests =
			list_append_unique_ptr(statement->async_requests, request);
		MemoryContextSwitchTo(old_context);
		ExecAsyncRequestPending(request);
		return;
	}
	statement->async_requests =
		list_delete_ptr(statement->async_requests, request);
	ExecAsyncRequestDone(request, TupIsNull(row) ? NULL : row);
}

/*
 * Completes the Append's pending requests that need not wait any longer, although
 * it was not notified of them.  A fetch by keys always waits, and so is ready.
 */
static void
complete_ready(AsyncRequest *request)
{
	List *pending =
		list_copy(scan_of(request)->records->statement->async_requests);
	ListCell *cell;

	foreach(cell, pending)
	{
		AsyncRequest	*other = lfirst(cell);
		const PageFetch *pages = scan_of(other)->by_pages;

		if (!other->callback_pending ||
			other->requestor != request->requestor ||
			(pages != NULL && !page_fetch_is_ready(pages)))
			continue;
		other->callback_pending = false;
		scan_request(other);
		ExecAsyncResponse(other);
		if (other->requestee->instrument != NULL)
			InstrUpdateTupleCount(other->requestee->instrument,
								  TupIsNull(other->result) ? 0.0 : 1.0);
	}
	list_free(pending);
}

/*
 * Returns true if a request is the first pending one of its Append that needs
 * its descriptor, which must be registered only once.
 */
static bool
is_first_to_wait(const AsyncRequest *request)
{
	ListCell *cell;

	foreach(cell, scan_of(request)->records->statement->async_requests)
	{
		const AsyncRequest *other = lfirst(cell);

		if (other->callback_pending && other->requestor == request->requestor &&
			pool_of(other) == pool_of(request) &&
			other->request_index < request->request_index)
			return false;
	}
	return true;
}

/*
 * FDW callback: registers the descriptor that the Append waits for.  Completes
 * all requests that are ready before the first event is registered, since the
 * Append would wait nevertheless then.
 */
static void
scan_configure_wait(AsyncRequest *request)
{
	AppendState *append = (AppendState *) request->requestor;

	/* The first event is the postmaster's death. */
	if (GetNumRegisteredWaitEvents(append->as_eventset) == 1)
		complete_ready(request);
	if (!request->callback_pending || append->as_needrequest != NULL ||
		!is_first_to_wait(request))
		return;
	http_pool_prepare_wait(pool_of(request));
	AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE,
					  pool_of(request)->epoll_fd, NULL, request);
}

/* FDW callback: processes the data that has arrived. */
static void
scan_notify(AsyncRequest *request)
{
	CHECK_FOR_INTERRUPTS();
	complete_ready(request);
	scan_request(request);
}

/* Sets the FDW callbacks of the executor. */
void
scan_set_callbacks(FdwRoutine *routine)
{
	routine->BeginForeignScan = scan_begin;
	routine->IterateForeignScan = scan_iterate;
	routine->ReScanForeignScan = scan_rescan;
	routine->EndForeignScan = scan_end;
	routine->ForeignAsyncRequest = scan_request;
	routine->ForeignAsyncConfigureWait = scan_configure_wait;
	routine->ForeignAsyncNotify = scan_notify;
}
