/*-------------------------------------------------------------------------
 *
 * answer.c
 *	  Asks the API for a record, and looks at what is made of its answer: the
 *	  same checks whether that comes as a body or by HTTP.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "id.h"

#include "answer.h"
#include "shim.h"

/* The second one has what JSON escapes. */
#define KEY "test-key"
#define ODD_KEY "a\"\\b/k"

/* More than a message, a detail or a hint has to say. */
#define LONGEST_TEXT 1200

/* The SQLSTATEs of an answer, whatever it is. */
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

static Question *current;

static void ask(void *argument);
static void check_transfer(const HttpTransfer *transfer);
static void check_error(const Question *question);
static void check_text(const char *text, const char *key);

/* In the current context, which should be the statement's. */
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
	question->wanted = attribute_set_create();
	attribute_set_add(question->wanted, "id");
	attribute_set_add(question->wanted, "display_name");
	current = question;
	return question;
}

/* In place of connection.c's, which asks a catalog. */
Connection *
connection_acquire(Oid umid, Oid serverid)
{
	(void) umid;
	(void) serverid;
	return &current->connection;
}

/* Asks for the record, and checks the error that comes of it. */
void
question_ask(Question *question)
{
	question->error = shim_catch(ask, question);
	if (question->error != NULL)
	{
		check_error(question);
		shim_outcome_error(question->error);
	}
	else
		shim_outcome(question->found ? "record" : "none");
}

static void
ask(void *argument)
{
	Question *question = argument;
	Api		 *api = api_open(&question->settings, &question->credentials);
	pg_uuid_t id;

	FUZZ_CHECK(id_parse(ANSWER_RECORD_ID, &id));
	question->transfer = api_get_record(api, &id, &question->budget);
	http_wait(question->transfer);
	check_transfer(question->transfer);
	question->found =
		api_finish_record(api, question->transfer, &id, &question->budget,
						  question->wanted, &question->record);
	if (question->found)
		FUZZ_CHECK(pg_strcasecmp(question->record->id_text, ANSWER_RECORD_ID) ==
				   0);
	http_end(question->transfer);
	question->transfer = NULL;
}

/* What http.h says of a transfer that is over. */
static void
check_transfer(const HttpTransfer *transfer)
{
	FUZZ_CHECK(transfer->outcome != HTTP_PENDING);
	FUZZ_CHECK(transfer->attempts >= 1 && transfer->attempts <= 3);
	if (transfer->outcome != HTTP_ANSWERED)
		return;
	FUZZ_CHECK(transfer->length < 1024 * 1024);
	FUZZ_CHECK(transfer->body != NULL ? transfer->body[transfer->length] == '\0'
									  : transfer->length == 0);
	FUZZ_CHECK(transfer->retry_after == -1 ||
			   (transfer->retry_after >= 1000 &&
				transfer->retry_after <= INT_MAX &&
				transfer->retry_after % 1000 == 0));
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
 * A text of a message is short, is one line, and does not have the key, be it
 * with its characters escaped as in JSON.
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
 * Takes the next of several answers from an input, up to a separator or its
 * end; NULL where there is none left.
 */
char *
next_answer(char **input, char *end, size_t *length)
{
	char *start = *input;
	char *separator;

	if (start > end)
		return NULL;
	separator =
		memmem(start, end - start, ANSWER_SEPARATOR, strlen(ANSWER_SEPARATOR));
	*length = (separator != NULL ? separator : end) - start;
	*input = start + *length + strlen(ANSWER_SEPARATOR);
	return start;
}
