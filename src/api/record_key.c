/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_key.c
 *	  The UUID key that a record has in one of its attributes.
 *
 * It is the value that value.c gives to a uuid column of the whole attribute.
 * Must not know columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/record_key.h"
#include "base/id.h"
#include "option/attribute.h"

static const JsonValue *key_value(const Envelope *envelope);

/*
 * Reads the key from an attribute, given by its number in the AttributeSet.
 * Raises no error: RECORD_KEY_ODD leaves that to the column's conversion.
 */
RecordKey
record_key_read(const Record *record, int attribute, pg_uuid_t *key)
{
	const RecordAttribute *found = &record->attributes[attribute];
	const JsonValue		  *value;

	if (found->is_list)
		return RECORD_KEY_ODD;
	if (found->count == 0 || !found->envelopes[0].has_value)
		return RECORD_KEY_NONE;
	value = key_value(&found->envelopes[0]);
	if (value == NULL)
		return RECORD_KEY_ODD;
	if (value->kind == JSON_TOKEN_NULL)
		return RECORD_KEY_NONE;
	if (value->kind != JSON_TOKEN_STRING)
		return RECORD_KEY_ODD;
	if (value->text[0] == '\0')
		return RECORD_KEY_NONE;
	return id_parse(value->text, key) ? RECORD_KEY_FOUND : RECORD_KEY_ODD;
}

/* Returns the value, or the member that a uuid column takes; NULL: none. */
static const JsonValue *
key_value(const Envelope *envelope)
{
	const ValueType *type;
	const char		*name;

	if (envelope->value.kind != JSON_TOKEN_OBJECT_START ||
		envelope->value_type == NULL)
		return &envelope->value;
	type = value_type_find(envelope->value_type);
	if (type == NULL || type->scalar_key == NULL)
		return NULL;
	name = type->uuid_key != NULL ? type->uuid_key : type->scalar_key;
	for (int i = 0; i < envelope->member_count; i++)
	{
		if (strcmp(envelope->members[i].name, name) == 0)
			return &envelope->members[i].value;
	}
	return NULL;
}
