/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_account.c
 *	  Accounting of requests: budgets, counters, and a log line for each
 *	  attempt.
 *
 * Attempts begin and end where errors are forbidden and signals are blocked.
 * Log lines are therefore queued, and http_account_tell writes them.
 *
 * Must not know JSON, the API or SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "http/http_internal.h"

/* Time held back after which a statement logs it once. */
#define HTTP_NOTABLE_WAIT 1000000 /* microseconds */

/* Bytes logged of a URL's path, including the NUL. */
#define HTTP_LOGGED_PATH 128

/* A finished attempt, queued for the log. */
typedef struct LogEntry
{
	dlist_node	node;
	bool		is_post;
	char		path[HTTP_LOGGED_PATH];
	HttpOutcome outcome;
	long		status;
	int64		took; /* microseconds */
	size_t		length;
	int			attempt;
} LogEntry;

static void		   count_outcome(const HttpTransfer *transfer);
static void		   count_response(const HttpTransfer *transfer);
static void		   remember(HttpTransfer *transfer);
static void		   tell_log(HttpPool *pool);
static const char *path_of(const char *url);
static const char *outcome_text(HttpOutcome outcome);

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

/* Counts an attempt that is handed to libcurl.  Raises no error. */
void
http_account_begin(HttpTransfer *transfer)
{
	HttpCounters *counters = transfer->private->counters;

	transfer->private->resets = counters->resets;
	counters->requests++;
	if (transfer->attempts > 1)
		counters->retries++;
}

/*
 * Counts the outcome of an attempt, and queues its log line.  Raises no error.
 */
void
http_account_end(HttpTransfer *transfer)
{
	if (transfer->outcome == HTTP_RESPONDED)
		transfer->private->budget->bytes += transfer->length;
	if (transfer->private->resets == transfer->private->counters->resets)
		count_outcome(transfer);
	if (message_level_is_interesting(DEBUG1))
		remember(transfer);
}

/*
 * Sets counters to zero.  Outcomes of attempts in flight are not counted later.
 */
void
http_reset_counters(HttpCounters *counters)
{
	int64 resets = counters->resets + 1;

	memset(counters, 0, sizeof(*counters));
	counters->resets = resets;
}

static void
count_outcome(const HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;
	HttpCounters *counters = private->counters;
	long		  connections = 0;

	/* A parked handle is no longer the transfer's: see http_pool_remove. */
	if (private->easy != NULL)
		curl_easy_getinfo(private->easy, CURLINFO_NUM_CONNECTS, &connections);
	counters->connections += connections;
	if (transfer->outcome == HTTP_RESPONDED)
	{
		counters->bytes += transfer->length;
		count_response(transfer);
	}
	else
		counters->broken++;
}

static void
count_response(const HttpTransfer *transfer)
{
	HttpCounters *counters = transfer->private->counters;
	long		  status = transfer->status;

	if (status >= 200 && status < 300)
		counters->succeeded++;
	else if (status == 404)
		counters->not_found++;
	else if (http_is_throttled(transfer))
		counters->throttled++;
	else if (status >= 500)
		counters->failed++;
	else
		counters->refused++;
}

/*
 * Adds a wait for a transfer, in microseconds, to its counters.  held_back: all
 * awaited requests were queued, because the server throttles or cannot be
 * reached.
 */
void
http_account_wait(HttpTransfer *transfer, int64 wait, bool held_back)
{
	HttpBudget	 *budget = transfer->private->budget;
	HttpCounters *counters = transfer->private->counters;

	counters->waited += wait;
	if (!held_back)
		return;
	counters->held_back += wait;
	budget->waited += wait;
	if (budget->waited < HTTP_NOTABLE_WAIT || budget->has_said_so)
		return;
	budget->has_said_so = true;
	ereport(DEBUG1, (errmsg_internal("delaying API requests because of "
									 "throttling or connection failures")));
}

/* Queues an attempt for the log.  Does nothing if memory is out. */
static void
remember(HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;
	LogEntry *entry =
		MemoryContextAllocExtended(private->pool->context, sizeof(LogEntry),
								   MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);

	if (entry == NULL)
		return;
	entry->is_post = private->request_body != NULL;
	strlcpy(entry->path, path_of(private->url), sizeof(entry->path));
	entry->outcome = transfer->outcome;
	entry->status = transfer->status;
	entry->took = http_now() - private->sent_at;
	entry->length = transfer->length;
	entry->attempt = transfer->attempts;
	dlist_push_tail(&private->pool->log, &entry->node);
}

/* Returns the part of a URL after its host, or "/". */
static const char *
path_of(const char *url)
{
	const char *host = strstr(url, "://");
	const char *path = host != NULL ? strchr(host + 3, '/') : NULL;

	return path != NULL ? path : "/";
}

/*
 * Writes the queued log lines of a transfer's pool, and calls its watch if that
 * is due.  May process interrupts.
 */
void
http_account_tell(HttpTransfer *transfer)
{
	HttpWatch *watch = transfer->private->budget->watch;
	int64	   now;

	tell_log(transfer->private->pool);
	if (watch == NULL)
		return;
	now = http_now();
	if (now >= watch->due)
		watch->tell(watch, now);
}

/*
 * Writes the log lines in the order in which the attempts ended.  Each entry is
 * removed first, because ereport may process interrupts and not return.
 */
static void
tell_log(HttpPool *pool)
{
	while (!dlist_is_empty(&pool->log))
	{
		LogEntry *entry =
			dlist_container(LogEntry, node, dlist_pop_head_node(&pool->log));
		LogEntry copy = *entry;
		char	 result[32];

		pfree(entry);
		if (copy.outcome == HTTP_RESPONDED)
			snprintf(result, sizeof(result), "HTTP status %ld", copy.status);
		else
			strlcpy(result, outcome_text(copy.outcome), sizeof(result));
		ereport(DEBUG1, (errmsg_internal(
							"%s %s: %s after %.1f ms, %zu bytes, attempt %d",
							copy.is_post ? "POST" : "GET", copy.path, result,
							copy.took / 1000.0, copy.length, copy.attempt)));
	}
}

static const char *
outcome_text(HttpOutcome outcome)
{
	switch (outcome)
	{
		case HTTP_NOT_CONNECTED:
			return "connection failed";
		case HTTP_PROXY_REFUSED:
			return "rejected by the proxy";
		case HTTP_NOT_HTTP:
			return "not HTTP";
		case HTTP_TOO_LARGE:
			return "response too large";
		case HTTP_OUT_OF_MEMORY:
			return "out of memory";
		default:
			return "request failed";
	}
}
