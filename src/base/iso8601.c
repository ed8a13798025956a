/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * iso8601.c
 *	  Parses and writes the API's dates and times.
 *
 * PostgreSQL's input functions accept far more than ISO 8601 ('now',
 * 'infinity', '1/2/2003'), so each text is parsed here first.  Only obvious
 * errors in the numbers are detected; the input functions find the others.
 *
 * Must not know columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "base/iso8601.h"

/* Length of a time without a fraction, hh:mm:ss. */
#define WHOLE_TIME 8

/* Length of YYYY-MM-DDT, which precedes a time of day. */
#define DATE_AND_T 11

/* Moves *text behind a pattern if it matches; 9 stands for any digit. */
static bool
match(const char **text, const char *pattern)
{
	const char *at = *text;

	for (; *pattern != '\0'; pattern++, at++)
	{
		if (*pattern == '9' ? *at < '0' || *at > '9' : *at != *pattern)
			return false;
	}
	*text = at;
	return true;
}

/* Returns the number that two digits represent. */
static int
number(const char *digits)
{
	return (digits[0] - '0') * 10 + digits[1] - '0';
}

/*
 * Parses a date, a time, or both with T or a space between them, in the
 * extended format.  A time may have an offset from UTC.  Returns false for any
 * other text; *parts is then undefined.
 */
bool
iso8601_parse(const char *text, Iso8601 *parts)
{
	const char *start = text;

	memset(parts, 0, sizeof(*parts));
	parts->zone_is_utc = true;

	if (match(&text, "9999-99-99"))
	{
		parts->date_length = text - start;
		if (*text != 'T' && *text != 't' && *text != ' ')
			return *text == '\0';
		text++;
	}

	start = text;
	if (!match(&text, "99:99"))
		return false;
	if (match(&text, ":99") && (match(&text, ".9") || match(&text, ",9")))
		text += strspn(text, "0123456789");
	parts->time_length = text - start;

	start = text;
	if (match(&text, "+99") || match(&text, "-99"))
	{
		if (!match(&text, ":99"))
			(void) match(&text, "99");
		parts->zone_is_utc =
			strspn(start + 1, "0:") == (size_t) (text - start - 1);
	}
	else if (*text == 'Z' || *text == 'z')
		text++;
	parts->zone_length = text - start;
	return *text == '\0';
}

/*
 * Parses a timestamp as whole seconds since PostgreSQL's epoch, rounded down,
 * and the fraction in truncated nanoseconds.  Without an offset the timestamp
 * is in UTC.  Returns false for any other text; *parts is as iso8601_parse.
 */
bool
iso8601_instant(const char *text, Iso8601 *parts, int64 *seconds,
				int *nanoseconds)
{
	const char *clock = text + DATE_AND_T;
	const char *zone;
	int			unit = 1000000000;
	int			year;
	int			month;
	int			day;
	int64		offset = 0;

	if (!iso8601_parse(text, parts) || parts->date_length == 0 ||
		parts->time_length == 0)
		return false;
	year = number(text) * 100 + number(text + 2);
	month = number(text + 5);
	day = number(text + 8);
	if (year < 1 || month < 1 || month > MONTHS_PER_YEAR || day < 1 ||
		day > day_tab[isleap(year)][month - 1])
		return false;

	zone = clock + parts->time_length;
	if (!parts->zone_is_utc)
	{
		offset = number(zone + 1) * SECS_PER_HOUR;
		if (parts->zone_length > 3)
			offset += number(zone + parts->zone_length - 2) * SECS_PER_MINUTE;
		if (*zone == '-')
			offset = -offset;
	}
	*seconds = (int64) (date2j(year, month, day) - POSTGRES_EPOCH_JDATE) *
				   SECS_PER_DAY +
			   number(clock) * SECS_PER_HOUR +
			   number(clock + 3) * SECS_PER_MINUTE - offset;
	if (parts->time_length >= WHOLE_TIME)
		*seconds += number(clock + 6);

	*nanoseconds = 0;
	for (int i = WHOLE_TIME + 1; i < parts->time_length; i++)
	{
		unit /= 10;
		*nanoseconds += (clock[i] - '0') * unit;
	}
	return true;
}

/*
 * Parses a timestamp like timestamptz_in, but faster.  It must be in UTC, with
 * microseconds at most, and a time of day below 24:00.  Returns false for any
 * other text; the input function then converts or rejects it.
 */
bool
iso8601_timestamp(const char *text, TimestampTz *timestamp)
{
	const char *clock = text + DATE_AND_T;
	Iso8601		parts;
	int64		seconds;
	int			nanoseconds;

	if (!iso8601_instant(text, &parts, &seconds, &nanoseconds) ||
		!parts.zone_is_utc || parts.time_length > WHOLE_TIME + 1 + 6 ||
		number(clock) >= HOURS_PER_DAY || number(clock + 3) >= MINS_PER_HOUR ||
		(parts.time_length >= WHOLE_TIME &&
		 number(clock + 6) >= SECS_PER_MINUTE))
		return false;
	*timestamp = seconds * USECS_PER_SEC + nanoseconds / 1000;
	return true;
}

/*
 * Returns a point in time in UTC, rounded down to the second, such as
 * 2026-06-01T00:00:00Z, palloc'd.  Returns NULL for infinities and outside the
 * years 1 to 9999, which the format cannot express.
 */
char *
iso8601_write(TimestampTz value)
{
	struct pg_tm tm;
	fsec_t		 fsec;

	if (TIMESTAMP_NOT_FINITE(value) ||
		timestamp2tm(value, NULL, &tm, &fsec, NULL, NULL) != 0 ||
		tm.tm_year < 1 || tm.tm_year > 9999)
		return NULL;
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year, tm.tm_mon,
					tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* Returns a date such as 2026-06-01, palloc'd; NULL as iso8601_write does. */
char *
iso8601_write_date(DateADT value)
{
	int year;
	int month;
	int day;

	if (DATE_NOT_FINITE(value))
		return NULL;
	j2date(value + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return year < 1 || year > 9999
			   ? NULL
			   : psprintf("%04d-%02d-%02d", year, month, day);
}
