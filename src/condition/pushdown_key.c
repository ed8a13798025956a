/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pushdown_key.c
 *	  Conditions on a key: a uuid column equals an expression, and the API
 *	  supports the operator "in" for it, so that one query can look several
 *	  keys up.
 *
 * Knows nothing about requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/executor.h"

#include "condition/pushdown_internal.h"

/* Returns true if a condition is on a key. */
bool
pushdown_is_key(const List *condition)
{
	return condition_kind(condition) == CONDITION_EQUAL &&
		   intVal(list_nth(condition, LEAF_REMOTE_KIND)) == REMOTE_UUID &&
		   (intVal(list_nth(condition, LEAF_OPERATORS)) &
			OPERATOR_BIT(OPERATOR_IN)) != 0;
}

/*
 * Returns the name of the key's attribute, in UTF-8; it belongs to the
 * condition.
 */
const char *
pushdown_key_field(const List *condition)
{
	return strVal(list_nth(condition, LEAF_FIELD));
}

/*
 * Returns the member of expressions that the key is compared with.  The list
 * has the condition's expressions or their ExprStates.
 */
void *
pushdown_key_expression(const List *condition, const List *expressions)
{
	return list_nth(expressions, intVal(list_nth(condition, LEAF_EXPRESSION)));
}

/* Evaluates the key into *key.  Returns false if it is NULL. */
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
