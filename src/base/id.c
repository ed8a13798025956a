/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * id.c
 *	  Ids of records, which are UUIDs.
 *
 * Must not know records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/hexadecimal.h"
#include "base/id.h"

/* Bytes of a UUID's canonical form (RFC 9562, section 4). */
#define UUID_TEXT_LENGTH 36

/*
 * Parses a UUID in the API's canonical form, in either case.  Returns false for
 * other spellings that uuid_in accepts, because as text they do not equal the
 * id.  *id may then be partly written.
 */
bool
id_parse(const char *text, pg_uuid_t *id)
{
	if (strlen(text) != UUID_TEXT_LENGTH)
		return false;
	for (int i = 0; i < UUID_LEN; i++)
	{
		int value;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		/* One digit of -1 makes the value negative. */
		value = hexadecimal_digit(text[0]) * 16 | hexadecimal_digit(text[1]);
		if (value < 0)
			return false;
		id->data[i] = (unsigned char) value;
		text += 2;
	}
	return true;
}

/* Returns a UUID in canonical form, palloc'd. */
char *
id_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}
