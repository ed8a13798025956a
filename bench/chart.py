# SPDX-License-Identifier: PostgreSQL
"""Measures and draws the chart of bench/README.md: see bench/chart, which runs this.

It needs a running PostgreSQL with the extension installed.
"""

import argparse
import math
import os
import statistics
import tempfile

import common
import ids

ROWS = 1000
DELAY = 50
STATEMENT = ids.statement("stage", "join", ROWS)
OURS = "opportunity_fdw, a join"

# The axis: powers of ten, in seconds.
FIRST, LAST = -2, 2
WIDTH, HEIGHT, LEFT, RIGHT, TOP, STEP, BAR = 760, 250, 190, 90, 50, 42, 24
OTHER_COLOR, OUR_COLOR = "#9aa5b1", "#1f77b4"


def ways(session, server):
    """Functions by name; each reads all records and returns its seconds."""
    wanted = ids.record_ids(ROWS)
    return {
        "GET, one by one": lambda: ids.gets(server, wanted),
        "GET, curl -Z, 8 in parallel": lambda: ids.parallel_gets(server, wanted),
        "batches of 100, one by one": lambda: ids.batched(server, wanted),
        OURS: lambda: session.seconds(STATEMENT),
    }


def measure(session, server, rounds):
    """Seconds of each round, by name."""
    functions = ways(session, server)
    took = {name: [] for name in functions}
    session.seconds(STATEMENT)      # connects
    for number in range(rounds):
        for name in list(functions)[::1 if number % 2 == 0 else -1]:
            took[name].append(functions[name]())
    return took


def show(took):
    print("| %s joined, %d ms per request | seconds | times as long |\n|---|---|---|"
          % (format(ROWS, ",") + " rows", DELAY))
    for name, seconds in took.items():
        ratios = [other / own for other, own in zip(seconds, took[OURS])]
        print("| %s | %s | %s |" % (name, common.spread(seconds, "%.3f"), common.spread(ratios, "%.1f")))


def place(seconds):
    """The horizontal place of a number of seconds on the logarithmic axis."""
    return LEFT + (math.log10(seconds) - FIRST) / (LAST - FIRST) * (WIDTH - LEFT - RIGHT)


def draw(path, took):
    bottom = TOP + STEP * len(took)
    shapes = ['<rect width="100%" height="100%" fill="white"/>',
              '<text x="16" y="26" font-size="15" font-weight="bold">Seconds for %s joined rows, %d ms per request'
              ' (logarithmic)</text>' % (format(ROWS, ","), DELAY)]
    for power in range(FIRST, LAST + 1):
        left = place(10.0 ** power)
        shapes.append('<line x1="%.0f" y1="%d" x2="%.0f" y2="%d" stroke="#ddd"/>' % (left, TOP - 8, left, bottom))
        shapes.append('<text x="%.0f" y="%d" text-anchor="middle" fill="#555">%g s</text>'
                      % (left, bottom + 18, 10.0 ** power))
    for number, (name, seconds) in enumerate(took.items()):
        median = statistics.median(seconds)
        top = TOP + STEP * number
        color = OUR_COLOR if name == OURS else OTHER_COLOR
        shapes.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (LEFT - 8, top + BAR - 7, name))
        shapes.append('<rect x="%d" y="%d" width="%.0f" height="%d" fill="%s"/>'
                      % (LEFT, top, place(median) - LEFT, BAR, color))
        shapes.append('<text x="%.0f" y="%d" font-weight="bold">%s s</text>'
                      % (place(median) + 8, top + BAR - 7, "%.3g" % median))
    with open(path, "w") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif"'
                   ' font-size="13">\n%s\n</svg>\n' % (WIDTH, HEIGHT, "\n".join(shapes)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True, help="the program ids_server")
    parser.add_argument("--chart", required=True, help="the file of the chart")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("psql", nargs="+", help="how to start psql")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "records")
        ids.render_records(path)
        server = common.Server(options.server, path, DELAY)
        session = common.Session(options.psql)
        ids.set_up(session, server)
        ids.check(session, ROWS)
        took = measure(session, server, options.rounds)
        session.stop()
        server.stop()
    show(took)
    draw(options.chart, took)


if __name__ == "__main__":
    main()
