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
	Statement		   *statement;
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
	HttpTransfer *transfer; /* request in flight, or a response not yet
								 * read; NULL: none */
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
	HttpTransfer *transfer;	 /* owner of the page's memory; to be released with
							  * http_end */
	bool		  is_circle; /* the page's cursor leads to itself */
} PageResponse;

extern PageReader  *page_reader_create(PageSource	  *source,
									   const ApiQuery *query);
extern void			page_reader_send(PageReader *reader);
extern PageResponse page_reader_read(PageReader *reader);
extern bool			page_reader_try(PageReader *reader, PageResponse *response);
extern void			page_reader_restart(PageReader *reader);
extern void			page_reader_stop(PageReader *reader);
extern void			page_reader_end(PageReader *reader);

#endif /* OPPORTUNITY_PAGE_READER_H */
