/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * explain.h
 *	  EXPLAIN of a foreign scan and of a batch lookup.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_EXPLAIN_H
#define OPPORTUNITY_EXPLAIN_H

#include "postgres.h"

#include "commands/explain.h"
#include "nodes/execnodes.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

#include "http/http.h"

/* Counters of one source of a lookup, for EXPLAIN ANALYZE. */
typedef struct LookupCounters
{
	HttpBudget budget;
	int64	   batches;
	int64	   keys; /* sum of the distinct keys of each batch */
	int64	   cache_hits;
} LookupCounters;

extern void explain_scan(ForeignScanState *node, ExplainState *es);
extern void explain_lookup(const CustomScanState *node, List *source,
						   List *expressions, const LookupCounters *counters,
						   List *ancestors, ExplainState *es);

#endif /* OPPORTUNITY_EXPLAIN_H */
