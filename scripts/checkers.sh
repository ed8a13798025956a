# SPDX-License-Identifier: PostgreSQL
# The ways in which scripts/test watches the server: for memory errors, two, and
# for the lines that run. Each has a prepare_, called before the build, and a
# look_for_ for the end.
#
# The first two put a folder in the place of PostgreSQL's bindir: links to all of it, but
# for the programs that start the server, which are wrapped. Nothing but the
# server is to run under a checker.
#
# Sourced by scripts/test.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2154

# wrap_bindir: makes the folder of links, and the variable test_bindir say so.
wrap_bindir() {
    test_bindir=$work/bin
    mkdir -p "$test_bindir" "$work/reports"
    ln -s "$pg_bindir"/* "$test_bindir/"
}

# wrap PROGRAM COMMAND...: the program with COMMAND before it.
wrap() {
    local program=$1
    shift
    rm "$test_bindir/$program"
    {
        printf '#!/bin/sh\nexec'
        printf " '%s'" "$@" "$pg_bindir/$program"
        printf ' "$@"\n'
    } >"$test_bindir/$program"
    chmod 755 "$test_bindir/$program"
}

# --- AddressSanitizer and UndefinedBehaviorSanitizer ---

# PostgreSQL's -fwrapv would hide overflows. The program itself is not built
# with a sanitizer, so its library has to be there before all others. On Debian
# 12 that would hang: a constructor of libp11-kit allocates, for the first
# time, while it holds a lock that the sanitizer's own start wants. The shim
# is initialized before all others (-z initfirst) and allocates without any lock.
prepare_sanitize() {
    local options preload
    build_flags=(with_llvm=no "COPT=-fsanitize=address,undefined -fno-sanitize=object-size
        -fno-wrapv -fno-omit-frame-pointer -g -O1")
    build_flags=("${build_flags[@]//$'\n'/ }")
    wrap_bindir
    printf '%s\n' '#include <stdlib.h>' \
        '__attribute__((constructor)) static void' \
        'first(void) { void *volatile p = malloc(1); free(p); }' >"$work/shim.c"
    gcc -shared -fPIC -Wl,-z,initfirst -o "$work/shim.so" "$work/shim.c"
    preload=$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so):$work/shim.so
    # Leaks are not for it to judge: a backend ends without freeing anything.
    # Fake stacks would confuse PostgreSQL's check of the stack depth.
    options=detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=0
    options+=:log_path=$work/reports/asan
    for program in postgres pg_ctl; do
        wrap "$program" env "LD_PRELOAD=$preload" "ASAN_OPTIONS=$options" \
            UBSAN_OPTIONS=print_stacktrace=1
    done
    give_to_server "$work"
}

look_for_sanitize() {
    say "Looking for reports ..."
    if grep -rhE -A 25 --include='*.log' --include='asan*' 'runtime error: |ERROR: AddressSanitizer' \
        "$work/reports" "$work/regress" "$work/prove" 2>/dev/null | head -n 200 | grep .; then
        result FAILED "no report of the sanitizers"
    else
        result ok "no report of the sanitizers"
    fi
}

# --- valgrind ---

prepare_valgrind() {
    build_flags=(with_llvm=no "COPT=-g -O1")
    wrap_bindir
    cp "$top/scripts/valgrind.supp" "$work/"
    wrap postgres valgrind --quiet --trace-children=yes --num-callers=40 \
        --error-limit=no --leak-check=no --suppressions="$work/valgrind.supp" \
        --xml=yes --xml-file="$work/reports/%p.xml"
    give_to_server "$work"
}

# Only an error with the extension on its stack is the extension's. At the end of
# a backend, what nothing points to any more has leaked; all the rest of what
# valgrind calls a leak is PostgreSQL's way of ending.
look_for_valgrind() {
    say "Looking for reports ..."
    if python3 - "$work/reports" <<'END'
import glob, re, sys
found = others = 0
for name in glob.glob(sys.argv[1] + "/*.xml"):
    with open(name, errors="replace") as file:
        for error in re.findall(r"<error>.*?</error>", file.read(), re.S):
            if re.search(r"<kind>Leak_(?!DefinitelyLost)", error):
                continue
            if "opportunity_fdw.so</obj>" not in error:
                others += "<kind>Leak_" not in error
                continue
            found += 1
            if found <= 20:
                print("".join(re.findall(r"<(?:text|what)>(.*?)</", error)[:1]))
                for frame in re.findall(r"<frame>(.*?)</frame>", error, re.S)[:20]:
                    part = dict(re.findall(r"<(\w+)>(.*?)</", frame))
                    print("    %s (%s:%s)" % (part.get("fn", part.get("ip")),
                          part.get("file", part.get("obj")), part.get("line", "?")))
print("%d errors in the extension, %d elsewhere" % (found, others))
sys.exit(found != 0)
END
    then
        result ok "no error under valgrind"
    else
        result FAILED "no error under valgrind"
    fi
}

# --- Coverage ---

# The least of all lines that all tests together have to run, in percent.
least_coverage=90

# A backend writes what it has counted beside the objects, in the private tree,
# when it ends. What t/021_failures.pl builds for itself is not counted.
prepare_coverage() {
    build_flags=(with_llvm=no "COPT=-O0 -g --coverage -Wno-cpp")
}

look_for_coverage() {
    say "Looking for lines that have not run ..."
    local least=$least_coverage
    [ ${#only[@]} = 0 ] || least=0
    if python3 "$top/scripts/coverage.py" "$tree" "$least"; then
        result ok "coverage"
    else
        result FAILED "coverage: less than $least %"
    fi
}
