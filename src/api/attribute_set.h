/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * attribute_set.h
 *	  The set of wanted attributes of a record, with numbers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ATTRIBUTE_SET_H
#define OPPORTUNITY_ATTRIBUTE_SET_H

#include "postgres.h"

/* A wanted attribute: its name in UTF-8, and its number from 0 on. */
typedef struct AttributeName
{
	const char *name;
	int			number;
} AttributeName;

typedef struct AttributeSet
{
	MemoryContext  context;
	bool		   wants_record; /* the whole record is wanted */
	int			   count;
	int			   capacity;
	AttributeName *sorted; /* by name */
} AttributeSet;

extern AttributeSet *attribute_set_create(void);
extern int			 attribute_set_add(AttributeSet *set, const char *name);
extern int attribute_set_find(const AttributeSet *set, const char *name);

#endif /* OPPORTUNITY_ATTRIBUTE_SET_H */
