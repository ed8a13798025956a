/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * created_at.c
 *	  The creation time of records.  It never changes, so a table can be
 *	  divided by it.
 *
 * Times are whole seconds since PostgreSQL's epoch, so that an API which
 * truncates timestamps sorts the records on either side of a time in the same
 * way.
 *
 * Knows nothing about the use of the records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/json.h"

#include "api/api_facts.h"
#include "api/created_at.h"
#include "base/iso8601.h"

/* Features of queries that the API may refuse. */
const RemoteUse created_at_sort = {"created_at", REMOTE_SORT, NULL};
const RemoteUse created_at_from = {"created_at", OPERATOR_GTE, NULL};
const RemoteUse created_at_absence = {"created_at", OPERATOR_NOT_EXISTS, NULL};

/*
 * Returns true if a column's options permit to sort and filter by created_at.
 * A column of another attribute has no effect.
 */
bool
created_at_is_allowed(const ColumnSettings *column, const AttributePath *path)
{
	if (!attribute_path_is(path, "created_at"))
		return true;
	return column->sortable != TERNARY_FALSE &&
		   (column->filter_operators == NULL ||
			(remote_operators_read(column->filter_operators) &
			 OPERATOR_BIT(OPERATOR_GTE)) != 0);
}

/*
 * Returns true if the API is known to reject sorting by created_at or filtering
 * from a time on.  If or_its_absence, also if it rejects the filter for records
 * without created_at.
 */
bool
created_at_is_refused(const Api *api, bool or_its_absence)
{
	return api_refuses(api, &created_at_sort) ||
		   api_refuses(api, &created_at_from) ||
		   (or_its_absence && api_refuses(api, &created_at_absence));
}

/*
 * Returns the filters of records from a created_at on.  The text has the API's
 * form in UTF-8.
 */
List *
created_at_filters_at(const char *text)
{
	StringInfoData json;

	initStringInfo(&json);
	escape_json(&json, text);
	return list_make1(
		remote_filter_create("created_at", OPERATOR_GTE, json.data));
}

/*
 * Returns the filters of records from a second on (OPERATOR_GTE), which begin
 * CREATED_AT_MARGIN earlier, or before a second (OPERATOR_LT).  The list is in
 * the current context; NIL if ISO 8601 cannot represent the year.
 */
List *
created_at_filters(RemoteOperator operation, int64 seconds)
{
	char *time;

	if (operation == OPERATOR_GTE)
		seconds -= CREATED_AT_MARGIN;
	time = iso8601_write(seconds * USECS_PER_SEC);
	return time == NULL
			   ? NIL
			   : list_make1(remote_filter_create("created_at", operation,
												 psprintf("\"%s\"", time)));
}

/*
 * Returns the created_at of a record in the API's form, or NULL if it has
 * none.  The argument number is the index of created_at among the wanted
 * attributes.
 */
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
 * Sets *seconds to the creation time of a record.  Returns false if it has
 * none.
 */
bool
created_at_read(const Record *record, int number, int64 *seconds)
{
	const char *text = created_at_text(record, number);
	int			nanoseconds;

	return text != NULL && iso8601_instant(text, seconds, &nanoseconds);
}
