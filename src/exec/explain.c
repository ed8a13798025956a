/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  EXPLAIN of a foreign scan and of a batch lookup: the request, filters and
 *	  sort, and with ANALYZE the API calls and their results.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"

#include "api/api_records.h"
#include "condition/condition.h"
#include "exec/explain.h"
#include "exec/scan.h"
#include "fetch/statement.h"
#include "option/option.h"

/* Returns a text of the API in the database's encoding. */
static char *
in_server_encoding(const char *text)
{
	return pg_any_to_server(text, strlen(text), PG_UTF8);
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

/* Returns a condition, or the expressions compared with a key, as SQL. */
static char *
deparse_text(const List *condition, const ConditionDeparse *deparse,
			 bool is_key)
{
	StringInfoData text;

	initStringInfo(&text);
	condition_deparse(&text, condition, deparse, is_key);
	return text.data;
}

/* Adds the filters of the request, if there are any. */
static void
explain_filters(List *filters, const ConditionDeparse *deparse,
				ExplainState *es)
{
	List	 *texts = NIL;
	ListCell *cell;

	foreach(cell, filters)
		texts = lappend(texts, deparse_text(lfirst(cell), deparse, false));
	if (texts != NIL)
		ExplainPropertyList("Remote Filter", texts, es);
}

/* Adds the request of a scan by pages, its filters, and its sort or cursors. */
static void
explain_pages(const ForeignScan *plan, const Settings *settings,
			  const char *suffix, const ConditionDeparse *deparse,
			  ExplainState *es)
{
	List *sort = list_nth(plan->fdw_private, SCAN_PRIVATE_SORT);
	List *flags = list_nth(plan->fdw_private, SCAN_PRIVATE_FLAGS);
	int	  limit = intVal(list_nth(plan->fdw_private, SCAN_PRIVATE_LIMIT));
	List *bound = list_nth(plan->fdw_private, SCAN_PRIVATE_BOUND);
	int	  page_size = settings->page_size;
	int	  cursors = settings->max_concurrency;

	if (limit > 0)
	{
		cursors = limit < LONG_FETCH_REQUESTS * page_size
					  ? 1
					  : Min(cursors, (limit + page_size - 1) / page_size);
		page_size = Min(page_size, limit);
	}
	ExplainPropertyText("Remote Request",
						psprintf("POST " API_QUERY_PATH " for pages of %d%s",
								 settings->record_type, page_size, suffix),
						es);
	explain_filters(list_nth(plan->fdw_private, SCAN_PRIVATE_FILTERS), deparse,
					es);
	if (sort != NIL)
		ExplainPropertyText(
			"Remote Sort",
			psprintf(
				"%s %s",
				in_server_encoding(strVal(list_nth(sort, SCAN_SORT_FIELD))),
				list_nth_int(list_nth(sort, SCAN_SORT_PROPERTIES),
							 SORT_IS_DESCENDING)
					? "desc"
					: "asc"),
			es);
	else if (cursors > 1 && list_nth_int(flags, SCAN_FLAG_MAY_SPLIT))
		ExplainPropertyInteger("Parallel Cursors", NULL, cursors, es);
	if (limit == UNKNOWN_LIMIT && list_nth_int(bound, BOUND_BY_RUN))
		ExplainPropertyText("Read Ahead", "as rows are fetched", es);
}

/* Adds the counters of pages, and with VERBOSE the filters of the last request. */
static void
explain_page_counters(const ForeignScanState *node, ExplainState *es)
{
	const PageCounters *counters = &scan_counters(node)->pages;
	ListCell		   *cell;
	List			   *texts = NIL;

	foreach(cell, scan_sent_filters(node))
		texts = lappend(
			texts, in_server_encoding(((RemoteFilter *) lfirst(cell))->json));
	if (es->verbose && texts != NIL)
		ExplainPropertyList("Remote Filter JSON", texts, es);
	ExplainPropertyInteger("Pages", NULL, counters->pages, es);
	ExplainPropertyInteger("Records", NULL, counters->records, es);
	if (counters->ranges > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger("Ranges", NULL, counters->ranges, es);
}

/* Adds the number of API calls and their results; cache_hits -1: by pages. */
static void
explain_counters(const HttpBudget *budget, int64 cache_hits, ExplainState *es)
{
	ExplainPropertyInteger("API Calls", NULL, budget->requests, es);
	if (budget->retries > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger("Retries", NULL, budget->retries, es);
	if (cache_hits < 0)
		ExplainPropertyInteger("Response Size", "kB",
							   (budget->bytes + 1023) / 1024, es);
	else
		ExplainPropertyInteger("Cache Hits", NULL, cache_hits, es);
	if (es->timing && budget->waited > 0)
		ExplainPropertyFloat("Throttle Time", "ms", budget->waited / 1000.0, 3,
							 es);
}

/*
 * FDW callback: adds the properties of a foreign scan.
 *
 * The names of an outer row's columns need the plan nodes above.  EXPLAIN does not
 * pass them, but it has just printed this node's output or conditions, so
 * deparse_cxt contains this node and the nodes above it.
 */
void
explain_scan(ForeignScanState *node, ExplainState *es)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Settings	*settings =
		settings_read(RelationGetRelid(node->ss.ss_currentRelation));
	List *condition = list_nth(plan->fdw_private, SCAN_PRIVATE_ID_CONDITION);
	ConditionDeparse deparse = {plan->fdw_exprs, es->deparse_cxt,
								list_length(es->rtable) > 1};
	bool			 is_optional = bms_is_member(
					plan->scan.scanrelid, statement_of(node->ss.ps.state)->lookup_scans);
	const char *suffix = is_optional ? " if not prefetched" : "";

	if (condition != NIL)
	{
		ExplainPropertyText(
			"Remote Request",
			psprintf("%s%s",
					 request_by_id(settings, !condition_is_single(condition)),
					 suffix),
			es);
		if (es->verbose)
			ExplainPropertyText("Id", deparse_text(condition, &deparse, true),
								es);
	}
	else if (settings->use_query)
		explain_pages(plan, settings, suffix, &deparse, es);
	else
		ExplainPropertyText("Remote Request", "none (use_query is off)", es);

	if (es->analyze)
	{
		const ScanCounters *counters = scan_counters(node);

		if (condition == NIL)
			explain_page_counters(node, es);
		explain_counters(&counters->budget,
						 condition != NIL ? counters->keys.cache_hits : -1, es);
		if (is_optional)
			ExplainPropertyInteger("Prefetched", NULL,
								   counters->keys.prefetched, es);
	}
}

/* Adds the properties of one source of a batch lookup, a list by LookupSource. */
void
explain_lookup(const CustomScanState *node, List *source, List *expressions,
			   const LookupCounters *counters, List *ancestors,
			   ExplainState *es)
{
	List		   *condition = list_nth(source, LOOKUP_SOURCE_CONDITION);
	List		   *scans = list_nth(source, LOOKUP_SOURCE_SCANS);
	const Settings *settings = settings_read(
		exec_rt_fetch(linitial_int(scans), node->ss.ps.state)->relid);
	ConditionDeparse deparse = {
		expressions,
		set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors),
		es->verbose || list_length(es->rtable) > 1};
	char	 *request = request_by_id(settings, true);
	List	 *names = NIL;
	ListCell *cell;

	foreach(cell, scans)
		names =
			lappend(names, list_nth(es->rtable_names, lfirst_int(cell) - 1));
	if (strcmp(condition_field(condition), ID_FIELD) != 0)
		request = psprintf("POST " API_QUERY_PATH " for up to %d keys of %s",
						   settings->record_type,
						   Min(settings->page_size, MAX_REMOTE_VALUES),
						   in_server_encoding(condition_field(condition)));
	ExplainPropertyList("Lookup For", names, es);
	ExplainPropertyText("Lookup Key", deparse_text(condition, &deparse, true),
						es);
	ExplainPropertyText("Remote Request", request, es);
	explain_filters(list_nth(source, LOOKUP_SOURCE_FILTERS), &deparse, es);
	if (es->analyze)
	{
		ExplainPropertyInteger("Lookup Batches", NULL, counters->batches, es);
		ExplainPropertyInteger("Distinct Keys", NULL, counters->keys, es);
		explain_counters(&counters->budget, counters->cache_hits, es);
	}
}
