/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * admin.h
 *	  IMPORT FOREIGN SCHEMA, ANALYZE, and the server that an SQL function names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ADMIN_H
#define OPPORTUNITY_ADMIN_H

#include "postgres.h"

#include "foreign/fdwapi.h"
#include "foreign/foreign.h"

extern bool	 analyze_table(Relation relation, AcquireSampleRowsFunc *sampler,
						   BlockNumber *pages);
extern List *import_schema(ImportForeignSchemaStmt *statement, Oid serverid);
extern ForeignServer *server_find(const char *name);

#endif /* OPPORTUNITY_ADMIN_H */
