/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_attempt.h
 *	  The attempts of a transfer: budget, options, responses, outcomes and
 *	  retries.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_ATTEMPT_H
#define OPPORTUNITY_HTTP_ATTEMPT_H

#include "postgres.h"

#include "base/compat.h"
#include "http/http_pool.h"

/* Defect of a complete response: see http_retry. */
typedef enum HttpFault
{
	HTTP_FAULT_CUT,		 /* truncated body */
	HTTP_FAULT_FAILED,	 /* failure that may be temporary */
	HTTP_FAULT_THROTTLED /* too many requests */
} HttpFault;

extern bool http_allows(const HttpBudget *budget);
extern bool http_status_is_transient(long status);
extern bool http_is_throttled(const HttpTransfer *transfer);
extern bool http_retry(HttpTransfer *transfer, HttpFault fault);

extern bool				http_attempt_charge(HttpBudget *budget);
pg_noreturn extern void http_attempt_raise_over_budget(
	const HttpBudget *budget);
extern void http_attempt_check(int code, const char *what);
extern void http_attempt_create(HttpTransfer *transfer, const char *body);
extern void http_attempt_enqueue(HttpTransfer *transfer, int64 delay);
extern void http_attempt_end(HttpTransfer *transfer);
extern bool http_attempt_was_sent(const HttpTransfer *transfer);

#endif /* OPPORTUNITY_HTTP_ATTEMPT_H */
