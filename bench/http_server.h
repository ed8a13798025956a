/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_server.h
 *	  What the servers of this folder share: connections and answers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BENCH_HTTP_SERVER_H
#define BENCH_HTTP_SERVER_H

#include <stddef.h>
#include <sys/uio.h>

/* Pieces that an answer may have; writev takes 1024. */
#define MAX_PIECES 1000

/* A body is sent from where its pieces are; a small one may be in the scratch. */
typedef struct Answer
{
	const char	*status;				 /* "200 OK" */
	struct iovec pieces[MAX_PIECES + 1]; /* the first is the head */
	int			 count;
	char		 head[200];
	char		 scratch[200];
} Answer;

/*
 * Makes the answer to a request: its method and path, and its body, both ended by
 * NUL.  The status is 200 unless another is set.
 */
typedef void (*AnswerFunction)(const char *request, const char *body,
							   Answer *answer);

/* A record's JSON text. */
typedef struct Record
{
	char  *text;
	size_t length;
} Record;

extern Record *read_records(const char *name, long *count);
extern void	   add_piece(Answer *answer, const char *text, size_t length);
extern void	   add_text(Answer *answer, const char *text);
extern void	   serve(long milliseconds, AnswerFunction make_answer);

#endif /* BENCH_HTTP_SERVER_H */
