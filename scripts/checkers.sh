# SPDX-License-Identifier: PostgreSQL
# The checkers of scripts/test: the sanitizers, valgrind and coverage. Each has a
# function prepare_NAME, called before the build, and look_for_NAME, called at the end.
#
# The sanitizers and valgrind replace PostgreSQL's bindir by a folder of links. In it
# the programs that start the server are wrapped, so that only the server runs
# under a checker.
#
# Sourced by scripts/test.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR source=lib.sh disable=SC2154

# wrap_bindir: makes the folder of links, and sets test_bindir to it.
wrap_bindir() {
    test_bindir=$work/bin
    mkdir -p "$test_bindir" "$work/reports"
    ln -s "$pg_bindir"/* "$test_bindir/"
}

# wrap PROGRAM COMMAND...: lets the program run under the command.
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

# PostgreSQL's -fwrapv would hide overflows. The server is not built with a
# sanitizer, so the sanitizer's library is preloaded. On Debian 12 that alone would
# hang: a constructor of libp11-kit makes the first allocation, and holds a lock that
# the sanitizer's start needs. The shim prevents that. It is initialized first
# (-z initfirst) and allocates without a lock.
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
    # A backend ends without freeing anything, so leaks are not reported. Fake
    # stacks would confuse PostgreSQL's check of the stack depth.
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

# Only errors with the extension on their stack count. Of the leaks, only memory
# without a pointer to it counts, as PostgreSQL ends without freeing the rest.
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

# The percentage of all lines that the tests have to run.
least_coverage=90

# A backend writes its counts when it ends, next to the objects in the private tree.
# The build of t/021_failures.pl is not counted.
prepare_coverage() {
    build_flags=(with_llvm=no "COPT=-O0 -g --coverage -Wno-cpp")
}

look_for_coverage() {
    say "Counting the lines that ran ..."
    local least=$least_coverage
    [ ${#only[@]} = 0 ] || least=0
    if python3 "$top/scripts/coverage.py" "$tree" "$least"; then
        result ok "coverage"
    else
        result FAILED "coverage: less than $least %"
    fi
}
