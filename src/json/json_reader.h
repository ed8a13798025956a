/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * json_reader.h
 *	  Reads JSON from a buffer, value by value.
 *
 * The caller enters objects and arrays, takes the values that it needs, and skips
 * the others.  The reader checks all bytes that it passes against RFC 8259.  It
 * allocates nothing and raises no error: an error is a state of the reader, after
 * which each function returns false.
 *
 * Must not know records, PostgreSQL's memory or its errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_JSON_READER_H
#define OPPORTUNITY_JSON_READER_H

#include "postgres.h"

/* Maximum depth of objects and arrays, one of which is a bit. */
#define JSON_MAX_DEPTH 64

/* Number of bytes behind the text that must be readable; the first is NUL. */
#define JSON_PADDING 16

typedef enum JsonError
{
	JSON_OK,
	JSON_CUT_SHORT,		 /* the text ends within a value */
	JSON_UNEXPECTED,	 /* a byte is not allowed at its place */
	JSON_CONTROL,		 /* a control character within a string */
	JSON_INVALID_ESCAPE, /* an unknown escape in a string */
	JSON_INVALID_UTF8,
	JSON_TOO_DEEP,		/* more than JSON_MAX_DEPTH */
	JSON_NUL,			/* of json_unescape: the character \u0000 */
	JSON_LONE_SURROGATE /* of json_unescape: half of a surrogate pair */
} JsonError;

typedef enum JsonKind
{
	JSON_KIND_NONE, /* there is no value, but an error */
	JSON_KIND_OBJECT,
	JSON_KIND_ARRAY,
	JSON_KIND_STRING,
	JSON_KIND_NUMBER,
	JSON_KIND_TRUE,
	JSON_KIND_FALSE,
	JSON_KIND_NULL
} JsonKind;

/* The text of a scalar in the buffer, of a string without its quotes. */
typedef struct JsonSlice
{
	const char *start;
	int			length;
	uint8		kind; /* a JsonKind */
	bool		has_escapes;
} JsonSlice;

typedef struct JsonReader
{
	const char *start;
	const char *end;
	const char *at; /* next byte; after an error, the byte that caused it */
	JsonError	error;
	int			depth;
	bool		is_first; /* the next member is the first one */
} JsonReader;

extern bool		json_begin(JsonReader *reader, const char *text, size_t length);
extern void		json_begin_again(JsonReader *reader, const char *value);
extern JsonKind json_peek(JsonReader *reader);
extern bool		json_enter(JsonReader *reader);
extern bool		json_next_key(JsonReader *reader, JsonSlice *key);
extern bool		json_next_element(JsonReader *reader);
extern bool		json_read(JsonReader *reader, JsonSlice *value);
extern bool		json_skip(JsonReader *reader);
extern bool		json_finish(JsonReader *reader);
extern JsonError json_unescape(const JsonSlice *string, char *target,
							   int *length);
extern int		 json_unescape_in_place(char *text, int length);

#endif /* OPPORTUNITY_JSON_READER_H */
