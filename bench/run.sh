# SPDX-License-Identifier: PostgreSQL
# What the measurements of this folder share: they are written like the TAP tests,
# with the same helpers, and run in a private folder against a private build.
#
# Sourced with `set -euo pipefail` in force.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# build_bench: builds into a private folder, as scripts/lib.sh describes; the
# tree is then $work/tree.
build_bench() {
    "$top/scripts/setup" >&2
    use_pg "${PG_CONFIG:-}"
    make_work
    copy_tree "$work/tree"
    build_private "$work/tree" >"$work/output" 2>&1 || {
        tail -n 30 "$work/output" >&2
        die "the build failed"
    }
}

# run_bench PROGRAM ARG...: builds, and runs bench/PROGRAM.
run_bench() {
    local program=$1
    shift
    build_bench
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_tester "$work/bench" sh -c 'cd "$0" && exec perl "$@"' "$work/tree" "bench/$program" "$@"
}

# start_postgres: a server of the build, which ends with the measurement; the
# array psql is then how to start psql.
start_postgres() {
    local port
    data=$work/data
    port=$(free_port)
    as_server initdb -D "$data" -A trust -U bench -E UTF8 --no-locale -N >"$work/output" 2>&1 || {
        tail -n 5 "$work/output" >&2
        die "initdb failed"
    }
    {
        cat "$work/server.conf"
        printf "%s = '%s'\n" listen_addresses '' port "$port" unix_socket_directories "$work/tmp" fsync off
    } >"$work/bench.conf"
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_server sh -c 'cat "$0" >>"$1"' "$work/bench.conf" "$data/postgresql.conf"
    # shellcheck disable=SC2016 # expanded when it runs
    at_exit 'as_server pg_ctl -D "$data" -m fast -w stop >/dev/null 2>&1'
    as_server pg_ctl -D "$data" -l "$work/server.log" -w start >"$work/output" 2>&1 || {
        tail -n 5 "$work/server.log" >&2
        die "PostgreSQL did not start"
    }
    # shellcheck disable=SC2034 # used by the measurements
    psql=(psql -h "$work/tmp" -p "$port" -U bench -d postgres)
}
