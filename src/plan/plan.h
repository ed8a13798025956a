/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  The interface between the planner's part and the executor's: the
 *	  contents of a plan node, and the planner's callbacks.
 *
 * Nothing here knows how requests are made.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PLAN_H
#define OPPORTUNITY_PLAN_H

#include "postgres.h"

#include "foreign/fdwapi.h"
#include "nodes/pathnodes.h"

/*
 * Positions of ForeignScan.fdw_private.  All members are plain nodes without
 * secrets, so that a plan can be copied and cached.  The expressions that the
 * conditions refer to are in fdw_exprs.
 */
typedef enum ScanPrivate
{
	/* numbers of the columns to fill, an integer list */
	SCAN_PRIVATE_COLUMNS,
	/* condition on the id, in the form of filter.h; NIL: none */
	SCAN_PRIVATE_ID_CONDITION,
	/* number of rows after which the query is likely to stop, an Integer; 0: no
	 * limit; or SCAN_UNKNOWN_LIMIT */
	SCAN_PRIVATE_LIMIT,
	/* conditions to push down, in the form of pushdown.h; NIL if there is a
	 * condition on the id */
	SCAN_PRIVATE_FILTERS,
	/* promised order, a list by ScanSort; NIL: none */
	SCAN_PRIVATE_SORT,
	/* flags, an integer list by ScanFlag */
	SCAN_PRIVATE_FLAGS,
	/* FilterRole of each filter, an integer list */
	SCAN_PRIVATE_ROLES
} ScanPrivate;

/* Assumed number of records of a table that was never analyzed. */
#define PLAN_DEFAULT_RECORDS 1000

/* The reader may stop early, after an unknown number of rows. */
#define SCAN_UNKNOWN_LIMIT (-1)

/* Positions of SCAN_PRIVATE_SORT. */
typedef enum ScanSort
{
	SCAN_SORT_FIELD,	 /* API attribute, a String in UTF-8 */
	SCAN_SORT_OIDS,		 /* ordering operator and its collation, an Oid list */
	SCAN_SORT_PROPERTIES /* column number, is descending, has NULLs first,
						  * query excludes NULLs: an integer list */
} ScanSort;

/* Positions of SCAN_PRIVATE_FLAGS. */
typedef enum ScanFlag
{
	SCAN_FLAG_MAY_SPLIT, /* the API can filter and sort by created_at */
	SCAN_FLAG_IS_DATED	 /* the query excludes records without created_at */
} ScanFlag;

/* Dependence of a filter on the rows of other relations. */
typedef enum FilterRole
{
	FILTER_OWN,	  /* none: the same filter for all rows */
	FILTER_KEY,	  /* an equality with a key that another relation supplies: see
				   * pushdown_key.c */
	FILTER_JOINED /* any other dependence */
} FilterRole;

/* Lookup of records by a key that outer rows supply. */
typedef struct KeyLookup
{
	List *condition;   /* condition on the key, in the form of pushdown.h */
	List *filters;	   /* further conditions, all FILTER_OWN */
	List *expressions; /* expressions of the condition and the filters */
	List *clauses;	   /* RestrictInfos of the condition and the filters */
} KeyLookup;

extern void plan_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern void plan_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern ForeignScan *plan_scan(PlannerInfo *root, RelOptInfo *baserel, Oid relid,
							  ForeignPath *best_path, List *tlist,
							  List *scan_clauses, Plan *outer_plan);

/* Used by async.c. */
extern bool plan_is_by_pages(const ForeignPath *path);

/* Used by lookup_plan.c. */
extern bool	 plan_is_foreign_table(const RelOptInfo *rel);
extern List *plan_id_condition(PlannerInfo *root, RelOptInfo *rel,
							   List *clauses, List **expressions);
extern Cost	 plan_request_savings(PlannerInfo *root, RelOptInfo *rel,
								  List *condition, List *expressions,
								  double probes);
extern bool	 plan_key_lookup(PlannerInfo *root, RelOptInfo *rel, List *clauses,
							 KeyLookup *lookup);
extern Cost	 plan_key_savings(PlannerInfo *root, RelOptInfo *rel, List *clauses,
							  const KeyLookup *lookup, double probes,
							  Cost *before_first);

#endif /* OPPORTUNITY_PLAN_H */
