# SPDX-License-Identifier: PostgreSQL
"""Reports the lines of the C sources that ran, as gcov counted them.

    python3 coverage.py TREE LEAST

TREE is the folder of the build, in which the server left its counts. The exit status
is 1 if less than LEAST percent of all lines ran. The program prints a line for each
file, in ascending order of coverage, and the total. Then it prints the lines that
did not run, by function. scripts/checkers.sh calls it.
"""

import collections
import glob
import json
import os
import subprocess
import sys


def counts_of(tree):
    """Returns two dictionaries by file: the counts of its lines, and its functions.

    A function is a tuple (start, end, name). The inline functions of a header count
    in each file that includes it.
    """
    lines = collections.defaultdict(collections.Counter)
    functions = collections.defaultdict(set)
    objects = sorted(glob.glob(tree + "/*.gcno") + glob.glob(tree + "/src/*/*.gcno"))
    if not objects:
        sys.exit("coverage: no build for coverage in " + tree)
    for name in objects:
        done = subprocess.run(
            ["gcov", "--json-format", "--stdout", name],
            cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            sys.exit("coverage: gcov: " + done.stderr.decode(errors="replace"))
        for file in json.loads(done.stdout)["files"]:
            path = os.path.relpath(os.path.join(tree, file["file"]), tree)
            if path.startswith(".."):
                continue
            for line in file["lines"]:
                lines[path][line["line_number"]] += line["count"]
            for function in file["functions"]:
                functions[path].add(
                    (function["start_line"], function["end_line"], function["name"]))
    return lines, functions


def ranges(numbers, all_numbers):
    """Returns line numbers as text. A range may include lines without code."""
    parts = []
    code = sorted(all_numbers)
    following = dict(zip(code, code[1:]))
    for number in sorted(numbers):
        if parts and following.get(parts[-1][1]) == number:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else "%d-%d" % (a, b) for a, b in parts)


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def print_missing(path, counts, functions):
    missing = {number for number, count in counts.items() if count == 0}
    print(path)
    for start, end, name in sorted(functions):
        inside = {number for number in missing if start <= number <= end}
        missing -= inside
        if inside:
            whole = all(counts[n] == 0 for n in counts if start <= n <= end)
            print("    %s%s: %s" % (
                name, ", never called" if whole else "", ranges(inside, counts)))
    if missing:
        print("    " + ranges(missing, counts))


def main():
    tree, least = os.path.realpath(sys.argv[1]), float(sys.argv[2])
    lines, functions = counts_of(tree)
    table = sorted(
        (percent(sum(1 for n in counts.values() if n), len(counts)), path)
        for path, counts in lines.items())
    for share, path in table:
        print("%6.1f %%  of %5d lines  %s" % (share, len(lines[path]), path))
    whole = sum(len(counts) for counts in lines.values())
    run = sum(1 for counts in lines.values() for n in counts.values() if n)
    print("%6.1f %%  of %5d lines  in total" % (percent(run, whole), whole))
    print("Not run:")
    for share, path in table:
        if share < 100:
            print_missing(path, lines[path], functions[path])
    sys.exit(percent(run, whole) < least)


if __name__ == "__main__":
    main()
