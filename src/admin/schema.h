/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * schema.h
 *	  The schema of a record type, IMPORT FOREIGN SCHEMA, and the server that an
 *	  SQL function names.
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
