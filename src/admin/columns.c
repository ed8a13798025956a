/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * columns.c
 *	  Columns of a foreign table for the attributes of a record type: names,
 *	  types and options.
 *
 * A column's name is the attribute's, or derived from it.  If two attributes
 * map to one name, the column that has the attribute's own name keeps it, and
 * the others get a number.  The order of the attributes does not matter.
 *
 * Knows nothing about requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/heap.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "admin/columns.h"
#include "admin/schema.h"
#include "option/attribute.h"

/* Column for a part of a select's or a stage's value. */
typedef struct SelectColumn
{
	const char *suffix;
	const char *type;
	const char *key; /* NULL: implied by the type */
	bool		stage_only;
} SelectColumn;

static const SelectColumn select_columns[] = {
	{"", "text", NULL, false},
	{"_id", "uuid", NULL, false},
	{"_api_name", "text", "api_name", false},
	{"_color", "text", "color", false},
	{"_closing_probability", "numeric", "closing_probability", true},
	{"_expected_days", "integer", "expected_days", true},
};

static List *add_columns(List *columns, const SchemaAttribute *attribute);
static List *add_select_columns(List *columns, const char *name,
								const SchemaAttribute *attribute);
static ColumnDefinition *make_column(const char *name, const char *type,
									 bool is_list, const char *attribute);
static void				 assign_names(List *columns);
static char				*free_name(const char *name, List *taken);
static bool				 is_taken(List *names, const char *name);
static bool				 is_reserved(const char *name);
static int	 compare_attributes(const ListCell *a, const ListCell *b);
static bool	 is_known(List *columns, const char *attribute);
static char *clip(const char *name, size_t length);
static void	 add_options(ColumnDefinition *column, const char *record_type,
						 const SchemaAttribute *attribute);
static char *join_operators(int operators);

/* Returns ColumnDefinitions for the documented attributes of an opportunity. */
List *
columns_of_documentation(void)
{
	List *columns = NIL;

	for (int i = 0; i < documented_attribute_count; i++)
	{
		SchemaAttribute attribute = {0};

		attribute.name = (char *) documented_attributes[i].name;
		attribute.value_type = (char *) documented_attributes[i].value_type;
		attribute.is_list = documented_attributes[i].is_list;
		columns = add_columns(columns, &attribute);
	}
	assign_names(columns);
	return columns;
}

/*
 * Returns ColumnDefinitions for a list of SchemaAttributes, in their order.
 * Sets the options for filters and sorts if the schema differs from the
 * documentation.
 */
List *
columns_of_schema(const char *record_type, List *attributes)
{
	List	 *columns = NIL;
	ListCell *cell;

	foreach(cell, attributes)
	{
		SchemaAttribute *attribute = lfirst(cell);
		int				 before = list_length(columns);

		CHECK_FOR_INTERRUPTS();
		columns = add_columns(columns, attribute);
		for (int i = before; i < list_length(columns); i++)
		{
			ColumnDefinition *column = list_nth(columns, i);

			column->source = attribute;
			add_options(column, record_type, attribute);
		}
	}
	assign_names(columns);
	return columns;
}

/* Appends a column's definition in the form of CREATE FOREIGN TABLE. */
void
column_write(StringInfo target, const ColumnDefinition *column)
{
	const char *separator = " OPTIONS (";

	appendStringInfo(target, "%s %s%s", quote_identifier(column->name),
					 column->type, column->is_list ? "[]" : "");
	if (strcmp(column->name, column->attribute) != 0)
	{
		appendStringInfo(target, "%sattribute %s", separator,
						 quote_literal_cstr(column->attribute));
		separator = ", ";
	}
	if (column->filter_operators != NULL)
	{
		appendStringInfo(target, "%sfilter_operators %s", separator,
						 quote_literal_cstr(column->filter_operators));
		separator = ", ";
	}
	if (column->sortable != TERNARY_UNSET)
	{
		appendStringInfo(target, "%ssortable '%s'", separator,
						 column->sortable == TERNARY_TRUE ? "true" : "false");
		separator = ", ";
	}
	if (strcmp(separator, ", ") == 0)
		appendStringInfoChar(target, ')');
}

/*
 * Appends the columns of an attribute.  An attribute whose name contains a dot
 * or is a star gets none, with a warning: the option attribute gives these
 * another meaning.
 */
static List *
add_columns(List *columns, const SchemaAttribute *attribute)
{
	const ValueType *type = value_type_find(attribute->value_type);
	char			*name = schema_text(attribute->name);

	if (is_known(columns, name))
		return columns;
	if (strchr(name, '.') != NULL || strcmp(name, "*") == 0)
	{
		ereport(WARNING,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("cannot create a column for attribute \"%s\"", name),
				 errdetail("The option \"attribute\" does not accept this "
						   "name.")));
		return columns;
	}
	if (type != NULL && type->is_select)
		return add_select_columns(columns, name, attribute);
	return lappend(columns,
				   make_column(name, type != NULL ? type->column_type : "jsonb",
							   attribute->is_list, name));
}

/* Returns true if one of the columns shows the attribute. */
static bool
is_known(List *columns, const char *attribute)
{
	ListCell *cell;

	foreach(cell, columns)
	{
		if (strcmp(((ColumnDefinition *) lfirst(cell))->attribute, attribute) ==
			0)
			return true;
	}
	return false;
}

/*
 * Appends the columns of a select or a stage.  Their names begin with the
 * attribute's name without a trailing _id.
 */
static List *
add_select_columns(List *columns, const char *name,
				   const SchemaAttribute *attribute)
{
	bool   is_stage = strcmp(attribute->value_type, "opportunity_stage") == 0;
	size_t length = strlen(name);
	char  *base;

	if (length > 3 && strcmp(name + length - 3, "_id") == 0)
		length -= 3;
	base = pnstrdup(name, length);

	for (size_t i = 0; i < lengthof(select_columns); i++)
	{
		const SelectColumn *column = &select_columns[i];

		if (column->stage_only && !is_stage)
			continue;
		columns = lappend(
			columns, make_column(psprintf("%s%s", base, column->suffix),
								 column->type, attribute->is_list,
								 column->key == NULL
									 ? name
									 : psprintf("%s.%s", name, column->key)));
	}
	return columns;
}

static ColumnDefinition *
make_column(const char *name, const char *type, bool is_list,
			const char *attribute)
{
	ColumnDefinition *column = palloc0(sizeof(ColumnDefinition));

	column->name = pstrdup(name);
	column->type = type;
	column->is_list = is_list;
	column->attribute = pstrdup(attribute);
	return column;
}

/*
 * Sets a column's options filter_operators and sortable, if the defaults do not
 * fit the schema.
 */
static void
add_options(ColumnDefinition *column, const char *record_type,
			const SchemaAttribute *attribute)
{
	const ValueType			  *type = value_type_find(attribute->value_type);
	const DocumentedAttribute *documented =
		documented_attribute_find(record_type, attribute->name);
	bool is_whole =
		strcmp(column->attribute, schema_text(attribute->name)) == 0;
	bool is_display =
		type != NULL && type->is_select && strcmp(column->type, "uuid") != 0;
	int		  operators = 0;
	int		  known = type != NULL ? type->operators : 0;
	ListCell *cell;

	/* Conditions on such columns are never pushed down. */
	if (type == NULL || attribute->is_list || !is_whole || is_display ||
		(!type->is_select && known == 0))
		return;

	foreach(cell, attribute->operators)
	{
		int found = remote_operator_find(lfirst(cell));

		if (found >= 0)
			operators |= OPERATOR_BIT(found);
	}
	if (type->is_select)
		known = documented == NULL ? 0 : type->operators;
	else if (documented == NULL ||
			 strcmp(documented->value_type, attribute->value_type) != 0)
		known = 0;

	/*
	 * The defaults are documented operators, so the schema must have all of
	 * them.  Additional operators are not used.
	 */
	if (known == 0 ? operators != 0 : (operators & known) != known)
		column->filter_operators = join_operators(operators);
	if (documented == NULL && type->is_sortable && attribute->is_sortable)
		column->sortable = TERNARY_TRUE;
	else if (documented != NULL && !attribute->is_sortable &&
			 (type->is_sortable || strcmp(attribute->name, "id") == 0))
		column->sortable = TERNARY_FALSE;
}

/* Returns a set of operators in the form of the option filter_operators. */
static char *
join_operators(int operators)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i <= OPERATOR_NOT_EXISTS; i++)
	{
		if ((operators & OPERATOR_BIT(i)) != 0)
			appendStringInfo(&text, "%s%s", text.len > 0 ? "," : "",
							 remote_operator_name(i));
	}
	return text.data;
}

/*
 * Makes the columns' names unique, different from those that system columns
 * have, and no longer than PostgreSQL permits.  Attributes' own names have
 * priority.  The other columns are numbered in the order of the attributes'
 * names, so that the result does not depend on the order of the schema.
 */
static void
assign_names(List *columns)
{
	List	 *names = NIL;
	List	 *others = NIL;
	ListCell *cell;

	foreach(cell, columns)
	{
		ColumnDefinition *column = lfirst(cell);

		if (strcmp(column->name, column->attribute) == 0 &&
			strlen(column->name) < NAMEDATALEN && !is_reserved(column->name))
			names = lappend(names, column->name);
		else
			others = lappend(others, column);
	}
	list_sort(others, compare_attributes);
	foreach(cell, others)
	{
		ColumnDefinition *column = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		column->name = free_name(column->name, names);
		names = lappend(names, column->name);
	}
}

/*
 * Renames the columns that have one of the names, which belong to other columns
 * of the same table.
 */
void
columns_make_room(List *columns, List *names)
{
	List	 *others = NIL;
	ListCell *cell;

	names = list_copy(names);
	foreach(cell, columns)
	{
		ColumnDefinition *column = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		if (is_taken(names, column->name))
			others = lappend(others, column);
		else
			names = lappend(names, column->name);
	}
	foreach(cell, others)
	{
		ColumnDefinition *column = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		column->name = free_name(column->name, names);
		names = lappend(names, column->name);
	}
}

/*
 * Returns a name that is not taken: the name itself, or with the lowest free
 * number and shortened if necessary.
 */
static char *
free_name(const char *name, List *taken)
{
	char *found = clip(name, NAMEDATALEN - 1);

	for (int number = 2; is_reserved(found) || is_taken(taken, found); number++)
	{
		char *suffix = psprintf("_%d", number);

		found = psprintf("%s%s", clip(name, NAMEDATALEN - 1 - strlen(suffix)),
						 suffix);
	}
	return found;
}

/* Returns true if a name is a member of names. */
static bool
is_taken(List *names, const char *name)
{
	ListCell *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/* Returns true if a system column has the name. */
static bool
is_reserved(const char *name)
{
	return SystemAttributeByName(name) != NULL;
}

/* Compares by attribute, and then by type. */
static int
compare_attributes(const ListCell *a, const ListCell *b)
{
	const ColumnDefinition *x = lfirst(a);
	const ColumnDefinition *y = lfirst(b);
	int						order = strcmp(x->attribute, y->attribute);

	return order != 0 ? order : strcmp(x->type, y->type);
}

/*
 * Returns a copy of a name, shortened to at most length bytes at the boundary
 * of a character.
 */
static char *
clip(const char *name, size_t length)
{
	size_t full = strlen(name);

	return pnstrdup(name, full <= length ? full
										 : (size_t) pg_mbcliplen(
											   name, (int) full, (int) length));
}
