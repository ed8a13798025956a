/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * main.c
 *	  The entry point of libFuzzer, and the tally of outcomes.
 *
 * Each input starts with the same state, and leaves no memory behind.  A target
 * that waits for the network also leaves no files.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "shim.h"

#define MOST_OUTCOMES 64

extern int LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

static struct
{
	char name[32];
	long count;
} outcomes[MOST_OUTCOMES];

static void print_outcomes(void);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	char *copy;

	shim_set_database_encoding(PG_UTF8);
	shim_memory_begin();
	copy = palloc(size + 1);
	memcpy(copy, data, size);
	copy[size] = '\0';
	fuzz_input(copy, size);
	shim_memory_end();
	return 0;
}

void
shim_outcome(const char *name)
{
	int i = 0;

	if (outcomes[0].count == 0)
		atexit(print_outcomes);
	while (outcomes[i].count > 0 && strcmp(outcomes[i].name, name) != 0)
	{
		i++;
		FUZZ_CHECK(i < MOST_OUTCOMES);
	}
	strlcpy(outcomes[i].name, name, sizeof(outcomes[i].name));
	outcomes[i].count++;
}

void
shim_outcome_error(const ErrorData *error)
{
	char state[6] = {0};

	for (int i = 0; i < 5; i++)
		state[i] = PGUNSIXBIT(error->sqlerrcode >> (6 * i));
	shim_outcome(state);
}

static void
print_outcomes(void)
{
	fprintf(stderr, "Outcomes:");
	for (int i = 0; i < MOST_OUTCOMES && outcomes[i].count > 0; i++)
		fprintf(stderr, " %s=%ld", outcomes[i].name, outcomes[i].count);
	fprintf(stderr, "\n");
}
