/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * condition.c
 *	  Finds the SQL conditions that restrict the records to request: those on
 *	  the id, and those that can be pushed down as the API's filters.
 *
 * A condition found here may allow more records than SQL's condition, but never
 * fewer.  The API's treatment of case, NULLs, rounding and forms of values is
 * unknown, so PostgreSQL rechecks every clause except a plain list of UUIDs.
 * A condition must also be below ANDs and ORs alone, where NULL and false have
 * the same effect.
 *
 * This is the planner's side and EXPLAIN's; evaluate.c evaluates the conditions.
 * Knows nothing about requests.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/typcache.h"

#include "condition/condition.h"

/* Limit of the nesting of filter groups.  The API has a limit too. */
#define MAX_GROUP_DEPTH 3

#define LOWER_BOUND (OPERATOR_BIT(OPERATOR_GTE) | OPERATOR_BIT(OPERATOR_GT))
#define UPPER_BOUND (OPERATOR_BIT(OPERATOR_LTE) | OPERATOR_BIT(OPERATOR_LT))
#define BOUNDS (LOWER_BOUND | UPPER_BOUND)
#define EQUALITY (OPERATOR_BIT(OPERATOR_EQ) | OPERATOR_BIT(OPERATOR_IN))
#define INEQUALITY (OPERATOR_BIT(OPERATOR_NE) | OPERATOR_BIT(OPERATOR_NOT_IN))
#define PREFIX \
	(OPERATOR_BIT(OPERATOR_STARTS_WITH) | OPERATOR_BIT(OPERATOR_CONTAINS))
#define SUFFIX OPERATOR_BIT(OPERATOR_ENDS_WITH)
#define EXISTENCE OPERATOR_BIT(OPERATOR_EXISTS)

/*
 * The API's operators that can evaluate a condition on a column of a kind, sets
 * of OPERATOR_BIT; 0 if it cannot be pushed down.  The operators of
 * REMOTE_TIMESTAMP apply to all ordered kinds.
 *
 * Numbers and times are compared with some tolerance: "equal" needs two bounds,
 * and "not equal" has no filter.  The API's order of texts is unknown.  It may
 * trim them, ignore their case, or treat empty ones as missing.
 */
static const int operators_of_kinds[][REMOTE_TIMESTAMP + 1] = {
	/* uuid, text, boolean, ordered */
	[CONDITION_EQUAL] = {EQUALITY, EQUALITY, EQUALITY, BOUNDS},
	[CONDITION_NOT_EQUAL] = {INEQUALITY, 0, INEQUALITY, 0},
	[CONDITION_LESS] = {0, 0, 0, UPPER_BOUND},
	[CONDITION_GREATER] = {0, 0, 0, LOWER_BOUND},
	[CONDITION_ANY] = {EQUALITY, EQUALITY, EQUALITY, BOUNDS},
	[CONDITION_NOT_ANY] = {INEQUALITY, 0, INEQUALITY, 0},
	[CONDITION_LIKE] = {0, PREFIX | SUFFIX | EQUALITY, 0, 0},
	[CONDITION_STARTS_WITH] = {0, PREFIX, 0, 0},
	[CONDITION_EXISTS] = {EXISTENCE, 0, 0, EXISTENCE},
};

/* --- Columns --- */

/* An SQL type of a RemoteKind. */
typedef struct RemoteType
{
	Oid			type;
	RemoteKind	kind;
	const char *name; /* in the catalogue of value types; NULL: of no column */
	bool		is_own; /* the one that IMPORT uses */
} RemoteType;

/* Returns the kind of a type, or NULL if it has none. */
static const RemoteType *
find_remote_type(Oid type)
{
	static const RemoteType types[] = {
		{UUIDOID, REMOTE_UUID, "uuid", true},
		{TEXTOID, REMOTE_TEXT, "text", true},
		{VARCHAROID, REMOTE_TEXT, "text", false},
		{NAMEOID, REMOTE_TEXT, "text", false},
		{BOOLOID, REMOTE_BOOLEAN, "boolean", true},
		{TIMESTAMPTZOID, REMOTE_TIMESTAMP, "timestamptz", true},
		{TIMESTAMPOID, REMOTE_TIMESTAMP, "timestamptz", false},
		{DATEOID, REMOTE_DATE, "date", true},
		{NUMERICOID, REMOTE_NUMBER, "numeric", true},
		{FLOAT8OID, REMOTE_NUMBER, "numeric", false},
		{FLOAT4OID, REMOTE_NUMBER, NULL, false},
		{INT8OID, REMOTE_NUMBER, "numeric", false},
		{INT4OID, REMOTE_NUMBER, "numeric", false},
		{INT2OID, REMOTE_NUMBER, "numeric", false},
	};

	for (size_t i = 0; i < lengthof(types); i++)
	{
		if (types[i].type == type)
			return &types[i];
	}
	return NULL;
}

/*
 * Returns true if a value of the type has the same text as the id, which JSON,
 * for example, puts in quotes.
 */
static bool
may_show_id(Oid type)
{
	Oid base_type = getBaseType(type);

	return base_type == UUIDOID || base_type == TEXTOID ||
		   base_type == VARCHAROID;
}

/*
 * Sets the operators and is_sortable of a column that shows a whole attribute.
 * The value type defines them if the column has its documented type.  The
 * column's options override it.  The user is responsible for an undocumented
 * attribute.  A date may show a timestamp, which then is the column's kind.
 */
static void
read_column_operators(RemoteColumn *column, const Settings *settings,
					  const ColumnSettings *options, const char *type_name)
{
	const DocumentedAttribute *attribute =
		documented_attribute_find(settings->record_type, column->field);

	if (attribute != NULL)
	{
		const ValueType *value_type = value_type_find(attribute->value_type);

		if (column->kind == REMOTE_DATE && value_type != NULL &&
			strcmp(value_type->column_type, "timestamptz") == 0)
		{
			column->kind = REMOTE_TIMESTAMP;
			type_name = value_type->column_type;
		}
		/* A select's id is comparable if an option says so. */
		if (value_type == NULL || attribute->is_list ||
			(value_type->is_select
				 ? column->kind != REMOTE_UUID || options->filter_operators < 0
				 : strcmp(value_type->column_type, type_name) != 0))
			return;
		column->operators = value_type->operators;
		column->is_sortable = value_type->is_sortable || column->is_id;
	}
	if (options->filter_operators >= 0)
		column->operators = options->filter_operators;
	if (options->sortable >= 0)
		column->is_sortable = options->sortable != 0;
	if (column->kind == REMOTE_TEXT)
		column->is_sortable = false; /* the API's collation is unknown */
}

/*
 * Returns the API capabilities of a foreign table's column with these options,
 * or NULL if the API can neither filter nor sort by it, and it is not the id.
 * The API can if the column shows a whole attribute in the type of its values,
 * and invalid ones raise an error, so that none becomes NULL.
 */
RemoteColumn *
remote_column_read(const Settings *settings, Form_pg_attribute attribute,
				   const ColumnSettings *options)
{
	const RemoteType *type = find_remote_type(attribute->atttypid);
	RemoteColumn	 *column = palloc0(sizeof(RemoteColumn));

	column->field = options->field;
	column->is_id =
		column_shows(options, ID_FIELD) && may_show_id(attribute->atttypid);
	if (type != NULL && type->name != NULL && !options->is_record &&
		options->key == NULL && options->invalid_value == INVALID_VALUE_ERROR)
	{
		column->kind = type->kind;
		read_column_operators(column, settings, options, type->name);
		slack_add_type(&column->slack, type->type, attribute->atttypmod,
					   column->kind == REMOTE_TIMESTAMP);
		if (!type->is_own || column->slack.is_used)
			column->is_sortable = false;
		/* A truncated text has another end. */
		if (column->kind == REMOTE_TEXT && column->slack.is_used)
			column->operators &= ~SUFFIX;
	}
	return column->is_id || column->operators != 0 || column->is_sortable
			   ? column
			   : NULL;
}

/* Removes the casts between texts and uuid around an expression of an id. */
Node *
condition_remove_casts(Node *expression)
{
	Node *inner = expression;

	while (may_show_id(exprType(inner)))
	{
		expression = inner;
		if (IsA(expression, RelabelType))
			inner = (Node *) ((RelabelType *) expression)->arg;
		else if (IsA(expression, CoerceViaIO))
			inner = (Node *) ((CoerceViaIO *) expression)->arg;
		else
			break;
	}
	return expression;
}

/*
 * Returns the column that an expression over rel consists of, or NULL.  With
 * by_id, the column must show the id, but may be cast between text and uuid.
 */
const RemoteColumn *
condition_column(const RelOptInfo *rel, RemoteColumn **columns,
				 Node *expression, bool by_id)
{
	const RemoteColumn *column;
	Var				   *var;

	var = (Var *) (by_id ? condition_remove_casts(expression) : expression);
	if (!IsA(var, Var) || (Index) var->varno != rel->relid ||
		var->varlevelsup != 0 || var->varattno <= 0)
		return NULL;
	column = columns[var->varattno - 1];
	return by_id && column != NULL && !column->is_id ? NULL : column;
}

/* --- The search for a condition --- */

/* Arguments of the search for a condition in one clause. */
typedef struct Search
{
	PlannerInfo		 *root;
	const RelOptInfo *rel;
	RemoteColumn	**columns; /* by attribute number - 1 */
	bool			  by_id;   /* only conditions on the id */
} Search;

static List *find_condition(const Search *search, Node *clause);

/* The side of a comparison that has the column. */
typedef struct Operand
{
	const RemoteColumn *column; /* NULL: the side has none */
	Oid					type;	/* of the expression */
	Slack				slack;
} Operand;

/*
 * Returns the column of an expression.  A condition on the id needs the column
 * itself, others may be on the value of certain functions.
 */
static Operand
find_operand(const Search *search, Node *expression)
{
	Operand operand = {NULL, exprType(expression), {0}};

	if (!search->by_id)
		expression = slack_unwrap(expression, &operand.slack);
	operand.column = condition_column(search->rel, search->columns, expression,
									  search->by_id);
	if (operand.column != NULL)
	{
		operand.slack.is_used |= operand.column->slack.is_used;
		operand.slack.low += operand.column->slack.low;
		operand.slack.high += operand.column->slack.high;
	}
	return operand;
}

/* Returns true if a collation considers only identical bytes as equal. */
static bool
is_deterministic(Oid collation)
{
	return OidIsValid(collation) && get_collation_isdeterministic(collation);
}

/*
 * Returns the condition of an operand, which may have no column; or NIL if it
 * restricts no requests, or the expression is not known before rel's row is
 * read.  The expression is NULL for CONDITION_EXISTS.
 */
static List *
leaf(const Search *search, ConditionKind kind, const Operand *operand,
	 Node *expression)
{
	const RemoteColumn *column = operand->column;
	int					operators;

	if (column == NULL ||
		(expression != NULL &&
		 (bms_is_member(search->rel->relid,
						pull_varnos(search->root, expression)) ||
		  contain_volatile_functions(expression))))
		return NIL;
	operators = column->operators &
				operators_of_kinds[kind][Min(column->kind, REMOTE_TIMESTAMP)];
	if (search->by_id ? kind != CONDITION_EQUAL && kind != CONDITION_ANY
					  : operators == 0)
		return NIL;
	/* in the order of LeafPosition */
	return lappend(list_make5(makeInteger(kind),
							  makeString(pstrdup(column->field)),
							  makeInteger(column->kind), makeInteger(operators),
							  expression),
				   slack_to_list(&operand->slack));
}

/* Returns true if an expression can be compared with values of a type. */
static bool
is_comparable(RemoteKind kind, Oid type)
{
	const RemoteType *other = find_remote_type(type);

	return other != NULL &&
		   (other->kind == kind ||
			(kind == REMOTE_TIMESTAMP && other->kind == REMOTE_DATE) ||
			(kind == REMOTE_DATE && other->kind == REMOTE_TIMESTAMP));
}

/*
 * Sets *kind to the comparison that an operator makes between an operand on its
 * left and a value of another type, and adds its slack to the operand.  Returns
 * false if the API cannot make it.
 */
static bool
comparison_kind(Operand *operand, Oid operator_oid, Oid collation,
				Oid other_type, ConditionKind *kind)
{
	static const ConditionKind kinds_of_strategies[] = {
		[BTLessStrategyNumber] = CONDITION_LESS,
		[BTLessEqualStrategyNumber] = CONDITION_LESS,
		[BTEqualStrategyNumber] = CONDITION_EQUAL,
		[BTGreaterEqualStrategyNumber] = CONDITION_GREATER,
		[BTGreaterStrategyNumber] = CONDITION_GREATER};
	const RemoteType *remote_type = find_remote_type(operand->type);
	Oid				  family;
	int				  strategy;

	other_type = getBaseType(other_type);
	slack_add_comparison(&operand->slack, operand->type, other_type);
	/* The semantics of user-defined operators are unknown. */
	if (operand->column == NULL || remote_type == NULL ||
		!OidIsValid(operator_oid) || operator_oid >= FirstNormalObjectId ||
		!is_comparable(remote_type->kind, other_type) ||
		(remote_type->kind == REMOTE_TEXT && !is_deterministic(collation)))
		return false;

	family =
		lookup_type_cache(operand->type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	strategy = get_op_opfamily_strategy(operator_oid, family);
	if (strategy != InvalidStrategy)
		*kind = kinds_of_strategies[strategy];
	else if (operator_oid == OID_TEXT_LIKE_OP)
		*kind = CONDITION_LIKE;
	else if (get_opcode(operator_oid) == F_STARTS_WITH)
		*kind = CONDITION_STARTS_WITH;
	else if (get_op_opfamily_strategy(get_negator(operator_oid), family) ==
			 BTEqualStrategyNumber)
		*kind = CONDITION_NOT_EQUAL;
	else
		return false;
	return true;
}

/*
 * Returns the condition of an operator, with the column on any side; or NIL.
 * is_exact: it is the whole clause.
 */
static List *
comparison_condition(const Search *search, Oid operator_oid, Oid collation,
					 List *args, bool is_exact)
{
	if (list_length(args) != 2)
		return NIL;
	for (int side = 0; side < 2; side++)
	{
		Operand		  operand = find_operand(search, list_nth(args, side));
		Node		 *other = list_nth(args, 1 - side);
		ConditionKind kind;

		operand.slack.is_used |= !is_exact;
		if (comparison_kind(&operand,
							side == 0 ? operator_oid
									  : get_commutator(operator_oid),
							collation, exprType(other), &kind))
			return leaf(search, kind, &operand, other);
	}
	return NIL;
}

/* Returns the condition of an operator, as comparison_condition does. */
static List *
operator_condition(const Search *search, const OpExpr *clause)
{
	return comparison_condition(search, clause->opno, clause->inputcollid,
								clause->args, true);
}

/*
 * Returns the condition of a comparison of rows with <, <=, > or >=, or NIL.
 * The first columns of both decide, unless they are equal.
 */
static List *
row_condition(const Search *search, const RowCompareExpr *clause)
{
	return comparison_condition(
		search, linitial_oid(clause->opnos), linitial_oid(clause->inputcollids),
		list_make2(linitial(clause->largs), linitial(clause->rargs)), false);
}

/*
 * Returns the condition of column = ANY (expression) or column <> ALL
 * (expression), to which the parser converts IN and NOT IN; or NIL.
 */
static List *
array_condition(const Search *search, ScalarArrayOpExpr *clause)
{
	Operand		  operand = find_operand(search, linitial(clause->args));
	Node		 *array = lsecond(clause->args);
	ConditionKind kind;

	if (!comparison_kind(&operand, clause->opno, clause->inputcollid,
						 get_base_element_type(exprType(array)), &kind) ||
		kind != (clause->useOr ? CONDITION_EQUAL : CONDITION_NOT_EQUAL))
		return NIL;
	return leaf(search, clause->useOr ? CONDITION_ANY : CONDITION_NOT_ANY,
				&operand, array);
}

/* Returns the condition of a column with its own operand; or NIL. */
static List *
column_condition(const Search *search, ConditionKind kind, Node *column,
				 Node *expression)
{
	Operand operand = find_operand(search, column);

	return leaf(search, kind, &operand, expression);
}

/* Returns the conjunction of the conditions; NIL if there are none. */
List *
condition_conjunction(List *conditions)
{
	if (list_length(conditions) <= 1)
		return conditions == NIL ? NIL : linitial(conditions);
	return lcons(makeInteger(CONDITION_AND), conditions);
}

/*
 * Returns the condition of AND, OR or NOT; or NIL.  AND uses the arms that have
 * a condition, OR all arms or none, and NOT only a column.
 */
static List *
boolean_condition(const Search *search, BoolExpr *clause)
{
	Node	 *first = linitial(clause->args);
	bool	  is_or = clause->boolop == OR_EXPR;
	List	 *found = NIL;
	ListCell *cell;

	/* An id is never NULL, so NOT (id IS DISTINCT FROM x) is equality. */
	if (clause->boolop == NOT_EXPR && search->by_id)
		return IsA(first, DistinctExpr)
				   ? operator_condition(search, (OpExpr *) first)
				   : NIL;
	if (clause->boolop == NOT_EXPR)
		return column_condition(search, CONDITION_EQUAL, first,
								makeBoolConst(false, false));
	if (is_or && !search->by_id &&
		list_length(clause->args) > MAX_REMOTE_VALUES)
		return NIL;

	foreach(cell, clause->args)
	{
		List *condition = find_condition(search, lfirst(cell));

		if (condition != NIL)
			found = lappend(found, condition);
		else if (is_or)
			return NIL;
	}
	return is_or ? lcons(makeInteger(CONDITION_OR), found)
				 : condition_conjunction(found);
}

/* Returns the condition of a clause, or NIL. */
static List *
find_condition(const Search *search, Node *clause)
{
	ConditionKind kind = CONDITION_EQUAL;
	Node		 *operand = clause;
	Node		 *expression = NULL;
	BoolTestType  type;

	switch (nodeTag(clause))
	{
		case T_RestrictInfo: /* The planner wraps each arm of an OR in one. */
			return find_condition(search,
								  (Node *) ((RestrictInfo *) clause)->clause);
		case T_OpExpr:
			return operator_condition(search, (OpExpr *) clause);
		case T_RowCompareExpr:
			return row_condition(search, (RowCompareExpr *) clause);
		case T_ScalarArrayOpExpr:
			return array_condition(search, (ScalarArrayOpExpr *) clause);
		case T_BoolExpr:
			return boolean_condition(search, (BoolExpr *) clause);
		case T_FuncExpr: /* starts_with(column, expression) */
			if (((FuncExpr *) clause)->funcid != F_STARTS_WITH ||
				!is_deterministic(((FuncExpr *) clause)->inputcollid))
				return NIL;
			kind = CONDITION_STARTS_WITH;
			operand = linitial(((FuncExpr *) clause)->args);
			expression = lsecond(((FuncExpr *) clause)->args);
			break;
		case T_BooleanTest: /* column IS TRUE, column IS FALSE */
			type = ((BooleanTest *) clause)->booltesttype;
			if (type != IS_TRUE && type != IS_FALSE)
				return NIL;
			operand = (Node *) ((BooleanTest *) clause)->arg;
			expression = makeBoolConst(type == IS_TRUE, false);
			break;
		case T_NullTest: /* column IS NOT NULL; id IS NULL, which allows none */
			kind = CONDITION_EXISTS;
			operand = (Node *) ((NullTest *) clause)->arg;
			if (((NullTest *) clause)->nulltesttype == IS_NOT_NULL)
				break;
			if (!search->by_id)
				return NIL;
			kind = CONDITION_ANY;
			expression = (Node *) makeConst(
				UUIDARRAYOID, -1, InvalidOid, -1,
				PointerGetDatum(construct_empty_array(UUIDOID)), false, false);
			break;
		case T_Var:
			expression = makeBoolConst(true, false);
			break;
		default:
			return NIL;
	}
	return column_condition(search, kind, operand, expression);
}

/* Returns true if a condition may have several filters, joined by AND. */
static bool
is_several(const List *condition)
{
	ConditionKind kind = condition_kind(condition);

	return kind == CONDITION_AND ||
		   ((kind == CONDITION_EQUAL || kind == CONDITION_ANY) &&
			leaf_number(condition, LEAF_REMOTE_KIND) >= REMOTE_TIMESTAMP);
}

/*
 * Returns the nesting depth of the groups in a condition's filters, without a
 * group around the whole condition.
 */
static int
group_depth(const List *condition)
{
	int		  depth = 0;
	ListCell *cell;

	if (!condition_is_group(condition))
		return 0;
	for_each_from(cell, condition, 1)
	{
		const List *arm = lfirst(cell);
		int			arm_depth = group_depth(arm);

		if (condition_kind(condition) == CONDITION_OR)
			arm_depth += 1 + is_several(arm);
		depth = Max(depth, arm_depth);
	}
	return depth;
}

/*
 * Returns the condition that a clause implies, perhaps among others, or NIL:
 * with by_id, one on the id, and otherwise one that can be pushed down.  Its
 * expressions belong to the clause, and have no variables of rel and no
 * volatile functions.
 */
List *
condition_find(PlannerInfo *root, const RelOptInfo *rel, RemoteColumn **columns,
			   Node *clause, bool by_id)
{
	Search search = {root, rel, columns, by_id};
	List  *condition = find_condition(&search, clause);

	if (condition != NIL && !by_id &&
		group_depth(condition) + is_several(condition) > MAX_GROUP_DEPTH)
		return NIL;
	return condition;
}

/*
 * Returns true if a uuid column equals an expression, and the API supports
 * "in" for it.  One query can then look several keys up.
 */
bool
condition_is_key(const List *condition)
{
	return condition_kind(condition) == CONDITION_EQUAL &&
		   leaf_number(condition, LEAF_REMOTE_KIND) == REMOTE_UUID &&
		   (leaf_number(condition, LEAF_OPERATORS) &
			OPERATOR_BIT(OPERATOR_IN)) != 0;
}

/*
 * Returns true if a condition allows no more than its clause, apart from the
 * API's rounding and the parts that cannot be pushed down.
 */
bool
condition_is_exact(const List *condition)
{
	ListCell *cell;

	if (!condition_is_group(condition))
		return list_nth(condition, LEAF_SLACK) == NULL;
	for_each_from(cell, condition, 1)
	{
		if (!condition_is_exact(lfirst(cell)))
			return false;
	}
	return true;
}

/*
 * Returns the form of a condition for a plan, with the numbers of its
 * expressions, which are appended to *expressions.
 */
List *
condition_number_expressions(const List *condition, List **expressions)
{
	List	 *copy = list_copy(condition);
	ListCell *cell;

	if (condition_is_group(condition))
	{
		for_each_from(cell, copy, 1) lfirst(cell) =
			condition_number_expressions(lfirst(cell), expressions);
		return copy;
	}
	cell = list_nth_cell(copy, LEAF_EXPRESSION);
	if (lfirst(cell) != NULL)
	{
		*expressions = lappend(*expressions, lfirst(cell));
		lfirst(cell) = makeInteger(list_length(*expressions) - 1);
	}
	return copy;
}

/* --- The conditions of a plan --- */
/* Returns the numbers of a condition's expressions in the plan's list. */
Bitmapset *
condition_numbers(const List *condition)
{
	Bitmapset *numbers = NULL;
	ListCell  *cell;

	if (!condition_is_group(condition))
		return list_nth(condition, LEAF_EXPRESSION) == NULL
				   ? NULL
				   : bms_make_singleton(
						 leaf_number(condition, LEAF_EXPRESSION));
	for_each_from(cell, condition, 1) numbers =
		bms_join(numbers, condition_numbers(lfirst(cell)));
	return numbers;
}

/* Returns true if a condition on the id allows at most one id. */
bool
condition_is_single(const List *condition)
{
	ListCell *cell;

	if (condition_kind(condition) != CONDITION_AND)
		return condition_kind(condition) == CONDITION_EQUAL;
	for_each_from(cell, condition, 1)
	{
		if (condition_is_single(lfirst(cell)))
			return true;
	}
	return false;
}

/* Returns the attribute of a condition on the id or a key, in UTF-8. */
const char *
condition_field(const List *condition)
{
	while (condition_is_group(condition))
		condition = lsecond(condition);
	return strVal(list_nth(condition, LEAF_FIELD));
}

/*
 * Returns EXPLAIN's name of a comparison: the operator, unless it depends on
 * the value.  RemoteOperator has the one for one value before that for
 * several, and < before <=.
 */
static const char *
leaf_operator_text(const List *condition)
{
	uint32 operators = leaf_number(condition, LEAF_OPERATORS);

	if (is_several(condition))
		return condition_kind(condition) == CONDITION_ANY ? "gte/lte any of"
														  : "gte/lte";
	switch (condition_kind(condition))
	{
		case CONDITION_LIKE:
			return "like";
		case CONDITION_EQUAL:
		case CONDITION_NOT_EQUAL:
			return remote_operator_name(pg_rightmost_one_pos32(operators));
		default:
			return remote_operator_name(pg_leftmost_one_pos32(operators));
	}
}

/*
 * Appends a condition in the form that EXPLAIN shows, or with only_expressions
 * the values of a condition on the id or a key, in SQL's notation.
 */
void
condition_deparse(StringInfo target, const List *condition,
				  const ConditionDeparse *deparse, bool only_expressions)
{
	ConditionKind kind = condition_kind(condition);
	const char	 *field;
	const char	 *text = NULL;
	const List	 *slack;
	ListCell	 *cell;

	if (condition_is_group(condition))
	{
		bool		is_and = kind == CONDITION_AND;
		const char *separator = ", ";

		if (only_expressions)
			separator = is_and ? ") AND (" : ") OR (";
		else
			appendStringInfoString(target, is_and ? "and" : "or");
		for_each_from(cell, condition, 1)
		{
			appendStringInfoString(
				target, foreach_current_index(cell) == 1 ? "(" : separator);
			condition_deparse(target, lfirst(cell), deparse, only_expressions);
		}
		appendStringInfoChar(target, ')');
		return;
	}

	if (kind != CONDITION_EXISTS)
		text = deparse_expression(
			list_nth(deparse->expressions,
					 leaf_number(condition, LEAF_EXPRESSION)),
			deparse->context, deparse->prefix, false);
	if (only_expressions)
	{
		appendStringInfo(target, kind == CONDITION_ANY ? "ANY (%s)" : "%s",
						 text);
		return;
	}
	field = condition_field(condition);
	appendStringInfo(target, "%s %s",
					 pg_any_to_server(field, strlen(field), PG_UTF8),
					 leaf_operator_text(condition));
	if (text == NULL)
		return;
	slack = list_nth(condition, LEAF_SLACK);
	appendStringInfo(target, slack_is_year(slack) ? " year %s" : " %s", text);
	if (leaf_number(condition, LEAF_REMOTE_KIND) >= REMOTE_TIMESTAMP)
		slack_deparse(
			target, slack, kind != CONDITION_LESS, kind != CONDITION_GREATER,
			leaf_number(condition, LEAF_REMOTE_KIND) != REMOTE_NUMBER);
}
