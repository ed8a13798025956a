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

#include "nodes/pg_list.h"

#include "api/api_schema.h"
#include "option/attribute.h"

/* Definition of a column; all strings are in the database's encoding. */
typedef struct ColumnDefinition
{
	char	   *name;
	const char *type;
	char	   *path;			  /* value of the option attribute */
	char	   *filter_operators; /* value of the option; NULL: not set */
	const char *sortable;		  /* likewise */
	const SchemaAttribute *source;
} ColumnDefinition;

extern char *schema_text(const char *text);
extern List *columns_of_documentation(void);
extern List *columns_of_schema(const char *record_type, List *attributes);
extern void	 columns_make_room(List *columns, List *names);
extern char *column_definition(const ColumnDefinition *column);

#endif /* OPPORTUNITY_COLUMNS_H */
