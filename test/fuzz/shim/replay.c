/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * replay.c
 *	  Replacement for libFuzzer: runs a target with the files and folders of the
 *	  command line, each unchanged and with a few changes.
 *
 *	  fuzz_TARGET CHANGES PATH...
 *
 * The changes are the same in each run.  The input that ends the program is left
 * in the file crash-input of the current folder.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <dirent.h>
#include <sys/stat.h>

#include "shim.h"

#define LARGEST 65536
#define KEPT_INPUT "crash-input"

extern int LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

static char	  input[LARGEST];
static size_t input_size;
static long	  executions;

static void	  run_path(const char *path, int changes);
static void	  run_folder(DIR *folder, const char *path, int changes);
static void	  run_file(const char *path, int changes);
static void	  change(void);
static void	  run(void);
static void	  keep_input(void);
static size_t choose(size_t limit);

int
main(int argc, char **argv)
{
	FUZZ_CHECK(argc > 2);
	for (int i = 2; i < argc; i++)
		run_path(argv[i], atoi(argv[1]));
	remove(KEPT_INPUT);
	printf("Done %ld runs\n", executions);
	return 0;
}

static void
run_path(const char *path, int changes)
{
	DIR *folder = opendir(path);

	if (folder == NULL)
		run_file(path, changes);
	else
		run_folder(folder, path, changes);
}

static void
run_folder(DIR *folder, const char *path, int changes)
{
	struct dirent *entry;

	while ((entry = readdir(folder)) != NULL)
	{
		char file[1024];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		run_file(file, changes);
	}
	closedir(folder);
}

static void
run_file(const char *path, int changes)
{
	static char original[LARGEST];
	FILE	   *file = fopen(path, "rb");
	size_t		size;

	FUZZ_CHECK(file != NULL);
	size = fread(original, 1, sizeof(original), file);
	fclose(file);

	/* The changes of a file depend only on that file. */
	srandom(size);
	for (int i = 0; i <= changes; i++)
	{
		memcpy(input, original, size);
		input_size = size;
		for (int j = 0; j < i % 4 + (i > 0); j++)
			change();
		run();
	}
}

/* Changes the input in one place. */
static void
change(void)
{
	size_t at = choose(input_size);
	size_t length = choose(Min(input_size - at, 64));

	if (input_size == 0)
		return;
	switch (choose(4))
	{
		case 0:
			input[at] ^= 1 << choose(8);
			break;
		case 1:
			input[at] = "\"\\{}[],:0u\r\n\0\xc3\xff "[choose(17)];
			break;
		case 2: /* removes a piece */
			memmove(input + at, input + at + length, input_size - at - length);
			input_size -= length;
			break;
		case 3: /* doubles a piece */
			if (input_size + length > LARGEST)
				break;
			memmove(input + at + length, input + at, input_size - at);
			input_size += length;
			break;
	}
}

static void
run(void)
{
	executions++;
	keep_input();
	LLVMFuzzerTestOneInput((uint8 *) input, input_size);
}

/* Returns a random number below the limit. */
static size_t
choose(size_t limit)
{
	return limit > 0 ? (size_t) random() % limit : 0;
}

/* Keeps the input in a file, in case the program crashes. */
static void
keep_input(void)
{
	FILE *file = fopen(KEPT_INPUT, "wb");

	FUZZ_CHECK(file != NULL &&
			   fwrite(input, 1, input_size, file) == input_size);
	fclose(file);
}
