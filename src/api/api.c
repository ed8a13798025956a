/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api.c
 *	  The Reevo API for one user and one record type: state, requests and
 *	  errors that its endpoints share.
 *
 * Paths, statuses and codes are those that the documentation of version 2 of
 * the API gives.  The form of an error is not documented, so the common forms
 * are all understood.  Nothing that the API sends is trusted, and the key is
 * removed from any text of it that is shown.
 *
 * api_read_problem describes a response that is not as expected.  api_retry
 * repeats the request if the failure may be temporary.  Otherwise, one of the
 * api_raise functions raises its error, which is the same for each endpoint.
 *
 * api_records.c has the endpoints.  Neither knows SQL, and both use HTTP only
 * through http.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "api/api.h"
#include "api/json_tree.h"
#include "api/place.h"
#include "base/remote_text.h"

/* Largest error body to parse, in bytes; a tree takes many times the memory. */
#define API_MAX_ERROR_BODY (1024 * 1024)

/* Maximum size of a response's excerpt in a message, in bytes. */
#define API_EXCERPT 200

/* White space of JSON. */
#define API_SPACES " \t\r\n"

/* --- Requests --- */

/* Memory context callback: wipes the statement's copies of the secrets. */
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
 * Returns the API for a user.  The current memory context holds it and the
 * user's connection.  settings and credentials must live as long.  The secrets
 * in credentials are wiped at its end, even after an error in this function.
 * The number of records received is added to *record_total, unless it is NULL.
 * Makes no request.  Raises an error if base_url is invalid.
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
	target->connect_timeout = (int64) rint(settings->connect_timeout * 1000000);
	target->request_timeout = (int64) rint(settings->request_timeout * 1000000);
	target->max_retries = settings->max_retries;
	target->max_retry_wait = (int64) rint(settings->max_retry_wait * 1000000);
	target->max_response_size =
		(size_t) settings->max_response_size * 1024 * 1024;
	api->target = *target;
	api->target.bearer_token = credentials->api_key;
	return api;
}

/*
 * Starts a request for a path below the base URL: a GET, or a POST of json if
 * that is not NULL.  Only the health endpoint gets no key.  The transfer is made
 * in the Api's context, because it must not outlive the reference to its
 * connection.  budget must live as long.  Raises the errors of http_start.
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

/* --- Descriptions of errors --- */

/*
 * Parses the body of a response.  The caller passes the result to json_decref.
 * Returns NULL if it is not JSON, and sets *is_cut if it is only incomplete.  A
 * body of white space is neither.  Raises an error if memory is out.
 *
 * Without the flags, jansson rejects integers of more than 64 bits and strings
 * that contain \u0000.
 */
json_t *
api_load_json(const HttpTransfer *transfer, bool *is_cut)
{
	json_error_t error;
	json_t		*root = json_loadb(transfer->body, transfer->length,
								   JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);

	/* jansson sets an error text for invalid JSON only. */
	if (root == NULL && error.text[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	*is_cut = root == NULL && transfer->length > 0 &&
			  strspn(transfer->body, API_SPACES) < transfer->length &&
			  json_error_code(&error) == json_error_premature_end_of_input;
	return root;
}

/* Returns the first element or member, through up to three lists; or NULL. */
static const json_t *
first_in(const json_t *value)
{
	for (int depth = 0; depth < 3; depth++)
	{
		if (json_is_object(value))
			value = json_object_iter_value(json_object_iter((json_t *) value));
		else
			value = json_array_get(value, 0); /* NULL unless it is a list */
		if (!json_is_array(value))
			return value;
	}
	return NULL;
}

/* Returns an HTTP error status among an object's numbers and strings, or 0. */
static long
status_in(const json_t *object)
{
	static const char *const names[] = {"status", "statusCode", "status_code",
										"http_status", "code"};

	for (size_t i = 0; i < lengthof(names); i++)
	{
		const json_t *value = json_object_get(object, names[i]);
		long		  status = 0;

		if (json_is_number(value) && fabs(json_number_value(value)) < 600)
			status = (long) json_number_value(value);
		else if (json_is_string(value))
			status = strtol(json_string_value(value), NULL, 10);
		if (status >= 400 && status < 600)
			return status;
	}
	return 0;
}

/* Copies a JSON string, without the key, to a text that is still empty. */
static void
copy_string(const ApiProblem *problem, const json_t *value, char *target,
			size_t size)
{
	if (target[0] == '\0' && json_is_string(value))
		redact_copy(problem->api->credentials->api_key,
					json_string_value(value), json_string_length(value), target,
					size);
}

/*
 * Sets the fields that are still empty from the members of an object.  The
 * names are from common forms: RFC 9457 (type, title, detail), OAuth 2
 * (error_description), GraphQL (extensions), Apigee (faultstring, errorcode).
 */
static void
read_members(ApiProblem *problem, const json_t *error)
{
	static const char *const codes[] = {"code", "error_code", "errorCode",
										"errorcode", "type"};
	static const char *const messages[] = {
		"message",		 "msg",			 "error_description",
		"error_message", "errorMessage", "Message",
		"detail",		 "title",		 "faultstring",
		"description"};

	if (problem->status == 0)
		problem->status = status_in(error);
	for (size_t i = 0; i < lengthof(codes); i++)
		copy_string(problem, json_object_get(error, codes[i]), problem->code,
					sizeof(problem->code));
	copy_string(problem,
				json_object_get(json_object_get(error, "extensions"), "code"),
				problem->code, sizeof(problem->code));
	for (size_t i = 0; i < lengthof(messages); i++)
		copy_string(problem, json_object_get(error, messages[i]),
					problem->message, sizeof(problem->message));

	/* FastAPI's form: a list of {"loc": [...], "msg": "..."}. */
	if (problem->code[0] == '\0')
		copy_string(
			problem,
			json_object_get(first_in(json_object_get(error, "detail")), "msg"),
			problem->message, sizeof(problem->message));
}

/* Reads errors from an object: from its members, or from the object itself. */
static void
read_object(ApiProblem *problem, const json_t *object)
{
	static const char *const names[] = {"error", "errors", "fault"};

	for (size_t i = 0; i < lengthof(names); i++)
	{
		const json_t *error = json_object_get(object, names[i]);
		const json_t *first = first_in(error);

		read_members(problem, error);
		read_members(problem, json_object_get(error, "detail"));
		if (problem->code[0] != '\0' || problem->message[0] != '\0')
			continue;
		read_members(problem, first);
		copy_string(problem, first, problem->message, sizeof(problem->message));
	}
	read_members(problem, object);

	/* A string is a code, unless it has spaces and nothing else is a message. */
	for (size_t i = 0; i < lengthof(names); i++)
	{
		const json_t *error = json_object_get(object, names[i]);
		bool		  has_space = json_is_string(error) &&
						 strchr(json_string_value(error), ' ') != NULL;

		if (has_space && problem->message[0] == '\0')
			copy_string(problem, error, problem->message,
						sizeof(problem->message));
		else
			copy_string(problem, error, problem->code, sizeof(problem->code));
	}
}

/* Returns the HTTP status of a lasting failure's code, or 0; see also judge. */
static long
status_of_code(const char *code)
{
	static const struct
	{
		const char *code;
		long		status;
	} codes[] = {
		{"unauthorized", 401},		{"unauthenticated", 401},
		{"UnauthorizedError", 401}, {"invalid_api_key", 401},
		{"api_key_expired", 401},	{"forbidden", 403},
		{"permission_denied", 403}, {API_RECORD_NOT_FOUND, 404},
		{API_UNKNOWN_TYPE, 404},	{"internal", 500},
		{"bad_gateway", 502},
	};

	for (size_t i = 0; i < lengthof(codes); i++)
	{
		if (pg_strcasecmp(code, codes[i].code) == 0)
			return codes[i].status;
	}
	return 0;
}

/*
 * Judges a code, message or member name: sets is_throttling, or the status 500,
 * which api_retry repeats, for a temporary failure without a status.
 */
static void
judge(ApiProblem *problem, const char *text)
{
	static const char *const rate[] = {
		"ratelimit",	 "requestlimit",	  "toomanyrequests", "throttl",
		"quotaexceeded", "exceededyourquota", "exhausted"};
	static const char *const passing[] = {
		"timeout",	   "timedout", "internalserver", "internalerror",
		"servererror", "overload", "unavailable",	 "temporar",
		"tryagain",	   "partial",  "incomplete",	 "truncated"};

	if (place_letters_contain(text, rate, lengthof(rate)))
		problem->is_throttling = true;
	else if (problem->status == 0 &&
			 place_letters_contain(text, passing, lengthof(passing)))
		problem->status = 500;
}

/* Judges the status of an object, and the names of members that are true. */
static void
judge_members(ApiProblem *problem, const json_t *object)
{
	const char *key;
	json_t	   *value;

	json_object_foreach(unconstify(json_t *, object), key, value)
	{
		if (json_is_true(value))
			judge(problem, key);
		else if (json_is_string(value) &&
				 (strcmp(key, "status") == 0 || strcmp(key, "result") == 0))
			judge(problem, json_string_value(value));
	}
}

/*
 * Searches a response for an error, in the likeliest forms first.  Words are
 * judged only if nothing stands for a status.  Must not raise an error, because
 * nothing but the caller's frame owns the tree.
 */
static void
find_problem(ApiProblem *problem, const json_t *root)
{
	const json_t *data = json_object_get(root, "data");
	const json_t *sections[] = {root, json_object_get(root, "meta"),
								json_object_get(root, "pagination")};
	const char	 *status = json_string_value(json_object_get(data, "status"));

	problem->has_data = data != NULL && !json_is_null(data);
	problem->is_healthy = status != NULL && strcmp(status, "healthy") == 0;
	for (size_t i = 0; i < lengthof(sections); i++)
		read_object(problem, sections[i]);
	if (problem->status == 0)
		problem->status = status_of_code(problem->code);
	if (problem->status != 0)
		return;
	for (size_t i = 0; i < lengthof(sections); i++)
		judge_members(problem, sections[i]);
}

/*
 * Describes the failure that a response reports, even with HTTP status 200.
 * The transfer must be over, and live as long as the result.  Raises an error
 * only if memory is out.
 */
ApiProblem
api_read_problem(const Api *api, HttpTransfer *transfer)
{
	ApiProblem problem = {.api = api, .transfer = transfer};
	json_t	  *root;

	problem.status = transfer->status == 200 ? 0 : transfer->status;
	problem.is_throttling = http_is_throttled(transfer);
	/* The API sends JSON, and a gateway in front of it any other text. */
	problem.is_gateway =
		transfer->length > 0 &&
		strchr("{[", transfer->body[strspn(transfer->body, API_SPACES)]) ==
			NULL;
	if (transfer->body == NULL || transfer->length > API_MAX_ERROR_BODY)
		return problem;

	/* No error can be raised before json_decref. */
	root = api_load_json(transfer, &problem.is_cut);
	problem.is_json = json_is_object(root);
	if (problem.is_json)
		find_problem(&problem, root);
	json_decref(root);

	/* Any other status is reliable.  Some APIs throttle with 403. */
	if (problem.status == 403 || transfer->status == 200)
	{
		judge(&problem, problem.code);
		judge(&problem, problem.message);
	}
	return problem;
}

/*
 * Retries a request whose response was truncated or may report a temporary
 * failure.  Returns true if the transfer is pending again.  Raises an error if
 * a truncated response cannot be fetched again, or if the budget is used up.
 */
bool
api_retry(const ApiProblem *problem)
{
	HttpTransfer *transfer = problem->transfer;
	bool		  is_pending = false;

	if (problem->is_cut)
		is_pending = http_retry(transfer, HTTP_FAULT_CUT);
	else if (problem->is_throttling)
		is_pending = http_retry(transfer, HTTP_FAULT_THROTTLED);
	else if (http_status_is_transient(problem->status))
		is_pending = http_retry(transfer, HTTP_FAULT_FAILED);
	if (!is_pending && transfer->outcome != HTTP_RESPONDED)
		http_raise(transfer);
	return is_pending;
}

/*
 * Returns the start of a remote text for a message, palloc'd: without the key
 * and control characters, and in the server encoding.  A question mark stands
 * for each control character, and for each byte beyond ASCII unless both the
 * text and the server encoding are UTF-8.
 */
static char *
excerpt(const Api *api, const char *text, size_t length)
{
	char  *copy = palloc(API_EXCERPT + 1);
	size_t kept;
	size_t valid;
	bool   is_text;

	if (length == 0)
		return pstrdup("(nothing)");

	/* The excerpt may end within a character, of up to four bytes. */
	kept = redact_copy(api->credentials->api_key, text, length, copy,
					   API_EXCERPT + 1);
	valid = pg_encoding_verifymbstr(PG_UTF8, copy, (int) kept);
	is_text = GetDatabaseEncoding() == PG_UTF8 &&
			  kept - valid < (kept == API_EXCERPT ? 4 : 1);
	if (is_text)
		kept = valid;
	for (size_t i = 0; i < kept; i++)
	{
		unsigned char c = (unsigned char) copy[i];

		if (c < ' ' || c == 0x7f || (c >= 0x80 && !is_text))
			copy[i] = c == '\n' || c == '\r' || c == '\t' ? ' ' : '?';
	}
	copy[kept] = '\0';
	return length > API_EXCERPT ? psprintf("%s...", copy) : copy;
}

/* Describes an error response, or the header by which it requests a pause. */
static char *
describe(const ApiProblem *problem)
{
	const Api		   *api = problem->api;
	const HttpTransfer *transfer = problem->transfer;
	StringInfoData		text;

	if (problem->is_throttling && transfer->retry_header[0] != '\0')
		return psprintf("The API sent the header \"%s\" after %d %s.",
						transfer->retry_header, transfer->attempts,
						transfer->attempts == 1 ? "attempt" : "attempts");
	if (problem->code[0] == '\0' && problem->message[0] == '\0')
		return transfer->length == 0
				   ? pstrdup("The response has no body.")
				   : psprintf("The response starts with: %s",
							  excerpt(api, transfer->body, transfer->length));

	initStringInfo(&text);
	appendStringInfoString(&text, "The response reports");
	if (problem->code[0] != '\0')
		appendStringInfo(&text, " error \"%s\"",
						 excerpt(api, problem->code, strlen(problem->code)));
	if (problem->message[0] != '\0')
		appendStringInfo(
			&text, ": %s",
			excerpt(api, problem->message, strlen(problem->message)));
	else
		appendStringInfoChar(&text, '.');
	return text.data;
}

/* Raises the error of a response that is not a valid what, such as "record". */
void
api_raise_malformed(const ApiProblem *problem, const char *what,
					const char *reason)
{
	const HttpTransfer *transfer = problem->transfer;

	ereport(
		ERROR,
		(errcode(ERRCODE_PROTOCOL_VIOLATION),
		 errmsg("API response is not a valid %s: %s", what, reason),
		 errdetail("The response (%s) starts with: %s",
				   transfer->content_type != NULL
					   ? excerpt(problem->api, transfer->content_type,
								 strlen(transfer->content_type))
					   : "no content type",
				   excerpt(problem->api, transfer->body, transfer->length))));
}

/*
 * Raises an error with a message, to which the HTTP status is added, and a
 * hint, or NULL.  Its detail describes the response.  A cancel comes first.
 */
void
api_raise(const ApiProblem *problem, int sqlstate, const char *message,
		  const char *hint)
{
	CHECK_FOR_INTERRUPTS();
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s: HTTP status %ld", message, problem->transfer->status),
			 errdetail_internal("%s", describe(problem)),
			 hint != NULL ? errhint("%s", hint) : 0));
}

/*
 * Raises the error of a response that reports a failure, by its status.  The
 * status 0 means that a body with HTTP status 200 has an unknown error.
 */
void
api_raise_problem(const ApiProblem *problem)
{
	/* The first entry that applies. */
	static const struct
	{
		int			first_status;
		int			last_status;
		bool		is_gateway; /* applies to responses of a gateway only */
		int			sqlstate;
		const char *message;
		const char *hint; /* NULL: none */
	} errors[] = {
		{0, 0, false, ERRCODE_FDW_ERROR, "API reported an error", NULL},
		{300, 399, false, ERRCODE_FDW_ERROR, "API redirected the request",
		 "Redirects are not followed, to protect the API key. Set the server "
		 "option \"base_url\" to the final address."},
		{401, 401, false, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
		 "API rejected the API key",
		 "Check the user mapping option \"api_key\"."},
		{403, 403, true, ERRCODE_FDW_ERROR, "gateway rejected the request",
		 "The response is not JSON, so it is not about the API key. Check the "
		 "server options \"base_url\" and \"proxy\", and whether a firewall "
		 "blocks this host."},
		{403, 403, false, ERRCODE_INSUFFICIENT_PRIVILEGE,
		 "API key lacks a permission",
		 "Use an API key with the permission \"Opportunities: read\", or with "
		 "read permission for the record type."},
		{407, 407, false, ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
		 "proxy rejected the request",
		 "Check the server option \"proxy\" and the user mapping options "
		 "\"proxy_user\" and \"proxy_password\"."},
		{400, 499, false, ERRCODE_FDW_ERROR, "API rejected the request", NULL},
		{500, 999, false, ERRCODE_FDW_ERROR, "API server error",
		 "Try again later."},
	};
	const Settings *settings = problem->api->settings;

	if (problem->is_throttling)
		api_raise(problem, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
				  "API is throttling requests",
				  "Try again later, reduce \"max_concurrency\", or increase "
				  "the server option \"max_retry_wait\".");
	if (problem->status == 404 || problem->status == 410)
		api_raise(
			problem, ERRCODE_FDW_TABLE_NOT_FOUND,
			psprintf("record type \"%s\" not found", settings->record_type),
			psprintf("Check the server option \"base_url\" (\"%s\") and "
					 "the foreign table option \"record_type\".",
					 settings->base_url));
	for (size_t i = 0; i < lengthof(errors); i++)
	{
		if (problem->status >= errors[i].first_status &&
			problem->status <= errors[i].last_status &&
			(problem->is_gateway || !errors[i].is_gateway))
			api_raise(problem, errors[i].sqlstate, errors[i].message,
					  errors[i].hint);
	}
	CHECK_FOR_INTERRUPTS();
	api_raise_malformed(
		problem, "record",
		psprintf("unexpected HTTP status %ld", problem->status));
}

/*
 * Checks the parser's status of a response, which should contain what, such as
 * "record".  For an HTTP status other than 200, it is RECORD_FAILURE.
 *
 * Returns true for RECORD_OK.  Returns false if the response reports a failure
 * or is truncated, and describes that in *problem.  Raises an error for any
 * other response.  reason: the parser's description of a malformed response.
 */
bool
api_check_response(const Api *api, HttpTransfer *transfer, const char *what,
				   RecordStatus status, const char *reason, ApiProblem *problem)
{
	if (status == RECORD_OK)
		return true;
	*problem = api_read_problem(api, transfer);
	if (status == RECORD_CUT)
		problem->is_cut = true;
	/* An error without data has not the shape of a record, either. */
	if (status == RECORD_MALFORMED &&
		(!problem->is_json || problem->has_data ||
		 (problem->code[0] == '\0' && problem->message[0] == '\0')))
		api_raise_malformed(problem, what, reason);
	return false;
}
