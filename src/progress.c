/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  How far a statement is, told to the client while it reads.
 *
 * Knows the counters of a statement, and nothing of what it reads.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "progress.h"

#define SECOND 1000000.0 /* in microseconds, as http_now has it */

/* The longest time between two notices, in seconds. */
#define MAX_INTERVAL 86400.0

static double interval = 0; /* seconds; 0: nothing is told */

static void tell(HttpWatch *watch, int64 now);

/* Called once, when the module is loaded. */
void
progress_initialize(void)
{
	DefineCustomRealVariable("opportunity_fdw.progress_interval",
							 "Sets the time between progress notices while a "
							 "statement reads from the API.",
							 "Zero turns the notices off.", &interval, 0, 0,
							 MAX_INTERVAL, PGC_USERSET, GUC_UNIT_S, NULL, NULL,
							 NULL);
}

/* A statement begins, whose counters these are. */
void
progress_start(Progress *progress, const int64 *requests, const int64 *records)
{
	progress->watch.tell = tell;
	progress->requests = requests;
	progress->records = records;
	progress->started = http_now();
	progress->told_at = progress->started;
	progress->told_records = 0;
	progress->watch.due = progress->started + (int64) (interval * SECOND);
}

/* Who is to look on while the statement waits; NULL: nobody. */
HttpWatch *
progress_watch(Progress *progress)
{
	return interval > 0 ? &progress->watch : NULL;
}

static void
tell(HttpWatch *watch, int64 now)
{
	Progress *progress = (Progress *) watch;
	int64	  records = *progress->records;
	double	  rate = (records - progress->told_records) * SECOND /
				  Max(now - progress->told_at, 1);

	progress->told_at = now;
	progress->told_records = records;

	/* It may have been turned off meanwhile, as by a function in a query. */
	watch->due =
		interval > 0 ? now + (int64) (interval * SECOND) : PG_INT64_MAX;
	ereport(NOTICE, (errmsg("reading from the API: records " INT64_FORMAT
							", requests " INT64_FORMAT
							", records per second %.0f, seconds %.1f",
							records, *progress->requests, rate,
							(now - progress->started) / SECOND)));
}
