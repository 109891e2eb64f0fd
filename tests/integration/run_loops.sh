#!/bin/bash
# SPDX-License-Identifier: MIT
# Several proxies share the connections of one run: each connection is one's, attributed and numbered
# as with one; what one learns counts for all; one that is killed leaves the others alone.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

processes=20 each=100 crowd=5000
total=$((processes * each))
ulimit -n "$(ulimit -Hn)"
ways=$LAB/bin/connect_ways
# An echo that was started with the limit of today, and another, since each takes 8,192.
lab_stop echo
lab_start echo nsenter --net="$LAB/net" -- "$LAB/bin/echo_server" 7
lab_start echo2 nsenter --net="$LAB/net" -- "$LAB/bin/echo_server" 77
in_net_answers() { in_net connect_once 127.0.0.1 "$1"; }
wait_for 10 in_net_answers 7
wait_for 10 in_net_answers 77

# loop_pid N: the proxy of that number. sockets N: how many it has open.
loop_pid()
{
    local pid
    for pid in $(pgrep -P "$KEEPER" -x egress-proxy); do
        if tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qx "loop=$1"; then
            echo "$pid"
            return 0
        fi
    done
    return 1
}
sockets() { find "/proc/$(loop_pid "$1")/fd" -mindepth 1 -lname 'socket:*' | wc -l; }
loop_ready()
{
    local pid
    pid=$(loop_pid "$1") && [ "$pid" != "${2:-}" ] && grep -q '^Seccomp:\s*2' "/proc/$pid/status"
}

# shared_evenly COUNT: all of these connections are open, and neither proxy has less than a quarter.
shared_evenly()
{
    local one two
    one=$(sockets 1) two=$(sockets 2)
    [ $((one + two)) -ge $((2 * $1)) ] && [ "$one" -gt $(((one + two) / 4)) ] &&
        [ "$two" -gt $(((one + two) / 4)) ]
}

printf '%s\n' "$ALLOWED_IP:80 exe=$ways" "$ALLOWED_IP:7|77" third.example:7 \
    allowed.example >"$LAB/work/policy.rules"
inside_start --loops 2 --policy "$LAB/work/policy.rules" || exit 1
check - "there are two proxies" wait_for 10 loop_ready 2
check_equal - "datagrams, DNS and what listens inside are the first one's" "1 0" \
    "$(for loop in 1 2; do tr '\0' '\n' <"/proc/$(loop_pid $loop)/cmdline" | grep -c '^fd:peer='; done |
        paste -sd' ')"

# Short ones, of many processes, half of them denied.
denied=$(lab_packets "$DENIED_IP" all)
inside "for ((i = 0; i < $processes; i++)); do
    connect_ways many 80 tag-\$i $each $ALLOWED_IP $DENIED_IP & done; wait" >"$LAB/work/said"
sort -o "$LAB/work/said" "$LAB/work/said"
recorded()
{
    jq -r --arg ip "$1" 'select(.event == "connect" and .dst_ip == $ip and .dst_port == 80) |
        "\(.cmdline[3]) \(.src_port) \(.dst_ip)"' "$LOG" | sort
}
check_equal - "every connection was made" "$total" "$(wc -l <"$LAB/work/said")"
check_equal P09 "every allowed one is recorded once, with its process and source port" "" \
    "$(diff <(grep -F " $ALLOWED_IP" "$LAB/work/said") <(recorded "$ALLOWED_IP"))"
all_denied()
{
    [ "$(jq -s "map(select(.event == \"connect\" and .dst_ip == \"$DENIED_IP\") | .count // 1) | add" \
        "$LOG")" = $((total / 2)) ]
}
check P09 "every denied one is counted" wait_for 10 all_denied
check_equal P09 "none is without its process" 0 \
    "$(jq -c 'select(.event == "connect" and (.exe == null or .reason == "unattributed"))' "$LOG" | wc -l)"
check_equal P09 "not one packet of those that were denied arrived" "$denied" \
    "$(lab_packets "$DENIED_IP" all)"
check_equal P09 "no number stands for two connections" "" \
    "$(jq -r 'select(.event == "connect") | .conn' "$LOG" | sort | uniq -d)"

# What the first one learnt counts in both: source ports choose the loop, so thirty meet both.
third="for ((i = 0; i < 30; i++)); do connect_once -r $THIRD_IP 7 5 & done | sort | uniq -c"
check_equal - "a name that was not looked up counts in none" "30 ECONNRESET" \
    "$(inside "$third" | xargs)"
inside 'dig +short third.example' >/dev/null
check_equal R01 "looked up once, it counts in both" "30 OK" "$(inside "$third" | xargs)"

# One of them is killed while connections of both are open, and somebody knocks.
cat >"$INSIDE/knock.sh" <<KNOCK
while [ ! -e stop ]; do
    connect_once -q -r -t 300 $DENIED_IP 7 5
    curl -sS -m 5 -o /dev/null -w '%{http_code}\n' https://allowed.example/small >>fetched 2>&1
done
: >stopped
KNOCK
inside 'bash knock.sh >/dev/null 2>&1 &'
gaps() { jq -r 'select(.event == "gap") | .detail' "$LOG"; }
killed()
{
    local loop=$1 other=$2 old kept
    rm -f "$INSIDE"/go*
    inside "crowd $ALLOWED_IP 7 200 $INSIDE/go >crowd.out 2>&1 &"
    check - "connections are open in both" wait_for 20 test -e "$INSIDE/go.open"
    check - "shared among both" shared_evenly 200
    old=$(loop_pid "$loop") kept=$(loop_pid "$other")
    kill -s KILL "$old"
    check R01 "proxy $loop is back after SIGKILL" wait_for 10 loop_ready "$loop" "$old"
    check_equal R01 "the other one went on" "$kept" "$(loop_pid "$other")"
    check R01 "with its connections" test "$(sockets "$other")" -gt 100
    check R01 "the gap names it" grep -q "^proxy $loop of 2 ended by signal 9; started again" <(gaps)
    check_equal R01 "what was learnt counts in both" "30 OK" "$(inside "$third" | xargs)"
    : >"$INSIDE/go"
    check - "the crowd has ended" wait_for 20 test -s "$INSIDE/crowd.out"
    rm -f "$INSIDE/crowd.out"
}
killed 2 1
killed 1 2
: >"$INSIDE/stop"
check - "the knocker has ended" wait_for 20 test -e "$INSIDE/stopped"
check - "and got through meanwhile" grep -qx 200 "$INSIDE/fetched"
check_equal R01 "of what was denied nothing arrived" "$denied" "$(lab_packets "$DENIED_IP" all)"
check_equal R01 "no connection has another's number" "" \
    "$(jq -r 'select(.event == "connect") | .conn' "$LOG" | sort | uniq -d)"

# Ten thousand at once.
if [ "$(ulimit -Hn)" -lt $((crowd * 3)) ]; then
    skip R07 "$((2 * crowd)) connections at once" "only $(ulimit -Hn) descriptors may be open"
else
    id=$(inside_ask "crowd $ALLOWED_IP 7 $crowd $INSIDE/many >one & crowd $ALLOWED_IP 77 $crowd \
        $INSIDE/many2 & wait; cat one")
    check R07 "$((2 * crowd)) connections at once are open, each heard" \
        wait_for 60 eval 'test -e "$INSIDE/many.open" && test -e "$INSIDE/many2.open"'
    check R07 "half of them, about, in each proxy ($(sockets 1) and $(sockets 2) sockets)" \
        shared_evenly $((2 * crowd))
    : >"$INSIDE/many" && : >"$INSIDE/many2"
    check_equal R07 "and each is heard again" "$crowd $crowd $crowd $crowd" \
        "$(inside_answer "$id" | xargs)"
fi

# The end, with connections open in both.
rm -f "$INSIDE"/go*
inside "crowd $ALLOWED_IP 7 100 $INSIDE/go >/dev/null 2>&1 &"
check - "connections are open at the end" wait_for 20 test -e "$INSIDE/go.open"
inside_stop
check_equal - "the run ends well" 0 "$RUN_STATUS"
check_equal R01 "and the log is whole" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"
closed()
{
    jq -r --arg event "$1" 'select(.event == $event and .outcome != "denied" and .dst_port == 7) |
        .conn' "$LOG" | sort | uniq | wc -l
}
check_equal R01 "every connection is closed in it but those that died with a proxy" yes \
    "$([ $(($(closed connect) - $(closed close))) -le 400 ] && echo yes)"

# Each proxy asks for digests by numbers of its own.
LOG=$LAB/log/digest.jsonl
one=$LAB/bin/connect_once
printf '%s\n' "$THIRD_IP:7 sha256=$(sha256sum "$one" | cut -d ' ' -f 1)" >"$LAB/work/digest.rules"
run_once --loops 3 --policy "$LAB/work/digest.rules" --quiet -- \
    bash -c 'for ((i = 0; i < 20; i++)); do connect_once -r "$1" 7 5 & done; wait' - "$THIRD_IP" \
    >"$LAB/log/digest.out"
check_equal R01 "of twenty processes at once, over three proxies, each has its digest" "20 OK" \
    "$(sort "$LAB/log/digest.out" | uniq -c | xargs)"
check_equal - "and each decision is of another" 20 \
    "$(jq -r 'select(.event == "connect" and .sha256 != null) | .pid' "$LOG" | sort -u | wc -l)"

"$EGRESS" run --loops 17 --user "$TESTER" --log "$LAB/log/bad.jsonl" -- true >"$LAB/log/bad.out" 2>&1
check_equal - "more than 16 are refused" 125 $?
