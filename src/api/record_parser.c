/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_parser.c
 *	  Parses records and pages of records from JSON.
 *
 * The functions descend from the response to the envelopes of attributes, each
 * one through one kind of object or list.  They keep only the places of wanted
 * values in the response.  The shapes are those that the API documents for GET
 * /opportunity/{id} and POST /opportunity/_query.  Unknown keys are ignored.
 *
 * A page is checked as a whole.  If its records are so small that their places
 * would take more memory than the response, record_read descends into each of the
 * others again when its row is needed.
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
#include "http/http.h"
#include "json/json_slice.h"

/* Bytes of memory that a palloc takes in addition. */
#define ALLOC_OVERHEAD 32

StaticAssertDecl(HTTP_BODY_PADDING >= JSON_PADDING, "padding of a body");

#define DUPLICATE_KEY "duplicate key"

/* Keys of a record that have a meaning. */
typedef enum RecordField
{
	FIELD_ID,
	FIELD_CREATED_AT,
	FIELD_UPDATED_AT,
	FIELD_RECORD_TYPE,
	FIELD_ATTRIBUTES,
	FIELD_COUNT
} RecordField;

/*
 * The fields with a value type may also be among the attributes, and either
 * place may be the only one.
 */
static const struct
{
	const char *name;
	Place		place;
	const char *value_type; /* in quotes */
} fields[FIELD_COUNT] = {
	[FIELD_ID] = {"id", PLACE_ID, "\"uuid\""},
	[FIELD_CREATED_AT] = {"created_at", PLACE_CREATED_AT, "\"timestamp\""},
	[FIELD_UPDATED_AT] = {"updated_at", PLACE_UPDATED_AT, "\"timestamp\""},
	[FIELD_RECORD_TYPE] = {"record_type", PLACE_RECORD_TYPE, NULL},
	[FIELD_ATTRIBUTES] = {"attributes", PLACE_ATTRIBUTES, NULL},
};

/* State of the parser. */
typedef struct RecordParser
{
	JsonReader			reader;
	const AttributeSet *wanted;
	RecordPage		   *page;	/* NULL: the response has one record */
	Record			   *record; /* current record */
	int		  field_attributes[FIELD_ATTRIBUTES]; /* their numbers, or -1 */
	int		  attribute; /* number of the current one, or -1 */
	char	 *problem;	 /* first deviation from the documented shape */
	bool	  has_data;
	bool	  reports_failure;
	JsonSlice message;
} RecordParser;

/*
 * Notes the first deviation from the documented shape, with its position.  NULL
 * means that there is none.
 */
static void
report(RecordParser *parser, const char *problem)
{
	StringInfoData text;

	if (problem == NULL || parser->problem != NULL)
		return;
	initStringInfo(&text);
	if (parser->page != NULL && parser->page->count > 0)
		appendStringInfo(&text, "record %d: ", parser->page->count);
	if (parser->attribute >= 0)
	{
		const char *name =
			attribute_set_name(parser->wanted, parser->attribute);

		appendStringInfo(&text, "attribute \"%s\": ",
						 pg_any_to_server(name, strlen(name), PG_UTF8));
	}
	appendStringInfoString(&text, problem);
	parser->problem = text.data;
}

/*
 * Returns the kind of the next value.  If its place does not allow it, reports and
 * skips the value, and returns JSON_KIND_NONE.
 */
static JsonKind
expect(RecordParser *parser, Place place)
{
	JsonKind	kind = json_peek(&parser->reader);
	const char *mismatch = place_mismatch(place, kind);

	if (mismatch == NULL || kind == JSON_KIND_NONE)
		return kind;
	report(parser, place == PLACE_DATA && parser->page != NULL
					   ? "value must be an object"
					   : mismatch);
	json_skip(&parser->reader);
	return JSON_KIND_NONE;
}

/* Enters the next value if it is the object or list that its place allows. */
static bool
enter(RecordParser *parser, Place place)
{
	return expect(parser, place) != JSON_KIND_NONE &&
		   json_enter(&parser->reader);
}

/* --- Records --- */

/*
 * Reads the value at the reader, an envelope or null.  Returns the first deviation
 * from the documented shape, or NULL.
 */
static const char *
read_envelope(JsonReader *reader, Envelope *envelope)
{
	const char *problem = NULL;
	JsonSlice	key;

	memset(envelope, 0, sizeof(*envelope));
	if (*reader->at != '{')
	{
		json_skip(reader);
		return NULL;
	}
	json_enter(reader);
	while (json_next_key(reader, &key))
	{
		JsonSlice *target = SLICE_IS(&key, "value") ? &envelope->value
							: SLICE_IS(&key, "value_type")
								? &envelope->value_type
								: NULL;

		if (target != NULL && target->kind == JSON_KIND_NONE)
			json_read(reader, target);
		else
		{
			if (target != NULL)
				problem = DUPLICATE_KEY;
			json_skip(reader);
		}
	}
	if (problem == NULL && envelope->value_type.kind != JSON_KIND_STRING)
		problem = place_mismatch(PLACE_VALUE_TYPE, envelope->value_type.kind);
	/* An empty value has several forms, but {} is not one of them. */
	if (problem == NULL && envelope->value.kind == JSON_KIND_NONE &&
		envelope->value_type.kind == JSON_KIND_NONE)
		problem = "\"value\" is missing";
	return problem;
}

/*
 * Reads the next envelope of a list, which json_begin_again and json_enter have
 * begun to read.  Returns false at its end.
 */
bool
envelope_next(JsonReader *list, Envelope *envelope)
{
	if (!json_next_element(list))
		return false;
	json_peek(list);
	read_envelope(list, envelope);
	return true;
}

static void
read_attribute(RecordParser *parser, RecordAttribute *attribute)
{
	JsonReader *reader = &parser->reader;
	JsonKind	kind = expect(parser, PLACE_ATTRIBUTE);
	const char *start = reader->at;

	attribute->is_present = true;
	if (kind == JSON_KIND_OBJECT)
		report(parser, read_envelope(reader, &attribute->envelope));
	else if (kind == JSON_KIND_NULL)
		json_skip(reader);
	else if (kind == JSON_KIND_ARRAY)
	{
		json_enter(reader);
		while (json_next_element(reader))
		{
			Envelope ignored;

			CHECK_FOR_INTERRUPTS();
			attribute->count++;
			if (expect(parser, PLACE_ELEMENT) != JSON_KIND_NONE)
				report(parser, read_envelope(reader, &ignored));
		}
		attribute->list.kind = JSON_KIND_ARRAY;
		attribute->list.start = start;
		attribute->list.length = (int) (reader->at - start);
	}
}

/* Returns true unless the top of the record may have another value. */
static bool
has_content(const RecordAttribute *attribute)
{
	return attribute->count > 0 ||
		   (attribute->envelope.value.kind != JSON_KIND_NONE &&
			attribute->envelope.value.kind != JSON_KIND_NULL);
}

static void
read_attributes(RecordParser *parser)
{
	JsonSlice key;

	if (!enter(parser, PLACE_ATTRIBUTES))
		return;
	while (json_next_key(&parser->reader, &key))
	{
		int number = attribute_set_find(parser->wanted, &key);

		if (number < 0)
		{
			json_skip(&parser->reader);
			continue;
		}
		parser->attribute = number;
		if (parser->record->attributes[number].is_present)
		{
			report(parser, DUPLICATE_KEY);
			json_skip(&parser->reader);
		}
		else
			read_attribute(parser, &parser->record->attributes[number]);
		parser->attribute = -1;
	}
}

/*
 * Uses a value at the top of the record for its attribute if that is empty.  The
 * id must be the same in both places.
 */
static void
apply_field(RecordParser *parser, RecordField field, const JsonSlice *top)
{
	int				 number = parser->field_attributes[field];
	RecordAttribute *attribute;
	JsonSlice		*value;
	pg_uuid_t		 id;

	if (number < 0 || top->kind != JSON_KIND_STRING)
		return;
	attribute = &parser->record->attributes[number];
	value = &attribute->envelope.value;
	if (!has_content(attribute))
	{
		attribute->list.kind = JSON_KIND_NONE;
		attribute->envelope.value = *top;
		attribute->envelope.value_type =
			(JsonSlice){.start = fields[field].value_type + 1,
						.length = strlen(fields[field].value_type) - 2,
						.kind = JSON_KIND_STRING};
	}
	else if (field == FIELD_ID && attribute->count == 0 &&
			 (value->length != top->length ||
			  memcmp(value->start, top->start, top->length) != 0) &&
			 (!slice_id(value, &id) ||
			  memcmp(&id, &parser->record->id, sizeof(id)) != 0))
		report(parser, "attribute \"id\" differs from the record's \"id\"");
}

/* Returns the field of a key of a record; FIELD_COUNT: it has no meaning. */
static RecordField
find_field(const JsonSlice *key)
{
	int field = 0;

	while (field < FIELD_COUNT && !slice_equals(key, fields[field].name))
		field++;
	return field;
}

/* Reads the next value, a record, into parser->record. */
static void
read_record(RecordParser *parser)
{
	JsonReader *reader = &parser->reader;
	Record	   *record = parser->record;
	JsonSlice	tops[FIELD_COUNT] = {0};
	JsonSlice	key;

	memset(record, 0, record_size(parser->wanted));
	if (!enter(parser, PLACE_DATA))
		return;
	record->whole.kind = JSON_KIND_OBJECT;
	record->whole.start = reader->at - 1;
	while (json_next_key(reader, &key))
	{
		RecordField field = find_field(&key);

		if (field == FIELD_COUNT)
			json_skip(reader);
		else if (tops[field].kind != JSON_KIND_NONE)
		{
			report(parser, DUPLICATE_KEY);
			json_skip(reader);
		}
		else if (field == FIELD_ATTRIBUTES)
		{
			tops[field].kind = JSON_KIND_OBJECT;
			read_attributes(parser);
		}
		else
		{
			tops[field].kind = json_peek(reader);
			if (expect(parser, fields[field].place) != JSON_KIND_NONE)
				json_read(reader, &tops[field]);
		}
	}
	record->whole.length = (int) (reader->at - record->whole.start);

	record->id_text = tops[FIELD_ID];
	if (record->id_text.kind == JSON_KIND_NONE)
		report(parser, "\"id\" is missing");
	else if (record->id_text.kind == JSON_KIND_STRING &&
			 !slice_id(&record->id_text, &record->id))
		report(parser, "\"id\" must be a UUID");
	else if (tops[FIELD_ATTRIBUTES].kind == JSON_KIND_NONE)
		report(parser, "\"attributes\" is missing");
	for (int field = 0; field <= FIELD_UPDATED_AT; field++)
		apply_field(parser, field, &tops[field]);
}

/* Reads the list of records, up to the first deviation. */
static void
read_page(RecordParser *parser)
{
	RecordPage *page = parser->page;
	int			created_at = parser->field_attributes[FIELD_CREATED_AT];
	size_t		memory = parser->reader.end - parser->reader.start;
	size_t		size = record_size(parser->wanted) + ALLOC_OVERHEAD;
	Record	   *unkept = NULL;

	if (!enter(parser, PLACE_PAGE))
		return;
	while (json_next_element(&parser->reader))
	{
		PageRecord *entry;

		CHECK_FOR_INTERRUPTS();
		if (parser->problem == NULL && page->count == RECORD_MAX_PER_PAGE)
			report(parser, "too many records");
		if (parser->problem != NULL)
		{
			json_skip(&parser->reader);
			continue;
		}
		if ((page->count & (page->count - 1)) == 0)
			page->records =
				page->count == 0
					? palloc(sizeof(PageRecord))
					: repalloc(page->records,
							   2 * page->count * sizeof(PageRecord));
		entry = &page->records[page->count++];
		json_peek(&parser->reader);
		entry->start = parser->reader.at;
		/* The records have as much memory as the response, at most. */
		if (unkept == NULL || size <= memory)
		{
			parser->record = palloc(size);
			if (size > memory)
				unkept = parser->record;
			else
				memory -= size;
		}
		else
			parser->record = unkept;
		entry->record = parser->record != unkept ? parser->record : NULL;
		read_record(parser);
		entry->id = parser->record->id;
		entry->created_at =
			created_at < 0
				? (JsonSlice){0}
				: parser->record->attributes[created_at].envelope.value;
	}
}

/* --- Responses --- */

/*
 * Notes if the next value, or a part of it, reports a failure.  place: its role.
 * container: the role of the value around it.
 */
static void
read_report(RecordParser *parser, Place container, Place place)
{
	JsonReader *reader = &parser->reader;
	JsonKind	kind = json_peek(reader);
	JsonSlice	value;

	if (place == PLACE_ERROR && kind == JSON_KIND_OBJECT)
	{
		json_enter(reader);
		while (json_next_key(reader, &value))
			read_report(parser, PLACE_ERROR, PLACE_ERROR);
	}
	else if (place == PLACE_ERROR && kind == JSON_KIND_ARRAY)
	{
		json_enter(reader);
		while (json_next_element(reader))
			read_report(parser, PLACE_ERROR, PLACE_ERROR);
	}
	else if (json_read(reader, &value))
	{
		if (place == PLACE_MESSAGE && kind == JSON_KIND_STRING)
			parser->message = value;
		else if (place_reports_failure(container, place, &value))
			parser->reports_failure = true;
	}
}

/* Reads a value that belongs to the page as a whole. */
static void
read_paging(RecordParser *parser, Place place)
{
	RecordPage *page = parser->page;
	JsonSlice	value;

	if (expect(parser, place) == JSON_KIND_NONE ||
		!json_read(&parser->reader, &value))
		return;
	if (place == PLACE_CURSOR)
	{
		JsonError error = JSON_OK;

		/* An empty cursor means none. */
		page->next_cursor = NULL;
		if (!slice_is_empty(&value))
			page->next_cursor = slice_text(&value, NULL, 0, &error);
		if (error != JSON_OK)
			report(parser, "\"next_cursor\" cannot be stored");
	}
	else if (place == PLACE_TOTAL && value.kind == JSON_KIND_NUMBER)
		page->total = (int64) Max(Min(strtod(value.start, NULL), 1e15), -1);
	else if (place == PLACE_MORE)
		page->has_more = value.kind == JSON_KIND_TRUE;
}

/*
 * Reads an object outside of the records: the response, or the paging in it.
 * container: which of them.
 */
static void
read_outer(RecordParser *parser, Place container)
{
	bool	  is_page = parser->page != NULL;
	JsonSlice key;

	if (!enter(parser, container))
		return;
	while (json_next_key(&parser->reader, &key))
	{
		Place place = place_of_response_key(&key);
		bool  is_top = container == PLACE_RESPONSE;

		if (place >= PLACE_ERROR && place <= PLACE_MESSAGE)
			read_report(parser, container, place);
		else if (place != PLACE_IGNORED && is_page)
			read_paging(parser, place);
		else if (is_top && slice_equals(&key, "data"))
		{
			if (parser->has_data)
				report(parser, DUPLICATE_KEY);
			if (parser->has_data)
				json_skip(&parser->reader);
			else if (is_page)
				read_page(parser);
			else
				read_record(parser);
			parser->has_data = true;
		}
		else if (is_top && json_peek(&parser->reader) == JSON_KIND_OBJECT &&
				 (slice_equals(&key, "meta") ||
				  slice_equals(&key, "pagination")))
			read_outer(parser, PLACE_PAGING);
		else
			json_skip(&parser->reader);
	}
}

/* Describes an error of the reader in *problem, palloc'd. */
static void
describe_error(const JsonReader *reader, char **problem)
{
	int at = (int) (reader->at - reader->start);

	if (reader->error == JSON_TOO_DEEP)
		*problem = psprintf("nested more than %d levels deep", JSON_MAX_DEPTH);
	else if (reader->error == JSON_INVALID_UTF8)
		*problem = psprintf("invalid UTF-8 at byte %d", at);
	else
		*problem = psprintf("invalid JSON at byte %d", at);
}

static RecordParser
make_parser(const AttributeSet *wanted)
{
	RecordParser parser = {.wanted = wanted, .attribute = -1};

	for (int field = 0; field <= FIELD_UPDATED_AT; field++)
	{
		JsonSlice name = {.start = fields[field].name,
						  .length = strlen(fields[field].name)};

		parser.field_attributes[field] = attribute_set_find(wanted, &name);
	}
	return parser;
}

/*
 * Parses a response, like record_parse, into the parser's page or record.  A
 * failure report has priority over other deviations.
 */
static RecordStatus
parse(RecordParser *parser, const char *body, size_t length, char **problem)
{
	static const char nothing[JSON_PADDING];
	JsonReader		 *reader = &parser->reader;
	JsonKind		  kind = JSON_KIND_NONE;

	if (json_begin(reader, body != NULL ? body : nothing, length))
	{
		kind = json_peek(reader);
		read_outer(parser, PLACE_RESPONSE);
		json_finish(reader);
	}
	if (reader->error != JSON_OK)
	{
		describe_error(reader, problem);
		/* Any other text was never a response, even if it is cut. */
		return reader->error == JSON_CUT_SHORT &&
					   (kind == JSON_KIND_NONE || kind == JSON_KIND_OBJECT)
				   ? RECORD_CUT
				   : RECORD_MALFORMED;
	}
	if (parser->reports_failure ||
		(parser->page != NULL && parser->page->count == 0 &&
		 place_explains_failure(&parser->message)))
		return RECORD_FAILURE;
	if (!parser->has_data)
		report(parser, "\"data\" is missing");
	*problem = parser->problem;
	return parser->problem == NULL ? RECORD_OK : RECORD_MALFORMED;
}

/*
 * Parses the response to a GET of one record, {"data": {...}}.  body has length
 * bytes and the padding of json_begin, is not trusted, and may be NULL if empty.  On
 * RECORD_OK, *record is the record.  Otherwise *problem is a palloc'd description
 * of the deviation and its position, except for RECORD_FAILURE.  Raises errors
 * only for memory and interrupts.
 */
RecordStatus
record_parse(const AttributeSet *wanted, const char *body, size_t length,
			 Record **record, char **problem)
{
	RecordParser parser = make_parser(wanted);

	parser.record = *record = palloc(record_size(wanted));
	return parse(&parser, body, length, problem);
}

/*
 * Parses the response to a query, {"data": [{...}, ...], "next_cursor": "..."},
 * like record_parse.  The API does not document the place of the cursor, so it
 * may be at the top, in "meta" or in "pagination".
 */
RecordStatus
record_parse_page(const AttributeSet *wanted, const char *body, size_t length,
				  RecordPage **page, char **problem)
{
	RecordParser parser = make_parser(wanted);

	parser.page = *page = palloc0(sizeof(RecordPage));
	parser.page->wanted = wanted;
	parser.page->total = -1;
	return parse(&parser, body, length, problem);
}

/*
 * Returns a record of a page by its number from 0 on, in the page's or the current
 * memory context.  The page's response must still exist.
 */
Record *
record_read(const RecordPage *page, int number)
{
	RecordParser parser = make_parser(page->wanted);

	if (page->records[number].record != NULL)
		return page->records[number].record;
	parser.record = palloc(record_size(page->wanted));
	json_begin_again(&parser.reader, page->records[number].start);
	read_record(&parser);
	return parser.record;
}
