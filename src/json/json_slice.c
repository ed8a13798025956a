/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * json_slice.c
 *	  Texts and members of JSON values that were read, in PostgreSQL's memory.
 *
 * A slice is valid JSON, because a reader has passed it.  Texts are UTF-8, in
 * any server encoding.  Must not know records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "json/json_slice.h"

/*
 * Returns the characters of a scalar, with a NUL behind them: in the buffer of
 * size bytes if they fit, and palloc'd otherwise.  Returns NULL, and sets *error,
 * if PostgreSQL cannot store one of them.
 */
char *
slice_text(const JsonSlice *value, char *buffer, size_t size, JsonError *error)
{
	char *text =
		(size_t) value->length < size ? buffer : palloc(value->length + 1);
	int length = value->length;

	*error = JSON_OK;
	if (value->has_escapes)
		*error = json_unescape(value, text, &length);
	else
		memcpy(text, value->start, length);
	if (*error == JSON_OK)
	{
		text[length] = '\0';
		return text;
	}
	if (text != buffer)
		pfree(text);
	return NULL;
}

/*
 * Copies the first bytes of a scalar to a target of size bytes, which gets a NUL.
 * A text that PostgreSQL cannot store becomes a question mark.
 */
void
slice_start(const JsonSlice *value, char *target, size_t size)
{
	JsonError error;
	char	 *text;

	if (!value->has_escapes)
	{
		size_t length = Min((size_t) value->length, size - 1);

		if (length > 0)
			memcpy(target, value->start, length);
		target[length] = '\0';
		return;
	}
	text = slice_text(value, NULL, 0, &error);
	strlcpy(target, text != NULL ? text : "?", size);
	if (text != NULL)
		pfree(text);
}

/* Returns true if a string has the characters of a text. */
bool
slice_equals(const JsonSlice *string, const char *text)
{
	size_t	  length = strlen(text);
	JsonError error;
	char	 *characters;
	bool	  is_equal;

	if (!string->has_escapes)
		return (size_t) string->length == length &&
			   memcmp(string->start, text, length) == 0;
	characters = slice_text(string, NULL, 0, &error);
	if (characters == NULL)
		return false;
	is_equal = strcmp(characters, text) == 0;
	pfree(characters);
	return is_equal;
}

/* Returns true for null and an empty string, which some APIs write for null. */
bool
slice_is_empty(const JsonSlice *value)
{
	return value->kind == JSON_KIND_NULL ||
		   (value->kind == JSON_KIND_STRING && value->length == 0);
}

/* Returns a value as it is in the response: a string has its quotes. */
JsonSlice
slice_raw(const JsonSlice *value)
{
	JsonSlice raw = *value;

	if (value->kind == JSON_KIND_STRING)
	{
		raw.start--;
		raw.length += 2;
	}
	return raw;
}

/*
 * Sets *member to the first member of an object with a name.  Returns the number
 * of members with that name.
 */
int
slice_member(const JsonSlice *object, const char *name, JsonSlice *member)
{
	int		   count = 0;
	JsonReader reader;
	JsonSlice  key;

	if (object->kind != JSON_KIND_OBJECT)
		return 0;
	json_begin_again(&reader, object->start);
	json_enter(&reader);
	while (json_next_key(&reader, &key))
	{
		bool is_found = slice_equals(&key, name);

		if (!is_found || count > 0)
			json_skip(&reader);
		else
			json_read(&reader, member);
		count += is_found;
	}
	return count;
}
