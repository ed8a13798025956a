/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pushdown_internal.h
 *	  Form of an API condition in a plan, which pushdown.c builds and
 *	  pushdown_evaluate.c reads.  No other file than pushdown*.c includes it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PUSHDOWN_INTERNAL_H
#define OPPORTUNITY_PUSHDOWN_INTERNAL_H

#include "nodes/value.h"

#include "condition/pushdown.h"

/*
 * A condition is a tree of lists, made of plain nodes so that it can be part of
 * a plan.  The first two kinds are {kind, condition, ...}.  The other kinds are
 * lists by LeafPosition.
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
	CONDITION_TRUE,		   /* column, no expression */
	CONDITION_FALSE,	   /* NOT column, no expression */
	CONDITION_EXISTS	   /* column IS NOT NULL, no expression */
} ConditionKind;

/* Positions of a condition without arms. */
typedef enum LeafPosition
{
	LEAF_KIND,		  /* ConditionKind */
	LEAF_FIELD,		  /* name of the API attribute, in UTF-8 */
	LEAF_REMOTE_KIND, /* RemoteKind */
	LEAF_OPERATORS,	  /* usable operators, a set of OPERATOR_BIT */
	LEAF_EXPRESSION	  /* number of the expression, or NO_EXPRESSION */
} LeafPosition;

#define NO_EXPRESSION (-1)

/* Returns the kind of a condition. */
static inline ConditionKind
condition_kind(const List *condition)
{
	return intVal(linitial(condition));
}

/* Returns true if values of a kind can be compared with < and >. */
static inline bool
remote_kind_is_ordered(RemoteKind kind)
{
	return kind == REMOTE_TIMESTAMP || kind == REMOTE_DATE ||
		   kind == REMOTE_NUMBER;
}

#endif /* OPPORTUNITY_PUSHDOWN_INTERNAL_H */
