#!/bin/bash
# SPDX-License-Identifier: MIT
# The lab itself, without the filter: what every other suite takes for granted. A counter that
# stayed at zero because it never counts would prove anything.
. "$(dirname "$0")/../lab/lab.sh"

fetch()
{
    curl -sS --max-time 10 -o /dev/null -w '%{http_code} %{remote_ip}' "$@"
}

same_size()
{
    [ "$(curl -sS --max-time 60 "$1" | wc -c)" -eq "$2" ]
}


check_equal - "https by name, trusted through the lab's own root" "200 $ALLOWED_IP" \
    "$(fetch https://allowed.example/small)"
check_equal - "a name under a wildcard" "200 $ALLOWED_IP" "$(fetch https://one.wild.example/)"
check_equal - "plain http" "200 $DENIED_IP" "$(fetch http://denied.example/)"
check_equal - "the echo says what it saw" "GET /echo?q=1 third.example $HOST_IP" \
    "$(curl -sS 'http://third.example/echo?q=1')"
check - "a file of 1 KiB" same_size https://allowed.example/small 1024
check - "a file of 64 MiB" same_size https://allowed.example/big $((64 << 20))
check - "an alias is followed" curl -sS -o /dev/null https://alias.example/
for name in expired selfsigned wrong; do
    check - "the $name certificate is refused by an ordinary client" ! fetch "https://$name.example/"
done

check_equal - "requests are counted by name" 3 "$(lab_requests allowed.example)"
check_equal - "a name nobody asked for has no requests" 0 "$(lab_requests metadata.example)"
check_equal - "the SNI is in the log" one.wild.example \
    "$(jq -r 'select(.host == "one.wild.example") | .sni' "$LAB/log/requests.jsonl")"

check_equal - "queries are counted by name" 1 "$(lab_queries one.wild.example A)"
check_equal - "a name nobody looked up has no queries" 0 "$(lab_queries private.example)"
check - "an unknown name does not exist" ! getent ahosts nowhere.example
check_equal - "DNS over UDP at the second resolver" "$DENIED_IP" \
    "$(dig +short @"$OTHER_RESOLVER_IP" denied.example)"
check_equal - "DNS over TCP" "$THIRD_IP" "$(dig +short +tcp @"$RESOLVER_IP" third.example)"
check_equal - "DNS on another port" "$THIRD_IP" "$(dig +short -p 5353 @"$RESOLVER_IP" third.example)"
check_equal - "an HTTPS record with keys" 1 \
    "$(dig +short HTTPS ech.example | grep -c .)"

# Each counter moves by exactly what was sent, and its neighbour does not move.
counted()
{
    local id=$1 name=$2 want=$3 before after
    shift 3
    before=$("$@")
    send
    after=$("$@")
    check_equal "$id" "$name" "$want" $((after - before))
}

send() { connect_once "$ALLOWED_IP" 80 >/dev/null; }
counted - "one connect is one SYN" 1 lab_syns "$ALLOWED_IP"
counted - "and none at another address" 0 lab_syns "$DENIED_IP"
counted - "and one of all" 1 lab_syns any
send() { connect_once -4 "$ALLOWED_IP" 80 >/dev/null; }
counted - "a mapped address is IPv4 on the wire" 1 lab_syns "$ALLOWED_IP"
send() { connect_once --many 50 "$THIRD_IP" 80 >/dev/null; }
counted - "fifty processes at once are fifty SYNs" 50 lab_syns "$THIRD_IP"
send() { connect_once -u -r "$THIRD_IP" 7 100 >/dev/null; }
counted - "one datagram is one datagram" 1 lab_packets "$THIRD_IP" udp
send() { as_tester connect_once -u "$DENIED_IP" 9999 >/dev/null; }
counted - "also one that nobody awaits, from the unprivileged user" 1 lab_packets "$DENIED_IP" udp
if [ -d /proc/sys/net/ipv6 ]; then
    send() { connect_once "$ALLOWED_IP6" 80 >/dev/null; }
    check_equal - "IPv6 works where nothing closes it" OK "$(connect_once "$ALLOWED_IP6" 80)"
    check - "and is counted" test "$(lab_ipv6)" -gt 0
else
    skip - "IPv6 works where nothing closes it" "the kernel has none"
fi

check_equal - "the echo answers a stream" OK "$(connect_once -r "$THIRD_IP" 7 10)"
check_equal - "the echo answers a datagram from the address asked" OK \
    "$(connect_once -u -r "$THIRD_IP" 7 10)"
check_equal - "a closed port refuses" ECONNREFUSED "$(connect_once "$THIRD_IP" 9)"
check_equal - "the unprivileged user is one" "$TESTER" "$(as_tester id -un)"
check - "who cannot raise himself" ! as_tester setpriv --reuid 0 true

# The injector must be able to succeed, or its EPERM would say nothing about the filter.
lab_start victim setpriv --reuid "$TESTER_UID" --regid "$TESTER_UID" --clear-groups \
    --inh-caps=-all --bounding-set=-all sleep 600
wait_for 10 grep -q '^sleep' "/proc/${LAB_PIDS[victim]}/comm"
injected() { inject "${LAB_PIDS[victim]}" "$@"; }
check_equal - "an injected open succeeds" "open: OK" "$(injected open)"
check_equal - "so does a socket" "socket-unix: OK" "$(injected socket-unix)"
check_equal - "a system call without the right to it does not" "setuid: EPERM" "$(injected setuid)"
check_equal - "nor does a netfilter table" "nft: EPERM" "$(injected nft)"
check_equal - "an execve that nothing forbids looks for the file" "execve: ENOENT" \
    "$(injected execve)"
check - "and the process lives on" kill -0 "${LAB_PIDS[victim]}"
lab_start root sleep 600
wait_for 10 grep -q '^sleep' "/proc/${LAB_PIDS[root]}/comm"
check_equal - "with the right to it, a netfilter table is made" "nft: OK" \
    "$(inject "${LAB_PIDS[root]}" nft)"
