/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_pool.c
 *	  A pool of connections: runs transfers without blocking, at the server's
 *	  pace.
 *
 * A pool is a libcurl multi handle.  One epoll descriptor contains libcurl's
 * sockets and the pool's timer, and is readable if there is work.  A backend
 * waits for it and for its latch together, so a cancel ends the wait
 * immediately.
 *
 * Must not know the content of requests and responses.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifndef __linux__
#error "opportunity_fdw needs Linux (epoll and timerfd)"
#endif

#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "storage/fd.h"
#include "utils/memutils.h"

#include "http/http_internal.h"

/* Events taken from the epoll descriptor in one call. */
#define HTTP_EVENTS_AT_ONCE 32

/* Maximum number of idle connections that a pool keeps open. */
#define HTTP_MAX_IDLE_CONNECTIONS 100L

/* Longest time without an interrupt check, in microseconds. */
#define MAX_DEAFNESS 50000

static void	 initialize_library(void);
static void	 release_pool(void *arg);
static void	 end_overdue(HttpPool *pool);
static bool	 is_connecting(const HttpTransferPrivate *private);
static int64 time_left(const HttpTransferPrivate *private);
static void	 note_wait(HttpPool *pool);
static void	 break_pool(HttpPool *pool, const char *what, const char *why,
						int sqlstate);
static void	 check_curl(HttpPool *pool, const char *what, CURLMcode code);
static void	 block_signals(sigset_t *old_mask);
static void	 restore_signals(const sigset_t *old_mask);
static void	 handle_events(HttpPool *pool);
static void	 handle_timeouts(HttpPool *pool);
static void	 collect_finished(HttpPool *pool);
static void	 send_queued(HttpPool *pool);
static void	 send_now(HttpPool *pool, HttpTransferPrivate *private, int64 now);
static void	 arm_timer(HttpPool *pool);
static int64 earliest_send(const HttpPool *pool);
static bool	 is_held(const HttpPool *pool);
static int64 latest_send(const HttpTransferPrivate *private);
static int64 earlier(int64 due, int64 other);

static bool is_stuck_in_lookup(CURL *easy);
static void park(HttpPool *pool, CURL *easy);
static void forget_socket(HttpPool *pool, int number);

static int	  on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
						void *known);
static int	  on_timer(CURLM *multi, long timeout, void *arg);
static size_t discard(char *data, size_t size, size_t count, void *arg);
static curl_socket_t refuse_socket(void *arg, curlsocktype purpose,
								   struct curl_sockaddr *address);

/*
 * Returns a new, empty pool, which lives until http_pool_destroy.  Raises an
 * error if the operating system or libcurl fails, and then leaves nothing
 * behind.
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
	CURLMcode		   quick_exit = CURLM_UNKNOWN_OPTION;

	initialize_library();

	pool->context = context;
	pool->epoll_fd = -1;
	pool->timer_fd = -1;
	pool->curl_due = -1;
	pool->prepared_at = -1;
	pool->wake_at = -1;
	dlist_init(&pool->queue);
	dlist_init(&pool->in_flight);
	dlist_init(&pool->log);
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
#if LIBCURL_VERSION_NUM >= 0x081400
	/* Otherwise closing the pool would wait for name lookups. */
	if (pool->multi != NULL)
		quick_exit = curl_multi_setopt(pool->multi, CURLMOPT_QUICK_EXIT, 1L);
#endif
	if (pool->multi == NULL || pool->share == NULL ||
		(quick_exit != CURLM_OK && quick_exit != CURLM_UNKNOWN_OPTION) ||
		curl_share_setopt(pool->share, CURLSHOPT_SHARE,
						  CURL_LOCK_DATA_SSL_SESSION) != CURLSHE_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket) !=
			CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool) != CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer) !=
			CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool) != CURLM_OK ||
		curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS,
						  HTTP_MAX_IDLE_CONNECTIONS) != CURLM_OK)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
						errdetail("Could not initialize libcurl.")));

	MemoryContextSetParent(context, TopMemoryContext);
	return pool;
}

/*
 * Closes a pool's connections and frees it.  All its transfers must have ended.
 */
void
http_pool_destroy(HttpPool *pool)
{
	MemoryContextDelete(pool->context);
}

/*
 * Queues a transfer, to be sent after delay microseconds or later.  The queue
 * has the order in which the transfers were created.
 */
void
http_pool_enqueue(HttpTransfer *transfer, int64 delay)
{
	HttpTransferPrivate *private = transfer->private;
	HttpPool   *pool = private->pool;
	dlist_node *before = &pool->queue.head;
	dlist_iter	iter;

	private->queued_at = http_now();
	if (transfer->attempts == 0)
	{
		private->number = pool->started++;
		if (dlist_is_empty(&pool->queue) && dlist_is_empty(&pool->in_flight))
			http_pace_begin(&pool->pace, private->queued_at);
	}
	private->due = private->queued_at + delay;
	private->is_queued = true;
	dlist_reverse_foreach(iter, &pool->queue)
	{
		if (dlist_container(HttpTransferPrivate, queue_node, iter.cur)->number <
			private->number)
		{
			before = iter.cur;
			break;
		}
	}
	dlist_insert_after(before, &private->queue_node);
	transfer->outcome = HTTP_PENDING;
}

/*
 * Returns the microseconds that a transfer may still wait between attempts.
 * For a queued transfer, they count from queued_at.
 */
int64
http_pool_wait_left(const HttpTransfer *transfer)
{
	const HttpTransferPrivate *private = transfer->private;

	return Max(0, private->target->max_retry_wait * (int64) 1000 -
					  private->waited);
}

/* Returns the number of queued transfers that have a delay of their own. */
int
http_pool_delayed(const HttpPool *pool)
{
	int64	   now = http_now();
	int		   count = 0;
	dlist_iter iter;

	dlist_foreach(iter, &((HttpPool *) pool)->queue)
	{
		if (dlist_container(HttpTransferPrivate, queue_node, iter.cur)->due >
			now)
			count++;
	}
	return count;
}

/*
 * Takes a transfer out of its pool, in any state.  If the handle is in a name
 * lookup that blocks its removal, the pool keeps it, and easy is set to NULL.
 */
void
http_pool_remove(HttpTransfer *transfer)
{
	HttpTransferPrivate *private = transfer->private;
	HttpPool *pool = private->pool;

	/* A caller that is about to wait may wait for this transfer. */
	if (pool->wake_at >= 0)
		pool->wake_at = 0;
	if (private->is_queued)
		dlist_delete(&private->queue_node);
	private->is_queued = false;
	if (!private->is_in_multi)
		return;
	private->is_in_multi = false;
	dlist_delete(&private->in_flight_node);
	if (transfer->outcome == HTTP_PENDING && is_stuck_in_lookup(private->easy))
	{
		park(pool, private->easy);
		private->easy = NULL;
	}
	else
		curl_multi_remove_handle(pool->multi, private->easy);
}

/*
 * Returns true if removing the handle would block until its name lookup ends,
 * as libcurl does without CURLOPT_QUICK_EXIT.
 */
static bool
is_stuck_in_lookup(CURL *easy)
{
	curl_off_t looked_up = 0;

	if (http_pool_leaves_lookups())
		return false;
	return curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up) ==
			   CURLE_OK &&
		   looked_up == 0;
}

/*
 * Returns true if libcurl itself can abandon a slow name lookup: version 7.87
 * or later, with CURLOPT_QUICK_EXIT.
 */
bool
http_pool_leaves_lookups(void)
{
#if LIBCURL_VERSION_NUM >= 0x075700
	return curl_version_info(CURLVERSION_NOW)->version_num >= 0x075700;
#else
	return false;
#endif
}

/*
 * Parks a handle in the multi handle until its name lookup ends.  It no longer
 * has a transfer, and opens no connection.
 */
static void
park(HttpPool *pool, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, NULL);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, NULL);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, NULL);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, NULL);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, refuse_socket);
	pool->parked++;
}

/* Returns true if http_pool_destroy does not block. */
bool
http_pool_is_quiet(const HttpPool *pool)
{
	return pool->parked == 0;
}

/*
 * Returns true if libcurl or the operating system failed, so that transfers may
 * stay pending without limit.  The pool cannot be used any more.
 */
bool
http_pool_is_broken(const HttpPool *pool)
{
	return pool->broken[0] != '\0';
}

/*
 * Does all the work of a pool that does not block, and sets the timer for the
 * rest.  Raises no error.
 */
void
http_pool_drive(HttpPool *pool)
{
	sigset_t old_mask;

	block_signals(&old_mask);
	handle_events(pool);
	collect_finished(pool);
	end_overdue(pool);
	send_queued(pool);
	handle_timeouts(pool);
	collect_finished(pool);
	arm_timer(pool);
	restore_signals(&old_mask);
}

/*
 * Returns the descriptor that is readable when the pool needs http_pool_drive.
 */
int
http_pool_wait_fd(const HttpPool *pool)
{
	return pool->epoll_fd;
}

/*
 * Prepares for a caller that waits for the descriptor, possibly without
 * processing interrupts.  Until http_pool_end_wait, the descriptor becomes
 * readable after MAX_DEAFNESS at the latest, and immediately if a transfer ends
 * before the wait.
 */
void
http_pool_prepare_wait(HttpPool *pool)
{
	note_wait(pool);
	pool->prepared_at = http_now();
	pool->wake_at = earlier(pool->wake_at, pool->prepared_at + MAX_DEAFNESS);
	arm_timer(pool);
}

/* Ends a wait that http_pool_prepare_wait began, and drives the pool. */
void
http_pool_end_wait(HttpPool *pool)
{
	note_wait(pool);
	pool->wake_at = -1;
	http_pool_drive(pool);
}

/* Counts a wait of time microseconds that ends now. */
void
http_pool_attended(HttpPool *pool, int64 time)
{
	pool->attended += time;
	pool->wake_at = -1;
}

/*
 * Counts the time since http_pool_prepare_wait, once.  A wait ends after
 * MAX_DEAFNESS, so the caller spent any longer time elsewhere.
 */
static void
note_wait(HttpPool *pool)
{
	if (pool->prepared_at >= 0)
		pool->attended += Min(http_now() - pool->prepared_at, MAX_DEAFNESS);
	pool->prepared_at = -1;
}

/* Marks a pool as broken.  The first reason is kept.  Raises no error. */
static void
break_pool(HttpPool *pool, const char *what, const char *why, int sqlstate)
{
	if (http_pool_is_broken(pool))
		return;
	snprintf(pool->broken, sizeof(pool->broken), "%s failed: %s", what, why);
	pool->broken_state = sqlstate;
}

static void
check_curl(HttpPool *pool, const char *what, CURLMcode code)
{
	if (code != CURLM_OK)
		break_pool(pool, what, curl_multi_strerror(code),
				   code == CURLM_OUT_OF_MEMORY ? ERRCODE_OUT_OF_MEMORY
											   : ERRCODE_FDW_ERROR);
}

/*
 * Ends attempts that exceed a timeout.  libcurl's own timeouts would include
 * time during which the backend does not attend to the pool.  Before 7.87, its
 * connect timeout also waits for name lookups.
 */
static void
end_overdue(HttpPool *pool)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &pool->in_flight)
	{
		HttpTransferPrivate *private =
			dlist_container(HttpTransferPrivate, in_flight_node, iter.cur);
		HttpTransfer *transfer = private->callback.arg;
		int64		  age = pool->attended - private->attended_at_send;
		bool		  is_late;

		if (time_left(private) > 0)
			continue;
		is_late = age >= private->target->request_timeout * (int64) 1000;
		http_pool_remove(transfer);
		snprintf(transfer->error, sizeof(transfer->error),
				 is_late ? "timed out after %ld milliseconds"
						 : "no connection after %ld milliseconds",
				 is_late ? private->target->request_timeout
						 : private->target->connect_timeout);
		http_end_attempt(transfer, is_late ? CURLE_OPERATION_TIMEDOUT
										   : CURLE_COULDNT_CONNECT);
	}
}

/*
 * Returns the microseconds of attended time that are left to an attempt in
 * flight.
 */
static int64
time_left(const HttpTransferPrivate *private)
{
	int64 attended = private->pool->attended;
	int64 left = private->target->request_timeout * (int64) 1000 -
				 (attended - private->attended_at_send);

	if (is_connecting(private))
		left = Min(left, private->target->connect_timeout * (int64) 1000 -
							 (attended - private->attended_at_connect));
	return left;
}

/*
 * Returns true if an attempt is connecting.  An attempt that waits for another
 * request's connection is not.
 */
static bool
is_connecting(const HttpTransferPrivate *private)
{
	curl_off_t connected = 0;

	return private->attended_at_connect >= 0 &&
		   curl_easy_getinfo(private->easy, CURLINFO_PRETRANSFER_TIME_T,
							 &connected) == CURLE_OK &&
		   connected == 0;
}

/* Passes the ready sockets to libcurl. */
static void
handle_events(HttpPool *pool)
{
	struct epoll_event events[HTTP_EVENTS_AT_ONCE];
	int count = epoll_wait(pool->epoll_fd, events, HTTP_EVENTS_AT_ONCE, 0);
	int running;

	if (count < 0 && errno != EINTR)
		break_pool(pool, "epoll_wait()", strerror(errno), ERRCODE_SYSTEM_ERROR);
	for (int i = 0; i < count; i++)
	{
		uint32 ready = events[i].events;
		int	   action = 0;

		if (events[i].data.fd == pool->timer_fd)
			continue; /* arm_timer sets it again */
		if (ready & EPOLLIN)
			action |= CURL_CSELECT_IN;
		if (ready & EPOLLOUT)
			action |= CURL_CSELECT_OUT;
		if (ready & (EPOLLERR | EPOLLHUP))
			action |= CURL_CSELECT_ERR;
		check_curl(pool, "curl_multi_socket_action()",
				   curl_multi_socket_action(pool->multi, events[i].data.fd,
											action, &running));
	}
}

/* Calls libcurl if it is due, for example for a new transfer. */
static void
handle_timeouts(HttpPool *pool)
{
	CURLMcode code;
	int		  running;

	if (pool->curl_due < 0 || pool->curl_due > http_now())
		return;
	pool->curl_due = -1;
	code =
		curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	check_curl(pool, "curl_multi_socket_action()", code);
	/* The work is not done, and parked handles depend on it. */
	if (code != CURLM_OK)
		pool->curl_due = http_now();
}

/* Ends the attempts that libcurl has finished, and frees parked handles. */
static void
collect_finished(HttpPool *pool)
{
	CURLMsg *message;
	int		 remaining;

	while ((message = curl_multi_info_read(pool->multi, &remaining)) != NULL)
	{
		CURLcode	  code = message->data.result;
		CURL		 *easy = message->easy_handle;
		HttpTransfer *transfer = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer) != CURLE_OK)
			break_pool(pool, "curl_easy_getinfo()", "no private data",
					   ERRCODE_FDW_ERROR);
		else if (transfer != NULL)
			http_end_attempt(transfer, code);
		else
		{
			curl_multi_remove_handle(pool->multi, easy);
			curl_easy_cleanup(easy);
			pool->parked--;
		}
	}
}

/* Sends the transfers that are due. */
static void
send_queued(HttpPool *pool)
{
	dlist_mutable_iter iter;
	int64			   now = http_now();

	dlist_foreach_modify(iter, &pool->queue)
	{
		HttpTransferPrivate *private =
			dlist_container(HttpTransferPrivate, queue_node, iter.cur);

		if ((private->due <= now && pool->pace.next_send <= now &&
			 !is_held(pool)) ||
			latest_send(private) <= now)
			send_now(pool, private, now);
	}
}

/* Returns true if the queue waits for the response to a probe. */
static bool
is_held(const HttpPool *pool)
{
	return http_pace_is_probing(&pool->pace) &&
		   !dlist_is_empty((dlist_head *) &pool->in_flight);
}

/*
 * Returns the latest time for sending a queued transfer.  When max_retry_wait
 * is used up, its last attempt is made regardless of the pace.
 */
static int64
latest_send(const HttpTransferPrivate *private)
{
	const HttpTransfer *transfer = private->callback.arg;

	return transfer->attempts == 0
			   ? PG_INT64_MAX
			   : private->queued_at + http_pool_wait_left(transfer);
}

/* Hands a queued transfer to libcurl. */
static void
send_now(HttpPool *pool, HttpTransferPrivate *private, int64 now)
{
	HttpTransfer *transfer = private->callback.arg;
	CURLMcode	  code;

	http_pace_sent(&pool->pace, now);

	dlist_delete(&private->queue_node);
	private->is_queued = false;
	private->sent_at = now;
	if (transfer->attempts > 0)
	private->waited += now - private->queued_at;
	http_begin_attempt(transfer);
	code = curl_multi_add_handle(pool->multi, private->easy);
	if (code != CURLM_OK)
	{
		check_curl(pool, "curl_multi_add_handle()", code);
		transfer->outcome = HTTP_POOL_BROKEN;
		return;
	}
	private->is_in_multi = true;
	dlist_push_tail(&pool->in_flight, &private->in_flight_node);
}

/* Sets the timer to the earliest time at which there is work. */
static void
arm_timer(HttpPool *pool)
{
	struct itimerspec spec = {0};
	int64			  due = pool->wake_at;
	int64			  send = earliest_send(pool);
	dlist_iter		  iter;

	if (send >= 0)
		due = earlier(due, send);
	if (pool->curl_due >= 0)
		due = earlier(due, pool->curl_due);
	dlist_foreach(iter, &pool->in_flight)
		due = earlier(due, http_now() + time_left(dlist_container(
											HttpTransferPrivate, in_flight_node,
											iter.cur)));

	/* All zero disarms it; a time in the past fires immediately. */
	if (due >= 0)
	{
		spec.it_value.tv_sec = due / 1000000;
		spec.it_value.tv_nsec = (due % 1000000) * 1000 + 1;
	}
	if (timerfd_settime(pool->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
		break_pool(pool, "timerfd_settime()", strerror(errno),
				   ERRCODE_SYSTEM_ERROR);
}

/* Returns the earliest time for sending a queued transfer, or -1 for none. */
static int64
earliest_send(const HttpPool *pool)
{
	dlist_iter iter;
	int64	   due = -1;

	dlist_foreach(iter, &((HttpPool *) pool)->queue)
	{
		HttpTransferPrivate *private =
			dlist_container(HttpTransferPrivate, queue_node, iter.cur);

		due = earlier(due, latest_send(private));
		if (!is_held(pool))
			due = earlier(due, Max(private->due, pool->pace.next_send));
	}
	return due;
}

/* Returns the earlier of two times.  due may be -1 for none. */
static int64
earlier(int64 due, int64 other)
{
	return due < 0 ? other : Min(due, other);
}

/*
 * Initializes libcurl at its first use in a backend, never in the postmaster.
 */
static void
initialize_library(void)
{
	static bool initialized = false;

	if (initialized)
		return;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
						errdetail("Could not initialize libcurl.")));
	initialized = true;
}

/*
 * Blocks all signals around calls that may start a resolver thread.  The thread
 * inherits the mask, so PostgreSQL's signal handlers run in the main thread
 * only.
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

/* Returns the time in microseconds, on the monotonic clock. */
int64
http_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64) time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Memory context callback: closes and frees all that a pool owns. */
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
	while (pool->socket_count > 0)
		forget_socket(pool, 0);
	while (pool->reserved_fds-- > 0)
		ReleaseExternalFD();
}

/*
 * Opens a socket, and reserves a descriptor for it with PostgreSQL.  Programs
 * that PostgreSQL runs do not inherit it.  Returns -1 on failure.  Raises no
 * error.
 *
 * libcurl closes some sockets without calling on_close, for example when it
 * changes to another address.  They are detected here, so that their
 * reservation ends.
 */
int
http_pool_open_socket(HttpPool *pool, int family, int type, int protocol)
{
	int fd;

	for (int i = pool->socket_count - 1; i >= 0; i--)
	{
		struct stat status;

		if (fstat(pool->sockets[i], &status) < 0 || !S_ISSOCK(status.st_mode))
			forget_socket(pool, i);
	}
	if (pool->socket_count == HTTP_COUNTED_SOCKETS)
		return socket(family, type | SOCK_CLOEXEC, protocol);
	ReserveExternalFD();
	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (fd >= 0)
		pool->sockets[pool->socket_count++] = fd;
	else
		ReleaseExternalFD();
	return fd;
}

/* Closes a socket and releases its reservation.  Raises no error. */
int
http_pool_close_socket(HttpPool *pool, int fd)
{
	for (int i = pool->socket_count - 1; i >= 0; i--)
	{
		if (pool->sockets[i] == fd)
			forget_socket(pool, i);
	}
	return close(fd);
}

/* Releases the reservation of one of the counted sockets. */
static void
forget_socket(HttpPool *pool, int number)
{
	pool->sockets[number] = pool->sockets[--pool->socket_count];
	ReleaseExternalFD();
}

/* CURLMOPT_SOCKETFUNCTION: watches a socket for events. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	HttpPool		  *pool = arg;
	struct epoll_event event = {0};

	(void) easy;
	if (what == CURL_POLL_REMOVE)
	{
		/* This fails if the socket is closed, which removed it. */
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
	{
		break_pool(pool, "epoll_ctl()", strerror(errno), ERRCODE_SYSTEM_ERROR);
		return -1;
	}
	if (known == NULL)
		curl_multi_assign(pool->multi, fd, pool);
	return 0;
}

/* CURLMOPT_TIMERFUNCTION: keeps the time of libcurl's next call. */
static int
on_timer(CURLM *multi, long timeout, void *arg)
{
	HttpPool *pool = arg;

	(void) multi;
	pool->curl_due = timeout < 0 ? -1 : http_now() + (int64) timeout * 1000;
	return 0;
}

/* CURLOPT_WRITEFUNCTION of a parked handle. */
static size_t
discard(char *data, size_t size, size_t count, void *arg)
{
	(void) data;
	(void) arg;
	return size * count;
}

/* CURLOPT_OPENSOCKETFUNCTION of a parked handle, which must not connect. */
static curl_socket_t
refuse_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void) arg;
	(void) purpose;
	(void) address;
	return CURL_SOCKET_BAD;
}
