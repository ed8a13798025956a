/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_pace.c
 *	  How fast requests may follow one another, so that a server which counts
 *	  them is used well and hardly ever has to refuse one.
 *
 * A server says nothing of its limit but "too many", now and then.  So the limit
 * is estimated from what it answered before it said so, the requests that follow
 * start somewhat below that, and come faster as long as there is no complaint.
 * The way up is that of TCP's CUBIC: steep while far below the limit, flat near
 * it, and steep again beyond, where the limit must have been thought too low.
 *
 *	  pace
 *	    ^                                   /
 *	    |                                  /
 *	  limit - - - - - - - - - - - __------'
 *	    |                      .-'
 *	  nine tenths _ _ _ _ _ _ /
 *	    +---------------------+----------+-----> time
 *	                       resumed     + reach
 *
 * How long it takes to be back at the limit is a matter of how well the limit is
 * known, and of what it costs to be wrong.  The first complaint tells little: a
 * server that takes fifty requests a second may refuse the second of two that
 * come at once.  So reach is a quarter of a second then, and grows with each
 * complaint to a second or more.
 *
 * Where the server asks for a pause each time, a complaint costs that much, and
 * the second one should be the last.  Such a server is taken for a bucket, which
 * every request fills and time empties, and whose size is known from what it took
 * before the first complaint: at which rate would it have overflowed just now?
 *
 * Knows a clock and the times of requests, and nothing of HTTP.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "http_pace.h"

#define SECOND 1000000 /* in microseconds, as all times here */

/* The first requests after a complaint come at nine tenths of the limit. */
#define PACE_DIP 0.1

/* What a server that has just refused some of the first is taken to manage. */
#define PACE_FIRST_LIMIT 8 /* requests per second */

/* What is left of a pace that was refused; and of one that was nearly right. */
#define PACE_CUT 0.85
#define PACE_SMALL_CUT 0.97

/*
 * How fast it can have been at most, in answers per second: on the steepest way
 * up, the answers of a second are about a quarter of the pace at its end.
 */
#define PACE_PER_ANSWER 5

/*
 * What is kept of a bucket's rate, and of the answers of the last second, in which
 * it may have been filled.
 */
#define PACE_BUCKET_CUT 0.95
#define PACE_BUCKET_ANSWERS 0.85

/* In how many steps a bucket is filled, and how often its rate is halved in on. */
#define PACE_BUCKET_STEPS 64
#define PACE_BUCKET_TRIES 20

/* How near to each other two rates are that may well be the same. */
#define PACE_TOLERANCE 0.2

/* How much must have happened since a complaint for the next one to tell. */
#define PACE_TELLING_TIME (SECOND / 2)
#define PACE_TELLING_ANSWERS 4

/*
 * reach grows fourfold from complaint to complaint, up to the time of ten requests,
 * though to no less than one second and no more than two and a half.  It may become
 * shorter, see is_early.  Where the server asks for a pause, it is ten times that
 * from the second complaint on.
 */
#define PACE_FIRST_REACH (SECOND / 4)
#define PACE_FIRST_REACH_ASKED (SECOND / 6)
#define PACE_REACH_FACTOR 4
#define PACE_REACH_EARLY (SECOND / 10)
#define PACE_REACH_REQUESTS 10
#define PACE_REACH_MIN (1 * SECOND)
#define PACE_REACH_MAX (5 * SECOND / 2)
#define PACE_REACH_PAUSES 10

/* A server that answered lately is asked again after that long. */
#define PACE_LONGEST_OWN_PAUSE (1 * SECOND)

/* Without a complaint for that long, a server is as fast as it ever was. */
#define PACE_FORGIVE_AFTER (60 * (int64) SECOND)

/*
 * When nothing was sent for that long, other requests may be taken otherwise, and
 * one complaint is less than a session that stays slow.
 */
#define PACE_QUIET_TIME (2 * (int64) SECOND)

/* What a server takes at once, it is not taken to take twice a second. */
#define PACE_SHORTEST_SPAN SECOND

static double pace_at(const HttpPace *pace, int64 now);
static double answer_rate(const HttpPace *pace, int64 now);
static void	  estimate(HttpPace *pace, const HttpRefusal *refusal, int64 now);
static bool	  is_borne_out(const HttpPace *pace, double answers, int64 now);
static double bucket_rate(const HttpPace *pace, const HttpRefusal *refusal);
static bool	  overflows(const HttpPace *pace, const HttpRefusal *refusal,
						double rate);
static bool	  is_early(const HttpPace *pace, int64 now);
static bool	  are_near(double one, double other);
static void	  note_burst(HttpPace *pace, int64 now);
static int64  oldest_answer(int64 now);
static int	  answers_since(const HttpPace *pace, int64 slice);
static int64  longest_reach(const HttpPace *pace, const HttpRefusal *refusal);
static void	  wait_until(HttpPace *pace, int64 time, bool is_asked_for);
static void	  forget(HttpPace *pace);

/*
 * There is something to send again after a time without.  A pause that the server
 * did not ask for was made for requests that are gone: it ends where it began.
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
 * Whether one request is to be sent at a time: the server refuses all, and one is
 * enough to learn when that is over.
 */
bool
http_pace_is_probing(const HttpPace *pace)
{
	return pace->is_probing;
}

/* A request goes out: the next one may follow when the pace allows it. */
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
	 * What is lost by being called late is not made good: there are servers that
	 * refuse any request that comes too soon after another.
	 */
	if (rate > 0)
		pace->next_send = now + (int64) (SECOND / rate);
}

/* The server has answered a request, and not with a complaint. */
void
http_pace_answered(HttpPace *pace, int64 now)
{
	int64 slice = now / HTTP_PACE_SLICE;
	int	  slot = slice % HTTP_PACE_SLICES;

	if (pace->slices[slot] != slice)
		pace->counts[slot] = 0;
	pace->slices[slot] = slice;
	pace->counts[slot]++;
	pace->answered++;
	pace->is_probing = false;

	/* It was on its way when another one was too many. */
	if (pace->complaints == 1 && now < pace->resumed_at)
		pace->burst++;
	if (now - pace->refused_at > PACE_FORGIVE_AFTER)
		forget(pace);
}

/* The answer that came then turned out to be a complaint. */
void
http_pace_take_back(HttpPace *pace, int64 when)
{
	int64 slice = when / HTTP_PACE_SLICE;
	int	  slot = slice % HTTP_PACE_SLICES;

	if (pace->slices[slot] == slice && pace->counts[slot] > 0)
		pace->counts[slot]--;
	if (pace->answered > 0)
		pace->answered--;
}

/* What was learned of the server is of no more use. */
static void
forget(HttpPace *pace)
{
	pace->limit = 0;
	pace->complaints = 0;
	pace->is_probing = false;
}

/*
 * The server has refused a request because there were too many: nothing is sent
 * for a while, and what follows keeps to a limit.
 *
 * Of requests that were on their way together, many may be refused.  The first
 * one tells all; of the others, only a pause that the server asks for matters.
 * One that is refused before any other was answered is the beginning of probing,
 * and a probe that is refused tells nothing of the limit.
 *
 * Returns whether the refusal's pause is made as it is.
 */
bool
http_pace_refused(HttpPace *pace, const HttpRefusal *refusal, int64 now)
{
	int64  pause = refusal->pause;
	double answers;

	if (refusal->sent_at <= pace->refused_at)
	{
		if (refusal->is_asked_for)
			wait_until(pace, now + pause, true);
		return refusal->is_asked_for;
	}

	answers = answer_rate(pace, now);
	if (!pace->is_probing)
		estimate(pace, refusal, now);
	pace->is_probing = pace->complaints > 0 && pace->answered == 0;
	pace->refused_at = now;
	pace->answered = 0;
	pace->complaints++;

	/*
	 * A server that has just answered others is neither down nor overrun: the
	 * time of one request at the new pace will do, or, where the same request
	 * is refused again, a second, after which many servers count anew.
	 */
	if (!refusal->is_asked_for && answers > 0)
	{
		if (refusal->is_first)
			pause =
				Min(pause, (int64) (SECOND / (pace->limit * (1 - PACE_DIP))));
		pause = Min(pause, PACE_LONGEST_OWN_PAUSE);
	}
	wait_until(pace, now + pause, refusal->is_asked_for);
	return pause == refusal->pause;
}

/* Nothing is sent before that time, from which on the pace rises again. */
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

/* Requests per second that may be sent; 0: any number. */
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
 * Estimates the limit anew.  Three things are known: the limit as it was thought
 * to be, the pace that was refused, and how many answers there were before that.
 *
 * A pace cannot have been much too fast if nearly as many requests were answered;
 * otherwise more of it is cut away.  A pace far above the answers was never tried,
 * for want of requests.
 *
 * Where the server asks for pauses, refusals are to be rare: then the answers alone
 * count as soon as they bear out the limit, or what they were last time, as they do
 * where requests are counted by the second; and otherwise a bucket's rate.
 */
static void
estimate(HttpPace *pace, const HttpRefusal *refusal, int64 now)
{
	double answers = answer_rate(pace, now);
	double refused = pace_at(pace, now);

	if (pace->limit == 0)
	{
		pace->limit = Max(answers, PACE_FIRST_LIMIT);
		pace->reach =
			refusal->is_asked_for ? PACE_FIRST_REACH_ASKED : PACE_FIRST_REACH;
		note_burst(pace, now);
	}
	else if (refusal->is_asked_for && is_borne_out(pace, answers, now))
	{
		pace->limit = answers;
		pace->reach = PACE_FORGIVE_AFTER;
	}
	else if (refusal->is_asked_for)
	{
		refused = Min(bucket_rate(pace, refusal),
					  Max(pace->limit, PACE_PER_ANSWER * answers));
		pace->limit =
			Max(PACE_BUCKET_CUT * refused, PACE_BUCKET_ANSWERS * answers);
		pace->reach = PACE_REACH_PAUSES * refusal->pause;
	}
	else
	{
		refused = Min(refused, Max(pace->limit, PACE_PER_ANSWER * answers));
		refused *= are_near(refused, answers) ? PACE_SMALL_CUT : PACE_CUT;
		pace->limit = Max(answers, refused);
		if (is_early(pace, now))
			pace->reach = Max(pace->reach / 2, PACE_REACH_EARLY);
		else
			pace->reach *= PACE_REACH_FACTOR;
	}
	pace->limit =
		Max(pace->limit, (double) SECOND / Max(refusal->max_pause, 1));
	pace->reach = Min(pace->reach, longest_reach(pace, refusal));
	pace->last_answers = answers;
}

/* Whether the answers of late are what they were expected to be. */
static bool
is_borne_out(const HttpPace *pace, double answers, int64 now)
{
	if (pace->answered < PACE_TELLING_ANSWERS)
		return false;
	if (now - pace->resumed_at < PACE_TELLING_TIME)
		return are_near(pace->answered, pace->burst);
	return (pace->complaints > 1 && are_near(answers, pace->limit)) ||
		   are_near(answers, pace->last_answers);
}

/* What the server took before its first complaint. */
static void
note_burst(HttpPace *pace, int64 now)
{
	int64 start = Max(pace->busy_since, oldest_answer(now)) / HTTP_PACE_SLICE;

	pace->burst = answers_since(pace, start);
	pace->burst_time = now - Max(pace->busy_since, start * HTTP_PACE_SLICE);
}

/* The rate, per second, at which a bucket would have overflowed just now. */
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
 * Whether a bucket that loses so much per second has no room for one more, when it
 * was full at the last complaint, and then requests came at the pace.
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
 * Whether a pace below the limit was refused, though it had been fine for others.
 * No lower pace may avoid that, as when requests are delayed on their way and come
 * together.  So the way up becomes shorter, lest accidents lead ever further down.
 */
static bool
is_early(const HttpPace *pace, int64 now)
{
	return now - pace->resumed_at < pace->reach &&
		   pace->answered >= PACE_TELLING_ANSWERS;
}

static bool
are_near(double one, double other)
{
	return fabs(one - other) <= PACE_TOLERANCE * Min(one, other);
}

/* How long it may take to be back at a limit that is well known. */
static int64
longest_reach(const HttpPace *pace, const HttpRefusal *refusal)
{
	int64 reach = (int64) (PACE_REACH_REQUESTS * SECOND / pace->limit);

	reach = Max(PACE_REACH_MIN, Min(reach, PACE_REACH_MAX));
	if (refusal->is_asked_for)
		reach = Max(reach, PACE_REACH_PAUSES * refusal->pause);
	return Min(reach, PACE_FORGIVE_AFTER);
}

/* Answers per second, of late; a pause is not counted as time. */
static double
answer_rate(const HttpPace *pace, int64 now)
{
	int64 oldest =
		Max(oldest_answer(now), Max(pace->resumed_at, pace->busy_since));
	int64 start = Min(oldest, now - PACE_SHORTEST_SPAN) / HTTP_PACE_SLICE;

	return answers_since(pace, start) * (double) SECOND /
		   (now - start * HTTP_PACE_SLICE);
}

/* The time from which on answers are known. */
static int64
oldest_answer(int64 now)
{
	return now - (HTTP_PACE_SLICES - 1) * HTTP_PACE_SLICE;
}

/* How many answers there were since a slice of time, as far as they are known. */
static int
answers_since(const HttpPace *pace, int64 slice)
{
	int count = 0;

	for (int slot = 0; slot < HTTP_PACE_SLICES; slot++)
	{
		if (pace->slices[slot] >= slice)
			count += pace->counts[slot];
	}
	return count;
}
