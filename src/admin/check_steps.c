/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * check_steps.c
 *	  The steps of opportunity_fdw_check(), in the order in which a new user
 *	  needs them.
 *
 * One request serves several steps, so that all steps together make at most
 * CHECK_MAX_REQUESTS.  A request is made when a step first needs its response.
 *
 * Knows nothing about libcurl or the form of the result.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_user_mapping.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "admin/check_steps.h"
#include "base/id.h"

#define CHECK_MAX_REQUESTS 5

static void try_mapping(Check *check, CheckResult *result);
static void try_reach(Check *check, CheckResult *result);
static void try_tls(Check *check, CheckResult *result);
static void try_health(Check *check, CheckResult *result);
static void try_key(Check *check, CheckResult *result);
static void try_permission(Check *check, CheckResult *result);
static void try_query(Check *check, CheckResult *result);
static void try_record(Check *check, CheckResult *result);
static void try_schema(Check *check, CheckResult *result);
static void try_round_trip(Check *check, CheckResult *result);
static void try_archived(Check *check, CheckResult *result);
static void try_verdict_on_key(Check *check, CheckResult *result, long refusal,
							   const char *detail);
static bool has_mapping(Oid userid, Oid serverid);
static void await(Check *check, HttpTransfer *transfer);
static HttpTransfer *query_response(Check *check);
static HttpTransfer *record_response(Check *check);
static bool			 expects_record(const Check *check);
static HttpTransfer *telling_response(Check *check);
static void			 judge_archived(const Check *check, const RecordPage *page,
									CheckResult *result);

const CheckStep check_steps[] = {
	{"mapping", try_mapping, true, true},
	{"reach", try_reach, true, true},
	{"tls", try_tls, true, true},
	{"health", try_health, false, true},
	{"key", try_key, true, true},
	{"permission", try_permission, true, true},
	{"query", try_query, false, true},
	{"record", try_record, false, true},
	{"schema", try_schema, false, true},
	{"round trip", try_round_trip, false, false},
	{"archived", try_archived, false, true},
};

const int check_step_count = lengthof(check_steps);

/* Checks that the current user, or PUBLIC, has a mapping with a key. */
static void
try_mapping(Check *check, CheckResult *result)
{
	Oid			serverid = check->server->serverid;
	const char *server = quote_identifier(check->server->servername);
	bool		is_own = has_mapping(GetUserId(), serverid);
	const char *name;

	if (!is_own && !has_mapping(InvalidOid, serverid))
		result->hint = psprintf("Run CREATE USER MAPPING FOR CURRENT_USER "
								"SERVER %s OPTIONS (api_key '...').",
								server);
	check->credentials = credentials_read(check->settings, GetUserId());

	name = MappingUserName(is_own ? GetUserId() : InvalidOid);
	if (check->credentials->api_key != NULL)
	{
		result->verdict = CHECK_PASSED;
		result->detail =
			psprintf("The user mapping for \"%s\" has an API key.", name);
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
try_reach(Check *check, CheckResult *result)
{
	HttpTimes times;

	check->api = api_open(check->settings, check->credentials, NULL);
	(void) url_parse(check->settings->base_url, &check->url);
	check->health = api_ask_health(check->api, &check->budget);
	await(check, check->health);

	times = http_times(check->health);
	if (!times.is_connected)
	{
		result->hint = pstrdup("Check the network and the server options "
							   "\"base_url\" and \"proxy\".");
		http_raise(check->health);
	}
	result->verdict = CHECK_PASSED;
	result->took = times.connect;
	result->detail =
		psprintf("Connected to %s, port %s%s%s.", check->url.host,
				 check->url.port != NULL ? check->url.port : "unknown",
				 check->settings->proxy != NULL ? ", through the proxy" : "",
				 times.was_connected ? ", over an open connection" : "");
	if (!http_looks_up_in_background())
		result->hint = pstrdup("Use a libcurl with the feature AsynchDNS. "
							   "With this libcurl, you cannot cancel a name "
							   "lookup.");
}

/* Checks that the certificate is trusted and names the host. */
static void
try_tls(Check *check, CheckResult *result)
{
	HttpTimes times = http_times(check->health);

	if (strcmp(check->url.scheme, "https") != 0)
	{
		result->detail =
			pstrdup("Without TLS, the API key travels in clear text.");
		return;
	}
	if (check->health->outcome != HTTP_RESPONDED && !times.was_connected &&
		times.handshake < 0)
	{
		result->hint =
			pstrdup("Check the server options \"base_url\", \"proxy\" and "
					"\"ca_file\", and the clock of the database host.");
		http_raise(check->health);
	}
	result->verdict = CHECK_PASSED;
	result->took = times.handshake;
	result->detail =
		psprintf("The certificate is trusted%s.",
				 times.was_connected ? ", over an open connection" : "");
}

/* Checks that the API responds and is healthy. */
static void
try_health(Check *check, CheckResult *result)
{
	/*
	 * Without any response, further requests would only wait for their
	 * timeouts.
	 */
	if (check->health->outcome != HTTP_RESPONDED)
		check->obstacle = "health";
	if (!api_finish_health(check->api, check->health))
		api_raise_unhealthy(check->api, check->health);
	result->verdict = CHECK_PASSED;
	result->took = http_times(check->health).response;
	result->detail = pstrdup("GET " API_HEALTH_PATH);
}

static void
try_key(Check *check, CheckResult *result)
{
	try_verdict_on_key(check, result, 401, "The API accepts the API key.");
}

static void
try_permission(Check *check, CheckResult *result)
{
	try_verdict_on_key(check, result, 403,
					   "The API key can read opportunities.");
}

/*
 * Fails if the API rejects the key, or the access, with the HTTP status
 * refusal.
 */
static void
try_verdict_on_key(Check *check, CheckResult *result, long refusal,
				   const char *detail)
{
	HttpTransfer *transfer = telling_response(check);

	if (transfer == NULL)
	{
		result->detail = pstrdup("Could not be determined. See steps \"query\" "
								 "and \"record\".");
		return;
	}
	if (transfer->status == refusal)
		api_raise_refusal(check->api, transfer);
	result->verdict = CHECK_PASSED;
	result->took = http_times(transfer).response;
	result->detail = pstrdup(detail);
}

/* Checks that the API supports queries. */
static void
try_query(Check *check, CheckResult *result)
{
	HttpTransfer *transfer = query_response(check);

	if (transfer == NULL)
	{
		result->detail = pstrdup(
			"Skipped because the server option \"use_query\" is false.");
		return;
	}
	if (check->page == NULL)
	{
		RecordPage *page;

		(void) api_finish_query(check->api, transfer, check->wanted, &page);
		result->hint =
			pstrdup("Set the server option \"use_query\" to "
					"\"false\". The wrapper then requests records by "
					"id only.");
		api_raise_refusal(check->api, transfer);
	}
	result->verdict = CHECK_PASSED;
	result->took = http_times(transfer).response;
	result->detail =
		psprintf("POST " API_QUERY_PATH, check->settings->record_type);
}

/*
 * Checks that a record can be read by its id.  The response that there is no
 * such record is sufficient, if none is known to exist.
 */
static void
try_record(Check *check, CheckResult *result)
{
	HttpTransfer *transfer = record_response(check);
	char		 *id = id_text(&check->record_id);
	bool		  is_there = check->found != NULL;

	if (!check->has_record_told)
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
try_schema(Check *check, CheckResult *result)
{
	HttpTransfer *transfer = api_ask_schema(check->api, &check->budget);
	List		 *attributes;

	await(check, transfer);
	result->hint = pstrdup("Import the documented columns with IMPORT FOREIGN "
						   "SCHEMA ... OPTIONS (discover 'false').");
	attributes = api_finish_schema(check->api, transfer, true);
	result->hint = NULL;
	result->verdict = CHECK_PASSED;
	result->took = http_times(transfer).response;
	result->detail =
		psprintf("GET " API_SCHEMA_PATH ": %d attributes",
				 check->settings->record_type, list_length(attributes));
}

/* Measures the shortest round trip to the API. */
static void
try_round_trip(Check *check, CheckResult *result)
{
	double per_second = 1e6 / Max(check->round_trip, 1);

	result->verdict = CHECK_PASSED;
	result->took = check->round_trip;
	result->detail = psprintf(
		"%.*f requests per second in sequence. The wrapper sends up to %d in "
		"parallel.",
		per_second < 10 ? 1 : 0, per_second, check->settings->max_concurrency);
}

/*
 * Checks that queries return archived records, which only such a record proves.
 */
static void
try_archived(Check *check, CheckResult *result)
{
	RemoteFilter filter = {
		.json = "{\"field\":\"archived_at\",\"operator\":\"exists\"}"};
	ApiQuery	  query = {.limit = 1};
	HttpTransfer *transfer;
	RecordPage	 *page;

	if (check->page == NULL || check->page->count == 0 ||
		check->request_total >= CHECK_MAX_REQUESTS)
	{
		result->detail = pstrdup(
			check->page == NULL
				? "Skipped because step \"query\" did not succeed."
			: check->page->count == 0
				? "Skipped because the query returned no record."
				: "Skipped because the check has used up its requests.");
		return;
	}
	query.filters = list_make1(&filter);
	transfer = api_query_first(check->api, &query, &check->budget);
	await(check, transfer);
	if (api_finish_query(check->api, transfer, check->wanted, &page) ==
		QUERY_PAGE)
		judge_archived(check, page, result);
	else
		result->detail =
			pstrdup("The API rejects a filter on \"archived_at\".");
	result->took = http_times(transfer).response;
}

/*
 * Sets the verdict from the query's page.  An API that ignores the filter
 * proves nothing.
 */
static void
judge_archived(const Check *check, const RecordPage *page, CheckResult *result)
{
	if (page->count == 0)
	{
		result->detail =
			pstrdup("The query returned no archived record. Either "
					"none exists, or queries hide them.");
		return;
	}
	if (!record_has_value(&page->records[0]->attributes[check->archived_at]))
	{
		result->detail =
			pstrdup("The API ignores a filter on \"archived_at\".");
		return;
	}
	result->verdict = CHECK_PASSED;
	result->detail = psprintf("A query returned the archived record %s.",
							  id_text(&page->records[0]->id));
	if (!settings_trust_query(check->settings))
		result->hint =
			pstrdup("Consider setting the server option "
					"\"query_returns_archived\" to \"true\". The wrapper then "
					"does not request missing ids one by one.");
}

/* Returns true if there is a user mapping; InvalidOid stands for PUBLIC. */
static bool
has_mapping(Oid userid, Oid serverid)
{
	return SearchSysCacheExists2(USERMAPPINGUSERSERVER,
								 ObjectIdGetDatum(userid),
								 ObjectIdGetDatum(serverid));
}

/* Waits until a request is complete, and notes its round trip. */
static void
await(Check *check, HttpTransfer *transfer)
{
	int64 first_byte;

	http_wait(transfer);
	first_byte = http_times(transfer).first_byte;
	if (first_byte >= 0 &&
		(check->round_trip < 0 || first_byte < check->round_trip))
		check->round_trip = first_byte;
}

/* Returns the completed request for any record; NULL if use_query is false. */
static HttpTransfer *
query_response(Check *check)
{
	ApiQuery	query = {.limit = 1};
	RecordPage *page;

	if (check->query != NULL || !check->settings->use_query)
		return check->query;
	check->query = api_query_first(check->api, &query, &check->budget);
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
		check->record_id = check->page->records[0]->id;
	check->record =
		api_get_record(check->api, &check->record_id, &check->budget);
	await(check, check->record);
	check->has_record_told =
		api_try_record(check->api, check->record, &check->record_id,
					   check->wanted, &check->found);
	return check->record;
}

/* Returns true if the query returned a record. */
static bool
expects_record(const Check *check)
{
	return check->page != NULL && check->page->count > 0;
}

/*
 * Returns the completed request whose response shows whether the API accepts
 * the key: the query, if it worked or was denied, otherwise the request for a
 * record.  Returns NULL if neither shows it.
 */
static HttpTransfer *
telling_response(Check *check)
{
	HttpTransfer *query = query_response(check);
	HttpTransfer *record;

	if (check->page != NULL ||
		(query != NULL && api_is_denial(check->api, query)))
		return query;
	record = record_response(check);
	return check->has_record_told || api_is_denial(check->api, record) ? record
																	   : NULL;
}
