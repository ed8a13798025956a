/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page_fetch_internal.h
 *	  What reading pages and reading ranges know of each other.
 *
 * For page_fetch.c and range.c alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PAGE_FETCH_INTERNAL_H
#define OPPORTUNITY_PAGE_FETCH_INTERNAL_H

#include "postgres.h"

#include "page_fetch.h"
#include "page_reader.h"
#include "seen_set.h"

/* What a reader is for. */
typedef enum RangeKind
{
	RANGE_ALL,	   /* everything, perhaps by created_at; the first to be made */
	RANGE_NEWEST,  /* one page from the end */
	RANGE_PART,	   /* from some created_at on, by created_at */
	RANGE_DATELESS /* the records without created_at */
} RangeKind;

/* Times are of created_at, in whole seconds since PostgreSQL's epoch. */
#define NO_TIME PG_INT64_MIN
#define END_OF_TIME PG_INT64_MAX

typedef struct RangeReader
{
	RangeKind	kind;
	PageReader *pages;
	bool		is_by_time; /* sorted by created_at */
	bool		is_part; /* RANGE_ALL: it does not read everything any more */
	bool		is_done;
	int64		lower;		/* records before are none of its; or NO_TIME */
	int64		upper;		/* those from there on are somebody else's */
	int64		position;	/* of the record read last, or NO_TIME */
	int64		no_split;	/* where a split before was no good, or NO_TIME */
	int64		resumed_at; /* where its query began again last, or NO_TIME */
	int64		resumed_after; /* so many records of the query before */
	bool		is_after_end;  /* it began again because of a doubtful end */
	char	   *last_text;	   /* created_at of the record read last, or NULL */
	char	   *bound_text;	   /* the query begins there exactly; NULL: no */
	int64		last_seconds;  /* its exact time, as is_exact wants it */
	int			last_nanoseconds;
	bool is_exact; /* since the query began, the order is that of exact times */
	double				density; /* records per second, where it was last */
	struct RangeReader *parent;	 /* RANGE_PART: whose upper half it took */
} RangeReader;

/* Whether a scan reads several ranges of created_at at once. */
typedef enum RangeState
{
	RANGES_NOT_YET,
	RANGES_OPEN,
	RANGES_NEVER
} RangeState;

struct PageFetch
{
	MemoryContext	 context;
	MemoryContext	 page_context; /* of the page in hand */
	const Settings	*settings;
	const PageOrder *order;
	PageCounters	*counters;
	PageSource		 source;
	SeenSet			*seen;

	List *filters;	 /* those of the order that the API has not refused */
	bool  is_capped; /* by the API, so that it is read by created_at */
	bool  is_sorted;
	bool  must_read_all; /* since it is not */
	int	  limit;		 /* as in the order, unless all must be read */
	bool  is_on_demand;
	int64 found;		  /* records handed out */
	int	  pages;		  /* read */
	int	  barren;		  /* pages in a row that had nothing new */
	int	  barren_allowed; /* more is taken for a circle */
	int	  thin;			  /* pages of ranges of which the lesser part was new */
	int	  restarts;		  /* since the last record that was new */

	bool must_not_wait; /* for an answer that has not come yet */
	bool is_waiting;	/* for one, and has returned because of that */

	bool  has_cap;	/* there were further records after a doubtful end */
	List *unproven; /* filters of a query that may have been capped where all
					 * created_at are the same; NIL: none */
	int64 unproven_received;
	int64 most_received; /* records of one query: no cap is less */
	int64 found_at_cap;	 /* handed out when the API said that there are more */
	bool  is_doubtful;	 /* the end has to be verified: see verify_end */

	/* the page in hand */
	PageAnswer answer;
	int		   next;
	int64	   found_before; /* records handed out before it */

	RangeState	  ranges;
	bool		  has_dateless; /* a RANGE_DATELESS has been opened */
	int			  created_at;	/* its number among the wanted, or -1 */
	RangeReader **readers;		/* the first is RANGE_ALL, and stays */
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
extern bool range_are_possible(const PageFetch *fetch);
extern void range_open(PageFetch *fetch);
extern void range_note_page(PageFetch *fetch, RangeReader *reader,
							const RecordPage *page);
extern bool range_note_refusal(PageFetch *fetch, RangeReader *reader,
							   QueryResult result);
extern bool range_resume(PageFetch *fetch, RangeReader *reader);

#endif /* OPPORTUNITY_PAGE_FETCH_INTERNAL_H */
