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

static int compare_names(const void *a, const void *b);

/*
 * Returns an empty set in the current memory context, in which it also grows.
 */
AttributeSet *
attribute_set_create(void)
{
	AttributeSet *set = palloc0(sizeof(AttributeSet));

	set->context = CurrentMemoryContext;
	return set;
}

/*
 * Adds an attribute by its name in UTF-8, which is copied.  Returns its number.
 */
int
attribute_set_add(AttributeSet *set, const char *name)
{
	MemoryContext old_context;
	int			  number = attribute_set_find(set, name);

	if (number >= 0)
		return number;

	old_context = MemoryContextSwitchTo(set->context);
	if (set->count == set->capacity)
	{
		set->capacity = Max(8, set->capacity * 2);
		set->sorted =
			set->sorted == NULL
				? palloc(set->capacity * sizeof(AttributeName))
				: repalloc(set->sorted, set->capacity * sizeof(AttributeName));
	}
	number = set->count++;
	set->sorted[number].name = pstrdup(name);
	set->sorted[number].number = number;
	qsort(set->sorted, set->count, sizeof(AttributeName), compare_names);
	MemoryContextSwitchTo(old_context);
	return number;
}

/* Adds the whole record to a set. */
void
attribute_set_add_record(AttributeSet *set)
{
	set->wants_record = true;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const AttributeName *) a)->name,
				  ((const AttributeName *) b)->name);
}

/* Returns the number of an attribute, or -1 if it is not in the set. */
int
attribute_set_find(const AttributeSet *set, const char *name)
{
	AttributeName  key = {name, 0};
	AttributeName *found;

	if (set->count == 0)
		return -1;
	found = bsearch(&key, set->sorted, set->count, sizeof(AttributeName),
					compare_names);
	return found == NULL ? -1 : found->number;
}
