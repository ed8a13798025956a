/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * batch_lookup.c
 *	  Batch lookups: one pass over a finished plan.
 *
 * A foreign scan with a condition such as o.id = t.id makes a request for each
 * row of t.  PostgreSQL passes the row's value to the scan as a parameter: of a
 * nested loop, for joins, or of a subplan, for correlated subqueries.  This pass
 * finds the node that supplies the parameter, and inserts a custom scan above
 * the rows that the parameter is computed from.  The custom scan reads these
 * rows ahead, collects their keys, and fetches the records in batches into the
 * statement's cache (exec/lookup_scan.c).
 *
 * A lookup only prefetches.  PostgreSQL's own plan computes the result, so a
 * wrong guess costs a request, but never changes a row.
 *
 * The pass changes a copy of the plan when the executor starts.  At that time
 * the module is loaded, which it is not when the first query of a session
 * reaches the planner's hook.  The values of LIMIT are known, too.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/parallel.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "optimizer/planmain.h"
#include "parser/parsetree.h"
#include "tcop/pquery.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"

#include "condition/condition.h"
#include "fetch/statement.h"
#include "plan/batch_lookup.h"
#include "plan/lookup_place.h"
#include "plan/plan.h"
#include "plan/plan_compat.h"
#include "plan/plan_table.h"

/* Arguments of the search for subplans in the expressions of a node. */
typedef struct ExpressionWalk
{
	Pass  *pass;
	List  *bindings;
	Place *place; /* of the expression's columns, if they are not INNER_VAR;
					 * NULL: none */
	Place *inner; /* of INNER_VAR; NULL: as place */
	Place *input; /* of the columns within an aggregate; NULL: none */
	bool   is_guarded;
} ExpressionWalk;

static ExecutorStart_hook_type	next_start = NULL;
static ExecutorRun_hook_type	next_run = NULL;
static const CustomScanMethods *scan_methods;

static bool walk_plan(Pass *pass, Plan **link, List *bindings, Bound bound,
					  bool is_marked);

/* Visits a subplan, whose parameters the columns of a place supply. */
static void
visit_subplan(Pass *pass, const SubPlan *subplan, List *bindings, Place *place,
			  Place *inner, bool is_guarded)
{
	Plan **link = (Plan **) &list_nth_cell(pass->statement->subplans,
										   subplan->plan_id - 1)
					  ->ptr_value;
	bool	  was_repeated = pass->is_repeated;
	Bound	  bound = {0};
	ListCell *id_cell;
	ListCell *cell;

	forboth(id_cell, subplan->parParam, cell, subplan->args)
		bindings = lookup_bind(pass, bindings, lfirst_int(id_cell),
							   lfirst(cell), place, inner, is_guarded);
	if (subplan->subLinkType != EXPR_SUBLINK &&
		subplan->subLinkType != ARRAY_SUBLINK && !subplan->useHashTable)
		bound.rows = UNKNOWN_LIMIT;
	pass->is_repeated |= bms_is_member(subplan->plan_id, pass->visited);
	pass->visited = bms_add_member(pass->visited, subplan->plan_id);
	(void) walk_plan(pass, link, bindings, bound, false);
	pass->is_repeated = was_repeated;
}

/* Visits the subplans in an expression. */
static bool
walk_expression(Node *node, void *argument)
{
	ExpressionWalk *walk = argument;
	ExpressionWalk	part = *walk;

	if (node == NULL)
		return false;
	if (IsA(node, Aggref) || IsA(node, WindowFunc))
		part.place = walk->input;
	else if (IsA(node, CaseExpr) || IsA(node, CoalesceExpr) ||
			 IsA(node, BoolExpr))
		part.is_guarded = true;
	else if (IsA(node, SubPlan))
		visit_subplan(walk->pass, (SubPlan *) node, walk->bindings, walk->place,
					  walk->inner, walk->is_guarded);
	return expression_tree_walker(node, walk_expression, &part);
}

/*
 * Returns the value of LIMIT's or OFFSET's expression, or -1 if it is unknown.
 * Evaluates only a constant or a parameter, which may be cast to bigint, since
 * nothing else is certain to raise no error.
 */
static int64
limit_value(const Pass *pass, Node *expression, int64 missing)
{
	const Node	*inner = expression;
	ExprContext *econtext;
	Datum		 value;
	bool		 is_null;

	if (expression == NULL)
		return missing;
	if (IsA(inner, FuncExpr) &&
		((const FuncExpr *) inner)->funcformat == COERCE_IMPLICIT_CAST)
		inner = linitial(((const FuncExpr *) inner)->args);
	if (!IsA(inner, Const) &&
		(!IsA(inner, Param) || lookup_is_param(inner) || pass->params == NULL))
		return -1;
	econtext = CreateStandaloneExprContext();
	econtext->ecxt_param_list_info = pass->params;
	value = ExecEvalExprSwitchContext(
		ExecInitExprWithParams((Expr *) expression, pass->params), econtext,
		&is_null);
	FreeExprContext(econtext, true);
	return is_null ? missing : DatumGetInt64(value);
}

/* Returns the bound of the rows of a node's outer child. */
static Bound
child_bound(const Pass *pass, const Plan *plan, Bound bound)
{
	Bound all = {0};
	int64 count;
	int64 offset;

	switch (nodeTag(plan))
	{
		case T_Limit:
			count = limit_value(pass, ((const Limit *) plan)->limitCount, 0);
			offset = limit_value(pass, ((const Limit *) plan)->limitOffset, 0);
			if (count == 0 && offset == 0)
				return bound;
			bound.rows = UNKNOWN_LIMIT;
			bound.is_by_run &= offset == 0;
			bound.is_exact = bound.may_drop = false;
			if (count > 0 && offset >= 0 && count < INT_MAX / 2 &&
				offset < INT_MAX / 2)
			{
				bound.rows = (int) (count + offset);
				bound.is_exact =
					((const Limit *) plan)->limitOption == LIMIT_OPTION_COUNT;
			}
			return bound;
		case T_Sort:
		case T_Hash:
		case T_SetOp:
		case T_ModifyTable:
			return all;
		case T_Agg:
			if (((const Agg *) plan)->aggstrategy != AGG_SORTED)
				return all;
			/* FALLTHROUGH */
		case T_IncrementalSort:
		case T_Group:
		case T_Unique:
		case T_WindowAgg:
			bound.rows = bound.rows == 0 ? 0 : UNKNOWN_LIMIT;
			bound.may_drop = true;
			break;
		case T_Result:
		case T_SubqueryScan:
			if (plan->qual == NIL)
				return bound;
			bound.may_drop = true;
			break;
		case T_NestLoop:
		case T_HashJoin:
		case T_MergeJoin:
			bound.may_drop |= ((const Join *) plan)->jointype != JOIN_LEFT ||
							  plan->qual != NIL;
			break;
		case T_Append:
		case T_MergeAppend:
		case T_Material:
			break;
		default:
			bound.may_drop = true;
			break;
	}
	bound.is_exact = false;
	return bound;
}

/* Walks over a list of plans. */
static bool
walk_plans(Pass *pass, List *plans, List *bindings, Bound bound)
{
	bool	  has_locks = false;
	ListCell *cell;

	foreach(cell, plans)
		has_locks |=
			walk_plan(pass, (Plan **) &lfirst(cell), bindings, bound, false);
	return has_locks;
}

/*
 * Walks over the children of a node.  The parameters of a nested loop are
 * supplied by its outer rows, at a place.  Returns true if the rows of a child
 * are locked as they are read.
 */
static bool
walk_children(Pass *pass, Plan *plan, List *bindings, Place *outer, Bound bound,
			  bool is_marked)
{
	Bound	  inner_bound = {0};
	bool	  has_locks;
	ListCell *cell;

	bound = child_bound(pass, plan, bound);
	has_locks = walk_plan(pass, &plan->lefttree, bindings, bound, is_marked);
	switch (nodeTag(plan))
	{
		case T_Append:
			return walk_plans(pass, ((Append *) plan)->appendplans, bindings,
							  bound);
		case T_MergeAppend:
			return walk_plans(pass, ((MergeAppend *) plan)->mergeplans,
							  bindings, bound);
		case T_CustomScan:
			return walk_plans(pass, ((CustomScan *) plan)->custom_plans,
							  bindings, bound) ||
				   has_locks;
		case T_SubqueryScan:
			return walk_plan(pass, &((SubqueryScan *) plan)->subplan, bindings,
							 bound, false);
		case T_NestLoop:
			foreach(cell, ((NestLoop *) plan)->nestParams)
			{
				NestLoopParam *param = lfirst(cell);

				bindings =
					lookup_bind(pass, bindings, param->paramno,
								(Node *) param->paramval, outer, NULL, false);
			}
			if (((NestLoop *) plan)->join.jointype == JOIN_SEMI ||
				((NestLoop *) plan)->join.jointype == JOIN_ANTI)
				inner_bound.rows = UNKNOWN_LIMIT;
			break;
		default:
			break;
	}
	has_locks |= walk_plan(pass, &plan->righttree, bindings, inner_bound,
						   IsA(plan, MergeJoin));
	return has_locks || IsA(plan, LockRows) || IsA(plan, ModifyTable);
}

/* Visits the subplans in the clauses of a join, a hash, or a scan of values. */
static void
walk_other_expressions(const Plan *plan, ExpressionWalk *walk)
{
	List *clauses = NIL;

	switch (nodeTag(plan))
	{
		case T_MergeJoin:
			clauses = ((const MergeJoin *) plan)->mergeclauses;
			break;
		case T_HashJoin:
			clauses = list_concat_copy(((const HashJoin *) plan)->hashclauses,
									   ((const HashJoin *) plan)->hashkeys);
			break;
		case T_NestLoop:
			break;
		case T_Hash:
			clauses = ((const Hash *) plan)->hashkeys;
			break;
		case T_FunctionScan:
			clauses = ((const FunctionScan *) plan)->functions;
			break;
		case T_ValuesScan:
			clauses = ((const ValuesScan *) plan)->values_lists;
			break;
		case T_ForeignScan:
			clauses = ((const ForeignScan *) plan)->fdw_exprs;
			break;
		default:
			return;
	}
	(void) walk_expression((Node *) clauses, walk);
	if (IsA(plan, NestLoop) || IsA(plan, HashJoin) || IsA(plan, MergeJoin))
		(void) walk_expression((Node *) ((const Join *) plan)->joinqual, walk);
}

/*
 * Walks over the init plans of a node.  Returns the bindings with the parameters
 * that they set.
 */
static List *
walk_initplans(Pass *pass, const Plan *plan, List *bindings)
{
	ListCell *cell;

	foreach(cell, plan->initPlan)
	{
		SubPlan	   *subplan = lfirst(cell);
		const Plan *initplan =
			list_nth(pass->statement->subplans, subplan->plan_id - 1);
		bool	  is_constant = bms_is_empty(initplan->extParam);
		ListCell *param;

		visit_subplan(pass, subplan, bindings, NULL, NULL, false);
		foreach(param, subplan->setParam)
			bindings = lookup_bind_initplan(pass, bindings, lfirst_int(param),
											is_constant);
	}
	return bindings;
}

/*
 * Walks over the expressions of a node.  place: of the rows that its conditions
 * and target list see, or NULL if these can have no lookup.  Returns the position
 * of the first condition that needs one, or the number of conditions.
 */
static int
walk_node_expressions(Pass *pass, const Plan *plan, List *bindings,
					  Place *place, Place *outer, Place *inner)
{
	ExpressionWalk walk = {pass, bindings, place, NULL, outer, false};
	int			   count = list_length(plan->qual);
	int			   first = count;

	for (int i = 0; i < count; i++)
	{
		int sources = place != NULL ? list_length(place->sources) : 0;

		walk.is_guarded = i > 0;
		(void) walk_expression(list_nth(plan->qual, i), &walk);
		if (first == count && place != NULL &&
			list_length(place->sources) > sources)
			first = i;
	}

	/*
	 * After the conditions, since it may share their sources.  Conditions that
	 * move to the lookup are checked after its keys.
	 */
	walk.is_guarded = first < count;
	(void) walk_expression((Node *) plan->targetlist, &walk);
	walk.place = IsA(plan, FunctionScan) || IsA(plan, ValuesScan) ||
						 IsA(plan, ForeignScan)
					 ? NULL
					 : outer;
	walk.inner = IsA(plan, HashJoin) || IsA(plan, NestLoop) ? inner : NULL;
	walk.is_guarded = true;
	walk_other_expressions(plan, &walk);
	return first;
}

/*
 * Walks over a plan, and inserts lookups into it.  The link is the pointer to
 * the plan, which changes if a lookup is inserted above it.  The bindings are
 * the parameters that the nodes above supply.  If is_marked, the node above
 * restores positions in the rows, which a lookup cannot do.  Returns true if
 * the plan's rows are locked as they are read.
 */
static bool
walk_plan(Pass *pass, Plan **link, List *bindings, Bound bound, bool is_marked)
{
	Plan *plan = *link;
	int	  depth = pass->depth + 1;
	Place own = {depth, 0, NIL, NIL};
	Place outer = {depth, OUTER_VAR, NIL, NIL};
	Place inner = {depth, INNER_VAR, NIL, NIL};
	bool  projects_input; /* each row of the child is a row of the node */
	bool  may_split;
	bool  has_locks;
	int	  first_qual;

	if (plan == NULL)
		return false;
	check_stack_depth();
	pass->depth = depth;
	bindings = walk_initplans(pass, plan, bindings);
	projects_input =
		(IsA(plan, Result) && plan->qual == NIL) || IsA(plan, ProjectSet);
	may_split = !projects_input && !is_marked && !IsA(plan, ModifyTable) &&
				!IsA(plan, CustomScan) &&
				!(IsA(plan, ForeignScan) &&
				  ((ForeignScan *) plan)->operation != CMD_SELECT);
	has_locks = walk_children(pass, plan, bindings, &outer, bound,
							  is_marked && IsA(plan, Result));
	if (plan_is_own_scan(plan))
	{
		lfirst(list_nth_cell(((ForeignScan *) plan)->fdw_private,
							 SCAN_PRIVATE_BOUND)) = lookup_bound_list(bound);
		if (plan_enable_batch_lookup)
			lookup_serve_scan(pass, (ForeignScan *) plan, bindings);
	}

	first_qual =
		walk_node_expressions(pass, plan, bindings,
							  projects_input && plan->lefttree != NULL ? &outer
							  : may_split							   ? &own
																	   : NULL,
							  &outer, &inner);
	pass->depth--;

	if (pass->is_repeated ||
		(has_locks && (bound.rows != 0 || bound.is_by_run)))
		return has_locks;
	if (outer.sources != NIL)
		lookup_insert(pass, &outer, &plan->lefttree,
					  child_bound(pass, plan, bound));
	if (inner.sources != NIL)
		lookup_insert(pass, &inner,
					  IsA(plan, HashJoin) ? &plan->righttree->lefttree
										  : &plan->righttree,
					  (Bound){0});
	if (own.sources != NIL)
		lookup_split_node(pass, &own, link, first_qual, bound);
	return has_locks;
}

/*
 * Returns a copy of a statement's plan with lookups, in the current memory
 * context.
 */
static PlannedStmt *
add_lookups(const QueryDesc *query)
{
	Pass	  pass = {0};
	Bound	  bound = {.is_by_run = true};
	Bound	  unknown = {.rows = UNKNOWN_LIMIT};
	int		  plan_id = 0;
	ListCell *cell;

	pass.methods = scan_methods;
	pass.statement = copyObject(query->plannedstmt);
	pass.params = query->params;
	/* The ids of nodes must be unique. */
	pass.last_node_id = INT_MAX / 2;
	(void) walk_plan(&pass, &pass.statement->planTree, NIL, bound, false);

	/* the subplans of expressions that the pass does not know */
	foreach(cell, pass.statement->subplans)
	{
		if (!bms_is_member(++plan_id, pass.visited))
			(void) walk_plan(&pass, (Plan **) &lfirst(cell), NIL, unknown,
							 false);
	}
	return pass.statement;
}

/* Returns true if a statement reads a foreign table of this extension. */
static bool
reads_own_table(const PlannedStmt *statement)
{
	ListCell *cell;

	if (IsParallelWorker())
		return false;
	foreach(cell, statement->rtable)
	{
		RangeTblEntry *rte = lfirst(cell);

		if (rte->rtekind == RTE_RELATION &&
			rte->relkind == RELKIND_FOREIGN_TABLE &&
			plan_is_own_routine(GetFdwRoutineByRelId(rte->relid)))
			return true;
	}
	return false;
}

/*
 * Executor hook: adds lookups to the plan of the statement, and sets the bounds of
 * its scans.
 */
static void
start_executor(QueryDesc *query, int eflags)
{
	MemoryContext context = NULL;

	if (reads_own_table(query->plannedstmt))
	{
		MemoryContext old_context;

		context =
			AllocSetContextCreate(CurrentMemoryContext, "opportunity_fdw plan",
								  ALLOCSET_DEFAULT_SIZES);
		old_context = MemoryContextSwitchTo(context);
		query->plannedstmt = add_lookups(query);
		MemoryContextSwitchTo(old_context);
	}
	if (next_start != NULL)
		next_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if (context != NULL)
		MemoryContextSetParent(context, query->estate->es_query_cxt);
}

/*
 * Executor hook: notes how many rows the caller requests.  PL/pgSQL's loops and
 * clients that fetch in portions by the protocol usually read all rows, unlike
 * the readers of cursors.
 */
static void
run_executor(QueryDesc *query, ScanDirection direction,
			 uint64 count COMPAT_RUN_ONCE_PARAM)
{
	bool is_portal = ActivePortal != NULL && ActivePortal->queryDesc == query;
	bool is_cursor =
		is_portal && (ActivePortal->cursorOptions & CURSOR_OPT_FAST_PLAN) != 0;

	/* With this setting, a cursor's query is planned to read all rows. */
	bool reads_all = is_portal && (!is_cursor || cursor_tuple_fraction >= 1.0);

	statement_note_run(query->estate, reads_all ? 0 : count, is_portal);
	if (next_run != NULL)
		next_run(query, direction, count COMPAT_RUN_ONCE_ARG);
	else
		standard_ExecutorRun(query, direction, count COMPAT_RUN_ONCE_ARG);
}

/*
 * Defines the setting, and registers the hooks and the methods of the custom
 * scan.  Called once, when the module is loaded.
 */
void
batch_lookup_initialize(const CustomScanMethods *methods)
{
	DefineCustomBoolVariable(
		"opportunity_fdw.enable_batch_lookup", "Enables batch lookups.",
		"Without them, a query that reads a record by another row's id or "
		"reference makes a request for each row.",
		&plan_enable_batch_lookup, true, PGC_USERSET, GUC_EXPLAIN, NULL, NULL,
		NULL);
	scan_methods = methods;
	RegisterCustomScanMethods(methods);
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = start_executor;
	next_run = ExecutorRun_hook;
	ExecutorRun_hook = run_executor;
}
