# SPDX-License-Identifier: PostgreSQL
"""Delivery of a response with behaviours: late, in pieces, wrong, or not at all."""

import asyncio
import email.utils
import gzip
import math
import random
import socket
import struct
import time
import zlib

from . import api, jsontext, server

_CHUNK = 1000
# Time for the peer to read before a reset.
_BEFORE_RESET = 0.05
_FILLER = b"x" * 16384


class Delivery:
    """The delivery of one response; owns its timers, so that a lost connection stops it."""

    def __init__(self, connection, request):
        self.connection = connection
        self.request = request
        self.server = connection.server
        self.behaviours = connection.server.behaviours
        self.transport = connection.transport
        self.loop = asyncio.get_running_loop()
        self.timer = None
        self.source = None      # pieces to write while the client reads

    def cancel(self):
        self.source = None
        if self.timer:
            self.timer.cancel()

    def later(self, seconds, action, *args):
        self.timer = self.loop.call_later(seconds, action, *args)

    # Choice of the response

    def start(self):
        behaviours = self.behaviours
        throttled = behaviours.throttles(self.loop.time())
        fault = behaviours.next_fault()
        if throttled:
            fault = None
        if fault == "stall" or behaviours.stall == "headers":
            return
        seconds = behaviours.delay_ms / 1000
        if behaviours.jitter:
            seconds += random.random() * behaviours.jitter / 1000
        if seconds:
            self.later(seconds, self._deliver, fault, throttled)
        else:
            self._deliver(fault, throttled)

    def _deliver(self, fault, throttled):
        if fault == "close":
            self.connection.finish(False)
        elif fault == "reset":
            self._reset()
        else:
            answer = self._choose(fault, throttled)
            self._send(answer, None if fault == "error-body" else fault)

    def _choose(self, fault, throttled):
        behaviours = self.behaviours
        if throttled:
            answer = self._refusal(behaviours.throttle_status, behaviours.throttle_body)
            if throttled == "quota" and behaviours.quota_header:
                answer.headers.append(self._quota_header())
            return answer
        if fault == "error-body":
            return self._with_headers(api.Answer(200, jsontext.body(behaviours.next_error_body())))
        if isinstance(fault, int):
            return self._refusal(fault)
        if behaviours.status:
            return self._refusal(behaviours.status)
        if behaviours.redirect:
            return api.Answer(302, b"", "text/html", [("Location", behaviours.redirect)])
        return self._with_headers(self.server.api.answer(self.request))

    def _with_headers(self, answer):
        if self.behaviours.headers:
            answer.headers = list(answer.headers) + list(self.behaviours.headers.items())
        return answer

    def _refusal(self, status, body=None):
        behaviours = self.behaviours
        answer = api.error(status, "rate_limited" if status == 429 else "http_%d" % status,
                           server.reason(status))
        body = behaviours.body if body is None else body
        if body is not None:
            answer.body = jsontext.body(body)
        if behaviours.content_type is not None:
            answer.content_type = behaviours.content_type
        answer.headers = list((behaviours.headers or {}).items())
        if behaviours.retry_after is not None:
            answer.headers.append(("Retry-After", self._retry_after()))
        return answer

    def _clock(self):
        """Returns the seconds since 1970 by the clock of the simulator."""
        return time.time() + (self.behaviours.date_skew or 0)

    def _retry_after(self):
        wanted = self.behaviours.retry_after
        # Rounded up, so that the time is not earlier than the test has set it.
        moment = self._clock() + self.behaviours.retry_after_date_in
        if wanted == "date":
            return email.utils.formatdate(math.ceil(moment), usegmt=True)
        if wanted == "epoch":
            return str(math.ceil(moment))
        if wanted == "epoch_ms":
            return str(math.ceil(moment * 1000))
        return str(wanted)

    def _quota_header(self):
        """Returns (name, value) of the header with the end of the quota's window."""
        behaviours = self.behaviours
        form = behaviours.quota_header
        left = behaviours.quota_left(self.loop.time())
        if form == "X-RateLimit-Reset-epoch":
            return "X-RateLimit-Reset", str(math.ceil(self._clock() + left))
        if form == "X-RateLimit-Reset-ms":
            return "X-RateLimit-Reset", str(math.ceil((self._clock() + left) * 1000))
        if form == "RateLimit":
            return form, '"default";r=0;t=%d' % math.ceil(left)
        if form == "RateLimit-old":
            return "RateLimit", "limit=%d, remaining=0, reset=%d" % (behaviours.quota_requests, math.ceil(left))
        return form, str(math.ceil(left))

    # Delivery of the response

    def _send(self, answer, fault):
        behaviours = self.behaviours
        self.server.counters.answered(self.request, answer.status)
        if behaviours.date_skew is not None:
            date = email.utils.formatdate(math.floor(self._clock()), usegmt=True)
            answer.headers = list(answer.headers) + [("Date", date)]
        body, extra = self._encode(answer)
        close = behaviours.close_each or not self.request.keep_alive or isinstance(fault, str)
        if close and fault not in ("half-body-close", "half-body-reset", "cut-json"):
            extra.append(("Connection", "close"))
        if behaviours.header_bomb:
            self._pour(self._header_lines(answer))
        elif behaviours.endless_body:
            self._pour(self._endless(answer, extra))
        elif behaviours.stall:
            self._stall(answer, body, extra)
        elif isinstance(fault, str):
            self._broken(fault, answer, body, extra)
        elif behaviours.drip:
            self._drip(answer, body, extra, not close)
        else:
            self.transport.write(self._framed(answer, body, extra))
            self.connection.finish(not close)

    def _encode(self, answer):
        behaviours = self.behaviours
        if behaviours.gzip_bomb:
            bomb = behaviours.gzip_bomb
            return _bomb(*(bomb if isinstance(bomb, list) else [bomb])), [("Content-Encoding", "gzip")]
        if behaviours.gzip and "gzip" in self.request.headers.get("accept-encoding", ""):
            return gzip.compress(answer.body, 6, mtime=0) if answer.body else b"", [
                ("Content-Encoding", "gzip")]
        return answer.body, []

    def _head(self, answer, length, extra):
        if self._is_chunked(answer) or length is None:
            return server.head_of(answer, None, extra + [("Transfer-Encoding", "chunked")])
        return server.head_of(answer, length, extra)

    def _is_chunked(self, answer):
        return self.behaviours.chunked and answer.status != 204

    def _framed(self, answer, body, extra):
        head = self._head(answer, len(body), extra)
        return head + (_chunks(body) if self._is_chunked(answer) else body)

    def _stall(self, answer, body, extra):
        whole = self._framed(answer, body, extra)
        head_length = whole.find(b"\r\n\r\n") + 4
        if self.behaviours.stall == "mid-headers":
            self.transport.write(whole[:head_length // 2])
        else:
            self.transport.write(whole[:head_length + (len(whole) - head_length) // 2])

    def _broken(self, fault, answer, body, extra):
        if fault == "cut-json":
            at = self.behaviours.cut_at
            cut = body[:len(body) // 2 if at is None else at]
            self.transport.write(self._framed(answer, cut, extra))
            self.connection.finish(self.request.keep_alive)
            return
        if fault == "bad-length":
            self.transport.write(server.head_of(answer, len(body) + 1000, extra) + body)
        elif fault == "chunked-cut":
            self.transport.write(self._head(answer, None, extra) + _chunks(body)[:len(body) // 2])
        else:
            self.transport.write(self._head(answer, len(body), extra) + body[:len(body) // 2])
        if fault == "half-body-reset":
            self.later(_BEFORE_RESET, self._reset)
        else:
            self.connection.finish(False)

    def _reset(self):
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    # Responses in many pieces

    def _drip(self, answer, body, extra, keep_alive):
        whole = self._framed(answer, body, extra)
        head_length = whole.find(b"\r\n\r\n") + 4
        self.transport.write(whole[:head_length])
        self._drip_on(whole, head_length, keep_alive)

    def _drip_on(self, whole, position, keep_alive):
        if position >= len(whole):
            self.connection.finish(keep_alive)
            return
        rate = self.behaviours.drip or len(whole) * 50
        size = max(1, int(rate / 50))
        self.transport.write(whole[position:position + size])
        self.later(size / rate, self._drip_on, whole, position + size, keep_alive)

    def _pour(self, source):
        self.source = source
        self.resume()

    def resume(self):
        """Writes pieces while the client reads; runs again when it has read."""
        while self.source is not None and self.connection.writable and not self.transport.is_closing():
            self.transport.write(next(self.source))

    def _header_lines(self, answer):
        yield server.head_of(answer, None)[:-2]
        number = 0
        while True:
            number += 1
            yield b"X-Filler-%d: %s\r\n" % (number, _FILLER[:1000])

    def _endless(self, answer, extra):
        extra = [pair for pair in extra if pair[0] != "Content-Encoding"]
        yield server.head_of(answer, None, extra + [("Transfer-Encoding", "chunked")])
        start = b'{"data":{"id":"'
        yield b"%x\r\n%s\r\n" % (len(start), start)
        while True:
            yield b"%x\r\n%s\r\n" % (len(_FILLER), _FILLER)


def _chunks(body):
    made = []
    for start in range(0, len(body), _CHUNK):
        piece = body[start:start + _CHUNK]
        made.append(b"%x\r\n%s\r\n" % (len(piece), piece))
    return b"".join(made) + b"0\r\n\r\n"


def _bomb(megabytes, head='{"data":"', unit="x", tail='"}'):
    """Returns a small gzip that unpacks to that number of megabytes: units between a head and a tail."""
    block = unit.encode() * (1048576 // len(unit.encode()))
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    made = [packer.compress(head.encode())]
    for _ in range(int(megabytes)):
        made.append(packer.compress(block))
    made.append(packer.compress(tail.encode()) + packer.flush())
    return b"".join(made)
