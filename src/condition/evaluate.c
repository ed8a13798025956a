/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * evaluate.c
 *	  Evaluates conditions at run time: a condition on the id or another key
 *	  to a set of keys, other conditions to the API's filters.
 *
 * The planner's side is condition.c.  Knows nothing about requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/string.h"
#include "executor/executor.h"
#include "lib/qunique.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

#include "api/api_facts.h"
#include "base/id.h"
#include "condition/condition.h"
#include "condition/evaluate.h"
#include "condition/remote_value.h"

/* Arguments of the evaluation of filters. */
typedef struct Evaluation
{
	const List	*states; /* ExprStates of the condition's expressions */
	ExprContext *econtext;
	const Api	*api; /* knows the operators that it has rejected */
} Evaluation;

/* Values that a column is compared with. */
typedef struct Values
{
	Datum *values; /* non-NULL values */
	int	   count;
	bool   has_null; /* the expression, or an element of it, is NULL */
	Oid	   type;
} Values;

/* Condition on one column, and the filters that are made of it. */
typedef struct Leaf
{
	ConditionKind kind;
	const char	 *field;
	RemoteKind	  remote_kind;
	int			  operators; /* usable and not rejected, a set of
							  * OPERATOR_BIT */
	Values		  values;
	List		**filters; /* RemoteFilters, joined by AND */
} Leaf;

/* Evaluates the expression of a leaf in the current context. */
static Values
read_values(const List *condition, const List *states, ExprContext *econtext)
{
	ConditionKind kind = condition_kind(condition);
	ExprState	 *state =
		list_nth(states, intVal(list_nth(condition, LEAF_EXPRESSION)));
	Values	   values = {NULL, 0, false, InvalidOid};
	Datum	   value;
	ArrayType *array;
	int16	   length;
	bool	   byval;
	char	   align;
	bool	  *nulls;
	int		   count;

	value = ExecEvalExprSwitchContext(state, econtext, &values.has_null);
	values.type = getBaseType(exprType((Node *) state->expr));
	if (values.has_null)
		return values;
	if (kind != CONDITION_ANY && kind != CONDITION_NOT_ANY)
	{
		values.values = palloc(sizeof(Datum));
		values.values[values.count++] = value;
		return values;
	}

	array = DatumGetArrayTypeP(value);
	values.type = getBaseType(ARR_ELEMTYPE(array));
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, byval, align,
					  &values.values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			values.has_null = true;
		else
			values.values[values.count++] = values.values[i];
	}
	return values;
}

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t));
}

static KeySet
unite(KeySet a, KeySet b)
{
	KeySet set;

	set.count = a.count + b.count;
	set.keys = palloc(Max(set.count, 1) * sizeof(pg_uuid_t));
	memcpy(set.keys, a.keys, a.count * sizeof(pg_uuid_t));
	memcpy(set.keys + a.count, b.keys, b.count * sizeof(pg_uuid_t));
	return set;
}

static KeySet
intersect(KeySet a, KeySet b)
{
	KeySet set = {a.keys, 0};

	for (int i = 0; i < a.count; i++)
	{
		if (bsearch(&a.keys[i], b.keys, b.count, sizeof(pg_uuid_t),
					compare_keys) != NULL)
			set.keys[set.count++] = a.keys[i];
	}
	return set;
}

/*
 * Returns the keys that a condition on the id or on a key allows, in the current
 * context.  The argument states has the ExprStates of the condition's
 * expressions.  NULLs and texts that are not UUIDs allow no key.
 */
KeySet
condition_evaluate_keys(const List *condition, const List *states,
						ExprContext *econtext)
{
	KeySet	  set = {NULL, 0};
	Values	  values;
	ListCell *cell;

	if (condition_is_group(condition))
	{
		set = condition_evaluate_keys(lsecond(condition), states, econtext);
		for_each_from(cell, condition, 2)
		{
			KeySet other =
				condition_evaluate_keys(lfirst(cell), states, econtext);

			set = condition_kind(condition) == CONDITION_OR
					  ? unite(set, other)
					  : intersect(set, other);
		}
	}
	else
	{
		values = read_values(condition, states, econtext);
		set.keys = palloc(Max(values.count, 1) * sizeof(pg_uuid_t));
		for (int i = 0; i < values.count; i++)
		{
			pg_uuid_t *key = &set.keys[set.count];

			if (values.type == UUIDOID)
				*key = *DatumGetUUIDP(values.values[i]);
			else if (!id_parse(remote_value_text(values.values[i], values.type),
							   key))
				continue;
			set.count++;
		}
	}
	qsort(set.keys, set.count, sizeof(pg_uuid_t), compare_keys);
	set.count = qunique(set.keys, set.count, sizeof(pg_uuid_t), compare_keys);
	return set;
}

static bool
is_allowed(const Leaf *leaf, RemoteOperator remote_operator)
{
	return (leaf->operators & OPERATOR_BIT(remote_operator)) != 0;
}

/*
 * Adds a filter with the first operator, or else with the second, if the API
 * supports it.  The value is JSON, or NULL if the operators have none.
 */
static void
add_filter(const Leaf *leaf, RemoteOperator first, RemoteOperator second,
		   const char *value)
{
	RemoteOperator used = is_allowed(leaf, first) ? first : second;

	if (is_allowed(leaf, used))
		*leaf->filters = lappend(
			*leaf->filters, remote_filter_create(leaf->field, used, value));
}

/* Returns a JSON array of the elements, Strings of JSON. */
static char *
list_json(const List *elements)
{
	StringInfoData json;
	ListCell	  *cell;

	initStringInfo(&json);
	foreach(cell, elements)
		appendStringInfo(&json, "%s%s",
						 foreach_current_index(cell) > 0 ? "," : "[",
						 strVal(lfirst(cell)));
	appendStringInfoChar(&json, ']');
	return json.data;
}

/*
 * Adds a filter that the column is one of the values, or none of them.  The
 * values are distinct Strings of JSON.  Uses the operator one for a single
 * value, many for several.
 */
static void
add_equality(const Leaf *leaf, const List *json, RemoteOperator one,
			 RemoteOperator many)
{
	if (list_length(json) == 1 && is_allowed(leaf, one))
		add_filter(leaf, one, one, strVal(linitial(json)));
	else
		add_filter(leaf, many, many, list_json(json));
}

/* Adds a filter for the leaf's values, unless they are too many or not exact. */
static void
add_values(const Leaf *leaf, RemoteOperator one, RemoteOperator many)
{
	List *json = NIL;

	for (int i = 0; i < leaf->values.count; i++)
	{
		char *text = remote_value_json(
			leaf->remote_kind, leaf->values.values[i], leaf->values.type);

		if (text == NULL)
			return;
		json = list_append_unique(json, makeString(text));
		if (list_length(json) > MAX_REMOTE_VALUES)
			return;
	}
	add_equality(leaf, json, one, many);
}

/*
 * Adds a bound, moved outwards.  If the API has only the operator that excludes
 * the bound itself, it is moved by one step more.
 */
static void
add_bound(const Leaf *leaf, RemoteBound bound, BoundDirection direction)
{
	bool		   is_lower = direction == BOUND_DOWN;
	RemoteOperator including = is_lower ? OPERATOR_GTE : OPERATOR_LTE;
	char		  *json = remote_bound_json(leaf->remote_kind, bound, direction,
									is_allowed(leaf, including) ? 1 : 2);

	if (json != NULL)
		add_filter(leaf, including, is_lower ? OPERATOR_GT : OPERATOR_LT, json);
}

/*
 * Adds the bounds that the comparison has: the least value, the greatest, or
 * both.
 */
static void
add_range(const Leaf *leaf)
{
	RemoteBound least = {0};
	RemoteBound greatest = {0};

	for (int i = 0; i < leaf->values.count; i++)
	{
		RemoteBound bound;

		if (!remote_bound_read(leaf->remote_kind, leaf->values.values[i],
							   leaf->values.type, &bound))
			return;
		if (i == 0 || remote_bound_compare(bound, least) < 0)
			least = bound;
		if (i == 0 || remote_bound_compare(bound, greatest) > 0)
			greatest = bound;
	}
	if (leaf->kind != CONDITION_LESS)
		add_bound(leaf, least, BOUND_DOWN);
	if (leaf->kind != CONDITION_GREATER)
		add_bound(leaf, greatest, BOUND_UP);
}

/*
 * Adds a filter that the column contains a text, at the position that the
 * operator implies.
 *
 * An API may combine a letter and the accent that follows it into one
 * character, or look at the next letter to find a letter's case.  So only ASCII
 * is sent, and without the last character unless it ends the column's text.
 */
static void
add_match(const Leaf *leaf, const char *text, RemoteOperator remote_operator)
{
	size_t length = strlen(text);
	char  *json;

	if (!pg_is_ascii(text))
		return;
	if (remote_operator != OPERATOR_ENDS_WITH && length > 0)
	{
		length--;
		while (length > 0 && text[length - 1] == ' ')
			length--;
	}
	json = remote_text_json(pnstrdup(text, length));
	if (json != NULL)
		add_filter(leaf, remote_operator, OPERATOR_CONTAINS, json);
}

/*
 * Adds a filter that the column is LIKE a pattern, if the pattern's wildcards
 * are at its ends.  In all server encodings, a byte equal to a wildcard's is a
 * wildcard.
 */
static void
add_pattern(const Leaf *leaf, const char *pattern)
{
	size_t leading = strspn(pattern, "%");
	size_t length = strlen(pattern);
	size_t end = length;
	char  *text;

	while (end > leading && pattern[end - 1] == '%')
		end--;
	text = pnstrdup(pattern + leading, end - leading);

	if (leading > 0)
		add_match(leaf, text,
				  end < length ? OPERATOR_CONTAINS : OPERATOR_ENDS_WITH);
	else if (end < length)
		add_match(leaf, text, OPERATOR_STARTS_WITH);
	else if ((text = remote_text_json(text)) != NULL)
		add_equality(leaf, list_make1(makeString(text)), OPERATOR_EQ,
					 OPERATOR_IN);
}

/*
 * Adds the filters of a condition on one column: none if every record may match.
 * Returns false if no record can match.
 */
static bool
evaluate_leaf(const Evaluation *evaluation, const List *condition,
			  List **filters)
{
	Leaf leaf = {.kind = condition_kind(condition),
				 .field = condition_field(condition),
				 .remote_kind = intVal(list_nth(condition, LEAF_REMOTE_KIND)),
				 .operators = intVal(list_nth(condition, LEAF_OPERATORS)),
				 .filters = filters};
	bool has_values =
		intVal(list_nth(condition, LEAF_EXPRESSION)) != NO_EXPRESSION;
	bool is_negative =
		leaf.kind == CONDITION_NOT_EQUAL || leaf.kind == CONDITION_NOT_ANY;
	char *text;

	for (int i = 0; i <= OPERATOR_NOT_EXISTS; i++)
	{
		RemoteUse use = {leaf.field, i, NULL};

		if (is_allowed(&leaf, i) && api_refuses(evaluation->api, &use))
			leaf.operators &= ~OPERATOR_BIT(i);
	}

	if (has_values)
	{
		/*
		 * No comparison with a NULL is true, and no value is in an empty list.
		 * Every value differs from the elements of an empty list.
		 */
		leaf.values =
			read_values(condition, evaluation->states, evaluation->econtext);
		if (is_negative ? leaf.values.has_null : leaf.values.count == 0)
			return false;
		if (leaf.values.count == 0)
			return true;
	}

	switch (leaf.kind)
	{
		case CONDITION_EXISTS:
			add_filter(&leaf, OPERATOR_EXISTS, OPERATOR_EXISTS, NULL);
			break;
		case CONDITION_NOT_EQUAL:
		case CONDITION_NOT_ANY:
			add_values(&leaf, OPERATOR_NE, OPERATOR_NOT_IN);
			break;
		case CONDITION_LIKE:
		case CONDITION_STARTS_WITH:
			text = remote_value_text(leaf.values.values[0], leaf.values.type);
			if (leaf.kind == CONDITION_LIKE)
				add_pattern(&leaf, text);
			else
				add_match(&leaf, text, OPERATOR_STARTS_WITH);
			break;
		default:
			if (remote_kind_is_ordered(leaf.remote_kind))
				add_range(&leaf);
			else
				add_values(&leaf, OPERATOR_EQ, OPERATOR_IN);
	}
	return true;
}

/* Adds the uses of a filter to others, in their order. */
static const RemoteUse *
add_uses(const RemoteUse *uses, const RemoteUse *added)
{
	return added == NULL ? uses
						 : remote_uses_add(add_uses(uses, added->next),
										   added->field, added->operation);
}

/* Returns a group of filters, or the filter itself if there is only one. */
static RemoteFilter *
group(const char *name, const List *filters)
{
	RemoteFilter *result;
	List		 *json = NIL;
	ListCell	 *cell;

	if (list_length(filters) == 1)
		return linitial(filters);
	result = palloc0(sizeof(RemoteFilter));
	foreach(cell, filters)
	{
		const RemoteFilter *filter = lfirst(cell);

		json = lappend(json, makeString(filter->json));
		result->uses = add_uses(result->uses, filter->uses);
	}
	result->json = psprintf("{\"%s\":%s}", name, list_json(json));
	return result;
}

/*
 * Adds the filters of a condition: none if every record may match.  Returns
 * false if no record can match.
 */
static bool
evaluate_condition(const Evaluation *evaluation, const List *condition,
				   List **filters)
{
	List	 *arms = NIL;
	ListCell *cell;

	switch (condition_kind(condition))
	{
		case CONDITION_AND:
			for_each_from(cell, condition, 1)
			{
				if (!evaluate_condition(evaluation, lfirst(cell), filters))
					return false;
			}
			return true;
		case CONDITION_OR:
			for_each_from(cell, condition, 1)
			{
				List *arm = NIL;

				if (!evaluate_condition(evaluation, lfirst(cell), &arm))
					continue;
				if (arm == NIL)
					return true;
				arms = lappend(arms, group("and", arm));
			}
			if (arms == NIL)
				return false;
			*filters = lappend(*filters, group("or", arms));
			return true;
		default:
			return evaluate_leaf(evaluation, condition, filters);
	}
}

/*
 * Evaluates a condition to push down.  Sets *filter to its filter, in the
 * current context, or to NULL if every record may match.  Returns false if no
 * record can match: then no request is needed.  The argument states has the
 * ExprStates of the condition's expressions.
 *
 * The filter does not use an operator that the API has rejected, but may use
 * another operator instead.
 */
bool
condition_evaluate_filter(const List *condition, const List *states,
						  ExprContext *econtext, const Api *api,
						  RemoteFilter **filter)
{
	Evaluation evaluation = {states, econtext, api};
	List	  *filters = NIL;

	*filter = NULL;
	if (!evaluate_condition(&evaluation, condition, &filters))
		return false;
	if (filters != NIL)
		*filter = group("and", filters);
	return true;
}
