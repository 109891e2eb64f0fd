#!/bin/bash
# SPDX-License-Identifier: MIT
# What the guard in the kernel refuses, singly and as fast as a loop can ask for it: recorded in
# bounded space, and in nobody's way. And a socket that no hook saw, which must not be taken for
# the one that had its port before.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

CURL=$(realpath "$(command -v curl)")
policy=$LAB/work/policy.rules
printf '%s:80 exe=%s\n' "$THIRD_IP" "$CURL" >"$policy"
inside_start --policy "$policy" || exit 1
records() { jq -c "select($1)" "$LOG" | wc -l; }
recorded() { [ "$(records "$1")" -ge "$2" ]; }

# Raw sockets. Without a right to them the kernel says no before the guard is asked; with one, in a
# user namespace, each refusal is recorded with its process and protocol.
if ! inside 'unshare -Urn true' >/dev/null; then
    skip B04 "raw sockets in a user namespace" "the kernel lets no ordinary user make one"
else
    inside "unshare -Urn sh -c 'talk packet 1 $THIRD_IP; talk packet 47 $THIRD_IP; true'" \
        >"$LAB/log/raw.log" 2>&1
    check_equal B04 "raw sockets are refused" 2 "$(grep -c EPERM "$LAB/log/raw.log")"
    check B04 "and recorded" wait_for 5 recorded '.type == "socket"' 2
    check_equal B04 "with protocol, reason and process" "1 deny denied raw-socket $LAB/bin/talk, \
47 deny denied raw-socket $LAB/bin/talk, " "$(jq -rj 'select(.type == "socket") |
        "\(.proto) \(.policy) \(.outcome) \(.reason) \(.exe), "' "$LOG")"
fi

# A port that curl had, and then a socket of another cgroup, as one has it who slipped out of ours.
# Whoever ends first, no socket lingers there, so that the port is free at once.
fetch=(curl -sS -m 10 --local-port 40777 -H Connection:close -o /dev/null -w "%{http_code}"
    "http://$THIRD_IP/small")
sleeper=$(inside 'sleep 600.823 >/dev/null 2>&1 & true'; pgrep -f '^sleep 600[.]823')
nsenter --net="/proc/$sleeper/ns/net" -- sh -c 'echo 0 >/proc/sys/net/ipv4/tcp_max_tw_buckets'
check_equal P07 "curl comes from port 40777" 200 "$(inside "${fetch[*]}")"
port_free() { ! nsenter --net="/proc/$sleeper/ns/net" ss -Htan 'sport = 40777' | grep -q .; }
check - "the port is free again" wait_for 20 port_free
syns=$(lab_syns "$THIRD_IP")
from=$(records '.src_port == 40777 and .outcome == "allowed"')
nsenter --net="/proc/$sleeper/ns/net" -- "${fetch[@]}" >"$LAB/log/stale.log" 2>&1
check P07 "the next one from that port, which no hook saw, is recorded" \
    wait_for 5 recorded '.src_port == 40777 and .outcome == "denied"' 1
check_equal P07 "as nobody's, and not as the one before" "null $from" "$(jq -r 'select(.src_port == 40777 and
    .outcome == "denied") | .exe' "$LOG") $(records '.src_port == 40777 and .outcome == "allowed"')"
check_equal P07 "and nothing of it arrives" "$syns" "$(lab_syns "$THIRD_IP")"
check_equal P07 "curl itself may come from there again" 200 "$(inside "${fetch[*]}")"

# A loop of refused calls. Whoever else asks meanwhile is answered, and told of, at once.
if [ ! -d /proc/sys/net/ipv6 ]; then
    skip R06 "a loop of refused IPv6" "the kernel has none"
else
    before=$(stat -c %s "$LOG")
    inside 'reach flood 6 >flood 2>&1 & true'
    check R06 "a loop of refused IPv6 is recorded" wait_for 5 recorded '.type == "ipv6"' 200
    inside "connect_once -r $DENIED_IP 80 1" >/dev/null
    check R06 "somebody else's denial is in the log" wait_for 5 recorded ".dst_ip == \"$DENIED_IP\"" 1
    check_equal R06 "processes begin and end meanwhile, and are known" "200 $CURL" "$(inside \
        "curl -sS -m 10 -o /dev/null -w %{http_code} http://$THIRD_IP/small") $(jq -r "select(
            .event == \"connect\" and .dst_ip == \"$THIRD_IP\") | .exe" "$LOG" | tail -n 1)"
    check - "the loop ends" wait_for 15 test -s "$INSIDE/flood"
    asked=$(cat "$INSIDE/flood")
    told() { jq -s 'map(select(.type == "ipv6") | .count // 1) | add' "$LOG"; }
    all_told() { [ "$(told)" = "$asked" ]; }
    check R06 "all $asked are counted" wait_for 5 all_told
    check R06 "in less than 4 MiB of log" test $(($(stat -c %s "$LOG") - before)) -lt $((4 << 20))
    check_equal R06 "and no event of a process was lost" 0 "$(records '.event == "gap"')"
    inside 'reach flood 30 >/dev/null 2>&1 & true'
    kill -s TERM "$KEEPER"
    check R06 "the filter obeys a signal during such a loop" wait_for 5 lab_gone "$KEEPER"
fi
