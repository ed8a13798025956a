/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api.c
 *	  The endpoints of the Reevo API: builds requests, reads answers, and
 *	  turns what the API refuses into errors.
 *
 * Paths, statuses and codes are those of the API's version 2 as its
 * documentation gives them; the form of an error is not documented, so every
 * form seen is understood.  Nothing that the API sends is trusted, and what of
 * it is shown has the key taken out.
 *
 * Knows nothing of SQL, and of HTTP only what http.h says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "api_internal.h"
#include "id.h"
#include "redact.h"
#include "url.h"

/* A statement reports so many merged records. */
#define MAX_MERGED_REPORTS 10

/* What a response with status 200 is to a request for a record. */
typedef enum RecordAnswer
{
	ANSWER_RECORD,
	ANSWER_ANOTHER, /* a record with another id */
	ANSWER_PROBLEM
} RecordAnswer;

/* Codes that the API documents. */
#define CODE_RECORD_NOT_FOUND "record_not_found"
#define CODE_UNKNOWN_TYPE "unknown_record_type"

static void			forget_key(void *arg);
static RecordAnswer read_record(Api *api, HttpTransfer *transfer,
								const pg_uuid_t *id, const AttributeSet *wanted,
								Record **record, ApiProblem *problem);
static void			report_merged(Api *api, const pg_uuid_t *old_id,
								  const pg_uuid_t *id);
static bool			is_record_missing(Api *api, const pg_uuid_t *id,
									  const ApiProblem *problem, HttpBudget *budget);
static bool			is_told_missing(const Api *api, const ApiProblem *problem);
static bool			is_missing_for_query(Api *api, const pg_uuid_t *id,
										 HttpBudget *budget);

/*
 * Makes the API reachable for a user.  Lives in the current context, to whose
 * end it also holds the user's connections; settings and credentials must live
 * as long.  Records that come are added to *record_total, unless that is NULL.
 * Makes no request.
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
						errmsg("option \"base_url\" cannot be read")));

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
 * Waits for the response to api_get_record and reads it.
 *
 * Returns whether the API has the record.  *record is made in the current context
 * and points into the response, which lives until http_end.  A record that was
 * merged into another one is missing, and a warning says so.  Raises an error for
 * any other response, and for none.
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
		if (transfer->outcome != HTTP_ANSWERED)
			http_raise(transfer);
		if (transfer->status == 204)
			return false;
		if (transfer->status == 200)
		{
			switch (read_record(api, transfer, id, wanted, record, &problem))
			{
				case ANSWER_RECORD:
					api_count_records(api, 1);
					return true;
				case ANSWER_ANOTHER:
					report_merged(api, id, &(*record)->id);
					*record = NULL;
					return false;
				case ANSWER_PROBLEM:
					/* What was parsed of it is no record. */
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
 * Reads the response to api_get_record, as api_finish_record does, if it has come
 * and needs neither an error, a warning nor another request: *record is NULL if
 * there is no such record.  Returns false for any other response.
 */
bool
api_try_record(const Api *api, const HttpTransfer *transfer,
			   const pg_uuid_t *id, const AttributeSet *wanted, Record **record)
{
	ApiProblem problem;
	char	  *ignored;

	*record = NULL;
	if (transfer->outcome != HTTP_ANSWERED)
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

/* jansson's version. */
char *
api_json_library_version(void)
{
	return psprintf("jansson %s", JANSSON_VERSION);
}

/*
 * Starts a request for a path below the base URL, as http_start does.  Whatever
 * context the caller is in, the transfer may not outlive the hold on the
 * connection that it uses.
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

/* Counts records that have come. */
void
api_count_records(const Api *api, int count)
{
	api->connection->stats->records += count;
	if (api->record_total != NULL)
		*api->record_total += count;
}

/* Counts something that was there already when it was asked for. */
void
api_count_hit(const Api *api)
{
	api->connection->stats->cache_hits++;
}

/*
 * The body of a response, which may be empty, for a parser.  A parser changes it
 * if the database is not in UTF-8, so that each one gets a copy then.
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

/* The statement is over: wipes its copies of the key and the password. */
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
 * Reads the body of a response with status 200; *problem tells why it is neither
 * the record nor another one.
 */
static RecordAnswer
read_record(Api *api, HttpTransfer *transfer, const pg_uuid_t *id,
			const AttributeSet *wanted, Record **record, ApiProblem *problem)
{
	char		*reason = NULL;
	RecordStatus status = record_parse(wanted, api_body(transfer),
									   transfer->length, record, &reason);

	if (!api_check_answer(api, transfer, "a record",
						  psprintf("the record %s", id_text(id)), status,
						  reason, problem))
		return ANSWER_PROBLEM;
	api_note_record_path(api);
	return memcmp(&(*record)->id, id, sizeof(*id)) == 0 ? ANSWER_RECORD
														: ANSWER_ANOTHER;
}

/* The API has returned another record than the one that was requested. */
static void
report_merged(Api *api, const pg_uuid_t *old_id, const pg_uuid_t *id)
{
	if (++api->merged_total > MAX_MERGED_REPORTS)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("the API returned record %s in place of record %s",
					id_text(id), id_text(old_id)),
			 errdetail("Record %s has no row; it was probably merged.%s",
					   id_text(old_id),
					   api->merged_total == MAX_MERGED_REPORTS
						   ? " Further merged records of this statement are "
							 "not reported."
						   : "")));
}

/*
 * Whether it is the record that is missing, or the path, after a response with
 * status 404 or 410.
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
 * The same, as far as it is known: by the code, or because the path has returned
 * records, or has been proven right.
 */
static bool
is_told_missing(const Api *api, const ApiProblem *problem)
{
	return strcmp(problem->code, CODE_RECORD_NOT_FOUND) == 0 ||
		   (strcmp(problem->code, CODE_UNKNOWN_TYPE) != 0 &&
			api_has_record_path(api));
}

/*
 * Finds out whether a record is missing whose path is, by what a query says; or,
 * if there are no queries, by whether the server is the API.  If a query does not
 * find the record either, the path counts as right from then on.
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

/* The API key, which no message may show; NULL: none. */
const char *
api_secret(const Api *api)
{
	return api->credentials->api_key;
}

/* As http_pool_wait_fd. */
int
api_wait_fd(const Api *api)
{
	return http_pool_wait_fd(api->connection->pool);
}

/* As http_pool_prepare_wait. */
void
api_prepare_wait(const Api *api)
{
	http_pool_prepare_wait(api->connection->pool);
}

/* As http_pool_end_wait. */
void
api_take_in(const Api *api)
{
	http_pool_end_wait(api->connection->pool);
}

/* As http_pool_delayed. */
int
api_delayed(const Api *api)
{
	return http_pool_delayed(api->connection->pool);
}
