/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api.c
 *	  Endpoints of the Reevo API: common state, and GET of one record.
 *
 * Paths, statuses and codes are those that the documentation of version 2 of
 * the API gives.  The form of an error is not documented: see api_error.c.
 * Nothing that the API sends is trusted, and the key is removed from any text
 * of it that is shown.
 *
 * Must not know SQL, and uses HTTP through http.h only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "api/api_internal.h"
#include "base/id.h"
#include "base/redact.h"
#include "http/url.h"

/* Maximum number of merged records that a statement reports. */
#define MAX_MERGED_REPORTS 10

/* Content of a response with status 200 to the request for a record. */
typedef enum RecordResponse
{
	RESPONSE_RECORD,
	RESPONSE_ANOTHER, /* a record with another id */
	RESPONSE_PROBLEM
} RecordResponse;

/* Error codes that the API documents. */
#define CODE_RECORD_NOT_FOUND "record_not_found"
#define CODE_UNKNOWN_TYPE "unknown_record_type"

static void			  forget_key(void *arg);
static RecordResponse read_record(Api *api, HttpTransfer *transfer,
								  const pg_uuid_t	 *id,
								  const AttributeSet *wanted, Record **record,
								  ApiProblem *problem);
static void			  report_merged(Api *api, const pg_uuid_t *old_id,
									const pg_uuid_t *id);
static bool			  is_record_missing(Api *api, const pg_uuid_t *id,
										const ApiProblem *problem, HttpBudget *budget);
static bool is_told_missing(const Api *api, const ApiProblem *problem);
static bool is_missing_for_query(Api *api, const pg_uuid_t *id,
								 HttpBudget *budget);

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
	UrlParts			   parts;

	callback->func = forget_key;
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
	api->facts = api_facts_of(api->connection, settings->record_type);
	api->anonymous_target.host = parts.host;
	api->anonymous_target.proxy = settings->proxy;
	api->anonymous_target.proxy_user = credentials->proxy_user;
	api->anonymous_target.proxy_password = credentials->proxy_password;
	api->anonymous_target.ca_file = settings->ca_file;
	api->anonymous_target.connect_timeout =
		(long) (settings->connect_timeout * 1000);
	api->anonymous_target.request_timeout =
		(long) (settings->request_timeout * 1000);
	api->anonymous_target.max_retries = settings->max_retries;
	api->anonymous_target.max_retry_wait =
		(long) (settings->max_retry_wait * 1000);
	api->anonymous_target.max_response_size =
		(size_t) settings->max_response_size * 1024 * 1024;
	api->target = api->anonymous_target;
	api->target.bearer_token = credentials->api_key;
	return api;
}

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
	ApiProblem problem;

	*record = NULL;
	do
	{
		http_wait(transfer);
		if (transfer->outcome != HTTP_RESPONDED)
			http_raise(transfer);
		if (transfer->status == 204)
			return false;
		if (transfer->status == 200)
		{
			switch (read_record(api, transfer, id, wanted, record, &problem))
			{
				case RESPONSE_RECORD:
					api_count_records(api, 1);
					return true;
				case RESPONSE_ANOTHER:
					report_merged(api, id, &(*record)->id);
					*record = NULL;
					return false;
				case RESPONSE_PROBLEM:
					/* Discard the partly parsed response. */
					*record = NULL;
					break;
			}
		}
		else
			problem = api_read_problem(api, transfer);
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
		return !problem.is_cut && is_told_missing(api, &problem);
	}
	if (transfer->status != 200 ||
		record_parse(wanted, api_body(transfer), transfer->length, record,
					 &ignored) != RECORD_OK ||
		memcmp(&(*record)->id, id, sizeof(*id)) != 0)
		return false;
	api_note_record_path(api);
	api_count_records(api, 1);
	return true;
}

/* Returns jansson's version as a palloc'd string. */
char *
api_json_library_version(void)
{
	return psprintf("jansson %s", JANSSON_VERSION);
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

/* Counts records that were received. */
void
api_count_records(const Api *api, int count)
{
	api->connection->stats->records += count;
	if (api->record_total != NULL)
		*api->record_total += count;
}

/* Counts a record that a cache had. */
void
api_count_hit(const Api *api)
{
	api->connection->stats->cache_hits++;
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
	if (transfer->length > 0)
		memcpy(copy, transfer->body, transfer->length);
	copy[transfer->length] = '\0';
	return copy;
}

/*
 * Memory context callback: wipes the statement's copies of the key and the
 * proxy's password.
 */
static void
forget_key(void *arg)
{
	Credentials *credentials = arg;

	if (credentials->api_key != NULL)
		explicit_bzero(credentials->api_key, strlen(credentials->api_key));
	if (credentials->proxy_password != NULL)
		explicit_bzero(credentials->proxy_password,
					   strlen(credentials->proxy_password));
}

/*
 * Parses the body of a response with status 200.  Sets *problem for
 * RESPONSE_PROBLEM.
 */
static RecordResponse
read_record(Api *api, HttpTransfer *transfer, const pg_uuid_t *id,
			const AttributeSet *wanted, Record **record, ApiProblem *problem)
{
	char		*reason = NULL;
	RecordStatus status = record_parse(wanted, api_body(transfer),
									   transfer->length, record, &reason);

	if (!api_check_response(api, transfer, "record",
							psprintf("record %s", id_text(id)), status, reason,
							problem))
		return RESPONSE_PROBLEM;
	api_note_record_path(api);
	return memcmp(&(*record)->id, id, sizeof(*id)) == 0 ? RESPONSE_RECORD
														: RESPONSE_ANOTHER;
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
 * Returns true if a response with status 404 or 410 means that the record is
 * missing, and not the path.  May make another request.
 */
static bool
is_record_missing(Api *api, const pg_uuid_t *id, const ApiProblem *problem,
				  HttpBudget *budget)
{
	if (is_told_missing(api, problem))
	{
		api_note_record_path(api);
		return true;
	}
	return strcmp(problem->code, CODE_UNKNOWN_TYPE) != 0 &&
		   is_missing_for_query(api, id, budget);
}

/*
 * Returns true if the record is known to be missing, without a request: by the
 * response's code, or because the path has worked before.
 */
static bool
is_told_missing(const Api *api, const ApiProblem *problem)
{
	return strcmp(problem->code, CODE_RECORD_NOT_FOUND) == 0 ||
		   (strcmp(problem->code, CODE_UNKNOWN_TYPE) != 0 &&
			api_has_record_path(api));
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
	QueryResult	  result;
	bool		  is_missing = true;

	if (!api->settings->use_query)
		return api_is_healthy(api, budget);
	transfer = api_query_ids(api, &id, 1, budget);
	result = api_finish_query(api, transfer, attribute_set_create(), &page);
	if (result == QUERY_PAGE)
	{
		for (int i = 0; i < page->count; i++)
			is_missing = is_missing &&
						 memcmp(&page->records[i]->id, id, sizeof(*id)) != 0;
		if (is_missing)
			api_note_record_path(api);
	}
	else
		is_missing = (transfer->status != 404 && transfer->status != 410) &&
					 api_is_healthy(api, budget);
	http_end(transfer);
	return is_missing;
}

/* Returns the API key, which no message may show; NULL: none. */
const char *
api_secret(const Api *api)
{
	return api->credentials->api_key;
}

/* See http_pool_wait_fd. */
int
api_wait_fd(const Api *api)
{
	return http_pool_wait_fd(api->connection->pool);
}

/* See http_pool_prepare_wait. */
void
api_prepare_wait(const Api *api)
{
	http_pool_prepare_wait(api->connection->pool);
}

/* See http_pool_end_wait. */
void
api_take_in(const Api *api)
{
	http_pool_end_wait(api->connection->pool);
}

/* See http_pool_delayed. */
int
api_delayed(const Api *api)
{
	return http_pool_delayed(api->connection->pool);
}
