/* SPDX-License-Identifier: PostgreSQL */
/*-------------------------------------------------------------------------
 *
 * attribute.c
 *	  Attributes and value types, as the API documents them, and the attribute
 *	  of a column.
 *
 * Must not know records or catalogs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "option/option.h"

/*
 * Operators that are pushed down by default for a value type.  They cannot omit
 * a record that SQL would keep, regardless of the API's treatment of case, NULL
 * and rounding.  Its order of texts is not documented.
 */
#define BIT(name) OPERATOR_BIT(OPERATOR_##name)
#define TRUTH (BIT(EQ) | BIT(NE) | BIT(EXISTS))
#define IDENTITY (TRUTH | BIT(IN) | BIT(NOT_IN))
#define TEXT (IDENTITY | BIT(CONTAINS) | BIT(STARTS_WITH) | BIT(ENDS_WITH))
#define RANGE \
	(BIT(GT) | BIT(GTE) | BIT(LT) | BIT(LTE) | BIT(BETWEEN) | BIT(EXISTS))
#define NOTHING 0

/* A value type whose value is the scalar itself. */
#define SCALAR(name, type) name, type, NULL, NULL, false

/* A select or a stage.  The form of its value in filters is not documented. */
#define SELECT "text", "display_value", "id", true, NOTHING, false

static const ValueType value_types[] = {
	{SCALAR("uuid", "uuid"), IDENTITY, false},
	{SCALAR("string", "text"), TEXT, false},
	{SCALAR("long_text", "text"), TEXT, false},
	{SCALAR("rich_text", "text"), NOTHING, false},
	{SCALAR("enum", "text"), IDENTITY, false},
	{SCALAR("email", "text"), TEXT, false},
	{SCALAR("phone_number", "text"), TEXT, false},
	{SCALAR("url", "text"), TEXT, false},
	{SCALAR("number", "numeric"), RANGE, true},
	{SCALAR("percent", "numeric"), RANGE, true},
	{SCALAR("boolean", "boolean"), TRUTH, false},
	{SCALAR("date", "date"), RANGE, true},
	{SCALAR("time", "time"), NOTHING, false},
	{SCALAR("timestamp", "timestamptz"), RANGE, true},
	{"currency", "numeric", "amount", NULL, false, RANGE, true},
	{"record_reference", "uuid", "related_record_id", NULL, false, IDENTITY,
	 false},
	{"select", SELECT},
	{"opportunity_stage", SELECT},
	{"contact_stage", SELECT},
	{"account_stage", SELECT},
};

/* Attributes of an opportunity, in the order of the documented response. */
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
 * Returns the value type of a name.  Returns NULL if it is unknown or its
 * values have no scalar (address, contact_email, ...); such values are kept as
 * JSON.
 */
const ValueType *
value_type_find(const char *name)
{
	for (size_t i = 0; i < lengthof(value_types); i++)
	{
		if (value_types[i].name[0] == name[0] &&
			strcmp(value_types[i].name, name) == 0)
			return &value_types[i];
	}
	return NULL;
}

/*
 * Returns the documented attribute of a name for a record type, or NULL.  Three
 * attributes are documented for all record types, the others for opportunities.
 */
const DocumentedAttribute *
documented_attribute_find(const char *record_type, const char *name)
{
	bool is_documented = strcmp(record_type, OPTION_DEFAULT_RECORD_TYPE) == 0 ||
						 strcmp(name, "id") == 0 ||
						 strcmp(name, "created_at") == 0 ||
						 strcmp(name, "updated_at") == 0;

	for (int i = 0; is_documented && i < documented_attribute_count; i++)
	{
		if (strcmp(documented_attributes[i].name, name) == 0)
			return &documented_attributes[i];
	}
	return NULL;
}

/*
 * Sets the attribute that a column shows, palloc'd.  The option "attribute", or
 * by default the column's name, gives it.  A key of the value follows the first
 * dot.
 */
void
column_set_field(ColumnSettings *column, const char *column_name)
{
	const char *text =
		column->attribute != NULL ? column->attribute : column_name;
	char *dot;

	column->field = pstrdup(pg_server_to_any(text, strlen(text), PG_UTF8));
	column->is_record = strcmp(column->field, "*") == 0;
	dot = strchr(column->field, '.');
	if (dot != NULL)
	{
		*dot = '\0';
		column->key = dot + 1;
	}
}

/* Returns true if the column shows the whole value of an attribute. */
bool
column_shows(const ColumnSettings *column, const char *attribute)
{
	return column->key == NULL && strcmp(column->field, attribute) == 0;
}
