/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * shown.h
 *	  The columns of a foreign table and the attributes that they show.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SHOWN_H
#define OPPORTUNITY_SHOWN_H

#include "postgres.h"

#include "access/attnum.h"
#include "nodes/pg_list.h"

#include "option/attribute.h"
#include "option/option.h"

/* A column that shows an attribute, or one key of its value. */
typedef struct ShownColumn
{
	AttrNumber	   attnum;
	char		  *name;
	Oid			   type;
	Oid			   element; /* element type of a list; base type of a domain */
	bool		   is_list;
	bool		   is_inherited;
	const char	  *label; /* option attribute, or the column's name */
	AttributePath *path;  /* the label, parsed */
} ShownColumn;

typedef struct ShownTable
{
	char	 *name;			/* qualified and quoted */
	bool	  is_partition; /* its parent defines the columns */
	Settings *settings;
	List	 *columns; /* ShownColumns, in the order of attnum */
	List	 *names;   /* names of all columns */
} ShownTable;

extern ShownTable *shown_table_read(Oid relid);

#endif /* OPPORTUNITY_SHOWN_H */
