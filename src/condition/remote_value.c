/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * remote_value.c
 *	  SQL values as the JSON of a filter's value.
 *
 * A value that cannot be expressed exactly is not sent.  Bounds are moved
 * outwards by more than any rounding.  Texts that an API may interpret in
 * another way than SQL (wildcards, white space at the ends) are not sent.
 *
 * Knows nothing about conditions and requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "common/string.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/id.h"
#include "base/iso8601.h"
#include "condition/remote_value.h"

/*
 * Smallest absolute value of a bound other than zero.  Systems differ in their
 * treatment of smaller numbers.
 */
#define SMALLEST_BOUND 1e-9

/* Returns a text or a name as a string in the server's encoding. */
char *
remote_value_text(Datum value, Oid type)
{
	if (type == NAMEOID)
		return pstrdup(NameStr(*DatumGetName(value)));
	return TextDatumGetCString(value);
}

/* Returns a text, in UTF-8, as a JSON string. */
static char *
string_json(const char *text)
{
	StringInfoData json;

	initStringInfo(&json);
	/*
	 * The function examines single bytes, so the server's encoding does not
	 * matter.
	 */
	escape_json(&json, text);
	return json.data;
}

/* Returns true if a character is white space, including that of zero width. */
static bool
is_space_character(pg_wchar character)
{
	return character == ' ' || character == 0xa0 || character == 0x1680 ||
		   character == 0x180e ||
		   (character >= 0x2000 && character <= 0x200f) ||
		   (character >= 0x2028 && character <= 0x202f) ||
		   (character >= 0x205f && character <= 0x2064) ||
		   character == 0x3000 || character == 0xfeff;
}

/*
 * Returns true if any API interprets a text, in UTF-8, in the same way.  It is
 * not empty, has no white space at its ends that may be trimmed, no control
 * characters, and no character that is a wildcard in some system.
 */
static bool
is_plain(const char *text)
{
	const unsigned char *rest = (const unsigned char *) text;
	pg_wchar			 character = ' ';

	while (*rest != '\0')
	{
		bool is_first = rest == (const unsigned char *) text;

		character = utf8_to_unicode(rest);
		if (character < 0x20 || (character >= 0x7f && character < 0xa0) ||
			(character < 0x7f && strchr("\\%_*", character) != NULL) ||
			(is_first && is_space_character(character)))
			return false;
		rest += pg_encoding_mblen(PG_UTF8, (const char *) rest);
	}
	return !is_space_character(character);
}

/*
 * Returns a text in UTF-8, or NULL if it has no representation there or if the
 * representation is ambiguous.  PostgreSQL's recheck finds the rows of such a
 * text.
 */
static char *
text_to_utf8(const char *text)
{
	int	  encoding = GetDatabaseEncoding();
	int	  length = strlen(text);
	Size  size = (Size) length * MAX_CONVERSION_GROWTH + 1;
	Oid	  conversion;
	char *utf8;

	/* A database without an encoding keeps the API's bytes unchanged. */
	if (pg_is_ascii(text) || encoding == PG_SQL_ASCII || encoding == PG_UTF8)
		return pg_encoding_verifymbstr(PG_UTF8, text, length) == length
				   ? pstrdup(text)
				   : NULL;

	/* Multibyte encodings may map several characters to the same one. */
	conversion = FindDefaultConversionProc(encoding, PG_UTF8);
	if (pg_database_encoding_max_length() > 1 || !OidIsValid(conversion) ||
		!AllocSizeIsValid(size))
		return NULL;
	utf8 = palloc(size);
	return pg_do_encoding_conversion_buf(
			   conversion, encoding, PG_UTF8, (unsigned char *) text, length,
			   (unsigned char *) utf8, size, true) == length
			   ? utf8
			   : NULL;
}

/*
 * Returns the JSON of a text, or NULL if it must not be sent because the API
 * may interpret it in another way than SQL.
 */
char *
remote_text_json(const char *text)
{
	char *utf8 = text_to_utf8(text);

	return utf8 != NULL && is_plain(utf8) ? string_json(utf8) : NULL;
}

/*
 * Returns the JSON of a value of a kind that is not ordered, or NULL if it must
 * not be sent.
 */
char *
remote_value_json(RemoteKind kind, Datum value, Oid type)
{
	switch (kind)
	{
		case REMOTE_UUID:
			return string_json(id_text(DatumGetUUIDP(value)));
		case REMOTE_BOOLEAN:
			return DatumGetBool(value) ? "true" : "false";
		case REMOTE_TEXT:
			return remote_text_json(remote_value_text(value, type));
		default:
			return NULL;
	}
}

/*
 * Reads the point in time of a timestamp, with or without time zone, or of a
 * date, as PostgreSQL compares it.  Returns false if it is infinite or out of
 * range.
 */
static bool
read_timestamp(Datum value, Oid type, int64 *time)
{
	int overflow = 0;

	if (type == DATEOID)
		*time =
			date2timestamptz_opt_overflow(DatumGetDateADT(value), &overflow);
	else if (type == TIMESTAMPOID)
		*time = timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value),
												   &overflow);
	else
		*time = DatumGetTimestampTz(value);
	return overflow == 0 && !TIMESTAMP_NOT_FINITE(*time);
}

/*
 * Reads the day of a date or of a timestamp, with or without time zone.
 * Returns false if it is infinite.
 */
static bool
read_date(Datum value, Oid type, int64 *days)
{
	if (type != DATEOID && TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value)))
		return false;
	if (type == TIMESTAMPTZOID)
		value = DirectFunctionCall1(timestamptz_date, value);
	else if (type == TIMESTAMPOID)
		value = DirectFunctionCall1(timestamp_date, value);
	*days = DatumGetDateADT(value);
	return !DATE_NOT_FINITE(DatumGetDateADT(value));
}

/*
 * Reads a value, whose type can be compared with the kind, as a bound.  Returns
 * false if it is not finite or the kind is not ordered.
 */
bool
remote_bound_read(RemoteKind kind, Datum value, Oid type, RemoteBound *bound)
{
	memset(bound, 0, sizeof(*bound));
	switch (kind)
	{
		case REMOTE_TIMESTAMP:
			return read_timestamp(value, type, &bound->time);
		case REMOTE_DATE:
			return read_date(value, type, &bound->time);
		case REMOTE_NUMBER:
			bound->number = DatumGetFloat8(
				DirectFunctionCall1(numeric_float8_no_overflow, value));
			return isfinite(bound->number);
		default:
			return false;
	}
}

/* Compares two bounds of the same kind, as qsort's callback does. */
int
remote_bound_compare(RemoteBound a, RemoteBound b)
{
	if (a.time != b.time)
		return a.time > b.time ? 1 : -1;
	return (a.number > b.number) - (a.number < b.number);
}

/*
 * Returns the JSON of a number; a step is one unit in the last place of a
 * double.  The number is the double nearest to the SQL value, so its neighbour
 * is certainly beyond the value.  Returns NULL if the result is not finite.
 */
static char *
number_bound(double number, BoundDirection direction, int steps)
{
	char *text = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);

	for (int i = 0; i < steps; i++)
		number = nextafter(number, direction * HUGE_VAL);
	if (fabs(number) < SMALLEST_BOUND)
		number = direction * SMALLEST_BOUND;
	if (!isfinite(number))
		return NULL;
	double_to_shortest_decimal_buf(number, text);
	return text;
}

/*
 * Returns the JSON of a bound, moved outwards by at least this number of steps:
 * of seconds, to a whole second; of days; or of units in the last place.
 * Returns NULL if the result cannot be represented.
 */
char *
remote_bound_json(RemoteKind kind, RemoteBound bound, BoundDirection direction,
				  int steps)
{
	char *text;

	if (kind == REMOTE_NUMBER)
		return number_bound(bound.number, direction, steps);
	if (kind == REMOTE_DATE)
		text = iso8601_write_date(bound.time + direction * steps);
	else
	{
		bound.time += direction * steps * USECS_PER_SEC;
		if (direction == BOUND_UP)
			bound.time += USECS_PER_SEC - 1;
		text = iso8601_write(bound.time);
	}
	return text == NULL ? NULL : string_json(text);
}
