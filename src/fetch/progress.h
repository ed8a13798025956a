/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * progress.h
 *	  NOTICEs about the progress of a statement that reads from the API.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PROGRESS_H
#define OPPORTUNITY_PROGRESS_H

#include "postgres.h"

#include "http/http.h"

/* State of a statement's NOTICEs; lives as long as the statement. */
typedef struct Progress
{
	HttpWatch	 watch;
	const int64 *requests;
	const int64 *records;
	int64		 started;
	int64		 noticed_at; /* time of the last NOTICE */
	int64		 noticed_records;
} Progress;

extern void		  progress_initialize(void);
extern void		  progress_start(Progress *progress, const int64 *requests,
								 const int64 *records);
extern HttpWatch *progress_watch(Progress *progress);

#endif /* OPPORTUNITY_PROGRESS_H */
