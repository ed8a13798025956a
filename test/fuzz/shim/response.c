/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * response.c
 *	  Fetches a record, or records page by page, and checks the results.  The
 *	  checks are the same for responses as bodies and over HTTP.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "base/id.h"

#include "fetch/page_reader.h"

#include "response.h"
#include "shim.h"

/* The second one has characters that JSON escapes. */
#define KEY "test-key"
#define ODD_KEY "a\"\\b/k"

/* Longer than any message, detail or hint. */
#define LONGEST_TEXT 1200

/* Longest wait that a response may demand, in milliseconds. */
#define LONGEST_RETRY_AFTER INT64CONST(1000000000000000)

/* The SQLSTATEs of all responses. */
static const int sqlstates[] = {
	ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
	ERRCODE_CONNECTION_FAILURE,
	ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
	ERRCODE_INSUFFICIENT_PRIVILEGE,
	ERRCODE_FDW_TABLE_NOT_FOUND,
	ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
	ERRCODE_FDW_ERROR,
	ERRCODE_PROTOCOL_VIOLATION,
	ERRCODE_PROGRAM_LIMIT_EXCEEDED,
	ERRCODE_UNTRANSLATABLE_CHARACTER,
	ERRCODE_QUERY_CANCELED,
};

/* Largest number of requests of one query. */
#define MOST_REQUESTS 8

static Question *current;

static void			ask_and_check(Question *question, void (*function)(void *));
static void			ask(void *argument);
static void			query(void *argument);
static PageResponse read_page(Question *question, PageReader *reader);
static void			check_refusal(Question *question, Api *api,
								  const PageReader *reader);
static void			check_transfer(const HttpTransfer *transfer);
static void			check_error(const Question *question);
static void			check_text(const char *text, const char *key);

/* Returns a question in the current context, which is the statement's. */
Question *
question_create(bool odd_key)
{
	Question *question = palloc0(sizeof(Question));

	question->settings.base_url = "http://127.0.0.1:1";
	question->settings.record_type = "opportunity";
	question->settings.connect_timeout = 3600;
	question->settings.request_timeout = 3600;
	question->settings.max_retries = 2;
	question->settings.max_response_size = 1;
	question->credentials.api_key = pstrdup(odd_key ? ODD_KEY : KEY);
	question->budget.total = &question->requests;
	question->connection.stats = &question->stats;
	question->connection.facts_context = CurrentMemoryContext;
	question->wanted = attribute_set_create();
	attribute_set_add(question->wanted, "id");
	attribute_set_add(question->wanted, "display_name");
	current = question;
	return question;
}

/* Replaces the function of option.c, which no response needs otherwise. */
const char *
remote_operator_name(RemoteOperator remote_operator)
{
	(void) remote_operator;
	return "eq";
}

/* Replaces the function of connection.c, which reads a catalog. */
Connection *
connection_acquire(Oid umid, Oid serverid)
{
	(void) umid;
	(void) serverid;
	return &current->connection;
}

/* Fetches the record, and checks the error. */
void
question_ask(Question *question)
{
	ask_and_check(question, ask);
	if (question->error == NULL)
		shim_outcome(question->found ? "record" : "none");
}

/* Fetches all pages of a query, and checks the error. */
void
question_query(Question *question)
{
	question->first_result = RESPONSE_NO_RESULT;
	question->pending = 0;
	if (question->budget.limit == 0)
		question->budget.limit = MOST_REQUESTS;
	ask_and_check(question, query);
	FUZZ_CHECK(question->requests <= question->budget.limit);
	FUZZ_CHECK(question->error != NULL || question->pending == 0);
}

static void
ask_and_check(Question *question, void (*function)(void *))
{
	question->error = shim_catch(function, question);
	if (question->error == NULL)
		return;
	check_error(question);
	shim_outcome_error(question->error);
}

static void
ask(void *argument)
{
	Question *question = argument;
	Api		 *api = api_open(&question->settings, &question->credentials, NULL);
	pg_uuid_t id;
	Record	 *tried;
	bool	  is_told;
	int		  attempts;

	FUZZ_CHECK(id_parse(RESPONSE_RECORD_ID, &id));
	question->transfer = api_get_record(api, &id, &question->budget);
	http_wait_any(&question->transfer, 1);
	check_transfer(question->transfer);
	question->is_denied = api_is_denial(api, question->transfer);
	is_told =
		api_try_record(api, question->transfer, &id, question->wanted, &tried);
	attempts = question->transfer->attempts;
	question->found =
		api_finish_record(api, question->transfer, &id, &question->budget,
						  question->wanted, &question->record);
	if (question->found)
		FUZZ_CHECK(memcmp(&question->record->id, &id, sizeof(id)) == 0);

	/* The function that raises no errors has the same result. */
	FUZZ_CHECK(!is_told || question->found == (tried != NULL));
	FUZZ_CHECK(!question->found || is_told ||
			   question->transfer->attempts > attempts);
	http_end(question->transfer);
	question->transfer = NULL;
}

/*
 * Reads one page after another, and starts again if the cursor has expired.
 * Raises rejections.
 */
static void
query(void *argument)
{
	Question *question = argument;
	Api		 *api = api_open(&question->settings, &question->credentials, NULL);
	PageSource	 source = {.api = api,
						   .pending = &question->pending,
						   .wanted = question->wanted,
						   .budget = &question->budget,
						   .page_size = 2};
	RemoteFilter filter = {.json = pstrdup("{\"field\":\"status\"}")};
	ApiQuery	 first = {
			.filters = list_make1(&filter), .sort = "created_at", .limit = 1};
	PageReader *reader = page_reader_create(&source, &first);

	while (!reader->is_at_end)
	{
		PageResponse response = read_page(question, reader);

		if (response.result == QUERY_CURSOR_GONE)
			page_reader_restart(reader);
		else if (response.result != QUERY_PAGE)
		{
			check_refusal(question, api, reader);
			api_raise_refusal(api, response.transfer);
		}
		http_end(response.transfer);
	}
	page_reader_end(reader);
}

/*
 * Fetches and reads the next page.  The function that raises no errors has the
 * same result.
 */
static PageResponse
read_page(Question *question, PageReader *reader)
{
	static const char *const names[] = {
		[QUERY_PAGE] = "page",
		[QUERY_CURSOR_GONE] = "cursor_gone",
		[QUERY_REFUSED] = "refused",
		[QUERY_FILTER_REFUSED] = "filter_refused",
		[QUERY_VALUE_REFUSED] = "value_refused",
		[QUERY_SORT_REFUSED] = "sort_refused",
		[QUERY_NOT_SUPPORTED] = "not_supported",
	};
	bool		 is_first = question->requests == 0;
	RecordPage	*tried = NULL;
	PageResponse response;
	bool		 is_page;
	int			 attempts;

	page_reader_send(reader);
	FUZZ_CHECK(question->pending == 1);
	http_wait_any(&reader->transfer, 1);
	check_transfer(reader->transfer);
	is_page = api_try_page(reader->source->api, reader->transfer,
						   question->wanted, &tried);
	attempts = reader->transfer->attempts;
	response = page_reader_read(reader);
	FUZZ_CHECK(question->pending == 0 && reader->transfer == NULL);
	FUZZ_CHECK((response.result == QUERY_PAGE) == is_page ||
			   response.transfer->attempts > attempts);
	FUZZ_CHECK((response.result == QUERY_PAGE) == (response.page != NULL));
	FUZZ_CHECK(!is_page || response.page->count == tried->count);
	FUZZ_CHECK(response.page == NULL ||
			   (response.page->next_cursor == NULL) == reader->is_at_end);
	if (is_first)
		question->first_result = response.result;
	shim_outcome(names[response.result]);
	return response;
}

/* Checks that the API remembers a rejection. */
static void
check_refusal(Question *question, Api *api, const PageReader *reader)
{
	RemoteUse use = {reader->query.sort, REMOTE_SORT, NULL};

	FUZZ_CHECK(api_refuses(api, &use) == question->is_refused);
	api_note_refusal(api, &use, QUERY_SORT_REFUSED);
	FUZZ_CHECK(api_refuses(api, &use));
	question->is_refused = true;
}

/* Checks the promises of http.h about a finished transfer. */
static void
check_transfer(const HttpTransfer *transfer)
{
	FUZZ_CHECK(transfer->outcome != HTTP_PENDING);
	FUZZ_CHECK(transfer->attempts >= 1 && transfer->attempts <= 3);
	if (transfer->outcome != HTTP_RESPONDED)
		return;
	FUZZ_CHECK(transfer->length < 1024 * 1024);
	FUZZ_CHECK(transfer->body != NULL ? transfer->body[transfer->length] == '\0'
									  : transfer->length == 0);
	FUZZ_CHECK(transfer->retry_after == -1 ||
			   (transfer->retry_after >= 1 &&
				transfer->retry_after <= LONGEST_RETRY_AFTER));
}

static void
check_error(const Question *question)
{
	const ErrorData *error = question->error;
	const char		*key = question->credentials.api_key;
	bool			 known = false;

	for (size_t i = 0; i < lengthof(sqlstates); i++)
		known = known || error->sqlerrcode == sqlstates[i];
	FUZZ_CHECK(known);
	check_text(error->message, key);
	check_text(error->detail, key);
	check_text(error->hint, key);
}

/*
 * Checks that a text of a message is short, is one line, and does not have the
 * key, not even with its characters escaped as in JSON.
 */
static void
check_text(const char *text, const char *key)
{
	char   plain[LONGEST_TEXT];
	size_t length = 0;

	if (text == NULL)
		return;
	FUZZ_CHECK(strlen(text) < LONGEST_TEXT);
	FUZZ_CHECK(strstr(text, key) == NULL);
	while (*text != '\0')
	{
		FUZZ_CHECK((unsigned char) *text >= ' ' && *text != 0x7f);
		if (strncmp(text, "\\u00", 4) == 0 &&
			isxdigit((unsigned char) text[4]) &&
			isxdigit((unsigned char) text[5]))
		{
			plain[length++] = strtol(pnstrdup(text + 4, 2), NULL, 16);
			text += 6;
			continue;
		}
		if (text[0] == '\\' && text[1] != '\0')
			text++;
		plain[length++] = *text++;
	}
	FUZZ_CHECK(memmem(plain, length, key, strlen(key)) == NULL);
}

/*
 * Returns the next response of an input, up to a separator or its end, or NULL if
 * none is left.
 */
char *
next_response(char **input, char *end, size_t *length)
{
	char *start = *input;
	char *separator;

	if (start > end)
		return NULL;
	separator = memmem(start, end - start, RESPONSE_SEPARATOR,
					   strlen(RESPONSE_SEPARATOR));
	*length = (separator != NULL ? separator : end) - start;
	*input = start + *length + strlen(RESPONSE_SEPARATOR);
	return start;
}
