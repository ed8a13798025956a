/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * value.h
 *	  Converts the values of a record to the columns of a row.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_VALUE_H
#define OPPORTUNITY_VALUE_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "nodes/pg_list.h"

#include "api/record.h"
#include "option/option.h"

/* Conversion of one column of a foreign table. */
typedef struct ColumnReader ColumnReader;

extern ColumnReader *column_reader_create(const Settings *settings,
										  TupleDesc tupdesc, AttrNumber attnum,
										  const char   *table_name,
										  const char   *secret,
										  AttributeSet *wanted,
										  List		  **warned_columns);
extern void column_reader_read(ColumnReader *reader, const Record *record,
							   const char *record_id, Datum *values,
							   bool *isnull);

#endif /* OPPORTUNITY_VALUE_H */
