/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * remote_text.c
 *	  Removes the API key from remote texts.
 *
 * Messages, DETAILs and log lines can quote a response, and a server can echo
 * the request in it.  So each quoted text goes through this file first.
 *
 * Must not know the origin of the texts, nor records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/remote_text.h"

/* Returns the length of the key at the start of a text, or 0.  See RFC 8259. */
static size_t
match_key(const char *text, const char *end, const char *key)
{
	const char *start = text;

	for (; *key != '\0'; key++)
	{
		char escape[7];

		snprintf(escape, sizeof(escape), "\\u%04x", *key);
		if (end - text >= 6 && pg_strncasecmp(text, escape, 6) == 0)
			text += 6;
		else if (end - text >= 2 && text[0] == '\\' && text[1] == *key)
			text += 2;
		else if (text < end && *text == *key)
			text++;
		else
			return 0;
	}
	return text - start;
}

/*
 * Copies a text to target, with an asterisk in place of each occurrence of key,
 * which may be NULL.  Truncates the result to size bytes, including a NUL,
 * after the replacement, so that no part of the key remains.  Returns the
 * number of bytes copied, without the NUL.  Allocates nothing and raises no
 * error.
 */
size_t
redact_copy(const char *key, const char *text, size_t length, char *target,
			size_t size)
{
	const char *end = text + length;
	size_t		copied = 0;

	while (text < end && copied < size - 1)
	{
		size_t skipped = key != NULL ? match_key(text, end, key) : 0;

		target[copied++] = skipped > 0 ? '*' : *text;
		text += skipped > 0 ? skipped : 1;
	}
	target[copied] = '\0';
	return copied;
}

/* Returns a palloc'd copy of a text, with an asterisk in place of each key. */
char *
redact_text(const char *key, const char *text)
{
	size_t length = strlen(text);
	char  *copy = palloc(length + 1);

	redact_copy(key, text, length, copy, length + 1);
	return copy;
}
