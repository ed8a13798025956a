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
#include "postgres.h"

#include "base/hexadecimal.h"
#include "json/json_reader.h"

#if !defined(JSON_PORTABLE) && defined(__SSE2__)
#include <emmintrin.h>
#define JSON_SSE2
#elif !defined(JSON_PORTABLE) && defined(__aarch64__)
#include <arm_neon.h>
#define JSON_NEON
#elif !defined(WORDS_BIGENDIAN) && JSON_PORTABLE + 0 < 2
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

/* Returns true if 64 bytes are ASCII. */
static inline bool
has_ascii_only(const char *at)
{
#if defined(JSON_SSE2)
	const __m128i *bytes = (const __m128i *) at;

	return _mm_movemask_epi8(_mm_or_si128(
			   _mm_or_si128(_mm_loadu_si128(bytes), _mm_loadu_si128(bytes + 1)),
			   _mm_or_si128(_mm_loadu_si128(bytes + 2),
							_mm_loadu_si128(bytes + 3)))) == 0;
#else
	uint64 words[8];
	uint64 all = 0;

	memcpy(words, at, sizeof(words));
	for (size_t i = 0; i < lengthof(words); i++)
		all |= words[i];
	return (all & HIGH_BITS) == 0;
#endif
}

/* Returns the number of ASCII bytes at the beginning of 16 bytes. */
static inline int
ascii_length(const char *at)
{
#if defined(JSON_SSE2)
	return __builtin_ctz(
		_mm_movemask_epi8(_mm_loadu_si128((const __m128i *) at)) | 0x10000);
#elif defined(JSON_NEON)
	uint8x16_t high =
		vcgeq_u8(vld1q_u8((const uint8_t *) at), vdupq_n_u8(0x80));
	uint64_t mask = vget_lane_u64(
		vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(high), 4)), 0);

	return mask == 0 ? 16 : __builtin_ctzll(mask) / 4;
#else
	int	   length = 0;

#if defined(JSON_WORDS)
	uint64 words[2];

	memcpy(words, at, 16);
	if ((words[0] & HIGH_BITS) != 0)
		return __builtin_ctzll(words[0] & HIGH_BITS) / 8;
	if ((words[1] & HIGH_BITS) != 0)
		return 8 + __builtin_ctzll(words[1] & HIGH_BITS) / 8;
	length = 16;
#else
	while (length < 16 && (at[length] & 0x80) == 0)
		length++;
#endif
	return length;
#endif
}

/*
 * Returns the number of bytes of the character at a byte that is not ASCII.
 * Returns 0 if it is not UTF-8, or the end cuts it, which is an error.
 */
static int
utf8_length(JsonReader *reader, const char *at)
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
		return fail(reader, at, JSON_INVALID_UTF8);
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
			return fail(reader, at + i == reader->end ? at + i : at,
						JSON_INVALID_UTF8);
		least = 0x80;
		most = 0xbf;
	}
	return length;
}

/* Begins to read a value that a reader has passed without an error. */
void
json_begin_again(JsonReader *reader, const char *value)
{
	memset(reader, 0, sizeof(JsonReader));
	reader->start = reader->at = value;
}

/*
 * Begins to read a text, which JSON_PADDING bytes follow, the first of which is
 * NUL.  Returns false if the text is not UTF-8.
 */
bool
json_begin(JsonReader *reader, const char *text, size_t length)
{
	const char *at = text;
	const char *end = text + length;

	json_begin_again(reader, text);
	reader->end = end;
	for (;;)
	{
		int length;

		while (end - at >= 64 && has_ascii_only(at))
			at += 64;
		do
		{
			length = ascii_length(at);
			at += length;
		} while (length == 16 && at < end);
		if (at >= end)
			return true;
		do
		{
			length = utf8_length(reader, at);
			if (length == 0)
				return false;
			at += length;
		} while ((*at & 0x80) != 0);
	}
}

static inline const char *
skip_space(const char *at)
{
	while ((unsigned char) *at <= ' ' &&
		   (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at;
}

/*
 * Returns the byte behind the escape at a backslash, or NULL after an error.
 */
static const char *
pass_escape(JsonReader *reader, const char *at)
{
	static const char letters[] = "\"\\/bfnrt";

	if (at[1] != '\0' && strchr(letters, at[1]) != NULL)
		return at + 2;
	at++;
	for (int i = 0; i < 4 && (i > 0 || *at == 'u'); i++)
	{
		at++;
		if (hexadecimal_digit(*at) < 0)
			break;
	}
	fail(reader, at, JSON_INVALID_ESCAPE);
	return NULL;
}

/*
 * Returns the quote at the end of a string, whose first byte is given, or NULL
 * after an error.
 */
static pg_attribute_always_inline const char *
pass_string(JsonReader *reader, const char *at, bool *has_escapes)
{
	*has_escapes = false;
	for (;;)
	{
		at = find_string_end(at);
		if (likely(*at == '"'))
			return at;
		if (*at != '\\')
		{
			fail(reader, at, JSON_CONTROL);
			return NULL;
		}
		*has_escapes = true;
		/* Text in another script is often a sequence of these escapes. */
		while (at[0] == '\\' && at[1] == 'u' && hexadecimal_digit(at[2]) >= 0 &&
			   hexadecimal_digit(at[3]) >= 0 && hexadecimal_digit(at[4]) >= 0 &&
			   hexadecimal_digit(at[5]) >= 0)
			at += 6;
		if (*at == '\\' && (at = pass_escape(reader, at)) == NULL)
			return NULL;
	}
}

/*
 * Returns the byte behind a key and its colon, or NULL after an error.  Fills
 * *key.
 */
static pg_attribute_always_inline const char *
pass_key(JsonReader *reader, const char *at, JsonSlice *key)
{
	const char *end;

	at = skip_space(at);
	if (*at != '"')
	{
		fail(reader, at, JSON_UNEXPECTED);
		return NULL;
	}
	key->kind = JSON_KIND_STRING;
	key->start = at + 1;
	end = pass_string(reader, at + 1, &key->has_escapes);
	if (end == NULL)
		return NULL;
	key->length = (int) (end - key->start);
	at = skip_space(end + 1);
	if (*at != ':')
	{
		fail(reader, at, JSON_UNEXPECTED);
		return NULL;
	}
	return at + 1;
}

/* Returns the byte behind at least one digit, or NULL after an error. */
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

/* Returns the byte behind a number, or NULL after an error. */
static const char *
pass_number(JsonReader *reader, const char *at)
{
	at += *at == '-';
	if (*at == '0')
		at++;
	else if ((at = pass_digits(reader, at)) == NULL)
		return NULL;
	if (*at == '.' && (at = pass_digits(reader, at + 1)) == NULL)
		return NULL;
	if (*at == 'e' || *at == 'E')
	{
		at++;
		at = pass_digits(reader, at + (*at == '+' || *at == '-'));
	}
	return at;
}

/* Returns the byte behind a number or literal, or NULL after an error. */
static const char *
pass_word(JsonReader *reader, const char *at)
{
	const char *literal = *at == 't'   ? "true"
						  : *at == 'f' ? "false"
						  : *at == 'n' ? "null"
									   : NULL;

	if (literal == NULL)
		return pass_number(reader, at);
	for (; *literal != '\0'; literal++, at++)
	{
		if (*at != *literal)
		{
			fail(reader, at, JSON_UNEXPECTED);
			return NULL;
		}
	}
	return at;
}

/*
 * Returns the kind of the next value by its first byte, which is at reader->at
 * then.  Returns JSON_KIND_NONE if no value can begin with it, which is an error.
 */
JsonKind
json_peek(JsonReader *reader)
{
	if (reader->error != JSON_OK)
		return JSON_KIND_NONE;
	reader->at = skip_space(reader->at);
	switch (*reader->at)
	{
		case '{':
			return JSON_KIND_OBJECT;
		case '[':
			return JSON_KIND_ARRAY;
		case '"':
			return JSON_KIND_STRING;
		case 't':
			return JSON_KIND_TRUE;
		case 'f':
			return JSON_KIND_FALSE;
		case 'n':
			return JSON_KIND_NULL;
		default:
			if (*reader->at == '-' ||
				(*reader->at >= '0' && *reader->at <= '9'))
				return JSON_KIND_NUMBER;
			fail(reader, reader->at, JSON_UNEXPECTED);
			return JSON_KIND_NONE;
	}
}

/* Enters the object or array that json_peek has found. */
bool
json_enter(JsonReader *reader)
{
	if (reader->depth == JSON_MAX_DEPTH)
		return fail(reader, reader->at, JSON_TOO_DEEP);
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
 * Returns false at the end of the object, which it leaves.
 */
bool
json_next_key(JsonReader *reader, JsonSlice *key)
{
	const char *at;

	if (!next_member(reader, '}'))
		return false;
	at = pass_key(reader, reader->at, key);
	if (at == NULL)
		return false;
	reader->at = at;
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

/* Returns the byte behind the value at a byte, or NULL after an error. */
static const char *
pass_value(JsonReader *reader, const char *at)
{
	int	   depth = reader->depth;
	uint64 objects = 0; /* a bit for each container; the lowest is the last */
	JsonSlice key;
	bool	  has_escapes;

	for (;;)
	{
		bool is_empty = true;

		if (*at == '"')
		{
			at = pass_string(reader, at + 1, &has_escapes);
			if (at == NULL)
				return NULL;
			at++;
		}
		else if (*at == '{' || *at == '[')
		{
			if (depth == JSON_MAX_DEPTH)
			{
				fail(reader, at, JSON_TOO_DEEP);
				return NULL;
			}
			depth++;
			objects = objects << 1 | (*at == '{');
			at = skip_space(at + 1);
			is_empty = *at == ((objects & 1) != 0 ? '}' : ']');
		}
		else if ((at = pass_word(reader, at)) == NULL)
			return NULL;

		/* Go to the next value, out of the containers that end here. */
		while (is_empty)
		{
			if (depth == reader->depth)
				return at;
			at = skip_space(at);
			if (*at == ',')
			{
				at++;
				break;
			}
			if (*at != ((objects & 1) != 0 ? '}' : ']'))
			{
				fail(reader, at, JSON_UNEXPECTED);
				return NULL;
			}
			at++;
			objects >>= 1;
			depth--;
		}
		if ((objects & 1) != 0 && (at = pass_key(reader, at, &key)) == NULL)
			return NULL;
		at = skip_space(at);
	}
}

/* Passes the next value of any kind. */
bool
json_skip(JsonReader *reader)
{
	const char *at;

	if (reader->error != JSON_OK)
		return false;
	at = pass_value(reader, skip_space(reader->at));
	if (at != NULL)
		reader->at = at;
	return at != NULL;
}

/*
 * Passes the next value, and sets *value to its text.  An object or array is a
 * text, too.
 */
bool
json_read(JsonReader *reader, JsonSlice *value)
{
	const char *at;

	value->kind = json_peek(reader);
	value->start = reader->at;
	value->has_escapes = false;
	if (value->kind == JSON_KIND_STRING)
	{
		value->start++;
		at = pass_string(reader, value->start, &value->has_escapes);
	}
	else
		at = value->kind != JSON_KIND_NONE ? pass_value(reader, value->start)
										   : NULL;
	if (at == NULL)
		return false;
	value->length = (int) (at - value->start);
	reader->at = at + (value->kind == JSON_KIND_STRING);
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
		value = value * 16 + hexadecimal_digit(at[i]);
	return value;
}

/*
 * Returns the character of a \u escape, whose digits are at *at, and advances *at
 * behind it.  Both halves of a surrogate pair are one character.
 */
static uint32
unicode_escape(const char **at, const char *end)
{
	uint32 character = hex4(*at);
	uint32 low = 0;

	*at += 4;
	if (character >= 0xd800 && character <= 0xdbff && end - *at >= 6 &&
		(*at)[0] == '\\' && (*at)[1] == 'u')
		low = hex4(*at + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return character;
	*at += 6;
	return 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
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
		character = unicode_escape(&at, end);
		if (character == 0)
			return JSON_NUL;
		if (character >= 0xd800 && character <= 0xdfff)
			return JSON_LONE_SURROGATE;
		to = put_utf8(to, character);
	}
	*length = (int) (to - target);
	return JSON_OK;
}

/*
 * Replaces the \u escapes of characters beyond ASCII by the characters, in a text
 * that was read, and returns its new length in bytes.  Half of a surrogate pair
 * stays an escape.
 */
int
json_unescape_in_place(char *text, int length)
{
	const char *at = text;
	const char *end = text + length;
	char	   *to = text;

	while (at < end)
	{
		const char *escape = memchr(at, '\\', end - at);
		size_t		plain = (escape != NULL ? escape : end) - at;
		uint32		character = 0;

		memmove(to, at, plain);
		to += plain;
		if (escape == NULL)
			break;
		at = escape + 2;
		if (escape[1] == 'u')
			character = unicode_escape(&at, end);
		if (character >= 0x80 && (character < 0xd800 || character > 0xdfff))
			to = put_utf8(to, character);
		else
		{
			memmove(to, escape, at - escape);
			to += at - escape;
		}
	}
	return (int) (to - text);
}
