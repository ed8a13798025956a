/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  The planner's callbacks: sizes, paths, costs and plans.
 *
 * Costs count requests, because the API's quota is the scarce resource.
 * Planning makes no request, and so never depends on the API's state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"

#include "api/created_at.h"
#include "base/compat.h"
#include "condition/filter.h"
#include "option/attribute.h"
#include "option/option.h"
#include "plan/plan_internal.h"

/*
 * Cost of a scan that the table's options forbid.  Exceeds disable_cost, so
 * that any other path wins.
 */
#define UNREADABLE_COST 1.0e30

/*
 * Cost factor of reading with one cursor where several could read in parallel.
 */
#define ONE_CURSOR_PENALTY 1.2

static void	  read_columns(TableInfo *table);
static void	  split_clauses(List *clauses, List *other_clauses,
							List **local_quals, List **recheck_quals);
static bool	  is_list_of_uuids(Node *clause);
static double estimate_rows(PlannerInfo *root, RelOptInfo *baserel,
							List *clauses, double *ids);
static void	  add_scan_path(PlannerInfo *root, RelOptInfo *baserel,
							Relids required_outer, ParamPathInfo *param_info);
static void	  add_query_paths(PlannerInfo *root, RelOptInfo *baserel,
							  Relids required_outer, ParamPathInfo *param_info);
static List *split_pushed(PlannerInfo *root, RelOptInfo *baserel, List *clauses,
						  List **expressions, List **pushed_clauses);
static List *filter_roles(const RelOptInfo *baserel, List *conditions,
						  List *clauses);
static int	 likely_limit(PlannerInfo *root, RelOptInfo *baserel,
						  ForeignPath *path, List *clauses, List *pushed_clauses);
static bool	 has_later_steps(const PlannerInfo *root);
static List *wanted_columns(RelOptInfo *baserel, Relation relation,
							List *clauses);

/*
 * FDW callback: estimates the number of rows that pass the table's own
 * conditions.  Stores a TableInfo in baserel->fdw_private.  Raises an error if
 * the table's options cannot be read.
 */
void
plan_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	TableInfo *table = palloc0(sizeof(TableInfo));
	double	   ids;

	table->settings = settings_read(relid);
	read_columns(table);
	baserel->fdw_private = table;

	if (baserel->tuples <= 0)
		baserel->tuples = PLAN_DEFAULT_RECORDS;
	set_baserel_size_estimates(root, baserel);
	baserel->rows =
		estimate_rows(root, baserel, baserel->baserestrictinfo, &ids);
}

/*
 * FDW callback: adds one path with the table's own conditions, and one for each
 * set of outer relations that supplies the id or a value to filter by.
 */
void
plan_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	TableInfo *table = baserel->fdw_private;
	ListCell  *cell;

	(void) relid;
	table->id_joins = plan_join_parameterizations(root, baserel, true);
	add_scan_path(root, baserel, baserel->lateral_relids, NULL);
	foreach(cell, table->id_joins)
	{
		ParamPathInfo *param_info = lfirst(cell);

		add_scan_path(root, baserel, param_info->ppi_req_outer, param_info);
	}
	if (!plan_is_queryable(table))
		return;
	foreach(cell, plan_join_parameterizations(root, baserel, false))
	{
		ParamPathInfo *param_info = lfirst(cell);

		if (!list_member_ptr(table->id_joins, param_info))
			add_scan_path(root, baserel, param_info->ppi_req_outer, param_info);
	}
}

/* FDW callback: returns the plan node of a path. */
ForeignScan *
plan_scan(PlannerInfo *root, RelOptInfo *baserel, Oid relid,
		  ForeignPath *best_path, List *tlist, List *scan_clauses,
		  Plan *outer_plan)
{
	TableInfo *table = baserel->fdw_private;
	List	  *expressions = NIL;
	List	  *other_clauses = NIL;
	List	  *pushed_clauses = NIL;
	List	  *local_quals = NIL;
	List	  *recheck_quals = NIL;
	List	  *filters = NIL;
	List	  *roles = NIL;
	List	  *sort = NIL;
	List	  *fdw_private;
	List	  *condition;
	List	  *columns;
	int		   limit;
	Relation   relation = table_open(relid, NoLock);

	condition = plan_ids_of_clauses(root, baserel, scan_clauses, &expressions,
									&other_clauses);
	columns = wanted_columns(baserel, relation, scan_clauses);
	table_close(relation, NoLock);

	if (condition == NIL)
	{
		filters = split_pushed(root, baserel, scan_clauses, &expressions,
							   &pushed_clauses);
		roles = filter_roles(baserel, filters, pushed_clauses);
	}
	else
		pushed_clauses = scan_clauses;
	if (best_path->path.pathkeys != NIL)
		sort =
			plan_sort_of_pathkey(baserel, linitial(best_path->path.pathkeys));
	limit =
		likely_limit(root, baserel, best_path, scan_clauses, pushed_clauses);

	split_clauses(scan_clauses, other_clauses, &local_quals, &recheck_quals);

	/* in the order of ScanPrivate */
	fdw_private = list_make3(columns, condition, makeInteger(limit));
	fdw_private = lappend(fdw_private, filters);
	fdw_private = lappend(fdw_private, sort);
	fdw_private = lappend(
		fdw_private, list_make2_int(table->may_split, plan_is_dated(baserel)));
	fdw_private = lappend(fdw_private, roles);
	return make_foreignscan(tlist, local_quals, baserel->relid, expressions,
							fdw_private, NIL, recheck_quals, outer_plan);
}

/*
 * Returns the number of rows after which the query is likely to stop, 0 if it
 * reads all, or SCAN_UNKNOWN_LIMIT.  The query's limit applies only if no join
 * or sort follows the scan.  Conditions that are not pushed down remove rows,
 * so the limit is divided by their selectivity.
 */
static int
likely_limit(PlannerInfo *root, RelOptInfo *baserel, ForeignPath *path,
			 List *clauses, List *pushed_clauses)
{
	double rows = root->limit_tuples;

	/* EXISTS (...) has no limit, but needs only one row. */
	if (rows <= 0 && root->tuple_fraction >= 1 && !has_later_steps(root))
		rows = root->tuple_fraction;
	if (rows <= 0 || rows >= INT_MAX ||
		!bms_equal(root->all_baserels, baserel->relids) ||
		!pathkeys_contained_in(root->query_pathkeys, path->path.pathkeys))
		return root->tuple_fraction > 0 ? SCAN_UNKNOWN_LIMIT : 0;
	if (list_length(pushed_clauses) < list_length(clauses))
		rows /= clauselist_selectivity(
			root, list_difference_ptr(clauses, pushed_clauses), baserel->relid,
			JOIN_INNER, NULL);
	return (int) Min(ceil(rows), INT_MAX / 2);
}

/* Returns true if a step such as grouping follows the query's joins. */
static bool
has_later_steps(const PlannerInfo *root)
{
	const Query *query = root->parse;

	return query->groupClause != NIL || query->groupingSets != NIL ||
		   query->hasAggs || query->hasWindowFuncs ||
		   query->distinctClause != NIL || query->hasTargetSRFs ||
		   query->setOperations != NULL;
}

/*
 * Divides the clauses into local_quals, which are checked on every row, and
 * recheck_quals, which are checked only when a locked row is checked again.
 * Lists of ids are among the latter: every row of the scan satisfies them, and
 * searching the list for each row would be slow.
 */
static void
split_clauses(List *clauses, List *other_clauses, List **local_quals,
			  List **recheck_quals)
{
	ListCell *cell;

	foreach(cell, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

		if (clause->pseudoconstant)
			continue;
		if (!list_member_ptr(other_clauses, clause) &&
			is_list_of_uuids((Node *) clause->clause))
			*recheck_quals = lappend(*recheck_quals, clause->clause);
		else
			*local_quals = lappend(*local_quals, clause->clause);
	}
}

/*
 * Returns true if the clause is id = ANY (array) without a conversion of the
 * id.  Then every record with one of the array's ids satisfies the clause.
 */
static bool
is_list_of_uuids(Node *clause)
{
	Node *id;

	if (!IsA(clause, ScalarArrayOpExpr))
		return false;
	id = linitial(((ScalarArrayOpExpr *) clause)->args);
	return IsA(id, Var) && ((Var *) id)->vartype == UUIDOID;
}

/* Returns true if a path reads pages, false if it reads ids. */
bool
plan_is_by_pages(const ForeignPath *path)
{
	return linitial_int(path->fdw_private);
}

/* Returns true if rel is a foreign table of this extension, without a join. */
bool
plan_is_foreign_table(const RelOptInfo *rel)
{
	return rel->reloptkind == RELOPT_BASEREL && rel->fdwroutine != NULL &&
		   rel->fdwroutine->GetForeignRelSize == plan_rel_size;
}

/* Returns the number of requests that reading this number of ids takes. */
double
plan_count_requests(const Settings *settings, double ids)
{
	return settings->use_query ? ceil(Max(ids, 1) / settings->page_size)
							   : Max(ids, 1);
}

/* Fills in the members of table that depend on its columns. */
static void
read_columns(TableInfo *table)
{
	const Settings *settings = table->settings;
	Relation		relation = table_open(settings->relid, NoLock);
	TupleDesc		tupdesc = RelationGetDescr(relation);

	table->may_split = true;
	table->column_count = tupdesc->natts;
	table->columns = palloc0(Max(tupdesc->natts, 1) * sizeof(RemoteColumn *));
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		ColumnSettings	 *column;
		AttributePath	 *path;

		if (attribute->attisdropped || attribute->attgenerated != '\0')
			continue;
		column = column_settings_read(settings, attribute->attnum);
		path = attribute_path_read(column, NameStr(attribute->attname));
		if (attribute_path_is(path, "id"))
			table->id_columns =
				bms_add_member(table->id_columns, attribute->attnum);
		table->columns[i] = remote_column_read(settings, attribute);
		if (!created_at_is_allowed(column, path))
			table->may_split = false;
	}
	table_close(relation, NoLock);
}

/*
 * Returns the condition on the id that clauses, a list of RestrictInfos, imply,
 * in the form of filter.h; NIL for none.  Appends its expressions to
 * *expressions, and the clauses that do not restrict the id to *other_clauses.
 */
List *
plan_ids_of_clauses(PlannerInfo *root, RelOptInfo *baserel, List *clauses,
					List **expressions, List **other_clauses)
{
	TableInfo *table = baserel->fdw_private;
	List	  *conditions = NIL;
	ListCell  *cell;

	foreach(cell, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);
		List		 *condition =
			filter_id_condition(root, baserel, table->id_columns,
								(Node *) clause->clause, expressions);

		if (condition != NIL)
			conditions = lappend(conditions, condition);
		else
			*other_clauses = lappend(*other_clauses, clause);
	}
	return filter_conjunction(conditions);
}

/*
 * Returns the number of rows that pass the clauses.  Sets *ids to the number of
 * ids that they allow, or to -1 if they do not restrict the id.
 */
static double
estimate_rows(PlannerInfo *root, RelOptInfo *baserel, List *clauses,
			  double *ids)
{
	List *expressions = NIL;
	List *other_clauses = NIL;
	List *condition = plan_ids_of_clauses(root, baserel, clauses, &expressions,
										  &other_clauses);

	if (condition == NIL)
	{
		*ids = -1;
		return baserel->rows;
	}
	*ids = filter_estimate_ids(root, condition, expressions);
	return clamp_row_est(*ids * clauselist_selectivity(root, other_clauses,
													   baserel->relid,
													   JOIN_INNER, NULL));
}

/* Adds the paths for one set of outer relations, which may be empty. */
static void
add_scan_path(PlannerInfo *root, RelOptInfo *baserel, Relids required_outer,
			  ParamPathInfo *param_info)
{
	const Settings *settings = ((TableInfo *) baserel->fdw_private)->settings;
	List		   *clauses = baserel->baserestrictinfo;
	double			ids;
	double			rows;
	Cost			startup_cost;
	Cost			total_cost;
	QualCost		qual_cost = baserel->baserestrictcost;

	if (param_info != NULL)
		clauses = list_concat_copy(param_info->ppi_clauses, clauses);
	rows = estimate_rows(root, baserel, clauses, &ids);
	if (ids < 0)
	{
		add_query_paths(root, baserel, required_outer, param_info);
		return;
	}
	if (param_info != NULL)
		param_info->ppi_rows = rows;

	/* The first request returns the first row. */
	startup_cost = settings->fdw_startup_cost + qual_cost.startup;
	total_cost =
		settings->fdw_startup_cost * plan_count_requests(settings, ids) +
		(settings->fdw_tuple_cost + cpu_tuple_cost + qual_cost.per_tuple) *
			ids +
		qual_cost.startup;
	add_path(baserel, (Path *) compat_create_foreignscan_path(
						  root, baserel, rows, false, startup_cost, total_cost,
						  NIL, required_outer, list_make1_int(false)));
}

/*
 * Adds a path that reads pages in any order.  Adds another one in the order of
 * the query's first sort key, if the API can sort by it.
 */
static void
add_query_paths(PlannerInfo *root, RelOptInfo *baserel, Relids required_outer,
				ParamPathInfo *param_info)
{
	TableInfo *table = baserel->fdw_private;
	double	   rows = param_info != NULL ? param_info->ppi_rows : baserel->rows;
	List	  *clauses = baserel->baserestrictinfo;
	bool	   cannot_run = !plan_is_queryable(table);
	QueryEstimate estimate;

	if (param_info != NULL)
		clauses = list_concat_copy(param_info->ppi_clauses, clauses);
	estimate = plan_estimate_query(root, baserel, clauses);
	add_path(baserel, (Path *) compat_create_foreignscan_path(
						  root, baserel, rows, cannot_run,
						  estimate.startup_cost, estimate.total_cost, NIL,
						  required_outer, list_make1_int(true)));
	if (cannot_run || param_info != NULL || root->query_pathkeys == NIL ||
		plan_sort_of_pathkey(baserel, linitial(root->query_pathkeys)) == NIL)
		return;

	/* One cursor is slower than several in parallel. */
	if (table->may_split && table->settings->max_concurrency > 1)
		estimate.total_cost *= ONE_CURSOR_PENALTY;
	add_path(baserel, (Path *) compat_create_foreignscan_path(
						  root, baserel, rows, false, estimate.startup_cost,
						  estimate.total_cost,
						  list_make1(linitial(root->query_pathkeys)),
						  required_outer, list_make1_int(true)));
}

/*
 * Returns true if the table can be read by pages.  A query may omit records
 * that a GET shows, see the option query_returns_archived.  Then a join by id
 * must not read pages: the plan would change the result.
 */
bool
plan_is_queryable(const TableInfo *table)
{
	return table->settings->use_query &&
		   (table->id_joins == NIL || settings_trust_query(table->settings));
}

/*
 * Returns the estimate for a scan that reads by pages under the clauses.  Its
 * costs are UNREADABLE_COST if the table cannot be read that way.
 */
QueryEstimate
plan_estimate_query(PlannerInfo *root, RelOptInfo *baserel, List *clauses)
{
	TableInfo	   *table = baserel->fdw_private;
	const Settings *settings = table->settings;
	List		   *expressions = NIL;
	List		   *pushed_clauses = NIL;
	QualCost		qual_cost = baserel->baserestrictcost;
	QueryEstimate	estimate;

	if (!plan_is_queryable(table))
	{
		estimate.records = baserel->tuples;
		estimate.startup_cost = UNREADABLE_COST;
		estimate.total_cost = UNREADABLE_COST;
		return estimate;
	}
	split_pushed(root, baserel, clauses, &expressions, &pushed_clauses);
	estimate.records =
		clamp_row_est(baserel->tuples *
					  clauselist_selectivity(root, pushed_clauses,
											 baserel->relid, JOIN_INNER, NULL));
	estimate.startup_cost = settings->fdw_startup_cost + qual_cost.startup;
	estimate.total_cost =
		settings->fdw_startup_cost *
			ceil(estimate.records / settings->page_size) +
		(settings->fdw_tuple_cost + cpu_tuple_cost + qual_cost.per_tuple) *
			estimate.records +
		qual_cost.startup;
	return estimate;
}

/*
 * Returns the conditions that can be pushed down, a list in the form of
 * pushdown.h.  Appends their clauses to *pushed_clauses, and their expressions
 * to *expressions.
 */
static List *
split_pushed(PlannerInfo *root, RelOptInfo *baserel, List *clauses,
			 List **expressions, List **pushed_clauses)
{
	List	 *conditions = NIL;
	ListCell *cell;

	foreach(cell, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);
		List		 *condition =
			plan_pushed_condition(root, baserel, clause, expressions);

		if (condition == NIL)
			continue;
		conditions = lappend(conditions, condition);
		*pushed_clauses = lappend(*pushed_clauses, clause);
	}
	return conditions;
}

/*
 * Returns the condition to push down for one clause, or NIL.  Appends its
 * expressions to *expressions.
 */
List *
plan_pushed_condition(PlannerInfo *root, RelOptInfo *baserel,
					  RestrictInfo *clause, List **expressions)
{
	TableInfo *table = baserel->fdw_private;

	return clause->pseudoconstant
			   ? NIL
			   : pushdown_condition(root, baserel, table->columns,
									(Node *) clause->clause, expressions);
}

/*
 * Returns the FilterRole of each condition; clauses has the condition's clause
 * at the same position.
 */
static List *
filter_roles(const RelOptInfo *baserel, List *conditions, List *clauses)
{
	List	 *roles = NIL;
	ListCell *condition_cell;
	ListCell *clause_cell;

	forboth(condition_cell, conditions, clause_cell, clauses)
		roles =
			lappend_int(roles, plan_filter_role(baserel, lfirst(condition_cell),
												lfirst(clause_cell)));
	return roles;
}

/* Returns the FilterRole of a condition that was made of a clause. */
FilterRole
plan_filter_role(const RelOptInfo *baserel, const List *condition,
				 const RestrictInfo *clause)
{
	bool is_own = bms_is_subset(clause->clause_relids, baserel->relids);

	if (contain_subplans((Node *) clause->clause))
		return FILTER_JOINED;
	if (is_own)
		return FILTER_OWN;
	return pushdown_is_key(condition) ? FILTER_KEY : FILTER_JOINED;
}

/*
 * Returns the numbers of the columns that the target list or the clauses use.
 */
static List *
wanted_columns(RelOptInfo *baserel, Relation relation, List *clauses)
{
	TupleDesc  tupdesc = RelationGetDescr(relation);
	Bitmapset *used = NULL;
	List	  *columns = NIL;
	bool	   whole_row;
	ListCell  *cell;

	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &used);
	foreach(cell, clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, cell)->clause,
					   baserel->relid, &used);
	whole_row = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped && !compat_is_virtual(attribute) &&
			(whole_row ||
			 bms_is_member(
				 attribute->attnum - FirstLowInvalidHeapAttributeNumber, used)))
			columns = lappend_int(columns, attribute->attnum);
	}
	return columns;
}
