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
