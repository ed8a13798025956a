/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http.c
 *	  HTTP transfers over libcurl that always react to interrupts, and URLs.
 *
 * A transfer is one request with its retries.  http_attempt.c starts and ends
 * its attempts, and http_pool.c runs them.
 *
 * Must not know JSON, the API or SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <limits.h>

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "http/http.h"

/* --- URLs --- */

/* Returns true if each byte of a text can be in a URL. */
static bool
url_is_plain(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text <= ' ' || (unsigned char) *text >= 0x7f ||
			*text == '\\' || *text == '"')
			return false;
	}
	return true;
}

/*
 * Copies a part of a URL into a buffer of URL_PART_MAX bytes.  It becomes empty
 * if the part is absent, empty or too long.  Returns libcurl's code.
 */
static CURLUcode
copy_part(CURLU *handle, CURLUPart what, unsigned int flags, char *target)
{
	char	 *part = NULL;
	CURLUcode code = curl_url_get(handle, what, &part, flags);

	target[0] = '\0';
	if (code == CURLUE_OK && strlen(part) < URL_PART_MAX)
		strlcpy(target, part, URL_PART_MAX);
	curl_free(part);
	return code;
}

/* Returns true if a host name always denotes this machine. */
static bool
host_is_loopback(const char *host)
{
	struct in_addr address;

	if (pg_strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, host, &address) == 1 &&
		   (ntohl(address.s_addr) >> 24) == 127;
}

/*
 * Parses a URL with its scheme, as libcurl will do for a request.  Returns
 * false if libcurl rejects it, the scheme or the host is missing or too long,
 * or it has a byte that a URL cannot have.
 */
bool
url_parse(const char *url, UrlParts *parts)
{
	CURLU	 *handle;
	CURLUcode code = CURLUE_OUT_OF_MEMORY;

	/* libcurl would escape some of these bytes instead of rejecting them. */
	if (!url_is_plain(url))
		return false;

	/* No error can be raised before the cleanup. */
	handle = curl_url();
	if (handle != NULL)
		code =
			curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
	if (code == CURLUE_OK)
		code = copy_part(handle, CURLUPART_SCHEME, 0, parts->scheme);
	if (code == CURLUE_OK)
		code = copy_part(handle, CURLUPART_HOST, 0, parts->host);
	if (code == CURLUE_OK)
		code =
			copy_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, parts->port);
	curl_url_cleanup(handle);
	if (code == CURLUE_OUT_OF_MEMORY)
		http_attempt_check(CURLE_OUT_OF_MEMORY, NULL);

	/* libcurl accepts escapes in a host.  It decodes them here. */
	if ((code != CURLUE_OK && code != CURLUE_NO_PORT) ||
		parts->scheme[0] == '\0' || parts->host[0] == '\0' ||
		!url_is_plain(parts->host) || strchr(parts->host, '%') != NULL)
		return false;

	parts->is_loopback = host_is_loopback(parts->host);
	return true;
}

/* --- Transfers --- */

/*
 * Does all the work of a transfer's pool that does not block, and ends the
 * attempts that have finished.  Calls the transfer's watch if that is due.  May
 * process interrupts.  Raises an error if libcurl or the operating system
 * failed, because transfers might then never end.
 */
static void
make_progress(HttpTransfer *transfer)
{
	HttpPool  *pool = transfer->pool;
	HttpWatch *watch = transfer->budget->watch;

	/* The ends of attempts cause retries and change the pace. */
	http_pool_drive(pool);
	while (!dlist_is_empty(&pool->finished))
	{
		HttpTransfer *finished =
			dlist_head_element(HttpTransfer, node, &pool->finished);

		http_pool_remove(finished);
		http_attempt_end(finished);
		if (dlist_is_empty(&pool->finished))
			http_pool_drive(pool);
	}

	if (pool->broken[0] != '\0')
	{
		/* A pending cancel may be the cause, and takes precedence. */
		CHECK_FOR_INTERRUPTS();
		ereport(ERROR, (errcode(pool->broken_state),
						errmsg("could not manage connections to the API"),
						errdetail("%s.", pool->broken),
						errhint("Run the statement again. It opens new "
								"connections.")));
	}
	if (watch != NULL && http_now() >= watch->due)
		watch->tell(watch, http_now());
}

/* Memory context callback: ends a transfer in any state. */
static void
release_transfer(void *arg)
{
	HttpTransfer *transfer = arg;

	http_pool_remove(transfer);
	http_attempt_release_body(transfer);
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->headers);
}

/* Raises the error of a budget that is used up. */
pg_noreturn static void
raise_over_budget(const HttpBudget *budget)
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
 * Starts a GET, or a POST if body is not NULL.  A POST must be safe to repeat.
 *
 * Charges the budget, and copies url and body.  The transfer lives in a new
 * child of the current memory context, and ends when that is deleted or by
 * http_end.  It refers to target, counters and budget, which must outlive it.
 * May process interrupts.  Raises an error if the budget is used up, libcurl
 * refuses an option or memory is out.
 */
HttpTransfer *
http_start(HttpPool *pool, const HttpTarget *target, HttpCounters *counters,
		   const char *url, const char *body, HttpBudget *budget)
{
	MemoryContext context;
	HttpTransfer *transfer;

	if (!http_allows(budget))
		raise_over_budget(budget);

	context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw transfer", ALLOCSET_SMALL_SIZES);
	transfer = MemoryContextAllocZero(context, sizeof(HttpTransfer));
	transfer->context = context;
	transfer->pool = pool;
	transfer->target = target;
	transfer->budget = budget;
	transfer->counters = counters;
	transfer->callback.func = release_transfer;
	transfer->callback.arg = transfer;
	MemoryContextRegisterResetCallback(context, &transfer->callback);
	pool->transfers++;
	transfer->url = MemoryContextStrdup(context, url);
	http_attempt_create(transfer, body);

	/* Send the request now, not when the caller first waits. */
	http_attempt_enqueue(transfer, 0);
	make_progress(transfer);
	return transfer;
}

/* Returns true if a transfer is over.  May process interrupts, never waits. */
bool
http_is_over(HttpTransfer *transfer)
{
	if (transfer->outcome == HTTP_PENDING)
		make_progress(transfer);
	return transfer->outcome != HTTP_PENDING;
}

/*
 * Waits until one of count transfers of the same pool is over, and returns it.
 * Processes interrupts, and calls the watch of the first transfer's budget.
 */
HttpTransfer *
http_wait_any(HttpTransfer **transfers, int count)
{
	HttpTransfer *first = transfers[0];
	HttpWatch	 *watch = first->budget->watch;

	for (;;)
	{
		bool  held_back = true;
		int64 due;
		int64 slept;
		int	  events;

		CHECK_FOR_INTERRUPTS();
		make_progress(first);
		for (int i = 0; i < count; i++)
		{
			if (transfers[i]->outcome != HTTP_PENDING)
				return transfers[i];
			held_back = held_back && transfers[i]->list == &first->pool->queue;
		}
		slept = -http_now();
		due = watch != NULL ? watch->due : PG_INT64_MAX;
		events = WaitLatchOrSocket(
			MyLatch,
			WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT |
				WL_EXIT_ON_PM_DEATH,
			first->pool->epoll_fd,
			Max(0, Min((due + slept) / 1000 + 1, INT_MAX)),
			compat_wait_event(held_back ? "OpportunityFdwThrottled"
										: "OpportunityFdwRequest"));
		slept += http_now();
		http_pool_count_wait(first->pool, slept);
		if (events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		first->counters->counts[HTTP_COUNT_WAITED] += slept;
		if (held_back)
		{
			first->counters->counts[HTTP_COUNT_HELD_BACK] += slept;
			first->budget->waited += slept;
		}
	}
}

/* Ends a transfer in any state, and frees its response. */
void
http_end(HttpTransfer *transfer)
{
	MemoryContextDelete(transfer->context);
}

/*
 * Raises the error of a transfer that is over and has no response.  A pending
 * cancel takes precedence.  The texts contain no secret: see remove_secrets.
 */
void
http_raise(HttpTransfer *transfer)
{
	const HttpTarget *target = transfer->target;
	const char		 *error = transfer->error;
	int				  sqlstate = ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION;
	const char		 *message = "could not connect to the API";
	const char		 *what = "connection";
	const char		 *detail = NULL;
	const char		 *hint;

	CHECK_FOR_INTERRUPTS();

	switch (transfer->outcome)
	{
		case HTTP_NOT_CONNECTED:
			if (transfer->code == CURLE_SSL_CACERT_BADFILE &&
				target->ca_file != NULL)
			{
				detail = psprintf("File \"%s\" of option \"ca_file\" cannot be "
								  "used: %s.",
								  target->ca_file, error);
				hint = "Check the server option \"ca_file\".";
			}
			else
				hint = "Check the network and the server options "
					   "\"base_url\", \"proxy\" and \"ca_file\".";
			break;
		case HTTP_PROXY_REFUSED:
			message = psprintf("proxy rejected the connection: HTTP status %ld",
							   transfer->status);
			detail =
				psprintf(transfer->code == CURLE_OK
							 ? "Proxy \"%s\" rejected the request."
							 : "Proxy \"%s\" rejected the CONNECT request.",
						 target->proxy);
			hint = "Check the server option \"proxy\" and the user mapping "
				   "options \"proxy_user\" and \"proxy_password\".";
			break;
		case HTTP_NOT_HTTP:
			sqlstate = ERRCODE_PROTOCOL_VIOLATION;
			message = "API response is not HTTP";
			detail = psprintf("Reading the response of host \"%s\" failed: %s.",
							  target->host, error);
			hint = "Check the server options \"base_url\" and \"proxy\".";
			break;
		case HTTP_TOO_LARGE:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("API response is larger than %zu MB",
							target->max_response_size / (1024 * 1024)),
					 errhint("Reduce \"page_size\", or increase the server "
							 "option \"max_response_size\".")));
		case HTTP_OVER_BUDGET:
			raise_over_budget(transfer->budget);
		case HTTP_OUT_OF_MEMORY:
			http_attempt_check(CURLE_OUT_OF_MEMORY, NULL);
			pg_unreachable();
		default:
			sqlstate = ERRCODE_CONNECTION_FAILURE;
			message = "API request failed";
			what = "request";
			hint = "Check the network, or increase the server options "
				   "\"request_timeout\" and \"max_retries\".";
	}
	if (detail == NULL)
		detail =
			psprintf("The %s to host \"%s\" failed after %d %s: %s.", what,
					 target->host, transfer->attempts,
					 transfer->attempts == 1 ? "attempt" : "attempts", error);
	ereport(ERROR, (errcode(sqlstate), errmsg("%s", message),
					errdetail_internal("%s", detail), errhint("%s", hint)));
}

/* Returns one of libcurl's times, in microseconds from an attempt's start. */
static int64
time_of(CURL *easy, CURLINFO what)
{
	curl_off_t value = 0;

	curl_easy_getinfo(easy, what, &value);
	return value;
}

/*
 * Returns the timing of the last attempt of a transfer that is over.  The
 * number of connections shows if there was one.  The times do not: after a
 * failure, some versions of libcurl leave them out, and others make them up.
 */
HttpTimes
http_times(const HttpTransfer *transfer)
{
	HttpTimes times = {false, false, -1, -1, -1, -1};
	CURL	 *easy = transfer->easy;
	long	  connections = 0;
	int64	  connected;
	int64	  secured;
	int64	  ready;

	/* An abandoned handle is no longer the transfer's: see http_pool_remove. */
	if (easy == NULL)
		return times;
	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections);
	times.was_connected = connections == 0 &&
						  transfer->outcome != HTTP_NOT_CONNECTED &&
						  http_attempt_was_sent(transfer);
	times.is_connected = connections > 0 || times.was_connected;

	/* With a reused connection, these two are close to zero. */
	connected = time_of(easy, CURLINFO_CONNECT_TIME_T);
	secured = time_of(easy, CURLINFO_APPCONNECT_TIME_T);
	ready = Max(connected, secured);
	if (connections > 0 && connected > 0)
		times.connect = connected;
	if (connections > 0 && secured > 0)
		times.handshake = secured - connected;
	if (transfer->outcome == HTTP_RESPONDED)
	{
		times.first_byte = time_of(easy, CURLINFO_STARTTRANSFER_TIME_T) - ready;
		times.response = time_of(easy, CURLINFO_TOTAL_TIME_T) - ready;
	}
	return times;
}

/* Returns false if a statement cannot be canceled during a name lookup. */
bool
http_looks_up_in_background(void)
{
	return (curl_version_info(CURLVERSION_NOW)->features &
			CURL_VERSION_ASYNCHDNS) != 0;
}

/* Returns libcurl's version, TLS library and features, palloc'd. */
char *
http_library_version(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	return psprintf(
		"libcurl %s (%s%s%s)", info->version,
		info->ssl_version != NULL ? info->ssl_version : "no TLS",
		(info->features & CURL_VERSION_HTTP2) ? ", HTTP/2" : "",
		http_looks_up_in_background() ? "" : ", synchronous name lookups");
}
