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

#include "base/iso8601.h"

/* Days of the Gregorian calendar, which repeats after 400 years. */
#define DAYS_IN_400_YEARS 146097
#define DAYS_IN_100_YEARS 36524
#define DAYS_IN_4_YEARS 1461
#define DAYS_IN_YEAR 365

/* Days from 0001-01-01 to 2000-01-01, PostgreSQL's epoch. */
#define DAYS_TO_EPOCH (5 * DAYS_IN_400_YEARS - DAYS_IN_YEAR - 1)

static bool	 seconds_of(const char *text, const Iso8601 *parts, int64 *seconds);
static bool	 microseconds(const char *clock, int time_length, int64 *fraction);
static char *write_days(int64 days);
static int	 days_in_month(int year, int month);
static int64 floor_divide(int64 dividend, int64 divisor);
static const char *match(const char *text, const char *pattern);
static int64	   days_since_epoch(int year, int month, int day);
static int		   number(const char *digits);
static const char *match_date(const char *text, Iso8601 *parts);
static const char *match_time(const char *text, Iso8601 *parts);
static const char *match_zone(const char *text, Iso8601 *parts);

/*
 * Parses a date, a time, or both with T or a space between them, in the
 * extended format.  A time may have an offset from UTC.  Returns false for any
 * other text.
 */
bool
iso8601_parse(const char *text, Iso8601 *parts)
{
	const char *rest;

	memset(parts, 0, sizeof(*parts));
	parts->zone_is_utc = true;

	rest = match_date(text, parts);
	if (rest == NULL)
		rest = text;
	else if (*rest == 'T' || *rest == 't' || *rest == ' ')
		rest++;
	else
		return *rest == '\0';

	rest = match_time(rest, parts);
	if (rest == NULL)
		return false;
	rest = match_zone(rest, parts);
	return rest != NULL && *rest == '\0';
}

/*
 * Parses a timestamp as whole seconds since PostgreSQL's epoch, rounded down.
 * Without an offset it is in UTC.  Returns false for any other text.
 */
bool
iso8601_seconds(const char *text, int64 *seconds)
{
	Iso8601 parts;

	return iso8601_parse(text, &parts) && seconds_of(text, &parts, seconds);
}

/*
 * Like iso8601_seconds, with the fraction of the second.  Truncates further
 * digits.
 */
bool
iso8601_instant(const char *text, int64 *seconds, int *nanoseconds)
{
	const char *clock = text + strlen("YYYY-MM-DDT");
	int			unit = 1000000000;
	Iso8601		parts;

	*nanoseconds = 0;
	if (!iso8601_parse(text, &parts) || !seconds_of(text, &parts, seconds))
		return false;
	for (int i = strlen("hh:mm:ss."); i < parts.time_length; i++)
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
	Iso8601		parts;
	const char *clock = text + strlen("YYYY-MM-DDT");
	int64		seconds;
	int64		fraction;

	if (!iso8601_parse(text, &parts) || !parts.zone_is_utc ||
		!seconds_of(text, &parts, &seconds))
		return false;
	if (number(clock) >= HOURS_PER_DAY || number(clock + 3) >= MINS_PER_HOUR ||
		(parts.time_length > 5 && number(clock + 6) >= SECS_PER_MINUTE))
		return false;
	if (!microseconds(clock, parts.time_length, &fraction))
		return false;
	*timestamp = seconds * USECS_PER_SEC + fraction;
	return true;
}

/*
 * Sets *fraction to the microseconds of a time.  Returns false if it has more
 * digits.
 */
static bool
microseconds(const char *clock, int time_length, int64 *fraction)
{
	int first = strlen("hh:mm:ss.");
	int unit = USECS_PER_SEC;

	*fraction = 0;
	if (time_length > first + 6)
		return false;
	for (int i = first; i < time_length; i++)
	{
		unit /= 10;
		*fraction += (clock[i] - '0') * unit;
	}
	return true;
}

/* Like iso8601_seconds, for a text that was parsed. */
static bool
seconds_of(const char *text, const Iso8601 *parts, int64 *seconds)
{
	const char *clock = text + strlen("YYYY-MM-DDT");
	const char *zone = clock + parts->time_length;
	int			year;
	int			month;
	int			day;
	int64		offset = 0;

	if (parts->date_length == 0 || parts->time_length == 0)
		return false;
	year = number(text) * 100 + number(text + 2);
	month = number(text + 5);
	day = number(text + 8);
	if (year < 1 || month < 1 || month > MONTHS_PER_YEAR || day < 1 ||
		day > days_in_month(year, month))
		return false;

	if (!parts->zone_is_utc)
	{
		const char *minutes = zone + (zone[3] == ':' ? 4 : 3);

		offset = number(zone + 1) * SECS_PER_HOUR;
		if (parts->zone_length > 3)
			offset += number(minutes) * SECS_PER_MINUTE;
		if (*zone == '-')
			offset = -offset;
	}
	*seconds = days_since_epoch(year, month, day) * SECS_PER_DAY +
			   number(clock) * SECS_PER_HOUR +
			   number(clock + 3) * SECS_PER_MINUTE - offset;
	if (parts->time_length > 5)
		*seconds += number(clock + 6);
	return true;
}

/* Returns the days from 2000-01-01 to a date. */
static int64
days_since_epoch(int year, int month, int day)
{
	int64 years = year - 1;
	int64 days = years * DAYS_IN_YEAR + years / 4 - years / 100 + years / 400;

	for (int i = 1; i < month; i++)
		days += days_in_month(year, i);
	return days + day - 1 - DAYS_TO_EPOCH;
}

/* Returns the number that two digits represent. */
static int
number(const char *digits)
{
	return (digits[0] - '0') * 10 + digits[1] - '0';
}

/*
 * Returns a point in time in UTC, rounded down to the second, such as
 * 2026-06-01T00:00:00Z, palloc'd.  Returns NULL for infinities and outside the
 * years 1 to 9999.
 */
char *
iso8601_write(TimestampTz value)
{
	int64 seconds = floor_divide(value, USECS_PER_SEC);
	int64 days = floor_divide(seconds, SECS_PER_DAY);
	int	  second = seconds - days * SECS_PER_DAY;
	char *date;

	if (TIMESTAMP_NOT_FINITE(value))
		return NULL;
	date = write_days(days);
	if (date == NULL)
		return NULL;
	return psprintf("%sT%02d:%02d:%02dZ", date, second / SECS_PER_HOUR,
					second / SECS_PER_MINUTE % MINS_PER_HOUR,
					second % SECS_PER_MINUTE);
}

/*
 * Returns a date such as 2026-06-01, palloc'd.  Returns NULL for infinities and
 * outside the years 1 to 9999.
 */
char *
iso8601_write_date(DateADT value)
{
	return DATE_NOT_FINITE(value) ? NULL : write_days(value);
}

/*
 * Returns the date that is days after 2000-01-01, palloc'd, or NULL outside the
 * years 1 to 9999.  PostgreSQL's j2date is not used, so that the file does not
 * depend on the server.
 */
static char *
write_days(int64 days)
{
	int64 rest = days + DAYS_TO_EPOCH; /* days from 0001-01-01 */
	int	  year;
	int	  month = 1;
	int	  centuries;
	int	  years;

	if (rest < 0 || rest >= 25 * (int64) DAYS_IN_400_YEARS - DAYS_IN_YEAR - 1)
		return NULL;

	/* The last century of four and the last year of four are longer. */
	year = 1 + rest / DAYS_IN_400_YEARS * 400;
	rest %= DAYS_IN_400_YEARS;
	centuries = Min(rest / DAYS_IN_100_YEARS, 3);
	rest -= centuries * DAYS_IN_100_YEARS;
	year += centuries * 100 + rest / DAYS_IN_4_YEARS * 4;
	rest %= DAYS_IN_4_YEARS;
	years = Min(rest / DAYS_IN_YEAR, 3);
	rest -= years * DAYS_IN_YEAR;
	year += years;

	while (rest >= days_in_month(year, month))
		rest -= days_in_month(year, month++);
	return psprintf("%04d-%02d-%02d", year, month, (int) rest + 1);
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

/* Divides and rounds down; C rounds towards zero. */
static int64
floor_divide(int64 dividend, int64 divisor)
{
	return dividend / divisor - (dividend % divisor < 0 ? 1 : 0);
}

/*
 * Matches a pattern in which 9 stands for any digit.  Returns the rest of the
 * text, or NULL.
 */
static const char *
match(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; pattern++, text++)
	{
		if (*pattern == '9' ? *text < '0' || *text > '9' : *text != *pattern)
			return NULL;
	}
	return text;
}

static const char *
match_date(const char *text, Iso8601 *parts)
{
	const char *rest = match(text, "9999-99-99");

	if (rest != NULL)
		parts->date_length = rest - text;
	return rest;
}

static const char *
match_time(const char *text, Iso8601 *parts)
{
	const char *rest = match(text, "99:99");
	const char *seconds;

	if (rest == NULL)
		return NULL;
	seconds = match(rest, ":99");
	if (seconds != NULL)
	{
		rest = seconds;
		if (match(rest, ".9") != NULL || match(rest, ",9") != NULL)
		{
			rest++;
			while (*rest >= '0' && *rest <= '9')
				rest++;
		}
	}
	parts->time_length = rest - text;
	return rest;
}

/* Returns the text after an optional zone, or NULL if it is invalid. */
static const char *
match_zone(const char *text, Iso8601 *parts)
{
	const char *rest = text;

	if (*rest == '\0')
		return rest;
	if (*rest == 'Z' || *rest == 'z')
		rest++;
	else if (*rest == '+' || *rest == '-')
	{
		rest = match(text + 1, "99");
		if (rest != NULL && match(rest, ":99") != NULL)
			rest = match(rest, ":99");
		else if (rest != NULL && match(rest, "99") != NULL)
			rest = match(rest, "99");
		if (rest == NULL)
			return NULL;
		parts->zone_is_utc =
			strspn(text + 1, "0:") == (size_t) (rest - text - 1);
	}
	else
		return NULL;
	parts->zone_length = rest - text;
	return rest;
}
