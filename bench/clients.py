# SPDX-License-Identifier: PostgreSQL
"""Measures the ways in which clients read a table: see bench/clients, which runs this.

It needs a running PostgreSQL with the extension installed, also on 127.0.0.1.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request

import common
import scan

RECORDS = 5000
PAGE = 100
DELAY = 50
LIMIT = 2000

# Numbers of pages after which a cursor is closed
CLOSED_AFTER = [1, 10, 25]

QUERY = "SELECT id, stage, amount FROM many.opportunity"
JAR = "/usr/share/java/postgresql.jar"


def set_up(session, server):
    common.set_up(session, server)
    for table, connections in (("many", 8), ("one", 1)):
        session.run("CREATE SCHEMA %s" % table)
        session.run("IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO %s OPTIONS (discover 'false')" % table)
        session.run("ALTER FOREIGN TABLE %s.opportunity OPTIONS (max_concurrency '%d', page_size '%d')"
                    % (table, connections, PAGE))


# --- Clients: each function returns one that reads and returns the number of rows ---

def psql(session, sql):
    return lambda: session.run(sql).count("\n")


def cursor(session, size, fetches):
    return psql(session, "BEGIN; DECLARE c CURSOR FOR %s; %s CLOSE c; COMMIT" % (QUERY, "FETCH %d c; " % size * fetches))


def fetch_count(session, size):
    return psql(session, "\\set FETCH_COUNT %d\n%s;\n\\set FETCH_COUNT 0\n" % (size, QUERY))


def postgres_fdw(session, size):
    session.run("CREATE SERVER s%d FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '%s', dbname 'postgres', fetch_size '%d')"
                % (size, session.run("SHOW unix_socket_directories").strip(), session.run("SHOW port").strip(), size))
    session.run("CREATE USER MAPPING FOR CURRENT_USER SERVER s%d OPTIONS (user 'bench')" % size)
    session.run("CREATE FOREIGN TABLE t%d (id uuid, stage text, amount numeric) SERVER s%d"
                " OPTIONS (schema_name 'many', table_name 'opportunity')" % (size, size))
    return psql(session, "SELECT id, stage, amount FROM t%d" % size)


def psycopg2_ways(port):
    """Returns the plain way and the others, with their names."""
    import psycopg2
    connection = psycopg2.connect(host="127.0.0.1", port=port, user="bench", dbname="postgres")

    def read(size):
        with connection, connection.cursor(*["c"] if size else []) as rows:
            if size:
                rows.itersize = size
            rows.execute(QUERY)
            return sum(1 for _ in rows)

    return lambda: read(0), [("named cursor, itersize %d" % size, lambda size=size: read(size)) for size in (100, 2000)]


def jdbc_ways(port):
    if shutil.which("javac") is None or not os.path.exists(JAR):
        raise ImportError("javac or %s is missing" % JAR)
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients_jdbc.java")
    process = subprocess.Popen(["java", "-cp", JAR, program, "jdbc:postgresql://127.0.0.1:%s/postgres?user=bench" % port],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True)

    def read(size):
        process.stdin.write("%d %s\n" % (size, QUERY))
        process.stdin.flush()
        return int(process.stdout.readline())

    return lambda: read(0), [("fetchSize 100", lambda: read(100))]


def odbc_ways(port):
    import pyodbc
    drivers = [driver for driver in pyodbc.drivers() if driver.startswith("PostgreSQL")]
    if not drivers:
        raise ImportError("odbc-postgresql is missing")

    def reader(more):
        connection = pyodbc.connect("DRIVER={%s};SERVER=127.0.0.1;PORT=%s;DATABASE=postgres;UID=bench;%s" % (drivers[-1], port, more))

        def read():
            rows = connection.execute(QUERY)
            count = sum(1 for _ in rows)
            connection.commit()
            return count

        return read

    return reader(""), [("UseDeclareFetch, Fetch=100", reader("UseDeclareFetch=1;Fetch=100"))]


# --- Measurements ---

def requests_so_far(server):
    with urllib.request.urlopen(server.url + "/requests") as response:
        return int(response.read())


def run(server, read, rows):
    """Returns the seconds and the requests of a read."""
    before = requests_so_far(server)
    start = time.perf_counter()
    count = read()
    seconds = time.perf_counter() - start
    if count != rows:
        raise SystemExit("%d rows instead of %d" % (count, rows))
    return seconds, requests_so_far(server) - before


def measure(server, rounds, name, read, other_name, other, rows):
    """Prints the line of a way to read, compared with another."""
    for once in (other, read):  # opens connections
        run(server, once, rows)
    others, ways = [], []
    for _ in range(rounds):
        others.append(run(server, other, rows))
        ways.append(run(server, read, rows))
    seconds, requests = zip(*ways)
    print("| %s | %s | %s | %s | %s | %s | %s |"
          % (name, common.spread(requests, "%d"), common.spread([made - rows // PAGE for made in requests], "%d"),
             common.spread(seconds), other_name, common.spread([took for took, _ in others]),
             common.spread([way[0] / other[0] for way, other in zip(ways, others)])), flush=True)


def measure_ways(server, session, remote, port, rounds):
    plain = psql(session, QUERY)
    fetches = {size: RECORDS // size + 1 for size in (100, 1000)}
    ways = [("psql, plain `SELECT`", plain)]
    ways += [("psql, `DECLARE`, `FETCH %d`" % size, cursor(session, size, fetches[size])) for size in fetches]
    ways += [("psql, `FETCH_COUNT` %d" % size, fetch_count(session, size)) for size in fetches]
    ways += [("psql, `LIMIT 50001`", psql(session, QUERY + " LIMIT 50001"))]
    ways += [("postgres_fdw, fetch_size %d" % size, postgres_fdw(remote, size)) for size in fetches]

    print("| way | requests | not needed | seconds | compared with | its seconds | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name, read in ways:
        measure(server, rounds, name, read, "psql", plain, RECORDS)
    missing = []
    for client, find in (("psycopg2", psycopg2_ways), ("JDBC", jdbc_ways), ("ODBC", odbc_ways)):
        try:
            plain, ways = find(port)
        except ImportError as error:
            missing.append("%s: skipped: %s" % (client, error))
            continue
        for name, read in ways:
            measure(server, rounds, "%s, %s" % (client, name), read, client, plain, RECORDS)
    limited = "%s LIMIT %d" % (QUERY, LIMIT)
    measure(server, rounds, "psql, `LIMIT %d`" % LIMIT, psql(session, limited), "one by one",
            psql(session, limited.replace("many.", "one.")), LIMIT)
    for line in missing:
        print("\n" + line)


def measure_closed(server, session, rounds):
    print("\n| pages before `CLOSE` | requests | not needed |")
    print("|---|---|---|")
    for pages in CLOSED_AFTER:
        requests = [run(server, cursor(session, PAGE, pages), pages * PAGE)[1] for _ in range(rounds)]
        print("| %d | %s | %s |" % (pages, common.spread(requests, "%d"),
                                     common.spread([made - pages for made in requests], "%d")), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, help="the program scan_server")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("psql", nargs="+", help="how to start psql")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        scan.render_records(path, RECORDS)
        server = common.Server(options.server, path, DELAY)
        session = common.Session(options.psql)
        set_up(session, server)
        session.run("CREATE DATABASE other")
        remote = common.Session(options.psql + ["-d", "other"])
        remote.run("CREATE EXTENSION postgres_fdw")
        measure_ways(server, session, remote, session.run("SHOW port").strip(), options.rounds)
        measure_closed(server, session, options.rounds)
        remote.stop()
        session.stop()
        server.stop()


if __name__ == "__main__":
    main()
