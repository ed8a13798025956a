/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_join.h
 *	  Joins that look records up in batches: see batch_lookup.c and
 *	  lookup_scan.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_LOOKUP_JOIN_H
#define OPPORTUNITY_LOOKUP_JOIN_H

#include "postgres.h"

#include "nodes/extensible.h"

#include "exec/scan.h"

/* Counters of one lookup, for EXPLAIN ANALYZE. */
typedef struct LookupCounters
{
	ScanCounters scan;
	int64		 batches;
	int64		 keys; /* sum of the distinct keys of each batch */
} LookupCounters;

extern const CustomScanMethods lookup_scan_methods;

extern LookupCounters lookup_counters(const CustomScanState *node);

#endif /* OPPORTUNITY_LOOKUP_JOIN_H */
