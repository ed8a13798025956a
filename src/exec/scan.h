/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * scan.h
 *	  The executor's callbacks of a foreign scan, and its counters.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SCAN_H
#define OPPORTUNITY_SCAN_H

#include "postgres.h"

#include "foreign/fdwapi.h"

#include "fetch/key_cache.h"
#include "fetch/page_fetch.h"

/* Counters of one scan, for EXPLAIN ANALYZE. */
typedef struct ScanCounters
{
	HttpBudget	  budget;
	FetchCounters keys;
	PageCounters  pages;
} ScanCounters;

extern void				   scan_set_callbacks(FdwRoutine *routine);
extern const ScanCounters *scan_counters(const ForeignScanState *node);
extern List				  *scan_sent_filters(const ForeignScanState *node);

#endif /* OPPORTUNITY_SCAN_H */
