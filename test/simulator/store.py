# SPDX-License-Identifier: PostgreSQL
"""The served records: generated on demand, changed by tests, encoded once."""

from . import jsontext, records

_NEW_TIME = "2024-06-01T12:00:00Z"


class Store:
    """All records of a simulator."""

    def __init__(self, total):
        self.total = total        # also determines the references of records
        self.custom_fields = False
        self._made = {}           # (record type, id) -> record as generated
        self._encoded = {}        # (record type, id) -> JSON text
        self._others = {}, {}     # both for the other value of custom_fields
        self._opportunities = total
        self._changed = {}        # (record type, id) -> record as changed by a test
        self._deleted = set()     # (record type, id)
        self.reset()

    def reset(self):
        """Restores the generated records, and keeps their encoded text."""
        self.bodies = {}          # id -> raw bytes for GET
        self.schemas = {}         # record type -> raw bytes
        self.extra_fields = {}    # record type -> {name: (value_type, is_array)}
        self._added = {}          # record type -> [id] in order of creation
        self.set_opportunities(self.total)
        for key in self._changed:
            self._drop_text(key)
        self._changed = {}
        self._deleted = set()

    def set_custom_fields(self, wanted):
        """Adds the custom fields to all records, or removes them."""
        if wanted != self.custom_fields:
            self.custom_fields = wanted
            self._made, self._encoded, self._others = *self._others, (self._made, self._encoded)

    def _drop_text(self, key):
        """Removes the kept text of a record, with and without the custom fields."""
        self._encoded.pop(key, None)
        self._others[1].pop(key, None)

    def set_opportunities(self, count):
        """Changes the number of generated opportunities; the other records stay."""
        self._opportunities = count
        self._added["opportunity"] = [
            ident for ident in self._added.get("opportunity", [])
            if (records.record_number("opportunity", ident) or count) >= count]

    def count(self, record_type):
        if record_type == "opportunity":
            return self._opportunities
        divisor = 5 if record_type == "account" else 3
        return max(2, self.total // divisor)

    def ids(self, record_type):
        """Returns all ids, in the order of the API."""
        made = [records.record_id(record_type, n) for n in range(self.count(record_type))]
        made += self._added.get(record_type, [])
        if not self._deleted:
            return made
        return [ident for ident in made if (record_type, ident) not in self._deleted]

    def get(self, record_type, ident):
        """Returns the record, or None."""
        key = (record_type, ident)
        if key in self._deleted:
            return None
        record = self._changed.get(key)
        if record is not None:
            return record
        number = records.record_number(record_type, ident)
        if number is None or number >= self.count(record_type):
            return None
        record = self._made.get(key)
        if record is None:
            record = records.make_record(record_type, number, self.total, self.custom_fields)
            self._made[key] = record
        return record

    def encoded(self, record_type, ident):
        """Returns the JSON text of the record as bytes, or None."""
        key = (record_type, ident)
        record = self.get(record_type, ident)
        if record is None:
            return None
        text = self._encoded.get(key)
        if text is None:
            text = text_of(record_type, ident, record)
            self._encoded[key] = text
        return text

    def fields(self, record_type):
        """Returns {name: (value_type, is_array)} in order."""
        made = {name: (vtype, arr) for name, vtype, arr in records.FIELDS[record_type]}
        if self.custom_fields and record_type == "opportunity":
            made.update({name: (vtype, arr) for name, vtype, arr in records.CUSTOM})
        made.update(self.extra_fields.get(record_type, {}))
        return made

    def merge_attributes(self, record_type, ident, attributes):
        """Merges envelopes into a record, or creates the record."""
        record = self.get(record_type, ident)
        if record is None:
            record = self._new_record(record_type, ident)
        else:
            record = dict(record, attributes=dict(record["attributes"]))
        record["attributes"].update(attributes)
        for name in ("created_at", "updated_at"):
            if name in attributes and name in record:
                self._set_top(record, name, attributes[name])
        self._changed[(record_type, ident)] = record
        self._drop_text((record_type, ident))
        self._note_fields(record_type, attributes)

    def _new_record(self, record_type, ident):
        self._deleted.discard((record_type, ident))
        number = records.record_number(record_type, ident)
        if number is None or number >= self.count(record_type):
            added = self._added.setdefault(record_type, [])
            if ident not in added:
                added.append(ident)
        return {"id": ident, "created_at": _NEW_TIME, "updated_at": _NEW_TIME,
                "attributes": {"id": {"value": ident, "value_type": "uuid"}},
                "record_type": record_type}

    @staticmethod
    def _set_top(record, name, envelope):
        # The top must not contradict the attribute that a test has set.
        if isinstance(envelope, dict) and envelope.get("value") is not None:
            record[name] = envelope["value"]
        else:
            record.pop(name)

    def _note_fields(self, record_type, attributes):
        known = self.fields(record_type)
        for name, envelope in attributes.items():
            first = envelope[0] if isinstance(envelope, list) and envelope else envelope
            if name not in known and isinstance(first, dict) and "value_type" in first:
                noted = self.extra_fields.setdefault(record_type, {})
                noted[name] = (first["value_type"], isinstance(envelope, list))

    def delete(self, record_type, ident):
        self._deleted.add((record_type, ident))
        self._changed.pop((record_type, ident), None)
        self._drop_text((record_type, ident))


def text_of(record_type, ident, record):
    """Returns the JSON text of a record, in the style of its number."""
    number = records.record_number(record_type, ident) or 0
    return jsontext.dumps(record, **records.text_style(number))


def attribute(record, name):
    """Returns an attribute of a record; the id and the times may be at the top only."""
    value = record["attributes"].get(name)
    if value is None and name in ("id", "created_at", "updated_at") and name in record:
        return {"value": record[name], "value_type": "uuid" if name == "id" else "timestamp"}
    return value


def is_archived(record):
    envelope = attribute(record, "archived_at")
    return isinstance(envelope, dict) and envelope.get("value") is not None
