/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  What EXPLAIN says of a foreign scan: the request, the id's expression
 *	  under VERBOSE, and what was spent under ANALYZE.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "api.h"
#include "explain.h"
#include "filter.h"
#include "option.h"
#include "plan.h"
#include "scan.h"

static void append_condition(StringInfo target, List *condition,
							 List *expressions, ExplainState *es);

/* FDW callback. */
void
explain_scan(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Settings	*settings =
		settings_read(RelationGetRelid(node->ss.ss_currentRelation));
	List *condition = list_nth(plan->fdw_private, SCAN_PRIVATE_ID_CONDITION);
	char *path = psprintf(API_RECORD_PATH, settings->record_type, "{id}");

	if (condition == NIL)
		ExplainPropertyText("Request", "none possible without an id", es);
	else
		ExplainPropertyText("Request", psprintf("GET %s", path), es);

	if (es->verbose && condition != NIL)
	{
		StringInfoData text;

		initStringInfo(&text);
		append_condition(&text, condition, plan->fdw_exprs, es);
		ExplainPropertyText("Id", text.data, es);
	}

	if (es->analyze)
	{
		ScanCounters counters = scan_counters(node);

		ExplainPropertyInteger("Requests", NULL, counters.requests, es);
		if (counters.retries > 0 || es->format != EXPLAIN_FORMAT_TEXT)
			ExplainPropertyInteger("Retries", NULL, counters.retries, es);
		ExplainPropertyInteger("Cache Hits", NULL, counters.cache_hits, es);
		if (es->timing && counters.waited > 0)
			ExplainPropertyFloat("Throttled", "ms", counters.waited / 1000.0, 3,
								 es);
	}
}

/*
 * Appends what the id is compared with.
 *
 * EXPLAIN does not tell its FDW callbacks the plan nodes above, which the names
 * of an outer row's columns come from.  But under VERBOSE it has printed this
 * node's output just before, and for that has put the node and those above it
 * into deparse_cxt.
 */
static void
append_condition(StringInfo target, List *condition, List *expressions,
				 ExplainState *es)
{
	IdConditionKind kind = intVal(linitial(condition));
	ListCell	   *cell;
	char		   *text;

	if (kind == ID_EQUAL || kind == ID_ANY)
	{
		text = deparse_expression(
			list_nth(expressions, intVal(lsecond(condition))), es->deparse_cxt,
			list_length(es->rtable) > 1, false);
		appendStringInfo(target, kind == ID_ANY ? "ANY (%s)" : "%s", text);
		return;
	}

	for_each_from(cell, condition, 1)
	{
		if (foreach_current_index(cell) > 1)
			appendStringInfoString(target, kind == ID_OR ? " OR " : " AND ");
		appendStringInfoChar(target, '(');
		append_condition(target, lfirst(cell), expressions, es);
		appendStringInfoChar(target, ')');
	}
}
