/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_fetch_internal.h
 *	  Declarations that page_fetch.c and range.c share.  No other file
 *	  includes it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PAGE_FETCH_INTERNAL_H
#define OPPORTUNITY_PAGE_FETCH_INTERNAL_H

#include "postgres.h"

#include "base/seen_set.h"
#include "fetch/page_fetch.h"
#include "fetch/page_reader.h"
#include "fetch/refusal.h"

/* Purpose of a reader. */
typedef enum RangeKind
{
	RANGE_ALL,	   /* all records, perhaps by created_at; the first reader */
	RANGE_NEWEST,  /* one page in descending order of created_at */
	RANGE_PART,	   /* records from a created_at on, in its order */
	RANGE_DATELESS /* records without created_at */
} RangeKind;

/* Times are values of created_at, in whole seconds since PostgreSQL's epoch. */
#define NO_TIME PG_INT64_MIN
#define END_OF_TIME PG_INT64_MAX

typedef struct RangeReader
{
	RangeKind	kind;
	PageReader *pages;
	bool		is_by_time; /* the query is sorted by created_at */
	bool		is_part;	/* RANGE_ALL: its query has a lower bound */
	bool		is_done;
	int64		lower;		/* lower bound of its records, or NO_TIME */
	int64		upper;		/* upper bound of its records, exclusive */
	int64		position;	/* time of the last record read, or NO_TIME */
	int64		no_split;	/* time at which a split had no use, or NO_TIME */
	int64		resumed_at; /* lower bound of the last resumption, or NO_TIME */
	char	   *last_text;	/* created_at of the last record read, or NULL */
	char	   *bound_text; /* created_at that is the query's exact lower
							    * bound; NULL: none */
	int64		last_seconds; /* exact time of the last record read, for
							    * is_exact */
	int			last_nanoseconds;
	bool   is_exact; /* the query's records were in the order of exact times so
				    * far */
	double density;	 /* records per second on the last page */
	struct RangeReader *parent; /* RANGE_PART: reader that had its range
								  * before */
} RangeReader;

/* State of reading several ranges of created_at in parallel. */
typedef enum RangeState
{
	RANGES_NOT_YET,
	RANGES_OPEN,
	RANGES_NEVER
} RangeState;

struct PageFetch
{
	MemoryContext	 context;
	MemoryContext	 page_context; /* context of the current page */
	const Settings	*settings;
	const PageOrder *order;
	PageCounters	*counters;
	PageSource		 source;
	SeenSet			*seen;

	List *filters;	 /* filters of the order that the API has not rejected */
	bool  is_capped; /* the API limits a query's results, so created_at is used
					  * to read on */
	bool  is_sorted;
	bool  must_read_all; /* because it is not sorted */
	int	  limit;		 /* limit of the order; 0 if all records must be read */
	bool  is_on_demand;
	int64 found; /* number of records returned */
	int	  pages; /* number of pages read */
	int	  thin;	 /* number of range pages with at most half of their
						   * records new */
	PageProgress progress;

	bool must_not_wait; /* for a response */
	bool is_waiting;	/* the last call returned early because of
						 * must_not_wait */

	List *unproven; /* filters of each query that may have been limited within
					 * equal created_at */
	bool  is_like_cap; /* the number of records of one of these is like a cap */
	int64 most_received; /* most records that a query returned: a lower bound
						  * of the API's limit */
	int64 found_at_cap;	 /* value of found when the API announced further
						  * records; -1: it did not */
	bool  is_doubtful;	 /* the end must be verified, see verify_end */

	/* current page */
	PageResponse response;
	int			 next;
	int64		 found_before; /* value of found before the current page */

	RangeState	  ranges;
	bool		  has_dateless; /* a RANGE_DATELESS was opened */
	int			  created_at;	/* index of created_at among the wanted
								 * attributes, or -1 */
	RangeReader **readers;		/* the first is RANGE_ALL and is never
								 * dropped */
	int			  reader_count;
	int			  reader_capacity;
};

/* page_fetch.c */
extern RangeReader *page_fetch_add_reader(PageFetch *fetch, RangeKind kind,
										  List *filters, const char *sort,
										  bool is_descending);
extern void page_fetch_drop_reader(PageFetch *fetch, RangeReader *reader);
extern bool page_fetch_is_new(const PageFetch *fetch, const RecordPage *page);
pg_noreturn extern void page_fetch_raise_cap(int64 received, bool is_by_time);

/* range.c */
extern bool			range_are_possible(const PageFetch *fetch);
extern void			range_open(PageFetch *fetch);
extern RangeReader *range_note_page(PageFetch *fetch, RangeReader *reader,
									const RecordPage *page);
extern bool			range_note_refusal(PageFetch *fetch, RangeReader *reader,
									   QueryResult result);
extern bool			range_resume(PageFetch *fetch, RangeReader *reader);

#endif /* OPPORTUNITY_PAGE_FETCH_INTERNAL_H */
