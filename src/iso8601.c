/*-------------------------------------------------------------------------
 *
 * iso8601.c
 *	  Recognizes the dates and times of the API.
 *
 * PostgreSQL's input functions would take much more than ISO 8601 ('now',
 * 'infinity', '1/2/2003'), so a text has to pass here first.  Whether the
 * numbers make a date is theirs to say.  Knows nothing of columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "iso8601.h"

static const char *match(const char *text, const char *pattern);
static const char *match_date(const char *text, Iso8601 *parts);
static const char *match_time(const char *text, Iso8601 *parts);
static const char *match_zone(const char *text, Iso8601 *parts);

/*
 * Takes apart a date, a time, or both, joined by T or a space, the time with
 * or without an offset from UTC, in the extended format.  False where the text
 * is anything else.
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
 * Matches a pattern in which 9 stands for a digit and anything else for itself.
 * Returns what follows in the text, or NULL.
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

/* The zone may be missing; then the text is returned as it is. */
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
