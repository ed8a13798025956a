/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * place.h
 *	  Roles of the JSON values in a response, by the names of their keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PLACE_H
#define OPPORTUNITY_PLACE_H

#include "postgres.h"

#include "json/json_slice.h"

/* Role of a JSON value in the response. */
typedef enum Place
{
	PLACE_RESPONSE, /* the response itself */
	PLACE_PAGE,		/* "data" of a page: the records */
	PLACE_PAGING,	/* "meta" or "pagination" of a page */
	PLACE_CURSOR,	/* "next_cursor", at the top or in PLACE_PAGING */
	PLACE_TOTAL,	/* number of records, likewise */
	PLACE_MORE,		/* flag for further records, likewise */
	PLACE_ERROR,	/* member that reports a failure unless it is empty */
	PLACE_CODE,		/* the same, without its own members */
	PLACE_STATUS,	/* member that reports a failure by some values */
	PLACE_FLAG,		/* member that reports a failure if true */
	PLACE_MESSAGE,	/* explanation of a failure */
	PLACE_DATA,		/* record: "data", or an element of a page's */
	PLACE_ID,		/* keys of the record: "id" ... */
	PLACE_CREATED_AT,
	PLACE_UPDATED_AT,
	PLACE_RECORD_TYPE,
	PLACE_ATTRIBUTES,
	PLACE_ATTRIBUTE,  /* wanted attribute */
	PLACE_ELEMENT,	  /* element of an attribute that is a list */
	PLACE_VALUE_TYPE, /* "value_type" of an envelope */
	PLACE_IGNORED
} Place;

#define PLACE_COUNT (PLACE_IGNORED + 1)

extern const char *place_mismatch(Place place, JsonKind kind);
extern Place	   place_of_response_key(const JsonSlice *name);
extern bool		   place_reports_failure(Place container, Place place,
										 const JsonSlice *value);
extern bool place_letters_contain(const char *text, const char *const *words,
								  size_t count);
extern bool place_explains_failure(const JsonSlice *message);

#endif /* OPPORTUNITY_PLACE_H */
