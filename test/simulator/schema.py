# SPDX-License-Identifier: PostgreSQL
"""The schema document of a record type; operators and sorts of each value type."""

from . import jsontext, records

_EXISTENCE = ["exists", "not_exists"]
_EQUALITY = ["eq", "ne", "in", "not_in"]
_TEXT = _EQUALITY + ["contains", "starts_with", "ends_with"] + _EXISTENCE
_RANGE = ["eq", "gt", "gte", "lt", "lte", "between"] + _EXISTENCE

TEXT_TYPES = {"string", "long_text", "rich_text", "email", "phone_number", "url"}
NUMBER_TYPES = {"number", "percent", "currency"}
TIME_TYPES = {"timestamp", "date", "time"}
SELECT_TYPES = {"select", "opportunity_stage", "contact_stage", "account_stage"}

_UNSORTABLE = {"long_text", "rich_text", "record_reference", "address"} | SELECT_TYPES
_READ_ONLY = {"id", "organization_id", "created_at", "updated_at", "status", "outcome",
              "closed_at", "stage_last_shifted_at"}


def operators(value_type, is_array):
    """Returns the filter operators of a field."""
    if is_array:
        return _EXISTENCE
    if value_type in TEXT_TYPES:
        return _TEXT
    if value_type in NUMBER_TYPES or value_type in TIME_TYPES:
        return _RANGE
    if value_type == "boolean":
        return ["eq", "ne"] + _EXISTENCE
    if value_type in SELECT_TYPES or value_type in ("uuid", "enum", "record_reference"):
        return _EQUALITY + _EXISTENCE
    return _EXISTENCE


def sortable(value_type, is_array):
    known = (TEXT_TYPES | NUMBER_TYPES | TIME_TYPES | {"uuid", "enum", "boolean"}) - _UNSORTABLE
    return not is_array and value_type in known


def _attribute(name, value_type, is_array, is_custom):
    title = name.replace("_", " ").capitalize()
    made = {
        "api_name": name,
        "display_name": title,
        "description": "%s of the record" % title,
        "type_info": {"is_array": is_array, "value_type": value_type},
        "is_creatable": name not in _READ_ONLY,
        "is_updatable": name not in _READ_ONLY,
        "is_required_on_create": name in ("display_name", "stage", "account_id"),
        "is_unique": name == "id",
        "is_custom": is_custom,
        "is_filterable": True,
        "filter_operators": list(operators(value_type, is_array)),
    }
    # An absent flag means false.
    if sortable(value_type, is_array):
        made["is_sortable"] = True
    return made


def document(store, record_type):
    """Returns the schema as JSON bytes."""
    replaced = store.schemas.get(record_type)
    if replaced is not None:
        return replaced
    standard = _standard_names(record_type)
    fields = store.fields(record_type)
    related = [t for t in ("account", "contact", "opportunity") if t != record_type]
    return jsontext.dumps({
        "api_name": record_type,
        "display_name": record_type.capitalize(),
        "is_custom": False,
        "is_junction": False,
        "supports_custom_fields": True,
        "attributes": [_attribute(name, vtype, arr, name not in standard)
                       for name, (vtype, arr) in fields.items()],
        "relationships": [{"api_name": other + "s", "related_object_api_name": other,
                           "is_array": True} for other in related],
    })


def _standard_names(record_type):
    return {name for name, _, _ in records.FIELDS[record_type]}
