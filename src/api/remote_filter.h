/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * remote_filter.h
 *	  Filters of the API's queries, the features of queries that they use, and
 *	  the results.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_REMOTE_FILTER_H
#define OPPORTUNITY_REMOTE_FILTER_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "option/attribute.h"
#include "option/option.h"

/* Limit of the values of an "in", and of the arms of an "or". */
#define MAX_REMOTE_VALUES 100

/* A feature other than a RemoteOperator on a field: the sort by a field. */
#define REMOTE_SORT (-1)

/* Seconds by which a query for records from a time on begins earlier. */
#define CREATED_AT_MARGIN 1

/* A feature that a query uses, and that the API may refuse. */
typedef struct RemoteUse
{
	const char			   *field;	   /* in UTF-8 */
	int						operation; /* RemoteOperator or REMOTE_SORT */
	const struct RemoteUse *next;	   /* another feature, or NULL: see below */
} RemoteUse;

/* A filter of a query, in UTF-8. */
typedef struct RemoteFilter
{
	char			*json; /* {"field": ...}, or a group */
	const RemoteUse *uses; /* its features, distinct; the last one first */
} RemoteFilter;

/* Result of a query. */
typedef enum QueryResult
{
	QUERY_PAGE,			  /* a page of records */
	QUERY_CURSOR_GONE,	  /* unknown or expired cursor */
	QUERY_REFUSED,		  /* unknown reason, possibly the query's size */
	QUERY_FILTER_REFUSED, /* unsupported field or operator of a filter */
	QUERY_VALUE_REFUSED,  /* unsupported value of a filter, or too many */
	QUERY_SORT_REFUSED,	  /* unsupported sort */
	QUERY_NOT_SUPPORTED	  /* no query endpoint */
} QueryResult;

/* Features of queries by created_at. */
extern const RemoteUse created_at_sort;
extern const RemoteUse created_at_from;
extern const RemoteUse created_at_absence;

extern RemoteFilter	   *remote_filter_create(const char	   *field,
											 RemoteOperator operation,
											 const char	   *value);
extern const RemoteUse *remote_uses_add(const RemoteUse *uses,
										const char *field, int operation);
extern bool remote_uses_equal(const RemoteUse *a, const RemoteUse *b);
extern const RemoteUse *remote_uses_copy(const RemoteUse *uses);
extern char			   *remote_uses_text(const RemoteUse *uses);

extern bool	 created_at_is_allowed(const ColumnSettings *column);
extern List *created_at_filters(RemoteOperator operation, int64 seconds);
extern List *created_at_filters_at(const char *text);

#endif /* OPPORTUNITY_REMOTE_FILTER_H */
