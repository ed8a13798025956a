/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  The differences between PostgreSQL 15, 16, 17 and 18.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_COMPAT_H
#define OPPORTUNITY_COMPAT_H

#include "postgres.h"

#include "access/stratnum.h"
#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "commands/explain.h"
#include "common/jsonapi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "nodes/execnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "parser/parsetree.h"
#include "storage/buffile.h"
#include "utils/acl.h"
#include "utils/selfuncs.h"
#include "utils/varlena.h"
#include "utils/wait_event.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#include "nodes/multibitmapset.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

#if PG_VERSION_NUM < 150000
#error "opportunity_fdw needs PostgreSQL 15 or later"
#endif

/* PostgreSQL 18 stores a module's name and version. */
#if PG_VERSION_NUM >= 180000
#define OPPORTUNITY_MODULE_MAGIC(module_name, module_version) \
	PG_MODULE_MAGIC_EXT(.name = (module_name), .version = (module_version))
#else
#define OPPORTUNITY_MODULE_MAGIC(module_name, module_version) PG_MODULE_MAGIC
#endif

/* PostgreSQL 18 has a keyword for functions that do not return. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/*
 * Returns the user whose rights and user mapping a foreign scan uses, or
 * InvalidOid for the current user.  PostgreSQL 16 stores it in the plan node.
 */
static inline Oid
compat_scan_check_as_user(ForeignScan *plan, EState *estate)
{
#if PG_VERSION_NUM >= 160000
	(void) estate;
	return plan->checkAsUser;
#else
	return rt_fetch(plan->scan.scanrelid, estate->es_range_table)->checkAsUser;
#endif
}

/*
 * Makes a path.  PostgreSQL 17 added fdw_restrictinfo, and 18 disabled_nodes.  A
 * path that cannot run gets more disabled nodes than any setting can cause.
 */
static inline ForeignPath *
compat_create_foreignscan_path(PlannerInfo *root, RelOptInfo *rel, double rows,
							   bool cannot_run, Cost startup_cost,
							   Cost total_cost, List *pathkeys,
							   Relids required_outer, List *fdw_private)
{
	(void) cannot_run;
	return create_foreignscan_path(root, rel, NULL, rows,
#if PG_VERSION_NUM >= 180000
								   cannot_run ? 1000 : 0,
#endif
								   startup_cost, total_cost, pathkeys,
								   required_outer, NULL,
#if PG_VERSION_NUM >= 170000
								   NIL,
#endif
								   fdw_private);
}

/* Returns true for DESC.  PostgreSQL 18 has a comparison, not a btree strategy. */
static inline bool
compat_pathkey_is_descending(const PathKey *pathkey)
{
#if PG_VERSION_NUM >= 180000
	return pathkey->pk_cmptype == COMPARE_GT;
#else
	return pathkey->pk_strategy == BTGreaterStrategyNumber;
#endif
}

/*
 * Returns true if no row with NULL in the column passes the clauses.  PostgreSQL
 * 16 has another type for sets of columns.
 */
static inline bool
compat_forces_not_null(Node *clauses, Index varno, AttrNumber attnum)
{
	List *vars = find_nonnullable_vars(clauses);

#if PG_VERSION_NUM >= 160000
	return mbms_is_member(varno, attnum - FirstLowInvalidHeapAttributeNumber,
						  vars);
#else
	ListCell *cell;

	foreach(cell, vars)
	{
		Var *var = lfirst_node(Var, cell);

		if ((Index) var->varno == varno && var->varattno == attnum)
			return true;
	}
	return false;
#endif
}

/* Estimates an array's length.  PostgreSQL 17 uses statistics for that. */
static inline double
compat_estimate_array_length(PlannerInfo *root, Node *array)
{
#if PG_VERSION_NUM >= 170000
	return estimate_array_length(root, array);
#else
	(void) root;
	return estimate_array_length(array);
#endif
}

/* Returns true for a virtual generated column, new in PostgreSQL 18. */
static inline bool
compat_is_virtual(Form_pg_attribute attribute)
{
#if PG_VERSION_NUM >= 180000
	return attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
	(void) attribute;
	return false;
#endif
}

/* Checks a user's right to a server.  PostgreSQL 16 unified such functions. */
static inline AclResult
compat_may_use_server(Oid serverid, Oid userid)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, serverid, userid,
						   ACL_USAGE);
#else
	return pg_foreign_server_aclcheck(serverid, userid, ACL_USAGE);
#endif
}

/* Copies the number of disabled nodes.  Before PostgreSQL 18 it was a cost. */
static inline void
compat_copy_disabled_nodes(Path *target, const Path *source)
{
#if PG_VERSION_NUM >= 180000
	target->disabled_nodes = source->disabled_nodes;
#else
	(void) target;
	(void) source;
#endif
}

/* Returns true if a user owns a relation.  PostgreSQL 16 unified such functions. */
static inline bool
compat_owns_relation(Oid relid, Oid userid)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relid, userid);
#else
	return pg_class_ownercheck(relid, userid);
#endif
}

/* Returns a wait event.  From PostgreSQL 17 on, extensions can name theirs. */
static inline uint32
compat_wait_event(const char *name)
{
#if PG_VERSION_NUM >= 170000
	return WaitEventExtensionNew(name);
#else
	(void) name;
	return PG_WAIT_EXTENSION;
#endif
}

/* Reads size bytes, or fails.  PostgreSQL 16 has a function for that. */
static inline void
compat_buffile_read_exact(BufFile *file, void *bytes, size_t size)
{
#if PG_VERSION_NUM >= 160000
	BufFileReadExact(file, bytes, size);
#else
	if (BufFileRead(file, bytes, size) != size)
		ereport(ERROR, (errcode_for_file_access(),
						errmsg("could not read from a temporary file")));
#endif
}

/* Makes a JSON lexer, allocated with palloc. */
static inline JsonLexContext *
compat_make_json_lexer(char *json, int length, bool need_escapes)
{
#if PG_VERSION_NUM >= 170000
	return makeJsonLexContextCstringLen(NULL, json, length, PG_UTF8,
										need_escapes);
#else
	return makeJsonLexContextCstringLen(json, length, PG_UTF8, need_escapes);
#endif
}

/* Frees a lexer made with need_escapes.  PostgreSQL 17 has a function for that. */
static inline void
compat_free_json_lexer(JsonLexContext *lexer)
{
#if PG_VERSION_NUM >= 170000
	freeJsonLexContext(lexer);
#else
	pfree(lexer->strval->data);
	pfree(lexer->strval);
	pfree(lexer);
#endif
}

/* From PostgreSQL 16 on, the JSON parser's callbacks return a result. */
#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType JsonActionResult;
#define JSON_ACTION_RETURN return JSON_SUCCESS
#else
typedef void JsonActionResult;
#define JSON_ACTION_RETURN return
#endif

/*
 * Returns the hint for an unknown option, palloc'd, or NULL for none.  It names
 * the closest valid option, and before PostgreSQL 16 all of them.
 */
static inline char *
compat_option_hint(const char *given, List *valid_names)
{
	ListCell *cell;

	if (valid_names == NIL)
		return pstrdup("There are no valid options in this context.");
#if PG_VERSION_NUM >= 160000
	{
		ClosestMatchState match_state;
		const char		 *closest;

		initClosestMatch(&match_state, given, 4);
		foreach(cell, valid_names)
			updateClosestMatch(&match_state, lfirst(cell));
		closest = getClosestMatch(&match_state);
		return closest == NULL
				   ? NULL
				   : psprintf("Perhaps you meant the option \"%s\".", closest);
	}
#else
	{
		StringInfoData names;

		(void) given;
		initStringInfo(&names);
		foreach(cell, valid_names)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
							 (char *) lfirst(cell));
		return psprintf("Valid options in this context are: %s", names.data);
	}
#endif
}

/*
 * Returns true if compat_soft_input can call the type's input function: any
 * from PostgreSQL 16 on, some built-in ones before.
 */
static inline bool
compat_has_soft_input(Oid type)
{
#if PG_VERSION_NUM >= 160000
	(void) type;
	return true;
#else
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
		case UUIDOID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case JSONOID:
		case JSONBOID:
			return true;
		default:
			return false;
	}
#endif
}

/*
 * Calls an input function for which compat_has_soft_input is true.  On a bad
 * value, returns false and the function's message, palloc'd.
 */
static inline bool
compat_soft_input(FmgrInfo *input, char *text, Oid input_param, int32 typmod,
				  Datum *value, char **message)
{
#if PG_VERSION_NUM >= 160000
	ErrorSaveContext escontext = {.type = T_ErrorSaveContext,
								  .details_wanted = true};

	if (InputFunctionCallSafe(input, text, input_param, typmod,
							  (Node *) &escontext, value))
		return true;
	*message = pstrdup(escontext.error_data->message);
	return false;
#else
	MemoryContext context = CurrentMemoryContext;
	volatile bool valid = true;

	/*
	 * These input functions hold nothing that only an abort releases.  Their
	 * errors about data can be caught without a subtransaction.
	 */
	PG_TRY();
	{
		*value = InputFunctionCall(input, text, input_param, typmod);
	}
	PG_CATCH();
	{
		ErrorData *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
		*message = error->message;
		valid = false;
	}
	PG_END_TRY();
	return valid;
#endif
}

#endif /* OPPORTUNITY_COMPAT_H */
