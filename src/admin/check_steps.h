/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * check_steps.h
 *	  The steps of opportunity_fdw_check().
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_CHECK_STEPS_H
#define OPPORTUNITY_CHECK_STEPS_H

#include "postgres.h"

#include "foreign/foreign.h"

#include "api/api_health.h"
#include "api/api_query.h"
#include "api/api_record.h"
#include "api/api_schema.h"
#include "http/url.h"
#include "option/option.h"

typedef enum CheckVerdict
{
	CHECK_UNDECIDED,
	CHECK_FAILED,
	CHECK_PASSED
} CheckVerdict;

/* Result of a step; strings are in the database's encoding. */
typedef struct CheckResult
{
	CheckVerdict verdict;
	int64		 took;	 /* microseconds; -1: not measured */
	char		*detail; /* NULL: none */
	char		*hint;	 /* NULL: none.  Replaces the hint of an error that
					    * follows. */
} CheckResult;

/* State that the steps share.  All members live as long. */
typedef struct Check
{
	ForeignServer *server;
	Settings	  *settings; /* without retries */
	int64		   request_total;
	HttpBudget	   budget;
	AttributeSet  *wanted;
	int			   archived_at; /* index among the wanted attributes */
	const char *obstacle; /* failed step because of which others are not tried,
						   * or NULL */

	Credentials *credentials;
	Api			*api;
	UrlParts	 url;

	/* completed requests; NULL: not made */
	HttpTransfer *health;
	HttpTransfer *query;
	HttpTransfer *record;

	RecordPage *page;			 /* page that the query returned, or NULL */
	pg_uuid_t	record_id;		 /* id that was requested: from the page, or
								  * nil */
	bool		has_record_told; /* the response says whether the record
								  * exists */
	Record	   *found;			 /* or NULL */
	int64		round_trip;		 /* shortest one in microseconds, or -1 */
} Check;

/* A step.  Its function sets the verdict, or raises an error if it fails. */
typedef struct CheckStep
{
	const char *name;
	void (*run)(Check *check, CheckResult *result);
	bool is_vital;		 /* its failure prevents the steps after it */
	bool makes_requests; /* or needs requests of other steps */
} CheckStep;

extern const CheckStep check_steps[];
extern const int	   check_step_count;

#endif /* OPPORTUNITY_CHECK_STEPS_H */
