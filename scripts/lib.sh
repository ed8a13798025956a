# SPDX-License-Identifier: PostgreSQL
# What the scripts of this folder share: choosing a PostgreSQL, dropping
# privileges, private folders that clean up after themselves, and running the
# tests against an extension that is installed nowhere but in such a folder.
#
# Sourced with `set -euo pipefail` in force.
# shellcheck shell=bash

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

# An empty environment has no PATH, and a user's often lacks the sbin folders.
system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PATH=${PATH:+$PATH:}$system_path
export PATH

# What root makes here is read by the server's user.
umask 022

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# usage FILE: its header comment.
usage() { sed -n '3,/^set /s/^# \{0,1\}//p' "$1"; }

# --- Undoing things at the end, the last one first ---

cleanups=()

at_exit() { cleanups=("$1" "${cleanups[@]}"); }

run_cleanups() {
    local status=$? command
    set +e
    for command in "${cleanups[@]}"; do
        eval "$command"
    done
    exit "$status"
}
trap run_cleanups EXIT

# --- Adding up what several runs of scripts/test have counted ---

passed=0 failed=0

# count_run COMMAND...: runs it, shows what it prints, and adds what it counts. The
# line in which it does is then $counts, and empty where there is none.
count_run() {
    local output status=0 more_passed more_failed
    output=$(mktemp)
    "$@" 2>&1 | tee "$output" || status=$?

    # The first such line is that of scripts/test itself.
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$output" | head -n 1 || true)
    rm -f "$output"
    [ -n "$counts" ] || return 0
    read -r more_passed _ more_failed _ <<<"$counts"
    passed=$((passed + more_passed))
    failed=$((failed + more_failed))
    [ "$status" = 0 ] || [ "$more_failed" -gt 0 ] || failed=$((failed + 1))
}

# --- Choosing the PostgreSQL to build for ---

# usable_pg_config FILE: are the server and its headers there too? The
# pg_config of libpq-dev alone is of no use, and Debian's client package has
# PGXS without the headers.
usable_pg_config() {
    local pgxs bindir headers
    pgxs=$("$1" --pgxs 2>/dev/null) && bindir=$("$1" --bindir 2>/dev/null) &&
        headers=$("$1" --includedir-server 2>/dev/null) &&
        [ -f "$pgxs" ] && [ -x "$bindir/postgres" ] && [ -f "$headers/postgres.h" ]
}

# find_pg_config WANTED: prints the path of the pg_config to use. WANTED is a
# major version, the path of a pg_config, or empty: the one on PATH, else the
# newest installed.
find_pg_config() {
    local candidate candidates=()
    case $1 in
        */*) candidates=("$1") ;;
        ?*) candidates=("/usr/lib/postgresql/$1/bin/pg_config") ;;
        *)
            candidates=("$(command -v pg_config || true)")
            while IFS= read -r candidate; do
                candidates+=("$candidate")
            done < <(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -rV)
            ;;
    esac
    for candidate in "${candidates[@]}"; do
        if usable_pg_config "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# use_pg WANTED: sets the variables below, which everything here goes by.
use_pg() {
    pg_config=$(find_pg_config "$1") ||
        die "no PostgreSQL ${1:+$1 }with its server headers was found; scripts/setup installs one"
    pg_bindir=$("$pg_config" --bindir)
    pg_major=$("$pg_config" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
    pgxs_root=$(cd -- "$(dirname -- "$("$pg_config" --pgxs)")/../.." && pwd)
    test_bindir=$pg_bindir
    make_flags=(PG_CONFIG="$pg_config")
    # The bitcode for JIT takes the very clang that PostgreSQL was built with.
    local clang
    clang=$(sed -n 's/^CLANG[ \t]*=[ \t]*//p' "$pgxs_root/src/Makefile.global")
    command -v "${clang:-clang}" >/dev/null || make_flags+=(with_llvm=no)
}

# find_clang: prints the path of a clang, the newest where each has its version
# in its name.
find_clang() {
    local clang
    for clang in clang $(compgen -c clang- | grep -x 'clang-[0-9]*' | sort -ruV); do
        command -v "$clang" && return
    done
    return 1
}

# has_libfuzzer CLANG
has_libfuzzer() { compgen -G "$("$1" -print-resource-dir)/lib/*/libclang_rt.fuzzer*.a" >/dev/null; }

# --- Choosing the libcurl ---

libcurl_environment=()

# use_libcurl DIR: lets as_server build and run with the libcurl in DIR/include and
# DIR/lib. LIBCURL_DIR passes the choice on to scripts that a test calls.
use_libcurl() {
    LIBCURL_DIR=$1
    libcurl_environment=("LIBCURL_DIR=$1" "LD_LIBRARY_PATH=$1/lib" "CURL_CFLAGS=-I$1/include" "CURL_LIBS=-L$1/lib -lcurl")
}
[ -z "${LIBCURL_DIR:-}" ] || use_libcurl "$LIBCURL_DIR"

# --- A private folder, and the user that the server runs as ---

# PostgreSQL refuses to run as root, so root hands the server parts to the
# user that its package made.
choose_server_user() {
    local user
    server_user=
    if [ "$(id -u)" = 0 ]; then
        for user in postgres nobody; do
            if getent passwd "$user" >/dev/null; then
                server_user=$user
                return
            fi
        done
        die "there is no user 'postgres' or 'nobody' to run the server as"
    fi
}

# make_work: makes $work, owned by the server's user and removed at the end.
# The current folder becomes $work, since that user may not be able to enter
# the one that we were called in.
make_work() {
    choose_server_user
    # The path of a socket, which is in it, may have 107 characters.
    local parent=${TMPDIR:-/tmp}
    [ ${#parent} -le 40 ] || parent=/tmp
    work=$(mktemp -d "$parent/opportunity_fdw.XXXXXX")
    at_exit remove_work
    mkdir "$work/tmp"
    chmod 755 "$work"
    give_to_server "$work"
    cd "$work" || exit
}

# Where a signal has ended us, what we were waiting for still runs, and servers
# that it started: these last, as they may be starting just now.
remove_work() {
    local pids pid file
    read -r -a pids <"/proc/$$/task/$$/children" || true
    if [ ${#pids[@]} -gt 0 ]; then
        kill -TERM "${pids[@]}"
        sleep 3
        kill -KILL "${pids[@]}"
        while IFS= read -r file; do
            read -r pid <"$file" && kill -QUIT "$pid"
        done < <(find "$work" -name postmaster.pid)
        sleep 1
    fi 2>/dev/null
    cd / && rm -rf -- "$work"
}

give_to_server() { [ -z "$server_user" ] || chown -R "$server_user:" "$@"; }

# as_server COMMAND...: as the server's user, in an environment of our own:
# PGHOST, http_proxy and the like of the caller must change nothing.
as_server() {
    local command=(env -i "PATH=$test_bindir:$system_path" "HOME=$work" "TMPDIR=$work/tmp"
        "LANG=C.UTF-8" "TERM=${TERM:-dumb}" "PG_CONFIG=$pg_config" "${libcurl_environment[@]}" "$@")
    if [ -n "$server_user" ]; then
        runuser -u "$server_user" -- "${command[@]}"
    else
        "${command[@]}"
    fi
}

# copy_sources DIR: the tree without history and build products.
copy_sources() {
    mkdir -p "$1"
    tar -C "$top" --exclude-vcs --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
        --exclude=./results --exclude=./fuzz-findings --exclude='./regression.*' --exclude=./tmp_check \
        --exclude=./output_iso --exclude=__pycache__ -cf - . |
        tar -C "$1" --no-same-owner -xf -
}

# copy_tree DIR: the same, for the server's user, who may not be able to read
# the original.
copy_tree() {
    copy_sources "$1"
    give_to_server "$1"
}

free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# --- The extension installed in a private folder ---

# server_config DESTDIR FILE: writes the settings with which a server finds
# what `make install DESTDIR=...` put there.
server_config() {
    local libdir sharedir
    libdir=$("$pg_config" --pkglibdir)
    sharedir=$("$pg_config" --sharedir)
    {
        if [ "$pg_major" -ge 18 ]; then
            printf "extension_control_path = '%s:\$system'\n" "$1$sharedir"
        elif loads_privately; then
            printf "extension_destdir = '%s'\n" "$1"
        else
            die "this PostgreSQL cannot load an extension from a private folder;" \
                "use make install and make installcheck, or scripts/test"
        fi
        printf "dynamic_library_path = '%s:\$libdir'\n" "$1$libdir"
    } >"$2"
}

# loads_privately: whether a server can be told of such a folder: from 18 on, and
# Debian's own always.
loads_privately() {
    [ "$pg_major" -ge 18 ] || "$pg_bindir/postgres" --describe-config | grep '^extension_destdir' >/dev/null
}

# copy_pg: where it cannot, a copy of all of PostgreSQL takes the extension in. It
# finds its files wherever it stands, if it has a folder to itself.
copy_pg() {
    local prefix
    prefix=$(dirname "$pg_bindir")
    case $("$pg_config" --sharedir),$("$pg_config" --pkglibdir) in
        "$prefix"/*,"$prefix"/*) [ "$prefix" != /usr ] || die "PostgreSQL $pg_major has no folder to itself" ;;
        *) die "PostgreSQL $pg_major has no folder to itself" ;;
    esac
    cp -a "$prefix" "$work/pg"
    give_to_server "$work/pg"
    use_pg "$work/pg/bin/pg_config"
    pg_is_ours=1
}

# make_in TREE ARG...
make_in() {
    local tree=$1
    shift
    as_server make --no-print-directory -C "$tree" "${make_flags[@]}" "$@"
}

# build_private TREE FLAG...: builds there and installs into a private folder
# that $work/server.conf tells a server of.
build_private() {
    local tree=$1
    shift
    make_in "$tree" -j2 "$@" || return
    if [ -n "${pg_is_ours:-}" ]; then
        make_in "$tree" install "$@" && : >"$work/server.conf"
    else
        make_in "$tree" install "$@" DESTDIR="$work/install" && server_config "$work/install" "$work/server.conf"
    fi
}

# --- Running the tests; TREE is what they are read from, OUT a folder of the
# --- server's user for all that they write ---

# run_regress TREE OUT [NAME...]: pg_regress with a server of its own. The
# settings are those of $work/server.conf.
run_regress() {
    local tree=$1 out=$2 options
    shift 2
    as_server mkdir -p "$out"
    options="--temp-instance='$out/instance' --temp-config='$work/server.conf'"
    options+=" --port=$(free_port) --outputdir='$out'"
    make_in "$tree" installcheck \
        "bindir=$test_bindir" EXTRA_REGRESS_OPTS="$options" \
        ${1:+REGRESS="$*"}
}

# as_tester OUT COMMAND...: as the server's user, with the environment that PGXS's
# prove_installcheck gives to tests. TESTDATADIR and TESTLOGDIR are TESTDIR's
# successors in PostgreSQL 16.
as_tester() {
    local out=$1
    shift
    as_server mkdir -p "$out/tmp_check/log"
    as_server TESTDIR="$out" TESTDATADIR="$out/tmp_check" TESTLOGDIR="$out/tmp_check/log" \
        PG_TEST_PORT_DIR="$out" TEMP_CONFIG="$work/server.conf" PGPORT="$(free_port)" \
        PG_REGRESS="$pgxs_root/src/test/regress/pg_regress" \
        PERL5LIB="$pgxs_root/src/test/perl" ${REEVO_READS:+REEVO_READS="$REEVO_READS"} \
        ${REEVO_WITHOUT_NGINX:+REEVO_WITHOUT_NGINX="$REEVO_WITHOUT_NGINX"} \
        "$@"
}

# run_prove TREE OUT FILE...: TAP tests.
run_prove() {
    local tree=$1 out=$2
    shift 2
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_tester "$out" sh -c 'cd "$0" && exec prove -j2 "$@"' "$tree" "$@"
}

# prove_result FILE OUTPUT: ok, skipped or FAILED, by what prove printed, which is
# `t/name.pl .. ok`. A file that it did not come to has failed.
prove_result() {
    local pattern=${1//./\\.}
    if grep -Eq "^$pattern \.+ ok( |$)" "$2"; then
        say ok
    elif grep -Eq "^$pattern \.+ skipped" "$2"; then
        say skipped
    else
        say FAILED
    fi
}

# show_regress_failure OUT, show_prove_failure OUT FILE: what there is to read
# about it, in bearable length.
show_regress_failure() {
    local file found=
    if [ -s "$1/regression.diffs" ]; then
        head -n 200 "$1/regression.diffs"
        return
    fi
    while IFS= read -r file; do
        found=1
        say "--- ${file##*/}" && tail -n 30 "$file"
    done < <(find "$1" -name '*.log' -size +0 2>/dev/null)
    [ -n "$found" ] || say "(no log was left)"
}

show_prove_failure() {
    local name file
    name=$(basename "$2" .pl)
    file=$1/tmp_check/log/regress_log_$name
    if [ -s "$file" ]; then
        say "--- ${file##*/}: what failed"
        grep -E -A 12 '(^|\] )not ok |Failed test' "$file" | head -n 100 || true
    fi
    for file in "$file" "$1/tmp_check/log/$name"_*.log; do
        if [ -s "$file" ]; then
            say "--- ${file##*/}: the end"
            tail -n 30 "$file"
        fi
    done
}
