# SPDX-License-Identifier: PostgreSQL
# Puts another libcurl than the system's into a private folder, for the option
# --libcurl of scripts/test.
#
# Sourced after lib.sh and chroots.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154

# get_libcurl old|DIR FOLDER: makes FOLDER/include and FOLDER/lib.
get_libcurl() {
    mkdir -p "$2"
    if [ "$1" = old ]; then
        download_libcurl "$2"
    else
        [ -e "$1/include/curl/curl.h" ] || die "$1/include has no libcurl"
        [ -e "$1/lib/libcurl.so" ] || die "$1/lib has no libcurl"
        cp -a "$1/include" "$1/lib" "$2/"
    fi
}

# download_libcurl FOLDER: gets libcurl 7.74 of Debian 11, as no later suite has a
# libcurl below 7.85. It also gets the libraries that this libcurl needs and this
# system lacks: with all others, programs of this system could not run.
download_libcurl() {
    local apt=$work/apt file name options packages
    choose_suite bullseye
    mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/files" "$1/include" "$1/lib"
    : >"$apt/status"
    say "deb $mirror $suite main" >"$apt/sources.list"
    options=(-qq -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=-
        -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status"
        -o Dir::Cache="$apt" -o APT::Sandbox::User="$(id -un)" -o Acquire::Check-Valid-Until=false)
    apt-get "${options[@]}" update
    mapfile -t packages < <(apt-cache "${options[@]}" depends --recurse --important libcurl4 |
        grep '^lib' | grep -vxE 'libc6|libcrypt1|libgcc-s1' | sort -u)
    (cd "$apt/archives" && apt-get "${options[@]}" download libcurl4-openssl-dev "${packages[@]}")
    for file in "$apt"/archives/*.deb; do
        dpkg -x "$file" "$apt/files"
    done
    mv "$apt"/files/usr/include/*/curl "$1/include/"
    while IFS= read -r file; do
        name=${file##*/}
        case $name in
            libcurl.so*) ;;
            *) ! grep -qF $'\t'"$name (" <(ldconfig -p) || continue ;;
        esac
        cp -a "$file" "$1/lib/"
    done < <(find "$apt/files/lib" "$apt/files/usr/lib" -name 'lib*.so*')
}
