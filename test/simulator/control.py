# SPDX-License-Identifier: PostgreSQL
"""The control endpoints: a test sets behaviours and reads counters with them."""

import json

from . import api, jsontext, records


def _ok(value=None):
    return api.Answer(200, jsontext.dumps({"ok": True} if value is None else value))


def _text(value):
    return api.Answer(200, (str(value) + "\n").encode("utf-8"), "text/plain; charset=utf-8")


def _bad(message):
    return api.Answer(400, (message + "\n").encode("utf-8"), "text/plain; charset=utf-8")


class Control:
    """Handles /_control/... requests."""

    def __init__(self, server):
        self.server = server

    def answer(self, request):
        words = request.path.split("/")[2:]
        handler = getattr(self, "_%s_%s" % (request.method.lower(), words[0]), None)
        if handler is None:
            return _bad("unknown control request: %s %s" % (request.method, request.path))
        try:
            return handler(words[1:], request.body)
        except (ValueError, IndexError, KeyError) as problem:
            return _bad("%s: %s" % (type(problem).__name__, problem))

    # Behaviours and records

    def _post_reset(self, words, body):
        server = self.server
        server.behaviours.reset()
        server.store.reset()
        server.api.queries.reset()
        server.counters.reset()
        server.changed()
        return _ok()

    def _post_behave(self, words, body):
        changes = json.loads(body)
        if not isinstance(changes, dict):
            raise ValueError("a JSON object is expected")
        self.server.behaviours.merge(changes)
        self.server.changed()
        return _ok()

    def _get_behave(self, words, body):
        behaviours = self.server.behaviours
        return _ok({name: value for name, value in behaviours.__dict__.items() if name[0] != "_"})

    @staticmethod
    def _target(words):
        """Returns (type, id) from [id] or [type, id]."""
        record_type = words[0] if len(words) == 2 else "opportunity"
        if len(words) not in (1, 2) or record_type not in records.FIELDS:
            raise ValueError("expected an id, or a record type and an id")
        return record_type, words[-1].lower()

    def _put_body(self, words, body):
        self.server.store.bodies[self._target(words)[1]] = body
        self.server.changed()
        return _ok()

    def _put_attributes(self, words, body):
        record_type, ident = self._target(words)
        attributes = jsontext.loads(body)
        if not isinstance(attributes, dict):
            raise ValueError("a JSON object is expected")
        self.server.store.merge_attributes(record_type, ident, attributes)
        self.server.changed()
        return _ok()

    def _put_records(self, words, body):
        count = int(words[0])
        if count < self.server.store.count("opportunity"):
            raise ValueError("the number of records can only grow")
        self.server.store.set_opportunities(count)
        self.server.changed()
        return _ok()

    def _post_archive(self, words, body):
        return self._set_archived(words, "2025-01-31T00:00:00Z")

    def _post_unarchive(self, words, body):
        return self._set_archived(words, None)

    def _set_archived(self, words, when):
        record_type, ident = self._target(words)
        if self.server.store.get(record_type, ident) is None:
            raise ValueError("no such record")
        self.server.store.merge_attributes(record_type, ident, {
            "archived_at": {"value": when, "value_type": "timestamp"}})
        self.server.changed()
        return _ok()

    def _post_delete(self, words, body):
        self.server.store.delete(*self._target(words))
        self.server.changed()
        return _ok()

    def _put_schema(self, words, body):
        self.server.store.schemas[words[0]] = body
        self.server.changed()
        return _ok()

    # Counters

    def _totals(self):
        counters = self.server.counters
        totals = {"requests": counters.requests}
        totals.update(counters.kinds)
        totals.update({
            "in_flight": counters.in_flight,
            "max_in_flight": counters.max_in_flight,
            "connections": counters.connections,
            "open_connections": counters.open_connections,
        })
        return totals

    def _get_count(self, words, body):
        return _text(self._totals()[words[0]])

    def _get_last(self, words, body):
        log = list(self.server.counters.log)
        wanted = int(words[0]) if words else len(log)
        lines = ["%s %s %s" % (method, path, "-" if status is None else status)
                 for method, path, status, _, _ in log[max(0, len(log) - wanted):]]
        return api.Answer(200, "".join(line + "\n" for line in lines).encode("utf-8"), "text/plain")

    def _get_stats(self, words, body):
        counters = self.server.counters
        stats = self._totals()
        stats["statuses"] = {str(status): count for status, count in counters.statuses.items()}
        stats["filters"] = dict(counters.filters)
        stats["operators"] = dict(counters.operators)
        stats["log"] = [_logged(entry) for entry in counters.log]
        return _ok(stats)

    def _get_info(self, words, body):
        info = self.server.ports.info()
        return _text(info[words[0]]) if words else _ok(info)


def _logged(entry):
    method, path, status, head, body = entry
    headers = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if "authorization" in headers:
        headers["authorization"] = _key_name(headers["authorization"])
    return {"method": method, "path": path, "status": status, "headers": headers,
            "body": body.decode("utf-8", "replace")}


def _key_name(value):
    """Shows only the simulator's own keys, never a real key that was sent by mistake."""
    scheme, _, key = value.partition(" ")
    if scheme != "Bearer":
        return "not Bearer"
    return key if key in api.KNOWN_KEYS else "unknown"
