/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * redact.c
 *	  Keeps the API key out of messages that show foreign texts.
 *
 * Knows nothing of where the texts come from.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "redact.h"

static size_t match_key(const char *text, const char *end, const char *key);

/*
 * Copies a foreign text with an asterisk in place of each occurrence of the key,
 * and cuts it to the target's size, which includes a NUL at the end.  Returns
 * the bytes copied.  The key, which may be NULL, is looked for before anything
 * is cut off.
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

/* A palloc'd copy of a text with an asterisk in place of each occurrence of the key. */
char *
redact_text(const char *key, const char *text)
{
	size_t length = strlen(text);
	char  *copy = palloc(length + 1);

	redact_copy(key, text, length, copy, length + 1);
	return copy;
}

/*
 * How many bytes of a text are the key, perhaps with some of its characters
 * escaped as in JSON; 0 where it starts with something else.
 */
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
