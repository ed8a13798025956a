/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * order.c
 *	  The order of rows that a plan promises.  Checks rows that the API has
 *	  sorted, and sorts rows if it has not.
 *
 * The API's documentation does not say how it compares values or where it puts
 * NULLs, so its order is verified.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/sortsupport.h"

#include "condition/scan_private.h"
#include "exec/order.h"

struct RowOrder
{
	const char		 *field;
	AttrNumber		  attnum;
	bool			  keeps_nulls; /* false: the query excludes them */
	Oid				  sort_operator;
	SortSupportData	  sort;
	Form_pg_attribute attribute;

	/* value of the previous row */
	MemoryContext context;
	bool		  has_previous;
	Datum		  previous;
	bool		  previous_isnull;
};

/*
 * Returns the order described by sort, a list by ScanSort, in the current
 * context.  The list must live as long.
 */
RowOrder *
row_order_create(TupleDesc tupdesc, List *sort)
{
	List	 *oids = list_nth(sort, SCAN_SORT_OIDS);
	List	 *properties = list_nth(sort, SCAN_SORT_PROPERTIES);
	RowOrder *order = palloc0(sizeof(RowOrder));

	order->field = strVal(list_nth(sort, SCAN_SORT_FIELD));
	order->attnum = list_nth_int(properties, SORT_COLUMN);
	order->keeps_nulls = !list_nth_int(properties, SORT_EXCLUDES_NULLS);
	order->sort_operator = linitial_oid(oids);
	order->sort.ssup_cxt = CurrentMemoryContext;
	order->sort.ssup_collation = lsecond_oid(oids);
	order->sort.ssup_nulls_first = list_nth_int(properties, SORT_NULLS_FIRST);
	order->sort.ssup_attno = order->attnum;
	PrepareSortSupportFromOrderingOp(order->sort_operator, &order->sort);
	order->attribute = TupleDescAttr(tupdesc, order->attnum - 1);
	order->context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw order", ALLOCSET_SMALL_SIZES);
	return order;
}

/* Restarts the check: the next row is the first. */
void
row_order_start(RowOrder *order)
{
	order->has_previous = false;
}

/*
 * Raises an error if the row in the slot belongs before the previous one.  A
 * row that the query excludes may be anywhere.
 */
void
row_order_check(RowOrder *order, TupleTableSlot *slot)
{
	Datum		  value = slot->tts_values[order->attnum - 1];
	bool		  isnull = slot->tts_isnull[order->attnum - 1];
	MemoryContext old_context;

	if (isnull && !order->keeps_nulls)
		return;
	if (order->has_previous &&
		ApplySortComparator(order->previous, order->previous_isnull, value,
							isnull, &order->sort) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("API returned records out of order for sort field "
						"\"%s\"",
						pg_any_to_server(order->field, strlen(order->field),
										 PG_UTF8)),
				 errhint("Set the option \"sortable\" of column \"%s\" to "
						 "\"false\".",
						 NameStr(order->attribute->attname))));

	MemoryContextReset(order->context);
	old_context = MemoryContextSwitchTo(order->context);
	order->previous = isnull ? (Datum) 0
							 : datumCopy(value, order->attribute->attbyval,
										 order->attribute->attlen);
	order->previous_isnull = isnull;
	order->has_previous = true;
	MemoryContextSwitchTo(old_context);
}

/* Returns a sort of all rows, to be released with tuplesort_end. */
Tuplesortstate *
row_order_begin_sort(RowOrder *order, TupleDesc tupdesc)
{
	return tuplesort_begin_heap(
		tupdesc, 1, &order->attnum, &order->sort_operator,
		&order->sort.ssup_collation, &order->sort.ssup_nulls_first, work_mem,
		NULL, 0);
}
