/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_compat.h
 *	  The differences between the planners of PostgreSQL 15, 16, 17 and 18.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PLAN_COMPAT_H
#define OPPORTUNITY_PLAN_COMPAT_H

#include "postgres.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "nodes/plannodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "utils/selfuncs.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/multibitmapset.h"
#endif

/*
 * Makes a path.  PostgreSQL 17 added fdw_restrictinfo, and 18 disabled_nodes.
 */
static inline ForeignPath *
compat_create_foreignscan_path(PlannerInfo *root, RelOptInfo *rel, double rows,
							   int disabled_nodes, Cost startup_cost,
							   Cost total_cost, List *pathkeys,
							   Relids required_outer, List *fdw_private)
{
	(void) disabled_nodes;
	return create_foreignscan_path(root, rel, NULL, rows,
#if PG_VERSION_NUM >= 180000
								   disabled_nodes,
#endif
								   startup_cost, total_cost, pathkeys,
								   required_outer, NULL,
#if PG_VERSION_NUM >= 170000
								   NIL,
#endif
								   fdw_private);
}

/* Copies the estimates of a plan node.  PostgreSQL 18 added disabled_nodes. */
static inline void
compat_copy_plan_costs(Plan *target, const Plan *source)
{
	target->startup_cost = source->startup_cost;
	target->total_cost = source->total_cost;
	target->plan_rows = source->plan_rows;
	target->plan_width = source->plan_width;
#if PG_VERSION_NUM >= 180000
	target->disabled_nodes = source->disabled_nodes;
#endif
}

/* The last parameter of ExecutorRun, before PostgreSQL 18. */
#if PG_VERSION_NUM >= 180000
#define COMPAT_RUN_ONCE_PARAM
#define COMPAT_RUN_ONCE_ARG
#else
#define COMPAT_RUN_ONCE_PARAM , bool once
#define COMPAT_RUN_ONCE_ARG , once
#endif

/* Returns true for DESC.  PostgreSQL 18 has a comparison, not a btree strategy. */
static inline bool
compat_pathkey_is_descending(const PathKey *pathkey)
{
#if PG_VERSION_NUM >= 180000
	return pathkey->pk_cmptype == COMPARE_GT;
#else
	return pathkey->pk_strategy == BTGreaterStrategyNumber;
#endif
}

/*
 * Returns true if no row with NULL in the column passes the clauses.  PostgreSQL
 * 16 has another type for sets of columns.
 */
static inline bool
compat_forces_not_null(Node *clauses, Index varno, AttrNumber attnum)
{
	List *vars = find_nonnullable_vars(clauses);

#if PG_VERSION_NUM >= 160000
	return mbms_is_member(varno, attnum - FirstLowInvalidHeapAttributeNumber,
						  vars);
#else
	ListCell *cell;

	foreach(cell, vars)
	{
		Var *var = lfirst_node(Var, cell);

		if ((Index) var->varno == varno && var->varattno == attnum)
			return true;
	}
	return false;
#endif
}

/*
 * Returns the members of an equivalence class, including members for a child
 * relation.  PostgreSQL 18 stores these in separate lists.
 */
static inline List *
compat_class_members(EquivalenceClass *ec, const RelOptInfo *rel)
{
#if PG_VERSION_NUM >= 180000
	List					 *members = NIL;
	EquivalenceMemberIterator iterator;
	EquivalenceMember		 *member;

	setup_eclass_member_iterator(&iterator, ec, rel->relids);
	while ((member = eclass_member_iterator_next(&iterator)) != NULL)
		members = lappend(members, member);
	return members;
#else
	(void) rel;
	return ec->ec_members;
#endif
}

/* Estimates an array's length.  PostgreSQL 17 uses statistics for that. */
static inline double
compat_estimate_array_length(PlannerInfo *root, Node *array)
{
#if PG_VERSION_NUM >= 170000
	return estimate_array_length(root, array);
#else
	(void) root;
	return estimate_array_length(array);
#endif
}

#endif /* OPPORTUNITY_PLAN_COMPAT_H */
