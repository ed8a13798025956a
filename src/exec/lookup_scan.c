/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_scan.c
 *	  Joins that look records up in batches: the executor's part.
 *
 * The node returns the rows of its child, in their order.  It reads them ahead
 * in batches.  A batch ends when its ids or keys fill a request, when the
 * child has no more rows, or when the rows held exceed work_mem.  Its records
 * are kept until its rows are returned, so that the foreign scan of the nested
 * loop above finds them in the statement's cache.
 *
 * Up to max_concurrency batches are in flight, but they do not reach beyond a
 * LIMIT.  If the number of rows to read is unknown, two batches are in flight
 * until the rows of one have been returned.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "condition/condition.h"
#include "condition/scan_private.h"
#include "exec/explain.h"
#include "exec/lookup_join.h"
#include "exec/lookup_source.h"

/* Rows of the child, and the records that they need. */
typedef struct LookupBatch
{
	dlist_node	  node;
	MemoryContext context;
	void		 *records; /* batch of the source's kind */
	MinimalTuple *tuples;
	int			  count;
	int			  capacity;
	int			  next; /* position of the next row to return */
	size_t		  size; /* bytes of the tuples */
} LookupBatch;

typedef struct LookupState
{
	CustomScanState css;

	LookupSource	source;
	PlanState	   *child;
	TupleTableSlot *tuple_slot;

	dlist_head batches; /* in the order of their rows */
	int		   batch_count;
	size_t	   size;	/* bytes of all rows held */
	bool	   is_open; /* more than two batches may be read ahead */
	bool	   is_done; /* the child has no more rows */
	int		   limit;	/* rows after which the query is likely to stop; 0:
						 * all */
	int64	   read;	/* rows read from the child */
	int64	   handed_on;

	LookupCounters counters;
} LookupState;

static void begin_lookup(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *next_row(CustomScanState *node);
static void			   end_lookup(CustomScanState *node);
static void			   rescan_lookup(CustomScanState *node);

static void			   start(LookupState *state);
static void			   read_ahead(LookupState *state);
static bool			   may_read_more(const LookupState *state);
static LookupBatch	  *read_batch(LookupState *state);
static void			   add_row(LookupState *state, LookupBatch *batch,
							   TupleTableSlot *row);
static void			   end_batch(LookupState *state, LookupBatch *batch);
static void			   end_all_batches(LookupState *state);
static TupleTableSlot *hand_on(LookupState *state, TupleTableSlot *row);
static TupleTableSlot *as_scan_tuple(LookupState *state, TupleTableSlot *row);

static const CustomExecMethods lookup_exec_methods = {
	.CustomName = "Batch Lookup",
	.BeginCustomScan = begin_lookup,
	.ExecCustomScan = next_row,
	.EndCustomScan = end_lookup,
	.ReScanCustomScan = rescan_lookup,
	.ExplainCustomScan = explain_lookup};

/* Custom scan callback: returns the node's state, still empty. */
static Node *
create_state(CustomScan *plan)
{
	LookupState *state = palloc0(sizeof(LookupState));

	NodeSetTag(state, T_CustomScanState);
	state->css.flags = plan->flags;
	state->css.methods = &lookup_exec_methods;
	dlist_init(&state->batches);
	return (Node *) state;
}

const CustomScanMethods lookup_scan_methods = {
	.CustomName = "Batch Lookup", .CreateCustomScanState = create_state};

/* Returns the lookup's counters; all are zero before it begins. */
LookupCounters
lookup_counters(const CustomScanState *node)
{
	const LookupState *state = (const LookupState *) node;
	LookupCounters	   counters = state->counters;

	counters.scan.requests = state->source.budget.requests;
	counters.scan.retries = state->source.budget.retries;
	counters.scan.waited = state->source.budget.waited;
	return counters;
}

/* Custom scan callback: prepares the lookup.  Makes no request. */
static void
begin_lookup(CustomScanState *node, EState *estate, int eflags)
{
	LookupState	 *state = (LookupState *) node;
	LookupSource *source = &state->source;
	CustomScan	 *plan = (CustomScan *) node->ss.ps.plan;
	List		 *oids = list_nth(plan->custom_private, LOOKUP_PRIVATE_OIDS);
	Oid			  userid = lsecond_oid(oids);

	state->child = ExecInitNode(linitial(plan->custom_plans), estate, eflags);
	node->custom_ps = list_make1(state->child);
	source->plan = plan;
	source->methods = condition_is_by_id(list_nth(plan->custom_private,
												  LOOKUP_PRIVATE_CONDITION))
						  ? &lookup_ids_methods
						  : &lookup_keys_methods;
	source->expressions = ExecInitExprList(plan->custom_exprs, &node->ss.ps);
	source->settings = settings_read(linitial_oid(oids));
	statement_note_lookup(statement_of(estate), linitial_oid(oids));
	start(state);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	source->cache = record_cache_open(
		estate, source->settings, OidIsValid(userid) ? userid : GetUserId());
	source->budget = statement_budget(record_cache_statement(source->cache),
									  source->settings->max_requests);
	state->tuple_slot = ExecInitExtraTupleSlot(
		estate, ExecGetResultType(state->child), &TTSOpsMinimalTuple);
}

/*
 * Custom scan callback: returns the next row of the child, or an empty slot at
 * the end.
 */
static TupleTableSlot *
next_row(CustomScanState *node)
{
	LookupState *state = (LookupState *) node;
	LookupBatch *batch;
	MinimalTuple tuple;

	/* A locked row is checked again: the cache has its record. */
	if (node->ss.ps.state->es_epq_active != NULL)
		return hand_on(state, ExecProcNode(state->child));

	batch = dlist_is_empty(&state->batches)
				? NULL
				: dlist_head_element(LookupBatch, node, &state->batches);
	if (batch != NULL && batch->next == batch->count)
	{
		end_batch(state, batch);
		state->is_open = true;
		batch = NULL;
	}
	if (batch == NULL && !state->is_done)
		read_ahead(state);
	if (batch == NULL)
	{
		if (dlist_is_empty(&state->batches))
			return hand_on(state, NULL);
		batch = dlist_head_element(LookupBatch, node, &state->batches);
	}

	tuple = batch->tuples[batch->next++];
	state->handed_on++;
	ExecStoreMinimalTuple(tuple, state->tuple_slot, false);
	return hand_on(state, state->tuple_slot);
}

/* Custom scan callback: releases the batches and the child. */
static void
end_lookup(CustomScanState *node)
{
	LookupState *state = (LookupState *) node;

	end_all_batches(state);
	ExecEndNode(state->child);
}

/*
 * Custom scan callback: starts again from the first row, with other parameters
 * perhaps.
 */
static void
rescan_lookup(CustomScanState *node)
{
	LookupState *state = (LookupState *) node;

	end_all_batches(state);
	start(state);
	if (node->ss.ps.chgParam != NULL)
		UpdateChangedParamSet(state->child, node->ss.ps.chgParam);
	if (state->child->chgParam == NULL)
		ExecReScan(state->child);
}

/* Sets the state to that before the first row. */
static void
start(LookupState *state)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	int limit = intVal(list_nth(plan->custom_private, LOOKUP_PRIVATE_LIMIT));

	state->limit = Max(limit, 0);
	state->is_open = limit != UNKNOWN_LIMIT;
	state->is_done = false;
	state->read = 0;
	state->handed_on = 0;
}

/*
 * Reads batches up to the limits of parallel batches and of memory, but at
 * least one.  Sends their requests.
 */
static void
read_ahead(LookupState *state)
{
	const LookupMethods *methods = state->source.methods;

	while (state->batch_count == 0 || may_read_more(state))
	{
		LookupBatch *batch = read_batch(state);

		if (batch->count == 0)
		{
			end_batch(state, batch);
			return;
		}
		methods->send(batch->records);
		state->counters.batches += methods->count(batch->records) > 0;
		state->counters.keys += methods->count(batch->records);
		state->counters.scan.cache_hits += methods->hits(batch->records);
	}
}

/*
 * Returns true if another batch is worth reading.  Rows beyond the limit are
 * needed if some rows before it had no record.
 */
static bool
may_read_more(const LookupState *state)
{
	const LookupSource *source = &state->source;
	const LookupBatch  *last =
		dlist_tail_element(LookupBatch, node, (dlist_head *) &state->batches);
	int most = state->is_open ? Max(source->settings->max_concurrency, 2) : 2;

	return !state->is_done && state->batch_count < most &&
		   state->size < (size_t) work_mem * 1024 &&
		   !source->methods->is_large(last->records) &&
		   (state->read < state->limit || state->handed_on >= state->limit);
}

/*
 * Reads rows of the child until a batch is full.  Returns the batch, which is
 * empty if the child has no more rows.
 */
static LookupBatch *
read_batch(LookupState *state)
{
	const LookupMethods *methods = state->source.methods;
	EState				*estate = state->css.ss.ps.state;
	MemoryContext		 context = AllocSetContextCreate(
			   estate->es_query_cxt, "opportunity_fdw lookup", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	LookupBatch	 *batch = palloc0(sizeof(LookupBatch));

	batch->context = context;
	batch->records =
		methods->begin_batch(&state->source, state->css.ss.ps.ps_ExprContext);
	dlist_push_tail(&state->batches, &batch->node);
	state->batch_count++;

	do
	{
		TupleTableSlot *row;

		MemoryContextSwitchTo(old_context);
		row = ExecProcNode(state->child);
		MemoryContextSwitchTo(context);
		if (TupIsNull(row))
			state->is_done = true;
		else
			add_row(state, batch, row);
	} while (!state->is_done && !methods->is_full(batch->records) &&
			 state->size < (size_t) work_mem * 1024);
	MemoryContextSwitchTo(old_context);
	return batch;
}

/*
 * Adds a row, and the ids or keys that it contains, to a batch.  The current
 * memory context must be the batch's.
 */
static void
add_row(LookupState *state, LookupBatch *batch, TupleTableSlot *row)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	MinimalTuple tuple;

	if (batch->count == batch->capacity)
	{
		batch->capacity = Max(64, batch->capacity * 2);
		batch->tuples =
			batch->tuples == NULL
				? palloc(batch->capacity * sizeof(MinimalTuple))
				: repalloc_huge(batch->tuples,
								batch->capacity * sizeof(MinimalTuple));
	}
	tuple = ExecCopySlotMinimalTuple(row);
	batch->tuples[batch->count++] = tuple;
	batch->size += tuple->t_len;
	state->size += tuple->t_len;
	state->read++;

	ResetExprContext(econtext);
	econtext->ecxt_scantuple = as_scan_tuple(state, row);
	state->source.methods->add_row(&state->source, batch->records, econtext);
}

/* Releases a batch's rows and records. */
static void
end_batch(LookupState *state, LookupBatch *batch)
{
	ExecClearTuple(state->tuple_slot);
	state->source.methods->release(batch->records);
	dlist_delete(&batch->node);
	state->batch_count--;
	state->size -= batch->size;
	MemoryContextDelete(batch->context);
}

static void
end_all_batches(LookupState *state)
{
	while (!dlist_is_empty(&state->batches))
		end_batch(state,
				  dlist_head_element(LookupBatch, node, &state->batches));
}

/* Returns the node's result for a row of the child: an empty slot for NULL. */
static TupleTableSlot *
hand_on(LookupState *state, TupleTableSlot *row)
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
