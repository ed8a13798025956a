# SPDX-License-Identifier: PostgreSQL
"""Tests of the simulator: queries."""

import json

from stand_in import EXAMPLE, FIRST, SEVENTH, StandIn


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
