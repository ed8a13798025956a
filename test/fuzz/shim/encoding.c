/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * encoding.c
 *	  Databases in UTF-8 and LATIN1, and comparisons.
 *
 * Like the backend's, the conversions reject invalid characters and characters
 * without an equivalent.  The comparisons are libc's, because AddressSanitizer
 * checks those.  The verifier checks the bounds of its text itself.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sanitizer/asan_interface.h>

#include "access/transam.h"
#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/json.h"

#include "shim.h"

static int database_encoding = PG_UTF8;

static void check_utf8(const char *text, int length);

void
shim_set_database_encoding(int encoding)
{
	database_encoding = encoding;
}

/* Checks that a text, which may be NULL, is valid in the database's encoding. */
bool
shim_is_server_text(const char *text)
{
	int length = text != NULL ? strlen(text) : 0;

	return database_encoding != PG_UTF8 ||
		   pg_encoding_verifymbstr(PG_UTF8, text, length) == length;
}

/* Replaces the function of libpgcommon, and checks that the text has its length. */
int
pg_encoding_verifymbstr(int encoding, const char *text, int length)
{
	FUZZ_CHECK(__asan_region_is_poisoned((void *) text, length) == NULL);
	return pg_wchar_table[encoding].mbverifystr((const unsigned char *) text,
												length);
}

int
GetDatabaseEncoding(void)
{
	return database_encoding;
}

char *
pg_any_to_server(const char *text, int length, int encoding)
{
	StringInfoData result;

	FUZZ_CHECK(encoding == PG_UTF8);
	check_utf8(text, length);
	if (database_encoding == PG_UTF8)
		return unconstify(char *, text);

	initStringInfo(&result);
	for (int i = 0; i < length; i += pg_utf_mblen((unsigned char *) text + i))
	{
		pg_wchar c = utf8_to_unicode((unsigned char *) text + i);

		if (c > 0xff)
			ereport(ERROR, (errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
							errmsg("character has no equivalent")));
		appendStringInfoChar(&result, (char) c);
	}
	return result.data;
}

const char *
GetDatabaseEncodingName(void)
{
	return pg_enc2name_tbl[database_encoding].name;
}

Oid
FindDefaultConversionProc(int32 for_encoding, int32 to_encoding)
{
	FUZZ_CHECK(for_encoding == PG_UTF8 && to_encoding == PG_LATIN1);
	return FirstNormalObjectId;
}

/* Converts UTF-8 to LATIN1, up to the first character without an equivalent. */
int
pg_do_encoding_conversion_buf(Oid proc, int from, int to, unsigned char *text,
							  int length, unsigned char *target, int size,
							  bool no_error)
{
	int at = 0;

	FUZZ_CHECK(proc == FirstNormalObjectId && from == PG_UTF8 &&
			   to == PG_LATIN1 && no_error);
	check_utf8((char *) text, length);
	for (; at < length; at += pg_utf_mblen(text + at))
	{
		pg_wchar c = utf8_to_unicode(text + at);

		if (c > 0xff)
			break;
		FUZZ_CHECK(--size > 0);
		*target++ = (unsigned char) c;
	}
	*target = '\0';
	return at;
}

char *
pg_server_to_any(const char *text, int length, int encoding)
{
	StringInfoData result;

	FUZZ_CHECK(encoding == PG_UTF8);
	if (database_encoding == PG_UTF8)
		return unconstify(char *, text);

	initStringInfo(&result);
	for (int i = 0; i < length; i++)
	{
		unsigned char utf8[4];

		unicode_to_utf8((unsigned char) text[i], utf8);
		appendBinaryStringInfo(&result, (char *) utf8, pg_utf_mblen(utf8));
	}
	return result.data;
}

static void
check_utf8(const char *text, int length)
{
	if (pg_encoding_verifymbstr(PG_UTF8, text, length) < length)
		ereport(ERROR, (errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
						errmsg("invalid byte sequence")));
}

/* Appends a text as a JSON string. */
void
escape_json(StringInfo target, const char *text)
{
	appendStringInfoChar(target, '"');
	for (; *text != '\0'; text++)
	{
		if (*text == '"' || *text == '\\')
			appendStringInfo(target, "\\%c", *text);
		else if ((unsigned char) *text < ' ')
			appendStringInfo(target, "\\u%04x", *text);
		else
			appendStringInfoChar(target, *text);
	}
	appendStringInfoChar(target, '"');
}

int
pg_strcasecmp(const char *a, const char *b)
{
	return strcasecmp(a, b);
}

int
pg_strncasecmp(const char *a, const char *b, size_t length)
{
	return strncasecmp(a, b, length);
}
