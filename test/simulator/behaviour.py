# SPDX-License-Identifier: PostgreSQL
"""The behaviours that a test can set, their defaults and their counters."""

import collections
import math

# Behaviours of the delivery of responses. The fast path needs all of them off.
WIRE = {
    "only": None,
    "delay_ms": 0,
    "jitter": 0,
    "stall": None,
    "status": None,
    "body": None,
    "content_type": None,
    "headers": None,
    "fail_first": 0,
    "fail_every": 0,
    "fail_after": 0,
    "fail_at": [],
    "fail_how": "status",
    "fail_status": 503,
    "cut_at": None,
    "error_body": {"data": [], "errors": [{"message": "Complexity budget exhausted"}]},
    "error_bodies": [],
    "no_content_when_empty": False,
    "date_skew": None,
    "retry_after": None,
    "retry_after_date_in": 2,
    "rate_limit": 0,
    "rate_window": "sliding",
    "quota_requests": 0,
    "quota_seconds": 60,
    "quota_header": None,
    "throttle_status": 429,
    "throttle_body": None,
    "chunked": False,
    "gzip": False,
    "gzip_bomb": 0,
    "close_each": False,
    "idle_close_ms": 0,
    "drip": 0,
    "endless_body": False,
    "header_bomb": False,
    "redirect": None,
}

# Behaviours of the API.
API = {
    "not_found_form": "code",
    "path_prefix_gone": False,
    "merged": {},
    "bad_ids": [],
    "bad_id_status": 400,
    "empty_strings": False,
    "healthy": True,
    "swap_id": False,
    "custom_fields": False,
    "archived_hidden_from_get": False,
    "archived_hidden_from_query": False,
    "cursor_under": "top",
    "omit_null_cursor": False,
    "clamp_limit": 0,
    "refuse_limit": 0,
    "least_limit": 0,
    "case_insensitive": False,
    "trim_text": False,
    "normalize_text": None,
    "empty_is_null": False,
    "numbers_as_doubles": False,
    "truncate_times": False,
    "wildcards": False,
    "null_logic": "sql",
    "between_exclusive": False,
    "bounds_exclusive": False,
    "upper_case_ids": False,
    "select_match": ["id", "api_name", "display_value"],
    "max_filter_depth": 5,
    "refuse_operators": [],
    "refuse_fields": [],
    "refuse_values": [],
    "refuse_sort": False,
    "refuse_status": 400,
    "in_limit": 0,
    "short_pages": False,
    "empty_pages_with_cursor": False,
    "expire_cursors_after": 0,
    "expire_cursors_times": 0,
    "repeat_cursor": False,
    "nulls_first": False,
    "sort_casefold": False,
    "ignore_sort": False,
    "reverse_ties": False,
    "ignore_filters": False,
    "query_drops_some": [],
    "move_between_pages": False,
    "double_records": False,
    "stray_record": False,
    "result_cap": 0,
    "cap_how": "no_cursor",
    "cap_status": 400,
    "cap_body": {"message": "Result window is too large"},
    "total": False,
    "total_name": "total",
    "total_lies": 0,
    "has_more": False,
    "empty_last_cursor": False,
    "more_members": {},
}

DEFAULTS = dict(WIRE, **API)

CHOICES = {
    "stall": (None, "headers", "mid-headers", "body"),
    "fail_how": ("status", "close", "reset", "half-body-close", "half-body-reset", "cut-json",
                 "bad-length", "chunked-cut", "stall", "error-body"),
    "quota_header": (None, "X-RateLimit-Reset", "X-RateLimit-Reset-epoch", "X-RateLimit-Reset-ms",
                     "RateLimit-Reset", "RateLimit", "RateLimit-old"),
    "rate_window": ("sliding", "fixed"),
    "not_found_form": ("code", "flat", "detail", "bare", "html", "string", "kong", "aws", "express",
                       "express_long", "empty", "gone"),
    "cursor_under": ("top", "meta", "pagination"),
    "null_logic": ("sql", "two_valued"),
    "normalize_text": (None, "NFC", "NFD", "NFKC", "NFKD"),
    "cap_how": ("no_cursor", "refuse", "invalid_cursor"),
    "truncate_times": (False, True, "filter", "sort"),
}

# The types of values, then the types of the items of lists and objects.
TYPES = {
    "fail_at": (list,),
    "error_bodies": (list,),
    "no_content_when_empty": (bool,),
    "date_skew": (int, float),
    "quota_requests": (int,),
    "quota_seconds": (int, float),
    "throttle_status": (int,),
    "path_prefix_gone": (bool, list),
    "merged": (dict,),
    "bad_ids": (list,),
    "bad_id_status": (int,),
    "empty_strings": (bool, list),
    "result_cap": (int,),
    "cap_status": (int,),
    "total": (bool,),
    "total_name": (str,),
    "total_lies": (int,),
    "has_more": (bool,),
    "empty_last_cursor": (bool,),
    "more_members": (dict,),
}
ITEM_TYPES = {
    "fail_at": (int,),
    "path_prefix_gone": (str,),
    "merged": (str,),
    "bad_ids": (str,),
    "empty_strings": (str,),
}


def _is_one_of(value, types):
    """Checks the type of a value; in Python, a bool is also an int."""
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def _check_type(name, value):
    if not _is_one_of(value, TYPES[name]):
        raise ValueError("%s must be of type %s" % (name, " or ".join(t.__name__ for t in TYPES[name])))
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if name in ITEM_TYPES and not all(_is_one_of(item, ITEM_TYPES[name]) for item in items):
        raise ValueError("%s has an item of a wrong type" % name)
    if name == "merged" and value.keys() & set(value.values()):
        raise ValueError("merged: a surviving record must not be merged itself")


def _check_choice(name, value):
    choices = CHOICES[name]
    if name == "fail_how" and isinstance(value, list):
        fine = value and all(isinstance(one, int) or one in choices for one in value)
    else:
        fine = value in choices
    if not fine:
        raise ValueError("%s must be one of %s" % (name, ", ".join(map(str, choices))))


class Behaviours:
    """The current behaviours as attributes, with the counters of the faults."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.__dict__.update(DEFAULTS)
        self._seen = 0
        self._failed = 0
        self._bodies_sent = 0
        self._accepted = collections.deque()
        self._restart_quota()
        self.expired = 0
        self._settle()

    def merge(self, changes):
        """Applies changes (null: the default); raises ValueError before any change."""
        for name, value in changes.items():
            if name not in DEFAULTS:
                raise ValueError("unknown behaviour: %s" % name)
            if value is not None and name in CHOICES:
                _check_choice(name, value)
            if value is not None and name in TYPES:
                _check_type(name, value)
        for name, value in changes.items():
            setattr(self, name, DEFAULTS[name] if value is None else value)
        if changes.keys() & {"fail_first", "fail_every", "fail_after", "fail_at"}:
            self._seen = 0
        if "error_bodies" in changes:
            self._bodies_sent = 0
        if changes.keys() & {"quota_requests", "quota_seconds"}:
            self._restart_quota()
        if "expire_cursors_after" in changes or "expire_cursors_times" in changes:
            self.expired = 0
        self._settle()

    def _restart_quota(self):
        self._quota_end = -math.inf
        self._quota_used = 0

    def _settle(self):
        self.plain = all(getattr(self, name) == value for name, value in WIRE.items())

    def concerns(self, kind):
        return not self.only or kind in self.only

    def next_fault(self):
        """Counts a request; returns its failure (a number is a status), or None."""
        if not (self.fail_first or self.fail_every or self.fail_after or self.fail_at):
            return None
        self._seen += 1
        if not (self._seen <= self.fail_first
                or self.fail_every and self._seen % self.fail_every == 0
                or self.fail_after and self._seen > self.fail_after
                or self._seen in self.fail_at):
            return None
        fault = self.fail_how
        if isinstance(fault, list):
            fault = fault[self._failed % len(fault)]
            self._failed += 1
        return self.fail_status if fault == "status" else fault

    def next_error_body(self):
        """Returns the body of the fault "error-body"."""
        if not self.error_bodies:
            return self.error_body
        self._bodies_sent += 1
        return self.error_bodies[(self._bodies_sent - 1) % len(self.error_bodies)]

    def throttles(self, now):
        """Returns the limit that a request exceeds, "quota" or "rate"; or counts it and returns None."""
        if self._is_over_quota(now):
            return "quota"
        if self._is_over_rate(now):
            return "rate"
        if self.rate_limit:
            self._accepted.append(now)
        self._quota_used += 1
        return None

    def quota_left(self, now):
        """Returns the seconds until the window of the quota ends."""
        return max(0, self._quota_end - now)

    def _is_over_quota(self, now):
        if not self.quota_requests:
            return False
        if now >= self._quota_end:
            self._quota_end = now + self.quota_seconds
            self._quota_used = 0
        return self._quota_used >= self.quota_requests

    def _is_over_rate(self, now):
        if not self.rate_limit:
            return False
        accepted = self._accepted
        start = now - 1 if self.rate_window == "sliding" else math.floor(now)
        while accepted and accepted[0] <= start:
            accepted.popleft()
        return len(accepted) >= self.rate_limit
