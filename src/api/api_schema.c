/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * api_schema.c
 *	  GET /api/v2/_schema/{record_type}: the attributes of records.
 *
 * The API documents that the response has no "data" wrapper, and that absent
 * flags are false.  Custom attributes are listed among the others.
 *
 * Must not know SQL, and uses HTTP through http.h only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "api/api_schema.h"
#include "api/json_tree.h"

/* Largest schema that is parsed.  Its tree takes many times the memory. */
#define MAX_SCHEMA_MB 8

/* Hint for an import whose schema cannot be used. */
#define NO_DISCOVERY_HINT \
	"Import the documented columns with OPTIONS (discover 'false')."

/*
 * Starts the request.  The transfer lives until http_end, or as long as the
 * Api.
 */
HttpTransfer *
api_ask_schema(Api *api, HttpBudget *budget)
{
	char *path = psprintf(API_SCHEMA_PATH, api->settings->record_type);

	return api_start(api, ENDPOINT_SCHEMA, path, NULL, budget);
}

/* Memory context callback: releases a tree. */
static void
release_tree(void *arg)
{
	json_decref(arg);
}

/* Parses a response into a tree that the current memory context owns. */
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

/*
 * Returns true if a response with status 200 reports a failure, even with a
 * schema.
 */
static bool
reports_failure(const HttpTransfer *transfer, const json_t *root,
				const ApiProblem *problem)
{
	RecordPage *page;
	char	   *ignored;

	if (!json_is_array(json_object_get(root, "attributes")))
		return problem->code[0] != '\0' || problem->message[0] != '\0';
	return record_parse_page(attribute_set_create(), api_body(transfer),
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

/* Returns the strings of a list, palloc'd. */
static List *
read_operators(const json_t *list)
{
	List *operators = NIL;

	for (size_t i = 0; i < json_array_size(list); i++)
	{
		const json_t *name = json_array_get(list, i);

		if (json_is_string(name))
			operators = lappend(operators, pstrdup(json_string_value(name)));
	}
	return operators;
}

/* Returns an attribute.  Sets *problem if it is not as documented. */
static SchemaAttribute *
schema_read_attribute(const json_t *value, const char **problem)
{
	SchemaAttribute *attribute = palloc0(sizeof(SchemaAttribute));
	const json_t	*type = json_object_get(value, "type_info");

	attribute->name = copy_text(value, "api_name");
	attribute->display_name = copy_text(value, "display_name");
	attribute->description = copy_text(value, "description");
	attribute->value_type = copy_text(type, "value_type");
	attribute->is_list = json_is_true(json_object_get(type, "is_array"));
	attribute->is_custom = json_is_true(json_object_get(value, "is_custom"));
	attribute->is_sortable =
		json_is_true(json_object_get(value, "is_sortable"));
	if (json_is_true(json_object_get(value, "is_filterable")))
		attribute->operators =
			read_operators(json_object_get(value, "filter_operators"));

	if (attribute->name == NULL || attribute->name[0] == '\0')
		*problem = "\"api_name\" must be a nonempty string";
	else if (attribute->value_type == NULL)
		*problem = "\"value_type\" must be a string";
	return attribute;
}

static List *
read_attributes(const ApiProblem *response, const json_t *root)
{
	const json_t *list = json_object_get(root, "attributes");
	const char	 *problem = NULL;
	List		 *attributes = NIL;
	size_t		  i;
	json_t		 *value;

	if (root == NULL)
		problem = "invalid JSON";
	else if (!json_is_object(root))
		problem = "response must be an object";
	else if (!json_is_array(list))
		problem = "\"attributes\" must be an array";
	for (i = 0; problem == NULL && i < json_array_size(list); i++)
	{
		value = json_array_get(list, i);
		attributes =
			lappend(attributes, schema_read_attribute(value, &problem));
		if (problem != NULL)
			problem = psprintf("attribute %d: %s", (int) i + 1, problem);
	}
	if (problem != NULL)
		api_raise_malformed(response, "schema", problem);
	return attributes;
}

/*
 * Raises the error of a key without this permission, a server without this
 * path, or any other refusal.
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
 * Waits for the response and returns its SchemaAttributes, in the API's order.
 * Raises an error if there are none.  for_import: the hint names the import
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

/* Returns jansson's version as a palloc'd string. */
char *
api_json_library_version(void)
{
	return psprintf("jansson %s", JANSSON_VERSION);
}
