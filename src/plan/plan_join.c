/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_join.c
 *	  Parameterizations of a foreign table: the sets of outer relations whose
 *	  rows supply the id, or a value to filter by.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"

#include "plan/plan_compat.h"
#include "plan/plan_table.h"

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
