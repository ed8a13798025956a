# SPDX-License-Identifier: PostgreSQL
# Functions for scripts that work in chroots of a fresh Debian. Each script gets
# namespaces of its own, so that no mount and no process can outlive it. It removes
# its folder at the end. The packages come from the mirror that apt is set up with.
#
# Sourced after lib.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154

# enter_namespace ARG...: starts the script again in new namespaces.
enter_namespace() {
    [ "$(id -u)" = 0 ] || die "only root can make a chroot"
    [ -z "${FRESH_NAMESPACE:-}" ] || return 0
    local program
    for program in mmdebstrap unshare; do
        command -v "$program" >/dev/null || die "$program is missing: apt-get install mmdebstrap util-linux"
    done
    FRESH_NAMESPACE=1 exec unshare --mount --propagation private --pid --fork --mount-proc "$0" "$@"
}

# choose_suite [SUITE]: sets $suite, by default to the running suite, and $mirror to
# its mirror. The other suites are on the same mirror.
choose_suite() {
    local running
    # shellcheck disable=SC1091
    running=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    suite=${1:-$running}
    mirror=$(mirror_of "$running")
    if [ -z "$mirror" ] && [ "$(id -u)" = 0 ]; then
        apt-get update -qq || true
        mirror=$(mirror_of "$running")
    fi
    [ -n "$mirror" ] || die "apt has no list of $running; try apt-get update"
}

mirror_of() {
    # shellcheck disable=SC2016 # apt-get expands them
    apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        sed -n "s/^$1 //p" | head -n 1
}

# reach_mirror: fails if apt cannot download the smallest file of the mirror.
reach_mirror() {
    local folder status=0
    folder=$(mktemp -d)
    (choose_suite "" && /usr/lib/apt/apt-helper download-file "${mirror%/}/dists/$suite/InRelease" "$folder/InRelease") \
        >/dev/null 2>&1 || status=1
    rm -rf -- "$folder"
    return "$status"
}

# make_base: makes the folder $base, which the script removes at the end.
make_base() {
    local folder=${TMPDIR:-/tmp}/chroots
    mkdir -p "$folder"
    base=$(mktemp -d "$folder/fresh.XXXXXX")
    at_exit "rm -rf --one-file-system -- '$base'; rmdir --ignore-fail-on-non-empty '$folder'"
}

# make_chroot: makes a tar file, from which unpack_chroot makes the chroots. The
# lists of a suite in development may have expired. The first python3 in PATH may be
# a slow wrapper.
make_chroot() {
    PATH=$system_path mmdebstrap --quiet --variant=apt --include=sudo,passwd \
        --aptopt='Acquire::Check-Valid-Until "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt=force-unsafe-io \
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

# mount_gone FOLDER...: unmounts lazily, since a process may still use the folder.
mount_gone() {
    local folder
    for folder; do
        ! mountpoint -q "$folder" || umount -R -l "$folder"
    done
}

# processes_gone: ends all other processes of the namespace.
processes_gone() {
    [ $$ != 1 ] || kill -KILL -1 2>/dev/null || true
}

# inside ROOT USER COMMAND...: runs it in the chroot with an empty environment.
inside() {
    local root=$1 user=$2
    shift 2
    chroot "$root" env -i PATH="$system_path" runuser -u "$user" -- env -i "$@"
}

# leftovers ROOT: prints the processes that outlived a script in the chroot. The
# namespace hides all processes outside of it.
leftovers() {
    local pid
    for pid in /proc/[0-9]*; do
        [ "$(readlink "$pid/root")" != "$1" ] || tr '\0' ' ' <"$pid/cmdline"
    done
}
