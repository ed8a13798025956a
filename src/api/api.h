/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api.h
 *	  The Reevo API for one user and one record type: state and requests that
 *	  its endpoints share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_H
#define OPPORTUNITY_API_H

#include "postgres.h"

#include "http/connection.h"
#include "http/http.h"
#include "option/option.h"

#define API_HEALTH_PATH "/api/v2/health"
#define API_RECORD_PATH "/api/v2/%s/%s"
#define API_QUERY_PATH "/api/v2/%s/_query"
#define API_SCHEMA_PATH "/api/v2/_schema/%s"

typedef struct Api
{
	MemoryContext	context; /* of all transfers; holds the connection */
	const Settings *settings;
	Credentials	   *credentials;
	Connection	   *connection;
	int64		   *record_total; /* NULL: not counted */
	int				merged_total; /* number of merged records */
	HttpTarget		target;
	HttpTarget		anonymous_target; /* the same without the key */
} Api;

extern Api *api_open(const Settings *settings, Credentials *credentials,
					 int64 *record_total);
extern HttpTransfer *api_start(Api *api, ApiEndpoint endpoint, const char *path,
							   const char *json, HttpBudget *budget);
extern void			 api_wait(HttpTransfer *transfer);
extern char			*api_body(const HttpTransfer *transfer);
extern void			 api_count_records(const Api *api, int count);

#endif /* OPPORTUNITY_API_H */
