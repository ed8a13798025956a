/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * record_cache_internal.h
 *	  What the statement's cache of records and its requests know of each other.
 *
 * For record_cache.c and record_request.c alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_RECORD_CACHE_INTERNAL_H
#define OPPORTUNITY_RECORD_CACHE_INTERNAL_H

#include "postgres.h"

#include "utils/hsearch.h"

#include "api.h"
#include "record_cache.h"
#include "session_cache.h"
#include "statement.h"

struct RecordCache
{
	dlist_node	  node; /* in the statement's list */
	MemoryContext context;
	MemoryContext scratch_context; /* of what asking leaves behind */
	Statement	 *statement;
	Oid			  umid;
	char		 *record_type;
	Api			 *api;
	AttributeSet *wanted;
	HTAB		 *entries;
	SessionCache *session; /* what is kept over statements, and since when */
	uint64		  session_generation;
	uint64		  batch_total;
	dlist_head	  queued; /* requests that are still to be sent */
	dlist_head	  sent; /* those whose answer is still to come, or to be read */
	dlist_head	  set_aside; /* and those whose answer only a need will read */
	dlist_head	  unused; /* entries that can go, least recently used first */
	size_t		  size;	  /* bytes of all entries that are known */

	/* the answer read last, whose records are still there as they were parsed */
	MemoryContext answer_context;
	HttpTransfer *answer; /* what they point into; NULL: it had no records */
	uint64		  answer_number;
};

typedef enum EntryState
{
	ENTRY_PENDING,
	ENTRY_FOUND,
	ENTRY_NOT_LISTED, /* a query did not return it, and that was good enough */
	ENTRY_MISSING	  /* there is no such record */
} EntryState;

/* One record, or what is known of it. */
typedef struct CacheEntry
{
	pg_uuid_t			  id; /* the hash key */
	EntryState			  state;
	struct RecordRequest *request;	/* while it is pending */
	uint64				  batch;	/* the batch that took it last */
	bool				  is_ahead; /* fetched ahead, and not used since */
	char				 *text; /* the record, cut down, where there is one */
	int					  length;
	Record				 *record; /* all of it, parsed, but only as long as */
	uint64				  answer_number; /* this is the cache's answer */
	int					  users;		 /* while it has any, it cannot go */
	dlist_node			  unused_node;
} CacheEntry;

/* How a request's records are fetched. */
typedef enum RequestKind
{
	REQUEST_GET,   /* one id */
	REQUEST_CHECK, /* the same, after a query that may be of no use: if the
					* record is there, it is not */
	REQUEST_QUERY  /* any number of ids */
} RequestKind;

/* What is fetched together. */
typedef struct RecordRequest
{
	dlist_node		node;
	RequestKind		kind;
	HttpTransfer   *transfer;	  /* NULL: not sent yet */
	bool			is_under_way; /* sent, and not set aside */
	const Settings *settings;
	HttpBudget	   *budget;
	RefusedQuery   *half_of; /* NULL: of none */

	/* a query's */
	char *cursor;	/* of the next page; NULL: the first */
	int	  barren;	/* pages without a record of the request */
	int	  received; /* records, since the first page */
	int	  strange;	/* of them, those with ids that the statement has not */

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
