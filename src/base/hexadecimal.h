/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * hexadecimal.h
 *	  Hexadecimal digits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_HEXADECIMAL_H
#define OPPORTUNITY_HEXADECIMAL_H

#include "postgres.h"

/* Returns the value of a hexadecimal digit, or -1 for any other character. */
static inline int
hexadecimal_digit(char c)
{
	static const signed char plus_one[256] = {
		['0'] = 1,	['1'] = 2,	['2'] = 3,	['3'] = 4,	['4'] = 5,	['5'] = 6,
		['6'] = 7,	['7'] = 8,	['8'] = 9,	['9'] = 10, ['a'] = 11, ['b'] = 12,
		['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
		['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

	return plus_one[(unsigned char) c] - 1;
}

#endif /* OPPORTUNITY_HEXADECIMAL_H */
