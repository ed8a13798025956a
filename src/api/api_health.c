/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_health.c
 *	  GET /api/v2/health: shows if the server behind a base URL is the API.
 *
 * The API documents that this endpoint needs no key, and its response.
 *
 * Must not know SQL, and uses HTTP through http.h only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "api/api_error.h"
#include "api/api_health.h"

/*
 * Starts the request, without the key.  The transfer lives like
 * api_get_record's.
 */
HttpTransfer *
api_ask_health(Api *api, HttpBudget *budget)
{
	return api_start(api, ENDPOINT_HEALTH, API_HEALTH_PATH, NULL, budget);
}

/*
 * Waits for the response to api_ask_health, and returns true if the API is
 * healthy.  Only a healthy state is cached for the session.  Raises an error if
 * there is no complete response, or if it reports a temporary failure.
 */
bool
api_finish_health(Api *api, HttpTransfer *transfer)
{
	ApiProblem	problem = {0};
	json_t	   *root;
	const char *status;
	bool		is_healthy;

	do
	{
		api_wait(transfer);
		problem = api_read_problem(api, transfer);
	} while (api_retry(transfer, &problem));
	if (problem.is_throttling || problem.status >= 500)
		api_raise_problem(api, transfer, &problem);

	/* No error can be raised before json_decref. */
	root = transfer->status == 200 && transfer->length <= API_MAX_ERROR_BODY
			   ? api_load_json(transfer, &problem.is_cut)
			   : NULL;
	status = json_string_value(
		json_object_get(json_object_get(root, "data"), "status"));
	is_healthy = status != NULL && strcmp(status, "healthy") == 0;
	json_decref(root);
	api->connection->is_healthy |= is_healthy;
	return is_healthy;
}

/*
 * Returns true if the API is healthy.  Makes a request unless it was healthy
 * before.
 */
bool
api_is_healthy(Api *api, HttpBudget *budget)
{
	HttpTransfer *transfer;
	bool		  is_healthy;

	if (api->connection->is_healthy)
		return true;
	transfer = api_ask_health(api, budget);
	is_healthy = api_finish_health(api, transfer);
	http_end(transfer);
	return is_healthy;
}

/* Raises the error of an API that does not report that it is healthy. */
void
api_raise_unhealthy(const Api *api, HttpTransfer *transfer)
{
	ApiProblem problem = api_read_problem(api, transfer);

	CHECK_FOR_INTERRUPTS();
	ereport(
		ERROR,
		(errcode(ERRCODE_FDW_ERROR),
		 errmsg("API health check failed: HTTP status %ld", transfer->status),
		 errdetail_internal("%s", api_describe(api, transfer, &problem)),
		 errhint("Check the server option \"base_url\" (\"%s\").",
				 api->settings->base_url)));
}
