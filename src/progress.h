/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  How far a statement is, told to the client while it reads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PROGRESS_H
#define OPPORTUNITY_PROGRESS_H

#include "postgres.h"

#include "http.h"

/* What is told of a statement; lives as long as it. */
typedef struct Progress
{
	HttpWatch	 watch;
	const int64 *requests;
	const int64 *records;
	int64		 started;
	int64		 told_at;
	int64		 told_records;
} Progress;

extern void		  progress_initialize(void);
extern void		  progress_start(Progress *progress, const int64 *requests,
								 const int64 *records);
extern HttpWatch *progress_watch(Progress *progress);

#endif /* OPPORTUNITY_PROGRESS_H */
