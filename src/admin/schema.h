/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * schema.h
 *	  The schema of a record type, and IMPORT FOREIGN SCHEMA.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SCHEMA_H
#define OPPORTUNITY_SCHEMA_H

#include "postgres.h"

#include "foreign/foreign.h"
#include "nodes/parsenodes.h"

extern ForeignServer *server_find(const char *name);
extern List *import_schema(ImportForeignSchemaStmt *statement, Oid serverid);

#endif /* OPPORTUNITY_SCHEMA_H */
