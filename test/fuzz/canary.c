/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * canary.c
 *	  Fuzz target with one bug of each kind that the tests must find.  It runs only
 *	  if it is named.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

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
				copy[size] = 'x'; /* beyond the end of the palloc */
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
