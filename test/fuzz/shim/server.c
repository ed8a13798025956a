/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * server.c
 *	  The waits of a backend: its latch, its interrupts and its files.
 *
 * The target sends responses while the backend waits, so that all happens in one
 * thread and in the same order each time.  A cancel may come with any wait.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/latch.h"

#include "shim.h"

/* Largest number and length of waits; beyond them, a loop does not end. */
#define MOST_WAITS 20000
#define LONGEST_WAIT 5000 /* milliseconds */

volatile sig_atomic_t InterruptPending = false;
struct Latch		 *MyLatch = NULL;

/* Does work that may end a wait; returns false if it has no more work. */
bool (*shim_on_wait)(void) = NULL;

static int waits;
static int cancel_at; /* number of the wait; 0: never */
static int external_fds;
static int first_free_fd;

static int next_fd(void);

void
shim_server_begin(void)
{
	waits = cancel_at = external_fds = 0;
	InterruptPending = false;
	shim_on_wait = NULL;
	first_free_fd = next_fd();
}

/* Checks that no file is open. */
void
shim_server_end(void)
{
	FUZZ_CHECK(external_fds == 0);
	FUZZ_CHECK(next_fd() == first_free_fd);
}

/* Returns the number of the next file. */
static int
next_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

void
shim_cancel_at_wait(int number)
{
	cancel_at = number;
}

int
WaitLatchOrSocket(struct Latch *latch, int events, pgsocket fd, long timeout,
				  uint32 wait_event)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	(void) wait_event;
	FUZZ_CHECK(latch == MyLatch && timeout == INT_MAX);
	FUZZ_CHECK((events & WL_LATCH_SET) != 0 &&
			   (events & WL_SOCKET_READABLE) != 0);
	FUZZ_CHECK(++waits < MOST_WAITS);
	if (waits == cancel_at)
	{
		InterruptPending = true;
		return WL_LATCH_SET;
	}
	while (poll(&poll_fd, 1, 0) == 0 && shim_on_wait != NULL && shim_on_wait())
		;
	FUZZ_CHECK(poll(&poll_fd, 1, LONGEST_WAIT) == 1);
	return WL_SOCKET_READABLE;
}

void
ResetLatch(struct Latch *latch)
{
	FUZZ_CHECK(latch == MyLatch);
}

void
ProcessInterrupts(void)
{
	InterruptPending = false;
	ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("cancelled")));
}

#if PG_VERSION_NUM >= 170000
uint32
WaitEventExtensionNew(const char *name)
{
	(void) name;
	return PG_WAIT_EXTENSION;
}
#endif

bool
AcquireExternalFD(void)
{
	external_fds++;
	return true;
}

void
ReserveExternalFD(void)
{
	external_fds++;
}

void
ReleaseExternalFD(void)
{
	external_fds--;
}
