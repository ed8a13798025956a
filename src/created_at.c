/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * created_at.c
 *	  Records by the time when they were made: it never changes, so that a
 *	  table can be taken apart by it.
 *
 * Times are whole seconds since PostgreSQL's epoch, so that an API that cuts
 * timestamps off sorts the records on either side as we do.
 *
 * Knows nothing of what is made of the records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/json.h"

#include "created_at.h"
#include "iso8601.h"

#define SORT_BY_TIME "sort created_at"
#define FILTER_FROM "created_at gte"
#define FILTER_MISSING "created_at not_exists"

static RemoteFilter *make_filter(char *json, const char *use);

/*
 * Whether a column leaves it open to sort by created_at and to ask for it from
 * some time on; one that shows something else does.
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
 * Whether the API is known to refuse that; or_its_absence: or to ask for the
 * records that have none.
 */
bool
created_at_is_refused(const Api *api, bool or_its_absence)
{
	return api_refuses(api, SORT_BY_TIME) || api_refuses(api, FILTER_FROM) ||
		   (or_its_absence && api_refuses(api, FILTER_MISSING));
}

/*
 * What filters the records from some second on, a list in the current context; in
 * years that ISO 8601 does not have, nothing does.
 */
List *
created_at_filters_from(int64 seconds)
{
	char *time = iso8601_write((seconds - CREATED_AT_MARGIN) * USECS_PER_SEC);

	if (time == NULL)
		return NIL;
	return list_make1(
		make_filter(psprintf("{\"field\":\"created_at\",\"operator\":\"gte\","
							 "\"value\":\"%s\"}",
							 time),
					FILTER_FROM));
}

/* The same from some created_at on, as the API writes it in UTF-8. */
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

/* The filter for the records that have none; in the current context. */
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
 * The created_at of a record, as the API writes it; NULL if it has none.  number:
 * that of created_at among the attributes that were wanted.
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

/* When a record was made; false if it does not say so. */
bool
created_at_read(const Record *record, int number, int64 *seconds)
{
	const char *text = created_at_text(record, number);

	return text != NULL && iso8601_seconds(text, seconds);
}
