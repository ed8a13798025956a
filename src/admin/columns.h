/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * columns.h
 *	  Columns of a foreign table for the attributes of a record type.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_COLUMNS_H
#define OPPORTUNITY_COLUMNS_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

#include "api/api_schema.h"
#include "option/option.h"

/* Definition of a column; all strings are in the database's encoding. */
typedef struct ColumnDefinition
{
	char	   *name;
	const char *type; /* element type if is_list */
	bool		is_list;
	char	   *attribute;		  /* value of the option attribute */
	char	   *filter_operators; /* value of the option filter_operators, or
								   * NULL */
	Ternary		sortable;
	const SchemaAttribute *source; /* NULL: the documentation */
} ColumnDefinition;

extern List *columns_of_documentation(void);
extern List *columns_of_schema(const char *record_type, List *attributes);
extern void	 columns_make_room(List *columns, List *names);
extern void	 column_write(StringInfo target, const ColumnDefinition *column);

#endif /* OPPORTUNITY_COLUMNS_H */
