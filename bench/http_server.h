/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_server.h
 *	  Connections and responses, shared by the servers of this folder.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BENCH_HTTP_SERVER_H
#define BENCH_HTTP_SERVER_H

#include <stddef.h>
#include <sys/uio.h>

/* Largest number of pieces of a response; writev takes 1024. */
#define MAX_PIECES 1000

/* A response, as pieces that stay where they are; the scratch is for a small one. */
typedef struct Response
{
	const char	*status;				 /* "200 OK" */
	struct iovec pieces[MAX_PIECES + 1]; /* the first is the head */
	int			 count;
	char		 head[200];
	char		 scratch[200];
} Response;

/*
 * Makes the response to a request, given as its method and path and its body, both
 * ended by NUL.  The status is 200 unless the function sets another.
 */
typedef void (*ResponseFunction)(const char *request, const char *body,
								 Response *response);

/* The JSON text of a record. */
typedef struct Record
{
	char  *text;
	size_t length;
} Record;

extern Record *read_records(const char *name, long *count);
extern void	   add_piece(Response *response, const char *text, size_t length);
extern void	   add_text(Response *response, const char *text);
extern void	   serve(long milliseconds, ResponseFunction make_response);

#endif /* BENCH_HTTP_SERVER_H */
