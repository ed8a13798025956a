/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_parser.h
 *	  Parses records and pages of records from JSON.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_RECORD_PARSER_H
#define OPPORTUNITY_RECORD_PARSER_H

#include "postgres.h"

#include "api/record.h"

typedef enum RecordStatus
{
	RECORD_OK,
	RECORD_CUT,			  /* truncated by a broken transfer */
	RECORD_FAILURE,		  /* failure report, with or without records */
	RECORD_MALFORMED,	  /* not JSON, or not the documented shape */
	RECORD_UNTRANSLATABLE /* \u0000, which no text can contain */
} RecordStatus;

extern RecordPage  *record_page_create(void);
extern RecordStatus record_parse(const AttributeSet *wanted, char *body,
								 int length, Record **record, char **problem);
extern RecordStatus record_parse_page(const AttributeSet *wanted, char *body,
									  int length, RecordPage **page,
									  char **problem);

#endif /* OPPORTUNITY_RECORD_PARSER_H */
