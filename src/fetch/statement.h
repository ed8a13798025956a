/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  State that the scans of one running statement share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_STATEMENT_H
#define OPPORTUNITY_STATEMENT_H

#include "postgres.h"

#include "lib/ilist.h"
#include "nodes/execnodes.h"

#include "fetch/progress.h"
#include "http/http.h"

/* A running statement.  It lives as long as its executor state. */
typedef struct Statement
{
	dlist_node			  node;
	MemoryContextCallback callback;
	MemoryContext		  context;
	EState				 *estate;
	int64				  request_total;
	int64				  record_total; /* number of records received */
	int					  pending;	  /* requests that are sent but not read */
	dlist_head			  caches;	  /* RecordCaches: see record_cache.c */
	dlist_head			  key_caches; /* KeyCaches: see key_cache.c */
	List	*lookup_tables;	 /* OIDs of tables whose records lookups prefetch */
	List	*async_requests; /* pending: see async.c */
	List	*async_waits;	 /* those whose descriptor is waited for */
	Progress progress;
	List	*warned_columns; /* see record_cache_warned_columns */
} Statement;

extern Statement *statement_of(EState *estate);
extern void		  statement_note_lookup(Statement *statement, Oid relid);
extern bool		  statement_has_lookup(EState *estate, Oid relid);
extern HttpBudget statement_budget(Statement *statement, int max_requests);

#endif /* OPPORTUNITY_STATEMENT_H */
