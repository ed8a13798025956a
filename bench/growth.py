# SPDX-License-Identifier: PostgreSQL
"""How the cost of reading records by their ids grows with their number: see bench/run, which runs this.

Knows nothing of how the extension is built or PostgreSQL started.
"""

import argparse
import math
import os
import re
import sys
import tempfile

import common

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "test"))

from simulator import jsontext, records  # noqa: E402

SIZES = [1, 10, 100, 1000, 10000, 100000]
DELAYS = [50, 0]

# So many different records are made; of the others, only the id differs.
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
    """Seconds, requests, and kB of memory that the session has at the most."""
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


# --- The plot ---

WIDTH, HEIGHT, MARGIN = 640, 400, 60
COLORS = {50: "#1f77b4", 0: "#d62728"}


def plot(path, lines):
    """Both axes logarithmic; lines: for each delay, points of records and seconds."""
    points = [point for line in lines.values() for point in line]
    least = math.floor(math.log10(min(seconds for _, seconds in points)))
    most = math.ceil(math.log10(max(seconds for _, seconds in points)))
    decades = math.log10(SIZES[-1])

    def place(count, seconds):
        return (MARGIN + math.log10(count) / decades * (WIDTH - 2 * MARGIN),
                HEIGHT - MARGIN - (math.log10(seconds) - least) / (most - least) * (HEIGHT - 2 * MARGIN))

    shapes = ['<rect width="100%" height="100%" fill="white"/>']
    for count in SIZES:
        left, bottom = place(count, 10.0 ** least)
        shapes.append('<line x1="%.0f" y1="%d" x2="%.0f" y2="%.0f" stroke="#ddd"/>' % (left, MARGIN, left, bottom))
        shapes.append('<text x="%.0f" y="%.0f" text-anchor="middle">%s</text>' % (left, bottom + 18, format(count, ",")))
    for power in range(least, most + 1):
        left, height = place(1, 10.0 ** power)
        shapes.append('<line x1="%.0f" y1="%.0f" x2="%d" y2="%.0f" stroke="#ddd"/>' % (left, height, WIDTH - MARGIN, height))
        shapes.append('<text x="%.0f" y="%.0f" text-anchor="end">%g s</text>' % (left - 8, height + 4, 10.0 ** power))
    for number, (delay, line) in enumerate(lines.items()):
        color = COLORS[delay]
        shapes.append('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>'
                      % (color, " ".join("%.1f,%.1f" % place(*point) for point in line)))
        shapes.append('<text x="%d" y="%d" fill="%s">%d ms per request</text>'
                      % (MARGIN + 10, MARGIN + 15 + 18 * number, color, delay))
    shapes.append('<text x="%d" y="%d" text-anchor="middle">records by id</text>' % (WIDTH // 2, HEIGHT - 12))
    with open(path, "w") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif"'
                   ' font-size="12">\n%s\n</svg>\n' % (WIDTH, HEIGHT, "\n".join(shapes)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True, help="the folder of the server")
    parser.add_argument("--plot", required=True, help="the file of the plot")
    parser.add_argument("psql", nargs="+", help="how to start psql")
    options = parser.parse_args()

    lines = {}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        render_records(path)
        print("\n| delay | records | requests | seconds | records per second | peak memory of the session |")
        print("|---|---|---|---|---|---|")
        for delay in DELAYS:
            server = common.Server(os.path.join(options.programs, "ids_server"), path, delay)
            session = common.Session(options.psql)
            common.set_up(session, server)
            lines[delay] = []
            measure(session, 1)     # connects
            for size in SIZES:
                seconds, requests, peak = measure(session, size)
                lines[delay].append((size, seconds))
                print("| %d ms | %s | %d | %.4f | %d | %.1f MB |"
                      % (delay, format(size, ","), requests, seconds, size / seconds, peak / 1024), flush=True)
            session.run("DROP EXTENSION opportunity_fdw CASCADE")
            session.stop()
            server.stop()
    plot(options.plot, lines)


if __name__ == "__main__":
    main()
