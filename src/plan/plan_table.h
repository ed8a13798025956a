/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_table.h
 *	  The planner's data about a foreign table, and the uses of its clauses.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PLAN_TABLE_H
#define OPPORTUNITY_PLAN_TABLE_H

#include "postgres.h"

#include "nodes/pathnodes.h"

#include "condition/condition.h"

/* Planner's data about a foreign table: RelOptInfo.fdw_private. */
typedef struct TableInfo
{
	Settings	  *settings;
	RemoteColumn **columns; /* by attribute number - 1; NULL: not useful */
	int			   column_count;
	Bitmapset	  *stored; /* the columns that a row has, by attribute number -
							  * FirstLowInvalidHeapAttributeNumber */
	bool		   is_analyzed; /* there are statistics */
	bool		   may_split;	/* the API can filter and sort by created_at */
	List		  *id_joins;	/* ParamPathInfos whose outer relations supply
							   * the id */
	List		  *clauses;		/* ClauseUses */
} TableInfo;

/* Use of one clause.  It is found once, when the clause is first seen. */
typedef struct ClauseUse
{
	RestrictInfo *clause;
	List		 *id_condition; /* NIL: the clause does not restrict the id */
	List		 *filter;		/* condition to push down, or NIL */
} ClauseUse;

/* Uses of a list of clauses, in the order of the list. */
typedef struct ClauseUses
{
	List *id_condition;	  /* conjunction; NIL: the id is not restricted */
	List *other_clauses;  /* clauses that do not restrict the id */
	List *filters;		  /* conditions to push down */
	List *filter_clauses; /* the clause of each filter */
	List *exact_clauses;  /* of these, see condition_is_exact */
} ClauseUses;

extern bool plan_enable_batch_lookup;

extern TableInfo *plan_table_create(Oid relid, Oid userid);
extern bool		  plan_may_scan_pages(const TableInfo *table);
extern ClauseUse *plan_clause_use(PlannerInfo *root, RelOptInfo *rel,
								  RestrictInfo *clause);
extern ClauseUses plan_clause_uses(PlannerInfo *root, RelOptInfo *rel,
								   List *clauses);
extern bool		  plan_is_batched(const List *condition);
extern double	  plan_estimate_ids(PlannerInfo *root, const List *condition);
extern double	  plan_id_requests(const Settings *settings, double ids);
extern double	  plan_estimate_records(PlannerInfo *root, RelOptInfo *rel,
										List *filter_clauses);
extern List		 *plan_unlisted(const ClauseUses *uses);
extern double plan_estimate_parts(PlannerInfo *root, const ClauseUses *uses);
extern int	  plan_max_parts(PlannerInfo *root, RelOptInfo *rel,
							 const ClauseUses *uses);
extern int	  plan_likely_limit(const PlannerInfo *root, const RelOptInfo *rel,
								const List *pathkeys, double rows);

/* plan_join.c, plan_sort.c */
extern void	 plan_join_initialize(void);
extern List *plan_join_parameterizations(PlannerInfo *root, RelOptInfo *baserel,
										 bool by_id);
extern List *plan_sort_of_pathkey(RelOptInfo *baserel, PathKey *pathkey);
extern bool	 plan_excludes_null_created_at(const RelOptInfo *baserel);

#endif /* OPPORTUNITY_PLAN_TABLE_H */
