/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record.h
 *	  Records: the set of wanted attributes, the values in the envelopes of an
 *	  attribute, and the JSON of a record.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_RECORD_H
#define OPPORTUNITY_RECORD_H

#include "postgres.h"

#include "common/jsonapi.h"
#include "lib/stringinfo.h"
#include "utils/uuid.h"

/* White space of JSON. */
#define JSON_SPACES " \t\r\n"

/* A part of the response's text, without a terminating NUL. */
typedef struct JsonSlice
{
	const char *start;
	int			length;
} JsonSlice;

/* A JSON value.  Numbers stay text, so they lose no digits. */
typedef struct JsonValue
{
	JsonTokenType kind; /* its first token */
	char		 *text; /* unescaped text of a scalar; NULL: another kind */
	JsonSlice	  raw;	/* the value in the response */
} JsonValue;

/* A key of a value that is an object. */
typedef struct JsonMember
{
	char	 *name; /* first, for pg_qsort_strcmp */
	JsonValue value;
} JsonMember;

/* {"value": ..., "value_type": "..."} */
typedef struct Envelope
{
	char	   *value_type;		/* NULL: absent, or null */
	bool		has_value_type; /* the keys are present, even with null */
	bool		has_value;
	JsonValue	value;
	int			member_count;
	JsonMember *members; /* of a value that is an object, sorted by name */
} Envelope;

/* An attribute of a record: one envelope, or a list of them. */
typedef struct RecordAttribute
{
	bool	  is_present; /* in the response, even as null */
	bool	  is_list;
	JsonSlice raw;	 /* its value: the envelope or the list */
	int		  count; /* of envelopes; 0 for null and for an empty list */
	Envelope *envelopes;
} RecordAttribute;

/*
 * A record.  All of it is palloc'd in the memory context that was current
 * during parsing.  It points into the parsed text, which must live as long.
 * All text is UTF-8, in any server encoding.
 */
typedef struct Record
{
	char			*id_text; /* spelled as in the response */
	pg_uuid_t		 id;
	JsonSlice		 whole;		 /* the record's object */
	RecordAttribute *attributes; /* indexed by numbers of the AttributeSet */
} Record;

/* A page of records, palloc'd like its records. */
typedef struct RecordPage
{
	int		 count;
	Record **records;
	char	*next_cursor; /* NULL: last page */
	int64	 total;		  /* the API's count for the query, or -1 */
	bool	 has_more;	  /* the API announces further records */
} RecordPage;

/* Result of the parser.  For its use, see api_check_response. */
typedef enum RecordStatus
{
	RECORD_OK,
	RECORD_CUT,			  /* truncated by a broken transfer */
	RECORD_FAILURE,		  /* failure report, with or without records */
	RECORD_MALFORMED,	  /* not JSON, or not the documented shape */
	RECORD_UNTRANSLATABLE /* \u0000, which no text can contain */
} RecordStatus;

/* The value of an attribute for a uuid column. */
typedef enum RecordKey
{
	RECORD_KEY_NONE, /* the column would be NULL */
	RECORD_KEY_FOUND,
	RECORD_KEY_ODD /* the column might raise an error */
} RecordKey;

/* A wanted attribute: its name in UTF-8, and its number from 0 on. */
typedef struct AttributeName
{
	const char *name; /* first, for pg_qsort_strcmp */
	int			number;
} AttributeName;

/*
 * The wanted attributes of a record.  The set may grow only before the parser
 * reads a record, which has an array of its size.
 */
typedef struct AttributeSet
{
	MemoryContext  context;		 /* of the set and the names */
	bool		   wants_record; /* the whole record is wanted */
	int			   count;
	AttributeName *sorted; /* by name */
} AttributeSet;

extern AttributeSet *attribute_set_create(void);
extern int			 attribute_set_add(AttributeSet *set, const char *name);
extern int attribute_set_find(const AttributeSet *set, const char *name);
extern const JsonValue *envelope_member(const Envelope *envelope,
										const char	   *name);
extern const char *envelope_scalar_key(const Envelope *envelope, bool as_uuid);
extern bool		   json_value_is_empty(const JsonValue *value);
extern bool		   record_has_value(const RecordAttribute *attribute);
extern const char *created_at_text(const Record *record, int number);
extern bool created_at_read(const Record *record, int number, int64 *seconds);
extern RecordKey record_key_read(const Record *record, int attribute,
								 pg_uuid_t *key);
extern void		 record_write_whole(const Record *record, StringInfo target);
extern void record_write_cut(const AttributeSet *wanted, const Record *record,
							 StringInfo target);

/* record_parser.c */
extern RecordStatus record_parse(const AttributeSet *wanted, char *body,
								 int length, Record **record, char **problem);
extern RecordStatus record_parse_page(const AttributeSet *wanted, char *body,
									  int length, RecordPage **page,
									  char **problem);

#endif /* OPPORTUNITY_RECORD_H */
