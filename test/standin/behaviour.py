"""What a test can ask of the stand-in: the behaviours, their defaults and their counters."""

import collections
import math

# Behaviours that shape how an answer is delivered; all off leaves the fast path.
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
    "fail_how": "status",
    "fail_status": 503,
    "cut_at": None,
    "retry_after": None,
    "retry_after_date_in": 2,
    "rate_limit": 0,
    "rate_window": "sliding",
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

# Behaviours that shape what the API says.
API = {
    "not_found_form": "code",
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
    "ignore_filters": False,
    "query_drops_some": [],
    "move_between_pages": False,
    "double_records": False,
    "stray_record": False,
}

DEFAULTS = dict(WIRE, **API)

CHOICES = {
    "stall": (None, "headers", "mid-headers", "body"),
    "fail_how": ("status", "close", "reset", "half-body-close", "half-body-reset", "cut-json",
                 "bad-length", "chunked-cut", "stall"),
    "rate_window": ("sliding", "fixed"),
    "not_found_form": ("code", "flat", "detail", "bare", "html", "string"),
    "cursor_under": ("top", "meta", "pagination"),
    "null_logic": ("sql", "two_valued"),
    "normalize_text": (None, "NFC", "NFD", "NFKC", "NFKD"),
    "truncate_times": (False, True, "filter", "sort"),
}


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
        self._accepted = collections.deque()
        self.expired = 0
        self._settle()

    def merge(self, changes):
        """Takes over changes (null: the default again); raises ValueError, then nothing changed."""
        for name, value in changes.items():
            if name not in DEFAULTS:
                raise ValueError("unknown behaviour: %s" % name)
            if value is not None and name in CHOICES:
                _check_choice(name, value)
        for name, value in changes.items():
            setattr(self, name, DEFAULTS[name] if value is None else value)
        if changes.keys() & {"fail_first", "fail_every", "fail_after"}:
            self._seen = 0
        if "expire_cursors_after" in changes or "expire_cursors_times" in changes:
            self.expired = 0
        self._settle()

    def _settle(self):
        self.plain = all(getattr(self, name) == value for name, value in WIRE.items())

    def concerns(self, kind):
        return not self.only or kind in self.only

    def next_fault(self):
        """Counts a request; how it is to fail, a number being a status, or None."""
        if not (self.fail_first or self.fail_every or self.fail_after):
            return None
        self._seen += 1
        if not (self._seen <= self.fail_first
                or self.fail_every and self._seen % self.fail_every == 0
                or self.fail_after and self._seen > self.fail_after):
            return None
        fault = self.fail_how
        if isinstance(fault, list):
            fault = fault[self._failed % len(fault)]
            self._failed += 1
        return self.fail_status if fault == "status" else fault

    def throttles(self, now):
        """Counts a request; whether it is over the rate limit of its second."""
        if not self.rate_limit:
            return False
        accepted = self._accepted
        start = now - 1 if self.rate_window == "sliding" else math.floor(now)
        while accepted and accepted[0] <= start:
            accepted.popleft()
        if len(accepted) >= self.rate_limit:
            return True
        accepted.append(now)
        return False
