/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * canary.c
 *	  Fuzz target that has bugs, one of each kind that is to be found: a test
 *	  of the tests, which runs when it is asked for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "shim.h"

void
fuzz_input(char *data, size_t size)
{
	char *copy = palloc(size);
	int	  number = INT_MAX - 1;

	for (size_t i = 0; i < size; i++)
	{
		switch ((unsigned char) data[i])
		{
			case 0xff:
				copy[size] = 'x'; /* beyond what was palloc'd */
				break;
			case '"':
				number += 2; /* overflows */
				break;
			case '\\':
				FUZZ_CHECK(data[i] != '\\');
				break;
		}
		copy[i] = (char) number;
	}
	shim_outcome("unharmed");
}
