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
#include "http_pace.h"

/* Times are in microseconds, on a clock that nobody sets: see http_now. */

struct HttpPool
{
	MemoryContext context;
	CURLM		 *multi;
	CURLSH		 *share; /* keeps TLS sessions over transfers */
	int			  epoll_fd;
	int			  timer_fd;
	int			  reserved_fds;
	int64		  curl_due;	 /* when libcurl wants to be called, or -1 */
	dlist_head	  queue;	 /* transfers that wait to be sent */
	dlist_head	  in_flight; /* transfers that libcurl has */
	int			  parked;	 /* handles that nobody waits for: see park */
	bool		  is_broken; /* its transfers may never end: see http_wait */

	/* time in which nobody looked after the transfers: see http_pool_clock */
	int64 left_alone_at;
	int64 left_alone;	 /* in all */
	bool  is_waited_for; /* since it was driven last */

	/* when the descriptor is to be readable for who waits for that, or -1 */
	int64 wake_at;

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
	bool	   is_queued;
	dlist_node queue_node;
	int64	   due; /* in the queue: not to be sent before */
	bool	   is_in_multi;
	dlist_node in_flight_node;
	int64	   sent_at;
	int64	   left_alone; /* the pool's, then */
	int64	   resets;	   /* the counters', then */

	/* the attempt under way */
	size_t		capacity; /* of the body's buffer */
	size_t		header_size;
	int64		first_byte_at; /* of the body, by http_pool_clock; 0: not yet */
	HttpOutcome callback_outcome; /* why a callback ended it, or
								   * HTTP_PENDING */
	const char *callback_error;	  /* what is to be said of that, or NULL */
} HttpTransferPrivate;

/* http_pool.c */
extern int64 http_pool_clock(const HttpPool *pool);
extern void	 http_pool_enqueue(HttpTransfer *transfer, int64 delay,
							   bool at_front);
extern void	 http_pool_remove(HttpTransfer *transfer);

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
