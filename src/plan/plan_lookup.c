/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_lookup.c
 *	  Conditions by which a join's records can be looked up in batches, and
 *	  the requests that this saves.  For lookup_plan.c, which makes the paths.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "optimizer/optimizer.h"
#include "utils/selfuncs.h"

#include "condition/filter.h"
#include "plan/plan_internal.h"

static List *variable_expressions(List *expressions);

/*
 * Returns the condition on the id that the clauses and the table's own
 * conditions imply, in the form of filter.h.  Returns NIL if the clauses alone
 * do not restrict the id.
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
 * Returns the cost of the requests that batches save against one lookup by id
 * per probe.  A batch fetches each distinct id once, page_size ids per request.
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
 * Finds a key that a clause compares with a value of other relations, and fills
 * in *lookup.  Returns false if there is no such key, or if the table is read
 * by ids.
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
 * Returns the cost of the requests that batches save against one query per
 * probe.  A batch queries each distinct key once, several keys per query, and
 * reads all pages.  The result is negative if batches need more requests.  Sets
 * *before_first to the additional cost until the first row.
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

/* Returns the expressions whose value differs between rows. */
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
