/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * attributes.c
 *	  opportunity_fdw_attributes: the live schema of a record type as rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "admin/schema.h"
#include "admin/server.h"

#define ATTRIBUTES_COLUMNS 8

PG_FUNCTION_INFO_V1(opportunity_fdw_attributes);

static void	 put_row(ReturnSetInfo *rows, const SchemaAttribute *attribute);
static Datum operator_array(List *operators);

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
		CHECK_FOR_INTERRUPTS();
		put_row(rows, lfirst(cell));
	}
	return (Datum) 0;
}

static void
put_row(ReturnSetInfo *rows, const SchemaAttribute *attribute)
{
	const char *texts[ATTRIBUTES_COLUMNS] = {
		[0] = attribute->name,
		[1] = attribute->value_type,
		[6] = attribute->display_name,
		[7] = attribute->description,
	};
	Datum values[ATTRIBUTES_COLUMNS] = {0};
	bool  nulls[ATTRIBUTES_COLUMNS] = {false};

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

/* Returns a text array of the names; empty if the API filters by none. */
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
