/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_account.h
 *	  Budgets of statements, and counters of requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_ACCOUNT_H
#define OPPORTUNITY_HTTP_ACCOUNT_H

#include "postgres.h"

#include "base/compat.h"

/* Callback during waits, for progress reports. */
typedef struct HttpWatch
{
	void (*tell)(struct HttpWatch *watch, int64 now); /* advances due */
	int64 due; /* time of the next call, by http_now */
} HttpWatch;

/* Requests of one reader, within the limit of its whole statement. */
typedef struct HttpBudget
{
	int64	   limit; /* maximum of *total; 0: none */
	int64	  *total; /* requests of the whole statement */
	HttpWatch *watch; /* NULL: none */
	int64	   requests;
	int64	   retries;
	int64	   bytes;  /* response bodies */
	int64	   waited; /* microseconds: see HTTP_COUNT_HELD_BACK */
} HttpBudget;

/*
 * Counters of attempts.  An attempt that is in flight or was abandoned is a
 * request without an outcome.
 */
typedef enum HttpCounter
{
	HTTP_COUNT_REQUESTS,
	HTTP_COUNT_RETRIES, /* attempts after the first, part of the requests */

	/* outcomes */
	HTTP_COUNT_SUCCEEDED,		  /* 2xx */
	HTTP_COUNT_NOT_FOUND,		  /* 404 */
	HTTP_COUNT_REFUSED,			  /* any other status */
	HTTP_COUNT_THROTTLED,		  /* see http_is_throttled */
	HTTP_COUNT_FAILED,			  /* other 5xx */
	HTTP_COUNT_CONNECTION_ERRORS, /* no complete response */

	HTTP_COUNT_CONNECTIONS,
	HTTP_COUNT_BYTES,	  /* response bodies, decompressed */
	HTTP_COUNT_WAITED,	  /* microseconds of waits */
	HTTP_COUNT_HELD_BACK, /* part of them with all requests queued */
	HTTP_COUNTER_COUNT
} HttpCounter;

typedef struct HttpCounters
{
	int64 reset_at; /* time of the last reset, by http_now */
	int64 counts[HTTP_COUNTER_COUNT];
} HttpCounters;

extern bool				http_allows(const HttpBudget *budget);
extern bool				http_account_charge(HttpBudget *budget);
pg_noreturn extern void http_account_raise_over_budget(
	const HttpBudget *budget);
extern void http_account_wait(HttpBudget *budget, HttpCounters *counters,
							  int64 wait, bool held_back);

#endif /* OPPORTUNITY_HTTP_ACCOUNT_H */
