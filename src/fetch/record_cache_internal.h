/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_cache_internal.h
 *	  State that the cache of records and its requests share.
 *
 * For record_cache.c and record_request.c only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_RECORD_CACHE_INTERNAL_H
#define OPPORTUNITY_RECORD_CACHE_INTERNAL_H

#include "postgres.h"

#include "utils/hsearch.h"

#include "api/api_query.h"
#include "api/api_record.h"
#include "fetch/record_cache.h"
#include "fetch/session_cache.h"
#include "fetch/statement.h"

struct RecordCache
{
	dlist_node	  node; /* element of statement->caches */
	MemoryContext context;
	MemoryContext scratch_context; /* reset after each use */
	Statement	 *statement;
	Oid			  umid;
	char		 *record_type;
	Api			 *api;
	AttributeSet *wanted;
	HTAB		 *entries;
	SessionCache *session; /* session's cache, and its generation at start */
	uint64		  session_generation;
	uint64		  batch_total;
	dlist_head	  queued; /* requests to be sent */
	dlist_head	  sent;	  /* requests in flight, or with an unread response */
	dlist_head	  set_aside; /* requests with a response to be read if needed */
	dlist_head	  unused; /* entries without users, least recently used first */
	size_t		  size;	  /* bytes of all entries that are not pending */

	/* response read last, whose records are still parsed */
	MemoryContext response_context;
	HttpTransfer *response; /* target of their pointers; NULL: no records */
	uint64		  response_number;
};

typedef enum EntryState
{
	ENTRY_PENDING,
	ENTRY_FOUND,
	ENTRY_NOT_LISTED, /* omitted by a query, which suffices */
	ENTRY_MISSING	  /* does not exist */
} EntryState;

/* A record, or the state of its request. */
typedef struct CacheEntry
{
	pg_uuid_t			  id; /* hash key */
	EntryState			  state;
	struct RecordRequest *request;	/* NULL unless pending */
	uint64				  batch;	/* number of the last batch to add it */
	bool				  is_ahead; /* prefetched, and not used since */
	char				 *text; /* JSON with the wanted attributes, or NULL */
	int					  length;
	Record				 *record; /* parsed; see response_number */
	uint64	   response_number;	  /* the cache's, while record is valid */
	int		   users;			  /* reference count */
	dlist_node unused_node;
} CacheEntry;

/*
 * Method of fetching records.  REQUEST_CHECK is a GET after a doubtful query:
 * if the record exists, queries do not work.
 */
typedef enum RequestKind
{
	REQUEST_GET,   /* one id */
	REQUEST_CHECK, /* one id, after a doubtful query */
	REQUEST_QUERY  /* any number of ids */
} RequestKind;

/* A request for one or more records. */
typedef struct RecordRequest
{
	dlist_node		node;
	RequestKind		kind;
	HttpTransfer   *transfer;	  /* NULL: not sent yet */
	bool			is_under_way; /* sent, and not set aside */
	const Settings *settings;
	HttpBudget	   *budget;
	RefusedQuery   *half_of; /* NULL: not half of a refused query */

	/* of a query */
	char *cursor;	/* next page; NULL: first page */
	int	  barren;	/* successive pages without a requested record */
	int	  received; /* number of records since the first page */
	int	  strange;	/* part of received that is not in the cache */

	int			count;
	CacheEntry *entries[FLEXIBLE_ARRAY_MEMBER];
} RecordRequest;

/* record_cache.c */
extern void record_entry_keep(RecordCache *cache, const RecordRequest *request,
							  CacheEntry *entry, Record *record);
extern void record_entry_settle(RecordCache *cache, CacheEntry *entry,
								EntryState state);
extern void record_entry_unsettle(RecordCache *cache, CacheEntry *entry);

/* record_request.c */
extern void record_request_make(RecordCache *cache, const Settings *settings,
								HttpBudget *budget, CacheEntry **entries,
								int count);
extern void record_request_send_all(RecordCache *cache);
extern void record_request_drop_unwanted(RecordCache   *cache,
										 RecordRequest *request);
extern void record_request_need(RecordCache *cache, const Settings *settings,
								HttpBudget *budget, CacheEntry *entry);

#endif /* OPPORTUNITY_RECORD_CACHE_INTERNAL_H */
