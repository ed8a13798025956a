/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * order.h
 *	  The order of rows that a plan promises.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OPPORTUNITY_ORDER_H
#define OPPORTUNITY_ORDER_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/tuplesort.h"

/* Sort order by one column. */
typedef struct RowOrder RowOrder;

extern RowOrder		  *row_order_create(TupleDesc tupdesc, List *sort);
extern void			   row_order_start(RowOrder *order);
extern void			   row_order_check(RowOrder *order, TupleTableSlot *slot);
extern Tuplesortstate *row_order_begin_sort(RowOrder *order, TupleDesc tupdesc);

#endif /* OPPORTUNITY_ORDER_H */
