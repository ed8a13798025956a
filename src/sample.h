/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * sample.h
 *	  Some pages of a table, and how many records there are beside them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SAMPLE_H
#define OPPORTUNITY_SAMPLE_H

#include "postgres.h"

#include "record_cache.h"

/* Pages that are read one after another, from where they tell most. */
typedef struct Sample Sample;

/* The records of a page that had not come before. */
typedef struct SamplePage
{
	int		 number; /* of the page, from 0 */
	int		 count;
	Record **records;
} SamplePage;

/* How much of the table has been seen. */
typedef enum SampleScope
{
	SAMPLE_WHOLE,  /* all of it */
	SAMPLE_SPREAD, /* pages from all over it */
	SAMPLE_START   /* pages that the API chose; nobody knows what is left */
} SampleScope;

extern Sample	  *sample_create(RecordCache *cache, const Settings *settings,
								 bool by_time, int limit, HttpBudget *budget);
extern bool		   sample_next(Sample *sample, SamplePage *page);
extern SampleScope sample_scope(const Sample *sample);
extern double	  *sample_unread(const Sample *sample);
extern void		   sample_end(Sample *sample);

#endif /* OPPORTUNITY_SAMPLE_H */
