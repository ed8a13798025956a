/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * subtransaction.h
 *	  What may fail without ending what it is a part of.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SUBTRANSACTION_H
#define OPPORTUNITY_SUBTRANSACTION_H

#include "postgres.h"

extern ErrorData *subtransaction_run(void (*function)(void *arg), void *arg);

#endif /* OPPORTUNITY_SUBTRANSACTION_H */
