/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_join.c
 *	  Joins of a foreign table.
 *
 * Finds the sets of outer relations whose rows supply the id or a value to
 * filter by.  Shows the planner what it does not know about joins with batch
 * lookups: their least cost, and that sorting the outer rows first saves
 * requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "optimizer/cost.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"

#include "plan/plan.h"
#include "plan/plan_table.h"

static set_join_pathlist_hook_type next_hook = NULL;

/*
 * Callback: returns true if an equivalence class's member is the table's id (if
 * the argument, a bool, is true) or another useful column.
 */
static bool
matches_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
			   EquivalenceMember *member, void *by_id)
{
	const TableInfo *table = rel->fdw_private;

	(void) root;
	(void) ec;
	return condition_column(rel, table->columns, (Node *) member->em_expr,
							*(bool *) by_id) != NULL;
}

/*
 * Returns the ParamPathInfos of the sets of outer relations that supply the id
 * (by_id), or a value for another column that can be filtered by.
 *
 * The planner keeps join conditions in two places.  The conditions of outer
 * joins, and those that it could not take apart, are in joininfo.  The others
 * are in equivalence classes.
 */
List *
plan_join_parameterizations(PlannerInfo *root, RelOptInfo *baserel, bool by_id)
{
	List	 *found = NIL;
	List	 *clauses = list_copy(baserel->joininfo);
	ListCell *cell;

	if (baserel->has_eclass_joins)
		clauses =
			list_concat(clauses, generate_implied_equalities_for_column(
									 root, baserel, matches_column, &by_id,
									 baserel->lateral_referencers));
	foreach(cell, clauses)
	{
		RestrictInfo	*clause = lfirst_node(RestrictInfo, cell);
		const ClauseUse *use;
		Relids			 outer;

		if (!join_clause_is_movable_to(clause, baserel))
			continue;
		use = plan_clause_use(root, baserel, clause);
		if ((by_id ? use->id_condition : use->filter) == NIL)
			continue;
		outer = bms_union(clause->clause_relids, baserel->lateral_relids);
		outer = bms_del_member(outer, baserel->relid);
		if (!bms_is_empty(outer))
			found = list_append_unique_ptr(
				found, get_baserel_parampathinfo(root, baserel, outer));
	}
	return found;
}

/*
 * Returns the cost of the batch lookups of an inner path for a number of outer
 * rows, as far as the path's own cost lacks it.  A lookup makes at least one
 * request, but the path's cost has a part of a request for each row.  Sets
 * *found if there is a lookup.
 */
static Cost
batch_cost(const Path *path, double rows, bool *found)
{
	Cost	  cost = 0;
	ListCell *cell;

	switch (nodeTag(path))
	{
		case T_ForeignPath:
		{
			const TableInfo *table = path->parent->fdw_private;
			double			 requests;

			if (!plan_is_own_routine(path->parent->fdwroutine) ||
				path->param_info == NULL)
				return 0;
			requests = plan_path_requests((const ForeignPath *) path);
			*found = true;
			return table->settings->fdw_startup_cost *
				   Max(1 - requests * rows, 0);
		}
		case T_AppendPath:
			foreach(cell, ((const AppendPath *) path)->subpaths)
				cost += batch_cost(lfirst(cell), rows, found);
			return cost;
		case T_MaterialPath:
			return batch_cost(((const MaterialPath *) path)->subpath, rows,
							  found);
		case T_MemoizePath:
			return batch_cost(((const MemoizePath *) path)->subpath, rows,
							  found);
		case T_ProjectionPath:
			return batch_cost(((const ProjectionPath *) path)->subpath, rows,
							  found);
		default:
			return 0;
	}
}

/*
 * Returns a path that sorts the outer relation's rows in the order of the query,
 * or NULL.
 */
static Path *
sorted_path(PlannerInfo *root, RelOptInfo *rel)
{
	Path	 *path = rel->cheapest_total_path;
	ListCell *cell;

	if (root->query_pathkeys == NIL || path->param_info != NULL ||
		pathkeys_contained_in(root->query_pathkeys, path->pathkeys))
		return NULL;
	foreach(cell, root->query_pathkeys)
	{
		if (!relation_can_be_sorted_early(
				root, rel, lfirst_node(PathKey, cell)->pk_eclass, false))
			return NULL;
	}
	return (Path *) create_sort_path(root, rel, path, root->query_pathkeys, -1);
}

/*
 * Planner hook: corrects the cost of nested loops with batch lookups.  If the
 * query has a LIMIT, adds a path that sorts the outer rows first, so that only
 * the records of the rows returned are looked up.
 */
static void
adjust_join_paths(PlannerInfo *root, RelOptInfo *joinrel, RelOptInfo *outerrel,
				  RelOptInfo *innerrel, JoinType jointype,
				  JoinPathExtraData *extra)
{
	JoinType path_jointype =
		jointype == JOIN_UNIQUE_INNER || jointype == JOIN_UNIQUE_OUTER
			? JOIN_INNER
			: jointype;
	Path	 *sorted = NULL;
	bool	  is_first = true;
	ListCell *cell;

	if (next_hook != NULL)
		next_hook(root, joinrel, outerrel, innerrel, jointype, extra);
	foreach(cell, joinrel->pathlist)
	{
		JoinPath *join = lfirst(cell);
		bool	  found = false;
		Cost	  cost;

		/* The hook runs again for a semijoin as the join of unique rows. */
		if (!IsA(join, NestPath) || join->jointype != path_jointype ||
			join->outerjoinpath->parent != outerrel ||
			join->innerjoinpath->parent != innerrel)
			continue;
		cost =
			batch_cost(join->innerjoinpath, join->outerjoinpath->rows, &found);
		join->path.total_cost += cost;
	}
	if (root->tuple_fraction <= 0 ||
		(jointype != JOIN_INNER && jointype != JOIN_LEFT &&
		 jointype != JOIN_SEMI && jointype != JOIN_ANTI))
		return;
	foreach(cell, innerrel->pathlist)
	{
		Path			 *inner = lfirst(cell);
		JoinCostWorkspace workspace;
		bool			  found = false;

		if (!bms_is_subset(PATH_REQ_OUTER(inner), outerrel->relids))
			continue;
		(void) batch_cost(inner, 1, &found);
		if (!found)
			continue;
		if (is_first)
			sorted = sorted_path(root, outerrel);
		is_first = false;
		if (sorted == NULL)
			return;
		initial_cost_nestloop(root, &workspace, jointype, sorted, inner, extra);
		add_path(joinrel,
				 (Path *) create_nestloop_path(
					 root, joinrel, jointype, &workspace, extra, sorted, inner,
					 extra->restrictlist, root->query_pathkeys, NULL));
	}
}

/* Registers the hook.  Called once, when the module is loaded. */
void
plan_join_initialize(void)
{
	next_hook = set_join_pathlist_hook;
	set_join_pathlist_hook = adjust_join_paths;
}
