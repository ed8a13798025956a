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

#include "condition/filter.h"
#include "plan/plan_internal.h"

static bool	 is_supplied(PlannerInfo *root, RelOptInfo *baserel, Node *clause,
						 bool by_id);
static List *add_parameterization(PlannerInfo *root, RelOptInfo *baserel,
								  RestrictInfo *clause, List *found);
static bool	 matches_column(PlannerInfo *root, RelOptInfo *rel,
							EquivalenceClass *ec, EquivalenceMember *member,
							void *arg);
static bool matches_id(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
					   EquivalenceMember *member, void *arg);

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
	TableInfo *table = baserel->fdw_private;
	List	  *found = NIL;
	List	  *clauses;
	ListCell  *cell;

	foreach(cell, baserel->joininfo)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

		if (join_clause_is_movable_to(clause, baserel) &&
			is_supplied(root, baserel, (Node *) clause->clause, by_id))
			found = add_parameterization(root, baserel, clause, found);
	}

	if (!baserel->has_eclass_joins)
		return found;
	clauses = generate_implied_equalities_for_column(
		root, baserel, by_id ? matches_id : matches_column, table,
		baserel->lateral_referencers);
	foreach(cell, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

		if (join_clause_is_movable_to(clause, baserel) &&
			is_supplied(root, baserel, (Node *) clause->clause, by_id))
			found = add_parameterization(root, baserel, clause, found);
	}
	return found;
}

/*
 * Returns true if a join clause restricts the id (by_id), or can be pushed
 * down.
 */
static bool
is_supplied(PlannerInfo *root, RelOptInfo *baserel, Node *clause, bool by_id)
{
	TableInfo *table = baserel->fdw_private;
	List	  *ignored = NIL;

	return (by_id ? filter_id_condition(root, baserel, table->id_columns,
										clause, &ignored)
				  : pushdown_condition(root, baserel, table->columns, clause,
									   &ignored)) != NIL;
}

/*
 * Adds the ParamPathInfo of the outer relations that a clause needs to found,
 * unless it is a member already.  Returns the list.
 */
static List *
add_parameterization(PlannerInfo *root, RelOptInfo *baserel,
					 RestrictInfo *clause, List *found)
{
	Relids required_outer =
		bms_union(clause->clause_relids, baserel->lateral_relids);

	required_outer = bms_del_member(required_outer, baserel->relid);
	if (bms_is_empty(required_outer))
		return found;
	return list_append_unique_ptr(
		found, get_baserel_parampathinfo(root, baserel, required_outer));
}

/*
 * Callback: returns true if an equivalence class's member is a column of the
 * table that can be filtered by.
 */
static bool
matches_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
			   EquivalenceMember *member, void *arg)
{
	const TableInfo *table = arg;
	Var				*var = (Var *) member->em_expr;

	(void) root;
	(void) ec;
	return IsA(var, Var) && (Index) var->varno == rel->relid &&
		   var->varattno > 0 && var->varattno <= table->column_count &&
		   table->columns[var->varattno - 1] != NULL;
}

/* Callback: returns true if an equivalence class's member is the table's id. */
static bool
matches_id(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
		   EquivalenceMember *member, void *arg)
{
	const TableInfo *table = arg;

	(void) root;
	(void) ec;
	return filter_is_id(rel, table->id_columns, (Node *) member->em_expr);
}
