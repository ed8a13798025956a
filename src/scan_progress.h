/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * scan_progress.h
 *	  How far the running scans of all sessions are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SCAN_PROGRESS_H
#define OPPORTUNITY_SCAN_PROGRESS_H

#include "postgres.h"

/* A running scan of this session, as the others may see it. */
typedef struct ScanProgress ScanProgress;

extern ScanProgress *scan_progress_begin(Oid relid, double planned_records);
extern void			 scan_progress_update(ScanProgress *progress, int64 records,
										  int64 pages, int64 requests, int64 bytes);
extern void			 scan_progress_end(ScanProgress *progress);

#endif /* OPPORTUNITY_SCAN_PROGRESS_H */
