/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_facts.h
 *	  Filters of the API's queries, the features and sizes of queries, and the
 *	  facts about them that a session has learned.
 *
 * A fact saves requests that the API would refuse.  It is never needed for a
 * right result, so a lost or wrong one only costs requests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_API_FACTS_H
#define OPPORTUNITY_API_FACTS_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "api/api.h"
#include "base/id.h"

/* The field of record ids. */
#define ID_FIELD "id"

/* The field whose limit of values is the page size. */
#define PAGE_FIELD ""

/* Limit of an "in"'s values, and of an "or"'s arms; none is documented. */
#define MAX_REMOTE_VALUES 100

/* A feature other than a RemoteOperator on a field: the sort by a field. */
#define REMOTE_SORT (-1)

/*
 * Seconds by which a query for records from a time on begins earlier, because
 * the API may round timestamps before it compares them.
 */
#define CREATED_AT_MARGIN 1

/*
 * A feature that a query uses, and that the API may refuse.  A list of them
 * never changes, so longer lists can share its members.
 */
typedef struct RemoteUse
{
	const char			   *field;	   /* in UTF-8 */
	int						operation; /* RemoteOperator or REMOTE_SORT */
	const struct RemoteUse *next;	   /* another feature, or NULL */
} RemoteUse;

/* Result of a query, by the code or the status of the response. */
typedef enum QueryResult
{
	QUERY_PAGE,			  /* a page of records */
	QUERY_CURSOR_GONE,	  /* unknown or expired cursor */
	QUERY_REFUSED,		  /* unknown reason, possibly the query's size */
	QUERY_FILTER_REFUSED, /* unsupported field or operator of a filter */
	QUERY_VALUE_REFUSED,  /* unsupported value of a filter, or too many */
	QUERY_SORT_REFUSED,	  /* unsupported sort */
	QUERY_NOT_SUPPORTED	  /* no query endpoint */
} QueryResult;

/* A filter of a query, in UTF-8. */
typedef struct RemoteFilter
{
	char *json; /* {"field": ...}, or a group; perhaps with a part of values */
	char *text; /* the same with all values */
	List *values; /* of OPERATOR_IN on its own, Strings of JSON; NIL: others */
	const RemoteUse *uses; /* its features, distinct; the last one first */
	QueryResult refusal; /* set by refusal_find, for a filter that it returns */
} RemoteFilter;

/* Facts about a record type, learned from responses in this session. */
typedef struct ApiFacts
{
	char	*record_type;
	bool	 has_record_path;  /* the API has returned a record for an id, or
								* reported that it does not exist */
	bool	 takes_ids;		   /* a query by ids was accepted */
	bool	 takes_absence;	   /* one for records without created_at was */
	bool	 has_false_counts; /* the API has announced further records where
								* there were none, so counts are no evidence */
	bool	 has_warned;	   /* of an end that cannot be verified */
	List	*refusals;		   /* KnownRefusals of api_facts.c */
	int		 bad_id_total;	   /* number of bad_ids */
	SeenSet *bad_ids;		   /* NULL: none; see api_note_bad_id */
} ApiFacts;

/* Features of queries by created_at. */
extern const RemoteUse created_at_sort;
extern const RemoteUse created_at_from;
extern const RemoteUse created_at_absence;

extern char			   *json_quote(const char *text);
extern char			   *json_list(const List *elements, int from, int to);
extern RemoteFilter	   *remote_filter_create(const char	   *field,
											 RemoteOperator operation,
											 const char	   *value);
extern const RemoteUse *remote_uses_unite(const RemoteUse *uses,
										  const RemoteUse *others);
extern char			   *remote_uses_text(const RemoteUse *uses);
extern bool				created_at_is_allowed(const ColumnSettings *column);
extern List *created_at_filters(RemoteOperator operation, int64 seconds);

extern ApiFacts *api_facts(const Api *api);
extern int		 api_values_at_once(const Api *api, const char *field);
extern void		 api_limit_values(const Api *api, const char *field, int limit);
extern void		 api_note_bad_id(Api *api, const pg_uuid_t *id);
extern bool		 api_refuses(const Api *api, const RemoteUse *uses);
extern bool		 created_at_is_refused(const Api *api, bool or_its_absence);
extern void		 api_note_refusal(Api *api, const RemoteUse *uses,
								  QueryResult result);
extern void		 api_note_accepted(Api *api, const RemoteUse *uses);

#endif /* OPPORTUNITY_API_FACTS_H */
