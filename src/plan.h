/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  What the planner's part hands to the executor's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PLAN_H
#define OPPORTUNITY_PLAN_H

#include "postgres.h"

#include "foreign/fdwapi.h"
#include "nodes/pathnodes.h"

/*
 * The positions of ForeignScan.fdw_private.  All are plain nodes: the plan can
 * be copied and kept, and has no secrets.  The expressions that the condition
 * refers to are in fdw_exprs.
 */
typedef enum ScanPrivate
{
	/* numbers of the columns to fill, an integer list */
	SCAN_PRIVATE_COLUMNS,
	/* the condition on the id as filter.h describes it, or NIL: none */
	SCAN_PRIVATE_ID_CONDITION,
	/* rows that the query is likely to stop after, an Integer; 0: no limit;
	 * SCAN_UNKNOWN_LIMIT */
	SCAN_PRIVATE_LIMIT,
	/* conditions to be sent, as pushdown.h describes them; with a condition on
	 * the id there are none */
	SCAN_PRIVATE_FILTERS,
	/* the order that is promised, a list by ScanSort, or NIL */
	SCAN_PRIVATE_SORT,
	/* an integer list of ScanFlags */
	SCAN_PRIVATE_FLAGS,
	/* an integer list: the FilterRole of each of the filters */
	SCAN_PRIVATE_ROLES
} ScanPrivate;

/* Records that a table is taken to have, where nobody has counted them. */
#define PLAN_DEFAULT_RECORDS 1000

/* Somebody may stop reading early, nobody knows when. */
#define SCAN_UNKNOWN_LIMIT (-1)

/* The positions of SCAN_PRIVATE_SORT. */
typedef enum ScanSort
{
	SCAN_SORT_FIELD,	 /* a String, in UTF-8 */
	SCAN_SORT_OIDS,		 /* an Oid list: the ordering operator, its collation */
	SCAN_SORT_PROPERTIES /* an integer list: the column's number, descending,
						  * NULLs first, the query keeps no NULLs */
} ScanSort;

/* The positions of SCAN_PRIVATE_FLAGS. */
typedef enum ScanFlag
{
	SCAN_FLAG_MAY_SPLIT, /* created_at can be filtered and sorted by */
	SCAN_FLAG_IS_DATED	 /* the query keeps no record without created_at */
} ScanFlag;

/* What a filter has to do with the rows of other relations. */
typedef enum FilterRole
{
	FILTER_OWN,	  /* nothing: it is the same for all of them */
	FILTER_KEY,	  /* one of them supplies a key: see pushdown_key.c */
	FILTER_JOINED /* anything else */
} FilterRole;

/* How the records that some rows lead to can be looked up by a key. */
typedef struct KeyLookup
{
	List *condition;   /* on the key, as pushdown.h describes it */
	List *filters;	   /* further ones, which are FILTER_OWN */
	List *expressions; /* of all of these */
	List *clauses;	   /* the RestrictInfos that they come from */
} KeyLookup;

extern void plan_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern void plan_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern ForeignScan *plan_scan(PlannerInfo *root, RelOptInfo *baserel, Oid relid,
							  ForeignPath *best_path, List *tlist,
							  List *scan_clauses, Plan *outer_plan);

/* For scans that an Append waits for. */
extern bool plan_is_by_pages(const ForeignPath *path);

/* For joins that look many records up at once. */
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
