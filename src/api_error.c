/*-------------------------------------------------------------------------
 *
 * api_error.c
 *	  What the API refuses, and what it answers against its documentation, as
 *	  errors.
 *
 * The form of an error is not documented, so every form seen is understood.
 * Nothing that the API sends is trusted, and what of it is shown has the key
 * taken out.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "api_internal.h"
#include "redact.h"

/* How much of an answer is shown in a message, in bytes. */
#define API_EXCERPT 200

static void	 find_code_and_message(const Api *api, const json_t *root,
								   ApiProblem *problem);
static void	 find_detail(const Api *api, const json_t *detail,
						 ApiProblem *problem);
static void	 copy_string(const Api *api, const json_t *value, char *target,
						 size_t size);
static char *excerpt(const Api *api, const char *text, size_t length);

/*
 * What the parser made of a successful answer, which should be what is said.
 * Returns false where the answer ends early, whatever libcurl made of that: the
 * request is to be tried again.
 */
bool
api_check_answer(const Api *api, const HttpTransfer *transfer, const char *what,
				 const char *where, RecordStatus status, const char *problem)
{
	switch (status)
	{
		case RECORD_OK:
			return true;
		case RECORD_CUT:
			return false;
		case RECORD_MALFORMED:
			api_raise_malformed(api, transfer, what, problem);
		case RECORD_UNTRANSLATABLE:
			ereport(ERROR,
					(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
					 errmsg("the API's answer has a character that PostgreSQL "
							"cannot store"),
					 errdetail("\\u0000 in %s.", where)));
	}
	return false;
}

/*
 * The body of an answer, or NULL where it is not JSON; *is_cut then tells whether
 * only the rest of it is missing.  To be given to json_decref.  Raises an error
 * where memory is out.
 */
json_t *
api_load_json(const HttpTransfer *transfer, bool *is_cut)
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
ApiProblem
api_read_problem(const Api *api, const HttpTransfer *transfer)
{
	ApiProblem problem = {0};
	json_t	  *root;

	if (transfer->body == NULL || transfer->length > API_MAX_ERROR_BODY)
		return problem;

	/* Nothing between api_load_json and json_decref can raise an error. */
	root = api_load_json(transfer, &problem.is_cut);
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
void
api_raise_refusal(const Api *api, HttpTransfer *transfer)
{
	ApiProblem problem = api_read_problem(api, transfer);
	char	  *description = api_describe(api, transfer, &problem);
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
	api_raise_malformed(api, transfer, "a record",
						psprintf("status 200 was expected, not %ld", status));
}

/* Raises the error for a path that does not exist. */
void
api_raise_not_found(const Api *api, HttpTransfer *transfer,
					const ApiProblem *problem)
{
	CHECK_FOR_INTERRUPTS();
	ereport(ERROR,
			(errcode(ERRCODE_FDW_TABLE_NOT_FOUND),
			 errmsg("the API has no records of type \"%s\"",
					api->settings->record_type),
			 errdetail_internal("%s", api_describe(api, transfer, problem)),
			 errhint("Check the server's option base_url (\"%s\") and the "
					 "foreign table's option record_type.",
					 api->settings->base_url)));
}

/* Raises the error for an answer that is not what is documented. */
void
api_raise_malformed(const Api *api, const HttpTransfer *transfer,
					const char *what, const char *problem)
{
	ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION),
					errmsg("the API's answer is not %s as documented: %s", what,
						   problem),
					errdetail("The answer (%s) starts with: %s",
							  transfer->content_type != NULL
								  ? excerpt(api, transfer->content_type,
											strlen(transfer->content_type))
								  : "no content type",
							  excerpt(api, transfer->body, transfer->length))));
}

/* What the API said in a refusal, for a message. */
char *
api_describe(const Api *api, const HttpTransfer *transfer,
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
