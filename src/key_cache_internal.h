/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_cache_internal.h
 *	  What the cache of records by keys and its requests know of each other.
 *
 * For key_cache.c and key_request.c alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_KEY_CACHE_INTERNAL_H
#define OPPORTUNITY_KEY_CACHE_INTERNAL_H

#include "postgres.h"

#include "utils/hsearch.h"

#include "key_cache.h"
#include "page_reader.h"
#include "seen_set.h"

struct KeyCache
{
	dlist_node	  node; /* in the statement's list */
	MemoryContext context;
	MemoryContext page_context; /* of the page that is being read */
	RecordCache	 *records;
	char		 *field;   /* the attribute with the key, in UTF-8 */
	List		 *filters; /* RemoteFilters that are sent besides */
	char		 *name;	   /* field and filters */
	int			  number;  /* of the attribute, among those that are wanted */
	HTAB		 *entries;
	uint64		  batch_total;
	dlist_head	  requests;		 /* those that have not been answered in full */
	dlist_head	  unused;		 /* entries that can go, the oldest first */
	size_t		  size;			 /* bytes of all entries */
	size_t		  unused_size;	 /* of those that can go */
	int			  at_once;		 /* keys that memory allows in one request */
	bool		  is_given_up;	 /* nothing is asked for any more */
	bool		  limit_is_fine; /* a refusal was not for the page's size */
};

typedef enum KeyState
{
	KEY_PENDING,
	KEY_KNOWN,
	KEY_LEFT /* no batch will tell: whoever needs it asks for it alone */
} KeyState;

/* A record with what the statement wants of it. */
typedef struct KeptRecord
{
	struct KeptRecord *next;
	int				   length;
	char			   text[FLEXIBLE_ARRAY_MEMBER];
} KeptRecord;

/* The records of one key, or what is known of them. */
typedef struct KeyEntry
{
	pg_uuid_t		   key; /* the hash key */
	KeyState		   state;
	struct KeyRequest *request; /* while it is pending; NULL: none yet */
	uint64			   batch;	/* the batch that took it last */
	int				   users;	/* while it has any, it cannot go */
	KeptRecord		  *first;	/* in the order in which they came */
	KeptRecord		  *last;
	size_t			   size;
	dlist_node		   unused_node;
} KeyEntry;

/* The query for the records of some keys. */
typedef struct KeyRequest
{
	dlist_node		node; /* in the cache's list */
	MemoryContext	context;
	KeyCache	   *cache;
	const Settings *settings;
	PageSource		source;
	PageReader	   *pages;
	RemoteFilter   *filter;		  /* the keys */
	SeenSet		   *seen;		  /* no record counts twice */
	bool			is_set_aside; /* only a need will read its answer */
	int64			kept;		  /* records with one of its keys */
	bool			is_verifying; /* its end: see verify_end */
	bool			is_like_cap;  /* what it verifies */
	RefusedQuery   *half_of;	  /* NULL: of none */
	int				barren;		  /* pages in a row that had nothing new */
	int				restarts;
	size_t			size; /* of the records that it has brought */
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
