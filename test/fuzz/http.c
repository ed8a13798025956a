/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * http.c
 *	  Fuzz target: the bytes of HTTP responses -> a record, its absence, pages of
 *	  records, or an error, through libcurl.
 *
 * Each connection of libcurl is one end of a pair of sockets.  The target sends
 * the input through the other end.  An input is three bytes and the responses,
 * with a separator between them:
 *
 * - bits, for the database and the limits: 1: the database is in LATIN1, 2: the key
 *	 has odd characters, 4: at most two requests, 16: a second connection fails
 * - bits, for the requests: 8: the record is fetched twice, 32: a query for pages
 *	 of records, 128: a query decides whether a record is missing
 * - pieces: the number of bytes of each piece; '@': a whole response
 * - cancel: the number of the wait after which a cancel comes; '@': none
 *
 * A response follows each request.  An idle connection is closed.  There is no
 * clock: a Retry-After exceeds the limit, and a back-off is zero.
 *
 * Apart from memory errors, the target checks that each run ends without open
 * files and memory.  It checks the results of transfers and the error
 * (shim/response.c), and that only the right requests have the key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/socket.h>
#include <unistd.h>

#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "response.h"
#include "shim.h"

#define LATIN1 1
#define ODD_KEY 2
#define FEW_REQUESTS 4
#define ASK_TWICE 8
#define ONE_CONNECTION 16
#define QUERY 32
#define USE_QUERY 128

/* Largest number of connections. */
#define MOST_CONNECTIONS 16

/* The far end of a connection. */
typedef struct Peer
{
	int			fd;
	const char *response; /* the unsent rest of a response */
	size_t		left;
	size_t		missing;   /* bytes of the body of a request */
	bool		is_closed; /* for sending */
} Peer;

static Peer		 peers[MOST_CONNECTIONS];
static int		 peer_count;
static int		 most_peers;
static char		*input;
static char		*input_end;
static size_t	 piece;
static Question *question;

static void	  ask(bool is_query);
static bool	  serve(void);
static bool	  serve_peer(Peer *peer);
static size_t check_request(const char *request);
static size_t check_query(const char *request, const char *body);

void
fuzz_input(char *data, size_t size)
{
	MemoryContext statement;
	MemoryContext pool_context;

	if (size < 3)
		return;
	shim_server_begin();
	shim_libraries_begin();
	shim_set_database_encoding(data[0] & LATIN1 ? PG_LATIN1 : PG_UTF8);
	piece = data[1] == '@' ? size : Max((unsigned char) data[1], 1);
	shim_cancel_at_wait((unsigned char) data[2] - '@');
	shim_on_wait = serve;
	input = data + 3;
	input_end = data + size;
	peer_count = 0;
	most_peers = data[0] & ONE_CONNECTION ? 1 : MOST_CONNECTIONS;

	statement = AllocSetContextCreate(TopMemoryContext, "statement", 0, 0, 0);
	MemoryContextSwitchTo(statement);
	question = question_create((data[0] & ODD_KEY) != 0);
	question->settings.use_query = (data[0] & USE_QUERY) != 0;
	question->budget.limit = data[0] & FEW_REQUESTS ? 2 : 0;
	pool_context = AllocSetContextCreate(TopMemoryContext, "pool", 0, 0, 0);
	MemoryContextSwitchTo(pool_context);
	question->connection.pool = http_pool_create();
	MemoryContextSwitchTo(statement);
	ask((data[0] & QUERY) != 0);
	if ((data[0] & ASK_TWICE) != 0)
		ask((data[0] & QUERY) != 0);
	FUZZ_CHECK(question->requests <= (data[0] & FEW_REQUESTS ? 2 : 18));

	MemoryContextSwitchTo(TopMemoryContext);
	MemoryContextDelete(statement);
	MemoryContextDelete(pool_context);
	for (int i = 0; i < peer_count; i++)
		close(peers[i].fd);
	shim_libraries_end();
	shim_server_end();
}

static void
ask(bool is_query)
{
	if (is_query)
		question_query(question);
	else
		question_ask(question);
}

/* Runs while the backend waits; true if the backend has something to do. */
static bool
serve(void)
{
	bool has_sent = false;
	bool has_closed = false;

	for (int i = 0; i < peer_count; i++)
		has_sent |= serve_peer(&peers[i]);
	for (int i = 0; i < peer_count && !has_sent; i++)
	{
		has_closed |= !peers[i].is_closed;
		shutdown(peers[i].fd, SHUT_WR);
		peers[i].is_closed = true;
	}
	return has_sent || has_closed;
}

/* Receives a request, and sends a piece of the response; false if it sent none. */
static bool
serve_peer(Peer *peer)
{
	static char request[65536];
	ssize_t		received =
		recv(peer->fd, request, sizeof(request) - 1, MSG_DONTWAIT);
	ssize_t sent = -1;

	if (received > 0)
	{
		request[received] = '\0';
		if (peer->missing > 0)
			peer->missing -= received;
		else
			peer->missing = check_request(request);
		if (peer->missing == 0 && peer->left == 0)
			peer->response = next_response(&input, input_end, &peer->left);
	}
	if (peer->left > 0 && !peer->is_closed)
		sent = send(peer->fd, peer->response, Min(peer->left, piece),
					MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
	{
		peer->response += sent;
		peer->left -= sent;
	}
	return sent > 0;
}

/*
 * Checks the head of a request, which comes in one piece; GET /health has no key.
 * Returns the number of missing bytes of its body.
 */
static size_t
check_request(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n");
	bool has_key = strstr(request, question->credentials.api_key) != NULL;

	FUZZ_CHECK(end != NULL);
	if (strncmp(request, "GET /api/v2/health HTTP/1.1\r\n", 29) == 0)
		FUZZ_CHECK(!has_key && strstr(request, "Authorization") == NULL);
	else
		FUZZ_CHECK(has_key);
	if (strncmp(request, "POST ", 5) == 0)
		return check_query(request, end + 4);
	FUZZ_CHECK(end[4] == '\0');
	FUZZ_CHECK(!has_key || strncmp(request,
								   "GET /api/v2/opportunity/" RESPONSE_RECORD_ID
								   " HTTP/1.1\r\n",
								   71) == 0);
	return 0;
}

/* Checks that a query is JSON with a length. */
static size_t
check_query(const char *request, const char *body)
{
	const char *length = strcasestr(request, "\r\nContent-Length: ");
	size_t		here = strlen(body);
	size_t		all;

	FUZZ_CHECK(strncmp(request, "POST /api/v2/opportunity/_query HTTP/1.1\r\n",
					   42) == 0);
	FUZZ_CHECK(strcasestr(request, "\r\nContent-Type: application/json\r\n"));
	FUZZ_CHECK(length != NULL && length < body);
	all = strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
	FUZZ_CHECK(all > 0 && here <= all && (here == 0 || body[0] == '{'));
	return all - here;
}

/*
 * libcurl calls these functions in place of the system's, because the functions
 * of a program have priority.  There is no other network.
 */
int
socket(int domain, int type, int protocol)
{
	int pair[2];

	(void) protocol;
	if (domain != AF_INET || (type & SOCK_STREAM) == 0 ||
		peer_count == most_peers)
	{
		errno = EAFNOSUPPORT;
		return -1;
	}
	/* The type may have SOCK_NONBLOCK. */
	FUZZ_CHECK(socketpair(AF_UNIX, type, 0, pair) == 0);
	peers[peer_count++] = (Peer){.fd = pair[1]};
	return pair[0];
}

int
connect(int fd, const struct sockaddr *address, socklen_t length)
{
	(void) fd;
	(void) address;
	(void) length;
	return 0;
}
