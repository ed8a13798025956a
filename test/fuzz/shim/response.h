/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * response.h
 *	  Shared by the targets that read whole responses of the API.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FUZZ_RESPONSE_H
#define FUZZ_RESPONSE_H

#include "postgres.h"

#include "api/api_records.h"
#include "fetch/statement.h"
#include "http/connection.h"

/* The id of the fetched record, and the separator of two responses. */
#define RESPONSE_RECORD_ID "00000000-0000-4000-8000-000000010001"
#define RESPONSE_SEPARATOR "\n%%\n"

/* The value for no result of a query. */
#define RESPONSE_NO_RESULT (-1)

/* A question to the API, and its outcome. */
typedef struct Question
{
	Settings	  settings;
	Credentials	  credentials;
	Connection	  connection;
	SessionStats  stats;
	HttpBudget	  budget;
	int64		  requests;
	AttributeSet *wanted;
	HttpTransfer *transfer;
	Record		 *record;
	bool		  found;
	bool		  is_denied;	/* see api_is_denial */
	bool		  is_refused;	/* a rejection of the query has been noted */
	int			  pending;		/* requests that are sent but not read */
	int			  first_result; /* of the first page: a QueryResult, or
								 * RESPONSE_NO_RESULT */
	ErrorData	 *error;
} Question;

extern Question *question_create(bool odd_key);
extern void		 question_ask(Question *question);
extern void		 question_query(Question *question);
extern char		*next_response(char **input, char *end, size_t *length);

#endif /* FUZZ_RESPONSE_H */
