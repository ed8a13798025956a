/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  What EXPLAIN says of a foreign scan and of a lookup: the request, the id's
 *	  expression (of a scan, under VERBOSE), filters and sort, and what was spent
 *	  under ANALYZE.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "api.h"
#include "explain.h"
#include "filter.h"
#include "lookup_join.h"
#include "option.h"
#include "plan.h"
#include "pushdown.h"
#include "scan.h"

static bool	 may_hit_keys(const ForeignScanState *node, const ExplainState *es);
static char *request_by_id(const Settings *settings, bool may_be_many);
static void	 explain_ids(const ForeignScan *plan, const Settings *settings,
						 ExplainState *es);
static void	 explain_pages(const ForeignScan *plan, const Settings *settings,
						   ExplainState *es);
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
	List *condition = list_nth(plan->fdw_private, SCAN_PRIVATE_ID_CONDITION);

	if (condition != NIL)
		explain_ids(plan, settings, es);
	else if (settings->use_query)
		explain_pages(plan, settings, es);
	else
		ExplainPropertyText("Request", "none possible without an id", es);

	if (es->analyze)
	{
		if (condition == NIL)
			explain_page_counters(node, es);
		explain_counters(scan_counters(node), condition == NIL,
						 condition != NIL || may_hit_keys(node, es), es);
	}
}

/*
 * Whether to say how often a scan by pages found its records where a lookup had
 * them fetched: if it did, or could have and a program wants to know.
 */
static bool
may_hit_keys(const ForeignScanState *node, const ExplainState *es)
{
	const ForeignScan *plan = (const ForeignScan *) node->ss.ps.plan;

	return scan_counters(node).cache_hits > 0 ||
		   (es->format != EXPLAIN_FORMAT_TEXT &&
			list_member_int(list_nth(plan->fdw_private, SCAN_PRIVATE_ROLES),
							FILTER_KEY));
}

/*
 * A scan by ids.
 *
 * EXPLAIN does not tell its FDW callbacks the plan nodes above, which the names
 * of an outer row's columns come from.  But under VERBOSE it has printed this
 * node's output just before, and for that has put the node and those above it
 * into deparse_cxt.
 */
static void
explain_ids(const ForeignScan *plan, const Settings *settings, ExplainState *es)
{
	List *condition = list_nth(plan->fdw_private, SCAN_PRIVATE_ID_CONDITION);
	StringInfoData text;

	ExplainPropertyText(
		"Request", request_by_id(settings, !filter_is_single(condition)), es);
	if (!es->verbose)
		return;
	initStringInfo(&text);
	append_condition(&text, condition, plan->fdw_exprs, es->deparse_cxt,
					 list_length(es->rtable) > 1);
	ExplainPropertyText("Id", text.data, es);
}

/* A scan by pages: the filters and the sort. */
static void
explain_pages(const ForeignScan *plan, const Settings *settings,
			  ExplainState *es)
{
	List *filters = list_nth(plan->fdw_private, SCAN_PRIVATE_FILTERS);
	List *sort = list_nth(plan->fdw_private, SCAN_PRIVATE_SORT);
	List *flags = list_nth(plan->fdw_private, SCAN_PRIVATE_FLAGS);
	int	  limit = intVal(list_nth(plan->fdw_private, SCAN_PRIVATE_LIMIT));
	int	  page_size = settings->page_size;

	if (limit > 0)
		page_size = Min(page_size, limit);
	ExplainPropertyText("Request",
						psprintf("POST " API_QUERY_PATH " for pages of %d",
								 settings->record_type, page_size),
						es);

	/* What they come from is among the node's own conditions, which EXPLAIN has
	 * printed just before: deparse_cxt is this node's, as in explain_ids. */
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
		ExplainPropertyInteger("Ranges of created_at at Once", NULL,
							   settings->max_concurrency, es);
}

/* Each filter by itself, since they are sent so. */
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
		ExplainPropertyText("Request", request_by_id(settings, true), es);
	}

	if (es->analyze)
	{
		LookupCounters counters = lookup_counters(node);

		ExplainPropertyInteger("Batches", NULL, counters.batches, es);
		ExplainPropertyInteger("Distinct Keys", NULL, counters.keys, es);
		explain_counters(counters.scan, false, true, es);
	}
}

/* A lookup by a key that many records may have in common. */
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
	ExplainPropertyText(
		"Request",
		psprintf("POST " API_QUERY_PATH " for up to %d keys of %s",
				 settings->record_type,
				 Min(settings->page_size, MAX_REMOTE_VALUES),
				 in_server_encoding(pushdown_key_field(condition))),
		es);
	if (filters != NIL)
		explain_filters(filters, plan->custom_exprs, context, prefix, es);
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

/* What pages have brought, and what was sent last. */
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
		ExplainPropertyList("Filter Sent", texts, es);
	ExplainPropertyInteger("Pages", NULL, counters.pages, es);
	ExplainPropertyInteger("Records", NULL, counters.records, es);
	if (counters.ranges > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger("Ranges", NULL, counters.ranges, es);
}

/* A text of the API, for a message. */
static char *
in_server_encoding(const char *text)
{
	return pg_any_to_server(text, strlen(text), PG_UTF8);
}

/* What was spent. */
static void
explain_counters(ScanCounters counters, bool is_by_pages, bool may_hit_cache,
				 ExplainState *es)
{
	ExplainPropertyInteger("Requests", NULL, counters.requests, es);
	if (counters.retries > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger("Retries", NULL, counters.retries, es);
	if (is_by_pages)
		ExplainPropertyInteger("Received", "bytes", counters.bytes, es);
	if (may_hit_cache)
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
