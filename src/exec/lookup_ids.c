/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_ids.c
 *	  Batches of records that are looked up by id: implements lookup_source.h.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "condition/evaluate.h"
#include "condition/scan_private.h"
#include "exec/lookup_join.h"
#include "exec/lookup_source.h"

static void *begin_batch(LookupSource *source, ExprContext *econtext);
static void	 add_row(LookupSource *source, void *batch, ExprContext *econtext);
static bool	 is_full(const void *batch);
static bool	 is_large(const void *batch);
static void	 send_batch(void *batch);
static int	 batch_count(const void *batch);
static int	 batch_hits(const void *batch);
static void	 release_batch(void *batch);

const LookupMethods lookup_ids_methods = {.begin_batch = begin_batch,
										  .add_row = add_row,
										  .is_full = is_full,
										  .is_large = is_large,
										  .send = send_batch,
										  .count = batch_count,
										  .hits = batch_hits,
										  .release = release_batch};

static void *
begin_batch(LookupSource *source, ExprContext *econtext)
{
	(void) econtext;
	return record_batch_create(source->cache, source->settings, &source->budget,
							   true);
}

static void
add_row(LookupSource *source, void *batch, ExprContext *econtext)
{
	MemoryContext context;
	KeySet		  ids;

	context = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	ids = condition_evaluate_keys(
		list_nth(source->plan->custom_private, LOOKUP_PRIVATE_CONDITION),
		source->expressions, econtext);
	MemoryContextSwitchTo(context);
	for (int i = 0; i < ids.count; i++)
		record_batch_add(batch, &ids.keys[i]);
}

static bool
is_full(const void *batch)
{
	return record_batch_is_full(batch);
}

/* At most one record has an id. */
static bool
is_large(const void *batch)
{
	(void) batch;
	return false;
}

static void
send_batch(void *batch)
{
	record_batch_send(batch);
}

static int
batch_count(const void *batch)
{
	return record_batch_count(batch);
}

static int
batch_hits(const void *batch)
{
	return record_batch_hits(batch);
}

static void
release_batch(void *batch)
{
	record_batch_release(batch);
}
