/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http.h
 *	  HTTP transfers over libcurl that always react to interrupts, the pool of
 *	  connections that runs them, and URLs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_H
#define OPPORTUNITY_HTTP_H

#include "postgres.h"

#include "lib/ilist.h"

#include "base/compat.h"
#include "http/http_pace.h"

/*
 * Times are in microseconds on the monotonic clock of http_now.  Handles of
 * libcurl are void pointers, so that other folders do not include its header.
 */

/* Sockets of a pool that are counted as PostgreSQL's external descriptors. */
#define HTTP_COUNTED_SOCKETS 256

/* Bytes of an error text or a header line, including the NUL. */
#define HTTP_ERROR_SIZE 256
#define HTTP_HEADER_SIZE 256

/* Bytes behind a body, all NUL, so that a parser can read several at a time. */
#define HTTP_BODY_PADDING 16

/* The start of a buffer for a body that no transfer uses. */
typedef struct HttpSpare
{
	struct HttpSpare *next;
	size_t			  capacity; /* bytes */
} HttpSpare;

/* A set of reusable connections, and the transfers that use them. */
typedef struct HttpPool
{
	MemoryContext		  context;
	MemoryContextCallback callback;
	void				 *multi; /* libcurl's multi handle */
	void				 *share; /* TLS sessions of all transfers */
	int					  epoll_fd;
	int					  timer_fd;
	int					  reserved_fds;
	int	  sockets[HTTP_COUNTED_SOCKETS]; /* each with a reserved descriptor */
	int	  socket_count;
	int64 curl_due; /* time of libcurl's next call; PG_INT64_MAX: none */

	dlist_head queue;	  /* transfers to be sent */
	dlist_head in_flight; /* transfers handed to libcurl */
	dlist_head finished;  /* transfers with a result: see http_attempt_end */
	int		   abandoned; /* handles without a transfer: see abandon */
	int64	   started;	  /* number of transfers so far */
	int		   transfers; /* number of those that exist */
	HttpSpare *spares;

	/* first failure that may leave transfers pending without limit */
	char broken[HTTP_ERROR_SIZE]; /* empty: none */
	int	 broken_state;			  /* SQLSTATE */

	/*
	 * Time during which the backend attended to the transfers.  Timeouts count
	 * it, so that a response that arrived while a cursor was idle is not late.
	 */
	int64	 attended;
	int64	 wake_at; /* end of a prepared wait; PG_INT64_MAX: none */
	HttpPace pace;
} HttpPool;

/* Callback during waits, for progress reports. */
typedef struct HttpWatch
{
	void (*tell)(struct HttpWatch *watch, int64 now); /* advances due */
	int64 due; /* time of the next call, by http_now */
} HttpWatch;

/* Requests of one reader, within the limit of its whole statement. */
typedef struct HttpBudget
{
	int64	   limit; /* maximum of *total; 0: none */
	int64	  *total; /* requests of the whole statement */
	HttpWatch *watch; /* NULL: none */
	int64	   requests;
	int64	   retries;
	int64	   bytes;  /* response bodies */
	int64	   waited; /* microseconds: see HTTP_COUNT_HELD_BACK */
} HttpBudget;

/*
 * Counters of attempts.  An attempt that is in flight or was abandoned is a
 * request without an outcome.
 */
typedef enum HttpCounter
{
	HTTP_COUNT_REQUESTS, /* attempts */
	HTTP_COUNT_RETRIES,	 /* attempts after the first */

	/* outcomes of attempts that have ended */
	HTTP_COUNT_SUCCEEDED,		  /* 2xx */
	HTTP_COUNT_NOT_FOUND,		  /* 404 */
	HTTP_COUNT_REFUSED,			  /* any other status */
	HTTP_COUNT_THROTTLED,		  /* see http_is_throttled */
	HTTP_COUNT_FAILED,			  /* other 5xx */
	HTTP_COUNT_CONNECTION_ERRORS, /* no complete response */

	HTTP_COUNT_CONNECTIONS,
	HTTP_COUNT_BYTES,	  /* response bodies, decompressed */
	HTTP_COUNT_WAITED,	  /* microseconds of waits */
	HTTP_COUNT_HELD_BACK, /* part of them with all requests queued */
	HTTP_COUNTER_COUNT
} HttpCounter;

typedef struct HttpCounters
{
	int64 reset_at; /* time of the last reset, by http_now */
	int64 counts[HTTP_COUNTER_COUNT];
} HttpCounters;

/* Settings for requests to a host.  The strings must outlive its transfers. */
typedef struct HttpTarget
{
	const char *host;			/* for messages */
	const char *proxy;			/* NULL: none */
	const char *proxy_user;		/* NULL: none */
	const char *proxy_password; /* NULL: none */
	const char *ca_file;		/* NULL: the system's trust store */
	const char *bearer_token;	/* NULL: no Authorization header */
	int64		connect_timeout;
	int64		request_timeout;   /* per attempt */
	int			max_retries;	   /* of failures, not of throttling */
	int64		max_retry_wait;	   /* sum of the pauses of a transfer */
	size_t		max_response_size; /* bytes, decompressed */
} HttpTarget;

typedef enum HttpOutcome
{
	HTTP_PENDING,		/* in flight or queued */
	HTTP_RESPONDED,		/* complete response, of any status */
	HTTP_NOT_CONNECTED, /* no such host, no connection or no TLS */
	HTTP_PROXY_REFUSED, /* no connection from the proxy to the host */
	HTTP_BROKEN,		/* broken connection or timeout */
	HTTP_NOT_HTTP,		/* response that is not HTTP */
	HTTP_TOO_LARGE,		/* response over max_response_size */
	HTTP_OVER_BUDGET,	/* retry over the budget */
	HTTP_OUT_OF_MEMORY
} HttpOutcome;

/* Defect of a complete response: see http_retry. */
typedef enum HttpFault
{
	HTTP_FAULT_CUT,		 /* truncated body */
	HTTP_FAULT_FAILED,	 /* failure that may be temporary */
	HTTP_FAULT_THROTTLED /* too many requests */
} HttpFault;

/* Headers that are kept.  The first one with a wait takes precedence. */
typedef enum HttpHeader
{
	HTTP_RETRY_AFTER,
	HTTP_X_RATELIMIT_RESET,
	HTTP_RATELIMIT_RESET,
	HTTP_RATELIMIT,
	HTTP_DATE,
	HTTP_CONTENT_LENGTH,
	HTTP_HEADER_COUNT
} HttpHeader;

/* Header lines; "" if absent, or longer than HTTP_HEADER_SIZE. */
typedef struct HttpHeaders
{
	char lines[HTTP_HEADER_COUNT][HTTP_HEADER_SIZE];
} HttpHeaders;

/*
 * One request and its response.  It has a memory context of its own; deleting
 * that ends the transfer in any state.
 */
typedef struct HttpTransfer
{
	HttpOutcome outcome;

	/* response, if outcome is HTTP_RESPONDED */
	long   status;
	char  *body; /* with HTTP_BODY_PADDING; may be NULL if empty */
	size_t length;
	char  *content_type; /* libcurl's copy; NULL: absent */
	long   retry_after;	 /* requested wait in milliseconds, or -1 */

	/* for messages */
	int	 attempts;
	char retry_header[128]; /* header line that requests the wait, or "" */
	char error[HTTP_ERROR_SIZE];

	/* --- The rest is for http*.c only. --- */

	MemoryContext		  context;
	MemoryContextCallback callback;
	HttpPool			 *pool;
	const HttpTarget	 *target;
	HttpBudget			 *budget;
	HttpCounters		 *counters;
	void				 *easy; /* libcurl's handle; NULL: abandoned */
	struct curl_slist	 *headers;
	char				 *url;
	char				 *request_body; /* NULL: a GET */

	dlist_head *list; /* of the pool, with this transfer; NULL: none */
	dlist_node	node;
	int64		number; /* creation order; the lowest is sent first */
	int64		queued_at;
	int64		due; /* earliest time to send from the queue */
	int64		sent_at;
	int64		ended_at;

	/* use of the retry limits */
	int64 waited;		 /* microseconds in the queue between attempts */
	int	  failures;		 /* failed attempts, except throttled ones */
	int	  cut_responses; /* part of failures without a complete response */
	int	  pauses;		 /* pauses so far, the exponent of back-off */

	/* current attempt; attended_at_* are values of the pool's attended */
	size_t		capacity; /* bytes of the body's buffer */
	size_t		header_size;
	HttpHeaders kept; /* response headers */
	int64		attended_at_send;
	int64		attended_at_connect; /* -1: no connection needed so far */
	int64		attended_at_body;	 /* -1: no byte received */
	int			code;				 /* libcurl's result */
	HttpOutcome callback_outcome;	 /* set by a callback, or HTTP_PENDING */
	const char *callback_error;		 /* error text for that, or NULL */
} HttpTransfer;

/* Longest part of a URL, with the NUL; a host name has at most 253 bytes. */
#define URL_PART_MAX 512

/* Parts of a URL that are checked. */
typedef struct UrlParts
{
	char scheme[URL_PART_MAX]; /* lower case */
	char host[URL_PART_MAX];   /* an IPv6 address is in brackets */
	char port[URL_PART_MAX];   /* default: the scheme's; "": it has none */
	bool is_loopback;
} UrlParts;

/* Timing of an attempt in microseconds; -1: it did not get that far. */
typedef struct HttpTimes
{
	bool  is_connected;	 /* to the host or its proxy */
	bool  was_connected; /* reused connection: the next two are -1 */
	int64 connect;		 /* including the name lookup */
	int64 handshake;	 /* TLS */
	int64 first_byte;	 /* from a ready connection to the first byte */
	int64 response;		 /* from a ready connection to the last byte */
} HttpTimes;

/* http.c */
extern HttpTransfer	   *http_start(HttpPool *pool, const HttpTarget *target,
								   HttpCounters *counters, const char *url,
								   const char *body, HttpBudget *budget);
extern bool				http_is_over(HttpTransfer *transfer);
extern HttpTransfer	   *http_wait_any(HttpTransfer **transfers, int count);
extern void				http_end(HttpTransfer *transfer);
pg_noreturn extern void http_raise(HttpTransfer *transfer);

extern bool		 url_parse(const char *url, UrlParts *parts);
extern HttpTimes http_times(const HttpTransfer *transfer);
extern char		*http_library_version(void);
extern bool		 http_looks_up_in_background(void);

/* http_attempt.c */
extern bool http_allows(const HttpBudget *budget);
extern bool http_status_is_transient(long status);
extern bool http_is_throttled(const HttpTransfer *transfer);
extern bool http_retry(HttpTransfer *transfer, HttpFault fault);
extern void http_attempt_check(int code, const char *what);
extern void http_attempt_create(HttpTransfer *transfer, const char *body);
extern void http_attempt_release_body(HttpTransfer *transfer);
extern void http_attempt_enqueue(HttpTransfer *transfer, int64 delay);
extern void http_attempt_end(HttpTransfer *transfer);
extern bool http_attempt_was_sent(const HttpTransfer *transfer);

/* http_header.c, for http_attempt.c */
extern size_t http_header_body_size(const HttpHeaders *headers, size_t most);
extern void	  http_header_keep(HttpHeaders *headers, const char *line,
							   size_t length);
extern bool	  http_header_is_retry_after(const HttpHeaders *headers);
extern long	  http_header_wait(const HttpHeaders *headers, bool throttles,
							   const char **line);

/* http_pool.c */
extern HttpPool *http_pool_create(void);
extern int		 http_pool_delayed(const HttpPool *pool);
extern void		 http_pool_enqueue(HttpTransfer *transfer, int64 delay);
extern void		 http_pool_remove(HttpTransfer *transfer);
extern int64	 http_pool_wait_left(const HttpTransfer *transfer);
extern void		 http_pool_drive(HttpPool *pool);
extern void		 http_pool_prepare_wait(HttpPool *pool);
extern void		 http_pool_count_wait(HttpPool *pool, int64 time);
extern bool		 http_pool_quits_lookups(void);
extern int		 http_pool_open_socket(HttpPool *pool, int family, int type,
									   int protocol);
extern int		 http_pool_close_socket(void *pool, int fd);

#endif /* OPPORTUNITY_HTTP_H */
