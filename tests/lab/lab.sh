# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A small internet without a network, for tests that drive the real thing. A script that sources
# this file is executed again in a network and a mount namespace of its own, `host`; a veth leads
# from there to a second network namespace, `net`, where servers with public-looking addresses
# answer, and where every packet that arrives is counted: the proof that something was stopped is
# that it did not arrive. cgroups are left as they are, since the filter hooks them.
#
#     host                                   net
#     10.99.0.2/24  uplink ─────── transit   10.99.0.1/24
#     default route, resolv.conf             93.184.216.34…  (servers.sh)
#
# Nothing of this outlives the script: namespaces, mounts and files go with its last process.

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_ROOT=$(cd "$LAB_DIR/../.." && pwd)
LAB_NAME=$(basename "$0" .sh)
LAB_BUILD=$(realpath -m "${BUILD:-$LAB_ROOT/build}")
# A directory that every system has: the private tmpfs needs a place, and leaves none behind.
LAB=/srv
# The processes that this script started, by name; nobody else's are ever ended.
declare -A LAB_PIDS=()

export LC_ALL=C
set -u -o pipefail

# shellcheck source=tests/lab/report.sh
. "$LAB_DIR/report.sh"

if [ "$(id -u)" -ne 0 ]; then
    skip - "$LAB_NAME" "namespaces and kernel hooks need root"
    exit 0
fi
if [ "${LAB_INSIDE:-}" != "$PPID" ]; then
    # The parent's pid makes the mark good for this one exec: a script started below makes its own.
    export LAB_INSIDE=$PPID
    exec unshare --net --mount --propagation private -- bash "$0" "$@"
fi

# shellcheck source=tests/lab/servers.sh
. "$LAB_DIR/servers.sh"
# shellcheck source=tests/lab/counters.sh
. "$LAB_DIR/counters.sh"

# The addresses that tests name.
HOST_IP=10.99.0.2
GATEWAY_IP=10.99.0.1
ALLOWED_IP=93.184.216.34
DENIED_IP=93.184.216.35
THIRD_IP=93.184.216.36
BAD_TLS_IP=93.184.216.40
RESOLVER_IP=93.184.216.53
OTHER_RESOLVER_IP=93.184.216.54
METADATA_IP=169.254.169.254
ALLOWED_IP6=2001:db8:5db8::34

# The user that tests run commands as: in no group of the system, and owner of nothing in it.
TESTER=tester
TESTER_UID=61234

EGRESS=$LAB_BUILD/egress-filter
# By which way of attachment every run of the tests learns who did it; the program's choice if unset.
RUN_OPTIONS=(${EGRESS_ATTACH:+"--attach=$EGRESS_ATTACH"})

# in_net COMMAND…: runs it among the servers. Not `ip netns exec`, which hides the cgroups.
in_net()
{
    nsenter --net="$LAB/net" -- "$@"
}

# as_tester COMMAND…
as_tester()
{
    setpriv --reuid "$TESTER_UID" --regid "$TESTER_UID" --clear-groups --inh-caps=-all \
        --no-new-privs -- env HOME="$LAB/home" "$@"
}

# lab_start NAME COMMAND…: in the background, its output in $LAB/log/NAME.log; dies with us.
lab_start()
{
    local name=$1
    shift
    setpriv --pdeathsig KILL -- "$@" >"$LAB/log/$name.log" 2>&1 </dev/null &
    LAB_PIDS[$name]=$!
}

# lab_stop NAME [SIGNAL]
lab_stop()
{
    local pid=${LAB_PIDS[$1]:-}
    [ -n "$pid" ] || return 0
    unset "LAB_PIDS[$1]"
    kill -s "${2:-TERM}" "$pid" 2>/dev/null
    if ! wait_for 5 lab_gone "$pid"; then
        kill -s KILL "$pid" 2>/dev/null
    fi
    wait "$pid" 2>/dev/null
    return 0
}

# Gone, or dead and waiting for our wait.
lab_gone()
{
    local state
    state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
    [ -z "$state" ] || [ "$state" = Z ]
}

lab_logs()
{
    local file
    for file in "$LAB"/log/*; do
        [ -s "$file" ] || continue
        printf '    ---- %s\n' "${file##*/}"
        tail -n 60 "$file" | sed 's/^/    /'
    done
}

# The end of every script, however it came: what was started is stopped, and a failure is explained.
lab_end()
{
    local status=$? name
    trap - EXIT
    for name in "${!LAB_PIDS[@]}"; do
        lab_stop "$name"
    done
    if [ "$LAB_FAILED" -gt 0 ] || [ "$status" -ne 0 ]; then
        lab_logs
    fi
    [ "$LAB_FAILED" -eq 0 ] || status=1
    exit "$status"
}

lab_fail()
{
    not_ok - "$LAB_NAME: the lab" "$@"
    exit 1
}

lab_files()
{
    mount -t tmpfs -o mode=0755 lab "$LAB" || return 1
    mkdir -p "$LAB"/{bin,ca,conf,etc,home,log,tmp,www,work} || return 1
    chown "$TESTER_UID:$TESTER_UID" "$LAB/home"
    chmod 1777 "$LAB/tmp"
    # Copies, because the source tree may lie where the unprivileged user cannot look.
    if [ -d "$LAB_BUILD/tools" ]; then
        find "$LAB_BUILD/tools/" -maxdepth 1 -type f -perm -u+x -exec cp -t "$LAB/bin" {} +
    fi
    export PATH=$LAB/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    export HOME=$LAB/home TMPDIR=$LAB/tmp
    unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
}

# An overlay, not bind mounts: resolv.conf may be a link that dangles here, and a test that writes
# below /etc changes nothing of the machine's.
lab_etc()
{
    mkdir "$LAB/etc/upper" "$LAB/etc/work" &&
        mount -t overlay -o "lowerdir=/etc,upperdir=$LAB/etc/upper,workdir=$LAB/etc/work" \
            overlay /etc || return 1
    rm -f /etc/resolv.conf
    printf 'nameserver %s\noptions timeout:2 attempts:2\n' "$RESOLVER_IP" >/etc/resolv.conf
    printf '127.0.0.1 localhost\n' >/etc/hosts
    # systemd-resolved and nscd would answer from the machine's real network.
    sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf
    [ ! -d /run/nscd ] || mount -t tmpfs none /run/nscd
    printf '%s:x:%d:%d::%s:/bin/sh\n' "$TESTER" "$TESTER_UID" "$TESTER_UID" "$LAB/home" \
        >>/etc/passwd
    printf '%s:x:%d:\n' "$TESTER" "$TESTER_UID" >>/etc/group
}

lab_network()
{
    unshare --net="$(touch "$LAB/net" && echo "$LAB/net")" true || return 1
    ip link set lo up &&
        in_net ip link set lo up &&
        ip link add uplink type veth peer name transit netns "$LAB/net" &&
        ip address add "$HOST_IP/24" dev uplink &&
        in_net ip address add "$GATEWAY_IP/24" dev transit || return 1
    if [ -d /proc/sys/net/ipv6 ]; then
        # Real IPv6, so that a test which finds it closed knows that it would have worked.
        sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
        in_net sysctl -q -w net.ipv6.conf.all.disable_ipv6=0
        ip -6 address add 2001:db8::2/64 dev uplink nodad
        in_net ip -6 address add 2001:db8::1/64 dev transit nodad
    fi
    ip link set uplink up && in_net ip link set transit up &&
        ip route add default via "$GATEWAY_IP" || return 1
    if [ -d /proc/sys/net/ipv6 ]; then
        ip -6 route add default via 2001:db8::1
        in_net ip -6 address add "$ALLOWED_IP6/128" dev lo nodad
    fi
}

trap lab_end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

lab_files || lab_fail "cannot make a private directory on $LAB"
lab_etc || lab_fail "cannot lay a private overlay on /etc"
lab_network || lab_fail "cannot make the network"
lab_counters || lab_fail "cannot count packets"
lab_servers || lab_fail "cannot start the servers"
