# SPDX-License-Identifier: PostgreSQL
"""Measures scans of a whole table, and a plain client: see bench/scan, which runs this.

It needs a running PostgreSQL with the extension installed.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

import common

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "test"))

from simulator import jsontext, records, values  # noqa: E402

RECORDS = 20000
PAGE = 100
CONNECTIONS = 8
DELAYS = [50, 0]

# Numbers of pages for which requests and round trips are counted. With this delay, the
# time of a scan is that of its round trips.
SIZES = [10, 30, 60, 100, 200, 1000]
LONG_DELAY = 500
COLUMNS = ["stage", "*"]

# Further requests of a scan. One verifies the end after a full page. Others are for the
# ends of the table, and for each range, whose first and last pages are not full.
TO_VERIFY = 1
FOR_ENDS = 3
FOR_RANGE = 2


def created(record):
    """Returns the creation in nanoseconds since 1970."""
    envelope = record["attributes"].get("created_at")
    return values.timestamp(envelope["value"] if envelope else record["created_at"])


def render_records(path, count=RECORDS):
    """Writes the records for the server, indented like the example of the API documentation."""
    made = [records.make_record("opportunity", number, count) for number in range(count)]
    made.sort(key=created)
    with open(path, "wb") as file, open(path + ".times", "w") as times:
        for record in made:
            file.write(jsontext.dumps(record, indent=2) + b"\0")
            times.write("%d\n" % (created(record) // 1000))


def floor(program, server):
    """Returns the seconds of the plain client."""
    printed = subprocess.run([program, server.url + "/api/v2/opportunity/_query", str(PAGE)],
                             stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
    count, seconds = printed.split()
    if int(count) != RECORDS:
        raise SystemExit("the plain client read %s records" % count)
    return float(seconds)


def statement(columns, table):
    return "SELECT %s FROM %s" % (columns, table)


def set_up(session, server):
    common.set_up(session, server)
    for table, connections in (("many", CONNECTIONS), ("one", 1)):
        session.run("CREATE SCHEMA %s" % table)
        session.run("IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO %s OPTIONS (discover 'false')" % table)
        session.run("ALTER FOREIGN TABLE %s.opportunity OPTIONS (max_concurrency '%d', page_size '%d')"
                    % (table, connections, PAGE))


def check(session, table):
    """Checks the number of records and requests, and returns the latter."""
    counted = session.run("SELECT count(DISTINCT id), count(*) FROM (%s) q" % statement("*", table))
    plan = session.run("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + statement("stage", table))
    requests = int(re.search(r"API Calls: (\d+)", plan).group(1))
    ranges = re.search(r"Ranges: (\d+)", plan)
    most = RECORDS / PAGE + TO_VERIFY + (FOR_ENDS + FOR_RANGE * int(ranges.group(1)) if ranges else 0)
    if counted.strip() != "%d|%d" % (RECORDS, RECORDS) or requests > most:
        raise SystemExit("%s: %s records\n%s" % (table, counted, plan))
    return requests


def measure(session, server, options, delay, columns):
    """Prints the line of one delay and one set of columns."""
    others = {"one": lambda: session.seconds(statement(columns, "one.opportunity")),
              "floor": lambda: floor(options.floor, server)}
    many = []
    took = {name: [] for name in others}
    ratios = {name: [] for name in others}
    for number in range(options.rounds):
        for name, other in others.items():
            # Each scan runs right before or after the client to compare with.
            if number % 2 == 0:
                theirs, own = other(), session.seconds(statement(columns, "many.opportunity"))
            else:
                own, theirs = session.seconds(statement(columns, "many.opportunity")), other()
            many.append(own)
            took[name].append(theirs)
            ratios[name].append(own / theirs)
    print("| %d ms | %s | %s | %s | %s | %s | %s |"
          % (delay, columns.replace("*", "all"), common.spread(many), common.spread(took["one"]),
             common.spread(took["floor"]), common.spread(ratios["one"], "%.3f"),
             common.spread(ratios["floor"], "%.3f")), flush=True)


def measure_sizes(session, rendered):
    """Prints the requests and the round trips of scans of several numbers of pages."""
    with open(rendered + ".times", encoding="ascii") as file:
        times = [int(line) for line in file]
    print("\n| pages | requests | at most | round trips | at most |")
    print("|---|---|---|---|---|")
    for pages in SIZES:
        size = min(PAGE, RECORDS // pages)
        session.run("ALTER FOREIGN TABLE many.opportunity OPTIONS (SET page_size '%d')" % size)
        query = statement("stage", "many.opportunity")
        if pages * size < RECORDS:
            query += " WHERE created_at < 'epoch'::timestamptz + interval '%d us'" % times[pages * size]
        plan = session.run("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + query)
        requests = int(re.search(r"API Calls: (\d+)", plan).group(1))
        trips = float(re.search(r"Execution Time: ([\d.]+)", plan).group(1)) / LONG_DELAY
        print("| %d | %d | %d | %.1f | %d |"
              % (pages, requests, pages + CONNECTIONS + 2, trips, -(-pages // CONNECTIONS) + 4), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, help="the program scan_server")
    parser.add_argument("--floor", required=True, help="the program scan_floor")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("psql", nargs="+", help="how to start psql")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        render_records(path)
        servers = {delay: common.Server(options.server, path, delay) for delay in DELAYS + [LONG_DELAY]}
        session = common.Session(options.psql)
        set_up(session, servers[0])
        print("%d records, %d bytes per page; requests: %d in parallel, %d one by one\n"
              % (RECORDS, os.path.getsize(path) * PAGE // RECORDS,
                 check(session, "many.opportunity"), check(session, "one.opportunity")))
        print("| delay | columns | seconds | one by one | floor | ratio to one | to floor |")
        print("|---|---|---|---|---|---|---|")
        for delay in DELAYS:
            common.go_to(session, servers[delay])
            for columns in COLUMNS:
                measure(session, servers[delay], options, delay, columns)
        common.go_to(session, servers[LONG_DELAY])
        measure_sizes(session, path)
        session.stop()
        for server in servers.values():
            server.stop()


if __name__ == "__main__":
    main()
