/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * created_at.h
 *	  The creation time of records: filters, and values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_CREATED_AT_H
#define OPPORTUNITY_CREATED_AT_H

#include "postgres.h"

#include "api/api.h"
#include "api/record.h"
#include "api/remote_filter.h"
#include "option/attribute.h"
#include "option/option.h"

/* Seconds by which a query for records from a time on begins earlier. */
#define CREATED_AT_MARGIN 1

/* Features of queries that the API may refuse. */
extern const RemoteUse created_at_sort;
extern const RemoteUse created_at_from;
extern const RemoteUse created_at_absence;

extern bool		   created_at_is_allowed(const ColumnSettings *column,
										 const AttributePath  *path);
extern bool		   created_at_is_refused(const Api *api, bool or_its_absence);
extern List		  *created_at_filters(RemoteOperator operation, int64 seconds);
extern List		  *created_at_filters_at(const char *text);
extern const char *created_at_text(const Record *record, int number);
extern bool created_at_read(const Record *record, int number, int64 *seconds);

#endif /* OPPORTUNITY_CREATED_AT_H */
