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

#define SORT_BY_TIME "sort created_at"
#define FILTER_FROM "created_at gte"
#define FILTER_BEFORE "created_at lt"
#define FILTER_MISSING "created_at not_exists"

static List			*filters_of_time(const char *use, int64 seconds);
static RemoteFilter *make_filter(char *json, const char *use);

/*
 * Returns true if a column's options permit to sort and filter by created_at.
 * A column of another attribute has no effect.
 */
bool
created_at_is_allowed(const ColumnSettings *column, const AttributePath *path)
{
	if (!attribute_path_is_created_at(path))
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
	return api_refuses(api, SORT_BY_TIME) || api_refuses(api, FILTER_FROM) ||
		   (or_its_absence && api_refuses(api, FILTER_MISSING));
}

/*
 * Returns the filters of records from a second on, a list in the current
 * context; NIL if ISO 8601 cannot represent its year.
 */
List *
created_at_filters_from(int64 seconds)
{
	return filters_of_time(FILTER_FROM, seconds - CREATED_AT_MARGIN);
}

/*
 * Returns the filters of records before a second, a list in the current
 * context; NIL if ISO 8601 cannot represent its year.
 */
List *
created_at_filters_before(int64 seconds)
{
	return filters_of_time(FILTER_BEFORE, seconds);
}

/* The argument use is the attribute and the operator. */
static List *
filters_of_time(const char *use, int64 seconds)
{
	char *time = iso8601_write(seconds * USECS_PER_SEC);

	if (time == NULL)
		return NIL;
	return list_make1(
		make_filter(psprintf("{\"field\":\"created_at\",\"operator\":\"%s\","
							 "\"value\":\"%s\"}",
							 strchr(use, ' ') + 1, time),
					use));
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
	appendStringInfoString(
		&json, "{\"field\":\"created_at\",\"operator\":\"gte\",\"value\":");
	escape_json(&json, text);
	appendStringInfoChar(&json, '}');
	return list_make1(make_filter(json.data, FILTER_FROM));
}

/* Returns the filter of records without created_at, in the current context. */
RemoteFilter *
created_at_filter_missing(void)
{
	return make_filter(
		pstrdup("{\"field\":\"created_at\",\"operator\":\"not_exists\"}"),
		FILTER_MISSING);
}

static RemoteFilter *
make_filter(char *json, const char *use)
{
	RemoteFilter *filter = palloc(sizeof(RemoteFilter));

	filter->json = json;
	filter->uses = list_make1(pstrdup(use));
	return filter;
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

	return text != NULL && iso8601_seconds(text, seconds);
}
