/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * types.c
 *	  The types of the columns of the tests, and their input functions.
 *
 * They check the promises of the extension about their input: texts are in the
 * database's encoding, JSON is JSON, and times are ISO 8601.  So they are stricter
 * than the backend's.  There is no catalog: the OID of an input function is the OID of
 * its type.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "catalog/pg_type.h"
#include "common/jsonapi.h"
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
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/id.h"

#include "shim.h"

/* Seconds between the epochs of Unix and PostgreSQL. */
#define EPOCHS_APART INT64CONST(946684800)

/* The array types and their elements. */
static const struct
{
	Oid array;
	Oid element;
} array_types[] = {
	{TEXTARRAYOID, TEXTOID},
	{UUIDARRAYOID, UUIDOID},
	{JSONBARRAYOID, JSONBOID},
	{SHIM_DOMAINOID, InvalidOid},
};

/* An array, in a simpler form than PostgreSQL's. */
typedef struct ShimArray
{
	int	   count;
	Datum *elements;
	bool  *nulls;
} ShimArray;

static bool	 input(Oid type, char *text, Datum *value);
static bool	 is_json(char *text);
static bool	 is_number(const char *text);
static bool	 read_uuid(const char *text, Datum *value);
static bool	 read_timestamptz(const char *text, Datum *value);
static void *make_array(int count, Datum *elements, bool *nulls);

/* --- Catalogs --- */

Oid
getBaseType(Oid type)
{
	return type == SHIM_DOMAINOID ? TEXTARRAYOID : type;
}

Oid
getBaseTypeAndTypmod(Oid type, int32 *typmod)
{
	(void) typmod;
	return getBaseType(type);
}

Oid
get_element_type(Oid type)
{
	for (size_t i = 0; i < lengthof(array_types); i++)
	{
		if (array_types[i].array == type)
			return array_types[i].element;
	}
	return InvalidOid;
}

Oid
get_array_type(Oid type)
{
	for (size_t i = 0; i < lengthof(array_types); i++)
	{
		if (array_types[i].element == type)
			return array_types[i].array;
	}
	return InvalidOid;
}

void
get_typlenbyvalalign(Oid type, int16 *length, bool *byval, char *align)
{
	(void) type;
	*length = -1;
	*byval = false;
	*align = TYPALIGN_INT;
}

TYPCATEGORY
TypeCategory(Oid type)
{
	return type == TEXTOID ? TYPCATEGORY_STRING : TYPCATEGORY_USER;
}

void
getTypeInputInfo(Oid type, Oid *function, Oid *param)
{
	*function = type;
	*param = type;
}

void
getTypeOutputInfo(Oid type, Oid *function, bool *is_varlena)
{
	*function = type;
	*is_varlena = true;
}

char *
format_type_be(Oid type)
{
	return psprintf("with OID %u", type);
}

void
fmgr_info(Oid function, FmgrInfo *info)
{
	memset(info, 0, sizeof(*info));
	info->fn_oid = function;
}

void
domain_check(Datum value, bool isnull, Oid type, void **extra,
			 MemoryContext context)
{
	(void) value;
	(void) isnull;
	(void) extra;
	FUZZ_CHECK(type == SHIM_DOMAINOID && context != NULL);
}

/* --- Input --- */

Datum
InputFunctionCall(FmgrInfo *info, char *text, Oid param, int32 typmod)
{
	Datum value = (Datum) 0;

	(void) param;
	(void) typmod;
	if (text != NULL && !input(info->fn_oid, text, &value))
		ereport(ERROR, (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
						errmsg("invalid input: \"%s\"", text)));
	return value;
}

#if PG_VERSION_NUM >= 160000
bool
InputFunctionCallSafe(FmgrInfo *info, char *text, Oid param, int32 typmod,
					  fmNodePtr escontext, Datum *value)
{
	ErrorSaveContext *save = (ErrorSaveContext *) escontext;

	(void) param;
	(void) typmod;
	if (text == NULL || input(info->fn_oid, text, value))
		return true;
	save->error_occurred = true;
	save->error_data = palloc0(sizeof(ErrorData));
	save->error_data->message = psprintf("invalid input: \"%s\"", text);
	return false;
}
#endif

/* Returns the text of an array, for the domain over it, whose input accepts any text. */
char *
OidOutputFunctionCall(Oid function, Datum value)
{
	FUZZ_CHECK(function == TEXTARRAYOID && value != (Datum) 0);
	return pstrdup("{}");
}

/* Returns false if the text is not a value of the type. */
static bool
input(Oid type, char *text, Datum *value)
{
	FUZZ_CHECK(shim_is_server_text(text));
	*value = PointerGetDatum(pstrdup(text));
	switch (type)
	{
		case JSONBOID:
			FUZZ_CHECK(is_json(text));
			return true;
		case TIMESTAMPTZOID:
			return read_timestamptz(text, value);
		case TIMESTAMPOID:
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
			FUZZ_CHECK(strspn(text, "0123456789-+:.TtZz ") == strlen(text));
			return true;
		case NUMERICOID:
		case INT4OID:
			return is_number(text);
		case UUIDOID:
			return read_uuid(text, value);
		case BOOLOID:
			return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
		default:
			return true;
	}
}

static bool
is_json(char *text)
{
	JsonSemAction nothing = {0};
#if PG_VERSION_NUM >= 170000
	JsonLexContext *lexer = makeJsonLexContextCstringLen(
		NULL, text, strlen(text), GetDatabaseEncoding(), true);
#else
	JsonLexContext *lexer = makeJsonLexContextCstringLen(
		text, strlen(text), GetDatabaseEncoding(), true);
#endif

	return pg_parse_json(lexer, &nothing) == JSON_SUCCESS;
}

static bool
is_number(const char *text)
{
	char *end;

	strtod(text, &end);
	return end != text && *end == '\0';
}

/* Calls a function by its address; only uuid_out. */
Datum
DirectFunctionCall1Coll(PGFunction function, Oid collation, Datum argument)
{
	LOCAL_FCINFO(info, 1);

	InitFunctionCallInfoData(*info, NULL, 1, collation, NULL, NULL);
	info->args[0].value = argument;
	info->args[0].isnull = false;
	return function(info);
}

Datum
uuid_out(PG_FUNCTION_ARGS)
{
	const unsigned char *id = PG_GETARG_UUID_P(0)->data;
	StringInfoData		 text;

	initStringInfo(&text);
	for (int i = 0; i < UUID_LEN; i++)
		appendStringInfo(
			&text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
			id[i]);
	PG_RETURN_CSTRING(text.data);
}

/* Reads a UUID without hyphens; the extension parses the usual form itself. */
static bool
read_uuid(const char *text, Datum *value)
{
	pg_uuid_t *id = palloc0(sizeof(*id));

	FUZZ_CHECK(!id_parse(text, id));
	if (strlen(text) != 2 * UUID_LEN ||
		strspn(text, "0123456789abcdefABCDEF") != 2 * UUID_LEN)
		return false;
	for (int i = 0; i < UUID_LEN; i++)
		sscanf(text + 2 * i, "%2hhx", &id->data[i]);
	*value = UUIDPGetDatum(id);
	return true;
}

/* Reads a result of normalize_time: a date, a time and an offset. */
static bool
read_timestamptz(const char *text, Datum *value)
{
	struct tm tm = {0};
	int		  length = 0;
	int		  fraction = 0;
	int		  hours = 0;
	int		  minutes = 0;
	char	  sign = '+';

	FUZZ_CHECK(strspn(text, "0123456789-+:.TtZz ") == strlen(text));
	FUZZ_CHECK(sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d%n", &tm.tm_year,
					  &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
					  &length) == 5);
	text += length;
	if (sscanf(text, ":%2d%n", &tm.tm_sec, &length) == 1)
		text += length;
	if (*text == '.')
	{
		sscanf(text + 1, "%6d", &fraction);
		text += 1 + strspn(text + 1, "0123456789");
	}
	FUZZ_CHECK(*text != '\0');
	if (*text != 'Z' && *text != 'z')
		FUZZ_CHECK(sscanf(text, "%c%2d:%2d", &sign, &hours, &minutes) >= 2 ||
				   sscanf(text, "%c%2d%2d", &sign, &hours, &minutes) >= 2);
	if (tm.tm_year < 1 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
		tm.tm_mday > 31 || tm.tm_hour > 24 || tm.tm_min > 59 ||
		tm.tm_sec > 60 || hours > 15 || minutes > 59)
		return false;

	tm.tm_year -= 1900;
	tm.tm_mon--;
	*value = TimestampTzGetDatum(
		((int64) timegm(&tm) - EPOCHS_APART -
		 (hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1)) *
			USECS_PER_SEC +
		fraction);
	return true;
}

int
timestamp2tm(Timestamp timestamp, int *tzp, struct pg_tm *tm, fsec_t *fsec,
			 const char **tzn, pg_tz *zone)
{
	int64	  microseconds = timestamp % USECS_PER_SEC;
	time_t	  seconds;
	struct tm parts;

	FUZZ_CHECK(tzp == NULL && tzn == NULL && zone == NULL);
	if (microseconds < 0)
		microseconds += USECS_PER_SEC;
	seconds = timestamp / USECS_PER_SEC - (timestamp % USECS_PER_SEC < 0) +
			  EPOCHS_APART;
	FUZZ_CHECK(gmtime_r(&seconds, &parts) != NULL);
	tm->tm_year = parts.tm_year + 1900;
	tm->tm_mon = parts.tm_mon + 1;
	tm->tm_mday = parts.tm_mday;
	tm->tm_hour = parts.tm_hour;
	tm->tm_min = parts.tm_min;
	tm->tm_sec = parts.tm_sec;
	*fsec = microseconds;
	return 0;
}

const int day_tab[2][13] = {
	{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0},
	{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0}};

int
date2j(int year, int month, int day)
{
	struct tm tm = {
		.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};

	return timegm(&tm) / SECS_PER_DAY + UNIX_EPOCH_JDATE;
}

void
j2date(int day_number, int *year, int *month, int *day)
{
	time_t	  seconds = (time_t) (day_number - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
	struct tm parts;

	FUZZ_CHECK(gmtime_r(&seconds, &parts) != NULL);
	*year = parts.tm_year + 1900;
	*month = parts.tm_mon + 1;
	*day = parts.tm_mday;
}

char *
JsonEncodeDateTime(char *target, Datum value, Oid type, const int *zone)
{
	struct pg_tm tm;
	fsec_t		 fsec;

	FUZZ_CHECK(target == NULL && type == TIMESTAMPOID && zone == NULL);
	timestamp2tm(DatumGetTimestamp(value), NULL, &tm, &fsec, NULL, NULL);
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02d.%06d", tm.tm_year, tm.tm_mon,
					tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int) fsec);
}

/* --- Arrays --- */

static void *
make_array(int count, Datum *elements, bool *nulls)
{
	ShimArray *array = palloc(sizeof(ShimArray));

	array->count = count;
	array->elements = palloc(count * sizeof(Datum));
	array->nulls = palloc(count * sizeof(bool));
	for (int i = 0; i < count; i++)
	{
		array->elements[i] = elements[i];
		array->nulls[i] = nulls[i];
	}
	return array;
}

ArrayType *
construct_md_array(Datum *elements, bool *nulls, int dimensions, int *counts,
				   int *lower_bounds, Oid type, int length, bool byval,
				   char align)
{
	(void) type;
	(void) length;
	(void) byval;
	(void) align;
	FUZZ_CHECK(dimensions == 1 && *counts >= 0 && *lower_bounds == 1);
	return make_array(*counts, elements, nulls);
}

bool
shim_same_datum(Oid type, Datum a, Datum b)
{
	Oid				 element_type = get_element_type(getBaseType(type));
	const ShimArray *array_a = (ShimArray *) DatumGetPointer(a);
	const ShimArray *array_b = (ShimArray *) DatumGetPointer(b);

	if (type == TIMESTAMPTZOID)
		return a == b;
	if (type == UUIDOID)
		return memcmp(DatumGetPointer(a), DatumGetPointer(b), UUID_LEN) == 0;
	if (!OidIsValid(element_type))
		return strcmp(DatumGetPointer(a), DatumGetPointer(b)) == 0;
	if (array_a->count != array_b->count)
		return false;
	for (int i = 0; i < array_a->count; i++)
	{
		if (array_a->nulls[i] != array_b->nulls[i] ||
			(!array_a->nulls[i] &&
			 !shim_same_datum(element_type, array_a->elements[i],
							  array_b->elements[i])))
			return false;
	}
	return true;
}
