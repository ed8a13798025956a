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

#ifndef __linux__
#error "opportunity_fdw needs Linux (epoll and timerfd)"
#endif

#include <math.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "utils/memutils.h"

#include "compat.h"
#include "http.h"
#include "version.h"

/* Events taken from the epoll descriptor at once. */
#define HTTP_EVENTS_AT_ONCE 32

/* The first back-off's ceiling; it doubles from try to try. */
#define HTTP_FIRST_BACKOFF 500 /* milliseconds */

/* A new response buffer's size; it doubles as the answer grows. */
#define HTTP_INITIAL_BUFFER 8192

/* Below 8.0 libcurl may report HTTP/2 bodies that were cut as complete. */
#define HTTP2_SAFE_VERSION 0x080000

struct HttpPool
{
	MemoryContext context;
	CURLM		 *multi;
	CURLSH		 *share; /* keeps TLS sessions over transfers */
	int			  epoll_fd;
	int			  timer_fd;
	int			  reserved_fds;
	int64		  curl_due; /* when libcurl wants to be called, or -1 */
	dlist_head	  waiting;	/* transfers in back-off */
};

typedef struct HttpTransferPrivate
{
	MemoryContext		  context;
	MemoryContextCallback callback;
	HttpPool			 *pool;
	const HttpTarget	 *target;
	HttpBudget			 *budget;
	CURL				 *easy;
	struct curl_slist	 *headers;
	bool				  in_multi;
	bool				  is_waiting;
	dlist_node			  waiting_node;
	int64				  due; /* when a waiting transfer is tried again */
	size_t				  capacity;
	bool				  too_large;
	bool				  out_of_memory;
} HttpTransferPrivate;

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
};

static void	 initialize_library(void);
static void	 block_signals(sigset_t *old_mask);
static void	 restore_signals(const sigset_t *old_mask);
static int64 now(void);
static void	 release_pool(void *arg);
static void	 release_transfer(void *arg);
static void	 set_options(HttpTransfer *transfer, const char *url);
static void	 check_option(CURLcode code, const char *what);
static void	 drive(HttpPool *pool);
static void	 resume_waiting(HttpPool *pool);
static void	 arm_timer(HttpPool *pool);
static bool	 charge(HttpBudget *budget);
static void pg_attribute_noreturn() raise_over_budget(const HttpBudget *budget);
static bool attach(HttpTransfer *transfer);
static void finish_attempt(HttpTransfer *transfer, CURLcode code);
static void classify_failure(HttpTransfer *transfer, CURLcode code,
							 bool *may_retry);
static void read_answer(HttpTransfer *transfer);
static bool is_worth_a_retry(long status);
static bool schedule_retry(HttpTransfer *transfer);
static void printable(char *text);

static int	  on_socket(CURL *easy, curl_socket_t fd, int what, void *pool,
						void *known);
static int	  on_timer(CURLM *multi, long timeout, void *pool);
static size_t on_body(char *data, size_t size, size_t count, void *transfer);

#define SET_OPTION(easy, option, value) \
	check_option(curl_easy_setopt(easy, option, value), #option)

/*
 * Makes an empty pool.  It lives until http_pool_destroy.  Raises an error
 * where the operating system or libcurl refuses, and leaves nothing behind.
 */
HttpPool *
http_pool_create(void)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw pool", ALLOCSET_SMALL_SIZES);
	HttpPool *pool = MemoryContextAllocZero(context, sizeof(HttpPool));
	MemoryContextCallback *callback =
		MemoryContextAlloc(context, sizeof(MemoryContextCallback));
	struct epoll_event event = {0};

	initialize_library();

	pool->context = context;
	pool->epoll_fd = -1;
	pool->timer_fd = -1;
	pool->curl_due = -1;
	dlist_init(&pool->waiting);
	callback->func = release_pool;
	callback->arg = pool;
	MemoryContextRegisterResetCallback(context, callback);

	for (; pool->reserved_fds < 2; pool->reserved_fds++)
	{
		if (!AcquireExternalFD())
			ereport(ERROR, (errcode_for_file_access(),
							errmsg("out of file descriptors: %m")));
	}
	pool->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (pool->epoll_fd < 0)
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("epoll_create1() failed: %m")));
	pool->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (pool->timer_fd < 0)
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("timerfd_create() failed: %m")));
	event.events = EPOLLIN;
	event.data.fd = pool->timer_fd;
	if (epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, pool->timer_fd, &event) < 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("epoll_ctl() failed: %m")));

	pool->multi = curl_multi_init();
	pool->share = curl_share_init();
	if (pool->multi == NULL || pool->share == NULL ||
		curl_share_setopt(pool->share, CURLSHOPT_SHARE,
						  CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket) !=
			CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool) != CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer) !=
			CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool) != CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS,
						  (long) HTTP_MAX_IDLE_CONNECTIONS) != CURLM_OK)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
						errdetail("libcurl could not be set up.")));

	MemoryContextSetParent(context, TopMemoryContext);
	return pool;
}

/* Closes a pool's connections.  None of its transfers may be left. */
void
http_pool_destroy(HttpPool *pool)
{
	MemoryContextDelete(pool->context);
}

/*
 * Starts a GET.
 *
 * The transfer is made in a child of the current context, and is over when that
 * is deleted or http_end is called.  target and budget must outlive it; the
 * budget is charged.  Raises an error where memory is out.
 */
HttpTransfer *
http_start(HttpPool *pool, const HttpTarget *target, const char *url,
		   HttpBudget *budget)
{
	MemoryContext context;
	HttpTransfer *transfer;
	HttpTransferPrivate *private;

	if (!charge(budget))
		raise_over_budget(budget);

	context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw transfer", ALLOCSET_SMALL_SIZES);
	transfer = MemoryContextAllocZero(context, sizeof(HttpTransfer));
	private = MemoryContextAllocZero(context, sizeof(HttpTransferPrivate));
	transfer->private = private;
	private->context = context;
	private->pool = pool;
	private->target = target;
	private->budget = budget;
	private->callback.func = release_transfer;
	private->callback.arg = transfer;
	MemoryContextRegisterResetCallback(context, &private->callback);

	private->easy = curl_easy_init();
	if (private->easy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	set_options(transfer, url);

	if (!attach(transfer))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	drive(pool); /* the request is on its way before anybody waits for it */
	return transfer;
}

/* Waits until a transfer is no longer pending; answers to interrupts. */
void
http_wait(HttpTransfer *transfer)
{
	static uint32 wait_event = 0;
	HttpPool	 *pool = transfer->private->pool;

	if (wait_event == 0)
		wait_event = compat_wait_event("OpportunityFdwRequest");

	for (;;)
	{
		int events;

		CHECK_FOR_INTERRUPTS();
		drive(pool);
		if (transfer->outcome != HTTP_PENDING)
			return;
		events = WaitLatchOrSocket(
			MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_EXIT_ON_PM_DEATH,
			pool->epoll_fd, -1, wait_event);
		if (events & WL_LATCH_SET)
			ResetLatch(MyLatch);
	}
}

/*
 * Tries an answered request again, because its answer turned out to be cut
 * short.  Returns false where there is no further try; the outcome is then
 * HTTP_BROKEN or HTTP_OVER_BUDGET.
 */
bool
http_retry(HttpTransfer *transfer)
{
	transfer->outcome = HTTP_BROKEN;
	strlcpy(transfer->error, "the answer ended early", sizeof(transfer->error));
	return schedule_retry(transfer);
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

	/* A cancel may be what broke it, or the user may no longer care. */
	CHECK_FOR_INTERRUPTS();

	printable(transfer->error);
	switch (transfer->outcome)
	{
		case HTTP_NOT_CONNECTED:
			ereport(ERROR,
					(errcode(ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION),
					 errmsg("could not connect to the API"),
					 errdetail("Host \"%s\", after %d %s: %s.", target->host,
							   transfer->attempts,
							   transfer->attempts == 1 ? "attempt" : "attempts",
							   transfer->error),
					 errhint("Check the server's options base_url, proxy and "
							 "ca_file, and the network.")));
			break;
		case HTTP_NOT_HTTP:
			ereport(
				ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("the API's answer is not HTTP"),
				 errdetail("Host \"%s\": %s.", target->host, transfer->error),
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
			raise_over_budget(transfer->private->budget);
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
							   transfer->error),
					 errhint("The server's options connect_timeout, "
							 "request_timeout and max_retries set the "
							 "limits.")));
	}
	pg_unreachable();
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

/* libcurl is set up when a backend first needs it, never in the postmaster. */
static void
initialize_library(void)
{
	static bool initialized = false;

	if (initialized)
		return;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
						errdetail("libcurl could not be set up.")));
	initialized = true;
}

/*
 * Whatever may start a resolver thread runs with all signals blocked: the
 * thread inherits that, and PostgreSQL's handlers only ever run in the
 * backend's own thread.
 */
static void
block_signals(sigset_t *old_mask)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, old_mask);
}

static void
restore_signals(const sigset_t *old_mask)
{
	pthread_sigmask(SIG_SETMASK, old_mask, NULL);
}

/* Microseconds on a clock that nobody sets. */
static int64
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64) time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* The memory context of a pool ends. */
static void
release_pool(void *arg)
{
	HttpPool *pool = arg;

	if (pool->multi != NULL)
		curl_multi_cleanup(pool->multi);
	if (pool->share != NULL)
		curl_share_cleanup(pool->share);
	if (pool->timer_fd >= 0)
		close(pool->timer_fd);
	if (pool->epoll_fd >= 0)
		close(pool->epoll_fd);
	while (pool->reserved_fds-- > 0)
		ReleaseExternalFD();
}

/* The memory context of a transfer ends. */
static void
release_transfer(void *arg)
{
	HttpTransfer *transfer = arg;
	HttpTransferPrivate *private = transfer->private;

	if (private->is_waiting)
		dlist_delete(&private->waiting_node);
	if (private->in_multi)
		curl_multi_remove_handle(private->pool->multi, private->easy);
	if (private->easy != NULL)
		curl_easy_cleanup(private->easy);
	curl_slist_free_all(private->headers);
}

/* Everything is set for each request anew, so none inherits from another. */
static void
set_options(HttpTransfer *transfer, const char *url)
{
	HttpTransferPrivate *private = transfer->private;
	const HttpTarget			 *target = private->target;
	CURL						 *easy = private->easy;
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	SET_OPTION(easy, CURLOPT_URL, url);
	SET_OPTION(easy, CURLOPT_PRIVATE, transfer);
	SET_OPTION(easy, CURLOPT_SHARE, private->pool->share);
	SET_OPTION(easy, CURLOPT_ERRORBUFFER, transfer->error);
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
	private->headers = curl_slist_append(NULL, "Accept: application/json");
	if (private->headers == NULL)
		check_option(CURLE_OUT_OF_MEMORY, "CURLOPT_HTTPHEADER");
	SET_OPTION(easy, CURLOPT_HTTPHEADER, private->headers);
	SET_OPTION(easy, CURLOPT_USERAGENT,
			   "opportunity_fdw/" OPPORTUNITY_FDW_VERSION
			   " (PostgreSQL " PG_VERSION ")");
	SET_OPTION(easy, CURLOPT_ACCEPT_ENCODING, "");

	SET_OPTION(easy, CURLOPT_CONNECTTIMEOUT_MS, target->connect_timeout);
	SET_OPTION(easy, CURLOPT_TIMEOUT_MS, target->request_timeout);
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

/*
 * Does whatever can be done without waiting, for all transfers of a pool.
 */
static void
drive(HttpPool *pool)
{
	struct epoll_event events[HTTP_EVENTS_AT_ONCE];
	int				   event_count;
	int				   running;
	CURLMsg			  *message;
	sigset_t		   old_mask;

	event_count = epoll_wait(pool->epoll_fd, events, HTTP_EVENTS_AT_ONCE, 0);

	block_signals(&old_mask);
	for (int i = 0; i < event_count; i++)
	{
		uint32 ready = events[i].events;
		int	   action = 0;

		if (events[i].data.fd == pool->timer_fd)
			continue; /* arm_timer sets it anew */
		if (ready & EPOLLIN)
			action |= CURL_CSELECT_IN;
		if (ready & EPOLLOUT)
			action |= CURL_CSELECT_OUT;
		if (ready & (EPOLLERR | EPOLLHUP))
			action |= CURL_CSELECT_ERR;
		curl_multi_socket_action(pool->multi, events[i].data.fd, action,
								 &running);
	}
	resume_waiting(pool);
	if (pool->curl_due >= 0 && pool->curl_due <= now())
	{
		pool->curl_due = -1;
		curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	restore_signals(&old_mask);

	while ((message = curl_multi_info_read(pool->multi, &running)) != NULL)
	{
		HttpTransfer *transfer;

		if (message->msg == CURLMSG_DONE &&
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
							  &transfer) == CURLE_OK)
			finish_attempt(transfer, message->data.result);
	}
	arm_timer(pool);
}

/* Starts the transfers whose back-off is over. */
static void
resume_waiting(HttpPool *pool)
{
	dlist_mutable_iter iter;
	int64			   current = now();

	dlist_foreach_modify(iter, &pool->waiting)
	{
		HttpTransferPrivate *private =
			dlist_container(HttpTransferPrivate, waiting_node, iter.cur);
		HttpTransfer *transfer = private->callback.arg;

		if (private->due > current)
			continue;
		dlist_delete(&private->waiting_node);
		private->is_waiting = false;
		if (!attach(transfer))
			transfer->outcome = HTTP_OUT_OF_MEMORY;
	}
}

/* Charges a request to a budget; false where that would exceed it. */
static bool
charge(HttpBudget *budget)
{
	if (budget->limit > 0 && *budget->total >= budget->limit)
		return false;
	(*budget->total)++;
	budget->requests++;
	return true;
}

static void
raise_over_budget(const HttpBudget *budget)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("the statement needs more than " INT64_FORMAT
					" requests to the API",
					budget->limit),
			 errhint("Narrow the query, or raise max_requests of the foreign "
					 "table or its server.")));
}

/* Sets the timer to whatever is due first. */
static void
arm_timer(HttpPool *pool)
{
	struct itimerspec spec = {0};
	int64			  due = pool->curl_due;
	dlist_iter		  iter;

	dlist_foreach(iter, &pool->waiting)
	{
		HttpTransferPrivate *private =
			dlist_container(HttpTransferPrivate, waiting_node, iter.cur);

		if (due < 0 || private->due < due)
			due = private->due;
	}

	/* All zero disarms it; a time in the past fires at once. */
	if (due >= 0)
	{
		spec.it_value.tv_sec = due / 1000000;
		spec.it_value.tv_nsec = (due % 1000000) * 1000 + 1;
	}
	timerfd_settime(pool->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* Hands a transfer to libcurl for another attempt.  False: out of memory. */
static bool
attach(HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;

	transfer->outcome = HTTP_PENDING;
	transfer->attempts++;
	transfer->length = 0;
	transfer->error[0] = '\0';
	private->in_multi =
		curl_multi_add_handle(private->pool->multi, private->easy) == CURLM_OK;
	return private->in_multi;
}

/* An attempt is over: that is the outcome, or there will be another one. */
static void
finish_attempt(HttpTransfer *transfer, CURLcode code)
{
	HttpTransferPrivate *private = transfer->private;
	bool may_retry = false;

	if (code == CURLE_OK)
	{
		read_answer(transfer);
		may_retry = is_worth_a_retry(transfer->status);
	}
	else
		classify_failure(transfer, code, &may_retry);

	curl_multi_remove_handle(private->pool->multi, private->easy);
	private->in_multi = false;

	if (may_retry)
		schedule_retry(transfer);
}

/* Sets the outcome of an attempt that got no whole answer. */
static void
classify_failure(HttpTransfer *transfer, CURLcode code, bool *may_retry)
{
	HttpTransferPrivate *private = transfer->private;
	curl_off_t connected = 0;

	transfer->outcome = HTTP_BROKEN;
	for (size_t i = 0; i < lengthof(failures); i++)
	{
		if (failures[i].code == code)
		{
			transfer->outcome = failures[i].outcome;
			*may_retry = failures[i].retry;
		}
	}

	if (private->too_large)
	{
		transfer->outcome = HTTP_TOO_LARGE;
		*may_retry = false;
	}
	else if (private->out_of_memory)
	{
		transfer->outcome = HTTP_OUT_OF_MEMORY;
		*may_retry = false;
	}
	else if (code == CURLE_OPERATION_TIMEDOUT &&
			 curl_easy_getinfo(private->easy, CURLINFO_PRETRANSFER_TIME_T,
							   &connected) == CURLE_OK &&
			 connected == 0)
		transfer->outcome = HTTP_NOT_CONNECTED;

	if (transfer->error[0] == '\0')
		strlcpy(transfer->error, curl_easy_strerror(code),
				sizeof(transfer->error));
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
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &transfer->status);
	curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &content_type);
	strlcpy(transfer->content_type, content_type != NULL ? content_type : "",
			sizeof(transfer->content_type));
	printable(transfer->content_type);

	/* libcurl reads seconds as well as a date; 0 stands for none. */
	curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
	transfer->retry_after =
		retry_after <= 0 ? -1 : Min(retry_after, INT_MAX / 1000) * 1000;
}

/* Statuses by which a server says that it could not for the moment. */
static bool
is_worth_a_retry(long status)
{
	return status == 429 || status == 502 || status == 503 || status == 504;
}

/*
 * Puts a transfer into back-off, where a try is left.  Otherwise returns false,
 * and the outcome stays what it was unless the budget is what forbids it.
 *
 * Exponential back-off with full jitter, so that many sessions that failed
 * together do not come back together; a Retry-After is obeyed instead.
 */
static bool
schedule_retry(HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;
	const HttpTarget *target = private->target;
	double			  wait;

	if (transfer->attempts > target->max_retries)
		return false;
	if (transfer->outcome == HTTP_ANSWERED && transfer->retry_after >= 0)
	{
		wait = transfer->retry_after;
		if (wait > target->max_retry_wait)
			return false;
	}
	else
	{
		wait = HTTP_FIRST_BACKOFF * pow(2, transfer->attempts - 1);
		wait = Min(wait, target->max_retry_wait) * compat_random_fraction();
	}

	if (!charge(private->budget))
	{
		transfer->outcome = HTTP_OVER_BUDGET;
		return false;
	}
	private->budget->retries++;
	private->due = now() + (int64) (wait * 1000);
	private->is_waiting = true;
	dlist_push_tail(&private->pool->waiting, &private->waiting_node);
	transfer->outcome = HTTP_PENDING;
	arm_timer(private->pool);
	return true;
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

/* libcurl's callback: which events of a socket it wants to hear of. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	HttpPool		  *pool = arg;
	struct epoll_event event = {0};

	(void) easy;
	if (what == CURL_POLL_REMOVE)
	{
		/* The socket may be closed already, which took it out. */
		epoll_ctl(pool->epoll_fd, EPOLL_CTL_DEL, fd, &event);
		return 0;
	}

	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	event.data.fd = fd;
	if (epoll_ctl(pool->epoll_fd, known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
				  fd, &event) < 0)
		return -1;
	if (known == NULL)
		curl_multi_assign(pool->multi, fd, pool);
	return 0;
}

/* libcurl's callback: when it wants to be called at the latest. */
static int
on_timer(CURLM *multi, long timeout, void *arg)
{
	HttpPool *pool = arg;

	(void) multi;
	pool->curl_due = timeout < 0 ? -1 : now() + (int64) timeout * 1000;
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
		private->too_large = true;
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
			private->out_of_memory = true;
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
