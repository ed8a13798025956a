/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * url.c
 *	  Parses base URLs and proxies.
 *
 * Uses libcurl's own URL parser, so libcurl connects to exactly the host that
 * was checked here.  Must not know options or transfers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include "base/compat.h"
#include "http/url.h"

/* Longest part that is accepted; a host name has at most 253 bytes. */
#define URL_PART_MAX 512

static bool is_plain(const char *text);
static bool url_part(CURLU *handle, CURLUPart what, unsigned int flags,
					 char *target, bool *no_memory);
static bool succeeded(CURLUcode code, bool *no_memory);
pg_noreturn static void raise_out_of_memory(void);
static bool				host_is_loopback(const char *host);

/*
 * Parses a URL into parts, whose strings are palloc'd.
 *
 * The scheme must be spelled out.  Returns false if libcurl cannot parse the
 * URL, a part has URL_PART_MAX bytes or more, or it contains a byte that a URL
 * cannot have.  Raises an error if memory is out.
 */
bool
url_parse(const char *url, UrlParts *parts)
{
	char   scheme[URL_PART_MAX];
	char   host[URL_PART_MAX];
	char   port[URL_PART_MAX];
	char   ignored[URL_PART_MAX];
	CURLU *handle;
	bool   valid;
	bool   has_port = false;
	bool   no_memory = false;

	/* libcurl would escape some of these bytes instead of rejecting them. */
	if (!is_plain(url))
		return false;

	handle = curl_url();
	if (handle == NULL)
		raise_out_of_memory();

	/* No error can be raised before the cleanup. */
	valid = succeeded(curl_url_set(handle, CURLUPART_URL, url,
								   CURLU_NON_SUPPORT_SCHEME),
					  &no_memory) &&
			url_part(handle, CURLUPART_SCHEME, 0, scheme, &no_memory) &&
			url_part(handle, CURLUPART_HOST, 0, host, &no_memory);
	if (valid)
	{
		has_port = url_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, port,
							&no_memory);
		parts->has_credentials =
			url_part(handle, CURLUPART_USER, 0, ignored, &no_memory) ||
			url_part(handle, CURLUPART_PASSWORD, 0, ignored, &no_memory) ||
			strchr(url, '@') != NULL;
		parts->has_query_or_fragment =
			strchr(url, '?') != NULL || strchr(url, '#') != NULL;
	}
	curl_url_cleanup(handle);

	if (no_memory)
		raise_out_of_memory();

	/*
	 * libcurl accepts escapes in a host.  It decodes them here, except in 7.74.
	 */
	if (!valid || !is_plain(host) || strchr(host, '%') != NULL)
		return false;

	for (char *c = scheme; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	parts->scheme = pstrdup(scheme);
	parts->host = pstrdup(host);
	parts->port = has_port ? pstrdup(port) : NULL;
	parts->is_loopback = host_is_loopback(host);
	return true;
}

/* Returns true if each byte of a text can be in a URL. */
static bool
is_plain(const char *text)
{
	for (; *text != '\0'; text++)
	{
		if ((unsigned char) *text <= ' ' || (unsigned char) *text >= 0x7f ||
			*text == '\\' || *text == '"')
			return false;
	}
	return true;
}

/*
 * Copies a part into a buffer of URL_PART_MAX bytes.  Returns false if the part
 * is missing, empty or too long.
 */
static bool
url_part(CURLU *handle, CURLUPart what, unsigned int flags, char *target,
		 bool *no_memory)
{
	char *part = NULL;
	bool  found;

	found = succeeded(curl_url_get(handle, what, &part, flags), no_memory) &&
			part != NULL && part[0] != '\0' && strlen(part) < URL_PART_MAX;
	if (found)
		strlcpy(target, part, URL_PART_MAX);
	curl_free(part);
	return found;
}

/* Returns true if code is success.  Sets *no_memory if memory was out. */
static bool
succeeded(CURLUcode code, bool *no_memory)
{
	if (code == CURLUE_OUT_OF_MEMORY)
		*no_memory = true;
	return code == CURLUE_OK;
}

static void
raise_out_of_memory(void)
{
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}

/* Returns true if a host name always denotes this machine. */
static bool
host_is_loopback(const char *host)
{
	struct in_addr address;

	if (pg_strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, host, &address) == 1 &&
		   (ntohl(address.s_addr) >> 24) == 127;
}
