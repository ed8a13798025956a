/*-------------------------------------------------------------------------
 *
 * import.c
 *	  IMPORT FOREIGN SCHEMA: the documented attributes as a foreign table.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "attribute.h"
#include "import.h"
#include "option.h"

/* The one schema that the API is taken to have. */
#define REMOTE_SCHEMA "reevo"

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

static void append_columns(StringInfo				  target,
						   const DocumentedAttribute *attribute);
static void append_select_columns(StringInfo				 target,
								  const DocumentedAttribute *attribute);
static void append_column(StringInfo target, const char *name, const char *type,
						  bool is_list, const char *attribute);

/*
 * FDW callback: the CREATE FOREIGN TABLE commands that make the schema's
 * tables.  PostgreSQL itself applies LIMIT TO and EXCEPT to them.  Makes no
 * request.
 */
List *
import_schema(ImportForeignSchemaStmt *statement, Oid serverid)
{
	ImportSettings *settings = import_settings_read(statement->options);
	StringInfoData	command;

	(void) serverid;
	if (strcmp(statement->remote_schema, REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("remote schema \"%s\" does not exist",
						statement->remote_schema),
				 errhint("The only remote schema is \"%s\".", REMOTE_SCHEMA)));
	if (settings->discover)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the columns cannot be asked for yet"),
				 errhint("Import the documented columns with OPTIONS (discover "
						 "'false'), and add a workspace's own by hand.")));

	initStringInfo(&command);
	appendStringInfo(&command, "CREATE FOREIGN TABLE %s (",
					 OPTION_DEFAULT_RECORD_TYPE);
	for (int i = 0; i < documented_attribute_count; i++)
		append_columns(&command, &documented_attributes[i]);
	command.data[command.len - 1] = '\n'; /* the last comma */
	appendStringInfo(&command, ") SERVER %s",
					 quote_identifier(statement->server_name));
	return list_make1(command.data);
}

/* The columns of one attribute, each with a comma behind it. */
static void
append_columns(StringInfo target, const DocumentedAttribute *attribute)
{
	const ValueType *type = value_type_find(attribute->value_type);

	if (type != NULL && type->is_select)
		append_select_columns(target, attribute);
	else
		append_column(target, attribute->name,
					  type != NULL ? type->column_type : "jsonb",
					  attribute->is_list, attribute->name);
}

/*
 * The columns of a select or a stage are named after the attribute, less a
 * trailing _id.
 */
static void
append_select_columns(StringInfo target, const DocumentedAttribute *attribute)
{
	bool   is_stage = strcmp(attribute->value_type, "opportunity_stage") == 0;
	size_t length = strlen(attribute->name);
	char  *base;

	if (length > 3 && strcmp(attribute->name + length - 3, "_id") == 0)
		length -= 3;
	base = pnstrdup(attribute->name, length);

	for (size_t i = 0; i < lengthof(select_columns); i++)
	{
		const SelectColumn *column = &select_columns[i];

		if (column->stage_only && !is_stage)
			continue;
		append_column(target, psprintf("%s%s", base, column->suffix),
					  column->type, attribute->is_list,
					  column->key == NULL
						  ? attribute->name
						  : psprintf("%s.%s", attribute->name, column->key));
	}
}

static void
append_column(StringInfo target, const char *name, const char *type,
			  bool is_list, const char *attribute)
{
	appendStringInfo(target, "\n  %s %s%s", quote_identifier(name), type,
					 is_list ? "[]" : "");
	if (strcmp(name, attribute) != 0)
		appendStringInfo(target, " OPTIONS (attribute %s)",
						 quote_literal_cstr(attribute));
	appendStringInfoChar(target, ',');
}
