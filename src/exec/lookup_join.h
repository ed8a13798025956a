/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_join.h
 *	  Joins that look records up in batches: see lookup_plan.c and
 *	  lookup_scan.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_LOOKUP_JOIN_H
#define OPPORTUNITY_LOOKUP_JOIN_H

#include "postgres.h"

#include "nodes/extensible.h"

#include "exec/scan.h"

/* Positions of CustomScan.custom_private, all of them plain nodes. */
typedef enum LookupPrivate
{
	/* true for a key, false for the id; an Integer */
	LOOKUP_PRIVATE_IS_BY_KEY,
	/* condition on the id in the form of filter.h, or on the key in the form of
	 * pushdown.h.  The expressions of all conditions are in custom_exprs and
	 * refer to the outer rows. */
	LOOKUP_PRIVATE_CONDITION,
	/* further conditions to push down with the keys, in the form of
	 * pushdown.h */
	LOOKUP_PRIVATE_FILTERS,
	/* foreign table, and the user whose privileges apply or 0; an Oid list */
	LOOKUP_PRIVATE_OIDS,
	/* number of rows after which the query is likely to stop, an Integer; 0: no
	 * limit; or LOOKUP_UNKNOWN_LIMIT */
	LOOKUP_PRIVATE_LIMIT
} LookupPrivate;

/* The reader may stop early, after an unknown number of rows. */
#define LOOKUP_UNKNOWN_LIMIT (-1)

/* Counters of one lookup, for EXPLAIN ANALYZE. */
typedef struct LookupCounters
{
	ScanCounters scan;
	int64		 batches;
	int64		 keys; /* sum of the distinct keys of each batch */
} LookupCounters;

extern void			  lookup_join_initialize(void);
extern Node			 *lookup_create_state(CustomScan *plan);
extern LookupCounters lookup_counters(const CustomScanState *node);

#endif /* OPPORTUNITY_LOOKUP_JOIN_H */
