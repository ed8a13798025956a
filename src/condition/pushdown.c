/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * pushdown.c
 *	  Finds the conditions of a query that can be pushed down as the API's
 *	  filters.
 *
 * A filter may be wider than SQL's condition, but never narrower.  The API's
 * treatment of case, NULLs, rounding and forms of values is unknown, so
 * PostgreSQL rechecks every condition.  A condition is pushed down only if its
 * filter cannot exclude a row that SQL would keep.  It must also be below ANDs
 * and ORs alone, where NULL and false have the same effect.
 *
 * This is the planner's side; pushdown_evaluate.c writes the filters.  Knows
 * nothing about requests.
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
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/typcache.h"

#include "condition/pushdown_internal.h"
#include "option/attribute.h"

/* Limit of the nesting of filter groups.  The API has a limit too. */
#define MAX_GROUP_DEPTH 3

#define LOWER_BOUND (OPERATOR_BIT(OPERATOR_GTE) | OPERATOR_BIT(OPERATOR_GT))
#define UPPER_BOUND (OPERATOR_BIT(OPERATOR_LTE) | OPERATOR_BIT(OPERATOR_LT))
#define EQUALITY (OPERATOR_BIT(OPERATOR_EQ) | OPERATOR_BIT(OPERATOR_IN))
#define INEQUALITY (OPERATOR_BIT(OPERATOR_NE) | OPERATOR_BIT(OPERATOR_NOT_IN))
#define PREFIX \
	(OPERATOR_BIT(OPERATOR_STARTS_WITH) | OPERATOR_BIT(OPERATOR_CONTAINS))

/* Type of columns whose conditions can be pushed down. */
typedef struct KindOfType
{
	Oid			type;
	RemoteKind	kind;
	const char *name; /* name in the catalogue of value types */
} KindOfType;

static const KindOfType kinds_of_types[] = {
	{UUIDOID, REMOTE_UUID, "uuid"},
	{TEXTOID, REMOTE_TEXT, "text"},
	{BOOLOID, REMOTE_BOOLEAN, "boolean"},
	{TIMESTAMPTZOID, REMOTE_TIMESTAMP, "timestamptz"},
	{DATEOID, REMOTE_DATE, "date"},
	{NUMERICOID, REMOTE_NUMBER, "numeric"},
};

/* State of the search for conditions in one clause. */
typedef struct Search
{
	PlannerInfo		 *root;
	const RelOptInfo *rel;
	RemoteColumn	**columns; /* by attribute number - 1 */
	List			 *expressions;
} Search;

static const KindOfType *find_kind_of_type(Oid type);
static bool				 fits_documentation(const Settings		 *settings,
											const ColumnSettings *options,
											RemoteColumn *column, const KindOfType *type);
static List				*find_condition(Search *search, Node *clause);
static List				*comparison_condition(Search *search, OpExpr *clause);
static List *array_condition(Search *search, ScalarArrayOpExpr *clause);
static List *function_condition(Search *search, FuncExpr *clause);
static List *boolean_condition(Search *search, BoolExpr *clause);
static List *truth_condition(Search *search, BooleanTest *clause);
static List *existence_condition(Search *search, NullTest *clause);
static bool	 comparison_kind(RemoteKind remote_kind, Oid operator_oid,
							 Oid collation, ConditionKind *kind);
static bool	 is_deterministic(Oid collation);
static bool	 is_comparable(RemoteKind kind, Oid type);
static int	 useful_operators(ConditionKind kind, RemoteKind remote_kind);
static const RemoteColumn *find_column(const Search *search, Node *expression);
static bool				   is_known(const Search *search, Node *expression);
static List				  *leaf(Search *search, ConditionKind kind,
								const RemoteColumn *column, Node *expression);
static int				   group_depth(const List *condition);
static bool				   is_several(const List *condition);
static const char		  *leaf_operator_text(const List *condition);

/*
 * Returns the API capabilities of a foreign table's column, palloc'd; or NULL
 * if the API can neither filter nor sort by it.
 *
 * Such a column shows a whole attribute, in the type of the attribute's
 * values.  It also shows every value: invalid values raise an error and do not
 * become NULL.
 */
RemoteColumn *
remote_column_read(const Settings *settings, Form_pg_attribute attribute)
{
	const KindOfType *type = find_kind_of_type(attribute->atttypid);
	ColumnSettings	 *options;
	AttributePath	 *path;
	RemoteColumn	 *column;

	if (attribute->attisdropped || attribute->attgenerated != '\0' ||
		attribute->attnum <= 0 || type == NULL || attribute->atttypmod != -1)
		return NULL;
	options = column_settings_read(settings, attribute->attnum);
	path = attribute_path_read(options, NameStr(attribute->attname));
	if (options->invalid_value != INVALID_VALUE_ERROR || path->is_record ||
		path->key != NULL)
		return NULL;

	column = palloc0(sizeof(RemoteColumn));
	column->field = path->attribute;
	column->kind = type->kind;
	if (!fits_documentation(settings, options, column, type))
		return NULL;
	if (options->filter_operators != NULL)
		column->operators = remote_operators_read(options->filter_operators);
	if (options->sortable != TERNARY_UNSET)
		column->is_sortable = options->sortable == TERNARY_TRUE;
	if (column->kind == REMOTE_TEXT)
		column->is_sortable = false; /* the API's collation is unknown */
	return column->operators == 0 && !column->is_sortable ? NULL : column;
}

static const KindOfType *
find_kind_of_type(Oid type)
{
	for (size_t i = 0; i < lengthof(kinds_of_types); i++)
	{
		if (kinds_of_types[i].type == type)
			return &kinds_of_types[i];
	}
	return NULL;
}

/*
 * Returns true if the column's type is the documented type of its attribute.
 * Sets the column's documented operators and is_sortable.  For an undocumented
 * attribute it returns true, and the user is responsible.
 */
static bool
fits_documentation(const Settings *settings, const ColumnSettings *options,
				   RemoteColumn *column, const KindOfType *type)
{
	const DocumentedAttribute *attribute =
		documented_attribute_find(settings->record_type, column->field);
	const ValueType *value_type;

	if (attribute == NULL)
		return true;
	value_type = value_type_find(attribute->value_type);
	if (value_type == NULL || attribute->is_list)
		return false;

	/* The id of a select or a stage, if an option says that it is comparable */
	if (value_type->is_select)
		return column->kind == REMOTE_UUID && options->filter_operators != NULL;

	column->operators = value_type->operators;
	column->is_sortable =
		value_type->is_sortable || strcmp(column->field, "id") == 0;
	return strcmp(value_type->column_type, type->name) == 0;
}

/*
 * Returns the API condition that a clause implies, or NIL.  The clause may
 * imply further conditions, which are then not pushed down.
 *
 * Appends the condition's expressions to *expressions.  These have no variables
 * of rel, and no volatile functions.
 */
List *
pushdown_condition(PlannerInfo *root, const RelOptInfo *rel,
				   RemoteColumn **columns, Node *clause, List **expressions)
{
	int	   old_count = list_length(*expressions);
	Search search = {root, rel, columns, *expressions};
	List  *condition = find_condition(&search, clause);

	*expressions = search.expressions;
	if (condition != NIL &&
		group_depth(condition) + is_several(condition) > MAX_GROUP_DEPTH)
	{
		*expressions = list_truncate(*expressions, old_count);
		return NIL;
	}
	return condition;
}

static List *
find_condition(Search *search, Node *clause)
{
	/* The planner wraps each arm of an OR in a RestrictInfo. */
	if (IsA(clause, RestrictInfo))
		clause = (Node *) ((RestrictInfo *) clause)->clause;

	switch (nodeTag(clause))
	{
		case T_OpExpr:
			return comparison_condition(search, (OpExpr *) clause);
		case T_ScalarArrayOpExpr:
			return array_condition(search, (ScalarArrayOpExpr *) clause);
		case T_FuncExpr:
			return function_condition(search, (FuncExpr *) clause);
		case T_BoolExpr:
			return boolean_condition(search, (BoolExpr *) clause);
		case T_BooleanTest:
			return truth_condition(search, (BooleanTest *) clause);
		case T_NullTest:
			return existence_condition(search, (NullTest *) clause);
		case T_Var:
			return leaf(search, CONDITION_TRUE, find_column(search, clause),
						NULL);
		default:
			return NIL;
	}
}

/*
 * Returns the condition of column operator expression, with the operands in any
 * order; or NIL.
 */
static List *
comparison_condition(Search *search, OpExpr *clause)
{
	Oid					operator_oid = clause->opno;
	const RemoteColumn *column;
	Node			   *other;
	ConditionKind		kind;

	if (list_length(clause->args) != 2)
		return NIL;
	column = find_column(search, linitial(clause->args));
	other = lsecond(clause->args);
	if (column == NULL)
	{
		column = find_column(search, lsecond(clause->args));
		other = linitial(clause->args);
		operator_oid = get_commutator(operator_oid);
	}
	if (column == NULL ||
		!comparison_kind(column->kind, operator_oid, clause->inputcollid,
						 &kind) ||
		!is_comparable(column->kind, exprType(other)))
		return NIL;
	return leaf(search, kind, column, other);
}

/*
 * Returns the condition of column = ANY (expression) or column <> ALL
 * (expression), to which the parser converts IN and NOT IN; or NIL.
 */
static List *
array_condition(Search *search, ScalarArrayOpExpr *clause)
{
	const RemoteColumn *column = find_column(search, linitial(clause->args));
	Node			   *array = lsecond(clause->args);
	ConditionKind		kind;

	if (column == NULL ||
		!comparison_kind(column->kind, clause->opno, clause->inputcollid,
						 &kind) ||
		!is_comparable(column->kind, get_base_element_type(exprType(array))))
		return NIL;
	if (kind == CONDITION_EQUAL && clause->useOr)
		return leaf(search, CONDITION_ANY, column, array);
	if (kind == CONDITION_NOT_EQUAL && !clause->useOr)
		return leaf(search, CONDITION_NOT_ANY, column, array);
	return NIL;
}

/* Returns the condition of starts_with(column, expression), or NIL. */
static List *
function_condition(Search *search, FuncExpr *clause)
{
	if (clause->funcid != F_STARTS_WITH ||
		!is_deterministic(clause->inputcollid))
		return NIL;
	return leaf(search, CONDITION_STARTS_WITH,
				find_column(search, linitial(clause->args)),
				lsecond(clause->args));
}

/*
 * Returns the condition of AND, OR or NOT; or NIL.  AND pushes down the arms
 * that it can, OR all arms or none, and NOT only a column.
 */
static List *
boolean_condition(Search *search, BoolExpr *clause)
{
	List	 *found = NIL;
	int		  old_count = list_length(search->expressions);
	ListCell *cell;

	if (clause->boolop == NOT_EXPR)
		return leaf(search, CONDITION_FALSE,
					find_column(search, linitial(clause->args)), NULL);
	if (clause->boolop == OR_EXPR &&
		list_length(clause->args) > MAX_REMOTE_VALUES)
		return NIL;

	foreach(cell, clause->args)
	{
		List *condition = find_condition(search, lfirst(cell));

		if (condition != NIL)
			found = lappend(found, condition);
		else if (clause->boolop == OR_EXPR)
		{
			search->expressions = list_truncate(search->expressions, old_count);
			return NIL;
		}
	}
	if (clause->boolop == OR_EXPR)
		return lcons(makeInteger(CONDITION_OR), found);
	if (list_length(found) <= 1)
		return found == NIL ? NIL : linitial(found);
	return lcons(makeInteger(CONDITION_AND), found);
}

/* Returns the condition of column IS TRUE or column IS FALSE, or NIL. */
static List *
truth_condition(Search *search, BooleanTest *clause)
{
	const RemoteColumn *column = find_column(search, (Node *) clause->arg);

	switch (clause->booltesttype)
	{
		case IS_TRUE:
			return leaf(search, CONDITION_TRUE, column, NULL);
		case IS_FALSE:
			return leaf(search, CONDITION_FALSE, column, NULL);
		default:
			return NIL;
	}
}

/* Returns the condition of column IS NOT NULL, or NIL. */
static List *
existence_condition(Search *search, NullTest *clause)
{
	if (clause->nulltesttype != IS_NOT_NULL)
		return NIL;
	return leaf(search, CONDITION_EXISTS,
				find_column(search, (Node *) clause->arg), NULL);
}

/*
 * Sets *kind to the comparison that an operator makes with the column on its
 * left.  Returns false if it makes none of them.
 */
static bool
comparison_kind(RemoteKind remote_kind, Oid operator_oid, Oid collation,
				ConditionKind *kind)
{
	Oid family = lookup_type_cache(kinds_of_types[remote_kind].type,
								   TYPECACHE_BTREE_OPFAMILY)
					 ->btree_opf;

	/* The semantics of user-defined operators are unknown. */
	if (!OidIsValid(operator_oid) || operator_oid >= FirstNormalObjectId)
		return false;
	if (remote_kind == REMOTE_TEXT && !is_deterministic(collation))
		return false;

	switch (get_op_opfamily_strategy(operator_oid, family))
	{
		case BTEqualStrategyNumber:
			*kind = CONDITION_EQUAL;
			return true;
		case BTLessStrategyNumber:
		case BTLessEqualStrategyNumber:
			*kind = CONDITION_LESS;
			return true;
		case BTGreaterStrategyNumber:
		case BTGreaterEqualStrategyNumber:
			*kind = CONDITION_GREATER;
			return true;
		default:
			break;
	}

	if (operator_oid == OID_TEXT_LIKE_OP)
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

/* Returns true if a collation considers only identical bytes as equal. */
static bool
is_deterministic(Oid collation)
{
	return OidIsValid(collation) && get_collation_isdeterministic(collation);
}

/* Returns true if a column can be compared in the API with values of a type. */
static bool
is_comparable(RemoteKind kind, Oid type)
{
	switch (getBaseType(type))
	{
		case UUIDOID:
			return kind == REMOTE_UUID;
		case TEXTOID:
		case NAMEOID:
			return kind == REMOTE_TEXT;
		case BOOLOID:
			return kind == REMOTE_BOOLEAN;
		case NUMERICOID:
			return kind == REMOTE_NUMBER;
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:
		case DATEOID:
			return kind == REMOTE_TIMESTAMP || kind == REMOTE_DATE;
		default:
			return false;
	}
}

/*
 * Returns the API's operators that can evaluate a condition on a column of a
 * kind, a set of OPERATOR_BIT; 0 if it cannot be pushed down.
 *
 * Numbers and times are compared with some tolerance: "equal" needs two bounds,
 * and "not equal" has no filter.  The API's order of texts is unknown.  It may
 * trim them, ignore their case, or treat empty ones as missing.
 */
static int
useful_operators(ConditionKind kind, RemoteKind remote_kind)
{
	bool is_ordered = remote_kind_is_ordered(remote_kind);
	bool is_text = remote_kind == REMOTE_TEXT;

	switch (kind)
	{
		case CONDITION_EQUAL:
		case CONDITION_ANY:
			return is_ordered ? LOWER_BOUND | UPPER_BOUND : EQUALITY;
		case CONDITION_NOT_EQUAL:
		case CONDITION_NOT_ANY:
			return is_ordered || is_text ? 0 : INEQUALITY;
		case CONDITION_LESS:
			return is_ordered ? UPPER_BOUND : 0;
		case CONDITION_GREATER:
			return is_ordered ? LOWER_BOUND : 0;
		case CONDITION_LIKE:
			return is_text
					   ? PREFIX | OPERATOR_BIT(OPERATOR_ENDS_WITH) | EQUALITY
					   : 0;
		case CONDITION_STARTS_WITH:
			return is_text ? PREFIX : 0;
		case CONDITION_TRUE:
		case CONDITION_FALSE:
			return remote_kind == REMOTE_BOOLEAN ? EQUALITY : 0;
		case CONDITION_EXISTS:
			return is_ordered || remote_kind == REMOTE_UUID
					   ? OPERATOR_BIT(OPERATOR_EXISTS)
					   : 0;
		case CONDITION_AND:
		case CONDITION_OR:
			break;
	}
	return 0;
}

/* Returns the column that an expression consists of, or NULL. */
static const RemoteColumn *
find_column(const Search *search, Node *expression)
{
	Var *var = (Var *) expression;

	if (!IsA(expression, Var) || (Index) var->varno != search->rel->relid ||
		var->varlevelsup != 0 || var->varattno <= 0)
		return NULL;
	return search->columns[var->varattno - 1];
}

/* Returns true if an expression can be evaluated before rel's row is read. */
static bool
is_known(const Search *search, Node *expression)
{
	return !bms_is_member(search->rel->relid,
						  pull_varnos(search->root, expression)) &&
		   !contain_volatile_functions(expression);
}

/*
 * Returns the condition of a column, or NIL if it cannot be pushed down or the
 * column is NULL.  The expression is NULL for the kinds without one.
 */
static List *
leaf(Search *search, ConditionKind kind, const RemoteColumn *column,
	 Node *expression)
{
	int operators;
	int number = NO_EXPRESSION;

	if (column == NULL || (expression != NULL && !is_known(search, expression)))
		return NIL;
	operators = column->operators & useful_operators(kind, column->kind);
	if (operators == 0)
		return NIL;

	if (expression != NULL)
	{
		number = list_length(search->expressions);
		search->expressions = lappend(search->expressions, expression);
	}
	/* in the order of LeafPosition */
	return lappend(
		list_make4(makeInteger(kind), makeString(pstrdup(column->field)),
				   makeInteger(column->kind), makeInteger(operators)),
		makeInteger(number));
}

/*
 * Returns the nesting depth of the groups in a condition's filters, without a
 * group around the whole condition.
 */
static int
group_depth(const List *condition)
{
	ConditionKind kind = condition_kind(condition);
	int			  depth = 0;
	ListCell	 *cell;

	if (kind != CONDITION_AND && kind != CONDITION_OR)
		return 0;
	for_each_from(cell, condition, 1)
	{
		const List *arm = lfirst(cell);
		int			arm_depth = group_depth(arm);

		if (kind == CONDITION_OR)
			arm_depth += 1 + is_several(arm);
		depth = Max(depth, arm_depth);
	}
	return depth;
}

/* Returns true if a condition may have several filters, joined by AND. */
static bool
is_several(const List *condition)
{
	switch (condition_kind(condition))
	{
		case CONDITION_AND:
			return true;
		case CONDITION_EQUAL:
		case CONDITION_ANY:
			return remote_kind_is_ordered(
				intVal(list_nth(condition, LEAF_REMOTE_KIND)));
		default:
			return false;
	}
}

/*
 * Appends a condition in the form that EXPLAIN shows.  The context and the
 * prefix are arguments of deparse_expression.
 */
void
pushdown_deparse(StringInfo target, List *condition, List *expressions,
				 List *context, bool prefix)
{
	ConditionKind kind = condition_kind(condition);
	const char	 *field;
	int			  expression;
	ListCell	 *cell;

	if (kind == CONDITION_AND || kind == CONDITION_OR)
	{
		appendStringInfoString(target, kind == CONDITION_AND ? "and" : "or");
		for_each_from(cell, condition, 1)
		{
			appendStringInfoString(
				target, foreach_current_index(cell) == 1 ? "(" : ", ");
			pushdown_deparse(target, lfirst(cell), expressions, context,
							 prefix);
		}
		appendStringInfoChar(target, ')');
		return;
	}

	field = strVal(list_nth(condition, LEAF_FIELD));
	appendStringInfo(target, "%s %s",
					 pg_any_to_server(field, strlen(field), PG_UTF8),
					 leaf_operator_text(condition));
	expression = intVal(list_nth(condition, LEAF_EXPRESSION));
	if (expression != NO_EXPRESSION)
		appendStringInfo(target, " %s",
						 deparse_expression(list_nth(expressions, expression),
											context, prefix, false));
	else if (kind != CONDITION_EXISTS)
		appendStringInfoString(target,
							   kind == CONDITION_TRUE ? " true" : " false");
}

/*
 * Returns EXPLAIN's name of a condition's comparison: the operator's name,
 * unless the operator depends on the value.
 */
static const char *
leaf_operator_text(const List *condition)
{
	static const RemoteOperator preferences[][2] = {
		[CONDITION_EQUAL] = {OPERATOR_EQ, OPERATOR_IN},
		[CONDITION_NOT_EQUAL] = {OPERATOR_NE, OPERATOR_NOT_IN},
		[CONDITION_LESS] = {OPERATOR_LTE, OPERATOR_LT},
		[CONDITION_GREATER] = {OPERATOR_GTE, OPERATOR_GT},
		[CONDITION_ANY] = {OPERATOR_IN, OPERATOR_EQ},
		[CONDITION_NOT_ANY] = {OPERATOR_NOT_IN, OPERATOR_NE},
		[CONDITION_STARTS_WITH] = {OPERATOR_STARTS_WITH, OPERATOR_CONTAINS},
		[CONDITION_TRUE] = {OPERATOR_EQ, OPERATOR_IN},
		[CONDITION_FALSE] = {OPERATOR_EQ, OPERATOR_IN},
		[CONDITION_EXISTS] = {OPERATOR_EXISTS, OPERATOR_EXISTS},
	};
	ConditionKind kind = condition_kind(condition);
	int			  operators = intVal(list_nth(condition, LEAF_OPERATORS));
	const RemoteOperator *preferred;

	if (kind == CONDITION_LIKE)
		return "like";
	if (is_several(condition))
		return kind == CONDITION_ANY ? "gte/lte any of" : "gte/lte";
	preferred = preferences[kind];
	return remote_operator_name((operators & OPERATOR_BIT(preferred[0])) != 0
									? preferred[0]
									: preferred[1]);
}
