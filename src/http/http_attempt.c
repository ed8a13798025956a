/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_attempt.c
 *	  The attempts of a transfer: options, responses, outcomes and retries.
 *
 * Retries and back-off are states of a transfer, so a transfer that waits never
 * delays another one.  Callbacks of libcurl raise no error.
 *
 * Must not know JSON, the API or SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>

#include "common/pg_prng.h"
#include "utils/memutils.h"

#include "base/remote_text.h"
#include "base/version.h"
#include "http/http.h"

StaticAssertDecl(HTTP_ERROR_SIZE >= CURL_ERROR_SIZE, "libcurl's error texts");

/*
 * Ceiling of the first back-off pause, in microseconds.  It doubles from pause
 * to pause, up to max_retry_wait / HTTP_PAUSES_IN_WAIT.
 */
#define HTTP_FIRST_PAUSE 500000
#define HTTP_PAUSES_IN_WAIT 4

/* Connect timeout of libcurl, so long that end_overdue always acts first. */
#define HTTP_NO_CONNECT_TIMEOUT (24L * 60 * 60 * 1000) /* milliseconds */

/* Initial size of a response buffer, in bytes. */
#define HTTP_INITIAL_BUFFER 8192

/* Maximum size of a response's headers, in bytes. */
#define HTTP_MAX_HEADER_SIZE (256 * 1024)

/* libcurl before 8.0 may report truncated HTTP/2 bodies as complete. */
#define HTTP2_SAFE_VERSION 0x080000

/*
 * A body slower than HTTP_MIN_BODY_SPEED bytes per second counts as a broken
 * connection.  HTTP_BODY_GRACE microseconds after its first byte are exempt.
 */
#define HTTP_MIN_BODY_SPEED 100
#define HTTP_BODY_GRACE 5000000

/* Outcomes of libcurl's errors.  The others are HTTP_BROKEN without a retry. */
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
};

/* Bytes of a log line, and of the URL's path in it, including the NUL. */
#define HTTP_LOG_LINE 256
#define HTTP_LOGGED_PATH 128

#define SET_OPTION(easy, option, value) \
	http_attempt_check(curl_easy_setopt(easy, option, value), #option)

/* Returns true if a budget allows another request.  Charges nothing. */
bool
http_allows(const HttpBudget *budget)
{
	return budget->limit == 0 || *budget->total < budget->limit;
}

/* --- Callbacks of libcurl --- */

/*
 * CURLOPT_RESOLVER_START_FUNCTION: a name lookup begins a new connection, and
 * with it the connect timeout.  Further addresses do not restart it.
 */
static int
on_connect(void *resolver, void *reserved, void *arg)
{
	HttpTransfer *transfer = arg;

	(void) resolver;
	(void) reserved;
	if (transfer->attended_at_connect < 0)
		transfer->attended_at_connect = transfer->pool->attended;
	return 0;
}

/* CURLOPT_OPENSOCKETFUNCTION, without a lookup if the address is known */
static curl_socket_t
on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	HttpTransfer *transfer = arg;

	(void) purpose;
	on_connect(NULL, NULL, transfer);
	return http_pool_open_socket(transfer->pool, address->family,
								 address->socktype, address->protocol);
}

/* Ends an attempt: returns the result for libcurl.  error: NULL for none. */
static size_t
fail_callback(HttpTransfer *transfer, HttpOutcome outcome, const char *error)
{
	transfer->callback_outcome = outcome;
	transfer->callback_error = error;
	return 0;
}

/*
 * CURLOPT_HEADERFUNCTION: keeps a header line.  Ends the attempt if its headers
 * are too large; libcurl limits them only since 8.3.
 */
static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	HttpTransfer *transfer = arg;

	transfer->header_size += size * count;
	if (transfer->header_size > HTTP_MAX_HEADER_SIZE)
		return fail_callback(transfer, HTTP_NOT_HTTP,
							 "the headers are too large");
	http_header_keep(&transfer->kept, data, size * count);
	return size * count;
}

/*
 * Gives the body a buffer of size bytes or more.  It takes a spare one, because
 * the C library returns freed buffers to the system, and a page then costs a
 * third more.  Returns false if memory is out, and raises no error.
 */
static bool
grow_body(HttpTransfer *transfer, size_t size)
{
	HttpPool *pool = transfer->pool;
	size_t	  capacity =
		Max(size, Max(transfer->capacity * 2, (size_t) HTTP_INITIAL_BUFFER));
	char *body = (char *) pool->spares;

	if (body != NULL && pool->spares->capacity >= size)
	{
		capacity = pool->spares->capacity;
		pool->spares = pool->spares->next;
	}
	else
		body = MemoryContextAllocExtended(pool->context, capacity,
										  MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (body == NULL)
		return false;
	if (transfer->body != NULL)
	{
		memcpy(body, transfer->body, transfer->length);
		pfree(transfer->body);
	}
	transfer->body = body;
	transfer->capacity = capacity;
	return true;
}

/* Makes the body's buffer a spare one.  The last transfer frees all of those. */
void
http_attempt_release_body(HttpTransfer *transfer)
{
	HttpPool  *pool = transfer->pool;
	HttpSpare *spare = (HttpSpare *) transfer->body;

	if (spare != NULL)
	{
		spare->capacity = transfer->capacity;
		spare->next = pool->spares;
		pool->spares = spare;
	}
	if (--pool->transfers > 0)
		return;
	while ((spare = pool->spares) != NULL)
	{
		pool->spares = spare->next;
		pfree(spare);
	}
}

/*
 * CURLOPT_WRITEFUNCTION: appends a decompressed piece of the body.  Any result
 * but the piece's size ends the attempt.  Must not raise an error.
 */
static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	HttpTransfer *transfer = arg;
	size_t		  added = size * count;
	size_t		  needed = transfer->length + added + HTTP_BODY_PADDING;
	int64		  elapsed;

	if (transfer->length + added > transfer->target->max_response_size)
		return fail_callback(transfer, HTTP_TOO_LARGE, NULL);
	if (transfer->attended_at_body < 0)
		transfer->attended_at_body = transfer->pool->attended;
	/* CURLOPT_LOW_SPEED_LIMIT would also count time without attendance. */
	elapsed = transfer->pool->attended - transfer->attended_at_body;
	if (elapsed > HTTP_BODY_GRACE &&
		(double) needed * 1000000 / elapsed < HTTP_MIN_BODY_SPEED)
		return fail_callback(transfer, HTTP_BROKEN, "the response is too slow");
	if (transfer->length == 0)
		needed =
			Max(needed,
				HTTP_BODY_PADDING +
					http_header_body_size(&transfer->kept,
										  transfer->target->max_response_size));
	if (needed > transfer->capacity && !grow_body(transfer, needed))
		return fail_callback(transfer, HTTP_OUT_OF_MEMORY, NULL);
	memcpy(transfer->body + transfer->length, data, added);
	transfer->length += added;
	memset(transfer->body + transfer->length, 0, HTTP_BODY_PADDING);
	return added;
}

/* --- Options --- */

/* Raises the error of a CURLcode, unless it is success.  what: the option. */
void
http_attempt_check(int code, const char *what)
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

/* Adds a header to the list, which libcurl does not copy. */
static void
add_header(HttpTransfer *transfer, const char *header)
{
	struct curl_slist *headers = curl_slist_append(transfer->headers, header);

	http_attempt_check(headers != NULL ? CURLE_OK : CURLE_OUT_OF_MEMORY,
					   "CURLOPT_HTTPHEADER");
	transfer->headers = headers;
}

/*
 * Sets the options that all requests have.  Each transfer has a new handle, so
 * no option carries over from another one.  Raises an error if libcurl refuses
 * one.
 */
static void
set_options(HttpTransfer *transfer)
{
	const HttpTarget			 *target = transfer->target;
	CURL						 *easy = transfer->easy;
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	SET_OPTION(easy, CURLOPT_URL, transfer->url);
	SET_OPTION(easy, CURLOPT_PRIVATE, transfer);
	SET_OPTION(easy, CURLOPT_SHARE, transfer->pool->share);
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
	 * libcurl reuses a tunnel regardless of its credentials.  That is safe,
	 * because a pool belongs to one state of one user mapping.
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
	add_header(transfer, "Accept: application/json");
	SET_OPTION(easy, CURLOPT_USERAGENT,
			   "opportunity_fdw/" OPPORTUNITY_FDW_VERSION
			   " (PostgreSQL " PG_VERSION ")");
	SET_OPTION(easy, CURLOPT_ACCEPT_ENCODING, "");

	SET_OPTION(easy, CURLOPT_CONNECTTIMEOUT_MS, HTTP_NO_CONNECT_TIMEOUT);
	SET_OPTION(easy, CURLOPT_RESOLVER_START_FUNCTION, on_connect);
	SET_OPTION(easy, CURLOPT_RESOLVER_START_DATA, transfer);
	SET_OPTION(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET_OPTION(easy, CURLOPT_OPENSOCKETDATA, transfer);
	SET_OPTION(easy, CURLOPT_CLOSESOCKETFUNCTION, http_pool_close_socket);
	SET_OPTION(easy, CURLOPT_CLOSESOCKETDATA, transfer->pool);
#if LIBCURL_VERSION_NUM >= 0x075700
	if (http_pool_quits_lookups())
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
 * Makes the handle of a transfer, for a GET, or for a POST of a copy of body.
 * Raises an error if libcurl refuses an option or memory is out.
 */
void
http_attempt_create(HttpTransfer *transfer, const char *body)
{
	transfer->easy = curl_easy_init();
	http_attempt_check(transfer->easy != NULL ? CURLE_OK : CURLE_OUT_OF_MEMORY,
					   "CURLOPT_URL");
	set_options(transfer);
	if (body != NULL)
	{
		transfer->request_body = MemoryContextStrdup(transfer->context, body);
		SET_OPTION(transfer->easy, CURLOPT_POST, 1L);
		SET_OPTION(transfer->easy, CURLOPT_POSTFIELDS, transfer->request_body);
		add_header(transfer, "Content-Type: application/json");

		/* Many servers never confirm libcurl's "Expect: 100-continue". */
		add_header(transfer, "Expect:");
	}
	SET_OPTION(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}

/*
 * Clears the state of the previous attempt, charges the next one to the budget
 * and queues it, to be sent after delay microseconds or later.  Raises no
 * error.
 */
void
http_attempt_enqueue(HttpTransfer *transfer, int64 delay)
{
	transfer->length = 0;
	if (transfer->body != NULL)
		transfer->body[0] = '\0';
	transfer->error[0] = '\0';
	transfer->retry_after = -1;
	transfer->retry_header[0] = '\0';
	memset(&transfer->kept, 0, sizeof(transfer->kept));
	transfer->header_size = 0;
	transfer->attended_at_connect = -1;
	transfer->attended_at_body = -1;
	transfer->callback_outcome = HTTP_PENDING;
	transfer->callback_error = NULL;
	(*transfer->budget->total)++;
	transfer->budget->requests++;
	http_pool_enqueue(transfer, delay);
}

/* --- Outcomes --- */

/*
 * Removes the secrets of a target from text, in place.  Replaces all but
 * printable ASCII, so that the text is valid in every encoding.  size: of the
 * buffer, at most HTTP_ERROR_SIZE.
 */
static void
remove_secrets(const HttpTarget *target, char *text, size_t size)
{
	const char *secrets[] = {target->bearer_token, target->proxy_password};
	char		copy[HTTP_ERROR_SIZE];

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

/* Sets retry_after and retry_header.  throttles: see http_header_wait. */
static void
keep_wait(HttpTransfer *transfer, bool throttles)
{
	const char *line = "";
	char		text[HTTP_HEADER_SIZE];

	transfer->retry_after = http_header_wait(&transfer->kept, throttles, &line);
	strlcpy(text, line, sizeof(text));
	remove_secrets(transfer->target, text, sizeof(text));
	strlcpy(transfer->retry_header, text, sizeof(transfer->retry_header));
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
			 http_header_is_retry_after(&transfer->kept)));
}

/* Returns true if a status can be temporary (RFC 9110, section 15). */
bool
http_status_is_transient(long status)
{
	return status == 408 || status == 425 || status == 429 ||
		   (status >= 500 && status != 501 && status != 505);
}

/* Returns true if the same request may succeed later. */
static bool
attempt_is_transient(const HttpTransfer *transfer)
{
	return transfer->outcome == HTTP_RESPONDED &&
		   (http_is_throttled(transfer) ||
			http_status_is_transient(transfer->status));
}

/*
 * Returns true if part of the request was sent, or if libcurl does not know.
 * Both values are needed.  After a timeout, newer versions of libcurl set all
 * times, and older ones count the CONNECT request to a proxy.
 */
bool
http_attempt_was_sent(const HttpTransfer *transfer)
{
	curl_off_t connected = 1;
	long	   size = 1;

	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
	curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &size);
	return connected > 0 && size > 0;
}

/*
 * Sets outcome and error of an attempt without a complete response.  Returns
 * true if a retry may help.
 */
static bool
classify_failure(HttpTransfer *transfer)
{
	bool may_retry = false;
	long status = 0;

	transfer->outcome = HTTP_BROKEN;
	for (size_t i = 0; i < lengthof(failures); i++)
	{
		if (failures[i].code == (CURLcode) transfer->code)
		{
			transfer->outcome = failures[i].outcome;
			may_retry = failures[i].retry;
		}
	}

	if (transfer->callback_outcome != HTTP_PENDING)
	{
		transfer->outcome = transfer->callback_outcome;
		may_retry = transfer->outcome == HTTP_BROKEN;
	}
	else if (transfer->easy == NULL)
	{
		/* It was abandoned in its name lookup, and cannot be sent again. */
		transfer->outcome = HTTP_NOT_CONNECTED;
		may_retry = false;
	}
	else if (curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE,
							   &status) == CURLE_OK &&
			 status >= 400)
	{
		/* The error code differs between versions of libcurl. */
		transfer->outcome =
			status < 500 ? HTTP_PROXY_REFUSED : HTTP_NOT_CONNECTED;
		transfer->status = status;
		may_retry = status >= 500 && http_status_is_transient(status);
	}
	else if (transfer->code == CURLE_OPERATION_TIMEDOUT &&
			 !http_attempt_was_sent(transfer))
		transfer->outcome = HTTP_NOT_CONNECTED;

	if (transfer->callback_error != NULL)
		strlcpy(transfer->error, transfer->callback_error,
				sizeof(transfer->error));
	else if (transfer->error[0] == '\0')
		strlcpy(transfer->error, curl_easy_strerror(transfer->code),
				sizeof(transfer->error));
	remove_secrets(transfer->target, transfer->error, sizeof(transfer->error));
	return may_retry;
}

/* Sets outcome, status, content type and requested wait from a response. */
static void
attempt_read_response(HttpTransfer *transfer)
{
	transfer->outcome = HTTP_RESPONDED;
	transfer->status = 0;
	if (curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE,
						  &transfer->status) != CURLE_OK)
		transfer->outcome = HTTP_OUT_OF_MEMORY;
	else if (transfer->status == 407 && transfer->target->proxy != NULL)
		transfer->outcome = HTTP_PROXY_REFUSED;
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE,
					  &transfer->content_type);
	keep_wait(transfer, http_is_throttled(transfer));
}

/* --- Retries --- */

/*
 * Replaces the handle of a transfer that is not in flight with a copy.  Returns
 * false if memory is out.  libcurl 7.88 keeps a pointer to the last header of a
 * response after it freed it.  It writes there if the handle's next response
 * begins with a folded header line.
 */
static bool
renew_handle(HttpTransfer *transfer)
{
	CURL *easy = curl_easy_duphandle(transfer->easy);

	/* curl_easy_duphandle does not copy this option. */
	if (easy == NULL || curl_easy_setopt(easy, CURLOPT_SHARE,
										 transfer->pool->share) != CURLE_OK)
	{
		curl_easy_cleanup(easy);
		return false;
	}
	curl_easy_cleanup(transfer->easy);
	transfer->easy = easy;
	transfer->content_type = NULL;
	return true;
}

/*
 * Returns the pause before the next attempt, in microseconds.  Returns -1 if
 * the server requests more than is left of max_retry_wait.
 *
 * A wait that the server requests is obeyed, except after a truncated response,
 * whose first retry is immediate.  Otherwise the pause is exponential back-off.
 * Half of it is random, so that sessions that failed together do not return
 * together.
 */
static int64
pause_before_retry(const HttpTransfer *transfer, HttpFault fault)
{
	const int64 left = http_pool_wait_left(transfer);
	int64		ceiling;

	if (fault == HTTP_FAULT_CUT && transfer->cut_responses == 0)
		return 0;
	if (fault != HTTP_FAULT_CUT && transfer->retry_after >= 0)
		return transfer->retry_after > left / 1000
				   ? -1
				   : (int64) transfer->retry_after * 1000;
	ceiling = Min((int64) HTTP_FIRST_PAUSE << Min(transfer->pauses, 20),
				  transfer->target->max_retry_wait / HTTP_PAUSES_IN_WAIT);
	return Min(left, (int64) (ceiling / 2.0 *
							  (1 + pg_prng_double(&pg_global_prng_state))));
}

/*
 * Queues another attempt and returns true.  Returns false if no attempt is
 * left.  Then the outcome changes only if memory or the budget prevents the
 * retry.
 */
static bool
schedule_retry(HttpTransfer *transfer, HttpFault fault)
{
	int64 wait;

	if (fault == HTTP_FAULT_THROTTLED
			? http_pool_wait_left(transfer) == 0
			: transfer->failures >= transfer->target->max_retries)
		return false;
	wait = pause_before_retry(transfer, fault);
	if (wait < 0)
		return false;
	if (!renew_handle(transfer))
	{
		transfer->outcome = HTTP_OUT_OF_MEMORY;
		return false;
	}
	if (!http_allows(transfer->budget))
	{
		transfer->outcome = HTTP_OVER_BUDGET;
		return false;
	}
	transfer->budget->retries++;

	/* Throttling delays all transfers of the pool, other faults only one. */
	if (fault == HTTP_FAULT_THROTTLED)
	{
		HttpRefusal refusal = {
			.sent_at = transfer->sent_at,
			.pause = wait,
			.is_asked_for = transfer->retry_after >= 0,
			.is_first = transfer->attempts == 1,
			.max_pause = transfer->target->max_retry_wait,
		};

		if (http_pace_refused(&transfer->pool->pace, &refusal, http_now()))
			transfer->pauses++;
		wait = 0;
	}
	else
	{
		transfer->failures++;
		transfer->cut_responses += fault == HTTP_FAULT_CUT;
		transfer->pauses += wait > 0;
	}
	http_attempt_enqueue(transfer, wait);
	return true;
}

/*
 * Retries a transfer whose response is unusable, regardless of its status.
 * Returns false if no attempt is left.  The outcome is then HTTP_BROKEN for a
 * truncated response, and HTTP_RESPONDED for any other.  If memory or the
 * budget prevents the retry, it is HTTP_OUT_OF_MEMORY or HTTP_OVER_BUDGET.
 */
bool
http_retry(HttpTransfer *transfer, HttpFault fault)
{
	if (fault == HTTP_FAULT_CUT)
	{
		transfer->outcome = HTTP_BROKEN;
		strlcpy(transfer->error, "the response ended early",
				sizeof(transfer->error));
	}
	else if (fault == HTTP_FAULT_THROTTLED && !http_is_throttled(transfer))
	{
		keep_wait(transfer, true);
		if (!attempt_is_transient(transfer))
			http_pace_take_back(&transfer->pool->pace, transfer->ended_at);
	}
	return schedule_retry(transfer, fault);
}

/* --- The end of an attempt --- */

/* Counts an attempt's outcome, unless the counters were reset since then. */
static void
count_outcome(const HttpTransfer *transfer)
{
	int64 *counts = transfer->counters->counts;
	long   status = transfer->status;
	long   connections = 0;
	int64  bytes = transfer->outcome == HTTP_RESPONDED ? transfer->length : 0;

	transfer->budget->bytes += bytes;
	if (transfer->sent_at < transfer->counters->reset_at)
		return;
	if (transfer->easy != NULL)
		curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connections);
	counts[HTTP_COUNT_CONNECTIONS] += connections;
	counts[HTTP_COUNT_BYTES] += bytes;
	counts[transfer->outcome != HTTP_RESPONDED ? HTTP_COUNT_CONNECTION_ERRORS
		   : status >= 200 && status < 300	   ? HTTP_COUNT_SUCCEEDED
		   : status == 404					   ? HTTP_COUNT_NOT_FOUND
		   : http_is_throttled(transfer)	   ? HTTP_COUNT_THROTTLED
		   : status >= 500					   ? HTTP_COUNT_FAILED
											   : HTTP_COUNT_REFUSED]++;
}

/* Writes the log line of an attempt that has ended to line. */
static void
describe_attempt(const HttpTransfer *transfer, char *line, size_t size)
{
	static const char *const texts[] = {
		[HTTP_NOT_CONNECTED] = "connection failed",
		[HTTP_PROXY_REFUSED] = "rejected by the proxy",
		[HTTP_BROKEN] = "request failed",
		[HTTP_NOT_HTTP] = "not HTTP",
		[HTTP_TOO_LARGE] = "response too large",
		[HTTP_OUT_OF_MEMORY] = "out of memory",
	};
	const char *host = strstr(transfer->url, "://");
	const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
	char		result[32];

	if (transfer->outcome == HTTP_RESPONDED)
		snprintf(result, sizeof(result), "HTTP status %ld", transfer->status);
	else
		strlcpy(result, texts[transfer->outcome], sizeof(result));
	snprintf(line, size, "%s %.*s: %s after %.1f ms, %zu bytes, attempt %d",
			 transfer->request_body != NULL ? "POST" : "GET",
			 HTTP_LOGGED_PATH - 1, path != NULL ? path : "/", result,
			 (transfer->ended_at - transfer->sent_at) / 1000.0,
			 transfer->length, transfer->attempts);
}

/*
 * Sets the outcome of an attempt that the pool has finished, or queues a retry.
 * Then logs it, which may process interrupts.
 */
void
http_attempt_end(HttpTransfer *transfer)
{
	HttpFault fault = HTTP_FAULT_CUT;
	bool	  is_logged = message_level_is_interesting(DEBUG1);
	bool	  may_retry;
	char	  line[HTTP_LOG_LINE];

	if (transfer->code == CURLE_OK)
	{
		attempt_read_response(transfer);
		may_retry = attempt_is_transient(transfer);
		fault = http_is_throttled(transfer) ? HTTP_FAULT_THROTTLED
											: HTTP_FAULT_FAILED;
	}
	else
		may_retry = classify_failure(transfer);
	count_outcome(transfer);
	/* The retry clears the response, and the log line comes last. */
	if (is_logged)
		describe_attempt(transfer, line, sizeof(line));

	if (may_retry)
		schedule_retry(transfer, fault);
	else if (transfer->outcome == HTTP_RESPONDED)
		http_pace_responded(&transfer->pool->pace, transfer->ended_at);
	if (is_logged)
		ereport(DEBUG1, (errmsg_internal("%s", line)));
}
