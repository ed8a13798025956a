/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * lookup_place.h
 *	  Places in a plan where batch lookups are inserted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_LOOKUP_PLACE_H
#define OPPORTUNITY_LOOKUP_PLACE_H

#include "postgres.h"

#include "nodes/extensible.h"
#include "nodes/plannodes.h"

/*
 * Rows that supply parameters.  The expressions of its lookups refer to columns
 * of these rows by varno; 0: to any input of a node's target list.
 */
typedef struct Place
{
	int	  depth; /* a place within the reach of another one is deeper */
	int	  varno;
	List *sources; /* of a lookup above the rows, each a list by LookupSource */
	List *expressions; /* of each source, a list */
} Place;

/* Number of rows that a node is likely to return; as BoundMember. */
typedef struct Bound
{
	int	 rows;
	bool is_by_run; /* no more than the executor runs for */
	bool is_exact;	/* further rows are never read */
	bool may_drop;	/* a node above may drop rows, so that it reads further */
} Bound;

/* State of the pass over one statement. */
typedef struct Pass
{
	PlannedStmt				*statement;
	const CustomScanMethods *methods;
	ParamListInfo			 params;
	int						 last_node_id;
	int						 depth; /* of the places around the current node */
	Bitmapset				*visited; /* plan ids of subplans */
	bool is_repeated; /* the current subplan was visited before */
} Pass;


extern bool	 lookup_is_param(const Node *node);
extern bool	 lookup_collect_params(Node *node, void *params);
extern List *lookup_bind(const Pass *pass, List *bindings, int paramid,
						 Node *value, Place *place, Place *inner,
						 bool is_guarded);
extern List *lookup_bind_initplan(const Pass *pass, List *bindings, int paramid,
								  bool is_constant);
extern void	 lookup_serve_scan(const Pass *pass, ForeignScan *scan,
							   List *bindings);
extern List *lookup_bound_list(Bound bound);
extern void	 lookup_insert(Pass *pass, Place *place, Plan **link, Bound bound);
extern void	 lookup_split_node(Pass *pass, Place *place, Plan **link,
							   int first_qual, Bound bound);

#endif /* OPPORTUNITY_LOOKUP_PLACE_H */
