/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * mutate.c
 *	  Changes JSON so that it usually stays JSON: copies a value, or a member of
 *	  an object, over another or before it.
 *
 * Changes of single bytes nearly always end in the lexer.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "shim.h"

#define MOST_PIECES 2000

/* A value, or a member of an object: a key and its value. */
typedef struct Piece
{
	size_t start;
	size_t length;
	bool   is_member;
} Piece;

static int	  find_pieces(const char *json, size_t size, Piece *pieces);
static size_t length_of_member(const char *json, size_t size);
static size_t length_of_value(const char *json, size_t size);
static size_t length_of_string(const char *json, size_t size);

/*
 * Returns the new size, or 0 if the input has no piece to change or the result
 * exceeds max_size.
 */
size_t
shim_mutate_json(char *json, size_t size, size_t max_size, unsigned int seed)
{
	static Piece pieces[MOST_PIECES];
	int			 count = find_pieces(json, size, pieces);
	Piece		 from;
	Piece		 to;
	char		*copy;

	if (count == 0)
		return 0;
	to = pieces[seed % count];
	seed /= MOST_PIECES;
	do
		from = pieces[seed++ % count];
	while (from.is_member != to.is_member);
	if (size + from.length + 1 > max_size)
		return 0;

	copy = malloc(from.length + 1);
	memcpy(copy, json + from.start, from.length);
	if (seed % 3 == 0)
	{
		copy[from.length++] = ',';
		to.length = 0;
	}
	memmove(json + to.start + from.length, json + to.start + to.length,
			size - to.start - to.length);
	memcpy(json + to.start, copy, from.length);
	free(copy);
	return size - to.length + from.length;
}

/* Finds the pieces of a text, as far as it looks like JSON. */
static int
find_pieces(const char *json, size_t size, Piece *pieces)
{
	int count = 0;

	for (size_t i = 0; i < size && count < MOST_PIECES; i++)
	{
		size_t value = length_of_value(json + i, size - i);
		size_t member = length_of_member(json + i, size - i);

		if (value == 0)
			continue;
		pieces[count++] = (Piece){i, member > 0 ? member : value, member > 0};
		if (json[i] != '{' && json[i] != '[')
			i += value - 1;
	}
	return count;
}

/* Returns the length of the member at the start, or 0. */
static size_t
length_of_member(const char *json, size_t size)
{
	size_t key = json[0] == '"' ? length_of_string(json, size) : size;
	size_t value;

	while (key < size && strchr(": \t\r\n", json[key]) != NULL)
		key++;
	if (key >= size || memchr(json, ':', key) == NULL || json[key - 1] == '"')
		return 0;
	value = length_of_value(json + key, size - key);
	return value > 0 ? key + value : 0;
}

/* Returns the length of the value at the start, or 0. */
static size_t
length_of_value(const char *json, size_t size)
{
	int	   depth = 0;
	size_t i = 0;

	if (json[0] == '"')
		return length_of_string(json, size);
	while (i < size && json[i] != '\0' &&
		   strchr("0123456789+-.aeflnrstuE", json[i]) != NULL)
		i++;
	if (i > 0 || (json[0] != '{' && json[0] != '['))
		return i;

	for (; i < size; i++)
	{
		if (json[i] == '"')
			i += length_of_string(json + i, size - i) - 1;
		else if (json[i] == '{' || json[i] == '[')
			depth++;
		else if ((json[i] == '}' || json[i] == ']') && --depth == 0)
			return i + 1;
	}
	return 0;
}

/* Returns the length with both quotes; without a second one, the whole size. */
static size_t
length_of_string(const char *json, size_t size)
{
	for (size_t i = 1; i < size; i++)
	{
		if (json[i] == '\\')
			i++;
		else if (json[i] == '"')
			return i + 1;
	}
	return size;
}
