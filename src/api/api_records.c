/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_records.c
 *	  The endpoints for records: GET /api/v2/{record_type}/{id} for one, POST
 *	  /api/v2/{record_type}/_query for pages, GET /api/v2/health, and GET
 *	  /api/v2/_schema/{record_type} for the attributes.
 *
 * The API documents a code for a record that does not exist.  Any other 404 may
 * mean that the path does not exist.  Then a query decides, or the health
 * endpoint, which needs no key and shows if the server is the API.
 *
 * The API documents that a query has filters, which are ANDed, and a limit.
 * The request for a further page has only the cursor and the limit.  A cursor
 * that has expired is refused with the code invalid_cursor.  Not documented are
 * the statuses of refusals and the maximum length of an "in" list.
 *
 * The API documents that a schema has no "data" wrapper, and that absent flags
 * are false.  Custom attributes are listed among the others.
 *
 * Must not know SQL, and uses HTTP through http.h only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api_records.h"
#include "api/json_tree.h"
#include "base/id.h"

/* Maximum number of merged records that a statement reports. */
#define MAX_MERGED_REPORTS 10

/* Smallest cap on a query's results that an API is expected to have. */
#define SMALLEST_CAP 500

/* Largest schema that is parsed.  Its tree takes many times the memory. */
#define MAX_SCHEMA_MB 8

/* Hint for an import whose schema cannot be used. */
#define NO_DISCOVERY_HINT \
	"Import the documented columns with OPTIONS (discover 'false')."

/* Counts received records for the session, and for the statement. */
static void
count_records(const Api *api, int count)
{
	api->connection->stats->records += count;
	if (api->record_total != NULL)
		*api->record_total += count;
}

/* --- Queries --- */

/*
 * Starts the request for a query's first page, or with a cursor for the page
 * that it stands for.  The API takes the filters and the sort from the cursor.
 * The transfer lives until http_end, or as long as the Api.  Leaves the text in
 * the current context.  Raises an error if the budget is exhausted.
 */
HttpTransfer *
api_start_query(Api *api, const ApiQuery *query, const char *cursor,
				HttpBudget *budget)
{
	List		  *filters = cursor == NULL ? query->filters : NIL;
	StringInfoData body;
	ListCell	  *cell;

	initStringInfo(&body);
	appendStringInfoChar(&body, '{');
	if (cursor != NULL)
		appendStringInfo(&body, "\"cursor\":%s,", json_quote(cursor));
	foreach(cell, filters)
		appendStringInfo(&body, "%s%s",
						 foreach_current_index(cell) > 0 ? ","
														 : "\"filters\":[",
						 ((RemoteFilter *) lfirst(cell))->json);
	if (filters != NIL)
		appendStringInfoString(&body, "],");
	if (cursor == NULL && query->sort != NULL)
		appendStringInfo(
			&body, "\"sort\":[{\"field\":%s,\"direction\":\"%s\"}],",
			json_quote(query->sort), query->is_descending ? "desc" : "asc");
	appendStringInfo(&body, "\"limit\":%d}", query->limit);
	return api_start(api, ENDPOINT_QUERY,
					 psprintf(API_QUERY_PATH, api->settings->record_type),
					 body.data, budget);
}

/*
 * Returns the result that a refusal means for a query.  A server without
 * queries may not know the path or the method, or treat "_query" as a record's
 * id.  Raises an error if the failure does not depend on the query.
 */
static QueryResult
classify_refusal(const ApiProblem *problem)
{
	static const struct
	{
		const char *code;
		QueryResult result;
	} codes[] = {
		{"invalid_cursor", QUERY_CURSOR_GONE},
		{"invalid_filter_field", QUERY_FILTER_REFUSED},
		{"invalid_filter_operator", QUERY_FILTER_REFUSED},
		{"invalid_filter_value", QUERY_VALUE_REFUSED},
		{"unsortable_field", QUERY_SORT_REFUSED},
		{"sort_too_many_fields", QUERY_SORT_REFUSED},
	};

	for (size_t i = 0; i < lengthof(codes); i++)
	{
		if (strcmp(problem->code, codes[i].code) == 0)
			return codes[i].result;
	}
	switch (problem->status)
	{
		case 400:
		case 413:
		case 414:
		case 422:
			return QUERY_REFUSED;
		case 404:
		case 410:
			if (strcmp(problem->code, API_UNKNOWN_TYPE) == 0)
				api_raise_problem(problem);
			return QUERY_NOT_SUPPORTED;
		case 405:
		case 501:
			return QUERY_NOT_SUPPORTED;
		default:
			if (problem->status != 0 && problem->status < 300)
				api_raise_malformed(
					problem, "page of records",
					psprintf("unexpected HTTP status %ld", problem->status));
			api_raise_problem(problem);
	}
}

/*
 * Parses a complete response, like record_parse_page.  Status 204 is an empty
 * page, and any other status but 200 is RECORD_FAILURE.
 */
static RecordStatus
parse_page(const HttpTransfer *transfer, const AttributeSet *wanted,
		   RecordPage **page, char **reason)
{
	static const char empty[sizeof("{\"data\":[]}") + JSON_PADDING] =
		"{\"data\":[]}";

	if (transfer->status == 204)
		return record_parse_page(wanted, empty, strlen(empty), page, reason);
	if (transfer->status != 200)
		return RECORD_FAILURE;
	return record_parse_page(wanted, transfer->body, transfer->length, page,
							 reason);
}

/*
 * Waits for the response to a query and parses it.  *page is made in the
 * current memory context and points into the response, which lives until
 * http_end.  Raises an error for a response that QueryResult does not describe,
 * and if there is none.
 */
QueryResult
api_finish_query(Api *api, HttpTransfer *transfer, const AttributeSet *wanted,
				 RecordPage **page)
{
	char		*reason = NULL;
	RecordStatus status;
	ApiProblem	 problem;

	*page = NULL;
	do
	{
		api_wait(transfer);
		status = parse_page(transfer, wanted, page, &reason);
		if (api_check_response(api, transfer, "page of records", status, reason,
							   &problem))
		{
			Assert(*page != NULL);
			count_records(api, (*page)->count);
			return QUERY_PAGE;
		}
	} while (api_retry(&problem));
	return classify_refusal(&problem);
}

/* Like api_finish_query, but returns false unless a page has arrived. */
bool
api_try_page(const Api *api, const HttpTransfer *transfer,
			 const AttributeSet *wanted, RecordPage **page)
{
	char *ignored;

	if (transfer->outcome != HTTP_RESPONDED ||
		parse_page(transfer, wanted, page, &ignored) != RECORD_OK)
		return false;
	count_records(api, (*page)->count);
	return true;
}

/*
 * Returns true if a retry does not help, but another query may: the response is
 * too large, or complete and not a page as documented.  The transfer must be
 * over.
 */
bool
api_is_unusable_page(const HttpTransfer *transfer, const AttributeSet *wanted)
{
	RecordPage	*page;
	char		*ignored;
	RecordStatus status;

	if (transfer->outcome != HTTP_RESPONDED)
		return transfer->outcome == HTTP_TOO_LARGE;
	status = parse_page(transfer, wanted, &page, &ignored);
	return status == RECORD_MALFORMED;
}

/*
 * Returns the doubt about a query whose last page was read.  The number of
 * records suggests a cap if it is large and round, or large with a full last
 * page.  received: number of the query's records.  limit: of its pages.
 */
EndDoubt
api_doubt_end(const Api *api, const RecordPage *page, int64 received, int limit)
{
	if (received >= SMALLEST_CAP &&
		(received % 100 == 0 || page->count >= limit))
		return DOUBT_CAP;
	return (page->has_more || page->total > received ||
			(page->count == 0 && received > 0)) &&
				   !api_facts(api)->has_false_counts
			   ? DOUBT_COUNTS
			   : DOUBT_NONE;
}

/* Notes that a doubtful end was the end: the API's counts are no evidence. */
void
api_note_end(const Api *api, EndDoubt doubt)
{
	if (doubt == DOUBT_COUNTS)
		api_facts(api)->has_false_counts = true;
}

/*
 * Returns true if the API refuses a request for lack of a valid key or a
 * permission.  The transfer must be over.
 */
bool
api_is_denial(const Api *api, HttpTransfer *transfer)
{
	ApiProblem problem = api_read_problem(api, transfer);

	return transfer->outcome == HTTP_RESPONDED && !problem.is_throttling &&
		   (problem.status == 401 ||
			(problem.status == 403 && !problem.is_gateway));
}

/* Raises the error of a response whose status is neither 200 nor 404. */
void
api_raise_refusal(const Api *api, HttpTransfer *transfer)
{
	ApiProblem problem = api_read_problem(api, transfer);

	api_raise_problem(&problem);
}

/* --- Health --- */

/* Starts the request of the health endpoint, which needs no key. */
HttpTransfer *
api_ask_health(Api *api, HttpBudget *budget)
{
	return api_start(api, ENDPOINT_HEALTH, API_HEALTH_PATH, NULL, budget);
}

/*
 * Waits for the response to api_ask_health, and returns true if the API is
 * healthy.  Only a healthy state is kept for the session.  Raises an error if
 * there is no complete response, or if it reports a temporary failure.
 */
bool
api_finish_health(Api *api, HttpTransfer *transfer)
{
	ApiProblem problem;

	do
	{
		api_wait(transfer);
		problem = api_read_problem(api, transfer);
	} while (api_retry(&problem));
	if (problem.is_throttling || problem.status >= 500)
		api_raise_problem(&problem);
	if (transfer->status != 200 || !problem.is_healthy)
		return false;
	api->connection->is_healthy = true;
	return true;
}

/* Returns true if the API is healthy, without a request if it was before. */
static bool
is_healthy_api(Api *api, HttpBudget *budget)
{
	HttpTransfer *transfer;
	bool		  is_healthy;

	if (api->connection->is_healthy)
		return true;
	transfer = api_ask_health(api, budget);
	is_healthy = api_finish_health(api, transfer);
	http_end(transfer);
	return is_healthy;
}

/* Raises the error of an API that does not report that it is healthy. */
void
api_raise_unhealthy(const Api *api, HttpTransfer *transfer)
{
	ApiProblem problem = api_read_problem(api, transfer);

	api_raise(&problem, ERRCODE_FDW_ERROR, "API health check failed",
			  psprintf("Check the server option \"base_url\" (\"%s\").",
					   api->settings->base_url));
}

/* --- Records --- */

/* Starts GET /api/v2/{record_type}/{id}, like api_start_query. */
HttpTransfer *
api_get_record(Api *api, const pg_uuid_t *id, HttpBudget *budget)
{
	char *path =
		psprintf(API_RECORD_PATH, api->settings->record_type, id_text(id));

	return api_start(api, ENDPOINT_RECORD, path, NULL, budget);
}

/* Warns that the API returned another record than the requested one. */
static void
report_merged(Api *api, const pg_uuid_t *old_id, const pg_uuid_t *id)
{
	if (++api->merged_total > MAX_MERGED_REPORTS)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("API returned record %s instead of record %s", id_text(id),
					id_text(old_id)),
			 errdetail("Record %s was probably merged. It has no row.%s",
					   id_text(old_id),
					   api->merged_total == MAX_MERGED_REPORTS
						   ? " Further warnings of this kind are suppressed."
						   : "")));
}

/*
 * Returns true if the record is known to be missing, without a request: by the
 * response's code, or because the path has worked before.  Notes that the path
 * works.
 */
static bool
is_known_missing(const Api *api, const ApiProblem *problem)
{
	ApiFacts *facts = api_facts(api);

	if (strcmp(problem->code, API_RECORD_NOT_FOUND) == 0)
		facts->has_record_path = true;
	return facts->has_record_path &&
		   strcmp(problem->code, API_UNKNOWN_TYPE) != 0;
}

/*
 * Returns true if a query does not find the record of a response with status
 * 404 or 410 either, so that the path is correct.  Without queries, the health
 * endpoint decides whether the server is the API.
 */
static bool
is_missing_for_query(Api *api, const pg_uuid_t *id, HttpBudget *budget)
{
	ApiQuery	  query = {.limit = 1};
	HttpTransfer *transfer;
	RecordPage	 *page;
	bool		  is_missing = true;

	if (!api->settings->use_query)
		return is_healthy_api(api, budget);
	query.filters = list_make1(remote_filter_create(
		ID_FIELD, OPERATOR_IN, psprintf("[\"%s\"]", id_text(id))));
	transfer = api_start_query(api, &query, NULL, budget);
	if (api_finish_query(api, transfer, attribute_set_create(), &page) ==
		QUERY_PAGE)
	{
		Assert(page != NULL);
		for (int i = 0; i < page->count; i++)
			is_missing = is_missing &&
						 memcmp(&page->records[i].id, id, sizeof(*id)) != 0;
		if (is_missing)
			api_facts(api)->has_record_path = true;
	}
	else
		is_missing = transfer->status != 404 && transfer->status != 410 &&
					 is_healthy_api(api, budget);
	http_end(transfer);
	return is_missing;
}

/* Like record_parse.  Any status but 200 is RECORD_FAILURE. */
static RecordStatus
parse_record_response(const HttpTransfer *transfer, const AttributeSet *wanted,
					  Record **record, char **reason)
{
	return transfer->status == 200
			   ? record_parse(wanted, transfer->body, transfer->length, record,
							  reason)
			   : RECORD_FAILURE;
}

/*
 * Parses a response to api_get_record like api_finish_record, if it has arrived
 * and needs no error, warning or further request.  *record is NULL if there is
 * no such record.  Returns false for any other response.  Does not wait.
 */
bool
api_try_record(const Api *api, HttpTransfer *transfer, const pg_uuid_t *id,
			   const AttributeSet *wanted, Record **record)
{
	ApiProblem problem;
	char	  *ignored;

	*record = NULL;
	if (transfer->outcome != HTTP_RESPONDED)
		return false;
	if (transfer->status == 204)
		return true;
	if (transfer->status == 404 || transfer->status == 410)
	{
		problem = api_read_problem(api, transfer);
		return !problem.is_cut && is_known_missing(api, &problem);
	}
	if (parse_record_response(transfer, wanted, record, &ignored) !=
			RECORD_OK ||
		memcmp(&(*record)->id, id, sizeof(*id)) != 0)
		return false;
	api_facts(api)->has_record_path = true;
	count_records(api, 1);
	return true;
}

/*
 * Waits for the response, and returns true if the API has the record.  *record
 * is like api_finish_query's *page.  A record that was merged into another one
 * is missing, with a warning.  Raises an error for any other response.
 */
bool
api_finish_record(Api *api, HttpTransfer *transfer, const pg_uuid_t *id,
				  HttpBudget *budget, const AttributeSet *wanted,
				  Record **record)
{
	char	  *reason = NULL;
	ApiProblem problem;

	do
	{
		RecordStatus status;

		api_wait(transfer);
		if (api_try_record(api, transfer, id, wanted, record))
			return *record != NULL;
		status = parse_record_response(transfer, wanted, record, &reason);
		if (api_check_response(api, transfer, "record", status, reason,
							   &problem))
		{
			Assert(*record != NULL);
			api_facts(api)->has_record_path = true;
			report_merged(api, id, &(*record)->id);
			*record = NULL;
			return false;
		}
		/* Discard the partly parsed response. */
		*record = NULL;
	} while (api_retry(&problem));

	if ((problem.status == 404 || problem.status == 410) &&
		(is_known_missing(api, &problem) ||
		 (strcmp(problem.code, API_UNKNOWN_TYPE) != 0 &&
		  is_missing_for_query(api, id, budget))))
		return false;
	api_raise_problem(&problem);
}

/* --- The schema --- */

/* Starts GET /api/v2/_schema/{record_type}, like api_start_query. */
HttpTransfer *
api_ask_schema(Api *api, HttpBudget *budget)
{
	return api_start(api, ENDPOINT_SCHEMA,
					 psprintf(API_SCHEMA_PATH, api->settings->record_type),
					 NULL, budget);
}

/* Memory context callback: releases a tree. */
static void
release_tree(void *arg)
{
	json_decref(arg);
}

/*
 * Parses a response into a tree, which jansson allocates, and which the current
 * memory context releases.  The callback is registered before that.
 */
static json_t *
load_owned(const HttpTransfer *transfer, bool *is_cut)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	callback->func = release_tree;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	if (transfer->length > 0)
		callback->arg = api_load_json(transfer, is_cut);
	return callback->arg;
}

/* Returns true if status 200 hides a failure, with or without a schema. */
static bool
reports_failure(const HttpTransfer *transfer, const json_t *root,
				const ApiProblem *problem)
{
	RecordPage *page;
	char	   *ignored;

	if (!json_is_array(json_object_get(root, "attributes")))
		return problem->code[0] != '\0' || problem->message[0] != '\0';
	return record_parse_page(attribute_set_create(), transfer->body,
							 transfer->length, &page,
							 &ignored) == RECORD_FAILURE;
}

/* Returns a palloc'd string member of an object, in UTF-8; NULL: none. */
static char *
copy_text(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) ? pstrdup(json_string_value(value)) : NULL;
}

/* Returns an attribute, palloc'd.  Sets *problem if it is not as documented. */
static SchemaAttribute *
schema_read_attribute(const json_t *value, const char **problem)
{
	SchemaAttribute *attribute = palloc0(sizeof(SchemaAttribute));
	const json_t	*type = json_object_get(value, "type_info");
	json_t			*operators = NULL;
	json_t			*name;
	size_t			 i;

	attribute->name = copy_text(value, "api_name");
	attribute->display_name = copy_text(value, "display_name");
	attribute->description = copy_text(value, "description");
	attribute->value_type = copy_text(type, "value_type");
	attribute->is_list = json_is_true(json_object_get(type, "is_array"));
	attribute->is_custom = json_is_true(json_object_get(value, "is_custom"));
	attribute->is_sortable =
		json_is_true(json_object_get(value, "is_sortable"));
	if (json_is_true(json_object_get(value, "is_filterable")))
		operators = json_object_get(value, "filter_operators");
	json_array_foreach(operators, i, name)
	{
		if (json_is_string(name))
			attribute->operators =
				lappend(attribute->operators, pstrdup(json_string_value(name)));
	}

	if (attribute->name == NULL || attribute->name[0] == '\0')
		*problem = "\"api_name\" must be a nonempty string";
	else if (attribute->value_type == NULL)
		*problem = "\"value_type\" must be a string";
	return attribute;
}

/* Returns a schema's attributes.  Raises an error for NULL, or no schema. */
static List *
read_attributes(const ApiProblem *response, const json_t *root)
{
	json_t	   *list = json_object_get(root, "attributes");
	const char *problem = NULL;
	List	   *attributes = NIL;
	size_t		i;
	json_t	   *value;

	if (root == NULL)
		problem = "invalid JSON";
	else if (!json_is_object(root))
		problem = "response must be an object";
	else if (!json_is_array(list))
		problem = "\"attributes\" must be an array";
	if (problem != NULL)
		api_raise_malformed(response, "schema", problem);
	json_array_foreach(list, i, value)
	{
		attributes =
			lappend(attributes, schema_read_attribute(value, &problem));
		if (problem != NULL)
			api_raise_malformed(
				response, "schema",
				psprintf("attribute %d: %s", (int) i + 1, problem));
	}
	return attributes;
}

/*
 * Raises the error of a refusal.  A key may lack just this permission, and a
 * server just this path, so these have their own messages and hints.
 */
pg_noreturn static void
raise_unavailable(const ApiProblem *problem, bool for_import)
{
	const Settings *settings = problem->api->settings;

	if (problem->status == 403 && !problem->is_throttling &&
		!problem->is_gateway)
		api_raise(problem, ERRCODE_INSUFFICIENT_PRIVILEGE,
				  psprintf("API key lacks permission to read the schema of "
						   "record type \"%s\"",
						   settings->record_type),
				  for_import ? NO_DISCOVERY_HINT
							 : "Use an API key with read permission for the "
							   "schema.");
	if (problem->status == 404 || problem->status == 405 ||
		problem->status == 501)
		api_raise(
			problem, ERRCODE_FDW_TABLE_NOT_FOUND,
			psprintf("schema of record type \"%s\" not found",
					 settings->record_type),
			psprintf(for_import
						 ? "Check the server option \"base_url\" (\"%s\"), "
						   "or import the documented columns with "
						   "OPTIONS (discover 'false')."
						 : "Check the server option \"base_url\" (\"%s\") "
						   "and the foreign table option "
						   "\"record_type\".",
					 settings->base_url));
	api_raise_problem(problem);
}

/*
 * Waits for the response to api_ask_schema and returns its attributes: a list
 * of SchemaAttributes in the current memory context, in the API's order.
 * Raises an error if there is no schema.  for_import: the hint names the import
 * option discover.
 */
List *
api_finish_schema(const Api *api, HttpTransfer *transfer, bool for_import)
{
	ApiProblem problem;
	json_t	  *root;

	do
	{
		api_wait(transfer);
		if (transfer->status == 200 &&
			transfer->length > (size_t) MAX_SCHEMA_MB * 1024 * 1024)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("API schema is larger than %d MB", MAX_SCHEMA_MB),
					 for_import ? errhint(NO_DISCOVERY_HINT) : 0));
		problem = api_read_problem(api, transfer);
		if (transfer->status != 200)
			continue;
		root = load_owned(transfer, &problem.is_cut);
		problem.is_cut = problem.is_cut || transfer->length == 0;
		if (!problem.is_cut && !reports_failure(transfer, root, &problem))
			return read_attributes(&problem, root);
	} while (api_retry(&problem));
	raise_unavailable(&problem, for_import);
}

/* Returns jansson's version, as compiled, as a palloc'd string. */
char *
api_json_library_version(void)
{
	return psprintf("jansson %s", JANSSON_VERSION);
}
