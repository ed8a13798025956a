#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""A relay to a server that delays every byte, in both directions.

    relay.py --delay-ms MILLISECONDS [--parent-pid PID] HOST:PORT

It prints its own address (http://127.0.0.1:PORT) when it is ready. It ends on SIGTERM, and when
the process PID ends. It accepts connections without a delay.
"""

import argparse
import asyncio
import os
import signal

_PIECE = 65536


def _arguments():
    parser = argparse.ArgumentParser(description="Relays every byte after a delay.")
    parser.add_argument("--delay-ms", type=float, required=True)
    parser.add_argument("--parent-pid", type=int, help="end when this process ends")
    parser.add_argument("target", help="HOST:PORT")
    return parser.parse_args()


async def _read(reader, queue, delay):
    """Queues each piece with its due time; an empty piece is the end."""
    loop = asyncio.get_running_loop()
    piece = b" "
    while piece:
        try:
            piece = await reader.read(_PIECE)
        except OSError:
            piece = b""
        queue.put_nowait((loop.time() + delay, piece))


async def _write(writer, queue):
    loop = asyncio.get_running_loop()
    while True:
        due, piece = await queue.get()
        await asyncio.sleep(due - loop.time())
        if not piece:
            writer.close()
            return
        try:
            writer.write(piece)
            await writer.drain()
        except OSError:
            return


async def _pass_on(reader, writer, delay):
    queue = asyncio.Queue()
    await asyncio.gather(_read(reader, queue, delay), _write(writer, queue))


async def _serve(reader, writer, host, port, delay):
    try:
        far_reader, far_writer = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pass_on(reader, far_writer, delay), _pass_on(far_reader, writer, delay))


def _has_ended(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass    # the process exists, as another user's
    return False


async def _run(args):
    host, _, port = args.target.rpartition(":")
    delay = args.delay_ms / 1000
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listener = await asyncio.start_server(
        lambda reader, writer: _serve(reader, writer, host, int(port), delay), "127.0.0.1", 0)
    print("http://127.0.0.1:%d" % listener.sockets[0].getsockname()[1], flush=True)
    while not stop.is_set() and not (args.parent_pid and _has_ended(args.parent_pid)):
        try:
            await asyncio.wait_for(stop.wait(), 1)
        except asyncio.TimeoutError:
            pass
    listener.close()


if __name__ == "__main__":
    asyncio.run(_run(_arguments()))
