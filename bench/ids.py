# SPDX-License-Identifier: PostgreSQL
"""Measures reads by many ids, and simpler clients: see bench/ids, which runs this.

It needs a running PostgreSQL with the extension installed.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import common

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "test"))

from simulator import jsontext, records  # noqa: E402

SIZES = [1000, 5000]
DELAYS = [50, 0]
PAGE = 100
CONNECTIONS = 8

# Number of GETs to measure at a delay; the time of all GETs follows from it.
GETS_MEASURED = 32

QUERY_PATH = "/api/v2/opportunity/_query"
RECORD_PATH = "/api/v2/opportunity/"

# Columns to read, and forms of the statement.
COLUMNS = ["stage", "*"]
FORMS = ["join", "IN", "ANY"]


def record_ids(size):
    """Returns shuffled ids, the same in every run."""
    numbers = list(range(1, size + 1))
    random.Random(size).shuffle(numbers)
    return [records.record_id("opportunity", number) for number in numbers]


def query_body(ids):
    """Returns the body that the extension sends for one page of ids."""
    return jsontext.dumps({"filters": [{"field": "id", "operator": "in", "value": ids}],
                           "limit": len(ids)}).decode()


def render_records(path):
    """Writes the records, indented like the example of the API documentation."""
    with open(path, "wb") as file:
        for number in range(1, max(SIZES) + 1):
            record = records.make_record("opportunity", number, max(SIZES))
            file.write(jsontext.dumps(record, indent=2) + b"\0")


def statement(columns, form, size):
    """Returns the statement that reads a number of records in one of the forms."""
    shown = "o." + columns
    if form == "join":
        return "SELECT %s FROM wanted_%d w JOIN opportunity o ON o.id = w.id" % (shown, size)
    if form == "IN":
        ids = ", ".join("'%s'" % ident for ident in record_ids(size))
        return "SELECT %s FROM opportunity o WHERE id IN (%s)" % (shown, ids)
    return ("SELECT %s FROM opportunity o WHERE id = ANY (ARRAY(SELECT id FROM wanted_%d))"
            % (shown, size))


# --- Measurements; all times are in seconds ---


def h2load(server, body_file, pages):
    """Fetches the same number of pages with h2load on eight connections."""
    return h2load_run(["-c%d" % min(CONNECTIONS, pages), "-n%d" % pages, "-H", "Content-Type: application/json",
                       "-d", body_file, server.url + QUERY_PATH], pages)


def h2load_run(arguments, requests):
    """Returns the seconds of a number of requests; all must succeed."""
    printed = subprocess.run(["h2load", "--h1", "-t1"] + arguments,
                             stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
    if " %d succeeded" % requests not in printed:
        raise SystemExit("h2load did not succeed:\n" + printed)
    number, unit = re.search(r"finished in ([\d.]+)(us|ms|s)", printed).groups()
    return float(number) * {"us": 1e-6, "ms": 1e-3, "s": 1}[unit]


def curl(config):
    """Runs the requests of a curl configuration one after the other on one connection."""
    printed = subprocess.run(["curl", "-sS", "--fail", "-K", "-"], input=config,
                             stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
    return sum(float(line) for line in printed.split())


def batched(server, ids):
    """Fetches the ids with one query per page."""
    requests = ['url = "%s"\ndata = "%s"\nheader = "Content-Type: application/json"\n'
                'output = "/dev/null"\nwrite-out = "%%{time_total}\\n"\n'
                % (server.url + QUERY_PATH, query_body(ids[start:start + PAGE]).replace('"', '\\"'))
                for start in range(0, len(ids), PAGE)]
    return curl("next\n".join(requests))


def gets(server, ids):
    """Fetches the ids with one GET each."""
    requests = ['url = "%s"\noutput = "/dev/null"\n' % (server.url + RECORD_PATH + ident)
                for ident in ids]
    return curl('write-out = "%{time_total}\\n"\n' + "".join(requests))


def parallel_gets(server, wanted):
    """Fetches the ids with one GET each, eight in parallel; includes the start of curl."""
    config = "".join('url = "%s"\noutput = "/dev/null"\n' % (server.url + RECORD_PATH + ident)
                     for ident in wanted)
    started = time.monotonic()
    subprocess.run(["curl", "-sS", "--fail", "-Z", "--parallel-max", str(CONNECTIONS), "-K", "-"],
                   input=config, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True,
                   check=True)
    return time.monotonic() - started


def gets_scaled(server, delay, ids):
    """Returns the time of all GETs, from a part of them at a delay."""
    measured = ids[:GETS_MEASURED] if delay > 0 else ids
    return gets(server, measured) * len(ids) / len(measured)


def timed(session, sql, is_cold):
    if is_cold:
        session.run("SELECT opportunity_fdw_disconnect()")
    return session.seconds(sql)


# --- The table ---


def set_up(session, server):
    common.set_up(session, server)
    for size in SIZES:
        session.run("CREATE TABLE wanted_%d (id uuid)" % size)
        session.run("INSERT INTO wanted_%d VALUES %s"
                    % (size, ", ".join("('%s')" % ident for ident in record_ids(size))))
        session.run("ANALYZE wanted_%d" % size)


def check(session, size):
    """Checks the number of records and requests of each form."""
    for form in FORMS:
        counted = session.run("SELECT count(DISTINCT id) FROM (%s) q" % statement("*", form, size)
                              if form != "join" else
                              "SELECT count(DISTINCT o.id) FROM wanted_%d w JOIN opportunity o"
                              " ON o.id = w.id" % size)
        plan = session.run("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + statement("stage", form, size))
        requests = [int(number) for number in re.findall(r"API Calls: (\d+)", plan)]
        if int(counted) != size or sum(requests) != size // PAGE:
            raise SystemExit("%s of %d ids: %s records\n%s" % (form, size, counted, plan))


def measure(session, server, delay, size, rounds, is_cold):
    """Prints the lines of one delay and one number of ids; is_cold: with new connections."""
    ids = record_ids(size)
    queries = [(columns, form) for columns in COLUMNS for form in FORMS]
    took = {query: [] for query in queries}
    ratios = {query: {"h2load": [], "batched": [], "gets": []} for query in queries}
    floor = []
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        body.write(query_body(ids[:PAGE]))
        body.flush()
        for number in range(rounds):
            one_after_other = {"batched": batched(server, ids), "gets": gets_scaled(server, delay, ids)}
            # Each query runs right before or after the client to compare with.
            for columns, form in queries[::1 if number % 2 == 0 else -1]:
                sql = statement(columns, form, size)
                if number % 2 == 0:
                    other, own = h2load(server, body.name, size // PAGE), timed(session, sql, is_cold)
                else:
                    own, other = timed(session, sql, is_cold), h2load(server, body.name, size // PAGE)
                floor.append(other)
                took[columns, form].append(own)
                ratios[columns, form]["h2load"].append(own / other)
                for name, seconds in one_after_other.items():
                    ratios[columns, form][name].append(own / seconds)
    for columns, form in queries:
        mine = ratios[columns, form]
        print("| %d ms | %d | %s | %s | %s | %s | %s | %s | %s |"
              % (delay, size, columns.replace("*", "all"), form, common.spread(took[columns, form], "%.3f"),
                 common.spread(floor, "%.3f"), common.spread(mine["h2load"]), common.spread(mine["batched"]),
                 common.spread(mine["gets"], "%.3f")), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, help="the program ids_server")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tls", action="store_true", help="through an nginx with TLS")
    parser.add_argument("psql", nargs="+", help="how to start psql")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        render_records(path)
        servers = {delay: common.Server(options.server, path, delay) for delay in DELAYS}
        if options.tls:
            ca_file = common.make_certificate(folder)
            os.environ["CURL_CA_BUNDLE"] = ca_file
            servers = {delay: common.TlsServer(server, folder) for delay, server in servers.items()}
        session = common.Session(options.psql)
        set_up(session, servers[0])
        if options.tls:
            common.trust(session, ca_file)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
            body.write(query_body(record_ids(SIZES[0])[:PAGE]))
            body.flush()
            print("%d bytes per page; h2load reads %.0f pages per second without delay\n"
                  % (os.path.getsize(path) * PAGE // max(SIZES), 500 / h2load(servers[0], body.name, 500)))
        print("| delay | ids | columns | query | seconds | h2load | ratio to that | to batches | to GETs |")
        print("|---|---|---|---|---|---|---|---|---|")
        for delay in DELAYS:
            common.go_to(session, servers[delay])
            for size in SIZES:
                check(session, size)
                measure(session, servers[delay], delay, size, options.rounds, options.tls)
        session.stop()
        for server in servers.values():
            server.stop()


if __name__ == "__main__":
    main()
