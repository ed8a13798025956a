# SPDX-License-Identifier: PostgreSQL
"""Tests of the simulator: its faults, byte by byte."""

import email.utils
import gzip
import json
import socket
import time

from simulator import behaviour
from stand_in import Answer, EXAMPLE, FIRST, StandIn


class Misbehaving(StandIn):
    def test_failures(self):
        self.behave(fail_first=2, retry_after=1)
        first = self.get()
        self.assertEqual((first.status, first.headers["retry-after"]), (503, "1"))
        self.assertEqual([self.get().status, self.get().status], [503, 200])
        self.behave(fail_first=0, fail_every=2, fail_status=502, retry_after="date")
        self.assertEqual([self.get().status for _ in range(4)], [200, 502, 200, 502])
        self.assertIn("gmt", self.get() and self.get().headers["retry-after"])
        self.behave(fail_every=2, fail_how=[429, "status", 504])
        self.assertEqual([self.get().status for _ in range(8)],
                         [200, 429, 200, 502, 200, 504, 200, 429])
        self.behave(fail_every=0, fail_after=1)
        self.assertEqual([self.get().status for _ in range(3)], [200, 502, 504])
        self.behave(fail_after=0, fail_how=None, rate_limit=2)
        self.assertEqual([self.get().status for _ in range(3)], [200, 200, 429])
        self.behave(rate_limit=0, status=418, body="<b>", content_type="text/html", only=["get"])
        answer = self.get()
        self.assertEqual((answer.status, answer.body, answer.headers["content-type"]),
                         (418, b"<b>", "text/html"))
        self.assertEqual(self.call("GET", "/api/v2/health").status, 200)

    def test_rate_limit(self):
        times = (0.5, 0.9, 0.95, 1.1, 1.2, 1.3, 1.6)
        for window, refused in (("sliding", (0.95, 1.1, 1.2, 1.3)), ("fixed", (0.95, 1.3, 1.6))):
            behaviours = behaviour.Behaviours()
            behaviours.merge({"rate_limit": 2, "rate_window": window})
            self.assertEqual(tuple(time for time in times if behaviours.throttles(time)), refused)

    def test_quota(self):
        behaviours = behaviour.Behaviours()
        behaviours.merge({"quota_requests": 2, "quota_seconds": 10, "rate_limit": 1})
        times = (5, 5.5, 6.5, 7, 14.9, 15, 24, 25)
        self.assertEqual([behaviours.throttles(time) for time in times],
                         [None, "rate", None, "quota", "quota", None, None, None])
        self.behave(quota_requests=1, quota_seconds=30, only=["get"])
        self.assertEqual(self.get().status, 200)
        answer = self.get()
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (429, "rate_limited"))
        self.assertFalse({"retry-after", "x-ratelimit-reset", "ratelimit-reset", "ratelimit"} & set(answer.headers))
        self.assertEqual(self.query({}).status, 200)
        self.behave(date_skew=1000)
        end = time.time() + 1030
        for form, name, low, high in (
                ("X-RateLimit-Reset", "x-ratelimit-reset", 29, 30), ("RateLimit-Reset", "ratelimit-reset", 29, 30),
                ("X-RateLimit-Reset-epoch", "x-ratelimit-reset", end - 2, end + 1),
                ("X-RateLimit-Reset-ms", "x-ratelimit-reset", end * 1000 - 2000, end * 1000 + 1)):
            self.behave(quota_header=form)
            self.assertTrue(low <= int(self.get().headers[name]) <= high, form)
        for form, pattern in (("RateLimit", r'"default";r=0;t=(29|30)\Z'),
                              ("RateLimit-old", r"limit=1, remaining=0, reset=(29|30)\Z")):
            self.behave(quota_header=form)
            self.assertRegex(self.get().headers["ratelimit"], pattern)
        self.behave(throttle_status=503, throttle_body={"slow": "down"}, retry_after=3, fail_first=9,
                    fail_how="close")
        answer = self.get()
        self.assertEqual((answer.status, answer.json(), answer.headers["retry-after"]), (503, {"slow": "down"}, "3"))
        self.behave(quota_requests=0, rate_limit=1, throttle_body="later", fail_first=0)
        self.assertEqual(self.get().status, 200)
        answer = self.get()
        self.assertEqual((answer.status, answer.body), (503, b"later"))
        self.assertNotIn("ratelimit", answer.headers)

    def test_clock(self):
        self.assertNotIn("date", self.get().headers)
        self.behave(date_skew=-3600, status=503, retry_after_date_in=7)
        clock = time.time() - 3600

        def seconds(text):
            return email.utils.parsedate_to_datetime(text).timestamp()
        for form, read in (("date", seconds), ("epoch", int), ("epoch_ms", lambda text: int(text) / 1000)):
            self.behave(retry_after=form)
            headers = self.get().headers
            self.assertTrue(-1 <= seconds(headers["date"]) - clock < 2, form)
            self.assertTrue(7 <= read(headers["retry-after"]) - clock < 9, form)
        self.behave(status=None, retry_after=None, date_skew=0)
        self.assertTrue(-1 <= seconds(self.get().headers["date"]) - time.time() <= 0)

    def test_error_bodies(self):
        self.behave(fail_at=[2, 4], fail_how="error-body", only=["query"])
        self.get()
        answers = [self.query({"limit": 1}) for _ in range(5)]
        self.assertEqual([answer.status for answer in answers], [200] * 5)
        self.assertEqual(["errors" in answer.json() for answer in answers], [False, True, False, True, False])
        self.assertEqual(answers[1].json(), {"data": [], "errors": [{"message": "Complexity budget exhausted"}]})
        self.assertEqual(answers[1].headers["content-type"], "application/json")
        self.behave(fail_at=[1, 2, 3], fail_how=["error-body", 500], error_body="oops", headers={"X": "y"})
        answers = [self.query({}) for _ in range(4)]
        self.assertEqual([answer.status for answer in answers], [200, 500, 200, 200])
        self.assertEqual([answer.body == b"oops" for answer in answers], [True, False, True, False])
        self.assertEqual(answers[0].headers["x"], "y")
        self.behave(fail_at=None, fail_first=3, fail_how="error-body", error_bodies=[{"a": 1}, "b"])
        self.assertEqual([self.query({}).body for _ in range(3)], [b'{"a":1}', b"b", b'{"a":1}'])
        with self.connect() as sock:        # the connection stays open after this response
            self.behave(fail_first=1)
            sock.sendall(self.request("POST", "/api/v2/opportunity/_query", b"{}", close=False) * 2)
            time.sleep(0.1)
            self.assertEqual(sock.recv(10 ** 6).count(b"HTTP/1.1 200 OK"), 2)

    def test_no_content(self):
        none = {"filters": [{"field": "id", "operator": "eq", "value": "ffffffff-0000-4000-8000-000000000001"}]}
        self.assertEqual(self.query(none).json()["data"], [])
        for more in ({}, {"chunked": True}, {"gzip": True}):
            self.behave(no_content_when_empty=True, **more)
            answer = self.query(none)
            self.assertEqual((answer.status, answer.body), (204, b""))
            self.assertFalse({"content-type", "content-length", "transfer-encoding"} & set(answer.headers))
        self.assertEqual(self.query({"limit": 1}).status, 200)
        self.behave(only=["get"])
        self.assertEqual(self.query(none).status, 200)
        self.behave(only=None, empty_pages_with_cursor=True)
        self.assertEqual(self.query(none).status, 200)

    def test_ill_typed_behaviours(self):
        for name, value in (("fail_at", 5), ("fail_at", ["5"]), ("fail_at", [True]), ("error_bodies", {}),
                            ("no_content_when_empty", 1), ("quota_requests", True), ("quota_seconds", "1"),
                            ("quota_header", "Reset"), ("date_skew", "1"), ("throttle_status", "429"),
                            ("not_found_form", "nginx"), ("path_prefix_gone", "get"), ("path_prefix_gone", [1]),
                            ("merged", [FIRST]), ("merged", {FIRST: None}), ("merged", {FIRST: FIRST}),
                            ("bad_ids", FIRST), ("bad_ids", [1]), ("bad_id_status", "400"),
                            ("empty_strings", "amount"), ("empty_strings", [1]),
                            ("result_cap", "5"), ("cap_how", "cut"), ("cap_status", "400"),
                            ("total", 1), ("total_name", 1), ("total_lies", True),
                            ("has_more", "yes"), ("empty_last_cursor", 1), ("more_members", [1]),
                            ("fail_how", "error-bodies"), ("fail_how", ["error-bodies"])):
            answer = self.call("POST", "/_control/behave", json.dumps({name: value}).encode())
            self.assertEqual((answer.status, name in answer.body.decode()), (400, True), (name, value))

    def broken(self, how):
        """Returns (received bytes, whether the connection was reset)."""
        self.behave(fail_first=1, fail_how=how)
        with self.connect() as sock:
            sock.sendall(self.request("GET", "/api/v2/opportunity/" + EXAMPLE, close=False))
            raw = b""
            try:
                while True:
                    piece = sock.recv(65536)
                    if not piece:
                        return raw, False
                    raw += piece
            except ConnectionResetError:
                return raw, True

    def test_broken_connections(self):
        whole = self.get().body
        self.assertEqual(self.broken("close"), (b"", False))
        self.assertEqual(self.broken("reset"), (b"", True))
        for how, reset in (("half-body-close", False), ("half-body-reset", True)):
            raw, was_reset = self.broken(how)
            answer = Answer(raw)
            self.assertEqual(was_reset, reset)
            self.assertEqual(answer.headers["content-length"], str(len(whole)))
            self.assertEqual(answer.body, whole[:len(whole) // 2])
        answer = Answer(self.broken("bad-length")[0])
        self.assertEqual((answer.headers["content-length"], answer.body), (str(len(whole) + 1000), whole))
        answer = Answer(self.broken("chunked-cut")[0])
        self.assertEqual(answer.headers["transfer-encoding"], "chunked")
        self.assertNotIn(b"\r\n0\r\n", answer.body)
        self.behave(fail_first=1, fail_how="cut-json", cut_at=17)
        answer = self.get()
        self.assertEqual((answer.status, answer.headers["content-length"], answer.body),
                         (200, "17", whole[:17]))

    def test_stalls(self):
        whole = self.get().raw
        for kind, low, high in (("headers", 0, 0), ("mid-headers", 10, 100), ("body", 1000, len(whole) - 1000)):
            self.behave(stall=kind)
            with self.connect() as sock:
                sock.settimeout(0.2)
                sock.sendall(self.request("GET", "/api/v2/opportunity/" + EXAMPLE))
                raw = b""
                with self.assertRaises(socket.timeout):
                    while True:
                        raw += sock.recv(65536) or self.fail("closed")
                self.assertTrue(low <= len(raw) <= high, (kind, len(raw)))
                self.assertEqual(self.stats()["in_flight"], 1)
        time.sleep(0.05)
        self.assertEqual(self.stats()["in_flight"], 0)

    def test_encodings(self):
        whole = self.get().body
        self.behave(chunked=True)
        answer = self.get()
        body, rest = b"", answer.body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            body, rest = body + rest[:int(size, 16)], rest[int(size, 16) + 2:]
        self.assertEqual(body, whole)
        self.behave(chunked=False, gzip=True)
        self.assertEqual(self.get().body, whole)
        answer = self.get(extra="Accept-Encoding: gzip\r\n")
        self.assertEqual(answer.headers["content-encoding"], "gzip")
        self.assertEqual(gzip.decompress(answer.body), whole)
        self.behave(gzip=False, gzip_bomb=5)
        answer = self.get()
        self.assertLess(len(answer.body), 20000)
        self.assertGreater(len(gzip.decompress(answer.body)), 5000000)

    def test_slow_and_endless(self):
        self.behave(drip=40000)
        began = time.monotonic()
        whole = self.get().body
        self.assertGreater(time.monotonic() - began, len(whole) / 40000 * 0.8)
        json.loads(whole)
        self.behave(drip=0, delay_ms=100)
        began = time.monotonic()
        self.get()
        self.assertGreater(time.monotonic() - began, 0.1)
        for name in ("endless_body", "header_bomb"):
            self.behave(delay_ms=0, endless_body=False, header_bomb=False)
            self.behave(**{name: True})
            with self.connect() as sock:
                sock.sendall(self.request("GET", "/api/v2/opportunity/" + EXAMPLE))
                received = b""
                while len(received) < 3000000:
                    received += sock.recv(65536)
            self.assertEqual(b"\r\n\r\n" in received, name == "endless_body")

    def test_connections(self):
        with self.connect() as sock:
            request = self.request("GET", "/api/v2/health", close=False)
            sock.sendall(request * 3)
            time.sleep(0.05)
            self.assertEqual(sock.recv(65536).count(b"HTTP/1.1 200 OK"), 3)
            stats = self.stats()
            self.assertEqual((stats["requests"], stats["connections"], stats["open_connections"]), (3, 1, 1))
            self.behave(idle_close_ms=30)
            sock.sendall(request)
            self.assertEqual(self.read_all(sock).count(b"HTTP/1.1"), 1)
        self.behave(idle_close_ms=0, close_each=True)
        with self.connect() as sock:
            sock.sendall(request)
            self.assertIn(b"Connection: close", self.read_all(sock))

    def test_concurrency_is_counted(self):
        self.behave(delay_ms=100)
        socks = [self.connect() for _ in range(5)]
        for sock in socks:
            sock.sendall(self.request("GET", "/api/v2/health"))
        for sock in socks:
            self.read_all(sock)
        self.assertEqual(self.stats()["max_in_flight"], 5)

    def test_lies(self):
        self.behave(swap_id=True)
        self.assertNotEqual(self.get().json()["data"]["id"], EXAMPLE)
        self.behave(swap_id=False, redirect="http://127.0.0.1:1/")
        answer = self.get()
        self.assertEqual((answer.status, answer.headers["location"]), (302, "http://127.0.0.1:1/"))
        self.behave(redirect=None, healthy=False)
        self.assertEqual(self.call("GET", "/api/v2/health").status, 503)
        self.behave(archived_hidden_from_get=True)
        self.assertEqual(self.get("00000000-0000-4000-8000-000000000006").status, 404)
        nowhere = "00000000-0000-4000-8000-000000009999"
        for form, start_of_body in (("bare", b'{"detail":"Not Found"}'), ("html", b"<html>"),
                                    ("string", b'{"error":"not found"'), ("detail", b'{"detail":"Opp'),
                                    ("flat", b'{"code":"record_not_found"')):
            self.behave(not_found_form=form)
            answer = self.get(nowhere)
            self.assertEqual(answer.status, 404)
            self.assertTrue(answer.body.startswith(start_of_body), answer.body)

    def test_not_found(self):
        nowhere = "/api/v2/opportunity/00000000-0000-4000-8000-000000009999"
        bodies = {"kong": {"message": "no Route matched with those values"}, "aws": {"message": "Not Found"},
                  "express": {"error": "Not Found"}, "bare": {"detail": "Not Found"},
                  "express_long": {"statusCode": 404, "message": "Cannot GET " + nowhere}}
        for form, body in bodies.items():
            self.behave(not_found_form=form)
            answer = self.call("GET", nowhere)
            self.assertEqual((answer.status, answer.json(), answer.headers["content-type"]),
                             (404, body, "application/json"))
        for form, status in (("empty", 404), ("gone", 410)):
            self.behave(not_found_form=form)
            answer = self.call("GET", nowhere)
            self.assertEqual((answer.status, answer.body, answer.headers["content-length"]), (status, b"", "0"))

    def test_path_prefix_gone(self):
        self.assertEqual(self.get().status, 200)
        self.behave(path_prefix_gone=True, not_found_form="express_long")
        for answer in (self.get(), self.get(key=None), self.query({}), self.call("GET", "/api/v2/health"),
                       self.call("GET", "/api/v2/_schema/opportunity"), self.call("GET", "/api/v2/a/b/c")):
            self.assertEqual((answer.status, answer.json()["statusCode"]), (404, 404))
        self.assertEqual(self.query({}).json()["message"], "Cannot POST /api/v2/opportunity/_query")
        self.behave(path_prefix_gone=["get", "health"], not_found_form="kong")
        self.assertEqual([self.get().status, self.query({}).status, self.call("GET", "/api/v2/health").status],
                         [404, 200, 404])
        self.behave(path_prefix_gone=None)
        self.assertEqual(self.get().status, 200)

    def test_special_ports(self):
        info = self.control("GET", "info")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", info["closed_port"]), timeout=1)
        with self.assertRaises(socket.timeout):
            socket.create_connection(("127.0.0.1", info["backlog_port"]), timeout=0.3)
        with socket.create_connection(("127.0.0.1", info["blackhole_port"]), timeout=0.2) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with self.assertRaises(socket.timeout):
                sock.recv(1)
        with socket.create_connection(("127.0.0.1", info["garbage_port"]), timeout=1) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertFalse(self.read_all(sock).startswith(b"HTTP"))
