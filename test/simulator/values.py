# SPDX-License-Identifier: PostgreSQL
"""Comparable values, from the envelopes of a record and from filters."""

import datetime
import decimal
import re

from . import schema
from .jsontext import RawNumber

_DECIMAL = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d{1,4})?\Z")
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d+)?)?\Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_EPOCH = datetime.datetime(1970, 1, 1)


def number(value):
    """Returns an exact Decimal; None if the value is not a number."""
    if isinstance(value, bool):
        return None
    text = value.text if isinstance(value, RawNumber) else str(value)
    return decimal.Decimal(text) if _DECIMAL.match(text) else None


def timestamp(value):
    """Returns nanoseconds since 1970 in UTC; None if the value is not a timestamp."""
    match = _TIMESTAMP.match(value) if isinstance(value, str) else None
    if not match:
        return None
    try:
        moment = datetime.datetime(*(int(part) for part in match.groups()[:6]))
    except ValueError:
        return None
    since = moment - _EPOCH
    seconds = since.days * 86400 + since.seconds
    zone = match.group(8)
    if zone != "Z":
        offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        seconds -= offset if zone[0] == "+" else -offset
    return seconds * 10 ** 9 + int((match.group(7) or "").ljust(9, "0"))


def _matching(pattern, value):
    return value if isinstance(value, str) and pattern.match(value) else None


def uuid(value):
    return _matching(_UUID, value.lower()) if isinstance(value, str) else None


def _key(value, name):
    return value.get(name) if isinstance(value, dict) else None


def of_record(envelope, value_type):
    """Returns the comparable value of an attribute; None is NULL. Lists stay lists."""
    if isinstance(envelope, list):
        return envelope
    value = envelope.get("value") if isinstance(envelope, dict) else None
    if value is None:
        return None
    if value_type == "currency":
        return number(_key(value, "amount"))
    if value_type == "record_reference":
        return _key(value, "related_record_id")
    if value_type in schema.SELECT_TYPES:
        return value if isinstance(value, dict) else None
    return of_scalar(value, value_type)


def of_scalar(value, value_type):
    """Returns the comparable value of a scalar of a record or a filter; None if it does not fit."""
    if value_type in ("number", "percent", "currency"):
        return number(value)
    if value_type == "timestamp":
        return timestamp(value)
    if value_type == "date":
        return _matching(_DATE, value)
    if value_type == "time":
        return _matching(_TIME, value)
    if value_type in ("uuid", "record_reference"):
        return uuid(value)
    if value_type == "boolean":
        return value if isinstance(value, bool) else None
    if value_type in schema.TEXT_TYPES or value_type == "enum":
        return value if isinstance(value, str) else None
    return value
