# SPDX-License-Identifier: PostgreSQL
"""Measures reads of 1 to 100,000 records by their ids: see bench/run, which runs this.

It needs a running PostgreSQL with the extension installed.
"""

import argparse
import os
import re
import sys
import tempfile

import common

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "test"))

from simulator import jsontext, records  # noqa: E402

SIZES = [1, 10, 100, 1000, 10000, 100000]
DELAYS = [50, 0]

# Number of different records; the other records differ from them in the id only.
DIFFERENT = 1000


def render_records(path):
    texts = []
    for number in range(1, DIFFERENT + 1):
        record = records.make_record("opportunity", number, DIFFERENT)
        ident = records.record_id("opportunity", number)
        texts.append(jsontext.dumps(record, indent=2).replace(ident.encode(), b"%s"))
    with open(path, "wb") as file:
        for number in range(1, SIZES[-1] + 1):
            text = texts[(number - 1) % DIFFERENT]
            ident = records.record_id("opportunity", number).encode()
            file.write(text.replace(b"%s", ident) + b"\0")


def measure(session, size):
    """Returns seconds, requests, and the peak memory of the session in kB."""
    sql = ("SELECT o.stage FROM opportunity o WHERE id = ANY (ARRAY(SELECT ('00000000-0000-4000-8000-' ||"
           " lpad(n::text, 12, '0'))::uuid FROM generate_series(1, %d) n))" % size)
    session.run("SELECT opportunity_fdw_stats_reset()")
    seconds = session.seconds(sql)
    requests, count = session.run("SELECT requests, records FROM opportunity_fdw_stats").strip().split("|")
    if int(count) != size:
        raise SystemExit("%s records of %d" % (count, size))
    pid = int(session.run("SELECT pg_backend_pid()"))
    with open("/proc/%d/status" % pid) as status:
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1))
    return seconds, int(requests), peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True, help="the folder of the server")
    parser.add_argument("psql", nargs="+", help="how to start psql")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        render_records(path)
        print("\n| delay | records | requests | seconds | records per second | peak memory of the session |")
        print("|---|---|---|---|---|---|")
        for delay in DELAYS:
            server = common.Server(os.path.join(options.programs, "ids_server"), path, delay)
            session = common.Session(options.psql)
            common.set_up(session, server)
            measure(session, 1)     # connects
            for size in SIZES:
                seconds, requests, peak = measure(session, size)
                print("| %d ms | %s | %d | %.4f | %d | %.1f MB |"
                      % (delay, format(size, ","), requests, seconds, size / seconds, peak / 1024), flush=True)
            session.run("DROP EXTENSION opportunity_fdw CASCADE")
            session.stop()
            server.stop()


if __name__ == "__main__":
    main()
