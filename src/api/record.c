/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record.c
 *	  Records: the set of wanted attributes, the values in the envelopes of an
 *	  attribute, and the JSON of a record.
 *
 * Must not know the form of responses, or transfers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/json.h"

#include "api/record.h"
#include "base/id.h"
#include "base/iso8601.h"
#include "option/option.h"

/* --- Wanted attributes --- */

/* Returns an empty set in the current memory context, in which it grows. */
AttributeSet *
attribute_set_create(void)
{
	AttributeSet *set = palloc0(sizeof(AttributeSet));

	set->context = CurrentMemoryContext;
	set->sorted = palloc(sizeof(AttributeName));
	return set;
}

/* Returns the number of an attribute by its name in UTF-8, or -1. */
int
attribute_set_find(const AttributeSet *set, const char *name)
{
	AttributeName  key = {name, 0};
	AttributeName *found = bsearch(&key, set->sorted, set->count,
								   sizeof(AttributeName), pg_qsort_strcmp);

	return found == NULL ? -1 : found->number;
}

/* Adds a copy of an attribute's name in UTF-8.  Returns its lasting number. */
int
attribute_set_add(AttributeSet *set, const char *name)
{
	int number = attribute_set_find(set, name);

	if (number >= 0)
		return number;
	number = set->count;
	set->sorted = repalloc(set->sorted, (number + 1) * sizeof(AttributeName));
	set->sorted[number].name = MemoryContextStrdup(set->context, name);
	set->sorted[number].number = number;
	set->count++;
	qsort(set->sorted, set->count, sizeof(AttributeName), pg_qsort_strcmp);
	return number;
}

/* --- Values --- */

/* Returns the member of a value that is an object, or NULL if it has none. */
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
 * Returns the key of the scalar in a value that is an object, for a uuid column
 * or any other, by the value type.  Returns NULL if the object lacks it.
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
 * Reads the value that a uuid column of a whole attribute, given by its number,
 * would have.  Raises no error: RECORD_KEY_ODD leaves that to the column's
 * conversion.
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

/* Returns the created_at, attribute number, in the API's form; or NULL. */
const char *
created_at_text(const Record *record, int number)
{
	const RecordAttribute *attribute = &record->attributes[number];

	return attribute->count == 1 && attribute->envelopes[0].has_value &&
				   attribute->envelopes[0].value.kind == JSON_TOKEN_STRING
			   ? attribute->envelopes[0].value.text
			   : NULL;
}

/*
 * Sets *seconds to the creation time, in whole seconds since PostgreSQL's
 * epoch.  Returns false if the record has none.
 */
bool
created_at_read(const Record *record, int number, int64 *seconds)
{
	const char *text = created_at_text(record, number);
	Iso8601		parts;
	int			nanoseconds;

	return text != NULL && iso8601_instant(text, &parts, seconds, &nanoseconds);
}

/* --- JSON --- */

/* Appends a record in a form that record_parse can parse. */
void
record_write_whole(const Record *record, StringInfo target)
{
	appendStringInfoString(target, "{\"data\":");
	appendBinaryStringInfo(target, record->whole.start, record->whole.length);
	appendStringInfoChar(target, '}');
}

/* Like record_write_whole, with only the wanted attributes.  For caches. */
void
record_write_cut(const AttributeSet *wanted, const Record *record,
				 StringInfo target)
{
	const char *separator = "";

	if (wanted->wants_record)
	{
		record_write_whole(record, target);
		return;
	}

	appendStringInfoString(target, "{\"data\":{\"id\":");
	escape_json(target, record->id_text);
	appendStringInfoString(target, ",\"attributes\":{");
	for (int i = 0; i < wanted->count; i++)
	{
		const AttributeName	  *name = &wanted->sorted[i];
		const RecordAttribute *attribute = &record->attributes[name->number];

		if (!attribute->is_present || attribute->raw.length == 0)
			continue;
		appendStringInfoString(target, separator);
		separator = ",";
		escape_json(target, name->name);
		appendStringInfoChar(target, ':');
		appendBinaryStringInfo(target, attribute->raw.start,
							   attribute->raw.length);
	}
	appendStringInfoString(target, "}}}");
}
