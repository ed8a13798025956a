/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api.h
 *	  The Reevo API for one user and one record type: state, requests and
 *	  errors that its endpoints share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_H
#define OPPORTUNITY_API_H

#include "postgres.h"

#include "api/record.h"
#include "base/compat.h"
#include "http/connection.h"
#include "http/http.h"
#include "option/option.h"

/* Paths below base_url, with a record type, and an id as the second %s. */
#define API_HEALTH_PATH "/api/v2/health"
#define API_RECORD_PATH "/api/v2/%s/%s"
#define API_QUERY_PATH "/api/v2/%s/_query"
#define API_SCHEMA_PATH "/api/v2/_schema/%s"

/* Error codes that the API documents. */
#define API_RECORD_NOT_FOUND "record_not_found"
#define API_UNKNOWN_TYPE "unknown_record_type"

/* The API for one user and one record type, for a statement. */
typedef struct Api
{
	MemoryContext	context; /* of all transfers; holds the connection */
	const Settings *settings;
	Credentials	   *credentials;  /* wiped at the end of the context */
	Connection	   *connection;	  /* of the session, for the user mapping */
	int64		   *record_total; /* received records; NULL: not counted */
	int				merged_total; /* merged records: see report_merged */
	HttpTarget		target;
	HttpTarget		anonymous_target; /* the same without the key */
} Api;

/*
 * Description of an error response.  For HTTP status 200, the status is the
 * one that the body's error stands for, or 0.  The code and the message are in
 * UTF-8, without the key, and truncated to their size.
 */
typedef struct ApiProblem
{
	const Api	 *api;
	HttpTransfer *transfer;
	long		  status;
	bool		  is_json;		 /* body is a JSON object */
	bool		  is_cut;		 /* body is a truncated JSON text */
	bool		  has_data;		 /* "data" is present, and not null */
	bool		  is_healthy;	 /* "data" reports a healthy API */
	bool		  is_throttling; /* too many requests */
	bool		  is_gateway;	 /* sent by a gateway in front of the API */
	char		  code[128];	 /* empty: none */
	char		  message[1024];
} ApiProblem;

extern Api *api_open(const Settings *settings, Credentials *credentials,
					 int64 *record_total);
extern HttpTransfer *api_start(Api *api, ApiEndpoint endpoint, const char *path,
							   const char *json, HttpBudget *budget);
extern void			 api_wait(HttpTransfer *transfer);

/* for the endpoints: responses that are not as expected */
extern bool		  api_check_response(const Api *api, HttpTransfer *transfer,
									 const char *what, RecordStatus status,
									 const char *reason, ApiProblem *problem);
extern ApiProblem api_read_problem(const Api *api, HttpTransfer *transfer);
extern bool		  api_retry(const ApiProblem *problem);
pg_noreturn extern void api_raise(const ApiProblem *problem, int sqlstate,
								  const char *message, const char *hint);
pg_noreturn extern void api_raise_problem(const ApiProblem *problem);
pg_noreturn extern void api_raise_malformed(const ApiProblem *problem,
											const char		 *what,
											const char		 *reason);

#endif /* OPPORTUNITY_API_H */
