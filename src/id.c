/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * id.c
 *	  The ids of records, which are UUIDs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "id.h"

/* Bytes of a UUID in its canonical form. */
#define UUID_TEXT_LENGTH 36

/*
 * Reads a UUID as the API spells them, in either case.  Any other spelling that
 * uuid_in would take is not equal to that as a text.
 */
bool
id_parse(const char *text, pg_uuid_t *id)
{
	int nibble = 0;

	if (strlen(text) != UUID_TEXT_LENGTH)
		return false;
	memset(id, 0, sizeof(*id));
	for (int i = 0; i < UUID_TEXT_LENGTH; i++)
	{
		char c = text[i];
		int	 digit;

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (c != '-')
				return false;
			continue;
		}
		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			digit = c - 'A' + 10;
		else
			return false;
		id->data[nibble / 2] |= digit << (nibble % 2 == 0 ? 4 : 0);
		nibble++;
	}
	return true;
}

/* A UUID in canonical form, palloc'd. */
char *
id_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}
