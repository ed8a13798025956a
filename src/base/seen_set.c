/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * seen_set.c
 *	  Set of the ids of records that a scan has returned, so that it returns
 *	  no record twice.
 *
 * The ids are in a hash table with open addressing, 16 bytes each.  When the
 * table has the size of half of work_mem and is full, its ids are written to a
 * temporary file, sorted by hash value: a run.  The table then starts empty
 * again.  A run is merged with preceding runs that are not much larger, so
 * that each run is at least RUN_RATIO times as large as the next.  Even a
 * billion ids need only a few runs.
 *
 * Hash values are distributed evenly, so the position of an id in a run is
 * known to within one or two blocks, and a search reads about as many.  If
 * work_mem is large enough, a Bloom filter over all runs avoids most searches.
 *
 * The seed of the hash values is random, so that ids cannot be chosen to
 * collide.
 *
 * Knows nothing about records except their ids.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "common/pg_prng.h"
#include "lib/bloomfilter.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/compat.h"
#include "base/seen_set.h"

/* Initial number of slots, more than the records of a page. */
#define FIRST_CAPACITY 256

/* Minimum ratio of a run's size to the next one's. */
#define RUN_RATIO 8

/* Limit of the number of runs, which follows from RUN_RATIO. */
#define MAX_RUNS 22

#define IDS_PER_BLOCK ((int64) (BLCKSZ / sizeof(pg_uuid_t)))

/* Size of the smallest filter that lib/bloomfilter.c creates. */
#define SMALLEST_FILTER ((Size) 1024 * 1024)

/* Bits of the filter per id at its intended load. */
#define FILTER_BITS_PER_ID 4

/* An id and its hash value, by which runs are sorted first. */
typedef struct SeenKey
{
	uint64	  hash;
	pg_uuid_t id;
} SeenKey;

typedef struct SeenRun
{
	BufFile *file;
	int64	 count;
} SeenRun;

/* Source of a merge: a run, or the table's sorted ids (file is NULL). */
typedef struct MergeSource
{
	BufFile			*file;
	const pg_uuid_t *ids;
	int64			 remaining; /* includes the current id */
	SeenKey			 current;
} MergeSource;

struct SeenSet
{
	MemoryContext context; /* context of the set's memory */
	ResourceOwner owner;   /* owner of its files */
	uint64		  seed;
	int64		  count;

	/* The nil UUID marks a free slot, so has_nil is true if the set has it. */
	bool	   has_nil;
	pg_uuid_t *slots;
	Size	   capacity; /* a power of two */
	Size	   max_capacity;
	Size	   used;

	SeenRun		  runs[MAX_RUNS]; /* the largest first */
	int			  run_count;
	bloom_filter *filter; /* of the ids in runs; may be NULL */
};

static const pg_uuid_t nil_uuid;

static Size		  largest_capacity(void);
static SeenKey	  make_key(const SeenSet *set, const pg_uuid_t *id);
static bool		  is_free(const pg_uuid_t *slot);
static pg_uuid_t *find_slot(const SeenSet *set, const SeenKey *key);
static pg_uuid_t *make_slots(const SeenSet *set, Size capacity);
static void		  make_room(SeenSet *set);
static void		  grow(SeenSet *set);

static void			spill(SeenSet *set);
static void			sort_slots(SeenSet *set);
static int			compare_ids(const void *a, const void *b, void *arg);
static int			compare_keys(const SeenKey *a, const SeenKey *b);
static void			make_filter(SeenSet *set);
static SeenRun		merge(SeenSet *set, int first_run);
static void			advance(const SeenSet *set, MergeSource *source);
static MergeSource *least(MergeSource *sources, int count);
static BufFile	   *make_file(const SeenSet *set);
static bool			is_in_runs(const SeenSet *set, const SeenKey *key);
static bool			is_in_run(const SeenSet *set, const SeenRun *run,
							  const SeenKey *key);
static bool is_between(const SeenSet *set, const SeenRun *run, int64 low,
					   int64 high, const SeenKey *key);
static int	compare_at(const SeenSet *set, const SeenRun *run, int64 position,
					   const SeenKey *key);

/*
 * Returns an empty set.  It lives in a child of the current memory context.
 * Its files belong to the current resource owner, which must live as long: the
 * portal's owner while the executor runs.  These two release everything after
 * an error.  Otherwise the caller must call seen_set_end, as for any temporary
 * file.
 */
SeenSet *
seen_set_create(void)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw seen ids", ALLOCSET_SMALL_SIZES);
	SeenSet *set = MemoryContextAllocZero(context, sizeof(SeenSet));

	set->context = context;
	set->owner = CurrentResourceOwner;
	set->seed = (uint64) (pg_prng_double(&pg_global_prng_state) *
						  (double) PG_INT64_MAX);
	set->max_capacity = largest_capacity();
	set->capacity = Min(FIRST_CAPACITY, set->max_capacity);
	set->slots = make_slots(set, set->capacity);
	return set;
}

/*
 * Adds an id.  Returns true if it is new.  The set cannot be used after an
 * error in this function.
 */
bool
seen_set_add(SeenSet *set, const pg_uuid_t *id)
{
	SeenKey	   key = make_key(set, id);
	pg_uuid_t *slot;

	if (is_free(id))
	{
		if (set->has_nil)
			return false;
		set->has_nil = true;
		set->count++;
		return true;
	}

	slot = find_slot(set, &key);
	if (!is_free(slot) || is_in_runs(set, &key))
		return false;
	if (set->used >= set->capacity / 4 * 3)
	{
		make_room(set);
		slot = find_slot(set, &key);
	}
	*slot = *id;
	set->used++;
	set->count++;
	return true;
}

/* Returns true if the set has an id. */
bool
seen_set_has(const SeenSet *set, const pg_uuid_t *id)
{
	SeenKey key = make_key(set, id);

	if (is_free(id))
		return set->has_nil;
	return !is_free(find_slot(set, &key)) || is_in_runs(set, &key);
}

/* Returns the number of ids. */
int64
seen_set_count(const SeenSet *set)
{
	return set->count;
}

/* Releases the set and its files. */
void
seen_set_end(SeenSet *set)
{
	for (int i = 0; i < set->run_count; i++)
		BufFileClose(set->runs[i].file);
	MemoryContextDelete(set->context);
}

/* --- The table --- */

/*
 * Returns the limit of the table's capacity, which takes half of work_mem.
 * While the table grows to that size, the old one takes a quarter.  Later the
 * filter and the buffers of the files take as much.
 */
static Size
largest_capacity(void)
{
	Size limit = (Size) work_mem * 1024 / 2 / sizeof(pg_uuid_t);
	Size capacity = 1;

	while (capacity <= limit / 2)
		capacity *= 2;
	return capacity;
}

static SeenKey
make_key(const SeenSet *set, const pg_uuid_t *id)
{
	SeenKey key;

	key.id = *id;
	key.hash = hash_bytes_extended(id->data, sizeof(id->data), set->seed);
	return key;
}

static bool
is_free(const pg_uuid_t *slot)
{
	return memcmp(slot, &nil_uuid, sizeof(*slot)) == 0;
}

/* Returns the slot of an id, or the free slot where it belongs. */
static pg_uuid_t *
find_slot(const SeenSet *set, const SeenKey *key)
{
	Size i = (Size) key->hash & (set->capacity - 1);

	while (!is_free(&set->slots[i]) &&
		   memcmp(&set->slots[i], &key->id, sizeof(key->id)) != 0)
		i = (i + 1) & (set->capacity - 1);
	return &set->slots[i];
}

static pg_uuid_t *
make_slots(const SeenSet *set, Size capacity)
{
	Size size = capacity * sizeof(pg_uuid_t);

	return memset(MemoryContextAllocHuge(set->context, size), 0, size);
}

static void
make_room(SeenSet *set)
{
	if (set->capacity < set->max_capacity)
		grow(set);
	else
		spill(set);
}

static void
grow(SeenSet *set)
{
	pg_uuid_t *old_slots = set->slots;
	Size	   old_capacity = set->capacity;

	set->slots = make_slots(set, old_capacity * 2);
	set->capacity = old_capacity * 2;
	for (Size i = 0; i < old_capacity; i++)
	{
		SeenKey key;

		CHECK_FOR_INTERRUPTS();
		if (is_free(&old_slots[i]))
			continue;
		key = make_key(set, &old_slots[i]);
		*find_slot(set, &key) = key.id;
	}
	pfree(old_slots);
}

/* --- Writing runs --- */

/*
 * Moves the ids of the table to a run, merged with the preceding runs that are
 * too small to remain separate.
 */
static void
spill(SeenSet *set)
{
	int	  first = set->run_count;
	int64 count = set->used;

	if (set->run_count == 0)
		make_filter(set);
	while (first > 0 && set->runs[first - 1].count < RUN_RATIO * count)
		count += set->runs[--first].count;
	Assert(first < MAX_RUNS);

	sort_slots(set);
	set->runs[first] = merge(set, first);
	set->run_count = first + 1;
	memset(set->slots, 0, set->capacity * sizeof(pg_uuid_t));
	set->used = 0;
}

/* Moves the table's ids to its start, in the order of a run. */
static void
sort_slots(SeenSet *set)
{
	Size used = 0;

	for (Size i = 0; i < set->capacity; i++)
		if (!is_free(&set->slots[i]))
			set->slots[used++] = set->slots[i];
	qsort_arg(set->slots, used, sizeof(pg_uuid_t), compare_ids, set);
}

static int
compare_ids(const void *a, const void *b, void *arg)
{
	SeenKey key_a = make_key(arg, a);
	SeenKey key_b = make_key(arg, b);

	CHECK_FOR_INTERRUPTS();
	return compare_keys(&key_a, &key_b);
}

static int
compare_keys(const SeenKey *a, const SeenKey *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return memcmp(&a->id, &b->id, sizeof(a->id));
}

/*
 * Creates the filter, with a quarter of work_mem if that suffices.  Its size is
 * fixed, so it becomes less effective as ids are added.
 */
static void
make_filter(SeenSet *set)
{
	Size		  size = (Size) work_mem * 1024 / 4;
	MemoryContext old_context;

	if (size < SMALLEST_FILTER)
		return;
	old_context = MemoryContextSwitchTo(set->context);
	set->filter = bloom_create((int64) size * 8 / FILTER_BITS_PER_ID,
							   (int) (size / 1024), set->seed);
	MemoryContextSwitchTo(old_context);
}

/*
 * Returns a run of the table's sorted ids and of the runs from first_run on,
 * which it closes.  No id is in two of these sources.
 */
static SeenRun
merge(SeenSet *set, int first_run)
{
	MergeSource	 sources[MAX_RUNS + 1] = {{0}};
	int			 count = set->run_count - first_run + 1;
	SeenRun		 run = {.file = make_file(set), .count = 0};
	MergeSource *source;

	/*
	 * The count includes the id that precedes the first one and is current now.
	 */
	sources[0].ids = set->slots;
	sources[0].remaining = (int64) set->used + 1;
	for (int i = 1; i < count; i++)
	{
		const SeenRun *old = &set->runs[first_run + i - 1];

		if (BufFileSeek(old->file, 0, 0, SEEK_SET) != 0)
			elog(ERROR, "could not rewind a temporary file");
		sources[i].file = old->file;
		sources[i].remaining = old->count + 1;
	}
	for (int i = 0; i < count; i++)
		advance(set, &sources[i]);

	while ((source = least(sources, count)) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		BufFileWrite(run.file, &source->current.id, sizeof(pg_uuid_t));
		if (source->file == NULL && set->filter != NULL)
			bloom_add_element(set->filter, source->current.id.data,
							  sizeof(pg_uuid_t));
		run.count++;
		advance(set, source);
	}

	for (int i = 1; i < count; i++)
		BufFileClose(sources[i].file);
	return run;
}

/* Reads a source's next id into current, unless the source is at its end. */
static void
advance(const SeenSet *set, MergeSource *source)
{
	pg_uuid_t id;

	if (--source->remaining == 0)
		return;
	if (source->file != NULL)
		compat_buffile_read_exact(source->file, &id, sizeof(id));
	else
	{
		Assert(source->ids != NULL);
		id = *source->ids++;
	}
	source->current = make_key(set, &id);
}

/*
 * Returns the source with the least current id; NULL if all are at their end.
 */
static MergeSource *
least(MergeSource *sources, int count)
{
	MergeSource *found = NULL;

	for (int i = 0; i < count; i++)
		if (sources[i].remaining > 0 &&
			(found == NULL ||
			 compare_keys(&sources[i].current, &found->current) < 0))
			found = &sources[i];
	return found;
}

static BufFile *
make_file(const SeenSet *set)
{
	MemoryContext old_context = MemoryContextSwitchTo(set->context);
	ResourceOwner old_owner = CurrentResourceOwner;
	BufFile		 *file;

	CurrentResourceOwner = set->owner;
	file = BufFileCreateTemp(false);
	CurrentResourceOwner = old_owner;
	MemoryContextSwitchTo(old_context);
	return file;
}

/* --- Searches in runs --- */

static bool
is_in_runs(const SeenSet *set, const SeenKey *key)
{
	unsigned char *bytes = (unsigned char *) key->id.data;

	if (set->run_count == 0 ||
		(set->filter != NULL &&
		 bloom_lacks_element(set->filter, bytes, sizeof(key->id))))
		return false;
	for (int i = 0; i < set->run_count; i++)
		if (is_in_run(set, &set->runs[i], key))
			return true;
	return false;
}

/*
 * Returns true if a run has an id.  Starts at the block where its hash value
 * should be, continues in growing steps until it has passed the id, and then
 * bisects.
 */
static bool
is_in_run(const SeenSet *set, const SeenRun *run, const SeenKey *key)
{
	const int64 last = (run->count - 1) / IDS_PER_BLOCK;
	int64		low = 0;
	int64		high = last;
	int64		step = 1;
	int64		block;

	block =
		(int64) ((double) key->hash / (double) PG_UINT64_MAX * (double) last);
	while (low <= high)
	{
		int64 start = block * IDS_PER_BLOCK;
		int64 end = Min(start + IDS_PER_BLOCK, run->count);

		if (compare_at(set, run, start, key) > 0)
		{
			high = block - 1;
			block = Max(low, block - step);
		}
		else if (compare_at(set, run, end - 1, key) < 0)
		{
			low = block + 1;
			block = Min(high, block + step);
		}
		else
			return is_between(set, run, start, end - 1, key);

		step *= 2;
		if (low > 0 && high < last)
			block = low + (high - low) / 2;
	}
	return false;
}

/* Returns true if an id is at a position from low to high of a run. */
static bool
is_between(const SeenSet *set, const SeenRun *run, int64 low, int64 high,
		   const SeenKey *key)
{
	while (low <= high)
	{
		int64 middle = low + (high - low) / 2;
		int	  order = compare_at(set, run, middle, key);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return false;
}

/* Compares the id at a position of a run with another one. */
static int
compare_at(const SeenSet *set, const SeenRun *run, int64 position,
		   const SeenKey *key)
{
	pg_uuid_t id;
	SeenKey	  found;

	if (BufFileSeek(run->file, 0, position * sizeof(id), SEEK_SET) != 0)
		elog(ERROR, "could not seek in a temporary file");
	compat_buffile_read_exact(run->file, &id, sizeof(id));
	found = make_key(set, &id);
	return compare_keys(&found, key);
}
