/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * seen_test.c
 *	  SQL functions that add ids to a SeenSet, for t/023_seen_set.pl.
 *
 * The script build in this folder links them into the library.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/seen_set.h"

/* Number of ids between two checks of the memory. */
#define LOOK_EVERY 1000

PG_FUNCTION_INFO_V1(seen_test_first);
PG_FUNCTION_INFO_V1(seen_test_memory);
PG_FUNCTION_INFO_V1(seen_test_subtransaction);

static pg_uuid_t numbered_id(int64 number);
static void add_numbered(SeenSet *set, int64 from, int64 to, bool expected);

/* SQL function: returns for each id of an array whether it is new. */
Datum
seen_test_first(PG_FUNCTION_ARGS)
{
	ArrayType *ids = PG_GETARG_ARRAYTYPE_P(0);
	SeenSet	  *set = seen_set_create();
	int64	   total = 0;
	Datum	  *elements;
	int		   count;

	deconstruct_array(ids, UUIDOID, UUID_LEN, false, 'c', &elements, NULL,
					  &count);
	for (int i = 0; i < count; i++)
	{
		bool is_new = seen_set_add(set, DatumGetUUIDP(elements[i]));

		total += is_new;
		elements[i] = BoolGetDatum(is_new);
	}
	if (seen_set_count(set) != total)
		elog(ERROR, "counted " INT64_FORMAT " of " INT64_FORMAT,
			 seen_set_count(set), total);
	seen_set_end(set);
	PG_RETURN_ARRAYTYPE_P(
		construct_array(elements, count, BOOLOID, 1, true, 'c'));
}

/*
 * SQL function: adds a number of ids, then each again, and returns the peak of the
 * memory in bytes.
 */
Datum
seen_test_memory(PG_FUNCTION_ARGS)
{
	int64		  count = PG_GETARG_INT64(0);
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "seen_test_memory", ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	SeenSet		 *set = seen_set_create();
	Size		  most = 0;

	MemoryContextSwitchTo(old_context);
	for (int turn = 0; turn < 2; turn++)
		for (int64 i = 0; i < count; i += LOOK_EVERY)
		{
			add_numbered(set, i, Min(i + LOOK_EVERY, count), turn == 0);
			most = Max(most, MemoryContextMemAllocated(context, true));
		}
	seen_set_end(set);
	if (context->firstchild != NULL)
		elog(ERROR, "the set has left memory behind");
	PG_RETURN_INT64((int64) most);
}

/*
 * SQL function: adds ids to a set in a subtransaction that fails, then the same and
 * as many new ids outside of it.  Returns the number of ids in the set.
 */
Datum
seen_test_subtransaction(PG_FUNCTION_ARGS)
{
	int64		  count = PG_GETARG_INT64(0);
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	SeenSet		 *set = seen_set_create();
	int64		  total;

	BeginInternalSubTransaction(NULL);
	add_numbered(set, 0, count, true);
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	add_numbered(set, 0, count, false);
	add_numbered(set, count, count * 2, true);
	total = seen_set_count(set);
	seen_set_end(set);
	PG_RETURN_INT64(total);
}

/* Returns an id; like ids by the clock, all have the same first half. */
static pg_uuid_t
numbered_id(int64 number)
{
	pg_uuid_t id;

	memset(&id, 7, sizeof(id));
	for (int i = 0; i < 8; i++)
		id.data[UUID_LEN - 1 - i] = (unsigned char) (number >> (8 * i));
	return id;
}

/* Adds ids; the set checks for interrupts. */
static void
add_numbered(SeenSet *set, int64 from, int64 to, bool expected)
{
	for (int64 i = from; i < to; i++)
	{
		pg_uuid_t id = numbered_id(i);

		if (seen_set_add(set, &id) != expected)
			elog(ERROR, "id " INT64_FORMAT " is %s", i,
				 expected ? "not new" : "new");
	}
}
