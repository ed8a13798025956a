# SPDX-License-Identifier: PostgreSQL
"""Checks META.json by the PGXN Meta Spec 1.0.0.

Usage: pgxn_meta.py FOLDER

Prints each violation in FOLDER/META.json, and each file that it names and that
FOLDER lacks. The exit status is 1 if there is a violation.
"""
import json
import os
import re
import sys

REQUIRED = {"name", "version", "abstract", "maintainer", "license", "provides", "meta-spec"}
OPTIONAL = {"description", "generated_by", "tags", "no_index", "prereqs", "release_status", "resources"}
LICENSES = set("""
    agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3 gpl_1 gpl_2 gpl_3 lgpl_2_1 lgpl_3_0 mit
    mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib open_source restricted unrestricted unknown
""".split())
PHASES = {"configure", "runtime", "build", "test", "develop"}
RELATIONS = {"requires", "recommends", "suggests", "conflicts"}
STATUSES = {"stable", "testing", "unstable"}
SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)-?([A-Za-z][0-9A-Za-z-]*)?")
TERM = re.compile(r"[^\s/\\\x00-\x1f]{2,}")
TAG = re.compile(r"[^/\\\x00-\x1f]{1,255}")


def is_text(value):
    return isinstance(value, str) and value.strip() != ""


def is_version(value):
    return isinstance(value, str) and SEMVER.fullmatch(value) is not None


def violations(meta, folder):
    for key in sorted(REQUIRED - meta.keys()):
        yield f"{key} is missing"
    for key in sorted(meta.keys() - REQUIRED - OPTIONAL):
        if not re.match("[xX]_", key):
            yield f"{key} is not a field of the specification"
    if not is_text(meta.get("name")) or not TERM.fullmatch(meta["name"]):
        yield "name is not a term"
    if not is_version(meta.get("version")):
        yield "version is not a semantic version"
    for key in ("abstract", "description", "generated_by"):
        if key in meta and not is_text(meta[key]):
            yield f"{key} is not a text"
    maintainers = meta.get("maintainer")
    if not all(map(is_text, maintainers if isinstance(maintainers, list) and maintainers else [maintainers])):
        yield "maintainer is not a text or a list of texts"
    licenses = meta.get("license")
    if isinstance(licenses, dict):
        if not licenses or not all(re.match("https?://", str(url)) for url in licenses.values()):
            yield "license has no URL"
    elif not set(licenses if isinstance(licenses, list) and licenses else [licenses]) <= LICENSES:
        yield f"license {licenses} is not in the list of the specification"
    if meta.get("release_status", "stable") not in STATUSES:
        yield "release_status is unknown"
    if meta.get("meta-spec", {}).get("version") != "1.0.0":
        yield "meta-spec is not version 1.0.0"
    tags = meta.get("tags", ["none"])
    if not isinstance(tags, list) or not tags or not all(is_text(tag) and TAG.fullmatch(tag) for tag in tags):
        yield "tags is not a list of tags"
    yield from violations_of_provides(meta.get("provides"), folder)
    for phase, relations in meta.get("prereqs", {}).items():
        if phase not in PHASES:
            yield f"prereqs: {phase} is not a phase"
        for relation, modules in relations.items():
            if relation not in RELATIONS:
                yield f"prereqs: {relation} is not a relation"
            for module, version in modules.items():
                if version != 0 and not is_version(version):
                    yield f"prereqs: {module} has no semantic version"


def violations_of_provides(provides, folder):
    if not isinstance(provides, dict) or not provides:
        yield "provides has no extension"
        return
    for name, extension in provides.items():
        if not TERM.fullmatch(name):
            yield f"provides: {name} is not a term"
        if not is_version(extension.get("version")):
            yield f"provides: {name} has no semantic version"
        if "file" not in extension:
            yield f"provides: {name} has no file"
        for key in ("file", "docfile"):
            if key in extension and not os.path.isfile(os.path.join(folder, extension[key])):
                yield f"provides: {name}: the {key} does not exist"


def main(folder):
    with open(os.path.join(folder, "META.json"), encoding="utf-8") as source:
        found = list(violations(json.load(source), folder))
    for violation in found:
        print(f"META.json: {violation}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
