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

#include "nodes/execnodes.h"

#include "fetch/page_fetch.h"

/* Counters of one scan, for EXPLAIN ANALYZE. */
typedef struct ScanCounters
{
	int64 requests;
	int64 retries;
	int64 bytes; /* size of the responses */
	int64 cache_hits;
	int64 prefetched; /* records that a lookup requested */
	int64 waited;	  /* microseconds of waiting for the API to accept requests
					   * again */
} ScanCounters;

extern void			   scan_begin(ForeignScanState *node, int eflags);
extern TupleTableSlot *scan_iterate(ForeignScanState *node);
extern void			   scan_rescan(ForeignScanState *node);
extern void			   scan_end(ForeignScanState *node);
extern ScanCounters	   scan_counters(const ForeignScanState *node);
extern PageCounters	   scan_page_counters(const ForeignScanState *node);
extern List			  *scan_sent_filters(const ForeignScanState *node);

/* Used by async.c. */
extern bool scan_is_ready(const ForeignScanState *node);
extern void scan_set_nowait(ForeignScanState *node, bool nowait);
extern bool scan_is_waiting(const ForeignScanState *node);
extern int	scan_wait_fd(const ForeignScanState *node);
extern void scan_prepare_wait(const ForeignScanState *node);

#endif /* OPPORTUNITY_SCAN_H */
