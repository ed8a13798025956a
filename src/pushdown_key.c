/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pushdown_key.c
 *	  Conditions that say by a key which records are needed: a uuid column that
 *	  is equal to something, and that the API can compare with many values at
 *	  once.
 *
 * Knows nothing of requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"

#include "pushdown_internal.h"

/* Whether a condition is one on a key. */
bool
pushdown_is_key(const List *condition)
{
	return condition_kind(condition) == CONDITION_EQUAL &&
		   intVal(list_nth(condition, LEAF_REMOTE_KIND)) == REMOTE_UUID &&
		   (intVal(list_nth(condition, LEAF_OPERATORS)) &
			OPERATOR_BIT(OPERATOR_IN)) != 0;
}

/* The attribute that has the key, in UTF-8. */
const char *
pushdown_key_field(const List *condition)
{
	return strVal(list_nth(condition, LEAF_FIELD));
}

/* What the key is equal to, of the condition's expressions or their states. */
void *
pushdown_key_expression(const List *condition, const List *expressions)
{
	return list_nth(expressions, intVal(list_nth(condition, LEAF_EXPRESSION)));
}

/* Evaluates a key; false where it is NULL. */
bool
pushdown_evaluate_key(const List *condition, const List *states,
					  ExprContext *econtext, pg_uuid_t *key)
{
	bool  isnull;
	Datum value = ExecEvalExprSwitchContext(
		pushdown_key_expression(condition, states), econtext, &isnull);

	if (!isnull)
		*key = *DatumGetUUIDP(value);
	return !isnull;
}
