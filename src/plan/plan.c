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

#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "utils/guc.h"

#include "plan/plan.h"
#include "plan/plan_compat.h"
#include "plan/plan_table.h"

/*
 * Cost of a scan that the table's options forbid.  It exceeds disable_cost, so
 * that any other path wins.  From PostgreSQL 18 on, the number of disabled
 * nodes exceeds the number that settings can cause.
 */
#define DISABLED_COST 1.0e30
#define DISABLED_NODES 1000

/*
 * Cost factor of reading with one cursor where several could read in parallel.
 */
#define ONE_CURSOR_PENALTY 1.2

/*
 * Returns the number of rows that pass clauses with a condition on the id.  Sets
 * *ids to the number of ids that they allow.
 */
static double
estimate_rows(PlannerInfo *root, RelOptInfo *baserel, const ClauseUses *uses,
			  double *ids)
{
	*ids = plan_estimate_ids(root, uses->id_condition);
	return clamp_row_est(
		*ids * clauselist_selectivity(root, uses->other_clauses, baserel->relid,
									  JOIN_INNER, NULL));
}

/*
 * FDW callback: estimates the number of rows that pass the table's own
 * conditions.  Stores a TableInfo in baserel->fdw_private.  Raises an error if
 * the table's options cannot be read.
 */
void
plan_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	ClauseUses uses;
	double	   ids;

	baserel->fdw_private = plan_table_create(relid);
	if (baserel->tuples <= 0)
		baserel->tuples = PLAN_DEFAULT_RECORDS;
	set_baserel_size_estimates(root, baserel);
	uses = plan_clause_uses(root, baserel, baserel->baserestrictinfo);
	if (uses.id_condition != NIL)
		baserel->rows = estimate_rows(root, baserel, &uses, &ids);
}

/*
 * Adds a path that makes this number of requests and reads this number of
 * records, or a disabled path.  A path by pages reads pages instead of ids.
 */
static void
add_foreign_path(PlannerInfo *root, RelOptInfo *baserel, double rows,
				 double requests, double records, List *pathkeys,
				 Relids required_outer, bool by_pages, bool is_disabled)
{
	TableInfo	   *table = baserel->fdw_private;
	const Settings *settings = table->settings;
	QualCost		qual_cost = baserel->baserestrictcost;
	/* The first request returns the first row. */
	Cost startup_cost = settings->fdw_startup_cost + qual_cost.startup;
	Cost total_cost =
		settings->fdw_startup_cost * requests +
		(settings->fdw_tuple_cost + cpu_tuple_cost + qual_cost.per_tuple) *
			records +
		qual_cost.startup;

	if (is_disabled)
		startup_cost = total_cost = DISABLED_COST;
	else if (pathkeys != NIL && table->may_split &&
			 settings->max_concurrency > 1)
		total_cost *= ONE_CURSOR_PENALTY;
	add_path(baserel, (Path *) compat_create_foreignscan_path(
						  root, baserel, rows, is_disabled ? DISABLED_NODES : 0,
						  startup_cost, total_cost, pathkeys, required_outer,
						  list_make1_int(by_pages)));
}

/*
 * Adds the paths for the outer relations of param_info, or without any if it is
 * NULL.  With a condition on the id, this is one path by ids.  Otherwise it is
 * a path that reads pages in any order.  If the API can sort by the query's
 * first sort key, another path reads them in that order.
 */
static void
add_scan_paths(PlannerInfo *root, RelOptInfo *baserel,
			   ParamPathInfo *param_info)
{
	TableInfo	   *table = baserel->fdw_private;
	const Settings *settings = table->settings;
	bool			is_disabled = !plan_may_scan_pages(table);
	Relids			outer = baserel->lateral_relids;
	List		   *clauses = baserel->baserestrictinfo;
	double			rows = baserel->rows;
	double			records;
	double			requests;
	ClauseUses		uses;

	if (param_info != NULL)
	{
		outer = param_info->ppi_req_outer;
		clauses = list_concat_copy(param_info->ppi_clauses, clauses);
		rows = param_info->ppi_rows;
	}
	uses = plan_clause_uses(root, baserel, clauses);
	if (uses.id_condition != NIL)
	{
		double ids;

		rows = estimate_rows(root, baserel, &uses, &ids);
		if (param_info != NULL)
			param_info->ppi_rows = rows;
		add_foreign_path(root, baserel, rows, plan_id_requests(settings, ids),
						 ids, NIL, outer, false, false);
		return;
	}

	records = plan_estimate_records(root, baserel, uses.filter_clauses);
	requests = ceil(records / settings->page_size);
	add_foreign_path(root, baserel, rows, requests, records, NIL, outer, true,
					 is_disabled);
	if (!is_disabled && param_info == NULL && root->query_pathkeys != NIL &&
		plan_sort_of_pathkey(baserel, linitial(root->query_pathkeys)) != NIL)
		add_foreign_path(root, baserel, rows, requests, records,
						 list_make1(linitial(root->query_pathkeys)), outer,
						 true, false);
}

/*
 * FDW callback: adds the paths with the table's own conditions, and those for
 * each set of outer relations that supplies the id or a value to filter by.
 */
void
plan_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	TableInfo *table = baserel->fdw_private;
	List	  *joins;
	ListCell  *cell;

	(void) relid;
	table->id_joins = plan_join_parameterizations(root, baserel, true);
	joins = list_copy(table->id_joins);
	if (plan_may_scan_pages(table))
		joins = list_concat_unique_ptr(
			joins, plan_join_parameterizations(root, baserel, false));
	add_scan_paths(root, baserel, NULL);
	foreach(cell, joins)
		add_scan_paths(root, baserel, lfirst(cell));
}

/*
 * FDW callback: returns true for scans by pages.  Scans by ids already read in
 * parallel.
 *
 * The Append of two minor versions leaves a dangling exception handler when it
 * has nothing to wait for: the next error would crash the server.  The running
 * version may differ from the one at build time, so it is read at run time.
 */
bool
plan_is_async_capable(ForeignPath *path)
{
	int version = atoi(GetConfigOption("server_version_num", false, false));

	return linitial_int(path->fdw_private) && version != 150006 &&
		   version != 160002;
}

/* Returns true if rel is a foreign table of this extension, without a join. */
bool
plan_is_foreign_table(const RelOptInfo *rel)
{
	return rel->reloptkind == RELOPT_BASEREL && rel->fdwroutine != NULL &&
		   rel->fdwroutine->GetForeignRelSize == plan_rel_size;
}

/*
 * Returns the numbers of the columns that the target list or the clauses use.
 */
static List *
used_columns(const RelOptInfo *baserel, List *clauses)
{
	TableInfo *table = baserel->fdw_private;
	Bitmapset *used = NULL;
	List	  *columns = NIL;
	int		   member = -1;
	ListCell  *cell;

	pull_varattnos((Node *) baserel->reltarget->exprs, baserel->relid, &used);
	foreach(cell, clauses)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, cell)->clause,
					   baserel->relid, &used);
	/* number 0 is the whole row */
	used = bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, used)
			   ? table->stored
			   : bms_intersect(used, table->stored);
	while ((member = bms_next_member(used, member)) >= 0)
		columns =
			lappend_int(columns, member + FirstLowInvalidHeapAttributeNumber);
	return columns;
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
 * Returns the number of rows after which the query is likely to stop, 0 if it
 * reads all, or UNKNOWN_LIMIT.  The clauses are those that the API does not
 * check.  They remove rows, so the limit is divided by their selectivity.
 */
static int
scan_limit(PlannerInfo *root, RelOptInfo *baserel, const ForeignPath *path,
		   List *clauses)
{
	double rows = root->limit_tuples;

	/* EXISTS (...) has no limit, but needs only one row. */
	if (rows <= 0 && root->tuple_fraction >= 1 && !has_later_steps(root))
		rows = root->tuple_fraction;
	if (rows > 0 && rows < INT_MAX && clauses != NIL)
		rows = Min(rows / clauselist_selectivity(root, clauses, baserel->relid,
												 JOIN_INNER, NULL),
				   INT_MAX / 2);
	return plan_likely_limit(root, baserel, path->path.pathkeys, rows);
}

/*
 * Returns true if every record that a scan by ids reads satisfies the clause: it
 * is id = ANY (array) without a conversion of the id.
 */
static bool
is_list_of_uuids(const Node *clause)
{
	const Node *id;

	if (!IsA(clause, ScalarArrayOpExpr))
		return false;
	id = linitial(((const ScalarArrayOpExpr *) clause)->args);
	return IsA(id, Var) && ((const Var *) id)->vartype == UUIDOID;
}

/* FDW callback: returns the plan node of a path. */
ForeignScan *
plan_scan(PlannerInfo *root, RelOptInfo *baserel, Oid relid,
		  ForeignPath *best_path, List *tlist, List *scan_clauses,
		  Plan *outer_plan)
{
	TableInfo *table = baserel->fdw_private;
	ClauseUses uses = plan_clause_uses(root, baserel, scan_clauses);
	List	  *condition = NIL;
	List	  *filters = NIL;
	List	  *sort = NIL;
	List	  *unchecked = NIL;
	List	  *local_quals = NIL;
	List	  *recheck_quals = NIL;
	List	  *expressions = NIL;
	List	  *fdw_private;
	ListCell  *cell;

	(void) relid;
	if (uses.id_condition != NIL)
	{
		condition =
			condition_number_expressions(uses.id_condition, &expressions);
		uses.roles = NIL;
	}
	else
	{
		foreach(cell, uses.filters)
			filters = lappend(filters, condition_number_expressions(
										   lfirst(cell), &expressions));
		unchecked = list_difference_ptr(scan_clauses, uses.filter_clauses);
	}
	if (best_path->path.pathkeys != NIL)
		sort =
			plan_sort_of_pathkey(baserel, linitial(best_path->path.pathkeys));
	/*
	 * Searching a list of ids for each row would be slow.  It is checked only
	 * when a locked row is checked again.
	 */
	foreach(cell, scan_clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

		if (clause->pseudoconstant)
			continue;
		if (plan_clause_use(root, baserel, clause)->id_condition != NIL &&
			is_list_of_uuids((Node *) clause->clause))
			recheck_quals = lappend(recheck_quals, clause->clause);
		else
			local_quals = lappend(local_quals, clause->clause);
	}

	/* in the order of ScanPrivate */
	fdw_private = list_make3(
		used_columns(baserel, scan_clauses), condition,
		makeInteger(scan_limit(root, baserel, best_path, unchecked)));
	fdw_private = lappend(fdw_private, filters);
	fdw_private = lappend(fdw_private, sort);
	fdw_private = lappend(
		fdw_private, list_make2_int(table->may_split,
									plan_excludes_null_created_at(baserel)));
	fdw_private = lappend(fdw_private, uses.roles);
	return make_foreignscan(tlist, local_quals, baserel->relid, expressions,
							fdw_private, NIL, recheck_quals, outer_plan);
}
