# SPDX-License-Identifier: PostgreSQL
"""POST /{record_type}/_query: filters, sorts, pages and cursors."""

import hashlib
import re
import unicodedata

from . import jsontext, schema, store as store_module, values

_DEFAULT_LIMIT = 100
_MOST_SORTS = 3
_MOST_CURSORS = 100000
_OPERATORS = {"eq", "ne", "in", "not_in", "contains", "starts_with", "ends_with",
              "gt", "gte", "lt", "lte", "between", "exists", "not_exists"}
_NEGATIVE = {"ne", "not_in"}
_ID_TYPES = {"uuid", "record_reference"}


class Refused(Exception):
    """A query that the API rejects with one of its documented codes."""

    def __init__(self, code, message, status=None):
        super().__init__(message)
        self.code = code
        self.status = status


class Dismissed(Exception):
    """A query that the API rejects without one of its codes."""

    def __init__(self, status, body):
        super().__init__("status %d" % status)
        self.status = status
        self.body = body


class Malformed(Exception):
    """A body without the documented shape."""

    def __init__(self, where, message, kind="value_error"):
        super().__init__(message)
        self.where = where
        self.kind = kind


class Filters:
    """Compiles filters into a test of a record's id: True, False, or None for unknown."""

    def __init__(self, fields, column, behaviours):
        self.fields = fields
        self.column = column
        self.behaviours = behaviours

    def compile(self, filters):
        if not isinstance(filters, list):
            raise Malformed(["filters"], "Input should be a valid list", "list_type")
        return _all_of([self._node(node, 0) for node in filters])

    def _node(self, node, depth):
        if not isinstance(node, dict):
            raise Malformed(["filters"], "Input should be a valid dictionary", "dict_type")
        group = set(node) & {"and", "or", "not"}
        if not group:
            return self._leaf(node)
        if len(node) != 1:
            raise Refused("invalid_filter_value", "A group has one key: and, or, not.")
        if depth >= self.behaviours.max_filter_depth:
            raise Refused("filter_depth_exceeded", "The filter is nested too deeply.")
        return self._group(group.pop(), node, depth + 1)

    def _group(self, kind, node, depth):
        operands = node[kind]
        if kind == "not" and isinstance(operands, dict):
            operands = [operands]
        if not isinstance(operands, list) or not operands:
            raise Refused("invalid_filter_value", "The group '%s' needs a list of filters." % kind)
        tests = [self._node(operand, depth) for operand in operands]
        if kind == "or":
            return _any_of(tests)
        return _negated(_all_of(tests)) if kind == "not" else _all_of(tests)

    def _leaf(self, node):
        if set(node) - {"field", "operator", "value"}:
            raise Malformed(["filters"], "Extra inputs are not permitted", "extra_forbidden")
        name, operator = node.get("field"), node.get("operator")
        if not isinstance(name, str) or not isinstance(operator, str):
            raise Malformed(["filters"], "Field required", "missing")
        self._check(name, operator)
        value_type = self.fields[name][0]
        matches = self._matcher(name, value_type, operator, node.get("value"))
        column = self.column(name)
        if self.behaviours.empty_is_null:
            column = {ident: None if value == "" else value for ident, value in column.items()}
        if operator in ("exists", "not_exists"):
            return lambda ident: matches(column[ident])
        unknown = None
        if self.behaviours.null_logic == "two_valued":
            unknown = operator in _NEGATIVE

        def test(ident):
            value = column[ident]
            return unknown if value is None else matches(value)
        return test

    def _check(self, name, operator):
        if name not in self.fields or name in self.behaviours.refuse_fields:
            raise Refused("invalid_filter_field", "The field '%s' cannot be filtered by." % name)
        allowed = operator in _OPERATORS and operator in schema.operators(*self.fields[name])
        refused = self.behaviours.refuse_operators
        if not allowed or operator in refused or "%s.%s" % (name, operator) in refused:
            raise Refused("invalid_filter_operator",
                          "The field '%s' does not take the operator '%s'." % (name, operator))
        refused = self.behaviours.refuse_values
        if name in refused or "%s.%s" % (name, operator) in refused:
            raise Refused("invalid_filter_value", "The value does not fit the field '%s'." % name)

    # One operator

    def _matcher(self, name, value_type, operator, given):
        if operator == "exists":
            return lambda value: value is not None and value != []
        if operator == "not_exists":
            return lambda value: value is None or value == []
        if operator == "between":
            return self._between(name, value_type, given)
        if operator in ("in", "not_in"):
            return self._among(name, value_type, operator, given)
        wanted = self._wanted(name, value_type, operator, given)
        if value_type in schema.SELECT_TYPES:
            return self._select([wanted], operator == "ne")
        if operator in ("contains", "starts_with", "ends_with"):
            return self._text(operator, wanted)
        fold = _fold(self.behaviours, value_type)
        wanted = fold(wanted)
        if self.behaviours.bounds_exclusive and operator in ("gte", "lte"):
            operator = operator[:2]
        return {
            "eq": lambda value: fold(value) == wanted,
            "ne": lambda value: fold(value) != wanted,
            "gt": lambda value: fold(value) > wanted,
            "gte": lambda value: fold(value) >= wanted,
            "lt": lambda value: fold(value) < wanted,
            "lte": lambda value: fold(value) <= wanted,
        }[operator]

    def _wanted(self, name, value_type, operator, given):
        """Returns a given value; for the id of a merged record, the id of the surviving record."""
        value = self._value(name, value_type, given)
        if operator not in ("eq", "in") or value_type not in _ID_TYPES:
            return value
        if value in self.behaviours.bad_ids:
            raise Dismissed(self.behaviours.bad_id_status, {"message": "Bad request"})
        return self.behaviours.merged.get(value, value) if name == "id" else value

    def _value(self, name, value_type, given):
        value = None
        if value_type in schema.SELECT_TYPES:
            value = given if isinstance(given, str) else None
        elif given is not None:
            value = values.of_scalar(given, value_type)
        if value is None:
            raise Refused("invalid_filter_value",
                          "The value does not fit the field '%s' of type %s." % (name, value_type))
        return value

    def _between(self, name, value_type, given):
        fold = _fold(self.behaviours, value_type)
        if not isinstance(given, list) or len(given) != 2:
            raise Refused("invalid_filter_value", "The operator 'between' needs a list of two values.")
        low, high = (fold(self._value(name, value_type, bound)) for bound in given)
        if self.behaviours.between_exclusive:
            return lambda value: low < fold(value) < high
        return lambda value: low <= fold(value) <= high

    def _among(self, name, value_type, operator, given):
        if not isinstance(given, list) or not given:
            raise Refused("invalid_filter_value", "The operator '%s' needs a list of values." % operator)
        limit = self.behaviours.in_limit
        if limit and len(given) > limit:
            raise Refused("invalid_filter_value",
                          "The operator '%s' takes at most %d values." % (operator, limit))
        wanted = [self._wanted(name, value_type, operator, value) for value in given]
        negative = operator == "not_in"
        if value_type in schema.SELECT_TYPES:
            return self._select(wanted, negative)
        fold = _fold(self.behaviours, value_type)
        wanted = {fold(value) for value in wanted}
        return lambda value: (fold(value) in wanted) != negative

    def _select(self, wanted, negative):
        forms = self.behaviours.select_match
        fold = _fold(self.behaviours, "enum")
        wanted = {fold(value) for value in wanted}

        def matches(value):
            found = any(fold(str(value.get(form))) in wanted for form in forms)
            return found != negative
        return matches

    def _text(self, operator, wanted):
        fold = _fold(self.behaviours, "enum")
        wanted = fold(wanted)
        if self.behaviours.wildcards:
            return _like(operator, wanted, fold)
        return {
            "contains": lambda value: wanted in fold(value),
            "starts_with": lambda value: fold(value).startswith(wanted),
            "ends_with": lambda value: fold(value).endswith(wanted),
        }[operator]


def _like(operator, wanted, fold):
    # Some services paste the value into a LIKE.
    pattern = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in wanted)
    pattern = ("" if operator == "starts_with" else ".*") + pattern
    pattern += "" if operator == "ends_with" else ".*"
    compiled = re.compile(pattern, re.DOTALL)
    return lambda value: compiled.fullmatch(fold(value)) is not None


def _fold(behaviours, value_type, place="filter"):
    """Returns the function that maps values before comparisons, in filters or in sorts."""
    if value_type in schema.NUMBER_TYPES and behaviours.numbers_as_doubles:
        return float
    if behaviours.truncate_times in (True, place):
        if value_type == "timestamp":
            return lambda value: value // 10 ** 9
        if value_type == "time":
            return lambda value: value.partition(".")[0]
    if value_type in schema.TEXT_TYPES or value_type == "enum":
        return _fold_text(behaviours, place)
    return lambda value: value


def _fold_text(behaviours, place):
    steps = []
    if place == "filter" and behaviours.trim_text:
        steps.append(str.strip)
    if place == "filter" and behaviours.normalize_text:
        steps.append(lambda text: unicodedata.normalize(behaviours.normalize_text, text))
    if behaviours.case_insensitive if place == "filter" else behaviours.sort_casefold:
        steps.append(str.casefold)

    def folded(text):
        for step in steps:
            text = step(text)
        return text
    return folded


def _all_of(tests):
    def test(ident):
        answer = True
        for each in tests:
            found = each(ident)
            if found is False:
                return False
            if found is None:
                answer = None
        return answer
    return test


def _any_of(tests):
    def test(ident):
        answer = False
        for each in tests:
            found = each(ident)
            if found:
                return True
            if found is None:
                answer = None
        return answer
    return test


def _negated(inner):
    def test(ident):
        found = inner(ident)
        return None if found is None else not found
    return test


class _Cursor:
    """The position of a query in its pages."""

    __slots__ = ("record_type", "filters", "sort", "offset", "page")

    def __init__(self, record_type, filters, sort, offset=0, page=1):
        self.record_type = record_type
        self.filters = filters
        self.sort = sort
        self.offset = offset
        self.page = page


class Queries:
    """Runs queries over the store; keeps results until a change."""

    def __init__(self, store, behaviours):
        self.store = store
        self.behaviours = behaviours
        self.reset()

    def reset(self):
        self._cursors = {}
        self._issued = 0
        self.forget()

    def forget(self):
        """Drops results; cursors have their filters, from which queries run again."""
        self._columns = {}
        self._results = {}
        self._emptied = {}      # (record type, id) -> JSON text with "" for null

    def page(self, record_type, asked):
        """Returns the body of one page, None for 204; raises Refused, Dismissed or Malformed."""
        if not isinstance(asked, dict):
            raise Malformed([], "Input should be a valid dictionary", "dict_type")
        for name in asked:
            if name not in ("filters", "sort", "limit", "cursor"):
                raise Malformed([name], "Extra inputs are not permitted", "extra_forbidden")
        limit = self._limit(asked.get("limit"))
        token = asked.get("cursor")
        if token is None:
            cursor = _Cursor(record_type, asked.get("filters"), asked.get("sort"))
        else:
            cursor = self._resume(record_type, token, asked)
        ids = self._matching(cursor)
        page, end, following = self._cut(cursor, ids, limit)
        if following is not None:
            following = token if self.behaviours.repeat_cursor and token else self._issue(following)
        return self._body(record_type, page, following, self._members(following, len(ids), end))

    def shown(self, record_type, ident):
        """Returns the JSON text of a record under the behaviours, or None."""
        text = (self._with_empty_strings(record_type, ident) if self.behaviours.empty_strings
                else self.store.encoded(record_type, ident))
        if text is not None and self.behaviours.upper_case_ids:
            text = text.replace(b'"%s"' % ident.encode("ascii"), b'"%s"' % ident.upper().encode("ascii"))
        return text

    def _with_empty_strings(self, record_type, ident):
        record = self.store.get(record_type, ident)
        if record is None:
            return None
        key = (record_type, ident)
        if key not in self._emptied:
            attributes = {name: self._emptied_envelope(name, envelope)
                          for name, envelope in record["attributes"].items()}
            self._emptied[key] = store_module.text_of(record_type, ident, dict(record, attributes=attributes))
        return self._emptied[key]

    def _emptied_envelope(self, name, envelope):
        names = self.behaviours.empty_strings
        if isinstance(envelope, dict) and envelope.get("value", "") is None and (names is True or name in names):
            return dict(envelope, value="")
        return envelope

    # Limits and cursors

    def _limit(self, limit):
        behaviours = self.behaviours
        if limit is None:
            limit = _DEFAULT_LIMIT
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise Malformed(["limit"], "Input should be greater than or equal to 1", "greater_than_equal")
        if behaviours.refuse_limit and limit > behaviours.refuse_limit:
            raise Malformed(["limit"], "Input should be less than or equal to %d"
                            % behaviours.refuse_limit, "less_than_equal")
        if behaviours.clamp_limit:
            limit = min(limit, behaviours.clamp_limit)
        limit = max(limit, behaviours.least_limit)
        if behaviours.short_pages is True:
            limit = max(1, limit // 2)
        elif behaviours.short_pages:
            limit = min(limit, behaviours.short_pages)
        return limit

    def _resume(self, record_type, token, asked):
        cursor = self._cursors.get(token) if isinstance(token, str) else None
        if cursor is None or cursor.record_type != record_type or self._expires(cursor):
            raise Refused("invalid_cursor", "The cursor is not valid or has expired.")
        for name in ("filters", "sort"):
            if name in asked and asked[name] != getattr(cursor, name):
                raise Refused("invalid_cursor", "The cursor belongs to other filters or sorts.")
        self._check_cap(cursor)
        return cursor

    def _check_cap(self, cursor):
        behaviours = self.behaviours
        if not behaviours.result_cap or cursor.offset < behaviours.result_cap:
            return
        if behaviours.cap_how == "refuse":
            raise Dismissed(behaviours.cap_status, behaviours.cap_body)
        if behaviours.cap_how == "invalid_cursor":
            raise Refused("invalid_cursor", "The cursor is beyond the last result.")

    def _expires(self, cursor):
        behaviours = self.behaviours
        after, times = behaviours.expire_cursors_after, behaviours.expire_cursors_times
        if not after or cursor.page <= after or (times and behaviours.expired >= times):
            return False
        behaviours.expired += 1
        return True

    def _issue(self, cursor):
        self._issued += 1
        token = "c_" + hashlib.sha256(b"cursor %d" % self._issued).hexdigest()[:40]
        if len(self._cursors) >= _MOST_CURSORS:
            self._cursors.pop(next(iter(self._cursors)))
        self._cursors[token] = cursor
        return token

    def _cut(self, cursor, ids, limit):
        """Returns (ids of the page, its end in the result, the cursor after it or None)."""
        behaviours = self.behaviours
        offset = cursor.offset
        empty = behaviours.empty_pages_with_cursor and cursor.page % 2 == 0
        end = offset if empty else offset + limit
        capped = behaviours.result_cap and end >= behaviours.result_cap
        if capped:
            end = behaviours.result_cap
        page = ids[offset:end]
        if behaviours.move_between_pages and offset and page:
            page = [ids[offset - 1]] + page
        if behaviours.double_records:
            page = [ident for ident in page for _ in range(2)]
        if behaviours.stray_record:
            page = page + [ident for ident in self._visible(cursor.record_type) if ident not in ids][:1]
        more = end < len(ids) or (behaviours.empty_pages_with_cursor and not empty)
        if not more or capped and behaviours.cap_how == "no_cursor":
            return page, end, None
        return page, end, _Cursor(cursor.record_type, cursor.filters, cursor.sort, end, cursor.page + 1)

    def _members(self, token, total, end):
        """Returns the members of a page after its data, as a dictionary."""
        behaviours = self.behaviours
        position = {}
        if token is not None or not behaviours.omit_null_cursor:
            position["next_cursor"] = "" if token is None and behaviours.empty_last_cursor else token
        if behaviours.total:
            position[behaviours.total_name] = total + behaviours.total_lies
        if behaviours.has_more:
            position["has_more"] = end < total
        members = dict(behaviours.more_members)
        if behaviours.cursor_under == "top":
            members.update(position)
        elif position:
            members[behaviours.cursor_under] = position
        return members

    def _body(self, record_type, page, token, members):
        behaviours = self.behaviours
        if (behaviours.no_content_when_empty and behaviours.concerns("query")
                and not page and token is None):
            return None
        texts = [self.shown(record_type, ident) for ident in page]
        start = b'{"data":[' + b",".join(texts) + b"]"
        return start + (b"," + jsontext.dumps(members)[1:] if members else b"}")

    # Results

    def _column(self, record_type, name):
        """Returns {id: comparable value} of a field."""
        key = (record_type, name)
        column = self._columns.get(key)
        if column is None:
            value_type = self.store.fields(record_type)[name][0]
            column = {}
            for ident in self.store.ids(record_type):
                record = self.store.get(record_type, ident)
                column[ident] = values.of_record(store_module.attribute(record, name), value_type)
            self._columns[key] = column
        return column

    def _matching(self, cursor):
        key = (cursor.record_type, repr(_plain(cursor.filters)), repr(_plain(cursor.sort)))
        ids = self._results.get(key)
        if ids is None:
            ids = self._run(cursor)
            self._results[key] = ids
        return ids

    def _run(self, cursor):
        record_type = cursor.record_type
        fields = self.store.fields(record_type)
        keys = self._sort_keys(fields, cursor.sort)
        # Compiled in any case, because ignore_filters must not hide a rejection.
        test = Filters(fields, lambda name: self._column(record_type, name),
                       self.behaviours).compile(cursor.filters if cursor.filters is not None else [])
        ids = self._visible(record_type)
        if not self.behaviours.ignore_filters:
            ids = [ident for ident in ids if test(ident)]
        if not self.behaviours.ignore_sort:
            for name, descending in reversed(keys):
                ids = self._sorted(ids, record_type, name, descending)
        return ids

    def _visible(self, record_type):
        behaviours = self.behaviours
        ids = self.store.ids(record_type)
        if behaviours.archived_hidden_from_query:
            ids = [ident for ident in ids
                   if not store_module.is_archived(self.store.get(record_type, ident))]
        if behaviours.merged:
            ids = [ident for ident in ids if ident not in behaviours.merged]
        dropped = behaviours.query_drops_some
        if dropped is True:
            ids = [ident for place, ident in enumerate(ids) if place % 7 != 3]
        elif dropped:
            ids = [ident for ident in ids if ident not in dropped]
        return ids

    def _sort_keys(self, fields, sort):
        """Returns [(field, is descending)]."""
        if sort is None:
            return []
        if not isinstance(sort, list):
            raise Malformed(["sort"], "Input should be a valid list", "list_type")
        if len(sort) > _MOST_SORTS:
            raise Refused("sort_too_many_fields", "At most %d sort fields are allowed." % _MOST_SORTS)
        return [self._sort_key(fields, item) for item in sort]

    def _sort_key(self, fields, item):
        if not isinstance(item, dict) or set(item) - {"field", "direction"}:
            raise Malformed(["sort"], "Input should be a valid dictionary", "dict_type")
        name, direction = item.get("field"), item.get("direction", "asc")
        if direction not in ("asc", "desc"):
            raise Malformed(["sort", "direction"], "Input should be 'asc' or 'desc'", "enum")
        refused = self.behaviours.refuse_sort
        if (not isinstance(name, str) or name not in fields or not schema.sortable(*fields[name])
                or refused is True or (refused and name in refused)):
            raise Refused("unsortable_field", "The field '%s' cannot be sorted by." % name)
        return name, direction == "desc"

    def _sorted(self, ids, record_type, name, descending):
        column = self._column(record_type, name)
        fold = _fold(self.behaviours, self.store.fields(record_type)[name][0], "sort")
        nulls = [ident for ident in ids if column[ident] is None]
        others = [ident for ident in ids if column[ident] is not None]
        if self.behaviours.reverse_ties and descending:
            others.reverse()
        others.sort(key=lambda ident: fold(column[ident]), reverse=descending)
        return nulls + others if self.behaviours.nulls_first else others + nulls


def _plain(value):
    """Returns a filter with numbers as text, so that equal filters have equal keys."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return ("number", value.text) if isinstance(value, values.RawNumber) else value
