/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http.c
 *	  HTTP transfers over libcurl that always react to interrupts.
 *
 * A transfer is one request with its retries; http_pool.c runs it.  Retries and
 * back-off are states of a transfer, so a transfer that waits never delays
 * another one.
 *
 * Two rules hold in all of http*.c:
 * - Code that runs within a libcurl callback raises no error.
 * - A memory context callback that releases a resource is registered before the
 *   resource is acquired.
 *
 * Must not know JSON, the API or SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "base/compat.h"
#include "base/redact.h"
#include "base/version.h"
#include "http/http_internal.h"

/*
 * Ceiling of the first back-off pause, in microseconds.  It doubles from pause
 * to pause, up to max_retry_wait / HTTP_PAUSES_IN_WAIT.
 */
#define HTTP_FIRST_PAUSE 500000
#define HTTP_PAUSES_IN_WAIT 4

/*
 * Connect timeout of libcurl, so long that end_overdue always acts first.  Zero
 * would select libcurl's default.
 */
#define HTTP_NO_CONNECT_TIMEOUT (24L * 60 * 60 * 1000) /* milliseconds */

/*
 * Initial size of a response buffer, in bytes.  It doubles as the response
 * grows.
 */
#define HTTP_INITIAL_BUFFER 8192

/* libcurl before 8.0 may report truncated HTTP/2 bodies as complete. */
#define HTTP2_SAFE_VERSION 0x080000

/* Maximum size of a response's headers, in bytes. */
#define HTTP_MAX_HEADER_SIZE (256 * 1024)

/*
 * A body slower than HTTP_MIN_BODY_SPEED bytes per second counts as a broken
 * connection.  HTTP_BODY_GRACE microseconds after its first byte are exempt.
 */
#define HTTP_MIN_BODY_SPEED 100
#define HTTP_BODY_GRACE 5000000

/*
 * Outcome of each libcurl error, and true if a retry may help.  Errors that are
 * not listed are HTTP_BROKEN without a retry.
 */
static const struct
{
	CURLcode	code;
	HttpOutcome outcome;
	bool		retry;
} failures[] = {
	{CURLE_COULDNT_RESOLVE_PROXY, HTTP_NOT_CONNECTED, false},
	{CURLE_COULDNT_RESOLVE_HOST, HTTP_NOT_CONNECTED, false},
	{CURLE_COULDNT_CONNECT, HTTP_NOT_CONNECTED, true},
	{CURLE_SSL_CONNECT_ERROR, HTTP_NOT_CONNECTED, true},
	{CURLE_PEER_FAILED_VERIFICATION, HTTP_NOT_CONNECTED, false},
	{CURLE_SSL_CACERT_BADFILE, HTTP_NOT_CONNECTED, false},
	{CURLE_SSL_CERTPROBLEM, HTTP_NOT_CONNECTED, false},
	{CURLE_SSL_CIPHER, HTTP_NOT_CONNECTED, false},
	{CURLE_SSL_ISSUER_ERROR, HTTP_NOT_CONNECTED, false},
	{CURLE_PROXY, HTTP_NOT_CONNECTED, false},
	{CURLE_OPERATION_TIMEDOUT, HTTP_BROKEN, true},
	{CURLE_PARTIAL_FILE, HTTP_BROKEN, true},
	{CURLE_GOT_NOTHING, HTTP_BROKEN, true},
	{CURLE_SEND_ERROR, HTTP_BROKEN, true},
	{CURLE_RECV_ERROR, HTTP_BROKEN, true},
	{CURLE_HTTP2, HTTP_BROKEN, true},
	{CURLE_HTTP2_STREAM, HTTP_BROKEN, true},
	{CURLE_BAD_CONTENT_ENCODING, HTTP_BROKEN, true},
	{CURLE_UNSUPPORTED_PROTOCOL, HTTP_NOT_HTTP, false},
	{CURLE_WEIRD_SERVER_REPLY, HTTP_NOT_HTTP, false},
	{CURLE_OUT_OF_MEMORY, HTTP_OUT_OF_MEMORY, false},
	/* from on_socket, if epoll_ctl() fails */
	{CURLE_ABORTED_BY_CALLBACK, HTTP_POOL_BROKEN, false},
};

static void	 release_transfer(void *arg);
static long	 time_to(int64 due);
static void	 give_up_if_broken(HttpTransfer *transfer);
static void	 set_options(HttpTransfer *transfer);
static void	 set_post_options(HttpTransferPrivate *private, const char *json);
static void	 add_header(HttpTransferPrivate *private, const char *header);
static void	 check_option(CURLcode code, const char *what);
static void	 classify_failure(HttpTransfer *transfer, CURLcode code,
							  bool *may_retry);
static bool	 was_sent(CURL *easy);
static int64 time_of(CURL *easy, CURLINFO what);
static void	 read_response(HttpTransfer *transfer);
static void	 keep_wait(HttpTransfer *transfer, bool throttles);
static bool	 is_transient(const HttpTransfer *transfer);
static bool	 is_server_failure(long status);
static bool	 schedule_retry(HttpTransfer *transfer, HttpFault fault);
static bool	 renew_handle(HttpTransfer *transfer);
static int64 pause_before_retry(const HttpTransfer *transfer, HttpFault fault);
static void	 conceal(const HttpTarget *target, char *text, size_t size);
static void	 raise_not_connected(const HttpTransfer *transfer,
								 const char			*error);
static void	 raise_pool_broken(const HttpPool *pool);

static size_t on_header(char *data, size_t size, size_t count, void *arg);
static size_t on_body(char *data, size_t size, size_t count, void *arg);
static bool	  is_too_slow(HttpTransferPrivate *private, size_t size);
static int	  on_lookup(void *resolver, void *reserved, void *arg);
static void	  note_connect(HttpTransfer *transfer);
static curl_socket_t on_open(void *arg, curlsocktype purpose,
							 struct curl_sockaddr *address);
static int			 on_close(void *arg, curl_socket_t fd);

#define SET_OPTION(easy, option, value) \
	check_option(curl_easy_setopt(easy, option, value), #option)

/*
 * Starts a GET, or a POST if json is not NULL.  A POST must be safe to repeat.
 *
 * Charges the budget, and copies url and json.  The transfer lives in a new
 * child of the current memory context, and ends when that is deleted or by
 * http_end.  It refers to target, counters and budget, which must outlive it.
 * Raises an error if the budget is used up, libcurl refuses an option or memory
 * is out.
 */
HttpTransfer *
http_start(HttpPool *pool, const HttpTarget *target, HttpCounters *counters,
		   const char *url, const char *json, HttpBudget *budget)
{
	MemoryContext context;
	HttpTransfer *transfer;
	HttpTransferPrivate *private;

	if (!http_account_charge(budget))
		http_account_raise_over_budget(budget);

	context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw transfer", ALLOCSET_SMALL_SIZES);
	transfer = MemoryContextAllocZero(context, sizeof(HttpTransfer));
	private = MemoryContextAllocZero(context, sizeof(HttpTransferPrivate));
	transfer->private = private;
	private->context = context;
	private->pool = pool;
	private->target = target;
	private->budget = budget;
	private->counters = counters;
	private->callback.func = release_transfer;
	private->callback.arg = transfer;
	MemoryContextRegisterResetCallback(context, &private->callback);

	private->url = MemoryContextStrdup(context, url);

	private->easy = curl_easy_init();
	if (private->easy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	set_options(transfer);
	if (json != NULL)
		set_post_options(private, json);
	SET_OPTION(private->easy, CURLOPT_HTTPHEADER, private->headers);

	/* Send the request now, not when the caller first waits. */
	http_pool_enqueue(transfer, 0);
	http_pool_drive(pool);
	http_account_tell(transfer);
	return transfer;
}

/*
 * Returns true if a transfer is over.  Drives its pool without waiting, and may
 * process interrupts.
 */
bool
http_is_over(HttpTransfer *transfer)
{
	if (transfer->outcome == HTTP_PENDING)
	{
		http_pool_drive(transfer->private->pool);
		http_account_tell(transfer);
		give_up_if_broken(transfer);
	}
	return transfer->outcome != HTTP_PENDING;
}

/* Waits until a transfer is over.  Processes interrupts. */
void
http_wait(HttpTransfer *transfer)
{
	http_wait_any(&transfer, 1);
}

/*
 * Waits until one of count transfers of the same pool is over, and returns it.
 * Processes interrupts.
 */
HttpTransfer *
http_wait_any(HttpTransfer **transfers, int count)
{
	static uint32 response_event = 0;
	static uint32 throttle_event = 0;
	HttpPool	 *pool = transfers[0]->private->pool;
	HttpWatch	 *watch = transfers[0]->private->budget->watch;

	if (response_event == 0)
		response_event = compat_wait_event("OpportunityFdwRequest");
	if (throttle_event == 0)
		throttle_event = compat_wait_event("OpportunityFdwThrottled");

	for (;;)
	{
		bool  held_back = true;
		int64 started;
		int64 slept;
		int	  events;

		CHECK_FOR_INTERRUPTS();
		http_pool_drive(pool);
		http_account_tell(transfers[0]);
		for (int i = 0; i < count; i++)
		{
			give_up_if_broken(transfers[i]);
			if (transfers[i]->outcome != HTTP_PENDING)
				return transfers[i];
			held_back = held_back && transfers[i]->private->is_queued;
		}
		started = http_now();
		events = WaitLatchOrSocket(
			MyLatch,
			WL_LATCH_SET | WL_SOCKET_READABLE | WL_EXIT_ON_PM_DEATH |
				(watch != NULL ? WL_TIMEOUT : 0),
			pool->epoll_fd, watch != NULL ? time_to(watch->due) : -1,
			held_back ? throttle_event : response_event);
		slept = http_now() - started;
		http_pool_attended(pool, slept);
		if (events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		http_account_wait(transfers[0], slept, held_back);
	}
}

/* Returns the milliseconds until due, as a timeout for WaitLatchOrSocket. */
static long
time_to(int64 due)
{
	int64 milliseconds = (due - http_now()) / 1000 + 1;

	return (long) Max(0, Min(milliseconds, INT_MAX));
}

/* Ends a pending transfer of a broken pool, which might never end. */
static void
give_up_if_broken(HttpTransfer *transfer)
{
	if (transfer->outcome != HTTP_PENDING ||
		!http_pool_is_broken(transfer->private->pool))
		return;
	http_pool_remove(transfer);
	transfer->outcome = HTTP_POOL_BROKEN;
}

/*
 * Retries a transfer whose response is unusable, regardless of its status.
 *
 * Returns false if no attempt is left.  The outcome is then HTTP_BROKEN for a
 * truncated response, and HTTP_RESPONDED for any other.  If memory or the budget
 * prevents the retry, it is HTTP_OUT_OF_MEMORY or HTTP_OVER_BUDGET.
 */
bool
http_retry(HttpTransfer *transfer, HttpFault fault)
{
	HttpTransferPrivate *private = transfer->private;

	if (fault == HTTP_FAULT_CUT)
	{
		transfer->outcome = HTTP_BROKEN;
		strlcpy(transfer->error, "the response ended early",
				sizeof(transfer->error));
	}
	else if (fault == HTTP_FAULT_THROTTLED && !http_is_throttled(transfer))
	{
		keep_wait(transfer, true);
		if (!is_transient(transfer))
			http_pace_take_back(&private->pool->pace, private->ended_at);
	}
	return schedule_retry(transfer, fault);
}

/* Ends a transfer in any state, and frees its response. */
void
http_end(HttpTransfer *transfer)
{
	MemoryContextDelete(transfer->private->context);
}

/* Raises the error of a transfer that has no response. */
void
http_raise(HttpTransfer *transfer)
{
	const HttpTarget *target = transfer->private->target;
	char			  error[CURL_ERROR_SIZE];

	/* A pending cancel may be the cause, and takes precedence. */
	CHECK_FOR_INTERRUPTS();

	strlcpy(error, transfer->error, sizeof(error));
	conceal(target, error, sizeof(error));
	switch (transfer->outcome)
	{
		case HTTP_NOT_CONNECTED:
			raise_not_connected(transfer, error);
			break;
		case HTTP_PROXY_REFUSED:
			ereport(
				ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION),
				 errmsg("proxy rejected the connection: HTTP status %ld",
						transfer->status),
				 transfer->private->code == CURLE_OK
					 ? errdetail("Proxy \"%s\" rejected the request.",
								 target->proxy)
					 : errdetail("Proxy \"%s\" rejected the CONNECT request.",
								 target->proxy),
				 errhint("Check the server option \"proxy\" and the user "
						 "mapping options \"proxy_user\" and "
						 "\"proxy_password\".")));
			break;
		case HTTP_NOT_HTTP:
			ereport(
				ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("API response is not HTTP"),
				 errdetail("Reading the response of host \"%s\" failed: %s.",
						   target->host, error),
				 errhint("Check the server options \"base_url\" and "
						 "\"proxy\".")));
			break;
		case HTTP_TOO_LARGE:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("API response is larger than %zu MB",
							target->max_response_size / (1024 * 1024)),
					 errhint("Reduce \"page_size\", or increase the server "
							 "option \"max_response_size\".")));
			break;
		case HTTP_OVER_BUDGET:
			http_account_raise_over_budget(transfer->private->budget);
			break;
		case HTTP_POOL_BROKEN:
			raise_pool_broken(transfer->private->pool);
			break;
		case HTTP_OUT_OF_MEMORY:
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("API request failed"),
					 errdetail("The request to host \"%s\" failed after %d %s: "
							   "%s.",
							   target->host, transfer->attempts,
							   transfer->attempts == 1 ? "attempt" : "attempts",
							   error),
					 errhint("Check the network, or increase the server "
							 "options \"request_timeout\" and "
							 "\"max_retries\".")));
	}
	pg_unreachable();
}

static void
raise_not_connected(const HttpTransfer *transfer, const char *error)
{
	const HttpTarget *target = transfer->private->target;

	if (transfer->private->code == CURLE_SSL_CACERT_BADFILE &&
		target->ca_file != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION),
				 errmsg("could not connect to the API"),
				 errdetail("File \"%s\" of option \"ca_file\" cannot be used: "
						   "%s.",
						   target->ca_file, error),
				 errhint("Check the server option \"ca_file\".")));
	ereport(ERROR,
			(errcode(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION),
			 errmsg("could not connect to the API"),
			 errdetail("The connection to host \"%s\" failed after %d %s: "
					   "%s.",
					   target->host, transfer->attempts,
					   transfer->attempts == 1 ? "attempt" : "attempts", error),
			 errhint("Check the network and the server options \"base_url\", "
					 "\"proxy\" and \"ca_file\".")));
}

static void
raise_pool_broken(const HttpPool *pool)
{
	ereport(ERROR, (errcode(pool->broken_state),
					errmsg("could not manage connections to the API"),
					errdetail("%s.", pool->broken),
					errhint("Run the statement again. It opens new "
							"connections.")));
}

/*
 * Returns the timing of the last attempt of a transfer that is over.  Raises an
 * error if libcurl does not know it.
 *
 * The number of connections shows if there was one.  The times do not: after a
 * failure, some versions of libcurl leave them out, and others make them up.
 */
HttpTimes
http_times(const HttpTransfer *transfer)
{
	HttpTimes times = {false, false, -1, -1, -1, -1};
	CURL	 *easy = transfer->private->easy;
	long	  connections = 0;
	int64	  connected;
	int64	  secured;

	/* A parked handle is no longer the transfer's: see http_pool_remove. */
	if (easy == NULL)
		return times;
	check_option(curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections),
				 "CURLINFO_NUM_CONNECTS");
	times.was_connected = connections == 0 &&
						  transfer->outcome != HTTP_NOT_CONNECTED &&
						  was_sent(easy);
	times.is_connected = connections > 0 || times.was_connected;

	/* With a reused connection, these two are close to zero. */
	connected = time_of(easy, CURLINFO_CONNECT_TIME_T);
	secured = time_of(easy, CURLINFO_APPCONNECT_TIME_T);
	if (connections > 0 && connected > 0)
		times.connect = connected;
	if (connections > 0 && secured > 0)
		times.handshake = secured - connected;
	if (transfer->outcome == HTTP_RESPONDED)
	{
		times.first_byte = time_of(easy, CURLINFO_STARTTRANSFER_TIME_T) -
						   Max(connected, secured);
		times.response =
			time_of(easy, CURLINFO_TOTAL_TIME_T) - Max(connected, secured);
	}
	return times;
}

/*
 * Returns one of libcurl's times, in microseconds since the start of the
 * attempt.
 */
static int64
time_of(CURL *easy, CURLINFO what)
{
	curl_off_t value = 0;

	check_option(curl_easy_getinfo(easy, what, &value), "CURLINFO_..._TIME_T");
	return value;
}

/* Returns libcurl's version, TLS library and features, as a palloc'd string. */
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

/*
 * Returns true if libcurl looks names up in the background.  Otherwise a
 * statement cannot be canceled during a lookup.
 */
bool
http_looks_up_in_background(void)
{
	return (curl_version_info(CURLVERSION_NOW)->features &
			CURL_VERSION_ASYNCHDNS) != 0;
}

/* Memory context callback: releases the handle and headers of a transfer. */
static void
release_transfer(void *arg)
{
	HttpTransfer *transfer = arg;
	HttpTransferPrivate *private = transfer->private;

	http_pool_remove(transfer);
	if (private->easy != NULL)
		curl_easy_cleanup(private->easy);
	curl_slist_free_all(private->headers);
}

/*
 * Sets the options of a transfer's handle.  Each transfer has a new handle, so
 * no option carries over from another one.
 */
static void
set_options(HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;
	const HttpTarget			 *target = private->target;
	CURL						 *easy = private->easy;
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	SET_OPTION(easy, CURLOPT_URL, private->url);
	SET_OPTION(easy, CURLOPT_PRIVATE, transfer);
	SET_OPTION(easy, CURLOPT_SHARE, private->pool->share);
	SET_OPTION(easy, CURLOPT_ERRORBUFFER, transfer->error);
	SET_OPTION(easy, CURLOPT_HEADERFUNCTION, on_header);
	SET_OPTION(easy, CURLOPT_HEADERDATA, transfer);
	SET_OPTION(easy, CURLOPT_WRITEFUNCTION, on_body);
	SET_OPTION(easy, CURLOPT_WRITEDATA, transfer);
	SET_OPTION(easy, CURLOPT_NOSIGNAL, 1L);

	/* The bearer token must reach no other host, and no unverified one. */
#if LIBCURL_VERSION_NUM >= 0x075500
	SET_OPTION(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	SET_OPTION(easy, CURLOPT_PROTOCOLS,
			   (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	SET_OPTION(easy, CURLOPT_FOLLOWLOCATION, 0L);
	SET_OPTION(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	SET_OPTION(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	SET_OPTION(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	if (target->ca_file != NULL)
		SET_OPTION(easy, CURLOPT_CAINFO, target->ca_file);

	/* Set even without a proxy, so that libcurl ignores the environment. */
	SET_OPTION(easy, CURLOPT_PROXY, target->proxy != NULL ? target->proxy : "");
	SET_OPTION(easy, CURLOPT_NOPROXY, "");

	/*
	 * libcurl reuses a tunnel regardless of its credentials.  That is safe
	 * here: a pool belongs to one user mapping, and is closed when the mapping
	 * changes.
	 */
	SET_OPTION(easy, CURLOPT_PROXYAUTH, (long) CURLAUTH_BASIC);
	SET_OPTION(easy, CURLOPT_PROXYUSERNAME, target->proxy_user);
	SET_OPTION(easy, CURLOPT_PROXYPASSWORD, target->proxy_password);
	SET_OPTION(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

	if (target->bearer_token != NULL)
	{
		SET_OPTION(easy, CURLOPT_HTTPAUTH, (long) CURLAUTH_BEARER);
		SET_OPTION(easy, CURLOPT_XOAUTH2_BEARER, target->bearer_token);
	}
	add_header(private, "Accept: application/json");
	SET_OPTION(easy, CURLOPT_USERAGENT,
			   "opportunity_fdw/" OPPORTUNITY_FDW_VERSION
			   " (PostgreSQL " PG_VERSION ")");
	SET_OPTION(easy, CURLOPT_ACCEPT_ENCODING, "");

	SET_OPTION(easy, CURLOPT_CONNECTTIMEOUT_MS, HTTP_NO_CONNECT_TIMEOUT);
	SET_OPTION(easy, CURLOPT_RESOLVER_START_FUNCTION, on_lookup);
	SET_OPTION(easy, CURLOPT_RESOLVER_START_DATA, transfer);
	SET_OPTION(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET_OPTION(easy, CURLOPT_OPENSOCKETDATA, transfer);
	SET_OPTION(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET_OPTION(easy, CURLOPT_CLOSESOCKETDATA, private->pool);
#if LIBCURL_VERSION_NUM >= 0x075700
	if (http_pool_leaves_lookups())
		SET_OPTION(easy, CURLOPT_QUICK_EXIT, 1L);
#endif

	if (info->version_num >= HTTP2_SAFE_VERSION &&
		(info->features & CURL_VERSION_HTTP2) != 0)
	{
		SET_OPTION(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
		SET_OPTION(easy, CURLOPT_PIPEWAIT, 1L);
	}
	else
		SET_OPTION(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
}

/*
 * Makes the request a POST with a copy of json.  Suppresses "Expect:
 * 100-continue" (RFC 9110, section 10.1.1), which libcurl sends with longer
 * bodies, because many servers never confirm it.
 */
static void
set_post_options(HttpTransferPrivate *private, const char *json)
{
	private->request_body = MemoryContextStrdup(private->context, json);
	SET_OPTION(private->easy, CURLOPT_POST, 1L);
	SET_OPTION(private->easy, CURLOPT_POSTFIELDSIZE_LARGE,
			   (curl_off_t) strlen(json));
	SET_OPTION(private->easy, CURLOPT_POSTFIELDS, private->request_body);
	add_header(private, "Content-Type: application/json");
	add_header(private, "Expect:");
}

static void
add_header(HttpTransferPrivate *private, const char *header)
{
	struct curl_slist *headers = curl_slist_append(private->headers, header);

	if (headers == NULL)
		check_option(CURLE_OUT_OF_MEMORY, "CURLOPT_HTTPHEADER");
	private->headers = headers;
}

/* Raises an error unless code is CURLE_OK.  what: the name of the option. */
static void
check_option(CURLcode code, const char *what)
{
	if (code == CURLE_OK)
		return;
	if (code == CURLE_OUT_OF_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	ereport(ERROR, (errcode(ERRCODE_FDW_ERROR),
					errmsg("libcurl rejected option %s: %s", what,
						   curl_easy_strerror(code))));
}

/* Resets the state of the previous attempt before the pool sends a request. */
void
http_begin_attempt(HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;

	transfer->attempts++;
	transfer->length = 0;
	if (transfer->body != NULL)
		transfer->body[0] = '\0';
	transfer->error[0] = '\0';
	transfer->retry_after = -1;
	transfer->retry_header[0] = '\0';
	memset(&private->kept, 0, sizeof(private->kept));
	private->header_size = 0;
	private->attended_at_send = private->pool->attended;
	private->attended_at_connect = -1;
	private->attended_at_body = -1;
	private->callback_outcome = HTTP_PENDING;
	private->callback_error = NULL;
	http_account_begin(transfer);
}

/*
 * Sets the outcome of an attempt from libcurl's result, or queues a retry.
 * Raises no error.
 */
void
http_end_attempt(HttpTransfer *transfer, CURLcode code)
{
	HttpTransferPrivate *private = transfer->private;
	HttpFault fault = HTTP_FAULT_CUT;
	bool	  may_retry = false;

	private->code = code;
	private->ended_at = http_now();
	if (code == CURLE_OK)
	{
		read_response(transfer);
		may_retry = is_transient(transfer);
		fault = http_is_throttled(transfer) ? HTTP_FAULT_THROTTLED
											: HTTP_FAULT_FAILED;
	}
	else
		classify_failure(transfer, code, &may_retry);
	http_account_end(transfer);
	http_pool_remove(transfer);

	if (transfer->outcome == HTTP_RESPONDED && !may_retry)
		http_pace_responded(&private->pool->pace, private->ended_at);
	if (may_retry)
		schedule_retry(transfer, fault);
}

/*
 * Sets the outcome and error text of an attempt without a complete response.
 * Sets *may_retry to true if a retry may help.
 */
static void
classify_failure(HttpTransfer *transfer, CURLcode code, bool *may_retry)
{
	HttpTransferPrivate *private = transfer->private;
	long status = 0;

	transfer->outcome = HTTP_BROKEN;
	for (size_t i = 0; i < lengthof(failures); i++)
	{
		if (failures[i].code == code)
		{
			transfer->outcome = failures[i].outcome;
			*may_retry = failures[i].retry;
		}
	}

	if (private->callback_outcome != HTTP_PENDING)
	{
		transfer->outcome = private->callback_outcome;
		*may_retry = transfer->outcome == HTTP_BROKEN;
	}
	else if (private->easy == NULL)
	{
		/* It was parked in its name lookup, and cannot be sent again. */
		transfer->outcome = HTTP_NOT_CONNECTED;
		*may_retry = false;
	}
	else if (curl_easy_getinfo(private->easy, CURLINFO_HTTP_CONNECTCODE,
							   &status) == CURLE_OK &&
			 status >= 400)
	{
		/* The error code differs between versions of libcurl. */
		transfer->outcome =
			status < 500 ? HTTP_PROXY_REFUSED : HTTP_NOT_CONNECTED;
		transfer->status = status;
		*may_retry = is_server_failure(status);
	}
	else if (code == CURLE_OPERATION_TIMEDOUT && !was_sent(private->easy))
		transfer->outcome = HTTP_NOT_CONNECTED;

	/* A callback's own text says more than libcurl's. */
	if (private->callback_error != NULL)
		strlcpy(transfer->error, private->callback_error,
				sizeof(transfer->error));
	else if (transfer->error[0] == '\0')
		strlcpy(transfer->error, curl_easy_strerror(code),
				sizeof(transfer->error));
}

/*
 * Returns true if part of the request was sent, or if libcurl does not know.
 *
 * Both values are needed.  After a timeout, newer versions of libcurl set all
 * times, and older ones count the CONNECT request to a proxy.
 */
static bool
was_sent(CURL *easy)
{
	curl_off_t connected = 0;
	long	   size = 0;

	return curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected) !=
			   CURLE_OK ||
		   curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &size) != CURLE_OK ||
		   (connected > 0 && size > 0);
}

/* Sets outcome, status, content type and requested wait from a response. */
static void
read_response(HttpTransfer *transfer)
{
	CURL *easy = transfer->private->easy;
	char *content_type = NULL;

	transfer->outcome = HTTP_RESPONDED;
	transfer->status = 0;
	if (curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &transfer->status) !=
		CURLE_OK)
		transfer->outcome = HTTP_OUT_OF_MEMORY;
	else if (transfer->status == 407 &&
			 transfer->private->target->proxy != NULL)
		transfer->outcome = HTTP_PROXY_REFUSED;
	curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &content_type);
	transfer->content_type = content_type;
	keep_wait(transfer, http_is_throttled(transfer));
}

/*
 * Sets retry_after and retry_header from the headers of the response.
 * throttles: rate limit headers count, too.
 */
static void
keep_wait(HttpTransfer *transfer, bool throttles)
{
	const char *line;

	transfer->retry_after =
		http_header_wait(&transfer->private->kept, throttles, &line);
	if (transfer->retry_after < 0)
		return;
	strlcpy(transfer->retry_header, line, sizeof(transfer->retry_header));
	conceal(transfer->private->target, transfer->retry_header,
			sizeof(transfer->retry_header));
}

/*
 * Returns true if the status and headers report too many requests.  The API
 * does not document its status for that: 429, 503, and 403 with Retry-After
 * count.
 */
bool
http_is_throttled(const HttpTransfer *transfer)
{
	return transfer->outcome == HTTP_RESPONDED &&
		   (transfer->status == 429 || transfer->status == 503 ||
			(transfer->status == 403 &&
			 http_header_is_retry_after(&transfer->private->kept)));
}

/* Returns true if the same request may succeed later. */
static bool
is_transient(const HttpTransfer *transfer)
{
	long status = transfer->status;

	return transfer->outcome == HTTP_RESPONDED &&
		   (http_is_throttled(transfer) || status == 408 || status == 425 ||
			is_server_failure(status));
}

/* Returns true if a status reports a server failure that may be temporary. */
static bool
is_server_failure(long status)
{
	return status >= 500 && status < 600 && status != 501 && status != 505;
}

/*
 * Queues another attempt and returns true.  Returns false if no attempt is
 * left.  Then the outcome changes only if memory or the budget prevents the
 * retry.
 */
static bool
schedule_retry(HttpTransfer *transfer, HttpFault fault)
{
	HttpTransferPrivate *private = transfer->private;
	int64 wait;

	if (fault == HTTP_FAULT_THROTTLED
			? http_pool_wait_left(transfer) == 0
			: private->failures >= private->target->max_retries)
		return false;
	wait = pause_before_retry(transfer, fault);
	if (wait < 0)
		return false;
	if (!renew_handle(transfer))
	{
		transfer->outcome = HTTP_OUT_OF_MEMORY;
		return false;
	}
	if (!http_account_charge(private->budget))
	{
		transfer->outcome = HTTP_OVER_BUDGET;
		return false;
	}
	private->budget->retries++;

	/* Throttling delays all transfers of the pool, other faults only one. */
	if (fault == HTTP_FAULT_THROTTLED)
	{
		HttpRefusal refusal = {
			.sent_at = private->sent_at,
			.pause = wait,
			.is_asked_for = transfer->retry_after >= 0,
			.is_first = transfer->attempts == 1,
			.max_pause = private->target->max_retry_wait * 1000,
		};

		if (http_pace_refused(&private->pool->pace, &refusal, http_now()))
		private->pauses++;
		wait = 0;
	}
	else
	{
		private->failures++;
		private->broken += fault == HTTP_FAULT_CUT;
		private->pauses += wait > 0;
	}
	http_pool_enqueue(transfer, wait);
	return true;
}

/*
 * Replaces the handle of a transfer that is not in flight with a copy.  Returns
 * false if memory is out.
 *
 * Versions of libcurl such as 7.88 keep a pointer to the last header of a
 * response after they freed it.  They write there if the handle's next response
 * begins with a folded header line.
 */
static bool
renew_handle(HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;
	CURL *easy = curl_easy_duphandle(private->easy);

	/* curl_easy_duphandle does not copy this option. */
	if (easy == NULL ||
		curl_easy_setopt(easy, CURLOPT_SHARE, private->pool->share) != CURLE_OK)
	{
		curl_easy_cleanup(easy);
		return false;
	}
	curl_easy_cleanup(private->easy);
	private->easy = easy;
	transfer->content_type = NULL;
	return true;
}

/*
 * Returns the pause before the next attempt, in microseconds.  Returns -1 if
 * the server requests more than is left of max_retry_wait.
 *
 * A wait that the server requests is obeyed.  After a truncated response it is
 * ignored, and the first retry is immediate.  Otherwise the pause is
 * exponential back-off.  Half of it is random, so that sessions that failed
 * together do not return together.  The other half is fixed, so that the pauses
 * add up.
 */
static int64
pause_before_retry(const HttpTransfer *transfer, HttpFault fault)
{
	const HttpTransferPrivate *private = transfer->private;
	int64 left = http_pool_wait_left(transfer);
	int64 ceiling;

	if (fault == HTTP_FAULT_CUT && private->broken == 0)
		return 0;
	if (fault != HTTP_FAULT_CUT && transfer->retry_after >= 0)
		return transfer->retry_after > left / 1000
				   ? -1
				   : (int64) transfer->retry_after * 1000;
	ceiling = Min((int64) HTTP_FIRST_PAUSE << Min(private->pauses, 20),
				  private->target->max_retry_wait * (int64) 1000 /
					  HTTP_PAUSES_IN_WAIT);
	return Min(left, (int64) (ceiling / 2.0 *
							  (1 + pg_prng_double(&pg_global_prng_state))));
}

/*
 * Removes the secrets of a target from text, in place.  Replaces all but
 * printable ASCII, so that the text is valid in every encoding.  size: of the
 * buffer, at most CURL_ERROR_SIZE.
 */
static void
conceal(const HttpTarget *target, char *text, size_t size)
{
	const char *secrets[] = {target->bearer_token, target->proxy_password};
	char		copy[CURL_ERROR_SIZE];

	for (size_t i = 0; i < lengthof(secrets); i++)
	{
		strlcpy(copy, text, sizeof(copy));
		redact_copy(secrets[i], copy, strlen(copy), text, size);
	}
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text < ' ' || (unsigned char) *text >= 0x7f)
			*text = '?';
	}
}

/*
 * CURLOPT_HEADERFUNCTION: keeps a header line.  Ends the transfer if its
 * headers are too large.
 */
static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	HttpTransfer *transfer = arg;
	HttpTransferPrivate *private = transfer->private;

	private->header_size += size * count;
	if (private->header_size <= HTTP_MAX_HEADER_SIZE)
	{
		http_header_keep(&private->kept, data, size * count);
		return size * count;
	}
	private->callback_outcome = HTTP_NOT_HTTP;
	private->callback_error = "the headers are too large";
	return 0;
}

/*
 * CURLOPT_WRITEFUNCTION: appends a decompressed piece of the body.  Any result
 * but the piece's size ends the transfer.
 */
static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	HttpTransfer *transfer = arg;
	HttpTransferPrivate *private = transfer->private;
	size_t added = size * count;
	size_t needed = transfer->length + added + 1;

	if (needed > private->target->max_response_size)
	{
		private->callback_outcome = HTTP_TOO_LARGE;
		return 0;
	}
	if (is_too_slow(private, needed))
	{
		private->callback_outcome = HTTP_BROKEN;
		private->callback_error = "the response is too slow";
		return 0;
	}
	if (needed > private->capacity)
	{
		size_t capacity = Max(
			needed, Max(private->capacity * 2, (size_t) HTTP_INITIAL_BUFFER));
		char *body = MemoryContextAllocExtended(
			private->context, capacity, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);

		if (body == NULL)
		{
			private->callback_outcome = HTTP_OUT_OF_MEMORY;
			return 0;
		}
		if (transfer->body != NULL)
		{
			memcpy(body, transfer->body, transfer->length);
			pfree(transfer->body);
		}
		transfer->body = body;
		private->capacity = capacity;
	}
	memcpy(transfer->body + transfer->length, data, added);
	transfer->length += added;
	transfer->body[transfer->length] = '\0';
	return added;
}

/*
 * Returns true if a body of size bytes so far arrives too slowly.  The first
 * call starts the measurement.
 */
static bool
is_too_slow(HttpTransferPrivate *private, size_t size)
{
	int64 attended = private->pool->attended;
	int64 elapsed;

	if (private->attended_at_body < 0)
	{
		private->attended_at_body = attended;
		return false;
	}
	elapsed = attended - private->attended_at_body;
	return elapsed > HTTP_BODY_GRACE &&
		   (double) size * 1000000 / elapsed < HTTP_MIN_BODY_SPEED;
}

/* CURLOPT_RESOLVER_START_FUNCTION: a name lookup begins a new connection. */
static int
on_lookup(void *resolver, void *reserved, void *arg)
{
	(void) resolver;
	(void) reserved;
	note_connect(arg);
	return 0;
}

/* CURLOPT_OPENSOCKETFUNCTION: opens a socket. */
static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	HttpTransfer *transfer = arg;

	(void) purpose;
	note_connect(transfer);
	return http_pool_open_socket(transfer->private->pool, address->family,
								 address->socktype, address->protocol);
}

/*
 * CURLOPT_CLOSESOCKETFUNCTION: closes a socket, possibly long after its
 * transfer ended.
 */
static int
on_close(void *arg, curl_socket_t fd)
{
	return http_pool_close_socket(arg, fd);
}

/* Starts the connect timeout of an attempt that needs a new connection. */
static void
note_connect(HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;

	if (private->attended_at_connect < 0)
	private->attended_at_connect = private->pool->attended;
}
