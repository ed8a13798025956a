/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * row.h
 *	  Makes the rows of a foreign table from records.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ROW_H
#define OPPORTUNITY_ROW_H

#include "postgres.h"

#include "utils/rel.h"

#include "api/record.h"
#include "fetch/statement.h"

/* Conversion of some columns of a foreign table, and its filter of records. */
typedef struct RowReader RowReader;

extern RowReader *row_reader_create(const Settings *settings, Relation relation,
									List *columns, RecordSource *records);
extern bool row_reader_leaves_out(const RowReader *row, const Record *record);
extern void row_reader_read(RowReader *row, const Record *record, Datum *values,
							bool *isnull);

#endif /* OPPORTUNITY_ROW_H */
