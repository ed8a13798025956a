/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_server.c
 *	  A server that costs a client as little as a server can: one loop over all
 *	  connections, no answer put together.  What is asked is for others to say.
 *
 * For the measurements of this folder alone.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http_server.h"

#define MAX_FD 1024
#define MAX_REQUEST 65536
#define EVENTS_AT_ONCE 64

/* One client; its requests are answered one after the other. */
typedef struct Client
{
	int			   fd;
	char		   input[MAX_REQUEST + 1];
	size_t		   length;
	Answer		   answer;
	int			   first; /* piece of the answer that is to be sent */
	long long	   due;	  /* when it may be sent */
	struct Client *next_due;
} Client;

static AnswerFunction answer_function;
static long long	  delay; /* microseconds, as all times */
static int			  epoll_fd;
static Client		 *clients[MAX_FD];

/* All wait equally long, so that the first in the queue is the first due. */
static Client  *first_due;
static Client **last_due = &first_due;

/*
 * Reads a file of records, each ended by a NUL byte.  They stay where they are
 * read to, one after the other.
 */
Record *
read_records(const char *name, long *count)
{
	FILE   *file = fopen(name, "r");
	Record *records = NULL;
	char   *text;
	long	size = 0;
	size_t	length;

	if (file == NULL)
		err(1, "%s", name);
	fseek(file, 0, SEEK_END);
	length = ftell(file);
	rewind(file);
	text = malloc(length + 1);
	if (text == NULL || fread(text, 1, length, file) != length)
		err(1, "%s", name);
	fclose(file);
	*count = 0;
	for (char *next = text; next < text + length; next += strlen(next) + 1)
	{
		if (*count >= size)
		{
			size = size * 2 + 1024;
			records = realloc(records, size * sizeof(Record));
			if (records == NULL)
				err(1, "records");
		}
		records[(*count)++] = (Record){next, strlen(next)};
	}
	return records;
}

/* A piece of the body, which is not copied. */
void
add_piece(Answer *answer, const char *text, size_t length)
{
	if (answer->count > MAX_PIECES)
		errx(1, "too many pieces");
	answer->pieces[answer->count++] = (struct iovec){(void *) text, length};
}

void
add_text(Answer *answer, const char *text)
{
	add_piece(answer, text, strlen(text));
}

static long long
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static int
start_listening(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
								  .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t		   size = sizeof(address);
	int				   fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *) &address, size) < 0 ||
		listen(fd, 100) < 0 ||
		getsockname(fd, (struct sockaddr *) &address, &size) < 0)
		err(1, "cannot listen");
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void
watch(int operation, int fd, unsigned events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll_fd, operation, fd, &event) < 0)
		err(1, "epoll_ctl");
}

static void
take_client(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (fd >= MAX_FD)
		errx(1, "too many connections");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	clients[fd] = calloc(1, sizeof(Client));
	if (clients[fd] == NULL)
		err(1, "client");
	clients[fd]->fd = fd;
	watch(EPOLL_CTL_ADD, fd, EPOLLIN);
}

/* A client is freed once its answer, if any, is due. */
static void
end_client(Client *client)
{
	clients[client->fd] = NULL;
	close(client->fd);
	client->fd = -1;
	if (client->due == 0)
		free(client);
}

/* Has the whole request answered. */
static void
answer_request(Client *client)
{
	Answer *answer = &client->answer;
	char   *body = strstr(client->input, "\r\n\r\n") + 4;
	size_t	length = 0;

	*strchr(client->input, '\r') = '\0';
	client->first = 0;
	answer->status = "200 OK";
	answer->count = 1;
	answer_function(client->input, body, answer);

	for (int i = 1; i < answer->count; i++)
		length += answer->pieces[i].iov_len;
	answer->pieces[0].iov_base = answer->head;
	answer->pieces[0].iov_len =
		snprintf(answer->head, sizeof(answer->head),
				 "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
				 "Content-Length: %zu\r\n\r\n",
				 answer->status, length);
}

/* Sends what the client takes of its answer. */
static void
send_answer(Client *client)
{
	Answer *answer = &client->answer;

	while (client->first < answer->count)
	{
		ssize_t sent = writev(client->fd, &answer->pieces[client->first],
							  answer->count - client->first);

		if (sent < 0 && errno == EAGAIN)
		{
			watch(EPOLL_CTL_MOD, client->fd, EPOLLOUT);
			return;
		}
		if (sent < 0)
		{
			end_client(client);
			return;
		}
		while (sent > 0)
		{
			struct iovec *piece = &answer->pieces[client->first];
			size_t		  part =
				   (size_t) sent < piece->iov_len ? (size_t) sent : piece->iov_len;

			piece->iov_base = (char *) piece->iov_base + part;
			piece->iov_len -= part;
			sent -= part;
			if (piece->iov_len == 0)
				client->first++;
		}
	}
	client->length = 0;
	watch(EPOLL_CTL_MOD, client->fd, EPOLLIN);
}

/* How long the client's request is, once its head is there; else 0. */
static size_t
request_length(const Client *client)
{
	const char *end = strstr(client->input, "\r\n\r\n");
	const char *field = strcasestr(client->input, "\r\nContent-Length:");

	if (end == NULL)
		return 0;
	return end + 4 - client->input +
		   (field != NULL && field < end ? strtoul(field + 17, NULL, 10) : 0);
}

static void
read_request(Client *client)
{
	ssize_t length = read(client->fd, client->input + client->length,
						  MAX_REQUEST - client->length);
	size_t	wanted;

	if (length <= 0)
	{
		end_client(client);
		return;
	}
	client->length += length;
	client->input[client->length] = '\0';
	wanted = request_length(client);
	if (wanted == 0 || client->length < wanted)
		return;

	answer_request(client);
	if (delay == 0)
	{
		send_answer(client);
		return;
	}
	client->due = now() + delay;
	client->next_due = NULL;
	*last_due = client;
	last_due = &client->next_due;
}

static void
send_due(void)
{
	while (first_due != NULL && first_due->due <= now())
	{
		Client *client = first_due;

		first_due = client->next_due;
		if (first_due == NULL)
			last_due = &first_due;
		client->due = 0;
		if (client->fd < 0)
			free(client);
		else
			send_answer(client);
	}
}

/* For epoll_wait. */
static int
milliseconds_to_wait(void)
{
	long long wait;

	if (first_due == NULL)
		return -1;
	wait = first_due->due - now();
	return wait > 0 ? (int) ((wait + 999) / 1000) : 0;
}

/*
 * Prints the port that it listens on, answers each request after so many
 * milliseconds, and returns when standard input ends.
 */
void
serve(long milliseconds, AnswerFunction make_answer)
{
	int listener;

	signal(SIGPIPE, SIG_IGN);
	answer_function = make_answer;
	delay = milliseconds * 1000LL;
	epoll_fd = epoll_create1(0);
	listener = start_listening();
	watch(EPOLL_CTL_ADD, listener, EPOLLIN);
	watch(EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN);

	for (;;)
	{
		struct epoll_event events[EVENTS_AT_ONCE];
		int				   count = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE,
											  milliseconds_to_wait());

		send_due();
		for (int i = 0; i < count; i++)
		{
			int fd = events[i].data.fd;

			if (fd == STDIN_FILENO)
				return;
			if (fd == listener)
				take_client(listener);
			else if (clients[fd] != NULL && (events[i].events & EPOLLOUT))
				send_answer(clients[fd]);
			else if (clients[fd] != NULL)
				read_request(clients[fd]);
		}
	}
}
