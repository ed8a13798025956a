/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * schema.h
 *	  The live schema of a record type.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SCHEMA_H
#define OPPORTUNITY_SCHEMA_H

#include "postgres.h"

#include "nodes/pg_list.h"

#include "option/option.h"

extern List *schema_read(const Settings *settings, int64 *request_total,
						 bool for_import);

#endif /* OPPORTUNITY_SCHEMA_H */
