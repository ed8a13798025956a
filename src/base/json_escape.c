/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * json_escape.c
 *	  Rewrites escapes in JSON, for server encodings other than UTF-8.
 *
 * Must not know records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "base/json_escape.h"

/* Returns the code of the \uXXXX at text, or -1 if there is none. */
static int
unicode_escape(const char *text, const char *end)
{
	char digits[5] = "";

	if (end - text < 6 || text[0] != '\\' || text[1] != 'u')
		return -1;
	memcpy(digits, text + 2, 4);
	/* strtol would also accept a sign and spaces. */
	return strspn(digits, "0123456789abcdefABCDEF") == 4
			   ? (int) strtol(digits, NULL, 16)
			   : -1;
}

/*
 * Replaces \u escapes of characters beyond ASCII with UTF-8, in place.  The
 * server's lexer would convert them to the server encoding, within a text that
 * is UTF-8.  It rejects the invalid ones (lone surrogates), which stay.
 */
void
json_rewrite_escapes(char *body, int *length)
{
	const char *end = body + *length;
	const char *from = body;
	char	   *to = body;

	while (from < end)
	{
		int code = unicode_escape(from, end);
		int second =
			is_utf16_surrogate_first(code) ? unicode_escape(from + 6, end) : -1;
		int width = 6;

		if (is_utf16_surrogate_second(second))
		{
			code = surrogate_pair_to_codepoint(code, second);
			width = 12;
		}
		if (code >= 0x80 && !is_utf16_surrogate_first(code) &&
			!is_utf16_surrogate_second(code))
		{
			unicode_to_utf8(code, (unsigned char *) to);
			to += pg_utf_mblen((unsigned char *) to);
			from += width;
			continue;
		}
		/* Copy both bytes, so that the second one of \\ starts no escape. */
		if (*from == '\\' && from + 1 < end)
			*to++ = *from++;
		*to++ = *from++;
	}
	*length = to - body;
}
