/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * ids_server.c
 *	  A server of records by their ids.
 *
 *	  ids_server RECORDS DELAY
 *
 * RECORDS is a file with the JSON of the records 1, 2, ..., each ended by a NUL
 * byte.  DELAY is the number of milliseconds before each response.  Prints the
 * number of its port, and ends when its standard input ends.
 *
 * A response has the records whose ids are in the body or the path of the request.
 * The server ignores the rest of the request.  Only for the measurements of this
 * folder.
 *
 *-------------------------------------------------------------------------
 */
#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "http_server.h"

#define MAX_IDS 400

#define ID_PREFIX "00000000-0000-4000-8000-"
#define ID_DIGITS 12

static Record *records; /* number 1 is the first */
static long	   record_count;

static void
make_response(const char *request, const char *body, Response *response)
{
	bool		is_query = request[0] == 'P';
	const char *from = is_query ? body : request;
	int			found = 0;

	add_text(response, is_query ? "{\"data\":[" : "{\"data\":");
	while ((from = strstr(from, ID_PREFIX)) != NULL && found < MAX_IDS)
	{
		long number = strtol(from + strlen(ID_PREFIX), NULL, 10);

		from += strlen(ID_PREFIX) + ID_DIGITS;
		if (number < 1 || number > record_count)
			continue;
		if (found++ > 0)
			add_text(response, ",");
		add_piece(response, records[number - 1].text,
				  records[number - 1].length);
	}
	if (found == 0 && !is_query)
		response->status = "404 Not Found";
	add_text(response, is_query ? "],\"next_cursor\":null}" : "}");
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: ids_server RECORDS DELAY");
	records = read_records(argv[1], &record_count);
	serve(atoi(argv[2]), make_response);
	return 0;
}
