/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * id.h
 *	  Ids of records, which are UUIDs, and sets of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ID_H
#define OPPORTUNITY_ID_H

#include "postgres.h"

#include "utils/uuid.h"

/* See seen_set.c. */
typedef struct seen_ids_hash SeenSet;

extern bool	 id_parse(const char *text, pg_uuid_t *id);
extern char *id_text(const pg_uuid_t *id);

extern SeenSet *seen_set_create(void);
extern bool		seen_set_add(SeenSet *set, const pg_uuid_t *id);
extern bool		seen_set_has(SeenSet *set, const pg_uuid_t *id);

#endif /* OPPORTUNITY_ID_H */
