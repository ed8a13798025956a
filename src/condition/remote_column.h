/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * remote_column.h
 *	  The API's capabilities for the column of a foreign table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_REMOTE_COLUMN_H
#define OPPORTUNITY_REMOTE_COLUMN_H

#include "postgres.h"

#include "catalog/pg_attribute.h"

#include "option/attribute.h"
#include "option/option.h"

/* Types of columns whose conditions can be pushed down. */
typedef enum RemoteKind
{
	REMOTE_UUID,
	REMOTE_TEXT,
	REMOTE_BOOLEAN,
	REMOTE_TIMESTAMP, /* with time zone */
	REMOTE_DATE,
	REMOTE_NUMBER
} RemoteKind;

/* The SQL type of a kind. */
typedef struct RemoteType
{
	Oid			type;
	RemoteKind	kind;
	const char *name; /* name in the catalogue of value types */
} RemoteType;

/* API capabilities of a foreign table's column. */
typedef struct RemoteColumn
{
	char	  *field; /* name of the API attribute, in UTF-8 */
	RemoteKind kind;
	int		   operators; /* operators that may be pushed down, a set of
						   * OPERATOR_BIT */
	bool	   is_sortable;
	bool	   is_id; /* shows the id as a uuid or a text */
} RemoteColumn;

extern const RemoteType *remote_type_find(Oid type);
extern bool				 remote_type_is_id(Oid type);
extern bool				 remote_kind_is_ordered(RemoteKind kind);
extern RemoteColumn		*remote_column_read(const Settings		 *settings,
											Form_pg_attribute	  attribute,
											const ColumnSettings *options);

#endif /* OPPORTUNITY_REMOTE_COLUMN_H */
