/*-------------------------------------------------------------------------
 *
 * http.c
 *	  HTTP transfers over libcurl, which a backend can wait for and leave.
 *
 * A pool is a libcurl multi handle with its connections.  libcurl's sockets and
 * the pool's timer are gathered in one epoll descriptor, and the backend waits
 * for that and its latch together: a cancel ends a wait at once.  Retries and
 * back-off are states of a transfer, so that one waiting transfer never holds
 * up another.
 *
 * No error is raised within a libcurl callback, and every resource hangs on a
 * memory context before it is acquired.
 *
 * Knows nothing of JSON, of the API or of SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "compat.h"
#include "http_internal.h"
#include "redact.h"
#include "version.h"

/* The first back-off's ceiling; it doubles from try to try. */
#define HTTP_FIRST_BACKOFF 500 /* milliseconds */

/* A new response buffer's size; it doubles as the answer grows. */
#define HTTP_INITIAL_BUFFER 8192

/* Below 8.0 libcurl may report HTTP/2 bodies that were cut as complete. */
#define HTTP2_SAFE_VERSION 0x080000

/* No answer has that many bytes of headers. */
#define HTTP_MAX_HEADER_SIZE (256 * 1024)

/*
 * A body that comes slower than this, in bytes per second, once that many
 * microseconds have passed since its first byte, is as good as broken.
 */
#define HTTP_MIN_BODY_SPEED 100
#define HTTP_BODY_GRACE 5000000

/* What libcurl's errors mean; those not listed are HTTP_BROKEN for good. */
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
	/* by our callback for sockets, where epoll takes no more of them */
	{CURLE_ABORTED_BY_CALLBACK, HTTP_OUT_OF_MEMORY, false},
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
static void	 read_answer(HttpTransfer *transfer);
static bool	 is_throttled(const HttpTransfer *transfer);
static bool	 is_worth_a_retry(const HttpTransfer *transfer);
static bool	 schedule_retry(HttpTransfer *transfer);
static bool	 renew_handle(HttpTransfer *transfer);
static int64 back_off(const HttpTransfer *transfer);
static void	 printable(char *text);

static size_t on_header(char *data, size_t size, size_t count, void *arg);
static size_t on_body(char *data, size_t size, size_t count, void *arg);
static bool	  is_too_slow(HttpTransferPrivate *private, size_t size);

#define SET_OPTION(easy, option, value) \
	check_option(curl_easy_setopt(easy, option, value), #option)

/*
 * Starts a GET, or, where there is JSON to send, a POST that is safe to repeat.
 *
 * The transfer is made in a child of the current context, and is over when that
 * is deleted or http_end is called.  target, counters and budget must outlive
 * it; the budget is charged.  Raises an error where memory is out.
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

	/* The request is on its way before anybody waits for it. */
	http_pool_enqueue(transfer, 0, false);
	http_pool_drive(pool, false);
	http_account_tell(transfer);
	return transfer;
}

/* Whether a transfer is no longer pending, as far as there is no need to wait. */
bool
http_is_over(HttpTransfer *transfer)
{
	if (transfer->outcome == HTTP_PENDING)
	{
		http_pool_drive(transfer->private->pool, false);
		http_account_tell(transfer);
		give_up_if_broken(transfer);
	}
	return transfer->outcome != HTTP_PENDING;
}

/* Waits until a transfer is no longer pending; answers to interrupts. */
void
http_wait(HttpTransfer *transfer)
{
	http_wait_any(&transfer, 1);
}

/*
 * Waits until one of some transfers of the same pool is no longer pending, and
 * returns it; answers to interrupts.
 */
HttpTransfer *
http_wait_any(HttpTransfer **transfers, int count)
{
	static uint32 answer_event = 0;
	static uint32 throttle_event = 0;
	HttpPool	 *pool = transfers[0]->private->pool;
	HttpWatch	 *watch = transfers[0]->private->budget->watch;
	bool		  waited = false;

	if (answer_event == 0)
		answer_event = compat_wait_event("OpportunityFdwRequest");
	if (throttle_event == 0)
		throttle_event = compat_wait_event("OpportunityFdwThrottled");

	for (;;)
	{
		bool  held_back = true;
		int64 started;
		int	  events;

		CHECK_FOR_INTERRUPTS();
		http_pool_drive(pool, waited);
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
			held_back ? throttle_event : answer_event);
		waited = true;
		if (events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		http_account_wait(transfers[0], http_now() - started, held_back);
	}
}

/* Milliseconds until then, as far as a wait can tell. */
static long
time_to(int64 due)
{
	int64 milliseconds = (due - http_now()) / 1000 + 1;

	return (long) Max(0, Min(milliseconds, INT_MAX));
}

/* In a pool that is broken nothing comes to an end any more. */
static void
give_up_if_broken(HttpTransfer *transfer)
{
	if (transfer->outcome != HTTP_PENDING ||
		!http_pool_is_broken(transfer->private->pool))
		return;
	http_pool_remove(transfer);
	transfer->outcome = HTTP_OUT_OF_MEMORY;
}

/*
 * Tries an answered request again, because its answer turned out to be cut
 * short.  Returns false where there is no further try; the outcome is then
 * HTTP_BROKEN or HTTP_OVER_BUDGET.
 */
bool
http_retry(HttpTransfer *transfer, HttpFault fault)
{
	if (fault != HTTP_FAULT_CUT)
		return schedule_retry(transfer);
	transfer->outcome = HTTP_BROKEN;
	strlcpy(transfer->error, "the answer ended early", sizeof(transfer->error));
	return schedule_retry(transfer);
}

bool
http_is_throttled(const HttpTransfer *transfer)
{
	return is_throttled(transfer);
}

/* Ends a transfer, wherever it stands, and frees its answer. */
void
http_end(HttpTransfer *transfer)
{
	MemoryContextDelete(transfer->private->context);
}

/* Raises the error of a transfer that got no answer. */
void
http_raise(HttpTransfer *transfer)
{
	const HttpTarget *target = transfer->private->target;
	char			  error[CURL_ERROR_SIZE];

	/* A cancel may be what broke it, or the user may no longer care. */
	CHECK_FOR_INTERRUPTS();

	redact_copy(target->bearer_token, transfer->error, strlen(transfer->error),
				error, sizeof(error));
	printable(error);
	switch (transfer->outcome)
	{
		case HTTP_NOT_CONNECTED:
			ereport(ERROR,
					(errcode(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION),
					 errmsg("could not connect to the API"),
					 errdetail("Host \"%s\", after %d %s: %s.", target->host,
							   transfer->attempts,
							   transfer->attempts == 1 ? "attempt" : "attempts",
							   error),
					 errhint("Check the server's options base_url, proxy and "
							 "ca_file, and the network.")));
			break;
		case HTTP_NOT_HTTP:
			ereport(
				ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("the API's answer is not HTTP"),
				 errdetail("Host \"%s\": %s.", target->host, error),
				 errhint("Check the server's options base_url and proxy.")));
			break;
		case HTTP_TOO_LARGE:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the API's answer is larger than %zu MB",
							target->max_response_size / (1024 * 1024)),
					 errhint("The server's option max_response_size sets the "
							 "limit.")));
			break;
		case HTTP_OVER_BUDGET:
			http_account_raise_over_budget(transfer->private->budget);
			break;
		case HTTP_OUT_OF_MEMORY:
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("the request to the API failed"),
					 errdetail("Host \"%s\", after %d %s: %s.", target->host,
							   transfer->attempts,
							   transfer->attempts == 1 ? "attempt" : "attempts",
							   error),
					 errhint("The server's options connect_timeout, "
							 "request_timeout and max_retries set the "
							 "limits.")));
	}
	pg_unreachable();
}

/*
 * What the last attempt of a transfer, which is over, spent its time on.  Raises
 * an error where libcurl does not tell.
 *
 * Whether there was a connection is read from their number: at a failure, the
 * times are left out by some versions of libcurl, and made up by others.
 */
HttpTimes
http_times(const HttpTransfer *transfer)
{
	HttpTimes times = {false, false, -1, -1, -1, -1};
	CURL	 *easy = transfer->private->easy;
	long	  connections = 0;
	int64	  connected;
	int64	  secured;

	/* Left behind in a name lookup, it has no handle any more. */
	if (easy == NULL)
		return times;
	check_option(curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connections),
				 "CURLINFO_NUM_CONNECTS");
	times.was_connected = connections == 0 &&
						  transfer->outcome != HTTP_NOT_CONNECTED &&
						  was_sent(easy);
	times.is_connected = connections > 0 || times.was_connected;

	/* Where the connection was there, these two are as good as nothing. */
	connected = time_of(easy, CURLINFO_CONNECT_TIME_T);
	secured = time_of(easy, CURLINFO_APPCONNECT_TIME_T);
	if (connections > 0 && connected > 0)
		times.connect = connected;
	if (connections > 0 && secured > 0)
		times.handshake = secured - connected;
	if (transfer->outcome == HTTP_ANSWERED)
	{
		times.first_byte = time_of(easy, CURLINFO_STARTTRANSFER_TIME_T) -
						   Max(connected, secured);
		times.answer =
			time_of(easy, CURLINFO_TOTAL_TIME_T) - Max(connected, secured);
	}
	return times;
}

/* One of libcurl's times, since the start of the attempt. */
static int64
time_of(CURL *easy, CURLINFO what)
{
	curl_off_t value = 0;

	check_option(curl_easy_getinfo(easy, what, &value), "CURLINFO_..._TIME_T");
	return value;
}

/* libcurl's version, with its TLS library and whether it speaks HTTP/2. */
char *
http_library_version(void)
{
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	return psprintf("libcurl %s (%s%s)", info->version,
					info->ssl_version != NULL ? info->ssl_version : "no TLS",
					(info->features & CURL_VERSION_HTTP2) ? ", HTTP/2" : "");
}

/* The memory context of a transfer ends. */
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

/* Everything is set for each request anew, so none inherits from another. */
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

	/* A bearer token goes to the host it is for, and nowhere else. */
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

	/* Set even where there is none, so that the environment is not asked. */
	SET_OPTION(easy, CURLOPT_PROXY, target->proxy != NULL ? target->proxy : "");
	SET_OPTION(easy, CURLOPT_NOPROXY, "");

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

	SET_OPTION(easy, CURLOPT_CONNECTTIMEOUT_MS, target->connect_timeout);
#if LIBCURL_VERSION_NUM >= 0x075700
	SET_OPTION(easy, CURLOPT_QUICK_EXIT, 1L); /* leave a slow resolver behind */
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
 * The transfer keeps a copy of what it sends.  libcurl would have a longer body
 * wait for the server's consent, which many servers never give.
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

/* Raises an error where libcurl refuses an option. */
static void
check_option(CURLcode code, const char *what)
{
	if (code == CURLE_OK)
		return;
	if (code == CURLE_OUT_OF_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	ereport(ERROR, (errcode(ERRCODE_FDW_ERROR),
					errmsg("libcurl refused option %s: %s", what,
						   curl_easy_strerror(code))));
}

/* The pool is about to send a transfer's request, perhaps once more. */
void
http_begin_attempt(HttpTransfer *transfer)
{
	transfer->attempts++;
	transfer->length = 0;
	if (transfer->body != NULL)
		transfer->body[0] = '\0';
	transfer->error[0] = '\0';
	transfer->private->header_size = 0;
	transfer->private->first_byte_at = 0;
	transfer->private->callback_outcome = HTTP_PENDING;
	transfer->private->callback_error = NULL;
	http_account_begin(transfer);
}

/* An attempt is over: that is the outcome, or there will be another one. */
void
http_end_attempt(HttpTransfer *transfer, CURLcode code)
{
	HttpPool *pool = transfer->private->pool;
	bool	  may_retry = false;

	if (code == CURLE_OK)
	{
		read_answer(transfer);
		may_retry = is_worth_a_retry(transfer);
	}
	else
		classify_failure(transfer, code, &may_retry);
	http_account_end(transfer);
	http_pool_remove(transfer);

	if (transfer->outcome == HTTP_ANSWERED && !may_retry)
		http_pace_answered(&pool->pace, http_now());
	if (may_retry)
		schedule_retry(transfer);
}

/* Sets the outcome of an attempt that got no whole answer. */
static void
classify_failure(HttpTransfer *transfer, CURLcode code, bool *may_retry)
{
	HttpTransferPrivate *private = transfer->private;

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
		/* It was left behind in its name lookup, and cannot be sent again. */
		transfer->outcome = HTTP_NOT_CONNECTED;
		*may_retry = false;
	}
	else if (code == CURLE_OPERATION_TIMEDOUT && !was_sent(private->easy))
		transfer->outcome = HTTP_NOT_CONNECTED;

	/* libcurl has something to say of a callback that ended it, too. */
	if (private->callback_error != NULL)
		strlcpy(transfer->error, private->callback_error,
				sizeof(transfer->error));
	else if (transfer->error[0] == '\0')
		strlcpy(transfer->error, curl_easy_strerror(code),
				sizeof(transfer->error));
}

/*
 * Whether some of the request was sent, as far as that is known.  At a timeout,
 * newer versions of libcurl have all times set, and older ones count what a proxy
 * was asked for.
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

/* Takes what is kept of a whole answer beside its body. */
static void
read_answer(HttpTransfer *transfer)
{
	CURL	  *easy = transfer->private->easy;
	char	  *content_type = NULL;
	curl_off_t retry_after = 0;

	transfer->outcome = HTTP_ANSWERED;
	transfer->status = 0;
	if (curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &transfer->status) !=
		CURLE_OK)
		transfer->outcome = HTTP_OUT_OF_MEMORY;
	curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &content_type);
	transfer->content_type = content_type;

	/* libcurl reads seconds as well as a date; 0 stands for none. */
	curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
	transfer->retry_after =
		retry_after <= 0 ? -1 : Min(retry_after, INT_MAX / 1000) * 1000;
}

/* Whether the server says that there are too many requests. */
static bool
is_throttled(const HttpTransfer *transfer)
{
	return transfer->outcome == HTTP_ANSWERED &&
		   (transfer->status == 429 || transfer->status == 503);
}

/* Whether the server says that it could not for the moment. */
static bool
is_worth_a_retry(const HttpTransfer *transfer)
{
	return is_throttled(transfer) || transfer->status == 502 ||
		   transfer->status == 504;
}

/*
 * Puts a transfer back into the queue, where a try is left.  Otherwise returns
 * false, and the outcome stays what it was unless the budget is what forbids
 * it.
 */
static bool
schedule_retry(HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;
	int64 wait;

	if (transfer->attempts > private->target->max_retries)
		return false;
	wait = back_off(transfer);
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

	/* Throttling is for all of them to wait out, anything else for the one. */
	if (is_throttled(transfer))
	{
		HttpRefusal refusal = {
			.sent_at = private->sent_at,
			.pause = wait,
			.is_asked_for = transfer->retry_after >= 0,
			.is_first = transfer->attempts == 1,
			.max_pause = private->target->max_retry_wait * 1000,
		};

		http_pace_refused(&private->pool->pace, &refusal, http_now());
		wait = 0;
	}
	http_pool_enqueue(transfer, wait, true);
	return true;
}

/*
 * Gives a transfer that is not under way a new handle with the same options.
 * False where memory is out.
 *
 * libcurl 7.88, for one, keeps a pointer to the last header of a handle's
 * answer when it has freed that, and writes there when the handle's next answer
 * starts with a folded line.
 */
static bool
renew_handle(HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;
	CURL *easy = curl_easy_duphandle(private->easy);

	/* A copy shares nothing. */
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
 * How long to wait before the next try, in microseconds; -1 where the server
 * asks for more than the user wants to wait.
 *
 * Exponential back-off with full jitter, so that many sessions that failed
 * together do not come back together; a Retry-After is obeyed instead.
 */
static int64
back_off(const HttpTransfer *transfer)
{
	const HttpTarget *target = transfer->private->target;
	double			  ceiling;

	if (transfer->outcome == HTTP_ANSWERED && transfer->retry_after >= 0)
		return transfer->retry_after > target->max_retry_wait
				   ? -1
				   : (int64) transfer->retry_after * 1000;
	ceiling = HTTP_FIRST_BACKOFF * pow(2, transfer->attempts - 1);
	return (int64) (Min(ceiling, target->max_retry_wait) * 1000 *
					compat_random_fraction());
}

/* Makes a foreign text fit for a message in any encoding. */
static void
printable(char *text)
{
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text < ' ' || (unsigned char) *text >= 0x7f)
			*text = '?';
	}
}

/* libcurl's callback: a line of the headers, or what fails to be one. */
static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	HttpTransfer *transfer = arg;
	HttpTransferPrivate *private = transfer->private;

	(void) data;
	private->header_size += size * count;
	if (private->header_size <= HTTP_MAX_HEADER_SIZE)
		return size * count;
	private->callback_outcome = HTTP_NOT_HTTP;
	private->callback_error = "its headers have no end";
	return 0;
}

/*
 * libcurl's callback: a piece of the body, decompressed.  Anything but the
 * piece's size as result ends the transfer.
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
		private->callback_error = "the answer comes too slowly";
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

/* Whether a body of which so many bytes have come is worth no more waiting. */
static bool
is_too_slow(HttpTransferPrivate *private, size_t size)
{
	int64 now = http_pool_clock(private->pool);
	int64 elapsed;

	if (private->first_byte_at == 0)
	{
		private->first_byte_at = now;
		return false;
	}
	elapsed = now - private->first_byte_at;
	return elapsed > HTTP_BODY_GRACE &&
		   (double) size * 1000000 / elapsed < HTTP_MIN_BODY_SPEED;
}
