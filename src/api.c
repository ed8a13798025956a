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

/* What became of a request for a record that got the status 404. */
typedef enum NotFound
{
	NOT_FOUND_RECORD,
	NOT_FOUND_PATH,
	NOT_FOUND_ASK_HEALTH
} NotFound;

static void forget_key(void *arg);
static bool read_record(Api *api, HttpTransfer *transfer, const pg_uuid_t *id,
						const AttributeSet *wanted, Record **record);
static NotFound classify_not_found(const ApiProblem *problem);

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
 * Waits for the answer to api_get_record and reads it.
 *
 * Returns whether the API has the record.  *record is made in the current
 * context and points into the answer, which lives until http_end.  Raises an
 * error for any other answer, and for none.
 */
bool
api_finish_record(Api *api, HttpTransfer *transfer, const pg_uuid_t *id,
				  HttpBudget *budget, const AttributeSet *wanted,
				  Record **record)
{
	ApiProblem problem;

	for (;;)
	{
		http_wait(transfer);
		if (transfer->outcome != HTTP_ANSWERED)
			http_raise(transfer);
		if (transfer->status == 200)
		{
			if (read_record(api, transfer, id, wanted, record))
			{
				api_count_records(api, 1);
				return true;
			}
		}
		else if (transfer->status == 404)
		{
			problem = api_read_problem(api, transfer);
			if (!problem.is_cut)
				break;
		}
		else
			api_raise_refusal(api, transfer);
		if (!http_retry(transfer, HTTP_FAULT_CUT))
			http_raise(transfer);
	}

	switch (classify_not_found(&problem))
	{
		case NOT_FOUND_RECORD:
			return false;
		case NOT_FOUND_ASK_HEALTH:
			if (api_is_healthy(api, budget))
				return false;
			break;
		case NOT_FOUND_PATH:
			break;
	}
	api_raise_not_found(api, transfer, &problem);
}

/*
 * Reads the answer to api_get_record, as api_finish_record does, if it has come
 * and says what there is to say: *record is NULL where there is no such record.
 * Returns false for any other answer, and raises no error.
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
	if (transfer->status == 404)
	{
		problem = api_read_problem(api, transfer);
		return classify_not_found(&problem) == NOT_FOUND_RECORD;
	}
	if (transfer->status != 200 ||
		record_parse(wanted, api_body_to_try(transfer), transfer->length,
					 record, &ignored) != RECORD_OK ||
		memcmp(&(*record)->id, id, sizeof(*id)) != 0)
		return false;
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

/* The body of an answer, be it empty. */
char *
api_body(const HttpTransfer *transfer)
{
	return transfer->body != NULL ? transfer->body : pstrdup("");
}

/*
 * The same for a parser after which there may be another: they change it.  All of
 * it, whatever bytes it has.
 */
char *
api_body_to_try(const HttpTransfer *transfer)
{
	char *copy;

	if (GetDatabaseEncoding() == PG_UTF8)
		return api_body(transfer);
	copy = palloc(transfer->length + 1);
	memcpy(copy, api_body(transfer), transfer->length);
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
 * Reads the body of a successful answer.  Returns false where it ends early,
 * whatever libcurl made of that.
 */
static bool
read_record(Api *api, HttpTransfer *transfer, const pg_uuid_t *id,
			const AttributeSet *wanted, Record **record)
{
	char		*problem = NULL;
	RecordStatus status = record_parse(wanted, api_body(transfer),
									   transfer->length, record, &problem);

	if (!api_check_answer(api, transfer, "a record",
						  psprintf("the record %s", id_text(id)), status,
						  problem))
		return false;
	if (memcmp(&(*record)->id, id, sizeof(*id)) != 0)
		api_raise_malformed(
			api, transfer, "a record",
			psprintf("the record %s was asked for", id_text(id)));
	return true;
}

/*
 * Whether it is the record that is missing, or the path.  A server that is not
 * the API, or has another base URL, does not say which.
 */
static NotFound
classify_not_found(const ApiProblem *problem)
{
	if (!problem->is_json)
		return NOT_FOUND_PATH;
	if (problem->is_bare_not_found)
		return NOT_FOUND_ASK_HEALTH;
	if (strcmp(problem->code, "unknown_record_type") == 0)
		return NOT_FOUND_PATH;
	return NOT_FOUND_RECORD;
}

/* How many ids one query takes at most, as far as it is known; 0: any number. */
int
api_ids_at_once(const Api *api)
{
	return api->connection->ids_at_once;
}

/* Remembers for the session that a query takes no more ids than that. */
void
api_limit_ids_at_once(Api *api, int limit)
{
	Connection *connection = api->connection;

	if (connection->ids_at_once == 0 || connection->ids_at_once > limit)
		connection->ids_at_once = limit;
}

/* How large a page can be asked for, as far as it is known. */
int
api_page_size(const Api *api, int wanted)
{
	int limit = api->connection->page_size;

	return limit == 0 ? wanted : Min(wanted, limit);
}

/* Remembers for the session that a page cannot be larger than that. */
void
api_limit_page_size(Api *api, int limit)
{
	api->connection->page_size = api_page_size(api, limit);
}

/*
 * Remembers for the session that the API refuses something of queries for this
 * type of records: a use of a filter, or a sort, in words.
 */
void
api_note_refusal(Api *api, const char *what)
{
	connection_note_refusal(
		api->connection, psprintf("%s %s", api->settings->record_type, what));
}

/* What the API is known to refuse, as a list of those words. */
List *
api_refusals(const Api *api)
{
	const char *record_type = api->settings->record_type;
	size_t		length = strlen(record_type);
	List	   *found = NIL;
	ListCell   *cell;

	foreach(cell, api->connection->refusals)
	{
		char *text = lfirst(cell);

		if (strncmp(text, record_type, length) == 0 && text[length] == ' ')
			found = lappend(found, text + length + 1);
	}
	return found;
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
