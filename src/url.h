/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * url.h
 *	  Reading of base URLs and proxies.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_URL_H
#define OPPORTUNITY_URL_H

#include "postgres.h"

/* The parts of a URL that decisions are made on; strings are palloc'd. */
typedef struct UrlParts
{
	char *scheme; /* lower case */
	char *host;	  /* without port; an IPv6 address in brackets */
	char *port;	  /* the scheme's own, where none is given; else NULL */
	bool  is_loopback;
	bool  has_credentials;
	bool  has_query_or_fragment;
} UrlParts;

extern bool url_parse(const char *url, UrlParts *parts);

#endif /* OPPORTUNITY_URL_H */
