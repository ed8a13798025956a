/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_write.c
 *	  Writes records as JSON that record.c can parse.
 *
 * The caches keep records in this form.  Must not know the caches.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/json.h"

#include "api/record.h"

/* Appends a record with only its wanted attributes. */
void
record_write_cut(const AttributeSet *wanted, const Record *record,
				 StringInfo target)
{
	bool first = true;

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
		if (!first)
			appendStringInfoChar(target, ',');
		first = false;
		escape_json(target, name->name);
		appendStringInfoChar(target, ':');
		appendBinaryStringInfo(target, attribute->raw.start,
							   attribute->raw.length);
	}
	appendStringInfoString(target, "}}}");
}

/* Appends a whole record. */
void
record_write_whole(const Record *record, StringInfo target)
{
	appendStringInfoString(target, "{\"data\":");
	appendBinaryStringInfo(target, record->whole.start, record->whole.length);
	appendStringInfoChar(target, '}');
}
