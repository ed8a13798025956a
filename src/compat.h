/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between the PostgreSQL majors 13 to 18, and nothing else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_COMPAT_H
#define OPPORTUNITY_COMPAT_H

#include "postgres.h"

#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif
#include "common/jsonapi.h"
#if PG_VERSION_NUM >= 150000
#include "common/pg_prng.h"
#endif
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "mb/pg_wchar.h"
#include "access/stratnum.h"
#include "access/sysattr.h"
#include "nodes/execnodes.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#include "nodes/multibitmapset.h"
#endif
#include "optimizer/clauses.h"
#include "optimizer/pathnode.h"
#include "optimizer/optimizer.h"
#include "storage/buffile.h"
#if PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"
#endif
#if PG_VERSION_NUM >= 140000
#include "utils/wait_event.h"
#else
#include "pgstat.h"
#endif
#if PG_VERSION_NUM < 160000
#include "parser/parsetree.h"
#endif
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/selfuncs.h"
#include "utils/varlena.h"

#if PG_VERSION_NUM < 130000
#error "opportunity_fdw needs PostgreSQL 13 or later"
#endif

/* 18 lets a module name itself and its version. */
#if PG_VERSION_NUM >= 180000
#define OPPORTUNITY_MODULE_MAGIC(module_name, module_version) \
	PG_MODULE_MAGIC_EXT(.name = (module_name), .version = (module_version))
#else
#define OPPORTUNITY_MODULE_MAGIC(module_name, module_version) PG_MODULE_MAGIC
#endif

/* 14 renamed the predefined roles. */
#if PG_VERSION_NUM >= 140000
#define COMPAT_ROLE_READ_ALL_STATS ROLE_PG_READ_ALL_STATS
#else
#define COMPAT_ROLE_READ_ALL_STATS DEFAULT_ROLE_READ_ALL_STATS
#endif

/* Before 14 functions were numbered by their C names. */
#if PG_VERSION_NUM >= 140000
#define COMPAT_F_STARTS_WITH F_STARTS_WITH
#else
#define COMPAT_F_STARTS_WITH F_TEXT_STARTS_WITH
#endif

/* 18 has a keyword of its own for functions that do not return. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/*
 * The user whose rights and user mapping a foreign scan uses, InvalidOid for
 * the current one.  16 moved it from the range table entry into the plan node.
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
 * 17 added fdw_restrictinfo, 18 disabled_nodes; a path that cannot be executed
 * is disabled more than any that a user can disable.
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

/* 18 says by name what was a strategy of btrees. */
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
 * Whether a row in which a column is NULL can pass no clause of a list.  16 has
 * another form of sets of columns.
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

/* 17 passes the planner's state, to look into statistics. */
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

/* 14 passes the planner's state, for placeholders. */
static inline Relids
compat_pull_varnos(PlannerInfo *root, Node *node)
{
#if PG_VERSION_NUM >= 140000
	return pull_varnos(root, node);
#else
	(void) root;
	return pull_varnos(node);
#endif
}

/* 18 has columns that are computed where they are read. */
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

/* 14 can tell how it came to an estimate. */
static inline double
compat_estimate_num_groups(PlannerInfo *root, List *expressions, double rows)
{
#if PG_VERSION_NUM >= 140000
	return estimate_num_groups(root, expressions, rows, NULL, NULL);
#else
	return estimate_num_groups(root, expressions, rows, NULL);
#endif
}

/* Whether a user may use a foreign server; 16 asks for any object so. */
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

/* 18 counts the disabled nodes of a path, which before were costs. */
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

/* Whether a message of a level is told to anybody; 14 has a function for that. */
static inline bool
compat_is_logged(int level)
{
#if PG_VERSION_NUM >= 140000
	return message_level_is_interesting(level);
#else
	return level >= log_min_messages || level >= client_min_messages;
#endif
}

/* 15 can keep others from making up settings of a module. */
static inline void
compat_reserve_settings(const char *prefix)
{
#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved(prefix);
#else
	EmitWarningsOnPlaceholders(prefix);
#endif
}

/* 17 has shared memory that need not be asked for when the server starts. */
#define COMPAT_HAS_NAMED_SEGMENTS (PG_VERSION_NUM >= 170000)

static inline void *
compat_named_segment(const char *name, size_t				 size,
					 void (*initialize)(void *memory), bool *found)
{
#if PG_VERSION_NUM >= 170000
	return GetNamedDSMSegment(name, size, initialize, found);
#else
	(void) name;
	(void) size;
	(void) initialize;
	*found = false;
	return NULL;
#endif
}

/* Whether a user owns a relation; 16 has one function for objects of all kinds. */
static inline bool
compat_owns_relation(Oid relid, Oid userid)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(RelationRelationId, relid, userid);
#else
	return pg_class_ownercheck(relid, userid);
#endif
}

/* 17 names the wait events of extensions. */
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

/* A random number from 0 to 1; 15 has the better generator. */
static inline double
compat_random_fraction(void)
{
#if PG_VERSION_NUM >= 150000
	return pg_prng_double(&pg_global_prng_state);
#else
	return (double) random() / ((double) MAX_RANDOM_VALUE + 1);
#endif
}

/* Reads so many bytes, or fails; 16 has a function for that. */
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

/* 17 lets the caller own the lexer. */
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

/* Frees such a lexer, one that unescapes; 17 has a function for that. */
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

/* From 16 on the JSON parser's callbacks return a result. */
#if PG_VERSION_NUM >= 160000
typedef JsonParseErrorType JsonActionResult;
#define JSON_ACTION_RETURN return JSON_SUCCESS
#else
typedef void JsonActionResult;
#define JSON_ACTION_RETURN return
#endif

/*
 * The hint for an unknown option, palloc'd, or NULL for none: the closest valid
 * name from 16 on, all of them before.
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
 * Whether the type's input function can be called so that a bad value is no
 * error: any from 16 on, some built-in ones before.
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
 * Prepares a function that returns a set of rows to put them into a tuplestore:
 * ReturnSetInfo then has setResult and setDesc.  15 has a function for that.
 */
static inline void
compat_begin_rows(FunctionCallInfo fcinfo)
{
#if PG_VERSION_NUM >= 150000
	InitMaterializedSRF(fcinfo, 0);
#else
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old_context;
	TupleDesc descriptor;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot "
						"accept a set")));
	old_context =
		MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	result->returnMode = SFRM_Materialize;
	result->setResult = tuplestore_begin_heap(
		(result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	result->setDesc = descriptor;
	MemoryContextSwitchTo(old_context);
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
	 * These input functions hold nothing that only an abort would release, so
	 * their complaints about data can be caught without a subtransaction.
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

/*
 * How many bytes at the start of a text are valid UTF-8 without NUL.  Before
 * 14 the verifier counts nothing it can return for an invalid text.
 */
static inline int
compat_valid_utf8_prefix(const char *text, int length)
{
#if PG_VERSION_NUM >= 140000
	return pg_encoding_verifymbstr(PG_UTF8, text, length);
#else
	int valid = 0;

	while (valid < length)
	{
		int char_length = pg_utf_mblen((const unsigned char *) text + valid);

		if (text[valid] == '\0' || char_length > length - valid ||
			!pg_utf8_islegal((const unsigned char *) text + valid, char_length))
			break;
		valid += char_length;
	}
	return valid;
#endif
}

#endif /* OPPORTUNITY_COMPAT_H */
