/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * attribute_set.c
 *	  The set of wanted attributes of a record, with numbers.
 *
 * Must not know records or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/attribute_set.h"

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const AttributeName *) a)->name,
				  ((const AttributeName *) b)->name);
}

/*
 * Returns an empty set in the current memory context, in which it also grows.
 */
AttributeSet *
attribute_set_create(void)
{
	AttributeSet *set = palloc0(sizeof(AttributeSet));

	set->context = CurrentMemoryContext;
	set->capacity = 8;
	set->sorted = palloc(set->capacity * sizeof(AttributeName));
	return set;
}

/* Returns the number of an attribute, or -1 if it is not in the set. */
int
attribute_set_find(const AttributeSet *set, const char *name)
{
	AttributeName  key = {name, 0};
	AttributeName *found = bsearch(&key, set->sorted, set->count,
								   sizeof(AttributeName), compare_names);

	return found == NULL ? -1 : found->number;
}

/*
 * Adds an attribute by its name in UTF-8, which is copied.  Returns its number.
 */
int
attribute_set_add(AttributeSet *set, const char *name)
{
	int number = attribute_set_find(set, name);

	if (number >= 0)
		return number;
	if (set->count == set->capacity)
	{
		set->sorted =
			repalloc(set->sorted, 2 * set->capacity * sizeof(AttributeName));
		set->capacity *= 2;
	}
	number = set->count;
	set->sorted[number].name = MemoryContextStrdup(set->context, name);
	set->sorted[number].number = number;
	set->count++;
	qsort(set->sorted, set->count, sizeof(AttributeName), compare_names);
	return number;
}
