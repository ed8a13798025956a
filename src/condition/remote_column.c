/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * remote_column.c
 *	  The API's capabilities for the column of a foreign table: which
 *	  conditions and sorts on it can be pushed down.
 *
 * Knows nothing about the conditions of a query.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "condition/remote_column.h"

static const RemoteType remote_types[] = {
	{UUIDOID, REMOTE_UUID, "uuid"},
	{TEXTOID, REMOTE_TEXT, "text"},
	{BOOLOID, REMOTE_BOOLEAN, "boolean"},
	{TIMESTAMPTZOID, REMOTE_TIMESTAMP, "timestamptz"},
	{DATEOID, REMOTE_DATE, "date"},
	{NUMERICOID, REMOTE_NUMBER, "numeric"},
};

/* Returns the kind of a type, or NULL if it has none. */
const RemoteType *
remote_type_find(Oid type)
{
	for (size_t i = 0; i < lengthof(remote_types); i++)
	{
		if (remote_types[i].type == type)
			return &remote_types[i];
	}
	return NULL;
}

/*
 * Returns true if a value of the type has the same text as the id.  In other
 * types the id may have another form: in JSON, for example, it has quotes.
 */
bool
remote_type_is_id(Oid type)
{
	Oid base_type = getBaseType(type);

	return base_type == UUIDOID || base_type == TEXTOID ||
		   base_type == VARCHAROID;
}

/* Returns true if values of a kind can be compared with < and >. */
bool
remote_kind_is_ordered(RemoteKind kind)
{
	return kind == REMOTE_TIMESTAMP || kind == REMOTE_DATE ||
		   kind == REMOTE_NUMBER;
}

/*
 * Sets the operators and is_sortable of a column that shows a whole attribute.
 * The value type defines them if the column has its documented type.  The
 * column's options override it.  The user is responsible for an undocumented
 * attribute.
 */
static void
read_column_operators(RemoteColumn *column, const Settings *settings,
					  const ColumnSettings *options, const char *type_name)
{
	const DocumentedAttribute *attribute =
		documented_attribute_find(settings->record_type, column->field);

	if (attribute != NULL)
	{
		const ValueType *value_type = value_type_find(attribute->value_type);

		if (value_type == NULL || attribute->is_list)
			return;
		if (value_type->is_select)
		{
			/* Its id, if an option says that the id is comparable. */
			if (column->kind != REMOTE_UUID ||
				options->filter_operators == NULL)
				return;
		}
		else if (strcmp(value_type->column_type, type_name) != 0)
			return;
		else
		{
			column->operators = value_type->operators;
			column->is_sortable = value_type->is_sortable || column->is_id;
		}
	}
	if (options->filter_operators != NULL)
		column->operators =
			remote_operators_read(options->filter_operators, NULL);
	if (options->sortable != TERNARY_UNSET)
		column->is_sortable = options->sortable == TERNARY_TRUE;
	if (column->kind == REMOTE_TEXT)
		column->is_sortable = false; /* the API's collation is unknown */
}

/*
 * Returns the API capabilities of a foreign table's column with these options,
 * palloc'd.  Returns NULL if the API can neither filter nor
 * sort by it, and it is not the id.
 *
 * The API can do so if the column shows a whole attribute, in the type of the
 * attribute's values.  The column must also show every value: invalid values
 * raise an error and do not become NULL.
 */
RemoteColumn *
remote_column_read(const Settings *settings, Form_pg_attribute attribute,
				   const ColumnSettings *options)
{
	const RemoteType *type = remote_type_find(attribute->atttypid);
	RemoteColumn	 *column = palloc0(sizeof(RemoteColumn));

	column->field = options->field;
	column->is_id =
		column_shows(options, "id") && remote_type_is_id(attribute->atttypid);
	if (type != NULL && attribute->atttypmod == -1 && !options->is_record &&
		options->key == NULL && options->invalid_value == INVALID_VALUE_ERROR)
	{
		column->kind = type->kind;
		read_column_operators(column, settings, options, type->name);
	}
	return column->is_id || column->operators != 0 || column->is_sortable
			   ? column
			   : NULL;
}
