/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pushdown.h
 *	  SQL conditions as filters of the API: those that can be pushed down, and
 *	  their JSON.
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

#include "api/api_query.h"
#include "option/option.h"

/* Types of columns whose conditions can be pushed down. */
typedef enum RemoteKind
{
	REMOTE_UUID,
	REMOTE_TEXT,
	REMOTE_BOOLEAN,
	REMOTE_TIMESTAMP, /* with time zone */
	REMOTE_DATE,
	REMOTE_NUMBER
} RemoteKind;

/* API capabilities of a foreign table's column. */
typedef struct RemoteColumn
{
	char	  *field; /* name of the API attribute, in UTF-8 */
	RemoteKind kind;
	int		   operators; /* operators that may be pushed down, a set of
						   * OPERATOR_BIT */
	bool	   is_sortable;
} RemoteColumn;

/* Result of the evaluation of a condition. */
typedef enum RemoteVerdict
{
	REMOTE_ALL,	 /* every record may match: no filter */
	REMOTE_SOME, /* the filter restricts the records */
	REMOTE_NONE	 /* no record can match: no request is needed */
} RemoteVerdict;

extern RemoteColumn *remote_column_read(const Settings	 *settings,
										Form_pg_attribute attribute);
extern List *pushdown_condition(PlannerInfo *root, const RelOptInfo *rel,
								RemoteColumn **columns, Node *clause,
								List **expressions);
extern RemoteVerdict pushdown_evaluate(List *condition, List *states,
									   ExprContext *econtext, const Api *api,
									   RemoteFilter **filter);
extern void			 pushdown_deparse(StringInfo target, List *condition,
									  List *expressions, List *context, bool prefix);

/* Used for lookups by key: see pushdown_key.c. */
extern bool		   pushdown_is_key(const List *condition);
extern const char *pushdown_key_field(const List *condition);
extern void		  *pushdown_key_expression(const List *condition,
										   const List *expressions);
extern bool pushdown_evaluate_key(const List *condition, const List *states,
								  ExprContext *econtext, pg_uuid_t *key);

#endif /* OPPORTUNITY_PUSHDOWN_H */
