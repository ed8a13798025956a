/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_error.h
 *	  Error responses of the API, for api*.c only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_ERROR_H
#define OPPORTUNITY_API_ERROR_H

#include "postgres.h"

#include "api/api.h"
#include "api/record_parser.h"
#include "base/compat.h"

/*
 * Never call jansson's json_object: PostgreSQL exports a function of that name,
 * which the dynamic linker would use instead.
 */
#define json_object jansson_json_object
#include <jansson.h>
#undef json_object
#ifdef __GNUC__
#pragma GCC poison json_object
#endif

/* Error codes that the API documents. */
#define API_RECORD_NOT_FOUND "record_not_found"
#define API_UNKNOWN_TYPE "unknown_record_type"

/*
 * Description of an error response.  The status is the HTTP status.  If that is
 * 200, it is the status that the body's error stands for, or 0.
 */
typedef struct ApiProblem
{
	const Api	 *api;
	HttpTransfer *transfer;
	long		  status;
	bool		  is_json;
	bool		  is_cut; /* body is a truncated JSON text */
	bool		  has_data;
	bool		  is_healthy; /* "data" reports a healthy API */
	bool		  is_throttling;
	bool		  is_gateway; /* sent by a gateway in front of the API */
	char		  code[128];  /* empty: none */
	char		  message[1024];
} ApiProblem;

extern bool		  api_check_response(const Api *api, HttpTransfer *transfer,
									 const char *what, const char *where,
									 RecordStatus status, const char *reason,
									 ApiProblem *problem);
extern json_t	 *api_load_json(const HttpTransfer *transfer, bool *is_cut);
extern ApiProblem api_read_problem(const Api *api, HttpTransfer *transfer);
extern bool		  api_retry(const ApiProblem *problem);
pg_noreturn extern void api_raise(const ApiProblem *problem, int sqlstate,
								  const char *message, const char *hint);
pg_noreturn extern void api_raise_problem(const ApiProblem *problem);
pg_noreturn extern void api_raise_not_found(const ApiProblem *problem);
pg_noreturn extern void api_raise_malformed(const ApiProblem *problem,
											const char		 *what,
											const char		 *reason);

#endif /* OPPORTUNITY_API_ERROR_H */
