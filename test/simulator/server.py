# SPDX-License-Identifier: PostgreSQL
"""HTTP/1.1 on asyncio's protocols: parsing, counting, and the fast path of a response.

http.server does not fit: the faults need control of every byte, and the tests of
concurrency need thousands of responses per second.
"""

import asyncio
import collections
import http.client
import json

from . import api, behaviour, control, faults, ports, store

_MAX_HEAD = 256 * 1024
_LOGGED = 200
_FILTERS_COUNTED = 5000


def reason(status):
    return http.client.responses.get(status, "Unknown")


def head_of(answer, length, extra=()):
    """Returns status line and headers; without Content-Length for length None and for 204."""
    lines = ["HTTP/1.1 %d %s" % (answer.status, reason(answer.status))]
    if answer.content_type is not None:
        lines.append("Content-Type: " + answer.content_type)
    if length is not None and answer.status != 204:
        lines.append("Content-Length: %d" % length)
    lines += ["%s: %s" % pair for pair in answer.headers]
    lines += ["%s: %s" % pair for pair in extra]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


class Counters:
    """The counters for tests: requests, concurrency, connections, and the last requests."""

    def __init__(self):
        self.open_connections = 0
        self.in_flight = 0
        self.reset()

    def reset(self):
        self.requests = 0
        self.kinds = dict.fromkeys(("get", "query", "schema", "health", "other"), 0)
        self.statuses = collections.Counter()
        self.max_in_flight = self.in_flight
        self.connections = 0
        self.filters = collections.Counter()
        self.operators = collections.Counter()
        self.log = collections.deque(maxlen=_LOGGED)

    def begin(self, request):
        self.requests += 1
        self.kinds[request.kind] += 1
        self.in_flight += 1
        if self.in_flight > self.max_in_flight:
            self.max_in_flight = self.in_flight
        request.entry = [request.method, request.path, None, request.head, request.body]
        self.log.append(request.entry)
        if request.kind == "query":
            self._count_filters(request.body)

    def answered(self, request, status):
        request.entry[2] = status
        self.statuses[status] += 1

    def end(self):
        self.in_flight -= 1

    def _count_filters(self, body):
        try:
            asked = json.loads(body)
            filters = asked.get("filters")
        except (ValueError, AttributeError, RecursionError):
            return
        text = "cursor" if "cursor" in asked else json.dumps(filters, ensure_ascii=False)
        if text in self.filters or len(self.filters) < _FILTERS_COUNTED:
            self.filters[text] += 1
        self._count_operators(filters)

    def _count_operators(self, node):
        # Iterative, because the client chooses the depth.
        pending = [node]
        while pending:
            node = pending.pop()
            if isinstance(node, list):
                pending.extend(node)
            elif isinstance(node, dict):
                if isinstance(node.get("operator"), str):
                    self.operators[node["operator"]] += 1
                else:
                    pending.extend(node.values())


class Server:
    """The state that all connections share."""

    def __init__(self, total):
        self.behaviours = behaviour.Behaviours()
        self.store = store.Store(total)
        self.api = api.Api(self.store, self.behaviours)
        self.counters = Counters()
        self.ports = ports.Ports()
        self.control = control.Control(self)
        self.ready = {}     # (path, key) -> whole response, until a change

    def changed(self):
        """Clears caches; call it after each change of records or behaviours."""
        self.ready.clear()
        self.api.queries.forget()
        self.store.set_custom_fields(self.behaviours.custom_fields)


class Connection(asyncio.Protocol):
    """A client connection; it handles one request after the other."""

    def __init__(self, server):
        self.server = server
        self.transport = None
        self.buffer = b""
        self.request = None       # with its head; the body may be incomplete
        self.busy = False         # a response is not complete
        self.delivery = None
        self.counted = False
        self.writable = True
        self.idle_timer = None

    # Callbacks of asyncio

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        if self.idle_timer:
            self.idle_timer.cancel()
        if self.delivery:
            self.delivery.cancel()
        if self.busy:
            self.busy = False
            self.server.counters.end()
        if self.counted:
            self.server.counters.open_connections -= 1

    def pause_writing(self):
        self.writable = False

    def resume_writing(self):
        self.writable = True
        if self.delivery:
            self.delivery.resume()

    def data_received(self, data):
        self.buffer = self.buffer + data if self.buffer else data
        if self.idle_timer:
            self.idle_timer.cancel()
            self.idle_timer = None
        self.proceed()

    # Reading requests

    def proceed(self):
        """Handles the requests that are complete in the buffer."""
        while not self.busy and not self.transport.is_closing():
            if self.request is None and not self._read_head():
                return
            if not self._read_body():
                return
            request, self.request = self.request, None
            self._handle(request)

    def _read_head(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > _MAX_HEAD:
                self._refuse(431)
            return False
        head = self.buffer[:end]
        self.buffer = self.buffer[end + 4:]
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            self._refuse(400)
            return False
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        request = api.Request(words[0], words[1], headers, head)
        connection = headers.get("connection", "").lower()
        request.keep_alive = connection != "close" and (
            words[2] != "HTTP/1.0" or connection == "keep-alive")
        self.request = request
        return self._acceptable(request)

    def _acceptable(self, request):
        if "transfer-encoding" in request.headers:
            self._refuse(411)
            return False
        if request.headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _read_body(self):
        text = self.request.headers.get("content-length")
        if text is None:
            return True
        if not text.isdigit():
            self._refuse(400)
            return False
        length = int(text)
        if len(self.buffer) < length:
            return False
        self.request.body = self.buffer[:length]
        self.buffer = self.buffer[length:]
        return True

    def _refuse(self, status):
        answer = api.detail(status, reason(status))
        self.transport.write(head_of(answer, len(answer.body), [("Connection", "close")]) + answer.body)
        self.transport.close()

    # Sending responses

    def _handle(self, request):
        server = self.server
        if request.path.startswith("/_control/"):
            self.send_plain(request, server.control.answer(request))
            return
        request.kind = api.kind_of(request.path)
        if not self.counted:
            self.counted = True
            server.counters.connections += 1
            server.counters.open_connections += 1
        self.busy = True
        server.counters.begin(request)
        if not server.behaviours.plain and server.behaviours.concerns(request.kind):
            self.delivery = faults.Delivery(self, request)
            self.delivery.start()
        else:
            self._answer_fast(request)

    def _answer_fast(self, request):
        server = self.server
        key = (request.path, request.headers.get("authorization"))
        if request.method == "GET":
            ready = server.ready.get(key)
            if ready is not None and request.keep_alive:
                server.counters.answered(request, 200)
                self.transport.write(ready)
                self.finish(True)
                return
        answer = server.api.answer(request)
        whole = head_of(answer, len(answer.body)) + answer.body
        if request.method == "GET" and answer.status == 200:
            server.ready[key] = whole
        server.counters.answered(request, answer.status)
        if not request.keep_alive:
            whole = head_of(answer, len(answer.body), [("Connection", "close")]) + answer.body
        self.transport.write(whole)
        self.finish(request.keep_alive)

    def send_plain(self, request, answer):
        """Sends a response without counters and behaviours."""
        extra = () if request.keep_alive else [("Connection", "close")]
        self.transport.write(head_of(answer, len(answer.body), extra) + answer.body)
        if not request.keep_alive:
            self.transport.close()

    def finish(self, keep_alive):
        """Ends a written response, and the connection unless it is kept alive."""
        self.delivery = None
        if self.busy:
            self.busy = False
            self.server.counters.end()
        if not keep_alive:
            self.transport.close()
            return
        idle = self.server.behaviours.idle_close_ms
        if idle:
            self.idle_timer = asyncio.get_running_loop().call_later(idle / 1000, self.transport.close)
