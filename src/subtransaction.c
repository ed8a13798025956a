/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * subtransaction.c
 *	  What may fail without ending what it is a part of.
 *
 * An error may leave locks and half-made things behind, which only an abort
 * releases.  Knows nothing of what is done.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "subtransaction.h"

/*
 * Calls a function in a subtransaction of its own, and returns the error that it
 * raised, in the current context, or NULL.  Whether to raise that error after all
 * is up to the caller: a cancel, for one, is meant for the whole.
 *
 * The subtransaction is over before anything else can fail: an error that left it
 * open would leave the session in it, too.
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
