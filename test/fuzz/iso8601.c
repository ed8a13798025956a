/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * iso8601.c
 *	  Fuzz target: a text -> the parts of a date and a time, and the point in
 *	  time; a point in time -> a text.
 *
 * The input is the text.  Its first bytes are also the point in time.  Apart
 * from memory errors, the target compares the parser with a regular expression:
 * both accept the same texts and find the same parts.  A written point in time
 * reads back as the same point, and a text that was read also does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>
#include <regex.h>

#include "datatype/timestamp.h"

#include "base/iso8601.h"

#include "shim.h"

#define DATE "([0-9]{4}-[0-9]{2}-[0-9]{2})"
#define TIME "([0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?)"
#define ZONE "([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)"

/* A date, or a time after an optional date. */
#define PATTERN "^" DATE "$|^(" DATE "[Tt ])?" TIME ZONE "?$"

/* The groups of the pattern. */
enum
{
	GROUP_DATE_ALONE = 1,
	GROUP_DATE = 3,
	GROUP_TIME = 4,
	GROUP_ZONE = 7,
	GROUP_COUNT = 9
};

/* The range of the writer, in seconds from the epoch of PostgreSQL. */
#define FIRST_SECOND (-63082281600)
#define LAST_SECOND 252455615999

static bool	 read_seconds(const char *text, int64 *seconds);
static void	 check_parts(char *text);
static void	 check_seconds(const char *text);
static int64 fraction_of(const char *clock, int time_length);
static void	 check_offset(const char *text, const Iso8601 *parts);
static int	 number_at(const char *text, int at);
static void	 check_writing(TimestampTz time);
static int	 length_of(const regmatch_t *group);

void
fuzz_input(char *data, size_t size)
{
	TimestampTz time;

	check_parts(data);
	check_seconds(data);
	if (size < sizeof(time))
		return;
	memcpy(&time, data, sizeof(time));
	check_writing(time);
	/* Most numbers are beyond all years.  This one is often within them. */
	check_writing(time % (10000 * (int64) 366 * USECS_PER_DAY));
}

static bool
read_seconds(const char *text, int64 *seconds)
{
	Iso8601 parts;
	int		nanoseconds;

	return iso8601_instant(text, &parts, seconds, &nanoseconds);
}

static void
check_parts(char *data)
{
	static regex_t pattern;
	static bool	   is_compiled = false;
	regmatch_t	   groups[GROUP_COUNT];
	Iso8601		   parts;
	const char	  *zone;

	if (!is_compiled)
		FUZZ_CHECK(regcomp(&pattern, PATTERN, REG_EXTENDED) == 0);
	is_compiled = true;

	if (!iso8601_parse(data, &parts))
	{
		FUZZ_CHECK(regexec(&pattern, data, 0, NULL, 0) != 0);
		shim_outcome("refused");
		return;
	}
	FUZZ_CHECK(regexec(&pattern, data, GROUP_COUNT, groups, 0) == 0);
	FUZZ_CHECK(parts.date_length == length_of(&groups[GROUP_DATE_ALONE]) +
										length_of(&groups[GROUP_DATE]));
	FUZZ_CHECK(parts.time_length == length_of(&groups[GROUP_TIME]));
	FUZZ_CHECK(parts.zone_length == length_of(&groups[GROUP_ZONE]));
	zone = data + strlen(data) - parts.zone_length;
	FUZZ_CHECK(parts.zone_is_utc == (strpbrk(zone, "123456789") == NULL));
	shim_outcome("taken");
}

/* Checks that a parsed time is in the range of the writer, apart from its offset. */
static void
check_seconds(const char *text)
{
	Iso8601		parts;
	TimestampTz timestamp;
	int64		seconds;
	int64		again;
	char	   *written;

	if (!read_seconds(text, &seconds))
	{
		FUZZ_CHECK(!iso8601_timestamp(text, &timestamp));
		return;
	}
	FUZZ_CHECK(iso8601_parse(text, &parts));
	FUZZ_CHECK(parts.date_length > 0 && parts.time_length > 0);
	FUZZ_CHECK(seconds >= FIRST_SECOND - 200 * SECS_PER_HOUR &&
			   seconds <= LAST_SECOND + 200 * SECS_PER_HOUR);
	shim_outcome("point");
	if (iso8601_timestamp(text, &timestamp))
	{
		FUZZ_CHECK(parts.zone_is_utc);
		FUZZ_CHECK(timestamp - seconds * USECS_PER_SEC ==
				   fraction_of(text + 11, parts.time_length));
		shim_outcome("timestamp");
	}
	if (!parts.zone_is_utc)
		check_offset(text, &parts);
	written = iso8601_write(seconds * USECS_PER_SEC);
	FUZZ_CHECK((written != NULL) ==
			   (seconds >= FIRST_SECOND && seconds <= LAST_SECOND));
	if (written == NULL)
		return;
	FUZZ_CHECK(read_seconds(written, &again) && again == seconds);
	/* In UTC and with all numbers in range, the text is the same. */
	if (parts.zone_is_utc && number_at(text, 11) < 24 &&
		number_at(text, 14) < 60 &&
		(parts.time_length < 8 || number_at(text, 17) < 60))
		FUZZ_CHECK(memcmp(written, text, parts.date_length) == 0 &&
				   memcmp(written + 11, text + 11, Min(parts.time_length, 8)) ==
					   0);
}

/* Returns the fraction of a time, in microseconds. */
static int64
fraction_of(const char *clock, int time_length)
{
	char digits[] = "0.000000";

	FUZZ_CHECK(time_length <= 15);
	if (time_length > 9)
		memcpy(digits + 2, clock + 9, time_length - 9);
	return llround(atof(digits) * USECS_PER_SEC);
}

/* Checks that the opposite offset moves the time by as much in the other direction. */
static void
check_offset(const char *text, const Iso8601 *parts)
{
	char *local = pnstrdup(text, strlen(text) - parts->zone_length);
	char *other = pstrdup(text);
	char *sign = other + strlen(local);
	int64 seconds;
	int64 local_seconds;
	int64 other_seconds;

	*sign = *sign == '+' ? '-' : '+';
	FUZZ_CHECK(read_seconds(text, &seconds) &&
			   read_seconds(local, &local_seconds) &&
			   read_seconds(other, &other_seconds));
	FUZZ_CHECK(seconds + other_seconds == 2 * local_seconds);
	FUZZ_CHECK(*sign == '-' ? seconds < local_seconds
							: seconds > local_seconds);
	FUZZ_CHECK(llabs(seconds - local_seconds) >=
			   number_at(sign, 1) * SECS_PER_HOUR);
}

static int
number_at(const char *text, int at)
{
	return (text[at] - '0') * 10 + text[at + 1] - '0';
}

/* Checks that a written time is in UTC and reads back as its second. */
static void
check_writing(TimestampTz time)
{
	char   *written = iso8601_write(time);
	int64	second = time / USECS_PER_SEC - (time % USECS_PER_SEC < 0);
	DateADT day = second / SECS_PER_DAY - (second % SECS_PER_DAY < 0);
	bool	is_within = second >= FIRST_SECOND && second <= LAST_SECOND;
	int64	read;
	char   *date;

	FUZZ_CHECK((written != NULL) == is_within);
	if (!is_within)
	{
		shim_outcome("beyond");
		return;
	}
	shim_outcome("written");
	FUZZ_CHECK(strlen(written) == strlen("2026-06-01T00:00:00Z"));
	FUZZ_CHECK(read_seconds(written, &read) && read == second);
	date = iso8601_write_date(day);
	FUZZ_CHECK(date != NULL && strlen(date) == strlen("2026-06-01") &&
			   strncmp(written, date, strlen(date)) == 0);
}

/* Returns the length of a group; 0 if it did not match. */
static int
length_of(const regmatch_t *group)
{
	return group->rm_so < 0 ? 0 : group->rm_eo - group->rm_so;
}
