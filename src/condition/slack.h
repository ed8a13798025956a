/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * slack.h
 *	  How far a column can be from the value of an expression over it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_SLACK_H
#define OPPORTUNITY_SLACK_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/primnodes.h"
#include "nodes/value.h"

/*
 * The column minus the expression's value is between low and high, in days or
 * in the number's unit.  Times without a time zone are taken as UTC.  For a text
 * column, high is the length in bytes from which a text may be truncated.
 */
typedef struct Slack
{
	bool   is_used; /* the expression is more than a column of the API's type */
	bool   is_year; /* its value is the year of a time */
	double low;
	double high;
} Slack;

/* Positions of the form in a plan, which is NIL if the slack is not used. */
typedef enum SlackPosition
{
	SLACK_LOW,	  /* a Float */
	SLACK_HIGH,	  /* a Float */
	SLACK_IS_YEAR /* an Integer */
} SlackPosition;

/* Returns one of the moves in a plan; 0 if there is no slack. */
static inline double
slack_number(const List *slack, SlackPosition position)
{
	return slack == NIL ? 0 : floatVal(list_nth(slack, position));
}

static inline bool
slack_is_year(const List *slack)
{
	return slack != NIL && intVal(list_nth(slack, SLACK_IS_YEAR)) != 0;
}

extern void	 slack_add_type(Slack *slack, Oid type, int32 typmod, bool is_time);
extern void	 slack_add_comparison(Slack *slack, Oid type, Oid other_type);
extern Node *slack_unwrap(Node *expression, Slack *slack);
extern List *slack_to_list(const Slack *slack);
extern void	 slack_deparse(StringInfo target, const List *slack, bool has_lower,
						   bool has_upper, bool is_time);
extern bool	 slack_zone_is_usual(const char *zone);

#endif /* OPPORTUNITY_SLACK_H */
