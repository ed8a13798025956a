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

#define OPTION_DEFAULT_RECORD_TYPE "opportunity"

/* The operators that the API documents for filters. */
typedef enum RemoteOperator
{
	OPERATOR_EQ,
	OPERATOR_NE,
	OPERATOR_IN,
	OPERATOR_NOT_IN,
	OPERATOR_CONTAINS,
	OPERATOR_STARTS_WITH,
	OPERATOR_ENDS_WITH,
	OPERATOR_GT,
	OPERATOR_GTE,
	OPERATOR_LT,
	OPERATOR_LTE,
	OPERATOR_BETWEEN,
	OPERATOR_EXISTS,
	OPERATOR_NOT_EXISTS
} RemoteOperator;

/* One operator in a set of them. */
#define OPERATOR_BIT(remote_operator) (1 << (remote_operator))

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
 * The options of one column, and the attribute that it shows, possibly one key of
 * its value, or the whole record.  Each string is palloc'd.
 */
typedef struct ColumnSettings
{
	char *attribute;		/* NULL: the column's name */
	char *filter_operators; /* NULL: by the value type */
	int	  sortable;			/* Ternary; unset: by the attribute */
	int	  invalid_value;	/* InvalidValue */

	bool  is_record; /* "*" */
	char *field;	 /* the attribute's name, in UTF-8 */
	char *key;		 /* in UTF-8; NULL: the whole value */
} ColumnSettings;

extern const DocumentedAttribute documented_attributes[];
extern const int				 documented_attribute_count;

extern const ValueType			 *value_type_find(const char *name);
extern const DocumentedAttribute *documented_attribute_find(
	const char *record_type, const char *name);
extern void column_set_field(ColumnSettings *column, const char *column_name);
extern bool column_shows(const ColumnSettings *column, const char *attribute);

#endif /* OPPORTUNITY_ATTRIBUTE_H */
