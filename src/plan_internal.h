/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_internal.h
 *	  What the parts of the planner's side know of each other.
 *
 * For plan.c, plan_join.c, plan_lookup.c and plan_sort.c alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PLAN_INTERNAL_H
#define OPPORTUNITY_PLAN_INTERNAL_H

#include "postgres.h"

#include "option.h"
#include "plan.h"
#include "pushdown.h"

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
