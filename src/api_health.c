/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_health.c
 *	  GET /api/v2/health: whether it is the API that answers behind a base URL.
 *
 * Facts from the API's documentation: it needs no key.
 *
 * Knows nothing of SQL, and of HTTP only what http.h says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "api_internal.h"

/* Starts the request, without the key.  The transfer lives as in api_get_record. */
HttpTransfer *
api_ask_health(Api *api, HttpBudget *budget)
{
	return api_start(api, ENDPOINT_HEALTH, API_HEALTH_PATH, NULL, budget);
}

/*
 * Waits for the response to api_ask_health, and returns whether the API says that
 * it is healthy.  The session remembers that it does, but not that it does not:
 * that may pass.  Raises an error if there is no whole response, or if it reports
 * a failure that may pass.
 */
bool
api_finish_health(Api *api, HttpTransfer *transfer)
{
	ApiProblem	problem = {0};
	json_t	   *root;
	const char *status;

	do
	{
		http_wait(transfer);
		if (transfer->outcome != HTTP_ANSWERED)
			http_raise(transfer);
		problem = api_read_problem(api, transfer);
	} while (api_retry(transfer, &problem));
	if (problem.is_throttling || problem.status >= 500)
		api_raise_problem(api, transfer, &problem);

	/* Nothing between api_load_json and json_decref can raise an error. */
	root = transfer->status == 200 && transfer->length <= API_MAX_ERROR_BODY
			   ? api_load_json(transfer, &problem.is_cut)
			   : NULL;
	status = json_string_value(
		json_object_get(json_object_get(root, "data"), "status"));
	if (status != NULL && strcmp(status, "healthy") == 0)
		api->connection->is_healthy = true;
	else
		status = NULL;
	json_decref(root);
	return status != NULL;
}

/* Whether the API is healthy, requested until it has said so once. */
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

/* Raises the error for an API that does not say that it is well. */
void
api_raise_unhealthy(const Api *api, HttpTransfer *transfer)
{
	ApiProblem problem = api_read_problem(api, transfer);

	CHECK_FOR_INTERRUPTS();
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("the API does not say that it is healthy"),
			 errdetail_internal("%s", api_describe(api, transfer, &problem)),
			 errhint("Check the server's option base_url (\"%s\").",
					 api->settings->base_url)));
}
