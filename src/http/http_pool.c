/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_pool.c
 *	  A pool of connections: runs transfers without blocking, at the server's
 *	  pace.
 *
 * A pool is a libcurl multi handle.  One epoll descriptor contains libcurl's
 * sockets and the pool's timer, and is readable if there is work.  A backend
 * waits for it and for its latch together.
 *
 * A transfer moves from the queue to the multi handle, and then to the list of
 * finished transfers, from which http.c takes it.
 *
 * Must not know the content of requests and responses.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifndef __linux__
#error "opportunity_fdw needs Linux (epoll and timerfd)"
#endif

#include <curl/curl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "storage/fd.h"
#include "utils/memutils.h"

#include "http/http.h"

/* Events taken from the epoll descriptor in one call. */
#define HTTP_EVENTS_AT_ONCE 32

/* Maximum number of idle connections that a pool keeps open. */
#define HTTP_MAX_IDLE_CONNECTIONS 100L

/* Longest wait of a caller without an interrupt check, in microseconds. */
#define HTTP_LONGEST_WAIT 50000

#define NEVER PG_INT64_MAX

#define SET_MULTI(pool, option, value) \
	(curl_multi_setopt((pool)->multi, option, value) == CURLM_OK)

/*
 * Marks a pool as broken, so that it cannot be used any more.  The first reason
 * is kept, because others may follow from it.  Raises no error.
 */
static void
break_pool(HttpPool *pool, const char *what, const char *why, int sqlstate)
{
	if (pool->broken[0] != '\0')
		return;
	snprintf(pool->broken, sizeof(pool->broken), "%s failed: %s", what, why);
	pool->broken_state = sqlstate;
}

/* Returns true if a call of libcurl succeeded; otherwise breaks the pool. */
static bool
check_multi(HttpPool *pool, const char *what, CURLMcode code)
{
	if (code != CURLM_OK)
		break_pool(pool, what, curl_multi_strerror(code),
				   code == CURLM_OUT_OF_MEMORY ? ERRCODE_OUT_OF_MEMORY
											   : ERRCODE_FDW_ERROR);
	return code == CURLM_OK;
}

/* --- Sockets --- */

/* Releases the reservation of one of the counted sockets. */
static void
release_socket(HttpPool *pool, int number)
{
	pool->sockets[number] = pool->sockets[--pool->socket_count];
	ReleaseExternalFD();
}

/*
 * Opens a socket, and reserves a descriptor for it with PostgreSQL.  Programs
 * that PostgreSQL runs do not inherit it.  Returns -1 on failure.  Raises no
 * error.  Ends the reservation of sockets that libcurl has closed without calling
 * http_pool_close_socket, for example when it changes to another address.
 */
int
http_pool_open_socket(HttpPool *pool, int family, int type, int protocol)
{
	int fd;

	for (int i = pool->socket_count - 1; i >= 0; i--)
	{
		struct stat status;

		if (fstat(pool->sockets[i], &status) < 0 || !S_ISSOCK(status.st_mode))
			release_socket(pool, i);
	}
	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (fd >= 0 && pool->socket_count < HTTP_COUNTED_SOCKETS)
	{
		ReserveExternalFD();
		pool->sockets[pool->socket_count++] = fd;
	}
	return fd;
}

/*
 * CURLOPT_CLOSESOCKETFUNCTION: closes a socket and releases its reservation,
 * possibly long after its transfer ended.
 */
int
http_pool_close_socket(void *arg, int fd)
{
	HttpPool *pool = arg;

	for (int i = pool->socket_count - 1; i >= 0; i--)
	{
		if (pool->sockets[i] == fd)
			release_socket(pool, i);
	}
	return close(fd);
}

/*
 * CURLMOPT_SOCKETFUNCTION: watches a socket for events.  known: NULL at the
 * first call for a socket, and then the value of curl_multi_assign.
 */
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
	pool->curl_due = timeout < 0 ? NEVER : http_now() + (int64) timeout * 1000;
	return 0;
}

/* --- Creation --- */

/* Memory context callback: frees all that a pool owns, also if incomplete. */
static void
release_pool(void *arg)
{
	HttpPool *pool = arg;

	curl_multi_cleanup(pool->multi);
	curl_share_cleanup(pool->share);
	if (pool->timer_fd >= 0)
		close(pool->timer_fd);
	if (pool->epoll_fd >= 0)
		close(pool->epoll_fd);
	while (pool->socket_count > 0)
		release_socket(pool, 0);
	while (pool->reserved_fds-- > 0)
		ReleaseExternalFD();
}

/* Raises the error of a failed system call. */
static int
check_call(const char *what, int result)
{
	if (result < 0)
		ereport(ERROR,
				(errcode_for_file_access(), errmsg("%s failed: %m", what)));
	return result;
}

/* Makes the epoll descriptor and the timer of a pool. */
static void
open_descriptors(HttpPool *pool)
{
	struct epoll_event event = {.events = EPOLLIN};

	for (; pool->reserved_fds < 2; pool->reserved_fds++)
	{
		if (!AcquireExternalFD())
			ereport(ERROR, (errcode_for_file_access(),
							errmsg("out of file descriptors: %m")));
	}
	pool->epoll_fd =
		check_call("epoll_create1()", epoll_create1(EPOLL_CLOEXEC));
	pool->timer_fd =
		check_call("timerfd_create()",
				   timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
	event.data.fd = pool->timer_fd;
	check_call("epoll_ctl()", epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD,
										pool->timer_fd, &event));
}

/*
 * Makes the handles of a pool.  Initializes libcurl here, because that must
 * not happen in the postmaster; only the first call has an effect.  Returns
 * false if libcurl fails.  release_pool then frees what was made.
 */
static bool
open_multi(HttpPool *pool)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return false;
	pool->multi = curl_multi_init();
	pool->share = curl_share_init();
	if (pool->multi == NULL || pool->share == NULL)
		return false;
#if LIBCURL_VERSION_NUM >= 0x081400
	/* Otherwise closing the pool would wait for name lookups. */
	if (curl_multi_setopt(pool->multi, CURLMOPT_QUICK_EXIT, 1L) ==
		CURLM_OUT_OF_MEMORY)
		return false;
#endif
	return curl_share_setopt(pool->share, CURLSHOPT_SHARE,
							 CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK &&
		   SET_MULTI(pool, CURLMOPT_SOCKETFUNCTION, on_socket) &&
		   SET_MULTI(pool, CURLMOPT_SOCKETDATA, pool) &&
		   SET_MULTI(pool, CURLMOPT_TIMERFUNCTION, on_timer) &&
		   SET_MULTI(pool, CURLMOPT_TIMERDATA, pool) &&
		   SET_MULTI(pool, CURLMOPT_MAXCONNECTS, HTTP_MAX_IDLE_CONNECTIONS);
}

/*
 * Returns a new, empty pool.  It lives in a new child of the current memory
 * context, and all its transfers must end before that.  Raises an error if the
 * operating system or libcurl fails.
 */
HttpPool *
http_pool_create(void)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw pool", ALLOCSET_SMALL_SIZES);
	HttpPool *pool = MemoryContextAllocZero(context, sizeof(HttpPool));

	pool->context = context;
	pool->epoll_fd = -1;
	pool->timer_fd = -1;
	pool->curl_due = NEVER;
	pool->wake_at = NEVER;
	dlist_init(&pool->queue);
	dlist_init(&pool->in_flight);
	dlist_init(&pool->finished);
	pool->callback.func = release_pool;
	pool->callback.arg = pool;
	MemoryContextRegisterResetCallback(context, &pool->callback);

	open_descriptors(pool);
	if (!open_multi(pool))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
						errdetail("Could not initialize libcurl.")));
	return pool;
}

/* --- The queue --- */

/*
 * Queues a transfer, to be sent after delay microseconds or later.  The queue
 * has the order in which the transfers were created, so a retry is not behind
 * later ones.
 */
void
http_pool_enqueue(HttpTransfer *transfer, int64 delay)
{
	HttpPool   *pool = transfer->pool;
	dlist_node *before = &pool->queue.head;
	dlist_iter	iter;

	transfer->queued_at = http_now();
	if (transfer->attempts == 0)
	{
		transfer->number = pool->started++;
		if (dlist_is_empty(&pool->queue) && dlist_is_empty(&pool->in_flight))
			http_pace_begin(&pool->pace, transfer->queued_at);
	}
	transfer->due = transfer->queued_at + delay;
	dlist_reverse_foreach(iter, &pool->queue)
	{
		if (dlist_container(HttpTransfer, node, iter.cur)->number <
			transfer->number)
		{
			before = iter.cur;
			break;
		}
	}
	dlist_insert_after(before, &transfer->node);
	transfer->list = &pool->queue;
	transfer->outcome = HTTP_PENDING;
}

/*
 * Returns the microseconds that a transfer may still wait between attempts,
 * from queued_at on if it is queued.
 */
int64
http_pool_wait_left(const HttpTransfer *transfer)
{
	return Max(0, transfer->target->max_retry_wait - transfer->waited);
}

/* Returns the number of queued transfers that have a delay of their own. */
int
http_pool_delayed(const HttpPool *pool)
{
	int64	   now = http_now();
	int		   count = 0;
	dlist_iter iter;

	dlist_foreach(iter, unconstify(dlist_head *, &pool->queue))
		count += dlist_container(HttpTransfer, node, iter.cur)->due > now;
	return count;
}

/*
 * Returns the earliest time for sending a queued transfer.  It is NEVER while
 * the queue waits for the response to a probe.  When max_retry_wait is used
 * up, the last attempt is made regardless of the pace.
 */
static int64
time_to_send(const HttpTransfer *transfer)
{
	HttpPool *pool = transfer->pool;
	int64	  due = Max(transfer->due, pool->pace.next_send);

	if (pool->pace.is_probing && !dlist_is_empty(&pool->in_flight))
		due = NEVER;
	if (transfer->attempts > 0)
		due = Min(due, transfer->queued_at + http_pool_wait_left(transfer));
	return due;
}

/* Hands a queued transfer to libcurl, and counts the attempt. */
static void
send_transfer(HttpPool *pool, HttpTransfer *transfer, int64 now)
{
	http_pace_sent(&pool->pace, now);
	dlist_delete(&transfer->node);
	transfer->list = NULL;
	transfer->sent_at = now;
	transfer->attended_at_send = pool->attended;
	transfer->attempts++;
	transfer->counters->counts[HTTP_COUNT_REQUESTS]++;
	if (transfer->attempts > 1)
	{
		transfer->counters->counts[HTTP_COUNT_RETRIES]++;
		transfer->waited += now - transfer->queued_at;
	}
	if (!check_multi(pool, "curl_multi_add_handle()",
					 curl_multi_add_handle(pool->multi, transfer->easy)))
		return;
	transfer->list = &pool->in_flight;
	dlist_push_tail(&pool->in_flight, &transfer->node);
}

/* Sends the transfers that are due, the oldest first. */
static void
pool_send_queued(HttpPool *pool)
{
	dlist_mutable_iter iter;
	int64			   now = http_now();

	dlist_foreach_modify(iter, &pool->queue)
	{
		HttpTransfer *transfer = dlist_container(HttpTransfer, node, iter.cur);

		if (time_to_send(transfer) <= now)
			send_transfer(pool, transfer, now);
	}
}

/* --- Abandoned name lookups --- */

/* Returns true if libcurl can quit a name lookup: from version 7.87 on. */
bool
http_pool_quits_lookups(void)
{
#if LIBCURL_VERSION_NUM >= 0x075700
	return curl_version_info(CURLVERSION_NOW)->version_num >= 0x075700;
#else
	return false;
#endif
}

/* Returns true if removing the handle would block until its lookup ends. */
static bool
is_stuck_in_lookup(CURL *easy)
{
	curl_off_t looked_up = 1;

	curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &looked_up);
	return looked_up == 0 && !http_pool_quits_lookups();
}

/* CURLOPT_WRITEFUNCTION of an abandoned handle */
static size_t
discard(char *data, size_t size, size_t count, void *arg)
{
	(void) data;
	(void) arg;
	return size * count;
}

/* CURLOPT_OPENSOCKETFUNCTION of an abandoned handle, which must not connect */
static curl_socket_t
refuse_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void) arg;
	(void) purpose;
	(void) address;
	return CURL_SOCKET_BAD;
}

/*
 * Leaves the handle of a transfer in the multi handle until its name lookup
 * ends.  It no longer refers to the transfer, and opens no connection.  Until
 * then, freeing the pool would block.
 */
static void
abandon(HttpTransfer *transfer)
{
	CURL *easy = transfer->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, NULL);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, NULL);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, NULL);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, NULL);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, refuse_socket);
	transfer->easy = NULL;
	transfer->pool->abandoned++;
}

/* --- The end of attempts --- */

/*
 * Takes a transfer out of its pool, in any state.  If the handle is in a name
 * lookup that blocks its removal, the pool keeps it, and easy becomes NULL.
 */
void
http_pool_remove(HttpTransfer *transfer)
{
	HttpPool *pool = transfer->pool;

	/* A caller that is about to wait may wait for this transfer. */
	if (pool->wake_at != NEVER)
		pool->wake_at = 0;
	if (transfer->list == NULL)
		return;
	dlist_delete(&transfer->node);
	if (transfer->list == &pool->in_flight &&
		is_stuck_in_lookup(transfer->easy))
		abandon(transfer);
	else if (transfer->list == &pool->in_flight)
		curl_multi_remove_handle(pool->multi, transfer->easy);
	transfer->list = NULL;
}

/* Adds a transfer that is in no list to the finished ones. */
static void
pool_finish(HttpTransfer *transfer, CURLcode code)
{
	transfer->code = code;
	transfer->ended_at = http_now();
	transfer->list = &transfer->pool->finished;
	dlist_push_tail(&transfer->pool->finished, &transfer->node);
}

/* Ends the attempts that libcurl has finished, and frees abandoned handles. */
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
		{
			break_pool(pool, "curl_easy_getinfo()", "no private data",
					   ERRCODE_FDW_ERROR);
			continue;
		}
		curl_multi_remove_handle(pool->multi, easy);
		if (transfer != NULL)
		{
			dlist_delete(&transfer->node);
			pool_finish(transfer, code);
		}
		else
		{
			curl_easy_cleanup(easy);
			pool->abandoned--;
		}
	}
}

/*
 * Returns the attended time at which an attempt in flight ends.  The connect
 * timeout applies only while it connects, and not while it waits for another
 * request's connection.
 */
static int64
deadline_of(const HttpTransfer *transfer)
{
	const HttpTarget *target = transfer->target;
	curl_off_t		  connected = 1;
	int64 deadline = transfer->attended_at_send + target->request_timeout;

	curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
	if (connected == 0 && transfer->attended_at_connect >= 0)
		deadline = Min(deadline,
					   transfer->attended_at_connect + target->connect_timeout);
	return deadline;
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
		HttpTransfer *transfer = dlist_container(HttpTransfer, node, iter.cur);
		const HttpTarget *target = transfer->target;
		bool is_late = pool->attended - transfer->attended_at_send >=
					   target->request_timeout;

		if (pool->attended < deadline_of(transfer))
			continue;
		http_pool_remove(transfer);
		snprintf(transfer->error, sizeof(transfer->error),
				 is_late ? "timed out after " INT64_FORMAT " milliseconds"
						 : "no connection after " INT64_FORMAT " milliseconds",
				 (is_late ? target->request_timeout : target->connect_timeout) /
					 1000);
		pool_finish(transfer,
					is_late ? CURLE_OPERATION_TIMEDOUT : CURLE_COULDNT_CONNECT);
	}
}

/* --- The drive --- */

/* Passes the ready sockets to libcurl, which reads, writes and connects. */
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
		/* With 0, libcurl tests the socket for events.  arm_timer sets the timer. */
		if (events[i].data.fd != pool->timer_fd)
			check_multi(pool, "curl_multi_socket_action()",
						curl_multi_socket_action(pool->multi, events[i].data.fd,
												 0, &running));
	}
}

/* Calls libcurl if it is due, for example for a new transfer. */
static void
handle_timeouts(HttpPool *pool)
{
	int running;

	if (pool->curl_due > http_now())
		return;
	pool->curl_due = NEVER;
	/* If the work is not done, abandoned handles still depend on it. */
	if (!check_multi(pool, "curl_multi_socket_action()",
					 curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT,
											  0, &running)))
		pool->curl_due = http_now();
}

/* Sets the timer to the earliest time at which there is work. */
static void
arm_timer(HttpPool *pool)
{
	struct itimerspec spec = {0};
	int64			  now = http_now();
	int64			  due = Min(pool->wake_at, pool->curl_due);
	dlist_iter		  iter;

	if (!dlist_is_empty(&pool->finished))
		due = 0;
	dlist_foreach(iter, &pool->queue)
	{
		HttpTransfer *transfer = dlist_container(HttpTransfer, node, iter.cur);

		due = Min(due, time_to_send(transfer));
	}
	dlist_foreach(iter, &pool->in_flight)
	{
		HttpTransfer *transfer = dlist_container(HttpTransfer, node, iter.cur);

		due = Min(due, now + deadline_of(transfer) - pool->attended);
	}

	/* All zero disarms it; a time in the past fires immediately. */
	if (due != NEVER)
	{
		due = Max(due, 0);
		spec.it_value.tv_sec = due / 1000000;
		spec.it_value.tv_nsec = (due % 1000000) * 1000 + 1;
	}
	if (timerfd_settime(pool->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
		break_pool(pool, "timerfd_settime()", strerror(errno),
				   ERRCODE_SYSTEM_ERROR);
}

/*
 * Does all the work of a pool that does not block, and sets the timer for the
 * rest.  Results come before further requests, because they change the pace, so
 * nothing is sent while there are finished transfers.  Raises no error.
 *
 * Blocks all signals, because libcurl may start a resolver thread.  The thread
 * inherits the mask, so PostgreSQL's signal handlers run in the main thread
 * only.
 */
void
http_pool_drive(HttpPool *pool)
{
	sigset_t all;
	sigset_t old_mask;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old_mask);
	handle_events(pool);
	collect_finished(pool);
	end_overdue(pool);
	if (dlist_is_empty(&pool->finished))
		pool_send_queued(pool);
	handle_timeouts(pool);
	collect_finished(pool);
	arm_timer(pool);
	pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
}

/* --- Waits --- */

/*
 * Prepares for a caller that waits for epoll_fd, possibly without processing
 * interrupts.  The descriptor becomes readable after HTTP_LONGEST_WAIT at the
 * latest, and immediately if an attempt or a transfer ends before the wait.
 * Such a wait counts as attended time until the next one, but at most
 * HTTP_LONGEST_WAIT.
 */
void
http_pool_prepare_wait(HttpPool *pool)
{
	int64 now = http_now();

	if (pool->wake_at != NEVER)
		pool->attended +=
			Min(now - pool->wake_at + HTTP_LONGEST_WAIT, HTTP_LONGEST_WAIT);
	pool->wake_at = now + HTTP_LONGEST_WAIT;
	arm_timer(pool);
}

/* Counts a wait in microseconds, in place of one that was only prepared. */
void
http_pool_count_wait(HttpPool *pool, int64 time)
{
	pool->attended += time;
	pool->wake_at = NEVER;
}
