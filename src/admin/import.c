/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * import.c
 *	  IMPORT FOREIGN SCHEMA: writes CREATE FOREIGN TABLE commands from the
 *	  API's schema or from the documented attributes.
 *
 * Columns are columns.c's, and the request is schema.c's.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"

#include "admin/columns.h"
#include "admin/import.h"
#include "admin/schema.h"
#include "option/option.h"

/* Name of the only remote schema, which this extension defines. */
#define REMOTE_SCHEMA "reevo"

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
