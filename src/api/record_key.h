/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_key.h
 *	  The UUID key that a record has in one of its attributes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_RECORD_KEY_H
#define OPPORTUNITY_RECORD_KEY_H

#include "postgres.h"

#include "utils/uuid.h"

#include "api/record.h"

typedef enum RecordKey
{
	RECORD_KEY_NONE, /* a column would be NULL */
	RECORD_KEY_FOUND,
	RECORD_KEY_ODD /* a column might raise an error */
} RecordKey;

extern RecordKey record_key_read(const Record *record, int attribute,
								 pg_uuid_t *key);

#endif /* OPPORTUNITY_RECORD_KEY_H */
