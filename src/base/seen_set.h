/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * seen_set.h
 *	  Set of the ids of records that a scan has returned, so that it returns
 *	  no record twice.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SEEN_SET_H
#define OPPORTUNITY_SEEN_SET_H

#include "postgres.h"

#include "utils/uuid.h"

typedef struct seen_ids_hash SeenSet;

extern SeenSet *seen_set_create(void);
extern bool		seen_set_add(SeenSet *set, const pg_uuid_t *id);
extern bool		seen_set_has(SeenSet *set, const pg_uuid_t *id);

#endif /* OPPORTUNITY_SEEN_SET_H */
