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

#include "lib/stringinfo.h"
#include "utils/uuid.h"

#include "json/json_slice.h"

/* Maximum number of records on a page, with any limit in the query. */
#define RECORD_MAX_PER_PAGE 10000

/* Bytes of a time as the API writes it, including the NUL. */
#define RECORD_TIME_SIZE 64

/* {"value": ..., "value_type": "..."}, or null. */
typedef struct Envelope
{
	JsonSlice value; /* JSON_KIND_NONE: absent */
	JsonSlice value_type;
} Envelope;

/* An attribute of a record: an envelope, or a list of them. */
typedef struct RecordAttribute
{
	bool	  is_present; /* in the response, even as null */
	JsonSlice list;		  /* JSON_KIND_ARRAY: a list of envelopes */
	int		  count;	  /* of its elements */
	Envelope  envelope;	  /* of any other attribute */
} RecordAttribute;

/*
 * A record.  It is palloc'd in the memory context that was current when it was
 * read.  It points into the text that was read, which must live as long.  All
 * text is UTF-8, in any server encoding.
 */
typedef struct Record
{
	pg_uuid_t		id;
	JsonSlice		id_text; /* spelled as in the response */
	JsonSlice		whole;	 /* the record's object */
	RecordAttribute attributes[FLEXIBLE_ARRAY_MEMBER]; /* by their numbers */
} Record;

/* A record of a page, which record_read reads. */
typedef struct PageRecord
{
	const char *start;	/* its object in the response */
	Record	   *record; /* NULL: record_read reads it again */
	pg_uuid_t	id;
	JsonSlice	created_at; /* a string, if it is wanted and present */
} PageRecord;

/* A page of records, palloc'd.  It points into the response. */
typedef struct RecordPage
{
	const struct AttributeSet *wanted;
	int						   count;
	PageRecord				  *records;
	char					  *next_cursor; /* NULL: last page */
	int64					   total; /* the API's count for the query, or -1 */
	bool					   has_more; /* the API announces further records */
} RecordPage;

/* Result of the parser.  For its use, see api_check_response. */
typedef enum RecordStatus
{
	RECORD_OK,
	RECORD_CUT,		 /* truncated by a broken transfer */
	RECORD_FAILURE,	 /* failure report, with or without records */
	RECORD_MALFORMED /* not JSON, or not the documented shape */
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
	const char *name;
	int			length;
	int			number;
} AttributeName;

/* The wanted attributes of a record. */
typedef struct AttributeSet
{
	MemoryContext  context;		 /* of the set and the names */
	bool		   wants_record; /* the whole record is wanted */
	int			   count;
	AttributeName *sorted; /* by length, and then by name */
} AttributeSet;

/* record.c */
extern AttributeSet *attribute_set_create(void);
extern int			 attribute_set_add(AttributeSet *set, const char *name);
extern int attribute_set_find(const AttributeSet *set, const JsonSlice *name);
extern const char *attribute_set_name(const AttributeSet *set, int number);
extern bool		   slice_id(const JsonSlice *value, pg_uuid_t *id);
extern size_t	   record_size(const AttributeSet *wanted);
extern const char *envelope_scalar_key(const Envelope *envelope, bool as_uuid);
extern bool		   record_has_value(const RecordAttribute *attribute);
extern bool		   created_at_text(const PageRecord *record, char *text);
extern bool		   created_at_read(const PageRecord *record, int64 *seconds);
extern RecordKey   record_key_read(const Record *record, int attribute,
								   pg_uuid_t *key);
extern void		   record_write_whole(const Record *record, StringInfo target);
extern void record_write_cut(const AttributeSet *wanted, const Record *record,
							 StringInfo target);

/* record_parser.c */
extern RecordStatus record_parse(const AttributeSet *wanted, const char *body,
								 size_t length, Record **record,
								 char **problem);
extern RecordStatus record_parse_page(const AttributeSet *wanted,
									  const char *body, size_t length,
									  RecordPage **page, char **problem);
extern Record	   *record_read(const RecordPage *page, int number);
extern bool			envelope_next(JsonReader *list, Envelope *envelope);

#endif /* OPPORTUNITY_RECORD_H */
