/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * schema.c
 *	  The schema of a record type: its request, IMPORT FOREIGN SCHEMA, and the
 *	  SQL functions that return it as rows.
 *
 * opportunity_fdw_drift compares these rows with the catalog, in SQL.  Columns
 * are columns.c's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "admin/columns.h"
#include "admin/schema.h"
#include "option/option.h"

/* Name of the only remote schema, which this extension defines. */
#define REMOTE_SCHEMA "reevo"

#define ATTRIBUTES_COLUMNS 8
#define COLUMNS_COLUMNS 8

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
 * adds it to *request_total.  Raises the errors of api_read_schema.
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

	/* The transfer points to both, and may outlive this function's frame. */
	budget->limit = settings->max_requests;
	budget->total = palloc(sizeof(int64));
	*budget->total = *request_total;
	MemoryContextSwitchTo(old_context);
	attributes = api_read_schema(api, budget, for_import);
	*request_total = *budget->total;
	MemoryContextDelete(context);
	return attributes;
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
	bool	  discover = import_option_discover(statement->options);
	List	 *commands = NIL;
	int64	  request_total = 0;
	ListCell *cell;

	if (strcmp(statement->remote_schema, REMOTE_SCHEMA) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("remote schema \"%s\" does not exist",
						statement->remote_schema),
				 errhint("The only remote schema is \"%s\".", REMOTE_SCHEMA)));
	if (!discover)
		return list_make1(table_command(statement, OPTION_DEFAULT_RECORD_TYPE,
										columns_of_documentation()));

	foreach(cell, wanted_record_types(statement))
	{
		char *record_type = lfirst(cell);
		List *attributes = schema_read(
			settings_read_server(serverid, record_type), &request_total, true);

		commands =
			lappend(commands,
					table_command(statement, record_type,
								  columns_of_schema(record_type, attributes)));
	}
	return commands;
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
	int64	  request_total = 0;
	ListCell *cell;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, schema_read(settings, &request_total, false))
	{
		const SchemaAttribute *attribute = lfirst(cell);
		const char			  *texts[ATTRIBUTES_COLUMNS] = {NULL};
		Datum				   values[ATTRIBUTES_COLUMNS] = {0};
		bool				   nulls[ATTRIBUTES_COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		texts[0] = attribute->name;
		texts[1] = attribute->value_type;
		texts[6] = attribute->display_name;
		texts[7] = attribute->description;
		for (int i = 0; i < ATTRIBUTES_COLUMNS; i++)
		{
			nulls[i] = texts[i] == NULL;
			if (!nulls[i])
				values[i] = CStringGetTextDatum(schema_text(texts[i]));
		}
		values[2] = BoolGetDatum(attribute->is_list);
		values[3] = BoolGetDatum(attribute->is_custom);
		values[4] = BoolGetDatum(attribute->is_sortable);
		values[5] = operator_array(attribute->operators);
		nulls[2] = nulls[3] = nulls[4] = nulls[5] = false;
		tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/*
 * Returns the names of a foreign table's columns, a list of String, and holds
 * AccessShareLock until the end of the transaction.  Raises an error if the
 * relation is not a foreign table of this wrapper, or if the current user may not
 * read it.
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
 * foreign table, in the order of the API's attributes.  The names are free in the
 * table.  Makes one request with the current user's key.  Raises the errors of
 * table_column_names and schema_read.
 */
Datum
opportunity_fdw_columns(PG_FUNCTION_ARGS)
{
	Oid			   relid = PG_GETARG_OID(0);
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	List		  *names = table_column_names(relid);
	Settings	  *settings = settings_read(relid);
	int64		   request_total = 0;
	List		  *columns;
	ListCell	  *cell;

	InitMaterializedSRF(fcinfo, 0);
	columns = columns_of_schema(settings->record_type,
								schema_read(settings, &request_total, false));
	columns_make_room(columns, names);
	foreach(cell, columns)
	{
		const ColumnDefinition *column = lfirst(cell);
		const SchemaAttribute  *source = column->source;
		const ValueType		   *type = value_type_find(source->value_type);
		Datum					values[COLUMNS_COLUMNS];
		bool					nulls[COLUMNS_COLUMNS] = {false};

		CHECK_FOR_INTERRUPTS();
		values[0] = CStringGetTextDatum(schema_text(source->name));
		values[1] = CStringGetTextDatum(schema_text(source->value_type));
		values[2] = BoolGetDatum(source->is_list);
		values[3] = BoolGetDatum(type == NULL || type->scalar_key != NULL);
		values[4] = CStringGetTextDatum(column->path);
		values[5] = DirectFunctionCall1(namein, CStringGetDatum(column->name));
		values[6] = CStringGetTextDatum(column->type);
		values[7] = CStringGetTextDatum(column_definition(column));
		tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
	}
	return (Datum) 0;
}
