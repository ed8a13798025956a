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
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "utils/builtins.h"

#include "admin/columns.h"

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

/* Returns a string of the schema in the database's encoding, palloc'd. */
char *
schema_text(const char *text)
{
	return pstrdup(pg_any_to_server(text, strlen(text), PG_UTF8));
}

/* Returns the list with one more column of an attribute. */
static List *
add_column(List *columns, const SchemaAttribute *attribute, const char *name,
		   const char *type, const char *path)
{
	ColumnDefinition *column = palloc0(sizeof(ColumnDefinition));

	column->name = pstrdup(name);
	column->type = attribute->is_list ? psprintf("%s[]", type) : type;
	column->path = pstrdup(path);
	column->source = attribute;
	return lappend(columns, column);
}

/*
 * Returns the list with the columns of a select or a stage.  Their names begin
 * with the attribute's name without a trailing _id.
 */
static List *
add_select_columns(List *columns, const SchemaAttribute *attribute,
				   const char *name)
{
	bool   is_stage = strcmp(attribute->value_type, "opportunity_stage") == 0;
	size_t length = strlen(name);

	if (length > 3 && strcmp(name + length - 3, "_id") == 0)
		length -= 3;
	for (size_t i = 0; i < lengthof(select_columns); i++)
	{
		const SelectColumn *part = &select_columns[i];
		const char		   *path =
			part->key == NULL ? name : psprintf("%s.%s", name, part->key);

		if (!part->stage_only || is_stage)
			columns =
				add_column(columns, attribute,
						   psprintf("%.*s%s", (int) length, name, part->suffix),
						   part->type, path);
	}
	return columns;
}

/*
 * Returns the list with the columns of an attribute, unless it has them already.
 * An attribute whose name contains a dot or is a star gets none, with a warning:
 * the option attribute gives these another meaning.
 */
static List *
add_columns(List *columns, const SchemaAttribute *attribute)
{
	const ValueType *type = value_type_find(attribute->value_type);
	char			*name = schema_text(attribute->name);
	ListCell		*cell;

	foreach(cell, columns)
	{
		if (strcmp(((ColumnDefinition *) lfirst(cell))->path, name) == 0)
			return columns;
	}
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
		return add_select_columns(columns, attribute, name);
	return add_column(columns, attribute, name,
					  type != NULL ? type->column_type : "jsonb", name);
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
 * Sets a column's options filter_operators and sortable, if the defaults do not
 * fit the schema.
 */
static void
add_options(ColumnDefinition *column, const char *record_type)
{
	const SchemaAttribute	  *attribute = column->source;
	const ValueType			  *type = value_type_find(attribute->value_type);
	const DocumentedAttribute *documented =
		documented_attribute_find(record_type, attribute->name);
	int		  operators = 0;
	int		  known = type != NULL ? type->operators : 0;
	ListCell *cell;

	/*
	 * Conditions on other columns are never pushed down: not on a list, a key of
	 * a value, or the display value of a select.
	 */
	if (type == NULL || attribute->is_list ||
		strcmp(column->path, schema_text(attribute->name)) != 0 ||
		(type->is_select ? strncmp(column->type, "uuid", 4) != 0 : known == 0))
		return;

	foreach(cell, attribute->operators)
	{
		int found = remote_operator_find(lfirst(cell));

		if (found >= 0)
			operators |= OPERATOR_BIT(found);
	}
	if (documented == NULL ||
		(!type->is_select &&
		 strcmp(documented->value_type, attribute->value_type) != 0))
		known = 0;

	/*
	 * The defaults are documented operators, so the schema must have all of
	 * them.  Additional operators are not used.
	 */
	if (known == 0 ? operators != 0 : (operators & known) != known)
		column->filter_operators = join_operators(operators);
	if (documented == NULL && type->is_sortable && attribute->is_sortable)
		column->sortable = "true";
	else if (documented != NULL && !attribute->is_sortable &&
			 (type->is_sortable || strcmp(attribute->name, "id") == 0))
		column->sortable = "false";
}

/*
 * Gives each column a name that is not in names, a list of String: its own name,
 * or with the lowest free number and shortened if necessary.
 */
static void
number_names(List *columns, List *names)
{
	ListCell *cell;

	foreach(cell, columns)
	{
		ColumnDefinition *column = lfirst(cell);
		char			 *name = makeObjectName(column->name, NULL, NULL);

		CHECK_FOR_INTERRUPTS();
		for (int number = 2; SystemAttributeByName(name) != NULL ||
							 list_member(names, makeString(name));
			 number++)
			name = makeObjectName(column->name, NULL, psprintf("%d", number));
		column->name = name;
		names = lappend(names, makeString(name));
	}
}

/* Compares columns by path, and then by type. */
static int
compare_paths(const ListCell *a, const ListCell *b)
{
	const ColumnDefinition *x = lfirst(a);
	const ColumnDefinition *y = lfirst(b);
	int						order = strcmp(x->path, y->path);

	return order != 0 ? order : strcmp(x->type, y->type);
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

		if (strcmp(column->name, column->path) == 0 &&
			strlen(column->name) < NAMEDATALEN &&
			SystemAttributeByName(column->name) == NULL)
			names = lappend(names, makeString(column->name));
		else
			others = lappend(others, column);
	}
	list_sort(others, compare_paths);
	number_names(others, names);
}

/*
 * Renames the columns that have one of the names, a list of String, which belong
 * to other columns of the same table.
 */
void
columns_make_room(List *columns, List *names)
{
	List	 *others = NIL;
	ListCell *cell;

	foreach(cell, columns)
	{
		ColumnDefinition *column = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		if (list_member(names, makeString(column->name)))
			others = lappend(others, column);
		else
			names = lappend(names, makeString(column->name));
	}
	number_names(others, names);
}

/* Returns ColumnDefinitions for the documented attributes of an opportunity. */
List *
columns_of_documentation(void)
{
	List *columns = NIL;

	for (int i = 0; i < documented_attribute_count; i++)
	{
		SchemaAttribute *attribute = palloc0(sizeof(SchemaAttribute));

		attribute->name = (char *) documented_attributes[i].name;
		attribute->value_type = (char *) documented_attributes[i].value_type;
		attribute->is_list = documented_attributes[i].is_list;
		columns = add_columns(columns, attribute);
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
		CHECK_FOR_INTERRUPTS();
		columns = add_columns(columns, lfirst(cell));
	}
	foreach(cell, columns)
		add_options(lfirst(cell), record_type);
	assign_names(columns);
	return columns;
}

static void
write_option(StringInfo options, const char *name, const char *value)
{
	if (value != NULL)
		appendStringInfo(options, "%s%s %s", options->len > 0 ? ", " : "", name,
						 quote_literal_cstr(value));
}

/* Returns a column's definition in the form of CREATE FOREIGN TABLE, palloc'd. */
char *
column_definition(const ColumnDefinition *column)
{
	const char	  *name = quote_identifier(column->name);
	StringInfoData options;

	initStringInfo(&options);
	if (strcmp(column->name, column->path) != 0)
		write_option(&options, "attribute", column->path);
	write_option(&options, "filter_operators", column->filter_operators);
	write_option(&options, "sortable", column->sortable);
	if (options.len == 0)
		return psprintf("%s %s", name, column->type);
	return psprintf("%s %s OPTIONS (%s)", name, column->type, options.data);
}
