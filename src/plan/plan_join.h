/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * plan_join.h
 *	  Parameterizations of a foreign table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PLAN_JOIN_H
#define OPPORTUNITY_PLAN_JOIN_H

#include "postgres.h"

#include "nodes/pathnodes.h"

extern List *plan_join_parameterizations(PlannerInfo *root, RelOptInfo *baserel,
										 bool by_id);

#endif /* OPPORTUNITY_PLAN_JOIN_H */
