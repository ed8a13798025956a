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
 * Waits for the answer to api_ask_health, and returns whether it says that the
 * API is well, which the session remembers.  Raises an error where there is no
 * answer, or the server could not say.
 */
bool
api_finish_health(Api *api, HttpTransfer *transfer)
{
	json_t	   *root;
	const char *status;
	bool		is_cut;

	http_wait(transfer);
	if (transfer->outcome != HTTP_ANSWERED)
		http_raise(transfer);
	if (transfer->status == 429 || transfer->status >= 500)
		api_raise_refusal(api, transfer);

	/* Nothing between api_load_json and json_decref can raise an error. */
	root = transfer->status == 200 && transfer->length <= API_MAX_ERROR_BODY
			   ? api_load_json(transfer, &is_cut)
			   : NULL;
	status = json_string_value(
		json_object_get(json_object_get(root, "data"), "status"));
	api->connection->health = status != NULL && strcmp(status, "healthy") == 0
								  ? API_HEALTH_GOOD
								  : API_HEALTH_BAD;
	json_decref(root);
	return api->connection->health == API_HEALTH_GOOD;
}

/* Whether the API is well, asked once in a session, as above. */
bool
api_is_healthy(Api *api, HttpBudget *budget)
{
	HttpTransfer *transfer;
	bool		  is_healthy;

	if (api->connection->health != API_HEALTH_UNKNOWN)
		return api->connection->health == API_HEALTH_GOOD;
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
