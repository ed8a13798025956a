# SPDX-License-Identifier: PostgreSQL
"""Compares the extension with other clients: see bench/run, which runs this.

It needs a running PostgreSQL with the extension installed.
"""

import argparse
import os
import tempfile

import common
import ids
import scan

DELAYS = [50, 0]
POINT_READS = 20
MANY = 1000

# Number of rows to measure at a delay; the time of all rows follows from it.
ROWS_MEASURED = 32

HEADER = ["delay", "what", "against", "own", "other", "ratio"]


def h2load_gets(server, ident, number):
    """Returns the seconds of a number of GETs on one connection."""
    return ids.h2load_run(["-c1", "-n%d" % number, server.url + ids.RECORD_PATH + ident], number)


def called_per_row(session, server, wanted):
    """Returns the seconds of one call of http_get per row."""
    session.run("SELECT http_set_curlopt('CURLOPT_TIMEOUT', '60')")
    return session.seconds("SELECT content::json -> 'data' -> 'attributes' -> 'stage' FROM unnest(ARRAY['%s']) id,"
                           " http_get('%s' || id)" % ("','".join(wanted), server.url + ids.RECORD_PATH))


def compare(own, other, rounds):
    """Returns the times of both, in alternating order, and their ratios."""
    mine, theirs, ratios = [], [], []
    for number in range(rounds):
        if number % 2 == 0:
            there, here = other(), own()
        else:
            here, there = own(), other()
        mine.append(here)
        theirs.append(there)
        ratios.append(here / there)
    return mine, theirs, ratios


def show(delay, what, against, own, other, rounds):
    mine, theirs, ratios = compare(own, other, rounds)
    print("| %d ms | %s | %s | %s | %s | %s |"
          % (delay, what, against, common.spread(mine, "%.4f"), common.spread(theirs, "%.4f"),
             common.spread(ratios, "%.3f")), flush=True)


def scaled(measure, delay, wanted):
    """Returns the time of all rows, from a part of them at a delay."""
    some = wanted[:ROWS_MEASURED] if delay > 0 else wanted
    return measure(some) * len(wanted) / len(some)


def point_reads(session, wanted):
    return sum(session.seconds("SELECT stage FROM ids.opportunity WHERE id = '%s'" % ident) for ident in wanted)


def measure_ids(session, server, delay, rounds, has_http):
    some = ids.record_ids(MANY)[:POINT_READS]
    reads = lambda: point_reads(session, some) / POINT_READS
    show(delay, "one record", "GET", reads, lambda: ids.gets(server, some) / POINT_READS, rounds)
    show(delay, "one record", "floor", reads, lambda: h2load_gets(server, some[0], POINT_READS) / POINT_READS, rounds)
    if has_http:
        show(delay, "one record", "http_get", reads,
             lambda: called_per_row(session, server, some) / POINT_READS, rounds)

    wanted = ids.record_ids(MANY)
    join = lambda: session.seconds("SELECT o.stage FROM wanted_%d w JOIN ids.opportunity o ON o.id = w.id" % MANY)
    show(delay, "1,000 by a join", "GETs", join,
         lambda: scaled(lambda part: ids.gets(server, part), delay, wanted), rounds)
    show(delay, "1,000 by a join", "curl -Z", join, lambda: ids.parallel_gets(server, wanted), rounds)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as body:
        body.write(ids.query_body(wanted[:ids.PAGE]))
        body.flush()
        load = lambda: ids.h2load(server, body.name, MANY // ids.PAGE)
        show(delay, "1,000 by a join", "floor", join, load, rounds)
        show(delay, "(noise: h2load)", "itself", load, load, rounds)
    if has_http:
        show(delay, "1,000 by a join", "http_get", join,
             lambda: scaled(lambda part: called_per_row(session, server, part), delay, wanted), rounds)


def measure_scan(session, server, program, delay, rounds):
    for columns in scan.COLUMNS:
        what = "all 20,000 (%s)" % columns.replace("*", "all columns")
        show(delay, what, "floor", lambda: session.seconds(scan.statement(columns, "scan.opportunity")),
             lambda: scan.floor(program, server), max(rounds // 2, 1))


def set_up(session, name, server):
    session.run("CREATE SERVER %s FOREIGN DATA WRAPPER opportunity_fdw OPTIONS (base_url '%s')" % (name, server.url))
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (api_key 'test-key')" % name)
    session.run("CREATE SCHEMA %s" % name)
    session.run("IMPORT FOREIGN SCHEMA reevo FROM SERVER %s INTO %s OPTIONS (discover 'false')" % (name, name))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True, help="the folder of the servers and of scan_floor")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("psql", nargs="+", help="how to start psql")
    options = parser.parse_args()
    program = lambda name: os.path.join(options.programs, name)

    with tempfile.TemporaryDirectory() as folder:
        by_ids, by_time = os.path.join(folder, "ids"), os.path.join(folder, "scan")
        ids.render_records(by_ids)
        scan.render_records(by_time)
        session = common.Session(options.psql)
        session.run("CREATE EXTENSION opportunity_fdw")
        has_http = session.run("SELECT count(*) FROM pg_available_extensions WHERE name = 'http'").strip() == "1"
        if has_http:
            session.run("CREATE EXTENSION http")
        else:
            print("Without rows for http_get: the extension http is not installed.")
        servers = {delay: {"ids": common.Server(program("ids_server"), by_ids, delay),
                           "scan": common.Server(program("scan_server"), by_time, delay)} for delay in DELAYS}
        for name in ("ids", "scan"):
            set_up(session, name, servers[0][name])
        session.run("CREATE TABLE wanted_%d (id uuid)" % MANY)
        session.run("INSERT INTO wanted_%d SELECT unnest(ARRAY['%s'])::uuid" % (MANY, "','".join(ids.record_ids(MANY))))
        session.run("ANALYZE wanted_%d" % MANY)

        print("\n| %s |\n|%s" % (" | ".join(HEADER), "---|" * len(HEADER)))
        for delay in DELAYS:
            for name, server in servers[delay].items():
                session.run("ALTER SERVER %s OPTIONS (SET base_url '%s')" % (name, server.url))
            measure_ids(session, servers[delay]["ids"], delay, options.rounds, has_http)
            measure_scan(session, servers[delay]["scan"], program("scan_floor"), delay, options.rounds)
        session.run("DROP EXTENSION opportunity_fdw CASCADE")
        session.stop()
        for server in servers.values():
            for one in server.values():
                one.stop()


if __name__ == "__main__":
    main()
