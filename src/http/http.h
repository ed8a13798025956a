/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http.h
 *	  HTTP transfers over libcurl that always react to interrupts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_H
#define OPPORTUNITY_HTTP_H

#include "postgres.h"

#include <curl/curl.h>

#include "base/compat.h"

/* A set of reusable connections, and the transfers that use them. */
typedef struct HttpPool HttpPool;

/* Settings for requests to a host.  The strings must outlive its transfers. */
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
	long		max_retry_wait;	   /* milliseconds */
	size_t		max_response_size; /* bytes, decompressed */
} HttpTarget;

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
	int64	   waited; /* microseconds held back: see HttpCounters */
	bool	   has_said_so;
} HttpBudget;

/*
 * Counters of attempts.  An attempt that is in flight or was abandoned is a
 * request without an outcome.
 */
typedef struct HttpCounters
{
	int64 resets; /* number of http_reset_counters calls */
	int64 requests;
	int64 retries;	 /* attempts after the first, part of requests */
	int64 succeeded; /* 2xx */
	int64 not_found; /* 404 */
	int64 refused;	 /* any other status */
	int64 throttled; /* see http_is_throttled */
	int64 failed;	 /* other 5xx */
	int64 broken;	 /* no complete response */
	int64 connections;
	int64 bytes;	 /* response bodies, decompressed */
	int64 waited;	 /* microseconds of waits */
	int64 held_back; /* part of waited with all requests queued */
} HttpCounters;

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
	HTTP_POOL_BROKEN,	/* failure of libcurl or the operating system */
	HTTP_OUT_OF_MEMORY
} HttpOutcome;

/* Defect of a complete response: see http_retry. */
typedef enum HttpFault
{
	HTTP_FAULT_CUT,		 /* truncated body */
	HTTP_FAULT_FAILED,	 /* failure that may be temporary */
	HTTP_FAULT_THROTTLED /* too many requests */
} HttpFault;

/*
 * One request and its response.  It has a memory context of its own; deleting
 * that ends the transfer in any state.
 */
typedef struct HttpTransfer
{
	HttpOutcome outcome;

	/*
	 * Response, if outcome is HTTP_RESPONDED.  A NUL follows the body, which may
	 * be NULL if it is empty.
	 */
	long		status;
	char	   *body;
	size_t		length;
	const char *content_type; /* libcurl's copy; NULL: absent */
	long		retry_after;  /* requested wait in milliseconds, or -1 */

	/* for messages */
	int	 attempts;
	char retry_header[128]; /* header line that requests the wait, or "" */
	char error[CURL_ERROR_SIZE];

	struct HttpTransferPrivate *private;
} HttpTransfer;

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

extern HttpPool *http_pool_create(void);
extern void		 http_pool_destroy(HttpPool *pool);
extern bool		 http_pool_is_quiet(const HttpPool *pool);
extern bool		 http_pool_is_broken(const HttpPool *pool);
extern int		 http_pool_delayed(const HttpPool *pool);
extern void		 http_pool_drive(HttpPool *pool);

/* For callers that wait in their own way. */
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
