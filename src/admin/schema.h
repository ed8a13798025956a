/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * schema.h
 *	  The API's schema of a record type.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SCHEMA_H
#define OPPORTUNITY_SCHEMA_H

#include "postgres.h"

#include "api/api_schema.h"
#include "option/option.h"

extern List *schema_read(const Settings *settings, int64 *request_total,
						 bool for_import);
extern const SchemaAttribute *schema_find(List *attributes, const char *name);
extern char					 *schema_text(const char *text);

#endif /* OPPORTUNITY_SCHEMA_H */
