/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_reader.h
 *	  The pages of one query.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PAGE_READER_H
#define OPPORTUNITY_PAGE_READER_H

#include "postgres.h"

#include "api/api_facts.h"
#include "api/api_records.h"
#include "fetch/statement.h"

/* Context of the requests; must live as long as the readers. */
typedef struct PageSource
{
	Api				   *api;
	int				   *pending; /* as in RecordSource */
	const AttributeSet *wanted;
	HttpBudget		   *budget;
	int					page_size;
} PageSource;

/* A query, and the position within its pages. */
typedef struct PageReader
{
	MemoryContext context;
	PageSource	 *source;
	ApiQuery	  query;	/* its limit is the next page's */
	char		 *cursor;	/* of the next page; NULL: the first page */
	HttpTransfer *transfer; /* in flight or not yet read; NULL: none */
	bool		  is_at_end;
	EndDoubt	  doubt;		  /* about the end, at the end */
	int			  pages;		  /* number of pages read since the start */
	int64		  received;		  /* number of records on these pages */
	int			  accepted_limit; /* limit of the last page read */
} PageReader;

/* The response for a page. */
typedef struct PageResponse
{
	QueryResult	  result;
	RecordPage	 *page;		 /* NULL unless result is QUERY_PAGE */
	HttpTransfer *transfer;	 /* owner of the page's texts */
	bool		  is_circle; /* the page's cursor leads to itself */
} PageResponse;

/* Part of a query that the API refuses. */
typedef enum RefusedPart
{
	REFUSED_ENDPOINT, /* queries in general */
	REFUSED_CURSOR,	  /* a further page: the query must start again */
	REFUSED_SIZE,	  /* the page size, which was reduced: send it again */
	REFUSED_SORT,	  /* the sort */
	REFUSED_FILTERS,  /* some of the suspected filters */
	REFUSED_OTHER	  /* an unknown part */
} RefusedPart;

/* Progress of queries that may be restarted.  It starts with zeros. */
typedef struct PageProgress
{
	int stale_pages;   /* successive pages without a new record */
	int stale_allowed; /* additional limit of these, for restarts */
	int restarts;	   /* since the last new record */
} PageProgress;

/* Limit of restarts of a query without a new record in between. */
#define MAX_RESTARTS 3

extern void page_source_init(PageSource *source, const RecordSource *records,
							 const Settings *settings, HttpBudget *budget);
extern PageReader  *page_reader_create(PageSource	  *source,
									   const ApiQuery *query);
extern void			page_reader_send(PageReader *reader);
extern PageResponse page_reader_read(PageReader *reader);
extern bool			page_reader_try(PageReader *reader, PageResponse *response);
extern void			page_reader_restart(PageReader *reader);
extern void			page_reader_stop(PageReader *reader);
extern void			page_reader_end(PageReader *reader);
extern RefusedPart	refusal_find(PageReader *reader, QueryResult result,
								 List *suspects, List **refused);
extern bool			page_progress_note(PageProgress *progress, bool has_new);
extern bool page_progress_restart(PageProgress *progress, PageReader *reader);

#endif /* OPPORTUNITY_PAGE_READER_H */
