/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * columns.h
 *	  The columns that show a record type's attributes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_COLUMNS_H
#define OPPORTUNITY_COLUMNS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "api.h"
#include "option.h"

/* A column to be made; all texts are in the database's encoding. */
typedef struct ColumnDefinition
{
	char	   *name;
	const char *type; /* of an element, where it is a list */
	bool		is_list;
	char	   *attribute;		  /* what it shows, as the option has it */
	char	   *filter_operators; /* what the option is to say, or NULL */
	Ternary		sortable;
	const SchemaAttribute *source; /* NULL: the documentation */
} ColumnDefinition;

extern List *columns_of_documentation(void);
extern List *columns_of_schema(const char *record_type, List *attributes);
extern void	 columns_make_room(List *columns, List *names);
extern void	 column_write(StringInfo target, const ColumnDefinition *column);

#endif /* OPPORTUNITY_COLUMNS_H */
