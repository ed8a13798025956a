/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_table.c
 *	  The planner's data about a foreign table, the uses of its clauses, and
 *	  estimates that follow from them.
 *
 * Knows nothing about paths.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <math.h>

#include "access/table.h"
#include "catalog/pg_user_mapping.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/paths.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "plan/plan_compat.h"
#include "plan/plan_table.h"

/* Setting: the executor makes batch lookups. */
bool plan_enable_batch_lookup = true;

/* Returns the user mapping of a user for a server, or 0. */
static Oid
find_user_mapping(Oid userid, Oid serverid)
{
	Oid umid =
		GetSysCacheOid2(USERMAPPINGUSERSERVER, Anum_pg_user_mapping_oid,
						ObjectIdGetDatum(userid), ObjectIdGetDatum(serverid));

	return OidIsValid(umid) ? umid
							: GetSysCacheOid2(USERMAPPINGUSERSERVER,
											  Anum_pg_user_mapping_oid,
											  ObjectIdGetDatum(InvalidOid),
											  ObjectIdGetDatum(serverid));
}

/*
 * Omits the operators and sorts of a column that the API has rejected in this
 * session.  Else a plan could expect that a filter reduces the requests.
 */
static void
omit_refused(const Api *api, RemoteColumn *column)
{
	RemoteUse use = {column->field, REMOTE_SORT, NULL};

	column->is_sortable = column->is_sortable && !api_refuses(api, &use);
	for (use.operation = 0; use.operation <= OPERATOR_NOT_EXISTS;
		 use.operation++)
	{
		if (api_refuses(api, &use))
			column->operators &= ~OPERATOR_BIT(use.operation);
	}
}

/*
 * Returns the data about a foreign table for a user, palloc'd.  Raises an error
 * if the table's options cannot be read.
 */
TableInfo *
plan_table_create(Oid relid, Oid userid)
{
	Api		   api = {0};
	TableInfo *table = palloc0(sizeof(TableInfo));
	Relation   relation = table_open(relid, NoLock);
	TupleDesc  tupdesc = RelationGetDescr(relation);

	table->settings = settings_read(relid);
	api.settings = table->settings;
	api.connection = connection_find(find_user_mapping(
		OidIsValid(userid) ? userid : GetUserId(), table->settings->serverid));
	table->may_split = true;
	table->column_count = tupdesc->natts;
	table->columns = palloc0(Max(tupdesc->natts, 1) * sizeof(RemoteColumn *));
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		ColumnSettings	 *column;

		if (attribute->attisdropped)
			continue;
		if (!compat_is_virtual(attribute))
			table->stored = bms_add_member(
				table->stored,
				attribute->attnum - FirstLowInvalidHeapAttributeNumber);
		if (attribute->attgenerated != '\0')
			continue;
		column = column_settings_read(table->settings, attribute);
		table->columns[i] =
			remote_column_read(table->settings, attribute, column);
		if (table->columns[i] != NULL && api.connection != NULL)
			omit_refused(&api, table->columns[i]);
		if (!created_at_is_allowed(column))
			table->may_split = false;
	}
	table_close(relation, NoLock);
	return table;
}

/*
 * Returns true if the table can be read by pages.  A query may omit records
 * that a GET shows, see the option query_returns_archived.  Then a join by id
 * must not read pages: the plan would change the result.
 */
bool
plan_may_scan_pages(const TableInfo *table)
{
	return table->settings->use_query &&
		   (table->id_joins == NIL || settings_trust_query(table->settings));
}

/*
 * Returns the use of a clause by a scan of rel; it belongs to rel.  The planner
 * keeps a clause while it plans rel's query level.
 */
ClauseUse *
plan_clause_use(PlannerInfo *root, RelOptInfo *rel, RestrictInfo *clause)
{
	TableInfo	 *table = rel->fdw_private;
	ClauseUse	 *use;
	MemoryContext old_context;
	ListCell	 *cell;

	foreach(cell, table->clauses)
	{
		use = lfirst(cell);
		if (use->clause == clause)
			return use;
	}

	/* GEQO plans joins in a context of a shorter life. */
	old_context = MemoryContextSwitchTo(GetMemoryChunkContext(table));
	use = palloc0(sizeof(ClauseUse));
	use->clause = clause;
	if (!clause->pseudoconstant)
	{
		use->id_condition = condition_find(root, rel, table->columns,
										   (Node *) clause->clause, true);
		use->filter = condition_find(root, rel, table->columns,
									 (Node *) clause->clause, false);
	}
	table->clauses = lappend(table->clauses, use);
	MemoryContextSwitchTo(old_context);
	return use;
}

/* Returns the uses of a list of RestrictInfos by a scan of rel. */
ClauseUses
plan_clause_uses(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	ClauseUses uses = {0};
	List	  *id_conditions = NIL;
	ListCell  *cell;

	foreach(cell, clauses)
	{
		ClauseUse *use =
			plan_clause_use(root, rel, lfirst_node(RestrictInfo, cell));

		if (use->id_condition != NIL)
			id_conditions = lappend(id_conditions, use->id_condition);
		else
			uses.other_clauses = lappend(uses.other_clauses, use->clause);
		if (use->filter != NIL)
		{
			uses.filters = lappend(uses.filters, use->filter);
			uses.filter_clauses = lappend(uses.filter_clauses, use->clause);
			if (condition_is_exact(use->filter))
				uses.exact_clauses = lappend(uses.exact_clauses, use->clause);
		}
	}
	uses.id_condition = condition_conjunction(id_conditions);
	return uses;
}

/* Returns true if an expression depends on a row of another plan node. */
static bool
depends_on_row(Node *node, void *unused)
{
	if (node == NULL)
		return false;
	return (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC) ||
		   IsA(node, Var) ||
		   expression_tree_walker(node, depends_on_row, unused);
}

/*
 * Returns true if a lookup is likely to fetch the records of a condition, which
 * has the planner's form.
 */
bool
plan_is_batched(const List *condition)
{
	List *expressions = NIL;

	(void) condition_number_expressions(condition, &expressions);
	return plan_enable_batch_lookup &&
		   depends_on_row((Node *) expressions, NULL) &&
		   !contain_subplans((Node *) expressions);
}

/* Returns the estimated number of ids that a condition on the id allows. */
double
plan_estimate_ids(PlannerInfo *root, const List *condition)
{
	double	  estimate;
	ListCell *cell;

	switch (condition_kind(condition))
	{
		case CONDITION_AND:
		case CONDITION_OR:
			estimate = plan_estimate_ids(root, lsecond(condition));
			for_each_from(cell, condition, 2)
			{
				double other = plan_estimate_ids(root, lfirst(cell));

				estimate = condition_kind(condition) == CONDITION_OR
							   ? estimate + other
							   : Min(estimate, other);
			}
			return estimate;
		case CONDITION_ANY:
			return compat_estimate_array_length(
				root, list_nth(condition, LEAF_EXPRESSION));
		default:
			return 1;
	}
}

/* Returns the number of requests that reading this number of ids takes. */
double
plan_id_requests(const Settings *settings, double ids)
{
	return settings->use_query ? ceil(Max(ids, 1) / settings->page_size)
							   : Max(ids, 1);
}

/* Returns the number of records that the API returns under the filters. */
double
plan_estimate_records(PlannerInfo *root, RelOptInfo *rel, List *filter_clauses)
{
	return clamp_row_est(rel->tuples *
						 clauselist_selectivity(root, filter_clauses,
												rel->relid, JOIN_INNER, NULL));
}

/* Returns true if a filter is a list that may be sent in parts. */
static bool
is_list(const List *filter)
{
	return condition_kind(filter) == CONDITION_ANY &&
		   leaf_number(filter, LEAF_REMOTE_KIND) < REMOTE_TIMESTAMP;
}

/* Returns the clauses of the filters that are not lists. */
List *
plan_unlisted(const ClauseUses *uses)
{
	List	 *clauses = NIL;
	ListCell *filter;
	ListCell *clause;

	forboth(filter, uses->filters, clause, uses->filter_clauses)
	{
		if (!is_list(lfirst(filter)))
			clauses = lappend(clauses, lfirst(clause));
	}
	return clauses;
}

/*
 * Returns the number of queries for the shortest list that is too long for one,
 * or 1.
 */
double
plan_estimate_parts(PlannerInfo *root, const ClauseUses *uses)
{
	double	  shortest = 0;
	ListCell *cell;

	foreach(cell, uses->filters)
	{
		double length =
			is_list(lfirst(cell)) ? plan_estimate_ids(root, lfirst(cell)) : 0;

		if (length > MAX_REMOTE_VALUES)
			shortest = shortest == 0 ? length : Min(shortest, length);
	}
	return ceil(Max(shortest, 1) / MAX_REMOTE_VALUES);
}

/*
 * Returns the maximum number of queries for one list.  If it needs more, reading
 * the pages without the list takes fewer requests.  Without statistics, the other
 * filters do not count, because a wrong guess would read the whole table.
 */
int
plan_max_parts(PlannerInfo *root, RelOptInfo *rel, const ClauseUses *uses)
{
	const TableInfo *table = rel->fdw_private;
	List			*clauses = table->is_analyzed ? plan_unlisted(uses) : NIL;
	double			 records = plan_estimate_records(root, rel, clauses);

	return (int) Min(ceil(records / table->settings->page_size),
					 INT_MAX / MAX_REMOTE_VALUES);
}

/*
 * Returns the number of rows of rel after which the query is likely to stop.
 * Returns 0 if it reads all, or UNKNOWN_LIMIT.  The argument rows is the query's
 * limit in rows of rel, or not positive.  It applies only if no join or sort
 * follows.
 */
int
plan_likely_limit(const PlannerInfo *root, const RelOptInfo *rel,
				  const List *pathkeys, double rows)
{
	if (rows > 0 && rows < INT_MAX &&
		bms_is_subset(root->all_baserels, rel->relids) &&
		pathkeys_contained_in(root->query_pathkeys, (List *) pathkeys))
		return (int) Min(ceil(rows), INT_MAX / 2);
	return root->tuple_fraction > 0 ? UNKNOWN_LIMIT : 0;
}
