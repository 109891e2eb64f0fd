#!/bin/bash
# SPDX-License-Identifier: MIT
# Roles are killed at random moments under 300 connections a second: nothing that is denied arrives,
# what is allowed works after each of them, and the log is whole. KILLS says how many (10).
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

kills=${KILLS:-10}
printf '%s:53/udp\nallowed.example\nthird.example:7\n' "$RESOLVER_IP" >"$LAB/work/policy.rules"
chmod 644 "$LAB/work/policy.rules"
inside_start --loops 2 --policy "$LAB/work/policy.rules" || exit 1

# roles: those that there are, one `NAME PID` a line; a proxy's name has its number.
roles()
{
    local pid
    for pid in $(pgrep -P "$KEEPER" -x 'egress-(proxy|packet)'); do
        grep -q '^Seccomp:\s*2' "/proc/$pid/status" || continue
        tr '\0' '\n' <"/proc/$pid/cmdline" |
            awk -v pid="$pid" 'NR == 3 { name = $0 } /^loop=/ { name = name $0 } END { print name, pid }'
    done 2>/dev/null
}
# back PID: all are there, and none is that one.
back() { lab_gone "$1" && all_there; }
all_there() { [ "$(roles | wc -l)" -eq 3 ]; }
check - "three roles are there" wait_for 10 all_there

# All the while: by address, name and datagram, what is allowed and what is not.
check_equal - "the name is looked up" "$THIRD_IP" "$(inside 'dig +short third.example')"
cat >"$INSIDE/knock.sh" <<KNOCK
while [ ! -e stop ]; do
    curl -sS -m 5 --resolve denied.example:443:$ALLOWED_IP -o /dev/null https://denied.example/
    curl -sS -m 5 --resolve denied.example:443:$DENIED_IP -o /dev/null https://denied.example/
    connect_once -q -u -r -t 100 $DENIED_IP 7 5
    dig +tries=1 +time=1 denied.example
    dig +tries=1 +time=1 @$OTHER_RESOLVER_IP allowed.example
    echo round >>rounds
done
: >stopped
KNOCK
inside 'bash knock.sh >/dev/null 2>&1 &'
inside "load 300 $INSIDE/stop $THIRD_IP 7 $DENIED_IP 7 $THIRD_IP 7 $DENIED_IP 443 >load.out 2>&1 &"
others=$(lab_packets "$OTHER_RESOLVER_IP" all)

signals=(KILL KILL SEGV ABRT)
# kill_one: one of them, as it comes. The new one is waited for, so that each death is one.
kill_one()
{
    local victim pid
    # The random moment is what is tested.
    sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
    read -r victim pid < <(roles | shuf -n 1 --random-source=<(yes "$RANDOM"))
    kill -s "${signals[RANDOM % 4]}" "$pid" || return 1
    wait_for 10 back "$pid" || { echo "$victim is not back" && return 1; }
    # The name that was learnt still counts.
    [ "$(inside "connect_once -r $THIRD_IP 7 20")" = OK ] || echo "after the $victim"
}
faults=$(for ((i = 0; i < kills; i++)); do kill_one || break; done)
check_equal R01 "$kills times a role is back and connections succeed" "" "$faults"
check_equal R01 "a name is looked up" "$ALLOWED_IP" "$(inside 'dig +short allowed.example')"
check_equal R01 "and TLS spoken" 200 \
    "$(inside "curl -sS -m 20 -o /dev/null -w '%{http_code}' https://allowed.example/small")"

inside ': >stop'
ended() { [ -e "$INSIDE/stopped" ] && [ -s "$INSIDE/load.out" ]; }
check - "those who knocked have ended" wait_for 20 ended
check - "and were not idle: $(wc -l <"$INSIDE/rounds") rounds" test -s "$INSIDE/rounds"
check - "nor was the load: $(awk '{ b += $3; h += $4; e += $5; l += $6 }
    END { print b " begun, " h " heard, " e " ended, " l " late" }' "$INSIDE/load.out")" \
    test "$(awk -v ip="$THIRD_IP" '$1 == ip { h += $4 } END { print h }' "$INSIDE/load.out")" -gt 100
check_equal R01 "of what is denied none was heard" 0 \
    "$(awk -v ip="$DENIED_IP" '$1 == ip { h += $4 } END { print h }' "$INSIDE/load.out")"
check_equal R01 "not one packet of it arrived" 0 "$(lab_packets "$DENIED_IP" all)"
check_equal R01 "nor a request by that name" 0 "$(lab_requests denied.example)"
check_equal R01 "nor a query" 0 "$(lab_queries denied.example)"
check_equal R01 "nor anything at a resolver that is not allowed" "$others" \
    "$(lab_packets "$OTHER_RESOLVER_IP" all)"
inside_stop
check_equal R01 "the run ends well" 0 "$RUN_STATUS"
check_equal R01 "each death is a gap in the log" "$kills" \
    "$(jq -c 'select(.event == "gap" and (.detail | test("started again")))' "$LOG" | wc -l)"
check_equal R01 "which is whole" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"
