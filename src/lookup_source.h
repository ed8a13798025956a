/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_source.h
 *	  How a lookup has the records fetched that its rows lead to: by their ids,
 *	  or by keys that many of them may have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_LOOKUP_SOURCE_H
#define OPPORTUNITY_LOOKUP_SOURCE_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "record_cache.h"

/* What is known of a lookup's records; lives as long as the executor state. */
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
 * What can be done with the records of some rows, a batch.  A batch is made, and
 * added to, in the context that it lives in; expressions are evaluated in the
 * econtext's short-lived one.
 */
typedef struct LookupMethods
{
	void *(*begin_batch)(LookupSource *source, ExprContext *econtext);
	/* the row is the econtext's scan tuple */
	void (*add_row)(LookupSource *source, void *batch, ExprContext *econtext);
	/* whether what the rows lead to fills a request */
	bool (*is_full)(const void *batch);
	/* whether there should be no other batch besides */
	bool (*is_large)(const void *batch);
	void (*send)(void *batch);
	int (*count)(const void *batch); /* distinct ids or keys */
	int (*hits)(const void *batch);	 /* of these, what needed no request */
	void (*release)(void *batch);
} LookupMethods;

extern const LookupMethods lookup_ids_methods;
extern const LookupMethods lookup_keys_methods;

#endif /* OPPORTUNITY_LOOKUP_SOURCE_H */
