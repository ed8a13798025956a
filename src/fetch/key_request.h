/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * key_request.h
 *	  Requests for the records of keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_KEY_REQUEST_H
#define OPPORTUNITY_KEY_REQUEST_H

#include "postgres.h"

#include "fetch/key_cache.h"

extern int	key_request_size(const KeyField *field, const Settings *settings);
extern void key_request_make(KeyCache *cache, const Settings *settings,
							 HttpBudget *budget, List *entries);
extern void key_request_send_all(KeyField *field);
extern void key_request_need(KeyEntry *entry);

#endif /* OPPORTUNITY_KEY_REQUEST_H */
