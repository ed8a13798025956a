/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * shown.h
 *	  What a foreign table shows of the API's records, column by column.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SHOWN_H
#define OPPORTUNITY_SHOWN_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"

#include "attribute.h"
#include "option.h"

/* A column that shows an attribute, or a part of one. */
typedef struct ShownColumn
{
	AttrNumber	   attnum;
	char		  *name;
	Oid			   type;
	Oid			   element; /* of a list, else the same; without a domain */
	bool		   is_list;
	bool		   is_inherited;
	const char	  *label; /* what it shows, as its option or name spells it */
	AttributePath *path;  /* the same, taken apart */
} ShownColumn;

typedef struct ShownTable
{
	char	 *name;			/* as SQL takes it, with the schema */
	bool	  is_partition; /* and has its columns from another table */
	Settings *settings;
	List	 *columns; /* ShownColumns, in their order */
	List	 *names;   /* of all its columns */
} ShownTable;

extern ShownTable *shown_table_read(Oid relid);

#endif /* OPPORTUNITY_SHOWN_H */
