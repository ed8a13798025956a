/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_pace.c
 *	  Paces requests, so that a server uses its rate limit and rarely rejects
 *	  one.
 *
 * A server does not publish its limit; it only rejects a request as one too
 * many now and then, which is called a complaint here.  The limit is therefore
 * estimated from the responses before the complaint.  Requests resume somewhat
 * below the limit, and the pace rises until the next complaint.  It rises like
 * the window of TCP's CUBIC (RFC 9438): steeply far below the limit and slowly
 * near it.  Above the limit it is steep again, because the estimate must have
 * been too low.
 *
 *	  pace
 *		^								   /
 *		|								  /
 *	  limit - - - - - - - - - - - __------'
 *		|					  .-'
 *	  nine tenths _ _ _ _ _ _ /
 *		+---------------------+----------+-----> time
 *						   resumed	 + reach
 *
 * reach is the time from the resumption to the limit.  It depends on the
 * quality of the estimate and on the cost of an error.  The first complaint
 * says little.  A server that accepts fifty requests a second may reject the
 * second of two simultaneous ones.  The first reach is therefore a quarter of a
 * second; it grows with each complaint to a second or more.
 *
 * If the server requests a pause with each complaint, complaints are expensive,
 * and the second one should be the last.  Such a server is modelled as a leaky
 * bucket, which each request fills and time empties.  Its size follows from the
 * requests before the first complaint, and the estimate is the rate at which it
 * would have just overflowed.
 *
 * Must not know HTTP, only a clock and the times of requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "http/http_pace.h"

#define SECOND 1000000 /* in microseconds, like all times here */

/* Fraction of the limit by which the pace drops at a complaint. */
#define PACE_DIP 0.1

/* Smallest first estimate of a limit. */
#define PACE_FIRST_LIMIT 8 /* requests per second */

/* Factors for a rejected pace, and for one that was nearly right. */
#define PACE_CUT 0.85
#define PACE_SMALL_CUT 0.97

/*
 * Upper bound of the pace as a multiple of the responses per second.  On the
 * steepest rise, a second's responses are about a quarter of the final pace.
 */
#define PACE_PER_RESPONSE 5

/*
 * Factors for a bucket's rate, and for the responses of the last second, during
 * which the bucket may have been filling.
 */
#define PACE_BUCKET_CUT 0.95
#define PACE_BUCKET_RESPONSES 0.85

/* Steps in the simulation of a bucket, and in the bisection for its rate. */
#define PACE_BUCKET_STEPS 64
#define PACE_BUCKET_TRIES 20

/* Relative difference up to which two rates count as equal. */
#define PACE_TOLERANCE 0.2

/*
 * Time and responses since a complaint from which on the next one is
 * informative.
 */
#define PACE_TELLING_TIME (SECOND / 2)
#define PACE_TELLING_RESPONSES 4

/*
 * reach grows fourfold with each complaint, up to the time of ten requests, but
 * to between 1 and 2.5 seconds.  is_early may shorten it.  If the server
 * requests a pause, reach is ten times the pause from the second complaint on.
 */
#define PACE_FIRST_REACH (SECOND / 4)
#define PACE_FIRST_REACH_ASKED (SECOND / 6)
#define PACE_REACH_FACTOR 4
#define PACE_REACH_EARLY (SECOND / 10)
#define PACE_REACH_REQUESTS 10
#define PACE_REACH_MIN (1 * SECOND)
#define PACE_REACH_MAX (5 * SECOND / 2)
#define PACE_REACH_PAUSES 10

/* Longest pause of our own for a server that responded recently. */
#define PACE_LONGEST_OWN_PAUSE (1 * SECOND)

/* Time without a complaint after which the estimate is cleared. */
#define PACE_FORGIVE_AFTER (60 * (int64) SECOND)

/*
 * Idle time after which the estimate is cleared.  The next requests may be
 * treated differently, and a complaint costs less than a session that stays
 * slow.
 */
#define PACE_QUIET_TIME (2 * (int64) SECOND)

/*
 * Shortest time over which responses per second are computed.  A server that
 * accepts a burst need not accept it twice a second.
 */
#define PACE_SHORTEST_SPAN SECOND

static double pace_at(const HttpPace *pace, int64 now);
static double response_rate(const HttpPace *pace, int64 now);
static void	  estimate(HttpPace *pace, const HttpRefusal *refusal, int64 now);
static bool	  is_borne_out(const HttpPace *pace, double responses, int64 now);
static double bucket_rate(const HttpPace *pace, const HttpRefusal *refusal);
static bool	  overflows(const HttpPace *pace, const HttpRefusal *refusal,
						double rate);
static bool	  is_early(const HttpPace *pace, int64 now);
static bool	  are_near(double one, double other);
static void	  note_burst(HttpPace *pace, int64 now);
static int64  oldest_response(int64 now);
static int	  responses_since(const HttpPace *pace, int64 slice);
static int64  longest_reach(const HttpPace *pace, const HttpRefusal *refusal);
static void	  wait_until(HttpPace *pace, int64 time, bool is_asked_for);
static void	  forget(HttpPace *pace);

/*
 * Prepares for requests after the pool was empty.  Ends a pause that the server
 * did not request, because it was made for requests that are gone.
 */
void
http_pace_begin(HttpPace *pace, int64 now)
{
	if (!pace->is_asked_for && now - pace->last_send > PACE_QUIET_TIME)
		forget(pace);
	if (pace->resumed_at > now && !pace->is_asked_for)
		pace->next_send = pace->resumed_at = pace->last_send;
}

/*
 * Returns true if only one request at a time may be sent.  The server rejects
 * all of them, and one shows when that ends.
 */
bool
http_pace_is_probing(const HttpPace *pace)
{
	return pace->is_probing;
}

/* Notes that a request is sent, and sets the earliest time of the next one. */
void
http_pace_sent(HttpPace *pace, int64 now)
{
	double rate;

	if (now - pace->last_send > PACE_QUIET_TIME)
		pace->busy_since = now;
	if (now - Max(pace->last_send, pace->next_send) > PACE_QUIET_TIME)
		forget(pace);
	pace->last_send = now;
	rate = pace_at(pace, now);

	/*
	 * A late call is not made up for, because some servers reject a request
	 * that follows another one too closely.
	 */
	if (rate > 0)
		pace->next_send = now + (int64) (SECOND / rate);
}

/* Notes a response that is not a complaint. */
void
http_pace_responded(HttpPace *pace, int64 now)
{
	int64 slice = now / HTTP_PACE_SLICE;
	int	  slot = slice % HTTP_PACE_SLICES;

	if (pace->slices[slot] != slice)
		pace->counts[slot] = 0;
	pace->slices[slot] = slice;
	pace->counts[slot]++;
	pace->responded++;
	pace->is_probing = false;

	/* It was in flight when another one was rejected. */
	if (pace->complaints == 1 && now < pace->resumed_at)
		pace->burst++;
	if (now - pace->refused_at > PACE_FORGIVE_AFTER)
		forget(pace);
}

/*
 * Reverts http_pace_responded for a response that turned out to be a complaint.
 * when: the time of that call.
 */
void
http_pace_take_back(HttpPace *pace, int64 when)
{
	int64 slice = when / HTTP_PACE_SLICE;
	int	  slot = slice % HTTP_PACE_SLICES;

	if (pace->slices[slot] == slice && pace->counts[slot] > 0)
		pace->counts[slot]--;
	if (pace->responded > 0)
		pace->responded--;
}

/* Clears the estimate. */
static void
forget(HttpPace *pace)
{
	pace->limit = 0;
	pace->complaints = 0;
	pace->is_probing = false;
}

/*
 * Notes a complaint: pauses the requests, and limits the following ones.
 *
 * Several requests that were in flight together may be rejected.  Only the
 * first complaint changes the estimate; the others can only lengthen a pause
 * that the server requests.  A complaint before any other response starts
 * probing.  A probe that is rejected does not change the estimate.
 *
 * Returns true if the refusal's pause applies unshortened.
 */
bool
http_pace_refused(HttpPace *pace, const HttpRefusal *refusal, int64 now)
{
	int64  pause = refusal->pause;
	double responses;

	if (refusal->sent_at <= pace->refused_at)
	{
		if (refusal->is_asked_for)
			wait_until(pace, now + pause, true);
		return refusal->is_asked_for;
	}

	responses = response_rate(pace, now);
	if (!pace->is_probing)
		estimate(pace, refusal, now);
	pace->is_probing = pace->complaints > 0 && pace->responded == 0;
	pace->refused_at = now;
	pace->responded = 0;
	pace->complaints++;

	/*
	 * A server that just responded to others is neither down nor overloaded.
	 * The time of one request at the new pace is enough.  If the same request
	 * is rejected again, it is up to a second, because many servers count by
	 * the second.
	 */
	if (!refusal->is_asked_for && responses > 0)
	{
		if (refusal->is_first)
			pause =
				Min(pause, (int64) (SECOND / (pace->limit * (1 - PACE_DIP))));
		pause = Min(pause, PACE_LONGEST_OWN_PAUSE);
	}
	wait_until(pace, now + pause, refusal->is_asked_for);
	return pause == refusal->pause;
}

/* Postpones requests to a time, from which on the pace rises again. */
static void
wait_until(HttpPace *pace, int64 time, bool is_asked_for)
{
	if (time > pace->next_send)
	{
		pace->next_send = time;
		pace->is_asked_for = is_asked_for;
	}
	pace->resumed_at = pace->next_send;
}

/* Returns the requests per second that are allowed at a time; 0: no limit. */
static double
pace_at(const HttpPace *pace, int64 now)
{
	double since = Max(now - pace->resumed_at, 0);
	double x;

	if (pace->limit == 0)
		return 0;
	x = (since - pace->reach) / pace->reach;
	return pace->limit * (1 + PACE_DIP * x * x * x);
}

/*
 * Estimates limit and reach again, from the previous limit, the rejected pace
 * and the responses per second before the complaint.
 *
 * A pace was not much too high if nearly as many responses arrived; otherwise
 * it is cut by more.  A pace far above the responses was never tried, because
 * there were too few requests.
 *
 * If the server requests pauses, complaints must be rare.  The limit is then
 * the responses per second, provided that they confirm the previous limit or
 * repeat the previous complaint's.  A server that counts by the second behaves
 * like that.  Otherwise the limit is the rate of a bucket.
 */
static void
estimate(HttpPace *pace, const HttpRefusal *refusal, int64 now)
{
	double responses = response_rate(pace, now);
	double refused = pace_at(pace, now);

	if (pace->limit == 0)
	{
		pace->limit = Max(responses, PACE_FIRST_LIMIT);
		pace->reach =
			refusal->is_asked_for ? PACE_FIRST_REACH_ASKED : PACE_FIRST_REACH;
		note_burst(pace, now);
	}
	else if (refusal->is_asked_for && is_borne_out(pace, responses, now))
	{
		pace->limit = responses;
		pace->reach = PACE_FORGIVE_AFTER;
	}
	else if (refusal->is_asked_for)
	{
		refused = Min(bucket_rate(pace, refusal),
					  Max(pace->limit, PACE_PER_RESPONSE * responses));
		pace->limit =
			Max(PACE_BUCKET_CUT * refused, PACE_BUCKET_RESPONSES * responses);
		pace->reach = PACE_REACH_PAUSES * refusal->pause;
	}
	else
	{
		refused = Min(refused, Max(pace->limit, PACE_PER_RESPONSE * responses));
		refused *= are_near(refused, responses) ? PACE_SMALL_CUT : PACE_CUT;
		pace->limit = Max(responses, refused);
		if (is_early(pace, now))
			pace->reach = Max(pace->reach / 2, PACE_REACH_EARLY);
		else
			pace->reach *= PACE_REACH_FACTOR;
	}
	pace->limit =
		Max(pace->limit, (double) SECOND / Max(refusal->max_pause, 1));
	pace->reach = Min(pace->reach, longest_reach(pace, refusal));
	pace->last_responses = responses;
}

/* Returns true if the recent responses confirm an earlier estimate. */
static bool
is_borne_out(const HttpPace *pace, double responses, int64 now)
{
	if (pace->responded < PACE_TELLING_RESPONSES)
		return false;
	if (now - pace->resumed_at < PACE_TELLING_TIME)
		return are_near(pace->responded, pace->burst);
	return (pace->complaints > 1 && are_near(responses, pace->limit)) ||
		   are_near(responses, pace->last_responses);
}

/* Notes the responses before the first complaint, and their time. */
static void
note_burst(HttpPace *pace, int64 now)
{
	int64 start = Max(pace->busy_since, oldest_response(now)) / HTTP_PACE_SLICE;

	pace->burst = responses_since(pace, start);
	pace->burst_time = now - Max(pace->busy_since, start * HTTP_PACE_SLICE);
}

/*
 * Returns the highest rate per second at which a bucket would have overflowed
 * with the rejected request.
 */
static double
bucket_rate(const HttpPace *pace, const HttpRefusal *refusal)
{
	double low = 0;
	double high = pace_at(pace, refusal->sent_at);

	for (int i = 0; i < PACE_BUCKET_TRIES; i++)
	{
		double middle = (low + high) / 2;

		if (overflows(pace, refusal, middle))
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * Returns true if a bucket that loses rate requests per second has no room for
 * the rejected one.  It was full at the last complaint, and then filled at the
 * pace.
 */
static bool
overflows(const HttpPace *pace, const HttpRefusal *refusal, double rate)
{
	double pause = Max(pace->resumed_at - pace->refused_at, 0);
	double since = Max(refusal->sent_at - pace->resumed_at, 0);
	double step = since / PACE_BUCKET_STEPS;
	double size = Max(pace->burst - rate * pace->burst_time / SECOND, 1);
	double level = Max(size - rate * pause / SECOND, 0);

	for (int i = 0; i < PACE_BUCKET_STEPS; i++)
	{
		int64 time = pace->resumed_at + (int64) (step * (i + 0.5));

		level += (pace_at(pace, time) - rate) * step / SECOND;
		level = Max(level, 0);
	}
	return level + 1 > size;
}

/*
 * Returns true if a pace below the limit was rejected after others had
 * succeeded at it.  A lower pace may not prevent that, for example if delayed
 * requests arrive together.  The caller then shortens reach, so that such
 * accidents do not lower the pace further and further.
 */
static bool
is_early(const HttpPace *pace, int64 now)
{
	return now - pace->resumed_at < pace->reach &&
		   pace->responded >= PACE_TELLING_RESPONSES;
}

static bool
are_near(double one, double other)
{
	return fabs(one - other) <= PACE_TOLERANCE * Min(one, other);
}

/* Returns the maximum of reach for a well-known limit. */
static int64
longest_reach(const HttpPace *pace, const HttpRefusal *refusal)
{
	int64 reach = (int64) (PACE_REACH_REQUESTS * SECOND / pace->limit);

	reach = Max(PACE_REACH_MIN, Min(reach, PACE_REACH_MAX));
	if (refusal->is_asked_for)
		reach = Max(reach, PACE_REACH_PAUSES * refusal->pause);
	return Min(reach, PACE_FORGIVE_AFTER);
}

/* Returns the recent responses per second.  A pause does not count as time. */
static double
response_rate(const HttpPace *pace, int64 now)
{
	int64 oldest =
		Max(oldest_response(now), Max(pace->resumed_at, pace->busy_since));
	int64 start = Min(oldest, now - PACE_SHORTEST_SPAN) / HTTP_PACE_SLICE;

	return responses_since(pace, start) * (double) SECOND /
		   (now - start * HTTP_PACE_SLICE);
}

/* Returns the start of the time in which responses are counted. */
static int64
oldest_response(int64 now)
{
	return now - (HTTP_PACE_SLICES - 1) * HTTP_PACE_SLICE;
}

/* Returns the number of counted responses since a slice of time. */
static int
responses_since(const HttpPace *pace, int64 slice)
{
	int count = 0;

	for (int slot = 0; slot < HTTP_PACE_SLICES; slot++)
	{
		if (pace->slices[slot] >= slice)
			count += pace->counts[slot];
	}
	return count;
}
