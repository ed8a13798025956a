/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * json_reader.c
 *	  Reads JSON from a buffer, value by value.  See json_reader.h.
 *
 * Most bytes of a response are in strings and values that are skipped.  So the
 * search for the end of a string looks at 16 bytes at a time with SSE2 or NEON,
 * and at 8 bytes elsewhere.  The padding of the buffer lets it read beyond the
 * end; the NUL there stops each loop.
 *
 * The grammar is that of RFC 8259.  A \u escape may be half of a surrogate pair
 * there, so only json_unescape rejects it.
 *
 *-------------------------------------------------------------------------
 */
#include "c.h"

#include "json/json_reader.h"

#if !defined(JSON_PORTABLE) && defined(__SSE2__)
#include <emmintrin.h>
#define JSON_SSE2
#elif !defined(JSON_PORTABLE) && defined(__aarch64__)
#include <arm_neon.h>
#define JSON_NEON
#elif !defined(WORDS_BIGENDIAN)
#define JSON_WORDS
#endif

/* Each byte of a word */
#define ALL_BYTES(byte) (~UINT64CONST(0) / 255 * (byte))
#define HIGH_BITS ALL_BYTES(0x80)

/* Notes an error at a byte.  At the end of the text, that is cut short. */
static bool
fail(JsonReader *reader, const char *at, JsonError error)
{
	reader->at = at;
	reader->error = at == reader->end ? JSON_CUT_SHORT : error;
	return false;
}

/*
 * Returns the first quote, backslash or control character from a byte on.  There
 * is one, because a NUL follows the text.
 */
static inline const char *
find_string_end(const char *at)
{
#if defined(JSON_SSE2)
	for (;; at += 16)
	{
		__m128i bytes = _mm_loadu_si128((const __m128i *) at);
		__m128i found = _mm_or_si128(
			_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
						 _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
			_mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes));
		int mask = _mm_movemask_epi8(found);

		if (mask != 0)
			return at + __builtin_ctz(mask);
	}
#elif defined(JSON_NEON)
	for (;; at += 16)
	{
		uint8x16_t bytes = vld1q_u8((const uint8_t *) at);
		uint8x16_t found = vorrq_u8(vorrq_u8(vceqq_u8(bytes, vdupq_n_u8('"')),
											 vceqq_u8(bytes, vdupq_n_u8('\\'))),
									vcltq_u8(bytes, vdupq_n_u8(' ')));
		uint64_t   mask = vget_lane_u64(
			  vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(found), 4)),
			  0);

		if (mask != 0)
			return at + __builtin_ctzll(mask) / 4;
	}
#else
#if defined(JSON_WORDS)
	/* The lowest marked byte is exact; a borrow may mark others above it. */
	for (;; at += 8)
	{
		uint64 bytes;
		uint64 quotes;
		uint64 backslashes;
		uint64 found;

		memcpy(&bytes, at, 8);
		quotes = bytes ^ ALL_BYTES('"');
		backslashes = bytes ^ ALL_BYTES('\\');
		found = (((quotes - ALL_BYTES(1)) & ~quotes) |
				 ((backslashes - ALL_BYTES(1)) & ~backslashes) |
				 ((bytes - ALL_BYTES(' ')) & ~bytes)) &
				HIGH_BITS;
		if (found != 0)
			return at + __builtin_ctzll(found) / 8;
	}
#else
	while (*at != '"' && *at != '\\' && (unsigned char) *at >= ' ')
		at++;
	return at;
#endif
#endif
}

/* Returns true if the 16 bytes from a byte on are ASCII. */
static inline bool
is_ascii(const char *at)
{
#if defined(JSON_SSE2)
	return _mm_movemask_epi8(_mm_loadu_si128((const __m128i *) at)) == 0;
#elif defined(JSON_NEON)
	return vmaxvq_u8(vld1q_u8((const uint8_t *) at)) < 0x80;
#else
	uint64 words[2];

	memcpy(words, at, 16);
	return ((words[0] | words[1]) & HIGH_BITS) == 0;
#endif
}

/*
 * Returns the number of bytes of the character at a byte that is not ASCII, or 0
 * if it is not UTF-8.  Sets *bad to the first wrong byte then.
 */
static int
utf8_length(const char *at, const char **bad)
{
	const unsigned char *bytes = (const unsigned char *) at;
	unsigned char		 least = 0x80;
	unsigned char		 most = 0xbf;
	int					 length;

	if (bytes[0] >= 0xc2 && bytes[0] <= 0xdf)
		length = 2;
	else if ((bytes[0] & 0xf0) == 0xe0)
		length = 3;
	else if (bytes[0] >= 0xf0 && bytes[0] <= 0xf4)
		length = 4;
	else
	{
		*bad = at;
		return 0;
	}
	/* Neither longer than needed, nor a surrogate, nor beyond U+10FFFF */
	if (bytes[0] == 0xe0)
		least = 0xa0;
	else if (bytes[0] == 0xed)
		most = 0x9f;
	else if (bytes[0] == 0xf0)
		least = 0x90;
	else if (bytes[0] == 0xf4)
		most = 0x8f;
	for (int i = 1; i < length; i++)
	{
		if (bytes[i] < least || bytes[i] > most)
		{
			*bad = at + i;
			return 0;
		}
		least = 0x80;
		most = 0xbf;
	}
	return length;
}

/*
 * Begins to read a text, which JSON_PADDING bytes follow, the first of which is
 * NUL.  Returns false if the text is not UTF-8.
 */
bool
json_begin(JsonReader *reader, const char *text, size_t length)
{
	const char *at = text;
	const char *bad;

	memset(reader, 0, sizeof(JsonReader));
	reader->start = reader->at = text;
	reader->end = text + length;
	for (;;)
	{
		int bytes;

		while (at < reader->end && is_ascii(at))
			at += 16;
		while (at < reader->end && (*at & 0x80) == 0)
			at++;
		if (at >= reader->end)
			return true;
		bytes = utf8_length(at, &bad);
		if (bytes == 0)
			return fail(reader, bad, JSON_INVALID_UTF8);
		at += bytes;
	}
}

static inline const char *
skip_space(const char *at)
{
	while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
		at++;
	return at;
}

/* Returns true for the four hexadecimal digits of a \u escape. */
static bool
is_hex4(JsonReader *reader, const char *at)
{
	for (int i = 0; i < 4; i++)
	{
		if (!isxdigit((unsigned char) at[i]))
			return fail(reader, at + i, JSON_INVALID_ESCAPE);
	}
	return true;
}

/*
 * Passes a string from behind its first quote to behind its last one.  Fills the
 * slice, unless it is NULL.
 */
static inline bool
pass_string(JsonReader *reader, const char *at, JsonSlice *slice)
{
	const char *start = at;
	bool		has_escapes = false;

	for (;;)
	{
		at = find_string_end(at);
		if (*at == '"')
			break;
		if (*at != '\\')
			return fail(reader, at, JSON_CONTROL);
		has_escapes = true;
		switch (at[1])
		{
			case '"':
			case '\\':
			case '/':
			case 'b':
			case 'f':
			case 'n':
			case 'r':
			case 't':
				at += 2;
				break;
			case 'u':
				if (!is_hex4(reader, at + 2))
					return false;
				at += 6;
				break;
			default:
				return fail(reader, at + 1, JSON_INVALID_ESCAPE);
		}
	}
	if (slice != NULL)
		*slice = (JsonSlice){.type = JSON_STRING,
							 .has_escapes = has_escapes,
							 .length = (int) (at - start),
							 .start = start};
	reader->at = at + 1;
	return true;
}

/* Passes at least one digit.  Returns NULL if there is none. */
static inline const char *
pass_digits(JsonReader *reader, const char *at)
{
	if (*at < '0' || *at > '9')
	{
		fail(reader, at, JSON_UNEXPECTED);
		return NULL;
	}
	while (*at >= '0' && *at <= '9')
		at++;
	return at;
}

/* Passes a number. */
static bool
pass_number(JsonReader *reader)
{
	const char *at = reader->at + (*reader->at == '-');

	if (*at == '0')
		at++;
	else if ((at = pass_digits(reader, at)) == NULL)
		return false;
	if (*at == '.' && (at = pass_digits(reader, at + 1)) == NULL)
		return false;
	if (*at == 'e' || *at == 'E')
	{
		at++;
		at = pass_digits(reader, at + (*at == '+' || *at == '-'));
		if (at == NULL)
			return false;
	}
	reader->at = at;
	return true;
}

/* Passes a literal. */
static bool
pass_literal(JsonReader *reader, const char *literal)
{
	const char *at = reader->at;

	for (; *literal != '\0'; literal++, at++)
	{
		if (*at != *literal)
			return fail(reader, at, JSON_UNEXPECTED);
	}
	reader->at = at;
	return true;
}

/* Passes a scalar of a type. */
static inline bool
pass_scalar(JsonReader *reader, JsonType type)
{
	switch (type)
	{
		case JSON_STRING:
			return pass_string(reader, reader->at + 1, NULL);
		case JSON_NUMBER:
			return pass_number(reader);
		case JSON_TRUE:
			return pass_literal(reader, "true");
		case JSON_FALSE:
			return pass_literal(reader, "false");
		case JSON_NULL:
			return pass_literal(reader, "null");
		default:
			return false;
	}
}

/*
 * Returns the type of the next value, which begins at reader->at then.  Returns
 * JSON_NONE if there is none, which is an error.
 */
JsonType
json_peek(JsonReader *reader)
{
	if (reader->error != JSON_OK)
		return JSON_NONE;
	reader->at = skip_space(reader->at);
	switch (*reader->at)
	{
		case '{':
			return JSON_OBJECT;
		case '[':
			return JSON_ARRAY;
		case '"':
			return JSON_STRING;
		case '-':
		case '0':
		case '1':
		case '2':
		case '3':
		case '4':
		case '5':
		case '6':
		case '7':
		case '8':
		case '9':
			return JSON_NUMBER;
		case 't':
			return JSON_TRUE;
		case 'f':
			return JSON_FALSE;
		case 'n':
			return JSON_NULL;
		default:
			fail(reader, reader->at, JSON_UNEXPECTED);
			return JSON_NONE;
	}
}

/*
 * Enters the next value, which must be an object or an array, as json_peek has
 * returned.
 */
bool
json_enter(JsonReader *reader, JsonType type)
{
	uint64 bit = UINT64CONST(1) << (reader->depth & (JSON_MAX_DEPTH - 1));

	if (reader->depth == JSON_MAX_DEPTH)
		return fail(reader, reader->at, JSON_TOO_DEEP);
	if (type == JSON_OBJECT)
		reader->is_object |= bit;
	else
		reader->is_object &= ~bit;
	reader->depth++;
	reader->at++;
	reader->is_first = true;
	return true;
}

/*
 * Passes the comma before the next member of the current object or array.
 * Returns false, and leaves it, if it has no more.
 */
static inline bool
next_member(JsonReader *reader, char closing)
{
	const char *at;

	if (reader->error != JSON_OK)
		return false;
	at = skip_space(reader->at);
	if (*at == closing)
	{
		reader->at = at + 1;
		reader->depth--;
		reader->is_first = false;
		return false;
	}
	if (!reader->is_first)
	{
		if (*at != ',')
			return fail(reader, at, JSON_UNEXPECTED);
		at++;
	}
	reader->is_first = false;
	reader->at = at;
	return true;
}

/*
 * Passes the key of the next member of the current object, up to its value.
 * Returns false at the end of the object, which it leaves.  key may be NULL.
 */
bool
json_next_key(JsonReader *reader, JsonSlice *key)
{
	const char *at;

	if (!next_member(reader, '}'))
		return false;
	at = skip_space(reader->at);
	if (*at != '"')
		return fail(reader, at, JSON_UNEXPECTED);
	if (!pass_string(reader, at + 1, key))
		return false;
	at = skip_space(reader->at);
	if (*at != ':')
		return fail(reader, at, JSON_UNEXPECTED);
	reader->at = at + 1;
	return true;
}

/*
 * Goes to the next element of the current array.  Returns false at its end, and
 * leaves it.
 */
bool
json_next_element(JsonReader *reader)
{
	return next_member(reader, ']');
}

/* Passes the next value, whatever it is. */
bool
json_skip(JsonReader *reader)
{
	int depth = reader->depth;

	do
	{
		JsonType type = json_peek(reader);

		if (type == JSON_OBJECT || type == JSON_ARRAY
				? !json_enter(reader, type)
				: !pass_scalar(reader, type))
			return false;

		/* Go to the next value, out of the containers that end here. */
		while (reader->depth > depth)
		{
			bool is_object = (reader->is_object >> (reader->depth - 1)) & 1;

			if (is_object ? json_next_key(reader, NULL)
						  : json_next_element(reader))
				break;
			if (reader->error != JSON_OK)
				return false;
		}
	} while (reader->depth > depth);
	return true;
}

/*
 * Passes the next value, and sets *value to its text.  An object or array is a
 * text, too.
 */
bool
json_read(JsonReader *reader, JsonSlice *value)
{
	JsonType	type = json_peek(reader);
	const char *start = reader->at;

	if (type == JSON_STRING)
		return pass_string(reader, start + 1, value);
	if (!json_skip(reader))
		return false;
	*value = (JsonSlice){
		.type = type, .length = (int) (reader->at - start), .start = start};
	return true;
}

/* Returns true if only spaces follow the value that was read. */
bool
json_finish(JsonReader *reader)
{
	if (reader->error != JSON_OK)
		return false;
	reader->at = skip_space(reader->at);
	return reader->at == reader->end ||
		   fail(reader, reader->at, JSON_UNEXPECTED);
}

/* Returns the value of four hexadecimal digits, which were checked. */
static uint32
hex4(const char *at)
{
	uint32 value = 0;

	for (int i = 0; i < 4; i++)
		value = value * 16 +
				(at[i] <= '9' ? at[i] - '0' : (at[i] | 0x20) - 'a' + 10);
	return value;
}

/* Writes a character as UTF-8.  Returns the byte behind it. */
static char *
put_utf8(char *to, uint32 character)
{
	if (character < 0x80)
		*to++ = (char) character;
	else if (character < 0x800)
		*to++ = (char) (0xc0 | character >> 6);
	else if (character < 0x10000)
	{
		*to++ = (char) (0xe0 | character >> 12);
		*to++ = (char) (0x80 | ((character >> 6) & 0x3f));
	}
	else
	{
		*to++ = (char) (0xf0 | character >> 18);
		*to++ = (char) (0x80 | ((character >> 12) & 0x3f));
		*to++ = (char) (0x80 | ((character >> 6) & 0x3f));
	}
	if (character >= 0x80)
		*to++ = (char) (0x80 | (character & 0x3f));
	return to;
}

/*
 * Writes the characters of a string that was read to a target with room for
 * string->length bytes, and sets *length to their number of bytes.  Writes no NUL
 * behind them.  Returns the reason if a character cannot be stored.
 */
JsonError
json_unescape(const JsonSlice *string, char *target, int *length)
{
	const char *at = string->start;
	const char *end = at + string->length;
	char	   *to = target;

	while (at < end)
	{
		const char *escape = memchr(at, '\\', end - at);
		size_t		plain = (escape != NULL ? escape : end) - at;
		uint32		character;

		memcpy(to, at, plain);
		to += plain;
		if (escape == NULL)
			break;
		at = escape + 2;
		switch (escape[1])
		{
			case 'b':
				*to++ = '\b';
				continue;
			case 'f':
				*to++ = '\f';
				continue;
			case 'n':
				*to++ = '\n';
				continue;
			case 'r':
				*to++ = '\r';
				continue;
			case 't':
				*to++ = '\t';
				continue;
			case 'u':
				break;
			default:
				*to++ = escape[1];
				continue;
		}
		character = hex4(at);
		at += 4;
		if (character == 0)
			return JSON_NUL;
		if (character >= 0xd800 && character <= 0xdfff)
		{
			uint32 low = end - at >= 6 && at[0] == '\\' && at[1] == 'u'
							 ? hex4(at + 2)
							 : 0;

			if (character > 0xdbff || low < 0xdc00 || low > 0xdfff)
				return JSON_LONE_SURROGATE;
			character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
			at += 6;
		}
		to = put_utf8(to, character);
	}
	*length = (int) (to - target);
	return JSON_OK;
}
