/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * row.c
 *	  Makes the rows of a foreign table from records.
 *
 * Must not know the origin of records, or the executor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/id.h"
#include "base/redact.h"
#include "exec/row.h"
#include "exec/value.h"

struct RowReader
{
	int			   natts;
	int			   column_count;
	ColumnReader **columns;
	int			   archived_at; /* attribute number; -1: no filter */
	const char	  *secret;		/* the API key; NULL: none */
};

/*
 * Returns a reader of the given columns, an integer list of numbers, in the
 * current memory context.  It must be created before the first record is read,
 * because it adds its attributes to the wanted ones.  Raises an error for a
 * column that can never be filled.
 */
RowReader *
row_reader_create(const Settings *settings, Relation relation, List *columns,
				  RecordSource *records)
{
	RowReader *reader = palloc0(sizeof(RowReader));
	ListCell  *cell;

	reader->secret = records->api->credentials->api_key;
	reader->natts = RelationGetNumberOfAttributes(relation);
	reader->columns = palloc(list_length(columns) * sizeof(ColumnReader *));
	foreach(cell, columns)
		reader->columns[reader->column_count++] = column_reader_create(
			settings, RelationGetDescr(relation), lfirst_int(cell),
			RelationGetRelationName(relation), reader->secret, records->wanted,
			&records->statement->warned_columns);
	reader->archived_at =
		settings->include_archived
			? -1
			: attribute_set_add(records->wanted, "archived_at");
	return reader;
}

/* Returns true if the table excludes a record because it is archived. */
bool
row_reader_leaves_out(const RowReader *reader, const Record *record)
{
	return reader->archived_at >= 0 &&
		   record_has_value(&record->attributes[reader->archived_at]);
}

/*
 * Raises the caught error again, without the API key, because the messages of
 * input functions and domain constraints may contain values.
 */
pg_noreturn static void
rethrow_redacted(const char *secret)
{
	ErrorData *error = CopyErrorData();
	char	 **texts[] = {&error->message, &error->detail,	&error->detail_log,
						  &error->hint,	   &error->context, &error->internalquery};

	FlushErrorState();
	for (size_t i = 0; i < lengthof(texts); i++)
	{
		if (*texts[i] != NULL)
			*texts[i] = redact_text(secret, *texts[i]);
	}
	ReThrowError(error);
}

/*
 * Sets the values of a row, in the current memory context; columns without a
 * reader are NULL.  Raises an error for a value that does not fit.  The error
 * never shows the API key, even if the API returns it in a value.
 */
void
row_reader_read(const RowReader *reader, const Record *record,
				const pg_uuid_t *id, Datum *values, bool *isnull)
{
	MemoryContext context = CurrentMemoryContext;
	char		 *record_id = id_text(id);

	memset(isnull, true, reader->natts * sizeof(bool));
	PG_TRY();
	{
		for (int i = 0; i < reader->column_count; i++)
			column_reader_read(reader->columns[i], record, record_id, values,
							   isnull);
	}
	PG_CATCH();
	{
		if (reader->secret == NULL)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		rethrow_redacted(reader->secret);
	}
	PG_END_TRY();
}
