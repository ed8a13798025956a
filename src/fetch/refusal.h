/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * refusal.h
 *	  Queries that the API refuses, or does not continue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_REFUSAL_H
#define OPPORTUNITY_REFUSAL_H

#include "postgres.h"

#include "fetch/page_reader.h"

/* Part of a query that the API refuses. */
typedef enum RefusedPart
{
	REFUSED_ENDPOINT, /* queries in general */
	REFUSED_CURSOR,	  /* a further page: the query must start again */
	REFUSED_SIZE,	  /* the page size; it was reduced, so the request can be
					   * sent again */
	REFUSED_SORT,	  /* the sort */
	REFUSED_FILTERS,  /* some of the suspected filters */
	REFUSED_OTHER	  /* none of these is known to be the reason */
} RefusedPart;

/* A filter that the API refuses. */
typedef struct RefusedFilter
{
	RemoteFilter *filter;
	QueryResult	  result; /* of a query with it */
} RefusedFilter;

extern RefusedPart refusal_find(PageReader *reader, QueryResult result,
								List *suspects, List **refused);

/* Progress of queries that may be restarted.  It starts with zeros. */
typedef struct PageProgress
{
	int stale_pages;   /* successive pages without a new record */
	int stale_allowed; /* additional limit of these, for restarts */
	int restarts;	   /* since the last new record */
} PageProgress;

/* Limit of restarts of a query without a new record in between. */
#define MAX_RESTARTS 3

extern bool page_progress_note(PageProgress *progress, bool has_new);
extern bool page_progress_restart(PageProgress *progress, PageReader *reader);

#endif /* OPPORTUNITY_REFUSAL_H */
