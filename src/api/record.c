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

/* Compares two AttributeNames: the length first, which is faster. */
static int
compare_names(const void *a, const void *b)
{
	const AttributeName *left = a;
	const AttributeName *right = b;

	if (left->length != right->length)
		return left->length < right->length ? -1 : 1;
	return memcmp(left->name, right->name, left->length);
}

/*
 * Returns the number of an attribute by a string with its name, or -1.  The loop
 * is bsearch, whose calls would take a tenth of the instructions of a page.
 */
int
attribute_set_find(const AttributeSet *set, const JsonSlice *name)
{
	AttributeName key = {.name = name->start, .length = name->length};
	char		 *text = NULL;
	JsonError	  error;
	int			  first = 0;
	int			  end = set->count;
	int			  number = -1;

	if (unlikely(name->has_escapes))
	{
		text = slice_text(name, NULL, 0, &error);
		if (text == NULL)
			return -1;
		key = (AttributeName){.name = text, .length = strlen(text)};
	}
	while (first < end)
	{
		int middle = (first + end) / 2;
		int order = compare_names(&key, &set->sorted[middle]);

		if (order == 0)
		{
			number = set->sorted[middle].number;
			break;
		}
		if (order < 0)
			end = middle;
		else
			first = middle + 1;
	}
	if (unlikely(text != NULL))
		pfree(text);
	return number;
}

/* Returns the name of an attribute by its number. */
const char *
attribute_set_name(const AttributeSet *set, int number)
{
	int i = 0;

	while (set->sorted[i].number != number)
		i++;
	return set->sorted[i].name;
}

/* Adds a copy of an attribute's name in UTF-8.  Returns its lasting number. */
int
attribute_set_add(AttributeSet *set, const char *name)
{
	JsonSlice	   slice = {.start = name, .length = strlen(name)};
	int			   number = attribute_set_find(set, &slice);
	AttributeName *added;

	if (number >= 0)
		return number;
	number = set->count;
	set->sorted = repalloc(set->sorted, (number + 1) * sizeof(AttributeName));
	added = &set->sorted[number];
	added->name = MemoryContextStrdup(set->context, name);
	added->length = slice.length;
	added->number = number;
	set->count++;
	qsort(set->sorted, set->count, sizeof(AttributeName), compare_names);
	return number;
}

/* Returns the size of a Record with the wanted attributes, in bytes. */
size_t
record_size(const AttributeSet *wanted)
{
	return offsetof(Record, attributes) +
		   wanted->count * sizeof(RecordAttribute);
}

/* --- Values --- */

/* Reads a UUID in the API's form.  Returns false if the value is none. */
bool
slice_id(const JsonSlice *value, pg_uuid_t *id)
{
	char text[64];

	slice_start(value, text, sizeof(text));
	return value->kind == JSON_KIND_STRING && id_parse(text, id);
}

/*
 * Returns the key of the scalar in a value that is an object, for a uuid column
 * or any other, by the value type.  Returns NULL if the object lacks it.
 */
const char *
envelope_scalar_key(const Envelope *envelope, bool as_uuid)
{
	const ValueType *type;
	char			 name[64];

	if (envelope->value_type.kind != JSON_KIND_STRING ||
		envelope->value.kind != JSON_KIND_OBJECT)
		return NULL;
	slice_start(&envelope->value_type, name, sizeof(name));
	type = value_type_find(name);
	if (type == NULL)
		return NULL;
	return as_uuid && type->uuid_key != NULL ? type->uuid_key
											 : type->scalar_key;
}

/* Returns true if an attribute is present and has a value. */
bool
record_has_value(const RecordAttribute *attribute)
{
	JsonReader list;
	Envelope   envelope = attribute->envelope;

	if (attribute->count > 0)
	{
		json_begin_again(&list, attribute->list.start);
		json_enter(&list);
		envelope_next(&list, &envelope);
	}
	return envelope.value.kind != JSON_KIND_NONE &&
		   !slice_is_empty(&envelope.value);
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
	JsonSlice			   value = found->envelope.value;
	const char			  *name;

	if (found->list.kind != JSON_KIND_NONE)
		return RECORD_KEY_ODD;
	if (!record_has_value(found))
		return RECORD_KEY_NONE;
	name = envelope_scalar_key(&found->envelope, true);
	if (name != NULL && slice_member(&value, name, &value) != 1)
		return RECORD_KEY_ODD;
	if (slice_is_empty(&value))
		return RECORD_KEY_NONE;
	return slice_id(&value, key) ? RECORD_KEY_FOUND : RECORD_KEY_ODD;
}

/*
 * Copies the created_at of a record, in the API's form, to a text of
 * RECORD_TIME_SIZE bytes.  Returns false if there is none that fits.
 */
bool
created_at_text(const PageRecord *record, char *text)
{
	if (record->created_at.kind != JSON_KIND_STRING ||
		record->created_at.length >= RECORD_TIME_SIZE)
		return false;
	slice_start(&record->created_at, text, RECORD_TIME_SIZE);
	return true;
}

/*
 * Sets *seconds to the creation time, in whole seconds since PostgreSQL's
 * epoch.  Returns false if the record has none.
 */
bool
created_at_read(const PageRecord *record, int64 *seconds)
{
	char	text[RECORD_TIME_SIZE];
	Iso8601 parts;
	int		nanoseconds;

	return created_at_text(record, text) &&
		   iso8601_instant(text, &parts, seconds, &nanoseconds);
}

/* --- JSON --- */

static void
append_slice(StringInfo target, const char *before, const JsonSlice *value)
{
	JsonSlice raw = slice_raw(value);

	appendStringInfoString(target, before);
	appendBinaryStringInfo(target, raw.start, raw.length);
}

/* Appends the padding that the JSON reader needs; it is not part of the text. */
static void
pad(StringInfo target)
{
	enlargeStringInfo(target, JSON_PADDING);
	memset(target->data + target->len, 0, JSON_PADDING);
}

/* Appends a record in a form that record_parse can parse, with its padding. */
void
record_write_whole(const Record *record, StringInfo target)
{
	append_slice(target, "{\"data\":", &record->whole);
	appendStringInfoChar(target, '}');
	pad(target);
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

	append_slice(target, "{\"data\":{\"id\":", &record->id_text);
	appendStringInfoString(target, ",\"attributes\":{");
	for (int i = 0; i < wanted->count; i++)
	{
		const AttributeName	  *name = &wanted->sorted[i];
		const RecordAttribute *attribute = &record->attributes[name->number];
		const Envelope		  *envelope = &attribute->envelope;
		bool has_value = envelope->value.kind != JSON_KIND_NONE;
		bool has_value_type = envelope->value_type.kind != JSON_KIND_NONE;
		bool is_list = attribute->list.kind != JSON_KIND_NONE;

		if (!is_list && !has_value && !has_value_type)
			continue;
		appendStringInfoString(target, separator);
		separator = ",";
		escape_json(target, name->name);
		if (is_list)
		{
			append_slice(target, ":", &attribute->list);
			continue;
		}
		if (has_value)
			append_slice(target, ":{\"value\":", &envelope->value);
		if (has_value_type)
			append_slice(target,
						 has_value ? ",\"value_type\":" : ":{\"value_type\":",
						 &envelope->value_type);
		appendStringInfoChar(target, '}');
	}
	appendStringInfoString(target, "}}}");
	pad(target);
}
