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

#include <ctype.h>

#include "utils/builtins.h"

#include "base/id.h"

/* Bytes of a UUID's canonical form (RFC 9562, section 4). */
#define UUID_TEXT_LENGTH 36

/*
 * Parses a UUID in the API's canonical form, in either case.  Other spellings
 * that uuid_in accepts do not equal the id as text.
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
		if (!isxdigit((unsigned char) c))
			return false;
		digit = c <= '9' ? c - '0' : pg_ascii_tolower(c) - 'a' + 10;
		id->data[nibble / 2] |= digit << (nibble % 2 == 0 ? 4 : 0);
		nibble++;
	}
	return true;
}

/* Returns a UUID in canonical form, palloc'd. */
char *
id_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}
