/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_cache.h
 *	  The records that one running statement looks up by keys: their cache, the
 *	  requests for them, and batches of keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_KEY_CACHE_H
#define OPPORTUNITY_KEY_CACHE_H

#include "postgres.h"

#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/uuid.h"

#include "api/api_facts.h"
#include "api/record.h"
#include "fetch/statement.h"

/* All caches of a statement.  They share work_mem. */
typedef struct KeyStore
{
	MemoryContext context;
	MemoryContext page_context;	   /* of the response read last */
	HttpTransfer *response;		   /* owner of its text, or NULL */
	uint64		  response_number; /* from 1 on; 0 is no response */
	HTAB		 *caches;		   /* KeyCaches, by name */
	HTAB		 *entries;		   /* KeyEntries */
	List		 *fields;		   /* KeyFields */
	uint64		  batch_total;
	dlist_head	  unused; /* entries without users, the least recently used
								* first */
	size_t		  size;	  /* bytes of all caches and entries */
} KeyStore;

/*
 * An attribute whose values are keys of a source's records.  The id is a key
 * that at most one record has, and that GET accepts.
 */
typedef struct KeyField
{
	KeyStore	 *store;
	RecordSource *records;
	char		 *name; /* in UTF-8 */
	bool		  is_id;
	int			  number; /* in the AttributeSet; -1: the id */

	/* see key_request.c */
	dlist_head requests;	  /* that are not complete */
	int		   at_once;		  /* maximum keys per request, by memory; 0: no more
							   * requests */
	bool	   limit_is_fine; /* a refusal was not caused by the page size */
} KeyField;

/* Records by one attribute and under the same further filters. */
typedef struct KeyCache
{
	char		*name; /* hash key, see name_of */
	KeyField	*field;
	RemoteFilter filter; /* the further filters as one; json NULL: none */
	int			 users;	 /* reference count: entries and callers */
} KeyCache;

typedef enum KeyState
{
	KEY_PENDING,	/* the request, if any, is not complete */
	KEY_KNOWN,		/* the entry has all records of the key */
	KEY_NOT_LISTED, /* omitted by a query for ids, which may suffice */
	KEY_OWN_QUERY	/* to be fetched with a query of its own */
} KeyState;

/* A record as JSON: the wanted attributes, or all of it for the session. */
typedef struct KeptRecord
{
	Record *parsed;			 /* in the store's page_context */
	uint64	response_number; /* the store's, while parsed is valid */
	int		length;
	char	text[FLEXIBLE_ARRAY_MEMBER];
} KeptRecord;

/* Hash key of an entry; it contains no padding. */
typedef struct KeyEntryId
{
	pg_uuid_t key;
	KeyCache *cache;
} KeyEntryId;

/* The records of one key, or the state of their request. */
typedef struct KeyEntry
{
	KeyEntryId		   id;
	KeyState		   state;
	struct KeyRequest *request;	 /* while pending; NULL: not requested */
	uint64			   batch;	 /* number of the last batch to add it */
	bool			   is_ahead; /* prefetched, and not used since */
	int				   users;	 /* reference count */
	List			  *records;	 /* KeptRecords, in the order of arrival */
	size_t			   size;	 /* bytes, with the records */
	dlist_node		   unused_node;
} KeyEntry;

/* A batch of distinct keys, whose entries it uses, and its reader's position. */
typedef struct KeyBatch
{
	KeyCache	   *cache;
	const Settings *settings;
	HttpBudget	   *budget;		 /* of its requests; NULL: it makes none */
	bool			is_ahead;	 /* it prefetches for other scans */
	uint64			number;		 /* unique in the store, from 1 on */
	int				size;		 /* keys per request; 0: no requests */
	int				hits;		 /* keys that needed no request */
	int				prefetched;	 /* ids that a lookup requested */
	List		   *entries;	 /* KeyEntries */
	List		   *new_entries; /* those not requested yet */
	int				position;	 /* of the reader in entries */
	int				record;		 /* its position in the entry's records */
} KeyBatch;

/* Fetch of the records of a scan by keys, and its position. */
typedef struct KeyFetch KeyFetch;

/* Counters of the records by id for which the fetch made no request. */
typedef struct FetchCounters
{
	int64 cache_hits; /* records that the cache had */
	int64 prefetched; /* records that a lookup requested */
} FetchCounters;

extern KeyCache *key_cache_open(RecordSource *records, const char *field,
								List *filters, bool may_create);
extern void		 key_cache_close(KeyCache *cache);
extern KeyEntry *key_entry_find(KeyCache *cache, const pg_uuid_t *key,
								bool may_create);
extern void		 key_entry_use(KeyEntry *entry);
extern void		 key_entry_release(KeyEntry *entry);
extern void		 key_entry_add(KeyEntry *entry, const char *text, int length,
							   Record *parsed);
extern void		 key_entry_settle(KeyEntry *entry, KeyState state);
extern void		 key_entry_drop_records(KeyEntry *entry);
extern void		 key_entry_remove(KeyEntry *entry);
extern void		 key_store_evict(KeyStore *store);
extern bool		 key_store_is_full(const KeyStore *store);

/* key_request.c */
extern int	key_request_size(const KeyField *field, const Settings *settings);
extern void key_request_make(KeyCache *cache, const Settings *settings,
							 HttpBudget *budget, List *entries);
extern void key_request_send_all(KeyField *field);
extern void key_request_need(KeyEntry *entry);

/* key_batch.c */
extern KeyBatch *key_batch_create(KeyCache *cache, const Settings *settings,
								  HttpBudget *budget, bool is_ahead);
extern void		 key_batch_add(KeyBatch *batch, const pg_uuid_t *key);
extern bool		 key_batch_is_full(const KeyBatch *batch, int further);
extern void		 key_batch_send(KeyBatch *batch);
extern void		 key_batch_release(KeyBatch *batch);

extern KeyFetch *key_fetch_ids(RecordSource *records, const Settings *settings,
							   const pg_uuid_t *ids, int count,
							   const RowsWanted *wanted, HttpBudget *budget,
							   FetchCounters *counters);
extern KeyFetch *key_fetch_find(RecordSource *records, const Settings *settings,
								const char *field, List *filters,
								const pg_uuid_t *key);
extern bool		 key_fetch_next(KeyFetch *fetch, Record **record);
extern void		 key_fetch_end(KeyFetch *fetch);

#endif /* OPPORTUNITY_KEY_CACHE_H */
