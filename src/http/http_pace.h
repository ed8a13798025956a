/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_pace.h
 *	  Paces requests by an estimate of a server's rate limit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_PACE_H
#define OPPORTUNITY_HTTP_PACE_H

#include "postgres.h"

/*
 * Estimate of a server's limit; all zero: no limit.  Times are in microseconds
 * on the monotonic clock of http_now, rates in requests per second.
 */
typedef struct HttpPace
{
	int64  next_send;	 /* earliest time of the next request */
	bool   is_asked_for; /* the server requested the pause before it */
	bool   is_probing;	 /* one request at a time until one is accepted */
	double rate;		 /* at resumed_at; 0: no limit known */
	bool   is_doubling;	 /* no second complaint yet */
	double growth;		 /* per second, of rate; after the second complaint */
	int64  resumed_at;	 /* end of the last pause */
	int64  refused_at;	 /* time of the last complaint; 0: none */
	int64  last_send;
	int	   responded;  /* responses since the last complaint */
	int64  second;	   /* current one of the clock */
	int	   count;	   /* responses of it */
	int	   last_count; /* responses of the second before */
} HttpPace;

/* A complaint: see http_pace.c. */
typedef struct HttpRefusal
{
	int64 sent_at;
	int64 pause;		/* time to wait */
	bool  is_asked_for; /* requested by the server, so not to be shortened */
	bool  is_first;		/* first rejection of this request */
	int64 max_pause;	/* longest time between two requests */
} HttpRefusal;

extern int64 http_now(void);

extern void http_pace_begin(HttpPace *pace, int64 now);
extern void http_pace_sent(HttpPace *pace, int64 now);
extern void http_pace_responded(HttpPace *pace, int64 now);
extern void http_pace_take_back(HttpPace *pace, int64 when);
extern bool http_pace_refused(HttpPace *pace, const HttpRefusal *refusal,
							  int64 now);

#endif /* OPPORTUNITY_HTTP_PACE_H */
