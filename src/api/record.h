/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record.h
 *	  Parses records and pages of records from JSON, and writes records.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_RECORD_H
#define OPPORTUNITY_RECORD_H

#include "postgres.h"

#include "common/jsonapi.h"
#include "lib/stringinfo.h"
#include "utils/uuid.h"

#include "api/attribute_set.h"

/* A part of the response's text, without a terminating NUL. */
typedef struct JsonSlice
{
	const char *start;
	int			length;
} JsonSlice;

/*
 * A JSON value.
 *
 * - kind: its first token, which is JSON_TOKEN_STRING, _NUMBER, _TRUE, _FALSE,
 *   _NULL, _OBJECT_START or _ARRAY_START
 * - text: the unescaped text of a scalar
 * - raw: the value's text in the response
 */
typedef struct JsonValue
{
	JsonTokenType kind;
	char		 *text;
	JsonSlice	  raw;
} JsonValue;

/* A key of a value that is an object. */
typedef struct JsonMember
{
	char	 *name;
	JsonValue value;
} JsonMember;

/* {"value": ..., "value_type": "..."} */
typedef struct Envelope
{
	char	   *value_type; /* NULL: absent */
	bool		has_value_type;
	bool		has_value;
	JsonValue	value;
	int			member_count;
	int			member_capacity;
	JsonMember *members;
} Envelope;

/* An attribute of a record: one envelope, or a list of them. */
typedef struct RecordAttribute
{
	bool	  is_present; /* in the response, even as null */
	bool	  is_list;
	JsonSlice raw;
	int		  count; /* 0 for null and for an empty list */
	int		  capacity;
	Envelope *envelopes;
} RecordAttribute;

/*
 * A record.  All of it is palloc'd in the memory context that was current
 * during parsing.  It points into the parsed text, which must live as long.
 * All text is UTF-8, regardless of the server encoding.
 */
typedef struct Record
{
	char			*id_text; /* spelled as in the response */
	pg_uuid_t		 id;
	JsonSlice		 whole;		 /* the record's object */
	RecordAttribute *attributes; /* indexed by numbers of the AttributeSet */
} Record;

/* A page of records, palloc'd like them. */
typedef struct RecordPage
{
	int		 count;
	int		 capacity;
	Record **records;
	char	*next_cursor; /* NULL: last page */
	int64	 total;		  /* the API's count for the query, or -1 */
	bool	 has_more;	  /* the API announces further records */
} RecordPage;

typedef enum RecordStatus
{
	RECORD_OK,
	RECORD_CUT,			  /* truncated by a broken transfer */
	RECORD_FAILURE,		  /* failure report, with or without records */
	RECORD_MALFORMED,	  /* not JSON, or not the documented shape */
	RECORD_UNTRANSLATABLE /* \u0000, which no text can contain */
} RecordStatus;

/* Maximum depth of nesting, so that no response exhausts the stack. */
#define RECORD_MAX_NESTING 64

extern RecordStatus record_parse(const AttributeSet *wanted, char *body,
								 int length, Record **record, char **problem);
extern RecordStatus record_parse_page(const AttributeSet *wanted, char *body,
									  int length, RecordPage **page,
									  char **problem);
extern RecordPage  *record_page_create(void);
extern void			record_write_whole(const Record *record, StringInfo target);
extern void record_write_cut(const AttributeSet *wanted, const Record *record,
							 StringInfo target);

#endif /* OPPORTUNITY_RECORD_H */
