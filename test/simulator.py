#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""A simulator of the Reevo API for tests: see README.md in this folder."""

import argparse
import asyncio
import os
import signal
import ssl
import sys

from simulator import server as server_module


def _arguments():
    parser = argparse.ArgumentParser(description="A simulator of the Reevo API.")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--records", type=int, default=1000, help="number of opportunities")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"), help="PEM files")
    parser.add_argument("--parent-pid", type=int, help="end when this process ends")
    return parser.parse_args()


def _tls_context(files):
    if not files:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


async def _watch(pid, stop):
    while True:
        await asyncio.sleep(1)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            stop.set()
            return
        except PermissionError:
            pass    # the process exists, as another user's


def _stop_on_signals(loop, stop):
    for number in (signal.SIGTERM, signal.SIGINT):
        # A parent that runs this in the background may have set SIGINT to be ignored. Then
        # a Ctrl-C is for the tests, which still need the simulator while they end.
        if signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)


async def _run(args):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    _stop_on_signals(loop, stop)
    shared = server_module.Server(args.records)
    await shared.ports.open()
    context = _tls_context(args.tls)
    listener = await loop.create_server(lambda: server_module.Connection(shared), "127.0.0.1",
                                        args.port, ssl=context, backlog=1024)
    port = listener.sockets[0].getsockname()[1]
    print("%s://127.0.0.1:%d" % ("https" if context else "http", port), flush=True)
    watcher = asyncio.ensure_future(_watch(args.parent_pid, stop)) if args.parent_pid else None
    await stop.wait()
    if watcher:
        watcher.cancel()
    listener.close()


def main():
    try:
        asyncio.run(_run(_arguments()))
    except (OSError, ssl.SSLError) as problem:
        sys.exit("simulator: %s" % problem)


if __name__ == "__main__":
    main()
