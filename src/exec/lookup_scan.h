/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_scan.h
 *	  The executor's part of joins that look records up in batches.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_LOOKUP_SCAN_H
#define OPPORTUNITY_LOOKUP_SCAN_H

#include "postgres.h"

#include "nodes/extensible.h"

extern const CustomScanMethods lookup_scan_methods;

#endif /* OPPORTUNITY_LOOKUP_SCAN_H */
