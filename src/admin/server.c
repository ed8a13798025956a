/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * server.c
 *	  Foreign servers of this wrapper, for functions that take their names.
 *
 * Makes no request.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_foreign_server.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"

#include "admin/server.h"

extern PGDLLEXPORT Datum opportunity_fdw_handler(PG_FUNCTION_ARGS);

/*
 * Returns true if the server's wrapper has this module's handler.  The wrapper
 * may have another name than the extension's.
 */
bool
server_is_ours(const ForeignServer *server)
{
	Oid		 handler = GetForeignDataWrapper(server->fdwid)->fdwhandler;
	FmgrInfo info;

	if (!OidIsValid(handler))
		return false;
	fmgr_info(handler, &info);
	return info.fn_addr == opportunity_fdw_handler;
}

/*
 * Returns the server of that name, palloc'd.  Raises an error if there is none,
 * if the current user has no USAGE privilege on it, or if it belongs to another
 * wrapper.
 */
ForeignServer *
server_find(const char *name)
{
	ForeignServer *server = GetForeignServerByName(name, false);
#if PG_VERSION_NUM >= 160000
	AclResult allowed = object_aclcheck(
		ForeignServerRelationId, server->serverid, GetUserId(), ACL_USAGE);
#else
	AclResult allowed =
		pg_foreign_server_aclcheck(server->serverid, GetUserId(), ACL_USAGE);
#endif

	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_FOREIGN_SERVER, server->servername);
	if (!server_is_ours(server))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" does not use foreign-data wrapper "
						"\"opportunity_fdw\"",
						server->servername),
				 errdetail("Its foreign-data wrapper is \"%s\".",
						   GetForeignDataWrapper(server->fdwid)->fdwname)));
	return server;
}
