/*-------------------------------------------------------------------------
 *
 * ids_server.c
 *	  A server of records that costs a client as little as a server can.
 *
 *	  ids_server RECORDS DELAY
 *
 * RECORDS is a file with the JSON of the records 1, 2, ..., each ended by a NUL
 * byte; DELAY is how many milliseconds pass before each answer.  Prints the
 * port that it listens on, and ends when its standard input does.
 *
 * A request is answered with the records whose ids, made of a number as the
 * stand-in makes them, stand in its body or its path.  Nothing else of it is
 * looked at, and no answer is put together: the records go out from where the
 * file was read to.  For the measurements of this folder alone.
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
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 1024
#define MAX_REQUEST 65536
#define MAX_IDS 400
#define EVENTS_AT_ONCE 64

#define ID_PREFIX "00000000-0000-4000-8000-"
#define ID_DIGITS 12

/* One client; its requests are answered one after the other. */
typedef struct Client
{
	int			   fd;
	char		   input[MAX_REQUEST + 1];
	size_t		   length;
	char		   head[200];
	struct iovec   answer[2 * MAX_IDS + 3];
	int			   first; /* piece of the answer that is to be sent */
	int			   count;
	long long	   due; /* when it may be sent */
	struct Client *next_due;
} Client;

typedef struct Record
{
	char  *text;
	size_t length;
} Record;

static Record	*records;
static long		 record_count;
static long long delay; /* microseconds, as all times */
static int		 epoll_fd;
static Client	*clients[MAX_FD];

/* All wait equally long, so that the first in the queue is the first due. */
static Client  *first_due;
static Client **last_due = &first_due;

/* Reads the records, which stay where they are read to. */
static void
read_records(const char *name)
{
	FILE  *file = fopen(name, "r");
	char  *text = NULL;
	size_t size = 0;
	size_t length;

	if (file == NULL)
		err(1, "%s", name);
	fseek(file, 0, SEEK_END);
	length = ftell(file);
	rewind(file);
	text = malloc(length + 1);
	if (text == NULL || fread(text, 1, length, file) != length)
		err(1, "%s", name);
	fclose(file);
	for (char *next = text; next < text + length; next += strlen(next) + 1)
	{
		if ((size_t) record_count + 1 >= size)
		{
			size = size * 2 + 1024;
			records = realloc(records, size * sizeof(Record));
			if (records == NULL)
				err(1, "records");
		}
		records[++record_count] = (Record){next, strlen(next)};
	}
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

static void
add_piece(Client *client, const char *text, size_t length)
{
	client->answer[client->count++] = (struct iovec){(void *) text, length};
}

/* The answer to the client's whole request; its pieces start at 1. */
static void
make_answer(Client *client)
{
	bool		is_query = client->input[0] == 'P';
	const char *status = "200 OK";
	char	   *from = client->input;
	size_t		length = 0;

	client->first = 0;
	client->count = 1;
	add_piece(client, "{\"data\":[", is_query ? 9 : 8);
	while ((from = strstr(from, ID_PREFIX)) != NULL &&
		   client->count < 2 * MAX_IDS)
	{
		long number = strtol(from + strlen(ID_PREFIX), NULL, 10);

		from += strlen(ID_PREFIX) + ID_DIGITS;
		if (number < 1 || number > record_count)
			continue;
		if (client->count > 2)
			add_piece(client, ",", 1);
		add_piece(client, records[number].text, records[number].length);
	}
	if (client->count == 2 && !is_query)
		status = "404 Not Found";
	if (is_query)
		add_piece(client, "],\"next_cursor\":null}", 21);
	else
		add_piece(client, "}", 1);

	for (int i = 1; i < client->count; i++)
		length += client->answer[i].iov_len;
	client->answer[0].iov_base = client->head;
	client->answer[0].iov_len =
		snprintf(client->head, sizeof(client->head),
				 "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
				 "Content-Length: %zu\r\n\r\n",
				 status, length);
}

/* Sends what the client takes of its answer. */
static void
send_answer(Client *client)
{
	while (client->first < client->count)
	{
		ssize_t sent = writev(client->fd, &client->answer[client->first],
							  client->count - client->first);

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
			struct iovec *piece = &client->answer[client->first];
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

	make_answer(client);
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

int
main(int argc, char **argv)
{
	int listener;

	if (argc != 3)
		errx(2, "usage: ids_server RECORDS DELAY");
	signal(SIGPIPE, SIG_IGN);
	read_records(argv[1]);
	delay = atoi(argv[2]) * 1000LL;
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
				return 0;
			if (fd == listener)
				take_client(listener);
			else if (clients[fd] != NULL && (events[i].events & EPOLLOUT))
				send_answer(clients[fd]);
			else if (clients[fd] != NULL)
				read_request(clients[fd]);
		}
	}
}
