/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_record.c
 *	  GET /api/v2/{record_type}/{id}: one record.
 *
 * The API documents a code for a record that does not exist.  Any other 404 may
 * mean that the path does not exist, and other endpoints decide.
 *
 * Must not know SQL, and uses HTTP through http.h only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api_error.h"
#include "api/api_facts.h"
#include "api/api_health.h"
#include "api/api_query.h"
#include "api/api_record.h"
#include "base/id.h"

/* Maximum number of merged records that a statement reports. */
#define MAX_MERGED_REPORTS 10

/*
 * Starts GET /api/v2/{record_type}/{id}.  The transfer lives until http_end, or
 * as long as the Api.
 */
HttpTransfer *
api_get_record(Api *api, const pg_uuid_t *id, HttpBudget *budget)
{
	char *path =
		psprintf(API_RECORD_PATH, api->settings->record_type, id_text(id));

	return api_start(api, ENDPOINT_RECORD, path, NULL, budget);
}

/* Warns that the API returned another record than the requested one. */
static void
report_merged(Api *api, const pg_uuid_t *old_id, const pg_uuid_t *id)
{
	if (++api->merged_total > MAX_MERGED_REPORTS)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("API returned record %s instead of record %s", id_text(id),
					id_text(old_id)),
			 errdetail("Record %s was probably merged. It has no row.%s",
					   id_text(old_id),
					   api->merged_total == MAX_MERGED_REPORTS
						   ? " Further warnings of this kind are suppressed."
						   : "")));
}

/*
 * Returns true if the record is known to be missing, without a request: by the
 * response's code, or because the path has worked before.
 */
static bool
is_known_missing(const Api *api, const ApiProblem *problem)
{
	return strcmp(problem->code, API_RECORD_NOT_FOUND) == 0 ||
		   (strcmp(problem->code, API_UNKNOWN_TYPE) != 0 &&
			api_facts(api)->has_record_path);
}

/*
 * Returns true if a query does not find the record either, so that the record
 * is missing, and not the path.  The path then counts as correct from now on.
 * If no query is possible, returns true if the health endpoint shows that the
 * server is the API.
 */
static bool
is_missing_for_query(Api *api, const pg_uuid_t *id, HttpBudget *budget)
{
	HttpTransfer *transfer;
	RecordPage	 *page;
	bool		  is_missing = true;

	if (!api->settings->use_query)
		return api_is_healthy(api, budget);
	transfer = api_query_ids(api, &id, 1, budget);
	if (api_finish_query(api, transfer, attribute_set_create(), &page) ==
		QUERY_PAGE)
	{
		for (int i = 0; i < page->count; i++)
			is_missing = is_missing &&
						 memcmp(&page->records[i]->id, id, sizeof(*id)) != 0;
		if (is_missing)
			api_facts(api)->has_record_path = true;
	}
	else
		is_missing = transfer->status != 404 && transfer->status != 410 &&
					 api_is_healthy(api, budget);
	http_end(transfer);
	return is_missing;
}

/*
 * Returns true if a response with status 404 or 410 means that the record is
 * missing, and not the path.  May make another request.
 */
static bool
is_record_missing(Api *api, const pg_uuid_t *id, const ApiProblem *problem,
				  HttpBudget *budget)
{
	if (is_known_missing(api, problem))
	{
		api_facts(api)->has_record_path = true;
		return true;
	}
	return strcmp(problem->code, API_UNKNOWN_TYPE) != 0 &&
		   is_missing_for_query(api, id, budget);
}

/*
 * Waits for the response to api_get_record and parses it.
 *
 * Returns true if the API has the record.  *record is made in the current
 * memory context and points into the response, which lives until http_end.  A
 * record that was merged into another one is missing, with a warning.  Raises
 * an error for any other response, and if there is none.
 */
bool
api_finish_record(Api *api, HttpTransfer *transfer, const pg_uuid_t *id,
				  HttpBudget *budget, const AttributeSet *wanted,
				  Record **record)
{
	char		*reason = NULL;
	ApiProblem	 problem;
	RecordStatus status;

	*record = NULL;
	do
	{
		api_wait(transfer);
		if (transfer->status == 204)
			return false;
		status = transfer->status == 200
					 ? record_parse(wanted, api_body(transfer),
									transfer->length, record, &reason)
					 : RECORD_FAILURE;
		if (api_check_response(api, transfer, "record",
							   psprintf("record %s", id_text(id)), status,
							   reason, &problem))
		{
			Assert(*record != NULL);
			api_facts(api)->has_record_path = true;
			if (memcmp(&(*record)->id, id, sizeof(*id)) == 0)
			{
				api_count_records(api, 1);
				return true;
			}
			report_merged(api, id, &(*record)->id);
			*record = NULL;
			return false;
		}
		/* Discard the partly parsed response. */
		*record = NULL;
	} while (api_retry(transfer, &problem));

	if ((problem.status == 404 || problem.status == 410) &&
		is_record_missing(api, id, &problem, budget))
		return false;
	api_raise_problem(api, transfer, &problem);
}

/*
 * Parses a response to api_get_record like api_finish_record, if it has arrived
 * and needs no error, warning or further request.  *record is NULL if there is
 * no such record.  Returns false for any other response.
 */
bool
api_try_record(const Api *api, const HttpTransfer *transfer,
			   const pg_uuid_t *id, const AttributeSet *wanted, Record **record)
{
	ApiProblem problem;
	char	  *ignored;

	*record = NULL;
	if (transfer->outcome != HTTP_RESPONDED)
		return false;
	if (transfer->status == 204)
		return true;
	if (transfer->status == 404 || transfer->status == 410)
	{
		problem = api_read_problem(api, transfer);
		return !problem.is_cut && is_known_missing(api, &problem);
	}
	if (transfer->status != 200 ||
		record_parse(wanted, api_body(transfer), transfer->length, record,
					 &ignored) != RECORD_OK ||
		memcmp(&(*record)->id, id, sizeof(*id)) != 0)
		return false;
	api_facts(api)->has_record_path = true;
	api_count_records(api, 1);
	return true;
}
