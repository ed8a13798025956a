/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * explain.h
 *	  What EXPLAIN says of a foreign scan and of a lookup.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_EXPLAIN_H
#define OPPORTUNITY_EXPLAIN_H

#include "postgres.h"

#include "base/compat.h"

extern void explain_scan(ForeignScanState *node, ExplainState *es);
extern void explain_lookup(CustomScanState *node, List *ancestors,
						   ExplainState *es);

#endif /* OPPORTUNITY_EXPLAIN_H */
