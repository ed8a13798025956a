/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_keys.c
 *	  Batches of records that are looked up by a key that several of them may
 *	  have: implements lookup_source.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition/condition.h"
#include "condition/evaluate.h"
#include "condition/scan_private.h"
#include "exec/lookup_join.h"
#include "exec/lookup_source.h"
#include "fetch/key_cache.h"

/* Batch of keys; both members are NULL if no record can match the filters. */
typedef struct LookupKeys
{
	KeyCache *cache;
	KeyBatch *keys;
} LookupKeys;

static void *begin_batch(LookupSource *source, ExprContext *econtext);
static bool	 evaluate_filters(LookupSource *source, ExprContext *econtext,
							  List **filters);
static void	 add_row(LookupSource *source, void *batch, ExprContext *econtext);
static bool	 is_full(const void *batch);
static bool	 is_large(const void *batch);
static void	 send_batch(void *batch);
static int	 batch_count(const void *batch);
static int	 batch_hits(const void *batch);
static void	 release_batch(void *batch);

const LookupMethods lookup_keys_methods = {.begin_batch = begin_batch,
										   .add_row = add_row,
										   .is_full = is_full,
										   .is_large = is_large,
										   .send = send_batch,
										   .count = batch_count,
										   .hits = batch_hits,
										   .release = release_batch};

/*
 * Evaluates the filters for each batch, because the API may have rejected one
 * since the previous batch.
 */
static void *
begin_batch(LookupSource *source, ExprContext *econtext)
{
	LookupKeys *batch = palloc0(sizeof(LookupKeys));
	List	   *condition =
		list_nth(source->plan->custom_private, LOOKUP_PRIVATE_CONDITION);
	MemoryContext context;
	List		 *filters;
	bool		  is_possible;

	ResetExprContext(econtext);
	context = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	is_possible = evaluate_filters(source, econtext, &filters);
	if (is_possible)
		batch->cache =
			key_cache_open(source->cache, condition_field(condition), filters);
	MemoryContextSwitchTo(context);
	if (is_possible)
		batch->keys =
			key_batch_create(batch->cache, source->settings, &source->budget);
	return batch;
}

/* Evaluates the filters.  Returns false if no record can match. */
static bool
evaluate_filters(LookupSource *source, ExprContext *econtext, List **filters)
{
	Api		 *api = record_cache_api(source->cache);
	ListCell *cell;

	*filters = NIL;
	foreach(cell,
			list_nth(source->plan->custom_private, LOOKUP_PRIVATE_FILTERS))
	{
		RemoteFilter *filter;

		if (!condition_evaluate_filter(lfirst(cell), source->expressions,
									   econtext, api, &filter))
			return false;
		if (filter != NULL)
			*filters = lappend(*filters, filter);
	}
	return true;
}

static void
add_row(LookupSource *source, void *batch, ExprContext *econtext)
{
	LookupKeys	 *lookup = batch;
	MemoryContext context;
	KeySet		  keys;

	if (lookup->keys == NULL)
		return;
	context = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	keys = condition_evaluate_keys(
		list_nth(source->plan->custom_private, LOOKUP_PRIVATE_CONDITION),
		source->expressions, econtext);
	MemoryContextSwitchTo(context);
	for (int i = 0; i < keys.count; i++)
		key_batch_add(lookup->keys, &keys.keys[i]);
}

static bool
is_full(const void *batch)
{
	const LookupKeys *lookup = batch;

	return lookup->keys == NULL || key_batch_is_full(lookup->keys);
}

static bool
is_large(const void *batch)
{
	const LookupKeys *lookup = batch;

	return lookup->cache != NULL && key_cache_is_full(lookup->cache);
}

static void
send_batch(void *batch)
{
	const LookupKeys *lookup = batch;

	if (lookup->keys != NULL)
		key_batch_send(lookup->keys);
}

static int
batch_count(const void *batch)
{
	const LookupKeys *lookup = batch;

	return lookup->keys != NULL ? key_batch_count(lookup->keys) : 0;
}

static int
batch_hits(const void *batch)
{
	const LookupKeys *lookup = batch;

	return lookup->keys != NULL ? key_batch_hits(lookup->keys) : 0;
}

static void
release_batch(void *batch)
{
	const LookupKeys *lookup = batch;

	if (lookup->keys != NULL)
		key_batch_release(lookup->keys);
}
