/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http.h
 *	  HTTP transfers over libcurl that always react to interrupts, and URLs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_H
#define OPPORTUNITY_HTTP_H

#include "postgres.h"

#include "base/compat.h"
#include "http/http_pool.h"

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

#endif /* OPPORTUNITY_HTTP_H */
