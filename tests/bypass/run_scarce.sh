#!/bin/bash
# SPDX-License-Identifier: MIT
# No descriptors, no memory, no ports, and servers that never answer: what cannot be had is said in
# the log, nothing passes that should not, and when it can be had again all goes on.
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"
# shellcheck source=tests/lab/left.sh
. "$LAB_DIR/left.sh"

policy=$LAB/work/policy.rules
printf '%s:53/udp\nallowed.example\nthird.example\n%s:7|80\n*.wild.example\n' "$RESOLVER_IP" "$THIRD_IP" >"$policy"
chmod 644 "$policy"
left_before
fetch='curl -sS -m 20 -o /dev/null -w %{http_code} https://allowed.example/small'
works()
{
    check_equal R07 "$1" "OK 200" "$(inside "connect_once -r $THIRD_IP 7 20; $fetch" | xargs)"
}
denied()
{
    check R07 "$1: what is denied is denied" ! inside "connect_once -q -r -t 3000 $DENIED_IP 7 5"
    check_equal R07 "$1: and nothing of it arrives" 0 "$(lab_packets "$DENIED_IP" all)"
}
errors() { jq -r "select(.dst_ip == \"$1\") | .error // .reason // empty" "$LOG" | sort -u | xargs; }

# Descriptors: too few to start with, and few to work with.
for few in 16 64 127; do
    said=$( (ulimit -n $few && exec timeout 20 "$EGRESS" run --user $TESTER --log "$LOG" --policy "$policy" -- true) 2>&1)
    check_equal R07 "with $few descriptors it does not start, and says why" 125 $?
    check - "in words ($few)" grep -qE 'descriptors may be open here|shared libraries' <<<"$said"
done
left_check R03 "nothing is left of those" 0

# limited LIMIT…: the filter starts under these limits of the shell.
filter=$EGRESS
limited()
{
    EGRESS=$LAB/bin/limited
    printf '#!/bin/sh\nulimit %s && exec %s "$@"\n' "$*" "$filter" >"$EGRESS"
    chmod 755 "$EGRESS"
}
limited -n 128
LOG=$LAB/log/few-descriptors.jsonl
inside_start --policy "$policy" || exit 1
inside "hog $THIRD_IP 7 100 $INSIDE/go >hog.out 2>&1 &"
check - "a hog asks for more descriptors than there are" wait_for 20 test -e "$INSIDE/go.open"
works "others are served all the same"
denied "while descriptors are few"
: >"$INSIDE/go"
wait_for 20 test -s "$INSIDE/hog.out"
# The same with streams of DNS, which ask nothing.
inside "hog $RESOLVER_IP 53 300 $INSIDE/mute >mute.out 2>&1 &"
check - "a hog asks for more streams of DNS than there are descriptors" \
    wait_for 20 test -e "$INSIDE/mute.open"
works "streams of DNS do not take them all"
: >"$INSIDE/mute"
wait_for 20 test -s "$INSIDE/mute.out"
inside_stop
check_equal R07 "and the log is whole" 0 "$("$filter" verify --quiet "$LOG"; echo $?)"
EGRESS=$filter

# Memory: none for the keeper, and none for roles that start then, but what they begin with.
LOG=$LAB/log/memory.jsonl
head -c -10 <(hello --name denied.example --fill 60000) >"$LAB/www/half"
inside_start --policy "$policy" || exit 1
wait_for 10 run_ready proxy && wait_for 10 run_ready packet
proxy=$(run_pid proxy) packet=$(run_pid packet)
vm=$(awk '$1 == "VmSize:" { printf "%d", ($2 + 1024) * 1024 }' "/proc/$proxy/status")
prlimit --pid "$KEEPER" --as="$vm:"
kill -s KILL "$proxy" "$packet"
new_ones()
{
    run_ready proxy && run_ready packet && [ "$(run_pid proxy)" != "$proxy" ] && [ "$(run_pid packet)" != "$packet" ]
}
check - "roles are there that may not grow" wait_for 10 new_ones
inside "hog $DENIED_IP 443 600 $INSIDE/go $LAB/www/half >hog.out 2>&1 &"
check - "and are asked to hold much" wait_for 40 test -e "$INSIDE/go.open"
# Each of another process, whose record takes memory too.
inside "for ((i = 0; i < 200; i++)); do connect_once -q -r -t 3000 $THIRD_IP 7 5 & done; wait
    for ((i = 0; i < 20; i++)); do dig +tries=1 +time=1 \$i.wild.example >/dev/null; done"
check R07 "what there was no memory for is recorded as limit" \
    test "$(jq -c 'select(.reason == "limit")' "$LOG" | wc -l)" -gt 0
denied "without memory"
: >"$INSIDE/go"
prlimit --pid "$KEEPER" --as=unlimited:unlimited
proxy=$(run_pid proxy) packet=$(run_pid packet)
kill -s KILL "$proxy" "$packet"
check - "roles are there that may grow" wait_for 10 new_ones
works "with memory it works"
inside_stop
check_equal R07 "the run ends well" 0 "$RUN_STATUS"
check_equal R07 "and its log is whole" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"

# Ports: four to dial from.
LOG=$LAB/log/ports.jsonl
range=$(cat /proc/sys/net/ipv4/ip_local_port_range)
inside_start --policy "$policy" || exit 1
inside 'dig +short allowed.example third.example' >/dev/null
echo 40000 40003 >/proc/sys/net/ipv4/ip_local_port_range
inside "hog $THIRD_IP 7 8 $INSIDE/go >hog.out 2>&1 &"
in_use() { [ "$(errors "$THIRD_IP")" = limit ]; }
check R07 "the log says that no port is left towards a server" wait_for 20 in_use
check R07 "one more connection there fails" ! inside "connect_once -q -r -t 5000 $THIRD_IP 7 5"
check_equal R07 "another server is reached" 200 "$(inside "$fetch")"
denied "without ports"
echo "$range" >/proc/sys/net/ipv4/ip_local_port_range
works "with ports again it works"
: >"$INSIDE/go"

# Servers that never answer: others are served meanwhile, and the end does not wait for them.
in_net iptables -t raw -A LAB -d "$ALLOWED_IP" -p tcp --dport 80 -j DROP
in_net iptables -t raw -A LAB -d "$RESOLVER_IP" -p udp --dport 53 -j DROP
in_net iptables -t raw -A LAB -d "$RESOLVER_IP" -p tcp --dport 53 -j DROP
inside "for ((i = 0; i < 50; i++)); do connect_once -q -r -t 60000 $ALLOWED_IP 80 5 & done
    for ((i = 0; i < 50; i++)); do dig +tries=1 +time=60 never\$i.wild.example >/dev/null & done; true" >/dev/null
asked() { [ "$(grep -c '"name":"never' "$LOG")" -ge 50 ]; }
check - "fifty look-ups wait for a resolver" wait_for 20 asked
check_equal R07 "while servers never answer, others are reached" "OK 200" "$(inside "connect_once -r $THIRD_IP 7 20
    ${fetch/curl/curl --resolve allowed.example:443:$ALLOWED_IP}" | xargs)"
denied "while servers never answer"
inside_stop
check_equal R07 "the run ends all the same" 0 "$RUN_STATUS"
check_equal R07 "what had no answer is in the log" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"
check_equal R07 "every connection that waited has its end there" 0 "$(jq -s '
    (map(select(.event == "connect" and .dst_port == 80 and .outcome == "allowed")) | length) -
    (map(select(.event == "close" and .dst_port == 80)) | length)' "$LOG")"
left_check R04 "and nothing is left" 0
