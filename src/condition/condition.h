/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * condition.h
 *	  SQL conditions that restrict the records to request, in the form that a
 *	  plan stores.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_CONDITION_H
#define OPPORTUNITY_CONDITION_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/value.h"

#include "condition/remote_column.h"

/* The executor does not need the planner's headers. */
struct PlannerInfo;
struct RelOptInfo;

/*
 * A condition is a tree of lists, made of plain nodes so that it can be part of
 * a plan.  The first two kinds are {kind, condition, ...}.  The other kinds are
 * leaves: lists by LeafPosition.
 *
 * A condition on the id has leaves of the kinds CONDITION_EQUAL and
 * CONDITION_ANY on the field "id".  Other conditions are pushed down as filters.
 */
typedef enum ConditionKind
{
	CONDITION_AND,
	CONDITION_OR,
	CONDITION_EQUAL,	   /* column = expression */
	CONDITION_NOT_EQUAL,   /* column <> expression */
	CONDITION_LESS,		   /* column < expression, or <= */
	CONDITION_GREATER,	   /* column > expression, or >= */
	CONDITION_ANY,		   /* column = ANY (expression) */
	CONDITION_NOT_ANY,	   /* column <> ALL (expression) */
	CONDITION_LIKE,		   /* column LIKE expression */
	CONDITION_STARTS_WITH, /* starts_with(column, expression) */
	CONDITION_EXISTS	   /* column IS NOT NULL, no expression */
} ConditionKind;

/* Positions of a leaf. */
typedef enum LeafPosition
{
	LEAF_KIND,		  /* ConditionKind */
	LEAF_FIELD,		  /* name of the API attribute, in UTF-8 */
	LEAF_REMOTE_KIND, /* RemoteKind */
	LEAF_OPERATORS,	  /* usable operators, a set of OPERATOR_BIT */
	LEAF_EXPRESSION	  /* while planning, the expression or NULL; in a plan, its
					   * number in the plan's list, or NO_EXPRESSION */
} LeafPosition;

#define NO_EXPRESSION (-1)

/* The expressions of a plan's conditions, and how to show them. */
typedef struct ConditionDeparse
{
	List *expressions;
	List *context; /* of deparse_expression */
	bool  prefix;  /* argument of deparse_expression */
} ConditionDeparse;

/* Returns the kind of a condition. */
static inline ConditionKind
condition_kind(const List *condition)
{
	return intVal(linitial(condition));
}

/* Returns true if a condition has arms. */
static inline bool
condition_is_group(const List *condition)
{
	return condition_kind(condition) <= CONDITION_OR;
}

/* for the planner */
extern const RemoteColumn *condition_column(const struct RelOptInfo *rel,
											RemoteColumn		   **columns,
											Node *expression, bool by_id);
extern List				  *condition_find(struct PlannerInfo	  *root,
										  const struct RelOptInfo *rel,
										  RemoteColumn **columns, Node *clause, bool by_id);
extern List				  *condition_conjunction(List *conditions);
extern bool				   condition_is_key(const List *condition);
extern List				  *condition_number_expressions(const List *condition,
														List	  **expressions);

/* for EXPLAIN and the executor, on the conditions of a plan */
extern bool		   condition_is_single(const List *condition);
extern const char *condition_field(const List *condition);
extern bool		   condition_is_by_id(const List *condition);
extern void		   condition_deparse(StringInfo target, const List *condition,
									 const ConditionDeparse *deparse,
									 bool					 only_expressions);

#endif /* OPPORTUNITY_CONDITION_H */
