/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * condition.h
 *	  SQL conditions that restrict the records to request: the columns that they
 *	  can be on, their form in a plan, and their values at run time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_CONDITION_H
#define OPPORTUNITY_CONDITION_H

#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "lib/stringinfo.h"
#include "nodes/value.h"
#include "utils/uuid.h"

#include "api/api.h"
#include "api/api_facts.h"

/* The executor does not need the planner's headers, nor the planner its. */
struct ExprContext;
struct PlannerInfo;
struct RelOptInfo;

/* Types of columns whose conditions can be pushed down. */
typedef enum RemoteKind
{
	REMOTE_UUID,
	REMOTE_TEXT,
	REMOTE_BOOLEAN,
	REMOTE_TIMESTAMP, /* with time zone; this and the next have < and > */
	REMOTE_DATE,
	REMOTE_NUMBER
} RemoteKind;

/* API capabilities of a foreign table's column. */
typedef struct RemoteColumn
{
	char	  *field; /* name of the API attribute, in UTF-8 */
	RemoteKind kind;
	int		   operators; /* that may be pushed down, a set of OPERATOR_BIT */
	bool	   is_sortable;
	bool	   is_id; /* shows the id as a uuid or a text */
} RemoteColumn;

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
	LEAF_EXPRESSION	  /* while planning, the expression; in a plan, its number
					   * in the plan's list; NULL: CONDITION_EXISTS */
} LeafPosition;

/* The expressions of a plan's conditions, and how to show them. */
typedef struct ConditionDeparse
{
	List *expressions;
	List *context; /* of deparse_expression */
	bool  prefix;  /* argument of deparse_expression */
} ConditionDeparse;

/* A set of ids or other keys, sorted, without duplicates. */
typedef struct KeySet
{
	pg_uuid_t *keys;
	int		   count;
} KeySet;

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

/* Returns a number at one of a leaf's positions. */
static inline int
leaf_number(const List *leaf, LeafPosition position)
{
	return intVal(list_nth(leaf, position));
}

/* for the planner */
extern RemoteColumn		  *remote_column_read(const Settings	   *settings,
											  Form_pg_attribute		attribute,
											  const ColumnSettings *options);
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
extern void		   condition_deparse(StringInfo target, const List *condition,
									 const ConditionDeparse *deparse,
									 bool					 only_expressions);

/* evaluate.c */
extern KeySet condition_evaluate_keys(const List *condition, const List *states,
									  struct ExprContext *econtext);
extern bool condition_evaluate_filter(const List *condition, const List *states,
									  struct ExprContext *econtext,
									  const Api *api, RemoteFilter **filter);

#endif /* OPPORTUNITY_CONDITION_H */
