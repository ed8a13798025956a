/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_internal.h
 *	  State that transfers and their pool share, for http*.c only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_INTERNAL_H
#define OPPORTUNITY_HTTP_INTERNAL_H

#include "postgres.h"

#include <curl/curl.h>

#include "lib/ilist.h"

#include "http/http.h"
#include "http/http_header.h"
#include "http/http_pace.h"

/* Times are in microseconds on the monotonic clock of http_now. */

/* Sockets of a pool that are counted as PostgreSQL's external descriptors. */
#define HTTP_COUNTED_SOCKETS 256

/* Bytes kept of a broken pool's reason, including the NUL. */
#define HTTP_REASON_SIZE 256

struct HttpPool
{
	MemoryContext context;
	CURLM		 *multi;
	CURLSH		 *share; /* TLS sessions of all transfers */
	int			  epoll_fd;
	int			  timer_fd;
	int			  reserved_fds;
	int	  sockets[HTTP_COUNTED_SOCKETS]; /* each with a reserved descriptor */
	int	  socket_count;
	int64 curl_due;		  /* time of libcurl's next call, or -1 */
	dlist_head queue;	  /* transfers to be sent */
	dlist_head in_flight; /* transfers handed to libcurl */
	int		   parked;	  /* number of abandoned handles: see park */
	int64	   started;	  /* number of transfers so far */

	/* first failure that may leave transfers pending without limit */
	char broken[HTTP_REASON_SIZE]; /* empty: none */
	int	 broken_state;			   /* SQLSTATE */

	/*
	 * Time during which the backend attended to the transfers.  Timeouts count
	 * it, so that a response that arrived while a cursor was idle is not late.
	 */
	int64 attended;

	/* start of a caller's own wait, or -1: see http_pool_prepare_wait */
	int64 prepared_at;
	int64 wake_at; /* time when the descriptor becomes readable, or -1 */

	HttpPace pace; /* estimate of the server's limit */

	/* queue of log lines: see http_account.c */
	dlist_head log;
};

typedef struct HttpTransferPrivate
{
	MemoryContext		  context;
	MemoryContextCallback callback;
	HttpPool			 *pool;
	const HttpTarget	 *target;
	HttpBudget			 *budget;
	HttpCounters		 *counters;
	CURL				 *easy;
	struct curl_slist	 *headers;
	char				 *url;
	char				 *request_body; /* NULL: a GET */

	/* position: in the queue, in the multi handle, or in neither */
	int64	   number; /* creation order; the lowest is sent first */
	bool	   is_queued;
	dlist_node queue_node;
	int64	   queued_at;
	int64	   due; /* earliest time to send from the queue */
	bool	   is_in_multi;
	dlist_node in_flight_node;
	int64	   sent_at;
	int64	   resets; /* counters->resets at the attempt's start */

	/* use of the retry limits */
	int64 waited;	/* microseconds in the queue between attempts */
	int	  failures; /* failed attempts, except throttled ones */
	int	  broken;	/* part of failures without a complete response */
	int	  pauses;	/* pauses so far, the exponent of back-off */

	/* current attempt; attended_at_* are values of the pool's attended */
	size_t		capacity; /* bytes of the body's buffer */
	size_t		header_size;
	HttpHeaders kept; /* response headers */
	int64		attended_at_send;
	int64		attended_at_connect; /* -1: no connection needed so far */
	int64		attended_at_body;	 /* -1: no byte received */
	int64		ended_at;
	CURLcode	code;
	HttpOutcome callback_outcome; /* set by a callback, or HTTP_PENDING */
	const char *callback_error;	  /* error text for that, or NULL */
} HttpTransferPrivate;

/* http_pool.c */
extern void	 http_pool_enqueue(HttpTransfer *transfer, int64 delay);
extern void	 http_pool_remove(HttpTransfer *transfer);
extern int64 http_pool_wait_left(const HttpTransfer *transfer);
extern void	 http_pool_attended(HttpPool *pool, int64 time);
extern bool	 http_pool_leaves_lookups(void);
extern int	 http_pool_open_socket(HttpPool *pool, int family, int type,
								   int protocol);
extern int	 http_pool_close_socket(HttpPool *pool, int fd);

/* http_account.c */
extern bool				http_account_charge(HttpBudget *budget);
pg_noreturn extern void http_account_raise_over_budget(
	const HttpBudget *budget);
extern void http_account_begin(HttpTransfer *transfer);
extern void http_account_end(HttpTransfer *transfer);
extern void http_account_wait(HttpTransfer *transfer, int64 wait,
							  bool held_back);
extern void http_account_tell(HttpTransfer *transfer);

/* http.c */
extern void http_begin_attempt(HttpTransfer *transfer);
extern void http_end_attempt(HttpTransfer *transfer, CURLcode code);

#endif /* OPPORTUNITY_HTTP_INTERNAL_H */
