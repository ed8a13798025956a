/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * range.h
 *	  The readers of a fetch by pages, and their ranges of created_at.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_RANGE_H
#define OPPORTUNITY_RANGE_H

#include "postgres.h"

#include "fetch/page_fetch.h"

/* Purpose of a reader. */
typedef enum RangeKind
{
	RANGE_ALL,	  /* all records, perhaps by created_at; the first reader */
	RANGE_NEWEST, /* one page in descending order of created_at */
	RANGE_PART,	  /* records from a created_at on, in its order */
	RANGE_UNDATED /* records without created_at */
} RangeKind;

/* Times are values of created_at, in whole seconds since PostgreSQL's epoch. */
#define NO_TIME PG_INT64_MIN
#define END_OF_TIME PG_INT64_MAX

typedef struct RangeReader
{
	RangeKind	kind;
	PageReader *pages;
	bool		is_by_time; /* the query is sorted by created_at */
	bool		is_done;
	int64		lower;	  /* lower bound of its records, or NO_TIME */
	int64		upper;	  /* upper bound of its records, exclusive */
	int64		position; /* time of the last record read, or NO_TIME */
	int			position_nanoseconds; /* the fraction of that time */
	char	   *position_text; /* created_at of the last record read, or NULL */
	char	   *bound_text;	   /* created_at that is the query's exact lower
								* bound; NULL: none */
	bool   is_exact; /* all records were in the order of exact times so far */
	int64  no_split; /* time at which a split had no use, or NO_TIME */
	double density;	 /* records per second on the last page */
} RangeReader;

extern RangeReader *range_add_reader(PageFetch *fetch, RangeKind kind,
									 List *filters, const char *sort,
									 bool is_descending);
extern void			range_open(PageFetch *fetch);
extern RangeReader *range_note_page(PageFetch *fetch, RangeReader *reader,
									const RecordPage *page);
extern bool			range_note_refusal(PageFetch *fetch, RangeReader *reader,
									   QueryResult result);
extern bool			range_resume(PageFetch *fetch, RangeReader *reader);
extern bool range_is_new(const PageFetch *fetch, const RecordPage *page);

#endif /* OPPORTUNITY_RANGE_H */
