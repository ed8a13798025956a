# SPDX-License-Identifier: PostgreSQL
# Functions for the other scripts of this folder. They choose a PostgreSQL, drop
# privileges, make private folders and remove them at the end. They also run the
# tests with the extension installed in such a folder only.
#
# The scripts set `set -euo pipefail` first.
# shellcheck shell=bash

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

# An empty environment has no PATH. The PATH of a user often lacks the sbin folders.
system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PATH=${PATH:+$PATH:}$system_path
export PATH

# The server's user reads the files that root makes here.
umask 022

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# usage FILE: prints the header comment of the file.
usage() { sed -n '3,/^set /s/^# \{0,1\}//p' "$1"; }

# --- Commands for the end of the script, the last one first ---

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

# --- Totals of several runs of scripts/test ---

passed=0 failed=0

# count_run COMMAND...: runs the command, shows its output, and adds its counts to
# the totals. $counts is then the line with the counts, or empty if there is none.
count_run() {
    local output status=0 more_passed more_failed
    output=$(mktemp)
    "$@" 2>&1 | tee "$output" || status=$?

    # scripts/test prints the first such line.
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$output" | head -n 1 || true)
    rm -f "$output"
    [ -n "$counts" ] || return 0
    read -r more_passed _ more_failed _ <<<"$counts"
    passed=$((passed + more_passed))
    failed=$((failed + more_failed))
    [ "$status" = 0 ] || [ "$more_failed" -gt 0 ] || failed=$((failed + 1))
}

# --- Choice of PostgreSQL ---

# usable_pg_config FILE: fails without the server and its headers. libpq-dev has a
# pg_config without them, and Debian's client package has PGXS without the headers.
usable_pg_config() {
    local pgxs bindir headers
    pgxs=$("$1" --pgxs 2>/dev/null) && bindir=$("$1" --bindir 2>/dev/null) &&
        headers=$("$1" --includedir-server 2>/dev/null) &&
        [ -f "$pgxs" ] && [ -x "$bindir/postgres" ] && [ -f "$headers/postgres.h" ]
}

# find_pg_config WANTED: prints the path of the pg_config to use. WANTED is a major
# version or the path of a pg_config. If it is empty, the function prefers the
# pg_config on PATH to the newest installed one.
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

# use_pg WANTED: sets the variables that the functions below use.
use_pg() {
    pg_config=$(find_pg_config "$1") ||
        die "no PostgreSQL ${1:+$1 }with its server headers was found; scripts/setup installs one"
    pg_bindir=$("$pg_config" --bindir)
    pg_major=$("$pg_config" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
    pgxs_root=$(cd -- "$(dirname -- "$("$pg_config" --pgxs)")/../.." && pwd)
    test_bindir=$pg_bindir
    make_flags=(PG_CONFIG="$pg_config")
    # The bitcode for JIT needs the clang that built PostgreSQL.
    local clang
    clang=$(sed -n 's/^CLANG[ \t]*=[ \t]*//p' "$pgxs_root/src/Makefile.global")
    command -v "${clang:-clang}" >/dev/null || make_flags+=(with_llvm=no)
}

# find_clang: prints the path of a clang. Of several clang-N it takes the newest.
find_clang() {
    local clang
    for clang in clang $(compgen -c clang- | grep -x 'clang-[0-9]*' | sort -ruV); do
        command -v "$clang" && return
    done
    return 1
}

# has_libfuzzer CLANG
has_libfuzzer() { compgen -G "$("$1" -print-resource-dir)/lib/*/libclang_rt.fuzzer*.a" >/dev/null; }

# --- Choice of libcurl ---

libcurl_environment=()

# use_libcurl DIR: lets as_server build and run with the libcurl in DIR/include and
# DIR/lib. LIBCURL_DIR passes the choice on to scripts that a test calls.
use_libcurl() {
    LIBCURL_DIR=$1
    libcurl_environment=("LIBCURL_DIR=$1" "LD_LIBRARY_PATH=$1/lib" "CURL_CFLAGS=-I$1/include" "CURL_LIBS=-L$1/lib -lcurl")
}
[ -z "${LIBCURL_DIR:-}" ] || use_libcurl "$LIBCURL_DIR"

# --- The private folder and the user of the server ---

# choose_server_user: PostgreSQL refuses to run as root. Root runs it as the user
# that its package made.
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

# make_work: makes the folder $work, which belongs to the server's user, and removes
# it at the end. It also enters $work, as the server's user may lack the right to
# enter the caller's folder.
make_work() {
    choose_server_user
    # It holds sockets, whose paths are limited to 107 characters.
    local parent=${TMPDIR:-/tmp}
    [ ${#parent} -le 40 ] || parent=/tmp
    work=$(mktemp -d "$parent/opportunity_fdw.XXXXXX")
    at_exit remove_work
    mkdir "$work/tmp"
    chmod 755 "$work"
    give_to_server "$work"
    cd "$work" || exit
}

# remove_work: after a signal, the script's child processes still run, and servers
# that they started. It ends the servers last, as they may be starting just now.
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

# as_server COMMAND...: runs it as the server's user, in a new environment, so that
# the caller's PGHOST or http_proxy changes nothing.
as_server() {
    local command=(env -i "PATH=$test_bindir:$system_path" "HOME=$work" "TMPDIR=$work/tmp"
        "LANG=C.UTF-8" "TERM=${TERM:-dumb}" "PG_CONFIG=$pg_config" "${libcurl_environment[@]}" "$@")
    if [ -n "$server_user" ]; then
        runuser -u "$server_user" -- "${command[@]}"
    else
        "${command[@]}"
    fi
}

# copy_sources DIR: copies the tree without history and build products.
copy_sources() {
    mkdir -p "$1"
    tar -C "$top" --exclude-vcs --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
        --exclude=./results --exclude=./fuzz-findings --exclude='./regression.*' --exclude=./tmp_check \
        --exclude=./output_iso --exclude=__pycache__ -cf - . |
        tar -C "$1" --no-same-owner -xf -
}

# copy_tree DIR: makes the same copy for the server's user, who may lack the right
# to read the tree.
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

# --- Installation in a private folder ---

# server_config DESTDIR FILE: writes the settings with which a server loads the
# extension from DESTDIR of make install.
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

# loads_privately: succeeds if a setting of the server names such a folder. Servers
# from 18 on have one, and so do all of Debian's.
loads_privately() {
    [ "$pg_major" -ge 18 ] || "$pg_bindir/postgres" --describe-config | grep '^extension_destdir' >/dev/null
}

# copy_pg: copies PostgreSQL, for a server without such a setting. The copy finds its
# files in any folder, if the original has a folder of its own.
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

# build_private TREE FLAG...: builds the tree and installs it in a private folder.
# It writes $work/server.conf, the settings with which a server finds that folder.
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

# --- Tests: they read the folder TREE, and write to the folder OUT, which belongs
# --- to the server's user ---

# run_regress TREE OUT [NAME...]: runs pg_regress with a new server, whose settings
# $work/server.conf has.
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

# as_tester OUT COMMAND...: runs it as the server's user, in the environment that
# PGXS's prove_installcheck sets, with the settings of the tests. PostgreSQL 15 reads
# TESTDIR, and 16 reads TESTDATADIR and TESTLOGDIR instead.
as_tester() {
    local out=$1 name settings=()
    shift
    for name in REEVO_READS REEVO_WITHOUT_NGINX REEVO_SEED REEVO_QUERIES REEVO_VARIANT REEVO_FORM; do
        [ -z "${!name:-}" ] || settings+=("$name=${!name}")
    done
    as_server mkdir -p "$out/tmp_check/log"
    as_server TESTDIR="$out" TESTDATADIR="$out/tmp_check" TESTLOGDIR="$out/tmp_check/log" \
        PG_TEST_PORT_DIR="$out" TEMP_CONFIG="$work/server.conf" PGPORT="$(free_port)" \
        PG_REGRESS="$pgxs_root/src/test/regress/pg_regress" \
        PERL5LIB="$pgxs_root/src/test/perl" "${settings[@]}" "$@"
}

# run_prove TREE OUT FILE...: runs TAP tests.
run_prove() {
    local tree=$1 out=$2
    shift 2
    # shellcheck disable=SC2016 # expanded by the inner shell
    as_tester "$out" sh -c 'cd "$0" && exec prove -j3 "$@"' "$tree" "$@"
}

# prove_result FILE OUTPUT: prints ok, skipped or FAILED. The output of prove has
# lines like `t/name.pl .. ok`. A file without a line has failed.
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

# show_regress_failure OUT, show_prove_failure OUT FILE: print the relevant parts of
# the logs.
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
        say "--- ${file##*/}: the failures"
        grep -E -A 12 '(^|\] )not ok |Failed test' "$file" | head -n 100 || true
    fi
    for file in "$file" "$1/tmp_check/log/$name"_*.log; do
        if [ -s "$file" ]; then
            say "--- ${file##*/}: the end"
            tail -n 30 "$file"
        fi
    done
}
