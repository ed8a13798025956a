/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * subtransaction.c
 *	  Runs a function in a subtransaction, and returns its error.
 *
 * Only the abort of a subtransaction releases the locks and other state that an
 * error leaves behind.  Must not know the purpose of the function.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/subtransaction.h"

/*
 * Calls a function in a subtransaction.  Returns the error that it raised,
 * palloc'd in the current memory context, or NULL.  The caller decides if it
 * raises that error again; a cancel, for example, concerns the whole statement.
 *
 * The subtransaction ends before anything else can fail.  Otherwise an error
 * would leave the session in it.
 */
ErrorData *
subtransaction_run(void (*function)(void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		function(arg);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}
