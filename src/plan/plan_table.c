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
#include "optimizer/paths.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "plan/plan_compat.h"
#include "plan/plan_table.h"

/*
 * Returns the data about a foreign table, palloc'd.  Raises an error if the
 * table's options cannot be read.
 */
TableInfo *
plan_table_create(Oid relid)
{
	TableInfo *table = palloc0(sizeof(TableInfo));
	Relation   relation = table_open(relid, NoLock);
	TupleDesc  tupdesc = RelationGetDescr(relation);

	table->settings = settings_read(relid);
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
	if (use->filter != NIL)
	{
		if (contain_subplans((Node *) clause->clause))
			use->role = FILTER_JOIN;
		else if (bms_is_subset(clause->clause_relids, rel->relids))
			use->role = FILTER_RESTRICTION;
		else
			use->role =
				condition_is_key(use->filter) ? FILTER_KEY : FILTER_JOIN;
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
			uses.roles = lappend_int(uses.roles, use->role);
		}
	}
	uses.id_condition = condition_conjunction(id_conditions);
	return uses;
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
