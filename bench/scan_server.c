/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * scan_server.c
 *	  A server of records in the order of their creation.
 *
 *	  scan_server RECORDS DELAY
 *
 * RECORDS is a file with the JSON of the records in that order, each ended by a
 * NUL byte.  RECORDS.times has a line for each, its created_at in microseconds
 * since 1970.  DELAY is the number of milliseconds before each response.  Prints
 * the number of its port, and ends when its standard input ends.
 *
 * Serves queries that filter and sort by created_at, page by page, and rejects all
 * others.  GET /requests returns the number of queries so far, rejected ones
 * included.  The records of an ascending page are one piece of memory, which the
 * server sends as it is.  Only for the measurements of this folder.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include <err.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http_server.h"

#define DEFAULT_LIMIT 100
#define QUERY "POST /api/v2/opportunity/_query "
#define COUNT "GET /requests "

/* The records that a query has not returned yet: from first to before end. */
typedef struct Query
{
	long first;
	long end;
	bool is_descending;
	long limit;
} Query;

static Record	 *records;
static long long *times;
static long		  record_count;
static long		  query_count;

/*
 * Reads the records and their times.  Writes commas between the records, in place
 * of the NUL bytes, which makes a list of JSON of them.
 */
static void
read_all(const char *name)
{
	char *times_name;
	FILE *file;

	records = read_records(name, &record_count);
	times = calloc(record_count, sizeof(*times));
	if (times == NULL || asprintf(&times_name, "%s.times", name) < 0)
		err(1, "times");
	file = fopen(times_name, "r");
	if (file == NULL)
		err(1, "%s", times_name);
	for (long i = 0; i < record_count; i++)
	{
		if (fscanf(file, "%lld", &times[i]) != 1)
			errx(1, "%s: too few", times_name);
		if (i > 0 && times[i] < times[i - 1])
			errx(1, "%s: not in order", times_name);
		records[i].text[records[i].length] = ',';
	}
	fclose(file);
	free(times_name);
}

/* Returns the number of the first record that was created at a time or later. */
static long
first_from(long long time)
{
	long low = 0;
	long high = record_count;

	while (low < high)
	{
		long middle = low + (high - low) / 2;

		if (times[middle] < time)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Reads 2026-01-02T03:04:05Z, with or without a fraction. */
static bool
read_time(const char *text, long long *time)
{
	struct tm parts = {0};
	long long fraction = 0;
	char	 *end;

	if (text == NULL)
		return false;
	end = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	if (end == NULL)
		return false;
	if (*end == '.')
	{
		long long unit = 1000000;

		for (end++; *end >= '0' && *end <= '9'; end++)
			fraction += (*end - '0') * (unit /= 10);
	}
	*time = timegm(&parts) * 1000000LL + fraction;
	return strcmp(end, "Z") == 0;
}

/* Applies a filter to the query; false if this server does not know the filter. */
static bool
apply_filter(Query *query, const json_t *filter)
{
	const char *field = json_string_value(json_object_get(filter, "field"));
	const char *operator=
		json_string_value(json_object_get(filter, "operator"));
	long long time;

	if (field == NULL || operator== NULL || strcmp(field, "created_at") != 0)
		return false;
	if (strcmp(operator, "not_exists") == 0)
	{
		query->end = query->first;
		return true;
	}
	if (!read_time(json_string_value(json_object_get(filter, "value")), &time))
		return false;
	if (strcmp(operator, "gte") == 0 || strcmp(operator, "gt") == 0)
	{
		long first = first_from(time + (operator[2] == '\0'));

		if (first > query->first)
			query->first = first;
	}
	else if (strcmp(operator, "lte") == 0 || strcmp(operator, "lt") == 0)
	{
		long end = first_from(time + (operator[2] != '\0'));

		if (end < query->end)
			query->end = end;
	}
	else
		return false;
	if (query->end < query->first)
		query->end = query->first;
	return true;
}

/* Applies a sort to the query; false if this server does not know the sort. */
static bool
apply_sort(Query *query, const json_t *sort)
{
	const char *field = json_string_value(json_object_get(sort, "field"));
	const char *direction =
		json_string_value(json_object_get(sort, "direction"));

	if (field == NULL || strcmp(field, "created_at") != 0)
		return false;
	query->is_descending = direction != NULL && strcmp(direction, "desc") == 0;
	return true;
}

/* Reads a query; false if this server does not know it. */
static bool
read_query(Query *query, const json_t *wanted)
{
	const json_t *limit = json_object_get(wanted, "limit");
	const json_t *filters = json_object_get(wanted, "filters");
	const json_t *sort = json_object_get(wanted, "sort");
	const char	 *cursor = json_string_value(json_object_get(wanted, "cursor"));

	*query = (Query){.end = record_count, .limit = DEFAULT_LIMIT};
	if (limit != NULL)
		query->limit = (long) json_integer_value(limit);
	if (!json_is_object(wanted) || query->limit < 1)
		return false;
	if (cursor != NULL)
	{
		char direction;

		if (sscanf(cursor, "%ld.%ld.%c", &query->first, &query->end,
				   &direction) != 3 ||
			query->first < 0 || query->first > query->end ||
			query->end > record_count)
			return false;
		query->is_descending = direction == 'd';
		return true;
	}
	for (size_t i = 0; i < json_array_size(filters); i++)
		if (!apply_filter(query, json_array_get(filters, i)))
			return false;
	return json_array_size(sort) == 0 ||
		   (json_array_size(sort) == 1 &&
			apply_sort(query, json_array_get(sort, 0)));
}

/* Adds the records of a page to the response, and removes them from the query. */
static void
add_page(Response *response, Query *query)
{
	long count = query->end - query->first;

	if (count > query->limit)
		count = query->limit;
	if (count == 0)
		return;
	if (!query->is_descending)
	{
		const Record *first = &records[query->first];
		const Record *last = &first[count - 1];

		add_piece(response, first->text,
				  last->text + last->length - first->text);
		query->first += count;
		return;
	}
	for (long i = 0; i < count; i++)
	{
		const Record *record = &records[--query->end];

		if (i > 0)
			add_text(response, ",");
		add_piece(response, record->text, record->length);
	}
}

static void
make_response(const char *request, const char *body, Response *response)
{
	json_t *wanted;
	Query	query;

	if (strncmp(request, COUNT, strlen(COUNT)) == 0)
	{
		snprintf(response->scratch, sizeof(response->scratch), "%ld",
				 query_count);
		add_text(response, response->scratch);
		return;
	}
	query_count++;
	wanted = json_loads(body, 0, NULL);
	if (strncmp(request, QUERY, strlen(QUERY)) != 0 ||
		!read_query(&query, wanted))
	{
		response->status = "400 Bad Request";
		add_text(response, "{\"error\":{\"code\":\"invalid_filter_value\","
						   "\"message\":\"Unknown query\"}}");
	}
	else
	{
		add_text(response, "{\"data\":[");
		add_page(response, &query);
		if (query.first < query.end)
			snprintf(response->scratch, sizeof(response->scratch),
					 "],\"next_cursor\":\"%ld.%ld.%c\"}", query.first,
					 query.end, query.is_descending ? 'd' : 'a');
		else
			strcpy(response->scratch, "],\"next_cursor\":null}");
		add_text(response, response->scratch);
	}
	json_decref(wanted);
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: scan_server RECORDS DELAY");
	read_all(argv[1]);
	serve(atoi(argv[2]), make_response);
	return 0;
}
