/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_parser.c
 *	  Parses records and pages of records from JSON.
 *
 * PostgreSQL's streaming parser reads the response once.  It builds no tree,
 * numbers stay text, and only the wanted attributes are kept.  The shapes are
 * those that the API documents for GET /opportunity/{id} and POST
 * /opportunity/_query.  Unknown keys are ignored.
 *
 * The parser calls the functions on_*.  They keep the role of each value around
 * the current one, so a key's role follows from the role of its object.
 *
 * Must not know columns or transfers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "api/place.h"
#include "api/record.h"
#include "base/id.h"
#include "base/remote_text.h"

#define DUPLICATE_KEY "duplicate key"

/*
 * Keys of a record with a meaning.  Those with a value type may also be among
 * the attributes, and either place may be the only one.
 */
static const struct
{
	const char *name;
	Place		place;
	const char *value_type;
} record_keys[] = {
	{"id", PLACE_ID, "uuid"},
	{"created_at", PLACE_CREATED_AT, "timestamp"},
	{"updated_at", PLACE_UPDATED_AT, "timestamp"},
	{"record_type", PLACE_RECORD_TYPE, NULL},
	{"attributes", PLACE_ATTRIBUTES, NULL},
};

/* Maximum depth of nesting, so that no response exhausts the stack. */
#define RECORD_MAX_NESTING 64

/* State of the parser, from the response down to the current value. */
typedef struct RecordParser
{
	const AttributeSet *wanted;
	JsonLexContext	   *lexer;
	RecordPage		   *page;	 /* NULL: the response has one record */
	Record			   *record;	 /* current record */
	char			   *problem; /* first deviation from the documented shape */
	bool				reports_failure;
	const char		   *message; /* NULL: none */

	/*
	 * places[depth] is the role of the current value, and the others are around
	 * it.  The response has depth 0, its members have 1, ...
	 */
	int			depth;
	Place		places[RECORD_MAX_NESTING + 1];
	const char *value_start; /* start of the latest value */
	bool		is_complete; /* the response has ended */

	/* first invalid escape, and the string that contains it */
	JsonParseErrorType escape_error;
	const char		  *escape_place;

	bool	  has_data;				   /* of the response */
	bool	  seen[PLACE_COUNT];	   /* for the record's keys */
	JsonValue top_values[PLACE_COUNT]; /* likewise */

	/* current position in a record; the name is NULL between attributes */
	const char		*attribute_name;
	RecordAttribute *attribute;
	Envelope		*envelope;
} RecordParser;

/* From PostgreSQL 16 on, the JSON parser's callbacks return a result. */
#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType JsonActionResult;
#define JSON_ACTION_RETURN return JSON_SUCCESS
#else
typedef void JsonActionResult;
#define JSON_ACTION_RETURN return
#endif

/* Makes a palloc'd lexer for UTF-8.  PostgreSQL 17 added an argument. */
static JsonLexContext *
make_lexer(char *json, int length, bool need_escapes)
{
	return makeJsonLexContextCstringLen(
#if PG_VERSION_NUM >= 170000
		NULL,
#endif
		json, length, PG_UTF8, need_escapes);
}

/* Notes the first deviation from the documented shape, with its position. */
static void
report(RecordParser *parser, const char *problem)
{
	StringInfoData text;

	if (parser->problem != NULL)
		return;
	initStringInfo(&text);
	if (parser->page != NULL && parser->page->count > 0)
		appendStringInfo(&text, "record %d: ", parser->page->count);
	if (parser->attribute_name != NULL)
		appendStringInfo(&text, "attribute \"%s\": ",
						 pg_any_to_server(parser->attribute_name,
										  strlen(parser->attribute_name),
										  PG_UTF8));
	appendStringInfoString(&text, problem);
	parser->problem = text.data;
}

/*
 * Returns true if a JSON text was truncated: its end is missing, or it ends
 * within a token.  That excludes texts that were never JSON, such as HTML, and
 * those that continue after their end.
 */
static bool
ended_early(const RecordParser *parser, JsonParseErrorType error)
{
	const JsonLexContext *lexer = parser->lexer;
	const char			 *end = lexer->input + lexer->input_length;
	const char			 *start = lexer->input;
	const char			 *before = lexer->token_start;

	while (start < end && strchr(JSON_SPACES, *start) != NULL)
		start++;
	if (parser->is_complete || (start < end && *start != '{'))
		return false;
	if (lexer->token_type == JSON_TOKEN_END || lexer->token_start == NULL)
		return true;
	if (error != JSON_INVALID_TOKEN || lexer->token_terminator < end)
		return false;

	/* A truncated key or value can only follow one of these characters. */
	while (before > start && strchr(JSON_SPACES, before[-1]) != NULL)
		before--;
	return before > start && strchr("{[,:", before[-1]) != NULL;
}

/*
 * Returns the key of the value that has just started, as it is in the response,
 * with its quotes.  The lexer has just passed the colon after it.  A quote
 * within the key is preceded by an odd number of backslashes.
 */
static JsonSlice
key_before_value(const RecordParser *parser)
{
	const char *end = parser->lexer->prev_token_terminator - 1;
	const char *start;
	const char *before;

	while (*--end != '"')
		;
	start = end;
	do
	{
		while (*--start != '"')
			;
		before = start;
		while (before[-1] == '\\')
			before--;
	} while ((start - before) % 2 != 0);
	return (JsonSlice){start, end + 1 - start};
}

/*
 * Returns the unescaped text of a string token, palloc'd, or NULL if it is not
 * wanted.  Notes the first invalid escape, and returns its string unchanged.  The
 * lexer would unescape every string, which took a fifth of a statement's
 * instructions for one column.
 */
static char *
read_string(RecordParser *parser, JsonSlice token, bool is_wanted)
{
	char *text = is_wanted ? pnstrdup(token.start + 1, token.length - 2) : NULL;
	JsonLexContext	  *lexer;
	JsonParseErrorType error;

	if (memchr(token.start, '\\', token.length) == NULL)
		return text;

	lexer = make_lexer(unconstify(char *, token.start), token.length, true);
	error = json_lex(lexer);
	if (error == JSON_SUCCESS && is_wanted)
		text = pstrdup(lexer->strval->data);
	else if (error != JSON_SUCCESS && parser->escape_error == JSON_SUCCESS)
	{
		parser->escape_error = error;
		parser->escape_place = token.start;
	}
	/* PostgreSQL 17 has a function for this, and 15 has not. */
	pfree(lexer->strval->data);
	pfree(lexer->strval);
	pfree(lexer);
	return text;
}

/*
 * Returns a palloc'd array of count elements with one more, which is zeroed.
 * Its size is always a power of two, so it is full when count is one.  Without
 * elements, array is NULL.
 */
static void *
grow_array(void *array, int count, size_t element_size)
{
	if (count == 0)
		array = palloc(element_size);
	else if ((count & (count - 1)) == 0)
		array = repalloc(array, 2 * count * element_size);
	memset((char *) array + count * element_size, 0, element_size);
	return array;
}

/* Starts a record, and clears the state of the previous one. */
static void
begin_record(RecordParser *parser)
{
	RecordPage *page = parser->page;
	Record	   *record = palloc0(sizeof(Record));

	record->attributes =
		palloc0(Max(parser->wanted->count, 1) * sizeof(RecordAttribute));
	parser->record = record;
	memset(parser->seen, 0, sizeof(parser->seen));
	memset(parser->top_values, 0, sizeof(parser->top_values));
	if (page != NULL)
	{
		page->records =
			grow_array(page->records, page->count, sizeof(Record *));
		page->records[page->count++] = record;
	}
}

/*
 * Copies wanted values from the top of the record if the attributes lack them.
 * The id must be the same in both places.
 */
static void
apply_top_values(RecordParser *parser)
{
	for (size_t i = 0; i < lengthof(record_keys); i++)
	{
		JsonValue *top = &parser->top_values[record_keys[i].place];
		int number = attribute_set_find(parser->wanted, record_keys[i].name);
		RecordAttribute *attribute;
		Envelope		*envelope;

		if (number < 0 || record_keys[i].value_type == NULL ||
			top->kind != JSON_TOKEN_STRING)
			continue;
		attribute = &parser->record->attributes[number];
		if (attribute->count > 0 && attribute->envelopes[0].has_value &&
			attribute->envelopes[0].value.kind != JSON_TOKEN_NULL)
		{
			const char *text = attribute->envelopes[0].value.text;

			if (record_keys[i].place == PLACE_ID &&
				(text == NULL || pg_strcasecmp(text, top->text) != 0))
				report(parser,
					   "attribute \"id\" differs from the record's \"id\"");
			continue;
		}

		envelope = palloc(sizeof(Envelope));
		*envelope = (Envelope){
			.value_type = unconstify(char *, record_keys[i].value_type),
			.has_value = true,
			.value = *top};
		*attribute = (RecordAttribute){
			.is_present = true, .count = 1, .envelopes = envelope};
		/* record_write_cut copies this. */
		attribute->raw.start =
			psprintf("{\"value\":%.*s,\"value_type\":\"%s\"}", top->raw.length,
					 top->raw.start, record_keys[i].value_type);
		attribute->raw.length = strlen(attribute->raw.start);
	}
}

/* Ends a record, and checks that its documented keys are present. */
static void
end_record(RecordParser *parser)
{
	const char *id = parser->top_values[PLACE_ID].text;

	if (!parser->seen[PLACE_ID])
		report(parser, "\"id\" is missing");
	else if (id != NULL && !id_parse(id, &parser->record->id))
		report(parser, "\"id\" must be a UUID");
	else if (!parser->seen[PLACE_ATTRIBUTES])
		report(parser, "\"attributes\" is missing");
	apply_top_values(parser);
	parser->record->id_text = parser->top_values[PLACE_ID].text;
	parser->record->whole = parser->top_values[PLACE_DATA].raw;
}

/* Returns the JsonValue that keeps the current value; NULL: it is not kept. */
static JsonValue *
value_under_way(RecordParser *parser)
{
	Place place = parser->places[parser->depth];

	switch (place)
	{
		case PLACE_DATA:
		case PLACE_ID:
		case PLACE_CREATED_AT:
		case PLACE_UPDATED_AT:
			return &parser->top_values[place];
		case PLACE_VALUE:
			return &parser->envelope->value;
		case PLACE_MEMBER:
			return &parser->envelope
						->members[parser->envelope->member_count - 1]
						.value;
		default:
			return NULL;
	}
}

/* Starts a value.  The lexer is at its first token. */
static void
begin_value(RecordParser *parser, Place place)
{
	if (parser->depth >= RECORD_MAX_NESTING)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("API response is nested more than %d levels deep",
						RECORD_MAX_NESTING)));
	parser->places[++parser->depth] = place;
	parser->value_start = parser->lexer->token_start;

	if (place == PLACE_DATA)
		begin_record(parser);
	if (place == PLACE_ATTRIBUTE)
		parser->attribute->raw.start = parser->value_start;
	else if (value_under_way(parser) != NULL)
		value_under_way(parser)->raw.start = parser->value_start;
}

/*
 * Sorts the keys of a value, and reports duplicates.  A search in add_member
 * would take quadratic time for a value with many keys.
 */
static void
check_members(RecordParser *parser)
{
	Envelope *envelope = parser->envelope;

	Assert(envelope != NULL);
	if (envelope->member_count < 2)
		return;
	Assert(envelope->members != NULL);
	qsort(envelope->members, envelope->member_count, sizeof(JsonMember),
		  pg_qsort_strcmp);
	for (int i = 1; i < envelope->member_count; i++)
	{
		if (strcmp(envelope->members[i - 1].name, envelope->members[i].name) ==
			0)
			report(parser, DUPLICATE_KEY);
	}
}

/* Ends the current value.  The lexer is after it. */
static void
end_value(RecordParser *parser)
{
	const char *end = parser->lexer->prev_token_terminator;
	JsonValue  *value = value_under_way(parser);

	if (value != NULL)
		value->raw.length = end - value->raw.start;
	if (parser->places[parser->depth] == PLACE_DATA)
		end_record(parser);
	else if (parser->places[parser->depth] == PLACE_VALUE)
		check_members(parser);
	else if (parser->places[parser->depth] == PLACE_ATTRIBUTE)
	{
		parser->attribute->raw.length = end - parser->attribute->raw.start;
		parser->attribute_name = NULL;
	}
	parser->depth--;
}

/*
 * Returns place for a key's first occurrence, and reports any other, because
 * JSON does not define which one counts (RFC 8259, section 4).
 */
static Place
first_occurrence(RecordParser *parser, bool *seen, Place place)
{
	if (*seen)
	{
		report(parser, DUPLICATE_KEY);
		return PLACE_IGNORED;
	}
	*seen = true;
	return place;
}

/* Returns the role of a key of the response, or of its paging. */
static Place
place_of_outer_key(RecordParser *parser, const char *name)
{
	Place data = parser->page != NULL ? PLACE_PAGE : PLACE_DATA;
	Place place = place_of_response_key(name);

	if (place != PLACE_IGNORED)
		return parser->page == NULL && place < PLACE_ERROR ? PLACE_IGNORED
														   : place;
	if (parser->places[parser->depth] != PLACE_RESPONSE)
		return PLACE_IGNORED;
	if (strcmp(name, "data") == 0)
		return first_occurrence(parser, &parser->has_data, data);
	if (strcmp(name, "meta") == 0 || strcmp(name, "pagination") == 0)
		return PLACE_PAGING;
	return PLACE_IGNORED;
}

static Place
place_of_record_key(RecordParser *parser, const char *name)
{
	for (size_t i = 0; i < lengthof(record_keys); i++)
	{
		Place place = record_keys[i].place;

		if (strcmp(record_keys[i].name, name) == 0)
			return first_occurrence(parser, &parser->seen[place], place);
	}
	return PLACE_IGNORED;
}

/* Returns the role of an attribute, and makes a wanted one the current one. */
static Place
place_of_attribute(RecordParser *parser, const char *name)
{
	int number = attribute_set_find(parser->wanted, name);

	if (number < 0)
		return PLACE_IGNORED;
	parser->attribute_name = name;
	parser->attribute = &parser->record->attributes[number];
	return first_occurrence(parser, &parser->attribute->is_present,
							PLACE_ATTRIBUTE);
}

static Place
place_of_envelope_key(RecordParser *parser, const char *name)
{
	Envelope *envelope = parser->envelope;

	if (strcmp(name, "value") == 0)
		return first_occurrence(parser, &envelope->has_value, PLACE_VALUE);
	if (strcmp(name, "value_type") == 0)
		return first_occurrence(parser, &envelope->has_value_type,
								PLACE_VALUE_TYPE);
	return PLACE_IGNORED;
}

/* Adds a key of a value.  check_members finds duplicates at the value's end. */
static Place
add_member(RecordParser *parser, char *name)
{
	Envelope *envelope = parser->envelope;

	envelope->members = grow_array(envelope->members, envelope->member_count,
								   sizeof(JsonMember));
	envelope->members[envelope->member_count++].name = name;
	return PLACE_MEMBER;
}

/* Returns the role of a key; name is NULL within an ignored object. */
static Place
place_of_key(RecordParser *parser, char *name)
{
	switch (parser->places[parser->depth])
	{
		case PLACE_RESPONSE:
		case PLACE_PAGING:
			return place_of_outer_key(parser, name);
		case PLACE_DATA:
			return place_of_record_key(parser, name);
		case PLACE_ATTRIBUTES:
			return place_of_attribute(parser, name);
		case PLACE_ATTRIBUTE:
		case PLACE_ELEMENT:
			return place_of_envelope_key(parser, name);
		case PLACE_VALUE:
			return add_member(parser, name);
		case PLACE_ERROR:
			return PLACE_ERROR;
		default:
			return PLACE_IGNORED;
	}
}

/* Processes a value outside the records.  An empty cursor means none. */
static void
see_response_member(RecordParser *parser, Place place, JsonTokenType kind,
					const char *text)
{
	RecordPage *page = parser->page;

	if (place == PLACE_CURSOR && kind == JSON_TOKEN_STRING)
		page->next_cursor = text[0] != '\0' ? unconstify(char *, text) : NULL;
	else if (place == PLACE_TOTAL && kind == JSON_TOKEN_NUMBER)
		page->total = (int64) Max(Min(strtod(text, NULL), 1e15), -1);
	else if (place == PLACE_MORE)
		page->has_more = kind == JSON_TOKEN_TRUE;
	else if (place == PLACE_MESSAGE && kind == JSON_TOKEN_STRING)
		parser->message = text;
	else if (place >= PLACE_ERROR && place <= PLACE_FLAG &&
			 place_reports_failure(parser->places[parser->depth - 1], place,
								   kind, text))
		parser->reports_failure = true;
}

/* Processes the kind of the current value, and the text of a scalar. */
static void
see_value(RecordParser *parser, JsonTokenType kind, char *text)
{
	Place		place = parser->places[parser->depth];
	JsonValue  *value = value_under_way(parser);
	const char *mismatch = place_mismatch(place, kind);

	if (mismatch != NULL)
		report(parser, place == PLACE_DATA && parser->page != NULL
						   ? "value must be an object"
						   : mismatch);

	if (value != NULL)
	{
		value->kind = kind;
		value->text = text;
	}
	else if (place == PLACE_ATTRIBUTE && kind == JSON_TOKEN_ARRAY_START)
		parser->attribute->is_list = true;
	else if ((place == PLACE_ATTRIBUTE && kind == JSON_TOKEN_OBJECT_START) ||
			 place == PLACE_ELEMENT)
	{
		RecordAttribute *attribute = parser->attribute;

		attribute->envelopes = grow_array(attribute->envelopes,
										  attribute->count, sizeof(Envelope));
		parser->envelope = &attribute->envelopes[attribute->count++];
	}
	else if (place == PLACE_VALUE_TYPE && kind == JSON_TOKEN_STRING)
	{
		Assert(parser->envelope != NULL);
		parser->envelope->value_type = text;
	}
	else
		see_response_member(parser, place, kind, text);
}

/*
 * The callbacks of pg_parse_json.  name and isnull are not used: the lexer does
 * not unescape the name, and see_value gets each null.
 */

static JsonActionResult
on_object_start(void *state)
{
	see_value(state, JSON_TOKEN_OBJECT_START, NULL);
	JSON_ACTION_RETURN;
}

static JsonActionResult
on_object_end(void *state)
{
	RecordParser *parser = state;
	Place		  place = parser->places[parser->depth];

	if (parser->depth == 0)
		parser->is_complete = true;

	/* An empty value has several forms, but {} is not one of them. */
	if ((place == PLACE_ATTRIBUTE || place == PLACE_ELEMENT) &&
		!parser->envelope->has_value && !parser->envelope->has_value_type)
		report(parser, "\"value\" is missing");
	JSON_ACTION_RETURN;
}

static JsonActionResult
on_array_start(void *state)
{
	see_value(state, JSON_TOKEN_ARRAY_START, NULL);
	JSON_ACTION_RETURN;
}

static JsonActionResult
on_field_start(void *state, char *name, bool isnull)
{
	RecordParser *parser = state;

	(void) isnull;
	CHECK_FOR_INTERRUPTS();
	name = read_string(parser, key_before_value(parser),
					   parser->places[parser->depth] != PLACE_IGNORED);
	begin_value(parser, place_of_key(parser, name));
	JSON_ACTION_RETURN;
}

static JsonActionResult
on_field_end(void *state, char *name, bool isnull)
{
	(void) name;
	(void) isnull;
	end_value(state);
	JSON_ACTION_RETURN;
}

static JsonActionResult
on_element_start(void *state, bool isnull)
{
	RecordParser *parser = state;
	Place		  container = parser->places[parser->depth];

	(void) isnull;
	CHECK_FOR_INTERRUPTS();
	begin_value(parser, container == PLACE_ATTRIBUTE ? PLACE_ELEMENT
						: container == PLACE_PAGE	 ? PLACE_DATA
						: container == PLACE_ERROR	 ? PLACE_ERROR
													 : PLACE_IGNORED);
	JSON_ACTION_RETURN;
}

static JsonActionResult
on_element_end(void *state, bool isnull)
{
	(void) isnull;
	end_value(state);
	JSON_ACTION_RETURN;
}

static JsonActionResult
on_scalar(void *state, char *token, JsonTokenType kind)
{
	RecordParser *parser = state;

	if (kind == JSON_TOKEN_STRING && parser->depth > 0)
	{
		const char *start = parser->value_start;
		JsonSlice	raw = {start, parser->lexer->prev_token_terminator - start};

		token = read_string(parser, raw,
							parser->places[parser->depth] != PLACE_IGNORED);
	}
	see_value(parser, kind, token);
	JSON_ACTION_RETURN;
}

/*
 * Parses a response, like record_parse, into the parser's page or record.  A
 * failure report has priority over invalid escapes and other deviations.
 */
static RecordStatus
parse(RecordParser *parser, char *body, int length, char **problem)
{
	JsonSemAction	   actions = {.semstate = parser,
								  .object_start = on_object_start,
								  .object_end = on_object_end,
								  .array_start = on_array_start,
								  .object_field_start = on_field_start,
								  .object_field_end = on_field_end,
								  .array_element_start = on_element_start,
								  .array_element_end = on_element_end,
								  .scalar = on_scalar};
	JsonParseErrorType error;
	const char		  *error_place;
	int				   valid = pg_encoding_verifymbstr(PG_UTF8, body, length);

	/* A truncated body may end within a character. */
	if (valid < length)
	{
		*problem = psprintf("invalid UTF-8 at byte %d", valid);
		return length - valid < pg_utf_mblen((unsigned char *) body + valid)
				   ? RECORD_CUT
				   : RECORD_MALFORMED;
	}
	if (GetDatabaseEncoding() != PG_UTF8)
		json_rewrite_escapes(body, &length);

	parser->lexer = make_lexer(body, length, false);
	parser->places[0] = PLACE_RESPONSE;
	error = pg_parse_json(parser->lexer, &actions);
	if (error == JSON_SUCCESS &&
		(parser->reports_failure ||
		 (parser->page != NULL && parser->page->count == 0 &&
		  parser->message != NULL && place_explains_failure(parser->message))))
		return RECORD_FAILURE;
	error_place = parser->lexer->token_start;
	if (parser->escape_error != JSON_SUCCESS)
	{
		error = parser->escape_error;
		error_place = parser->escape_place;
	}
	if (error != JSON_SUCCESS)
	{
		*problem =
			psprintf("invalid JSON at byte %d",
					 error_place == NULL ? 0 : (int) (error_place - body));
		if (error == JSON_UNICODE_CODE_POINT_ZERO)
			return RECORD_UNTRANSLATABLE;
		return parser->escape_error == JSON_SUCCESS &&
					   ended_early(parser, error)
				   ? RECORD_CUT
				   : RECORD_MALFORMED;
	}

	if (!parser->has_data)
		report(parser, "\"data\" is missing");
	*problem = parser->problem;
	return parser->problem == NULL ? RECORD_OK : RECORD_MALFORMED;
}

/*
 * Parses the response to a GET of one record, {"data": {...}}.  body has length
 * bytes, is not trusted, and may be modified in place.  On RECORD_OK, *record is
 * the record.  Otherwise *problem is a palloc'd description of the deviation and
 * its position, except for RECORD_FAILURE.  Raises errors only for memory,
 * interrupts and nesting beyond RECORD_MAX_NESTING.
 */
RecordStatus
record_parse(const AttributeSet *wanted, char *body, int length,
			 Record **record, char **problem)
{
	RecordParser parser = {.wanted = wanted};
	RecordStatus status = parse(&parser, body, length, problem);

	*record = parser.record;
	return status;
}

/*
 * Parses the response to a query, {"data": [{...}, ...], "next_cursor": "..."},
 * like record_parse.  The API does not document the place of the cursor, so it
 * may be at the top, in "meta" or in "pagination".
 */
RecordStatus
record_parse_page(const AttributeSet *wanted, char *body, int length,
				  RecordPage **page, char **problem)
{
	RecordParser parser = {.wanted = wanted};

	parser.page = *page = palloc0(sizeof(RecordPage));
	parser.page->total = -1;
	return parse(&parser, body, length, problem);
}
