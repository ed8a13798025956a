/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * inject.c
 *	  Makes the calls of the extension fail, one at a time, for tests.
 *
 * Linked into a build of the extension for tests only, with --wrap for each
 * function that can fail by the file "imports".  The linker directs each call of
 * such a function from the extension's objects to its wrapper.  The wrapper
 * counts the call, and fails or passes it on.  Calls within PostgreSQL and within
 * the libraries do not change.
 *
 * The wrappers also count acquired and released resources, so that a test can
 * find leaks.  They do not depend on the purpose of the extension.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <curl/curl.h>
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* PostgreSQL has a json_object of its own. */
#define json_object jansson_json_object
#include <jansson.h>
#undef json_object

/* libcurl declares these as macros, too. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt
#undef curl_share_setopt

/* Bytes of arguments on the stack to pass on; more than any function has. */
#define STACK_ARGUMENTS 128

/* Largest number of places with calls in the extension. */
#define MAX_SITES 4096

#define CONTEXT_PREFIX "opportunity_fdw"

/* A place in the extension that calls a function. */
typedef struct Site
{
	void	   *address;
	const char *function;
	int			calls;
} Site;

static bool	 is_armed = false;
static int	 fail_at = 0; /* the number of the call to fail; 0: none */
static char	 wanted_function[NAMEDATALEN]; /* to count; empty: all */
static int64 wanted_place = 0;
static int	 calls = 0;
static Site	 failed;
static Site	 sites[MAX_SITES];
static int	 site_count = 0;

/* The resources that the extension holds. */
static struct
{
	int easy_handles;
	int multi_handles;
	int share_handles;
	int url_handles;
	int header_lists;
	int json_trees;
	int reserved_files;
} held;

PG_FUNCTION_INFO_V1(inject_arm);
PG_FUNCTION_INFO_V1(inject_outcome);
PG_FUNCTION_INFO_V1(inject_sites);
PG_FUNCTION_INFO_V1(inject_held);
PG_FUNCTION_INFO_V1(inject_top_memory);

static bool	 fails(const char *function, void *address);
static void	 note_site(const char *function, void *address);
static int64 offset_of(void *address);
static void	 raise_out_of_memory(void);
static int	 count_contexts(MemoryContext context);
static int	 count_files(void);
static int	 count_blocked_signals(void);

/* --- SQL functions --- */

/*
 * inject_arm(N integer, function text, place bigint): counts calls from now on,
 * and makes the N-th fail; 0: none.  With a function, only its calls from that
 * place count.
 */
Datum
inject_arm(PG_FUNCTION_ARGS)
{
	fail_at = PG_GETARG_INT32(0);
	strlcpy(wanted_function, text_to_cstring(PG_GETARG_TEXT_PP(1)),
			sizeof(wanted_function));
	wanted_place = PG_GETARG_INT64(2);
	calls = 0;
	site_count = 0;
	memset(&failed, 0, sizeof(failed));
	is_armed = true;
	PG_RETURN_VOID();
}

/*
 * inject_outcome() returns text: the number of calls, the function that failed,
 * and the place of its call as an offset in the library.  Stops counting.
 */
Datum
inject_outcome(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	is_armed = false;
	PG_RETURN_TEXT_P(cstring_to_text(
		psprintf("%d %s " INT64_FORMAT, calls,
				 failed.function != NULL ? failed.function : "-",
				 failed.function != NULL ? offset_of(failed.address) : 0)));
}

/*
 * inject_sites() returns text: a line for each place with calls since inject_arm
 * with N = 0: the number of calls, the function, and the place.
 */
Datum
inject_sites(PG_FUNCTION_ARGS)
{
	StringInfoData text;

	(void) fcinfo;
	is_armed = false;
	initStringInfo(&text);
	for (int i = 0; i < site_count; i++)
		appendStringInfo(&text, "%d %s " INT64_FORMAT "\n", sites[i].calls,
						 sites[i].function, offset_of(sites[i].address));
	PG_RETURN_TEXT_P(cstring_to_text(text.data));
}

/*
 * inject_held() returns text: the resources that the extension holds, or nothing.
 */
Datum
inject_held(PG_FUNCTION_ARGS)
{
	const struct
	{
		const char *what;
		int			count;
	} things[] = {
		{"easy handles", held.easy_handles},
		{"multi handles", held.multi_handles},
		{"share handles", held.share_handles},
		{"URL handles", held.url_handles},
		{"header lists", held.header_lists},
		{"JSON trees", held.json_trees},
		{"reserved files", held.reserved_files},
		{"epoll, timer and socket files", count_files()},
		{"memory contexts", count_contexts(TopMemoryContext)},
		{"blocked signals", count_blocked_signals()},
	};
	StringInfoData text;

	(void) fcinfo;
	initStringInfo(&text);
	for (size_t i = 0; i < lengthof(things); i++)
	{
		if (things[i].count != 0)
			appendStringInfo(&text, "%s%d %s", text.len > 0 ? ", " : "",
							 things[i].count, things[i].what);
	}
	PG_RETURN_TEXT_P(cstring_to_text(text.data));
}

/* inject_top_memory() returns bigint: bytes in use in TopMemoryContext. */
Datum
inject_top_memory(PG_FUNCTION_ARGS)
{
	MemoryContextCounters counters = {0};

	(void) fcinfo;
	TopMemoryContext->methods->stats(TopMemoryContext, NULL, NULL, &counters,
									 false);
	PG_RETURN_INT64(counters.totalspace - counters.freespace);
}

/* Counts a call with the given return address; returns whether it must fail. */
static bool
fails(const char *function, void *address)
{
	if (!is_armed)
		return false;
	if (fail_at == 0)
		note_site(function, address);
	if (wanted_function[0] != '\0' && (strcmp(function, wanted_function) != 0 ||
									   offset_of(address) != wanted_place))
		return false;
	calls++;
	if (calls != fail_at)
		return false;
	failed.function = function;
	failed.address = address;
	return true;
}

static void
note_site(const char *function, void *address)
{
	Site *site = sites;

	while (site < sites + site_count &&
		   (site->address != address || site->function != function))
		site++;
	if (site == sites + MAX_SITES)
		elog(ERROR, "more than %d places call something", MAX_SITES);
	if (site == sites + site_count)
	{
		site_count++;
		site->address = address;
		site->function = function;
		site->calls = 0;
	}
	site->calls++;
}

/* Returns the offset in the library of the call before a return address. */
static int64
offset_of(void *address)
{
	Dl_info info;

	if (dladdr(address, &info) == 0)
		return 0;
	return (char *) address - (char *) info.dli_fbase - 1;
}

static void
raise_out_of_memory(void)
{
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"),
					errdetail("Injected failure of %s.", failed.function)));
}

/* Returns the number of the extension's memory contexts at and below a context. */
static int
count_contexts(MemoryContext context)
{
	int count =
		strncmp(context->name, CONTEXT_PREFIX, strlen(CONTEXT_PREFIX)) == 0;

	for (MemoryContext child = context->firstchild; child != NULL;
		 child = child->nextchild)
		count += count_contexts(child);
	return count;
}

/*
 * Returns the number of open files of the extension's kinds.  The first call,
 * before the extension opens files, counts the backend's own.
 */
static int
count_files(void)
{
	static int own = -1;
	DIR		  *folder = opendir("/proc/self/fd");
	int		   count = 0;

	if (folder == NULL)
		elog(ERROR, "could not read /proc/self/fd");
	for (struct dirent *entry = readdir(folder); entry != NULL;
		 entry = readdir(folder))
	{
		char	target[32];
		ssize_t length = readlinkat(dirfd(folder), entry->d_name, target,
									sizeof(target) - 1);

		target[Max(length, 0)] = '\0';
		count += strncmp(target, "socket:", 7) == 0 ||
				 strncmp(target, "anon_inode:", 11) == 0;
	}
	closedir(folder);
	if (own < 0)
		own = count;
	return count - own;
}

/* Returns the number of blocked signals among those that a backend needs. */
static int
count_blocked_signals(void)
{
	const int wanted[] = {SIGINT, SIGTERM, SIGUSR1, SIGALRM, SIGHUP};
	sigset_t  blocked;
	int		  count = 0;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	for (size_t i = 0; i < lengthof(wanted); i++)
		count += sigismember(&blocked, wanted[i]);
	return count;
}

/* --- The wrappers --- */

/*
 * A wrapper passes a call on with its unchanged arguments and result.  It does not
 * need the type of the function, which may differ between major versions.  If the
 * result of a function reports failure, the wrapper needs only that result.
 */
#define PASS_ON(name)                                                       \
	__builtin_return(__builtin_apply((void (*)()) __real_##name, arguments, \
									 STACK_ARGUMENTS))

#define FAILS(name) fails(#name, __builtin_return_address(0))

#define RAISES(name)                              \
	extern void __real_##name(void);              \
	extern void __wrap_##name(void);              \
	void		__wrap_##name(void)               \
	{                                             \
		void *arguments = __builtin_apply_args(); \
                                                  \
		if (FAILS(name))                          \
			raise_out_of_memory();                \
		PASS_ON(name);                            \
	}

#define RETURNS(type, name, value, error)         \
	extern void __real_##name(void);              \
	extern type __wrap_##name(void);              \
	type		__wrap_##name(void)               \
	{                                             \
		void *arguments = __builtin_apply_args(); \
                                                  \
		if (FAILS(name))                          \
		{                                         \
			errno = (error);                      \
			return (value);                       \
		}                                         \
		PASS_ON(name);                            \
	}

/* Generated from the file "imports": RAISES(...) for each imported function. */
#include "raises.h"

RETURNS(CURLcode, curl_global_init, CURLE_OUT_OF_MEMORY, 0)
RETURNS(CURLcode, curl_easy_setopt, CURLE_OUT_OF_MEMORY, 0)
RETURNS(CURLcode, curl_easy_getinfo, CURLE_OUT_OF_MEMORY, 0)
RETURNS(CURLMcode, curl_multi_setopt, CURLM_OUT_OF_MEMORY, 0)
RETURNS(CURLMcode, curl_multi_add_handle, CURLM_OUT_OF_MEMORY, 0)
RETURNS(CURLMcode, curl_multi_socket_action, CURLM_OUT_OF_MEMORY, 0)
RETURNS(CURLSHcode, curl_share_setopt, CURLSHE_NOMEM, 0)
RETURNS(CURLUcode, curl_url_set, CURLUE_OUT_OF_MEMORY, 0)
RETURNS(CURLUcode, curl_url_get, CURLUE_OUT_OF_MEMORY, 0)
RETURNS(json_t *, json_string, NULL, 0)
RETURNS(size_t, json_dumpb, 0, 0)
RETURNS(int, epoll_create1, -1, EMFILE)
RETURNS(int, epoll_wait, -1, EINTR)
RETURNS(int, socket, -1, EMFILE)
RETURNS(int, timerfd_create, -1, EMFILE)
RETURNS(int, timerfd_settime, -1, EINVAL)
RETURNS(FILE *, AllocateFile, NULL, EMFILE)
RETURNS(char *, fgets, NULL, EIO)
RETURNS(char *, __fgets_chk, NULL, EIO)

/* Acquires a resource, and counts it in held.member until its release. */
#define ACQUIRES(type, name, member)                        \
	extern type __real_##name(void);                        \
	extern type __wrap_##name(void);                        \
	type		__wrap_##name(void)                         \
	{                                                       \
		type handle = FAILS(name) ? NULL : __real_##name(); \
                                                            \
		held.member += handle != NULL;                      \
		return handle;                                      \
	}

#define RELEASES(type, result, name, member)  \
	extern result __real_##name(type handle); \
	extern result __wrap_##name(type handle); \
	result		  __wrap_##name(type handle)  \
	{                                         \
		held.member -= handle != NULL;        \
		return __real_##name(handle);         \
	}

ACQUIRES(CURL *, curl_easy_init, easy_handles)
RELEASES(CURL *, void, curl_easy_cleanup, easy_handles)
ACQUIRES(CURLM *, curl_multi_init, multi_handles)
RELEASES(CURLM *, CURLMcode, curl_multi_cleanup, multi_handles)
ACQUIRES(CURLSH *, curl_share_init, share_handles)
RELEASES(CURLSH *, CURLSHcode, curl_share_cleanup, share_handles)
ACQUIRES(CURLU *, curl_url, url_handles)
RELEASES(CURLU *, void, curl_url_cleanup, url_handles)
RELEASES(struct curl_slist *, void, curl_slist_free_all, header_lists)
RELEASES(json_t *, void, json_delete, json_trees)

extern struct curl_slist *__real_curl_slist_append(struct curl_slist *list,
												   const char		 *line);
extern struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list,
												   const char		 *line);

struct curl_slist *
__wrap_curl_slist_append(struct curl_slist *list, const char *line)
{
	struct curl_slist *longer =
		FAILS(curl_slist_append) ? NULL : __real_curl_slist_append(list, line);

	held.header_lists += list == NULL && longer != NULL;
	return longer;
}

extern CURL *__real_curl_easy_duphandle(CURL *easy);
extern CURL *__wrap_curl_easy_duphandle(CURL *easy);

CURL *
__wrap_curl_easy_duphandle(CURL *easy)
{
	CURL *copy =
		FAILS(curl_easy_duphandle) ? NULL : __real_curl_easy_duphandle(easy);

	held.easy_handles += copy != NULL;
	return copy;
}

/* A failing EPOLL_CTL_DEL still removes the file. */
extern int __real_epoll_ctl(int epoll_fd, int action, int fd,
							struct epoll_event *event);
extern int __wrap_epoll_ctl(int epoll_fd, int action, int fd,
							struct epoll_event *event);

int
__wrap_epoll_ctl(int epoll_fd, int action, int fd, struct epoll_event *event)
{
	bool does_fail = FAILS(epoll_ctl);

	if (does_fail && action != EPOLL_CTL_DEL)
	{
		errno = ENOSPC;
		return -1;
	}
	if (__real_epoll_ctl(epoll_fd, action, fd, event) < 0)
		return -1;
	errno = ENOENT;
	return does_fail ? -1 : 0;
}

/* The function takes the value, even if it fails. */
extern int __real_json_array_append_new(json_t *array, json_t *value);
extern int __wrap_json_array_append_new(json_t *array, json_t *value);

int
__wrap_json_array_append_new(json_t *array, json_t *value)
{
	return __real_json_array_append_new(
		FAILS(json_array_append_new) ? NULL : array, value);
}

extern json_t *__wrap_json_pack(const char *format, ...);

json_t *
__wrap_json_pack(const char *format, ...)
{
	va_list arguments;
	json_t *tree;

	if (FAILS(json_pack))
		return NULL;
	va_start(arguments, format);
	tree = json_vpack_ex(NULL, 0, format, arguments);
	va_end(arguments);
	held.json_trees += tree != NULL;
	return tree;
}

/* Without memory, jansson does not set the error. */
extern json_t *__real_json_loadb(const char *text, size_t length, size_t flags,
								 json_error_t *error);
extern json_t *__wrap_json_loadb(const char *text, size_t length, size_t flags,
								 json_error_t *error);

json_t *
__wrap_json_loadb(const char *text, size_t length, size_t flags,
				  json_error_t *error)
{
	json_t *tree;

	if (FAILS(json_loadb))
	{
		if (error != NULL)
			memset(error, 0, sizeof(*error));
		return NULL;
	}
	tree = __real_json_loadb(text, length, flags, error);
	held.json_trees += tree != NULL;
	return tree;
}

extern bool __real_AcquireExternalFD(void);
extern bool __wrap_AcquireExternalFD(void);

bool
__wrap_AcquireExternalFD(void)
{
	bool acquired;

	if (FAILS(AcquireExternalFD))
	{
		errno = EMFILE;
		return false;
	}
	acquired = __real_AcquireExternalFD();
	held.reserved_files += acquired;
	return acquired;
}

extern void __real_ReserveExternalFD(void);
extern void __wrap_ReserveExternalFD(void);

void
__wrap_ReserveExternalFD(void)
{
	held.reserved_files++;
	__real_ReserveExternalFD();
}

extern void __real_ReleaseExternalFD(void);
extern void __wrap_ReleaseExternalFD(void);

void
__wrap_ReleaseExternalFD(void)
{
	held.reserved_files--;
	__real_ReleaseExternalFD();
}

/* Only a new entry needs memory. */
extern void *__real_hash_search(HTAB *table, const void *key, HASHACTION action,
								bool *found);
extern void *__wrap_hash_search(HTAB *table, const void *key, HASHACTION action,
								bool *found);

void *
__wrap_hash_search(HTAB *table, const void *key, HASHACTION action, bool *found)
{
	if ((action == HASH_ENTER || action == HASH_ENTER_NULL) &&
		FAILS(hash_search))
		raise_out_of_memory();
	return __real_hash_search(table, key, action, found);
}

extern void *__real_MemoryContextAllocExtended(MemoryContext context, Size size,
											   int flags);
extern void *__wrap_MemoryContextAllocExtended(MemoryContext context, Size size,
											   int flags);

void *
__wrap_MemoryContextAllocExtended(MemoryContext context, Size size, int flags)
{
	if (FAILS(MemoryContextAllocExtended))
	{
		if ((flags & MCXT_ALLOC_NO_OOM) != 0)
			return NULL;
		raise_out_of_memory();
	}
	return __real_MemoryContextAllocExtended(context, size, flags);
}
