/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api.c
 *	  The Reevo API for one user and one record type: state and requests that
 *	  its endpoints share.
 *
 * Paths, statuses and codes are those that the documentation of version 2 of
 * the API gives.  The form of an error is not documented: see api_error.c.
 * Nothing that the API sends is trusted, and the key is removed from any text
 * of it that is shown.
 *
 * The files of the endpoints are above this one: api_facts.c and api_error.c,
 * then api_records.c and api_schema.c.  None of them knows SQL, and each uses
 * HTTP through http.h only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "api/api.h"

/*
 * Memory context callback: wipes the statement's copies of the key and the
 * proxy's password.
 */
static void
wipe_secrets(void *arg)
{
	const Credentials *credentials = arg;

	if (credentials->api_key != NULL)
		explicit_bzero(credentials->api_key, strlen(credentials->api_key));
	if (credentials->proxy_password != NULL)
		explicit_bzero(credentials->proxy_password,
					   strlen(credentials->proxy_password));
}

/*
 * Returns the API for a user, in the current memory context.  That context also
 * holds the user's connection.  settings and credentials must live as long; the
 * secrets in credentials are wiped at its end.  The number of records received
 * is added to *record_total, unless it is NULL.  Makes no request.  Raises an
 * error if base_url is invalid.
 */
Api *
api_open(const Settings *settings, Credentials *credentials,
		 int64 *record_total)
{
	Api					  *api = palloc0(sizeof(Api));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	HttpTarget			  *target = &api->anonymous_target;
	UrlParts			   parts;

	callback->func = wipe_secrets;
	callback->arg = credentials;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);

	if (!url_parse(settings->base_url, &parts))
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
						errmsg("invalid value for option \"base_url\"")));

	api->context = CurrentMemoryContext;
	api->settings = settings;
	api->credentials = credentials;
	api->record_total = record_total;
	api->connection = connection_acquire(credentials->umid, settings->serverid);
	target->host = pstrdup(parts.host);
	target->proxy = settings->proxy;
	target->proxy_user = credentials->proxy_user;
	target->proxy_password = credentials->proxy_password;
	target->ca_file = settings->ca_file;
	target->connect_timeout = (long) (settings->connect_timeout * 1000);
	target->request_timeout = (long) (settings->request_timeout * 1000);
	target->max_retries = settings->max_retries;
	target->max_retry_wait = (long) (settings->max_retry_wait * 1000);
	target->max_response_size =
		(size_t) settings->max_response_size * 1024 * 1024;
	api->target = *target;
	api->target.bearer_token = credentials->api_key;
	return api;
}

/*
 * Starts a request for a path below the base URL, like http_start.  The
 * transfer is made in the Api's context, because it must not outlive the
 * reference to its connection.
 */
HttpTransfer *
api_start(Api *api, ApiEndpoint endpoint, const char *path, const char *json,
		  HttpBudget *budget)
{
	const HttpTarget *target =
		endpoint == ENDPOINT_HEALTH ? &api->anonymous_target : &api->target;
	char		 *url = psprintf("%s%s", api->settings->base_url, path);
	MemoryContext old_context = MemoryContextSwitchTo(api->context);
	HttpTransfer *transfer = http_start(
		api->connection->pool, target,
		&api->connection->stats->endpoints[endpoint], url, json, budget);

	MemoryContextSwitchTo(old_context);
	pfree(url);
	return transfer;
}

/* Waits for a complete response.  Raises an error if there is none. */
void
api_wait(HttpTransfer *transfer)
{
	http_wait_any(&transfer, 1);
	if (transfer->outcome != HTTP_RESPONDED)
		http_raise(transfer);
}

/*
 * Returns a response's body, which may be empty, for a parser.  The parser
 * modifies it if the server encoding is not UTF-8; each call then returns a
 * palloc'd copy.
 */
char *
api_body(const HttpTransfer *transfer)
{
	char *copy;

	if (GetDatabaseEncoding() == PG_UTF8 && transfer->body != NULL)
		return transfer->body;
	copy = palloc(transfer->length + 1);
	if (transfer->body != NULL)
		memcpy(copy, transfer->body, transfer->length);
	copy[transfer->length] = '\0';
	return copy;
}

/* Counts records that were received. */
void
api_count_records(const Api *api, int count)
{
	api->connection->stats->records += count;
	if (api->record_total != NULL)
		*api->record_total += count;
}
