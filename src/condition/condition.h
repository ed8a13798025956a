/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * condition.h
 *	  The contents of plan nodes: above all SQL conditions that restrict the
 *	  records to request, the columns that they can be on, and their values at
 *	  run time.
 *
 * All members are plain nodes without secrets, so that a plan can be copied and
 * cached.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_CONDITION_H
#define OPPORTUNITY_CONDITION_H

#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "nodes/value.h"
#include "utils/uuid.h"

#include "api/api.h"
#include "api/api_facts.h"
#include "condition/slack.h"

struct PlannerInfo; /* the executor needs no headers of the planner */
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
	Slack	   slack; /* of the column's type */
} RemoteColumn;

/*
 * A condition is a tree of lists.  The first two kinds are {kind, condition, ...}.
 * The other kinds are leaves: lists by LeafPosition.
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
	LEAF_EXPRESSION,  /* or its number in a plan; NULL: CONDITION_EXISTS */
	LEAF_SLACK		  /* of the column's side, by SlackPosition; NIL: none */
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

/* The query may stop early, after an unknown number of rows. */
#define UNKNOWN_LIMIT (-1)

/*
 * Positions of the bound of the rows that a node is likely to return, an IntList,
 * as batch_lookup.c finds it.
 */
typedef enum BoundMember
{
	BOUND_ROWS,		/* 0: all; or UNKNOWN_LIMIT */
	BOUND_BY_RUN,	/* no more rows than the executor runs for */
	BOUND_IS_EXACT, /* further rows are never read */
	BOUND_MAY_DROP	/* a node above may drop rows */
} BoundMember;

/* Positions of ForeignScan.fdw_private; fdw_exprs has the expressions. */
typedef enum ScanPrivate
{
	SCAN_PRIVATE_COLUMNS,	   /* numbers of the columns to fill, an IntList */
	SCAN_PRIVATE_ID_CONDITION, /* condition on the id; NIL: none */
	SCAN_PRIVATE_LIMIT, /* rows to expect, an Integer; 0: all; or UNKNOWN_LIMIT */
	SCAN_PRIVATE_FILTERS, /* conditions to push down, if none is on the id */
	SCAN_PRIVATE_SORT,	  /* promised order, by ScanSort; NIL: none */
	SCAN_PRIVATE_FLAGS,	  /* an IntList by ScanFlag */
	SCAN_PRIVATE_ROLES,	  /* FilterRole of each filter, an IntList, as
							   * lookup_place.c sets them */
	SCAN_PRIVATE_PARTS,	  /* limit of the queries for one list, an Integer */
	SCAN_PRIVATE_BOUND	  /* of its rows, by BoundMember */
} ScanPrivate;

/* Positions of SCAN_PRIVATE_SORT. */
typedef enum ScanSort
{
	SCAN_SORT_FIELD,	 /* API attribute, a String in UTF-8 */
	SCAN_SORT_OIDS,		 /* ordering operator and its collation, an Oid list */
	SCAN_SORT_PROPERTIES /* an integer list by SortProperty */
} ScanSort;

/* Positions of SCAN_SORT_PROPERTIES. */
typedef enum SortProperty
{
	SORT_COLUMN, /* attribute number */
	SORT_IS_DESCENDING,
	SORT_NULLS_FIRST,
	SORT_EXCLUDES_NULLS /* the query does */
} SortProperty;

/* Positions of SCAN_PRIVATE_FLAGS. */
typedef enum ScanFlag
{
	SCAN_FLAG_MAY_SPLIT,	 /* the API can filter and sort by created_at */
	SCAN_FLAG_HAS_CREATED_AT /* the query excludes records without created_at */
} ScanFlag;

/* Use of a filter by a scan whose records a batch lookup fetches by a key. */
typedef enum FilterRole
{
	FILTER_RESTRICTION, /* the lookup pushes it down with the keys */
	FILTER_KEY,			/* supplies the key: see condition_is_key */
	FILTER_JOIN			/* depends on the row that supplies the key, or is not
						 * known to the lookup */
} FilterRole;

/* Positions of the custom_private of a batch lookup's CustomScan. */
typedef enum LookupPrivate
{
	LOOKUP_PRIVATE_BOUND,  /* of its rows, by BoundMember */
	LOOKUP_PRIVATE_SOURCES /* what it looks up, lists by LookupSource */
} LookupPrivate;


/*
 * Positions of a source of a batch lookup.  The expressions are a list in
 * custom_exprs, and refer to the rows that the lookup reads.
 */
typedef enum LookupSource
{
	LOOKUP_SOURCE_CONDITION, /* on the id, or on another key */
	LOOKUP_SOURCE_FILTERS,	 /* conditions to push down with the keys */
	LOOKUP_SOURCE_USER,		 /* whose privileges apply, or 0; an Oid list */
	LOOKUP_SOURCE_SCANS		 /* range table indexes of the scans that it serves,
							  * an IntList */
} LookupSource;

static inline ConditionKind
condition_kind(const List *condition)
{
	return intVal(linitial(condition));
}

static inline bool
condition_is_group(const List *condition)
{
	return condition_kind(condition) <= CONDITION_OR;
}

static inline int
leaf_number(const List *leaf, LeafPosition position)
{
	return intVal(list_nth(leaf, position));
}

/* for the planner */
extern RemoteColumn		  *remote_column_read(const Settings	   *settings,
											  Form_pg_attribute		attribute,
											  const ColumnSettings *options);
extern Node				  *condition_remove_casts(Node *expression);
extern const RemoteColumn *condition_column(const struct RelOptInfo *rel,
											RemoteColumn		   **columns,
											Node *expression, bool by_id);
extern List				  *condition_find(struct PlannerInfo	  *root,
										  const struct RelOptInfo *rel,
										  RemoteColumn **columns, Node *clause, bool by_id);
extern List				  *condition_conjunction(List *conditions);
extern bool				   condition_is_key(const List *condition);
extern bool				   condition_is_exact(const List *condition);
extern List				  *condition_number_expressions(const List *condition,
														List	  **expressions);

/* on the conditions of a plan */
extern Bitmapset  *condition_numbers(const List *condition);
extern bool		   condition_is_single(const List *condition);
extern const char *condition_field(const List *condition);
extern void		   condition_deparse(StringInfo target, const List *condition,
									 const ConditionDeparse *deparse,
									 bool					 only_expressions);

/* evaluate.c */
extern KeySet condition_evaluate_keys(const List *condition, const List *states,
									  ExprContext *econtext);
extern bool condition_evaluate_filter(const List *condition, const List *states,
									  ExprContext *econtext, const Api *api,
									  int most, List **filters);

#endif /* OPPORTUNITY_CONDITION_H */
