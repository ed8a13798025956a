/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * error.c
 *	  ereport without a server: an ERROR jumps to the handler, and every message
 *	  is formatted, with its context.
 *
 * PG_TRY works as in the backend.  Every text of a message must be valid in the
 * database's encoding.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "shim.h"

ErrorContextCallback *error_context_stack = NULL;
sigjmp_buf			 *PG_exception_stack = NULL;

/* The current message and the current error. */
static ErrorData  message;
static ErrorData *current_error = NULL;

static char *format(const char *text, va_list args);

void
shim_broken(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, what);
	if (current_error != NULL)
		fprintf(stderr, "in an error: %s\ndetail: %s\nhint: %s\ncontext: %s\n",
				current_error->message, current_error->detail,
				current_error->hint, current_error->context);
	abort();
}

ErrorData *
shim_catch(void (*function)(void *), void *argument)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData *volatile error = NULL;

	PG_TRY();
	{
		function(argument);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}

bool
errstart(int elevel, const char *domain)
{
	memset(&message, 0, sizeof(message));
	message.elevel = elevel;
	message.domain = domain;
	message.sqlerrcode =
		elevel >= ERROR ? ERRCODE_INTERNAL_ERROR : ERRCODE_WARNING;
	message.saved_errno = errno;
	return true;
}

#ifdef USE_ASSERT_CHECKING
void
#if PG_VERSION_NUM >= 160000
ExceptionalCondition(const char *condition, const char *file, int line)
#else
ExceptionalCondition(const char *condition, const char *error, const char *file,
					 int line)
#endif
{
#if PG_VERSION_NUM < 160000
	(void) error;
#endif
	fprintf(stderr, "%s:%d: %s does not hold\n", file, line, condition);
	abort();
}
#endif

/* Every level counts, so that every message is formatted. */
bool
message_level_is_interesting(int elevel)
{
	(void) elevel;
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	message.filename = filename;
	message.lineno = lineno;
	message.funcname = funcname;
	for (ErrorContextCallback *callback = error_context_stack; callback != NULL;
		 callback = callback->previous)
		callback->callback(callback->arg);

	current_error = &message;
	FUZZ_CHECK(message.elevel <= ERROR);
	FUZZ_CHECK(message.message != NULL && message.message[0] != '\0');
	FUZZ_CHECK(shim_is_server_text(message.message));
	FUZZ_CHECK(shim_is_server_text(message.detail));
	FUZZ_CHECK(shim_is_server_text(message.hint));
	FUZZ_CHECK(shim_is_server_text(message.context));
	if (message.elevel == ERROR)
		pg_re_throw();
	current_error = NULL;
}

void
pg_re_throw(void)
{
	FUZZ_CHECK(PG_exception_stack != NULL);
	siglongjmp(*PG_exception_stack, 1);
}

ErrorData *
CopyErrorData(void)
{
	ErrorData *copy = palloc(sizeof(ErrorData));

	FUZZ_CHECK(current_error != NULL);
	*copy = *current_error;
	return copy;
}

void
ReThrowError(ErrorData *error)
{
	current_error = error;
	pg_re_throw();
}

void
FlushErrorState(void)
{
	current_error = NULL;
}

int
errcode(int sqlerrcode)
{
	message.sqlerrcode = sqlerrcode;
	return 0;
}

int
errcode_for_file_access(void)
{
	return errcode(ERRCODE_IO_ERROR);
}

/* Formats a text, which lives until the next input. */
static char *
format(const char *text, va_list args)
{
	MemoryContext  context = MemoryContextSwitchTo(TopMemoryContext);
	StringInfoData result;

	initStringInfo(&result);
	for (;;)
	{
		va_list copy;
		int		needed;

		errno = message.saved_errno;
		va_copy(copy, args);
		needed = appendStringInfoVA(&result, text, copy);
		va_end(copy);
		if (needed == 0)
			break;
		enlargeStringInfo(&result, needed);
	}
	MemoryContextSwitchTo(context);
	return result.data;
}

/* The functions that set a part of the message. */
#define MESSAGE_PART(function, part)       \
	int function(const char *text, ...)    \
	{                                      \
		va_list args;                      \
                                           \
		va_start(args, text);              \
		message.part = format(text, args); \
		va_end(args);                      \
		return 0;                          \
	}

MESSAGE_PART(errmsg, message)
MESSAGE_PART(errmsg_internal, message)
MESSAGE_PART(errdetail, detail)
MESSAGE_PART(errdetail_internal, detail)
MESSAGE_PART(errhint, hint)
MESSAGE_PART(errcontext_msg, context)

int
set_errcontext_domain(const char *domain)
{
	message.context_domain = domain;
	return 0;
}
