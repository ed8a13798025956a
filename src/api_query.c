/*-------------------------------------------------------------------------
 *
 * api_query.c
 *	  POST /api/v2/{record_type}/_query: many records at once, page by page.
 *
 * Facts from the API's documentation: a query has filters, which are ANDed, and
 * a limit; its further pages are asked for with nothing but the cursor and the
 * limit; a cursor may be gone, with the code invalid_cursor.  The statuses of
 * refusals and the length that "in" may have are not documented.
 *
 * Knows nothing of SQL, and of HTTP only what http.h says.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api_internal.h"
#include "id.h"

/* A JSON tree of jansson, which ends with a memory context. */
typedef struct JsonTree
{
	MemoryContextCallback callback;
	json_t				 *root;
} JsonTree;

static JsonTree		*own_tree(void);
static void			 release_tree(void *arg);
static HttpTransfer *start_query(Api *api, JsonTree *body, HttpBudget *budget);
static char			*write_json(const json_t *root);
pg_noreturn static void raise_out_of_memory(void);
static QueryResult		classify_refusal(const Api *api, HttpTransfer *transfer,
										 const ApiProblem *problem);

/*
 * Starts the query for the records with the given ids, and its first page.  The
 * transfer lives until http_end, or as long as the Api.
 */
HttpTransfer *
api_query_ids(Api *api, const pg_uuid_t **ids, int count, HttpBudget *budget)
{
	JsonTree *body = own_tree();
	json_t	 *filter;
	json_t	 *values;

	body->root = json_pack("{s:[{s:s, s:s, s:[]}], s:i}", "filters", "field",
						   "id", "operator", "in", "value", "limit", count);
	filter = json_array_get(json_object_get(body->root, "filters"), 0);
	values = json_object_get(filter, "value");
	for (int i = 0; i < count && values != NULL; i++)
	{
		char *text = id_text(ids[i]);

		if (json_array_append_new(values, json_string(text)) != 0)
			raise_out_of_memory();
		pfree(text);
	}
	return start_query(api, body, budget);
}

/* Starts the query for the next page, as api_query_ids does. */
HttpTransfer *
api_query_next(Api *api, const char *cursor, int limit, HttpBudget *budget)
{
	JsonTree *body = own_tree();

	body->root = json_pack("{s:s, s:i}", "cursor", cursor, "limit", limit);
	return start_query(api, body, budget);
}

/*
 * Waits for the answer to a query and reads it.
 *
 * *page is made in the current context and points into the answer, which lives
 * until http_end.  Raises an error for any answer that is none of QueryResult,
 * and for none.
 */
QueryResult
api_finish_query(Api *api, HttpTransfer *transfer, const AttributeSet *wanted,
				 RecordPage **page)
{
	char	  *reason = NULL;
	ApiProblem problem;

	for (;;)
	{
		http_wait(transfer);
		if (transfer->outcome != HTTP_ANSWERED)
			http_raise(transfer);
		if (transfer->status == 200)
		{
			RecordStatus status = record_parse_page(
				wanted, api_body(transfer), transfer->length, page, &reason);

			if (api_check_answer(api, transfer, "a page of records", "a record",
								 status, reason))
				return QUERY_PAGE;
		}
		else
		{
			problem = api_read_problem(api, transfer);
			if (!problem.is_cut)
				return classify_refusal(api, transfer, &problem);
		}
		if (!http_retry(transfer))
			http_raise(transfer);
	}
}

/*
 * Reads the answer to a query that has come, as api_finish_query does, if it is
 * a page as documented.  Returns false for anything else, and raises no error.
 */
bool
api_try_page(const HttpTransfer *transfer, const AttributeSet *wanted,
			 RecordPage **page)
{
	char *problem;

	return transfer->outcome == HTTP_ANSWERED && transfer->status == 200 &&
		   record_parse_page(wanted, api_body_to_try(transfer),
							 transfer->length, page, &problem) == RECORD_OK;
}

/*
 * What a refusal means for the query.  A server without queries may know the
 * path or the method not to exist, or take the path for a record's.
 */
static QueryResult
classify_refusal(const Api *api, HttpTransfer *transfer,
				 const ApiProblem *problem)
{
	if (strcmp(problem->code, "invalid_cursor") == 0)
		return QUERY_CURSOR_GONE;
	if (strcmp(problem->code, "invalid_filter_field") == 0 ||
		strcmp(problem->code, "invalid_filter_operator") == 0)
		return QUERY_NOT_SUPPORTED;
	switch (transfer->status)
	{
		case 400:
		case 413:
		case 414:
		case 422:
			return QUERY_REFUSED;
		case 404:
			if (strcmp(problem->code, "unknown_record_type") == 0)
				api_raise_not_found(api, transfer, problem);
			return QUERY_NOT_SUPPORTED;
		case 405:
		case 501:
			return QUERY_NOT_SUPPORTED;
		default:
			api_raise_refusal(api, transfer);
	}
}

/* A tree to be filled in, which ends with the current context at the latest. */
static JsonTree *
own_tree(void)
{
	JsonTree *tree = palloc0(sizeof(JsonTree));

	tree->callback.func = release_tree;
	tree->callback.arg = tree;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &tree->callback);
	return tree;
}

static void
release_tree(void *arg)
{
	JsonTree *tree = arg;

	json_decref(tree->root);
	tree->root = NULL;
}

static HttpTransfer *
start_query(Api *api, JsonTree *body, HttpBudget *budget)
{
	char *path = psprintf(API_QUERY_PATH, api->settings->record_type);
	char *json = write_json(body->root);

	release_tree(body);
	return api_start(api, &api->target, path, json, budget);
}

/* The text of a tree, in the current context. */
static char *
write_json(const json_t *root)
{
	size_t length;
	char  *json;

	if (root == NULL)
		raise_out_of_memory();
	length = json_dumpb(root, NULL, 0, JSON_COMPACT);
	json = palloc(length + 1);
	if (json_dumpb(root, json, length, JSON_COMPACT) != length || length == 0)
		raise_out_of_memory();
	json[length] = '\0';
	return json;
}

static void
raise_out_of_memory(void)
{
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}
