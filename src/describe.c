/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * describe.c
 *	  opportunity_fdw_describe: the live schema's descriptions as comments on a
 *	  foreign table's columns.
 *
 * The comments are made by COMMENT, so that whatever holds for that command
 * holds here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "schema.h"
#include "shown.h"

PG_FUNCTION_INFO_V1(opportunity_fdw_describe);

static char		  *comment_for(const ShownColumn	 *column,
							   const SchemaAttribute *attribute);
static const char *part_of(const ShownColumn	 *column,
						   const SchemaAttribute *attribute);
static bool		   has_comment(Oid relid, const ShownColumn *column,
							   const char *comment);
static void		   run(List *commands);

/*
 * SQL function: comments on each column that shows an attribute of which the API
 * says what it is.  Makes one request.
 */
Datum
opportunity_fdw_describe(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	ShownTable *table = shown_table_read(relid);
	int64		request_total = 0;
	List	   *commands = NIL;
	List	   *attributes;
	ListCell   *cell;

	/* COMMENT would say so as well, but when the request is spent. */
	if (!compat_owns_relation(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_FOREIGN_TABLE,
					   get_rel_name(relid));
	PreventCommandIfReadOnly("opportunity_fdw_describe()");

	attributes = schema_read(table->settings, &request_total, false);
	foreach(cell, table->columns)
	{
		const ShownColumn	  *column = lfirst(cell);
		const SchemaAttribute *attribute =
			schema_find(attributes, column->path->attribute);
		char *comment =
			attribute == NULL ? NULL : comment_for(column, attribute);

		if (comment != NULL && !has_comment(relid, column, comment))
			commands = lappend(
				commands, psprintf("COMMENT ON COLUMN %s.%s IS %s", table->name,
								   quote_identifier(column->name),
								   quote_literal_cstr(comment)));
	}
	run(commands);
	PG_RETURN_VOID();
}

/*
 * "Display name: description", or what there is of that, or NULL.  A column that
 * shows a part says which after the name.
 */
static char *
comment_for(const ShownColumn *column, const SchemaAttribute *attribute)
{
	const char	  *name = attribute->display_name;
	const char	  *description = attribute->description;
	const char	  *part = part_of(column, attribute);
	StringInfoData comment;

	if (name != NULL && name[0] == '\0')
		name = NULL;
	if (description != NULL && description[0] == '\0')
		description = NULL;
	if (name == NULL && description == NULL)
		return NULL;
	if (name == NULL && part != NULL)
		name = attribute->name;

	initStringInfo(&comment);
	if (name != NULL)
		appendStringInfoString(&comment, name);
	if (part != NULL)
		appendStringInfo(&comment, " (%s)", part);
	if (description != NULL)
		appendStringInfo(&comment, "%s%s", comment.len > 0 ? ": " : "",
						 description);
	return schema_text(comment.data);
}

/*
 * Which part of an attribute a column shows, or NULL: the whole, or what stands
 * for it.
 */
static const char *
part_of(const ShownColumn *column, const SchemaAttribute *attribute)
{
	const ValueType *type = value_type_find(attribute->value_type);

	if (column->path->key != NULL)
		return column->path->key;
	return type != NULL && type->uuid_key != NULL && column->element == UUIDOID
			   ? type->uuid_key
			   : NULL;
}

/* Whether a column has that very comment already. */
static bool
has_comment(Oid relid, const ShownColumn *column, const char *comment)
{
	char *present = GetComment(relid, RelationRelationId, column->attnum);

	return present != NULL && strcmp(present, comment) == 0;
}

static void
run(List *commands)
{
	ListCell *cell;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	foreach(cell, commands)
	{
		if (SPI_execute(lfirst(cell), false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "SPI_execute failed: %s", (char *) lfirst(cell));
	}
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
}
