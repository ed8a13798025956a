/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * value.c
 *	  Converts the values of a record to the columns of a row.
 *
 * The declared type of the column decides.  A JSON column takes a value as it
 * is, and an array takes a list.  Any other type takes the scalar of the value,
 * as text, through its input function.  Lookups for a column happen once, when
 * its reader is created.
 *
 * Must not know the origin of records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/id.h"
#include "base/iso8601.h"
#include "base/redact.h"
#include "exec/value.h"
#include "option/attribute.h"

#define SPACES " \t\n\v\f\r"
#define DIGITS "0123456789"

/* Largest number of digits in an integer type. */
#define MAX_INTEGER_DIGITS 19

/* Input that a type takes. */
typedef enum ValueForm
{
	FORM_SCALAR,
	FORM_JSON,
	FORM_INTEGER,
	FORM_DECIMAL,
	FORM_TIMESTAMPTZ,
	FORM_TIMESTAMP,
	FORM_DATE,
	FORM_TIME,
	FORM_TIMETZ
} ValueForm;

struct ColumnReader
{
	/* for messages */
	const char *table_name;
	const char *column_name;
	const char *attribute_label; /* as in the column's option */
	const char *record_id;		 /* of the current record */

	AttrNumber			  attnum;
	const ColumnSettings *options;
	int					  attribute; /* number in the AttributeSet */
	const char			 *secret;	 /* the API key; NULL: none */
	InvalidValue		  invalid_value;
	List				 *column; /* OID of the table, number of the column */
	List **warned_columns;		  /* shared in the statement, of such lists */
	bool   is_invalid;			  /* the value was invalid and becomes NULL */

	/* type of the column, or of an array's elements */
	Oid		  type;
	Oid		  base_type; /* type below a domain */
	int32	  typmod;
	ValueForm form;
	bool	  is_text; /* the empty string is a value */
	FmgrInfo  input;
	Oid		  input_param;
	FmgrInfo  timestamptz_input; /* for the UTC reading of a timestamp */

	/* for arrays */
	bool		  is_array;
	int16		  element_length;
	bool		  element_byval;
	char		  element_align;
	Oid			  array_domain; /* InvalidOid: no domain over the array */
	void		 *domain_extra;
	MemoryContext context;
};

static ValueForm
form_of_type(Oid type)
{
	switch (type)
	{
		case JSONOID:
		case JSONBOID:
			return FORM_JSON;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return FORM_INTEGER;
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return FORM_DECIMAL;
		case TIMESTAMPTZOID:
			return FORM_TIMESTAMPTZ;
		case TIMESTAMPOID:
			return FORM_TIMESTAMP;
		case DATEOID:
			return FORM_DATE;
		case TIMEOID:
			return FORM_TIME;
		case TIMETZOID:
			return FORM_TIMETZ;
		default:
			return FORM_SCALAR;
	}
}

/* Replaces an invalid value by NULL, with a warning if it is the first. */
static void
replace_by_null(ColumnReader *reader, const char *message)
{
	MemoryContext old_context;

	reader->is_invalid = true;
	if (list_member(*reader->warned_columns, reader->column))
		return;
	old_context = MemoryContextSwitchTo(reader->context);
	*reader->warned_columns = lappend(*reader->warned_columns, reader->column);
	MemoryContextSwitchTo(old_context);

	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("invalid values in column \"%s\" of foreign table \"%s\" "
					"are replaced by NULL",
					reader->column_name, reader->table_name),
			 errdetail("The first error is: %s.",
					   redact_text(reader->secret, message))));
}

/* Raises the error for an invalid value, or replaces the value by NULL. */
static void
reject(ColumnReader *reader, int sqlstate, const char *message,
	   const char *hint)
{
	if (reader->invalid_value == INVALID_VALUE_ERROR)
		ereport(ERROR, (errcode(sqlstate), errmsg_internal("%s", message),
						hint != NULL ? errhint("%s", hint) : 0));
	replace_by_null(reader, message);
}

/* Returns true if input_problem can call the input function of a type. */
static bool
may_catch_errors(Oid type)
{
#if PG_VERSION_NUM >= 160000
	(void) type;
	return true;
#else
	static const Oid types[] = {
		BOOLOID,	  INT2OID,		  INT4OID,	  INT8OID, FLOAT4OID, FLOAT8OID,
		NUMERICOID,	  TEXTOID,		  VARCHAROID, UUIDOID, DATEOID,	  TIMEOID,
		TIMESTAMPOID, TIMESTAMPTZOID, JSONOID,	  JSONBOID};

	for (size_t i = 0; i < lengthof(types); i++)
	{
		if (types[i] == type)
			return true;
	}
	return false;
#endif
}

/*
 * Calls the input function of a type for which may_catch_errors is true.  Returns
 * the function's message about a bad value, palloc'd, or NULL.
 */
static const char *
input_problem(FmgrInfo *input, char *text, Oid input_param, int32 typmod,
			  Datum *value)
{
#if PG_VERSION_NUM >= 160000
	ErrorSaveContext escontext = {.type = T_ErrorSaveContext,
								  .details_wanted = true};

	return InputFunctionCallSafe(input, text, input_param, typmod,
								 (Node *) &escontext, value)
			   ? NULL
			   : pstrdup(escontext.error_data->message);
#else
	MemoryContext context = CurrentMemoryContext;
	const char *volatile problem = NULL;

	/*
	 * These input functions hold nothing that only an abort releases.  Their
	 * errors about data can be caught without a subtransaction.
	 */
	PG_TRY();
	{
		*value = InputFunctionCall(input, text, input_param, typmod);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
		problem = error->message;
	}
	PG_END_TRY();
	return problem;
#endif
}

/*
 * Calls an input function.  A text of NULL means SQL NULL.  Returns false if the
 * value is invalid and becomes NULL.  PostgreSQL 16 introduced soft errors.
 * Before, only the errors of some built-in input functions become NULL.
 */
static bool
call_input(ColumnReader *reader, FmgrInfo *input, const char *text,
		   Oid input_param, int32 typmod, Datum *value)
{
	char	   *source = unconstify(char *, text);
	const char *problem = NULL;

	if (reader->invalid_value == INVALID_VALUE_ERROR ||
		!may_catch_errors(reader->type))
		*value = InputFunctionCall(input, source, input_param, typmod);
	else
		problem = input_problem(input, source, input_param, typmod, value);
	if (problem != NULL)
		replace_by_null(reader, problem);
	return problem == NULL;
}

/*
 * Converts a UUID or timestamp in the API's usual form.  Returns false for
 * other texts, which are left to the input function.  Its result would be the
 * same, but the calls would be more than half of the cost of all conversion
 * (see bench/instructions).
 */
static bool
read_plain(const ColumnReader *reader, const char *text, Datum *value)
{
	TimestampTz timestamp;
	pg_uuid_t	id;
	pg_uuid_t  *copy;

	if (reader->type == TIMESTAMPTZOID && reader->typmod == -1 &&
		iso8601_timestamp(text, &timestamp))
	{
		*value = TimestampTzGetDatum(timestamp);
		return true;
	}
	if (reader->type == UUIDOID && id_parse(text, &id))
	{
		copy = palloc(sizeof(*copy));
		*copy = id;
		*value = UUIDPGetDatum(copy);
		return true;
	}
	return false;
}

/*
 * Rejects a text that is not valid for a type, and returns NULL.  format: a
 * message with the type and the text.
 */
static const char *
reject_text(ColumnReader *reader, int sqlstate, const char *format, Oid type,
			const char *text)
{
	reject(reader, sqlstate,
		   psprintf(format, format_type_be(type),
					pg_any_to_server(text, strlen(text), PG_UTF8)),
		   NULL);
	return NULL;
}

static const char *
reject_number(ColumnReader *reader, const char *text)
{
	return reject_text(reader, ERRCODE_INVALID_TEXT_REPRESENTATION,
					   "invalid input syntax for type %s: \"%s\"",
					   reader->base_type, text);
}

/*
 * Returns a number with a point or exponent as an integer.  mantissa: the text
 * after the sign.  A number with a fraction is invalid.
 */
static const char *
write_integer(ColumnReader *reader, const char *text, const char *mantissa,
			  int64 exponent)
{
	size_t count = strspn(mantissa, DIGITS);
	char  *digits = palloc(strlen(mantissa) + MAX_INTEGER_DIGITS + 1);

	memcpy(digits, mantissa, count);
	if (mantissa[count] == '.')
	{
		size_t decimals = strspn(mantissa + count + 1, DIGITS);

		memcpy(digits + count, mantissa + count + 1, decimals);
		count += decimals;
		exponent -= decimals;
	}
	for (; count > 0 && digits[count - 1] == '0'; count--)
		exponent++;
	for (; count > 0 && *digits == '0'; count--)
		digits++;

	if (count == 0)
		return "0";
	if ((int64) count + exponent > MAX_INTEGER_DIGITS)
	{
		reject(reader, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
			   psprintf("value \"%s\" is out of range for type %s", text,
						format_type_be(reader->base_type)),
			   NULL);
		return NULL;
	}
	if (exponent < 0)
		return reject_number(reader, text);
	memset(digits + count, '0', exponent);
	return psprintf("%s%.*s", text[strspn(text, SPACES)] == '-' ? "-" : "",
					(int) (count + exponent), digits);
}

/*
 * Returns a decimal number in the form of the column's type.  Anything else is
 * invalid, although input functions accept more.  An example is NaN, which SQL
 * treats as the largest number, and which the API may omit from a range.
 */
static const char *
normalize_number(ColumnReader *reader, const char *text)
{
	const char *mantissa = text + strspn(text, SPACES);
	const char *end;
	size_t		digits;
	int64		exponent = 0;
	bool		is_plain;

	if (*mantissa == '+' || *mantissa == '-')
		mantissa++;
	digits = strspn(mantissa, DIGITS);
	end = mantissa + digits;
	is_plain = *end != '.' && *end != 'e' && *end != 'E';
	if (*end == '.')
	{
		size_t decimals = strspn(end + 1, DIGITS);

		digits += decimals;
		end += 1 + decimals;
	}
	if (digits > 0 && (*end == 'e' || *end == 'E'))
	{
		const char *start = ++end;

		if (*end == '+' || *end == '-')
			end++;
		digits = strspn(end, DIGITS);
		end += digits;
		/* Clamped, but far beyond the digits of a mantissa. */
		exponent =
			Max(Min(strtol(start, NULL, 10), PG_INT32_MAX), PG_INT32_MIN);
	}
	if (digits == 0 || end[strspn(end, SPACES)] != '\0')
		return reject_number(reader, text);
	return is_plain || reader->form != FORM_INTEGER
			   ? text
			   : write_integer(reader, text, mantissa, exponent);
}

/* Returns the UTC reading of a timestamp with a zone. */
static const char *
utc_reading(ColumnReader *reader, const char *text)
{
	Datum		 value;
	struct pg_tm tm;
	fsec_t		 fsec;
	char		*reading = palloc(MAXDATELEN + 1);

	if (!call_input(reader, &reader->timestamptz_input, text, InvalidOid, -1,
					&value))
		return NULL;

	/*
	 * A timestamptz has the microseconds that a timestamp of its UTC reading
	 * has.
	 */
	if (timestamp2tm(DatumGetTimestampTz(value), NULL, &tm, &fsec, NULL,
					 NULL) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						errmsg("timestamp out of range")));
	EncodeDateTime(&tm, fsec, false, 0, NULL, USE_ISO_DATES, reading);
	return reading;
}

/*
 * Returns true if a text has the parts that a type needs.  A time with an
 * offset and without a date has no UTC reading.
 */
static bool
has_parts(ValueForm form, const Iso8601 *parts)
{
	if (form == FORM_TIMETZ)
		return parts->date_length == 0;
	if (form == FORM_TIME)
		return parts->time_length > 0 &&
			   (parts->date_length > 0 || parts->zone_is_utc);
	return parts->date_length > 0;
}

/*
 * Returns an ISO 8601 text in a form that the column's type accepts.  A type
 * without a time zone gets the UTC reading.  A text without an offset is in UTC,
 * like all timestamps of the API.
 */
static const char *
normalize_time(ColumnReader *reader, const char *text)
{
	Iso8601		parts;
	char	   *copy;
	char	   *comma;
	const char *zoned;

	if (!iso8601_parse(text, &parts) || !has_parts(reader->form, &parts))
		return reject_text(reader, ERRCODE_INVALID_DATETIME_FORMAT,
						   "invalid ISO 8601 value for type %s: \"%s\"",
						   reader->type, text);

	/* ISO 8601 allows a decimal comma, which PostgreSQL treats as a separator. */
	copy = pstrdup(text);
	comma = strchr(copy, ',');
	if (comma != NULL)
		*comma = '.';
	zoned = parts.time_length == 0	 ? psprintf("%s 00:00:00Z", copy)
			: parts.zone_length == 0 ? psprintf("%sZ", copy)
									 : copy;
	if (reader->form == FORM_TIMESTAMPTZ || reader->form == FORM_TIMETZ)
		return zoned;

	/*
	 * The UTC reading may be on another day, because of the offset, 24:00:00, a
	 * leap second, or a fraction that is rounded up.
	 */
	if (parts.date_length > 0 && parts.time_length > 0)
		return utc_reading(reader, zoned);
	return pnstrdup(copy, strlen(copy) - parts.zone_length);
}

/* Converts UTF-8 text with the type's input function. */
static bool
input_text(ColumnReader *reader, const char *text, Datum *value)
{
	if (read_plain(reader, text, value))
		return true;
	if (reader->form == FORM_INTEGER || reader->form == FORM_DECIMAL)
		text = normalize_number(reader, text);
	else if (reader->form != FORM_SCALAR && reader->form != FORM_JSON)
		text = normalize_time(reader, text);
	if (text == NULL)
		return false;
	text = pg_any_to_server(text, strlen(text), PG_UTF8);
	return call_input(reader, &reader->input, text, reader->input_param,
					  reader->typmod, value);
}

/* Converts JSON as it is in the response, so that numbers stay exact. */
static bool
input_json(ColumnReader *reader, JsonSlice json, Datum *value)
{
	return input_text(reader, pnstrdup(json.start, json.length), value);
}

/*
 * Returns the value of an envelope that the column shows, or NULL.  A key of a
 * value without keys is absent.
 */
static const JsonValue *
find_value(const ColumnReader *reader, const Envelope *envelope)
{
	if (!envelope->has_value)
		return NULL;
	return reader->options->key == NULL
			   ? &envelope->value
			   : envelope_member(envelope, reader->options->key);
}

/* Returns the key of the scalar that the column takes; NULL: the value itself. */
static const char *
scalar_key(const ColumnReader *reader, const Envelope *envelope)
{
	return reader->options->key == NULL
			   ? envelope_scalar_key(envelope, reader->base_type == UUIDOID)
			   : NULL;
}

static bool
is_structured(const JsonValue *value)
{
	return value->kind == JSON_TOKEN_OBJECT_START ||
		   value->kind == JSON_TOKEN_ARRAY_START;
}

/*
 * Returns the text that a scalar column takes from an envelope.  Returns NULL if
 * there is no value, or only an empty string, which is a value of text types only.
 */
static const char *
find_scalar(ColumnReader *reader, const Envelope *envelope)
{
	const JsonValue *value = find_value(reader, envelope);
	const char		*key = scalar_key(reader, envelope);

	if (value == NULL || value->kind == JSON_TOKEN_NULL)
		return NULL;
	if (key != NULL)
		value = envelope_member(envelope, key);
	if (value == NULL)
		reject(reader, ERRCODE_PROTOCOL_VIOLATION,
			   psprintf("value of type \"%s\" has no key \"%s\"",
						envelope->value_type, key),
			   NULL);
	else if (is_structured(value))
		reject(reader, ERRCODE_FDW_INVALID_DATA_TYPE,
			   psprintf("cannot convert structured value to type %s",
						format_type_be(reader->type)),
			   "Declare the column as jsonb, or select a key of the "
			   "value with the column option \"attribute\", as in "
			   "\"stage.color\".");
	else if (reader->is_text ? value->kind != JSON_TOKEN_NULL
							 : !json_value_is_empty(value))
		return value->text;
	return NULL;
}

/*
 * Reads an envelope into *value.  Returns false for NULL, and for an invalid value
 * that becomes NULL.
 */
static bool
read_envelope(ColumnReader *reader, const Envelope *envelope, Datum *value)
{
	const JsonValue *json;
	const char		*text;

	if (reader->form == FORM_JSON)
	{
		json = find_value(reader, envelope);
		return json != NULL && json->kind != JSON_TOKEN_NULL &&
			   input_json(reader, json->raw, value);
	}
	text = find_scalar(reader, envelope);
	return text != NULL && input_text(reader, text, value);
}

/*
 * Checks an array against the domain over it.  To avoid an error, it uses the
 * domain's input function, which reports soft errors in every version that has
 * them.
 */
static bool
check_array(ColumnReader *reader, Datum array)
{
	Oid		 function;
	Oid		 input_param;
	bool	 is_varlena;
	FmgrInfo input;

	if (reader->invalid_value == INVALID_VALUE_ERROR ||
		!may_catch_errors(reader->array_domain))
	{
		domain_check(array, false, reader->array_domain, &reader->domain_extra,
					 reader->context);
		return true;
	}

	getTypeInputInfo(reader->array_domain, &function, &input_param);
	fmgr_info(function, &input);
	getTypeOutputInfo(getBaseType(reader->array_domain), &function,
					  &is_varlena);
	return call_input(reader, &input, OidOutputFunctionCall(function, array),
					  input_param, -1, &array);
}

/*
 * Rejects a list in a column for one value, or the reverse.  The hint names the
 * type that could take each value of the attribute, with or without brackets.
 */
static bool
reject_form(ColumnReader *reader, const RecordAttribute *attribute,
			const char *message, const char *brackets)
{
	bool has_scalars = reader->form != FORM_JSON;

	for (int i = 0; i < attribute->count; i++)
	{
		const Envelope	*envelope = &attribute->envelopes[i];
		const JsonValue *value = find_value(reader, envelope);

		if (value != NULL && is_structured(value) &&
			scalar_key(reader, envelope) == NULL)
			has_scalars = false;
	}
	reject(reader, ERRCODE_FDW_INVALID_DATA_TYPE, message,
		   has_scalars ? psprintf("Declare the column as %s%s or as jsonb.",
								  format_type_be(reader->type), brackets)
					   : "Declare the column as jsonb.");
	return false;
}

static bool
read_array(ColumnReader *reader, const RecordAttribute *attribute, Datum *value)
{
	Datum *elements = palloc(attribute->count * sizeof(Datum));
	bool  *nulls = palloc(attribute->count * sizeof(bool));
	int	   lower_bound = 1;

	if (!attribute->is_list)
	{
		const JsonValue *only = find_value(reader, &attribute->envelopes[0]);

		return only != NULL && !json_value_is_empty(only) &&
			   reject_form(
				   reader, attribute,
				   psprintf("cannot convert non-array value to type %s[]",
							format_type_be(reader->type)),
				   "");
	}

	for (int i = 0; i < attribute->count; i++)
	{
		nulls[i] =
			!read_envelope(reader, &attribute->envelopes[i], &elements[i]);
		/* A domain may forbid NULL. */
		if (reader->is_invalid ||
			(nulls[i] &&
			 !call_input(reader, &reader->input, NULL, reader->input_param,
						 reader->typmod, &elements[i])))
			return false;
	}

	*value = PointerGetDatum(construct_md_array(
		elements, nulls, 1, unconstify(int *, &attribute->count), &lower_bound,
		reader->type, reader->element_length, reader->element_byval,
		reader->element_align));
	return !OidIsValid(reader->array_domain) || check_array(reader, *value);
}

static bool
read_column(ColumnReader *reader, const Record *record, Datum *value)
{
	const RecordAttribute *attribute;
	StringInfoData		   json;

	if (reader->options->is_record)
		return input_json(reader, record->whole, value);

	attribute = &record->attributes[reader->attribute];
	if (!attribute->is_list && attribute->count == 0)
		return false;
	if (reader->is_array)
		return read_array(reader, attribute, value);
	if (!attribute->is_list)
		return read_envelope(reader, &attribute->envelopes[0], value);
	if (reader->form != FORM_JSON)
		return reject_form(reader, attribute,
						   psprintf("cannot convert array value to type %s",
									format_type_be(reader->type)),
						   "[]");

	initStringInfo(&json);
	for (int i = 0; i < attribute->count; i++)
	{
		const JsonValue *element = find_value(reader, &attribute->envelopes[i]);

		appendStringInfoString(&json, i > 0 ? "," : "[");
		if (element == NULL)
			appendStringInfoString(&json, "null");
		else
			appendBinaryStringInfo(&json, element->raw.start,
								   element->raw.length);
	}
	appendStringInfoString(&json, attribute->count > 0 ? "]" : "[]");
	return input_text(reader, json.data, value);
}

/* Error context callback: names the value.  Makes no catalog lookup. */
static void
conversion_context(void *arg)
{
	const ColumnReader *reader = arg;

	errcontext("column \"%s\" of foreign table \"%s\", attribute \"%s\", "
			   "record %s",
			   reader->column_name, reader->table_name, reader->attribute_label,
			   reader->record_id);
}

/*
 * Stores the column's value for a record in a row's values and isnull, in the
 * current memory context.
 *
 * record_id is the id in canonical form, for messages.  Raises the errors of
 * the type's input function, and an error for a value that cannot fit the type.
 * The error context names the column, the attribute and the record.  If the
 * option invalid_value is null, such a value is NULL, with a warning.
 */
void
column_reader_read(ColumnReader *reader, const Record *record,
				   const char *record_id, Datum *values, bool *isnull)
{
	ErrorContextCallback callback;
	int					 column = reader->attnum - 1;

	reader->record_id = record_id;
	callback.callback = conversion_context;
	callback.arg = reader;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	reader->is_invalid = false;
	values[column] = (Datum) 0;
	isnull[column] = !read_column(reader, record, &values[column]);
	if (isnull[column] && OidIsValid(reader->array_domain))
		domain_check((Datum) 0, true, reader->array_domain,
					 &reader->domain_extra, reader->context);
	else if (isnull[column] && !reader->is_array)
		InputFunctionCall(&reader->input, NULL, reader->input_param,
						  reader->typmod); /* a domain may forbid NULL */

	error_context_stack = callback.previous;
}

/*
 * Raises an error for a column of the whole record that is neither JSON nor
 * text.
 */
static void
check_record_column(const ColumnReader *reader)
{
	if (!reader->is_array &&
		(reader->form == FORM_JSON || reader->base_type == TEXTOID ||
		 reader->base_type == VARCHAROID))
		return;
	ereport(
		ERROR,
		(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
		 errmsg("column \"%s\" of foreign table \"%s\" with attribute \"*\" "
				"cannot have type %s",
				reader->column_name, reader->table_name,
				format_type_be(reader->is_array ? get_array_type(reader->type)
												: reader->type)),
		 errhint("Declare the column as jsonb, json or text.")));
}

/* Looks up the type of a column, and its input function. */
static void
set_type(ColumnReader *reader, Form_pg_attribute attribute)
{
	int32 typmod = attribute->atttypmod;
	Oid	  base_type;
	Oid	  element_type;
	Oid	  input_function;

	base_type = getBaseTypeAndTypmod(attribute->atttypid, &typmod);
	element_type = get_element_type(base_type);
	reader->type = attribute->atttypid;
	reader->typmod = attribute->atttypmod;
	if (OidIsValid(element_type))
	{
		reader->is_array = true;
		if (base_type != attribute->atttypid)
			reader->array_domain = attribute->atttypid;
		reader->type = element_type;
		reader->typmod = typmod; /* of the domain, if it is one */
		get_typlenbyvalalign(element_type, &reader->element_length,
							 &reader->element_byval, &reader->element_align);
	}
	reader->base_type = getBaseType(reader->type);
	reader->form = form_of_type(reader->base_type);
	reader->is_text = TypeCategory(reader->base_type) == TYPCATEGORY_STRING;
	getTypeInputInfo(reader->type, &input_function, &reader->input_param);
	fmgr_info(input_function, &reader->input);
	getTypeInputInfo(TIMESTAMPTZOID, &input_function, &(Oid){InvalidOid});
	fmgr_info(input_function, &reader->timestamptz_input);
}

/*
 * Returns the reader of a column, in the current memory context, and adds its
 * attribute to the wanted ones.  Raises an error for a column that can never be
 * filled.
 *
 * The readers of a statement share *warned_columns, so that each column warns
 * once; the list grows in the current memory context.  Warnings never show
 * secret, which may be NULL.
 */
ColumnReader *
column_reader_create(const Settings *settings, TupleDesc tupdesc,
					 AttrNumber attnum, const char *table_name,
					 const char *secret, AttributeSet *wanted,
					 List **warned_columns)
{
	Form_pg_attribute attribute = TupleDescAttr(tupdesc, attnum - 1);
	ColumnSettings	 *options = column_settings_read(settings, attribute);
	ColumnReader	 *reader = palloc0(sizeof(ColumnReader));

	/* A wrapper has to compute a stored generated column. */
	if (attribute->attgenerated == ATTRIBUTE_GENERATED_STORED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("generated column \"%s\" of foreign table \"%s\" is "
						"not supported",
						NameStr(attribute->attname), table_name),
				 errhint("Drop the column, and use its expression in a "
						 "view.")));
	reader->table_name = table_name;
	reader->secret = secret;
	reader->column_name = pstrdup(NameStr(attribute->attname));
	reader->attribute_label =
		options->attribute != NULL ? options->attribute : reader->column_name;
	reader->attnum = attnum;
	reader->column = list_make2_oid(attribute->attrelid, attnum);
	reader->warned_columns = warned_columns;
	reader->options = options;
	reader->invalid_value = column_shows(options, "id")
								? INVALID_VALUE_ERROR
								: options->invalid_value;
	reader->context = CurrentMemoryContext;

	set_type(reader, attribute);
	if (reader->options->is_record)
	{
		check_record_column(reader);
		wanted->wants_record = true;
	}
	else
		reader->attribute = attribute_set_add(wanted, reader->options->field);
	return reader;
}
