/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * options.c
 *	  Fuzz target: the name and the text of an option -> the validator -> the
 *	  readers, and libcurl's reading of a URL.
 *
 * An input is a byte, the name of the option up to the end of a line, and its
 * value.  The bits of the byte: 1: a superuser sets the option, 2: the database is
 * in LATIN1, 4: allow_http is also set.
 *
 * Apart from memory errors, the target checks that the code can read each option
 * that the validator accepts, with a value in its documented range and with the
 * checked meaning.  Above all, the key never travels in clear text by mistake.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <math.h>

#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "access/reloptions.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "http/http.h"
#include "option/option.h"

#include "shim.h"

#define SUPERUSER 1
#define LATIN1 2
#define ALLOW_HTTP 4

#define PATH "/api/v2/opportunity/3c90c3cc-0d44-4b50-8888-8dd25736052a"

/* The objects that have options; InvalidOid: IMPORT FOREIGN SCHEMA. */
static const Oid catalogs[] = {ForeignServerRelationId, ForeignTableRelationId,
							   AttributeRelationId, UserMappingRelationId,
							   InvalidOid};

static bool		   is_superuser;
static Oid		   catalog; /* of the object with the options */
static List		  *options;
static Settings	  *settings;
static const char *name;
static const char *value;

static List			*add_option(List *list, const char *option, char *text);
static void			 set_options(void *argument);
static void			 read_options(void *argument);
static void			 check_error(const ErrorData *error);
static void			 check_settings(void);
static void			 check_base_url(void);
static void			 check_column(const ColumnSettings *column);
static void			 check_key(const char *key);
static void			 check_credential(const char *text);
static char			*part_of_url(const char *url, CURLUPart part);
static void			 check_connects_to_loopback(const char *url);
static curl_socket_t note_address(void *arg, curlsocktype purpose,
								  struct curl_sockaddr *address);

extern Datum opportunity_fdw_validator(PG_FUNCTION_ARGS);

void
fuzz_input(char *data, size_t size)
{
	char *line_end;

	line_end = size > 0 ? memchr(data + 1, '\n', size - 1) : NULL;
	if (line_end == NULL)
		return;
	*line_end = '\0';
	is_superuser = (data[0] & SUPERUSER) != 0;
	shim_set_database_encoding(data[0] & LATIN1 ? PG_LATIN1 : PG_UTF8);
	name = data + 1;
	value = line_end + 1;
	if (!shim_is_server_text(name) || !shim_is_server_text(value))
		return; /* not valid in this database */

	shim_libraries_begin();
	for (size_t i = 0; i < lengthof(catalogs); i++)
	{
		ErrorData *error;

		catalog = catalogs[i];
		options = add_option(NIL, name, line_end + 1);
		if (data[0] & ALLOW_HTTP && catalog == ForeignServerRelationId)
			options = add_option(options, "allow_http", "true");
		if (catalog == UserMappingRelationId && strcmp(name, "api_key") != 0)
			options = add_option(options, "api_key", "key");
		error = shim_catch(set_options, NULL);
		if (error != NULL)
		{
			check_error(error);
			shim_outcome_error(error);
			continue;
		}
		FUZZ_CHECK(shim_catch(read_options, NULL) == NULL);
		shim_outcome(name);
	}
	shim_libraries_end();
}

static List *
add_option(List *list, const char *option, char *text)
{
	DefElem *element = palloc0(sizeof(DefElem));

	element->type = T_DefElem;
	element->defname = pstrdup(option);
	element->arg = (Node *) text; /* see defGetString */
	return lappend(list, element);
}

/* Runs the validator or, for an import, the reader. */
static void
set_options(void *argument)
{
	LOCAL_FCINFO(fcinfo, 2);

	(void) argument;
	if (!OidIsValid(catalog))
	{
		(void) import_option_discover(options);
		return;
	}
	memset(fcinfo, 0, SizeForFunctionCallInfo(2));
	fcinfo->nargs = 2;
	fcinfo->args[1].value = ObjectIdGetDatum(catalog);
	opportunity_fdw_validator(fcinfo);
}

/* Reads the accepted options. */
static void
read_options(void *argument)
{
	(void) argument;
	settings = settings_read(1);
	check_settings();
	if (catalog == ForeignServerRelationId && strcmp(name, "base_url") == 0)
		check_base_url();
	if (catalog == AttributeRelationId)
	{
		FormData_pg_attribute attribute = {.attname = {"column"}, .attnum = 1};

		check_column(column_settings_read(settings, &attribute));
	}
	if (catalog == UserMappingRelationId)
	{
		Credentials *credentials = credentials_read(settings, 1);

		check_key(credentials->api_key);
		check_credential(credentials->proxy_user);
		check_credential(credentials->proxy_password);
	}
}

/* Checks that an error does not show a rejected key or password. */
static void
check_error(const ErrorData *error)
{
	FUZZ_CHECK(error->sqlerrcode == ERRCODE_FDW_INVALID_OPTION_NAME ||
			   error->sqlerrcode == ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE ||
			   error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE);
	if (catalog == UserMappingRelationId && strcmp(name, "api_key") == 0)
		FUZZ_CHECK(strcmp(error->message,
						  "invalid value for option \"api_key\"") == 0 &&
				   strncmp(error->detail, "An API key consists of ", 23) == 0 &&
				   error->hint == NULL);
	if (catalog == UserMappingRelationId && strncmp(name, "proxy_", 6) == 0 &&
		error->sqlerrcode == ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE)
		FUZZ_CHECK(strncmp(error->message, "invalid value for option \"proxy_",
						   32) == 0 &&
				   strncmp(error->detail, "The value must have ", 20) == 0 &&
				   error->hint == NULL);
}

/* Checks the ranges of doc/reference.md. */
static void
check_settings(void)
{
	size_t length = strlen(settings->record_type);

	FUZZ_CHECK(settings->connect_timeout >= 0.1 &&
			   settings->connect_timeout <= 3600);
	FUZZ_CHECK(settings->request_timeout >= 0.1 &&
			   settings->request_timeout <= 3600);
	FUZZ_CHECK(settings->max_retries >= 0 && settings->max_retries <= 100);
	FUZZ_CHECK(settings->max_retry_wait >= 0 &&
			   settings->max_retry_wait <= 3600);
	FUZZ_CHECK(settings->max_response_size >= 1 &&
			   settings->max_response_size <= 1000);
	FUZZ_CHECK(settings->max_requests >= 0);
	FUZZ_CHECK(settings->max_concurrency >= 1 &&
			   settings->max_concurrency <= 100);
	FUZZ_CHECK(settings->page_size >= 1 && settings->page_size <= 10000);
	FUZZ_CHECK(settings->cache_ttl >= 0);
	FUZZ_CHECK(settings->invalid_value == INVALID_VALUE_ERROR ||
			   settings->invalid_value == INVALID_VALUE_NULL);
	FUZZ_CHECK(settings->fdw_startup_cost >= 0 &&
			   settings->fdw_tuple_cost >= 0);
	FUZZ_CHECK(length > 0 &&
			   strcspn(settings->record_type, "/?#%. ") == length);
	FUZZ_CHECK(settings->ca_file == NULL ||
			   (is_superuser && settings->ca_file[0] == '/'));
	FUZZ_CHECK(settings->proxy == NULL || strchr(settings->proxy, '@') == NULL);
}

/* Checks that a request, and its key, goes to the host that the validator checked. */
static void
check_base_url(void)
{
	char	*url = psprintf("%s%s", settings->base_url, PATH);
	char	*path = part_of_url(url, CURLUPART_PATH);
	UrlParts parts;

	FUZZ_CHECK(url_parse(settings->base_url, &parts));
	FUZZ_CHECK(strpbrk(settings->base_url, "@?#") == NULL);
	FUZZ_CHECK(strcmp(part_of_url(url, CURLUPART_HOST), parts.host) == 0);
	FUZZ_CHECK(strcmp(part_of_url(url, CURLUPART_SCHEME), parts.scheme) == 0);
	FUZZ_CHECK(part_of_url(url, CURLUPART_QUERY) == NULL);
	FUZZ_CHECK(part_of_url(url, CURLUPART_USER) == NULL);
	FUZZ_CHECK(strlen(path) >= strlen(PATH) &&
			   strcmp(path + strlen(path) - strlen(PATH), PATH) == 0);
	if (strcmp(parts.scheme, "https") == 0)
		return;

	FUZZ_CHECK(strcmp(parts.scheme, "http") == 0 && is_superuser);
	FUZZ_CHECK(parts.is_loopback || settings->allow_http);
	if (!parts.is_loopback)
		return;

	/* Only addresses, because a name needs a name server. */
	if (parts.host[0] == '[' ||
		strspn(parts.host, "0123456789.") == strlen(parts.host))
		check_connects_to_loopback(url);
	else
		FUZZ_CHECK(pg_strcasecmp(parts.host, "localhost") == 0);
}

static void
check_column(const ColumnSettings *column)
{
	FUZZ_CHECK(column->field[0] != '\0');
	FUZZ_CHECK(column->is_record == (strcmp(column->field, "*") == 0));
	FUZZ_CHECK(column->key == NULL || column->key[0] != '\0');
	FUZZ_CHECK(strchr(column->field, '.') == NULL);
}

/* Checks that a key has no character that ends its header. */
static void
check_key(const char *key)
{
	if (key == NULL)
		return;
	FUZZ_CHECK(key[0] != '\0' && strlen(key) <= 4096);
	for (; *key != '\0'; key++)
		FUZZ_CHECK(*key > ' ' && *key <= '~');
}

/* Checks that a credential has no control characters. */
static void
check_credential(const char *text)
{
	if (text == NULL)
		return;
	FUZZ_CHECK(text[0] != '\0');
	for (; *text != '\0'; text++)
		FUZZ_CHECK((unsigned char) *text >= ' ' && *text != 0x7f);
}

/* Returns a part of a URL, or NULL. */
static char *
part_of_url(const char *url, CURLUPart part)
{
	CURLU *handle = curl_url();
	char  *text = NULL;
	char  *copy = NULL;

	FUZZ_CHECK(curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK);
	if (curl_url_get(handle, part, &text, 0) == CURLUE_OK)
		copy = pstrdup(text);
	curl_free(text);
	curl_url_cleanup(handle);
	return copy;
}

/* Checks the address that libcurl connects to. */
static void
check_connects_to_loopback(const char *url)
{
	CURL *easy = curl_easy_init();
	bool  has_address = false;

	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, note_address);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &has_address);
	FUZZ_CHECK(curl_easy_perform(easy) == CURLE_COULDNT_CONNECT);
	FUZZ_CHECK(has_address);
	curl_easy_cleanup(easy);
}

static curl_socket_t
note_address(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void) purpose;
	*(bool *) arg = true;
	if (address->family == AF_INET)
	{
		struct sockaddr_in *in = (struct sockaddr_in *) &address->addr;

		FUZZ_CHECK(ntohl(in->sin_addr.s_addr) >> 24 == 127);
	}
	else
	{
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &address->addr;

		FUZZ_CHECK(address->family == AF_INET6);
		FUZZ_CHECK(IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr));
	}
	return CURL_SOCKET_BAD;
}

/* --- Replacements for functions of the backend: catalogs and options --- */

char *
defGetString(DefElem *element)
{
	return (char *) element->arg;
}

List *
untransformRelOptions(Datum datum)
{
	FUZZ_CHECK(datum == (Datum) 0);
	return options;
}

ForeignServer *
GetForeignServer(Oid id)
{
	ForeignServer *server = palloc0(sizeof(ForeignServer));

	(void) id;
	server->servername = "s";
	server->options = catalog == ForeignServerRelationId ? options : NIL;
	return server;
}

ForeignTable *
GetForeignTable(Oid id)
{
	ForeignTable *table = palloc0(sizeof(ForeignTable));

	(void) id;
	table->options = catalog == ForeignTableRelationId ? options : NIL;
	return table;
}

List *
GetForeignColumnOptions(Oid id, AttrNumber number)
{
	(void) id;
	(void) number;
	return options;
}

UserMapping *
GetUserMapping(Oid user, Oid server)
{
	UserMapping *mapping = palloc0(sizeof(UserMapping));

	(void) user;
	(void) server;
	mapping->options = options;
	return mapping;
}

char *
GetUserNameFromId(Oid user, bool missing_ok)
{
	(void) user;
	(void) missing_ok;
	return "u";
}

bool
superuser(void)
{
	return is_superuser;
}

bool
superuser_arg(Oid user)
{
	(void) user;
	return is_superuser;
}

bool
parse_bool(const char *text, bool *result)
{
	*result = pg_strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
	return *result || pg_strcasecmp(text, "false") == 0 ||
		   strcmp(text, "0") == 0;
}

/* Splits names; does not handle quotes. */
bool
SplitIdentifierString(char *text, char separator, List **names)
{
	char delimiters[] = {separator, '\0'};

	*names = NIL;
	for (char *item; (item = strsep(&text, delimiters)) != NULL;)
	{
		if (item[0] == '\0' || strpbrk(item, " \"") != NULL)
			return false;
		*names = lappend(*names, item);
	}
	return true;
}

/* Opens a file whose content is its name. */
FILE *
AllocateFile(const char *file_name, const char *mode)
{
	return fmemopen(unconstify(char *, file_name), strlen(file_name), mode);
}

int
FreeFile(FILE *file)
{
	return fclose(file);
}

/* Reads a size in MB, with the units of guc.c. */
bool
parse_int(const char *text, int *result, int flags, const char **hint)
{
	static const struct
	{
		const char *unit;
		double		factor;
	} units[] = {{"", 1},	{"B", 1 / 1048576.0}, {"kB", 1 / 1024.0},
				 {"MB", 1}, {"GB", 1024},		  {"TB", 1048576}};
	char  *end;
	double number = strtod(text, &end);

	(void) hint;
	FUZZ_CHECK(flags == GUC_UNIT_MB);
	end += strspn(end, " ");
	for (size_t i = 0; end > text && i < lengthof(units); i++)
	{
		if (strcmp(end, units[i].unit) != 0)
			continue;
		number = rint(number * units[i].factor);
		if (isnan(number) || number < INT_MIN || number > INT_MAX)
			return false;
		*result = (int) number;
		return true;
	}
	return false;
}

#if PG_VERSION_NUM >= 160000
void
initClosestMatch(ClosestMatchState *state, const char *source, int max_d)
{
	(void) source;
	(void) max_d;
	state->match = NULL;
}

void
updateClosestMatch(ClosestMatchState *state, const char *candidate)
{
	state->match = candidate;
}

const char *
getClosestMatch(ClosestMatchState *state)
{
	return state->match;
}
#endif
