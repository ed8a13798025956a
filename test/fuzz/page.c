/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * page.c
 *	  Fuzz target: the body of a response to a query -> records and a cursor.
 *
 * An input is three bytes of choices and the body:
 *
 * - bits: 1: the database is in LATIN1, 2: the whole record is wanted
 * - where: two bytes: the number of bytes after which the body is cut off
 *
 * Apart from memory errors, the target checks that each record of a page has an
 * id, and that its cut form is the same record.  A page without its end is an
 * error.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "api/record.h"

#include "shim.h"

#define LATIN1 1
#define WHOLE_RECORD 2

typedef struct Attempt
{
	AttributeSet *wanted;
	char		 *body;
	int			  length;
	RecordPage	 *page;
	RecordStatus  status;
	ErrorData	 *error; /* instead of a status */
} Attempt;

static void try_parse(Attempt *attempt, AttributeSet *wanted, const char *body,
					  int length);
static void parse(void *argument);
static void check_record(const AttributeSet *wanted, const RecordPage *page,
						 int number);
static void check_cut_off(AttributeSet *wanted, const char *body, int length,
						  int at);

void
fuzz_input(char *data, size_t size)
{
	static const char *const outcomes[] = {
		[RECORD_OK] = "page",
		[RECORD_CUT] = "cut",
		[RECORD_FAILURE] = "failure",
		[RECORD_MALFORMED] = "malformed",
	};
	AttributeSet *wanted = attribute_set_create();
	Attempt		  attempt;

	if (size < 3)
		return;
	shim_set_database_encoding(data[0] & LATIN1 ? PG_LATIN1 : PG_UTF8);
	attribute_set_add(wanted, "id");
	attribute_set_add(wanted, "created_at");
	attribute_set_add(wanted, "amount");
	if (data[0] & WHOLE_RECORD)
		wanted->wants_record = true;

	try_parse(&attempt, wanted, data + 3, size - 3);
	if (attempt.error != NULL)
	{
		shim_outcome_error(attempt.error);
		return;
	}
	shim_outcome(outcomes[attempt.status]);
	if (attempt.status != RECORD_OK)
		return;
	shim_outcome(attempt.page->next_cursor != NULL ? "cursor" : "last");
	FUZZ_CHECK(attempt.page->next_cursor == NULL ||
			   attempt.page->next_cursor[0] != '\0');
	FUZZ_CHECK(attempt.page->total >= -1 && attempt.page->total <= 1e15);
	if (attempt.page->total >= 0)
		shim_outcome("total");
	if (attempt.page->has_more)
		shim_outcome("more");
	for (int i = 0; i < attempt.page->count; i++)
		check_record(wanted, attempt.page, i);
	check_cut_off(wanted, data + 3, size - 3,
				  (unsigned char) data[1] * 256 + (unsigned char) data[2]);
}

/* Reads a copy of the body; an access beyond its end is an error. */
static void
try_parse(Attempt *attempt, AttributeSet *wanted, const char *body, int length)
{
	memset(attempt, 0, sizeof(*attempt));
	attempt->wanted = wanted;
	attempt->body = palloc0(length + JSON_PADDING);
	attempt->length = length;
	memcpy(attempt->body, body, length);
	attempt->error = shim_catch(parse, attempt);
}

static void
parse(void *argument)
{
	Attempt *attempt = argument;
	char	*problem = NULL;

	attempt->status =
		record_parse_page(attempt->wanted, attempt->body, attempt->length,
						  &attempt->page, &problem);
	FUZZ_CHECK((attempt->status == RECORD_OK ||
				attempt->status == RECORD_FAILURE) == (problem == NULL));
	FUZZ_CHECK(problem == NULL || shim_is_server_text(problem));
}

static void
check_record(const AttributeSet *wanted, const RecordPage *page, int number)
{
	const Record  *record = record_read(page, number);
	StringInfoData text;
	Record		  *again;
	char		  *problem;

	FUZZ_CHECK(memcmp(&record->id, &page->records[number].id,
					  sizeof(record->id)) == 0);
	initStringInfo(&text);
	record_write_cut(wanted, record, &text);
	FUZZ_CHECK(record_parse(wanted, text.data, text.len, &again, &problem) ==
			   RECORD_OK);
	FUZZ_CHECK(memcmp(&again->id, &record->id, sizeof(record->id)) == 0);
}

/* Checks that a page without its end, apart from spaces, is an error. */
static void
check_cut_off(AttributeSet *wanted, const char *body, int length, int at)
{
	Attempt attempt;

	while (length > 0 && strchr(" \t\r\n", body[length - 1]) != NULL)
		length--;
	if (at >= length)
		return;
	try_parse(&attempt, wanted, body, at);
	FUZZ_CHECK(attempt.error != NULL || attempt.status != RECORD_OK);
}
