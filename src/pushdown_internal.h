/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pushdown_internal.h
 *	  How a condition for the API stands in a plan: what pushdown.c makes and
 *	  pushdown_evaluate.c reads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PUSHDOWN_INTERNAL_H
#define OPPORTUNITY_PUSHDOWN_INTERNAL_H

#include "nodes/value.h"

#include "pushdown.h"

/*
 * A condition is a tree of lists, made of plain nodes so that it can stand in a
 * plan: {kind, condition, ...} for the first two kinds, for the others what
 * LeafPosition names.
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

/* What stands where in a condition that has no arms. */
typedef enum LeafPosition
{
	LEAF_KIND,		  /* ConditionKind */
	LEAF_FIELD,		  /* the attribute, in UTF-8 */
	LEAF_REMOTE_KIND, /* RemoteKind */
	LEAF_OPERATORS,	  /* those allowed that can serve: a set of OPERATOR_BIT */
	LEAF_EXPRESSION	  /* number of the expression, or NO_EXPRESSION */
} LeafPosition;

#define NO_EXPRESSION (-1)

/* The kind of a condition. */
static inline ConditionKind
condition_kind(const List *condition)
{
	return intVal(linitial(condition));
}

/* Whether values of a kind are compared as a range of them. */
static inline bool
remote_kind_is_ordered(RemoteKind kind)
{
	return kind == REMOTE_TIMESTAMP || kind == REMOTE_DATE ||
		   kind == REMOTE_NUMBER;
}

#endif /* OPPORTUNITY_PUSHDOWN_INTERNAL_H */
