/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * sample.h
 *	  A sample of a table's pages, and an estimate of the number of unread
 *	  records.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SAMPLE_H
#define OPPORTUNITY_SAMPLE_H

#include "postgres.h"

#include "fetch/record_cache.h"

/* Sample of a table, and its progress. */
typedef struct Sample Sample;

/* Records of a page that no earlier page had. */
typedef struct SamplePage
{
	int		 number; /* index of the page, from 0 */
	int		 count;
	Record **records;
} SamplePage;

/* Coverage of the table by the sample. */
typedef enum SampleScope
{
	SAMPLE_WHOLE,  /* all records */
	SAMPLE_SPREAD, /* pages from the whole range of created_at */
	SAMPLE_START   /* first pages in the API's order; the number of unread
				    * records is unknown */
} SampleScope;

extern Sample	  *sample_create(RecordCache *cache, const Settings *settings,
								 bool by_time, int limit, HttpBudget *budget);
extern bool		   sample_next(Sample *sample, SamplePage *page);
extern SampleScope sample_scope(const Sample *sample);
extern double	  *sample_unread(const Sample *sample);
extern void		   sample_end(Sample *sample);

#endif /* OPPORTUNITY_SAMPLE_H */
