#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what a fresh machine lacks to build, test or lint: Debian 12 is where this is tried;
# the names for Debian 13 and Ubuntu 24.04 are given where they differ, untried. Where nothing is
# missing, nothing is asked of the network and no root is needed.
#
#     sh setup/packages.sh [build|test|vm|bench|lint|all]   test, which includes build, if not said

set -eu

# A name with bars lists alternatives: the first that is installed or can be had is taken. One with a
# question mark is done without where it cannot be had.
build='gcc libc6-dev make clang bpftool|linux-tools-generic libbpf-dev libevent-dev libssl-dev
    libjansson-dev libidn2-dev libpsl-dev libseccomp-dev libcap-ng-dev libmnl-dev
    libnetfilter-queue-dev libyaml-dev pkg-config|pkgconf iptables'
tests='libcmocka-dev nginx|nginx-light unbound bind9-dnsutils|dnsutils curl iproute2 openssl jq
    mawk|gawk util-linux procps sudo strace slirp4netns openssh-client openssh-server git
    bash-completion zsh fish man-db mandoc dpkg-dev knot-dnsutils ngtcp2-client ngtcp2-server'
# For virtual machines with other kernels, see tests/vm.
vm='debootstrap debian-archive-keyring e2fsprogs cpio xz-utils busybox-static kmod'
# Those that the filter is measured beside, see tests/bench: one that no source has is left out.
bench='libnginx-mod-stream? haproxy? squid-openssl? sslsplit? mitmproxy? dnsmasq-base? gnuplot-nox?'
lint='clang-format shellcheck mandoc man-db cppcheck dpkg-dev lintian'

policy=/usr/sbin/policy-rc.d
saved=$policy.before-egress-filter
forbidden=

log=

fail()
{
    # What apt said: most often that the archive could not be reached.
    [ ! -s "$log" ] || cat "$log" >&2
    printf 'packages: %s\n' "$1" >&2
    exit 1
}

installed()
{
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The sanitizers' and the fuzzer's runtime is named for clang's version, known once clang is.
runtime()
{
    version=$(clang -dumpversion 2>/dev/null) || version=
    [ -n "$version" ] || version=$(apt-cache depends clang 2>/dev/null |
        sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p' | head -n 1)
    [ -z "$version" ] || echo "libclang-rt-${version%%.*}-dev"
}

# Prints what of its arguments is not there.
missing()
{
    for names; do
        found=
        for name in $(echo "$names" | tr '|?' '  '); do
            if installed "$name"; then
                found=1
                break
            fi
        done
        [ -n "$found" ] || echo "$names"
    done
}

# Of each list of alternatives, the first that the archive has.
choose()
{
    for names; do
        chosen=
        for name in $(echo "$names" | tr '|?' '  '); do
            if [ -n "$(apt-cache madison "$name" 2>/dev/null)" ]; then
                chosen=$name
                break
            fi
        done
        case $chosen$names in
        "$names")
            echo "packages: no package source offers ${names%\?}" >&2
            [ "${names%\?}" != "$names" ] || return 1
            ;;
        *) echo "$chosen" ;;
        esac
    done
}

clean_up()
{
    rm -f "$log"
    [ -z "$forbidden" ] || rm -f "$policy"
    [ ! -e "$saved" ] || mv "$saved" "$policy"
}

# A package that brings a server would start it, on the machine's own ports.
forbid_services()
{
    # Where a run was killed, the saved one is the original.
    [ -e "$saved" ] || [ ! -e "$policy" ] || mv "$policy" "$saved"
    forbidden=1
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
}

apt()
{
    DEBIAN_FRONTEND=noninteractive apt-get -q=2 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        -o APT::Install-Recommends=false "$@" </dev/null
}

main()
{
    # The headers of the other machine, for which the kernel's programs are compiled as well.
    case $(dpkg --print-architecture 2>/dev/null) in
    arm64) tests="$tests linux-libc-dev-amd64-cross" vm="$vm qemu-system-arm" ;;
    *) tests="$tests linux-libc-dev-arm64-cross" vm="$vm qemu-system-x86" ;;
    esac
    case ${1:-test} in
    build) want=$build ;;
    test) want="$build $tests" ;;
    vm) want=$vm ;;
    bench) want="$build $tests $bench" ;;
    lint) want=$lint ;;
    all) want="$build $tests $lint" ;;
    *) fail "usage: packages.sh [build|test|vm|bench|lint|all]" ;;
    esac
    command -v dpkg-query >/dev/null ||
        fail "this system has no dpkg; README.md lists what is needed"

    # shellcheck disable=SC2086 # a list of names
    need=$(missing $want)
    case $want in
    *libcmocka*)
        rt=$(runtime)
        if [ -z "$rt" ] || ! installed "$rt"; then
            need="$need ${rt:-runtime}"
        fi
        ;;
    esac
    need=$(printf '%s' "$need" | tr -s '\n ' ' ')
    [ -n "${need# }" ] || exit 0

    [ "$(id -u)" -eq 0 ] ||
        fail "missing: $need; run as root: sh setup/packages.sh ${1:-test}"
    printf 'packages: installing %s\n' "$need"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    log=$(mktemp)
    # One foreign source that fails is no reason to stop; whether ours is there is seen next.
    apt update >"$log" 2>&1 || true
    case " $need " in
    *" runtime "*) need=$(echo " $need " | sed "s/ runtime / $(runtime) /") ;;
    esac
    # shellcheck disable=SC2086
    need=$(choose $need) || fail "cannot find every package that is missing: is there a network?"
    [ -n "$need" ] || exit 0
    forbid_services
    # shellcheck disable=SC2086
    apt install --yes $need >>"$log" 2>&1 ||
        fail "cannot install $(echo "$need" | tr '\n' ' ')"
}

main "$@"
