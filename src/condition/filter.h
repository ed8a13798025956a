/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * filter.h
 *	  Conditions on the id: the ids of the records that a query needs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_FILTER_H
#define OPPORTUNITY_FILTER_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "utils/uuid.h"

/*
 * A condition on the id is a tree of lists, made of plain nodes so that it can
 * be part of a plan.  The first two kinds are {kind, number of an expression},
 * the others {kind, condition, ...}.
 */
typedef enum IdConditionKind
{
	ID_EQUAL, /* id = expression */
	ID_ANY,	  /* Sorted set of distinct ids. */
	ID_OR,
	ID_AND
} IdConditionKind;

/* A set of ids, sorted, without duplicates. */
typedef struct IdSet
{
	pg_uuid_t *ids;
	int		   count;
} IdSet;

extern bool	  filter_is_id(const RelOptInfo *rel, const Bitmapset *id_columns,
						   Node *expression);
extern List	 *filter_id_condition(PlannerInfo *root, const RelOptInfo *rel,
								  const Bitmapset *id_columns, Node *clause,
								  List **expressions);
extern List	 *filter_conjunction(List *conditions);
extern bool	  filter_is_single(List *condition);
extern double filter_estimate_ids(PlannerInfo *root, List *condition,
								  List *expressions);
extern IdSet  filter_evaluate_ids(List *condition, List *states,
								  ExprContext *econtext);

#endif /* OPPORTUNITY_FILTER_H */
