/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * libraries.c
 *	  Counts the allocations of jansson and libcurl, so that an error that jumps
 *	  past the release of a tree or a handle is a leak.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>
#define json_object jansson_json_object
#include <jansson.h>
#undef json_object

#include "shim.h"

static long allocated; /* number of allocations */
static long at_begin;

static void	 initialize(void);
static void *count_malloc(size_t size);
static void	 count_free(void *pointer);
static void *count_realloc(void *pointer, size_t size);
static void *count_calloc(size_t count, size_t size);
static char *count_strdup(const char *text);

void
shim_libraries_begin(void)
{
	initialize();
	at_begin = allocated;
}

void
shim_libraries_end(void)
{
	FUZZ_CHECK(allocated == at_begin);
}

/* Sets a seed for jansson's hashes, so that each run is the same. */
static void
initialize(void)
{
	static bool initialized = false;

	if (initialized)
		return;
	json_object_seed(1);
	json_set_alloc_funcs(count_malloc, count_free);
	FUZZ_CHECK(curl_global_init_mem(CURL_GLOBAL_DEFAULT, count_malloc,
									count_free, count_realloc, count_strdup,
									count_calloc) == CURLE_OK);
	initialized = true;
}

static void *
count_malloc(size_t size)
{
	allocated++;
	return malloc(size);
}

static void
count_free(void *pointer)
{
	if (pointer != NULL)
		allocated--;
	free(pointer);
}

static void *
count_realloc(void *pointer, size_t size)
{
	if (pointer == NULL)
		allocated++;
	return realloc(pointer, size);
}

static void *
count_calloc(size_t count, size_t size)
{
	allocated++;
	return calloc(count, size);
}

static char *
count_strdup(const char *text)
{
	allocated++;
	return strdup(text);
}
