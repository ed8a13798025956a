/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_scan.c
 *	  Joins that look records up in batches: the executor's part.
 *
 * The node returns the rows of its child, in their order.  It reads them ahead
 * in batches.  A batch ends when its ids or keys fill a request, when the
 * child has no more rows, or when the rows held exceed work_mem.  Its records
 * stay in the statement's cache for the foreign scan of the nested loop above,
 * until its rows are returned.
 *
 * Up to max_concurrency batches are in flight, but they do not reach beyond a
 * LIMIT.  If the number of rows to read is unknown, two batches are in flight
 * until the rows of one have been returned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "condition/condition.h"
#include "exec/explain.h"
#include "exec/lookup_scan.h"
#include "fetch/key_cache.h"

/* Rows of the child, and the keys of the records that they need. */
typedef struct LookupBatch
{
	MemoryContext context;
	KeyBatch	 *keys;
	List		 *tuples; /* MinimalTuples */
	int			  next;	  /* position of the next row to return */
	size_t		  size;	  /* bytes of the tuples */
} LookupBatch;

typedef struct LookupState
{
	CustomScanState css;

	List		   *expressions; /* ExprStates of custom_exprs */
	Settings	   *settings;
	RecordSource   *records;
	PlanState	   *child;
	TupleTableSlot *tuple_slot;

	List  *batches;		 /* LookupBatches, in the order of their rows */
	size_t size;		 /* bytes of all rows held */
	bool   may_read_far; /* more than two batches may be read ahead */
	bool   is_done;		 /* the child has no more rows */
	int	   limit;		 /* rows after which the query is likely to stop; 0:
						 * all */
	int64  read;		 /* rows read from the child */
	int64  returned;

	LookupCounters counters;
} LookupState;

/* Returns a member of the plan's private list. */
static void *
private_member(const LookupState *state, LookupPrivate which)
{
	const CustomScan *plan = (const CustomScan *) state->css.ss.ps.plan;

	return list_nth(plan->custom_private, which);
}

static void
start_lookup(LookupState *state)
{
	int limit = intVal(private_member(state, LOOKUP_PRIVATE_LIMIT));

	state->limit = Max(limit, 0);
	state->may_read_far = limit != UNKNOWN_LIMIT;
	state->is_done = false;
	state->read = 0;
	state->returned = 0;
}

/* Custom scan callback: prepares the lookup.  Makes no request. */
static void
begin_lookup(CustomScanState *node, EState *estate, int eflags)
{
	LookupState *state = (LookupState *) node;
	CustomScan	*plan = (CustomScan *) node->ss.ps.plan;
	List		*oids = private_member(state, LOOKUP_PRIVATE_OIDS);
	Oid			 userid = lsecond_oid(oids);

	state->child = ExecInitNode(linitial(plan->custom_plans), estate, eflags);
	node->custom_ps = list_make1(state->child);
	state->expressions = ExecInitExprList(plan->custom_exprs, &node->ss.ps);
	state->settings = settings_read(linitial_oid(oids));
	statement_note_lookup(statement_of(estate), linitial_oid(oids));
	start_lookup(state);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	state->records = statement_source(
		estate, state->settings, OidIsValid(userid) ? userid : GetUserId());
	state->counters.budget = statement_budget(state->records->statement,
											  state->settings->max_requests);
	state->tuple_slot = ExecInitExtraTupleSlot(
		estate, ExecGetResultType(state->child), &TTSOpsMinimalTuple);
}

/*
 * Returns a row of the child in the scan slot.  The node's expressions were
 * compiled for the scan slot's kind, which may differ from the child's.
 */
static TupleTableSlot *
as_scan_tuple(LookupState *state, TupleTableSlot *row)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	int				natts = slot->tts_tupleDescriptor->natts;

	ExecClearTuple(slot);
	slot_getallattrs(row);
	memcpy(slot->tts_values, row->tts_values, natts * sizeof(Datum));
	memcpy(slot->tts_isnull, row->tts_isnull, natts * sizeof(bool));
	return ExecStoreVirtualTuple(slot);
}

/* Returns the node's result for a row of the child: an empty slot for NULL. */
static TupleTableSlot *
return_row(LookupState *state, TupleTableSlot *row)
{
	ScanState	   *scan = &state->css.ss;
	TupleTableSlot *slot;

	if (TupIsNull(row))
		return ExecClearTuple(scan->ss_ScanTupleSlot);
	slot = as_scan_tuple(state, row);
	if (scan->ps.ps_ProjInfo == NULL)
		return slot;
	ResetExprContext(scan->ps.ps_ExprContext);
	scan->ps.ps_ExprContext->ecxt_scantuple = slot;
	return ExecProject(scan->ps.ps_ProjInfo);
}

/* Evaluates the filters of the keys.  Returns false if no record can match. */
static bool
evaluate_lookup_filters(LookupState *state, List **filters)
{
	ListCell *cell;

	*filters = NIL;
	foreach(cell, private_member(state, LOOKUP_PRIVATE_FILTERS))
	{
		if (!condition_evaluate_filter(lfirst(cell), state->expressions,
									   state->css.ss.ps.ps_ExprContext,
									   state->records->api, filters))
			return false;
	}
	return true;
}

/*
 * Returns an empty batch of keys in the current memory context.  Evaluates the
 * filters again, because the API may have rejected one.
 */
static KeyBatch *
create_keys(LookupState *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	const char	*field =
		condition_field(private_member(state, LOOKUP_PRIVATE_CONDITION));
	List		 *filters;
	bool		  is_possible;
	MemoryContext context;
	KeyCache	 *cache;
	KeyBatch	 *keys;

	ResetExprContext(econtext);
	context = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	is_possible = evaluate_lookup_filters(state, &filters);
	cache = key_cache_open(state->records, field, filters, true);
	MemoryContextSwitchTo(context);
	keys =
		key_batch_create(cache, state->settings, &state->counters.budget, true);
	if (!is_possible)
		keys->size = 0;
	return keys;
}

/* Adds the keys of a row of the child to a batch, in its memory context. */
static void
add_keys(LookupState *state, KeyBatch *batch, TupleTableSlot *row)
{
	ExprContext	 *econtext = state->css.ss.ps.ps_ExprContext;
	MemoryContext context;
	KeySet		  keys;

	if (batch->size == 0)
		return;
	ResetExprContext(econtext);
	econtext->ecxt_scantuple = as_scan_tuple(state, row);
	context = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	keys =
		condition_evaluate_keys(private_member(state, LOOKUP_PRIVATE_CONDITION),
								state->expressions, econtext);
	MemoryContextSwitchTo(context);
	for (int i = 0; i < keys.count; i++)
		key_batch_add(batch, &keys.keys[i]);
}

/* Reads rows of the child until a batch is full or there are no more rows. */
static LookupBatch *
read_lookup_batch(LookupState *state)
{
	MemoryContext context =
		AllocSetContextCreate(state->css.ss.ps.state->es_query_cxt,
							  "opportunity_fdw lookup", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	LookupBatch	 *batch = palloc0(sizeof(LookupBatch));

	batch->context = context;
	batch->keys = create_keys(state);
	MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);
	state->batches = lappend(state->batches, batch);

	do
	{
		TupleTableSlot *row;
		MinimalTuple	tuple;

		MemoryContextSwitchTo(old_context);
		row = ExecProcNode(state->child);
		MemoryContextSwitchTo(context);
		state->is_done = TupIsNull(row);
		if (state->is_done)
			break;
		tuple = ExecCopySlotMinimalTuple(row);
		batch->tuples = lappend(batch->tuples, tuple);
		batch->size += tuple->t_len;
		state->size += tuple->t_len;
		state->read++;
		add_keys(state, batch->keys, row);
	} while (!key_batch_is_full(batch->keys) &&
			 state->size < (size_t) work_mem * 1024);
	MemoryContextSwitchTo(old_context);
	return batch;
}

static void
end_lookup_batch(LookupState *state, LookupBatch *batch)
{
	ExecClearTuple(state->tuple_slot);
	key_batch_release(batch->keys);
	state->batches = list_delete_ptr(state->batches, batch);
	state->size -= batch->size;
	MemoryContextDelete(batch->context);
}

static void
end_all_batches(LookupState *state)
{
	while (state->batches != NIL)
		end_lookup_batch(state, linitial(state->batches));
}

/*
 * Returns true if another batch is worth reading.  Rows beyond the limit are
 * needed if some rows before it had no record.
 */
static bool
may_read_more(const LookupState *state)
{
	const KeyStore *store = state->records->statement->store;
	int				most =
		state->may_read_far ? Max(state->settings->max_concurrency, 2) : 2;

	return !state->is_done && list_length(state->batches) < most &&
		   state->size < (size_t) work_mem * 1024 &&
		   !key_store_is_full(store) &&
		   (state->read < state->limit || state->returned >= state->limit);
}

/* Reads as many batches as may be read, but at least one, and sends them. */
static void
read_ahead(LookupState *state)
{
	while (state->batches == NIL || may_read_more(state))
	{
		LookupBatch *batch = read_lookup_batch(state);
		int			 keys = list_length(batch->keys->entries);

		if (batch->tuples == NIL)
		{
			end_lookup_batch(state, batch);
			return;
		}
		key_batch_send(batch->keys);
		state->counters.batches += keys > 0;
		state->counters.keys += keys;
		state->counters.cache_hits += batch->keys->hits;
	}
}

/* Custom scan callback: returns the next row of the child, or an empty slot. */
static TupleTableSlot *
next_lookup_row(CustomScanState *node)
{
	LookupState *state = (LookupState *) node;
	LookupBatch *batch;
	MinimalTuple tuple;

	/* A locked row is checked again: the cache has its record. */
	if (node->ss.ps.state->es_epq_active != NULL)
		return return_row(state, ExecProcNode(state->child));

	batch = state->batches != NIL ? linitial(state->batches) : NULL;
	if (batch != NULL && batch->next == list_length(batch->tuples))
	{
		end_lookup_batch(state, batch);
		state->may_read_far = true;
		batch = NULL;
	}
	if (batch == NULL && !state->is_done)
		read_ahead(state);
	if (state->batches == NIL)
		return return_row(state, NULL);
	batch = linitial(state->batches);
	tuple = list_nth(batch->tuples, batch->next++);
	state->returned++;
	ExecStoreMinimalTuple(tuple, state->tuple_slot, false);
	return return_row(state, state->tuple_slot);
}

/* Custom scan callback: releases the batches and the child. */
static void
end_lookup(CustomScanState *node)
{
	LookupState *state = (LookupState *) node;

	end_all_batches(state);
	ExecEndNode(state->child);
}

/* Custom scan callback: starts again, perhaps with other parameters. */
static void
rescan_lookup(CustomScanState *node)
{
	LookupState *state = (LookupState *) node;

	end_all_batches(state);
	start_lookup(state);
	if (node->ss.ps.chgParam != NULL)
		UpdateChangedParamSet(state->child, node->ss.ps.chgParam);
	if (state->child->chgParam == NULL)
		ExecReScan(state->child);
}

static void
explain_lookup_node(CustomScanState *node, List *ancestors, ExplainState *es)
{
	explain_lookup(node, &((LookupState *) node)->counters, ancestors, es);
}

/* Custom scan callback: returns the node's state. */
static Node *
create_lookup_state(CustomScan *plan)
{
	static const CustomExecMethods methods = {
		.CustomName = "Batch Lookup",
		.BeginCustomScan = begin_lookup,
		.ExecCustomScan = next_lookup_row,
		.EndCustomScan = end_lookup,
		.ReScanCustomScan = rescan_lookup,
		.ExplainCustomScan = explain_lookup_node,
	};
	LookupState *state = palloc0(sizeof(LookupState));

	NodeSetTag(state, T_CustomScanState);
	state->css.flags = plan->flags;
	state->css.methods = &methods;
	return (Node *) state;
}

const CustomScanMethods lookup_scan_methods = {
	.CustomName = "Batch Lookup", .CreateCustomScanState = create_lookup_state};
