/*-------------------------------------------------------------------------
 *
 * scan.c
 *	  The executor's callbacks of a foreign scan: begin, iterate, rescan, end.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "compat.h"
#include "fetch.h"
#include "filter.h"
#include "id.h"
#include "option.h"
#include "plan.h"
#include "scan.h"
#include "record_cache.h"
#include "value.h"

typedef struct OpportunityScan
{
	/* from the plan */
	List *id_condition;
	List *id_expressions; /* ExprStates */
	int	  limit;		  /* 0: none */

	/* for the rows */
	Settings	  *settings;
	RecordCache	  *cache;
	int			   reader_count;
	ColumnReader **readers;
	int			   archived_at; /* its number, where archived records are left
								 * out; else -1 */

	/* for the records */
	IdSet	   ids;
	Fetch	  *fetch; /* NULL: not started */
	HttpBudget budget;
	int64	   cache_hits;

	MemoryContext scan_context;	  /* what lives until a rescan */
	MemoryContext record_context; /* what lives until the next row */
} OpportunityScan;

static void				start_fetch(ForeignScanState *node);
pg_noreturn static void report_unreadable(ForeignScanState *node);
static bool is_left_out(const OpportunityScan *scan, const Record *record);
static void fill_slot(OpportunityScan *scan, TupleTableSlot *slot,
					  const Record *record, const pg_uuid_t *id);

/*
 * FDW callback.  Finds out who reads what, and checks that they may; makes no
 * request.  Does nothing for a mere EXPLAIN.
 */
void
scan_begin(ForeignScanState *node, int eflags)
{
	ForeignScan		*plan = (ForeignScan *) node->ss.ps.plan;
	EState			*estate = node->ss.ps.state;
	Relation		 relation = node->ss.ss_currentRelation;
	OpportunityScan *scan;
	Oid				 userid;
	List			*columns;
	ListCell		*cell;

	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;

	scan = palloc0(sizeof(OpportunityScan));
	node->fdw_state = scan;
	scan->scan_context = AllocSetContextCreate(
		estate->es_query_cxt, "opportunity_fdw scan", ALLOCSET_SMALL_SIZES);
	scan->record_context = AllocSetContextCreate(
		estate->es_query_cxt, "opportunity_fdw record", ALLOCSET_DEFAULT_SIZES);

	scan->id_condition = list_nth(plan->fdw_private, SCAN_PRIVATE_ID_CONDITION);
	scan->id_expressions = ExecInitExprList(plan->fdw_exprs, &node->ss.ps);
	scan->limit = intVal(list_nth(plan->fdw_private, SCAN_PRIVATE_LIMIT));

	userid = compat_scan_check_as_user(plan, estate);
	if (!OidIsValid(userid))
		userid = GetUserId();
	scan->settings = settings_read(RelationGetRelid(relation));
	scan->cache = record_cache_open(estate, scan->settings, userid);
	scan->budget.limit = scan->settings->max_requests;
	scan->budget.total = record_cache_request_total(scan->cache);

	columns = list_nth(plan->fdw_private, SCAN_PRIVATE_COLUMNS);
	scan->readers =
		palloc(Max(list_length(columns), 1) * sizeof(ColumnReader *));
	foreach(cell, columns)
		scan->readers[scan->reader_count++] = column_reader_create(
			scan->settings, RelationGetDescr(relation), lfirst_int(cell),
			RelationGetRelationName(relation), record_cache_wanted(scan->cache),
			record_cache_warned_columns(scan->cache));
	scan->archived_at =
		scan->settings->include_archived
			? -1
			: attribute_set_add(record_cache_wanted(scan->cache),
								"archived_at");
}

/* FDW callback: the next row, or an empty slot at the end. */
TupleTableSlot *
scan_iterate(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;
	TupleTableSlot	*slot = node->ss.ss_ScanTupleSlot;
	MemoryContext	 old_context;
	Record			*record;
	const pg_uuid_t *id;
	bool			 found;

	if (scan->fetch == NULL)
		start_fetch(node);

	ExecClearTuple(slot);
	old_context = MemoryContextSwitchTo(scan->record_context);
	do
	{
		MemoryContextReset(scan->record_context);
		found = fetch_next(scan->fetch, &record, &id);
	} while (found && is_left_out(scan, record));
	if (found)
		fill_slot(scan, slot, record, id);
	MemoryContextSwitchTo(old_context);
	return slot;
}

/*
 * FDW callback.  The ids may be others now; records that the statement has read
 * are still there.
 */
void
scan_rescan(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;

	if (scan->fetch != NULL)
		fetch_end(scan->fetch);
	scan->fetch = NULL;
	MemoryContextReset(scan->scan_context);
}

/* FDW callback.  The contexts end with the executor's state. */
void
scan_end(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;

	if (scan != NULL && scan->fetch != NULL)
	{
		fetch_end(scan->fetch);
		scan->fetch = NULL;
	}
}

/* What the scan has done so far; all zero where it has not begun. */
ScanCounters
scan_counters(const ForeignScanState *node)
{
	const OpportunityScan *scan = node->fdw_state;
	ScanCounters		   counters = {0};

	if (scan != NULL)
	{
		counters.requests = scan->budget.requests;
		counters.retries = scan->budget.retries;
		counters.cache_hits = scan->cache_hits;
		counters.waited = scan->budget.waited;
	}
	return counters;
}

/* Finds out which records are needed, and sets out for them. */
static void
start_fetch(ForeignScanState *node)
{
	OpportunityScan *scan = node->fdw_state;
	MemoryContext	 old_context;

	if (scan->id_condition == NIL)
		report_unreadable(node);

	old_context = MemoryContextSwitchTo(scan->scan_context);
	scan->ids = filter_evaluate_ids(scan->id_condition, scan->id_expressions,
									node->ss.ps.ps_ExprContext);
	scan->fetch =
		fetch_ids(scan->cache, scan->settings, scan->ids.ids, scan->ids.count,
				  scan->limit, &scan->budget, &scan->cache_hits);
	MemoryContextSwitchTo(old_context);
}

/* Raises the error for a scan that no condition on the id restricts. */
static void
report_unreadable(ForeignScanState *node)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("foreign table \"%s\" cannot be read without a condition "
					"on the record's id",
					RelationGetRelationName(node->ss.ss_currentRelation)),
			 errhint("Say which records are needed, such as WHERE id = '...', "
					 "or join the table by its id. The id is the column that "
					 "shows the attribute id.")));
}

/* Whether the table leaves a record out because it is archived. */
static bool
is_left_out(const OpportunityScan *scan, const Record *record)
{
	const RecordAttribute *archived_at;

	if (scan->archived_at < 0)
		return false;
	archived_at = &record->attributes[scan->archived_at];
	return archived_at->count > 0 && archived_at->envelopes[0].has_value &&
		   archived_at->envelopes[0].value.kind != JSON_TOKEN_NULL;
}

/* Makes a row of a record, in the current context. */
static void
fill_slot(OpportunityScan *scan, TupleTableSlot *slot, const Record *record,
		  const pg_uuid_t *id)
{
	char *record_id = id_text(id);

	memset(slot->tts_isnull, true,
		   slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < scan->reader_count; i++)
	{
		int column = column_reader_attnum(scan->readers[i]) - 1;

		slot->tts_values[column] = column_reader_read(
			scan->readers[i], record, record_id, &slot->tts_isnull[column]);
	}
	ExecStoreVirtualTuple(slot);
}
