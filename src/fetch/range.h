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

#include "base/seen_set.h"
#include "fetch/page_reader.h"
#include "fetch/refusal.h"

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

/* State of reading several ranges of created_at in parallel. */
typedef enum RangeState
{
	RANGES_NOT_YET,
	RANGES_OPEN,
	RANGES_NEVER
} RangeState;

/* The readers of a fetch.  The owner sets the first members. */
typedef struct RangeSet
{
	MemoryContext	context; /* of the readers */
	PageSource		source;
	const Settings *settings;
	int				created_at;	   /* index among the wanted attributes */
	bool			needs_undated; /* records without created_at */
	bool			may_stop;	   /* the scan may end at any record */
	int64		   *opened;		   /* number of parallel cursors */
	SeenSet		   *seen;		   /* ids of the records that were returned */
	List		   *filters;	   /* filters that the API has not rejected */
	RangeState		state;

	PageProgress progress;
	int			 pages;			/* number of pages read */
	int			 sparse_pages;	/* number of range pages with at most half of
								 * their records new */
	int64		 most_received; /* most records that a query returned: a lower
								 * bound of the API's limit */
	bool		 has_undated;	/* a RANGE_UNDATED was opened */
	List		*readers;		/* RangeReaders; the first is RANGE_ALL and
								 * never dropped */
} RangeSet;

extern RangeReader *range_add_reader(RangeSet *set, RangeKind kind,
									 List *filters, const char *sort,
									 bool is_descending);
extern void			range_open(RangeSet *set);
extern RangeReader *range_note_page(RangeSet *set, RangeReader *reader,
									const RecordPage *page);
extern bool			range_note_refusal(RangeSet *set, RangeReader *reader,
									   QueryResult result);
extern bool			range_resume(RangeSet *set, RangeReader *reader);
extern bool			range_is_new(const RangeSet *set, const RecordPage *page);

#endif /* OPPORTUNITY_RANGE_H */
