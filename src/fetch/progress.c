/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * progress.c
 *	  NOTICEs about the progress of a statement that reads from the API.
 *
 * Knows the counters of a statement, and nothing about its records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/guc.h"

#include "fetch/progress.h"

#define SECOND 1000000.0 /* in microseconds, the unit of http_now */

/* Longest interval between two NOTICEs, in seconds. */
#define MAX_INTERVAL 86400.0

static double interval = 0; /* seconds; 0: no NOTICEs */

/* Defines the setting.  Called once, when the module is loaded. */
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

/*
 * Sends a NOTICE with the counters of a statement.  The argument now is the time
 * of http_now.
 */
static void
send_notice(HttpWatch *watch, int64 now)
{
	Progress *progress = (Progress *) watch;
	int64	  records = *progress->records;
	double	  rate = (records - progress->noticed_records) * SECOND /
				  Max(now - progress->noticed_at, 1);

	progress->noticed_at = now;
	progress->noticed_records = records;

	/* A function in the query may have turned NOTICEs off. */
	watch->due =
		interval > 0 ? now + (int64) (interval * SECOND) : PG_INT64_MAX;
	ereport(NOTICE, (errmsg("reading from the API: records " INT64_FORMAT
							", requests " INT64_FORMAT
							", records per second %.0f, seconds %.1f",
							records, *progress->requests, rate,
							(now - progress->started) / SECOND)));
}

/* Starts the NOTICEs of a statement.  The counters must live as long. */
void
progress_start(Progress *progress, const int64 *requests, const int64 *records)
{
	progress->watch.tell = send_notice;
	progress->requests = requests;
	progress->records = records;
	progress->started = http_now();
	progress->noticed_at = progress->started;
	progress->noticed_records = 0;
	progress->watch.due = progress->started + (int64) (interval * SECOND);
}

/*
 * Returns the watch that sends NOTICEs while the statement waits; NULL if they
 * are turned off.
 */
HttpWatch *
progress_watch(Progress *progress)
{
	return interval > 0 ? &progress->watch : NULL;
}
