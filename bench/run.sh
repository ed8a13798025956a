# SPDX-License-Identifier: PostgreSQL
# Functions for the measurements of this folder. They run in a private folder,
# against a private build, with the helpers of the TAP tests.
#
# Sourced with `set -euo pipefail` in force.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR source=../scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"

# build_bench: builds in a private folder, as scripts/lib.sh describes. The tree is
# then $work/tree.
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

# build_server NAME...: compiles bench/NAME_server.c to $work/tmp/NAME_server.
build_server() {
    local name
    for name; do
        as_server gcc -O2 -o "$work/tmp/${name}_server" "$work/tree/bench/${name}_server.c" \
            "$work/tree/bench/http_server.c" -ljansson
    done
}

# need_programs PROGRAM...: exits if one of them is missing.
need_programs() {
    local program
    for program; do
        command -v "$program" >/dev/null ||
            die "$program is missing; on Debian: apt-get install curl nghttp2-client valgrind libc6-dbg"
    done
}

# save_result NAME ARGUMENTS COMMAND...: runs COMMAND, shows its output, and writes it to
# bench/results/NAME.md if COMMAND succeeds. ARGUMENTS are the script's own.
save_result() {
    local name=$1 title="bench/${0##*/}${2:+ $2}"
    shift 2
    "$@" | tee "$work/result"
    {
        printf "# \`%s\`\n\n%s, PostgreSQL %s, %s cores (%s), load %s.\n\n" "$title" "$(date -u +%F)" "$pg_major" \
            "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(cut -d ' ' -f 1 /proc/loadavg)"
        cat "$work/result"
    } >"$top/bench/results/$name.md"
}

# run_bench NAME ARG...: builds, runs bench/NAME.pl and saves the result.
run_bench() {
    local name=$1
    shift
    build_bench
    # shellcheck disable=SC2016 # expanded by the inner shell
    save_result "$name" "$*" as_tester "$work/bench" sh -c 'cd "$0" && exec perl "$@"' "$work/tree" "bench/$name.pl" "$@"
}

# start_postgres: starts a server with the build, which ends with the
# measurement. It listens on a Unix socket, and on listen_address. The array psql is then the
# command that starts psql.
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
        printf "%s = '%s'\n" listen_addresses "${listen_address:-}" port "$port" unix_socket_directories "$work/tmp" fsync off
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
