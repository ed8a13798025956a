/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * check.c
 *	  SQL function opportunity_fdw_check(): tests a server for the current
 *	  user, step by step.
 *
 * The result always has the same rows, in the same order.  Each step runs in a
 * subtransaction, so that its error can become a row.  Errors that do not
 * concern the server, such as a cancel, remain errors.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "admin/check_steps.h"
#include "admin/server.h"
#include "base/subtransaction.h"

#define CHECK_COLUMNS 5

/* Arguments of a step. */
typedef struct StepRun
{
	Check			*check;
	const CheckStep *step;
	CheckResult		*result;
} StepRun;

PG_FUNCTION_INFO_V1(opportunity_fdw_check);

static Check *create_check(ForeignServer *server);
static bool	  is_hindered(const Check *check, const CheckStep *step);
static void	 run_step(Check *check, const CheckStep *step, CheckResult *result);
static void	 call_step(void *arg);
static void	 note_error(const ErrorData *error, CheckResult *result);
static bool	 is_finding(int sqlerrcode);
static void	 put_row(ReturnSetInfo *rows, const char *name,
					 const CheckResult *result);
static Datum milliseconds(int64 microseconds);

/*
 * SQL function: returns a row for each step.  Raises an error if the user may
 * not use the server, or if the server has another foreign-data wrapper.
 */
Datum
opportunity_fdw_check(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = (ReturnSetInfo *) fcinfo->resultinfo;
	ForeignServer *server = server_find(NameStr(*PG_GETARG_NAME(0)));
	MemoryContext  context;
	MemoryContext  old_context;
	Check		  *check;

	InitMaterializedSRF(fcinfo, 0);
	context = AllocSetContextCreate(
		CurrentMemoryContext, "opportunity_fdw check", ALLOCSET_DEFAULT_SIZES);
	old_context = MemoryContextSwitchTo(context);
	check = create_check(server);
	for (int i = 0; i < check_step_count; i++)
	{
		const CheckStep *step = &check_steps[i];
		CheckResult		 result = {.took = -1};

		if (is_hindered(check, step))
			result.detail = psprintf("Skipped because step \"%s\" failed.",
									 check->obstacle);
		else
			run_step(check, step, &result);
		if (result.verdict == CHECK_FAILED && step->is_vital)
			check->obstacle = step->name;
		put_row(rows, step->name, &result);
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextDelete(context);
	return (Datum) 0;
}

/* Returns the state before the first step, in the current context. */
static Check *
create_check(ForeignServer *server)
{
	Check *check = palloc0(sizeof(Check));

	check->server = server;
	check->settings =
		settings_read_server(server->serverid, OPTION_DEFAULT_RECORD_TYPE);
	check->settings->max_retries = 0;
	check->settings->max_retry_wait = 0;
	check->budget.limit = check->settings->max_requests;
	check->budget.total = &check->request_total;
	check->wanted = attribute_set_create();
	check->archived_at = attribute_set_add(check->wanted, "archived_at");
	check->round_trip = -1;
	return check;
}

/* Returns true if an earlier step's failure makes a step useless. */
static bool
is_hindered(const Check *check, const CheckStep *step)
{
	return check->obstacle != NULL &&
		   (step->makes_requests || check->round_trip < 0);
}

/* Runs a step.  An error that concerns the server becomes the step's result. */
static void
run_step(Check *check, const CheckStep *step, CheckResult *result)
{
	StepRun	   run = {check, step, result};
	ErrorData *error = subtransaction_run(call_step, &run);

	if (error == NULL)
		return;
	if (!is_finding(error->sqlerrcode))
		ReThrowError(error);
	note_error(error, result);
}

static void
call_step(void *arg)
{
	StepRun *run = arg;

	run->step->run(run->check, run->result);
}

/* Converts an error into a step's result. */
static void
note_error(const ErrorData *error, CheckResult *result)
{
	result->verdict = CHECK_FAILED;
	result->detail = error->detail != NULL
						 ? psprintf("%s. %s", error->message, error->detail)
						 : pstrdup(error->message);
	if (result->hint == NULL)
		result->hint = error->hint;
}

/* Returns true if an error concerns the server, its API or the network. */
static bool
is_finding(int sqlerrcode)
{
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_FDW_ERROR:
			return true;
	}
	switch (sqlerrcode)
	{
		case ERRCODE_UNDEFINED_OBJECT: /* no user mapping */
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
		case ERRCODE_CONFIGURATION_LIMIT_EXCEEDED:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
		case ERRCODE_UNTRANSLATABLE_CHARACTER:
			return true;
	}
	return false;
}

static void
put_row(ReturnSetInfo *rows, const char *name, const CheckResult *result)
{
	Datum values[CHECK_COLUMNS] = {0};
	bool  nulls[CHECK_COLUMNS] = {false, result->verdict == CHECK_UNDECIDED,
								  result->took < 0, result->detail == NULL,
								  result->hint == NULL};

	values[0] = CStringGetTextDatum(name);
	values[1] = BoolGetDatum(result->verdict == CHECK_PASSED);
	if (!nulls[2])
		values[2] = milliseconds(result->took);
	if (!nulls[3])
		values[3] = CStringGetTextDatum(result->detail);
	if (!nulls[4])
		values[4] = CStringGetTextDatum(result->hint);
	tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
}

/* Returns a time in milliseconds, a numeric. */
static Datum
milliseconds(int64 microseconds)
{
	char *text = psprintf(INT64_FORMAT ".%03d", microseconds / 1000,
						  (int) (microseconds % 1000));

	return DirectFunctionCall3(numeric_in, CStringGetDatum(text),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}
