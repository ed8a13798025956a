/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pushdown_evaluate.c
 *	  Writes the filters for the API that conditions come to at run time.
 *
 * What cannot be said exactly is said wider, or not at all: bounds are moved
 * outwards by more than any rounding, and texts that an API may take in another
 * sense than SQL (wildcards, white space at the ends) are not sent.
 *
 * The planner's side is pushdown.c.  Knows nothing of requests.
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

#include "id.h"
#include "iso8601.h"
#include "pushdown_internal.h"

/*
 * The least bound of a number that is sent beside zero: systems do not read
 * much smaller ones alike.
 */
#define SMALLEST_BOUND 1e-9

/* What conditions are evaluated with. */
typedef struct Evaluation
{
	List		*states; /* of the conditions' expressions */
	ExprContext *econtext;
	List		*refused; /* strings "field operator" */
} Evaluation;

/* Filters of which each has to hold. */
typedef struct Filters
{
	List *json; /* of strings */
	List *uses; /* of strings "field operator", each once */
} Filters;

/* A condition on one column. */
typedef struct Leaf
{
	ConditionKind kind;
	const char	 *field;
	RemoteKind	  remote_kind;
	int			  operators; /* that can serve and are not refused */
	int			  expression;
} Leaf;

/* What a column is compared with. */
typedef struct Values
{
	Datum *values; /* those that are not NULL */
	int	   count;
	bool   has_null; /* one of them, or instead of them all */
	Oid	   type;
} Values;

/* A value of an ordered kind: a time in its own unit, or a number. */
typedef union Ordinal
{
	int64  time;
	double number;
} Ordinal;

/* Which way a bound is moved. */
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
static char *use_text(const char *field, RemoteOperator remote_operator);
static List *add_string(List *strings, char *string);
static bool	 has_string(const List *strings, const char *string);

/*
 * The filter that a condition comes to, in the current context; states are
 * those of the condition's expressions.  *filter is NULL but for REMOTE_SOME.
 *
 * refused are strings "field operator" that the API is known to refuse: such
 * are not sent, and another operator where one will do.
 */
RemoteVerdict
pushdown_evaluate(List *condition, List *states, ExprContext *econtext,
				  List *refused, RemoteFilter **filter)
{
	Evaluation	  evaluation = {states, econtext, refused};
	Filters		  filters = {NIL, NIL};
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
 * Adds the filters of a condition: none for REMOTE_ALL, and none that matter for
 * REMOTE_NONE.
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

/* An arm that cannot be sent leaves the others. */
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

/* An arm that cannot be sent leaves nothing to send. */
static RemoteVerdict
evaluate_or(const Evaluation *evaluation, List *condition, Filters *filters)
{
	List	 *arms = NIL;
	List	 *uses = list_copy(filters->uses);
	ListCell *cell;

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
			/* All differ from no value, but nothing for certain from a NULL. */
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

	/* Nothing compares as true with a NULL, or is one of no values. */
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

/* Takes a condition on one column apart. */
static Leaf
read_leaf(const Evaluation *evaluation, List *condition)
{
	Leaf leaf;

	leaf.kind = condition_kind(condition);
	leaf.field = strVal(list_nth(condition, LEAF_FIELD));
	leaf.remote_kind = intVal(list_nth(condition, LEAF_REMOTE_KIND));
	leaf.operators = intVal(list_nth(condition, LEAF_OPERATORS));
	leaf.expression = intVal(list_nth(condition, LEAF_EXPRESSION));

	for (int i = 0; evaluation->refused != NIL && i <= OPERATOR_NOT_EXISTS; i++)
	{
		if (is_allowed(&leaf, i) &&
			has_string(evaluation->refused, use_text(leaf.field, i)))
			leaf.operators &= ~OPERATOR_BIT(i);
	}
	return leaf;
}

/* Evaluates what a column is compared with. */
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
 * Adds that the column is one of some values, or none of them: by the operator
 * for one value, or that for many.
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

/* The same for values that are JSON already. */
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
 * Adds the bounds of the values that the column is compared with, those that the
 * comparison has.
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
 * Adds one bound, moved outwards; false where it cannot be sent.  Where the API
 * takes no bound that includes its value, it is moved by one step more.
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
 * Adds that the column is LIKE a pattern, if that has its wildcards at the ends.
 * In the encodings that a server can have, a byte that looks like a wildcard is
 * one.
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
 * Adds that the column has a text in it, where the operator says.
 *
 * An API may make one character of a letter and an accent behind it, or look at
 * what follows a letter to tell its case.  So only ASCII is sent, and not the
 * last character, unless the column's text ends with it.
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

/* Adds one filter; the value is JSON, or NULL for none. */
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
		add_string(filters->uses, use_text(leaf->field, remote_operator));
}

static bool
is_allowed(const Leaf *leaf, RemoteOperator remote_operator)
{
	return (leaf->operators & OPERATOR_BIT(remote_operator)) != 0;
}

/* Reads a value of an ordered kind; false for one that is not finite. */
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
 * Reads the point in time that a timestamp, with or without zone, or a date is
 * for PostgreSQL's comparisons; no error where it is out of range.
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

/* Reads the day that a date or a timestamp, with or without zone, is in. */
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
 * A value of an ordered kind as a bound: moved outwards by so many steps, or a
 * little more.  NULL where that cannot be written.
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

/* By seconds, to a whole one. */
static char *
timestamp_bound(int64 time, Direction direction, int steps)
{
	time += direction * steps * USECS_PER_SEC;
	if (direction == UP)
		time += USECS_PER_SEC - 1;
	return iso8601_write(time);
}

/*
 * By the last place that survives a double.  The number is the nearest double to
 * the value, so that its neighbour is beyond the value for certain.
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
 * A value of a kind that is not ordered; NULL where it is not sent.
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

/* A text or a name, in the server's encoding. */
static char *
text_value(Datum value, Oid type)
{
	if (type == NAMEOID)
		return pstrdup(NameStr(*DatumGetName(value)));
	return TextDatumGetCString(value);
}

/*
 * A text; NULL where it is not sent, because the API may take it in another way
 * than SQL does.
 */
static char *
text_json(const char *text)
{
	char *utf8 = text_to_utf8(text);

	return utf8 != NULL && is_plain(utf8) ? string_json(utf8) : NULL;
}

/*
 * A text in UTF-8, or NULL where it is none, or not the only one: such a text is
 * for the recheck to find, and no reason for an error.
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

	/* A server without an encoding has the API's bytes as they came. */
	if (is_ascii || GetDatabaseEncoding() == PG_SQL_ASCII ||
		GetDatabaseEncoding() == PG_UTF8)
		return pg_encoding_verifymbstr(PG_UTF8, text, length) == length
				   ? pstrdup(text)
				   : NULL;

	/* In an encoding of several bytes, several characters may become one. */
	if (pg_database_encoding_max_length() > 1)
		return NULL;

	/*
	 * The conversions hold nothing that only an abort would release, so their
	 * complaints about characters can be caught without a subtransaction.
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
 * Whether a text, in UTF-8, means the same everywhere: it is not empty, has no
 * white space at its ends, which may be trimmed, no control characters, and
 * nothing that is a wildcard somewhere.
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

/* Whether a character is white space, of some width or none. */
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

/* A text, in UTF-8, as a string of JSON. */
static char *
string_json(const char *text)
{
	StringInfoData json;

	initStringInfo(&json);
	/* It looks at single bytes, so that the server's encoding is no matter. */
	escape_json(&json, text);
	return json.data;
}

/* A list of JSON values. */
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

/* A group of filters; of one, that itself. */
static char *
group_json(const char *name, List *filters)
{
	if (list_length(filters) == 1)
		return linitial(filters);
	return psprintf("{\"%s\":%s}", name, list_json(filters));
}

/* How a filter is known that may be refused. */
static char *
use_text(const char *field, RemoteOperator remote_operator)
{
	return psprintf("%s %s", field, remote_operator_name(remote_operator));
}

/* Appends a string, unless it is there. */
static List *
add_string(List *strings, char *string)
{
	return has_string(strings, string) ? strings : lappend(strings, string);
}

static bool
has_string(const List *strings, const char *string)
{
	ListCell *cell;

	foreach(cell, strings)
	{
		if (strcmp(lfirst(cell), string) == 0)
			return true;
	}
	return false;
}
