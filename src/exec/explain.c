/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  EXPLAIN of a foreign scan and of a batch lookup: the request, filters and
 *	  sort.  VERBOSE adds the expression that is compared with the id.  ANALYZE
 *	  adds the number of API calls and their results.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "api/api_query.h"
#include "condition/filter.h"
#include "condition/pushdown.h"
#include "exec/explain.h"
#include "exec/lookup_join.h"
#include "exec/scan.h"
#include "fetch/statement.h"
#include "option/option.h"
#include "plan/plan.h"

static bool	 may_be_prefetched(const ForeignScanState *node);
static char *request_by_id(const Settings *settings, bool may_be_many);
static void	 explain_request(const char *request, bool may_be_prefetched,
							 ExplainState *es);
static void	 explain_ids(const ForeignScanState *node, const Settings *settings,
						 ExplainState *es);
static void	 explain_pages(const ForeignScanState *node,
						   const Settings *settings, ExplainState *es);
static void	 explain_keys(const CustomScan *plan, const Settings *settings,
						  List *context, bool prefix, ExplainState *es);
static void	 explain_filters(List *filters, List *expressions, List *context,
							 bool prefix, ExplainState *es);
static void	 explain_page_counters(const ForeignScanState *node,
								   ExplainState			  *es);
static char *in_server_encoding(const char *text);
static void	 explain_counters(ScanCounters counters, bool is_by_pages,
							  bool may_hit_cache, ExplainState *es);
static void	 append_condition(StringInfo target, List *condition,
							  List *expressions, List *context, bool prefix);

/* FDW callback. */
void
explain_scan(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Settings	*settings =
		settings_read(RelationGetRelid(node->ss.ss_currentRelation));
	bool is_by_id =
		list_nth(plan->fdw_private, SCAN_PRIVATE_ID_CONDITION) != NIL;

	if (is_by_id)
		explain_ids(node, settings, es);
	else if (settings->use_query)
		explain_pages(node, settings, es);
	else
		explain_request("none (use_query is off)", false, es);

	if (es->analyze)
	{
		ScanCounters counters = scan_counters(node);

		if (!is_by_id)
			explain_page_counters(node, es);
		explain_counters(counters, !is_by_id, is_by_id, es);
		if (may_be_prefetched(node))
			ExplainPropertyInteger("Prefetched", NULL, counters.prefetched, es);
	}
}

/*
 * Returns true if a lookup of the statement may request a scan's records before
 * the scan does: the scan has an id or a key from another row.
 */
static bool
may_be_prefetched(const ForeignScanState *node)
{
	const ForeignScan *plan = (const ForeignScan *) node->ss.ps.plan;

	if (!statement_has_lookup(node->ss.ps.state,
							  RelationGetRelid(node->ss.ss_currentRelation)))
		return false;
	if (list_nth(plan->fdw_private, SCAN_PRIVATE_ID_CONDITION) != NIL)
		return !bms_is_empty(plan->scan.plan.extParam);
	return list_member_int(list_nth(plan->fdw_private, SCAN_PRIVATE_ROLES),
						   FILTER_KEY);
}

/* Adds the request that a node makes. */
static void
explain_request(const char *request, bool may_be_prefetched, ExplainState *es)
{
	ExplainPropertyText(
		"Remote Request",
		may_be_prefetched ? psprintf("%s if not prefetched", request) : request,
		es);
}

/*
 * Adds the properties of a scan by ids.
 *
 * EXPLAIN does not pass the plan nodes above to an FDW callback, but the names of
 * an outer row's columns need them.  With VERBOSE, EXPLAIN has just printed this
 * node's output, so deparse_cxt contains this node and the nodes above it.
 */
static void
explain_ids(const ForeignScanState *node, const Settings *settings,
			ExplainState *es)
{
	const ForeignScan *plan = (const ForeignScan *) node->ss.ps.plan;
	List *condition = list_nth(plan->fdw_private, SCAN_PRIVATE_ID_CONDITION);
	StringInfoData text;

	explain_request(request_by_id(settings, !filter_is_single(condition)),
					may_be_prefetched(node), es);
	if (!es->verbose)
		return;
	initStringInfo(&text);
	append_condition(&text, condition, plan->fdw_exprs, es->deparse_cxt,
					 list_length(es->rtable) > 1);
	ExplainPropertyText("Id", text.data, es);
}

/* Adds the properties of a scan by pages. */
static void
explain_pages(const ForeignScanState *node, const Settings *settings,
			  ExplainState *es)
{
	const ForeignScan *plan = (const ForeignScan *) node->ss.ps.plan;
	List *filters = list_nth(plan->fdw_private, SCAN_PRIVATE_FILTERS);
	List *sort = list_nth(plan->fdw_private, SCAN_PRIVATE_SORT);
	List *flags = list_nth(plan->fdw_private, SCAN_PRIVATE_FLAGS);
	int	  limit = intVal(list_nth(plan->fdw_private, SCAN_PRIVATE_LIMIT));
	int	  page_size = settings->page_size;

	if (limit > 0)
		page_size = Min(page_size, limit);
	explain_request(psprintf("POST " API_QUERY_PATH " for pages of %d",
							 settings->record_type, page_size),
					may_be_prefetched(node), es);

	/* The filters are made of the node's own conditions, which EXPLAIN has just
	 * printed: deparse_cxt is this node's, as in explain_ids. */
	if (filters != NIL)
		explain_filters(filters, plan->fdw_exprs, es->deparse_cxt,
						list_length(es->rtable) > 1, es);
	if (sort != NIL)
		ExplainPropertyText(
			"Remote Sort",
			psprintf(
				"%s %s",
				in_server_encoding(strVal(list_nth(sort, SCAN_SORT_FIELD))),
				list_nth_int(list_nth(sort, SCAN_SORT_PROPERTIES), 1) ? "desc"
																	  : "asc"),
			es);
	else if (limit <= 0 && list_nth_int(flags, SCAN_FLAG_MAY_SPLIT) &&
			 settings->max_concurrency > 1)
		ExplainPropertyInteger("Parallel Cursors", NULL,
							   settings->max_concurrency, es);
}

/* Adds a list with one entry for each filter of the request. */
static void
explain_filters(List *filters, List *expressions, List *context, bool prefix,
				ExplainState *es)
{
	List	 *texts = NIL;
	ListCell *cell;

	foreach(cell, filters)
	{
		StringInfoData text;

		initStringInfo(&text);
		pushdown_deparse(&text, lfirst(cell), expressions, context, prefix);
		texts = lappend(texts, text.data);
	}
	ExplainPropertyList("Remote Filter", texts, es);
}

/* Custom scan callback. */
void
explain_lookup(CustomScanState *node, List *ancestors, ExplainState *es)
{
	CustomScan	   *plan = (CustomScan *) node->ss.ps.plan;
	List		   *oids = list_nth(plan->custom_private, LOOKUP_PRIVATE_OIDS);
	const Settings *settings = settings_read(linitial_oid(oids));
	List		   *context =
		set_deparse_context_plan(es->deparse_cxt, &plan->scan.plan, ancestors);
	bool prefix = es->verbose || list_length(es->rtable) > 1;

	if (intVal(list_nth(plan->custom_private, LOOKUP_PRIVATE_IS_BY_KEY)))
		explain_keys(plan, settings, context, prefix, es);
	else
	{
		StringInfoData text;

		initStringInfo(&text);
		append_condition(
			&text, list_nth(plan->custom_private, LOOKUP_PRIVATE_CONDITION),
			plan->custom_exprs, context, prefix);
		ExplainPropertyText("Lookup Key", text.data, es);
		explain_request(request_by_id(settings, true), false, es);
	}

	if (es->analyze)
	{
		LookupCounters counters = lookup_counters(node);

		ExplainPropertyInteger("Lookup Batches", NULL, counters.batches, es);
		ExplainPropertyInteger("Distinct Keys", NULL, counters.keys, es);
		explain_counters(counters.scan, false, true, es);
	}
}

/* Adds the properties of a lookup by a key that many records can share. */
static void
explain_keys(const CustomScan *plan, const Settings *settings, List *context,
			 bool prefix, ExplainState *es)
{
	List *condition = list_nth(plan->custom_private, LOOKUP_PRIVATE_CONDITION);
	List *filters = list_nth(plan->custom_private, LOOKUP_PRIVATE_FILTERS);

	ExplainPropertyText("Lookup Key",
						deparse_expression(pushdown_key_expression(
											   condition, plan->custom_exprs),
										   context, prefix, false),
						es);
	explain_request(psprintf("POST " API_QUERY_PATH " for up to %d keys of %s",
							 settings->record_type,
							 Min(settings->page_size, MAX_REMOTE_VALUES),
							 in_server_encoding(pushdown_key_field(condition))),
					false, es);
	if (filters != NIL)
		explain_filters(filters, plan->custom_exprs, context, prefix, es);
}

/* Returns the request for the records of one id or of several. */
static char *
request_by_id(const Settings *settings, bool may_be_many)
{
	if (may_be_many && settings->use_query)
		return psprintf("POST " API_QUERY_PATH " for up to %d ids",
						settings->record_type, settings->page_size);
	return psprintf("GET " API_RECORD_PATH, settings->record_type, "{id}");
}

/* Adds the counters of pages, and with VERBOSE the filters of the last request. */
static void
explain_page_counters(const ForeignScanState *node, ExplainState *es)
{
	PageCounters counters = scan_page_counters(node);
	ListCell	*cell;
	List		*texts = NIL;

	foreach(cell, scan_sent_filters(node))
		texts = lappend(
			texts, in_server_encoding(((RemoteFilter *) lfirst(cell))->json));
	if (es->verbose && texts != NIL)
		ExplainPropertyList("Remote Filter JSON", texts, es);
	ExplainPropertyInteger("Pages", NULL, counters.pages, es);
	ExplainPropertyInteger("Records", NULL, counters.records, es);
	if (counters.ranges > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger("Ranges", NULL, counters.ranges, es);
}

/* Returns a text of the API in the database's encoding. */
static char *
in_server_encoding(const char *text)
{
	return pg_any_to_server(text, strlen(text), PG_UTF8);
}

/* Adds the number of API calls and their results. */
static void
explain_counters(ScanCounters counters, bool is_by_pages, bool may_hit_cache,
				 ExplainState *es)
{
	ExplainPropertyInteger("API Calls", NULL, counters.requests, es);
	if (counters.retries > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger("Retries", NULL, counters.retries, es);
	if (is_by_pages)
		ExplainPropertyInteger("Response Size", "kB",
							   (counters.bytes + 1023) / 1024, es);
	if (may_hit_cache)
		ExplainPropertyInteger("Cache Hits", NULL, counters.cache_hits, es);
	if (es->timing && counters.waited > 0)
		ExplainPropertyFloat("Throttle Time", "ms", counters.waited / 1000.0, 3,
							 es);
}

/* Appends the expressions that are compared with the id. */
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
