/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * part.c
 *	  Reads the records of a list of values in parts, if the list is too long for
 *	  one filter.
 *
 * A fetch reads one part after another.  Each part is like a fetch of its own,
 * except that no record is returned twice.  The first pages of the next parts are
 * requested in parallel, once the API has accepted the current part.
 *
 * Only one list of a fetch is sent in parts.  The records are in no order.  If the
 * API may have refused the number of values, the parts become smaller.
 *
 * Knows nothing about plans or columns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "api/api_facts.h"
#include "fetch/page_fetch.h"

/* Returns the maximum number of values in one query's filter. */
static int
values_at_once(const Api *api, const RemoteFilter *list)
{
	int limit = api_values_at_once(api, list->uses->field);

	return limit == 0 ? MAX_REMOTE_VALUES : Min(limit, MAX_REMOTE_VALUES);
}

/* Returns the number of parts of a size, rounded up. */
static int
part_count(const RemoteFilter *list, int size)
{
	return (list_length(list->values) + size - 1) / size;
}

/*
 * Returns the filters without the lists that are not sent: those that would need
 * more than max_parts queries, and all that need several except the shortest.
 */
List *
part_choose(const Api *api, const List *filters, int max_parts)
{
	List		 *chosen = NIL;
	RemoteFilter *shortest = NULL;
	ListCell	 *cell;

	foreach(cell, filters)
	{
		RemoteFilter *filter = lfirst(cell);
		int			  parts = part_count(filter, values_at_once(api, filter));

		if (parts > 1)
		{
			if (parts > max_parts ||
				(shortest != NULL &&
				 list_length(shortest->values) <= list_length(filter->values)))
				continue;
			chosen = list_delete_ptr(chosen, shortest);
			shortest = filter;
		}
		chosen = lappend(chosen, filter);
	}
	return chosen;
}

/* Returns a filter for the values of a part, in the context of the readers. */
static RemoteFilter *
part_filter(const PageFetch *fetch, int start)
{
	MemoryContext	 old_context = MemoryContextSwitchTo(fetch->context);
	const List		*values = fetch->list->values;
	const RemoteUse *use = fetch->list->uses;
	RemoteFilter	*filter = remote_filter_create(
		   use->field, use->operation,
		   json_list(values, start,
					 Min(start + fetch->part_size, list_length(values))));

	MemoryContextSwitchTo(old_context);
	return filter;
}

/* Makes the part from a value on the current one. */
static void
set_part(PageFetch *fetch, int start)
{
	fetch->part_start = start;
	fetch->list->json = part_filter(fetch, start)->json;
}

/* Begins with the first part of the fetch's list, if one is too long. */
void
part_begin(PageFetch *fetch)
{
	ListCell *cell;

	fetch->accepted_parts = -1;
	foreach(cell, fetch->filters)
	{
		RemoteFilter *filter = lfirst(cell);
		int			  size = values_at_once(fetch->source.api, filter);

		if (list_length(filter->values) <= size)
			continue;
		fetch->list = filter;
		fetch->part_size = size;
		set_part(fetch, 0);
	}
}

/*
 * Continues with the next part after all pages of the current one.  Returns false
 * if that was the last.
 */
bool
part_next(PageFetch *fetch)
{
	RangeReader *first = linitial(fetch->readers);
	int			 next = fetch->part_start + fetch->part_size;

	if (fetch->list == NULL)
		return false;
	/* Two parts of a refused one are accepted: its size caused the refusal. */
	if (fetch->accepted_parts >= 0 && ++fetch->accepted_parts == 2)
		api_limit_values(fetch->source.api, fetch->list->uses->field,
						 fetch->part_size);
	if (next >= list_length(fetch->list->values))
	{
		fetch->list = NULL;
		return false;
	}
	set_part(fetch, next);
	fetch->is_capped = fetch->has_undated = false;
	fetch->found_at_cap = -1;
	fetch->progress = (PageProgress){0};
	page_fetch_begin(fetch);
	if (fetch->ahead != NIL)
	{
		page_reader_end(first->pages);
		first->pages = linitial(fetch->ahead);
		first->pages->query.filters = fetch->filters;
		first->is_by_time = first->pages->query.sort != NULL;
		fetch->ahead = list_delete_first(fetch->ahead);
	}
	return true;
}

/*
 * Requests the first pages of the next parts, within the statement's concurrency,
 * if all of them are likely to be needed.  The current part has a page.
 */
void
part_send_ahead(PageFetch *fetch)
{
	const PageSource *source = &fetch->source;
	MemoryContext	  old_context;

	if (fetch->list == NULL)
		return;
	old_context = MemoryContextSwitchTo(fetch->context);
	while (page_fetch_in_flight(fetch) < page_fetch_window(fetch) &&
		   *source->pending < fetch->settings->max_concurrency &&
		   http_allows(source->budget))
	{
		int start = fetch->part_start +
					fetch->part_size * (1 + list_length(fetch->ahead));
		ApiQuery	query = fetch->first_query;
		PageReader *reader;
		ListCell   *cell;

		if (start >= list_length(fetch->list->values))
			break;
		query.limit = Min(query.limit, source->page_size);
		query.filters = list_copy(fetch->filters);
		foreach(cell, query.filters)
		{
			if (lfirst(cell) == fetch->list)
				lfirst(cell) = part_filter(fetch, start);
		}
		reader = page_reader_create(&fetch->source, &query);
		page_reader_send(reader);
		fetch->ahead = lappend(fetch->ahead, reader);
	}
	MemoryContextSwitchTo(old_context);
}

/* Cancels the requests for the next parts. */
void
part_stop_ahead(PageFetch *fetch)
{
	ListCell *cell;

	foreach(cell, fetch->ahead)
		page_reader_end(lfirst(cell));
	fetch->ahead = NIL;
}

/*
 * Halves the parts of a list from the current one on, because the API has refused
 * it, perhaps because of its size.  Returns false if the list must be omitted.
 */
bool
part_shrink(PageFetch *fetch, RemoteFilter *list)
{
	bool is_current = fetch->list == list;
	int	 start = is_current ? fetch->part_start : 0;
	int	 size = list_length(list->values) - start;

	if (is_current)
		size = Min(size, fetch->part_size);
	if (size < 2 || list->refusal == QUERY_FILTER_REFUSED ||
		(fetch->list != NULL && !is_current) ||
		part_count(list, (size + 1) / 2) > fetch->spec->max_parts)
		return false;
	fetch->list = list;
	fetch->part_size = (size + 1) / 2;
	fetch->accepted_parts = 0;
	set_part(fetch, start);
	return true;
}
