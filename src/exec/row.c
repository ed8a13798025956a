/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * row.c
 *	  Makes the rows of a foreign table from records.
 *
 * The declared type of a column decides how a value is converted.  A JSON
 * column takes it as it is, and an array takes a list.  Any other type takes the
 * scalar of the value, as text, through its input function.
 *
 * Must not know the origin of records, or the executor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/string.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/id.h"
#include "base/iso8601.h"
#include "base/remote_text.h"
#include "exec/row.h"
#include "json/json_slice.h"

#define SPACES " \t\n\v\f\r"
#define DIGITS "0123456789"

/* Bytes of a scalar, with a NUL, that needs no memory of its own. */
#define SCALAR_BUFFER 128

/* Largest number of digits in an integer type. */
#define MAX_INTEGER_DIGITS 19

/* Input function of a type. */
typedef struct TypeInput
{
	Oid		 type;
	FmgrInfo function;
	Oid		 param;
} TypeInput;

/* Conversion of one column. */
typedef struct ColumnReader
{
	struct RowReader	 *row;
	const char			 *name;
	AttrNumber			  attnum;
	List				 *key; /* OID of the table, number of the column */
	const ColumnSettings *options;
	int					  attribute; /* number in the AttributeSet */
	bool				  is_strict; /* an invalid value is an error */
	bool is_invalid; /* the value was rejected and becomes NULL */

	/* type of the column, or of an array's elements */
	Oid		  type;
	Oid		  base_type; /* type below a domain */
	int32	  typmod;
	bool	  is_json;
	bool	  is_text; /* the empty string is a value */
	TypeInput input;
	TypeInput timestamptz_input; /* for the UTC reading of a timestamp */
	TypeInput whole_input;		 /* of the column, even if it is an array */

	/* for arrays */
	bool  is_array;
	int16 element_length;
	bool  element_byval;
	char  element_align;
	Oid	  array_domain; /* InvalidOid: no domain over the array */
	void *domain_extra; /* of domain_check */
} ColumnReader;

struct RowReader
{
	const char *table_name;
	const char *secret; /* the API key; NULL: none */
	int			natts;
	List	   *columns; /* ColumnReaders */
	Statement  *statement;
	int			archived_at; /* attribute number; -1: no filter */

	/* for messages */
	const Record	   *record;
	const ColumnReader *column;
};

/*
 * Raises the error for an invalid value.  Or else replaces the value by NULL,
 * with a warning if it is the column's first.
 */
static void
reject(ColumnReader *column, int sqlstate, const char *message,
	   const char *hint)
{
	RowReader	 *row = column->row;
	Statement	 *statement = row->statement;
	MemoryContext old_context;

	if (column->is_strict)
		ereport(ERROR, (errcode(sqlstate), errmsg_internal("%s", message),
						hint != NULL ? errhint("%s", hint) : 0));

	column->is_invalid = true;
	if (list_member(statement->warned_columns, column->key))
		return;
	old_context = MemoryContextSwitchTo(statement->context);
	statement->warned_columns =
		lappend(statement->warned_columns, list_copy(column->key));
	MemoryContextSwitchTo(old_context);

	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("invalid values in column \"%s\" of foreign table \"%s\" "
					"are replaced by NULL",
					column->name, row->table_name),
			 errdetail("The first error is: %s.",
					   redact_text(row->secret, message))));
}

/* Returns true if input_problem may call the input function of a type. */
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
input_problem(TypeInput *input, char *text, int32 typmod, Datum *value)
{
#if PG_VERSION_NUM >= 160000
	ErrorSaveContext escontext = {.type = T_ErrorSaveContext,
								  .details_wanted = true};

	return InputFunctionCallSafe(&input->function, text, input->param, typmod,
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
		*value =
			InputFunctionCall(&input->function, text, input->param, typmod);
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
call_input(ColumnReader *column, TypeInput *input, const char *text,
		   int32 typmod, Datum *value)
{
	char	   *source = unconstify(char *, text);
	const char *problem = NULL;

	if (column->is_strict || !may_catch_errors(input->type))
		*value =
			InputFunctionCall(&input->function, source, input->param, typmod);
	else
		problem = input_problem(input, source, typmod, value);
	if (problem != NULL)
		reject(column, ERRCODE_DATA_EXCEPTION, problem, NULL);
	return problem == NULL;
}

/*
 * Converts a UUID or timestamp in the API's usual form.  Returns false for
 * other texts.  The input functions would be more than half of the cost of all
 * conversion (see bench/instructions).
 */
static bool
read_plain(const ColumnReader *column, const char *text, Datum *value)
{
	TimestampTz timestamp;
	pg_uuid_t  *id;

	if (column->type == UUIDOID)
	{
		id = palloc(sizeof(*id));
		*value = UUIDPGetDatum(id);
		return id_parse(text, id);
	}
	if (column->type != TIMESTAMPTZOID || column->typmod != -1 ||
		!iso8601_timestamp(text, &timestamp))
		return false;
	*value = TimestampTzGetDatum(timestamp);
	return true;
}

/* Rejects a text with a message that has the type and the text; returns NULL. */
static const char *
reject_text(ColumnReader *column, int sqlstate, const char *format, Oid type,
			const char *text)
{
	reject(column, sqlstate,
		   psprintf(format, format_type_be(type),
					pg_any_to_server(text, strlen(text), PG_UTF8)),
		   NULL);
	return NULL;
}

static const char *
reject_number(ColumnReader *column, const char *text)
{
	return reject_text(column, ERRCODE_INVALID_TEXT_REPRESENTATION,
					   "invalid input syntax for type %s: \"%s\"",
					   column->base_type, text);
}

/*
 * Returns a decimal number in the form of the column's type: an integer without
 * point or exponent.  Anything else is invalid, although input functions accept
 * more.  An example is NaN, which SQL treats as the largest number, and which the
 * API may omit from a range.
 */
static const char *
normalize_number(ColumnReader *column, const char *text)
{
	const char *sign = text + strspn(text, SPACES);
	const char *mantissa = sign + (*sign == '+' || *sign == '-');
	int			whole = strspn(mantissa, DIGITS);
	int			decimals = 0;
	const char *end = mantissa + whole;
	int64		exponent = 0;
	bool		is_number;
	char	   *digits;
	int			count;

	if (*end == '.')
	{
		decimals = strspn(end + 1, DIGITS);
		end += 1 + decimals;
	}
	is_number = whole + decimals > 0;
	if (*end == 'e' || *end == 'E')
	{
		end++;
		/* Clamped, but far beyond the digits of a mantissa. */
		exponent = Max(Min(strtol(end, NULL, 10), PG_INT32_MAX), PG_INT32_MIN);
		end += *end == '+' || *end == '-';
		is_number &= strspn(end, DIGITS) > 0;
		end += strspn(end, DIGITS);
	}
	if (!is_number || end[strspn(end, SPACES)] != '\0')
		return reject_number(column, text);
	if (end == mantissa + whole ||
		(column->base_type != INT2OID && column->base_type != INT4OID &&
		 column->base_type != INT8OID))
		return text;

	digits =
		psprintf("%.*s%.*s", whole, mantissa, decimals, mantissa + whole + 1);
	digits += strspn(digits, "0");
	exponent -= decimals;
	for (count = strlen(digits); count > 0 && digits[count - 1] == '0'; count--)
		exponent++;
	if (count == 0)
		return "0";
	if (count + exponent > MAX_INTEGER_DIGITS)
	{
		reject(column, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
			   psprintf("value \"%s\" is out of range for type %s", text,
						format_type_be(column->base_type)),
			   NULL);
		return NULL;
	}
	if (exponent < 0)
		return reject_number(column, text); /* it has a fraction */
	/* The last conversion gives as many zeros as the exponent. */
	return psprintf("%s%.*s%.*d", *sign == '-' ? "-" : "", count, digits,
					(int) exponent, 0);
}

/*
 * Returns an ISO 8601 text in a form that the column's type accepts.  A type
 * without a time zone gets the UTC reading.  A text without an offset is in UTC,
 * like all timestamps of the API.
 */
static const char *
normalize_time(ColumnReader *column, const char *text)
{
	Oid			type = column->base_type;
	Iso8601		parts;
	bool		has_date;
	bool		has_time;
	char	   *copy;
	char	   *comma;
	const char *zoned;
	Datum		value;

	/* A time with an offset and without a date has no UTC reading. */
	if (!iso8601_parse(text, &parts) ||
		(type == TIMETZOID ? parts.date_length > 0
		 : type == TIMEOID ? parts.time_length == 0 ||
								 (parts.date_length == 0 && !parts.zone_is_utc)
						   : parts.date_length == 0))
		return reject_text(column, ERRCODE_INVALID_DATETIME_FORMAT,
						   "invalid ISO 8601 value for type %s: \"%s\"",
						   column->type, text);
	has_date = parts.date_length > 0;
	has_time = parts.time_length > 0;

	/* ISO 8601 allows a decimal comma, which PostgreSQL treats as a separator. */
	copy = pstrdup(text);
	comma = strchr(copy, ',');
	if (comma != NULL)
		*comma = '.';
	zoned = !has_time				 ? psprintf("%s 00:00:00Z", copy)
			: parts.zone_length == 0 ? psprintf("%sZ", copy)
									 : copy;
	if (type == TIMESTAMPTZOID || type == TIMETZOID)
		return zoned;
	if (!has_date || !has_time)
		return pnstrdup(copy, strlen(copy) - parts.zone_length);

	/*
	 * The UTC reading may be on another day, because of the offset, 24:00:00, a
	 * leap second, or a fraction that is rounded up.  A timestamptz has the
	 * microseconds that a timestamp of its UTC reading has.
	 */
	if (!call_input(column, &column->timestamptz_input, zoned, -1, &value))
		return NULL;
	copy = JsonEncodeDateTime(NULL, value, TIMESTAMPOID, NULL);
	*strchr(copy, 'T') = ' '; /* the type time does not accept a T */
	return copy;
}

/*
 * Returns a UTF-8 text in the server encoding, palloc'd if it differs.  Returns
 * NULL after a rejection, if a character has no equivalent there.
 */
static const char *
text_to_server(ColumnReader *column, const char *text)
{
	int	  encoding = GetDatabaseEncoding();
	Oid	  conversion;
	int	  length = strlen(text);
	int	  size;
	char *converted;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || pg_is_ascii(text))
		return text;
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (column->is_strict || !OidIsValid(conversion) ||
		(Size) length >= MaxAllocSize / MAX_CONVERSION_GROWTH)
		return pg_any_to_server(text, length, PG_UTF8);
	size = length * MAX_CONVERSION_GROWTH + 1;
	converted = palloc(size);
	if (pg_do_encoding_conversion_buf(
			conversion, PG_UTF8, encoding,
			(unsigned char *) unconstify(char *, text), length,
			(unsigned char *) converted, size, true) == length)
		return converted;
	reject(column, ERRCODE_UNTRANSLATABLE_CHARACTER,
		   psprintf("value contains a character without equivalent in "
					"encoding \"%s\"",
					GetDatabaseEncodingName()),
		   NULL);
	return NULL;
}

/*
 * Converts UTF-8 text with the type's input function.  Returns false if the value
 * is invalid and becomes NULL.
 */
static bool
input_text(ColumnReader *column, const char *text, Datum *value)
{
	if (read_plain(column, text, value))
		return true;
	switch (column->base_type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			text = normalize_number(column, text);
			break;
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
			text = normalize_time(column, text);
			break;
	}
	if (text != NULL)
		text = text_to_server(column, text);
	return text != NULL &&
		   call_input(column, &column->input, text, column->typmod, value);
}

/*
 * Converts JSON as it is in the response, so that numbers stay exact.  The text is
 * palloc'd.  Outside of UTF-8, PostgreSQL's input functions do not accept every
 * escape, so a character takes its place.
 */
static bool
input_json(ColumnReader *column, char *text, int length, Datum *value)
{
	if (GetDatabaseEncoding() != PG_UTF8)
		length = json_unescape_in_place(text, length);
	text[length] = '\0';
	return input_text(column, text, value);
}

/* Converts a part of a response. */
static bool
input_slice(ColumnReader *column, const JsonSlice *json, Datum *value)
{
	JsonSlice raw = slice_raw(json);

	return input_json(column, pnstrdup(raw.start, raw.length), raw.length,
					  value);
}

/* Converts a scalar. */
static bool
input_scalar(ColumnReader *column, const JsonSlice *scalar, Datum *value)
{
	char	  buffer[SCALAR_BUFFER];
	char	 *target = buffer;
	size_t	  size = sizeof(buffer);
	text	 *datum = NULL;
	JsonError error;
	char	 *characters;

	/* A text needs no input function, which would copy it. */
	if (column->type == TEXTOID && GetDatabaseEncoding() == PG_UTF8)
	{
		size = scalar->length + 1;
		datum = palloc(VARHDRSZ + size);
		target = VARDATA(datum);
	}
	characters = slice_text(scalar, target, size, &error);
	if (characters != NULL && datum != NULL)
	{
		SET_VARSIZE(datum, VARHDRSZ + strlen(characters));
		*value = PointerGetDatum(datum);
		return true;
	}
	if (characters != NULL)
		return input_text(column, characters, value);
	reject(column, ERRCODE_UNTRANSLATABLE_CHARACTER,
		   error == JSON_NUL
			   ? "value contains \"\\u0000\", which PostgreSQL cannot store"
			   : "value contains half of a surrogate pair, which PostgreSQL "
				 "cannot store",
		   NULL);
	return false;
}

/*
 * Finds the member of an object.  Returns false if there is none, and after a
 * rejection if there are several.
 */
static bool
find_member(ColumnReader *column, const JsonSlice *object, const char *name,
			JsonSlice *member)
{
	int count = slice_member(object, name, member);

	if (count > 1)
		reject(column, ERRCODE_PROTOCOL_VIOLATION,
			   psprintf("value has duplicate key \"%s\"", name), NULL);
	return count == 1;
}

/*
 * Finds the value of an envelope that the column shows.  Returns false if there
 * is none, perhaps after a rejection.
 */
static bool
find_value(ColumnReader *column, const Envelope *envelope, JsonSlice *value)
{
	*value = envelope->value;
	return value->kind != JSON_KIND_NONE &&
		   (column->options->key == NULL ||
			find_member(column, &envelope->value, column->options->key, value));
}

/* Returns the key of the scalar that the column takes; NULL: the value itself. */
static const char *
scalar_key(const ColumnReader *column, const Envelope *envelope)
{
	return column->options->key == NULL
			   ? envelope_scalar_key(envelope, column->base_type == UUIDOID)
			   : NULL;
}

static bool
is_structured(const JsonSlice *value)
{
	return value->kind == JSON_KIND_OBJECT || value->kind == JSON_KIND_ARRAY;
}

/* Reads an envelope into *value.  Returns false if the value becomes NULL. */
static bool
read_envelope(ColumnReader *column, const Envelope *envelope, Datum *value)
{
	const char *key = scalar_key(column, envelope);
	JsonSlice	json;

	if (!find_value(column, envelope, &json) || json.kind == JSON_KIND_NULL)
		return false;
	if (column->is_json)
		return input_slice(column, &json, value);
	if (key != NULL && !find_member(column, &envelope->value, key, &json))
	{
		if (!column->is_invalid)
			reject(column, ERRCODE_PROTOCOL_VIOLATION,
				   psprintf("value of type \"%.*s\" has no key \"%s\"",
							envelope->value_type.length,
							envelope->value_type.start, key),
				   NULL);
	}
	else if (is_structured(&json))
		reject(column, ERRCODE_FDW_INVALID_DATA_TYPE,
			   psprintf("cannot convert structured value to type %s",
						format_type_be(column->type)),
			   "Declare the column as jsonb, or select a key of the "
			   "value with the column option \"attribute\", as in "
			   "\"stage.color\".");
	else if (column->is_text ? json.kind != JSON_KIND_NULL
							 : !slice_is_empty(&json))
		return input_scalar(column, &json, value);
	return false;
}

/*
 * Checks an array against the domain over it.  The domain's input function
 * reports soft errors in every version that has them, unlike domain_check.  Its
 * text may be rounded, so a strict column uses the latter.
 */
static bool
check_array(ColumnReader *column, Datum array)
{
	Oid	 function;
	bool is_varlena;

	if (column->is_strict || !may_catch_errors(column->array_domain))
	{
		domain_check(array, false, column->array_domain, &column->domain_extra,
					 column->row->statement->context);
		return true;
	}
	getTypeOutputInfo(getBaseType(column->array_domain), &function,
					  &is_varlena);
	return call_input(column, &column->whole_input,
					  OidOutputFunctionCall(function, array), -1, &array);
}

/* Begins to read the envelopes of a list. */
static void
begin_list(const RecordAttribute *attribute, JsonReader *list)
{
	json_begin_again(list, attribute->list.start);
	json_enter(list);
}

/*
 * Rejects a list in a column for one value, or the reverse.  The hint names the
 * type that could take each value of the attribute, with or without brackets.
 */
static bool
reject_form(ColumnReader *column, const RecordAttribute *attribute,
			const char *message, const char *brackets)
{
	bool	   has_scalars = !column->is_json;
	Envelope   envelope = attribute->envelope;
	JsonReader list;
	JsonSlice  value;

	if (attribute->count > 0)
		begin_list(attribute, &list);
	while (attribute->count == 0 || envelope_next(&list, &envelope))
	{
		if (find_value(column, &envelope, &value) && is_structured(&value) &&
			scalar_key(column, &envelope) == NULL)
			has_scalars = false;
		if (attribute->count == 0)
			break;
	}
	reject(column, ERRCODE_FDW_INVALID_DATA_TYPE, message,
		   has_scalars ? psprintf("Declare the column as %s%s or as jsonb.",
								  format_type_be(column->type), brackets)
					   : "Declare the column as jsonb.");
	return false;
}

/* Reads an attribute into an array.  Returns false if it becomes NULL. */
static bool
read_array(ColumnReader *column, const RecordAttribute *attribute, Datum *value)
{
	int		   count = attribute->count;
	Datum	  *elements;
	bool	  *nulls;
	int		   lower_bound = 1;
	JsonReader list;
	Envelope   envelope;
	JsonSlice  only;

	if (attribute->list.kind == JSON_KIND_NONE)
		return find_value(column, &attribute->envelope, &only) &&
			   !slice_is_empty(&only) &&
			   reject_form(
				   column, attribute,
				   psprintf("cannot convert non-array value to type %s[]",
							format_type_be(column->type)),
				   "");

	if ((size_t) count > MaxArraySize)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("array size exceeds the maximum allowed (%d)",
							   (int) MaxArraySize)));
	elements = palloc(count * sizeof(Datum));
	nulls = palloc(count * sizeof(bool));
	begin_list(attribute, &list);
	for (int i = 0; envelope_next(&list, &envelope); i++)
	{
		CHECK_FOR_INTERRUPTS();
		nulls[i] = !read_envelope(column, &envelope, &elements[i]);
		/* A domain may forbid NULL. */
		if (column->is_invalid ||
			(nulls[i] && !call_input(column, &column->input, NULL,
									 column->typmod, &elements[i])))
			return false;
	}

	*value = PointerGetDatum(construct_md_array(
		elements, nulls, 1, &count, &lower_bound, column->type,
		column->element_length, column->element_byval, column->element_align));
	return !OidIsValid(column->array_domain) || check_array(column, *value);
}

/* Reads a list into a JSON column.  Returns false if it becomes NULL. */
static bool
read_json_list(ColumnReader *column, const RecordAttribute *attribute,
			   Datum *value)
{
	StringInfoData json;
	const char	  *separator = "";
	JsonReader	   list;
	Envelope	   envelope;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	begin_list(attribute, &list);
	while (envelope_next(&list, &envelope))
	{
		JsonSlice element;

		appendStringInfoString(&json, separator);
		separator = ",";
		if (find_value(column, &envelope, &element))
		{
			element = slice_raw(&element);
			appendBinaryStringInfo(&json, element.start, element.length);
		}
		else
			appendStringInfoString(&json, "null");
	}
	appendStringInfoChar(&json, ']');
	return !column->is_invalid &&
		   input_json(column, json.data, json.len, value);
}

/* Reads a column's value from a record.  Returns false if it becomes NULL. */
static bool
read_column(ColumnReader *column, const Record *record, Datum *value)
{
	const RecordAttribute *attribute;

	if (column->options->is_record)
		return input_slice(column, &record->whole, value);

	attribute = &record->attributes[column->attribute];
	if (column->is_array)
		return read_array(column, attribute, value);
	if (attribute->list.kind == JSON_KIND_NONE)
		return read_envelope(column, &attribute->envelope, value);
	if (column->is_json)
		return read_json_list(column, attribute, value);
	return reject_form(column, attribute,
					   psprintf("cannot convert array value to type %s",
								format_type_be(column->type)),
					   "[]");
}

/* Error context callback: names the value.  Makes no catalog lookup. */
static void
conversion_context(void *arg)
{
	const RowReader	   *row = arg;
	const ColumnReader *column = row->column;

	errcontext("column \"%s\" of foreign table \"%s\", attribute \"%s\", "
			   "record %s",
			   column->name, row->table_name,
			   column->options->attribute != NULL ? column->options->attribute
												  : column->name,
			   id_text(&row->record->id));
}

static void
find_input(TypeInput *input, Oid type)
{
	Oid function;

	getTypeInputInfo(type, &function, &input->param);
	fmgr_info(function, &input->function);
	input->type = type;
}

/* Looks up the type of a column, and its input functions. */
static void
set_type(ColumnReader *column, Form_pg_attribute attribute)
{
	int32 typmod = attribute->atttypmod;
	Oid	  base_type = getBaseTypeAndTypmod(attribute->atttypid, &typmod);
	Oid	  element_type = get_element_type(base_type);

	column->type = attribute->atttypid;
	column->typmod = attribute->atttypmod;
	if (OidIsValid(element_type))
	{
		column->is_array = true;
		if (base_type != attribute->atttypid)
			column->array_domain = attribute->atttypid;
		column->type = element_type;
		column->typmod = typmod; /* of the domain, if it is one */
		get_typlenbyvalalign(element_type, &column->element_length,
							 &column->element_byval, &column->element_align);
	}
	column->base_type = getBaseType(column->type);
	column->is_json =
		column->base_type == JSONOID || column->base_type == JSONBOID;
	column->is_text = TypeCategory(column->base_type) == TYPCATEGORY_STRING;
	find_input(&column->input, column->type);
	find_input(&column->timestamptz_input, TIMESTAMPTZOID);
	find_input(&column->whole_input, attribute->atttypid);
}

/* Returns the reader of a column, and adds its attribute to the wanted ones. */
static ColumnReader *
create_column(RowReader *row, const Settings *settings,
			  Form_pg_attribute attribute, AttributeSet *wanted)
{
	ColumnSettings *options = column_settings_read(settings, attribute);
	ColumnReader   *column = palloc0(sizeof(ColumnReader));

	/* A wrapper has to compute a stored generated column. */
	if (attribute->attgenerated == ATTRIBUTE_GENERATED_STORED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("generated column \"%s\" of foreign table \"%s\" is "
						"not supported",
						NameStr(attribute->attname), row->table_name),
				 errhint("Drop the column, and use its expression in a "
						 "view.")));
	column->row = row;
	column->name = pstrdup(NameStr(attribute->attname));
	column->attnum = attribute->attnum;
	column->key = list_make2_oid(attribute->attrelid, attribute->attnum);
	column->options = options;
	column->is_strict = column_shows(options, "id") ||
						options->invalid_value == INVALID_VALUE_ERROR;

	set_type(column, attribute);
	if (!options->is_record)
		column->attribute = attribute_set_add(wanted, options->field);
	else if (column->is_array ||
			 (!column->is_json && column->base_type != TEXTOID &&
			  column->base_type != VARCHAROID))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("column \"%s\" of foreign table \"%s\" with attribute "
						"\"*\" cannot have type %s",
						column->name, row->table_name,
						format_type_be(column->is_array
										   ? get_array_type(column->type)
										   : column->type)),
				 errhint("Declare the column as jsonb, json or text.")));
	wanted->wants_record |= options->is_record;
	return column;
}

/*
 * Returns a reader of the given columns, an integer list of numbers, in the
 * current memory context.  It must be created before the first record is read,
 * because it adds its attributes to the wanted ones.  Raises an error for a
 * column that can never be filled.
 */
RowReader *
row_reader_create(const Settings *settings, Relation relation, List *columns,
				  RecordSource *records)
{
	TupleDesc  tupdesc = RelationGetDescr(relation);
	RowReader *row = palloc0(sizeof(RowReader));
	ListCell  *cell;

	row->table_name = RelationGetRelationName(relation);
	row->secret = records->api->credentials->api_key;
	row->natts = tupdesc->natts;
	row->statement = records->statement;
	foreach(cell, columns)
		row->columns =
			lappend(row->columns,
					create_column(row, settings,
								  TupleDescAttr(tupdesc, lfirst_int(cell) - 1),
								  records->wanted));
	row->archived_at = settings->include_archived
						   ? -1
						   : attribute_set_add(records->wanted, "archived_at");
	return row;
}

/* Returns true if the table excludes a record because it is archived. */
bool
row_reader_leaves_out(const RowReader *row, const Record *record)
{
	return row->archived_at >= 0 &&
		   record_has_value(&record->attributes[row->archived_at]);
}

/*
 * Raises the caught error again, without the API key, because the messages of
 * input functions and domain constraints may contain values.
 */
pg_noreturn static void
rethrow_redacted(const char *secret)
{
	ErrorData *error = CopyErrorData();
	char	 **texts[] = {&error->message, &error->detail,	&error->detail_log,
						  &error->hint,	   &error->context, &error->internalquery};

	FlushErrorState();
	for (size_t i = 0; i < lengthof(texts); i++)
	{
		if (*texts[i] != NULL)
			*texts[i] = redact_text(secret, *texts[i]);
	}
	ReThrowError(error);
}

/*
 * Sets the values of a row, in the current memory context; columns without a
 * reader are NULL.  Raises an error for a value that does not fit, which names
 * the column, the attribute and the record.  If the option invalid_value is
 * null, such a value is NULL, with a warning.  No message shows the API key, even
 * if the API returns it in a value.
 */
void
row_reader_read(RowReader *row, const Record *record, Datum *values,
				bool *isnull)
{
	MemoryContext		 context = CurrentMemoryContext;
	ErrorContextCallback callback = {error_context_stack, conversion_context,
									 row};
	ListCell			*cell;

	memset(isnull, true, row->natts * sizeof(bool));
	row->record = record;
	PG_TRY();
	{
		error_context_stack = &callback;
		foreach(cell, row->columns)
		{
			ColumnReader *column = lfirst(cell);
			Datum		  value = (Datum) 0;
			bool		  has_value;

			row->column = column;
			column->is_invalid = false;
			has_value = read_column(column, record, &value);
			if (!has_value) /* a domain may forbid NULL */
				InputFunctionCall(&column->whole_input.function, NULL,
								  column->whole_input.param, column->typmod);
			values[column->attnum - 1] = has_value ? value : (Datum) 0;
			isnull[column->attnum - 1] = !has_value;
		}
		error_context_stack = callback.previous;
	}
	PG_CATCH();
	{
		if (row->secret == NULL)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		rethrow_redacted(row->secret);
	}
	PG_END_TRY();
}
