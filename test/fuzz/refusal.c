/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * refusal.c
 *	  Fuzz target: the status and the body of a response -> a record, its
 *	  absence, pages of records, or an error that quotes the body.
 *
 * The responses come from the input, without HTTP.  An input is two bytes, the
 * content type up to the end of a line, and the body:
 *
 * - status: an index into the lists below
 * - bits: 1: the database is in LATIN1, 2: the key has odd characters, 4: no
 *	 content type, 8: a Retry-After
 * - bits, for the request: 16: a query for pages of records, with its own list of
 *	 statuses, 32: a query decides whether a record is missing
 *
 * After a separator follows another response, with status 200.  It is for GET
 * /health, or for the query for the next page or for a record that may be
 * missing.  A response with status 200 that is cut or reports a transient failure
 * is fetched again, while there is another response.
 *
 * Apart from memory errors, the target checks the outcome of each status, and
 * that no message shows the key, is long, or has several lines (shim/response.c).
 * Redaction has the same result wherever the text is cut off.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "base/remote_text.h"

#include "response.h"
#include "shim.h"

#define LATIN1 1
#define ODD_KEY 2
#define NO_CONTENT_TYPE 4
#define RETRY_AFTER 8
#define QUERY 16
#define USE_QUERY 32

/* Length of the start of a body for the test of the redaction. */
#define LONGEST_REDACTED 300

/* The outcomes of any response; 0: a record or its absence. */
#define ANY_OUTCOME                                                       \
	0, ERRCODE_PROTOCOL_VIOLATION, ERRCODE_UNTRANSLATABLE_CHARACTER,      \
		ERRCODE_CONNECTION_FAILURE, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, \
		ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,                      \
		ERRCODE_INSUFFICIENT_PRIVILEGE, ERRCODE_FDW_TABLE_NOT_FOUND,      \
		ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION, ERRCODE_FDW_ERROR

/* The outcomes by status, apart from a missing end. */
static const struct
{
	int status;
	int outcomes[10];
} statuses[] = {
	/* The body may report any failure. */
	{200, {ANY_OUTCOME}},
	/* Another response decides whether the record or the path is missing. */
	{404, {ANY_OUTCOME}},
	{400, {ERRCODE_FDW_ERROR}},
	{401, {ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION}},
	{403,
	 {ERRCODE_INSUFFICIENT_PRIVILEGE, ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
	  ERRCODE_FDW_ERROR}},
	{422, {ERRCODE_FDW_ERROR}},
	{429, {ERRCODE_CONFIGURATION_LIMIT_EXCEEDED}},
	{500, {ERRCODE_FDW_ERROR}},
	{503, {ERRCODE_CONFIGURATION_LIMIT_EXCEEDED}},
	{302, {ERRCODE_FDW_ERROR}},
	{204, {0}},
	{410, {ANY_OUTCOME}},
	{407, {ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION}},
	{408, {ERRCODE_FDW_ERROR}},
	{501, {ERRCODE_FDW_ERROR}},
	{201, {ERRCODE_PROTOCOL_VIOLATION}},
};

/* The result of a query by status, without a code; it may also be an error. */
static const struct
{
	int status;
	int result;
} query_statuses[] = {
	{200, QUERY_PAGE},			{400, QUERY_REFUSED},
	{401, RESPONSE_NO_RESULT},	{403, RESPONSE_NO_RESULT},
	{404, QUERY_NOT_SUPPORTED}, {405, QUERY_NOT_SUPPORTED},
	{413, QUERY_REFUSED},		{422, QUERY_REFUSED},
	{429, RESPONSE_NO_RESULT},	{500, RESPONSE_NO_RESULT},
	{501, QUERY_NOT_SUPPORTED}, {503, RESPONSE_NO_RESULT},
	{302, RESPONSE_NO_RESULT},	{204, QUERY_PAGE},
	{410, QUERY_NOT_SUPPORTED}, {414, QUERY_REFUSED},
	{408, RESPONSE_NO_RESULT},
};

/* The unused rest of the input. */
static char		  *input;
static char		  *input_end;
static const char *content_type;
static long		   next_status;
static long		   retry_after;

static void ask_for_record(Question *question, int number);
static void ask_for_pages(Question *question, int number);
static bool may_come_to(int status, int outcome);
static void take_response(HttpTransfer *transfer);
static void check_redaction(const char *key, const char *body, size_t length);

void
fuzz_input(char *data, size_t size)
{
	Question *question;

	if (size < 2)
		return;
	shim_libraries_begin();
	shim_set_database_encoding(data[1] & LATIN1 ? PG_LATIN1 : PG_UTF8);
	retry_after = data[1] & RETRY_AFTER ? 5000 : -1;
	content_type = data[1] & NO_CONTENT_TYPE ? NULL : data + 2;
	input_end = data + size;
	input = memchr(data + 2, '\n', size - 2);
	if (input == NULL)
		input = input_end;
	else
		*input++ = '\0';

	question = question_create((data[1] & ODD_KEY) != 0);
	question->settings.use_query = (data[1] & USE_QUERY) != 0;
	check_redaction(question->credentials.api_key, input, input_end - input);
	if ((data[1] & QUERY) != 0)
		ask_for_pages(question, (unsigned char) (data[0] - 'A'));
	else
		ask_for_record(question, (unsigned char) (data[0] - 'A'));
	shim_libraries_end();
}

static void
ask_for_record(Question *question, int number)
{
	int status = statuses[number % lengthof(statuses)].status;
	int outcome;

	next_status = status;
	question_ask(question);
	outcome = question->error != NULL ? question->error->sqlerrcode : 0;
	FUZZ_CHECK(may_come_to(status, outcome));
	FUZZ_CHECK(!question->found || status == 200);
	FUZZ_CHECK(!question->is_denied ||
			   outcome == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION ||
			   outcome == ERRCODE_INSUFFICIENT_PRIVILEGE ||
			   outcome == ERRCODE_CONNECTION_FAILURE);
}

/* A code in the body has priority over the status. */
static void
ask_for_pages(Question *question, int number)
{
	number %= lengthof(query_statuses);
	next_status = query_statuses[number].status;
	question_query(question);
	switch (question->first_result)
	{
		case RESPONSE_NO_RESULT:
			FUZZ_CHECK(question->error != NULL);
			/* The response is a rejection, has no end, or has another path. */
			FUZZ_CHECK(
				query_statuses[number].status == 200 ||
				query_statuses[number].result == RESPONSE_NO_RESULT ||
				question->error->sqlerrcode == ERRCODE_CONNECTION_FAILURE ||
				question->error->sqlerrcode == ERRCODE_FDW_TABLE_NOT_FOUND);
			break;
		case QUERY_CURSOR_GONE:
		case QUERY_FILTER_REFUSED:
		case QUERY_VALUE_REFUSED:
		case QUERY_SORT_REFUSED:
			break;
		default:
			FUZZ_CHECK(query_statuses[number].status == 200 ||
					   question->first_result == query_statuses[number].result);
	}
	FUZZ_CHECK(question->error != NULL ||
			   question->first_result == QUERY_PAGE ||
			   question->first_result == QUERY_CURSOR_GONE);
}

static bool
may_come_to(int status, int outcome)
{
	/* The response was cut: see http_retry. */
	if (outcome == ERRCODE_CONNECTION_FAILURE)
		return true;
	for (size_t i = 0; i < lengthof(statuses); i++)
	{
		if (statuses[i].status != status)
			continue;
		for (size_t j = 0; j < lengthof(statuses[i].outcomes); j++)
		{
			if (statuses[i].outcomes[j] == outcome && (outcome != 0 || j == 0))
				return true;
		}
	}
	return false;
}

/* Checks that a small buffer gets the start of the text for a large one. */
static void
check_redaction(const char *key, const char *body, size_t length)
{
	char  *text;
	char  *whole;
	size_t copied;

	/* A copy, so that an access beyond its end is an error. */
	length = Min(length, LONGEST_REDACTED);
	text = palloc(length);
	memcpy(text, body, length);

	whole = palloc(length + 1);
	copied = redact_copy(key, text, length, whole, length + 1);
	FUZZ_CHECK(copied <= length && whole[copied] == '\0');
	FUZZ_CHECK(memmem(whole, copied, key, strlen(key)) == NULL);
	for (size_t size = 1; size <= length + 1; size += 23)
	{
		char  *part = palloc(size);
		size_t kept = redact_copy(key, text, length, part, size);

		FUZZ_CHECK(kept == Min(copied, size - 1));
		FUZZ_CHECK(memcmp(part, whole, kept) == 0 && part[kept] == '\0');
	}
}

/* Gives the transfer the next body of the input, in memory of its own. */
static void
take_response(HttpTransfer *transfer)
{
	char *body = next_response(&input, input_end, &transfer->length);

	if (transfer->body != NULL)
		pfree(transfer->body);
	transfer->body = NULL;
	if (body == NULL || transfer->length == 0)
	{
		transfer->length = 0;
		return;
	}
	transfer->body = palloc0(transfer->length + HTTP_BODY_PADDING);
	memcpy(transfer->body, body, transfer->length);
}

/* --- Replacements for http.c --- */

HttpTransfer *
http_start(HttpPool *pool, const HttpTarget *target, HttpCounters *counters,
		   const char *url, const char *json, HttpBudget *budget)
{
	HttpTransfer *transfer = palloc0(sizeof(HttpTransfer));
	bool		  is_health = strstr(url, "/api/v2/health") != NULL;

	(void) pool;
	counters->counts[HTTP_COUNT_REQUESTS]++;
	FUZZ_CHECK(is_health == (target->bearer_token == NULL));
	FUZZ_CHECK((json != NULL) ==
			   (strstr(url, "/api/v2/opportunity/_query") != NULL));
	if (budget->limit > 0 && *budget->total >= budget->limit)
		ereport(ERROR, (errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						errmsg("too many requests")));
	(*budget->total)++;
	take_response(transfer);
	transfer->status = next_status;
	next_status = 200;
	transfer->content_type = unconstify(char *, content_type);
	transfer->retry_after = retry_after;
	transfer->attempts = 1;
	return transfer;
}

HttpTransfer *
http_wait_any(HttpTransfer **transfers, int count)
{
	FUZZ_CHECK(count == 1);
	transfers[0]->outcome = HTTP_RESPONDED;
	return transfers[0];
}

bool
http_retry(HttpTransfer *transfer, HttpFault fault)
{
	FUZZ_CHECK(transfer->outcome == HTTP_RESPONDED);
	if (transfer->status == 200 && input <= input_end)
	{
		take_response(transfer);
		transfer->attempts++;
		transfer->outcome = HTTP_PENDING;
		return true;
	}
	/* Only a body with a beginning can lack its end. */
	FUZZ_CHECK(fault != HTTP_FAULT_CUT || transfer->status == 200 ||
			   (transfer->length > 0 &&
				strspn(transfer->body, " \t\r\n") < transfer->length));
	if (fault == HTTP_FAULT_CUT)
		transfer->outcome = HTTP_BROKEN;
	return false;
}

bool
http_is_throttled(const HttpTransfer *transfer)
{
	return transfer->outcome == HTTP_RESPONDED &&
		   (transfer->status == 429 || transfer->status == 503 ||
			(transfer->status == 403 && transfer->retry_after >= 0));
}

void
http_end(HttpTransfer *transfer)
{
	if (transfer->body != NULL)
		pfree(transfer->body);
	pfree(transfer);
}

void
http_raise(HttpTransfer *transfer)
{
	FUZZ_CHECK(transfer->outcome == HTTP_BROKEN);
	ereport(ERROR, (errcode(ERRCODE_CONNECTION_FAILURE),
					errmsg("the response ended early")));
}
