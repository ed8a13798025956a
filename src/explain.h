/*-------------------------------------------------------------------------
 *
 * explain.h
 *	  What EXPLAIN says of a foreign scan.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_EXPLAIN_H
#define OPPORTUNITY_EXPLAIN_H

#include "postgres.h"

#include "compat.h"

extern void explain_scan(ForeignScanState *node, ExplainState *es);

#endif /* OPPORTUNITY_EXPLAIN_H */
