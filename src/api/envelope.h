/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * envelope.h
 *	  The values in the envelopes of an attribute.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ENVELOPE_H
#define OPPORTUNITY_ENVELOPE_H

#include "postgres.h"

#include "utils/uuid.h"

#include "api/record.h"

/* The value of an attribute for a uuid column. */
typedef enum RecordKey
{
	RECORD_KEY_NONE, /* the column would be NULL */
	RECORD_KEY_FOUND,
	RECORD_KEY_ODD /* the column might raise an error */
} RecordKey;

extern const JsonValue *envelope_member(const Envelope *envelope,
										const char	   *name);
extern const char *envelope_scalar_key(const Envelope *envelope, bool as_uuid);
extern bool		   json_value_is_empty(const JsonValue *value);
extern bool		   record_has_value(const RecordAttribute *attribute);
extern RecordKey   record_key_read(const Record *record, int attribute,
								   pg_uuid_t *key);

#endif /* OPPORTUNITY_ENVELOPE_H */
