# SPDX-License-Identifier: PostgreSQL
"""Instructions per record: see bench/instructions, which runs this.

It needs a running PostgreSQL with the extension installed, and stops it.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

import common

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "test"))

from simulator import jsontext, records  # noqa: E402

RECORDS = 1000

# Columns to read, by the name of their line.
COLUMNS = {
    "id": "id",
    "five": "id, display_name, stage, amount, created_at",
    "all": "*",
}

# Functions to count, each with all functions that it calls: the entries of their files.
WHOLE = "scan_iterate"
PARTS = {"receive": "http_pool_drive", "parse": "record_parse_page", "convert": "row_reader_read"}


def render_records(path):
    """Writes the records for the server, indented like the example of the API documentation."""
    with open(path, "wb") as file, open(path + ".times", "w") as times:
        for number in range(RECORDS):
            file.write(jsontext.dumps(records.make_record("opportunity", number, RECORDS), indent=2) + b"\0")
            times.write("%d\n" % number)


def counted(listing, function):
    """Returns the instructions of a function, with all calls, from a listing of callgrind_annotate."""
    found = re.search(r"^ *([\d,]+) .*:%s(?:'\d+)? \[" % function, listing, re.MULTILINE)
    if not found:
        raise SystemExit("nothing called %s:\n%s" % (function, listing[:2000]))
    return int(found.group(1).replace(",", ""))


def measure(data, folder, columns):
    """Returns the instructions of the whole, and of each part."""
    output = os.path.join(folder, "callgrind")
    statement = "SELECT %s FROM one.opportunity" % columns
    run = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + output, "--toggle-collect=" + WHOLE, "-q",
         "postgres", "--single", "-D", data, "-O", "postgres"],
        input=statement + "\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if run.returncode != 0 or "ERROR" in run.stdout:
        raise SystemExit(run.stdout[-2000:])
    listing = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", output],
                             stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
    return counted(listing, WHOLE), {part: counted(listing, function) for part, function in PARTS.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, help="the program scan_server")
    parser.add_argument("--data", required=True, help="the data directory of the running PostgreSQL")
    parser.add_argument("psql", nargs="+", help="how to start psql")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        render_records(path)
        server = common.Server(options.server, path, 0)
        session = common.Session(options.psql)
        common.set_up(session, server)
        session.run("CREATE SCHEMA one")
        session.run("IMPORT FOREIGN SCHEMA reevo FROM SERVER reevo INTO one OPTIONS (discover 'false')")
        session.run("ALTER FOREIGN TABLE one.opportunity OPTIONS (max_concurrency '1')")
        if session.run("SELECT count(*) FROM one.opportunity").strip() != str(RECORDS):
            raise SystemExit("the scan did not return all records")
        session.stop()
        subprocess.run(["pg_ctl", "-D", options.data, "-m", "fast", "-w", "stop"], stdout=subprocess.DEVNULL, check=True)

        print("Instructions per record, of %d bytes each:\n" % (os.path.getsize(path) // RECORDS))
        print("| columns | receive | parse | convert | other | all |")
        print("|---|---|---|---|---|---|")
        for name, columns in COLUMNS.items():
            whole, parts = measure(options.data, folder, columns)
            numbers = list(parts.values()) + [whole - sum(parts.values()), whole]
            print("| %s | %s |" % (name, " | ".join("%d" % (number / RECORDS) for number in numbers)), flush=True)
        server.stop()


if __name__ == "__main__":
    main()
