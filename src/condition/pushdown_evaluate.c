/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pushdown_evaluate.c
 *	  Evaluates conditions at run time, and writes the API's filters.
 *
 * A value that cannot be expressed exactly makes a wider filter, or none.
 * Bounds are moved outwards by more than any rounding.  Texts that an API may
 * interpret in another way than SQL (wildcards, white space at the ends) are
 * not sent.
 *
 * The planner's side is pushdown.c.  Knows nothing about requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "api/api_facts.h"
#include "base/id.h"
#include "base/iso8601.h"
#include "condition/pushdown_internal.h"

/*
 * Smallest absolute value of a bound other than zero.  Systems differ in their
 * treatment of smaller numbers.
 */
#define SMALLEST_BOUND 1e-9

/* Arguments of an evaluation. */
typedef struct Evaluation
{
	List		*states; /* ExprStates of the conditions' expressions */
	ExprContext *econtext;
	const Api	*api; /* knows the operators that it has rejected */
} Evaluation;

/* Filters that are joined by AND. */
typedef struct Filters
{
	List			*json; /* strings */
	const RemoteUse *uses;
} Filters;

/* Condition on one column. */
typedef struct Leaf
{
	ConditionKind kind;
	const char	 *field;
	RemoteKind	  remote_kind;
	int			  operators; /* usable and not rejected, a set of
							  * OPERATOR_BIT */
	int			  expression;
} Leaf;

/* Values that a column is compared with. */
typedef struct Values
{
	Datum *values; /* non-NULL values */
	int	   count;
	bool   has_null; /* the expression, or an element of it, is NULL */
	Oid	   type;
} Values;

/* Value of an ordered kind: a number, or a time in microseconds or days. */
typedef union Ordinal
{
	int64  time;
	double number;
} Ordinal;

/* Direction in which a bound is moved. */
typedef enum Direction
{
	DOWN = -1,
	UP = 1
} Direction;

static RemoteVerdict evaluate_condition(const Evaluation *evaluation,
										List *condition, Filters *filters);
static RemoteVerdict evaluate_and(const Evaluation *evaluation, List *condition,
								  Filters *filters);
static RemoteVerdict evaluate_or(const Evaluation *evaluation, List *condition,
								 Filters *filters);
static RemoteVerdict evaluate_leaf(const Evaluation *evaluation,
								   const Leaf *leaf, Filters *filters);
static Leaf			 read_leaf(const Evaluation *evaluation, List *condition);
static Values read_values(const Evaluation *evaluation, const Leaf *leaf);
static RemoteVerdict add_equality(Filters *filters, const Leaf *leaf,
								  const Values *values, RemoteOperator one,
								  RemoteOperator many);
static RemoteVerdict add_json_equality(Filters *filters, const Leaf *leaf,
									   List *json, RemoteOperator one,
									   RemoteOperator many);
static RemoteVerdict add_range(Filters *filters, const Leaf *leaf,
							   const Values *values);
static bool add_bound(Filters *filters, const Leaf *leaf, Ordinal value,
					  Direction direction);
static RemoteVerdict add_pattern(Filters *filters, const Leaf *leaf,
								 const char *pattern);
static RemoteVerdict add_match(Filters *filters, const Leaf *leaf,
							   const char	 *text,
							   RemoteOperator remote_operator);
static void			 add_filter(Filters *filters, const Leaf *leaf,
								RemoteOperator remote_operator, const char *value);
static bool	 is_allowed(const Leaf *leaf, RemoteOperator remote_operator);
static bool	 read_ordinal(RemoteKind kind, Datum value, Oid type,
						  Ordinal *ordinal);
static bool	 read_timestamp(Datum value, Oid type, int64 *time);
static bool	 read_date(Datum value, Oid type, int64 *days);
static int	 compare_ordinals(RemoteKind kind, Ordinal a, Ordinal b);
static char *bound_json(RemoteKind kind, Ordinal value, Direction direction,
						int steps);
static char *timestamp_bound(int64 time, Direction direction, int steps);
static char *number_bound(double number, Direction direction, int steps);
static char *scalar_json(RemoteKind kind, Datum value, Oid type);
static char *text_value(Datum value, Oid type);
static char *text_json(const char *text);
static char *text_to_utf8(const char *text);
static bool	 is_plain(const char *text);
static bool	 is_space_character(pg_wchar character);
static char *string_json(const char *text);
static char *list_json(List *elements);
static char *group_json(const char *name, List *filters);
static List *add_string(List *strings, char *string);

/*
 * Evaluates a condition and sets *filter to its filter, palloc'd in the current
 * context, or to NULL unless the result is REMOTE_SOME.  The argument states
 * has the ExprStates of the condition's expressions.
 *
 * The filter does not use an operator that the API has rejected, but may use
 * another operator instead.
 */
RemoteVerdict
pushdown_evaluate(List *condition, List *states, ExprContext *econtext,
				  const Api *api, RemoteFilter **filter)
{
	Evaluation	  evaluation = {states, econtext, api};
	Filters		  filters = {NIL, NULL};
	RemoteVerdict verdict =
		evaluate_condition(&evaluation, condition, &filters);

	*filter = NULL;
	if (verdict == REMOTE_SOME)
	{
		*filter = palloc(sizeof(RemoteFilter));
		(*filter)->json = group_json("and", filters.json);
		(*filter)->uses = filters.uses;
	}
	return verdict;
}

/*
 * Adds the filters of a condition.  Adds none for REMOTE_ALL.  For REMOTE_NONE
 * the added filters have no meaning.
 */
static RemoteVerdict
evaluate_condition(const Evaluation *evaluation, List *condition,
				   Filters *filters)
{
	Leaf leaf;

	switch (condition_kind(condition))
	{
		case CONDITION_AND:
			return evaluate_and(evaluation, condition, filters);
		case CONDITION_OR:
			return evaluate_or(evaluation, condition, filters);
		default:
			leaf = read_leaf(evaluation, condition);
			return evaluate_leaf(evaluation, &leaf, filters);
	}
}

/* Adds the filters of the arms that have any. */
static RemoteVerdict
evaluate_and(const Evaluation *evaluation, List *condition, Filters *filters)
{
	RemoteVerdict verdict = REMOTE_ALL;
	ListCell	 *cell;

	for_each_from(cell, condition, 1)
	{
		switch (evaluate_condition(evaluation, lfirst(cell), filters))
		{
			case REMOTE_NONE:
				return REMOTE_NONE;
			case REMOTE_SOME:
				verdict = REMOTE_SOME;
				break;
			case REMOTE_ALL:
				break;
		}
	}
	return verdict;
}

/* Adds the filters of all arms, or none if one arm has none. */
static RemoteVerdict
evaluate_or(const Evaluation *evaluation, List *condition, Filters *filters)
{
	List			*arms = NIL;
	const RemoteUse *uses = filters->uses;
	ListCell		*cell;

	for_each_from(cell, condition, 1)
	{
		Filters arm = {NIL, uses};

		switch (evaluate_condition(evaluation, lfirst(cell), &arm))
		{
			case REMOTE_NONE:
				break;
			case REMOTE_SOME:
				arms = lappend(arms, group_json("and", arm.json));
				uses = arm.uses;
				break;
			case REMOTE_ALL:
				return REMOTE_ALL;
		}
	}
	if (arms == NIL)
		return REMOTE_NONE;
	filters->json = lappend(filters->json, group_json("or", arms));
	filters->uses = uses;
	return REMOTE_SOME;
}

static RemoteVerdict
evaluate_leaf(const Evaluation *evaluation, const Leaf *leaf, Filters *filters)
{
	Values values;

	switch (leaf->kind)
	{
		case CONDITION_TRUE:
		case CONDITION_FALSE:
			return add_json_equality(
				filters, leaf,
				list_make1(leaf->kind == CONDITION_TRUE ? "true" : "false"),
				OPERATOR_EQ, OPERATOR_IN);
		case CONDITION_EXISTS:
			if (!is_allowed(leaf, OPERATOR_EXISTS))
				return REMOTE_ALL;
			add_filter(filters, leaf, OPERATOR_EXISTS, NULL);
			return REMOTE_SOME;
		case CONDITION_NOT_EQUAL:
		case CONDITION_NOT_ANY:
			/*
			 * Every value differs from the elements of an empty list, but the
			 * comparison with a NULL is never true.
			 */
			values = read_values(evaluation, leaf);
			if (values.has_null)
				return REMOTE_NONE;
			if (values.count == 0)
				return REMOTE_ALL;
			return add_equality(filters, leaf, &values, OPERATOR_NE,
								OPERATOR_NOT_IN);
		default:
			break;
	}

	/* No comparison with a NULL is true, and no value is in an empty list. */
	values = read_values(evaluation, leaf);
	if (values.count == 0)
		return REMOTE_NONE;
	if (leaf->kind == CONDITION_LIKE)
		return add_pattern(filters, leaf,
						   text_value(values.values[0], values.type));
	if (leaf->kind == CONDITION_STARTS_WITH)
		return add_match(filters, leaf,
						 text_value(values.values[0], values.type),
						 OPERATOR_STARTS_WITH);
	if (remote_kind_is_ordered(leaf->remote_kind))
		return add_range(filters, leaf, &values);
	return add_equality(filters, leaf, &values, OPERATOR_EQ, OPERATOR_IN);
}

/* Reads a condition on one column, without the rejected operators. */
static Leaf
read_leaf(const Evaluation *evaluation, List *condition)
{
	Leaf leaf;

	leaf.kind = condition_kind(condition);
	leaf.field = strVal(list_nth(condition, LEAF_FIELD));
	leaf.remote_kind = intVal(list_nth(condition, LEAF_REMOTE_KIND));
	leaf.operators = intVal(list_nth(condition, LEAF_OPERATORS));
	leaf.expression = intVal(list_nth(condition, LEAF_EXPRESSION));

	for (int i = 0; i <= OPERATOR_NOT_EXISTS; i++)
	{
		RemoteUse use = {leaf.field, i, NULL};

		if (is_allowed(&leaf, i) && api_refuses(evaluation->api, &use))
			leaf.operators &= ~OPERATOR_BIT(i);
	}
	return leaf;
}

/* Evaluates the values that a column is compared with. */
static Values
read_values(const Evaluation *evaluation, const Leaf *leaf)
{
	ExprState *state = list_nth(evaluation->states, leaf->expression);
	Values	   values = {NULL, 0, false, InvalidOid};
	Datum	   value;
	ArrayType *array;
	int16	   length;
	bool	   byval;
	char	   align;
	Datum	  *elements;
	bool	  *nulls;
	int		   count;

	value = ExecEvalExprSwitchContext(state, evaluation->econtext,
									  &values.has_null);
	values.type = getBaseType(exprType((Node *) state->expr));
	if (values.has_null)
		return values;
	if (leaf->kind != CONDITION_ANY && leaf->kind != CONDITION_NOT_ANY)
	{
		values.values = palloc(sizeof(Datum));
		values.values[values.count++] = value;
		return values;
	}

	array = DatumGetArrayTypeP(value);
	values.type = getBaseType(ARR_ELEMTYPE(array));
	get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), length, byval, align,
					  &elements, &nulls, &count);
	values.values = elements;
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			values.has_null = true;
		else
			elements[values.count++] = elements[i];
	}
	return values;
}

/*
 * Adds a filter that the column is one of the values, or none of them.  Uses
 * the operator one for a single value, many for several.
 */
static RemoteVerdict
add_equality(Filters *filters, const Leaf *leaf, const Values *values,
			 RemoteOperator one, RemoteOperator many)
{
	List *json = NIL;

	for (int i = 0; i < values->count; i++)
	{
		char *text =
			scalar_json(leaf->remote_kind, values->values[i], values->type);

		if (text == NULL)
			return REMOTE_ALL;
		json = add_string(json, text);
		if (list_length(json) > MAX_REMOTE_VALUES)
			return REMOTE_ALL;
	}
	return add_json_equality(filters, leaf, json, one, many);
}

/* Does the same for values in JSON. */
static RemoteVerdict
add_json_equality(Filters *filters, const Leaf *leaf, List *json,
				  RemoteOperator one, RemoteOperator many)
{
	if (list_length(json) == 1 && is_allowed(leaf, one))
		add_filter(filters, leaf, one, linitial(json));
	else if (is_allowed(leaf, many))
		add_filter(filters, leaf, many, list_json(json));
	else
		return REMOTE_ALL;
	return REMOTE_SOME;
}

/*
 * Adds the bounds that the comparison has: the least value, the greatest, or
 * both.
 */
static RemoteVerdict
add_range(Filters *filters, const Leaf *leaf, const Values *values)
{
	Ordinal least = {0};
	Ordinal greatest = {0};
	bool	is_bounded = false;

	for (int i = 0; i < values->count; i++)
	{
		Ordinal ordinal;

		if (!read_ordinal(leaf->remote_kind, values->values[i], values->type,
						  &ordinal))
			return REMOTE_ALL;
		if (i == 0 || compare_ordinals(leaf->remote_kind, ordinal, least) < 0)
			least = ordinal;
		if (i == 0 ||
			compare_ordinals(leaf->remote_kind, ordinal, greatest) > 0)
			greatest = ordinal;
	}

	if (leaf->kind != CONDITION_LESS)
		is_bounded = add_bound(filters, leaf, least, DOWN);
	if (leaf->kind != CONDITION_GREATER)
		is_bounded = add_bound(filters, leaf, greatest, UP) || is_bounded;
	return is_bounded ? REMOTE_SOME : REMOTE_ALL;
}

/*
 * Adds one bound, moved outwards.  If the API has only the operator that
 * excludes the bound itself, it is moved by one step more.  Returns false if
 * the bound cannot be pushed down.
 */
static bool
add_bound(Filters *filters, const Leaf *leaf, Ordinal value,
		  Direction direction)
{
	RemoteOperator including = direction == DOWN ? OPERATOR_GTE : OPERATOR_LTE;
	RemoteOperator excluding = direction == DOWN ? OPERATOR_GT : OPERATOR_LT;
	bool		   is_including = is_allowed(leaf, including);
	char		  *json;

	if (!is_including && !is_allowed(leaf, excluding))
		return false;
	json =
		bound_json(leaf->remote_kind, value, direction, is_including ? 1 : 2);
	if (json == NULL)
		return false;
	add_filter(filters, leaf, is_including ? including : excluding, json);
	return true;
}

/*
 * Adds a filter that the column is LIKE a pattern, if the pattern's wildcards
 * are at its ends.  In all server encodings, a byte equal to a wildcard's is a
 * wildcard.
 */
static RemoteVerdict
add_pattern(Filters *filters, const Leaf *leaf, const char *pattern)
{
	size_t leading = strspn(pattern, "%");
	size_t length = strlen(pattern);
	size_t end = length;
	char  *text;

	while (end > leading && pattern[end - 1] == '%')
		end--;
	text = pnstrdup(pattern + leading, end - leading);

	if (leading > 0)
		return add_match(filters, leaf, text,
						 end < length ? OPERATOR_CONTAINS : OPERATOR_ENDS_WITH);
	if (end < length)
		return add_match(filters, leaf, text, OPERATOR_STARTS_WITH);
	text = text_json(text);
	if (text == NULL)
		return REMOTE_ALL;
	return add_json_equality(filters, leaf, list_make1(text), OPERATOR_EQ,
							 OPERATOR_IN);
}

/*
 * Adds a filter that the column contains a text, at the position that the
 * operator implies.
 *
 * An API may combine a letter and the accent that follows it into one
 * character, or look at the next letter to find a letter's case.  So only ASCII
 * is sent, and without the last character unless it ends the column's text.
 */
static RemoteVerdict
add_match(Filters *filters, const Leaf *leaf, const char *text,
		  RemoteOperator remote_operator)
{
	char  *part = pstrdup(text);
	size_t length = strlen(part);
	char  *json;

	for (size_t i = 0; i < length; i++)
	{
		if (IS_HIGHBIT_SET(part[i]))
			return REMOTE_ALL;
	}
	if (remote_operator != OPERATOR_ENDS_WITH && length > 0)
	{
		length--;
		while (length > 0 && part[length - 1] == ' ')
			length--;
		part[length] = '\0';
	}
	json = text_json(part);
	if (!is_allowed(leaf, remote_operator))
		remote_operator = OPERATOR_CONTAINS;
	if (json == NULL || !is_allowed(leaf, remote_operator))
		return REMOTE_ALL;
	add_filter(filters, leaf, remote_operator, json);
	return REMOTE_SOME;
}

/* Adds one filter.  The value is JSON, or NULL if the operator has none. */
static void
add_filter(Filters *filters, const Leaf *leaf, RemoteOperator remote_operator,
		   const char *value)
{
	char *json = psprintf(
		"{\"field\":%s,\"operator\":\"%s\"%s%s}", string_json(leaf->field),
		remote_operator_name(remote_operator),
		value != NULL ? ",\"value\":" : "", value != NULL ? value : "");

	filters->json = lappend(filters->json, json);
	filters->uses =
		remote_uses_add(filters->uses, leaf->field, remote_operator);
}

static bool
is_allowed(const Leaf *leaf, RemoteOperator remote_operator)
{
	return (leaf->operators & OPERATOR_BIT(remote_operator)) != 0;
}

/* Reads a value of an ordered kind.  Returns false if it is not finite. */
static bool
read_ordinal(RemoteKind kind, Datum value, Oid type, Ordinal *ordinal)
{
	switch (kind)
	{
		case REMOTE_TIMESTAMP:
			return read_timestamp(value, type, &ordinal->time);
		case REMOTE_DATE:
			return read_date(value, type, &ordinal->time);
		case REMOTE_NUMBER:
			ordinal->number = DatumGetFloat8(
				DirectFunctionCall1(numeric_float8_no_overflow, value));
			return isfinite(ordinal->number);
		default:
			return false;
	}
}

/*
 * Reads a timestamp, with or without time zone, or a date as the point in time
 * that PostgreSQL compares.  Returns false if it is infinite or out of range.
 */
static bool
read_timestamp(Datum value, Oid type, int64 *time)
{
	int overflow = 0;

	if (type == DATEOID)
		*time =
			date2timestamptz_opt_overflow(DatumGetDateADT(value), &overflow);
	else if (type == TIMESTAMPOID)
		*time = timestamp2timestamptz_opt_overflow(DatumGetTimestamp(value),
												   &overflow);
	else
		*time = DatumGetTimestampTz(value);
	return overflow == 0 && !TIMESTAMP_NOT_FINITE(*time);
}

/*
 * Reads the day of a date or of a timestamp, with or without time zone.
 * Returns false if it is infinite.
 */
static bool
read_date(Datum value, Oid type, int64 *days)
{
	if (type != DATEOID && TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value)))
		return false;
	if (type == TIMESTAMPTZOID)
		value = DirectFunctionCall1(timestamptz_date, value);
	else if (type == TIMESTAMPOID)
		value = DirectFunctionCall1(timestamp_date, value);
	*days = DatumGetDateADT(value);
	return !DATE_NOT_FINITE(DatumGetDateADT(value));
}

static int
compare_ordinals(RemoteKind kind, Ordinal a, Ordinal b)
{
	if (kind == REMOTE_NUMBER)
		return (a.number > b.number) - (a.number < b.number);
	return (a.time > b.time) - (a.time < b.time);
}

/*
 * Returns the JSON of a bound, moved outwards by at least this number of steps;
 * or NULL if the result cannot be represented.
 */
static char *
bound_json(RemoteKind kind, Ordinal value, Direction direction, int steps)
{
	char *text;

	if (kind == REMOTE_NUMBER)
		return number_bound(value.number, direction, steps);
	if (kind == REMOTE_TIMESTAMP)
		text = timestamp_bound(value.time, direction, steps);
	else
		text = iso8601_write_date(value.time + direction * steps);
	return text == NULL ? NULL : string_json(text);
}

/*
 * Returns the text of a bound; a step is a second, and the result a whole
 * second.  Returns NULL if it is out of range.
 */
static char *
timestamp_bound(int64 time, Direction direction, int steps)
{
	time += direction * steps * USECS_PER_SEC;
	if (direction == UP)
		time += USECS_PER_SEC - 1;
	return iso8601_write(time);
}

/*
 * Returns the JSON of a bound; a step is one unit in the last place of a
 * double.  The number is the double nearest to the SQL value, so its neighbour
 * is certainly beyond the value.  Returns NULL if the result is not finite.
 */
static char *
number_bound(double number, Direction direction, int steps)
{
	char *text = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);

	for (int i = 0; i < steps; i++)
		number = nextafter(number, direction * HUGE_VAL);
	if (fabs(number) < SMALLEST_BOUND)
		number = direction * SMALLEST_BOUND;
	if (!isfinite(number))
		return NULL;
	double_to_shortest_decimal_buf(number, text);
	return text;
}

/*
 * Returns the JSON of a value of a kind that is not ordered, or NULL if it must
 * not be sent.
 */
static char *
scalar_json(RemoteKind kind, Datum value, Oid type)
{
	switch (kind)
	{
		case REMOTE_UUID:
			return string_json(id_text(DatumGetUUIDP(value)));
		case REMOTE_BOOLEAN:
			return DatumGetBool(value) ? "true" : "false";
		case REMOTE_TEXT:
			return text_json(text_value(value, type));
		default:
			return NULL;
	}
}

/* Returns a text or a name as a string in the server's encoding. */
static char *
text_value(Datum value, Oid type)
{
	if (type == NAMEOID)
		return pstrdup(NameStr(*DatumGetName(value)));
	return TextDatumGetCString(value);
}

/*
 * Returns the JSON of a text, or NULL if it must not be sent because the API
 * may interpret it in another way than SQL.
 */
static char *
text_json(const char *text)
{
	char *utf8 = text_to_utf8(text);

	return utf8 != NULL && is_plain(utf8) ? string_json(utf8) : NULL;
}

/*
 * Returns a text in UTF-8, or NULL if it has no representation there or if the
 * representation is ambiguous.  Raises no error for such a text: PostgreSQL's
 * recheck finds its rows.
 */
static char *
text_to_utf8(const char *text)
{
	MemoryContext context = CurrentMemoryContext;
	int			  length = strlen(text);
	bool		  is_ascii = true;
	char *volatile utf8 = NULL;

	for (int i = 0; i < length && is_ascii; i++)
		is_ascii = !IS_HIGHBIT_SET(text[i]);

	/* A database without an encoding keeps the API's bytes unchanged. */
	if (is_ascii || GetDatabaseEncoding() == PG_SQL_ASCII ||
		GetDatabaseEncoding() == PG_UTF8)
		return pg_encoding_verifymbstr(PG_UTF8, text, length) == length
				   ? pstrdup(text)
				   : NULL;

	/* Multibyte encodings may map several characters to the same one. */
	if (pg_database_encoding_max_length() > 1)
		return NULL;

	/*
	 * The conversions hold no resource that only an abort would release.  So an
	 * error about a character can be caught without a subtransaction.
	 */
	PG_TRY();
	{
		utf8 = pstrdup(pg_server_to_any(text, length, PG_UTF8));
	}
	PG_CATCH();
	{
		int code = geterrcode();

		if (code != ERRCODE_UNTRANSLATABLE_CHARACTER &&
			code != ERRCODE_CHARACTER_NOT_IN_REPERTOIRE)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return utf8;
}

/*
 * Returns true if any API interprets a text, in UTF-8, in the same way.  It is
 * not empty, has no white space at its ends that may be trimmed, no control
 * characters, and no character that is a wildcard in some system.
 */
static bool
is_plain(const char *text)
{
	const unsigned char *rest = (const unsigned char *) text;
	pg_wchar			 character = ' ';

	while (*rest != '\0')
	{
		bool is_first = rest == (const unsigned char *) text;

		character = utf8_to_unicode(rest);
		if (character < 0x20 || (character >= 0x7f && character < 0xa0) ||
			(character < 0x7f && strchr("\\%_*", character) != NULL) ||
			(is_first && is_space_character(character)))
			return false;
		rest += pg_encoding_mblen(PG_UTF8, (const char *) rest);
	}
	return !is_space_character(character);
}

/* Returns true if a character is white space, including that of zero width. */
static bool
is_space_character(pg_wchar character)
{
	return character == ' ' || character == 0xa0 || character == 0x1680 ||
		   character == 0x180e ||
		   (character >= 0x2000 && character <= 0x200f) ||
		   (character >= 0x2028 && character <= 0x202f) ||
		   (character >= 0x205f && character <= 0x2064) ||
		   character == 0x3000 || character == 0xfeff;
}

/* Returns a text, in UTF-8, as a JSON string. */
static char *
string_json(const char *text)
{
	StringInfoData json;

	initStringInfo(&json);
	/*
	 * The function examines single bytes, so the server's encoding does not
	 * matter.
	 */
	escape_json(&json, text);
	return json.data;
}

/* Returns a JSON array of the elements, which are JSON. */
static char *
list_json(List *elements)
{
	StringInfoData json;
	ListCell	  *cell;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	foreach(cell, elements)
		appendStringInfo(&json, "%s%s",
						 foreach_current_index(cell) > 0 ? "," : "",
						 (char *) lfirst(cell));
	appendStringInfoChar(&json, ']');
	return json.data;
}

/* Returns a group of filters, or the filter itself if there is only one. */
static char *
group_json(const char *name, List *filters)
{
	if (list_length(filters) == 1)
		return linitial(filters);
	return psprintf("{\"%s\":%s}", name, list_json(filters));
}

/* Appends a string, unless the list has it. */
static List *
add_string(List *strings, char *string)
{
	ListCell *cell;

	foreach(cell, strings)
	{
		if (strcmp(lfirst(cell), string) == 0)
			return strings;
	}
	return lappend(strings, string);
}
