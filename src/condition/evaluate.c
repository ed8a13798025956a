/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * evaluate.c
 *	  Evaluates conditions at run time: a condition on the id or another key
 *	  to a set of keys, other conditions to the API's filters.
 *
 * A value that cannot be expressed exactly in JSON is not sent.  Bounds are
 * moved outwards by more than any rounding.  Texts that an API may interpret in
 * another way than SQL (wildcards, white space at the ends) are not sent.
 *
 * The planner's side is condition.c.  Knows nothing about requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/shortest_dec.h"
#include "common/string.h"
#include "executor/executor.h"
#include "lib/qunique.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/id.h"
#include "base/iso8601.h"
#include "condition/condition.h"

/* Last year that the API's format can express. */
#define MAX_ISO_YEAR 9999

/* Absolute value below which systems treat numbers differently, except zero. */
#define SMALLEST_BOUND 1e-9

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
	const Api	 *api; /* knows the operators that it has rejected */
	ConditionKind kind;
	const char	 *field;
	RemoteKind	  remote_kind;
	int			  operators; /* usable, a set of OPERATOR_BIT */
	int			  most;		 /* limit of the values of a list */
	const List	 *slack;	 /* LEAF_SLACK */
	Values		  values;
	List		**filters; /* RemoteFilters, joined by AND */
} Leaf;

/* Value of an ordered kind; the member of the other kinds is 0. */
typedef struct Bound
{
	int64  time; /* microseconds of a timestamp, or days of a date; with a
				  * slack always microseconds */
	double number;
} Bound;

/* A set of texts. */
typedef struct TextSetElement
{
	const char *text;
	char		status; /* for simplehash.h */
} TextSetElement;

#define SH_PREFIX text_set
#define SH_ELEMENT_TYPE TextSetElement
#define SH_KEY_TYPE const char *
#define SH_KEY text
#define SH_HASH_KEY(table, key) \
	hash_bytes((const unsigned char *) (key), (int) strlen(key))
#define SH_EQUAL(table, a, b) (strcmp(a, b) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* --- SQL values as JSON --- */

static char *
value_text(Datum value, Oid type)
{
	return type == NAMEOID ? pstrdup(NameStr(*DatumGetName(value)))
						   : TextDatumGetCString(value);
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

/*
 * Returns true if any API interprets a text, in UTF-8, in the same way: not
 * empty, no white space at its ends, no control character, and no system's
 * wildcard.
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

/*
 * Returns a text in UTF-8, or NULL if it has no representation there or if the
 * representation is ambiguous.  PostgreSQL's recheck finds the rows of such a
 * text.
 */
static char *
text_to_utf8(const char *text)
{
	int	  encoding = GetDatabaseEncoding();
	int	  length = strlen(text);
	Size  size = (Size) length * MAX_CONVERSION_GROWTH + 1;
	Oid	  conversion;
	char *utf8;

	/* A database without an encoding keeps the API's bytes unchanged. */
	if (pg_is_ascii(text) || encoding == PG_SQL_ASCII || encoding == PG_UTF8)
		return pg_encoding_verifymbstr(PG_UTF8, text, length) == length
				   ? pstrdup(text)
				   : NULL;

	/* Multibyte encodings may map several characters to the same one. */
	conversion = FindDefaultConversionProc(encoding, PG_UTF8);
	if (pg_database_encoding_max_length() > 1 || !OidIsValid(conversion) ||
		!AllocSizeIsValid(size))
		return NULL;
	utf8 = palloc(size);
	return pg_do_encoding_conversion_buf(
			   conversion, encoding, PG_UTF8, (unsigned char *) text, length,
			   (unsigned char *) utf8, size, true) == length
			   ? utf8
			   : NULL;
}

/* Returns the JSON of a text, or NULL if it must not be sent. */
static char *
text_json(const char *text)
{
	char *utf8 = text_to_utf8(text);

	return utf8 != NULL && is_plain(utf8) ? json_quote(utf8) : NULL;
}

/* Returns the JSON of a value of an unordered kind; NULL: must not be sent. */
static char *
value_json(RemoteKind kind, Datum value, Oid type)
{
	if (kind == REMOTE_UUID)
		return json_quote(id_text(DatumGetUUIDP(value)));
	if (kind == REMOTE_BOOLEAN)
		return DatumGetBool(value) ? "true" : "false";
	Assert(kind == REMOTE_TEXT);
	return text_json(value_text(value, type));
}

/*
 * Reads the point in time of a timestamp or a date, as PostgreSQL compares it.
 * Returns false if it is infinite or out of range.
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

/* Reads the day of a date or a timestamp.  Returns false if it is infinite. */
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

/* Returns the double that is nearest to a number, or an infinity or NaN. */
static double
read_number(Datum value, Oid type)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return (double) DatumGetInt64(value);
		case FLOAT4OID:
			return DatumGetFloat4(value);
		case FLOAT8OID:
			return DatumGetFloat8(value);
		default:
			return DatumGetFloat8(
				DirectFunctionCall1(numeric_float8_no_overflow, value));
	}
}

/*
 * Reads a value that a column's slack applies to: a time, taken as UTC if it has
 * no time zone, or the begin of a year.  Returns false as read_timestamp does.
 */
static bool
read_nominal(const Leaf *leaf, Datum value, int64 *time)
{
	int	   overflow = 0;
	double year;

	if (slack_is_year(leaf->slack))
	{
		year = floor(read_number(value, leaf->values.type));
		if (!(year >= 1 && year <= MAX_ISO_YEAR))
			return false;
		*time = (int64) (date2j((int) year, 1, 1) - POSTGRES_EPOCH_JDATE) *
				USECS_PER_DAY;
		return true;
	}
	*time = leaf->values.type == DATEOID
				? date2timestamp_opt_overflow(DatumGetDateADT(value), &overflow)
				: DatumGetTimestamp(value);
	return overflow == 0 && !TIMESTAMP_NOT_FINITE(*time);
}

/* Reads a value of an ordered kind.  Returns false if it is not finite. */
static bool
read_bound(const Leaf *leaf, Datum value, Bound *bound)
{
	Oid type = leaf->values.type;

	*bound = (Bound){0};
	if (leaf->remote_kind == REMOTE_NUMBER)
		bound->number = read_number(value, type);
	else if (leaf->slack != NIL)
		return read_nominal(leaf, value, &bound->time);
	else if (leaf->remote_kind == REMOTE_TIMESTAMP)
		return read_timestamp(value, type, &bound->time);
	else
		return read_date(value, type, &bound->time);
	return isfinite(bound->number);
}

/*
 * Moves a bound by the slack of the column's side.  A time that the API's format
 * cannot express remains one.
 */
static void
move_bound(const Leaf *leaf, Bound *bound, bool is_lower)
{
	double slack;
	double time;

	if (leaf->slack == NIL)
		return;
	slack = slack_number(leaf->slack, is_lower ? SLACK_LOW : SLACK_HIGH);
	if (leaf->remote_kind == REMOTE_NUMBER)
	{
		bound->number += slack;
		return;
	}
	time = (double) bound->time + slack * USECS_PER_DAY;
	time = Max(Min(time, (double) END_TIMESTAMP), (double) MIN_TIMESTAMP);
	if (leaf->remote_kind == REMOTE_DATE)
		time =
			is_lower ? floor(time / USECS_PER_DAY) : ceil(time / USECS_PER_DAY);
	bound->time = (int64) time;
}

/* Returns true if a bound is less than another one of the same kind. */
static bool
bound_is_less(Bound a, Bound b)
{
	return a.time < b.time || a.number < b.number;
}

/*
 * Returns the JSON of a number, moved by steps of one unit in the last place of
 * a double, down if steps is negative.  The number is the double nearest to the
 * SQL value, so its neighbour is certainly beyond the value.  Returns NULL if
 * the result is not finite.
 */
static char *
number_bound(double number, int steps)
{
	char *text = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);

	for (int i = 0; i < abs(steps); i++)
		number = nextafter(number, steps * HUGE_VAL);
	if (fabs(number) < SMALLEST_BOUND)
		number = copysign(SMALLEST_BOUND, steps);
	if (!isfinite(number))
		return NULL;
	double_to_shortest_decimal_buf(number, text);
	return text;
}

/*
 * Returns the JSON of a bound, moved by at least this number of steps, which is
 * negative for a lower bound.  A step is a second, rounded to a whole one, a
 * day, or a unit in the last place.  Returns NULL if JSON cannot express it.
 */
static char *
bound_json(RemoteKind kind, Bound bound, int steps)
{
	char *text;

	if (kind == REMOTE_NUMBER)
		return number_bound(bound.number, steps);
	if (kind == REMOTE_DATE)
		text = iso8601_write_date(bound.time + steps);
	else
	{
		bound.time += steps * USECS_PER_SEC;
		if (steps > 0)
			bound.time += USECS_PER_SEC - 1;
		text = iso8601_write(bound.time);
	}
	return text == NULL ? NULL : json_quote(text);
}

/* --- Keys --- */

/*
 * Evaluates the expression of a leaf in the current context.  The values of
 * CONDITION_ANY and CONDITION_NOT_ANY are the elements of its array.
 */
static Values
read_values(const List *condition, const List *states, ExprContext *econtext)
{
	ConditionKind kind = condition_kind(condition);
	ExprState	 *state =
		list_nth(states, leaf_number(condition, LEAF_EXPRESSION));
	Values		  values = {NULL, 0, false, InvalidOid};
	Datum		  value;
	ArrayType	 *array;
	ArrayIterator iterator;
	bool		  is_null;

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
	values.values = palloc(ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) *
						   sizeof(Datum));
	iterator = array_create_iterator(array, 0, NULL);
	while (array_iterate(iterator, &value, &is_null))
	{
		if (is_null)
			values.has_null = true;
		else
			values.values[values.count++] = value;
	}
	return values;
}

static int
compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t));
}

/* Appends the keys of b to a, with duplicates and unsorted. */
static KeySet
unite(KeySet a, KeySet b)
{
	a.keys = repalloc(a.keys, (a.count + b.count) * sizeof(pg_uuid_t));
	memcpy(a.keys + a.count, b.keys, b.count * sizeof(pg_uuid_t));
	a.count += b.count;
	return a;
}

/* Removes from a the keys that b, which is sorted, does not have. */
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
 * Returns the keys that a condition on the id or on a key allows, in the
 * current context.  states: ExprStates of the plan's expressions.  NULLs and
 * texts that are not UUIDs allow no key.
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
		set.keys = palloc(values.count * sizeof(pg_uuid_t));
		for (int i = 0; i < values.count; i++)
		{
			pg_uuid_t *key = &set.keys[set.count];

			if (values.type == UUIDOID)
				*key = *DatumGetUUIDP(values.values[i]);
			else if (!id_parse(value_text(values.values[i], values.type), key))
				continue;
			set.count++;
		}
	}
	qsort(set.keys, set.count, sizeof(pg_uuid_t), compare_keys);
	set.count = qunique(set.keys, set.count, sizeof(pg_uuid_t), compare_keys);
	return set;
}

/* --- Filters --- */

/* Returns true if the API has an operator, and is not known to reject it. */
static bool
is_allowed(const Leaf *leaf, RemoteOperator remote_operator)
{
	RemoteUse use = {leaf->field, remote_operator, NULL};

	return (leaf->operators & OPERATOR_BIT(remote_operator)) != 0 &&
		   !api_refuses(leaf->api, &use);
}

/*
 * Adds a filter, or returns false if the API does not support the operator.
 * The value is JSON, or NULL.
 */
static bool
add_filter(const Leaf *leaf, RemoteOperator used, const char *value)
{
	if (!is_allowed(leaf, used))
		return false;
	*leaf->filters =
		lappend(*leaf->filters, remote_filter_create(leaf->field, used, value));
	return true;
}

/*
 * Adds a filter that the column is one of the values, distinct Strings of JSON,
 * or none of them.  The operator one is for a single value, many for several.
 */
static void
add_equality(const Leaf *leaf, List *json, RemoteOperator one,
			 RemoteOperator many)
{
	if (list_length(json) == 1 && add_filter(leaf, one, strVal(linitial(json))))
		return;
	if (add_filter(leaf, many, json_list(json, 0, list_length(json))) &&
		many == OPERATOR_IN)
		((RemoteFilter *) llast(*leaf->filters))->values = json;
}

/* Adds a filter for the leaf's values, unless they are too many or not exact. */
static void
add_values(const Leaf *leaf, RemoteOperator one, RemoteOperator many)
{
	text_set_hash *seen = text_set_create(
		CurrentMemoryContext, Min(leaf->values.count, leaf->most), NULL);
	List *json = NIL;

	for (int i = 0; i < leaf->values.count; i++)
	{
		char *text = value_json(leaf->remote_kind, leaf->values.values[i],
								leaf->values.type);
		bool  found;

		if (text == NULL)
			return;
		text_set_insert(seen, text, &found);
		if (found)
			continue;
		json = lappend(json, makeString(text));
		if (list_length(json) > leaf->most)
			return;
	}
	add_equality(leaf, json, one, many);
}

/*
 * Adds a bound, moved outwards by the slack and a step.  If the API has only the
 * operator that excludes the bound itself, it is moved by one step more.
 */
static void
add_bound(const Leaf *leaf, Bound bound, bool is_lower)
{
	RemoteOperator including = is_lower ? OPERATOR_GTE : OPERATOR_LTE;
	RemoteOperator excluding = is_lower ? OPERATOR_GT : OPERATOR_LT;
	int			   steps = is_allowed(leaf, including) ? 1 : 2;
	char		  *json;

	move_bound(leaf, &bound, is_lower);
	json = bound_json(leaf->remote_kind, bound, is_lower ? -steps : steps);
	if (json != NULL && !add_filter(leaf, including, json))
		add_filter(leaf, excluding, json);
}

/* Adds the comparison's bounds: the least value, the greatest, or both. */
static void
add_range(const Leaf *leaf)
{
	Bound least = {0};
	Bound greatest = {0};

	/* The slack is that of usual time zones. */
	if (leaf->slack != NIL && leaf->remote_kind != REMOTE_NUMBER &&
		!slack_zone_is_usual(pg_get_timezone_name(session_timezone)))
		return;
	for (int i = 0; i < leaf->values.count; i++)
	{
		Bound bound;

		if (!read_bound(leaf, leaf->values.values[i], &bound))
			return;
		if (i == 0 || bound_is_less(bound, least))
			least = bound;
		if (i == 0 || bound_is_less(greatest, bound))
			greatest = bound;
	}
	if (leaf->kind != CONDITION_LESS)
		add_bound(leaf, least, true);
	if (leaf->kind != CONDITION_GREATER)
		add_bound(leaf, greatest, false);
}

/*
 * Adds a filter that the column contains a text, at the operator's position.
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
	json = text_json(pnstrdup(text, length));
	if (json != NULL && !add_filter(leaf, remote_operator, json))
		add_filter(leaf, OPERATOR_CONTAINS, json);
}

/*
 * Adds a filter for a LIKE pattern with wildcards only at its ends.  In all
 * server encodings, a byte equal to a wildcard's is a wildcard.
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
	else if ((text = text_json(text)) != NULL)
		add_equality(leaf, list_make1(makeString(text)), OPERATOR_EQ,
					 OPERATOR_IN);
}

/* Returns true if the column may have truncated a text that equals a value. */
static bool
may_be_truncated(const Leaf *leaf)
{
	double length;

	if (leaf->remote_kind != REMOTE_TEXT || leaf->slack == NIL)
		return false;
	length = slack_number(leaf->slack, SLACK_HIGH);
	for (int i = 0; i < leaf->values.count; i++)
	{
		if (strlen(value_text(leaf->values.values[i], leaf->values.type)) >=
			length)
			return true;
	}
	return false;
}

/*
 * Adds the filters of a condition on one column: none if every record may
 * match, or if a list has more than this number of values.  Returns false if no
 * record can match.
 */
static bool
evaluate_leaf(const List *condition, const List *states, ExprContext *econtext,
			  const Api *api, int most, List **filters)
{
	Leaf leaf = {.api = api,
				 .kind = condition_kind(condition),
				 .field = condition_field(condition),
				 .remote_kind = leaf_number(condition, LEAF_REMOTE_KIND),
				 .operators = leaf_number(condition, LEAF_OPERATORS),
				 .slack = list_nth(condition, LEAF_SLACK),
				 .filters = filters};
	bool is_negative =
		leaf.kind == CONDITION_NOT_EQUAL || leaf.kind == CONDITION_NOT_ANY;

	leaf.most = is_negative ? MAX_REMOTE_VALUES : most;
	if (leaf.kind != CONDITION_EXISTS)
	{
		/*
		 * No comparison with a NULL is true, and no value is in an empty list.
		 * Every value differs from the elements of an empty list.
		 */
		leaf.values = read_values(condition, states, econtext);
		if (is_negative ? leaf.values.has_null : leaf.values.count == 0)
			return false;
		if (leaf.values.count == 0 || may_be_truncated(&leaf))
			return true;
	}

	switch (leaf.kind)
	{
		case CONDITION_EXISTS:
			add_filter(&leaf, OPERATOR_EXISTS, NULL);
			break;
		case CONDITION_NOT_EQUAL:
		case CONDITION_NOT_ANY:
			add_values(&leaf, OPERATOR_NE, OPERATOR_NOT_IN);
			break;
		case CONDITION_LIKE:
			add_pattern(&leaf,
						value_text(leaf.values.values[0], leaf.values.type));
			break;
		case CONDITION_STARTS_WITH:
			add_match(&leaf,
					  value_text(leaf.values.values[0], leaf.values.type),
					  OPERATOR_STARTS_WITH);
			break;
		default:
			if (leaf.remote_kind >= REMOTE_TIMESTAMP)
				add_range(&leaf);
			else
				add_values(&leaf, OPERATOR_EQ, OPERATOR_IN);
	}
	return true;
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
		result->uses = remote_uses_unite(result->uses, filter->uses);
	}
	result->json = result->text =
		psprintf("{\"%s\":%s}", name, json_list(json, 0, list_length(json)));
	return result;
}

/* Adds the filters of a condition, like evaluate_leaf. */
static bool
evaluate_condition(const List *condition, const List *states,
				   ExprContext *econtext, const Api *api, int most,
				   List **filters)
{
	List	 *arms = NIL;
	ListCell *cell;

	switch (condition_kind(condition))
	{
		case CONDITION_AND:
			for_each_from(cell, condition, 1)
			{
				if (!evaluate_condition(lfirst(cell), states, econtext, api,
										MAX_REMOTE_VALUES, filters))
					return false;
			}
			return true;
		case CONDITION_OR:
			for_each_from(cell, condition, 1)
			{
				List *arm = NIL;

				if (!evaluate_condition(lfirst(cell), states, econtext, api,
										MAX_REMOTE_VALUES, &arm))
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
			return evaluate_leaf(condition, states, econtext, api, most,
								 filters);
	}
}

/*
 * Adds the filter of a condition to push down to *filters, in the current
 * context, unless every record may match.  Returns false if no record can
 * match: then no request is needed.
 *
 * states: ExprStates of the plan's expressions.  most: limit of the values, if
 * the condition is a list.
 *
 * The filter does not use an operator that the API has rejected, but may use
 * another operator instead.
 */
bool
condition_evaluate_filter(const List *condition, const List *states,
						  ExprContext *econtext, const Api *api, int most,
						  List **filters)
{
	List *joined = NIL;

	if (!evaluate_condition(condition, states, econtext, api, most, &joined))
		return false;
	if (joined != NIL)
		*filters = lappend(*filters, group("and", joined));
	return true;
}
