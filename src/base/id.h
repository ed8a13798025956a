/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * id.h
 *	  Ids of records, which are UUIDs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ID_H
#define OPPORTUNITY_ID_H

#include "postgres.h"

#include "utils/uuid.h"

extern bool	 id_parse(const char *text, pg_uuid_t *id);
extern char *id_text(const pg_uuid_t *id);

#endif /* OPPORTUNITY_ID_H */
