/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * batch_lookup.c
 *	  Joins that look records up in batches: the planner's part.
 *
 * If a foreign table is joined by its id or another key, a nested loop reads
 * the records of one key per outer row.  This file puts a custom scan below
 * the outer side of the loop.  The custom scan reads outer rows ahead,
 * collects their ids or keys, and fetches the records in batches into the
 * statement's cache.  The join itself stays PostgreSQL's own, with any join
 * type and any further conditions.
 *
 * PostgreSQL calls the hook for each pair of relations.  Before 17 it does not
 * do so for a join that has a condition without variables: there the plain
 * nested loop remains.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
#include "utils/guc.h"

#include "plan/batch_lookup.h"
#include "plan/plan.h"
#include "plan/plan_compat.h"
#include "plan/plan_table.h"

/* Lookup of the inner table's records. */
typedef struct Lookup
{
	List *condition;	/* on the id, or on another key */
	List *filters;		/* further conditions to push down with the keys */
	List *expressions;	/* expressions of the condition and the filters */
	Cost  saved;		/* cost of the requests that the plain loop makes in
						 * addition */
	Cost  before_first; /* cost until the first row, in addition to a single
						 * probe */
} Lookup;

static bool						   enable_batch_lookup = true;
static set_join_pathlist_hook_type next_hook = NULL;
static const CustomScanMethods	  *scan_methods;

/*
 * Finds a lookup by id: the condition on the id that the clauses and the table's
 * own conditions imply.  Returns false if the clauses alone do not restrict the
 * id.
 *
 * The plain loop makes a lookup by id per probe.  A batch fetches each distinct
 * id once, page_size ids per request.
 */
static bool
find_id_lookup(PlannerInfo *root, RelOptInfo *rel, List *clauses, double probes,
			   Lookup *lookup)
{
	const Settings *settings = ((TableInfo *) rel->fdw_private)->settings;
	List *condition = plan_clause_uses(root, rel, clauses).id_condition;
	List *own = plan_clause_uses(root, rel, rel->baserestrictinfo).id_condition;
	List *variable = NIL;
	double	  ids;
	double	  distinct;
	ListCell *cell;

	if (condition == NIL)
		return false;
	if (own != NIL)
		condition = condition_conjunction(list_make2(condition, own));
	lookup->condition =
		condition_number_expressions(condition, &lookup->expressions);
	foreach(cell, lookup->expressions)
	{
		if (contain_var_clause(lfirst(cell)))
			variable = lappend(variable, lfirst(cell));
	}
	ids = plan_estimate_ids(root, condition);
	distinct = estimate_num_groups(root, variable, probes, NULL, NULL);
	lookup->saved = settings->fdw_startup_cost *
					(probes * plan_id_requests(settings, ids) -
					 plan_id_requests(settings, Min(distinct, probes) * ids));
	return !contain_subplans((Node *) lookup->expressions);
}

/*
 * Finds a lookup by a key that a clause compares with a value of other
 * relations.  Returns false without a key, if the table is read by ids, or if
 * batches save no requests.
 *
 * The plain loop makes a query per probe.  A batch queries each distinct key
 * once, several keys per query, and reads all pages.
 */
static bool
find_key_lookup(PlannerInfo *root, RelOptInfo *rel, List *clauses,
				double probes, Lookup *lookup)
{
	TableInfo	   *table = rel->fdw_private;
	const Settings *settings = table->settings;
	double	   keys_per_query = Min(settings->page_size, MAX_REMOTE_VALUES);
	double	   distinct = 0;
	double	   pages_of_batch;
	double	   pages_of_probe;
	List	  *used = NIL; /* clauses of the condition and the filters */
	ClauseUses uses = plan_clause_uses(
		root, rel, list_concat_copy(rel->baserestrictinfo, clauses));

	if (!plan_may_scan_pages(table) || uses.id_condition != NIL)
		return false;
	for (int i = 0; i < list_length(uses.filters); i++)
	{
		FilterRole role = list_nth_int(uses.roles, i);
		List	  *condition;

		if (role == FILTER_JOIN ||
			(role == FILTER_KEY && lookup->condition != NIL))
			continue;
		condition = condition_number_expressions(list_nth(uses.filters, i),
												 &lookup->expressions);
		if (role == FILTER_RESTRICTION)
			lookup->filters = lappend(lookup->filters, condition);
		else
		{
			lookup->condition = condition;
			distinct = estimate_num_groups(
				root, list_make1(llast(lookup->expressions)), probes, NULL,
				NULL);
			distinct = Min(distinct, probes);
		}
		used = lappend(used, list_nth(uses.filter_clauses, i));
	}
	if (lookup->condition == NIL)
		return false;

	pages_of_batch =
		rel->tuples *
		clauselist_selectivity(root, used, rel->relid, JOIN_INNER, NULL);
	pages_of_batch =
		ceil(Max(pages_of_batch * Min(keys_per_query, distinct), 1) /
			 settings->page_size);
	pages_of_probe =
		ceil(plan_estimate_records(root, rel, uses.filter_clauses) /
			 settings->page_size);
	lookup->before_first =
		settings->fdw_startup_cost * Max(pages_of_batch - 1, 0);
	lookup->saved = settings->fdw_startup_cost *
					(probes * pages_of_probe -
					 ceil(distinct / keys_per_query) * pages_of_batch);
	return lookup->saved > 0;
}

/*
 * Returns an expression over the outer rows, with each variable as it occurs in
 * the outer plan's target list (tlist, a List).  From 16 on a variable names
 * the outer joins that may have made it NULL.  A clause's variable may name
 * fewer of them than the target list's.
 */
static Node *
as_in_tlist(Node *node, void *tlist)
{
	ListCell *cell;

	if (node == NULL)
		return NULL;
	if (!IsA(node, Var) && !IsA(node, PlaceHolderVar))
		return expression_tree_mutator(node, as_in_tlist, tlist);

	foreach(cell, (List *) tlist)
	{
		Node *expr = (Node *) lfirst_node(TargetEntry, cell)->expr;

		if (nodeTag(expr) != nodeTag(node))
			continue;
		if (IsA(node, Var)
				? ((Var *) expr)->varno == ((Var *) node)->varno &&
					  ((Var *) expr)->varattno == ((Var *) node)->varattno
				: ((PlaceHolderVar *) expr)->phid ==
					  ((PlaceHolderVar *) node)->phid)
			return copyObject(expr);
	}
	return IsA(node, Var)
			   ? copyObject(node)
			   : as_in_tlist((Node *) ((PlaceHolderVar *) node)->phexpr, tlist);
}

/* Custom path callback: returns the plan node. */
static Plan *
plan_lookup(PlannerInfo *root, RelOptInfo *rel, CustomPath *best_path,
			List *tlist, List *clauses, List *custom_plans)
{
	CustomScan *plan = makeNode(CustomScan);
	Plan	   *outer_plan = linitial(custom_plans);

	(void) root;
	(void) rel;
	(void) clauses; /* the outer plan checks them */

	plan->scan.plan.targetlist = tlist;
	plan->scan.scanrelid = 0;
	plan->flags = best_path->flags;
	plan->custom_plans = custom_plans;
	plan->custom_scan_tlist = copyObject(outer_plan->targetlist);
	plan->custom_private = linitial(best_path->custom_private);
	plan->custom_exprs = (List *) as_in_tlist(
		lsecond(best_path->custom_private), outer_plan->targetlist);
	plan->methods = scan_methods;
	return &plan->scan.plan;
}

static const CustomPathMethods path_methods = {.CustomName = "Batch Lookup",
											   .PlanCustomPath = plan_lookup};

/*
 * Returns the path that returns the outer path's rows, and fetches the records
 * for the inner table.  The limit counts the join's rows.
 */
static CustomPath *
create_lookup_path(PlannerInfo *root, Path *outer_path, RelOptInfo *innerrel,
				   const Lookup *lookup, int limit)
{
	CustomPath	  *path = makeNode(CustomPath);
	RangeTblEntry *rte = planner_rt_fetch(innerrel->relid, root);
	List		  *plan_private;

	path->path.pathtype = T_CustomScan;
	path->path.parent = outer_path->parent;
	path->path.pathtarget = outer_path->pathtarget;
	path->path.param_info = outer_path->param_info;
	path->path.rows = outer_path->rows;
	path->path.startup_cost = outer_path->startup_cost;
	path->path.total_cost = outer_path->total_cost;
	path->path.pathkeys = outer_path->pathkeys;
	path->custom_paths = list_make1(outer_path);
	path->methods = &path_methods;
	compat_copy_disabled_nodes(&path->path, outer_path);

	/* in the order of LookupPrivate */
	plan_private = list_make4(lookup->condition, lookup->filters,
							  list_make2_oid(rte->relid, innerrel->userid),
							  makeInteger(limit));
	path->custom_private = list_make2(plan_private, lookup->expressions);
	return path;
}

/*
 * Adds the nested loop over a pair of paths, with a lookup on the outer path,
 * if the inner path allows one.
 */
static void
add_lookup_path(PlannerInfo *root, RelOptInfo *joinrel, Path *outer_path,
				Path *inner_path, JoinType jointype, JoinPathExtraData *extra)
{
	RelOptInfo		 *outerrel = outer_path->parent;
	RelOptInfo		 *innerrel = inner_path->parent;
	List			 *clauses = inner_path->param_info->ppi_clauses;
	Lookup			  lookup = {0};
	CustomPath		 *path;
	JoinCostWorkspace workspace;
	Path			 *join;
	List			 *pathkeys;
	Relids			  required_outer;

	if (bms_overlap(PATH_REQ_OUTER(outer_path), innerrel->relids))
		return;

	/*
	 * PostgreSQL makes a parameterized join only of relations that can supply
	 * its parameters (param_source_rels).  Placeholders would need further
	 * checks, so a query with placeholders gets no parameterized lookup.
	 */
	required_outer = calc_nestloop_required_outer(
		outerrel->relids, PATH_REQ_OUTER(outer_path), innerrel->relids,
		PATH_REQ_OUTER(inner_path));
	if (required_outer != NULL &&
		(!bms_overlap(required_outer, extra->param_source_rels) ||
		 root->placeholder_list != NIL))
		return;

	if (!find_id_lookup(root, innerrel, clauses, outer_path->rows, &lookup) &&
		!find_key_lookup(root, innerrel, clauses, outer_path->rows, &lookup))
		return;
	pathkeys =
		build_join_pathkeys(root, joinrel, jointype, outer_path->pathkeys);
	path = create_lookup_path(
		root, outer_path, innerrel, &lookup,
		plan_likely_limit(root, joinrel, pathkeys, root->limit_tuples));
	initial_cost_nestloop(root, &workspace, jointype, &path->path, inner_path,
						  extra);
	join = (Path *) create_nestloop_path(
		root, joinrel, jointype, &workspace, extra, &path->path, inner_path,
		extra->restrictlist, pathkeys, required_outer);

	/*
	 * The cost of the loop assumes one probe per row.  No function of
	 * PostgreSQL returns the cost of a batched loop, so the costs of the
	 * finished path are corrected here.
	 */
	join->startup_cost += lookup.before_first;
	join->total_cost = Max(join->total_cost - lookup.saved,
						   Max(join->startup_cost, outer_path->total_cost));
	add_path(joinrel, join);
}

/*
 * Planner hook: adds the joins that look the inner table's records up by ids or
 * keys of the outer side.  These are joins that read the outer side row by row.
 */
static void
add_lookup_paths(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outerrel,
				 RelOptInfo *innerrel, JoinType jointype,
				 JoinPathExtraData *extra)
{
	List	 *outer_paths = outerrel->pathlist;
	ListCell *inner_cell;
	ListCell *outer_cell;

	if (next_hook != NULL)
		next_hook(root, joinrel, outerrel, innerrel, jointype, extra);
	if (!enable_batch_lookup || !plan_is_foreign_table(innerrel))
		return;
	switch (jointype)
	{
		case JOIN_INNER:
		case JOIN_LEFT:
		case JOIN_SEMI:
		case JOIN_ANTI:
			break;
		case JOIN_UNIQUE_OUTER:
			outer_paths = list_make1(create_unique_path(
				root, outerrel, outerrel->cheapest_total_path, extra->sjinfo));
			if (linitial(outer_paths) == NULL)
				return;
			jointype = JOIN_INNER;
			break;
		default:
			return;
	}

	foreach(inner_cell, innerrel->pathlist)
	{
		Path *inner_path = lfirst(inner_cell);

		if (!IsA(inner_path, ForeignPath) || inner_path->param_info == NULL ||
			!bms_is_subset(PATH_REQ_OUTER(inner_path), outerrel->relids))
			continue;
		foreach(outer_cell, outer_paths)
			add_lookup_path(root, joinrel, lfirst(outer_cell), inner_path,
							jointype, extra);
	}
}

/*
 * Defines the setting, and registers the hook and the methods of the custom
 * scan.  Called once, when the module is loaded.
 */
void
batch_lookup_initialize(const CustomScanMethods *methods)
{
	DefineCustomBoolVariable(
		"opportunity_fdw.enable_batch_lookup",
		"Enables the planner's use of batch lookups.",
		"Without them, a join by a record's id or by one of its references "
		"makes a request for each row.",
		&enable_batch_lookup, true, PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	scan_methods = methods;
	RegisterCustomScanMethods(methods);
	next_hook = set_join_pathlist_hook;
	set_join_pathlist_hook = add_lookup_paths;
}
