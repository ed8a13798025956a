/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * seen_set.h
 *	  The ids of the records that a scan has handed out, so that none of them
 *	  comes twice.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SEEN_SET_H
#define OPPORTUNITY_SEEN_SET_H

#include "postgres.h"

#include "utils/uuid.h"

typedef struct SeenSet SeenSet;

extern SeenSet *seen_set_create(void);
extern bool		seen_set_add(SeenSet *set, const pg_uuid_t *id);
extern bool		seen_set_has(const SeenSet *set, const pg_uuid_t *id);
extern int64	seen_set_count(const SeenSet *set);
extern void		seen_set_end(SeenSet *set);

#endif /* OPPORTUNITY_SEEN_SET_H */
