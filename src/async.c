/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * async.c
 *	  Scans whose pages an Append waits for together.
 *
 * An Append asks each of its scans for a row; one that would have to wait says so,
 * and names the descriptor that tells when there may be more.  Scans by the same
 * user mapping share a connection pool, and with it the descriptor, of which the
 * Append tells one of them: so that one sees to the others, too.
 *
 * Knows nothing of what the scans read.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/execAsync.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/guc.h"

#include "async.h"
#include "plan.h"
#include "scan.h"
#include "statement.h"

static bool is_async_capable(ForeignPath *path);
static bool is_append_broken(void);
static void request_row(AsyncRequest *request);
static void configure_wait(AsyncRequest *request);
static bool is_waited_for(AsyncRequest *request);
static void notify(AsyncRequest *request);
static void produce_row(AsyncRequest *request);
static void answer_others(AsyncRequest *request);
static void answer_pending(AsyncRequest *request);
static void set_pending(AsyncRequest *request, bool is_pending);

void
async_set_callbacks(FdwRoutine *routine)
{
	routine->IsForeignPathAsyncCapable = is_async_capable;
	routine->ForeignAsyncRequest = request_row;
	routine->ForeignAsyncConfigureWait = configure_wait;
	routine->ForeignAsyncNotify = notify;
}

/* FDW callback: pages can be waited for together; a few ids are asked for at once. */
static bool
is_async_capable(ForeignPath *path)
{
	return !is_append_broken() && plan_is_by_pages(path);
}

/*
 * Whether the Append of this PostgreSQL leaves an exception handler behind where
 * it finds nothing to wait for: the next error would end the server.  Two minor
 * versions do, and one may run what was built for another.
 */
static bool
is_append_broken(void)
{
	int version = atoi(GetConfigOption("server_version_num", false, false));

	return version == 150006 || version == 160002;
}

/* FDW callback: the Append wants a row. */
static void
request_row(AsyncRequest *request)
{
	produce_row(request);
}

/*
 * FDW callback: the Append is about to wait.  It need not where a row is there by
 * now, or some other of its scans has one: that is found out before there is
 * anything to wait for, since it would then wait all the same.
 */
static void
configure_wait(AsyncRequest *request)
{
	ForeignScanState *node = (ForeignScanState *) request->requestee;
	AppendState		 *append = (AppendState *) request->requestor;

	if (scan_is_ready(node))
		answer_pending(request);
	answer_others(request);
	if (!request->callback_pending || append->as_needrequest != NULL)
		return;

	if (is_waited_for(request))
		return;
	scan_prepare_wait(node);
	AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE,
					  scan_wait_fd(node), NULL, request);
}

/*
 * Whether the Append is going to wait for a request's descriptor already, since
 * another one shares it; otherwise it is noted that it will.
 */
static bool
is_waited_for(AsyncRequest *request)
{
	ForeignScanState *node = (ForeignScanState *) request->requestee;
	AppendState		 *append = (AppendState *) request->requestor;
	Statement		 *statement = statement_of(node->ss.ps.state);
	bool is_first = GetNumRegisteredWaitEvents(append->as_eventset) == 1;
	MemoryContext old_context;
	ListCell	 *cell;

	foreach(cell, statement->async_waits)
	{
		AsyncRequest *other = lfirst(cell);

		if (other->requestor != request->requestor)
			continue;
		/* Beside the postmaster's death there is nothing: that was before. */
		if (is_first)
			statement->async_waits =
				foreach_delete_current(statement->async_waits, cell);
		else if (scan_wait_fd((ForeignScanState *) other->requestee) ==
				 scan_wait_fd(node))
			return true;
	}
	old_context = MemoryContextSwitchTo(statement->context);
	statement->async_waits = lappend(statement->async_waits, request);
	MemoryContextSwitchTo(old_context);
	return false;
}

/* FDW callback: there may be something to read. */
static void
notify(AsyncRequest *request)
{
	CHECK_FOR_INTERRUPTS();
	scan_take_in((ForeignScanState *) request->requestee);
	answer_others(request);
	produce_row(request);
}

/* Answers the other requests of the Append that need not wait any more. */
static void
answer_others(AsyncRequest *request)
{
	EState	 *estate = ((ForeignScanState *) request->requestee)->ss.ps.state;
	List	 *pending = list_copy(statement_of(estate)->async_requests);
	ListCell *cell;

	foreach(cell, pending)
	{
		AsyncRequest *other = lfirst(cell);

		if (other != request && other->callback_pending &&
			other->requestor == request->requestor &&
			scan_is_ready((ForeignScanState *) other->requestee))
			answer_pending(other);
	}
	list_free(pending);
}

/* A request that was pending is answered outside of its turn. */
static void
answer_pending(AsyncRequest *request)
{
	request->callback_pending = false;
	produce_row(request);
	ExecAsyncResponse(request);
	if (request->requestee->instrument != NULL)
		InstrUpdateTupleCount(request->requestee->instrument,
							  TupIsNull(request->result) ? 0.0 : 1.0);
}

/* Answers a request: with a row, with the end, or that it has to wait. */
static void
produce_row(AsyncRequest *request)
{
	ForeignScanState *node = (ForeignScanState *) request->requestee;
	TupleTableSlot	 *row;

	scan_set_patience(node, false);
	row = node->ss.ps.ExecProcNodeReal(&node->ss.ps); /* not measured twice */
	scan_set_patience(node, true);
	if (TupIsNull(row) && scan_is_waiting(node))
	{
		set_pending(request, true);
		ExecAsyncRequestPending(request);
		return;
	}
	set_pending(request, false);
	ExecAsyncRequestDone(request, TupIsNull(row) ? NULL : row);
}

/* Keeps the statement's list of requests that are pending. */
static void
set_pending(AsyncRequest *request, bool is_pending)
{
	EState	  *estate = ((ForeignScanState *) request->requestee)->ss.ps.state;
	Statement *statement = statement_of(estate);
	MemoryContext old_context = MemoryContextSwitchTo(statement->context);

	statement->async_requests =
		is_pending ? list_append_unique_ptr(statement->async_requests, request)
				   : list_delete_ptr(statement->async_requests, request);
	MemoryContextSwitchTo(old_context);
}
