/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * seen_set.c
 *	  Set of the ids of records that a scan has returned, so that it returns
 *	  no record twice.
 *
 * It is a hash table that takes 19 to 38 bytes per id.  A reader by created_at
 * needs all of them, too: if the API violates the order later, the reader reads
 * all records again in another order.
 *
 * Knows nothing about records except their ids.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "common/pg_prng.h"

#include "base/id.h"

/* Initial number of ids, more than the records of a page. */
#define FIRST_IDS 128

/* An element of the hash table, of 17 bytes. */
typedef struct SeenId
{
	pg_uuid_t id;
	char	  status; /* for simplehash.h */
} SeenId;

/* The seed in private_data is random: an API cannot choose colliding ids. */
#define SH_PREFIX seen_ids
#define SH_ELEMENT_TYPE SeenId
#define SH_KEY_TYPE pg_uuid_t
#define SH_KEY id
#define SH_HASH_KEY(table, key)                         \
	((uint32) hash_bytes_extended((key).data, UUID_LEN, \
								  *(uint64 *) (table)->private_data))
#define SH_EQUAL(table, a, b) (memcmp(&(a), &(b), UUID_LEN) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Returns an empty set, in a child of the current memory context. */
SeenSet *
seen_set_create(void)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw seen ids", ALLOCSET_SMALL_SIZES);
	uint64 *seed = MemoryContextAlloc(context, sizeof(uint64));

	*seed = pg_prng_uint64(&pg_global_prng_state);
	return seen_ids_create(context, FIRST_IDS, seed);
}

/* Adds an id.  Returns true if it is new. */
bool
seen_set_add(SeenSet *set, const pg_uuid_t *id)
{
	bool found;

	(void) seen_ids_insert(set, *id, &found);
	return !found;
}

/* Returns true if the set, which may be NULL, has an id. */
bool
seen_set_has(SeenSet *set, const pg_uuid_t *id)
{
	return set != NULL && seen_ids_lookup(set, *id) != NULL;
}
