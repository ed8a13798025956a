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

#include "fetch/statement.h"

/* Limit of the requests, and so of the pages, of a sample. */
#define SAMPLE_MAX_REQUESTS 50

/* Sample of a table, and its progress. */
typedef struct Sample Sample;

extern Sample *sample_create(RecordSource *records, const Settings *settings,
							 bool by_time);
extern const RecordPage *sample_next(Sample *sample);
extern bool				 sample_estimate(const Sample *sample, double *unread);

#endif /* OPPORTUNITY_SAMPLE_H */
