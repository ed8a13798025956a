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

#include "api.h"
#include "compat.h"
#include "connection.h"
#include "redact.h"
#include "url.h"

/*
 * PostgreSQL exports a json_object of its own, which the dynamic linker would
 * take for jansson's: the one function of that library not to call.
 */
#define json_object jansson_json_object
#include <jansson.h>
#undef json_object
#ifdef __GNUC__
#pragma GCC poison json_object
#endif

#define API_HEALTH_PATH "/api/v2/health"

/* How much of an answer is shown in a message, in bytes. */
#define API_EXCERPT 200

/* A larger body is not searched for an error's code. */
#define API_MAX_ERROR_BODY (1024 * 1024)

struct Api
{
	MemoryContext context; /* of all transfers, since it holds the connection */
	const Settings *settings;
	Credentials	   *credentials;
	Connection	   *connection;
	HttpTarget		target;
	HttpTarget		anonymous_target; /* the same without the key */
};

/* What the body of a refusal says. */
typedef struct ApiProblem
{
	bool is_json;
	bool is_cut;			/* it may have become JSON, but ended early */
	bool is_bare_not_found; /* as a server says that has no such path */
	char code[128];			/* empty: none */
	char message[1024];
} ApiProblem;

/* What became of a request for a record that got the status 404. */
typedef enum NotFound
{
	NOT_FOUND_RECORD,
	NOT_FOUND_PATH,
	NOT_FOUND_ASK_HEALTH
} NotFound;

static HttpTransfer *start_get(Api *api, const HttpTarget *target,
							   const char *path, HttpBudget *budget);
static void			 forget_key(void *arg);
static bool		  read_record(Api *api, HttpTransfer *transfer, const char *id,
							  const AttributeSet *wanted, Record **record);
static bool		  same_uuid(const char *text, const char *canonical);
static NotFound	  classify_not_found(const ApiProblem *problem);
static bool		  is_healthy(Api *api, HttpBudget *budget);
static json_t	 *load_json(const HttpTransfer *transfer, bool *is_cut);
static ApiProblem read_problem(const Api *api, const HttpTransfer *transfer);
static void		  find_code_and_message(const Api *api, const json_t *root,
										ApiProblem *problem);
static void		  find_detail(const Api *api, const json_t *detail,
							  ApiProblem *problem);
static void		  copy_string(const Api *api, const json_t *value, char *target,
							  size_t size);
pg_noreturn static void raise_refusal(const Api *api, HttpTransfer *transfer);
pg_noreturn static void raise_not_found(const Api *api, HttpTransfer *transfer,
										const ApiProblem *problem);
pg_noreturn static void raise_malformed(const Api		   *api,
										const HttpTransfer *transfer,
										const char		   *problem);
static char			   *describe(const Api *api, const HttpTransfer *transfer,
								 const ApiProblem *problem);
static char *excerpt(const Api *api, const char *text, size_t length);

/*
 * Makes the API reachable for a user.  Lives in the current context, to whose
 * end it also holds the user's connections; settings and credentials must live
 * as long.  Makes no request.
 */
Api *
api_open(const Settings *settings, Credentials *credentials)
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
	api->connection = connection_acquire(credentials->umid, settings->serverid);
	api->anonymous_target.host = parts.host;
	api->anonymous_target.proxy = settings->proxy;
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
 * Starts GET /api/v2/{record_type}/{id}; the id is a UUID in canonical form.
 * The transfer lives until http_end, or as long as the Api.
 */
HttpTransfer *
api_get_record(Api *api, const char *id, HttpBudget *budget)
{
	char *path = psprintf(API_RECORD_PATH, api->settings->record_type, id);
	HttpTransfer *transfer = start_get(api, &api->target, path, budget);

	pfree(path);
	return transfer;
}

/*
 * Waits for the answer to api_get_record and reads it.
 *
 * Returns whether the API has the record.  *record is made in the current
 * context and points into the answer, which lives until http_end.  Raises an
 * error for any other answer, and for none.
 */
bool
api_finish_record(Api *api, HttpTransfer *transfer, const char *id,
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
				return true;
		}
		else if (transfer->status == 404)
		{
			problem = read_problem(api, transfer);
			if (!problem.is_cut)
				break;
		}
		else
			raise_refusal(api, transfer);
		if (!http_retry(transfer))
			http_raise(transfer);
	}

	switch (classify_not_found(&problem))
	{
		case NOT_FOUND_RECORD:
			return false;
		case NOT_FOUND_ASK_HEALTH:
			if (is_healthy(api, budget))
				return false;
			break;
		case NOT_FOUND_PATH:
			break;
	}
	raise_not_found(api, transfer, &problem);
}

/* jansson's version. */
char *
api_json_library_version(void)
{
	return psprintf("jansson %s", JANSSON_VERSION);
}

/*
 * Starts a GET of a path below the base URL.  Whatever context the caller is in,
 * the transfer may not outlive the hold on the connection that it uses.
 */
static HttpTransfer *
start_get(Api *api, const HttpTarget *target, const char *path,
		  HttpBudget *budget)
{
	char		 *url = psprintf("%s%s", api->settings->base_url, path);
	MemoryContext old_context = MemoryContextSwitchTo(api->context);
	HttpTransfer *transfer =
		http_start(api->connection->pool, target, url, budget);

	MemoryContextSwitchTo(old_context);
	pfree(url);
	return transfer;
}

/* The statement is over: its copy of the key goes. */
static void
forget_key(void *arg)
{
	Credentials *credentials = arg;

	if (credentials->api_key != NULL)
		explicit_bzero(credentials->api_key, strlen(credentials->api_key));
}

/*
 * Reads the body of a successful answer.  Returns false where it ends early,
 * whatever libcurl made of that.
 */
static bool
read_record(Api *api, HttpTransfer *transfer, const char *id,
			const AttributeSet *wanted, Record **record)
{
	char *problem = NULL;

	switch (record_parse(wanted,
						 transfer->body != NULL ? transfer->body : pstrdup(""),
						 transfer->length, record, &problem))
	{
		case RECORD_OK:
			break;
		case RECORD_CUT:
			return false;
		case RECORD_MALFORMED:
			raise_malformed(api, transfer, problem);
		case RECORD_UNTRANSLATABLE:
			ereport(ERROR,
					(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
					 errmsg("the API's answer has a character that PostgreSQL "
							"cannot store"),
					 errdetail("\\u0000 in the record %s.", id)));
	}
	if (!same_uuid((*record)->id, id))
		raise_malformed(api, transfer,
						psprintf("the record %s was asked for", id));
	return true;
}

/* Whether a text spells a UUID that is given in canonical form. */
static bool
same_uuid(const char *text, const char *canonical)
{
	return pg_strcasecmp(text, canonical) == 0;
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

/*
 * Whether the API answers GET /api/v2/health behind this base URL.  Asked
 * without the key, and once in a session, unless the server could not say.
 */
static bool
is_healthy(Api *api, HttpBudget *budget)
{
	HttpTransfer *transfer;
	json_t		 *root;
	const char	 *status;
	bool		  is_cut;

	if (api->connection->health != API_HEALTH_UNKNOWN)
		return api->connection->health == API_HEALTH_GOOD;

	transfer = start_get(api, &api->anonymous_target, API_HEALTH_PATH, budget);
	http_wait(transfer);
	if (transfer->outcome != HTTP_ANSWERED)
		http_raise(transfer);
	if (transfer->status == 429 || transfer->status >= 500)
		raise_refusal(api, transfer);

	/* Nothing between load_json and json_decref can raise an error. */
	root = transfer->status == 200 && transfer->length <= API_MAX_ERROR_BODY
			   ? load_json(transfer, &is_cut)
			   : NULL;
	status = json_string_value(
		json_object_get(json_object_get(root, "data"), "status"));
	api->connection->health = status != NULL && strcmp(status, "healthy") == 0
								  ? API_HEALTH_GOOD
								  : API_HEALTH_BAD;
	json_decref(root);

	http_end(transfer);
	return api->connection->health == API_HEALTH_GOOD;
}

/*
 * The body of an answer, or NULL where it is not JSON; *is_cut then tells whether
 * only the rest of it is missing.  To be given to json_decref.  Raises an error
 * where memory is out.
 */
static json_t *
load_json(const HttpTransfer *transfer, bool *is_cut)
{
	json_error_t error;
	json_t		*root = json_loadb(transfer->body, transfer->length, 0, &error);

	/* Of a text that is no JSON, jansson says what is wrong with it. */
	if (root == NULL && error.text[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	*is_cut = root == NULL && transfer->length > 0 &&
			  json_error_code(&error) == json_error_premature_end_of_input;
	return root;
}

/* Looks for a code and a message in the body of a refusal. */
static ApiProblem
read_problem(const Api *api, const HttpTransfer *transfer)
{
	ApiProblem problem = {0};
	json_t	  *root;

	if (transfer->body == NULL || transfer->length > API_MAX_ERROR_BODY)
		return problem;

	/* Nothing between load_json and json_decref can raise an error. */
	root = load_json(transfer, &problem.is_cut);
	problem.is_json = json_is_object(root);
	if (problem.is_json)
		find_code_and_message(api, root, &problem);
	json_decref(root);
	return problem;
}

/* The forms in which an error may come, in the order of their likelihood. */
static void
find_code_and_message(const Api *api, const json_t *root, ApiProblem *problem)
{
	const json_t *error = json_object_get(root, "error");

	if (json_is_object(error))
	{
		copy_string(api, json_object_get(error, "code"), problem->code,
					sizeof(problem->code));
		copy_string(api, json_object_get(error, "message"), problem->message,
					sizeof(problem->message));
	}
	else
	{
		copy_string(api, json_object_get(root, "code"), problem->code,
					sizeof(problem->code));
		if (problem->code[0] == '\0')
			copy_string(api, error, problem->code, sizeof(problem->code));
		copy_string(api, json_object_get(root, "message"), problem->message,
					sizeof(problem->message));
	}
	if (problem->code[0] == '\0' && problem->message[0] == '\0')
		find_detail(api, json_object_get(root, "detail"), problem);
}

/* "detail" is a text, or a list of {"loc": [...], "msg": "..."}. */
static void
find_detail(const Api *api, const json_t *detail, ApiProblem *problem)
{
	copy_string(api,
				json_is_array(detail)
					? json_object_get(json_array_get(detail, 0), "msg")
					: detail,
				problem->message, sizeof(problem->message));
	problem->is_bare_not_found =
		json_is_string(detail) && strcmp(problem->message, "Not Found") == 0;
}

/* Copies a JSON string, as redact_copy does; nothing for other values. */
static void
copy_string(const Api *api, const json_t *value, char *target, size_t size)
{
	if (json_is_string(value))
		redact_copy(api->credentials->api_key, json_string_value(value),
					json_string_length(value), target, size);
}

/* Raises the error of an answer whose status is neither 200 nor 404. */
static void
raise_refusal(const Api *api, HttpTransfer *transfer)
{
	ApiProblem problem = read_problem(api, transfer);
	char	  *description = describe(api, transfer, &problem);
	const long status = transfer->status;

	CHECK_FOR_INTERRUPTS();

	if (status == 401)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the API did not accept the API key"),
				 errdetail_internal("%s", description),
				 errhint("Check the option api_key of the user mapping.")));
	if (status == 403)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("the API key lacks a permission"),
						errdetail_internal("%s", description),
						errhint("Reading needs the permission \"Opportunities: "
								"read\", or that of the record type.")));
	if (status == 429 || status == 503)
		ereport(
			ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("the API is throttling requests"),
			 transfer->retry_after >= 0
				 ? errdetail("It asked to wait %ld seconds, after %d %s.",
							 transfer->retry_after / 1000, transfer->attempts,
							 transfer->attempts == 1 ? "attempt" : "attempts")
				 : errdetail_internal("%s", description),
			 errhint("Try again later, ask for less at once, or raise "
					 "max_retries and max_retry_wait of the server.")));
	if (status >= 300 && status < 400)
		ereport(ERROR, (errcode(ERRCODE_FDW_ERROR),
						errmsg("the API redirected the request"),
						errdetail_internal("%s", description),
						errhint("Redirects are not followed, so that the API "
								"key cannot get lost. Check the server's "
								"option base_url.")));
	if (status >= 400 && status < 500)
		ereport(ERROR, (errcode(ERRCODE_FDW_ERROR),
						errmsg("the API refused the request"),
						errdetail_internal("%s", description)));
	if (status >= 500)
		ereport(ERROR, (errcode(ERRCODE_FDW_ERROR), errmsg("the API failed"),
						errdetail_internal("%s", description),
						errhint("Try again later.")));
	raise_malformed(api, transfer,
					psprintf("status 200 was expected, not %ld", status));
}

/* Raises the error for a path that does not exist. */
static void
raise_not_found(const Api *api, HttpTransfer *transfer,
				const ApiProblem *problem)
{
	CHECK_FOR_INTERRUPTS();
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("the API has no records of type \"%s\"",
					api->settings->record_type),
			 errdetail_internal("%s", describe(api, transfer, problem)),
			 errhint("Check the server's option base_url (\"%s\") and the "
					 "foreign table's option record_type.",
					 api->settings->base_url)));
}

/* Raises the error for an answer that is not what is documented. */
static void
raise_malformed(const Api *api, const HttpTransfer *transfer,
				const char *problem)
{
	ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
					errmsg("the API's answer is not a record as documented: %s",
						   problem),
					errdetail("The answer (%s) starts with: %s",
							  transfer->content_type != NULL
								  ? excerpt(api, transfer->content_type,
											strlen(transfer->content_type))
								  : "no content type",
							  excerpt(api, transfer->body, transfer->length))));
}

/* What the API said in a refusal, for a message. */
static char *
describe(const Api *api, const HttpTransfer *transfer,
		 const ApiProblem *problem)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "Status %ld", transfer->status);
	if (problem->code[0] != '\0')
		appendStringInfo(&text, ", %s",
						 excerpt(api, problem->code, strlen(problem->code)));
	if (problem->message[0] != '\0')
		appendStringInfo(
			&text, ": %s",
			excerpt(api, problem->message, strlen(problem->message)));
	else if (problem->code[0] == '\0' && transfer->length > 0)
		appendStringInfo(&text, ": %s",
						 excerpt(api, transfer->body, transfer->length));
	return text.data;
}

/*
 * The start of a text of the API, fit for a message: without the key, without
 * control characters, and in the database's encoding.
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

	/* Where the excerpt ends, a character may be cut in two. */
	kept = redact_copy(api->credentials->api_key, text, length, copy,
					   API_EXCERPT + 1);
	valid = compat_valid_utf8_prefix(copy, (int) kept);
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
