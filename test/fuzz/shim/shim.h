/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * shim.h
 *	  As much of a PostgreSQL backend as the extension's parsers need, for
 *	  programs that run them without a server.
 *
 * The functions of the backend that the extension calls are defined in the
 * files of this folder, by the server's own headers; what stands here is what
 * the shim adds to them.  The JSON parser, StringInfo, snprintf and UTF-8 are
 * PostgreSQL's own, from libpgcommon and libpgport.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FUZZ_SHIM_H
#define FUZZ_SHIM_H

#include "postgres.h"

#include "compat.h"

/* What a target does with one input, which has a NUL behind it. */
extern void fuzz_input(char *data, size_t size);

/*
 * Ends the program unless the condition holds: something that was promised is
 * broken, and the input that shows it is worth keeping.
 */
#define FUZZ_CHECK(condition)                                        \
	do                                                               \
	{                                                                \
		if (!(condition))                                            \
			shim_broken(__FILE__, __LINE__, CppAsString(condition)); \
	} while (0)

pg_noreturn extern void shim_broken(const char *file, int line,
									const char *what);

/*
 * main.c: counts what came of an input.  Somebody should look at the tally now
 * and then: a target that has one outcome alone tests nothing.
 */
extern void shim_outcome(const char *name);
extern void shim_outcome_error(const ErrorData *error);

/* memory.c: contexts in which every palloc is a malloc of its own */
extern void shim_memory_begin(void);
extern void shim_memory_end(void);

/* error.c: runs a function; returns the error that it raised, or NULL */
extern ErrorData *shim_catch(void (*function)(void *), void *argument);

/* encoding.c: PG_UTF8 or PG_LATIN1 */
extern void shim_set_database_encoding(int encoding);
extern bool shim_is_server_text(const char *text);

/* server.c: what a backend waits with */
extern void shim_server_begin(void);
extern void shim_server_end(void);
extern void shim_cancel_at_wait(int number);
extern bool (*shim_on_wait)(void);

/* libraries.c: what libcurl and jansson allocate has to be freed, too */
extern void shim_libraries_begin(void);
extern void shim_libraries_end(void);

/* mutate.c: changes JSON into other JSON */
extern size_t shim_mutate_json(char *json, size_t size, size_t max_size,
							   unsigned int seed);

/* types.c: values, as the shim's input functions make them, can be compared */
extern bool shim_same_datum(Oid type, Datum a, Datum b);

/* A domain over text[]. */
#define SHIM_DOMAINOID FirstNormalObjectId

#endif /* FUZZ_SHIM_H */
