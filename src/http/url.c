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

#include "http/url.h"

/* Longest part that is accepted; a host name has at most 253 bytes. */
#define URL_PART_MAX 512

/* Returns true if each byte of a text can be in a URL. */
static bool
url_is_plain(const char *text)
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
 * Copies a part into a buffer of URL_PART_MAX bytes, which is empty on failure.
 * Returns libcurl's code, or CURLUE_MALFORMED_INPUT for an empty or long part.
 */
static CURLUcode
copy_part(CURLU *handle, CURLUPart what, unsigned int flags, char *target)
{
	char	 *part = NULL;
	CURLUcode code = curl_url_get(handle, what, &part, flags);

	target[0] = '\0';
	if (code == CURLUE_OK && (part[0] == '\0' || strlen(part) >= URL_PART_MAX))
		code = CURLUE_MALFORMED_INPUT;
	if (code == CURLUE_OK)
		strlcpy(target, part, URL_PART_MAX);
	curl_free(part);
	return code;
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
	char	  scheme[URL_PART_MAX];
	char	  host[URL_PART_MAX];
	char	  port[URL_PART_MAX];
	CURLU	 *handle;
	CURLUcode code = CURLUE_OUT_OF_MEMORY;

	/* libcurl would escape some of these bytes instead of rejecting them. */
	if (!url_is_plain(url))
		return false;

	/* No error can be raised before the cleanup. */
	handle = curl_url();
	if (handle != NULL)
		code =
			curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);
	if (code == CURLUE_OK)
		code = copy_part(handle, CURLUPART_SCHEME, 0, scheme);
	if (code == CURLUE_OK)
		code = copy_part(handle, CURLUPART_HOST, 0, host);
	if (code == CURLUE_OK &&
		copy_part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT, port) ==
			CURLUE_OUT_OF_MEMORY)
		code = CURLUE_OUT_OF_MEMORY;
	curl_url_cleanup(handle);

	if (code == CURLUE_OUT_OF_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));

	/* libcurl accepts escapes in a host.  It decodes them here. */
	if (code != CURLUE_OK || !url_is_plain(host) || strchr(host, '%') != NULL)
		return false;

	for (char *c = scheme; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	parts->scheme = pstrdup(scheme);
	parts->host = pstrdup(host);
	parts->port = port[0] != '\0' ? pstrdup(port) : NULL;
	parts->is_loopback = host_is_loopback(host);
	parts->has_credentials = strchr(url, '@') != NULL;
	parts->has_query_or_fragment = strpbrk(url, "?#") != NULL;
	return true;
}
