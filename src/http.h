/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http.h
 *	  HTTP transfers over libcurl, which a backend can wait for and leave.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_H
#define OPPORTUNITY_HTTP_H

#include "postgres.h"

#include <curl/curl.h>

#include "compat.h"

/* Connections that may be reused for one another's requests. */
typedef struct HttpPool HttpPool;

/* How a host is to be spoken to; the strings live as long as its transfers. */
typedef struct HttpTarget
{
	const char *host;			 /* for messages */
	const char *proxy;			 /* NULL: none */
	const char *proxy_user;		 /* NULL: none */
	const char *proxy_password;	 /* NULL: none */
	const char *ca_file;		 /* NULL: the system's trust store */
	const char *bearer_token;	 /* NULL: no Authorization header */
	long		connect_timeout; /* milliseconds */
	long		request_timeout; /* milliseconds, per attempt */
	int			max_retries;
	long		max_retry_wait; /* milliseconds */
	size_t		max_response_size;
} HttpTarget;

/* Who is to be told now and then that something is still being waited for. */
typedef struct HttpWatch
{
	void (*tell)(struct HttpWatch *watch, int64 now); /* sets due anew */
	int64 due;										  /* by http_now */
} HttpWatch;

/* What some reader spent, against what its statement may spend in all. */
typedef struct HttpBudget
{
	int64	   limit; /* of *total; 0: none */
	int64	  *total; /* requests of the whole statement */
	HttpWatch *watch; /* NULL: none */
	int64	   requests;
	int64	   retries;
	int64	   bytes;  /* of the answers' bodies */
	int64	   waited; /* microseconds, because the server could not */
	bool	   has_said_so;
} HttpBudget;

/*
 * What became of requests, counted for whoever wants to know.  Each attempt
 * counts; one that is still under way, or that was given up, has had no outcome.
 */
typedef struct HttpCounters
{
	int64 resets; /* how often the others were set to zero */
	int64 requests;
	int64 retries;	 /* of these, tries again */
	int64 succeeded; /* 2xx */
	int64 not_found; /* 404 */
	int64 refused;	 /* any other answer that is not listed here */
	int64 throttled; /* see http_is_throttled */
	int64 failed;	 /* 5xx */
	int64 broken;	 /* no whole answer */
	int64 connections;
	int64 bytes;	 /* of the answers' bodies, decompressed */
	int64 waited;	 /* microseconds that somebody waited */
	int64 held_back; /* of these, because the server could not */
} HttpCounters;

typedef enum HttpOutcome
{
	HTTP_PENDING,		/* under way, or waiting to be tried again */
	HTTP_ANSWERED,		/* a whole answer has come, with whatever status */
	HTTP_NOT_CONNECTED, /* no such host, no connection or no TLS */
	HTTP_PROXY_REFUSED, /* the proxy does not connect to the host */
	HTTP_BROKEN,		/* a connection broke, or the time is up */
	HTTP_NOT_HTTP,		/* what came is no HTTP answer */
	HTTP_TOO_LARGE,		/* the answer exceeds max_response_size */
	HTTP_OVER_BUDGET,	/* another try would exceed the budget */
	HTTP_POOL_BROKEN,	/* libcurl or the operating system let us down */
	HTTP_OUT_OF_MEMORY
} HttpOutcome;

/* What is wrong with a response that has come: see http_retry. */
typedef enum HttpFault
{
	HTTP_FAULT_CUT,		 /* its body ends early */
	HTTP_FAULT_FAILED,	 /* it reports a failure that may pass */
	HTTP_FAULT_THROTTLED /* it says that there are too many requests */
} HttpFault;

/*
 * One request and its answer.  Lives in a memory context of its own, whose end
 * ends the transfer wherever it stands.
 */
typedef struct HttpTransfer
{
	HttpOutcome outcome;

	/* the answer, when there is one; the body has a NUL behind it */
	long		status;
	char	   *body;
	size_t		length;
	const char *content_type; /* libcurl's copy, or NULL: not said */
	long		retry_after;  /* milliseconds that it asks to wait, or -1 */

	/* for messages */
	int	 attempts;
	char retry_header[128]; /* what asks to wait, as it was sent, or empty */
	char error[CURL_ERROR_SIZE];

	struct HttpTransferPrivate *private;
} HttpTransfer;

/* What an attempt's time went into, in microseconds; -1: it did not come to it. */
typedef struct HttpTimes
{
	bool  is_connected;	 /* to the host, or to the proxy on the way to it */
	bool  was_connected; /* before: the next two are -1 */
	int64 connect;		 /* the name lookup included */
	int64 handshake;	 /* of TLS */
	int64 first_byte;	 /* of the answer, since the request could be sent */
	int64 answer;		 /* the whole of it, since then */
} HttpTimes;

extern HttpPool *http_pool_create(void);
extern void		 http_pool_destroy(HttpPool *pool);
extern bool		 http_pool_is_quiet(const HttpPool *pool);
extern bool		 http_pool_is_broken(const HttpPool *pool);
extern int		 http_pool_delayed(const HttpPool *pool);
extern void		 http_pool_drive(HttpPool *pool);

/* For those who wait in their own way. */
extern int	http_pool_wait_fd(const HttpPool *pool);
extern void http_pool_prepare_wait(HttpPool *pool);
extern void http_pool_end_wait(HttpPool *pool);

extern HttpTransfer	   *http_start(HttpPool *pool, const HttpTarget *target,
								   HttpCounters *counters, const char *url,
								   const char *json, HttpBudget *budget);
extern bool				http_allows(const HttpBudget *budget);
extern bool				http_is_over(HttpTransfer *transfer);
extern void				http_wait(HttpTransfer *transfer);
extern HttpTransfer	   *http_wait_any(HttpTransfer **transfers, int count);
extern bool				http_is_throttled(const HttpTransfer *transfer);
extern bool				http_retry(HttpTransfer *transfer, HttpFault fault);
extern void				http_end(HttpTransfer *transfer);
pg_noreturn extern void http_raise(HttpTransfer *transfer);

extern HttpTimes http_times(const HttpTransfer *transfer);

extern void	 http_reset_counters(HttpCounters *counters);
extern int64 http_now(void);
extern char *http_library_version(void);
extern bool	 http_looks_up_in_background(void);

#endif /* OPPORTUNITY_HTTP_H */
