/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * evaluate.h
 *	  The values of conditions at run time: keys, and filters of the API.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_EVALUATE_H
#define OPPORTUNITY_EVALUATE_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "utils/uuid.h"

#include "api/api.h"
#include "api/remote_filter.h"

/* A set of ids or other keys, sorted, without duplicates. */
typedef struct KeySet
{
	pg_uuid_t *keys;
	int		   count;
} KeySet;

extern KeySet condition_evaluate_keys(const List *condition, const List *states,
									  ExprContext *econtext);
extern bool condition_evaluate_filter(const List *condition, const List *states,
									  ExprContext *econtext, const Api *api,
									  RemoteFilter **filter);

#endif /* OPPORTUNITY_EVALUATE_H */
