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

#include "access/stratnum.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "attribute.h"
#include "compat.h"
#include "created_at.h"
#include "filter.h"
#include "option.h"
#include "plan.h"
#include "pushdown.h"

/*
 * The cost of reading a table whose every record nobody can ask for: beyond that
 * of any other plan, even one that the user has disabled.
 */
#define UNREADABLE_COST 1.0e30

/* What it costs to read page after page where several can be read at once. */
#define ONE_CURSOR_PENALTY 1.2

/* What the planner's callbacks keep of a foreign table. */
typedef struct TableInfo
{
	Settings	  *settings;
	Bitmapset	  *id_columns; /* the columns that show the id */
	RemoteColumn **columns;	   /* by attribute number - 1: see pushdown.h */
	int			   column_count;
	bool		   may_split; /* created_at can be filtered and sorted by */
	List		  *id_joins;  /* ParamPathInfos: who can supply the id */
} TableInfo;

/* A way to read the table other than by ids. */
typedef struct QueryEstimate
{
	double records; /* that the API sends */
	Cost   startup_cost;
	Cost   total_cost;
} QueryEstimate;

static void	  read_columns(TableInfo *table);
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
static void	  add_query_paths(PlannerInfo *root, RelOptInfo *baserel,
							  Relids required_outer, ParamPathInfo *param_info);
static QueryEstimate estimate_query(PlannerInfo *root, RelOptInfo *baserel,
									List *clauses);
static bool			 is_queryable(const TableInfo *table);
static List *split_pushed(PlannerInfo *root, RelOptInfo *baserel, List *clauses,
						  List **expressions, List **pushed_clauses);
static List *pushed_condition(PlannerInfo *root, RelOptInfo *baserel,
							  RestrictInfo *clause, List **expressions);
static List *filter_roles(const RelOptInfo *baserel, List *conditions,
						  List *clauses);
static FilterRole filter_role(const RelOptInfo *baserel, const List *condition,
							  const RestrictInfo *clause);
static List		 *sort_of_pathkey(RelOptInfo *baserel, PathKey *pathkey);
static Var	*member_column(const RelOptInfo *baserel, const PathKey *pathkey);
static bool	 is_never_null(const RelOptInfo *baserel, AttrNumber attnum);
static int	 likely_limit(PlannerInfo *root, RelOptInfo *baserel,
						  ForeignPath *path, List *clauses, List *pushed_clauses);
static bool	 has_later_steps(const PlannerInfo *root);
static bool	 is_dated(const RelOptInfo *baserel);
static List *join_parameterizations(PlannerInfo *root, RelOptInfo *baserel,
									bool by_id);
static List *add_parameterization(PlannerInfo *root, RelOptInfo *baserel,
								  RestrictInfo *clause, List *found);
static bool	 is_supplied(PlannerInfo *root, RelOptInfo *baserel, Node *clause,
						 bool by_id);
static bool	 matches_column(PlannerInfo *root, RelOptInfo *rel,
							EquivalenceClass *ec, EquivalenceMember *member,
							void *arg);
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
	read_columns(table);
	baserel->fdw_private = table;

	if (baserel->tuples <= 0)
		baserel->tuples = PLAN_DEFAULT_RECORDS;
	set_baserel_size_estimates(root, baserel);
	baserel->rows =
		estimate_rows(root, baserel, baserel->baserestrictinfo, &ids);
}

/*
 * FDW callback: the ways to read the table: by its own conditions, and for each
 * set of other relations whose rows supply the id, or something else to filter
 * by.
 */
void
plan_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid)
{
	TableInfo *table = baserel->fdw_private;
	ListCell  *cell;

	(void) relid;
	table->id_joins = join_parameterizations(root, baserel, true);
	add_scan_path(root, baserel, baserel->lateral_relids, NULL);
	foreach(cell, table->id_joins)
	{
		ParamPathInfo *param_info = lfirst(cell);

		add_scan_path(root, baserel, param_info->ppi_req_outer, param_info);
	}
	if (!is_queryable(table))
		return;
	foreach(cell, join_parameterizations(root, baserel, false))
	{
		ParamPathInfo *param_info = lfirst(cell);

		if (!list_member_ptr(table->id_joins, param_info))
			add_scan_path(root, baserel, param_info->ppi_req_outer, param_info);
	}
}

/* FDW callback: the plan node of a path. */
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

	condition = id_condition_of_clauses(root, baserel, scan_clauses,
										&expressions, &other_clauses);
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
		sort = sort_of_pathkey(baserel, linitial(best_path->path.pathkeys));
	limit =
		likely_limit(root, baserel, best_path, scan_clauses, pushed_clauses);

	split_clauses(scan_clauses, other_clauses, &local_quals, &recheck_quals);

	/* in the order of ScanPrivate */
	fdw_private = list_make3(columns, condition, makeInteger(limit));
	fdw_private = lappend(fdw_private, filters);
	fdw_private = lappend(fdw_private, sort);
	fdw_private = lappend(fdw_private,
						  list_make2_int(table->may_split, is_dated(baserel)));
	fdw_private = lappend(fdw_private, roles);
	return make_foreignscan(tlist, local_quals, baserel->relid, expressions,
							fdw_private, NIL, recheck_quals, outer_plan);
}

/*
 * How many rows are likely to do; 0: all.  The query's limit says something where
 * nothing is joined or sorted after the scan; where some rows will be left out
 * here, more of them have to be read.
 */
static int
likely_limit(PlannerInfo *root, RelOptInfo *baserel, ForeignPath *path,
			 List *clauses, List *pushed_clauses)
{
	double rows = root->limit_tuples;

	/* EXISTS (...) has no limit, but needs one row. */
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

/* Whether a query's rows are not simply those of its joins. */
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

/* Whether a path reads page by page, not by ids. */
bool
plan_is_by_pages(const ForeignPath *path)
{
	return linitial_int(path->fdw_private);
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

/*
 * How the records can be looked up by a key that some clauses compare with what
 * other relations supply.  Returns false where there is no such key, and where
 * the table is read by ids.
 */
bool
plan_key_lookup(PlannerInfo *root, RelOptInfo *rel, List *clauses,
				KeyLookup *lookup)
{
	TableInfo *table = rel->fdw_private;
	List	  *expressions = NIL;
	List	  *other_clauses = NIL;
	ListCell  *cell;

	memset(lookup, 0, sizeof(*lookup));
	clauses = list_concat_copy(rel->baserestrictinfo, clauses);
	if (!is_queryable(table) ||
		id_condition_of_clauses(root, rel, clauses, &expressions,
								&other_clauses) != NIL)
		return false;

	foreach(cell, clauses)
	{
		RestrictInfo *clause = lfirst_node(RestrictInfo, cell);
		int			  old_count = list_length(lookup->expressions);
		List		 *condition =
			pushed_condition(root, rel, clause, &lookup->expressions);
		FilterRole role = condition == NIL
							  ? FILTER_JOINED
							  : filter_role(rel, condition, clause);

		if (role == FILTER_JOINED ||
			(role == FILTER_KEY && lookup->condition != NIL))
		{
			lookup->expressions = list_truncate(lookup->expressions, old_count);
			continue;
		}
		if (role == FILTER_KEY)
			lookup->condition = condition;
		else
			lookup->filters = lappend(lookup->filters, condition);
		lookup->clauses = lappend(lookup->clauses, clause);
	}
	return lookup->condition != NIL;
}

/*
 * The cost of the requests that are saved where so many probes of a table, by
 * some clauses, are made together, by a key: each key once, as many in one query
 * as it takes, and all pages of that.  *before_first: what more it costs than a
 * single probe until the first row is there.
 */
Cost
plan_key_savings(PlannerInfo *root, RelOptInfo *rel, List *clauses,
				 const KeyLookup *lookup, double probes, Cost *before_first)
{
	const Settings *settings = ((TableInfo *) rel->fdw_private)->settings;
	Node *key = pushdown_key_expression(lookup->condition, lookup->expressions);
	double at_once = Min(settings->page_size, MAX_REMOTE_VALUES);
	double distinct =
		Min(compat_estimate_num_groups(root, list_make1(key), probes), probes);
	double records =
		rel->tuples * clauselist_selectivity(root, lookup->clauses, rel->relid,
											 JOIN_INNER, NULL);
	QueryEstimate single = estimate_query(
		root, rel, list_concat_copy(clauses, rel->baserestrictinfo));
	double pages_of_batch =
		ceil(Max(records * Min(at_once, distinct), 1) / settings->page_size);
	double pages_of_probe = ceil(single.records / settings->page_size);

	*before_first = settings->fdw_startup_cost * Max(pages_of_batch - 1, 0);
	return settings->fdw_startup_cost *
		   (probes * pages_of_probe -
			ceil(distinct / at_once) * pages_of_batch);
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

/* Finds out what the table's columns show. */
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

		if (attribute->attisdropped)
			continue;
		column = column_settings_read(settings, attribute->attnum);
		path = attribute_path_read(column, NameStr(attribute->attname));
		if (attribute_path_is_id(path))
			table->id_columns =
				bms_add_member(table->id_columns, attribute->attnum);
		table->columns[i] = remote_column_read(settings, attribute);
		if (!created_at_is_allowed(column, path))
			table->may_split = false;
	}
	table_close(relation, NoLock);
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

	/* The first row comes with the first request. */
	startup_cost = settings->fdw_startup_cost + qual_cost.startup;
	total_cost =
		settings->fdw_startup_cost * count_requests(settings, ids) +
		(settings->fdw_tuple_cost + cpu_tuple_cost + qual_cost.per_tuple) *
			ids +
		qual_cost.startup;
	add_path(baserel, (Path *) compat_create_foreignscan_path(
						  root, baserel, rows, false, startup_cost, total_cost,
						  NIL, required_outer, list_make1_int(false)));
}

/*
 * Adds the paths that read page by page: in any order, and in that of the query's
 * first sort key, if the API can be asked for it.
 */
static void
add_query_paths(PlannerInfo *root, RelOptInfo *baserel, Relids required_outer,
				ParamPathInfo *param_info)
{
	TableInfo *table = baserel->fdw_private;
	double	   rows = param_info != NULL ? param_info->ppi_rows : baserel->rows;
	List	  *clauses = baserel->baserestrictinfo;
	bool	   cannot_run = !is_queryable(table);
	QueryEstimate estimate;

	if (param_info != NULL)
		clauses = list_concat_copy(param_info->ppi_clauses, clauses);
	estimate = estimate_query(root, baserel, clauses);
	add_path(baserel, (Path *) compat_create_foreignscan_path(
						  root, baserel, rows, cannot_run,
						  estimate.startup_cost, estimate.total_cost, NIL,
						  required_outer, list_make1_int(true)));
	if (cannot_run || param_info != NULL || root->query_pathkeys == NIL ||
		sort_of_pathkey(baserel, linitial(root->query_pathkeys)) == NIL)
		return;

	/* One cursor takes longer than several at once. */
	if (table->may_split && table->settings->max_concurrency > 1)
		estimate.total_cost *= ONE_CURSOR_PENALTY;
	add_path(baserel, (Path *) compat_create_foreignscan_path(
						  root, baserel, rows, false, estimate.startup_cost,
						  estimate.total_cost,
						  list_make1(linitial(root->query_pathkeys)),
						  required_outer, list_make1_int(true)));
}

/*
 * Whether the table can be read page by page.  Where a query may not show every
 * record that a GET does, a join by the id is not answered so, since the plan
 * would then decide on the answer.
 */
static bool
is_queryable(const TableInfo *table)
{
	return table->settings->use_query &&
		   (table->id_joins == NIL || settings_trust_query(table->settings));
}

/* What it takes to read the records that some clauses leave. */
static QueryEstimate
estimate_query(PlannerInfo *root, RelOptInfo *baserel, List *clauses)
{
	TableInfo	   *table = baserel->fdw_private;
	const Settings *settings = table->settings;
	List		   *expressions = NIL;
	List		   *pushed_clauses = NIL;
	QualCost		qual_cost = baserel->baserestrictcost;
	QueryEstimate	estimate;

	if (!is_queryable(table))
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
 * What can be sent of some clauses, as a list of conditions; those clauses are
 * appended to *pushed_clauses, their expressions to *expressions.
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
		List *condition = pushed_condition(root, baserel, clause, expressions);

		if (condition == NIL)
			continue;
		conditions = lappend(conditions, condition);
		*pushed_clauses = lappend(*pushed_clauses, clause);
	}
	return conditions;
}

/* The same of one clause; NIL for nothing. */
static List *
pushed_condition(PlannerInfo *root, RelOptInfo *baserel, RestrictInfo *clause,
				 List **expressions)
{
	TableInfo *table = baserel->fdw_private;

	return clause->pseudoconstant
			   ? NIL
			   : pushdown_condition(root, baserel, table->columns,
									(Node *) clause->clause, expressions);
}

/* What each of some conditions has to do with other relations. */
static List *
filter_roles(const RelOptInfo *baserel, List *conditions, List *clauses)
{
	List	 *roles = NIL;
	ListCell *condition_cell;
	ListCell *clause_cell;

	forboth(condition_cell, conditions, clause_cell, clauses)
		roles = lappend_int(roles, filter_role(baserel, lfirst(condition_cell),
											   lfirst(clause_cell)));
	return roles;
}

static FilterRole
filter_role(const RelOptInfo *baserel, const List *condition,
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
 * How the API is asked for the order of a pathkey, by ScanSort; NIL where it
 * cannot be.  Where it puts NULLs is not known, so there must be none that the
 * query keeps.
 */
static List *
sort_of_pathkey(RelOptInfo *baserel, PathKey *pathkey)
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
static bool
is_dated(const RelOptInfo *baserel)
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

/*
 * The sets of outer relations that can supply the id (by_id), or another column
 * to filter by, as ParamPathInfos.
 *
 * Join conditions reach us in two ways: outer joins' conditions, and others
 * that the planner could not take apart, stand in joininfo; the rest has gone
 * into equivalence classes.
 */
static List *
join_parameterizations(PlannerInfo *root, RelOptInfo *baserel, bool by_id)
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

/* Whether a join clause tells which records are needed: by the id, or else. */
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

/* Callback: whether a member of an equivalence class can be filtered by. */
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
