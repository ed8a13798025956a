/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan.h
 *	  The planner's callbacks of a foreign table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PLAN_H
#define OPPORTUNITY_PLAN_H

#include "postgres.h"

#include "foreign/fdwapi.h"

/* Assumed number of records of a table that was never analyzed. */
#define PLAN_DEFAULT_RECORDS 1000

extern void plan_initialize(void);
extern void plan_rel_size(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern void plan_paths(PlannerInfo *root, RelOptInfo *baserel, Oid relid);
extern ForeignScan *plan_scan(PlannerInfo *root, RelOptInfo *baserel, Oid relid,
							  ForeignPath *best_path, List *tlist,
							  List *scan_clauses, Plan *outer_plan);
extern bool			plan_is_async_capable(ForeignPath *path);
extern double		plan_path_requests(const ForeignPath *path);
extern bool			plan_is_own_routine(const FdwRoutine *routine);
extern bool			plan_is_own_scan(const Plan *plan);

#endif /* OPPORTUNITY_PLAN_H */
