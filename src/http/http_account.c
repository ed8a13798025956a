/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_account.c
 *	  Budgets of statements, and counters of requests.
 *
 * Must not know transfers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "http/http_account.h"

/* Time held back after which a reader logs it, in microseconds. */
#define HTTP_LOGGED_WAIT 1000000

/* Returns true if a budget allows another request. */
bool
http_allows(const HttpBudget *budget)
{
	return budget->limit == 0 || *budget->total < budget->limit;
}

/*
 * Charges a request to a budget.  Returns false, and charges nothing, if that
 * would exceed it.
 */
bool
http_account_charge(HttpBudget *budget)
{
	if (!http_allows(budget))
		return false;
	(*budget->total)++;
	budget->requests++;
	return true;
}

/* Raises the error of a budget that is used up. */
void
http_account_raise_over_budget(const HttpBudget *budget)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("statement needs more than " INT64_FORMAT " API requests",
					budget->limit),
			 errhint("Narrow the query, or increase the option "
					 "\"max_requests\" of the foreign table or server. A scan "
					 "uses the fewest requests with \"max_concurrency\" set "
					 "to 1.")));
}

/*
 * Adds a wait of a reader, in microseconds.  held_back: all awaited requests
 * were queued, because the server throttles or cannot be reached.
 */
void
http_account_wait(HttpBudget *budget, HttpCounters *counters, int64 wait,
				  bool held_back)
{
	int64 before = budget->waited;

	counters->counts[HTTP_COUNT_WAITED] += wait;
	if (!held_back)
		return;
	counters->counts[HTTP_COUNT_HELD_BACK] += wait;
	budget->waited += wait;
	if (before < HTTP_LOGGED_WAIT && budget->waited >= HTTP_LOGGED_WAIT)
		ereport(DEBUG1, (errmsg_internal("delaying API requests because of "
										 "throttling or connection failures")));
}
