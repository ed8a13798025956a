/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * json_escape.c
 *	  Escapes in JSON, for databases that are not in UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "json_escape.h"

static int unicode_escape(const char *text, const char *end);

/*
 * Writes \u escapes of characters beyond ASCII as UTF-8, in place: they shrink.
 *
 * The backend's lexer would turn such an escape into the database's encoding in
 * the middle of a text that is UTF-8.  Escapes that are no character (a lone
 * surrogate) stay, for the lexer to refuse.
 */
void
json_rewrite_escapes(char *body, int *length)
{
	const char *end = body + *length;
	const char *from = body;
	char	   *to = body;

	while (from < end)
	{
		int code;

		if (*from != '\\' || from + 1 >= end)
		{
			*to++ = *from++;
			continue;
		}
		code = unicode_escape(from, end);
		if (code >= 0x80 && !is_utf16_surrogate_first(code) &&
			!is_utf16_surrogate_second(code))
		{
			unicode_to_utf8(code, (unsigned char *) to);
			to += pg_utf_mblen((unsigned char *) to);
			from += 6;
		}
		else if (code >= 0 && is_utf16_surrogate_first(code) &&
				 is_utf16_surrogate_second(unicode_escape(from + 6, end)))
		{
			code = surrogate_pair_to_codepoint(code,
											   unicode_escape(from + 6, end));
			unicode_to_utf8(code, (unsigned char *) to);
			to += pg_utf_mblen((unsigned char *) to);
			from += 12;
		}
		else
		{
			/* Both bytes, so that the second of \\ starts no escape. */
			*to++ = *from++;
			*to++ = *from++;
		}
	}
	*length = to - body;
}

/* The code of the \uXXXX at text, or -1 where there is none. */
static int
unicode_escape(const char *text, const char *end)
{
	int code = 0;

	if (end - text < 6 || text[0] != '\\' || text[1] != 'u')
		return -1;
	for (int i = 2; i < 6; i++)
	{
		unsigned char c = (unsigned char) text[i];

		code <<= 4;
		if (c >= '0' && c <= '9')
			code |= c - '0';
		else if (c >= 'a' && c <= 'f')
			code |= c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			code |= c - 'A' + 10;
		else
			return -1;
	}
	return code;
}
