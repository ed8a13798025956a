/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * place.c
 *	  Roles of the JSON values in a response, by the names of their keys.
 *
 * The API documents "data" and "next_cursor".  By the others, APIs report a
 * failure with HTTP status 200, or announce records.  Must not know records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fnmatch.h>

#include "api/place.h"

/* Kinds of JSON that a place allows. */
#define OBJECT (1 << JSON_KIND_OBJECT)
#define ARRAY (1 << JSON_KIND_ARRAY)
#define STRING (1 << JSON_KIND_STRING)
#define NULLS (1 << JSON_KIND_NULL)
#define ABSENT (1 << JSON_KIND_NONE)

/* Documented kinds of JSON at some places, and the message for any other. */
static const struct
{
	int			allowed;
	const char *expected;
} place_rules[PLACE_COUNT] = {
	[PLACE_RESPONSE] = {OBJECT, "response must be an object"},
	[PLACE_PAGE] = {ARRAY, "\"data\" must be an array"},
	[PLACE_CURSOR] = {STRING | NULLS, "\"next_cursor\" must be a string"},
	[PLACE_DATA] = {OBJECT, "\"data\" must be an object"},
	[PLACE_ID] = {STRING, "\"id\" must be a string"},
	[PLACE_CREATED_AT] = {STRING | NULLS, "\"created_at\" must be a string"},
	[PLACE_UPDATED_AT] = {STRING | NULLS, "\"updated_at\" must be a string"},
	[PLACE_RECORD_TYPE] = {STRING | NULLS, "\"record_type\" must be a string"},
	[PLACE_ATTRIBUTES] = {OBJECT, "\"attributes\" must be an object"},
	[PLACE_ATTRIBUTE] = {OBJECT | ARRAY | NULLS,
						 "value must be an object or an array"},
	[PLACE_ELEMENT] = {OBJECT | NULLS, "array element must be an object"},
	[PLACE_VALUE_TYPE] = {STRING | NULLS | ABSENT,
						  "\"value_type\" must be a string"},
};

/* Returns the message about a value of an undocumented kind, or NULL. */
const char *
place_mismatch(Place place, JsonKind kind)
{
	int allowed = place_rules[place].allowed;

	return allowed == 0 || (allowed & (1 << kind)) != 0
			   ? NULL
			   : place_rules[place].expected;
}

/*
 * Keys of a response with a meaning, in addition to "data" and the paging,
 * reduced to their letters in lower case.  They are at the top or in
 * PLACE_PAGING.  The API documents only next_cursor.  The first entry that
 * matches counts.
 */
static const struct
{
	const char *pattern; /* for fnmatch */
	Place		place;
} response_keys[] = {
	{"nextcursor", PLACE_CURSOR},  {"total", PLACE_TOTAL},
	{"totalcount", PLACE_TOTAL},   {"totalrecords", PLACE_TOTAL},
	{"hasmore", PLACE_MORE},	   {"hasnextpage", PLACE_MORE},
	{"*error*", PLACE_ERROR},	   {"*exception*", PLACE_ERROR},
	{"fault*", PLACE_ERROR},	   {"fail*", PLACE_ERROR},
	{"detail", PLACE_ERROR},	   {"code", PLACE_CODE},
	{"message", PLACE_MESSAGE},	   {"success*", PLACE_STATUS},
	{"issuccess*", PLACE_STATUS},  {"ok", PLACE_STATUS},
	{"status*", PLACE_STATUS},	   {"httpstatus*", PLACE_STATUS},
	{"result", PLACE_STATUS},	   {"*throttl*", PLACE_FLAG},
	{"*ratelimited*", PLACE_FLAG}, {"*timedout*", PLACE_FLAG},
	{"*partial*", PLACE_FLAG},	   {"*incomplete*", PLACE_FLAG},
	{"*truncated*", PLACE_FLAG},   {"*exceeded*", PLACE_FLAG},
};

/*
 * Copies the letters of a text in lower case, as far as they fit, to ignore the
 * spelling: rateLimitExceeded, RATE_LIMITED, "Rate limit".
 */
static void
copy_letters(const char *text, char *letters, size_t size)
{
	size_t length = 0;

	for (; *text != '\0' && length < size - 1; text++)
	{
		char c = pg_ascii_tolower((unsigned char) *text);

		if (c >= 'a' && c <= 'z')
			letters[length++] = c;
	}
	letters[length] = '\0';
}

/* Returns the role of a key by response_keys, or PLACE_IGNORED. */
Place
place_of_response_key(const JsonSlice *name)
{
	char start[64];
	char letters[64];

	slice_start(name, start, sizeof(start));
	copy_letters(start, letters, sizeof(letters));
	for (size_t i = 0; i < lengthof(response_keys); i++)
	{
		if (fnmatch(response_keys[i].pattern, letters, 0) == 0)
			return response_keys[i].place;
	}
	return PLACE_IGNORED;
}

/* Returns true if the letters of a text contain one of the words. */
bool
place_letters_contain(const char *text, const char *const *words, size_t count)
{
	char letters[1024];

	copy_letters(text, letters, sizeof(letters));
	for (size_t i = 0; i < count; i++)
	{
		if (strstr(letters, words[i]) != NULL)
			return true;
	}
	return false;
}

static bool
is_one_of(const char *text, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		if (pg_strcasecmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

/*
 * Returns true if a value reports a failure.  In PLACE_ERROR, any scalar that is
 * not empty does, at any depth.  The text "no"
 * denies an error as the value of the error's own key, but within an error it
 * is a message.  container: the role of the value around it.
 */
bool
place_reports_failure(Place container, Place place, const JsonSlice *value)
{
	static const char *const nothings[] = {"",	   "0",	   "ok",   "success",
										   "none", "null", "false"};
	static const char *const statuses[] = {
		"error",	 "errored", "fail",		 "failed",	"failure",
		"throttled", "timeout", "timed_out", "partial", "unavailable"};
	JsonKind kind = value->kind;
	bool	 is_text = kind == JSON_KIND_STRING;
	char	 text[64];
	double	 number;
	bool	 is_status;

	slice_start(value, text, sizeof(text));
	number = is_text || kind == JSON_KIND_NUMBER ? strtod(text, NULL) : 0;
	is_status = number >= 400 && number < 600;

	switch (place)
	{
		case PLACE_ERROR:
			return kind == JSON_KIND_TRUE ||
				   (kind == JSON_KIND_NUMBER && number != 0) ||
				   (is_text && !is_one_of(text, nothings, lengthof(nothings)) &&
					(container == PLACE_ERROR ||
					 pg_strcasecmp(text, "no") != 0));
		case PLACE_CODE:
			return is_status ||
				   (is_text && number == 0 &&
					!is_one_of(text, nothings, lengthof(nothings)));
		case PLACE_STATUS:
			return is_status || kind == JSON_KIND_FALSE ||
				   (is_text && is_one_of(text, statuses, lengthof(statuses)));
		case PLACE_FLAG:
			return kind == JSON_KIND_TRUE;
		default:
			return false;
	}
}

/* Returns true if a message without records explains a failure. */
bool
place_explains_failure(const JsonSlice *message)
{
	char text[1024];

	static const char *const words[] = {
		"error",		"fail",	   "limit",		"toomany", "throttl",
		"exceed",		"exhaust", "timeout",	"denied",  "timedout",
		"unavailable",	"quota",   "forbidden", "invalid", "expired",
		"unauthorized", "tryagain"};

	slice_start(message, text, sizeof(text));
	return place_letters_contain(text, words, lengthof(words));
}
