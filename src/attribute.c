/*-------------------------------------------------------------------------
 *
 * attribute.c
 *	  The documented attributes and value types of the API, and which
 *	  attribute a column shows.
 *
 * Facts about the API stand here as tables; nothing here reads a record or a
 * catalog.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "attribute.h"

/* A value type whose value is the scalar itself. */
#define SCALAR(name, type)            \
	{                                 \
		name, type, NULL, NULL, false \
	}

/* A value type with a display value: the selects and the stages. */
#define SELECT(name)                              \
	{                                             \
		name, "text", "display_value", "id", true \
	}

static const ValueType value_types[] = {
	SCALAR("uuid", "uuid"),
	SCALAR("string", "text"),
	SCALAR("long_text", "text"),
	SCALAR("rich_text", "text"),
	SCALAR("enum", "text"),
	SCALAR("email", "text"),
	SCALAR("phone_number", "text"),
	SCALAR("url", "text"),
	SCALAR("number", "numeric"),
	SCALAR("percent", "numeric"),
	SCALAR("boolean", "boolean"),
	SCALAR("date", "date"),
	SCALAR("time", "time"),
	SCALAR("timestamp", "timestamptz"),
	{"currency", "numeric", "amount", NULL, false},
	{"record_reference", "uuid", "related_record_id", NULL, false},
	SELECT("select"),
	SELECT("opportunity_stage"),
	SELECT("contact_stage"),
	SELECT("account_stage"),
};

/* The attributes of an opportunity, in the order of the documented answer. */
const DocumentedAttribute documented_attributes[] = {
	{"id", "uuid", false},
	{"organization_id", "uuid", false},
	{"created_at", "timestamp", false},
	{"display_name", "string", false},
	{"status", "enum", false},
	{"stage", "opportunity_stage", false},
	{"owner_user_id", "record_reference", false},
	{"account_id", "record_reference", false},
	{"participant_user_id_list", "record_reference", true},
	{"created_by_user_id", "record_reference", false},
	{"updated_at", "timestamp", false},
	{"next_step_details", "long_text", false},
	{"next_step_due_at", "timestamp", false},
	{"next_meeting_date", "timestamp", false},
	{"target_go_live_date", "timestamp", false},
	{"amount", "currency", false},
	{"forecast_weighted_amount", "currency", false},
	{"outcome", "enum", false},
	{"created_source", "enum", false},
	{"anticipated_closing_at", "timestamp", false},
	{"closed_at", "timestamp", false},
	{"archived_at", "timestamp", false},
	{"expires_at", "timestamp", false},
	{"last_activity_at", "timestamp", false},
	{"last_voice_call", "timestamp", false},
	{"last_meeting", "timestamp", false},
	{"last_global_thread", "timestamp", false},
	{"last_engaged_at", "timestamp", false},
	{"last_outreached_at", "timestamp", false},
	{"last_inbound_meeting_at", "timestamp", false},
	{"last_inbound_voice_call_at", "timestamp", false},
	{"last_inbound_global_thread_at", "timestamp", false},
	{"last_outbound_meeting_at", "timestamp", false},
	{"last_outbound_voice_call_at", "timestamp", false},
	{"last_outbound_global_thread_at", "timestamp", false},
	{"stage_last_shifted_at", "timestamp", false},
	{"owner_team_id", "record_reference", false},
	{"closed_by_user_id", "record_reference", false},
	{"primary_contact_id", "record_reference", false},
	{"updated_by_user_id", "record_reference", false},
	{"closed_lost_custom_detail", "long_text", false},
	{"closed_won_custom_detail", "long_text", false},
	{"competitors_mentioned_other", "string", true},
	{"primary_competitor_other", "string", false},
	{"type_id", "select", false},
};

const int documented_attribute_count = lengthof(documented_attributes);

/*
 * The value type of that name.  NULL where it is unknown or its values have no
 * scalar (address, contact_email, ...): such values are kept as JSON.
 */
const ValueType *
value_type_find(const char *name)
{
	for (size_t i = 0; i < lengthof(value_types); i++)
	{
		if (strcmp(value_types[i].name, name) == 0)
			return &value_types[i];
	}
	return NULL;
}

/*
 * Reads what a column shows from its option "attribute", or from its name where
 * there is none.  A key inside the value follows the first dot.
 */
AttributePath *
attribute_path_read(const ColumnSettings *column, const char *column_name)
{
	AttributePath *path = palloc0(sizeof(AttributePath));
	const char	  *text =
		   column->attribute != NULL ? column->attribute : column_name;
	char *dot;

	path->attribute = pstrdup(pg_server_to_any(text, strlen(text), PG_UTF8));
	if (strcmp(path->attribute, "*") == 0)
	{
		path->is_record = true;
		return path;
	}

	dot = strchr(path->attribute, '.');
	if (dot != NULL)
	{
		*dot = '\0';
		path->key = dot + 1;
	}
	return path;
}

/* Whether the column shows the record's id. */
bool
attribute_path_is_id(const AttributePath *path)
{
	return !path->is_record && path->key == NULL &&
		   strcmp(path->attribute, "id") == 0;
}
