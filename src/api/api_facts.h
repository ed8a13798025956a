/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_facts.h
 *	  Facts that a session has learned about the API.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_FACTS_H
#define OPPORTUNITY_API_FACTS_H

#include "postgres.h"

#include "utils/uuid.h"

#include "api/api.h"
#include "api/remote_filter.h"

/* The field of record ids. */
#define ID_FIELD "id"

/* A refused query whose filter values are being sent again in two halves. */
typedef struct RefusedQuery
{
	int size; /* number of values */
	int accepted_halves;
} RefusedQuery;

extern bool api_has_record_path(const Api *api);
extern void api_note_record_path(const Api *api);
extern int	api_values_at_once(const Api *api, const char *field);
extern void api_limit_values(Api *api, const char *field, int limit);
extern void api_note_half(Api *api, const char *field, RefusedQuery *whole);
extern void api_note_accepted_ids(Api *api);
extern void api_note_bad_id(Api *api, const pg_uuid_t *id);
extern bool api_is_bad_id(const Api *api, const pg_uuid_t *id);
extern int	api_page_size(const Api *api, int wanted);
extern void api_limit_page_size(Api *api, int limit);
extern bool api_refuses(const Api *api, const RemoteUse *uses);
extern void api_note_refusal(Api *api, const RemoteUse *uses,
							 QueryResult result);
extern void api_note_accepted(Api *api, const RemoteUse *uses);
extern void api_note_false_doubt(Api *api);
extern bool api_counts_are_false(const Api *api);
extern bool api_warns_of_cap(Api *api);

#endif /* OPPORTUNITY_API_FACTS_H */
