/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_header.c
 *	  Reads the wait that a response requests from its headers.
 *
 * Servers differ in header, unit and clock.  Raises no error, because it runs
 * within libcurl's callbacks.  Must not know the API or SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>
#include <curl/curl.h>
#include <time.h>

#include "http/http.h"

/* Smallest numbers that are points in time, in seconds and milliseconds. */
#define FIRST_TIME 1e9
#define FIRST_TIME_IN_MILLISECONDS 1e11

/* Longest wait in milliseconds, far above any max_retry_wait. */
#define LONGEST_WAIT 1e15

static const char *const names[HTTP_HEADER_COUNT] = {
	"Retry-After", "X-RateLimit-Reset", "RateLimit-Reset", "RateLimit",
	"Date",		   "Content-Length"};

/*
 * Keeps a line of length bytes if it is one of the headers of HttpHeader, and
 * not too long.  A repeated header replaces the first one.
 */
void
http_header_keep(HttpHeaders *headers, const char *line, size_t length)
{
	/* A new response begins, so the previous one was interim (1xx). */
	if (length >= 5 && pg_strncasecmp(line, "HTTP/", 5) == 0)
	{
		memset(headers, 0, sizeof(*headers));
		return;
	}
	while (length > 0 && isspace((unsigned char) line[length - 1]))
		length--;
	for (int i = 0; i < HTTP_HEADER_COUNT; i++)
	{
		size_t name_length = strlen(names[i]);

		if (length > name_length && length < HTTP_HEADER_SIZE &&
			line[name_length] == ':' &&
			pg_strncasecmp(line, names[i], name_length) == 0)
		{
			memcpy(headers->lines[i], line, length);
			headers->lines[i][length] = '\0';
		}
	}
}

/* Returns a header's value without leading blanks, or "". */
static const char *
value_of(const HttpHeaders *headers, HttpHeader header)
{
	const char *value = strchr(headers->lines[header], ':');

	return value == NULL ? "" : value + 1 + strspn(value + 1, " \t");
}

/* Reads an unsigned number, with or without a fraction, and blanks after it. */
static bool
read_number(const char *text, double *number)
{
	size_t length = strspn(text, "0123456789.");
	char  *end;

	/* strtod would also accept a sign, an exponent and "nan". */
	*number = strtod(text, &end);
	return length > 0 && end == text + length &&
		   end[strspn(end, " \t")] == '\0';
}

/* Reads an HTTP date (RFC 9110, section 5.6.7) as seconds since 1970. */
static bool
header_read_date(const char *text, double *seconds)
{
	time_t time;

	/* curl_getdate would also accept a time of day, among others. */
	if (!isalpha((unsigned char) text[0]))
		return false;
	time = curl_getdate(text, NULL);
	*seconds = (double) time;
	return time != -1;
}

/*
 * Returns the size of the body that the response announces, in bytes, or 0 if it
 * announces none, or more than most.  A compressed body becomes larger.
 */
size_t
http_header_body_size(const HttpHeaders *headers, size_t most)
{
	double size;

	return read_number(value_of(headers, HTTP_CONTENT_LENGTH), &size) &&
				   size <= most
			   ? (size_t) size
			   : 0;
}

/*
 * Reads a number or a date as a wait in milliseconds, which is 0 if it has
 * passed.  A point in time counts from the response's Date, or else from now.
 * Returns -1 for any other text.
 */
static double
read_wait(const HttpHeaders *headers, const char *text)
{
	double number;
	double sent_at;
	double wait;

	if (read_number(text, &number))
	{
		if (number < FIRST_TIME)
			return number * 1000;
		if (number >= FIRST_TIME_IN_MILLISECONDS)
			number /= 1000;
	}
	else if (!header_read_date(text, &number))
		return -1;
	if (!header_read_date(value_of(headers, HTTP_DATE), &sent_at))
		sent_at = (double) time(NULL);
	wait = (number - sent_at) * 1000;
	return Max(0, Min(wait, LONGEST_WAIT));
}

/*
 * Returns the longest wait in a RateLimit header, as read_wait does.  Policies
 * that have requests left do not count.  Older drafts of the standard
 * (draft-ietf-httpapi-ratelimit-headers) have the form `limit=100, remaining=0,
 * reset=5`, and newer ones `"default";r=0;t=5`.
 */
static double
read_policies(const HttpHeaders *headers, const char *text)
{
	double longest = -1;
	char   copy[HTTP_HEADER_SIZE];
	char  *rest = copy;
	char  *policy;
	char  *parameter;

	strlcpy(copy, text, sizeof(copy));
	while ((policy = strsep(&rest, ",")) != NULL)
	{
		double left = 0;
		double wait = -1;

		while ((parameter = strsep(&policy, ";")) != NULL)
		{
			parameter += strspn(parameter, " \t");
			if (strncmp(parameter, "r=", 2) == 0 &&
				!read_number(parameter + 2, &left))
				left = 0;
			else if (strncmp(parameter, "t=", 2) == 0 ||
					 strncmp(parameter, "reset=", 6) == 0)
				wait = read_wait(headers, strchr(parameter, '=') + 1);
		}
		if (left == 0)
			longest = Max(longest, wait);
	}
	return longest;
}

/* Returns true if there is a valid Retry-After, including zero. */
bool
http_header_is_retry_after(const HttpHeaders *headers)
{
	return read_wait(headers, value_of(headers, HTTP_RETRY_AFTER)) >= 0;
}

/*
 * Returns the wait that the server requests in milliseconds, and sets *line to
 * its header line.  Returns -1 for none or zero.  throttles: headers with the
 * renewal time of a quota count, too.
 */
long
http_header_wait(const HttpHeaders *headers, bool throttles, const char **line)
{
	HttpHeader last = throttles ? HTTP_RATELIMIT : HTTP_RETRY_AFTER;

	for (HttpHeader header = HTTP_RETRY_AFTER; header <= last; header++)
	{
		const char *value = value_of(headers, header);
		double wait = header == HTTP_RATELIMIT ? read_policies(headers, value)
											   : read_wait(headers, value);

		if (wait > 0)
		{
			*line = headers->lines[header];
			return (long) Max(wait, 1);
		}
	}
	return -1;
}
