/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_header.h
 *	  Reads the wait that a response requests from its headers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HTTP_HEADER_H
#define OPPORTUNITY_HTTP_HEADER_H

#include "postgres.h"

/* Bytes kept of a header line, including the NUL.  Longer lines are ignored. */
#define HTTP_HEADER_SIZE 256

/* Headers that are kept.  The first one with a wait takes precedence. */
typedef enum HttpHeader
{
	HTTP_RETRY_AFTER,
	HTTP_X_RATELIMIT_RESET,
	HTTP_RATELIMIT_RESET,
	HTTP_RATELIMIT,
	HTTP_DATE,
	HTTP_HEADER_COUNT
} HttpHeader;

/* Header lines; empty if absent. */
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
