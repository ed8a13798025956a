/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * opportunity_fdw.c
 *	  The functions that PostgreSQL calls by name: initialization, handler, version.
 *
 * The sources are in src/, each with its own header comment.  A request passes
 * plan -> exec -> fetch -> api -> http.  A record returns as bytes -> JSON ->
 * record -> value -> tuple.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "foreign/fdwapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "admin/admin.h"
#include "api/api_records.h"
#include "base/version.h"
#include "exec/explain.h"
#include "exec/lookup_scan.h"
#include "exec/scan.h"
#include "fetch/statement.h"
#include "http/http.h"
#include "plan/batch_lookup.h"
#include "plan/plan.h"

#if PG_VERSION_NUM >= 180000
PG_MODULE_MAGIC_EXT(.name = "opportunity_fdw",
					.version = OPPORTUNITY_FDW_VERSION);
#else
PG_MODULE_MAGIC;
#endif

void _PG_init(void);

PG_FUNCTION_INFO_V1(opportunity_fdw_handler);
PG_FUNCTION_INFO_V1(opportunity_fdw_version);

/* Defines settings and installs hooks when PostgreSQL loads the module. */
void
_PG_init(void)
{
	plan_initialize();
	batch_lookup_initialize(&lookup_scan_methods);
	statement_initialize();
	MarkGUCPrefixReserved("opportunity_fdw");
}

/* SQL function: returns the callbacks of the foreign data wrapper. */
Datum
opportunity_fdw_handler(PG_FUNCTION_ARGS)
{
	FdwRoutine *routine = makeNode(FdwRoutine);

	(void) fcinfo;
	routine->GetForeignRelSize = plan_rel_size;
	routine->GetForeignPaths = plan_paths;
	routine->GetForeignPlan = plan_scan;

	routine->IsForeignPathAsyncCapable = plan_is_async_capable;
	scan_set_callbacks(routine);

	routine->ExplainForeignScan = explain_scan;
	routine->AnalyzeForeignTable = analyze_table;
	routine->ImportForeignSchema = import_schema;

	PG_RETURN_POINTER(routine);
}

/* SQL function: returns the versions of the extension and its libraries. */
Datum
opportunity_fdw_version(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_TEXT_P(cstring_to_text(psprintf(
		"opportunity_fdw %s, PostgreSQL %s, %s, %s", OPPORTUNITY_FDW_VERSION,
		PG_VERSION, http_library_version(), api_json_library_version())));
}
