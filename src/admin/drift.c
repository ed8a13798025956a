/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * drift.c
 *	  opportunity_fdw_drift: the differences between a foreign table and the live
 *	  schema, with the commands that remove them.
 *
 * You can write a table by hand.  Therefore a column's name makes no difference,
 * nor does its type as long as it fits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "admin/columns.h"
#include "admin/schema.h"
#include "admin/shown.h"

#define DRIFT_COLUMNS 5

/* The types that can replace a type that IMPORT declares, except JSON types. */
typedef struct TypeFit
{
	const char *imported;
	const char *categories; /* pg_type.typcategory */
	Oid			types[3];
} TypeFit;

static const TypeFit type_fits[] = {
	{"text", "SE", {InvalidOid}},
	{"numeric", "N", {InvalidOid}},
	{"integer", "N", {InvalidOid}},
	{"boolean", "B", {InvalidOid}},
	{"uuid", "", {UUIDOID}},
	{"date", "", {DATEOID, TIMESTAMPOID}},
	{"time", "", {TIMEOID, TIMETZOID}},
	{"timestamptz", "", {TIMESTAMPTZOID, TIMESTAMPOID, DATEOID}},
};

/* One row of the function's result. */
typedef struct Difference
{
	const char *change;
	const char *attribute; /* spelled as in the option attribute */
	const char *column_name;
	const char *detail;
	const char *ddl; /* NULL: the parent table needs the change */
} Difference;

PG_FUNCTION_INFO_V1(opportunity_fdw_drift);

static void	 put_added(ReturnSetInfo *rows, const ShownTable *table,
					   List *attributes, List *columns);
static bool	 is_shown(const ShownTable *table, List *attributes,
					  const char *name);
static void	 put_attribute(ReturnSetInfo *rows, const ShownTable *table,
						   List *columns);
static void	 put_column(ReturnSetInfo *rows, const ShownTable *table,
						const ShownColumn *column, List *attributes,
						List *columns);
static char *problem_with_path(const ShownColumn *column, List *attributes);
static void	 put_type(ReturnSetInfo *rows, const ShownTable *table,
					  const ShownColumn *column, List *candidates);
static List *columns_of_label(List *columns, const char *label);
static bool	 fits_any(const ShownColumn *column, List *candidates);
static bool	 fits(const ShownColumn *column, const ColumnDefinition *imported);
static bool	 fits_element(Oid type, const char *imported);
static bool	 is_of(const TypeFit *fit, Oid type);
static const char *type_name(const ColumnDefinition *column);
static char		  *describe(const SchemaAttribute *attribute);
static void		   put_row(ReturnSetInfo *rows, const Difference *difference);

/*
 * SQL function: returns the differences between a foreign table and the live
 * schema, as the current user's key reads it.  Makes one request.
 *
 * New attributes come first, in the API's order.  Columns that no longer fit
 * follow, in the table's order.
 */
Datum
opportunity_fdw_drift(PG_FUNCTION_ARGS)
{
	Oid			   relid = PG_GETARG_OID(0);
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	ShownTable	  *table = shown_table_read(relid);
	int64		   request_total = 0;
	List		  *attributes;
	List		  *columns;
	ListCell	  *cell;

	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_TABLE,
					   get_rel_name(relid));
	InitMaterializedSRF(fcinfo, 0);
	attributes = schema_read(table->settings, &request_total, false);
	columns = columns_of_schema(table->settings->record_type, attributes);

	put_added(rows, table, attributes, columns);
	foreach(cell, table->columns)
	{
		CHECK_FOR_INTERRUPTS();
		put_column(rows, table, lfirst(cell), attributes, columns);
	}
	return (Datum) 0;
}

/* Adds a row for each attribute that no column shows. */
static void
put_added(ReturnSetInfo *rows, const ShownTable *table, List *attributes,
		  List *columns)
{
	List	 *added = NIL;
	List	 *of_one = NIL;
	ListCell *cell;

	foreach(cell, columns)
	{
		ColumnDefinition *column = lfirst(cell);

		CHECK_FOR_INTERRUPTS();
		if (!is_shown(table, attributes, column->source->name))
			added = lappend(added, column);
	}
	columns_make_room(added, table->names);

	foreach(cell, added)
	{
		ColumnDefinition *column = lfirst(cell);

		if (of_one != NIL &&
			((ColumnDefinition *) linitial(of_one))->source != column->source)
		{
			put_attribute(rows, table, of_one);
			of_one = NIL;
		}
		of_one = lappend(of_one, column);
	}
	if (of_one != NIL)
		put_attribute(rows, table, of_one);
}

/* Returns true if a column shows an attribute or an existing key of it. */
static bool
is_shown(const ShownTable *table, List *attributes, const char *name)
{
	ListCell *cell;

	foreach(cell, table->columns)
	{
		const ShownColumn *column = lfirst(cell);

		if (strcmp(column->path->attribute, name) == 0 &&
			problem_with_path(column, attributes) == NULL)
			return true;
	}
	return false;
}

/* Adds the row for an attribute for which IMPORT would make these columns. */
static void
put_attribute(ReturnSetInfo *rows, const ShownTable *table, List *columns)
{
	const ColumnDefinition *first = linitial(columns);
	Difference				difference = {.change = "added"};
	StringInfoData			ddl;
	ListCell			   *cell;

	initStringInfo(&ddl);
	appendStringInfo(&ddl, "ALTER FOREIGN TABLE %s", table->name);
	foreach(cell, columns)
	{
		appendStringInfo(&ddl, "%s ADD COLUMN ",
						 foreach_current_index(cell) == 0 ? "" : ",");
		column_write(&ddl, lfirst(cell));
	}
	appendStringInfoChar(&ddl, ';');

	difference.attribute = schema_text(first->source->name);
	difference.column_name = first->name;
	difference.detail = psprintf("no column shows this attribute (%s)",
								 describe(first->source));
	if (!table->is_partition)
		difference.ddl = ddl.data;
	put_row(rows, &difference);
}

/* Adds a row if a column does not fit the schema. */
static void
put_column(ReturnSetInfo *rows, const ShownTable *table,
		   const ShownColumn *column, List *attributes, List *columns)
{
	Difference difference = {.change = "removed",
							 .attribute = column->label,
							 .column_name = column->name};
	List	  *candidates;

	difference.detail = problem_with_path(column, attributes);
	if (difference.detail == NULL)
	{
		candidates = columns_of_label(columns, column->label);
		if (candidates != NIL && !fits_any(column, candidates))
			put_type(rows, table, column, candidates);
		return;
	}
	if (!column->is_inherited)
		difference.ddl = psprintf("ALTER FOREIGN TABLE %s DROP COLUMN %s;",
								  table->name, quote_identifier(column->name));
	put_row(rows, &difference);
}

/* Returns the reason why a column shows nothing, or NULL if it shows a value. */
static char *
problem_with_path(const ShownColumn *column, List *attributes)
{
	const SchemaAttribute *attribute =
		schema_find(attributes, column->path->attribute);
	const ValueType *type;

	/* Each record has these at its top level, even if the schema omits them. */
	if (attribute == NULL)
		return attribute_is_common(column->path->attribute)
				   ? NULL
				   : pstrdup("the API has no such attribute");
	type = value_type_find(attribute->value_type);
	if (column->path->key != NULL && type != NULL && type->scalar_key == NULL)
		return psprintf("%s has no keys", describe(attribute));
	return NULL;
}

/* Adds the row for a column whose type fits none of the candidates. */
static void
put_type(ReturnSetInfo *rows, const ShownTable *table,
		 const ShownColumn *column, List *candidates)
{
	const ColumnDefinition *best = linitial(candidates);
	Difference				difference = {.change = "type",
										  .attribute = column->label,
										  .column_name = column->name};
	StringInfoData			types;
	ListCell			   *cell;

	initStringInfo(&types);
	foreach(cell, candidates)
	{
		const ColumnDefinition *candidate = lfirst(cell);

		appendStringInfo(&types, "%s%s", types.len > 0 ? " or " : "",
						 type_name(candidate));
		if (!fits_element(column->element, best->type) &&
			fits_element(column->element, candidate->type))
			best = candidate;
	}
	difference.detail = psprintf("column type is %s; %s is imported as %s",
								 format_type_be(column->type),
								 describe(best->source), types.data);
	if (!column->is_inherited)
		difference.ddl = psprintf(
			"ALTER FOREIGN TABLE %s ALTER COLUMN %s TYPE %s;", table->name,
			quote_identifier(column->name), type_name(best));
	put_row(rows, &difference);
}

/* Returns the columns with that attribute path. */
static List *
columns_of_label(List *columns, const char *label)
{
	List	 *found = NIL;
	ListCell *cell;

	foreach(cell, columns)
	{
		if (strcmp(((ColumnDefinition *) lfirst(cell))->attribute, label) == 0)
			found = lappend(found, lfirst(cell));
	}
	return found;
}

static bool
fits_any(const ShownColumn *column, List *candidates)
{
	ListCell *cell;

	foreach(cell, candidates)
	{
		if (fits(column, lfirst(cell)))
			return true;
	}
	return false;
}

/* Returns true if a column can replace one that IMPORT would make. */
static bool
fits(const ShownColumn *column, const ColumnDefinition *imported)
{
	if (!column->is_list &&
		(column->element == JSONOID || column->element == JSONBOID))
		return true;
	return column->is_list == imported->is_list &&
		   fits_element(column->element, imported->type);
}

/*
 * Returns true if a scalar type can replace one that IMPORT declares.  A type that
 * resembles none of these was chosen deliberately, so it fits.
 */
static bool
fits_element(Oid type, const char *imported)
{
	bool is_like_another = false;

	if (type == JSONOID || type == JSONBOID)
		return true;
	for (size_t i = 0; i < lengthof(type_fits); i++)
	{
		if (!is_of(&type_fits[i], type))
			continue;
		if (strcmp(type_fits[i].imported, imported) == 0)
			return true;
		is_like_another = true;
	}
	return !is_like_another && strcmp(imported, "jsonb") != 0;
}

static bool
is_of(const TypeFit *fit, Oid type)
{
	char category;
	bool is_preferred;

	for (size_t i = 0; i < lengthof(fit->types); i++)
	{
		if (fit->types[i] == type)
			return true;
	}
	get_type_category_preferred(type, &category, &is_preferred);
	return strchr(fit->categories, category) != NULL;
}

/* Returns the type that IMPORT declares, in SQL. */
static const char *
type_name(const ColumnDefinition *column)
{
	return column->is_list ? psprintf("%s[]", column->type) : column->type;
}

/* Returns the value type of an attribute, for a detail. */
static char *
describe(const SchemaAttribute *attribute)
{
	return psprintf("%svalue type %s", attribute->is_list ? "list of " : "",
					schema_text(attribute->value_type));
}

static void
put_row(ReturnSetInfo *rows, const Difference *difference)
{
	Name  column_name = palloc0(sizeof(NameData));
	Datum values[DRIFT_COLUMNS] = {0};
	bool  nulls[DRIFT_COLUMNS] = {false};

	strlcpy(NameStr(*column_name), difference->column_name, NAMEDATALEN);
	values[0] = CStringGetTextDatum(difference->change);
	values[1] = CStringGetTextDatum(difference->attribute);
	values[2] = NameGetDatum(column_name);
	values[3] = CStringGetTextDatum(difference->detail);
	nulls[4] = difference->ddl == NULL;
	if (!nulls[4])
		values[4] = CStringGetTextDatum(difference->ddl);
	tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
}
