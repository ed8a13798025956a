/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_pace.h
 *	  How fast requests may follow one another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_PACE_H
#define OPPORTUNITY_HTTP_PACE_H

#include "postgres.h"

/* Answers are counted by slices of time, over two seconds. */
#define HTTP_PACE_SLICES 16
#define HTTP_PACE_SLICE ((int64) 125000)

/*
 * What is known of a server's limit.  All zero to begin with: there is none.
 * Times are in microseconds, on a clock that nobody sets.
 */
typedef struct HttpPace
{
	int64 next_send;	/* nothing is to be sent before */
	bool  is_asked_for; /* by the server, as far as that is a pause */
	bool  is_probing;	/* one request at a time, until one is answered */

	double limit; /* requests per second; 0: it never complained */
	int64  reach; /* how long it takes from resumed_at to the limit */
	int64  resumed_at;
	int64  refused_at;	 /* when it complained last */
	int	   answered;	 /* answers since then */
	int	   complaints;	 /* since the last time without a limit */
	double last_answers; /* answers per second when it complained last */
	int	   burst;		 /* answers before it complained first */
	int64  burst_time;	 /* and the time in which they came */

	int64 last_send;
	int64 busy_since; /* when requests began to follow one another */
	int64 slices[HTTP_PACE_SLICES];
	int	  counts[HTTP_PACE_SLICES];
} HttpPace;

/* A request that the server refused because there were too many. */
typedef struct HttpRefusal
{
	int64 sent_at;
	int64 pause;		/* how long to wait */
	bool  is_asked_for; /* by the server; otherwise it can be shortened */
	bool  is_first;		/* that request was not refused before */
	int64 max_pause;	/* requests never are much further apart */
} HttpRefusal;

extern void http_pace_begin(HttpPace *pace, int64 now);
extern bool http_pace_is_probing(const HttpPace *pace);
extern void http_pace_sent(HttpPace *pace, int64 now);
extern void http_pace_answered(HttpPace *pace, int64 now);
extern void http_pace_take_back(HttpPace *pace, int64 when);
extern bool http_pace_refused(HttpPace *pace, const HttpRefusal *refusal,
							  int64 now);

#endif /* OPPORTUNITY_HTTP_PACE_H */
