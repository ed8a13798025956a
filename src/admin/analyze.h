/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * analyze.h
 *	  ANALYZE of a foreign table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ANALYZE_H
#define OPPORTUNITY_ANALYZE_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern bool analyze_table(Relation relation, AcquireSampleRowsFunc *sampler,
						  BlockNumber *pages);

#endif /* OPPORTUNITY_ANALYZE_H */
