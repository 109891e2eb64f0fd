# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Where Debian's kernels come from: the machine's own package sources say which mirror, and
# directories of our own hold apt's lists, so that nothing is installed and the machine's apt is as
# before. Sourced by cache.sh.

# The release after this one, whose backports hold the newest kernels.
ARCHIVE_NEXT=trixie
ARCHIVE_ARCH=$(dpkg --print-architecture 2>/dev/null)
ARCHIVE_SUITE=$(. /etc/os-release && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}")
ARCHIVE_KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

# archive_mirror SUITE: the address that the machine itself has it from; fails where it has not.
archive_mirror()
{
    apt-get --print-uris update 2>/dev/null |
        sed -n "s|^'\(https\{0,1\}://.*\)/dists/$1/InRelease'.*|\1|p" | head -n 1 | grep .
}

# archive_proxy: what wget should know of how apt reaches the network.
archive_proxy()
{
    local http=
    eval "$(apt-config shell http Acquire::http::Proxy)"
    [ -z "$http" ] || export http_proxy=$http
}

# archive_apt DIR COMMAND…: apt with lists and caches in DIR alone.
archive_apt()
{
    local dir=$1 command=$2
    shift 2
    "$command" -q=2 -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o "Dir::State=$dir/state" -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir/cache" \
        -o Acquire::Languages=none -o APT::Sandbox::User=root "$@" </dev/null
}

# archive_open DIR: fetches the lists of every suite that may hold a kernel.
archive_open()
{
    local dir=$1 main security
    main=$(archive_mirror "$ARCHIVE_SUITE") || return 1
    security=$(archive_mirror "$ARCHIVE_SUITE-security") || security=
    mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
    : >"$dir/status"
    {
        printf "deb [arch=$ARCHIVE_ARCH signed-by=$ARCHIVE_KEYS] $main %s main\n" \
            "$ARCHIVE_SUITE" "$ARCHIVE_SUITE-backports" "$ARCHIVE_NEXT" "$ARCHIVE_NEXT-backports"
        [ -z "$security" ] ||
            echo "deb [arch=$ARCHIVE_ARCH signed-by=$ARCHIVE_KEYS] $security $ARCHIVE_SUITE-security main"
    } >"$dir/sources.list"
    # A mirror may lack one of them; whether a kernel is found is seen next.
    archive_apt "$dir" apt-get update >&2 || true
}

# archive_kernel DIR NAME: the package of the highest version of that series (6.1), or of all
# (newest). Packages without a full version in their name hold no kernel.
archive_kernel()
{
    local series=${2//./\\.}
    [ "$2" != newest ] || series='[0-9]+\.[0-9]+'
    archive_apt "$1" apt-cache search --names-only '^linux-image-' | cut -d' ' -f1 |
        grep -E "^linux-image-$series\.[0-9]+[^ ]*-cloud-$ARCHIVE_ARCH\$" | sort -V | tail -n 1 |
        grep .
}

# archive_parts DIR PACKAGE: it, and from 7.3 on the packages of the same kernel that the image and
# the modules are in.
archive_parts()
{
    local version=${2#linux-image-}
    echo "$2"
    archive_apt "$1" apt-cache show "$2" | sed -n 's/^Depends: //p' | head -n 1 | tr ',' '\n' |
        grep -oE "linux-(base|binary|modules)-${version//+/[+]}" | sort -u
    return 0
}
