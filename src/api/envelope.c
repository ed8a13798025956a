/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * envelope.c
 *	  The values in the envelopes of an attribute: members, scalars and keys.
 *
 * Must not know columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/envelope.h"
#include "base/id.h"
#include "option/attribute.h"

/* Returns the member of a value that is an object, or NULL. */
const JsonValue *
envelope_member(const Envelope *envelope, const char *name)
{
	for (int i = 0; i < envelope->member_count; i++)
	{
		if (strcmp(envelope->members[i].name, name) == 0)
			return &envelope->members[i].value;
	}
	return NULL;
}

/*
 * Returns the key of the scalar in a value that is an object, for a uuid column or
 * any other.  Returns NULL if the value type has no such key.
 */
const char *
envelope_scalar_key(const Envelope *envelope, bool as_uuid)
{
	const ValueType *type;

	if (envelope->value_type == NULL ||
		envelope->value.kind != JSON_TOKEN_OBJECT_START)
		return NULL;
	type = value_type_find(envelope->value_type);
	if (type == NULL)
		return NULL;
	return as_uuid && type->uuid_key != NULL ? type->uuid_key
											 : type->scalar_key;
}

/* Returns true for null and an empty string, which some APIs write for null. */
bool
json_value_is_empty(const JsonValue *value)
{
	return value->kind == JSON_TOKEN_NULL ||
		   (value->kind == JSON_TOKEN_STRING && value->text[0] == '\0');
}

/* Returns true if an attribute is present and has a value. */
bool
record_has_value(const RecordAttribute *attribute)
{
	return attribute->count > 0 && attribute->envelopes[0].has_value &&
		   !json_value_is_empty(&attribute->envelopes[0].value);
}

/*
 * Reads the value that a uuid column of a whole attribute, given by its number in
 * the AttributeSet, would have.  Raises no error: RECORD_KEY_ODD leaves that to
 * the column's conversion.
 */
RecordKey
record_key_read(const Record *record, int attribute, pg_uuid_t *key)
{
	const RecordAttribute *found = &record->attributes[attribute];
	const JsonValue		  *value;
	const char			  *name;

	if (found->is_list)
		return RECORD_KEY_ODD;
	if (!record_has_value(found))
		return RECORD_KEY_NONE;
	value = &found->envelopes[0].value;
	name = envelope_scalar_key(&found->envelopes[0], true);
	if (name != NULL)
		value = envelope_member(&found->envelopes[0], name);
	if (value != NULL && json_value_is_empty(value))
		return RECORD_KEY_NONE;
	return value != NULL && value->kind == JSON_TOKEN_STRING &&
				   id_parse(value->text, key)
			   ? RECORD_KEY_FOUND
			   : RECORD_KEY_ODD;
}
