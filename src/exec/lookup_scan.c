/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_scan.c
 *	  Batch lookups: the executor's part.
 *
 * The node returns the rows of its child, in their order.  It reads them ahead
 * in batches.  A batch ends when its ids or keys fill a request, when the
 * child has no more rows, or at a limit of rows or memory.  Its records are
 * kept until its rows are returned, so that the foreign scan that needs them
 * finds them in the statement's cache (key_batch.c).
 *
 * Up to max_concurrency batches are in flight, but they do not reach beyond a
 * LIMIT, or the rows that a cursor has fetched.  If the direction changes, the
 * rows read ahead are read again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relscan.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "condition/condition.h"
#include "exec/explain.h"
#include "exec/lookup_scan.h"
#include "fetch/key_cache.h"

/*
 * A cursor's batch has no more rows for each key of a request.  Its rows may have
 * NULL or the same key, and the cursor may be closed early.
 */
#define MOST_ROWS_PER_KEY 10

/* A source of a lookup: the records of one table, by one key. */
typedef struct LookupRecords
{
	List		  *plan;		/* by LookupSource */
	List		  *expressions; /* ExprStates of its conditions */
	Settings	  *settings;
	RecordSource  *records;
	LookupCounters counters;
} LookupRecords;

/* Rows of the child, and the keys of the records that they need. */
typedef struct LookupBatch
{
	MemoryContext context;
	List		 *keys;	  /* a KeyBatch for each source */
	List		 *tuples; /* HeapTuples */
	int			  next;	  /* position of the next row to return */
	size_t		  size;	  /* bytes of the tuples */
	bool		  has_keys;
} LookupBatch;

typedef struct LookupState
{
	CustomScanState css;

	List			*sources; /* LookupRecords */
	TupleTableSlot	*tuple_slot;
	int				 max_concurrency; /* of all sources */
	int				 page_size;		  /* likewise */
	const ScanState *scan;			  /* for WHERE CURRENT OF, or NULL */
	ScanDirection	 direction;		  /* of the rows read and returned */
	List			*batches; /* LookupBatches, in the order of their rows */
	size_t			 size;	  /* bytes of all rows held */
	int	  used; /* number of batches with requests whose rows were returned */
	bool  is_done;	 /* no more rows are read from the child */
	bool  is_at_end; /* the child has returned its last row */
	bool  has_ended; /* so has the node */
	int64 start;	 /* position of the child before the first row read */
	int64 read;		 /* rows read from the child, in the current direction */
	int64 returned;
} LookupState;

/* Returns a property of the number of rows that the query is likely to read. */
static int
bound_of(const LookupState *state, BoundMember which)
{
	const CustomScan *plan = (const CustomScan *) state->css.ss.ps.plan;

	return list_nth_int(list_nth(plan->custom_private, LOOKUP_PRIVATE_BOUND),
						which);
}

/*
 * Returns the number of rows after which the query is likely to stop; 0 if it is
 * not known to read any, or PG_INT64_MAX.  The limit of a cursor's rows grows
 * with each FETCH.
 */
static int64
row_limit(const LookupState *state)
{
	return statement_rows_wanted(statement_of(state->css.ss.ps.state),
								 bound_of(state, BOUND_ROWS),
								 bound_of(state, BOUND_BY_RUN));
}

/* Returns the maximum number of rows of the next batch. */
static int64
batch_rows(const LookupState *state)
{
	bool  is_by_run = bound_of(state, BOUND_BY_RUN);
	int64 limit = row_limit(state);

	if (limit == PG_INT64_MAX)
		return limit;
	if (is_by_run && bound_of(state, BOUND_ROWS) == 0 &&
		statement_of(state->css.ss.ps.state)->may_run_again)
		return (int64) MOST_ROWS_PER_KEY * state->page_size;
	if (!bound_of(state, BOUND_MAY_DROP) && state->read < limit)
		return is_by_run && state->read > 0
				   ? Max(limit - state->read, state->page_size)
				   : limit - state->read;
	/* If rows are dropped, the number of further ones is unknown. */
	if (state->read == 0 && limit > 0)
		return Min(2 * limit, state->page_size);
	return Max(state->page_size, state->read);
}

/*
 * Returns the scan of a table that supplies a node's current row, or NULL.
 * Descends as PostgreSQL does for WHERE CURRENT OF, except into Append.
 */
static const ScanState *
find_table_scan(const PlanState *node)
{
	if (node == NULL)
		return NULL;
	switch (nodeTag(node))
	{
		case T_SeqScanState:
		case T_SampleScanState:
		case T_IndexScanState:
		case T_IndexOnlyScanState:
		case T_BitmapHeapScanState:
		case T_TidScanState:
		case T_TidRangeScanState:
		case T_CustomScanState:
			return (const ScanState *) node;
		case T_ResultState:
		case T_LimitState:
			return find_table_scan(outerPlanState(node));
		case T_SubqueryScanState:
			return find_table_scan(((const SubqueryScanState *) node)->subplan);
		default:
			return NULL;
	}
}

/* Prepares a source, unless only EXPLAIN needs it. */
static void
begin_source(LookupState *state, List *plan, List *expressions, int eflags)
{
	EState		  *estate = state->css.ss.ps.state;
	LookupRecords *source = palloc0(sizeof(LookupRecords));
	List		  *scans = list_nth(plan, LOOKUP_SOURCE_SCANS);
	Oid			   userid = linitial_oid(list_nth(plan, LOOKUP_SOURCE_USER));
	ListCell	  *cell;

	foreach(cell, scans)
		statement_note_lookup(statement_of(estate), lfirst_int(cell));
	source->plan = plan;
	source->expressions = ExecInitExprList(expressions, &state->css.ss.ps);
	source->settings =
		settings_read(exec_rt_fetch(linitial_int(scans), estate)->relid);
	state->page_size = Max(state->page_size, source->settings->page_size);
	state->max_concurrency =
		Max(state->max_concurrency, source->settings->max_concurrency);
	state->sources = lappend(state->sources, source);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	source->records = statement_source(
		estate, source->settings, OidIsValid(userid) ? userid : GetUserId());
	source->counters.budget = statement_budget(source->records->statement,
											   source->settings->max_requests);
}

/*
 * Custom scan callback: prepares the lookup.  Makes no request.  A child that
 * sorts need not keep rows beyond an exact limit.
 */
static void
begin_lookup(CustomScanState *node, EState *estate, int eflags)
{
	LookupState *state = (LookupState *) node;
	CustomScan	*plan = (CustomScan *) node->ss.ps.plan;
	ListCell	*source;
	ListCell	*expressions;

	outerPlanState(node) =
		ExecInitNode(outerPlan(plan), estate, eflags & ~EXEC_FLAG_MARK);
	state->scan = find_table_scan(outerPlanState(node));
	if (state->scan != NULL)
		state->css.ss.ss_currentRelation = state->scan->ss_currentRelation;
	state->direction = ForwardScanDirection;
	forboth(source, list_nth(plan->custom_private, LOOKUP_PRIVATE_SOURCES),
			expressions, plan->custom_exprs)
		begin_source(state, lfirst(source), lfirst(expressions), eflags);
	if (bound_of(state, BOUND_IS_EXACT))
		ExecSetTupleBound(bound_of(state, BOUND_ROWS), outerPlanState(node));
	state->tuple_slot = ExecInitExtraTupleSlot(
		estate, ExecGetResultType(outerPlanState(node)), &TTSOpsHeapTuple);
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
	slot->tts_tid = row->tts_tid;
	slot->tts_tableOid = row->tts_tableOid;
	return ExecStoreVirtualTuple(slot);
}

/*
 * Returns the node's result for a row of the child, an empty slot for NULL.
 * Returns NULL if the row does not satisfy the node's conditions.
 */
static TupleTableSlot *
return_row(LookupState *state, TupleTableSlot *row)
{
	ScanState	*scan = &state->css.ss;
	ExprContext *econtext = scan->ps.ps_ExprContext;

	if (TupIsNull(row))
	{
		/* For WHERE CURRENT OF, the scan slot shows that there is no row. */
		ExecClearTuple(scan->ss_ScanTupleSlot);
		return scan->ps.ps_ResultTupleSlot != NULL
				   ? ExecClearTuple(scan->ps.ps_ResultTupleSlot)
				   : scan->ss_ScanTupleSlot;
	}
	ResetExprContext(econtext);
	econtext->ecxt_scantuple = as_scan_tuple(state, row);
	if (!ExecQual(scan->ps.qual, econtext))
	{
		InstrCountFiltered1(scan, 1);
		return NULL;
	}
	return scan->ps.ps_ProjInfo == NULL ? econtext->ecxt_scantuple
										: ExecProject(scan->ps.ps_ProjInfo);
}

/*
 * Evaluates the filters of a source's keys.  Returns false if no record can
 * match.
 */
static bool
evaluate_lookup_filters(const LookupRecords *source, ExprContext *econtext,
						List **filters)
{
	ListCell *cell;

	*filters = NIL;
	foreach(cell, (List *) list_nth(source->plan, LOOKUP_SOURCE_FILTERS))
	{
		if (!condition_evaluate_filter(lfirst(cell), source->expressions,
									   econtext, source->records->api,
									   MAX_REMOTE_VALUES, filters))
			return false;
	}
	return true;
}

/*
 * Returns an empty batch of a source's keys in the current memory context.
 * Evaluates the filters again, because the API may have rejected one.
 */
static KeyBatch *
create_keys(LookupRecords *source, ExprContext *econtext)
{
	const char *field =
		condition_field(list_nth(source->plan, LOOKUP_SOURCE_CONDITION));
	List		 *filters;
	bool		  is_possible;
	MemoryContext context;
	KeyCache	 *cache;
	KeyBatch	 *keys;

	ResetExprContext(econtext);
	context = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	is_possible = evaluate_lookup_filters(source, econtext, &filters);
	cache = key_cache_open(source->records, field, filters, true);
	MemoryContextSwitchTo(context);
	keys = key_batch_create(cache, source->settings, &source->counters.budget,
							true);
	if (!is_possible)
		keys->size = 0;
	return keys;
}

/*
 * Adds the keys of a row, which is in the scan slot, to a source's batch, in its
 * memory context.  Sets *is_full if the batch has no room for as many keys
 * again.
 */
static void
add_keys(LookupRecords *source, KeyBatch *batch, ExprContext *econtext,
		 bool *is_full)
{
	MemoryContext context;
	KeySet		  keys;

	if (batch->size == 0)
		return;
	ResetExprContext(econtext);
	context = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	keys =
		condition_evaluate_keys(list_nth(source->plan, LOOKUP_SOURCE_CONDITION),
								source->expressions, econtext);
	MemoryContextSwitchTo(context);
	for (int i = 0; i < keys.count; i++)
		key_batch_add(batch, &keys.keys[i]);
	*is_full |= key_batch_is_full(batch, Max(keys.count, 1));
}

/*
 * Adds a row of the child to a batch, in its memory context.  Returns true if a
 * request is full.
 */
static bool
add_row(LookupState *state, LookupBatch *batch, TupleTableSlot *row)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	HeapTuple	 tuple = ExecCopySlotHeapTuple(row);
	bool		 is_full = false;
	ListCell	*cell;
	ListCell	*keys;

	if (batch->keys == NIL)
	{
		foreach(cell, state->sources)
			batch->keys =
				lappend(batch->keys, create_keys(lfirst(cell), econtext));
	}
	if (state->css.ss.ss_currentRelation != NULL)
	{
		/* WHERE CURRENT OF finds the row by its place in the table. */
		tuple->t_self = IsA(state->scan, IndexOnlyScanState)
							? ((const IndexOnlyScanState *) state->scan)
								  ->ioss_ScanDesc->xs_heaptid
							: state->scan->ss_ScanTupleSlot->tts_tid;
		tuple->t_tableOid = RelationGetRelid(state->css.ss.ss_currentRelation);
	}
	batch->tuples = lappend(batch->tuples, tuple);
	batch->size += tuple->t_len;
	state->size += tuple->t_len;
	econtext->ecxt_scantuple = as_scan_tuple(state, row);
	forboth(cell, state->sources, keys, batch->keys)
		add_keys(lfirst(cell), lfirst(keys), econtext, &is_full);
	return is_full;
}

/*
 * Reads rows of the child until a batch is full.  Returns the batch, which is
 * empty if the child has no more rows.  Evaluates nothing before the first row.
 */
static LookupBatch *
read_lookup_batch(LookupState *state)
{
	EState		 *estate = state->css.ss.ps.state;
	MemoryContext context = AllocSetContextCreate(
		estate->es_query_cxt, "opportunity_fdw lookup", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	LookupBatch	 *batch = palloc0(sizeof(LookupBatch));
	int64		  most_rows = batch_rows(state);
	bool		  is_full;
	bool		  is_last = false;

	batch->context = context;
	MemoryContextSwitchTo(estate->es_query_cxt);
	state->batches = lappend(state->batches, batch);
	do
	{
		TupleTableSlot *row;

		MemoryContextSwitchTo(old_context);
		row = ExecProcNode(outerPlanState(state));
		MemoryContextSwitchTo(context);
		state->is_at_end = TupIsNull(row);
		if (state->is_at_end)
			break;
		state->read++;
		is_last = ScanDirectionIsForward(state->direction) &&
				  bound_of(state, BOUND_IS_EXACT) &&
				  state->start + state->read == bound_of(state, BOUND_ROWS);
		is_full = add_row(state, batch, row);
	} while (!is_last && !is_full && list_length(batch->tuples) < most_rows &&
			 state->size < (size_t) work_mem * 1024);
	state->is_done = state->is_at_end || is_last;
	MemoryContextSwitchTo(old_context);
	return batch;
}

/* Releases a batch's rows and keys. */
static void
end_lookup_batch(LookupState *state, LookupBatch *batch)
{
	ListCell *cell;

	ExecClearTuple(state->tuple_slot);
	foreach(cell, batch->keys)
		key_batch_release(lfirst(cell));
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
 * Returns true if another batch may be read ahead.  If rows beyond the limit are
 * needed, these are at most a quarter of the batches that were needed.
 */
static bool
may_read_more(const LookupState *state)
{
	const LookupRecords *first = linitial(state->sources);
	int					 most = Max(state->max_concurrency, 2);
	int64				 limit = row_limit(state);

	if (state->returned < limit && state->read >= limit)
		return false;
	if (state->read >= limit)
		most = Min(1 + (state->used + 1) / 4, most);
	return !state->is_done && list_length(state->batches) < most &&
		   state->size < (size_t) work_mem * 1024 &&
		   !key_store_is_full(first->records->statement->store);
}

/* Reads as many batches as may be read, but at least one, and sends them. */
static void
read_ahead(LookupState *state)
{
	while (state->batches == NIL || may_read_more(state))
	{
		LookupBatch *batch = read_lookup_batch(state);
		ListCell	*cell;
		ListCell	*keys;

		if (batch->tuples == NIL)
		{
			end_lookup_batch(state, batch);
			return;
		}
		forboth(cell, state->sources, keys, batch->keys)
		{
			LookupCounters *counters =
				&((LookupRecords *) lfirst(cell))->counters;
			KeyBatch *of_source = lfirst(keys);

			key_batch_send(of_source);
			batch->has_keys |= of_source->entries != NIL;
			counters->batches += of_source->entries != NIL;
			counters->keys += list_length(of_source->entries);
			counters->cache_hits += of_source->hits;
		}
	}
}

/* Clears the rows read, so that the next one is the first. */
static void
start_lookup(LookupState *state)
{
	end_all_batches(state);
	ExecClearTuple(state->css.ss.ss_ScanTupleSlot);
	state->direction = state->css.ss.ps.state->es_direction;
	state->used = 0;
	state->is_done = state->is_at_end = state->has_ended = false;
	state->start = state->read = state->returned = 0;
}

/* Moves the child back to the row that was returned last, or to the end. */
static void
turn_around(LookupState *state)
{
	int64 rows = state->read - state->returned;
	int64 moved = state->returned + state->has_ended;
	int64 start = state->start +
				  (ScanDirectionIsForward(state->direction) ? moved : -moved);

	if (state->is_at_end && !state->has_ended)
		rows++;
	start_lookup(state);
	state->start = start;
	while (rows-- > 0)
		(void) ExecProcNode(outerPlanState(state));
}

/* Returns the next row of the child, or NULL at the end. */
static TupleTableSlot *
next_child_row(LookupState *state)
{
	LookupBatch *batch;
	HeapTuple	 tuple;

	if (state->direction != state->css.ss.ps.state->es_direction)
		turn_around(state);
	batch = state->batches != NIL ? linitial(state->batches) : NULL;
	if (batch != NULL && batch->next == list_length(batch->tuples))
	{
		state->used += batch->has_keys;
		end_lookup_batch(state, batch);
		batch = NULL;
	}
	if (batch == NULL && !state->is_done)
		read_ahead(state);
	state->has_ended = state->batches == NIL;
	if (state->has_ended)
		return NULL;
	batch = linitial(state->batches);
	tuple = list_nth(batch->tuples, batch->next++);
	state->returned++;
	return ExecStoreHeapTuple(tuple, state->tuple_slot, false);
}

/*
 * Custom scan callback: returns the next row, or an empty slot at the end.  If
 * a locked row is checked again, the cache has its record.
 */
static TupleTableSlot *
next_lookup_row(CustomScanState *node)
{
	LookupState	   *state = (LookupState *) node;
	TupleTableSlot *slot;

	do
	{
		CHECK_FOR_INTERRUPTS();
		slot = return_row(state, node->ss.ps.state->es_epq_active != NULL
									 ? ExecProcNode(outerPlanState(node))
									 : next_child_row(state));
	} while (slot == NULL);
	return slot;
}

/* Custom scan callback: releases the batches and the child. */
static void
end_lookup(CustomScanState *node)
{
	LookupState *state = (LookupState *) node;

	end_all_batches(state);
	ExecEndNode(outerPlanState(node));
}

/* Custom scan callback: starts again, perhaps with other parameters. */
static void
rescan_lookup(CustomScanState *node)
{
	LookupState *state = (LookupState *) node;

	start_lookup(state);
	if (outerPlanState(node)->chgParam == NULL)
		ExecReScan(outerPlanState(node));
}

/*
 * Custom scan callback: adds the properties of the source.  Several sources are
 * a group each.
 */
static void
explain_lookup_node(CustomScanState *node, List *ancestors, ExplainState *es)
{
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	ListCell   *cell;
	ListCell   *expressions;
	bool		is_group = list_length(plan->custom_exprs) > 1;

	if (is_group)
		ExplainOpenGroup("Lookups", "Lookups", false, es);
	forboth(cell, ((LookupState *) node)->sources, expressions,
			plan->custom_exprs)
	{
		const LookupRecords *source = lfirst(cell);

		if (is_group)
			ExplainOpenGroup("Lookup", NULL, true, es);
		explain_lookup(node, source->plan, lfirst(expressions),
					   &source->counters, ancestors, es);
		if (is_group)
			ExplainCloseGroup("Lookup", NULL, true, es);
	}
	if (is_group)
		ExplainCloseGroup("Lookups", "Lookups", false, es);
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
