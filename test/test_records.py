# SPDX-License-Identifier: PostgreSQL
"""Tests of the simulator: records, schemas and the control endpoints."""

import json
import os
import subprocess

from stand_in import EXAMPLE, FIRST, HERE, StandIn, start

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

    def test_changes_end_with_a_reset(self):
        def shown():
            texts = []
            for custom in (False, True, False):
                self.behave(custom_fields=custom)
                texts.append([self.get(ident).body for ident in (EXAMPLE, FIRST)])
            self.assertEqual(texts[0], texts[2])
            self.assertNotEqual(texts[0], texts[1])
            return texts
        before = shown()
        envelope = b'{"note":{"value":"new","value_type":"string"}}'
        for custom in (False, True):
            self.behave(custom_fields=custom)
            self.control("PUT", "attributes/" + FIRST, envelope)
            self.assertIn(b'"new"', self.get(FIRST).body)
        self.control("POST", "delete/" + FIRST)
        self.assertEqual(self.get(FIRST).status, 404)
        self.control("PUT", "records/1001")
        last = "00000000-0000-4000-8000-000000001000"
        self.assertEqual(self.get(last).status, 200)
        self.control("POST", "reset")
        self.assertEqual(self.get(last).status, 404)
        self.assertEqual(shown(), before)

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
