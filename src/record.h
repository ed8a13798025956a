/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record.h
 *	  Records of the API, read from an answer's JSON.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_RECORD_H
#define OPPORTUNITY_RECORD_H

#include "postgres.h"

#include "common/jsonapi.h"
#include "lib/stringinfo.h"
#include "utils/uuid.h"

#include "attribute_set.h"

/* A piece of the answer's text, not terminated. */
typedef struct JsonSlice
{
	const char *start;
	int			length;
} JsonSlice;

/*
 * One JSON value.  kind is the token that it starts with (JSON_TOKEN_STRING,
 * _NUMBER, _TRUE, _FALSE, _NULL, _OBJECT_START or _ARRAY_START), text a
 * scalar's text, unescaped, and raw the value as it stands in the answer.
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
	char	   *value_type; /* NULL: not said */
	bool		has_value_type;
	bool		has_value;
	JsonValue	value;
	int			member_count;
	int			member_capacity;
	JsonMember *members;
} Envelope;

/* One attribute of a record: one envelope, or a list of them. */
typedef struct RecordAttribute
{
	bool	  is_present; /* in the answer, be it as null */
	bool	  is_list;
	JsonSlice raw;
	int		  count; /* 0 for null and for an empty list */
	int		  capacity;
	Envelope *envelopes;
} RecordAttribute;

/*
 * A record.  Everything is palloc'd in the context that was current when it was
 * parsed, and points into the parsed text, which must live as long.  All text
 * is UTF-8, whatever the database's encoding.
 */
typedef struct Record
{
	char			*id_text; /* as the answer spells it */
	pg_uuid_t		 id;
	JsonSlice		 whole;		 /* the record's object */
	RecordAttribute *attributes; /* by the numbers of the AttributeSet */
} Record;

/* An answer with many records; palloc'd as they are. */
typedef struct RecordPage
{
	int		 count;
	int		 capacity;
	Record **records;
	char	*next_cursor; /* NULL: there is no further page */
	int64	 total;		  /* records of the query, as the API counts; or -1 */
	bool	 has_more;	  /* the API says that there are further ones */
} RecordPage;

typedef enum RecordStatus
{
	RECORD_OK,
	RECORD_CUT,		  /* ends early: a transfer that broke */
	RECORD_FAILURE,	  /* reports a failure in place of, or beside, records */
	RECORD_MALFORMED, /* not JSON, or not the documented shape */
	RECORD_UNTRANSLATABLE /* has a \u0000, which no text can hold */
} RecordStatus;

/* Deeper nesting is refused, so that no answer can exhaust the stack. */
#define RECORD_MAX_NESTING 64

extern RecordStatus record_parse(const AttributeSet *wanted, char *body,
								 int length, Record **record, char **problem);
extern RecordStatus record_parse_page(const AttributeSet *wanted, char *body,
									  int length, RecordPage **page,
									  char **problem);
extern RecordPage  *record_page_create(void);
extern bool			record_has_value(const RecordAttribute *attribute);
extern void			record_write_whole(const Record *record, StringInfo target);
extern void record_write_cut(const AttributeSet *wanted, const Record *record,
							 StringInfo target);

#endif /* OPPORTUNITY_RECORD_H */
