/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_header.h
 *	  When to come back, as the headers of a response say it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_HEADER_H
#define OPPORTUNITY_HTTP_HEADER_H

#include "postgres.h"

/* How much is kept of a header.  A longer one is not understood. */
#define HTTP_HEADER_SIZE 256

/* The headers that count, the one that is looked at first in front. */
typedef enum HttpHeader
{
	HTTP_RETRY_AFTER,
	HTTP_X_RATELIMIT_RESET,
	HTTP_RATELIMIT_RESET,
	HTTP_RATELIMIT,
	HTTP_DATE,
	HTTP_HEADER_COUNT
} HttpHeader;

/* The lines of these headers; empty where there is none. */
typedef struct HttpHeaders
{
	char lines[HTTP_HEADER_COUNT][HTTP_HEADER_SIZE];
} HttpHeaders;

extern void http_header_keep(HttpHeaders *headers, const char *line,
							 size_t length);
extern bool http_header_is_retry_after(const HttpHeaders *headers);
extern long http_header_wait(const HttpHeaders *headers, bool throttles,
							 const char **line);

#endif /* OPPORTUNITY_HTTP_HEADER_H */
