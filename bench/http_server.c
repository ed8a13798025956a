/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http_server.c
 *	  A server that costs a client as little as possible: one loop over all
 *	  connections, and responses that are sent from where they are in memory.
 *	  A callback makes the responses.
 *
 * Only for the measurements of this folder.
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
#define MAX_EVENTS 64

/* A client, which gets the responses to its requests one after the other. */
typedef struct Client
{
	int			   fd;
	char		   input[MAX_REQUEST + 1];
	size_t		   length;
	Response	   response;
	int			   first; /* piece of the response to send next */
	long long	   due;	  /* time to send the response */
	struct Client *next_due;
} Client;

static ResponseFunction response_function;
static long long		delay; /* microseconds, as all times */
static int				epoll_fd;
static Client		   *clients[MAX_FD];

/* A queue: all responses have the same delay, so the first is due first. */
static Client  *first_due;
static Client **last_due = &first_due;

/*
 * Reads a file of records, each ended by a NUL byte.  Returns them in the order of
 * the file, one after the other in memory.
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

/* Adds a piece to the body, without copying it. */
void
add_piece(Response *response, const char *text, size_t length)
{
	if (response->count > MAX_PIECES)
		errx(1, "too many pieces");
	response->pieces[response->count++] = (struct iovec){(void *) text, length};
}

void
add_text(Response *response, const char *text)
{
	add_piece(response, text, strlen(text));
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

/* Closes the connection.  A client in the queue is freed when its response is due. */
static void
end_client(Client *client)
{
	clients[client->fd] = NULL;
	close(client->fd);
	client->fd = -1;
	if (client->due == 0)
		free(client);
}

/* Makes the response to a complete request. */
static void
respond(Client *client)
{
	Response *response = &client->response;
	char	 *body = strstr(client->input, "\r\n\r\n") + 4;
	size_t	  length = 0;

	*strchr(client->input, '\r') = '\0';
	client->first = 0;
	response->status = "200 OK";
	response->count = 1;
	response_function(client->input, body, response);

	for (int i = 1; i < response->count; i++)
		length += response->pieces[i].iov_len;
	response->pieces[0].iov_base = response->head;
	response->pieces[0].iov_len =
		snprintf(response->head, sizeof(response->head),
				 "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
				 "Content-Length: %zu\r\n\r\n",
				 response->status, length);
}

/* Sends the response, as far as the socket accepts it now. */
static void
send_response(Client *client)
{
	Response *response = &client->response;

	while (client->first < response->count)
	{
		ssize_t sent = writev(client->fd, &response->pieces[client->first],
							  response->count - client->first);

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
			struct iovec *piece = &response->pieces[client->first];
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

/* Returns the length of the client's request; 0 while its head is incomplete. */
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

	respond(client);
	if (delay == 0)
	{
		send_response(client);
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
			send_response(client);
	}
}

/* Returns the timeout for epoll_wait. */
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
 * Prints the number of its port, and sends each response after that number of
 * milliseconds.  Returns when standard input ends.
 */
void
serve(long milliseconds, ResponseFunction make_response)
{
	int listener;

	signal(SIGPIPE, SIG_IGN);
	response_function = make_response;
	delay = milliseconds * 1000LL;
	epoll_fd = epoll_create1(0);
	listener = start_listening();
	watch(EPOLL_CTL_ADD, listener, EPOLLIN);
	watch(EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN);

	for (;;)
	{
		struct epoll_event events[MAX_EVENTS];
		int				   count =
			epoll_wait(epoll_fd, events, MAX_EVENTS, milliseconds_to_wait());

		send_due();
		for (int i = 0; i < count; i++)
		{
			int fd = events[i].data.fd;

			if (fd == STDIN_FILENO)
				return;
			if (fd == listener)
				take_client(listener);
			else if (clients[fd] != NULL && (events[i].events & EPOLLOUT))
				send_response(clients[fd]);
			else if (clients[fd] != NULL)
				read_request(clients[fd]);
		}
	}
}
