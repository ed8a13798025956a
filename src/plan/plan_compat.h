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
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
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

/* Copies the number of disabled nodes.  Before PostgreSQL 18 it was a cost. */
static inline void
compat_copy_disabled_nodes(Path *target, const Path *source)
{
#if PG_VERSION_NUM >= 180000
	target->disabled_nodes = source->disabled_nodes;
#else
	(void) target;
	(void) source;
#endif
}

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
