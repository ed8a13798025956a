/*-------------------------------------------------------------------------
 *
 * plan.c
 *	  The planner's callbacks: sizes, paths, costs and plans.
 *
 * Costs count requests, since these are what a user runs out of.  Planning
 * makes none.
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

#include "attribute.h"
#include "compat.h"
#include "filter.h"
#include "option.h"
#include "plan.h"

/* Records that a table is taken to have, where nobody has counted them. */
#define DEFAULT_RECORDS 1000

/*
 * The cost of reading a table whose every record nobody can ask for: beyond that
 * of any other plan, even one that the user has disabled.
 */
#define UNREADABLE_COST 1.0e30

/* What the planner's callbacks keep of a foreign table. */
typedef struct TableInfo
{
	Settings  *settings;
	Bitmapset *id_columns; /* the columns that show the id */
} TableInfo;

static Bitmapset *find_id_columns(const Settings *settings);
static List	 *id_condition_of_clauses(PlannerInfo *root, RelOptInfo *baserel,
									  List *clauses, List **expressions,
									  List **other_clauses);
static void	  split_clauses(List *clauses, List *other_clauses,
							List **local_quals, List **recheck_quals);
static bool	  is_list_of_uuids(Node *clause);
static double estimate_rows(PlannerInfo *root, RelOptInfo *baserel,
							List *clauses, double *ids);
static List	 *variable_expressions(List *expressions);
static double count_requests(const Settings *settings, double ids);
static void	  add_scan_path(PlannerInfo *root, RelOptInfo *baserel,
							Relids required_outer, ParamPathInfo *param_info);
static List	 *join_parameterizations(PlannerInfo *root, RelOptInfo *baserel);
static List	 *add_parameterization(PlannerInfo *root, RelOptInfo *baserel,
								   RestrictInfo *clause, List *found);
static bool matches_id(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
					   EquivalenceMember *member, void *arg);
static List *wanted_columns(RelOptInfo *baserel, Relation relation,
							List *clauses);

/* FDW callback: how many rows the table's own conditions leave. */
void
plan_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	TableInfo *table = palloc0(sizeof(TableInfo));
	double	   ids;

	table->settings = settings_read(relid);
	table->id_columns = find_id_columns(table->settings);
	baserel->fdw_private = table;

	if (baserel->tuples <= 0)
		baserel->tuples = DEFAULT_RECORDS;
	set_baserel_size_estimates(root, baserel);
	baserel->rows =
		estimate_rows(root, baserel, baserel->baserestrictinfo, &ids);
}

/*
 * FDW callback: the ways to read the table: by its own conditions, and for each
 * set of other relations whose rows supply the id.
 */
void
plan_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	ListCell *cell;

	(void) relid;
	add_scan_path(root, baserel, baserel->lateral_relids, NULL);
	foreach(cell, join_parameterizations(root, baserel))
	{
		ParamPathInfo *param_info = lfirst(cell);

		add_scan_path(root, baserel, param_info->ppi_req_outer, param_info);
	}
}

/* FDW callback: the plan node of a path. */
ForeignScan *
plan_scan(PlannerInfo *root, RelOptInfo *baserel, Oid relid,
		  ForeignPath *best_path, List *tlist, List *scan_clauses,
		  Plan *outer_plan)
{
	List	*expressions = NIL;
	List	*other_clauses = NIL;
	List	*local_quals = NIL;
	List	*recheck_quals = NIL;
	List	*condition;
	List	*columns;
	int		 limit = 0;
	Relation relation = table_open(relid, NoLock);

	(void) best_path;
	condition = id_condition_of_clauses(root, baserel, scan_clauses,
										&expressions, &other_clauses);
	columns = wanted_columns(baserel, relation, scan_clauses);
	table_close(relation, NoLock);

	/* A limit says something only where nothing is joined or sorted. */
	if (root->limit_tuples > 0 && root->limit_tuples < INT_MAX &&
		root->query_pathkeys == NIL &&
		bms_equal(root->all_baserels, baserel->relids))
		limit = (int) ceil(root->limit_tuples);

	split_clauses(scan_clauses, other_clauses, &local_quals, &recheck_quals);
	return make_foreignscan(tlist, local_quals, baserel->relid, expressions,
							list_make3(columns, condition, makeInteger(limit)),
							NIL, recheck_quals, outer_plan);
}

/*
 * Which clauses are checked again on the rows that come: all of them but lists
 * of ids, which would be searched from end to end for each row.  These are for
 * rows that come from elsewhere, when a locked row is checked again.
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
 * Whether a condition on the id holds for every record that has one of the ids
 * it allows: id = ANY (array), without any conversion of the id.
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

/* Whether a relation is one of this extension's tables, read by itself. */
bool
plan_is_foreign_table(const RelOptInfo *rel)
{
	return rel->reloptkind == RELOPT_BASEREL && rel->fdwroutine != NULL &&
		   rel->fdwroutine->GetForeignRelSize == plan_rel_size;
}

/*
 * What the given clauses and the table's own say of the id, or NIL where the
 * given ones say nothing; see filter_id_condition.
 */
List *
plan_id_condition(PlannerInfo *root, RelOptInfo *rel, List *clauses,
				  List **expressions)
{
	List *ignored = NIL;
	List *condition =
		id_condition_of_clauses(root, rel, clauses, expressions, &ignored);
	List *own;

	if (condition == NIL)
		return NIL;
	own = id_condition_of_clauses(root, rel, rel->baserestrictinfo, expressions,
								  &ignored);
	return own == NIL ? condition
					  : filter_conjunction(list_make2(condition, own));
}

/*
 * The cost of the requests that are saved where so many probes of a table are
 * made together: each id once, and as many in one request as it takes.
 */
Cost
plan_request_savings(PlannerInfo *root, RelOptInfo *rel, List *condition,
					 List *expressions, double probes)
{
	const Settings *settings = ((TableInfo *) rel->fdw_private)->settings;
	double			ids = filter_estimate_ids(root, condition, expressions);
	double			distinct = compat_estimate_num_groups(
				 root, variable_expressions(expressions), probes);

	return settings->fdw_startup_cost *
		   (probes * count_requests(settings, ids) -
			count_requests(settings, Min(distinct, probes) * ids));
}

/* Those of some expressions that are not the same for all rows. */
static List *
variable_expressions(List *expressions)
{
	List	 *found = NIL;
	ListCell *cell;

	foreach(cell, expressions)
	{
		if (contain_var_clause(lfirst(cell)))
			found = lappend(found, lfirst(cell));
	}
	return found;
}

/* How many requests it takes to read so many records by their ids. */
static double
count_requests(const Settings *settings, double ids)
{
	return settings->use_query ? ceil(Max(ids, 1) / settings->page_size)
							   : Max(ids, 1);
}

/* The columns that show the record's id. */
static Bitmapset *
find_id_columns(const Settings *settings)
{
	Bitmapset *found = NULL;
	Relation   relation = table_open(settings->relid, NoLock);
	TupleDesc  tupdesc = RelationGetDescr(relation);

	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		ColumnSettings	 *column;

		if (attribute->attisdropped)
			continue;
		column = column_settings_read(settings, attribute->attnum);
		if (attribute_path_is_id(
				attribute_path_read(column, NameStr(attribute->attname))))
			found = bms_add_member(found, attribute->attnum);
	}
	table_close(relation, NoLock);
	return found;
}

/*
 * What a list of RestrictInfos says of the id, or NIL; the clauses that say
 * nothing of it are appended to *other_clauses.
 */
static List *
id_condition_of_clauses(PlannerInfo *root, RelOptInfo *baserel, List *clauses,
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
 * How many rows are left under the given clauses, and how many records they
 * name by id; -1 ids where they name none.
 */
static double
estimate_rows(PlannerInfo *root, RelOptInfo *baserel, List *clauses,
			  double *ids)
{
	List *expressions = NIL;
	List *other_clauses = NIL;
	List *condition = id_condition_of_clauses(root, baserel, clauses,
											  &expressions, &other_clauses);

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

/* Adds the path for one set of outer relations, which may be empty. */
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
	if (param_info != NULL)
		param_info->ppi_rows = rows;

	if (ids < 0)
	{
		startup_cost = UNREADABLE_COST;
		total_cost = UNREADABLE_COST;
	}
	else
	{
		/* The first row comes with the first request. */
		startup_cost = settings->fdw_startup_cost;
		total_cost =
			startup_cost * count_requests(settings, ids) +
			(settings->fdw_tuple_cost + cpu_tuple_cost + qual_cost.per_tuple) *
				ids;
	}
	startup_cost += qual_cost.startup;
	total_cost += qual_cost.startup;
	add_path(baserel, (Path *) compat_create_foreignscan_path(
						  root, baserel, rows, ids < 0, startup_cost,
						  total_cost, required_outer));
}

/*
 * The sets of outer relations that can supply the id, as ParamPathInfos.
 *
 * Join conditions reach us in two ways: outer joins' conditions, and others
 * that the planner could not take apart, stand in joininfo; the rest has gone
 * into equivalence classes.
 */
static List *
join_parameterizations(PlannerInfo *root, RelOptInfo *baserel)
{
	TableInfo *table = baserel->fdw_private;
	List	  *found = NIL;
	List	  *clauses;
	ListCell  *cell;

	foreach(cell, baserel->joininfo)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);
		List		 *ignored = NIL;

		if (join_clause_is_movable_to(clause, baserel) &&
			filter_id_condition(root, baserel, table->id_columns,
								(Node *) clause->clause, &ignored) != NIL)
			found = add_parameterization(root, baserel, clause, found);
	}

	if (!baserel->has_eclass_joins)
		return found;
	clauses = generate_implied_equalities_for_column(
		root, baserel, matches_id, table, baserel->lateral_referencers);
	foreach(cell, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);

		if (join_clause_is_movable_to(clause, baserel))
			found = add_parameterization(root, baserel, clause, found);
	}
	return found;
}

/* Adds the outer relations that a join clause needs, unless they are known. */
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

/* Callback: whether a member of an equivalence class is the table's id. */
static bool
matches_id(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec,
		   EquivalenceMember *member, void *arg)
{
	const TableInfo *table = arg;

	(void) root;
	(void) ec;
	return filter_is_id(rel, table->id_columns, (Node *) member->em_expr);
}

/* The columns that a scan has to fill. */
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
		AttrNumber attnum = TupleDescAttr(tupdesc, i)->attnum;

		if (!TupleDescAttr(tupdesc, i)->attisdropped &&
			(whole_row ||
			 bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, used)))
			columns = lappend_int(columns, attnum);
	}
	return columns;
}
