/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * async.h
 *	  Asynchronous execution of scans below an Append.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ASYNC_H
#define OPPORTUNITY_ASYNC_H

#include "postgres.h"

#include "foreign/fdwapi.h"

extern void async_set_callbacks(FdwRoutine *routine);

#endif /* OPPORTUNITY_ASYNC_H */
