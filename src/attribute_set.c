/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * attribute_set.c
 *	  Which attributes of a record are wanted: each has a number, and is found
 *	  by its name.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "attribute_set.h"

static int compare_names(const void *a, const void *b);

/* An empty set, in the current context, where it also grows. */
AttributeSet *
attribute_set_create(void)
{
	AttributeSet *set = palloc0(sizeof(AttributeSet));

	set->context = CurrentMemoryContext;
	return set;
}

/* Adds an attribute by its name in UTF-8; returns its number. */
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

/* Says that the whole record is wanted. */
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

/* The number of an attribute, or -1 where it is not wanted. */
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
