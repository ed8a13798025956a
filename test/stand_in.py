# SPDX-License-Identifier: PostgreSQL
"""The base class of the tests of the simulator."""

import json
import os
import signal
import socket
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
FIRST = "00000000-0000-4000-8000-000000000001"
SEVENTH = "00000000-0000-4000-8000-000000000007"


class Answer:
    def __init__(self, raw):
        self.raw = raw
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        self.status = int(words[1]) if len(words) > 1 else None
        self.headers = dict(line.lower().split(": ", 1) for line in lines[1:])

    def json(self):
        return json.loads(self.body)


def start(*args):
    """Returns (process, its line)."""
    process = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "simulator.py")] + list(args),
                               stdout=subprocess.PIPE)
    return process, process.stdout.readline().decode().strip()


class StandIn(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.process, cls.url = start("--parent-pid", str(os.getpid()))
        cls.port = int(cls.url.rpartition(":")[2])

    @classmethod
    def tearDownClass(cls):
        cls.process.send_signal(signal.SIGTERM)
        assert cls.process.wait(5) == 0
        cls.process.stdout.close()

    def setUp(self):
        self.control("POST", "reset")

    # Helpers

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=3)
        self.addCleanup(sock.close)
        return sock

    @staticmethod
    def request(method, path, body=b"", key="test-key", close=True, extra=""):
        head = "%s %s HTTP/1.1\r\nHost: x\r\n%s" % (method, path, extra)
        if key:
            head += "Authorization: Bearer %s\r\n" % key
        if body:
            head += "Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
        if close:
            head += "Connection: close\r\n"
        return head.encode() + b"\r\n" + body

    @staticmethod
    def read_all(sock):
        raw = b""
        while True:
            piece = sock.recv(65536)
            if not piece:
                return raw
            raw += piece

    def call(self, method, path, body=b"", **more):
        with self.connect() as sock:
            sock.sendall(self.request(method, path, body, **more))
            return Answer(self.read_all(sock))

    def get(self, ident=EXAMPLE, record_type="opportunity", **more):
        return self.call("GET", "/api/v2/%s/%s" % (record_type, ident), **more)

    def query(self, asked, record_type="opportunity"):
        return self.call("POST", "/api/v2/%s/_query" % record_type, json.dumps(asked).encode())

    def all_pages(self, asked, most=200):
        answer = self.query(asked).json()
        found = [record["id"] for record in answer["data"]]
        pages = 1
        while answer["next_cursor"] and pages < most:
            answer = self.query({"cursor": answer["next_cursor"], "limit": asked.get("limit", 100)}).json()
            found += [record["id"] for record in answer["data"]]
            pages += 1
        return found, pages

    def control(self, method, path, body=b""):
        answer = self.call(method, "/_control/" + path, body)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json() if answer.body[:1] == b"{" else answer.body

    def behave(self, **changes):
        self.control("POST", "behave", json.dumps(changes).encode())

    def stats(self):
        return self.control("GET", "stats")

    def refused(self, asked, code, status=400):
        answer = self.query(asked)
        self.assertEqual((answer.status, answer.json()["error"]["code"]), (status, code))
