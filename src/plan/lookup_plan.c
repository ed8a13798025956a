/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_plan.c
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

#include "foreign/fdwapi.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/guc.h"

#include "base/compat.h"
#include "condition/filter.h"
#include "exec/lookup_join.h"
#include "plan/plan.h"

/* Positions of CustomPath.custom_private. */
typedef enum PathPrivate
{
	PATH_PRIVATE_IS_BY_KEY,
	PATH_PRIVATE_CONDITION,
	PATH_PRIVATE_FILTERS,
	PATH_PRIVATE_OIDS,
	PATH_PRIVATE_EXPRESSIONS,
	PATH_PRIVATE_LIMIT
} PathPrivate;

/* Lookup of the inner table's records. */
typedef struct Lookup
{
	bool  is_by_key;
	List *condition; /* on the id, or on the key */
	List *filters;	 /* further conditions to push down with the keys */
	List *expressions;
	Cost  saved;		/* cost of the requests that the plain loop makes in
						 * addition */
	Cost  before_first; /* cost until the first row, in addition to a single
						 * probe */
} Lookup;

static bool						   enable_batch_lookup = true;
static set_join_pathlist_hook_type next_hook = NULL;

static void add_lookup_paths(PlannerInfo *root, RelOptInfo *joinrel,
							 RelOptInfo *outerrel, RelOptInfo *innerrel,
							 JoinType jointype, JoinPathExtraData *extra);
static bool is_supported(JoinType jointype);
static void add_lookup_path(PlannerInfo *root, RelOptInfo *joinrel,
							Path *outer_path, Path *inner_path,
							JoinType jointype, JoinPathExtraData *extra);
static bool find_lookup(PlannerInfo *root, Path *outer_path, Path *inner_path,
						Lookup *lookup);
static CustomPath *create_lookup_path(PlannerInfo *root, Path *outer_path,
									  Path *inner_path, const Lookup *lookup);
static Plan		  *plan_lookup(PlannerInfo *root, RelOptInfo *rel,
							   CustomPath *best_path, List *tlist, List *clauses,
							   List *custom_plans);
static int		   likely_limit(PlannerInfo *root, Path *join);
static Node		  *as_in_tlist(Node *node, void *tlist);

static const CustomPathMethods lookup_path_methods = {
	.CustomName = "Batch Lookup", .PlanCustomPath = plan_lookup};

static const CustomScanMethods lookup_scan_methods = {
	.CustomName = "Batch Lookup", .CreateCustomScanState = lookup_create_state};

/*
 * Defines the setting and registers the hook.  Called once, when the module is
 * loaded.
 */
void
lookup_join_initialize(void)
{
	DefineCustomBoolVariable(
		"opportunity_fdw.enable_batch_lookup",
		"Enables the planner's use of batch lookups.",
		"Without them, a join by a record's id or by one of its references "
		"makes a request for each row.",
		&enable_batch_lookup, true, PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	RegisterCustomScanMethods(&lookup_scan_methods);
	next_hook = set_join_pathlist_hook;
	set_join_pathlist_hook = add_lookup_paths;
}

/*
 * Planner hook: adds the joins that look the inner table's records up by ids or
 * keys of the outer side.
 */
static void
add_lookup_paths(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outerrel,
				 RelOptInfo *innerrel, JoinType jointype,
				 JoinPathExtraData *extra)
{
	ListCell *inner_cell;
	ListCell *outer_cell;

	if (next_hook != NULL)
		next_hook(root, joinrel, outerrel, innerrel, jointype, extra);
	if (!enable_batch_lookup || !plan_is_foreign_table(innerrel) ||
		!is_supported(jointype))
		return;

	foreach(inner_cell, innerrel->pathlist)
	{
		Path *inner_path = lfirst(inner_cell);

		if (!IsA(inner_path, ForeignPath) || inner_path->param_info == NULL ||
			!bms_is_subset(PATH_REQ_OUTER(inner_path), outerrel->relids))
			continue;
		if (jointype == JOIN_UNIQUE_OUTER)
		{
			Path *unique_path = (Path *) create_unique_path(
				root, outerrel, outerrel->cheapest_total_path, extra->sjinfo);

			if (unique_path != NULL)
				add_lookup_path(root, joinrel, unique_path, inner_path,
								JOIN_INNER, extra);
			continue;
		}
		foreach(outer_cell, outerrel->pathlist)
			add_lookup_path(root, joinrel, lfirst(outer_cell), inner_path,
							jointype, extra);
	}
}

/* Returns true if a join of this type reads its outer side row by row. */
static bool
is_supported(JoinType jointype)
{
	switch (jointype)
	{
		case JOIN_INNER:
		case JOIN_LEFT:
		case JOIN_SEMI:
		case JOIN_ANTI:
		case JOIN_UNIQUE_OUTER:
			return true;
		default:
			return false;
	}
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
	Lookup			  lookup;
	CustomPath		 *path;
	JoinCostWorkspace workspace;
	Path			 *join;
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

	if (!find_lookup(root, outer_path, inner_path, &lookup))
		return;
	path = create_lookup_path(root, outer_path, inner_path, &lookup);
	initial_cost_nestloop(root, &workspace, jointype, &path->path, inner_path,
						  extra);
	join = (Path *) create_nestloop_path(
		root, joinrel, jointype, &workspace, extra, &path->path, inner_path,
		extra->restrictlist,
		build_join_pathkeys(root, joinrel, jointype, outer_path->pathkeys),
		required_outer);

	/*
	 * The cost of the loop assumes one probe per row.  No function of
	 * PostgreSQL returns the cost of a batched loop, so the costs of the
	 * finished path are corrected here.
	 */
	join->startup_cost += lookup.before_first;
	join->total_cost = Max(join->total_cost - lookup.saved,
						   Max(join->startup_cost, outer_path->total_cost));
	path->custom_private =
		lappend(path->custom_private, makeInteger(likely_limit(root, join)));
	add_path(joinrel, join);
}

/*
 * Returns the number of rows after which the query is likely to stop, 0 if it
 * reads all, or LOOKUP_UNKNOWN_LIMIT.  The query's limit applies only if no
 * step but the limit follows the join.
 */
static int
likely_limit(PlannerInfo *root, Path *join)
{
	if (root->limit_tuples > 0 && root->limit_tuples < INT_MAX &&
		bms_is_subset(root->all_baserels, join->parent->relids) &&
		pathkeys_contained_in(root->query_pathkeys, join->pathkeys))
		return (int) ceil(root->limit_tuples);
	return root->tuple_fraction > 0 ? LOOKUP_UNKNOWN_LIMIT : 0;
}

/*
 * Finds the lookup of the inner path's records by values of the outer rows: by
 * ids, or else by a key if that saves requests.  Fills in *lookup.  Returns
 * false if there is none.
 */
static bool
find_lookup(PlannerInfo *root, Path *outer_path, Path *inner_path,
			Lookup *lookup)
{
	RelOptInfo *innerrel = inner_path->parent;
	List	   *clauses = inner_path->param_info->ppi_clauses;
	KeyLookup	key;

	memset(lookup, 0, sizeof(*lookup));
	lookup->condition =
		plan_id_condition(root, innerrel, clauses, &lookup->expressions);
	if (lookup->condition != NIL)
	{
		if (contain_subplans((Node *) lookup->expressions))
			return false;
		lookup->saved =
			plan_request_savings(root, innerrel, lookup->condition,
								 lookup->expressions, outer_path->rows);
		return true;
	}

	if (!plan_key_lookup(root, innerrel, clauses, &key))
		return false;
	lookup->is_by_key = true;
	lookup->condition = key.condition;
	lookup->filters = key.filters;
	lookup->expressions = key.expressions;
	lookup->saved = plan_key_savings(root, innerrel, clauses, &key,
									 outer_path->rows, &lookup->before_first);
	return lookup->saved > 0;
}

/*
 * Returns the path that returns the outer path's rows, and fetches the records
 * for the inner path.
 */
static CustomPath *
create_lookup_path(PlannerInfo *root, Path *outer_path, Path *inner_path,
				   const Lookup *lookup)
{
	CustomPath	  *path = makeNode(CustomPath);
	RelOptInfo	  *innerrel = inner_path->parent;
	RangeTblEntry *rte = planner_rt_fetch(innerrel->relid, root);

	path->path.pathtype = T_CustomScan;
	path->path.parent = outer_path->parent;
	path->path.pathtarget = outer_path->pathtarget;
	path->path.param_info = outer_path->param_info;
	path->path.rows = outer_path->rows;
	path->path.startup_cost = outer_path->startup_cost;
	path->path.total_cost = outer_path->total_cost;
	path->path.pathkeys = outer_path->pathkeys;
	path->custom_paths = list_make1(outer_path);

	/* in the order of PathPrivate */
	path->custom_private = list_make4(
		makeInteger(lookup->is_by_key), lookup->condition, lookup->filters,
		list_make2_oid(rte->relid, innerrel->userid));
	path->custom_private = lappend(path->custom_private, lookup->expressions);
	path->methods = &lookup_path_methods;
	compat_copy_disabled_nodes(&path->path, outer_path);
	return path;
}

/* Custom path callback: returns the plan node. */
static Plan *
plan_lookup(PlannerInfo *root, RelOptInfo *rel, CustomPath *best_path,
			List *tlist, List *clauses, List *custom_plans)
{
	CustomScan *plan = makeNode(CustomScan);
	Plan	   *outer_plan = linitial(custom_plans);
	List *private = best_path->custom_private;

	(void) root;
	(void) rel;
	(void) clauses; /* the outer plan checks them */

	plan->scan.plan.targetlist = tlist;
	plan->scan.scanrelid = 0;
	plan->flags = best_path->flags;
	plan->custom_plans = custom_plans;
	plan->custom_scan_tlist = copyObject(outer_plan->targetlist);
	plan->custom_exprs = (List *) as_in_tlist(
		list_nth(private, PATH_PRIVATE_EXPRESSIONS), outer_plan->targetlist);
	/* in the order of LookupPrivate */
	plan->custom_private = list_make4(list_nth(private, PATH_PRIVATE_IS_BY_KEY),
									  list_nth(private, PATH_PRIVATE_CONDITION),
									  list_nth(private, PATH_PRIVATE_FILTERS),
									  list_nth(private, PATH_PRIVATE_OIDS));
	plan->custom_private =
		lappend(plan->custom_private, list_nth(private, PATH_PRIVATE_LIMIT));
	plan->methods = &lookup_scan_methods;
	return &plan->scan.plan;
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
