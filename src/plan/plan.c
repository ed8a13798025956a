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
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "optimizer/planmain.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "plan/plan.h"
#include "plan/plan_compat.h"
#include "plan/plan_table.h"

/*
 * Cost of a scan that would change the result, or that the table's options
 * forbid, in addition to its own cost.  It exceeds the disable_cost of ten
 * nodes, so that any other path wins.  From PostgreSQL 18 on, the number of
 * disabled nodes exceeds the number that settings can cause.
 */
#define DISABLED_COST 1.0e11
#define DISABLED_NODES 1000

/*
 * Cost factor of reading with one cursor where several could read in parallel.
 */
#define ONE_CURSOR_PENALTY 1.2

static get_relation_info_hook_type next_info_hook = NULL;

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

	if (baserel->fdw_private == NULL)
		baserel->fdw_private = plan_table_create(relid, baserel->userid);
	((TableInfo *) baserel->fdw_private)->is_analyzed = baserel->tuples > 0;
	if (baserel->tuples <= 0)
		baserel->tuples = PLAN_DEFAULT_RECORDS;
	set_baserel_size_estimates(root, baserel);
	uses = plan_clause_uses(root, baserel, baserel->baserestrictinfo);
	if (uses.id_condition != NIL)
		baserel->rows = estimate_rows(root, baserel, &uses, &ids);
}

/*
 * Adds a path that makes this number of requests and reads this number of
 * records, or a disabled path.  A path by pages reads pages instead of ids.  A
 * path that would raise an error is disabled twice, so that it loses to one that
 * would change the result.
 */
static void
add_foreign_path(PlannerInfo *root, RelOptInfo *baserel, double rows,
				 double requests, double records, List *pathkeys,
				 Relids required_outer, bool by_pages, int disabled)
{
	TableInfo	   *table = baserel->fdw_private;
	const Settings *settings = table->settings;
	QualCost		qual_cost = baserel->baserestrictcost;
	/* The first request returns the first row. */
	Cost startup_cost =
		settings->fdw_startup_cost * Min(requests, 1) + qual_cost.startup;
	Cost total_cost =
		settings->fdw_startup_cost * requests +
		(settings->fdw_tuple_cost + cpu_tuple_cost + qual_cost.per_tuple) *
			records +
		qual_cost.startup;

	if (pathkeys != NIL && table->may_split && settings->max_concurrency > 1)
		total_cost *= ONE_CURSOR_PENALTY;
	startup_cost += DISABLED_COST * disabled;
	total_cost += DISABLED_COST * disabled;
	add_path(baserel, (Path *) compat_create_foreignscan_path(
						  root, baserel, rows, DISABLED_NODES * disabled,
						  startup_cost, total_cost, pathkeys, required_outer,
						  list_make2(makeInteger(by_pages),
									 makeFloat(psprintf("%g", requests)))));
}

/*
 * Returns true if a scan reads all ids for the hashed form of an EXISTS whose
 * other form looks each id up.  PostgreSQL plans both, and chooses by cost.
 * The names of its target list's columns distinguish its subquery from a user's.
 */
static bool
is_hashed_exists(const PlannerInfo *root, const RelOptInfo *baserel)
{
	const TableInfo *table = baserel->fdw_private;
	ListCell		*cell;

	if (root->parent_root == NULL)
		return false;
	foreach(cell, root->parse->targetList)
	{
		TargetEntry *target = lfirst(cell);

		if (target->resname == NULL &&
			condition_column(baserel, table->columns, (Node *) target->expr,
							 true) != NULL)
			return true;
	}
	return false;
}

/* Returns true if a lookup is likely to fetch a scan's records by a key. */
static bool
has_batch_key(const ClauseUses *uses)
{
	ListCell *cell;

	foreach(cell, uses->filters)
	{
		if (condition_is_key(lfirst(cell)) && plan_is_batched(lfirst(cell)))
			return true;
	}
	return false;
}

/*
 * Returns the number of requests of a scan by pages, and sets *records to the
 * number of records that it reads.  A sorted path is for a limit, so its scan
 * sends no list in parts.
 */
static double
estimate_pages(PlannerInfo *root, RelOptInfo *baserel, const ClauseUses *uses,
			   bool is_sorted, double *records)
{
	const TableInfo *table = baserel->fdw_private;
	double			 parts = plan_estimate_parts(root, uses);

	*records = plan_estimate_records(root, baserel, uses->filter_clauses);
	if (parts > (is_sorted ? 1 : plan_max_parts(root, baserel, uses)))
	{
		*records = plan_estimate_records(root, baserel, plan_unlisted(uses));
		parts = 1;
	}
	return Max(ceil(*records / table->settings->page_size), parts);
}

/*
 * Adds the paths for the outer relations of param_info, or without any if it is
 * NULL.  With a condition on the id, this is one path by ids.  Otherwise it is
 * a path that reads pages in any order.  If the API can sort by the query's
 * first sort key, another path reads them in that order.
 *
 * A batch lookup shares the requests of a path that takes its key from the rows
 * of another node.  So each scan of these costs a part of a request.
 */
static void
add_scan_paths(PlannerInfo *root, RelOptInfo *baserel,
			   ParamPathInfo *param_info)
{
	TableInfo	   *table = baserel->fdw_private;
	const Settings *settings = table->settings;
	bool			is_disabled =
		!plan_may_scan_pages(table) ||
		(!settings_trust_query(settings) && is_hashed_exists(root, baserel));
	Relids	   outer = baserel->lateral_relids;
	List	  *clauses = baserel->baserestrictinfo;
	double	   rows = baserel->rows;
	double	   records;
	double	   requests;
	double	   keys;
	ClauseUses uses;

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
		requests = plan_id_requests(settings, ids);
		keys = settings->use_query ? settings->page_size / ids
								   : settings->max_concurrency;
		if (plan_is_batched(uses.id_condition))
			requests /= Max(keys, 1);
		add_foreign_path(root, baserel, rows, requests, ids, NIL, outer, false,
						 false);
		return;
	}

	requests = estimate_pages(root, baserel, &uses, false, &records);
	if (has_batch_key(&uses))
		requests = Max(records / settings->page_size,
					   1.0 / Min(settings->page_size, MAX_REMOTE_VALUES));
	add_foreign_path(root, baserel, rows, requests, records, NIL, outer, true,
					 !settings->use_query ? 2 : is_disabled);
	if (!is_disabled && param_info == NULL && root->query_pathkeys != NIL &&
		plan_sort_of_pathkey(baserel, linitial(root->query_pathkeys)) != NIL)
	{
		requests = estimate_pages(root, baserel, &uses, true, &records);
		add_foreign_path(root, baserel, rows, requests, records,
						 list_make1(linitial(root->query_pathkeys)), outer,
						 true, false);
	}
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

	return intVal(linitial(path->fdw_private)) && version != 150006 &&
		   version != 160002;
}

/* Returns the number of requests of one scan by a path. */
double
plan_path_requests(const ForeignPath *path)
{
	return floatVal(lsecond(path->fdw_private));
}

/* Returns true for the callbacks of this extension. */
bool
plan_is_own_routine(const FdwRoutine *routine)
{
	return routine->GetForeignRelSize == plan_rel_size;
}

/* Returns true if a plan node is a scan of this extension's. */
bool
plan_is_own_scan(const Plan *plan)
{
	return IsA(plan, ForeignScan) &&
		   plan_is_own_routine(GetFdwRoutineByServerId(
			   ((const ForeignScan *) plan)->fs_server));
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
 * Returns true if it is better not to check a clause again that each record of a
 * scan by ids satisfies.  Searching a list of ids for each row would be slow, and
 * a subquery would run twice.  The id must not be converted.
 */
static bool
needs_no_recheck(const Node *clause)
{
	const List *args;

	if (IsA(clause, ScalarArrayOpExpr))
		args = ((const ScalarArrayOpExpr *) clause)->args;
	else if (IsA(clause, OpExpr) && contain_subplans((Node *) clause))
		args = ((const OpExpr *) clause)->args;
	else
		return false;
	return (IsA(linitial(args), Var) && exprType(linitial(args)) == UUIDOID) ||
		   (IsA(lsecond(args), Var) && exprType(lsecond(args)) == UUIDOID);
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
	List	  *roles = NIL;
	List	  *unchecked = NIL;
	List	  *local_quals = NIL;
	List	  *recheck_quals = NIL;
	List	  *expressions = NIL;
	List	  *fdw_private;
	int		   limit;
	ListCell  *cell;

	(void) relid;
	if (uses.id_condition != NIL)
		condition =
			condition_number_expressions(uses.id_condition, &expressions);
	else
	{
		foreach(cell, uses.filters)
		{
			filters = lappend(filters, condition_number_expressions(
										   lfirst(cell), &expressions));
			roles = lappend_int(roles, FILTER_JOIN);
		}
		unchecked = list_difference_ptr(scan_clauses, uses.exact_clauses);
	}
	if (best_path->path.pathkeys != NIL)
		sort =
			plan_sort_of_pathkey(baserel, linitial(best_path->path.pathkeys));
	/* All conditions are checked when a locked row is checked again. */
	foreach(cell, scan_clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

		if (clause->pseudoconstant)
			continue;
		if (plan_clause_use(root, baserel, clause)->id_condition != NIL &&
			needs_no_recheck((Node *) clause->clause))
			recheck_quals = lappend(recheck_quals, clause->clause);
		else
			local_quals = lappend(local_quals, clause->clause);
	}

	/* in the order of ScanPrivate */
	limit = scan_limit(root, baserel, best_path, unchecked);
	fdw_private = list_make3(used_columns(baserel, scan_clauses), condition,
							 makeInteger(limit));
	fdw_private = lappend(fdw_private, filters);
	fdw_private = lappend(fdw_private, sort);
	fdw_private = lappend(
		fdw_private, list_make2_int(table->may_split,
									plan_excludes_null_created_at(baserel)));
	fdw_private = lappend(fdw_private, roles);
	fdw_private = lappend(
		fdw_private, makeInteger(sort != NIL && limit != 0
									 ? 1
									 : plan_max_parts(root, baserel, &uses)));
	fdw_private = lappend(fdw_private, list_make4_int(0, false, false, false));
	return make_foreignscan(tlist, local_quals, baserel->relid, expressions,
							fdw_private, NIL, recheck_quals, outer_plan);
}

/* Returns an index that states that a column's values are unique. */
static IndexOptInfo *
unique_index(RelOptInfo *rel, Oid relid, AttrNumber column)
{
	IndexOptInfo   *index = makeNode(IndexOptInfo);
	Oid				type;
	int32			typmod;
	Oid				collation;
	TypeCacheEntry *entry;

	get_atttypetypmodcoll(relid, column, &type, &typmod, &collation);
	entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
	index->rel = rel;
	index->ncolumns = index->nkeycolumns = 1;
	index->indexkeys = palloc(sizeof(int));
	index->indexkeys[0] = column;
	index->indexcollations = palloc(sizeof(Oid));
	index->indexcollations[0] = collation;
	index->opfamily = palloc(sizeof(Oid));
	index->opfamily[0] = entry->btree_opf;
	index->opcintype = palloc(sizeof(Oid));
	index->opcintype[0] = entry->btree_opintype;
	index->indextlist = list_make1(makeTargetEntry(
		(Expr *) makeVar(rel->relid, column, type, typmod, collation, 0), 1,
		NULL, false));
	index->unique = true;
	index->immediate = true;
	index->hypothetical = true;
	return index;
}

/*
 * Planner hook: shows PostgreSQL that the ids of a foreign table are unique, by
 * indexes that no scan can use.  Then an unused left join by id is removed.
 */
static void
add_relation_info(PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel)
{
	const TableInfo *table;

	if (next_info_hook != NULL)
		next_info_hook(root, relid, inhparent, rel);
	if (rel->fdwroutine == NULL || !plan_is_own_routine(rel->fdwroutine))
		return;
	rel->fdw_private = plan_table_create(relid, rel->userid);
	table = rel->fdw_private;
	for (int i = 0; i < table->column_count; i++)
	{
		if (table->columns[i] != NULL && table->columns[i]->is_id)
			rel->indexlist =
				lappend(rel->indexlist, unique_index(rel, relid, i + 1));
	}
}

/* Registers the hook.  Called once, when the module is loaded. */
void
plan_initialize(void)
{
	next_info_hook = get_relation_info_hook;
	get_relation_info_hook = add_relation_info;
	plan_join_initialize();
}
