/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  The differences between PostgreSQL 15, 16, 17 and 18.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_COMPAT_H
#define OPPORTUNITY_COMPAT_H

#include "postgres.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_attribute.h"
#include "commands/explain.h"
#include "nodes/execnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "parser/parsetree.h"
#include "storage/buffile.h"
#include "utils/selfuncs.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/multibitmapset.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

#if PG_VERSION_NUM < 150000
#error "opportunity_fdw needs PostgreSQL 15 or later"
#endif

/* PostgreSQL 18 has a keyword for functions that do not return. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/*
 * Returns the user whose rights and user mapping a foreign scan uses, or
 * InvalidOid for the current user.  PostgreSQL 16 stores it in the plan node.
 */
static inline Oid
compat_scan_check_as_user(ForeignScan *plan, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	(void) estate;
	return plan->checkAsUser;
#else
	return rt_fetch(plan->scan.scanrelid, estate->es_range_table)->checkAsUser;
#endif
}

/*
 * Makes a path.  PostgreSQL 17 added fdw_restrictinfo, and 18 disabled_nodes.  A
 * path that cannot run gets more disabled nodes than any setting can cause.
 */
static inline ForeignPath *
compat_create_foreignscan_path(PlannerInfo *root, RelOptInfo *rel, double rows,
							   bool cannot_run, Cost startup_cost,
							   Cost total_cost, List *pathkeys,
							   Relids required_outer, List *fdw_private)
{
	(void) cannot_run;
	return create_foreignscan_path(root, rel, NULL, rows,
#if PG_VERSION_NUM >= 180000
								   cannot_run ? 1000 : 0,
#endif
								   startup_cost, total_cost, pathkeys,
								   required_outer, NULL,
#if PG_VERSION_NUM >= 170000
								   NIL,
#endif
								   fdw_private);
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

/* Returns true for a virtual generated column, new in PostgreSQL 18. */
static inline bool
compat_is_virtual(Form_pg_attribute attribute)
{
#if PG_VERSION_NUM >= 180000
	return attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
	(void) attribute;
	return false;
#endif
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

/* Returns a wait event.  From PostgreSQL 17 on, extensions can name theirs. */
static inline uint32
compat_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	(void) name;
	return PG_WAIT_EXTENSION;
#endif
}

/* Reads size bytes, or fails.  PostgreSQL 16 has a function for that. */
static inline void
compat_buffile_read_exact(BufFile *file, void *bytes, size_t size)
{
#if PG_VERSION_NUM >= 160000
	BufFileReadExact(file, bytes, size);
#else
	if (BufFileRead(file, bytes, size) != size)
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not read from a temporary file")));
#endif
}

#endif /* OPPORTUNITY_COMPAT_H */
