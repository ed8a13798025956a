/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_pace.h
 *	  Paces requests, so that a server uses its rate limit and rarely rejects
 *	  one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_PACE_H
#define OPPORTUNITY_HTTP_PACE_H

#include "postgres.h"

/* Responses are counted by slices of time, over two seconds. */
#define HTTP_PACE_SLICES 16
#define HTTP_PACE_SLICE ((int64) 125000)

/*
 * Estimate of a server's limit; all zero: no limit.  Times are in microseconds
 * on the monotonic clock of http_now.
 */
typedef struct HttpPace
{
	int64 next_send;	/* earliest time of the next request */
	bool  is_asked_for; /* true if the server requested the pause */
	bool  is_probing;	/* one request at a time until a response */

	double limit; /* requests per second; 0: no limit known */
	int64  reach; /* time from resumed_at to the limit */
	int64  resumed_at;
	int64  refused_at;	   /* time of the last complaint */
	int	   responded;	   /* responses since then */
	int	   complaints;	   /* complaints since limit was 0 */
	double last_responses; /* responses per second at the last complaint */
	int	   burst;		   /* responses before the first complaint */
	int64  burst_time;	   /* time of these responses */

	int64 last_send;
	int64 busy_since; /* start of a series of requests */
	int64 slices[HTTP_PACE_SLICES];
	int	  counts[HTTP_PACE_SLICES];
} HttpPace;

/* A complaint: the server rejected a request as one too many. */
typedef struct HttpRefusal
{
	int64 sent_at;
	int64 pause;		/* time to wait */
	bool  is_asked_for; /* requested by the server, so not to be shortened */
	bool  is_first;		/* first rejection of this request */
	int64 max_pause;	/* longest time between two requests */
} HttpRefusal;

extern void http_pace_begin(HttpPace *pace, int64 now);
extern bool http_pace_is_probing(const HttpPace *pace);
extern void http_pace_sent(HttpPace *pace, int64 now);
extern void http_pace_responded(HttpPace *pace, int64 now);
extern void http_pace_take_back(HttpPace *pace, int64 when);
extern bool http_pace_refused(HttpPace *pace, const HttpRefusal *refusal,
							  int64 now);

#endif /* OPPORTUNITY_HTTP_PACE_H */
