/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_place.c
 *	  Places in a plan where batch lookups are inserted: the rows that supply the
 *	  parameters of foreign scans.
 *
 * Computes the keys of a lookup from these rows, and inserts the lookup above
 * them.  Does not know how a plan's nodes pass parameters on: see batch_lookup.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"

#include "condition/condition.h"
#include "plan/lookup_place.h"
#include "plan/plan_compat.h"

/*
 * A parameter and its value, an expression over the rows of a place.  A value
 * that is only passed on from parameters set further above has an expression
 * over these, too.
 */
typedef struct Binding
{
	int	   paramid;
	int	   depth;		/* of the node that sets the parameter */
	Node  *passed;		/* expression over parameters; NULL: none */
	Place *place;		/* NULL: computed once, by an initplan */
	Node  *value;		/* NULL: not usable by a lookup at the place */
	bool   is_guarded;	/* the value may not be needed, as in CASE */
	bool   is_constant; /* the parameter of an initplan */
} Binding;

/* Arguments of the replacement of parameters. */
typedef struct Substitution
{
	List  *bindings;
	Place *place;
	bool   is_guarded; /* result: a replaced parameter is */
	bool has_failed; /* result: a parameter's value is not known at the place */
} Substitution;

bool
lookup_is_param(const Node *node)
{
	return IsA(node, Param) && ((const Param *) node)->paramkind == PARAM_EXEC;
}

static const Binding *
find_binding(const List *bindings, const Node *param)
{
	const ListCell *cell;

	foreach(cell, bindings)
	{
		const Binding *binding = lfirst(cell);

		if (binding->paramid == ((const Param *) param)->paramid)
			return binding;
	}
	return NULL;
}

/* Returns true for an expression that only the node that evaluates it knows. */
static bool
is_input(const Node *node)
{
	return IsA(node, Var) || IsA(node, Aggref) || IsA(node, GroupingFunc) ||
		   IsA(node, WindowFunc);
}

/* Returns true if an expression has an input other than the columns of varno. */
static bool
has_other_input(Node *node, void *varno)
{
	if (node == NULL)
		return false;
	if (is_input(node))
		return !IsA(node, Var) || ((Var *) node)->varno != *(int *) varno;
	return expression_tree_walker(node, has_other_input, varno);
}

/*
 * Finds the deepest place that supplies a parameter of an expression.  Returns
 * true if the supplier of a parameter is not known.
 */
static bool
find_place(Node *node, void *argument)
{
	Substitution  *search = argument;
	const Binding *binding;

	if (node == NULL)
		return false;
	if (!lookup_is_param(node))
		return expression_tree_walker(node, find_place, argument);
	binding = find_binding(search->bindings, node);
	if (binding == NULL)
		return true;
	if (binding->place != NULL &&
		(search->place == NULL || binding->place->depth > search->place->depth))
		search->place = binding->place;
	return false;
}

/*
 * Replaces the parameters that a place supplies by their values, and those that
 * are set only after its rows are read by the expressions passed on.
 */
static Node *
substitute(Node *node, void *argument)
{
	Substitution  *substitution = argument;
	const Binding *binding;

	if (node == NULL)
		return NULL;
	if (!lookup_is_param(node))
		return expression_tree_mutator(node, substitute, argument);
	binding = find_binding(substitution->bindings, node);
	if (binding->place == NULL || binding->place != substitution->place)
	{
		/* An initplan runs when its parameter is first read. */
		if (binding->is_constant || substitution->place == NULL ||
			binding->depth < substitution->place->depth)
			return copyObject(node);
		substitution->is_guarded |= binding->is_guarded;
		if (binding->passed != NULL)
			return substitute(binding->passed, argument);
		substitution->has_failed = true;
		return copyObject(node);
	}
	substitution->is_guarded |= binding->is_guarded;
	substitution->has_failed |= binding->value == NULL;
	return copyObject(binding->value);
}

/*
 * Returns the bindings with a parameter's value in front.  The value is computed
 * from the rows of a place, or of the place of INNER_VAR, if there is one.  A
 * value that is only passed on from an outer row is bound to the place of that
 * row.
 */
List *
lookup_bind(const Pass *pass, List *bindings, int paramid, Node *value,
			Place *place, Place *inner, bool is_guarded)
{
	Substitution outer = {bindings, NULL, is_guarded, false};
	Binding		*binding = palloc0(sizeof(Binding));
	int			 none = 0;
	bool		 is_unknown = find_place(value, &outer);

	if (!has_other_input(value, &none))
	{
		if (is_unknown)
			return bindings;
		binding->passed = value;
		place = outer.place;
		value = place == NULL ? NULL : substitute(value, &outer);
	}
	else
	{
		if (inner != NULL && !has_other_input(value, &inner->varno))
			place = inner;
		if (is_unknown || place == NULL)
			return bindings;
	}
	binding->paramid = paramid;
	binding->depth = pass->depth;
	binding->place = place;
	binding->value = outer.has_failed ? NULL : value;
	binding->is_guarded = outer.is_guarded;
	return lcons(binding, bindings);
}

/*
 * Returns the bindings with the parameter of an initplan in front.  The initplan
 * itself may use the parameters of nodes above.
 */
List *
lookup_bind_initplan(const Pass *pass, List *bindings, int paramid,
					 bool is_constant)
{
	Binding *binding = palloc0(sizeof(Binding));

	binding->paramid = paramid;
	binding->depth = pass->depth;
	binding->is_constant = is_constant;
	return lcons(binding, bindings);
}

/* Returns the expressions of a scan with the given numbers. */
static List *
numbered_expressions(const ForeignScan *scan, Bitmapset *numbers)
{
	List *expressions = NIL;
	int	  number = -1;

	while ((number = bms_next_member(numbers, number)) >= 0)
		expressions = lappend(expressions, list_nth(scan->fdw_exprs, number));
	return expressions;
}

/*
 * Returns the expression of a lookup's key, which is a scan's expression with
 * the given number.  Removes a cast between text and uuid: the evaluation of
 * keys accepts both, and an invalid text must not raise an error ahead of its
 * turn.
 */
static Node *
lookup_expression(const ForeignScan *scan, int number,
				  Substitution *substitution)
{
	return condition_remove_casts(
		substitute(list_nth(scan->fdw_exprs, number), substitution));
}

/* Returns true if the parameters of an expression are known at a place. */
static bool
is_set_at(Node *expressions, List *bindings, Place *place)
{
	Substitution substitution = {bindings, place, false, false};

	(void) substitute(expressions, &substitution);
	return !substitution.has_failed;
}

/*
 * Sets the roles of a scan's filters, for a lookup of the key at a place.
 * Returns the filters that are the same for all rows of the place, and adds
 * the numbers of their expressions to *numbers.
 */
static List *
assign_roles(ForeignScan *scan, const List *key, List *bindings, Place *place,
			 Bitmapset **numbers)
{
	List	 *roles = NIL;
	List	 *fixed = NIL;
	ListCell *cell;

	foreach(cell, (List *) list_nth(scan->fdw_private, SCAN_PRIVATE_FILTERS))
	{
		List		*filter = lfirst(cell);
		FilterRole	 role = FILTER_KEY;
		Bitmapset	*used = condition_numbers(filter);
		Node		*expressions = (Node *) numbered_expressions(scan, used);
		Substitution search = {bindings, NULL, false, false};

		if (filter != key)
		{
			role = FILTER_JOIN;
			if (!contain_subplans(expressions) &&
				!find_place(expressions, &search) &&
				(search.place == NULL || search.place->depth < place->depth) &&
				is_set_at(expressions, bindings, place))
			{
				role = FILTER_RESTRICTION;
				fixed = lappend(fixed, filter);
				*numbers = bms_add_members(*numbers, used);
			}
		}
		roles = lappend_int(roles, role);
	}
	lfirst(list_nth_cell(scan->fdw_private, SCAN_PRIVATE_ROLES)) = roles;
	return fixed;
}

/* Returns the user whose privileges a scan uses, or 0 for the current user. */
static Oid
scan_owner(const Pass *pass, const ForeignScan *scan)
{
#if PG_VERSION_NUM >= 160000
	(void) pass;
	return scan->checkAsUser;
#else
	return rt_fetch(scan->scan.scanrelid, pass->statement->rtable)->checkAsUser;
#endif
}

/*
 * Adds a source of a lookup to a place.  A source with the same records serves
 * the further scan, too.
 */
static void
add_source(const Pass *pass, Place *place, List *source, List *expressions)
{
	Index	  scan = linitial_int(list_nth(source, LOOKUP_SOURCE_SCANS));
	Oid		  relid = rt_fetch(scan, pass->statement->rtable)->relid;
	ListCell *cell;
	ListCell *other_expressions;

	forboth(cell, place->sources, other_expressions, place->expressions)
	{
		ListCell *scans = list_nth_cell(lfirst(cell), LOOKUP_SOURCE_SCANS);
		Index	  other = linitial_int(lfirst(scans));

		if (rt_fetch(other, pass->statement->rtable)->relid == relid &&
			equal(list_copy_head(source, LOOKUP_SOURCE_SCANS),
				  list_copy_head(lfirst(cell), LOOKUP_SOURCE_SCANS)) &&
			equal(expressions, lfirst(other_expressions)))
		{
			lfirst(scans) = list_append_unique_int(lfirst(scans), scan);
			return;
		}
	}
	place->sources = lappend(place->sources, source);
	place->expressions = lappend(place->expressions, expressions);
}

/*
 * Adds the keys of a scan's condition to the lookup of the place that supplies
 * them.  Returns false if there is no place.
 */
static bool
add_lookup(const Pass *pass, ForeignScan *scan, List *condition, List *bindings)
{
	Bitmapset	*numbers = condition_numbers(condition);
	Node		*used = (Node *) numbered_expressions(scan, numbers);
	List		*expressions = NIL;
	List		*filters = NIL;
	Substitution substitution = {bindings, NULL, false, false};
	Place		*place;
	ListCell	*cell;

	if (contain_subplans(used) || find_place(used, &substitution) ||
		substitution.place == NULL)
		return false;
	place = substitution.place;
	for (int i = 0; i < list_length(scan->fdw_exprs); i++)
	{
		expressions =
			lappend(expressions, bms_is_member(i, numbers)
									 ? lookup_expression(scan, i, &substitution)
									 : NULL);
	}
	if (substitution.has_failed || contain_subplans((Node *) expressions) ||
		contain_volatile_functions((Node *) expressions) ||
		(place->varno != 0 &&
		 has_other_input((Node *) expressions, &place->varno)) ||
		(substitution.is_guarded && contain_leaked_vars((Node *) expressions)))
		return false;
	if (strcmp(condition_field(condition), ID_FIELD) != 0)
		filters = assign_roles(scan, condition, bindings, place, &numbers);
	foreach(cell, expressions)
	{
		Node *expression =
			list_nth(scan->fdw_exprs, foreach_current_index(cell));

		if (lfirst(cell) == NULL)
			lfirst(cell) = bms_is_member(foreach_current_index(cell), numbers)
							   ? substitute(expression, &substitution)
							   : (Node *) makeNullConst(exprType(expression),
														-1, InvalidOid);
	}

	/* in the order of LookupSource */
	add_source(pass, place,
			   list_make4(condition, filters,
						  list_make1_oid(scan_owner(pass, scan)),
						  list_make1_int(scan->scan.scanrelid)),
			   expressions);
	return true;
}

/* Adds the lookup that a foreign scan of this extension needs, if any. */
void
lookup_serve_scan(const Pass *pass, ForeignScan *scan, List *bindings)
{
	List *condition = list_nth(scan->fdw_private, SCAN_PRIVATE_ID_CONDITION);
	ListCell *cell;

	if (condition != NIL)
	{
		(void) add_lookup(pass, scan, condition, bindings);
		return;
	}
	foreach(cell, (List *) list_nth(scan->fdw_private, SCAN_PRIVATE_FILTERS))
	{
		if (condition_is_key(lfirst(cell)) &&
			add_lookup(pass, scan, lfirst(cell), bindings))
			return;
	}
}

/*
 * Replaces the inputs of an expression by columns of the node below, which gets
 * the inputs as its target list (a List *).
 */
static Node *
use_inputs(Node *node, void *targets)
{
	List	   **list = targets;
	TargetEntry *target = NULL;
	ListCell	*cell;

	if (node == NULL)
		return NULL;
	if (!is_input(node))
		return expression_tree_mutator(node, use_inputs, targets);
	foreach(cell, *list)
	{
		target = lfirst(cell);
		if (equal(target->expr, node))
			return (Node *) makeVarFromTargetEntry(INDEX_VAR, target);
	}
	target = makeTargetEntry(copyObject((Expr *) node), list_length(*list) + 1,
							 NULL, false);
	*list = lappend(*list, target);
	return (Node *) makeVarFromTargetEntry(INDEX_VAR, target);
}

/* Arguments of the renumbering of a condition on a node's own target list. */
typedef struct Renumbering
{
	List *targets;
	List *inputs;
} Renumbering;

/*
 * Lets a condition on columns of a node's own target list refer to the new target
 * list.
 */
static Node *
renumber(Node *node, void *argument)
{
	Renumbering *renumbering = argument;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		TargetEntry *target = list_nth_node(TargetEntry, renumbering->targets,
											((Var *) node)->varattno - 1);
		Var			*var = copyObject((Var *) node);

		var->varattno = castNode(Var, use_inputs((Node *) target->expr,
												 &renumbering->inputs))
							->varattno;
		return (Node *) var;
	}
	return expression_tree_mutator(node, renumber, argument);
}

/* Gives columns of a node below the number by which a custom scan refers to it. */
static Node *
use_columns(Node *node, void *argument)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		Var *var = copyObject((Var *) node);

		var->varno = INDEX_VAR;
		return (Node *) var;
	}
	return expression_tree_mutator(node, use_columns, argument);
}

/* Returns a target list with the columns of another one. */
static List *
node_columns(const List *targets, int varno)
{
	List	 *columns = NIL;
	ListCell *cell;

	foreach(cell, targets)
	{
		TargetEntry *target = flatCopyTargetEntry(lfirst(cell));

		target->expr = (Expr *) makeVarFromTargetEntry(
			varno, lfirst_node(TargetEntry, cell));
		columns = lappend(columns, target);
	}
	return columns;
}

/* Adds the numbers of an expression's parameters to a set (a Bitmapset *). */
bool
lookup_collect_params(Node *node, void *params)
{
	if (node == NULL)
		return false;
	if (lookup_is_param(node))
		*(Bitmapset **) params =
			bms_add_member(*(Bitmapset **) params, ((Param *) node)->paramid);
	return expression_tree_walker(node, lookup_collect_params, params);
}

/* Returns a bound as a list, by BoundMember. */
List *
lookup_bound_list(Bound bound)
{
	return list_make4_int(bound.rows, bound.is_by_run, bound.is_exact,
						  bound.may_drop);
}

/* Inserts the lookup of a place above a node.  It returns the node's rows. */
void
lookup_insert(Pass *pass, Place *place, Plan **link, Bound bound)
{
	CustomScan *lookup = makeNode(CustomScan);
	Plan	   *plan = &lookup->scan.plan;
	Plan	   *child = *link;
	Bitmapset  *params = NULL;

	lookup->methods = pass->methods;
	lookup->custom_exprs =
		(List *) use_columns((Node *) place->expressions, NULL);
	/* in the order of LookupPrivate */
	lookup->custom_private =
		list_make2(lookup_bound_list(bound), place->sources);
	lookup->custom_scan_tlist = node_columns(child->targetlist, OUTER_VAR);
	compat_copy_plan_costs(plan, child);
	plan->parallel_safe = child->parallel_safe;
	plan->plan_node_id = ++pass->last_node_id;
	plan->targetlist = node_columns(child->targetlist, INDEX_VAR);
	plan->lefttree = child;
	(void) lookup_collect_params((Node *) lookup->custom_exprs, &params);
	plan->extParam = bms_union(child->extParam, params);
	plan->allParam = bms_union(child->allParam, params);
	*link = plan;
}

/*
 * Inserts the lookup of a place above a node that supplies the parameters of
 * subplans in its own target list and conditions.  These move to the lookup, and
 * the node returns their inputs.  A condition that follows a moved one must not
 * be checked before it.
 */
void
lookup_split_node(Pass *pass, Place *place, Plan **link, int first_qual,
				  Bound bound)
{
	Plan *node = *link;
	Plan *lookup;
	List *quals = list_copy_tail(node->qual, first_qual);
	List *targets = node->targetlist;
	List *inputs = NIL;

	targets = (List *) use_inputs((Node *) targets, &inputs);
	quals = (List *) use_inputs((Node *) quals, &inputs);
	place->expressions =
		(List *) use_inputs((Node *) place->expressions, &inputs);
	if (IsA(node, WindowAgg))
	{
		Renumbering renumbering = {node->targetlist, inputs};

		((WindowAgg *) node)->runCondition = (List *) renumber(
			(Node *) ((WindowAgg *) node)->runCondition, &renumbering);
		inputs = renumbering.inputs;
	}
	if (quals != NIL)
	{
		bound.is_exact = false;
		bound.may_drop = true;
	}
	node->targetlist = inputs;
	node->qual = list_truncate(node->qual, first_qual);
	lookup_insert(pass, place, link, bound);
	lookup = *link;
	lookup->targetlist = targets;
	lookup->qual = quals;
	lookup->initPlan = node->initPlan;
	node->initPlan = NIL;
	lookup->extParam = bms_copy(node->extParam);
	lookup->allParam = bms_copy(node->allParam);
}
