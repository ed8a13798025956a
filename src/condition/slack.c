/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * slack.c
 *	  Finds the column in an expression such as date_trunc('month', column), and
 *	  how far the column can be from the expression's value.
 *
 * Each function here moves a time or a number by a limited amount, its slack.
 * The slack of nested functions is the sum.  A comparison with the expression
 * then implies a range of the column.  The range is generous: a few more records
 * cost less than exact calendar arithmetic.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "condition/slack.h"

/* Largest offset of a usual time zone from UTC, rounded up, in days. */
#define OFFSET 1.0

/* Largest difference between two offsets of a usual time zone, rounded up. */
#define OFFSET_CHANGE 2.0

/* The same for any time zone that PostgreSQL accepts, up to 168 hours. */
#define ANY_OFFSET_CHANGE 14.0

/* Mean length of a month, and the deviation of months in succession from it. */
#define MEAN_MONTH 30.436875
#define MONTHS_DEVIATION 6.0

/* Longest year. */
#define LONGEST_YEAR 366.0

/* A second, more than the rounding of a timestamp(0). */
#define ONE_SECOND (1.0 / SECS_PER_DAY)

/* More than the rounding of a number, in units of its last digit. */
#define ROUNDING 0.75

/* Length of a name from which namein may have truncated it. */
#define MAX_NAME (NAMEDATALEN - MAX_MULTIBYTE_CHAR_LEN)

/* The effect of the other arguments. */
typedef enum Effect
{
	EFFECT_NONE,
	EFFECT_ZONE,  /* a time zone */
	EFFECT_TRUNC, /* a field, and perhaps a time zone */
	EFFECT_YEAR,  /* the field "year" */
	EFFECT_PLUS,  /* an interval or a number of days */
	EFFECT_MINUS,
	EFFECT_TYPMOD /* of a numeric */
} Effect;

/* A function whose slack is known. */
typedef struct Step
{
	Oid	   function;
	double low;
	double high;
	Effect effect;
	int	   column; /* position of the argument with the column */
} Step;

static const Step steps[] = {
	/* casts */
	{F_TIMESTAMP_TIMESTAMPTZ, -OFFSET, OFFSET, EFFECT_NONE, 0},
	{F_TIMESTAMPTZ_TIMESTAMP, -OFFSET, OFFSET, EFFECT_NONE, 0},
	{F_TIMESTAMPTZ_DATE, -OFFSET, OFFSET, EFFECT_NONE, 0},
	{F_TIMESTAMP_DATE, 0, 0, EFFECT_NONE, 0},
	{F_DATE_TIMESTAMPTZ, -OFFSET, 1 + OFFSET, EFFECT_NONE, 0},
	{F_DATE_TIMESTAMP, 0, 1, EFFECT_NONE, 0},
	{F_TIMESTAMPTZ_TIMESTAMPTZ_INT4, -ONE_SECOND, ONE_SECOND, EFFECT_NONE, 0},
	{F_TIMESTAMP_TIMESTAMP_INT4, -ONE_SECOND, ONE_SECOND, EFFECT_NONE, 0},
	{F_FLOAT8_NUMERIC, 0, 0, EFFECT_NONE, 0},
	{F_FLOAT8_INT8, 0, 0, EFFECT_NONE, 0},
	{F_FLOAT8_INT4, 0, 0, EFFECT_NONE, 0},
	{F_FLOAT8_INT2, 0, 0, EFFECT_NONE, 0},
	{F_NUMERIC_INT8, 0, 0, EFFECT_NONE, 0},
	{F_NUMERIC_INT4, 0, 0, EFFECT_NONE, 0},
	{F_NUMERIC_INT2, 0, 0, EFFECT_NONE, 0},
	{F_INT8_INT4, 0, 0, EFFECT_NONE, 0},
	{F_INT8_INT2, 0, 0, EFFECT_NONE, 0},
	{F_INT4_INT2, 0, 0, EFFECT_NONE, 0},
	{F_INT4_INT8, 0, 0, EFFECT_NONE, 0},
	{F_INT8_NUMERIC, -ROUNDING, ROUNDING, EFFECT_NONE, 0},
	{F_INT4_NUMERIC, -ROUNDING, ROUNDING, EFFECT_NONE, 0},
	{F_INT8_FLOAT8, -ROUNDING, ROUNDING, EFFECT_NONE, 0},
	{F_INT4_FLOAT8, -ROUNDING, ROUNDING, EFFECT_NONE, 0},
	{F_NUMERIC_NUMERIC_INT4, 0, 0, EFFECT_TYPMOD, 0},
	/* AT TIME ZONE, AT LOCAL */
	{F_TIMEZONE_TEXT_TIMESTAMPTZ, -OFFSET, OFFSET, EFFECT_ZONE, 1},
	{F_TIMEZONE_TEXT_TIMESTAMP, -OFFSET, OFFSET, EFFECT_ZONE, 1},
#if PG_VERSION_NUM >= 170000
	{F_TIMEZONE_TIMESTAMPTZ, -OFFSET, OFFSET, EFFECT_NONE, 0},
	{F_TIMEZONE_TIMESTAMP, -OFFSET, OFFSET, EFFECT_NONE, 0},
#endif
	/* date_trunc: the column is between the result and a field's length later */
	{F_DATE_TRUNC_TEXT_TIMESTAMPTZ, -OFFSET_CHANGE, OFFSET_CHANGE, EFFECT_TRUNC,
	 1},
	{F_DATE_TRUNC_TEXT_TIMESTAMPTZ_TEXT, -OFFSET_CHANGE, OFFSET_CHANGE,
	 EFFECT_TRUNC, 1},
	{F_DATE_TRUNC_TEXT_TIMESTAMP, 0, 0, EFFECT_TRUNC, 1},
	/* extract and date_part: the column is between the year's first day and the
	   next year */
	{F_EXTRACT_TEXT_TIMESTAMPTZ, -OFFSET, LONGEST_YEAR + OFFSET, EFFECT_YEAR,
	 1},
	{F_EXTRACT_TEXT_TIMESTAMP, 0, LONGEST_YEAR, EFFECT_YEAR, 1},
	{F_EXTRACT_TEXT_DATE, 0, LONGEST_YEAR, EFFECT_YEAR, 1},
	{F_DATE_PART_TEXT_TIMESTAMPTZ, -OFFSET, LONGEST_YEAR + OFFSET, EFFECT_YEAR,
	 1},
	{F_DATE_PART_TEXT_TIMESTAMP, 0, LONGEST_YEAR, EFFECT_YEAR, 1},
	{F_DATE_PART_TEXT_DATE, 0, LONGEST_YEAR, EFFECT_YEAR, 1},
	/* sums and differences */
	{F_TIMESTAMPTZ_PL_INTERVAL, -OFFSET_CHANGE, OFFSET_CHANGE, EFFECT_PLUS, 0},
	{F_TIMESTAMPTZ_MI_INTERVAL, -OFFSET_CHANGE, OFFSET_CHANGE, EFFECT_MINUS, 0},
	{F_TIMESTAMP_PL_INTERVAL, 0, 0, EFFECT_PLUS, 0},
	{F_TIMESTAMP_MI_INTERVAL, 0, 0, EFFECT_MINUS, 0},
	{F_DATE_PL_INTERVAL, 0, 0, EFFECT_PLUS, 0},
	{F_DATE_MI_INTERVAL, 0, 0, EFFECT_MINUS, 0},
	{F_DATE_PLI, 0, 0, EFFECT_PLUS, 0},
	{F_DATE_MII, 0, 0, EFFECT_MINUS, 0},
};

static void
widen(Slack *slack, double low, double high)
{
	slack->low += low;
	slack->high += high;
}

/* Adds the rounding by the type modifier of a numeric, which may be -1. */
static void
add_scale(Slack *slack, int32 typmod)
{
	/* as in numeric.c: 11 bits with a sign */
	int	   scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	double rounding = typmod < 0 ? 0 : ROUNDING * pow(10, -scale);

	widen(slack, -rounding, rounding);
}

/*
 * Adds the slack of a column's type, compared with the type that IMPORT uses for
 * its attribute.  is_time: the attribute has times, not dates.
 */
void
slack_add_type(Slack *slack, Oid type, int32 typmod, bool is_time)
{
	slack->is_used |= typmod >= 0 || type == NAMEOID || type == TIMESTAMPOID ||
					  (type == DATEOID && is_time);
	if (type == DATEOID && is_time)
		widen(slack, 0, 1);
	else if (type == NAMEOID)
		slack->high = MAX_NAME;
	else if (typmod < 0)
		return;
	else if (type == NUMERICOID)
		add_scale(slack, typmod);
	else if (type == VARCHAROID)
		slack->high = typmod - VARHDRSZ;
	else
		widen(slack, -ONE_SECOND, ONE_SECOND);
}

/*
 * Adds the slack of a comparison between an expression's type and another one,
 * which uses the session's time zone if only one of them has a time zone.
 */
void
slack_add_comparison(Slack *slack, Oid type, Oid other_type)
{
	if (slack->is_used &&
		(type == TIMESTAMPTZOID) != (other_type == TIMESTAMPTZOID))
		widen(slack, -OFFSET, OFFSET);
}

/*
 * Returns true if the offsets of a time zone are below 17 hours, which is true
 * for all real ones.  PostgreSQL also accepts texts such as UTC+167.
 */
bool
slack_zone_is_usual(const char *zone)
{
	for (const char *at = zone; (at = strpbrk(at, "0123456789")) != NULL;)
	{
		bool  is_hour = at == zone || at[-1] != ':';
		char *end;

		if (strtoul(at, &end, 10) > 15 && is_hour)
			return false;
		at = end;
	}
	return true;
}

/* Reads a constant text.  Returns NULL for other expressions and for NULL. */
static char *
read_text(const Node *node)
{
	const Const *constant = (const Const *) node;

	return IsA(node, Const) && constant->consttype == TEXTOID &&
				   !constant->constisnull
			   ? TextDatumGetCString(constant->constvalue)
			   : NULL;
}

/* Adds the slack of a time zone, if its offset may be unusual. */
static void
add_zone(Slack *slack, const Node *node)
{
	const char *zone = read_text(node);

	if (zone == NULL || !slack_zone_is_usual(zone))
		widen(slack, -ANY_OFFSET_CHANGE, ANY_OFFSET_CHANGE);
}

/* Returns the unit of a field's constant text, such as DTK_MONTH; or -1. */
static int
read_unit(const Node *node)
{
	char *field = read_text(node);
	int	  unit = -1;

	if (field == NULL)
		return -1;
	field = downcase_truncate_identifier(field, strlen(field), false);
	return DecodeUnits(0, field, &unit) == UNITS ? unit : -1;
}

/* Adds the length of a field to which times are truncated; false: unknown. */
static bool
add_field(Slack *slack, const Node *node)
{
	static const struct
	{
		int	   unit;
		double days;
	} lengths[] = {{DTK_MICROSEC, ONE_SECOND},
				   {DTK_MILLISEC, ONE_SECOND},
				   {DTK_SECOND, ONE_SECOND},
				   {DTK_MINUTE, 60 * ONE_SECOND},
				   {DTK_HOUR, 1.0 / 24},
				   {DTK_DAY, 1},
				   {DTK_WEEK, 7},
				   {DTK_MONTH, 31},
				   {DTK_QUARTER, 92},
				   {DTK_YEAR, LONGEST_YEAR},
				   {DTK_DECADE, 3653},
				   {DTK_CENTURY, 36525},
				   {DTK_MILLENNIUM, 365250}};
	int unit = read_unit(node);

	for (size_t i = 0; i < lengthof(lengths); i++)
	{
		if (lengths[i].unit != unit)
			continue;
		widen(slack, 0, lengths[i].days);
		return true;
	}
	return false;
}

/* Adds the slack of adding a constant to a time; false: it is no constant. */
static bool
add_sum(Slack *slack, const Node *node, int sign)
{
	const Const	   *constant = (const Const *) node;
	const Interval *interval;
	double			days;
	double			deviation = 0;

	if (!IsA(node, Const) || constant->constisnull)
		return false;
	if (constant->consttype == INT4OID)
		days = DatumGetInt32(constant->constvalue);
	else
	{
		interval = DatumGetIntervalP(constant->constvalue);
		days = interval->month * MEAN_MONTH + interval->day +
			   (double) interval->time / USECS_PER_DAY;
		if (interval->month != 0)
			deviation = MONTHS_DEVIATION;
	}
	widen(slack, -sign * days - deviation, -sign * days + deviation);
	return true;
}

/* Adds the slack of a function; false: it depends on unknown arguments. */
static bool
add_step(Slack *slack, const Step *step, const List *args)
{
	const Node *first = linitial(args);
	const Node *last = llast(args);

	/* A rounding by less than a unit does not change the number of a year. */
	if (step->effect == EFFECT_YEAR)
	{
		if (read_unit(first) != DTK_YEAR)
			return false;
		slack->is_year = true;
		slack->low = trunc(slack->low) * LONGEST_YEAR;
		slack->high = trunc(slack->high) * LONGEST_YEAR;
	}
	widen(slack, step->low, step->high);
	switch (step->effect)
	{
		case EFFECT_ZONE:
			add_zone(slack, first);
			return true;
		case EFFECT_TRUNC:
			if (list_length(args) == 3)
				add_zone(slack, last);
			return add_field(slack, first);
		case EFFECT_PLUS:
			return add_sum(slack, last, 1);
		case EFFECT_MINUS:
			return add_sum(slack, last, -1);
		case EFFECT_TYPMOD:
			if (!IsA(last, Const))
				return false;
			add_scale(slack, DatumGetInt32(((const Const *) last)->constvalue));
			return true;
		default:
			return true;
	}
}

/* Returns true for a cast to text, or to the same type with a type modifier. */
static bool
is_same_value(const Node *expression)
{
	const RelabelType *relabel = (const RelabelType *) expression;
	const Node		  *arg;

	if (!IsA(expression, RelabelType))
		return false;
	arg = (const Node *) relabel->arg;
	return exprCollation(arg) == relabel->resultcollid &&
		   (exprType(arg) == relabel->resulttype ||
			(exprType(arg) == VARCHAROID && relabel->resulttype == TEXTOID));
}

/*
 * Returns the expression below the functions around it, and adds their slack.
 * If not all functions are known, the result is one of them.
 */
Node *
slack_unwrap(Node *expression, Slack *slack)
{
	for (;;)
	{
		Oid	   function;
		List  *args;
		size_t i;

		if (is_same_value(expression))
		{
			expression = (Node *) ((RelabelType *) expression)->arg;
			continue;
		}
		if (IsA(expression, FuncExpr))
		{
			function = ((FuncExpr *) expression)->funcid;
			args = ((FuncExpr *) expression)->args;
		}
		else if (IsA(expression, OpExpr))
		{
			function = get_opcode(((OpExpr *) expression)->opno);
			args = ((OpExpr *) expression)->args;
		}
		else
			return expression;
		for (i = 0; i < lengthof(steps) && steps[i].function != function; i++)
			;
		if (i == lengthof(steps) || !add_step(slack, &steps[i], args))
			return expression;
		slack->is_used = true;
		expression = list_nth(args, steps[i].column);
	}
}

/* --- The form in a plan --- */

/* Returns the form of a slack for a plan. */
List *
slack_to_list(const Slack *slack)
{
	if (!slack->is_used)
		return NIL;
	/* in the order of SlackPosition; with an exponent, it is read as a Float */
	return list_make3(makeFloat(psprintf("%.16e", slack->low)),
					  makeFloat(psprintf("%.16e", slack->high)),
					  makeInteger(slack->is_year));
}

/*
 * Appends the moves of a lower bound, an upper one or both, such as
 * " -1/+2 days", unless they are zero.  Like the API's rounding, seconds are not
 * shown.
 */
void
slack_deparse(StringInfo target, const List *slack, bool has_lower,
			  bool has_upper, bool is_time)
{
	double		moves[] = {slack_number(slack, SLACK_LOW),
						   slack_number(slack, SLACK_HIGH)};
	bool		has_bound[] = {has_lower, has_upper};
	const char *separator = " ";

	for (int i = 0; is_time && i < 2; i++)
		moves[i] = rint(moves[i] * 1000) / 1000;
	if (moves[0] == 0 && moves[1] == 0)
		return;
	for (int i = 0; i < 2; i++)
	{
		if (!has_bound[i])
			continue;
		appendStringInfo(target, "%s%+g", separator, moves[i]);
		separator = "/";
	}
	if (is_time)
		appendStringInfoString(target, " days");
}
