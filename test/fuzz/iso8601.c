/*-------------------------------------------------------------------------
 *
 * iso8601.c
 *	  Fuzz target: a text -> the parts of a date and a time.
 *
 * The input is the text.  What is checked beside memory: that it is taken or
 * refused, and taken apart, as a regular expression for the same says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <regex.h>

#include "iso8601.h"

#include "shim.h"

#define DATE "([0-9]{4}-[0-9]{2}-[0-9]{2})"
#define TIME "([0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?)"
#define ZONE "([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)"

/* A date alone, or a time with perhaps a date before it. */
#define PATTERN "^" DATE "$|^(" DATE "[Tt ])?" TIME ZONE "?$"

/* Its parentheses. */
enum
{
	GROUP_DATE_ALONE = 1,
	GROUP_DATE = 3,
	GROUP_TIME = 4,
	GROUP_ZONE = 7,
	GROUP_COUNT = 9
};

static int length_of(const regmatch_t *group);

void
fuzz_input(char *data, size_t size)
{
	static regex_t pattern;
	static bool	   is_compiled = false;
	regmatch_t	   groups[GROUP_COUNT];
	Iso8601		   parts;
	const char	  *zone;

	(void) size;
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

/* 0 where it did not match. */
static int
length_of(const regmatch_t *group)
{
	return group->rm_so < 0 ? 0 : group->rm_eo - group->rm_so;
}
