/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * subtransaction.h
 *	  Runs a function in a subtransaction, and returns its error.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SUBTRANSACTION_H
#define OPPORTUNITY_SUBTRANSACTION_H

#include "postgres.h"

extern ErrorData *subtransaction_run(void (*function)(void *arg), void *arg);

#endif /* OPPORTUNITY_SUBTRANSACTION_H */
