/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * columns.c
 *	  The columns that show a record type's attributes: their names, types and
 *	  options.
 *
 * A name is an attribute's, or made of it.  One that two attributes would share
 * goes to the one that has it by itself, in whatever order they come; the others
 * get a number.
 *
 * Knows nothing of requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/heap.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "api.h"
#include "attribute.h"
#include "columns.h"
#include "schema.h"

/* A key of a select's or a stage's value that gets a column of its own. */
typedef struct SelectColumn
{
	const char *suffix;
	const char *type;
	const char *key; /* NULL: the type says which */
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

/* The columns of the documented attributes of an opportunity. */
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
 * The columns of a list of SchemaAttributes, in their order, with what the
 * schema says of filters and sorts where that is not what is documented.
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

/* Appends a column's definition, as CREATE FOREIGN TABLE takes it. */
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
 * Adds the columns of one attribute.  An attribute whose name the option cannot
 * say has none: a dot reaches inside, and the star is the record.
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

/* Whether one of some columns shows an attribute. */
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
 * The columns of a select or a stage are named after the attribute, less a
 * trailing _id.
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

/* What is to be said of filters by a column, and of sorting. */
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

	/* Nothing is sent for such columns, whatever the API takes. */
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

	/* What is sent by default has to be taken; more is of no use. */
	if (known == 0 ? operators != 0 : (operators & known) != known)
		column->filter_operators = join_operators(operators);
	if (documented == NULL && type->is_sortable && attribute->is_sortable)
		column->sortable = TERNARY_TRUE;
	else if (documented != NULL && !attribute->is_sortable &&
			 (type->is_sortable || strcmp(attribute->name, "id") == 0))
		column->sortable = TERNARY_FALSE;
}

/* The text of a set of operators, as the option takes it. */
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
 * Sees to it that no two columns have the same name, none that of a system column,
 * and none a longer one than PostgreSQL takes.  An attribute's own name comes
 * first; what is left is numbered in the order of the attributes' names, so that
 * it is the same every time.
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
 * Renames those of some columns that are to join others with these names, where
 * one of these has that name already.
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
 * A name that a column can have beside others of these names, as short and with
 * as low a number as need be.
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

/* Whether a name is among some. */
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

/* Whether every table has a system column of that name. */
static bool
is_reserved(const char *name)
{
	return SystemAttributeByName(name) != NULL;
}

/* By attribute, and among the columns of one by name. */
static int
compare_attributes(const ListCell *a, const ListCell *b)
{
	const ColumnDefinition *x = lfirst(a);
	const ColumnDefinition *y = lfirst(b);
	int						order = strcmp(x->attribute, y->attribute);

	return order != 0 ? order : strcmp(x->type, y->type);
}

/* The start of a name that has no more than so many bytes. */
static char *
clip(const char *name, size_t length)
{
	size_t full = strlen(name);

	return pnstrdup(name, full <= length ? full
										 : (size_t) pg_mbcliplen(
											   name, (int) full, (int) length));
}
