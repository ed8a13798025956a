/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_reader.h
 *	  The answers to one query, page by page.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PAGE_READER_H
#define OPPORTUNITY_PAGE_READER_H

#include "postgres.h"

#include "api.h"
#include "statement.h"

/* On whose behalf pages are read; must live as long as the readers. */
typedef struct PageSource
{
	Api				   *api;
	Statement		   *statement;
	const AttributeSet *wanted;
	HttpBudget		   *budget;
	int					page_size;
} PageSource;

/* One query, and how far it has been read. */
typedef struct PageReader
{
	MemoryContext	  context;
	const PageSource *source;
	ApiQuery		  query;	/* its limit: of the next page */
	char			 *cursor;	/* of the next page; NULL: it is the first */
	HttpTransfer	 *transfer; /* what has been asked for; NULL: nothing */
	bool			  is_at_end;
	bool			  is_doubtful;	  /* the end: see api_is_doubtful_end */
	bool			  is_like_cap;	  /* and api_is_like_cap */
	int				  pages;		  /* read since it started */
	int64			  received;		  /* records of these */
	int				  accepted_limit; /* of the page read last */
} PageReader;

/* A page that has been read. */
typedef struct PageAnswer
{
	QueryResult	  result;
	RecordPage	 *page;		 /* NULL unless there is one */
	HttpTransfer *transfer;	 /* what it points into, to be given to http_end */
	bool		  is_circle; /* the next page would be the same again */
} PageAnswer;

extern PageReader	   *page_reader_create(const PageSource *source,
										   const ApiQuery	*query);
extern void				page_reader_send(PageReader *reader);
extern PageAnswer		page_reader_read(PageReader *reader);
extern bool				page_reader_try(PageReader *reader, PageAnswer *answer);
pg_noreturn extern void page_reader_raise_circle(const PageReader *reader);
extern void				page_reader_restart(PageReader *reader);
extern void				page_reader_stop(PageReader *reader);
extern void				page_reader_end(PageReader *reader);

#endif /* OPPORTUNITY_PAGE_READER_H */
