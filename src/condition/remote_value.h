/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * remote_value.h
 *	  SQL values as the JSON of a filter's value.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_REMOTE_VALUE_H
#define OPPORTUNITY_REMOTE_VALUE_H

#include "postgres.h"

#include "condition/remote_column.h"

/* Value of an ordered kind; the member of the other kinds is 0. */
typedef struct RemoteBound
{
	int64  time; /* microseconds of a timestamp, or days of a date */
	double number;
} RemoteBound;

/* Direction in which a bound is moved. */
typedef enum BoundDirection
{
	BOUND_DOWN = -1,
	BOUND_UP = 1
} BoundDirection;

extern char *remote_value_text(Datum value, Oid type);
extern char *remote_text_json(const char *text);
extern char *remote_value_json(RemoteKind kind, Datum value, Oid type);
extern bool	 remote_bound_read(RemoteKind kind, Datum value, Oid type,
							   RemoteBound *bound);
extern int	 remote_bound_compare(RemoteBound a, RemoteBound b);
extern char *remote_bound_json(RemoteKind kind, RemoteBound bound,
							   BoundDirection direction, int steps);

#endif /* OPPORTUNITY_REMOTE_VALUE_H */
