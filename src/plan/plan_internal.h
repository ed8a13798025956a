/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_internal.h
 *	  Declarations that the planner's files share: plan.c, plan_join.c,
 *	  plan_lookup.c and plan_sort.c.  No other file includes it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PLAN_INTERNAL_H
#define OPPORTUNITY_PLAN_INTERNAL_H

#include "postgres.h"

#include "condition/pushdown.h"
#include "option/option.h"
#include "plan/plan.h"

/* Planner's data about a foreign table: RelOptInfo.fdw_private. */
typedef struct TableInfo
{
	Settings	  *settings;
	Bitmapset	  *id_columns; /* numbers of the columns that show the id */
	RemoteColumn **columns;	   /* pushdown data by attribute number - 1, see
							    * pushdown.h; NULL: not pushed down */
	int			   column_count;
	bool		   may_split; /* the API can filter and sort by created_at */
	List		  *id_joins;  /* ParamPathInfos whose outer relations supply
							   * the id */
} TableInfo;

/* Estimate for a scan that reads pages instead of ids. */
typedef struct QueryEstimate
{
	double records; /* number of records that the API returns */
	Cost   startup_cost;
	Cost   total_cost;
} QueryEstimate;

/* plan.c */
extern List			*plan_ids_of_clauses(PlannerInfo *root, RelOptInfo *baserel,
										 List *clauses, List **expressions,
										 List **other_clauses);
extern double		 plan_count_requests(const Settings *settings, double ids);
extern bool			 plan_is_queryable(const TableInfo *table);
extern QueryEstimate plan_estimate_query(PlannerInfo *root, RelOptInfo *baserel,
										 List *clauses);
extern List		 *plan_pushed_condition(PlannerInfo *root, RelOptInfo *baserel,
										RestrictInfo *clause, List **expressions);
extern FilterRole plan_filter_role(const RelOptInfo	  *baserel,
								   const List		  *condition,
								   const RestrictInfo *clause);

/* plan_join.c */
extern List *plan_join_parameterizations(PlannerInfo *root, RelOptInfo *baserel,
										 bool by_id);

/* plan_sort.c */
extern List *plan_sort_of_pathkey(RelOptInfo *baserel, PathKey *pathkey);
extern bool	 plan_is_dated(const RelOptInfo *baserel);

#endif /* OPPORTUNITY_PLAN_INTERNAL_H */
