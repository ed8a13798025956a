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

/*
 * A feature that a query uses, and that the API may refuse, has a name in UTF-8:
 * a field and a RemoteOperator, or REMOTE_SORT for the sort by the field.
 */
#define REMOTE_SORT (-1)
#define CREATED_AT_SORT "created_at sort"
#define CREATED_AT_FROM "created_at gte"
#define CREATED_AT_ABSENCE "created_at not_exists"

/* Seconds by which a query for records from a time on begins earlier. */
#define CREATED_AT_MARGIN 1

/* A filter of a query, in UTF-8. */
typedef struct RemoteFilter
{
	char *json; /* {"field": ...}, or a group */
	char *uses; /* its features, distinct and separated by commas */
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

extern RemoteFilter *remote_filter_create(const char	*field,
										  RemoteOperator operation,
										  const char	*value);
extern char			*remote_use(const char *field, int operation);
extern char			*remote_uses_add(const char *uses, const char *added);

extern bool	 created_at_is_allowed(const ColumnSettings *column,
								   const AttributePath	*path);
extern List *created_at_filters(RemoteOperator operation, int64 seconds);
extern List *created_at_filters_at(const char *text);

#endif /* OPPORTUNITY_REMOTE_FILTER_H */
