/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_source.h
 *	  The interface between a lookup and its two kinds of batches: by id
 *	  (lookup_ids.c), or by a key that several records may have
 *	  (lookup_keys.c).
 *
 * A lookup does not know which kind it uses.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_LOOKUP_SOURCE_H
#define OPPORTUNITY_LOOKUP_SOURCE_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "fetch/record_cache.h"

/* Data of a lookup; lives as long as the executor state. */
typedef struct LookupSource
{
	const struct LookupMethods *methods;
	CustomScan				   *plan;
	List					   *expressions; /* ExprStates of custom_exprs */
	Settings				   *settings;
	RecordCache				   *cache;
	HttpBudget					budget;
} LookupSource;

/*
 * Operations on a batch, which holds the records of some outer rows.  A batch
 * must be created, and added to, in the memory context that it lives in.
 * Expressions are evaluated in the econtext's per-tuple memory.
 */
typedef struct LookupMethods
{
	void *(*begin_batch)(LookupSource *source, ExprContext *econtext);
	/* adds the ids or keys of a row, the econtext's scan tuple */
	void (*add_row)(LookupSource *source, void *batch, ExprContext *econtext);
	/* returns true if the batch fills a request */
	bool (*is_full)(const void *batch);
	/* returns true if no further batch should be held in addition */
	bool (*is_large)(const void *batch);
	void (*send)(void *batch);
	int (*count)(const void *batch); /* number of distinct ids or keys */
	int (*hits)(const void *batch);	 /* number of these that needed no
									  * request */
	void (*release)(void *batch);
} LookupMethods;

extern const LookupMethods lookup_ids_methods;
extern const LookupMethods lookup_keys_methods;

#endif /* OPPORTUNITY_LOOKUP_SOURCE_H */
