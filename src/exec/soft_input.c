/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * soft_input.c
 *	  Calls of input functions that return the error about a value.
 *
 * PostgreSQL 16 introduced soft errors.  Before, this file catches the errors of
 * some built-in input functions.  Must not know columns or records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#endif

#include "exec/soft_input.h"

/* Returns true if soft_input_call can call the input function of a type. */
bool
soft_input_is_possible(Oid type)
{
#if PG_VERSION_NUM >= 160000
	(void) type;
	return true;
#else
	static const Oid types[] = {
		BOOLOID,	  INT2OID,		  INT4OID,	  INT8OID, FLOAT4OID, FLOAT8OID,
		NUMERICOID,	  TEXTOID,		  VARCHAROID, UUIDOID, DATEOID,	  TIMEOID,
		TIMESTAMPOID, TIMESTAMPTZOID, JSONOID,	  JSONBOID};

	for (size_t i = 0; i < lengthof(types); i++)
	{
		if (types[i] == type)
			return true;
	}
	return false;
#endif
}

/*
 * Calls an input function for which soft_input_is_possible.  A text of NULL means
 * SQL NULL.  On a bad value, returns false and the function's message, palloc'd.
 */
bool
soft_input_call(FmgrInfo *input, char *text, Oid input_param, int32 typmod,
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
