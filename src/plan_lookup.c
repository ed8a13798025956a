/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_lookup.c
 *	  What the records that a join leads to can be looked up by, and what that
 *	  saves: see lookup_plan.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "optimizer/optimizer.h"
#include "utils/selfuncs.h"

#include "filter.h"
#include "plan_internal.h"

static List *variable_expressions(List *expressions);

/*
 * What the given clauses and the table's own say of the id, or NIL where the
 * given ones say nothing; see filter_id_condition.
 */
List *
plan_id_condition(PlannerInfo *root, RelOptInfo *rel, List *clauses,
				  List **expressions)
{
	List *ignored = NIL;
	List *condition =
		plan_ids_of_clauses(root, rel, clauses, expressions, &ignored);
	List *own;

	if (condition == NIL)
		return NIL;
	own = plan_ids_of_clauses(root, rel, rel->baserestrictinfo, expressions,
							  &ignored);
	return own == NIL ? condition
					  : filter_conjunction(list_make2(condition, own));
}

/*
 * The cost of the requests that are saved where so many probes of a table are
 * made together: each id once, and as many in one request as it takes.
 */
Cost
plan_request_savings(PlannerInfo *root, RelOptInfo *rel, List *condition,
					 List *expressions, double probes)
{
	const Settings *settings = ((TableInfo *) rel->fdw_private)->settings;
	double			ids = filter_estimate_ids(root, condition, expressions);
	double			distinct = estimate_num_groups(
				 root, variable_expressions(expressions), probes, NULL, NULL);

	return settings->fdw_startup_cost *
		   (probes * plan_count_requests(settings, ids) -
			plan_count_requests(settings, Min(distinct, probes) * ids));
}

/*
 * How the records can be looked up by a key that some clauses compare with what
 * other relations supply.  Returns false where there is no such key, and where
 * the table is read by ids.
 */
bool
plan_key_lookup(PlannerInfo *root, RelOptInfo *rel, List *clauses,
				KeyLookup *lookup)
{
	TableInfo *table = rel->fdw_private;
	List	  *expressions = NIL;
	List	  *other_clauses = NIL;
	ListCell  *cell;

	memset(lookup, 0, sizeof(*lookup));
	clauses = list_concat_copy(rel->baserestrictinfo, clauses);
	if (!plan_is_queryable(table) ||
		plan_ids_of_clauses(root, rel, clauses, &expressions, &other_clauses) !=
			NIL)
		return false;

	foreach(cell, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);
		int			  old_count = list_length(lookup->expressions);
		List		 *condition =
			plan_pushed_condition(root, rel, clause, &lookup->expressions);
		FilterRole role = condition == NIL
							  ? FILTER_JOINED
							  : plan_filter_role(rel, condition, clause);

		if (role == FILTER_JOINED ||
			(role == FILTER_KEY && lookup->condition != NIL))
		{
			lookup->expressions = list_truncate(lookup->expressions, old_count);
			continue;
		}
		if (role == FILTER_KEY)
			lookup->condition = condition;
		else
			lookup->filters = lappend(lookup->filters, condition);
		lookup->clauses = lappend(lookup->clauses, clause);
	}
	return lookup->condition != NIL;
}

/*
 * The cost of the requests that are saved where so many probes of a table, by
 * some clauses, are made together, by a key: each key once, as many in one query
 * as it takes, and all pages of that.  *before_first: what more it costs than a
 * single probe until the first row is there.
 */
Cost
plan_key_savings(PlannerInfo *root, RelOptInfo *rel, List *clauses,
				 const KeyLookup *lookup, double probes, Cost *before_first)
{
	const Settings *settings = ((TableInfo *) rel->fdw_private)->settings;
	Node *key = pushdown_key_expression(lookup->condition, lookup->expressions);
	double at_once = Min(settings->page_size, MAX_REMOTE_VALUES);
	double distinct = Min(
		estimate_num_groups(root, list_make1(key), probes, NULL, NULL), probes);
	double records =
		rel->tuples * clauselist_selectivity(root, lookup->clauses, rel->relid,
											 JOIN_INNER, NULL);
	QueryEstimate single = plan_estimate_query(
		root, rel, list_concat_copy(clauses, rel->baserestrictinfo));
	double pages_of_batch =
		ceil(Max(records * Min(at_once, distinct), 1) / settings->page_size);
	double pages_of_probe = ceil(single.records / settings->page_size);

	*before_first = settings->fdw_startup_cost * Max(pages_of_batch - 1, 0);
	return settings->fdw_startup_cost *
		   (probes * pages_of_probe -
			ceil(distinct / at_once) * pages_of_batch);
}

/* Those of some expressions that are not the same for all rows. */
static List *
variable_expressions(List *expressions)
{
	List	 *found = NIL;
	ListCell *cell;

	foreach(cell, expressions)
	{
		if (contain_var_clause(lfirst(cell)))
			found = lappend(found, lfirst(cell));
	}
	return found;
}
