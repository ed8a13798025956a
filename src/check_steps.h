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

#include "api.h"
#include "option.h"
#include "url.h"

typedef enum CheckVerdict
{
	CHECK_UNDECIDED,
	CHECK_FAILED,
	CHECK_PASSED
} CheckVerdict;

/* What came of a step; texts are in the database's encoding. */
typedef struct CheckResult
{
	CheckVerdict verdict;
	int64		 took;	 /* microseconds; -1: nothing that takes time */
	char		*detail; /* NULL: none */
	char		*hint; /* NULL: none; where an error follows, instead of its */
} CheckResult;

/* What the steps find for one another; everything lives as long. */
typedef struct Check
{
	ForeignServer *server;
	Settings	  *settings; /* without retries */
	int64		   request_total;
	HttpBudget	   budget;
	AttributeSet  *wanted;
	int			   archived_at; /* its number among them */
	const char *obstacle; /* the step whose failure hinders others, or NULL */

	Credentials *credentials;
	Api			*api;
	UrlParts	 url;

	/* requests whose answers have come, or that got none; NULL: not made */
	HttpTransfer *health;
	HttpTransfer *query;
	HttpTransfer *record;

	RecordPage *page;			 /* what the query returned, or NULL */
	pg_uuid_t	record_id;		 /* that was asked for: of the page, or nil */
	bool		has_record_told; /* there is one, or there is none */
	Record	   *found;			 /* or NULL */
	int64		round_trip;		 /* the shortest, in microseconds, or -1 */
} Check;

/* One step; it raises an error where it fails, or sets the verdict. */
typedef struct CheckStep
{
	const char *name;
	void (*run)(Check *check, CheckResult *result);
	bool is_vital;		 /* its failure hinders those that follow */
	bool makes_requests; /* or looks at those of its own */
} CheckStep;

extern const CheckStep check_steps[];
extern const int	   check_step_count;

#endif /* OPPORTUNITY_CHECK_STEPS_H */
