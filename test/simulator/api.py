# SPDX-License-Identifier: PostgreSQL
"""The API: makes a response from a request. This file has no sockets."""

import re
import traceback

from . import jsontext, query, records, schema, store as store_module

PREFIX = "/api/v2"
KEYS = {"test-key", "other-key"}
KNOWN_KEYS = KEYS | {"no-permission", "expired-key"}

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_NOT_FOUND_HTML = (b"<html><head><title>404 Not Found</title></head>"
                   b"<body><center><h1>404 Not Found</h1></center></body></html>")
_NOT_FOUND_BODIES = {
    "bare": {"detail": "Not Found"},
    "kong": {"message": "no Route matched with those values"},
    "aws": {"message": "Not Found"},
    "express": {"error": "Not Found"},
}


class Request:
    """A request, as read from a connection."""

    __slots__ = ("method", "path", "headers", "head", "body", "kind", "keep_alive", "entry")

    def __init__(self, method, path, headers, head):
        self.method = method
        self.path = path
        self.headers = headers
        self.head = head
        self.body = b""
        self.kind = "other"
        self.keep_alive = True
        self.entry = None


class Answer:
    """A response: status, headers and body."""

    __slots__ = ("status", "body", "content_type", "headers")

    def __init__(self, status, body=b"", content_type="application/json", headers=()):
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers


def error(status, code, message):
    return Answer(status, jsontext.dumps({"error": {"code": code, "message": message}}))


def detail(status, value, headers=()):
    return Answer(status, jsontext.dumps({"detail": value}), headers=headers)


def kind_of(path):
    """Returns the counter of a request."""
    if not path.startswith(PREFIX + "/"):
        return "other"
    parts = path[len(PREFIX) + 1:].split("?", 1)[0].split("/")
    if parts == ["health"]:
        return "health"
    if len(parts) != 2:
        return "other"
    if parts[0] == "_schema":
        return "schema"
    return "query" if parts[1] == "_query" else "get"


class Api:
    """Makes responses from the store, by the behaviours."""

    def __init__(self, store, behaviours):
        self.store = store
        self.behaviours = behaviours
        self.queries = query.Queries(store, behaviours)

    def answer(self, request):
        try:
            return self._answer(request)
        except Exception:
            # A bug of the simulator must not look like a broken connection.
            traceback.print_exc()
            return error(500, "simulator_bug", traceback.format_exc())

    def _answer(self, request):
        path = request.path.split("?", 1)[0]
        if not path.startswith(PREFIX + "/"):
            return detail(404, "Not Found")
        gone = self.behaviours.path_prefix_gone
        if gone is True or gone and request.kind in gone:
            return self._not_found(request, request.path + " was not found.")
        parts = path[len(PREFIX) + 1:].split("/")
        if parts == ["health"]:
            return self._only(request, "GET") or self._health()
        refusal = self._refuse_key(request)
        if refusal:
            return refusal
        if len(parts) == 1 and parts[0] in records.FIELDS:
            return detail(405, "Method Not Allowed")
        if len(parts) != 2 or not parts[0] or not parts[1]:
            return detail(404, "Not Found")
        return self._route(request, parts[0], parts[1])

    def _route(self, request, first, second):
        if first == "_schema":
            return self._only(request, "GET") or self._schema(second)
        if first.startswith("_"):
            return detail(404, "Not Found")
        if second == "_query":
            return self._only(request, "POST") or self._known(first) or self._query(request, first)
        return self._only(request, "GET") or self._known(first) or self._get(request, first, second)

    @staticmethod
    def _only(request, method):
        if request.method != method:
            return detail(405, "Method Not Allowed", [("Allow", method)])
        return None

    @staticmethod
    def _known(record_type):
        if record_type not in records.FIELDS:
            return error(404, "unknown_record_type", "There is no record type '%s'." % record_type)
        return None

    def _health(self):
        if not self.behaviours.healthy:
            return Answer(503, b'{"data":{"status":"unhealthy"}}')
        if self.behaviours.healthy is not True:
            return Answer(200, jsontext.dumps({"data": {"status": self.behaviours.healthy}}))
        return Answer(200, b'{"data":{"status":"healthy"}}')

    @staticmethod
    def _refuse_key(request):
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer" and key in KEYS:
            return None
        if scheme == "Bearer" and key == "no-permission":
            return error(403, "permission_denied",
                         "The API key lacks the permission \"Opportunities: read\".")
        if scheme == "Bearer" and key == "expired-key":
            return error(401, "api_key_expired", "The API key has expired.")
        return Answer(401, b'{"error_response_type":"GENERIC","error":"UnauthorizedError",'
                           b'"message":"Invalid API key","details":null}')

    def _schema(self, record_type):
        return self._known(record_type) or Answer(200, schema.document(self.store, record_type))

    def _get(self, request, record_type, ident):
        lower = ident.lower()
        if not _UUID.match(lower):
            return detail(422, [{"type": "uuid_parsing", "loc": ["path", record_type + "_id"],
                                 "msg": "Input should be a valid UUID", "input": ident}])
        raw = self.store.bodies.get(lower)
        if raw is not None:
            return Answer(200, raw)
        if self.behaviours.swap_id:
            lower = self._another(record_type, lower)
        lower = self.behaviours.merged.get(lower, lower)
        text = self.queries.shown(record_type, lower)
        if text is None or self._hidden(record_type, lower):
            return self._not_found(request, "%s %s was not found." % (record_type.capitalize(), lower))
        return Answer(200, b'{"data":' + text + b"}")

    def _hidden(self, record_type, ident):
        return (self.behaviours.archived_hidden_from_get
                and store_module.is_archived(self.store.get(record_type, ident)))

    def _another(self, record_type, ident):
        for other in self.store.ids(record_type):
            if other != ident:
                return other
        return ident

    def _not_found(self, request, message):
        form = self.behaviours.not_found_form
        if form == "detail":
            return detail(404, message)
        if form in _NOT_FOUND_BODIES:
            return Answer(404, jsontext.dumps(_NOT_FOUND_BODIES[form]))
        if form == "express_long":
            return Answer(404, jsontext.dumps({
                "statusCode": 404, "message": "Cannot %s %s" % (request.method, request.path)}))
        if form in ("empty", "gone"):
            return Answer(404 if form == "empty" else 410, content_type=None)
        if form == "html":
            return Answer(404, _NOT_FOUND_HTML, "text/html")
        if form == "string":
            return Answer(404, jsontext.dumps({"error": "not found", "message": message}))
        if form == "flat":
            return Answer(404, jsontext.dumps({"code": "record_not_found", "message": message}))
        return error(404, "record_not_found", message)

    def _query(self, request, record_type):
        if "json" not in request.headers.get("content-type", ""):
            return detail(422, [{"type": "model_attributes_type", "loc": ["body"],
                                 "msg": "Input should be a valid dictionary", "input": None}])
        try:
            asked = jsontext.loads(request.body) if request.body.strip() else {}
        except (ValueError, RecursionError):
            return detail(422, [{"type": "json_invalid", "loc": ["body", 0],
                                 "msg": "JSON decode error", "input": {}}])
        try:
            body = self.queries.page(record_type, asked)
            return Answer(200, body) if body is not None else Answer(204, content_type=None)
        except query.Refused as refused:
            return error(refused.status or self.behaviours.refuse_status, refused.code, str(refused))
        except query.Dismissed as dismissed:
            return Answer(dismissed.status, jsontext.body(dismissed.body))
        except query.Malformed as malformed:
            return detail(422, [{"type": malformed.kind, "loc": ["body"] + malformed.where,
                                 "msg": str(malformed), "input": None}])
