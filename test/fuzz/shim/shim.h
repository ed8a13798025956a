/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * shim.h
 *	  The parts of a PostgreSQL backend that the parsers of the extension need,
 *	  for programs that run them without a server.
 *
 * The files of this folder define the functions of the backend that the
 * extension calls, with the declarations of the server's own headers.  This file
 * has only additional functions.  The JSON parser, StringInfo, snprintf and UTF-8
 * are PostgreSQL's own, from libpgcommon and libpgport.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FUZZ_SHIM_H
#define FUZZ_SHIM_H

#include "postgres.h"

#include "access/transam.h"

#include "base/compat.h"

/* Runs a target with one input, which has a NUL after its end. */
extern void fuzz_input(char *data, size_t size);

/*
 * Ends the program unless the condition holds.  Then a promise is broken, and the
 * input belongs in the corpus.
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
 * main.c: counts the outcomes of inputs.  A target with a single outcome tests
 * nothing, so check the tally after a change.
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

/* server.c: waits of a backend */
extern void shim_server_begin(void);
extern void shim_server_end(void);
extern void shim_cancel_at_wait(int number);
extern bool (*shim_on_wait)(void);

/* libraries.c: checks that libcurl and jansson free their memory */
extern void shim_libraries_begin(void);
extern void shim_libraries_end(void);

/* mutate.c: changes JSON into other JSON */
extern size_t shim_mutate_json(char *json, size_t size, size_t max_size,
							   unsigned int seed);

/* types.c: compares values of the shim's input functions */
extern bool shim_same_datum(Oid type, Datum a, Datum b);

/* A domain over text[]. */
#define SHIM_DOMAINOID FirstNormalObjectId

#endif /* FUZZ_SHIM_H */
