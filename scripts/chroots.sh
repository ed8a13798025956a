# SPDX-License-Identifier: PostgreSQL
# What the scripts share that work in chroots of a fresh Debian. Everything happens
# in namespaces of its own, so that neither a mount nor a process can be left
# behind, and in a folder that is removed. The packages come from where the
# machine's own apt gets them.
#
# Sourced after lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154

# enter_namespace ARG...: starts the script again, in namespaces of its own.
enter_namespace() {
    [ "$(id -u)" = 0 ] || die "only root can make a chroot"
    [ -z "${FRESH_NAMESPACE:-}" ] || return 0
    local program
    for program in mmdebstrap unshare; do
        command -v "$program" >/dev/null || die "$program is missing: apt-get install mmdebstrap util-linux"
    done
    FRESH_NAMESPACE=1 exec unshare --mount --propagation private --pid --fork --mount-proc "$0" "$@"
}

# choose_suite [SUITE]: sets $suite, the running one by default, and $mirror: what
# apt of this machine says about its own suite holds for the others.
choose_suite() {
    local running
    # shellcheck disable=SC1091
    running=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    suite=${1:-$running}
    # shellcheck disable=SC2016 # apt-get expands them
    mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        sed -n "s/^$running //p" | head -n 1)
    [ -n "$mirror" ] || die "apt has no list of $running; try apt-get update"
}

# make_base: sets $base, a folder that is removed at the end.
make_base() {
    local folder=${TMPDIR:-/tmp}/chroots
    mkdir -p "$folder"
    base=$(mktemp -d "$folder/fresh.XXXXXX")
    at_exit "rm -rf --one-file-system -- '$base'; rmdir --ignore-fail-on-non-empty '$folder'"
}

# make_chroot: a tar file, which is unpacked for each run. Lists of a suite in
# development may have expired.
make_chroot() {
    mmdebstrap --quiet --variant=apt --include=git,ca-certificates,sudo,passwd \
        --aptopt='Acquire::Check-Valid-Until "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$suite" "$base/root.tar" "$mirror"
}

unpack_chroot() {
    local root=$1
    mkdir -p "$root"
    tar -C "$root" -xf "$base/root.tar"
    mkdir -p "$root/dev" "$root/proc"
    at_exit "processes_gone; mount_gone '$root/proc' '$root/dev'"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/dev/shm"
    mount -t proc proc "$root/proc"
    chroot "$root" useradd -m -s /bin/bash tester
    echo 'tester ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/tester"
}

# Lazily, as what is still under way there, when we are stopped, keeps it busy.
mount_gone() {
    local folder
    for folder; do
        ! mountpoint -q "$folder" || umount -R -l "$folder"
    done
}

# All others of our namespace, whose first process we are.
processes_gone() {
    [ $$ != 1 ] || kill -KILL -1 2>/dev/null || true
}

# inside ROOT USER COMMAND...: with an empty environment.
inside() {
    local root=$1 user=$2
    shift 2
    chroot "$root" env -i PATH="$system_path" runuser -u "$user" -- env -i "$@"
}

# Processes that outlive their script are a fault of it. We see those of our
# namespace only: a shell and what it waits for.
leftovers() {
    local pid
    for pid in /proc/[0-9]*; do
        [ "$(readlink "$pid/root")" != "$1" ] || tr '\0' ' ' <"$pid/cmdline"
    done
}
