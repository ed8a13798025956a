/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * attribute.h
 *	  Documented attributes and value types of the API, and the attribute of a
 *	  column.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ATTRIBUTE_H
#define OPPORTUNITY_ATTRIBUTE_H

#include "postgres.h"

#include "option/option.h"

/* A value_type of the API. */
typedef struct ValueType
{
	const char *name;
	const char *column_type; /* type of the column that IMPORT makes */
	const char *scalar_key;	 /* key of the scalar; NULL: the value itself */
	const char *uuid_key;	 /* key for a uuid column; NULL: scalar_key */
	bool		is_select;	 /* with a display value, a name and a color */
	int			operators;	 /* set of OPERATOR_BIT, to be pushed down */
	bool		is_sortable;
} ValueType;

/* An attribute that the API documents. */
typedef struct DocumentedAttribute
{
	const char *name;
	const char *value_type;
	bool		is_list;
} DocumentedAttribute;

/*
 * Attribute that a column shows, possibly one key of its value, or the whole
 * record.  Names are palloc'd, and in UTF-8 like the API's responses.
 */
typedef struct AttributePath
{
	bool  is_record; /* "*" */
	char *attribute;
	char *key; /* NULL: the whole value */
} AttributePath;

extern const DocumentedAttribute documented_attributes[];
extern const int				 documented_attribute_count;

extern const ValueType			 *value_type_find(const char *name);
extern const DocumentedAttribute *documented_attribute_find(
	const char *record_type, const char *name);
extern AttributePath *attribute_path_read(const ColumnSettings *column,
										  const char		   *column_name);
extern bool attribute_path_is(const AttributePath *path, const char *attribute);

#endif /* OPPORTUNITY_ATTRIBUTE_H */
