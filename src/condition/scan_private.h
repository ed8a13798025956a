/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * scan_private.h
 *	  The contents of plan nodes: the interface between the planner's part and
 *	  the executor's.
 *
 * All members are plain nodes without secrets, so that a plan can be copied and
 * cached.  Conditions have the form of condition.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SCAN_PRIVATE_H
#define OPPORTUNITY_SCAN_PRIVATE_H

/* The query may stop early, after an unknown number of rows. */
#define UNKNOWN_LIMIT (-1)

/* Positions of ForeignScan.fdw_private; fdw_exprs has the expressions. */
typedef enum ScanPrivate
{
	SCAN_PRIVATE_COLUMNS,	   /* numbers of the columns to fill, an IntList */
	SCAN_PRIVATE_ID_CONDITION, /* condition on the id; NIL: none */
	SCAN_PRIVATE_LIMIT, /* rows to expect, an Integer; 0: all; or UNKNOWN_LIMIT */
	SCAN_PRIVATE_FILTERS, /* conditions to push down, if none is on the id */
	SCAN_PRIVATE_SORT,	  /* promised order, by ScanSort; NIL: none */
	SCAN_PRIVATE_FLAGS,	  /* an IntList by ScanFlag */
	SCAN_PRIVATE_ROLES	  /* FilterRole of each filter, an IntList */
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

/*
 * Dependence of a filter on the rows of other relations of the same query
 * level.  A filter of any role may depend on an outer query's row.
 */
typedef enum FilterRole
{
	FILTER_RESTRICTION, /* none: made of a restriction clause */
	FILTER_KEY, /* an equality with a key that another relation supplies:
						 * see condition_is_key */
	FILTER_JOIN /* any other dependence, or a subplan */
} FilterRole;

/*
 * Positions of the custom_private of a batch lookup's CustomScan; custom_exprs
 * has the expressions, which refer to the outer rows.
 */
typedef enum LookupPrivate
{
	LOOKUP_PRIVATE_CONDITION, /* condition on the id, or on another key */
	LOOKUP_PRIVATE_FILTERS,	  /* conditions to push down with the keys */
	LOOKUP_PRIVATE_OIDS,	  /* foreign table, and the user whose privileges
							   * apply or 0; an Oid list */
	LOOKUP_PRIVATE_LIMIT	  /* like SCAN_PRIVATE_LIMIT */
} LookupPrivate;

#endif /* OPPORTUNITY_SCAN_PRIVATE_H */
