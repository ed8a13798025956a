/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * json_slice.h
 *	  Texts and members of JSON values that were read, in PostgreSQL's memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_JSON_SLICE_H
#define OPPORTUNITY_JSON_SLICE_H

#include "postgres.h"

#include "json/json_reader.h"

extern bool		 slice_equals(const JsonSlice *string, const char *text);
extern bool		 slice_is_empty(const JsonSlice *value);
extern JsonSlice slice_raw(const JsonSlice *value);
extern char		*slice_text(const JsonSlice *value, char *buffer, size_t size,
							JsonError *error);
extern void		 slice_start(const JsonSlice *value, char *target, size_t size);
extern int		 slice_member(const JsonSlice *object, const char *name,
							  JsonSlice *member);

/* Like slice_equals, for a constant. */
#define SLICE_IS(string, constant)                                          \
	(likely(!(string)->has_escapes)                                         \
		 ? (string)->length == (int) sizeof(constant) - 1 &&                \
			   memcmp((string)->start, constant, sizeof(constant) - 1) == 0 \
		 : slice_equals(string, constant))

#endif /* OPPORTUNITY_JSON_SLICE_H */
