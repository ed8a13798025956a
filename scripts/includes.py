#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""Checks the #include lines of src/. Prints each violation as FILE:LINE: TEXT.

- A file includes only headers of its own folder and of lower ones, in the order of
  FOLDERS in the Makefile.
- Within a folder, the files have no cycle. A pair such as id.c and id.h counts as
  one file.
- Some headers of others belong to few folders: see ONLY_IN.
"""
import pathlib
import re
import sys

# Which folders may include headers whose name begins so.
ONLY_IN = {
    "curl/": {"http"},
    "jansson": {"api"},
    "common/jsonapi": set(),
    "optimizer/": {"condition", "plan"},
    "nodes/pathnodes": {"condition", "plan"},
    "commands/explain": {"exec"},
}

top = pathlib.Path(__file__).resolve().parent.parent
folders = re.search(r"^FOLDERS = (.+)$", (top / "Makefile").read_text(), re.M)[1].split()
rank = {name: number for number, name in enumerate(folders)}
# file without its suffix -> {included file: (path, line)}
graph: dict[str, dict[str, tuple[str, int]]] = {}
found = False


def report(path, line, text):
    """Prints a violation."""
    global found
    found = True
    print(f"{path}:{line}: {text}")


def check_file(path):
    """Checks the lines of one file, and adds them to the graph."""
    folder, name = path.parent.name, f"{path.parent.name}/{path.stem}"
    shown = path.relative_to(top)
    for number, text in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', text)
        if not match:
            continue
        header = match[1]
        for prefix, allowed in ONLY_IN.items():
            if header.startswith(prefix) and folder not in allowed:
                report(shown, number, f"{header} belongs to {', '.join(sorted(allowed))}")
        other = header.split("/")[0]
        if other not in rank or not (top / "src" / header).exists():
            if (path.parent / header).exists():
                report(shown, number, f'write "{folder}/{header}"')
            continue
        if rank[other] > rank[folder]:
            report(shown, number, f"{folder} must not include {header}")
        elif header[:-2] != name:
            graph.setdefault(name, {})[header[:-2]] = (str(shown), number)


def check_cycles(name, path, done):
    """Reports the include that closes a cycle, from name on, depth first."""
    if name in done:
        return
    for other, (file, line) in graph.get(name, {}).items():
        if other in path:
            cycle = path[path.index(other):] + [other]
            report(file, line, "cycle: " + " -> ".join(cycle))
        else:
            check_cycles(other, path + [other], done)
    done.add(name)


for file in sorted(top.glob("src/*/*.[ch]")):
    if file.parent.name in rank:
        check_file(file)
    else:
        report(file.relative_to(top), 1, "its folder is not in FOLDERS of the Makefile")
for file in sorted(top.glob("src/*.[ch]")):
    report(file.relative_to(top), 1, "it is in no folder")
finished: set[str] = set()
for start in sorted(graph):
    check_cycles(start, [start], finished)
sys.exit(found)
