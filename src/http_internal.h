/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_internal.h
 *	  What a transfer and the pool that it belongs to know of each other.
 *
 * For http*.c alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_INTERNAL_H
#define OPPORTUNITY_HTTP_INTERNAL_H

#include "postgres.h"

#include <curl/curl.h>

#include "lib/ilist.h"

#include "http.h"
#include "http_header.h"
#include "http_pace.h"

/* Times are in microseconds, on a clock that nobody sets: see http_now. */

/* How many of a pool's sockets PostgreSQL is told of. */
#define HTTP_COUNTED_SOCKETS 256

/* How much is kept of the reason for which a pool is of no more use. */
#define HTTP_REASON_SIZE 256

struct HttpPool
{
	MemoryContext context;
	CURLM		 *multi;
	CURLSH		 *share; /* keeps TLS sessions over transfers */
	int			  epoll_fd;
	int			  timer_fd;
	int			  reserved_fds;
	int	  sockets[HTTP_COUNTED_SOCKETS]; /* for which one is reserved, too */
	int	  socket_count;
	int64 curl_due;		  /* when libcurl wants to be called, or -1 */
	dlist_head queue;	  /* transfers that wait to be sent */
	dlist_head in_flight; /* transfers that libcurl has */
	int		   parked;	  /* handles that nobody waits for: see park */
	int64	   started;	  /* transfers so far, by which they are ordered */

	/* why it is of no more use, as its transfers may never end */
	char broken[HTTP_REASON_SIZE]; /* empty: it is not broken */
	int	 broken_state;			   /* its SQLSTATE */

	/*
	 * Time in which somebody attended to the transfers: a response that has
	 * come while a cursor lay idle is not late.
	 */
	int64 attended;

	/* for who waits in a way of their own, or -1: see http_pool_prepare_wait */
	int64 prepared_at;
	int64 wake_at; /* when the descriptor is to be readable */

	HttpPace pace; /* what the server can take */

	/* attempts that are over, to be told of: see http_account.c */
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

	/* where it stands: in the queue, in the multi handle, or in neither */
	int64	   number; /* the oldest is sent first */
	bool	   is_queued;
	dlist_node queue_node;
	int64	   queued_at;
	int64	   due; /* in the queue: not to be sent before */
	bool	   is_in_multi;
	dlist_node in_flight_node;
	int64	   sent_at;
	int64	   resets; /* the counters', then */

	/* what its retries have used up */
	int64 waited;	/* microseconds in the queue between attempts */
	int	  failures; /* attempts that were not throttled, but failed */
	int	  broken;	/* of these, without a whole response */
	int	  pauses;	/* of our own */

	/* the attempt under way; "attended" is the pool's */
	size_t		capacity; /* of the body's buffer */
	size_t		header_size;
	HttpHeaders kept; /* of its response's headers */
	int64		attended_at_send;
	int64		attended_at_connect; /* -1: it needed no connection so far */
	int64		attended_at_body;	 /* -1: no byte has come */
	int64		ended_at;
	CURLcode	code;
	HttpOutcome callback_outcome; /* why a callback ended it, or
								   * HTTP_PENDING */
	const char *callback_error;	  /* what is to be said of that, or NULL */
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
