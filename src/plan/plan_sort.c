/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_sort.c
 *	  Orders of a query's rows that can be pushed down.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "nodes/makefuncs.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"

#include "plan/plan_compat.h"
#include "plan/plan_table.h"

/*
 * Returns the column that a pathkey sorts by, if the API can sort by it; or
 * NULL.
 */
static Var *
sort_column(const RelOptInfo *baserel, const PathKey *pathkey)
{
	TableInfo *table = baserel->fdw_private;
	ListCell  *cell;

	if (pathkey->pk_eclass->ec_has_volatile)
		return NULL;
	foreach(cell, compat_class_members(pathkey->pk_eclass, baserel))
	{
		Node *expr = (Node *) lfirst_node(EquivalenceMember, cell)->em_expr;
		const RemoteColumn *column =
			condition_column(baserel, table->columns, expr, false);

		if (column != NULL && column->is_sortable)
			return (Var *) expr;
	}
	return NULL;
}

/*
 * Returns true if the table's own conditions exclude rows with a NULL in the
 * column.
 */
static bool
is_never_null(const RelOptInfo *baserel, AttrNumber attnum)
{
	List *clauses = extract_actual_clauses(baserel->baserestrictinfo, false);

	return compat_forces_not_null((Node *) clauses, baserel->relid, attnum);
}

/*
 * Returns the order of a pathkey by ScanSort, or NIL if the API cannot sort by
 * it.  The API's documentation does not say how it sorts NULLs, so the query
 * must exclude them.
 */
List *
plan_sort_of_pathkey(RelOptInfo *baserel, PathKey *pathkey)
{
	TableInfo  *table = baserel->fdw_private;
	Var		   *var = sort_column(baserel, pathkey);
	const char *field;
	bool		is_descending = compat_pathkey_is_descending(pathkey);
	bool		excludes_nulls;
	Oid			sort_operator;

	if (var == NULL)
		return NIL;
	field = table->columns[var->varattno - 1]->field;
	excludes_nulls = is_never_null(baserel, var->varattno);
	/* Each record has these attributes. */
	if (!excludes_nulls && strcmp(field, "id") != 0 &&
		strcmp(field, "created_at") != 0)
		return NIL;
	sort_operator = get_opfamily_member(
		pathkey->pk_opfamily, var->vartype, var->vartype,
		is_descending ? BTGreaterStrategyNumber : BTLessStrategyNumber);
	if (!OidIsValid(sort_operator) || sort_operator >= FirstNormalObjectId)
		return NIL;
	/* in the order of ScanSort and SortProperty */
	return list_make3(makeString(pstrdup(field)),
					  list_make2_oid(sort_operator, var->varcollid),
					  list_make4_int(var->varattno, is_descending,
									 pathkey->pk_nulls_first, excludes_nulls));
}

/* Returns true if the query excludes records without created_at. */
bool
plan_excludes_null_created_at(const RelOptInfo *baserel)
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
