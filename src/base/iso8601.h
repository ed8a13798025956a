/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * iso8601.h
 *	  Parses and writes the API's dates and times.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ISO8601_H
#define OPPORTUNITY_ISO8601_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/date.h"

/* Parts of a text; length 0: absent. */
typedef struct Iso8601
{
	int	 date_length; /* YYYY-MM-DD */
	int	 time_length; /* hh:mm[:ss[.fraction]], or with a decimal comma */
	int	 zone_length; /* Z or an offset */
	bool zone_is_utc; /* also true without a zone */
} Iso8601;

extern bool	 iso8601_parse(const char *text, Iso8601 *parts);
extern bool	 iso8601_instant(const char *text, Iso8601 *parts, int64 *seconds,
							 int *nanoseconds);
extern bool	 iso8601_timestamp(const char *text, TimestampTz *timestamp);
extern char *iso8601_write(TimestampTz value);
extern char *iso8601_write_date(DateADT value);

#endif /* OPPORTUNITY_ISO8601_H */
