# SPDX-License-Identifier: PostgreSQL
"""Ports with faults below HTTP: silent, full, closed, or of another protocol."""

import asyncio
import select
import socket

_GARBAGE = b"\x16\x03\x00\xff\x00SSH-2.0-garbage\r\n\x00\x01\x02 this is no HTTP\r\n\r\n"
_FILLERS = 16


class _Silent(asyncio.Protocol):
    """Accepts and reads, but sends nothing."""


class _Garbage(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(_GARBAGE)
        self.transport.close()


def _connect(port):
    """Returns a connecting socket, and whether it is connected."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", port))
    arrived = bool(select.select([], [sock], [], 0.1)[1])
    return sock, arrived


class Ports:
    """The ports. The full one takes a while, so the first request for it opens it."""

    def __init__(self):
        self._info = {}
        self._kept = []

    async def open(self):
        """Opens the ports that need the event loop."""
        loop = asyncio.get_running_loop()
        for name, protocol in (("blackhole_port", _Silent), ("garbage_port", _Garbage)):
            listener = await loop.create_server(protocol, "127.0.0.1", 0)
            self._kept.append(listener)
            self._info[name] = listener.sockets[0].getsockname()[1]
        self._info["closed_port"] = self._closed()

    def info(self):
        if "backlog_port" not in self._info:
            self._info["backlog_port"] = self._full_backlog()
        return self._info

    def _closed(self):
        # Bound but not listening: it refuses connects, and no other process can take it.
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        self._kept.append(sock)
        return sock.getsockname()[1]

    def _full_backlog(self):
        """Returns a listening port with a full queue, or None if that is not possible."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        self._kept.append(listener)
        port = listener.getsockname()[1]
        for _ in range(_FILLERS):
            sock, arrived = _connect(port)
            if not arrived:
                # This connect hangs, as the next one will. Close it, so that it takes no place later.
                sock.close()
                return port
            self._kept.append(sock)
        return None
