/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_internal.h
 *	  State and functions that the endpoints of the API share, for api*.c only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_INTERNAL_H
#define OPPORTUNITY_API_INTERNAL_H

#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"
#include "http/connection.h"

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

/* Facts that the session has learned: see api_facts.c. */
typedef struct ApiFacts ApiFacts;

struct Api
{
	MemoryContext	context; /* of all transfers; holds the connection */
	const Settings *settings;
	Credentials	   *credentials;
	Connection	   *connection;
	ApiFacts	   *facts;
	int64		   *record_total; /* NULL: not counted */
	int				merged_total; /* number of merged records */
	HttpTarget		target;
	HttpTarget		anonymous_target; /* the same without the key */
};

/*
 * Description of an error response.  The status is the HTTP status.  If that is
 * 200, it is the status that the body's error stands for, or 0.
 */
typedef struct ApiProblem
{
	long status;
	bool is_json;
	bool is_cut; /* body is a truncated JSON text */
	bool has_data;
	bool is_throttling;
	bool is_gateway; /* sent by a gateway in front of the API */
	char code[128];	 /* empty: none */
	char message[1024];
} ApiProblem;

/* Largest body, in bytes, that is searched for an error's code. */
#define API_MAX_ERROR_BODY (1024 * 1024)

/* api.c */
extern HttpTransfer *api_start(Api *api, ApiEndpoint endpoint, const char *path,
							   const char *json, HttpBudget *budget);
extern void			 api_count_records(const Api *api, int count);
extern char			*api_body(const HttpTransfer *transfer);

/* api_facts.c */
extern ApiFacts *api_facts_of(Connection *connection, const char *record_type);
extern bool		 api_has_record_path(const Api *api);
extern void		 api_note_record_path(const Api *api);

/* api_health.c */
extern bool api_is_healthy(Api *api, HttpBudget *budget);

/* api_error.c */
extern bool		  api_check_response(const Api *api, HttpTransfer *transfer,
									 const char *what, const char *where,
									 RecordStatus status, const char *reason,
									 ApiProblem *problem);
extern json_t	 *api_load_json(const HttpTransfer *transfer, bool *is_cut);
extern ApiProblem api_read_problem(const Api		  *api,
								   const HttpTransfer *transfer);
extern bool		  api_retry(HttpTransfer *transfer, const ApiProblem *problem);
extern char		 *api_describe(const Api *api, const HttpTransfer *transfer,
							   const ApiProblem *problem);
pg_noreturn extern void api_raise_problem(const Api		   *api,
										  HttpTransfer	   *transfer,
										  const ApiProblem *problem);
pg_noreturn extern void api_raise_not_found(const Api		 *api,
											HttpTransfer	 *transfer,
											const ApiProblem *problem);
pg_noreturn extern void api_raise_malformed(const Api		   *api,
											const HttpTransfer *transfer,
											const char		   *what,
											const char		   *problem);

#endif /* OPPORTUNITY_API_INTERNAL_H */
