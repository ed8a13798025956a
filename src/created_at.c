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

#include "created_at.h"
#include "iso8601.h"

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
	ListCell *cell;

	foreach(cell, api_refusals(api))
	{
		const char *what = lfirst(cell);

		if (strcmp(what, "sort created_at") == 0 ||
			strcmp(what, FILTER_FROM) == 0 ||
			(or_its_absence && strcmp(what, FILTER_MISSING) == 0))
			return true;
	}
	return false;
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
 * When a record was made; false where it does not say so.  number: that of
 * created_at among the attributes that were wanted.
 */
bool
created_at_read(const Record *record, int number, int64 *seconds)
{
	const RecordAttribute *attribute = &record->attributes[number];

	return attribute->count == 1 && attribute->envelopes[0].has_value &&
		   attribute->envelopes[0].value.kind == JSON_TOKEN_STRING &&
		   iso8601_seconds(attribute->envelopes[0].value.text, seconds);
}
