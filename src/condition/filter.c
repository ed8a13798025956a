/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * filter.c
 *	  Conditions on the id: comparisons with values that are known before the
 *	  record is read.
 *
 * A condition found here may allow more ids than SQL's condition, but never
 * fewer.  PostgreSQL rechecks the clause on each row, unless it is a plain
 * list of UUIDs.
 *
 * Knows nothing about requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/compat.h"
#include "base/id.h"
#include "condition/filter.h"

static List *comparison_condition(PlannerInfo *root, const RelOptInfo *rel,
								  const Bitmapset *id_columns, OpExpr *clause,
								  List **expressions);
static List *array_condition(PlannerInfo *root, const RelOptInfo *rel,
							 const Bitmapset   *id_columns,
							 ScalarArrayOpExpr *clause, List **expressions);
static List *boolean_condition(PlannerInfo *root, const RelOptInfo *rel,
							   const Bitmapset *id_columns, BoolExpr *clause,
							   List **expressions);
static bool	 is_id_type(Oid type);
static bool	 is_id_equality(Oid operator_oid, Oid collation);
static bool	 is_known(PlannerInfo *root, const RelOptInfo *rel,
					  Node *expression);
static List *leaf(IdConditionKind kind, Node *expression, List **expressions);
static IdSet evaluate_leaf(IdConditionKind kind, ExprState *state,
						   ExprContext *econtext);
static void	 add_id(IdSet *set, Datum value, Oid type);
static IdSet unite(IdSet a, IdSet b);
static IdSet intersect(IdSet a, IdSet b);
static void	 sort_and_deduplicate(IdSet *set);
static int	 compare_ids(const void *a, const void *b);

/*
 * Returns true if an expression is the id of a row of rel: a column that shows
 * it, or such a column cast between text and uuid.  Other types are excluded
 * because the id may have another form in them: in JSON, for example, it has
 * quotes.
 */
bool
filter_is_id(const RelOptInfo *rel, const Bitmapset *id_columns,
			 Node *expression)
{
	Var *var;

	while (is_id_type(exprType(expression)))
	{
		if (IsA(expression, RelabelType))
			expression = (Node *) ((RelabelType *) expression)->arg;
		else if (IsA(expression, CoerceViaIO))
			expression = (Node *) ((CoerceViaIO *) expression)->arg;
		else
			break;
	}
	if (!IsA(expression, Var))
		return false;
	var = (Var *) expression;
	return (Index) var->varno == rel->relid && var->varlevelsup == 0 &&
		   bms_is_member(var->varattno, id_columns) && is_id_type(var->vartype);
}

/* Returns true if a value of the type has the same text as the id. */
static bool
is_id_type(Oid type)
{
	Oid base_type = getBaseType(type);

	return base_type == UUIDOID || base_type == TEXTOID ||
		   base_type == VARCHAROID;
}

/*
 * Returns the condition that a clause puts on the id, or NIL.
 *
 * Appends the expressions that the id is compared with to *expressions.  These
 * have no variables of rel, and no volatile functions.
 */
List *
filter_id_condition(PlannerInfo *root, const RelOptInfo *rel,
					const Bitmapset *id_columns, Node *clause,
					List **expressions)
{
	switch (nodeTag(clause))
	{
		case T_OpExpr:
			return comparison_condition(root, rel, id_columns,
										(OpExpr *) clause, expressions);
		case T_ScalarArrayOpExpr:
			return array_condition(root, rel, id_columns,
								   (ScalarArrayOpExpr *) clause, expressions);
		case T_BoolExpr:
			return boolean_condition(root, rel, id_columns, (BoolExpr *) clause,
									 expressions);
		default:
			return NIL;
	}
}

/* Returns the conjunction of the conditions; NIL if there are none. */
List *
filter_conjunction(List *conditions)
{
	if (list_length(conditions) <= 1)
		return conditions == NIL ? NIL : linitial(conditions);
	return lcons(makeInteger(ID_AND), conditions);
}

/* Returns true if a condition allows at most one id. */
bool
filter_is_single(List *condition)
{
	ListCell *cell;

	switch ((IdConditionKind) intVal(linitial(condition)))
	{
		case ID_EQUAL:
			return true;
		case ID_ANY:
		case ID_OR:
			return false;
		case ID_AND:
			for_each_from(cell, condition, 1)
			{
				if (filter_is_single(lfirst(cell)))
					return true;
			}
			return false;
	}
	return false;
}

/* Returns the estimated number of ids that a condition allows. */
double
filter_estimate_ids(PlannerInfo *root, List *condition, List *expressions)
{
	double	  estimate = 0;
	ListCell *cell;

	switch ((IdConditionKind) intVal(linitial(condition)))
	{
		case ID_EQUAL:
			return 1;
		case ID_ANY:
			return compat_estimate_array_length(
				root, list_nth(expressions, intVal(lsecond(condition))));
		case ID_OR:
			for_each_from(cell, condition, 1) estimate +=
				filter_estimate_ids(root, lfirst(cell), expressions);
			return estimate;
		case ID_AND:
			estimate =
				filter_estimate_ids(root, lsecond(condition), expressions);
			for_each_from(cell, condition, 2) estimate = Min(
				estimate, filter_estimate_ids(root, lfirst(cell), expressions));
			return estimate;
	}
	return 1;
}

/*
 * Returns the ids that a condition allows, in the current context.  The
 * argument states has the ExprStates of the condition's expressions.  NULLs and
 * texts that are not UUIDs allow no id.
 */
IdSet
filter_evaluate_ids(List *condition, List *states, ExprContext *econtext)
{
	IdConditionKind kind = intVal(linitial(condition));
	IdSet			set;
	ListCell	   *cell;

	if (kind == ID_EQUAL || kind == ID_ANY)
		return evaluate_leaf(kind, list_nth(states, intVal(lsecond(condition))),
							 econtext);

	set = filter_evaluate_ids(lsecond(condition), states, econtext);
	for_each_from(cell, condition, 2)
	{
		IdSet other = filter_evaluate_ids(lfirst(cell), states, econtext);

		set = kind == ID_OR ? unite(set, other) : intersect(set, other);
	}
	return set;
}

/*
 * Returns the condition of id = expression, with the operands in any order; or
 * NIL.
 */
static List *
comparison_condition(PlannerInfo *root, const RelOptInfo *rel,
					 const Bitmapset *id_columns, OpExpr *clause,
					 List **expressions)
{
	Node *left;
	Node *right;

	if (!is_id_equality(clause->opno, clause->inputcollid))
		return NIL;
	left = linitial(clause->args);
	right = lsecond(clause->args);
	if (filter_is_id(rel, id_columns, left) && is_known(root, rel, right))
		return leaf(ID_EQUAL, right, expressions);
	if (filter_is_id(rel, id_columns, right) && is_known(root, rel, left))
		return leaf(ID_EQUAL, left, expressions);
	return NIL;
}

/*
 * Returns the condition of id = ANY (expression), to which the parser converts
 * id IN (...); or NIL.
 */
static List *
array_condition(PlannerInfo *root, const RelOptInfo *rel,
				const Bitmapset *id_columns, ScalarArrayOpExpr *clause,
				List **expressions)
{
	Node *array = lsecond(clause->args);

	if (!clause->useOr || !is_id_equality(clause->opno, clause->inputcollid) ||
		!filter_is_id(rel, id_columns, linitial(clause->args)) ||
		!is_known(root, rel, array))
		return NIL;
	return leaf(ID_ANY, array, expressions);
}

/*
 * Returns the condition of AND, OR or NOT; or NIL.  AND needs one arm that
 * restricts the id; for OR each arm must restrict it.
 */
static List *
boolean_condition(PlannerInfo *root, const RelOptInfo *rel,
				  const Bitmapset *id_columns, BoolExpr *clause,
				  List **expressions)
{
	List	 *found = NIL;
	int		  old_count = list_length(*expressions);
	ListCell *cell;

	/* An id is never NULL, so NOT (id IS DISTINCT FROM x) is equality. */
	if (clause->boolop == NOT_EXPR)
		return IsA(linitial(clause->args), DistinctExpr)
				   ? comparison_condition(root, rel, id_columns,
										  linitial(clause->args), expressions)
				   : NIL;
	foreach(cell, clause->args)
	{
		Node *arm = lfirst(cell);
		List *condition;

		/* The planner wraps each arm of an OR in a RestrictInfo. */
		if (IsA(arm, RestrictInfo))
			arm = (Node *) ((RestrictInfo *) arm)->clause;
		condition =
			filter_id_condition(root, rel, id_columns, arm, expressions);
		if (condition != NIL)
			found = lappend(found, condition);
		else if (clause->boolop == OR_EXPR)
		{
			*expressions = list_truncate(*expressions, old_count);
			return NIL;
		}
	}
	if (clause->boolop == AND_EXPR)
		return filter_conjunction(found);
	return lcons(makeInteger(ID_OR), found);
}

/*
 * Returns true if the operator is the equality of UUIDs, or of texts under a
 * collation in which only identical bytes are equal.
 */
static bool
is_id_equality(Oid operator_oid, Oid collation)
{
	if (operator_oid == TextEqualOperator)
		return !OidIsValid(collation) ||
			   get_collation_isdeterministic(collation);
	return operator_oid == lookup_type_cache(UUIDOID, TYPECACHE_EQ_OPR)->eq_opr;
}

/* Returns true if an expression can be evaluated before rel's row is read. */
static bool
is_known(PlannerInfo *root, const RelOptInfo *rel, Node *expression)
{
	return !bms_is_member(rel->relid, pull_varnos(root, expression)) &&
		   !contain_volatile_functions(expression);
}

static List *
leaf(IdConditionKind kind, Node *expression, List **expressions)
{
	*expressions = lappend(*expressions, expression);
	return list_make2(makeInteger(kind),
					  makeInteger(list_length(*expressions) - 1));
}

static IdSet
evaluate_leaf(IdConditionKind kind, ExprState *state, ExprContext *econtext)
{
	IdSet	   set = {NULL, 0};
	Oid		   type = exprType((Node *) state->expr);
	bool	   isnull;
	Datum	   value = ExecEvalExprSwitchContext(state, econtext, &isnull);
	ArrayType *array;
	Oid		   element_type;
	int16	   length;
	bool	   byval;
	char	   align;
	Datum	  *elements;
	bool	  *nulls;
	int		   count;

	if (isnull)
		return set;
	if (kind == ID_EQUAL)
	{
		set.ids = palloc(sizeof(pg_uuid_t));
		add_id(&set, value, type);
		return set;
	}

	array = DatumGetArrayTypeP(value);
	element_type = ARR_ELEMTYPE(array);
	get_typlenbyvalalign(element_type, &length, &byval, &align);
	deconstruct_array(array, element_type, length, byval, align, &elements,
					  &nulls, &count);
	set.ids = palloc(Max(count, 1) * sizeof(pg_uuid_t));
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			add_id(&set, elements[i], element_type);
	}
	sort_and_deduplicate(&set);
	return set;
}

/* Adds a value to the set, unless it is a text that is not a UUID. */
static void
add_id(IdSet *set, Datum value, Oid type)
{
	if (getBaseType(type) == UUIDOID)
		set->ids[set->count++] = *DatumGetUUIDP(value);
	else if (id_parse(TextDatumGetCString(value), &set->ids[set->count]))
		set->count++;
}

static IdSet
unite(IdSet a, IdSet b)
{
	IdSet set;

	set.count = a.count + b.count;
	set.ids = palloc(Max(set.count, 1) * sizeof(pg_uuid_t));
	if (a.count > 0)
		memcpy(set.ids, a.ids, a.count * sizeof(pg_uuid_t));
	if (b.count > 0)
		memcpy(set.ids + a.count, b.ids, b.count * sizeof(pg_uuid_t));
	sort_and_deduplicate(&set);
	return set;
}

static IdSet
intersect(IdSet a, IdSet b)
{
	IdSet set = {a.ids, 0};

	for (int i = 0, j = 0; i < a.count && j < b.count;)
	{
		int order = compare_ids(&a.ids[i], &b.ids[j]);

		if (order == 0)
			set.ids[set.count++] = a.ids[i];
		if (order <= 0)
			i++;
		if (order >= 0)
			j++;
	}
	return set;
}

static void
sort_and_deduplicate(IdSet *set)
{
	int kept = 0;

	if (set->count < 2)
		return;
	qsort(set->ids, set->count, sizeof(pg_uuid_t), compare_ids);
	for (int i = 1; i < set->count; i++)
	{
		if (compare_ids(&set->ids[kept], &set->ids[i]) != 0)
			set->ids[++kept] = set->ids[i];
	}
	set->count = kept + 1;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t));
}
