/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pushdown.h
 *	  SQL conditions as filters of the API: which can be sent, and what is sent.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_PUSHDOWN_H
#define OPPORTUNITY_PUSHDOWN_H

#include "postgres.h"

#include "catalog/pg_attribute.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "utils/uuid.h"

#include "api.h"
#include "option.h"

/* The most values of an "in", and the most arms of an "or". */
#define MAX_REMOTE_VALUES 100

/* The types of columns that conditions can be sent for. */
typedef enum RemoteKind
{
	REMOTE_UUID,
	REMOTE_TEXT,
	REMOTE_BOOLEAN,
	REMOTE_TIMESTAMP, /* with time zone */
	REMOTE_DATE,
	REMOTE_NUMBER
} RemoteKind;

/* What a column of a foreign table can be filtered and sorted by. */
typedef struct RemoteColumn
{
	char	  *field; /* the attribute, in UTF-8 */
	RemoteKind kind;
	int		   operators; /* a set of OPERATOR_BIT */
	bool	   is_sortable;
} RemoteColumn;

/* What a condition comes to at run time. */
typedef enum RemoteVerdict
{
	REMOTE_ALL,	 /* every record may match: nothing to send */
	REMOTE_SOME, /* the filter is to be sent */
	REMOTE_NONE	 /* no record can match: no request is needed */
} RemoteVerdict;

extern RemoteColumn *remote_column_read(const Settings	 *settings,
										Form_pg_attribute attribute);
extern List *pushdown_condition(PlannerInfo *root, const RelOptInfo *rel,
								RemoteColumn **columns, Node *clause,
								List **expressions);
extern RemoteVerdict pushdown_evaluate(List *condition, List *states,
									   ExprContext *econtext, List *refused,
									   RemoteFilter **filter);
extern void			 pushdown_deparse(StringInfo target, List *condition,
									  List *expressions, List *context, bool prefix);

/* For those who look many records up by a key: see pushdown_key.c. */
extern bool		   pushdown_is_key(const List *condition);
extern const char *pushdown_key_field(const List *condition);
extern void		  *pushdown_key_expression(const List *condition,
										   const List *expressions);
extern bool pushdown_evaluate_key(const List *condition, const List *states,
								  ExprContext *econtext, pg_uuid_t *key);

#endif /* OPPORTUNITY_PUSHDOWN_H */
