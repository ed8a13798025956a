/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * list.c
 *	  Lists for the parsers of the extension: of pointers, and of pairs of OIDs.
 *
 * Each append copies the list, so that AddressSanitizer finds pointers into the
 * old one.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/pg_list.h"

#include "shim.h"

static List *make_list(NodeTag type, int length);

List *
lappend(List *list, void *datum)
{
	int	  length = list_length(list);
	List *longer = make_list(T_List, length + 1);

	FUZZ_CHECK(list == NIL || list->type == T_List);
	if (list != NIL)
	{
		memcpy(longer->elements, list->elements, length * sizeof(ListCell));
		pfree(list);
	}
	longer->elements[length].ptr_value = datum;
	return longer;
}

List *
list_make1_impl(NodeTag type, ListCell datum)
{
	List *list = make_list(type, 1);

	list->elements[0] = datum;
	return list;
}

List *
list_make2_impl(NodeTag type, ListCell datum1, ListCell datum2)
{
	List *list = make_list(type, 2);

	list->elements[0] = datum1;
	list->elements[1] = datum2;
	return list;
}

List *
list_copy(const List *list)
{
	List *copy = make_list(list->type, list->length);

	memcpy(copy->elements, list->elements, list->length * sizeof(ListCell));
	return copy;
}

static List *
make_list(NodeTag type, int length)
{
	List *list =
		palloc0(offsetof(List, initial_elements) + length * sizeof(ListCell));

	list->type = type;
	list->length = list->max_length = length;
	list->elements = list->initial_elements;
	return list;
}

/* Checks whether a list of pairs of OIDs has an equal pair. */
bool
list_member(const List *list, const void *datum)
{
	const List *pair = datum;
	ListCell   *cell;

	FUZZ_CHECK(pair->type == T_OidList && pair->length == 2);
	foreach(cell, list)
	{
		const List *other = lfirst(cell);

		if (linitial_oid(other) == linitial_oid(pair) &&
			lsecond_oid(other) == lsecond_oid(pair))
			return true;
	}
	return false;
}
