/*-------------------------------------------------------------------------
 *
 * schema.h
 *	  The live schema of a type of records.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SCHEMA_H
#define OPPORTUNITY_SCHEMA_H

#include "postgres.h"

#include "api.h"
#include "option.h"

extern List *schema_read(const Settings *settings, int64 *request_total);

#endif /* OPPORTUNITY_SCHEMA_H */
