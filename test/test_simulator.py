#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Tests of the simulator: its responses, and its faults byte by byte."""

import email.utils
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

from simulator import behaviour

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
FIRST = "00000000-0000-4000-8000-000000000001"
SEVENTH = "00000000-0000-4000-8000-000000000007"

# The documented example, in its order: attribute, value type, and "list" for lists.
DOCUMENTED = '''
id uuid; organization_id uuid; created_at timestamp; display_name string; status enum;
stage opportunity_stage; owner_user_id record_reference; account_id record_reference;
participant_user_id_list record_reference list; created_by_user_id record_reference;
updated_at timestamp; next_step_details long_text; next_step_due_at timestamp;
next_meeting_date timestamp; target_go_live_date timestamp; amount currency;
forecast_weighted_amount currency; outcome enum; created_source enum;
anticipated_closing_at timestamp; closed_at timestamp; archived_at timestamp;
expires_at timestamp; last_activity_at timestamp; last_voice_call timestamp;
last_meeting timestamp; last_global_thread timestamp; last_engaged_at timestamp;
last_outreached_at timestamp; last_inbound_meeting_at timestamp;
last_inbound_voice_call_at timestamp; last_inbound_global_thread_at timestamp;
last_outbound_meeting_at timestamp; last_outbound_voice_call_at timestamp;
last_outbound_global_thread_at timestamp; stage_last_shifted_at timestamp;
owner_team_id record_reference; closed_by_user_id record_reference;
primary_contact_id record_reference; updated_by_user_id record_reference;
closed_lost_custom_detail long_text; closed_won_custom_detail long_text;
competitors_mentioned_other string list; primary_competitor_other string; type_id select
'''
DOCUMENTED = [entry.split() for entry in DOCUMENTED.replace("\n", " ").split(";")]
KEYS_OF = {
    "opportunity_stage": ["id", "display_value", "api_name", "color", "closing_probability",
                          "expected_days"],
    "select": ["id", "display_value", "api_name", "color"],
    "currency": ["amount"],
    "record_reference": ["related_record_id", "related_record_type"],
}


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


class Reading(StandIn):
    def test_example_has_the_documented_shape(self):
        answer = self.get()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["content-type"], "application/json")
        data = answer.json()["data"]
        self.assertEqual(list(data), ["id", "created_at", "updated_at", "attributes", "record_type"])
        self.assertEqual(data["id"], EXAMPLE)
        self.assertEqual(data["created_at"], "2023-11-07T05:31:56Z")
        self.assertEqual(list(data["attributes"]), [entry[0] for entry in DOCUMENTED])
        self.assertEqual(len(DOCUMENTED), 45)
        for name, value_type, *more in DOCUMENTED:
            self.check_attribute(data["attributes"][name], value_type, bool(more))

    def check_attribute(self, attribute, value_type, is_list):
        if is_list:
            self.assertIsInstance(attribute, list)
            self.assertEqual(len(attribute), 1)
            attribute = attribute[0]
        self.assertEqual(list(attribute), ["value", "value_type"])
        self.assertEqual(attribute["value_type"], value_type)
        value = attribute["value"]
        if value_type in KEYS_OF:
            self.assertEqual(list(value), KEYS_OF[value_type])
            numbers = {name for name in value if not isinstance(value[name], str)}
            self.assertEqual(numbers, {"expected_days"} & set(value))
        else:
            self.assertIsInstance(value, str)

    def test_records_vary(self):
        records = [self.get("00000000-0000-4000-8000-%012d" % n) for n in range(1, 150)]
        self.assertEqual({answer.status for answer in records}, {200})
        bodies = [answer.body for answer in records]
        data = [json.loads(body)["data"] for body in bodies]
        amounts = [record["attributes"].get("amount", "missing") for record in data]
        self.assertIn("missing", amounts)
        self.assertIn(None, amounts)
        self.assertIn(None, [a["value"] for a in amounts if isinstance(a, dict)])
        lists = [record["attributes"].get("participant_user_id_list", 0) for record in data]
        for form in (0, None, []):
            self.assertIn(form, lists)
        self.assertTrue(any(b"\\u" in body for body in bodies))
        self.assertTrue(any(body.decode() != body.decode("ascii", "ignore") for body in bodies))
        self.assertTrue(any("created_at" not in record for record in data))
        self.assertTrue(any(list(record)[0] == "attributes" for record in data))
        self.assertTrue(any("value_type" == list(record["attributes"]["id"])[0] for record in data))
        self.assertTrue(any("+02:00" in json.dumps(record) for record in data))
        self.assertGreater(len(data[6]["attributes"]["next_step_details"]["value"].encode()), 20000)
        self.assertGreater(sum(1 for record in data
                               if (record["attributes"].get("archived_at") or {}).get("value")), 5)
        self.assertEqual(bodies[:3], [self.get("00000000-0000-4000-8000-%012d" % n).body for n in (1, 2, 3)])

    def test_errors(self):
        missing = self.get("00000000-0000-4000-8000-000000009999")
        self.assertEqual((missing.status, missing.json()["error"]["code"]), (404, "record_not_found"))
        self.assertEqual(self.get(FIRST, "nonsense").json()["error"]["code"], "unknown_record_type")
        self.assertEqual(self.get("no-uuid").status, 422)
        self.assertEqual(self.get("no-uuid").json()["detail"][0]["loc"], ["path", "opportunity_id"])
        for key in (None, "wrong"):
            answer = self.get(key=key)
            self.assertEqual(answer.status, 401)
            self.assertEqual(answer.json()["error"], "UnauthorizedError")
        self.assertEqual(self.get(key="expired-key").json()["error"]["code"], "api_key_expired")
        denied = self.get(key="no-permission")
        self.assertEqual(denied.status, 403)
        self.assertIn("Opportunities: read", denied.json()["error"]["message"])
        for path in ("/", "/api/v1/opportunity/" + FIRST, "/api/v2/opportunity/%s/more" % FIRST):
            answer = self.call("GET", path)
            self.assertEqual((answer.status, answer.json()), (404, {"detail": "Not Found"}))
        self.assertEqual(self.call("PUT", "/api/v2/opportunity/" + FIRST).status, 405)
        self.assertEqual(self.call("GET", "/api/v2/opportunity/_query").status, 405)

    def test_health_schema_and_other_types(self):
        self.assertEqual(self.call("GET", "/api/v2/health", key=None).json(),
                         {"data": {"status": "healthy"}})
        schema = self.call("GET", "/api/v2/_schema/opportunity").json()
        self.assertEqual([a["api_name"] for a in schema["attributes"]], [e[0] for e in DOCUMENTED])
        self.assertEqual([a["type_info"]["is_array"] for a in schema["attributes"]],
                         [len(e) == 3 for e in DOCUMENTED])
        for record_type in ("account", "contact"):
            self.assertEqual(self.get(EXAMPLE, record_type).json()["data"]["record_type"], record_type)
            self.assertEqual(self.query({}, record_type).status, 200)

    def test_control(self):
        self.control("PUT", "body/" + FIRST, b"{\x00\xff not JSON")
        self.assertEqual(self.get(FIRST).body, b"{\x00\xff not JSON")
        new = "ffffffff-0000-4000-8000-000000000001"
        raw = b'{"n": {"value": 123456789012345678901234567890.10, "value_type": "number"}}'
        self.control("PUT", "attributes/" + new, raw)
        self.assertIn(b"123456789012345678901234567890.10", self.get(new).body)
        self.assertIn(new, self.all_pages({"limit": 1000})[0])
        self.control("POST", "delete/" + new)
        self.assertEqual(self.get(new).status, 404)
        self.control("POST", "reset")
        self.assertEqual(self.get(FIRST).json()["data"]["id"], FIRST)
        stats = self.stats()
        self.assertEqual((stats["requests"], stats["get"], stats["connections"]), (1, 1, 1))
        entry = stats["log"][0]
        self.assertEqual((entry["method"], entry["status"]), ("GET", 200))
        self.assertEqual(entry["headers"]["authorization"], "test-key")
        self.get(key="a-real-secret")
        self.assertNotIn("a-real-secret", json.dumps(self.stats()))

    def test_ctl_and_wrapper(self):
        ctl = os.path.join(HERE, "ctl")
        env = dict(os.environ, REEVO_URL=self.url)

        def run(*args, **more):
            return subprocess.run([ctl] + list(args), env=env, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, **more)
        self.get(FIRST)
        self.assertEqual(run("requests", "get").stdout, b"1\n")
        self.assertEqual(run("last").stdout, b"GET /api/v2/opportunity/%s 200\n" % FIRST.encode())
        self.assertEqual(run("body", FIRST, "-", input=b"abc").stdout, b"")
        self.assertEqual(self.get(FIRST).body, b"abc")
        bad = run("behave", '{"no_such": 1}')
        self.assertEqual(bad.returncode, 1)
        self.assertIn(b"no_such", bad.stderr)
        wrapped = subprocess.run(
            [os.path.join(HERE, "with-simulator"), "sh", "-c", '"$REEVO_CTL" requests; cat; exit 7'],
            input=b"in", stdout=subprocess.PIPE, cwd="/")
        self.assertEqual((wrapped.returncode, wrapped.stdout), (7, b"0\nin"))

    def test_ends_with_its_parent(self):
        parent = subprocess.Popen(["sleep", "60"])
        process, _ = start("--parent-pid", str(parent.pid))
        parent.kill()
        parent.wait()
        self.assertEqual(process.wait(4), 0)
        process.stdout.close()


class Querying(StandIn):
    def test_pages(self):
        found, pages = self.all_pages({"limit": 300})
        self.assertEqual((len(found), len(set(found)), pages), (1000, 1000, 4))
        found, _ = self.all_pages({"limit": 7, "filters": [
            {"field": "id", "operator": "in", "value": [EXAMPLE, FIRST, SEVENTH]}]})
        self.assertEqual(found, [EXAMPLE, FIRST, SEVENTH])

    def test_filters(self):
        def count(*filters):
            return len(self.query({"filters": list(filters), "limit": 5000}).json()["data"])
        exists = {"field": "amount", "operator": "exists"}
        with_amount = count(exists)
        self.assertEqual(count({"field": "amount", "operator": "not_exists"}), 1000 - with_amount)
        self.assertEqual(count({"not": exists}), 1000 - with_amount)
        low = {"field": "amount", "operator": "lt", "value": "1000.00"}
        high = {"field": "amount", "operator": "gte", "value": 1000}
        self.assertEqual(count({"or": [low, high]}), with_amount)
        self.assertEqual(count(low, high), 0)
        self.assertEqual(count({"not": low}), count(high))
        self.behave(null_logic="two_valued")
        self.assertEqual(count({"not": low}), 1000 - count(low))
        self.assertEqual(count({"field": "created_at", "operator": "between",
                                "value": ["2023-01-01T00:00:00Z", "2025-01-01T00:00:00+02:00"]}), 1000)
        self.assertEqual(count({"field": "stage", "operator": "eq", "value": "demo"}),
                         count({"field": "stage", "operator": "eq", "value": "Demo – Évaluation"}))
        acme = {"field": "display_name", "operator": "starts_with", "value": "ACME"}
        few = count(acme)
        self.behave(case_insensitive=True)
        self.assertGreater(count(acme), few)
        self.assertEqual(self.stats()["operators"]["starts_with"], 2)

    def matching(self, field, operator, *value):
        """Returns the numbers of the records 1 to 9 that a filter matches."""
        among = ["00000000-0000-4000-8000-%012d" % number for number in range(1, 10)]
        filters = [{"field": "id", "operator": "in", "value": among}, {"field": field, "operator": operator}]
        filters[1].update({"value": one for one in value})
        return [int(record["id"][-12:]) for record in self.query({"filters": filters}).json()["data"]]

    def give(self, field, value_type, *values):
        """Sets the attribute of the records from 1 on, and NULL in the others."""
        for number in range(1, 10):
            value = values[number - 1] if number <= len(values) else None
            if value_type == "currency" and value is not None:
                value = {"amount": value}
            self.control("PUT", "attributes/00000000-0000-4000-8000-%012d" % number,
                         json.dumps({field: {"value": value, "value_type": value_type}}).encode())

    def varies(self, behaviours, found, otherwise, *leaf):
        """Checks that a filter matches other records under behaviours."""
        self.behave(**{name: None for name in behaviours})
        self.assertEqual(self.matching(*leaf), found)
        self.behave(**behaviours)
        self.assertEqual(self.matching(*leaf), otherwise)
        self.behave(**{name: None for name in behaviours})

    def test_texts_vary(self):
        self.give("display_name", "string", "Caf\u00e9", "cafe\u0301", " Cafe\u0301 ", "")
        both = {"trim_text": True, "normalize_text": "NFC"}
        self.varies({"normalize_text": "NFC"}, [1], [1], "display_name", "eq", "Caf\u00e9")
        self.varies(both, [1], [1, 3], "display_name", "in", ["Caf\u00e9"])
        self.varies(dict(both, case_insensitive=True), [1], [1, 2, 3], "display_name", "eq", "Caf\u00e9")
        self.varies(both, [], [1, 3], "display_name", "eq", " Cafe\u0301")
        self.varies({"trim_text": True}, [1], [1, 3], "display_name", "starts_with", "Caf")
        self.varies({"normalize_text": "NFC"}, [2, 3], [], "display_name", "contains", "fe")
        self.varies({"wildcards": True, "trim_text": True}, [], [1, 3], "display_name", "starts_with", "C_f")
        self.varies({"empty_is_null": True}, [1, 2, 3, 4], [1, 2, 3], "display_name", "exists")
        self.varies({"empty_is_null": True}, [5, 6, 7, 8, 9], [4, 5, 6, 7, 8, 9], "display_name", "not_exists")
        self.varies({"empty_is_null": True}, [4], [], "display_name", "eq", "")

    def test_numbers_vary(self):
        self.give("amount", "currency", "9007199254740992", "9007199254740993", "9007199254740995", "1")
        doubles = {"numbers_as_doubles": True}
        self.varies(doubles, [1], [1, 2], "amount", "eq", "9007199254740992")
        self.varies(doubles, [2, 3], [3], "amount", "gt", "9007199254740992")
        self.varies(doubles, [2], [1, 2], "amount", "between", ["9007199254740993", "9007199254740993"])
        self.varies({"bounds_exclusive": True}, [1, 4], [4], "amount", "lte", "9007199254740992")
        self.varies({"bounds_exclusive": True}, [2, 3], [3], "amount", "gte", "9007199254740993")

    def test_times_vary(self):
        times = ["2024-01-02T03:04:05.%sZ" % fraction for fraction in ("9", "1", "5")]
        self.give("closed_at", "timestamp", *times, "2024-01-02T03:04:06Z", "2024-01-02T03:04:04.999999Z")
        for form in ("filter", True):
            cut = {"truncate_times": form}
            self.varies(cut, [3], [1, 2, 3], "closed_at", "eq", times[2])
            self.varies(cut, [1, 3, 4], [1, 2, 3, 4], "closed_at", "gte", times[2])
            self.varies(cut, [1, 4], [4], "closed_at", "gt", times[2])
            self.varies(cut, [1, 3], [1, 2, 3], "closed_at", "between", [times[2], "2024-01-02T03:04:05.95Z"])
        self.varies({"truncate_times": "sort"}, [3], [3], "closed_at", "eq", times[2])

        def order(direction):
            asked = {"filters": [{"field": "closed_at", "operator": "between",
                                  "value": ["2024-01-02T03:04:04Z", "2024-01-02T03:04:06Z"]}],
                     "sort": [{"field": "closed_at", "direction": direction}]}
            return [int(record["id"][-12:]) for record in self.query(asked).json()["data"]]
        for form, up, down in ((None, [5, 2, 3, 1, 4], [4, 1, 3, 2, 5]), ("filter", [5, 2, 3, 1, 4], [4, 1, 3, 2, 5]),
                               ("sort", [5, 1, 2, 3, 4], [4, 1, 2, 3, 5]), (True, [5, 1, 2, 3, 4], [4, 1, 2, 3, 5])):
            self.behave(truncate_times=form)
            self.assertEqual((order("asc"), order("desc")), (up, down), form)

    def test_sort(self):
        asked = {"sort": [{"field": "amount", "direction": "desc"}], "limit": 5000}
        data = self.query(asked).json()["data"]
        amounts = [((r["attributes"].get("amount") or {}).get("value") or {}).get("amount") for r in data]
        self.assertIsNotNone(amounts[0])
        self.assertIsNone(amounts[-1])
        numbers = [float(a) for a in amounts if a is not None]
        self.assertEqual(numbers, sorted(numbers, reverse=True))
        backward = {"sort": [{"field": "status", "direction": "desc"}], "limit": 5000}
        before, after = [], []
        for ids in (before, after):
            ids += [r["id"] for r in self.query(backward).json()["data"]
                    if r["attributes"]["status"]["value"] == "open"]
            self.behave(reverse_ties=True)
        self.assertEqual(after, before[::-1])
        self.behave(nulls_first=True)
        first = self.query(asked).json()["data"][0]
        self.assertFalse((first["attributes"].get("amount") or {}).get("value"))

    def test_refusals(self):
        def where(field, operator, value):
            return {"filters": [{"field": field, "operator": operator, "value": value}]}
        self.refused(where("nope", "eq", "x"), "invalid_filter_field")
        self.refused(where("amount", "contains", "x"), "invalid_filter_operator")
        self.refused(where("amount", "gt", "x"), "invalid_filter_value")
        deep = where("id", "exists", None)["filters"][0]
        for _ in range(6):
            deep = {"and": [deep]}
        self.refused({"filters": [deep]}, "filter_depth_exceeded")
        self.refused({"sort": [{"field": "created_at"}] * 4}, "sort_too_many_fields")
        self.refused({"sort": [{"field": "stage"}]}, "unsortable_field")
        self.refused({"cursor": "made-up"}, "invalid_cursor")
        cursor = self.query({"limit": 1}).json()["next_cursor"]
        self.refused({"cursor": cursor, "sort": [{"field": "id"}]}, "invalid_cursor")
        self.behave(refuse_values=["status", "amount.gt"])
        self.refused(where("status", "eq", "open"), "invalid_filter_value")
        self.refused(where("amount", "gt", "1"), "invalid_filter_value")
        self.assertEqual(self.query(where("amount", "lt", "1")).status, 200)
        self.behave(refuse_values=None, refuse_fields=["status"], refuse_status=422, in_limit=1)
        self.refused(where("status", "eq", "open"), "invalid_filter_field", 422)
        self.refused(where("id", "in", [FIRST, SEVENTH]), "invalid_filter_value", 422)
        self.assertEqual(self.query({"limit": 0}).status, 422)
        self.assertEqual(self.query({"wrong": 0}).status, 422)

    def test_paging_variants(self):
        self.behave(clamp_limit=50)
        self.assertEqual(len(self.query({"limit": 500}).json()["data"]), 50)
        self.behave(clamp_limit=None, least_limit=20)
        self.assertEqual([len(self.query({"limit": limit}).json()["data"]) for limit in (1, 30)], [20, 30])
        self.behave(least_limit=None, cursor_under="meta")
        self.assertIn("next_cursor", self.query({"limit": 5}).json()["meta"])
        self.behave(cursor_under="top", empty_pages_with_cursor=True)
        found, pages = self.all_pages({"limit": 250})
        self.assertEqual((len(set(found)), pages), (1000, 8))
        self.behave(empty_pages_with_cursor=False, move_between_pages=True)
        found, _ = self.all_pages({"limit": 250})
        self.assertEqual((len(found), len(set(found))), (1003, 1000))
        self.behave(move_between_pages=False, query_drops_some=[FIRST])
        self.assertEqual(len(self.all_pages({"limit": 500})[0]), 999)
        self.behave(query_drops_some=None, repeat_cursor=True)
        cursor = self.query({"limit": 1}).json()["next_cursor"]
        self.assertEqual(self.query({"cursor": cursor}).json()["next_cursor"], cursor)
        self.behave(repeat_cursor=False, expire_cursors_after=1, expire_cursors_times=1)
        cursor = self.query({"limit": 1}).json()["next_cursor"]
        self.refused({"cursor": cursor}, "invalid_cursor")
        self.assertEqual(self.query({"cursor": cursor}).status, 200)

    def test_records_not_asked_for(self):
        wanted = {"filters": [{"field": "id", "operator": "in", "value": [FIRST, SEVENTH]}]}
        self.behave(double_records=True)
        self.assertEqual([record["id"] for record in self.query(wanted).json()["data"]],
                         [FIRST, FIRST, SEVENTH, SEVENTH])
        self.behave(double_records=False, stray_record=True)
        found = [record["id"] for record in self.query(wanted).json()["data"]]
        self.assertEqual((found[:2], len(set(found))), ([FIRST, SEVENTH], 3))
        self.behave(stray_record=False, upper_case_ids=True)
        example = self.get(EXAMPLE).json()["data"]
        self.assertEqual((example["id"], example["attributes"]["id"]["value"]),
                         (EXAMPLE.upper(), EXAMPLE.upper()))


    def test_result_cap(self):
        self.behave(result_cap=250)
        for limit, pages in ((100, 3), (250, 1), (1000, 1)):
            found = self.all_pages({"limit": limit})
            self.assertEqual((len(set(found[0])), found[1]), (250, pages))
        for how, status, body in (("refuse", 400, {"message": "Result window is too large"}),
                                  ("refuse", 413, "<big>")):
            self.behave(cap_how=how, cap_status=status, cap_body=body)
            first = self.query({"limit": 200}).json()
            second = self.query({"cursor": first["next_cursor"], "limit": 200}).json()
            self.assertEqual((len(first["data"]), len(second["data"])), (200, 50))
            answer = self.query({"cursor": second["next_cursor"]})
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.body.decode() if status == 413 else answer.json(), body)
        self.behave(cap_how="invalid_cursor", refuse_status=422)
        self.refused({"cursor": self.query({"limit": 250}).json()["next_cursor"]}, "invalid_cursor", 422)
        self.behave(result_cap=1000)
        self.assertEqual(self.all_pages({"limit": 400})[1], 3)
        self.behave(result_cap=0)
        self.assertEqual(len(self.all_pages({"limit": 400})[0]), 1000)

    def test_totals(self):
        first, last = {"limit": 600}, {"limit": 1000}
        self.assertEqual(list(self.query(first).json()), ["data", "next_cursor"])
        self.behave(total=True, has_more=True, result_cap=1000)
        page = self.query(first).json()
        self.assertEqual((page["total"], page["has_more"]), (1000, True))
        page = self.query({"cursor": page["next_cursor"], "limit": 600}).json()
        self.assertEqual((page["total"], page["has_more"], page["next_cursor"]), (1000, False, None))
        self.behave(result_cap=500, total_name="total_count", total_lies=-3, omit_null_cursor=True)
        for under in ("meta", "pagination"):
            self.behave(cursor_under=under)
            page = self.query(last).json()
            self.assertEqual((len(page["data"]), page[under]), (500, {"total_count": 997, "has_more": True}))
        self.behave(total=False, has_more=False)
        self.assertEqual(list(self.query(last).json()), ["data"])
        self.behave(omit_null_cursor=False, empty_last_cursor=True, cursor_under="top")
        self.assertEqual(self.query(last).json()["next_cursor"], "")
        self.assertTrue(self.query({"limit": 5}).json()["next_cursor"])
        more = {"error": None, "errors": [], "status": "ok"}
        self.behave(more_members=more)
        page = self.query(last).json()
        self.assertEqual(list(page), ["data", "error", "errors", "status", "next_cursor"])
        self.assertEqual({name: page[name] for name in more}, more)

    def test_more_records(self):
        kept = self.get(FIRST).body
        new = "00000000-0000-4000-8000-000000001200"
        self.control("PUT", "attributes/" + new, b'{"created_at": {"value": "later", "value_type": "timestamp"}}')
        self.assertEqual(self.all_pages({"limit": 600})[0][-1], new)
        self.control("PUT", "records/2500")
        found, _ = self.all_pages({"limit": 600})
        self.assertEqual((len(found), len(set(found)), found[1200]), (2500, 2500, new))
        self.assertEqual(self.get(FIRST).body, kept)
        self.assertEqual(self.get(new).json()["data"]["created_at"], "later")
        self.assertEqual(self.call("PUT", "/_control/records/10").status, 400)
        self.control("POST", "reset")
        self.assertEqual(len(self.all_pages({"limit": 600})[0]), 1000)
        for gone in (new, found[-1]):
            self.assertEqual(self.get(gone).status, 404)

    def test_times_of_one_second(self):
        texts = ["2030-01-02T03:04:05%sZ" % fraction for fraction in ("", ".000000001", ".1", ".10", ".123456789")]
        self.give("created_at", "timestamp", *texts)
        data = self.query({"sort": [{"field": "created_at", "direction": "desc"}], "limit": 5}).json()["data"]
        shown = [record["attributes"]["created_at"]["value"] for record in data]
        self.assertEqual(shown, [texts[place] for place in (4, 2, 3, 1, 0)])
        self.assertEqual([record.get("created_at", text) for record, text in zip(data, shown)], shown)

    def ids_where(self, operator, value, field="id"):
        filters = [{"field": field, "operator": operator, "value": value}]
        return [record["id"] for record in self.query({"filters": filters}).json()["data"]]

    def test_merged(self):
        self.assertEqual(self.get(FIRST).json()["data"]["id"], FIRST)
        self.behave(merged={FIRST: SEVENTH})
        self.assertEqual(self.get(FIRST).json()["data"]["id"], SEVENTH)
        self.assertEqual(self.get(FIRST.upper()).json()["data"]["id"], SEVENTH)
        found, _ = self.all_pages({"limit": 400})
        self.assertEqual((len(found), FIRST in found, SEVENTH in found), (999, False, True))
        self.assertEqual(self.ids_where("eq", FIRST), [SEVENTH])
        self.assertEqual(self.ids_where("in", [FIRST]), [SEVENTH])
        self.assertEqual(self.ids_where("in", [FIRST, SEVENTH, EXAMPLE]), [EXAMPLE, SEVENTH])
        self.assertEqual(len(self.ids_where("ne", FIRST)), 100)
        self.behave(merged=None)
        self.assertEqual(self.ids_where("in", [FIRST]), [FIRST])

    def test_bad_ids(self):
        account = self.get(FIRST).json()["data"]["attributes"]["account_id"]["value"]["related_record_id"]
        for status in (400, 413, 422):
            self.behave(bad_ids=[FIRST, account], bad_id_status=status)
            for field, operator, value in (("id", "eq", FIRST), ("id", "in", [SEVENTH, FIRST.upper()]),
                                           ("account_id", "in", [account]), ("organization_id", "eq", FIRST)):
                asked = {"filters": [{"not": {"field": field, "operator": operator, "value": value}}]}
                answer = self.query(asked)
                self.assertEqual((answer.status, answer.json()), (status, {"message": "Bad request"}))
        self.assertEqual(self.ids_where("in", [SEVENTH]), [SEVENTH])
        self.assertEqual(self.query({"filters": [{"field": "id", "operator": "ne", "value": FIRST}]}).status, 200)
        self.assertEqual(self.get(FIRST).status, 200)

    def test_empty_strings(self):
        self.give("closed_at", "timestamp", "2024-01-02T03:04:05Z")
        self.give("amount", "currency")
        self.control("PUT", "attributes/" + SEVENTH, 
                     b'{"competitors_mentioned_other": [{"value": null}], "outcome": null}')
        before = self.get(SEVENTH).body
        raw = json.loads(before)["data"]["attributes"]

        def shown():
            first = self.get(SEVENTH).json()["data"]["attributes"]
            asked = {"filters": [{"field": "id", "operator": "eq", "value": SEVENTH}]}
            self.assertEqual(self.query(asked).json()["data"][0]["attributes"], first)
            return first
        self.behave(empty_strings=True)
        self.assertEqual(shown(), {name: dict(envelope, value="") if isinstance(envelope, dict)
                                   and envelope["value"] is None else envelope for name, envelope in raw.items()})
        self.assertEqual((shown()["closed_at"]["value"], shown()["amount"]["value"]), ("", ""))
        self.assertEqual(shown()["competitors_mentioned_other"], [{"value": None}])
        self.assertIsNone(shown()["outcome"])
        self.assertEqual(self.matching("closed_at", "exists"), [1])
        self.behave(empty_strings=["amount"])
        self.assertEqual((shown()["closed_at"]["value"], shown()["amount"]["value"]), (None, ""))
        self.behave(empty_strings=None)
        self.assertEqual(self.get(SEVENTH).body, before)


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


if __name__ == "__main__":
    unittest.main()
