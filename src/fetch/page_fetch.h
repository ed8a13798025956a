/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_fetch.h
 *	  The records that match a query's filters, read by pages, perhaps in
 *	  parallel ranges of created_at.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PAGE_FETCH_H
#define OPPORTUNITY_PAGE_FETCH_H

#include "postgres.h"

#include "base/id.h"
#include "fetch/page_reader.h"

/* Number of requests that may be in flight when a fetch is long. */
#define LONG_FETCH_REQUESTS 4

/* The records to read; must live as long as the fetch. */
typedef struct PageSpec
{
	List *filters;	  /* RemoteFilters, joined by AND; see part_choose */
	int	  max_parts;  /* limit of the queries for one list; 1 with a sort and a
					   * limit */
	const char *sort; /* attribute to sort by, in UTF-8; NULL: any order */
	bool		is_descending;
	int			limit; /* maximum size of a page; 0: none */
	RowsWanted	wanted;
	bool		may_split; /* the API can filter and sort by created_at */
	bool		is_dated;  /* records without created_at are not needed */
	bool		nowait;	   /* page_fetch_next must not wait; may change */
} PageSpec;

/* Counters of a fetch, for EXPLAIN ANALYZE. */
typedef struct PageCounters
{
	int64 pages;   /* read, without the ones that only verify the end */
	int64 records; /* received, including duplicates */
	int64 ranges;  /* cursors that were opened in parallel */
} PageCounters;

/* State of reading several ranges of created_at in parallel. */
typedef enum RangeState
{
	RANGES_NOT_YET, /* possible, if the table turns out to be long */
	RANGES_OPEN,
	RANGES_NEVER /* the first reader continues alone */
} RangeState;

/* Fetch of a query's records, and its position. */
typedef struct PageFetch
{
	MemoryContext	context;	  /* of the fetch and its readers */
	MemoryContext	page_context; /* context of the current page */
	const Settings *settings;
	const PageSpec *spec;
	List		   *filters;   /* of the spec, without the rejected ones */
	bool			needs_all; /* to sort them */
	PageCounters   *counters;
	PageSource		source;
	SeenSet		   *seen; /* ids of the records that were returned */

	/* the readers */
	List *readers; /* RangeReaders; the first is RANGE_ALL and never dropped */
	RangeState	 range_state;
	PageProgress progress;
	int			 pages;	 /* number of pages read by all readers */
	int			 splits; /* number of ranges opened after the first one */
	int64		 most_received; /* most records that a query returned: a lower
								 * bound of the API's limit */
	bool		 has_undated;	/* a RANGE_UNDATED was opened */

	bool  is_capped; /* the API limits a query's results, so created_at is used
					  * to read on */
	bool  is_sorted; /* as the spec requests; valid from the first record on */
	int64 found;	 /* number of records returned */

	/* see part.c */
	RemoteFilter *list;			  /* among filters, sent in parts; NULL: none */
	int			  part_size;	  /* number of values in a part */
	int			  part_start;	  /* index of the current part's first value */
	int			  accepted_parts; /* since the last refusal; -1: none was */
	ApiQuery	  first_query;	  /* for the first page of the current part */
	List *ahead; /* PageReaders of the next parts, on their first page */

	bool is_waiting; /* it returned false because of nowait, not at the end */

	List *unproven; /* filters of each query that may have been limited within
						* equal created_at */
	EndDoubt unproven_doubt; /* the greatest doubt about one of these */
	int64	 found_at_cap;	 /* value of found when the API announced further
						 * records; -1: it did not */
	bool	 is_doubtful;	 /* the end must be verified, see verify_end */

	/* current page */
	PageResponse response;
	int			 next;
	int64		 found_before; /* value of found before the current page */
} PageFetch;

/* Purpose of a reader. */
typedef enum RangeKind
{
	RANGE_ALL,	  /* all records, perhaps by created_at; the first reader */
	RANGE_NEWEST, /* one page in descending order of created_at */
	RANGE_PART,	  /* records from a created_at on, in its order */
	RANGE_UNDATED /* records without created_at */
} RangeKind;

/* Times are values of created_at, in whole seconds since PostgreSQL's epoch. */
#define NO_TIME PG_INT64_MIN /* before any time */
#define END_OF_TIME PG_INT64_MAX

/* A reader of some of a fetch's records.  Ranges may overlap by some records. */
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
	int	   bound_nanoseconds;  /* the fraction of the query's exact lower bound;
							* -1: it has none */
	bool   is_exact; /* all records were in the order of exact times so far */
	int64  no_split; /* time at which a split had no use, or NO_TIME */
	double density;	 /* records per second on the last page */
} RangeReader;

extern PageFetch *page_fetch_create(RecordSource   *records,
									const Settings *settings,
									const PageSpec *spec, HttpBudget *budget,
									PageCounters *counters);
extern int		  page_fetch_window(const PageFetch *fetch);
extern int		  page_fetch_in_flight(const PageFetch *fetch);
extern bool		  page_fetch_next(PageFetch *fetch, Record **record);
extern bool		  page_fetch_is_ready(const PageFetch *fetch);
extern void		  page_fetch_end(PageFetch *fetch);
extern void		  page_fetch_begin(PageFetch *fetch);

/* part.c */
extern List *part_choose(const Api *api, const List *filters, int max_parts);
extern void	 part_begin(PageFetch *fetch);
extern bool	 part_next(PageFetch *fetch);
extern void	 part_send_ahead(PageFetch *fetch);
extern void	 part_stop_ahead(PageFetch *fetch);
extern bool	 part_shrink(PageFetch *fetch, RemoteFilter *list);

/* range.c */
extern RangeReader *range_add_reader(PageFetch *fetch, RangeKind kind,
									 int64 lower);
extern void			range_open(PageFetch *fetch);
extern RangeReader *range_next(const PageFetch *fetch);
extern bool			range_finish(PageFetch *fetch);
extern RangeReader *range_note_page(PageFetch *fetch, RangeReader *reader,
									const RecordPage *page);
extern bool			range_note_refusal(PageFetch *fetch, RangeReader *reader,
									   QueryResult result);
extern bool			range_resume(PageFetch *fetch, RangeReader *reader);
extern bool range_is_new(const PageFetch *fetch, const RecordPage *page);

#endif /* OPPORTUNITY_PAGE_FETCH_H */
