#!/bin/bash
# SPDX-License-Identifier: MIT
# Other devices, other namespaces, other kinds of sockets: whatever the command makes, what it sends
# comes to the gate or nowhere. As root where it takes root (--allow-privileges), else as nobody.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

tool=$LAB/bin/connect_once
policy=$LAB/work/policy.rules
printf '%s:7 exe=%s\n' "$THIRD_IP" "$tool" >"$policy"
records() { jq -c "select($1)" "$LOG" | wc -l; }

# What the steps below share. try: what a program there gets, to an address that is denied to all
# and to one that is allowed to this program in the command's own namespace only.
cat >"$LAB/bin/devices-lib" <<LIB
denied=$DENIED_IP allowed=$THIRD_IP tool=$tool
LIB
cat >>"$LAB/bin/devices-lib" <<'LIB'
ns= # enters a namespace of its own
other()
{
    unshare -n sleep 600.411 >/dev/null 2>&1 &
    pid=$!
    until [ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do :; done
    ns="nsenter --net=/proc/$pid/ns/net --"
    $ns ip link set lo up
}
# After each step the wire is as it was.
restore()
{
    [ -z "$ns" ] || kill "$pid"
    ip link del br0 2>/dev/null
    ip addr flush dev egress0
    ip addr add 192.0.0.2/30 dev egress0
    ip link set egress0 up
    ip route replace default via 192.0.0.1
}
try()
{
    $ns timeout 3 "$tool" -r "$denied" 80 1
    $ns timeout 3 "$tool" -r "$allowed" 7 1
    $ns timeout 3 "$tool" -u "$denied" 4433
    $ns timeout 3 ping -c 1 -W 1 "$denied" >/dev/null 2>&1
    true
}
LIB

# step ID NAME COMMANDS: what is made there by COMMANDS (exit status 77: this kernel has no such
# device), which say when to try; nothing of it arrives.
step()
{
    local id=$1 name=$2 before after status=0
    before="$(lab_packets "$DENIED_IP" all) $(lab_syns "$THIRD_IP")"
    printf '%s\n%s\n' ". $LAB/bin/devices-lib" "$3
restore" >"$LAB/bin/devices-step"
    inside "bash $LAB/bin/devices-step" >"$LAB/log/step.log" 2>&1 || status=$?
    if [ "$status" -eq 77 ]; then
        skip "$id" "$name" "this kernel has no such device"
        return
    fi
    check_equal "$id" "$name: it was made" "" "$(grep -E '^(RTNETLINK|Error|Cannot)' "$LAB/log/step.log")"
    after="$(lab_packets "$DENIED_IP" all) $(lab_syns "$THIRD_IP")"
    check_equal "$id" "$name: no way out that is not judged" "$before" "$after"
    # What belongs there still works: the step took nothing away but from itself.
    check_equal "$id" "$name: the program itself gets through afterwards" OK \
        "$(inside "connect_once -r $THIRD_IP 7 5")"
}

inside_start --allow-privileges --policy "$policy" --user root || exit 1
check_equal B07 "the program gets through" OK "$(inside "connect_once -r $THIRD_IP 7 5")"

step B07 "another source address" '
ip addr add 192.0.0.3/30 dev egress0
ip addr add 10.11.12.13/24 dev egress0
ip route replace default via 192.0.0.1 src 10.11.12.13
try'

step B07 "a macvlan of the wire, with its address" '
other
ip link add mv0 link egress0 type macvlan mode bridge || exit 77
ip link set mv0 netns $pid
$ns ip addr add 192.0.0.2/30 dev mv0
$ns ip link set mv0 up
$ns ip route add default via 192.0.0.1
try'

step B07 "an ipvlan of the wire" '
other
ip link add iv0 link egress0 type ipvlan mode l2 || exit 77
ip link set iv0 netns $pid
$ns ip addr add 192.0.0.2/30 dev iv0
$ns ip link set iv0 up
$ns ip route add default via 192.0.0.1
try'

step B07 "the wire itself in another namespace" '
other
ip link set egress0 netns $pid
$ns ip addr add 192.0.0.2/30 dev egress0
$ns ip link set egress0 up
$ns ip route add default via 192.0.0.1
try
$ns ip link set egress0 netns $$'

step B07 "a namespace of its own that forwards to the wire, translated" '
other
ip link add up0 type veth peer name up1 netns $pid
ip addr add 10.9.9.1/24 dev up0
ip link set up0 up
$ns ip addr add 10.9.9.2/24 dev up1
$ns ip link set up1 up
$ns ip route add default via 10.9.9.1
echo 1 >/proc/sys/net/ipv4/ip_forward
iptables -t nat -A POSTROUTING -o egress0 -j MASQUERADE
try'

step B07 "the same, not translated" '
iptables -t nat -F POSTROUTING
other
ip link add up0 type veth peer name up1 netns $pid
ip addr add 10.9.9.1/24 dev up0
ip link set up0 up
$ns ip addr add 10.9.9.2/24 dev up1
$ns ip link set up1 up
$ns ip route add default via 10.9.9.1
echo 1 >/proc/sys/net/ipv4/ip_forward
try'

step B07 "a bridge with the wire as a port" '
other
ip link add br0 type bridge || exit 77
ip addr flush dev egress0
ip link set egress0 master br0
ip link set br0 up
ip link add port0 type veth peer name port1 netns $pid
ip link set port0 master br0
ip link set port0 up
$ns ip addr add 192.0.0.2/30 dev port1
$ns ip link set port1 up
$ns ip route add default via 192.0.0.1
try
ip link set egress0 nomaster'

for kind in 'gre type gre remote $denied local 192.0.0.2' 'ipip type ipip remote $denied local 192.0.0.2' \
    'vxlan type vxlan id 7 remote $denied local 192.0.0.2 dstport 4789 dev egress0'; do
    step B07 "a tunnel: ${kind%% *}" "
ip link add tun7 ${kind#* } || exit 77
ip addr add 10.77.0.1/24 dev tun7
ip link set tun7 up
ip route add $THIRD_IP/32 dev tun7
ping -c 1 -W 1 10.77.0.2 >/dev/null 2>&1
try
ip link del tun7"
done

step B15 "a second default route, and one beside the gate" '
ip route add default via 192.0.0.1 dev egress0 metric 5
ip route add 0.0.0.0/1 dev egress0 onlink via 192.0.0.1
allowed=$denied # what is allowed is allowed on every route
try
ip route del 0.0.0.0/1
ip route del default metric 5'

# Frames, as root: past every hook of sockets, and yet not past the gate, where they are nobody's.
before=$(lab_packets "$DENIED_IP" all) syns=$(lab_syns "$THIRD_IP")
answer=$(inside "ping -c 1 -W 1 192.0.0.1 >/dev/null; frames send egress0 $DENIED_IP 4433
    frames send egress0 $THIRD_IP 7")
if grep -q sent <<<"$answer"; then
    frames_judged() { [ "$(records '.src_port == 40999 and .proto == "udp" and .outcome == "denied" and
        .exe == null' )" -ge 2 ]; }
    check B04 "frames on the wire are judged and recorded, as nobody's" wait_for 5 frames_judged
else
    check B04 "sockets of frames are refused" grep -qE '^socket: (EPERM|EACCES)' <<<"$answer"
fi
check_equal B04 "and arrive nowhere" "$before $syns" \
    "$(lab_packets "$DENIED_IP" all) $(lab_syns "$THIRD_IP")"
check_equal B07 "nobody in another namespace was taken for the program" 0 "$(records \
    ".outcome == \"allowed\" and .dst_ip != \"$THIRD_IP\"")"
inside_stop
check_equal - "the run ends as it should" 0 "$RUN_STATUS"

# A stack of its own in user space: what it sends is sent by the program that is the stack.
slirp=$(command -v slirp4netns)
if [ -z "$slirp" ]; then
    skip B08 "a user-mode stack" "slirp4netns is not installed"
else
    slirp=$(realpath "$slirp")
    # Everybody's, as udev makes it; here it may be root's.
    mknod -m 666 "$LAB/tmp/tun" c 10 200 && mount --bind "$LAB/tmp/tun" /dev/net/tun
    printf '%s:7 exe=%s\n%s:80 exe=%s\n' "$THIRD_IP" "$slirp" "$THIRD_IP" "$tool" >"$policy"
    inside_start --policy "$policy" || exit 1
    syns=$(lab_syns "$THIRD_IP") before=$(lab_packets "$DENIED_IP" all)
    answer=$(inside "unshare -rn sleep 600.412 >/dev/null 2>&1 & pid=\$!
        until grep -q . /proc/\$pid/uid_map 2>/dev/null; do :; done
        mkfifo stack-up
        slirp4netns --configure --ready-fd=3 \$pid tap0 3>stack-up >slirp.log 2>&1 & stack=\$!
        read -r -n 1 up <stack-up || { cat slirp.log; exit 1; }
        there() { nsenter --user --net --preserve-credentials --target=\$pid -- \"\$@\"; }
        there connect_once -r $THIRD_IP 7 5; there connect_once -r $THIRD_IP 80 1
        there connect_once -r $DENIED_IP 80 1; kill \$stack \$pid")
    check B08 "through the stack: what the stack may, and nothing that its client may" \
        grep -qxE 'OK E[A-Z]+ E[A-Z]+' <<<"$(paste -sd' ' <<<"$answer")"
    check_equal B08 "the origin saw the one" "1 0" \
        "$(($(lab_syns "$THIRD_IP") - syns)) $(($(lab_packets "$DENIED_IP" all) - before))"
    check_equal B08 "all are the stack's, with its ancestors" 3 "$(records ".event == \"connect\" and
        .exe == \"$slirp\" and (.ancestors | length) >= 2")"
    inside_stop
fi

# Without rights: nothing can be attached to the wire at all.
inside_start --policy "$policy" || exit 1
for what in 'link add mv0 link egress0 type macvlan' 'link set egress0 down' \
    'addr add 10.1.1.1/24 dev egress0' 'route add default via 192.0.0.1 metric 3' \
    'tuntap add tun7 mode tun' 'link add br0 type bridge'; do
    check B15 "without rights: ip $what is refused" [ "$(inside "ip $what >/dev/null 2>&1; echo \$?")" != 0 ]
done
for family in vsock xdp packet; do
    check B15 "without rights: AF_${family^^} is refused" \
        grep -qE '^socket: (EAFNOSUPPORT|EPERM|EACCES)' <<<"$(inside "frames socket $family")"
done
inside_stop
