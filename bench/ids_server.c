/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * ids_server.c
 *	  A server of records by their ids.
 *
 *	  ids_server RECORDS DELAY
 *
 * RECORDS is a file with the JSON of the records 1, 2, ..., each ended by a NUL
 * byte; DELAY is how many milliseconds pass before each answer.  Prints the
 * port that it listens on, and ends when its standard input does.
 *
 * A request is answered with the records whose ids, made of a number as the
 * simulator makes them, stand in its body or its path.  Nothing else of it is
 * looked at.  For the measurements of this folder alone.
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
make_answer(const char *request, const char *body, Answer *answer)
{
	bool		is_query = request[0] == 'P';
	const char *from = is_query ? body : request;
	int			found = 0;

	add_text(answer, is_query ? "{\"data\":[" : "{\"data\":");
	while ((from = strstr(from, ID_PREFIX)) != NULL && found < MAX_IDS)
	{
		long number = strtol(from + strlen(ID_PREFIX), NULL, 10);

		from += strlen(ID_PREFIX) + ID_DIGITS;
		if (number < 1 || number > record_count)
			continue;
		if (found++ > 0)
			add_text(answer, ",");
		add_piece(answer, records[number - 1].text, records[number - 1].length);
	}
	if (found == 0 && !is_query)
		answer->status = "404 Not Found";
	add_text(answer, is_query ? "],\"next_cursor\":null}" : "}");
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: ids_server RECORDS DELAY");
	records = read_records(argv[1], &record_count);
	serve(atoi(argv[2]), make_answer);
	return 0;
}
