/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_cache_internal.h
 *	  State that the cache of records by keys and its requests share.
 *
 * For key_cache.c and key_request.c only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_KEY_CACHE_INTERNAL_H
#define OPPORTUNITY_KEY_CACHE_INTERNAL_H

#include "postgres.h"

#include "utils/hsearch.h"

#include "base/seen_set.h"
#include "fetch/key_cache.h"
#include "fetch/page_reader.h"

struct KeyCache
{
	dlist_node	  node; /* element of statement->key_caches */
	MemoryContext context;
	MemoryContext page_context; /* of the current page */
	RecordCache	 *records;
	char		 *field;   /* attribute with the key, in UTF-8 */
	List		 *filters; /* further RemoteFilters */
	char		 *name;	   /* see name_of */
	int			  number;  /* of the attribute in the AttributeSet */
	HTAB		 *entries;
	uint64		  batch_total;
	dlist_head	  requests;		 /* requests that are not complete */
	dlist_head	  unused;		 /* entries without users, oldest first */
	size_t		  size;			 /* bytes of all entries */
	size_t		  unused_size;	 /* bytes of the entries in unused */
	int			  at_once;		 /* maximum keys per request, by memory */
	bool		  is_given_up;	 /* no more requests */
	bool		  limit_is_fine; /* a refusal was not caused by the page size */
};

typedef enum KeyState
{
	KEY_PENDING,
	KEY_KNOWN,
	KEY_LEFT /* to be fetched with a query of its own */
} KeyState;

/* A record as JSON with the wanted attributes. */
typedef struct KeptRecord
{
	struct KeptRecord *next;
	int				   length;
	char			   text[FLEXIBLE_ARRAY_MEMBER];
} KeptRecord;

/* The records of one key, or the state of its request. */
typedef struct KeyEntry
{
	pg_uuid_t		   key; /* hash key */
	KeyState		   state;
	struct KeyRequest *request; /* while pending; NULL: not requested */
	uint64			   batch;	/* number of the last batch to add it */
	int				   users;	/* reference count */
	KeptRecord		  *first;	/* in the order of arrival */
	KeptRecord		  *last;
	size_t			   size;
	dlist_node		   unused_node;
} KeyEntry;

/* A query for the records of some keys. */
typedef struct KeyRequest
{
	dlist_node		node; /* element of cache->requests */
	MemoryContext	context;
	KeyCache	   *cache;
	const Settings *settings;
	PageSource		source;
	PageReader	   *pages;
	RemoteFilter   *filter;		  /* for the keys */
	SeenSet		   *seen;		  /* ids, to skip duplicates */
	bool			is_set_aside; /* the response is read only if needed */
	int64			kept;		  /* number of records with one of its keys */
	bool			is_verifying; /* see verify_end */
	bool			is_like_cap;  /* the doubtful end looks like a cap */
	RefusedQuery   *half_of;	  /* NULL: not half of a refused query */
	int				barren;		  /* successive pages without a new record */
	int				restarts;
	size_t			size; /* bytes of its records */
	int				count;
	KeyEntry	   *entries[FLEXIBLE_ARRAY_MEMBER];
} KeyRequest;

/* key_cache.c */
extern int	key_cache_at_once(const KeyCache *cache, const Settings *settings);
extern void key_entry_keep(KeyEntry *entry, KeyRequest *request,
						   const Record *record);
extern void key_entry_drop_records(KeyCache *cache, KeyEntry *entry);
extern void key_entry_settle(KeyCache *cache, KeyEntry *entry, KeyState state);
extern void key_entry_remove(KeyCache *cache, KeyEntry *entry);

/* key_request.c */
extern void key_request_make(KeyCache *cache, const Settings *settings,
							 HttpBudget *budget, KeyEntry **entries, int count);
extern void key_request_send_all(KeyCache *cache);
extern void key_request_need(KeyEntry *entry);
extern void key_request_drop_unwanted(KeyRequest *request);

#endif /* OPPORTUNITY_KEY_CACHE_INTERNAL_H */
