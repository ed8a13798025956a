/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_sort.c
 *	  Which order of a query's rows the API can be asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/transam.h"
#include "nodes/makefuncs.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "plan_internal.h"

static Var *member_column(const RelOptInfo *baserel, const PathKey *pathkey);
static bool is_never_null(const RelOptInfo *baserel, AttrNumber attnum);

/*
 * How the API is asked for the order of a pathkey, by ScanSort; NIL where it
 * cannot be.  Where it puts NULLs is not known, so there must be none that the
 * query keeps.
 */
List *
plan_sort_of_pathkey(RelOptInfo *baserel, PathKey *pathkey)
{
	TableInfo	 *table = baserel->fdw_private;
	Var			 *var = member_column(baserel, pathkey);
	RemoteColumn *column;
	bool		  is_descending = compat_pathkey_is_descending(pathkey);
	bool		  is_always_there;
	Oid			  sort_operator;

	if (var == NULL)
		return NIL;
	column = table->columns[var->varattno - 1];
	is_always_there = strcmp(column->field, "id") == 0 ||
					  strcmp(column->field, "created_at") == 0;
	if (!is_always_there && !is_never_null(baserel, var->varattno))
		return NIL;
	sort_operator = get_opfamily_member(
		pathkey->pk_opfamily, var->vartype, var->vartype,
		is_descending ? BTGreaterStrategyNumber : BTLessStrategyNumber);
	if (!OidIsValid(sort_operator) || sort_operator >= FirstNormalObjectId)
		return NIL;
	return list_make3(makeString(column->field),
					  list_make2_oid(sort_operator, var->varcollid),
					  list_make4_int(var->varattno, is_descending,
									 pathkey->pk_nulls_first,
									 is_never_null(baserel, var->varattno)));
}

/* The column of the table that a pathkey sorts by, if it can be sorted by. */
static Var *
member_column(const RelOptInfo *baserel, const PathKey *pathkey)
{
	TableInfo *table = baserel->fdw_private;
	ListCell  *cell;

	if (pathkey->pk_eclass->ec_has_volatile)
		return NULL;
	foreach(cell, pathkey->pk_eclass->ec_members)
	{
		Var *var = (Var *) lfirst_node(EquivalenceMember, cell)->em_expr;

		if (IsA(var, Var) && (Index) var->varno == baserel->relid &&
			var->varlevelsup == 0 && var->varattno > 0 &&
			var->varattno <= table->column_count &&
			table->columns[var->varattno - 1] != NULL &&
			table->columns[var->varattno - 1]->is_sortable)
			return var;
	}
	return NULL;
}

/* Whether the table's own conditions leave no row where a column is NULL. */
static bool
is_never_null(const RelOptInfo *baserel, AttrNumber attnum)
{
	List *clauses = extract_actual_clauses(baserel->baserestrictinfo, false);

	return compat_forces_not_null((Node *) clauses, baserel->relid, attnum);
}

/* Whether the query keeps no record that has no created_at. */
bool
plan_is_dated(const RelOptInfo *baserel)
{
	TableInfo *table = baserel->fdw_private;

	for (int i = 0; i < table->column_count; i++)
	{
		if (table->columns[i] != NULL &&
			strcmp(table->columns[i]->field, "created_at") == 0 &&
			is_never_null(baserel, i + 1))
			return true;
	}
	return false;
}
