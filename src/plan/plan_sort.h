/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_sort.h
 *	  Orders of a query's rows that can be pushed down.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PLAN_SORT_H
#define OPPORTUNITY_PLAN_SORT_H

#include "postgres.h"

#include "nodes/pathnodes.h"

extern List *plan_sort_of_pathkey(RelOptInfo *baserel, PathKey *pathkey);
extern bool	 plan_excludes_null_created_at(const RelOptInfo *baserel);

#endif /* OPPORTUNITY_PLAN_SORT_H */
