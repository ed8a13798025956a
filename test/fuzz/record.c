/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record.c
 *	  Fuzz target: the body of a response -> a record -> the columns of a row.
 *
 * An input is three bytes of choices and the body:
 *
 * - bits: 1: the database is in LATIN1, 2: a column has the whole record, 4: a
 *	 value that does not fit its column is NULL
 * - where: two bytes: the number of bytes after which the body is cut off
 *
 * Apart from memory errors, the target checks:
 *
 * - The cut form of a record, as the cache of a statement has it, is the same
 *	 record and gives the same row.
 * - A record without its end is an error.
 * - A body has the same outcome in each database encoding.
 * - The text of a value belongs to its kind.
 * - The value of a JSON column is JSON, and a time is ISO 8601 (shim/types.c).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type_d.h"
#include "mb/pg_wchar.h"

#include "api/record.h"
#include "exec/row.h"

#include "shim.h"

#define LATIN1 1
#define WHOLE_RECORD 2
#define INVALID_IS_NULL 4

/* One of each kind of column.  The first has the whole record. */
static const struct
{
	const char *attribute;
	Oid			type;
} columns[] = {
	{"*", JSONBOID},
	{"id", UUIDOID},
	{"created_at", TIMESTAMPTZOID},
	{"created_at", DATEOID},
	{"updated_at", TIMESTAMPOID},
	{"display_name", TEXTOID},
	{"status", BOOLOID},
	{"stage", TEXTOID},
	{"stage", UUIDOID},
	{"stage", JSONBOID},
	{"stage.color", TEXTOID},
	{"stage.expected_days", INT4OID},
	{"stage.display_value", JSONBOID},
	{"amount", NUMERICOID},
	{"account_id", UUIDOID},
	{"participant_user_id_list", UUIDARRAYOID},
	{"participant_user_id_list", JSONBARRAYOID},
	{"competitors_mentioned_other", TEXTARRAYOID},
	{"competitors_mentioned_other", JSONBOID},
	{"competitors_mentioned_other", SHIM_DOMAINOID},
	{"closed_at", TIMETZOID},
	{"last_meeting", TIMEOID},
	{"type_id", TEXTOID},
	{"ümlaut", TEXTOID},
};

static const char *const status_names[] = {
	[RECORD_CUT] = "cut",
	[RECORD_FAILURE] = "failure",
	[RECORD_MALFORMED] = "malformed",
};

/* An attempt to read a body, or a column of a record. */
typedef struct Attempt
{
	AttributeSet *wanted;
	char		 *body;
	int			  length;
	Record		 *record;
	RecordStatus  status;
	ErrorData	 *error; /* instead of a status */

	RowReader *reader;
	Datum	   values[lengthof(columns)];
	bool	   isnull[lengthof(columns)];
} Attempt;

static RowReader **make_readers(AttributeSet *wanted, int first,
								int invalid_value);
static void		   parse(void *argument);
static bool try_parse(Attempt *attempt, AttributeSet *wanted, const char *body,
					  int length);
static void check_encodings(Attempt *attempt, const char *body, int length);
static void check_cut_off(AttributeSet *wanted, const char *body, int length,
						  int at);
static void check_cut_form(Attempt *attempt, RowReader **readers, int first);
static int	number_of(AttributeSet *wanted, const char *path);
static void check_same_record(AttributeSet *wanted, const Record *a,
							  const Record *b);
static void check_same_attribute(const RecordAttribute *a,
								 const RecordAttribute *b);
static void check_value(const JsonSlice *value);
static bool same_text(const char *a, const char *b);
static bool same_slice(JsonSlice a, JsonSlice b);
static void check_same_column(size_t number, RowReader *reader, Attempt *a,
							  Attempt *b);
static void read_column(void *argument);

void
fuzz_input(char *data, size_t size)
{
	AttributeSet *wanted = attribute_set_create();
	int			  first;
	RowReader	**readers;
	Attempt		  attempt;
	bool		  is_record;

	if (size < 3)
		return;
	shim_set_database_encoding(data[0] & LATIN1 ? PG_LATIN1 : PG_UTF8);
	first = data[0] & WHOLE_RECORD ? 0 : 1;
	readers = make_readers(wanted, first,
						   data[0] & INVALID_IS_NULL ? INVALID_VALUE_NULL
													 : INVALID_VALUE_ERROR);

	is_record = try_parse(&attempt, wanted, data + 3, size - 3);
	check_encodings(&attempt, data + 3, size - 3);
	if (!is_record)
	{
		if (attempt.error != NULL)
			shim_outcome_error(attempt.error);
		else
			shim_outcome(status_names[attempt.status]);
		return;
	}
	check_cut_off(wanted, data + 3, size - 3,
				  (unsigned char) data[1] * 256 + (unsigned char) data[2]);
	check_cut_form(&attempt, readers, first);
	shim_outcome("record");
}

#ifdef FUZZ_LIBFUZZER

extern size_t LLVMFuzzerMutate(uint8 *data, size_t size, size_t max_size);
extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size,
									  unsigned int seed);

/* Makes a new input for libFuzzer: two of three times by a change of the JSON. */
size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max_size,
						unsigned int seed)
{
	size_t new_size = 0;

	if (size > 3 && seed % 3 != 0)
		new_size = shim_mutate_json((char *) data + 3, size - 3, max_size - 3,
									seed / 3);
	return new_size > 0 ? new_size + 3 : LLVMFuzzerMutate(data, size, max_size);
}

#endif

/* Returns a reader for each of the columns, from the given one on. */
static RowReader **
make_readers(AttributeSet *wanted, int first, int invalid_value)
{
	RowReader	**readers = palloc0(sizeof(RowReader *) * lengthof(columns));
	Settings	 *settings = palloc0(sizeof(Settings));
	Relation	  relation = palloc0(sizeof(RelationData));
	RecordSource *records = palloc0(sizeof(RecordSource));
	TupleDesc	  tupdesc =
		palloc0(sizeof(struct TupleDescData) +
				lengthof(columns) * 2 * sizeof(FormData_pg_attribute));

	settings->invalid_value = invalid_value;
	settings->include_archived = true;
	relation->rd_att = tupdesc;
	relation->rd_rel = palloc0(sizeof(FormData_pg_class));
	records->api = palloc0(sizeof(Api));
	records->api->credentials = palloc0(sizeof(Credentials));
	records->statement = palloc0(sizeof(Statement));
	records->statement->context = CurrentMemoryContext;
	records->wanted = wanted;
	tupdesc->natts = lengthof(columns);
	for (size_t i = first; i < lengthof(columns); i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		attribute->atttypid = columns[i].type;
		attribute->atttypmod = -1;
		attribute->attnum = i + 1;
		snprintf(NameStr(attribute->attname), NAMEDATALEN, "column_%zu", i);
		readers[i] = row_reader_create(settings, relation,
									   list_make1_int(i + 1), records);
	}
	return readers;
}

/* Replaces the function of option.c, which reads a catalog. */
ColumnSettings *
column_settings_read(const Settings *table, Form_pg_attribute attribute)
{
	ColumnSettings *column = palloc0(sizeof(ColumnSettings));
	const char	   *name = columns[attribute->attnum - 1].attribute;

	column->attribute = pg_any_to_server(name, strlen(name), PG_UTF8);
	column->invalid_value = table->invalid_value;
	column_set_field(column, NameStr(attribute->attname));
	return column;
}

/* Reads a copy of the body; an access beyond its end is an error. */
static bool
try_parse(Attempt *attempt, AttributeSet *wanted, const char *body, int length)
{
	memset(attempt, 0, sizeof(*attempt));
	attempt->wanted = wanted;
	attempt->body = palloc0(length + JSON_PADDING);
	attempt->length = length;
	memcpy(attempt->body, body, length);
	attempt->error = shim_catch(parse, attempt);
	return attempt->error == NULL && attempt->status == RECORD_OK;
}

static void
parse(void *argument)
{
	Attempt *attempt = argument;
	char	*problem = NULL;

	attempt->status = record_parse(attempt->wanted, attempt->body,
								   attempt->length, &attempt->record, &problem);
	if (attempt->status == RECORD_OK)
		FUZZ_CHECK(attempt->record != NULL &&
				   attempt->record->id_text.kind == JSON_KIND_STRING);
	else if (attempt->status != RECORD_FAILURE)
		FUZZ_CHECK(problem != NULL && shim_is_server_text(problem));
}

/* Checks that a body has the same outcome in the other database encoding. */
static void
check_encodings(Attempt *attempt, const char *body, int length)
{
	int		encoding = GetDatabaseEncoding();
	Attempt other;

	shim_set_database_encoding(encoding == PG_UTF8 ? PG_LATIN1 : PG_UTF8);
	try_parse(&other, attempt->wanted, body, length);
	shim_set_database_encoding(encoding);

	/* LATIN1 may lack characters of the error message. */
	if (attempt->error != NULL || other.error != NULL)
		return;

	FUZZ_CHECK(attempt->status == other.status);
	if (attempt->status == RECORD_OK)
		check_same_record(attempt->wanted, attempt->record, other.record);
}

/* Checks that a record without its end is an error. */
static void
check_cut_off(AttributeSet *wanted, const char *body, int length, int at)
{
	Attempt attempt;

	while (length > 0 && strchr(" \t\r\n", body[length - 1]) != NULL)
		length--;
	FUZZ_CHECK(length > 0);
	FUZZ_CHECK(!try_parse(&attempt, wanted, body, at % length));
	FUZZ_CHECK(attempt.error == NULL && attempt.status == RECORD_CUT);
}

/* Checks that the cut form of a record is the same record. */
static void
check_cut_form(Attempt *attempt, RowReader **readers, int first)
{
	StringInfoData cut;
	Attempt		   again;

	initStringInfo(&cut);
	record_write_cut(attempt->wanted, attempt->record, &cut);
	FUZZ_CHECK(try_parse(&again, attempt->wanted, cut.data, cut.len));

	check_same_record(attempt->wanted, attempt->record, again.record);
	for (size_t i = first; i < lengthof(columns); i++)
		check_same_column(i, readers[i], attempt, &again);
	if (first == 0)
		FUZZ_CHECK(same_slice(attempt->record->whole, again.record->whole));
}

/* Returns the number of the attribute of a column, or of its part. */
static int
number_of(AttributeSet *wanted, const char *path)
{
	return attribute_set_add(wanted, pnstrdup(path, strcspn(path, ".")));
}

static void
check_same_record(AttributeSet *wanted, const Record *a, const Record *b)
{
	FUZZ_CHECK(same_slice(a->id_text, b->id_text));
	for (size_t i = 1; i < lengthof(columns); i++)
	{
		int number = number_of(wanted, columns[i].attribute);

		check_same_attribute(&a->attributes[number], &b->attributes[number]);
	}
}

static void
check_same_attribute(const RecordAttribute *a, const RecordAttribute *b)
{
	FUZZ_CHECK(a->list.kind == b->list.kind);
	FUZZ_CHECK(a->count == b->count);
	FUZZ_CHECK(same_slice(a->list, b->list));
	check_value(&a->envelope.value);
	FUZZ_CHECK(same_slice(a->envelope.value, b->envelope.value));
	FUZZ_CHECK(same_slice(a->envelope.value_type, b->envelope.value_type));
}

/* Checks the start and the end of the text of a value. */
static void
check_value(const JsonSlice *value)
{
	JsonSlice raw = slice_raw(value);
	char	  last = raw.length > 0 ? raw.start[raw.length - 1] : '\0';

	switch (value->kind)
	{
		case JSON_KIND_OBJECT:
			FUZZ_CHECK(raw.length >= 2 && raw.start[0] == '{' && last == '}');
			break;
		case JSON_KIND_ARRAY:
			FUZZ_CHECK(raw.length >= 2 && raw.start[0] == '[' && last == ']');
			break;
		case JSON_KIND_STRING:
			FUZZ_CHECK(raw.length >= 2 && raw.start[0] == '"' && last == '"');
			break;
	}
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_slice(JsonSlice a, JsonSlice b)
{
	return a.kind == b.kind && a.length == b.length &&
		   (a.length == 0 || memcmp(a.start, b.start, a.length) == 0);
}

/* Checks that both have the same value, or the same error. */
static void
check_same_column(size_t number, RowReader *reader, Attempt *a, Attempt *b)
{
	ErrorData *error_a;
	ErrorData *error_b;

	a->reader = b->reader = reader;
	error_a = shim_catch(read_column, a);
	error_b = shim_catch(read_column, b);
	FUZZ_CHECK((error_a == NULL) == (error_b == NULL));
	if (error_a != NULL)
	{
		FUZZ_CHECK(error_a->sqlerrcode == error_b->sqlerrcode);
		FUZZ_CHECK(same_text(error_a->message, error_b->message));
		FUZZ_CHECK(error_a->context != NULL);
		shim_outcome_error(error_a);
	}
	else
	{
		bool isnull = a->isnull[number];

		FUZZ_CHECK(isnull == b->isnull[number]);
		FUZZ_CHECK(isnull ||
				   shim_same_datum(columns[number].type, a->values[number],
								   b->values[number]));
		shim_outcome(isnull ? "null" : "value");
	}
}

static void
read_column(void *argument)
{
	Attempt *attempt = argument;

	row_reader_read(attempt->reader, attempt->record, attempt->values,
					attempt->isnull);
}
