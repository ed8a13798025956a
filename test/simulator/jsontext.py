# SPDX-License-Identifier: PostgreSQL
"""Reads and writes JSON without loss: numbers keep their text.

Python's json would turn 1.10 into 1.1 and round a 30-digit number. Then a test
could not detect that the extension loses digits.
"""

import json
import re

# Marks numbers, with a private-use character that no record has.
_MARK = "\ue000number:"
_MARKED = re.compile(r'"(?:\\ue000|\ue000)number:([^"]*)"')


class RawNumber:
    """A JSON number as its text."""

    __slots__ = ("text",)

    def __init__(self, text):
        self.text = text


def _whole_number(text):
    # An int cannot keep "-0" and very long numbers.
    if len(text) > 18 or text.startswith("-0"):
        return RawNumber(text)
    return int(text)


def loads(text):
    """Parses JSON text (str or UTF-8 bytes); raises ValueError."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    return json.loads(text, parse_float=RawNumber, parse_int=_whole_number)


def body(value):
    """Returns the bytes of a body that a test has set: a text unchanged, other values as JSON."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else dumps(value)


def _mark(value):
    if isinstance(value, RawNumber):
        return _MARK + value.text
    raise TypeError(type(value).__name__)


def dumps(value, ascii_only=False, spaced=False, indent=None):
    """Returns the JSON text of a value, as UTF-8 bytes."""
    separators = (", ", ": ") if spaced else (",", ":")
    if indent is not None:
        separators = (",", ": ")
    text = json.dumps(value, ensure_ascii=ascii_only, separators=separators,
                      indent=indent, default=_mark)
    if "number:" in text:
        text = _MARKED.sub(r"\1", text)
    # A lone surrogate (from a \ud800 escape) has no UTF-8: escape everything.
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return dumps(value, True, spaced, indent)
