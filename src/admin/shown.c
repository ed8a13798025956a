/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * shown.c
 *	  The columns of a foreign table and the attributes that they show, for
 *	  functions that take a table and do not scan it.
 *
 * Makes no request.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "admin/server.h"
#include "admin/shown.h"

static ShownColumn *read_column(const Settings	 *settings,
								Form_pg_attribute attribute);

/*
 * Returns a foreign table's columns, palloc'd, and holds AccessShareLock until
 * the end of the transaction.  Raises an error if the relation is not a foreign
 * table of this wrapper.  The caller checks the user's privileges.
 */
ShownTable *
shown_table_read(Oid relid)
{
	Relation	relation = relation_open(relid, AccessShareLock);
	TupleDesc	tupdesc = RelationGetDescr(relation);
	ShownTable *table = palloc0(sizeof(ShownTable));

	if (relation->rd_rel->relkind != RELKIND_FOREIGN_TABLE ||
		!server_is_ours(GetForeignServer(GetForeignServerIdByRelId(relid))))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a foreign table of opportunity_fdw",
						RelationGetRelationName(relation)),
				 errhint("Name a foreign table that IMPORT FOREIGN SCHEMA or "
						 "CREATE FOREIGN TABLE made for a server of "
						 "opportunity_fdw.")));

	table->name = quote_qualified_identifier(
		get_namespace_name(RelationGetNamespace(relation)),
		RelationGetRelationName(relation));
	table->is_partition = relation->rd_rel->relispartition;
	table->settings = settings_read(relid);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		ShownColumn		 *column;

		if (attribute->attisdropped)
			continue;
		table->names =
			lappend(table->names, pstrdup(NameStr(attribute->attname)));
		if (attribute->attgenerated != '\0')
			continue;
		column = read_column(table->settings, attribute);
		if (!column->path->is_record)
			table->columns = lappend(table->columns, column);
	}
	relation_close(relation, NoLock);
	return table;
}

static ShownColumn *
read_column(const Settings *settings, Form_pg_attribute attribute)
{
	ColumnSettings *options = column_settings_read(settings, attribute->attnum);
	ShownColumn	   *column = palloc(sizeof(ShownColumn));
	Oid				base_type = getBaseType(attribute->atttypid);
	Oid				element_type = get_element_type(base_type);

	column->attnum = attribute->attnum;
	column->name = pstrdup(NameStr(attribute->attname));
	column->type = attribute->atttypid;
	column->is_list = OidIsValid(element_type);
	column->element = column->is_list ? getBaseType(element_type) : base_type;
	column->is_inherited = attribute->attinhcount > 0;
	column->label =
		options->attribute != NULL ? options->attribute : column->name;
	column->path = attribute_path_read(options, column->name);
	return column;
}
