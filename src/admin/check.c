/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * check.c
 *	  SQL function opportunity_fdw_check(): tests a server for the current
 *	  user, step by step, in the order in which a new user needs the steps.
 *
 * The result always has the same rows, in the same order.  One request serves
 * several steps, so that all steps together make at most CHECK_MAX_REQUESTS.  It
 * is made when a step first needs its response.  Must not know libcurl.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "admin/admin.h"
#include "api/api_records.h"
#include "base/id.h"

/* Limit of the requests of all steps; step_archived keeps it. */
#define CHECK_MAX_REQUESTS 5

typedef enum CheckVerdict
{
	CHECK_UNDECIDED,
	CHECK_FAILED,
	CHECK_PASSED
} CheckVerdict;

/* Result of a step; strings are in the database's encoding. */
typedef struct CheckResult
{
	CheckVerdict verdict;
	int64		 took;	 /* microseconds; -1: not measured */
	const char	*detail; /* NULL: none */
	const char	*hint;	 /* NULL: none.  Replaces the hint of an error. */
} CheckResult;

/*
 * State that the steps share.  All members live in the memory context of the
 * check, which also holds the connection.
 */
typedef struct Check
{
	ForeignServer *server;
	Settings	  *settings; /* without retries */
	int64		   request_total;
	HttpBudget	   budget;
	AttributeSet  *wanted;
	int			   archived_at; /* index among the wanted attributes */
	const char	  *obstacle;	/* failed step that prevents others, or NULL */

	Credentials *credentials;
	Api			*api;
	UrlParts	 url;

	/* completed requests; NULL: not made */
	HttpTransfer *health;
	HttpTransfer *query;
	HttpTransfer *record;

	RecordPage *page;	   /* page that the query returned, or NULL */
	pg_uuid_t	record_id; /* id that was requested: from the page, or nil */
	bool	record_is_decided; /* the response says whether the record exists */
	Record *found;			   /* or NULL */
	int64	round_trip;		   /* shortest one in microseconds, or -1 */
} Check;

/* A step: its function sets the verdict, or raises an error if it fails. */
typedef struct CheckStep
{
	const char *name;
	void (*run)(Check *check, CheckResult *result);
	bool is_vital; /* its failure prevents the steps after it */
} CheckStep;

PG_FUNCTION_INFO_V1(opportunity_fdw_check);

static void
pass(CheckResult *result, int64 took, const char *detail)
{
	result->verdict = CHECK_PASSED;
	result->took = took;
	result->detail = detail;
}

/* Waits until a request is complete, and notes its round trip. */
static void
await(Check *check, HttpTransfer *transfer)
{
	int64 first_byte;

	http_wait_any(&transfer, 1);
	first_byte = http_times(transfer).first_byte;
	if (first_byte >= 0 &&
		(check->round_trip < 0 || first_byte < check->round_trip))
		check->round_trip = first_byte;
}

/* Returns true if the query returned a record. */
static bool
expects_record(const Check *check)
{
	return check->page != NULL && check->page->count > 0;
}

/* Returns the completed request for any record; NULL if use_query is false. */
static HttpTransfer *
query_response(Check *check)
{
	ApiQuery	query = {.limit = 1};
	RecordPage *page;

	if (check->query != NULL || !check->settings->use_query)
		return check->query;
	check->query = api_start_query(check->api, &query, NULL, &check->budget);
	await(check, check->query);
	if (api_try_page(check->api, check->query, check->wanted, &page))
		check->page = page;
	return check->query;
}

/*
 * Returns the completed request for the record that the query returned, or for
 * an id without a record.
 */
static HttpTransfer *
record_response(Check *check)
{
	if (check->record != NULL)
		return check->record;
	if (expects_record(check))
		check->record_id = check->page->records[0].id;
	check->record =
		api_get_record(check->api, &check->record_id, &check->budget);
	await(check, check->record);
	check->record_is_decided =
		api_try_record(check->api, check->record, &check->record_id,
					   check->wanted, &check->found);
	return check->record;
}

/*
 * Returns a completed request that shows whether the API accepts the key: the
 * query, if it worked or was denied, or else the request for a record.  Returns
 * NULL if neither shows it, such as after a server error.
 */
static HttpTransfer *
authorized_response(Check *check)
{
	HttpTransfer *query = query_response(check);
	HttpTransfer *record;

	if (check->page != NULL ||
		(query != NULL && api_is_denial(check->api, query)))
		return query;
	record = record_response(check);
	return check->record_is_decided || api_is_denial(check->api, record)
			   ? record
			   : NULL;
}

/* Checks that the current user, or PUBLIC, has a mapping with a key. */
static void
step_mapping(Check *check, CheckResult *result)
{
	Oid			serverid = check->server->serverid;
	const char *server = quote_identifier(check->server->servername);
	bool		is_own;
	const char *name;

	result->hint = psprintf("Run CREATE USER MAPPING FOR CURRENT_USER "
							"SERVER %s OPTIONS (api_key '...').",
							server);
	(void) GetUserMapping(GetUserId(), serverid);
	result->hint = NULL;
	check->credentials = credentials_read(check->settings, GetUserId());

	is_own = SearchSysCacheExists2(USERMAPPINGUSERSERVER,
								   ObjectIdGetDatum(GetUserId()),
								   ObjectIdGetDatum(serverid));
	name = MappingUserName(is_own ? GetUserId() : InvalidOid);
	if (check->credentials->api_key != NULL)
	{
		pass(result, -1,
			 psprintf("The user mapping for \"%s\" has an API key.", name));
		return;
	}
	result->detail = psprintf("The user mapping for \"%s\" has no API key. "
							  "Requests of a superuser are sent without one.",
							  name);
	result->hint = psprintf("Run ALTER USER MAPPING FOR %s SERVER %s OPTIONS "
							"(ADD api_key '...').",
							is_own ? "CURRENT_USER" : "PUBLIC", server);
}

/* Checks that the host, or the proxy, exists and accepts a connection. */
static void
step_reach(Check *check, CheckResult *result)
{
	HttpTimes times;

	check->api = api_open(check->settings, check->credentials, NULL);
	(void) url_parse(check->settings->base_url, &check->url);
	check->health = api_ask_health(check->api, &check->budget);
	await(check, check->health);

	times = http_times(check->health);
	if (!times.is_connected)
	{
		result->hint = "Check the network and the server options "
					   "\"base_url\" and \"proxy\".";
		http_raise(check->health);
	}
	pass(result, times.connect,
		 psprintf("Connected to %s, port %s%s%s.", check->url.host,
				  check->url.port[0] != '\0' ? check->url.port : "unknown",
				  check->settings->proxy != NULL ? ", through the proxy" : "",
				  times.was_connected ? ", over an open connection" : ""));
	if (!http_looks_up_in_background())
		result->hint = "Use a libcurl with the feature AsynchDNS. "
					   "With this libcurl, you cannot cancel a name "
					   "lookup.";
}

/* Checks that the certificate is trusted and names the host. */
static void
step_tls(Check *check, CheckResult *result)
{
	HttpTimes times = http_times(check->health);

	if (strcmp(check->url.scheme, "https") != 0)
	{
		result->detail = "Without TLS, the API key travels in clear text.";
		return;
	}
	if (check->health->outcome != HTTP_RESPONDED && !times.was_connected &&
		times.handshake < 0)
	{
		result->hint = "Check the server options \"base_url\", \"proxy\" and "
					   "\"ca_file\", and the clock of the database host.";
		http_raise(check->health);
	}
	pass(result, times.handshake,
		 psprintf("The certificate is trusted%s.",
				  times.was_connected ? ", over an open connection" : ""));
}

/* Checks that the API responds and is healthy. */
static void
step_health(Check *check, CheckResult *result)
{
	/* Without a response, further requests would only wait for timeouts. */
	if (check->health->outcome != HTTP_RESPONDED)
		check->obstacle = "health";
	if (!api_finish_health(check->api, check->health))
		api_raise_unhealthy(check->api, check->health);
	pass(result, http_times(check->health).response, "GET " API_HEALTH_PATH);
}

/* Fails if the API refuses the request with the HTTP status refusal. */
static void
step_verdict_on_key(Check *check, CheckResult *result, long refusal,
					const char *detail)
{
	HttpTransfer *transfer = authorized_response(check);

	if (transfer == NULL)
	{
		result->detail = "Could not be determined. See steps \"query\" "
						 "and \"record\".";
		return;
	}
	if (transfer->status == refusal)
		api_raise_refusal(check->api, transfer);
	pass(result, http_times(transfer).response, detail);
}

static void
step_key(Check *check, CheckResult *result)
{
	step_verdict_on_key(check, result, 401, "The API accepts the API key.");
}

static void
step_permission(Check *check, CheckResult *result)
{
	step_verdict_on_key(check, result, 403,
						"The API key can read opportunities.");
}

/* Checks that the API supports queries. */
static void
step_query(Check *check, CheckResult *result)
{
	HttpTransfer *transfer = query_response(check);

	if (transfer == NULL)
	{
		result->detail =
			"Skipped because the server option \"use_query\" is false.";
		return;
	}
	if (check->page == NULL)
	{
		RecordPage *page;

		(void) api_finish_query(check->api, transfer, check->wanted, &page);
		result->hint = "Set the server option \"use_query\" to "
					   "\"false\". The wrapper then requests records by "
					   "id only.";
		api_raise_refusal(check->api, transfer);
	}
	pass(result, http_times(transfer).response,
		 psprintf("POST " API_QUERY_PATH, check->settings->record_type));
}

/*
 * Checks that a record can be read by its id.  The response that there is no
 * such record is sufficient, if none is known to exist.
 */
static void
step_record(Check *check, CheckResult *result)
{
	HttpTransfer *transfer = record_response(check);
	char		 *id = id_text(&check->record_id);
	bool		  is_there = check->found != NULL;

	if (!check->record_is_decided)
		is_there =
			api_finish_record(check->api, transfer, &check->record_id,
							  &check->budget, check->wanted, &check->found);
	result->took = http_times(transfer).response;
	result->verdict =
		is_there || !expects_record(check) ? CHECK_PASSED : CHECK_FAILED;
	result->detail =
		psprintf("GET " API_RECORD_PATH "%s", check->settings->record_type, id,
				 is_there ? ""
				 : expects_record(check)
					 ? ": The API returned no record, although the query "
					   "returned its id."
					 : ": The API returned no record for a nonexistent id, as "
					   "expected.");
}

/* Checks that the API returns the schema. */
static void
step_schema(Check *check, CheckResult *result)
{
	HttpTransfer *transfer = api_ask_schema(check->api, &check->budget);
	List		 *attributes;

	await(check, transfer);
	result->hint = "Import the documented columns with IMPORT FOREIGN "
				   "SCHEMA ... OPTIONS (discover 'false').";
	attributes = api_finish_schema(check->api, transfer, true);
	result->hint = NULL;
	pass(result, http_times(transfer).response,
		 psprintf("GET " API_SCHEMA_PATH ": %d attributes",
				  check->settings->record_type, list_length(attributes)));
}

/* Measures the shortest round trip to the API. */
static void
step_round_trip(Check *check, CheckResult *result)
{
	double per_second = 1e6 / Max(check->round_trip, 1);

	pass(result, check->round_trip,
		 psprintf("%.*f requests per second in sequence. The wrapper sends up "
				  "to %d in "
				  "parallel.",
				  per_second < 10 ? 1 : 0, per_second,
				  check->settings->max_concurrency));
}

/*
 * Checks that queries return archived records, which only such a record proves.
 * An API that ignores the filter proves nothing, so the record must have the
 * date.  Without a proof, the step has no verdict.
 */
static void
step_archived(Check *check, CheckResult *result)
{
	RemoteFilter filter = {
		.json = "{\"field\":\"archived_at\",\"operator\":\"exists\"}"};
	ApiQuery	  query = {.limit = 1};
	HttpTransfer *transfer;
	RecordPage	 *page;
	QueryResult	  outcome;

	if (check->page == NULL)
		result->detail = "Skipped because step \"query\" did not succeed.";
	else if (!expects_record(check))
		result->detail = "Skipped because the query returned no record.";
	else if (check->request_total >= CHECK_MAX_REQUESTS)
		result->detail = "Skipped because the check has used up its requests.";
	if (result->detail != NULL)
		return;

	query.filters = list_make1(&filter);
	transfer = api_start_query(check->api, &query, NULL, &check->budget);
	await(check, transfer);
	outcome = api_finish_query(check->api, transfer, check->wanted, &page);
	result->took = http_times(transfer).response;
	if (outcome != QUERY_PAGE)
		result->detail = "The API rejects a filter on \"archived_at\".";
	else if (page->count == 0)
		result->detail = "The query returned no archived record. Either "
						 "none exists, or queries hide them.";
	else if (!record_has_value(
				 &record_read(page, 0)->attributes[check->archived_at]))
		result->detail = "The API ignores a filter on \"archived_at\".";
	else
	{
		pass(result, result->took,
			 psprintf("A query returned the archived record %s.",
					  id_text(&page->records[0].id)));
		if (!settings_trust_query(check->settings))
			result->hint =
				"Consider setting the server option "
				"\"query_returns_archived\" to \"true\". The wrapper then "
				"does not request missing ids one by one.";
	}
}

static const CheckStep check_steps[] = {
	{"mapping", step_mapping, true},
	{"reach", step_reach, true},
	{"tls", step_tls, true},
	{"health", step_health, false},
	{"key", step_key, true},
	{"permission", step_permission, true},
	{"query", step_query, false},
	{"record", step_record, false},
	{"schema", step_schema, false},
	{"round trip", step_round_trip, false},
	{"archived", step_archived, false},
};

/* Returns true if an error concerns the server, its API or the network. */
static bool
is_finding(int sqlerrcode)
{
	switch (sqlerrcode)
	{
		case ERRCODE_UNDEFINED_OBJECT: /* no user mapping */
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
		case ERRCODE_CONFIGURATION_LIMIT_EXCEEDED:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
		case ERRCODE_UNTRANSLATABLE_CHARACTER:
			return true;
		default:
			return ERRCODE_TO_CATEGORY(sqlerrcode) ==
					   ERRCODE_CONNECTION_EXCEPTION ||
				   ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_FDW_ERROR;
	}
}

/*
 * Runs a step in a subtransaction.  An error that concerns the server becomes
 * the step's result.  Another one, such as a cancel, is raised again.  The
 * subtransaction ends before anything else can fail.  Otherwise an error would
 * leave the session in it.
 */
static void
run_step(Check *check, const CheckStep *step, CheckResult *result)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData	 *error;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		step->run(check, result);
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
		if (!is_finding(error->sqlerrcode))
			ReThrowError(error);
		result->verdict = CHECK_FAILED;
		result->detail = error->detail != NULL
							 ? psprintf("%s. %s", error->message, error->detail)
							 : error->message;
		if (result->hint == NULL)
			result->hint = error->hint;
	}
	PG_END_TRY();
}

/* Adds a step's row to the result.  The column took is in milliseconds. */
static void
put_row(ReturnSetInfo *rows, const char *name, const CheckResult *result)
{
	const char *detail = result->detail != NULL ? result->detail : "";
	const char *hint = result->hint != NULL ? result->hint : "";
	Datum		values[] = {
			  CStringGetTextDatum(name),
			  BoolGetDatum(result->verdict == CHECK_PASSED),
			  NumericGetDatum(int64_div_fast_to_numeric(result->took, 3)),
			  CStringGetTextDatum(detail), CStringGetTextDatum(hint)};
	bool nulls[] = {false, result->verdict == CHECK_UNDECIDED, result->took < 0,
					result->detail == NULL, result->hint == NULL};

	tuplestore_putvalues(rows->setResult, rows->setDesc, values, nulls);
}

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
	check = palloc0(sizeof(Check));
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
	for (size_t i = 0; i < lengthof(check_steps); i++)
	{
		const CheckStep *step = &check_steps[i];
		CheckResult		 result = {.took = -1};

		/*
		 * The failure of an earlier step can make this one useless, but a
		 * measured round trip needs no request.
		 */
		if (check->obstacle != NULL &&
			(step->run != step_round_trip || check->round_trip < 0))
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
