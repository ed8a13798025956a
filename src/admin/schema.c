/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * schema.c
 *	  The schema of a record type: its request, IMPORT FOREIGN SCHEMA, and the
 *	  SQL functions that return it as rows.
 *
 * A column's name is the attribute's, or derived from it.  opportunity_fdw_drift
 * compares the rows with the catalog, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/heap.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "admin/admin.h"
#include "api/api_records.h"

/* Name of the only remote schema, which this extension defines. */
#define REMOTE_SCHEMA "reevo"

/* Definition of a column; all strings are in the database's encoding. */
typedef struct ColumnDefinition
{
	char	   *name;
	bool		is_named; /* the name is unique */
	const char *type;
	char	   *path;			  /* value of the option attribute */
	char	   *filter_operators; /* value of the option; NULL: not set */
	const char *sortable;		  /* likewise */
	const SchemaAttribute *source;
} ColumnDefinition;

PG_FUNCTION_INFO_V1(opportunity_fdw_attributes);
PG_FUNCTION_INFO_V1(opportunity_fdw_columns);

extern PGDLLEXPORT Datum opportunity_fdw_handler(PG_FUNCTION_ARGS);

/*
 * Returns true if the server's wrapper has this module's handler.  The wrapper
 * may have another name than the extension's.
 */
static bool
server_is_ours(const ForeignServer *server)
{
	Oid		 handler = GetForeignDataWrapper(server->fdwid)->fdwhandler;
	FmgrInfo info;

	if (!OidIsValid(handler))
		return false;
	fmgr_info(handler, &info);
	return info.fn_addr == opportunity_fdw_handler;
}

/*
 * Returns the server of that name, palloc'd.  Raises an error if there is none,
 * if the current user has no USAGE privilege on it, or if it belongs to another
 * wrapper.
 */
ForeignServer *
server_find(const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, false);
#if PG_VERSION_NUM >= 160000
	AclResult allowed = object_aclcheck(
		ForeignServerRelationId, server->serverid, GetUserId(), ACL_USAGE);
#else
	AclResult allowed =
		pg_foreign_server_aclcheck(server->serverid, GetUserId(), ACL_USAGE);
#endif

	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_FOREIGN_SERVER, server->servername);
	if (!server_is_ours(server))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" does not use foreign-data wrapper "
						"\"opportunity_fdw\"",
						server->servername),
				 errdetail("Its foreign-data wrapper is \"%s\".",
						   GetForeignDataWrapper(server->fdwid)->fdwname)));
	return server;
}

/*
 * Returns the attributes of a table's records, which the current user may read:
 * a list of SchemaAttributes in the current context.  Makes one request, and
 * adds it to *request_total, which must live as long as the current context.
 * Raises the errors of api_finish_schema.
 */
static List *
schema_read(const Settings *settings, int64 *request_total, bool for_import)
{
	MemoryContext context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw schema", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	HttpBudget	 *budget = palloc0(sizeof(HttpBudget));
	Credentials	 *credentials = credentials_read(settings, GetUserId());
	Api			 *api = api_open(settings, credentials, NULL);
	List		 *attributes;

	budget->limit = settings->max_requests;
	budget->total = request_total;
	MemoryContextSwitchTo(old_context);
	attributes =
		api_finish_schema(api, api_ask_schema(api, budget), for_import);
	MemoryContextDelete(context);
	return attributes;
}

/*
 * Columns for the parts of a select's or a stage's value.  Their names begin with the
 * attribute's name without a trailing _id.
 */
static const struct
{
	const char *suffix;
	const char *type;
	const char *key; /* NULL: implied by the type */
	bool		stage_only;
} select_columns[] = {
	{"", "text", NULL, false},
	{"_id", "uuid", NULL, false},
	{"_api_name", "text", "api_name", false},
	{"_color", "text", "color", false},
	{"_closing_probability", "numeric", "closing_probability", true},
	{"_expected_days", "integer", "expected_days", true},
};

/* Returns a string of the schema in the database's encoding. */
static char *
schema_text(char *text)
{
	return pg_any_to_server(text, strlen(text), PG_UTF8);
}

/* Returns the list with one more column of an attribute. */
static List *
add_column(List *columns, const SchemaAttribute *attribute, char *name,
		   const char *type, char *path)
{
	ColumnDefinition *column = palloc0(sizeof(ColumnDefinition));

	column->name = name;
	column->type = attribute->is_list ? psprintf("%s[]", type) : type;
	column->path = path;
	column->source = attribute;
	return lappend(columns, column);
}

/*
 * Returns the list with the columns of an attribute, unless it has them already.
 * A name that contains a dot or is a star has another meaning in the option
 * attribute, so it gets none, with a warning.
 */
static List *
add_columns(List *columns, const SchemaAttribute *attribute)
{
	const ValueType *type = value_type_find(attribute->value_type);
	char			*name = schema_text(attribute->name);
	int				 length = strlen(name);
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
	if (type == NULL || !type->is_select)
		return add_column(columns, attribute, name,
						  type != NULL ? type->column_type : "jsonb", name);

	if (length > 3 && strcmp(name + length - 3, "_id") == 0)
		length -= 3;
	for (size_t i = 0; i < lengthof(select_columns); i++)
	{
		const char *key = select_columns[i].key;

		if (!select_columns[i].stage_only ||
			strcmp(attribute->value_type, "opportunity_stage") == 0)
			columns = add_column(
				columns, attribute,
				psprintf("%.*s%s", length, name, select_columns[i].suffix),
				select_columns[i].type,
				key == NULL ? name : psprintf("%s.%s", name, key));
	}
	return columns;
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
	int			   operators = 0;
	int			   known = type != NULL ? type->operators : 0;
	ListCell	  *cell;
	StringInfoData names;

	/*
	 * Conditions on other columns are never pushed down: not on a list, a key
	 * of a value, or the display value of a select.
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
	{
		initStringInfo(&names);
		for (int i = 0; i <= OPERATOR_NOT_EXISTS; i++)
		{
			if ((operators & OPERATOR_BIT(i)) != 0)
				appendStringInfo(&names, "%s%s", names.len > 0 ? "," : "",
								 remote_operator_name(i));
		}
		column->filter_operators = names.data;
	}
	if (documented == NULL && type->is_sortable && attribute->is_sortable)
		column->sortable = "true";
	else if (documented != NULL && !attribute->is_sortable &&
			 (type->is_sortable || strcmp(attribute->name, "id") == 0))
		column->sortable = "false";
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
 * Makes the columns' names unique, different from names, a list of String, and
 * from the names of system columns, and not too long.
 *
 * Columns that have been named before, and the attributes' own names, have
 * priority.  The others get the lowest free number, in the order of the
 * attributes' names, so that the order of the schema does not matter.
 */
static void
assign_names(List *columns, List *names)
{
	List	 *others = NIL;
	ListCell *cell;

	foreach(cell, columns)
	{
		ColumnDefinition *column = lfirst(cell);
		bool			  is_valid =
			column->is_named || (strcmp(column->name, column->path) == 0 &&
								 strlen(column->name) < NAMEDATALEN &&
								 SystemAttributeByName(column->name) == NULL);

		CHECK_FOR_INTERRUPTS();
		if (is_valid && !list_member(names, makeString(column->name)))
			names = lappend(names, makeString(column->name));
		else
			others = lappend(others, column);
		column->is_named = true;
	}
	list_sort(others, compare_paths);
	foreach(cell, others)
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

/*
 * Returns ColumnDefinitions for a list of SchemaAttributes, in their order.
 * record_type NULL: they are documented, so that the defaults of the options for
 * filters and sorts fit.
 */
static List *
columns_of_schema(const char *record_type, List *attributes)
{
	List	 *columns = NIL;
	ListCell *cell;

	foreach(cell, attributes)
	{
		CHECK_FOR_INTERRUPTS();
		columns = add_columns(columns, lfirst(cell));
	}
	if (record_type != NULL)
	{
		foreach(cell, columns)
			add_options(lfirst(cell), record_type);
	}
	assign_names(columns, NIL);
	return columns;
}

/* Returns ColumnDefinitions for the documented attributes of an opportunity. */
static List *
columns_of_documentation(void)
{
	List *attributes = NIL;

	for (int i = 0; i < documented_attribute_count; i++)
	{
		SchemaAttribute *attribute = palloc0(sizeof(SchemaAttribute));

		attribute->name = (char *) documented_attributes[i].name;
		attribute->value_type = (char *) documented_attributes[i].value_type;
		attribute->is_list = documented_attributes[i].is_list;
		attributes = lappend(attributes, attribute);
	}
	return columns_of_schema(NULL, attributes);
}

static void
write_option(StringInfo options, const char *name, const char *value)
{
	if (value != NULL)
		appendStringInfo(options, "%s%s %s", options->len > 0 ? ", " : "", name,
						 quote_literal_cstr(value));
}

/*
 * Returns a column's definition in the form of CREATE FOREIGN TABLE.  Each record
 * has an id.
 */
static char *
column_definition(const ColumnDefinition *column)
{
	const char *name = quote_identifier(column->name);
	const char *constraint =
		strcmp(column->path, ID_FIELD) == 0 ? " NOT NULL" : "";
	StringInfoData options;

	initStringInfo(&options);
	if (strcmp(column->name, column->path) != 0)
		write_option(&options, "attribute", column->path);
	write_option(&options, "filter_operators", column->filter_operators);
	write_option(&options, "sortable", column->sortable);
	if (options.len == 0)
		return psprintf("%s %s%s", name, column->type, constraint);
	return psprintf("%s %s OPTIONS (%s)%s", name, column->type, options.data,
					constraint);
}

/* Returns the record types to import; EXCEPT can only exclude opportunities. */
static List *
wanted_record_types(const ImportForeignSchemaStmt *statement)
{
	List	 *types = NIL;
	ListCell *cell;

	foreach(cell, statement->table_list)
	{
		char *name = lfirst_node(RangeVar, cell)->relname;

		if (statement->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO)
			types = lappend(types, name);
		else if (strcmp(name, OPTION_DEFAULT_RECORD_TYPE) == 0)
			return NIL;
	}
	return types != NIL ? types : list_make1(OPTION_DEFAULT_RECORD_TYPE);
}

/* Returns the CREATE FOREIGN TABLE command for a record type. */
static char *
table_command(const ImportForeignSchemaStmt *statement, const char *record_type,
			  List *columns)
{
	StringInfoData command;
	ListCell	  *cell;

	initStringInfo(&command);
	appendStringInfo(&command, "CREATE FOREIGN TABLE %s (",
					 quote_identifier(record_type));
	foreach(cell, columns)
		appendStringInfo(&command, "%s\n  %s",
						 foreach_current_index(cell) == 0 ? "" : ",",
						 column_definition(lfirst(cell)));
	appendStringInfo(&command, "\n) SERVER %s",
					 quote_identifier(statement->server_name));
	if (strcmp(record_type, OPTION_DEFAULT_RECORD_TYPE) != 0)
		appendStringInfo(&command, " OPTIONS (record_type %s)",
						 quote_literal_cstr(record_type));
	return command.data;
}

/*
 * FDW callback: returns CREATE FOREIGN TABLE commands for the record types that
 * LIMIT TO names, or for opportunities.  Makes one request per record type,
 * unless the option discover is false.  Raises an error for another remote
 * schema, and the errors of schema_read.
 */
List *
import_schema(ImportForeignSchemaStmt *statement, Oid serverid)
{
	List	 *commands = NIL;
	int64	 *request_total = palloc0(sizeof(int64));
	ListCell *cell;

	if (strcmp(statement->remote_schema, REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("remote schema \"%s\" does not exist",
						statement->remote_schema),
				 errhint("The only remote schema is \"%s\".", REMOTE_SCHEMA)));
	if (!import_option_discover(statement->options))
		return list_make1(table_command(statement, OPTION_DEFAULT_RECORD_TYPE,
										columns_of_documentation()));

	foreach(cell, wanted_record_types(statement))
	{
		char *record_type = lfirst(cell);
		List *attributes = schema_read(
			settings_read_server(serverid, record_type), request_total, true);

		commands =
			lappend(commands,
					table_command(statement, record_type,
								  columns_of_schema(record_type, attributes)));
	}
	return commands;
}

/* Returns a string of the schema as text; NULL is NULL. */
static Datum
schema_datum(char *text, bool *isnull)
{
	*isnull = text == NULL;
	return *isnull ? (Datum) 0 : CStringGetTextDatum(schema_text(text));
}

/* Returns a text array of names in UTF-8; empty if the API filters by none. */
static Datum
operator_array(List *operators)
{
	Datum	 *names = palloc(list_length(operators) * sizeof(Datum));
	ListCell *cell;

	foreach(cell, operators)
		names[foreach_current_index(cell)] =
			CStringGetTextDatum(schema_text(lfirst(cell)));
	return PointerGetDatum(construct_array(names, list_length(operators),
										   TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * SQL function: returns a row for each attribute of a record type, in the API's
 * order, as the current user's key reads them.  Makes one request.  Raises the
 * errors of server_find, settings_read_server and schema_read.
 */
Datum
opportunity_fdw_attributes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	ForeignServer *server = server_find(NameStr(*PG_GETARG_NAME(0)));
	Settings	  *settings = settings_read_server(
			 server->serverid, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	ListCell *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, schema_read(settings, palloc0(sizeof(int64)), false))
	{
		const SchemaAttribute *attribute = lfirst(cell);
		bool				   nulls[8] = {false};
		Datum values[] = {schema_datum(attribute->name, &nulls[0]),
						  schema_datum(attribute->value_type, &nulls[1]),
						  BoolGetDatum(attribute->is_list),
						  BoolGetDatum(attribute->is_custom),
						  BoolGetDatum(attribute->is_sortable),
						  operator_array(attribute->operators),
						  schema_datum(attribute->display_name, &nulls[6]),
						  schema_datum(attribute->description, &nulls[7])};

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * Returns the names of a foreign table's columns, a list of String, and locks it
 * until the end of the transaction.  Raises an error for another relation, or if
 * the current user may not read it.
 */
static List *
table_column_names(Oid relid)
{
	Relation  relation = relation_open(relid, AccessShareLock);
	TupleDesc tupdesc = RelationGetDescr(relation);
	List	 *names = NIL;

	if (relation->rd_rel->relkind != RELKIND_FOREIGN_TABLE ||
		!server_is_ours(GetForeignServer(GetForeignServerIdByRelId(relid))))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a foreign table of opportunity_fdw",
						RelationGetRelationName(relation)),
				 errhint("Specify a foreign table of a server that uses "
						 "opportunity_fdw.")));
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FOREIGN_TABLE,
					   RelationGetRelationName(relation));
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (!attribute->attisdropped)
			names = lappend(names,
							makeString(pstrdup(NameStr(attribute->attname))));
	}
	relation_close(relation, NoLock);
	return names;
}

/*
 * SQL function: returns a row for each column that IMPORT would make for a
 * foreign table, in the order of the API's attributes.  The names are free in
 * the table.  Makes one request with the current user's key.  Raises the errors
 * of table_column_names and schema_read.
 */
Datum
opportunity_fdw_columns(PG_FUNCTION_ARGS)
{
	Oid			   relid = PG_GETARG_OID(0);
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	List		  *names = table_column_names(relid);
	Settings	  *settings = settings_read(relid);
	List		  *columns;
	ListCell	  *cell;

	InitMaterializedSRF(fcinfo, 0);
	columns =
		columns_of_schema(settings->record_type,
						  schema_read(settings, palloc0(sizeof(int64)), false));
	assign_names(columns, names);
	foreach(cell, columns)
	{
		const ColumnDefinition *column = lfirst(cell);
		const SchemaAttribute  *source = column->source;
		const ValueType		   *type = value_type_find(source->value_type);
		bool					nulls[8] = {false};
		Datum					values[] = {
							  schema_datum(source->name, &nulls[0]),
							  schema_datum(source->value_type, &nulls[1]),
							  BoolGetDatum(source->is_list),
							  BoolGetDatum(type == NULL || type->scalar_key != NULL),
							  CStringGetTextDatum(column->path),
							  DirectFunctionCall1(namein, CStringGetDatum(column->name)),
							  CStringGetTextDatum(column->type),
							  CStringGetTextDatum(column_definition(column))};

		CHECK_FOR_INTERRUPTS();
		tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
	}
	return (Datum) 0;
}
