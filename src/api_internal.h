/*-------------------------------------------------------------------------
 *
 * api_internal.h
 *	  What the endpoints of the API have in common.
 *
 * For api*.c alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_INTERNAL_H
#define OPPORTUNITY_API_INTERNAL_H

#include "postgres.h"

#include "api.h"
#include "compat.h"
#include "connection.h"

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

struct Api
{
	MemoryContext context; /* of all transfers, since it holds the connection */
	const Settings *settings;
	Credentials	   *credentials;
	Connection	   *connection;
	int64		   *record_total; /* NULL: not counted */
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

/* A larger body is not searched for an error's code. */
#define API_MAX_ERROR_BODY (1024 * 1024)

/* api.c */
extern HttpTransfer *api_start(Api *api, ApiEndpoint endpoint, const char *path,
							   const char *json, HttpBudget *budget);
extern void			 api_count_records(const Api *api, int count);
extern char			*api_body(const HttpTransfer *transfer);
extern char			*api_body_to_try(const HttpTransfer *transfer);

/* api_health.c */
extern bool api_is_healthy(Api *api, HttpBudget *budget);

/* api_error.c */
extern bool		  api_check_answer(const Api *api, const HttpTransfer *transfer,
								   const char *what, const char *where,
								   RecordStatus status, const char *problem);
extern json_t	 *api_load_json(const HttpTransfer *transfer, bool *is_cut);
extern ApiProblem api_read_problem(const Api		  *api,
								   const HttpTransfer *transfer);
extern char		 *api_describe(const Api *api, const HttpTransfer *transfer,
							   const ApiProblem *problem);
pg_noreturn extern void api_raise_not_found(const Api		 *api,
											HttpTransfer	 *transfer,
											const ApiProblem *problem);
pg_noreturn extern void api_raise_malformed(const Api		   *api,
											const HttpTransfer *transfer,
											const char		   *what,
											const char		   *problem);

#endif /* OPPORTUNITY_API_INTERNAL_H */
