/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * import.h
 *	  IMPORT FOREIGN SCHEMA.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_IMPORT_H
#define OPPORTUNITY_IMPORT_H

#include "postgres.h"

#include "nodes/parsenodes.h"

extern List *import_schema(ImportForeignSchemaStmt *statement, Oid serverid);

#endif /* OPPORTUNITY_IMPORT_H */
