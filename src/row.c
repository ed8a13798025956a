/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * row.c
 *	  Makes the rows of a foreign table from records.
 *
 * Knows nothing of where the records come from, nor of the executor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "id.h"
#include "redact.h"
#include "row.h"
#include "value.h"

struct RowReader
{
	int			   natts;
	int			   column_count;
	ColumnReader **columns;
	int			   archived_at; /* its number, where archived records are left
								 * out; else -1 */
	const char	  *secret;		/* the API key; NULL: none */
};

pg_noreturn static void rethrow_redacted(const char *secret);

/*
 * A reader, in the current context, that fills the columns of the given numbers,
 * an integer list.  Made before the first record is read: the attributes that it
 * needs are wanted from then on.  Raises an error for a column that cannot be.
 */
RowReader *
row_reader_create(const Settings *settings, Relation relation, List *columns,
				  RecordCache *cache)
{
	RowReader *reader = palloc0(sizeof(RowReader));
	ListCell  *cell;

	reader->secret = api_secret(record_cache_api(cache));
	reader->natts = RelationGetNumberOfAttributes(relation);
	reader->columns =
		palloc(Max(list_length(columns), 1) * sizeof(ColumnReader *));
	foreach(cell, columns)
		reader->columns[reader->column_count++] = column_reader_create(
			settings, RelationGetDescr(relation), lfirst_int(cell),
			RelationGetRelationName(relation), reader->secret,
			record_cache_wanted(cache), record_cache_warned_columns(cache));
	reader->archived_at =
		settings->include_archived
			? -1
			: attribute_set_add(record_cache_wanted(cache), "archived_at");
	return reader;
}

/* Whether the table leaves a record out because it is archived. */
bool
row_reader_leaves_out(const RowReader *reader, const Record *record)
{
	return reader->archived_at >= 0 &&
		   record_has_value(&record->attributes[reader->archived_at]);
}

/*
 * The values of a row, in the current context; columns that are not filled are
 * NULL.  Raises an error for a value that does not fit, which never shows the
 * API key, even if the API repeats the key in a value.
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
		{
			int column = column_reader_attnum(reader->columns[i]) - 1;

			values[column] = column_reader_read(reader->columns[i], record,
												record_id, &isnull[column]);
		}
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

/*
 * Raises the error that was caught again, without the API key: input functions,
 * and the functions of a domain's conditions, show values as they like.
 */
static void
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
