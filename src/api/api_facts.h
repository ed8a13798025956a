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

#include "nodes/pg_list.h"
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

/* Maximum number of ids known to be refused; the oldest is evicted. */
#define MAX_BAD_IDS 64

/* Facts about a record type, learned from responses in this session. */
typedef struct ApiFacts
{
	char	 *record_type;
	bool	  has_record_path;	/* the API has returned a record for an id, or
							 * reported that it does not exist */
	bool	  takes_ids;		/* a query by ids was accepted */
	bool	  has_false_counts; /* the API has announced further records where
							 * there were none, so counts are no evidence */
	bool	  has_warned;		/* of an end that cannot be verified */
	List	 *refusals;			/* of api_facts.c */
	int		  bad_id_total;
	pg_uuid_t bad_ids[MAX_BAD_IDS]; /* see api_note_bad_id */
} ApiFacts;

extern ApiFacts *api_facts(const Api *api);
extern int		 api_values_at_once(const Api *api, const char *field);
extern void		 api_limit_values(const Api *api, const char *field, int limit);
extern void api_note_half(Api *api, const char *field, RefusedQuery *whole);
extern void api_note_bad_id(Api *api, const pg_uuid_t *id);
extern bool api_is_bad_id(const Api *api, const pg_uuid_t *id);
extern int	api_page_size(const Api *api, int wanted);
extern void api_limit_page_size(Api *api, int limit);
extern bool api_refuses(const Api *api, const RemoteUse *uses);
extern bool created_at_is_refused(const Api *api, bool or_its_absence);
extern void api_note_refusal(Api *api, const RemoteUse *uses,
							 QueryResult result);
extern void api_note_accepted(Api *api, const RemoteUse *uses);

#endif /* OPPORTUNITY_API_FACTS_H */
