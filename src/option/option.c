/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * option.c
 *	  The table of options, the validator, and the readers of settings.
 *
 * The validator, its hints and the readers share option_table.  Must not know
 * plans, scans or transfers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>
#include <sys/stat.h>

#include "access/reloptions.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "base/compat.h"
#include "http/http.h"
#include "option/option.h"

PG_FUNCTION_INFO_V1(opportunity_fdw_validator);

/* The names of the operators, by RemoteOperator. */
static const char *const api_operators[] = {
	[OPERATOR_EQ] = "eq",
	[OPERATOR_NE] = "ne",
	[OPERATOR_IN] = "in",
	[OPERATOR_NOT_IN] = "not_in",
	[OPERATOR_CONTAINS] = "contains",
	[OPERATOR_STARTS_WITH] = "starts_with",
	[OPERATOR_ENDS_WITH] = "ends_with",
	[OPERATOR_GT] = "gt",
	[OPERATOR_GTE] = "gte",
	[OPERATOR_LT] = "lt",
	[OPERATOR_LTE] = "lte",
	[OPERATOR_BETWEEN] = "between",
	[OPERATOR_EXISTS] = "exists",
	[OPERATOR_NOT_EXISTS] = "not_exists",
};

/* Raises the error of a value, and shows it: it must not be a secret. */
pg_noreturn static void
raise_invalid_value(const char *name, const char *text, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"", name, text),
			 errhint("%s", hint)));
}

/* Raises an error without the value.  format: a message with the name. */
pg_noreturn static void
raise_problem(const char *name, const char *format, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE), errmsg(format, name),
			 hint != NULL ? errhint("%s", hint) : 0));
}

/* Returns a text in UTF-8, which may be the text itself. */
static char *
to_utf8(const char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

/* Checks base_url, except that check_transport decides about http. */
static void
check_base_url(const char *name, const char *value)
{
	UrlParts parts;

	if (!url_parse(value, &parts) || (strcmp(parts.scheme, "https") != 0 &&
									  strcmp(parts.scheme, "http") != 0))
		raise_problem(name, "option \"%s\" is not an https URL",
					  "Specify a URL such as \"https://api.reevo.ai\", with an "
					  "optional port and path.");
	if (strchr(value, '@') != NULL)
		raise_problem(
			name, "option \"%s\" must not contain a user name or a password",
			"Set the API key with the user mapping option \"api_key\".");
	if (strpbrk(value, "?#") != NULL)
		raise_problem(
			name, "option \"%s\" must not contain a query or a fragment", NULL);
}

/* Checks proxy: a proxy URL as libcurl accepts it, without credentials. */
static void
check_proxy(const char *name, const char *value)
{
	const char *schemes[] = {"http",	"https",  "socks4",
							 "socks4a", "socks5", "socks5h"};
	UrlParts	parts;

	/* First, because credentials can be the reason why the rest is not a URL. */
	if (strchr(value, '@') != NULL)
		raise_problem(
			name, "option \"%s\" must not contain a user name or a password",
			"Set the user mapping options \"proxy_user\" and "
			"\"proxy_password\".");
	if (strstr(value, "://") == NULL)
		value = psprintf("http://%s", value);
	if (strpbrk(value, "?#") == NULL && url_parse(value, &parts))
	{
		for (size_t i = 0; i < lengthof(schemes); i++)
		{
			if (strcmp(parts.scheme, schemes[i]) == 0)
				return;
		}
	}
	raise_problem(name, "option \"%s\" is not a proxy URL",
				  "Specify a URL such as \"http://proxy.example:3128\". Valid "
				  "schemes are http, https, socks4, socks4a, socks5 and "
				  "socks5h.");
}

/*
 * Checks ca_file: an absolute path.  Requests read the file.  It need not exist
 * yet, because the server's definition can be a dump of another machine.
 */
static void
check_ca_file(const char *name, const char *value)
{
	if (!is_absolute_path(value))
		raise_problem(name, "option \"%s\" must be an absolute path", NULL);
}

/* Checks record_type: one segment of a path, which needs no escapes. */
static void
check_record_type(const char *name, const char *value)
{
	if (value[0] == '\0' || strlen(value) > 128 ||
		strspn(value,
			   "abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != strlen(value))
		raise_invalid_value(name, value,
							"Specify a record type such as \"opportunity\", of "
							"letters, digits, underscores and hyphens.");
}

/* Checks attribute: "*", or a name, optionally followed by a dot and a key. */
static void
check_attribute(const char *name, const char *value)
{
	const char *dot = strchr(value, '.');

	if (value[0] == '\0' || dot == value || strncmp(value, "*.", 2) == 0 ||
		(dot != NULL && (dot[1] == '\0' || strchr(dot + 1, '.') != NULL)))
		raise_invalid_value(
			name, value,
			"Specify an attribute such as \"stage\", a key of its value such "
			"as \"stage.closing_probability\", or \"*\" for the whole record.");
}

/* Returns the RemoteOperator of that name, or -1. */
int
remote_operator_find(const char *name)
{
	for (size_t i = 0; i < lengthof(api_operators); i++)
	{
		if (strcmp(api_operators[i], name) == 0)
			return i;
	}
	return -1;
}

/* Returns an operator's name in the API. */
const char *
remote_operator_name(RemoteOperator remote_operator)
{
	return api_operators[remote_operator];
}

/*
 * Returns the operators in a value of filter_operators, a comma-separated list,
 * as a set of OPERATOR_BIT.  Raises an error with all valid names for any other
 * text.
 */
static int
parse_operators(const char *name, const char *text)
{
	int		  operators = 0;
	List	 *items;
	ListCell *cell;

	/* A text that is no list is unknown as a whole. */
	if (!SplitIdentifierString(pstrdup(text), ',', &items))
		items = list_make1(pstrdup(text));
	foreach(cell, items)
	{
		int			   found = remote_operator_find(lfirst(cell));
		StringInfoData valid;

		if (found >= 0)
		{
			operators |= OPERATOR_BIT(found);
			continue;
		}
		initStringInfo(&valid);
		for (size_t i = 0; i < lengthof(api_operators); i++)
			appendStringInfo(&valid, "%s%s", i > 0 ? ", " : "",
							 api_operators[i]);
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
						errmsg("invalid operator in option \"%s\": \"%s\"",
							   name, (char *) lfirst(cell)),
						errhint("Valid operators are: %s.", valid.data)));
	}
	return operators;
}

/*
 * Checks api_key: printable ASCII without spaces, so that it cannot end the
 * header that contains it.  The error does not show the key.
 */
static void
check_api_key(const char *name, const char *value)
{
	bool valid = value[0] != '\0' && strlen(value) <= 4096;

	for (const char *c = value; valid && *c != '\0'; c++)
		valid = (unsigned char) *c > ' ' && (unsigned char) *c < 0x7f;
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("invalid value for option \"%s\"", name),
				 errdetail("An API key consists of 1 to 4096 printable ASCII "
						   "characters without spaces.")));
}

/* Checks proxy_user and proxy_password.  The error does not show the value. */
static void
check_proxy_credential(const char *name, const char *value)
{
	bool valid = value[0] != '\0' && strlen(value) <= 4096;

	/* U+0080 to U+009F are control characters, too. */
	for (const unsigned char *c = (const unsigned char *) to_utf8(value);
		 valid && *c != '\0'; c++)
		valid = *c >= ' ' && *c != 0x7f && (*c != 0xc2 || c[1] >= 0xa0);
	if (!valid)
		ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
						errmsg("invalid value for option \"%s\"", name),
						errdetail("The value must have 1 to 4096 bytes, and no "
								  "control characters.")));
}

/* The objects that an option belongs to. */
#define ON_SERVER (1 << 0)
#define ON_TABLE (1 << 1)
#define ON_COLUMN (1 << 2)
#define ON_USER (1 << 3)
#define ON_IMPORT (1 << 4)
#define ON_BOTH (ON_SERVER | ON_TABLE)

#define SUPERUSER_ONLY (1 << 5) /* to set the option */

typedef enum OptionKind
{
	OPTION_BOOL,
	OPTION_TERNARY, /* an int, which is -1 if the option is not set */
	OPTION_INT,
	OPTION_SIZE, /* in MB, with a unit of memory if you give one */
	OPTION_REAL,
	OPTION_TEXT,
	OPTION_OPERATORS,
	OPTION_INVALID_VALUE
} OptionKind;

/*
 * One option.  Its value is stored at an offset in the struct of its object:
 * Settings, ColumnSettings, Credentials or, for an import, a bool.
 */
typedef struct OptionDef
{
	const char *name;
	size_t		offset;
	int			contexts;
	OptionKind	kind;
	const char *default_value; /* NULL: none */
	double		min;		   /* of a number, or of a size in MB */
	double		max;

	/* of a text: raises an error if it is not acceptable */
	void (*check)(const char *name, const char *value);
} OptionDef;

/* An option has the name of its field. */
#define SETTING(field) #field, offsetof(Settings, field)
#define COLUMN(field) #field, offsetof(ColumnSettings, field)
#define CREDENTIAL(field) #field, offsetof(Credentials, field)

static const OptionDef option_table[] = {
	{SETTING(base_url), ON_SERVER, OPTION_TEXT, "https://api.reevo.ai", 0, 0,
	 check_base_url},
	{SETTING(allow_http), ON_SERVER | SUPERUSER_ONLY, OPTION_BOOL, "false", 0,
	 0, NULL},
	{SETTING(proxy), ON_SERVER, OPTION_TEXT, NULL, 0, 0, check_proxy},
	{SETTING(ca_file), ON_SERVER | SUPERUSER_ONLY, OPTION_TEXT, NULL, 0, 0,
	 check_ca_file},
	{SETTING(connect_timeout), ON_SERVER, OPTION_REAL, "10", 0.1, 3600, NULL},
	{SETTING(request_timeout), ON_SERVER, OPTION_REAL, "30", 0.1, 3600, NULL},
	{SETTING(max_retries), ON_SERVER, OPTION_INT, "5", 0, 100, NULL},
	{SETTING(max_retry_wait), ON_SERVER, OPTION_REAL, "60", 0, 3600, NULL},
	{SETTING(max_response_size), ON_SERVER, OPTION_SIZE, "64MB", 1, 1000, NULL},
	{SETTING(max_requests), ON_BOTH, OPTION_INT, "0", 0, INT_MAX, NULL},
	{SETTING(max_concurrency), ON_BOTH, OPTION_INT, "8", 1, 100, NULL},
	{SETTING(page_size), ON_BOTH, OPTION_INT, "100", 1, 10000, NULL},
	{SETTING(use_query), ON_BOTH, OPTION_BOOL, "true", 0, 0, NULL},
	{SETTING(cache_ttl), ON_BOTH, OPTION_INT, "0", 0, INT_MAX, NULL},
	{SETTING(query_returns_archived), ON_BOTH, OPTION_BOOL, "false", 0, 0,
	 NULL},
	{SETTING(include_archived), ON_BOTH, OPTION_BOOL, "true", 0, 0, NULL},
	{SETTING(invalid_value), ON_BOTH, OPTION_INVALID_VALUE, "error", 0, 0,
	 NULL},
	{SETTING(fdw_startup_cost), ON_BOTH, OPTION_REAL, "100", 0, 1e10, NULL},
	{SETTING(fdw_tuple_cost), ON_BOTH, OPTION_REAL, "0.01", 0, 1e10, NULL},
	{SETTING(record_type), ON_TABLE, OPTION_TEXT, OPTION_DEFAULT_RECORD_TYPE, 0,
	 0, check_record_type},
	{COLUMN(attribute), ON_COLUMN, OPTION_TEXT, NULL, 0, 0, check_attribute},
	{COLUMN(filter_operators), ON_COLUMN, OPTION_OPERATORS, NULL, 0, 0, NULL},
	{COLUMN(sortable), ON_COLUMN, OPTION_TERNARY, NULL, 0, 0, NULL},
	{COLUMN(invalid_value), ON_COLUMN, OPTION_INVALID_VALUE, NULL, 0, 0, NULL},
	{CREDENTIAL(api_key), ON_USER, OPTION_TEXT, NULL, 0, 0, check_api_key},
	{CREDENTIAL(proxy_user), ON_USER, OPTION_TEXT, NULL, 0, 0,
	 check_proxy_credential},
	{CREDENTIAL(proxy_password), ON_USER, OPTION_TEXT, NULL, 0, 0,
	 check_proxy_credential},
	{"discover", 0, ON_IMPORT, OPTION_BOOL, NULL, 0, 0, NULL},
};

/* Returns the option of that name in that context, or NULL. */
static const OptionDef *
find_option(const char *name, int context)
{
	for (size_t i = 0; i < lengthof(option_table); i++)
	{
		if ((option_table[i].contexts & context) != 0 &&
			strcmp(option_table[i].name, name) == 0)
			return &option_table[i];
	}
	return NULL;
}

/* Raises an error with the closest option, or before 16 with all options. */
pg_noreturn static void
report_unknown_option(const char *name, int context)
{
	const char *hint = "There are no valid options in this context.";
#if PG_VERSION_NUM >= 160000
	const char		 *closest;
	ClosestMatchState match;

	initClosestMatch(&match, name, 4);
	for (size_t i = 0; i < lengthof(option_table); i++)
	{
		if ((option_table[i].contexts & context) != 0)
			updateClosestMatch(&match, option_table[i].name);
	}
	closest = getClosestMatch(&match);
	if (closest != NULL)
		hint = psprintf("Perhaps you meant the option \"%s\".", closest);
	else if (context != 0)
		hint = NULL;
#else
	StringInfoData names;

	initStringInfo(&names);
	for (size_t i = 0; i < lengthof(option_table); i++)
	{
		if ((option_table[i].contexts & context) != 0)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
							 option_table[i].name);
	}
	if (names.len > 0)
		hint = psprintf("Valid options in this context are: %s", names.data);
#endif
	ereport(ERROR, (errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					errmsg("invalid option \"%s\"", name),
					hint != NULL ? errhint("%s", hint) : 0));
}

/* Returns the number that a text denotes: a whole one for OPTION_INT. */
static double
parse_number(const OptionDef *option, const char *text)
{
	double number;
	char  *end = NULL;

	errno = 0;
	number = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || isnan(number) ||
		number < option->min || number > option->max ||
		(option->kind == OPTION_INT && number != floor(number)))
		raise_invalid_value(
			option->name, text,
			psprintf("Valid values are %s from %.15g to %.15g.",
					 option->kind == OPTION_INT ? "whole numbers" : "numbers",
					 option->min, option->max));
	return number;
}

/*
 * Parses and checks one value, and stores it in its object's struct: a bool,
 * int, double or char *, depending on the option's kind.  Raises an error for
 * an invalid value.
 */
static void
parse_option(const OptionDef *option, const char *text, void *object)
{
	void	   *target = (char *) object + option->offset;
	const char *problem = NULL;
	bool		is_true;
	int			size;

	switch (option->kind)
	{
		case OPTION_BOOL:
		case OPTION_TERNARY:
			if (!parse_bool(text, &is_true))
				raise_invalid_value(option->name, text,
									"Valid values are true and false.");
			if (option->kind == OPTION_BOOL)
				*(bool *) target = is_true;
			else
				*(int *) target = is_true;
			break;
		case OPTION_INT:
			*(int *) target = (int) parse_number(option, text);
			break;
		case OPTION_REAL:
			*(double *) target = parse_number(option, text);
			break;
		case OPTION_SIZE:
			if (!parse_int(text, &size, GUC_UNIT_MB, &problem) ||
				size < option->min || size > option->max)
				raise_invalid_value(
					option->name, text,
					psprintf("Valid values are sizes from %.0fMB to %.0fMB.",
							 option->min, option->max));
			*(int *) target = size;
			break;
		case OPTION_TEXT:
			option->check(option->name, text);
			*(char **) target = pstrdup(text);
			break;
		case OPTION_OPERATORS:
			*(int *) target = parse_operators(option->name, text);
			break;
		case OPTION_INVALID_VALUE:
			is_true = strcmp(text, "null") == 0;
			if (!is_true && strcmp(text, "error") != 0)
				raise_invalid_value(option->name, text,
									"Valid values are: error, null.");
			*(int *) target =
				is_true ? INVALID_VALUE_NULL : INVALID_VALUE_ERROR;
			break;
	}
}

/*
 * Stores the values of a list of options in their object.  Raises an error for
 * an invalid value.  If a command passes the list (is_new), also raises one
 * for an unknown name, and for an option that only a superuser may set.
 */
static void
read_options(List *options, int context, bool is_new, void *object)
{
	ListCell *cell;

	foreach(cell, options)
	{
		DefElem			*def = lfirst_node(DefElem, cell);
		const OptionDef *option = find_option(def->defname, context);

		if (option == NULL && is_new)
			report_unknown_option(def->defname, context);
		if (option == NULL)
			continue;
		if (is_new && (option->contexts & SUPERUSER_ONLY) != 0 && !superuser())
			ereport(
				ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set option \"%s\"", option->name),
				 errdetail("Only superusers may set this option, or change "
						   "other options of a server that has it."),
				 errhint("Ask a superuser to change the options.")));
		parse_option(option, defGetString(def), object);
	}
}

/*
 * Raises an error for a server that would send the key in clear text.  A
 * superuser may use http: for a loopback host, or with allow_http for any host.
 */
static void
check_transport(const Settings *server)
{
	UrlParts parts;

	if (server->base_url == NULL || !url_parse(server->base_url, &parts) ||
		strcmp(parts.scheme, "http") != 0)
		return;

	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set option \"base_url\" to an "
						"http URL"),
				 errdetail("The API key would travel in clear text."),
				 errhint("Use an https URL, or ask a superuser to set the "
						 "option.")));
	if (!parts.is_loopback && !server->allow_http)
		ereport(
			ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 errmsg("option \"base_url\" must be an https URL"),
			 errdetail("The API key would travel to host \"%s\" in clear "
					   "text.",
					   parts.host),
			 errhint("Use an https URL, or set the option \"allow_http\" to "
					 "\"true\".")));
}

/*
 * Warns if ca_file has no certificate that this process can read.  Does not
 * open a FIFO, which would block, nor a device, which may have no end.
 */
static void
try_ca_file(const char *value)
{
	struct stat status;
	bool		found = false;
	char		line[256];

	if (stat(value, &status) < 0 || S_ISREG(status.st_mode))
	{
		FILE *file = AllocateFile(value, PG_BINARY_R);

		if (file == NULL)
		{
			ereport(WARNING, (errcode_for_file_access(),
							  errmsg("could not open file \"%s\" of option "
									 "\"ca_file\": %m",
									 value),
							  errhint("Make the file readable for the server "
									  "process. Until then, requests fail.")));
			return;
		}
		while (!found && fgets(line, sizeof(line), file) != NULL)
		{
			CHECK_FOR_INTERRUPTS();
			found = strncmp(line, "-----BEGIN ", 11) == 0 &&
					strstr(line, "CERTIFICATE-----") != NULL;
		}
		FreeFile(file);
	}
	if (!found)
		ereport(WARNING,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("file \"%s\" of option \"ca_file\" contains no "
						"certificate in PEM format",
						value),
				 errhint("Add a certificate to the file. Until then, "
						 "requests fail.")));
}

/*
 * SQL function: raises the errors of read_options for a catalog object.  DDL
 * commands pass the whole list as they will store it, so options that stay are
 * checked again.
 */
Datum
opportunity_fdw_validator(PG_FUNCTION_ARGS)
{
	Oid catalog = PG_GETARG_OID(1);
	int context = catalog == ForeignServerRelationId  ? ON_SERVER
				  : catalog == ForeignTableRelationId ? ON_TABLE
				  : catalog == AttributeRelationId	  ? ON_COLUMN
				  : catalog == UserMappingRelationId  ? ON_USER
													  : 0;
	union
	{
		Settings	   server;
		ColumnSettings column;
		Credentials	   user;
	} object = {0};

	read_options(untransformRelOptions(PG_GETARG_DATUM(0)), context, true,
				 &object);
	if (context == ON_SERVER)
	{
		check_transport(&object.server);
		if (object.server.ca_file != NULL)
			try_ca_file(object.server.ca_file);
	}
	PG_RETURN_VOID();
}

/* Returns the settings of a server and the defaults of tables, palloc'd. */
static Settings *
read_server(Oid serverid)
{
	Settings *settings = palloc0(sizeof(Settings));
	size_t	  length;

	settings->serverid = serverid;
	for (size_t i = 0; i < lengthof(option_table); i++)
	{
		const OptionDef *option = &option_table[i];

		if (option->default_value != NULL)
			parse_option(option, option->default_value, settings);
	}
	read_options(GetForeignServer(serverid)->options, ON_SERVER, false,
				 settings);

	length = strlen(settings->base_url);
	while (length > 0 && settings->base_url[length - 1] == '/')
		settings->base_url[--length] = '\0';
	return settings;
}

/* Returns the settings of a foreign table, with defaults.  Palloc'd. */
Settings *
settings_read(Oid relid)
{
	ForeignTable *table = GetForeignTable(relid);
	Settings	 *settings = read_server(table->serverid);

	settings->relid = relid;
	read_options(table->options, ON_TABLE, false, settings);
	return settings;
}

/*
 * Returns the settings that a new table of a record type would have, palloc'd.
 * Raises an error if the name is not valid for a record type.
 */
Settings *
settings_read_server(Oid serverid, const char *record_type)
{
	Settings *settings = read_server(serverid);

	parse_option(find_option("record_type", ON_TABLE), record_type, settings);
	return settings;
}

/*
 * Returns true if a record that a query does not return needs no GET: queries
 * return each record, or the table does not show the records that they omit.
 */
bool
settings_trust_query(const Settings *settings)
{
	return settings->query_returns_archived || !settings->include_archived;
}

/* Returns the settings of one column of a foreign table, palloc'd. */
ColumnSettings *
column_settings_read(const Settings *table, Form_pg_attribute attribute)
{
	ColumnSettings *column = palloc0(sizeof(ColumnSettings));

	column->filter_operators = -1;
	column->sortable = -1;
	column->invalid_value = table->invalid_value;
	read_options(GetForeignColumnOptions(table->relid, attribute->attnum),
				 ON_COLUMN, false, column);
	column_set_field(column, NameStr(attribute->attname));
	return column;
}

/*
 * Returns the option discover, the only one of IMPORT FOREIGN SCHEMA.
 * PostgreSQL passes it to no validator, so this function raises its errors.
 */
bool
import_option_discover(List *options)
{
	bool discover = true;

	read_options(options, ON_IMPORT, true, &discover);
	return discover;
}

/*
 * Returns the credentials of a user for the table's server, palloc'd.  Raises
 * PostgreSQL's own error if the user has no mapping, and an error if the
 * mapping has no key and the user is not a superuser.  Without the latter, any
 * user could access a server that trusts the address of the database's machine.
 */
Credentials *
credentials_read(const Settings *settings, Oid userid)
{
	UserMapping *mapping = GetUserMapping(userid, settings->serverid);
	Credentials *credentials = palloc0(sizeof(Credentials));
	const char	*user;
	const char	*server;

	credentials->umid = mapping->umid;
	read_options(mapping->options, ON_USER, false, credentials);
	if (credentials->proxy_user != NULL)
		credentials->proxy_user = to_utf8(credentials->proxy_user);
	if (credentials->proxy_password != NULL)
		credentials->proxy_password = to_utf8(credentials->proxy_password);

	if (credentials->api_key != NULL || superuser_arg(userid))
		return credentials;
	user = MappingUserName(userid);
	server = GetForeignServer(settings->serverid)->servername;
	ereport(ERROR, (errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
					errmsg("user mapping for \"%s\" has no API key", user),
					errdetail("Only superusers may use server \"%s\" without "
							  "an API key.",
							  server),
					errhint("Run ALTER USER MAPPING FOR \"%s\" SERVER \"%s\" "
							"OPTIONS (ADD api_key '...').",
							user, server)));
}
