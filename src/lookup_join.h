/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_join.h
 *	  Joins that look many records up at once: see lookup_plan.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_LOOKUP_JOIN_H
#define OPPORTUNITY_LOOKUP_JOIN_H

#include "postgres.h"

#include "nodes/extensible.h"

#include "scan.h"

/* The positions of CustomScan.custom_private, all plain nodes. */
typedef enum LookupPrivate
{
	/* whether it is by a key that is not the id, a Boolean as an Integer */
	LOOKUP_PRIVATE_IS_BY_KEY,
	/* the condition on the id as filter.h describes it, or that on the key as
	 * pushdown.h does; the expressions of all conditions, over the rows of the
	 * outer side, are in custom_exprs */
	LOOKUP_PRIVATE_CONDITION,
	/* further conditions to be sent with the keys, as pushdown.h has them */
	LOOKUP_PRIVATE_FILTERS,
	/* an Oid list: the foreign table, and the user that reads it or 0 */
	LOOKUP_PRIVATE_OIDS,
	/* rows that are likely to do, an Integer; 0: all, LOOKUP_UNKNOWN_LIMIT */
	LOOKUP_PRIVATE_LIMIT
} LookupPrivate;

/* Somebody may stop reading early, as the reader of a cursor does. */
#define LOOKUP_UNKNOWN_LIMIT (-1)

/* What a lookup has done so far, for EXPLAIN ANALYZE. */
typedef struct LookupCounters
{
	ScanCounters scan;
	int64		 batches;
	int64		 keys; /* distinct within their batch */
} LookupCounters;

extern void			  lookup_join_initialize(void);
extern Node			 *lookup_create_state(CustomScan *plan);
extern LookupCounters lookup_counters(const CustomScanState *node);

#endif /* OPPORTUNITY_LOOKUP_JOIN_H */
