/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * json.c
 *	  Fuzz target: a text -> the JSON reader, in its three variants.
 *
 * An input is the text.  It ends at a page that cannot be read, with the padding
 * of the reader in between.
 *
 * The target checks:
 *
 * - The reader accepts the texts that PostgreSQL's parser accepts, and finds the
 *	 same values in them.  It limits the depth, and PostgreSQL does not.
 * - A string has the same characters for both, or both reject one of them.
 * - The variants for SSE2 or NEON, for words and for bytes have the same result.
 * - A text whose end is missing is cut short.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/mman.h>
#include <unistd.h>

#include "common/jsonapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "json/json_reader.h"

#include "shim.h"

/* The functions of a variant; see the Makefile. */
typedef struct Variant
{
	bool (*begin)(JsonReader *reader, const char *text, size_t length);
	JsonKind (*peek)(JsonReader *reader);
	bool (*enter)(JsonReader *reader);
	bool (*next_key)(JsonReader *reader, JsonSlice *key);
	bool (*next_element)(JsonReader *reader);
	bool (*read)(JsonReader *reader, JsonSlice *value);
	bool (*skip)(JsonReader *reader);
	bool (*finish)(JsonReader *reader);
	JsonError (*unescape)(const JsonSlice *string, char *target, int *length);
} Variant;

#define DECLARE_VARIANT(name)                                          \
	extern bool		 name##_begin(JsonReader *, const char *, size_t); \
	extern JsonKind	 name##_peek(JsonReader *);                        \
	extern bool		 name##_enter(JsonReader *);                       \
	extern bool		 name##_next_key(JsonReader *, JsonSlice *);       \
	extern bool		 name##_next_element(JsonReader *);                \
	extern bool		 name##_read(JsonReader *, JsonSlice *);           \
	extern bool		 name##_skip(JsonReader *);                        \
	extern bool		 name##_finish(JsonReader *);                      \
	extern JsonError name##_unescape(const JsonSlice *, char *, int *);

#define VARIANT(name)                                                     \
	{                                                                     \
		name##_begin, name##_peek, name##_enter, name##_next_key,         \
			name##_next_element, name##_read, name##_skip, name##_finish, \
			name##_unescape                                               \
	}

DECLARE_VARIANT(words)
DECLARE_VARIANT(bytes)

static const Variant variants[] = {VARIANT(json), VARIANT(words),
								   VARIANT(bytes)};

/* The result of a read. */
typedef struct Result
{
	JsonError	   error;
	int			   at;	   /* of the error */
	StringInfoData values; /* one in a line: its text, and its characters */
} Result;

static char *place_text(const char *data, size_t size);
static void walk(const Variant *variant, JsonReader *reader, StringInfo values);
static Result read_text(const Variant *variant, const char *text, size_t size);
static void	  check_cut(const char *data, size_t size);
static bool	  parse_text(const char *text, size_t size, StringInfo values);

void
fuzz_input(char *data, size_t size)
{
	static const char *const outcomes[] = {
		[JSON_OK] = "json",
		[JSON_CUT_SHORT] = "cut",
		[JSON_UNEXPECTED] = "unexpected",
		[JSON_CONTROL] = "control",
		[JSON_INVALID_ESCAPE] = "escape",
		[JSON_INVALID_UTF8] = "utf8",
		[JSON_TOO_DEEP] = "deep",
	};
	char		  *text = place_text(data, size);
	Result		   first = read_text(&variants[0], text, size);
	StringInfoData values;
	bool		   is_json;

	shim_outcome(outcomes[first.error]);
	for (size_t i = 1; i < lengthof(variants); i++)
	{
		Result other = read_text(&variants[i], text, size);

		FUZZ_CHECK(other.error == first.error && other.at == first.at);
		FUZZ_CHECK(other.values.len == first.values.len &&
				   memcmp(other.values.data, first.values.data,
						  first.values.len) == 0);
	}
	if (first.error == JSON_TOO_DEEP)
		return;
	initStringInfo(&values);
	is_json =
		pg_encoding_verifymbstr(PG_UTF8, text, (int) size) == (int) size &&
		parse_text(text, size, &values);
	FUZZ_CHECK(is_json == (first.error == JSON_OK));
	if (!is_json)
		return;
	FUZZ_CHECK(values.len == first.values.len &&
			   memcmp(values.data, first.values.data, values.len) == 0);
	check_cut(data, size);
}

/* Returns a copy whose padding ends at a page that cannot be read. */
static char *
place_text(const char *data, size_t size)
{
	static char	 *area = NULL;
	static size_t area_size;
	size_t		  page = sysconf(_SC_PAGESIZE);
	char		 *text;

	if (area == NULL || area_size < size + JSON_PADDING)
	{
		if (area != NULL)
			munmap(area, area_size + page);
		area_size = (size + JSON_PADDING + page - 1) / page * page;
		area = mmap(NULL, area_size + page, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		FUZZ_CHECK(area != MAP_FAILED);
		FUZZ_CHECK(mprotect(area + area_size, page, PROT_NONE) == 0);
	}
	text = area + area_size - JSON_PADDING - size;
	if (size > 0)
		memcpy(text, data, size);
	/* Only the first byte of the padding has a meaning. */
	memset(text + size, '"', JSON_PADDING);
	text[size] = '\0';
	return text;
}

/* Appends a value: its text, and the characters of a string. */
static void
note_value(StringInfo values, const char *start, int length,
		   const char *characters, int count)
{
	appendBinaryStringInfo(values, start, length);
	appendStringInfoChar(values, '=');
	if (characters != NULL)
		appendBinaryStringInfo(values, characters, count);
	else
		appendStringInfoString(values, "not text");
	appendStringInfoChar(values, '\n');
}

static void
note_slice(const Variant *variant, StringInfo values, const JsonSlice *slice)
{
	char *characters = palloc(slice->length + 1);
	int	  count = 0;

	if (slice->kind != JSON_KIND_STRING)
		note_value(values, slice->start, slice->length, "", 0);
	else if (variant->unescape(slice, characters, &count) == JSON_OK)
		note_value(values, slice->start, slice->length, characters, count);
	else
		note_value(values, slice->start, slice->length, NULL, 0);
	FUZZ_CHECK(count <= slice->length);
	pfree(characters);
}

/* Reads the next value, and appends its keys and scalars. */
static void
walk(const Variant *variant, JsonReader *reader, StringInfo values)
{
	JsonKind  kind = variant->peek(reader);
	JsonSlice slice;

	if (kind == JSON_KIND_OBJECT && variant->enter(reader))
	{
		while (variant->next_key(reader, &slice))
		{
			note_slice(variant, values, &slice);
			walk(variant, reader, values);
		}
	}
	else if (kind == JSON_KIND_ARRAY && variant->enter(reader))
	{
		while (variant->next_element(reader))
			walk(variant, reader, values);
	}
	else if (variant->read(reader, &slice))
	{
		FUZZ_CHECK(slice.kind == kind);
		note_slice(variant, values, &slice);
	}
}

/* Reads a text value by value, and checks that skipping it has the same result. */
static Result
read_text(const Variant *variant, const char *text, size_t size)
{
	Result	   result = {0};
	JsonReader reader;
	JsonReader skipper;

	initStringInfo(&result.values);
	if (variant->begin(&reader, text, size))
	{
		skipper = reader;
		walk(variant, &reader, &result.values);
		variant->finish(&reader);
		variant->skip(&skipper);
		variant->finish(&skipper);
		FUZZ_CHECK(skipper.error == reader.error && skipper.at == reader.at);
	}
	result.error = reader.error;
	result.at = (int) (reader.at - text);
	FUZZ_CHECK(result.at >= 0 && (size_t) result.at <= size);
	FUZZ_CHECK((result.error == JSON_CUT_SHORT) ==
			   (result.error != JSON_OK && (size_t) result.at == size));
	return result;
}

/* Checks that an object or array without its end is cut short. */
static void
check_cut(const char *data, size_t size)
{
	size_t end = size;
	Result result;

	while (end > 0 && strchr(" \t\r\n", data[end - 1]) != NULL)
		end--;
	if (end == 0 || (data[end - 1] != '}' && data[end - 1] != ']'))
		return;
	end = (unsigned char) data[end / 2] * end / 256;
	result = read_text(&variants[0], place_text(data, end), end);
	FUZZ_CHECK(result.error == JSON_CUT_SHORT);
}

/* --- PostgreSQL's parser --- */

typedef struct Parse
{
	JsonLexContext *lexer;
	StringInfo		values;
	const char	   *value_start;
} Parse;

#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType JsonActionResult;
#define JSON_ACTION_RETURN return JSON_SUCCESS
#else
typedef void JsonActionResult;
#define JSON_ACTION_RETURN return
#endif

static JsonLexContext *
make_lexer(const char *json, int length, bool need_escapes)
{
	return makeJsonLexContextCstringLen(
#if PG_VERSION_NUM >= 170000
		NULL,
#endif
		unconstify(char *, json), length, PG_UTF8, need_escapes);
}

/* Appends a string token, which has quotes. */
static void
note_token(StringInfo values, const char *start, int length)
{
	JsonLexContext *lexer = make_lexer(start, length, true);

	if (json_lex(lexer) == JSON_SUCCESS)
		note_value(values, start + 1, length - 2, lexer->strval->data,
				   lexer->strval->len);
	else
		note_value(values, start + 1, length - 2, NULL, 0);
}

/* Appends the key, whose colon the lexer has passed. */
static JsonActionResult
on_key(void *state, char *name, bool isnull)
{
	Parse	   *parse = state;
	const char *end = parse->lexer->prev_token_terminator - 1;
	const char *start;

	(void) name;
	(void) isnull;
	while (*--end != '"')
		;
	start = end;
	for (;;)
	{
		const char *before;

		while (*--start != '"')
			;
		before = start;
		while (before > parse->lexer->input && before[-1] == '\\')
			before--;
		if ((start - before) % 2 == 0)
			break;
	}
	note_token(parse->values, start, (int) (end + 1 - start));
	parse->value_start = parse->lexer->token_start;
	JSON_ACTION_RETURN;
}

static JsonActionResult
on_element(void *state, bool isnull)
{
	Parse *parse = state;

	(void) isnull;
	parse->value_start = parse->lexer->token_start;
	JSON_ACTION_RETURN;
}

static JsonActionResult
on_scalar(void *state, char *token, JsonTokenType kind)
{
	Parse	   *parse = state;
	const char *start = parse->value_start;
	int			length = (int) (parse->lexer->prev_token_terminator - start);

	(void) token;
	if (kind == JSON_TOKEN_STRING)
		note_token(parse->values, start, length);
	else
		note_value(parse->values, start, length, "", 0);
	JSON_ACTION_RETURN;
}

/* Parses a text with PostgreSQL's parser.  Returns false if it is not JSON. */
static bool
parse_text(const char *text, size_t size, StringInfo values)
{
	Parse		  parse = {.values = values};
	JsonSemAction actions = {.semstate = &parse,
							 .object_field_start = on_key,
							 .array_element_start = on_element,
							 .scalar = on_scalar};

	parse.lexer = make_lexer(text, (int) size, false);
	parse.value_start = text + strspn(text, " \t\r\n");
	return pg_parse_json(parse.lexer, &actions) == JSON_SUCCESS;
}
