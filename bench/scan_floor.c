/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * scan_floor.c
 *	  A plain client that reads all records.
 *
 *	  scan_floor URL PAGE_SIZE
 *
 * URL is the URL for queries.  Fetches one page after the other on one
 * connection, makes a jansson tree of each, and frees it.  Prints the number of
 * records, and the seconds from the first request to the last tree.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include <curl/curl.h>
#include <err.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The body of a response, with room for the largest response so far. */
typedef struct Body
{
	char  *text;
	size_t length;
	size_t size;
} Body;

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Adds received bytes to the body: the callback of libcurl. */
static size_t
take(char *bytes, size_t one, size_t length, void *arg)
{
	Body *body = arg;

	(void) one;
	if (body->length + length > body->size)
	{
		body->size = (body->length + length) * 2;
		body->text = realloc(body->text, body->size);
		if (body->text == NULL)
			err(1, "body");
	}
	memcpy(body->text + body->length, bytes, length);
	body->length += length;
	return length;
}

/* Fetches a page, and returns its tree. */
static json_t *
fetch(CURL *curl, Body *body, const char *request)
{
	long	 status = 0;
	CURLcode code;
	json_t	*page;

	body->length = 0;
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request);
	code = curl_easy_perform(curl);
	if (code != CURLE_OK)
		errx(1, "%s", curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	page = status == 200 ? json_loadb(body->text, body->length, 0, NULL) : NULL;
	if (!json_is_array(json_object_get(page, "data")))
		errx(1, "status %ld: %.*s", status, (int) body->length, body->text);
	return page;
}

int
main(int argc, char **argv)
{
	CURL			  *curl = curl_easy_init();
	struct curl_slist *headers =
		curl_slist_append(NULL, "Content-Type: application/json");
	Body		body = {0};
	char	   *request;
	size_t		count = 0;
	double		began;
	const char *cursor;

	if (argc != 3)
		errx(2, "usage: scan_floor URL PAGE_SIZE");
	if (curl == NULL || headers == NULL ||
		asprintf(&request,
				 "{\"sort\":[{\"field\":\"created_at\",\"direction\":\"asc\"}],"
				 "\"limit\":%s}",
				 argv[2]) < 0)
		errx(1, "out of memory");
	curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);

	began = now();
	do
	{
		json_t *page = fetch(curl, &body, request);

		free(request);
		request = NULL;
		count += json_array_size(json_object_get(page, "data"));
		cursor = json_string_value(json_object_get(page, "next_cursor"));
		if (cursor != NULL &&
			asprintf(&request, "{\"cursor\":\"%s\",\"limit\":%s}", cursor,
					 argv[2]) < 0)
			errx(1, "out of memory");
		json_decref(page);
	} while (request != NULL);
	printf("%zu %.6f\n", count, now() - began);

	free(body.text);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	return 0;
}
