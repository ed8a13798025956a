/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * batch_lookup.h
 *	  Batch lookups in plans.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_BATCH_LOOKUP_H
#define OPPORTUNITY_BATCH_LOOKUP_H

#include "postgres.h"

#include "nodes/extensible.h"

extern void batch_lookup_initialize(const CustomScanMethods *methods);

#endif /* OPPORTUNITY_BATCH_LOOKUP_H */
