/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * async.c
 *	  Asynchronous execution of scans below an Append.
 *
 * An Append requests a row from each of its scans.  A scan that would have to
 * wait returns the descriptor that becomes readable when data may have
 * arrived.  Scans of one user mapping share a connection pool and its
 * descriptor, and the Append notifies only one of them.  So that one also
 * completes the requests of the others.
 *
 * Knows nothing about the scans' records.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/execAsync.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/latch.h"

#include "exec/async.h"
#include "exec/scan.h"
#include "fetch/statement.h"

/* Adds a request to, or removes it from, the statement's pending requests. */
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

/*
 * FDW callback: completes a request with a row or the end, or marks it as
 * pending.
 */
static void
produce_row(AsyncRequest *request)
{
	ForeignScanState *node = (ForeignScanState *) request->requestee;
	TupleTableSlot	 *row;

	scan_set_nowait(node, true);
	row = node->ss.ps.ExecProcNodeReal(&node->ss.ps); /* not instrumented
													   * twice */
	scan_set_nowait(node, false);
	if (TupIsNull(row) && scan_is_waiting(node))
	{
		set_pending(request, true);
		ExecAsyncRequestPending(request);
		return;
	}
	set_pending(request, false);
	ExecAsyncRequestDone(request, TupIsNull(row) ? NULL : row);
}

/* Completes a pending request for which the Append was not notified. */
static void
complete_pending(AsyncRequest *request)
{
	request->callback_pending = false;
	produce_row(request);
	ExecAsyncResponse(request);
	if (request->requestee->instrument != NULL)
		InstrUpdateTupleCount(request->requestee->instrument,
							  TupIsNull(request->result) ? 0.0 : 1.0);
}

/* Completes the Append's other requests that need not wait any longer. */
static void
complete_others(AsyncRequest *request)
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
			complete_pending(other);
	}
	list_free(pending);
}

/*
 * Notes that the Append waits for a request's descriptor.  Returns false if it
 * already does, for another request that shares the descriptor.
 */
static bool
note_wait(AsyncRequest *request)
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
		/*
		 * The set has only the event of the postmaster's death, so this is a
		 * new wait.
		 */
		if (is_first)
			statement->async_waits =
				foreach_delete_current(statement->async_waits, cell);
		else if (scan_wait_fd((ForeignScanState *) other->requestee) ==
				 scan_wait_fd(node))
			return false;
	}
	old_context = MemoryContextSwitchTo(statement->context);
	statement->async_waits = lappend(statement->async_waits, request);
	MemoryContextSwitchTo(old_context);
	return true;
}

/*
 * FDW callback: registers the descriptor that the Append waits for.  Completes
 * all requests that are ready first, since the Append would wait nevertheless
 * once an event is registered.
 */
static void
configure_wait(AsyncRequest *request)
{
	ForeignScanState *node = (ForeignScanState *) request->requestee;
	AppendState		 *append = (AppendState *) request->requestor;

	if (scan_is_ready(node))
		complete_pending(request);
	complete_others(request);
	if (!request->callback_pending || append->as_needrequest != NULL ||
		!note_wait(request))
		return;
	scan_prepare_wait(node);
	AddWaitEventToSet(append->as_eventset, WL_SOCKET_READABLE,
					  scan_wait_fd(node), NULL, request);
}

/* FDW callback: processes the data that has arrived. */
static void
notify_wait(AsyncRequest *request)
{
	CHECK_FOR_INTERRUPTS();
	complete_others(request);
	produce_row(request);
}

/* Sets the FDW callbacks of asynchronous execution. */
void
async_set_callbacks(FdwRoutine *routine)
{
	routine->ForeignAsyncRequest = produce_row;
	routine->ForeignAsyncConfigureWait = configure_wait;
	routine->ForeignAsyncNotify = notify_wait;
}
