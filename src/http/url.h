/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * url.h
 *	  Parses base URLs and proxies.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_URL_H
#define OPPORTUNITY_URL_H

#include "postgres.h"

/* Parts of a URL that are checked.  The strings are palloc'd. */
typedef struct UrlParts
{
	char *scheme; /* lower case */
	char *host;	  /* without port; an IPv6 address is in brackets */
	char *port;	  /* default: the scheme's; NULL: it has none */
	bool  is_loopback;
	bool  has_credentials;
	bool  has_query_or_fragment;
} UrlParts;

extern bool url_parse(const char *url, UrlParts *parts);

#endif /* OPPORTUNITY_URL_H */
