/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_health.h
 *	  GET /api/v2/health: shows if the server behind a base URL is the API.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_HEALTH_H
#define OPPORTUNITY_API_HEALTH_H

#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"

extern HttpTransfer	   *api_ask_health(Api *api, HttpBudget *budget);
extern bool				api_finish_health(Api *api, HttpTransfer *transfer);
extern bool				api_is_healthy(Api *api, HttpBudget *budget);
pg_noreturn extern void api_raise_unhealthy(const Api	 *api,
											HttpTransfer *transfer);

#endif /* OPPORTUNITY_API_HEALTH_H */
