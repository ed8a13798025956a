/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_query.c
 *	  POST /api/v2/{record_type}/_query: many records, page by page.
 *
 * The API documents that a query has filters, which are ANDed, and a limit.
 * The request for a further page has only the cursor and the limit.  A cursor
 * that has expired is refused with the code invalid_cursor.  Not documented are
 * the statuses of refusals and the maximum length of an "in" list.
 *
 * Must not know SQL, and uses HTTP through http.h only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/json.h"

#include "api/api_error.h"
#include "api/api_facts.h"
#include "api/api_query.h"
#include "base/id.h"

/* Smallest cap on a query's results that an API is expected to have. */
#define SMALLEST_CAP 500

static HttpTransfer *
start_query(Api *api, const char *body, HttpBudget *budget)
{
	char *path = psprintf(API_QUERY_PATH, api->settings->record_type);

	return api_start(api, ENDPOINT_QUERY, path, body, budget);
}

/*
 * Starts a query for the first page of the records with the given ids.  The
 * transfer lives until http_end, or as long as the Api.
 */
HttpTransfer *
api_query_ids(Api *api, const pg_uuid_t **ids, int count, HttpBudget *budget)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"filters\":[{\"field\":\"id\","
								  "\"operator\":\"in\",\"value\":[");
	for (int i = 0; i < count; i++)
	{
		char *text = id_text(ids[i]);

		appendStringInfo(&body, "%s\"%s\"", i > 0 ? "," : "", text);
		pfree(text);
	}
	appendStringInfo(&body, "]}],\"limit\":%d}", count);
	return start_query(api, body.data, budget);
}

/* Appends the member "filters", unless there are none. */
static void
append_filters(StringInfo body, List *filters)
{
	ListCell *cell;

	if (filters == NIL)
		return;
	appendStringInfoString(body, "\"filters\":[");
	foreach(cell, filters)
		appendStringInfo(body, "%s%s",
						 foreach_current_index(cell) > 0 ? "," : "",
						 ((RemoteFilter *) lfirst(cell))->json);
	appendStringInfoString(body, "],");
}

/* Starts a query for its first page, like api_query_ids. */
HttpTransfer *
api_query_first(Api *api, const ApiQuery *query, HttpBudget *budget)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoChar(&body, '{');
	append_filters(&body, query->filters);
	if (query->sort != NULL)
	{
		appendStringInfoString(&body, "\"sort\":[{\"field\":");
		escape_json(&body, query->sort);
		appendStringInfo(&body, ",\"direction\":\"%s\"}],",
						 query->is_descending ? "desc" : "asc");
	}
	appendStringInfo(&body, "\"limit\":%d}", query->limit);
	return start_query(api, body.data, budget);
}

/* Starts the request for the next page, like api_query_ids. */
HttpTransfer *
api_query_next(Api *api, const char *cursor, int limit, HttpBudget *budget)
{
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "{\"cursor\":");
	escape_json(&body, cursor);
	appendStringInfo(&body, ",\"limit\":%d}", limit);
	return start_query(api, body.data, budget);
}

/*
 * Returns the result that a refusal means for a query.  A server without
 * queries may not know the path or the method, or treat "_query" as a record's
 * id.
 */
static QueryResult
classify_refusal(const Api *api, HttpTransfer *transfer,
				 const ApiProblem *problem)
{
	static const struct
	{
		const char *code;
		QueryResult result;
	} codes[] = {
		{"invalid_cursor", QUERY_CURSOR_GONE},
		{"invalid_filter_field", QUERY_FILTER_REFUSED},
		{"invalid_filter_operator", QUERY_FILTER_REFUSED},
		{"invalid_filter_value", QUERY_VALUE_REFUSED},
		{"unsortable_field", QUERY_SORT_REFUSED},
		{"sort_too_many_fields", QUERY_SORT_REFUSED},
	};

	for (size_t i = 0; i < lengthof(codes); i++)
	{
		if (strcmp(problem->code, codes[i].code) == 0)
			return codes[i].result;
	}
	switch (problem->status)
	{
		case 400:
		case 413:
		case 414:
		case 422:
			return QUERY_REFUSED;
		case 404:
		case 410:
			if (strcmp(problem->code, API_UNKNOWN_TYPE) == 0)
				api_raise_not_found(api, transfer, problem);
			return QUERY_NOT_SUPPORTED;
		case 405:
		case 501:
			return QUERY_NOT_SUPPORTED;
		default:
			if (problem->status != 0 && problem->status < 300)
				api_raise_malformed(
					api, transfer, "page of records",
					psprintf("unexpected HTTP status %ld", problem->status));
			api_raise_problem(api, transfer, problem);
	}
}

/*
 * Parses a complete response to a query, like record_parse_page.  A response
 * without content is an empty page, and any other status is RECORD_FAILURE.
 */
static RecordStatus
parse_page(const HttpTransfer *transfer, const AttributeSet *wanted,
		   RecordPage **page, char **reason)
{
	if (transfer->status == 204)
	{
		*page = record_page_create();
		return RECORD_OK;
	}
	if (transfer->status != 200)
		return RECORD_FAILURE;
	return record_parse_page(wanted, api_body(transfer), transfer->length, page,
							 reason);
}

/*
 * Waits for the response to a query and parses it.
 *
 * *page is made in the current memory context and points into the response,
 * which lives until http_end.  Raises an error for a response that QueryResult
 * does not describe, and if there is none.
 */
QueryResult
api_finish_query(Api *api, HttpTransfer *transfer, const AttributeSet *wanted,
				 RecordPage **page)
{
	char		*reason = NULL;
	RecordStatus status;
	ApiProblem	 problem;

	do
	{
		api_wait(transfer);
		status = parse_page(transfer, wanted, page, &reason);
		if (api_check_response(api, transfer, "page of records", "a record",
							   status, reason, &problem))
		{
			api_count_records(api, (*page)->count);
			return QUERY_PAGE;
		}
	} while (api_retry(transfer, &problem));
	return classify_refusal(api, transfer, &problem);
}

/*
 * Parses a response to a query that has arrived, like api_finish_query, if it
 * is a page as documented.  Returns false for anything else.  Raises no error.
 */
bool
api_try_page(const Api *api, const HttpTransfer *transfer,
			 const AttributeSet *wanted, RecordPage **page)
{
	char *ignored;

	if (transfer->outcome != HTTP_RESPONDED ||
		parse_page(transfer, wanted, page, &ignored) != RECORD_OK)
		return false;
	api_count_records(api, (*page)->count);
	return true;
}

/*
 * Returns true if a retry does not help, but another query may: the response is
 * too large, or complete and not a page as documented.  The transfer must be
 * over.
 */
bool
api_is_unusable_page(const HttpTransfer *transfer, const AttributeSet *wanted)
{
	RecordPage	*page;
	char		*ignored;
	RecordStatus status;

	if (transfer->outcome != HTTP_RESPONDED)
		return transfer->outcome == HTTP_TOO_LARGE;
	status = parse_page(transfer, wanted, &page, &ignored);
	return status == RECORD_MALFORMED || status == RECORD_UNTRANSLATABLE;
}

/*
 * Returns the doubt about a query whose last page was read.  The number of
 * records suggests a cap if it is large and round, or large with a full last
 * page.  received: number of the query's records.  limit: of its pages.
 */
EndDoubt
api_doubt_end(const Api *api, const RecordPage *page, int64 received, int limit)
{
	if (received >= SMALLEST_CAP &&
		(received % 100 == 0 || page->count >= limit))
		return DOUBT_CAP;
	return (page->has_more || page->total > received ||
			(page->count == 0 && received > 0)) &&
				   !api_facts(api)->has_false_counts
			   ? DOUBT_COUNTS
			   : DOUBT_NONE;
}

/*
 * Notes that a doubtful end was the end, so that the API's counts are no
 * evidence any more.
 */
void
api_note_end(const Api *api, EndDoubt doubt)
{
	if (doubt == DOUBT_COUNTS)
		api_facts(api)->has_false_counts = true;
}

/*
 * Returns true if the API refuses a request for lack of a valid key or a
 * permission.  The transfer must be over.
 */
bool
api_is_denial(const Api *api, const HttpTransfer *transfer)
{
	ApiProblem problem = api_read_problem(api, transfer);

	return transfer->outcome == HTTP_RESPONDED && !problem.is_throttling &&
		   (problem.status == 401 ||
			(problem.status == 403 && !problem.is_gateway));
}

/* Raises the error of a response whose status is neither 200 nor 404. */
void
api_raise_refusal(const Api *api, HttpTransfer *transfer)
{
	ApiProblem problem = api_read_problem(api, transfer);

	api_raise_problem(api, transfer, &problem);
}
