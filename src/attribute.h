/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * attribute.h
 *	  The documented attributes and value types of the API, and which
 *	  attribute a column shows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ATTRIBUTE_H
#define OPPORTUNITY_ATTRIBUTE_H

#include "postgres.h"

#include "option.h"

/* One value_type of the API. */
typedef struct ValueType
{
	const char *name;
	const char *column_type; /* what IMPORT declares for it */
	const char *scalar_key;	 /* which key of the value holds the scalar; NULL:
							  * the value itself is the scalar */
	const char *uuid_key;	 /* the same for a uuid column, where it differs */
	bool		is_select;	 /* has a display value, a name and a color */
	int			operators; /* what may be filtered by: a set of OPERATOR_BIT */
	bool		is_sortable;
} ValueType;

/* One attribute as the API documents it. */
typedef struct DocumentedAttribute
{
	const char *name;
	const char *value_type;
	bool		is_list;
} DocumentedAttribute;

/*
 * What a column shows: an attribute, perhaps one key of its value, or the whole
 * record.  Names are in UTF-8, as the API's answers are; palloc'd.
 */
typedef struct AttributePath
{
	bool  is_record; /* "*" */
	char *attribute;
	char *key; /* NULL: the value itself */
} AttributePath;

extern const DocumentedAttribute documented_attributes[];
extern const int				 documented_attribute_count;

extern const ValueType			 *value_type_find(const char *name);
extern const DocumentedAttribute *documented_attribute_find(
	const char *record_type, const char *name);
extern bool			  attribute_is_common(const char *name);
extern AttributePath *attribute_path_read(const ColumnSettings *column,
										  const char		   *column_name);
extern bool			  attribute_path_is_id(const AttributePath *path);
extern bool			  attribute_path_is_created_at(const AttributePath *path);

#endif /* OPPORTUNITY_ATTRIBUTE_H */
