/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_pace.c
 *	  Paces requests by an estimate of a server's rate limit.
 *
 * A server does not publish its limit; it rejects a request as one too many
 * now and then, which is called a complaint here.  The rate of requests
 * follows AIMD, as in TCP: it grows linearly until a complaint, and then drops
 * to a fraction.  It grows more slowly if each complaint costs a pause that
 * the server requests.
 *
 * The first complaint says little, because a server that accepts fifty
 * requests a second may reject the second of two simultaneous ones.  Until the
 * second complaint, the rate therefore doubles again and again, as in TCP's
 * slow start.
 *
 * bench/throttle measures the result against ten kinds of servers.  Must not
 * know HTTP, only a clock and the times of requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>
#include <time.h>

#include "http/http_pace.h"

#define SECOND ((int64) 1000000) /* in microseconds, like all times here */

/* Smallest first estimate of a limit, in requests per second. */
#define PACE_FIRST_RATE 8

/* Time, in seconds, in which the rate doubles after the first complaint. */
#define PACE_DOUBLING_TIME 0.4

/* Growth per second; with pauses that the server requests, per pause. */
#define PACE_GROWTH 0.03
#define PACE_GROWTH_PAUSED 0.005

/* Factors for a rejected rate, and for the responses before the complaint. */
#define PACE_CUT 0.75
#define PACE_RESPONSES_CUT 0.95

/* A rate above this multiple of the responses was never tried. */
#define PACE_TRIED_PER_RESPONSE 6

/* Longest pause of our own for a server that responded recently. */
#define PACE_LONGEST_OWN_PAUSE SECOND

/* Time without a complaint after which the estimate is cleared. */
#define PACE_FORGIVE_AFTER (60 * SECOND)

/*
 * Idle time after which the estimate is cleared, because a complaint costs less
 * than a session that stays slow.
 */
#define PACE_QUIET_TIME (2 * SECOND)

/* Returns the time in microseconds, on the monotonic clock. */
int64
http_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64) time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Clears the estimate: requests are unlimited until the next complaint. */
static void
pace_forget(HttpPace *pace)
{
	pace->rate = 0;
	pace->refused_at = 0;
	pace->is_probing = false;
}

/* Returns the requests per second that are allowed at a time; 0: no limit. */
static double
pace_at(const HttpPace *pace, int64 now)
{
	double seconds = Max(now - pace->resumed_at, 0) / (double) SECOND;

	/* exp2 becomes infinite after minutes, and 0 times infinity is a NaN. */
	if (pace->rate == 0)
		return 0;
	if (pace->is_doubling)
		return pace->rate * exp2(seconds / PACE_DOUBLING_TIME);
	return pace->rate * (1 + pace->growth * seconds);
}

/* Begins a new second of the clock if the last one is over. */
static void
pace_turn_second(HttpPace *pace, int64 now)
{
	int64 second = now / SECOND;

	if (second == pace->second)
		return;
	pace->last_count = second == pace->second + 1 ? pace->count : 0;
	pace->count = 0;
	pace->second = second;
}

/*
 * Returns the number of responses during the last second.  The responses of the
 * clock's previous second count in part, as if they had been evenly spread.
 */
static double
pace_responses(HttpPace *pace, int64 now)
{
	pace_turn_second(pace, now);
	return pace->count +
		   pace->last_count * (1 - now % SECOND / (double) SECOND);
}

/* Postpones requests to a time, from which on the rate grows again. */
static void
pace_wait_until(HttpPace *pace, int64 time, bool is_asked_for)
{
	if (time > pace->next_send)
	{
		pace->next_send = time;
		pace->is_asked_for = is_asked_for;
	}
	pace->resumed_at = pace->next_send;
}

/*
 * Prepares for requests after the pool was empty.  Ends a pause that the server
 * did not request, because it was made for requests that are gone.
 */
void
http_pace_begin(HttpPace *pace, int64 now)
{
	if (!pace->is_asked_for && now - pace->last_send > PACE_QUIET_TIME)
		pace_forget(pace);
	if (pace->resumed_at > now && !pace->is_asked_for)
		pace->next_send = pace->resumed_at = pace->last_send;
}

/*
 * Notes that a request is sent, and sets the earliest time of the next one.  A
 * late call is not made up for, because some servers reject a request that
 * follows another one too closely.
 */
void
http_pace_sent(HttpPace *pace, int64 now)
{
	if (now - Max(pace->last_send, pace->next_send) > PACE_QUIET_TIME)
		pace_forget(pace);
	pace->last_send = now;
	if (pace->rate > 0)
		pace->next_send = now + (int64) (SECOND / pace_at(pace, now));
}

/* Notes a response that is not a complaint, of any status. */
void
http_pace_responded(HttpPace *pace, int64 now)
{
	pace_turn_second(pace, now);
	pace->count++;
	pace->responded++;
	pace->is_probing = false;
	if (now - pace->refused_at > PACE_FORGIVE_AFTER)
		pace_forget(pace);
}

/* Reverts http_pace_responded, called at when, for a complaint. */
void
http_pace_take_back(HttpPace *pace, int64 when)
{
	if (when / SECOND == pace->second && pace->count > 0)
		pace->count--;
	else if (when / SECOND == pace->second - 1 && pace->last_count > 0)
		pace->last_count--;
	if (pace->responded > 0)
		pace->responded--;
}

/*
 * Estimates the limit from the rate at which the rejected request was sent and
 * the responses per second before.  Except in the first second after a pause, a
 * rate far above the responses and the last estimate was never tried.
 */
static void
pace_estimate(HttpPace *pace, const HttpRefusal *refusal, double responses)
{
	double rate = pace_at(pace, refusal->sent_at);
	double tried = rate;

	if (refusal->sent_at - pace->resumed_at > SECOND)
		tried = Min(rate, Max(pace->rate, PACE_TRIED_PER_RESPONSE * responses));
	pace->is_doubling = rate == 0;
	pace->rate = rate == 0 ? Max(responses, PACE_FIRST_RATE)
						   : Max(PACE_RESPONSES_CUT * Min(responses, rate),
								 PACE_CUT * tried);
	pace->rate = Max(pace->rate, SECOND / (double) Max(refusal->max_pause, 1));
	pace->growth = PACE_GROWTH;
	if (refusal->is_asked_for)
		pace->growth =
			PACE_GROWTH_PAUSED * SECOND / Max(refusal->pause, SECOND);
}

/*
 * Notes a complaint: pauses the requests, and limits the following ones.  Returns
 * true if the refusal's pause applies unshortened.
 *
 * Of requests that were in flight together, only the first complaint changes the
 * estimate; the others can only lengthen a pause that the server requests.  A
 * complaint before any other response starts probing.  A probe that is rejected
 * does not change the estimate.
 */
bool
http_pace_refused(HttpPace *pace, const HttpRefusal *refusal, int64 now)
{
	int64  pause = refusal->pause;
	double responses;

	if (refusal->sent_at <= pace->refused_at)
	{
		if (refusal->is_asked_for)
			pace_wait_until(pace, now + pause, true);
		return refusal->is_asked_for;
	}

	responses = pace_responses(pace, now);
	if (!pace->is_probing)
		pace_estimate(pace, refusal, responses);
	pace->is_probing = pace->refused_at > 0 && pace->responded == 0;
	pace->refused_at = now;
	pace->responded = 0;

	/*
	 * A server that just responded to others is not overloaded: pause for one
	 * request at the new rate.  If the same request is rejected again, pause
	 * up to a second, because many servers count by the second.
	 */
	if (!refusal->is_asked_for && responses > 0)
	{
		if (refusal->is_first)
			pause = Min(pause, (int64) (SECOND / pace->rate));
		pause = Min(pause, PACE_LONGEST_OWN_PAUSE);
	}
	pace_wait_until(pace, now + pause, refusal->is_asked_for);
	return pause == refusal->pause;
}
