/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  What EXPLAIN says of a foreign scan and of a lookup: the request, the id's
 *	  expression (of a scan, under VERBOSE), and what was spent under ANALYZE.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "api.h"
#include "explain.h"
#include "filter.h"
#include "lookup_join.h"
#include "option.h"
#include "plan.h"
#include "scan.h"

static char *request_by_id(const Settings *settings, bool may_be_many);
static void	 explain_counters(ScanCounters counters, ExplainState *es);
static void	 append_condition(StringInfo target, List *condition,
							  List *expressions, List *context, bool prefix);

/* FDW callback. */
void
explain_scan(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Settings	*settings =
		settings_read(RelationGetRelid(node->ss.ss_currentRelation));
	List *condition = list_nth(plan->fdw_private, SCAN_PRIVATE_ID_CONDITION);

	if (condition == NIL)
		ExplainPropertyText("Request", "none possible without an id", es);
	else
		ExplainPropertyText(
			"Request", request_by_id(settings, !filter_is_single(condition)),
			es);

	/*
	 * EXPLAIN does not tell its FDW callbacks the plan nodes above, which the
	 * names of an outer row's columns come from.  But under VERBOSE it has
	 * printed this node's output just before, and for that has put the node and
	 * those above it into deparse_cxt.
	 */
	if (es->verbose && condition != NIL)
	{
		StringInfoData text;

		initStringInfo(&text);
		append_condition(&text, condition, plan->fdw_exprs, es->deparse_cxt,
						 list_length(es->rtable) > 1);
		ExplainPropertyText("Id", text.data, es);
	}

	if (es->analyze)
		explain_counters(scan_counters(node), es);
}

/* Custom scan callback. */
void
explain_lookup(CustomScanState *node, List *ancestors, ExplainState *es)
{
	CustomScan	  *plan = (CustomScan *) node->ss.ps.plan;
	List		  *oids = list_nth(plan->custom_private, LOOKUP_PRIVATE_OIDS);
	StringInfoData text;

	initStringInfo(&text);
	append_condition(
		&text, list_nth(plan->custom_private, LOOKUP_PRIVATE_CONDITION),
		plan->custom_exprs,
		set_deparse_context_plan(es->deparse_cxt, &plan->scan.plan, ancestors),
		es->verbose || list_length(es->rtable) > 1);
	ExplainPropertyText("Lookup Key", text.data, es);
	ExplainPropertyText(
		"Request", request_by_id(settings_read(linitial_oid(oids)), true), es);

	if (es->analyze)
	{
		LookupCounters counters = lookup_counters(node);

		ExplainPropertyInteger("Batches", NULL, counters.batches, es);
		ExplainPropertyInteger("Distinct Keys", NULL, counters.keys, es);
		explain_counters(counters.scan, es);
	}
}

/* The request for the records of one id, or of many. */
static char *
request_by_id(const Settings *settings, bool may_be_many)
{
	if (may_be_many && settings->use_query)
		return psprintf("POST " API_QUERY_PATH " for up to %d ids",
						settings->record_type, settings->page_size);
	return psprintf("GET " API_RECORD_PATH, settings->record_type, "{id}");
}

/* What was spent. */
static void
explain_counters(ScanCounters counters, ExplainState *es)
{
	ExplainPropertyInteger("Requests", NULL, counters.requests, es);
	if (counters.retries > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger("Retries", NULL, counters.retries, es);
	ExplainPropertyInteger("Cache Hits", NULL, counters.cache_hits, es);
	if (es->timing && counters.waited > 0)
		ExplainPropertyFloat("Throttled", "ms", counters.waited / 1000.0, 3,
							 es);
}

/* Appends what the id is compared with. */
static void
append_condition(StringInfo target, List *condition, List *expressions,
				 List *context, bool prefix)
{
	IdConditionKind kind = intVal(linitial(condition));
	ListCell	   *cell;
	char		   *text;

	if (kind == ID_EQUAL || kind == ID_ANY)
	{
		text = deparse_expression(
			list_nth(expressions, intVal(lsecond(condition))), context, prefix,
			false);
		appendStringInfo(target, kind == ID_ANY ? "ANY (%s)" : "%s", text);
		return;
	}

	for_each_from(cell, condition, 1)
	{
		if (foreach_current_index(cell) > 1)
			appendStringInfoString(target, kind == ID_OR ? " OR " : " AND ");
		appendStringInfoChar(target, '(');
		append_condition(target, lfirst(cell), expressions, context, prefix);
		appendStringInfoChar(target, ')');
	}
}
