#!/bin/bash
# SPDX-License-Identifier: MIT
# Parts of the filter are killed while the command talks: nothing may leave unjudged meanwhile, what
# was learnt and written must stay, and what ends must leave nothing behind.
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"
# shellcheck source=tests/lab/left.sh
. "$LAB_DIR/left.sh"

policy=$LAB/work/policy.rules
cat >"$policy" <<POLICY
$RESOLVER_IP:53/udp
allowed.example
third.example:7
POLICY
chmod 644 "$policy"
left_before
fetch='curl -sS -m 20 -o /dev/null -w %{http_code}'

gaps()
{
    jq -r 'select(.event == "gap") | .detail' "$LOG" | grep -c "^$1 ended by signal"
}
new_one()
{
    local pid
    pid=$(run_pid "$1") && [ "$pid" != "$2" ] && run_ready "$1"
}

inside_start --policy "$policy" || exit 1

# All the while, somebody tries what is denied: by name, by address, by datagram.
cat >"$INSIDE/knock.sh" <<KNOCK
while [ ! -e stop ]; do
    curl -sS -m 5 --resolve denied.example:443:$DENIED_IP -o /dev/null https://denied.example/
    connect_once -q -r -t 300 $DENIED_IP 7 5
    connect_once -q -u -r -t 100 $DENIED_IP 7 5
    dig +tries=1 +time=1 denied.example
    echo round >>rounds
done
: >stopped
KNOCK
inside 'bash knock.sh >/dev/null 2>&1 &'

check_equal - "a name that was not looked up does not count" ECONNRESET \
    "$(inside "connect_once -r $THIRD_IP 7 5")"
check_equal - "looked up" "$THIRD_IP" "$(inside 'dig +short third.example')"
check_equal - "it counts" OK "$(inside "connect_once -r $THIRD_IP 7 5")"

# transfer_start: 64 MiB that take their time.
transfer_start()
{
    inside 'rm -f big transfer; (curl -sS --limit-rate 3M -o big https://allowed.example/big 2>curl
        echo $? >transfer) >/dev/null 2>&1 &'
    wait_for 10 test -s "$INSIDE/big"
}

# judged NAME: a datagram is refused and recorded, which takes both roles.
judged()
{
    local port=$((20000 + RANDOM % 20000))
    check_equal R01 "$1" "ECONNREFUSED 1" "$(inside "connect_once -u -r $ALLOWED_IP $port 5") $(
        wait_for 5 grep -q "\"dst_port\":$port," "$LOG"
        jq -c "select(.event == \"datagram\" and .dst_port == $port and .outcome == \"denied\")" "$LOG" | wc -l)"
}

# role_killed ROLE SIGNAL
role_killed()
{
    local role=$1 signal=$2 old gap
    old=$(run_pid "$role")
    gap=$(gaps "$role")
    check - "a transfer goes on before the $role gets SIG$signal" transfer_start
    kill -s "$signal" "$old"
    check R01 "the $role is back after SIG$signal" wait_for 10 new_one "$role" "$old"
    check_equal R01 "a new connection succeeds" 200 "$(inside "$fetch https://allowed.example/small")"
    check_equal R01 "names learnt before still count" OK "$(inside "connect_once -r $THIRD_IP 7 5")"
    judged "datagrams are judged again"
    check_equal R01 "the gap is recorded" $((gap + 1)) "$(gaps "$role")"
}

role_killed proxy KILL
check R01 "the connection that it held was reset" wait_for 10 test -s "$INSIDE/transfer"
check_equal R01 "curl says so" 56 "$(cat "$INSIDE/transfer")"
role_killed proxy SEGV
wait_for 10 test -s "$INSIDE/transfer"
role_killed packet KILL
check R01 "TCP is none of the packet process's business" test ! -s "$INSIDE/transfer"
inside 'pkill curl; true'

# While the keeper is held, what was killed cannot come back: the time in between, at leisure.
held()
{
    local role=$1 pid syns packets id
    pid=$(run_pid "$role")
    kill -s STOP "$KEEPER"
    kill -s KILL "$pid"
    wait_for 5 lab_gone "$pid"
    syns=$(lab_syns "$ALLOWED_IP")
    packets=$(lab_packets any udp)
    if [ "$role" = proxy ]; then
        id=$(inside_ask "$fetch --resolve allowed.example:443:$ALLOWED_IP https://allowed.example/small")
        wait_for 5 pgrep -f "resolve allowed.example:443:$ALLOWED_IP"
    else
        id=$(inside_ask "connect_once -u -r -t 500 $ALLOWED_IP 7 5; connect_once -u -r $ALLOWED_IP 7 5")
        wait_for 5 pgrep -f "connect_once -u -r $ALLOWED_IP 7 5"
    fi
    if [ "$role" = proxy ]; then
        check_equal R01 "while there is no proxy no connection leaves" "$syns" "$(lab_syns "$ALLOWED_IP")"
    fi
    check_equal R01 "while there is no $role no datagram leaves" "$packets" "$(lab_packets any udp)"
    kill -s CONT "$KEEPER"
    if [ "$role" = proxy ]; then
        check_equal R01 "a connection begun meanwhile waits and succeeds" 200 "$(inside_answer "$id")"
    else
        inside_answer "$id" >/dev/null
        judged "afterwards datagrams are judged"
    fi
    check R01 "and the $role is back" wait_for 10 new_one "$role" "$pid"
}
held proxy
held packet

# Both, again and again, without a pause.
for _ in 1 2 3 4; do
    for role in proxy packet; do
        old=$(run_pid $role)
        kill -s KILL "$old"
        wait_for 10 new_one $role "$old" || not_ok R01 "the $role is back every time"
    done
done
check_equal R01 "after ten deaths in a row a connection succeeds" 200 \
    "$(inside "$fetch https://allowed.example/small")"

: >"$INSIDE/stop"
check - "the knocker has ended" wait_for 20 test -e "$INSIDE/stopped"
check - "and was not idle" test "$(wc -l <"$INSIDE/rounds")" -ge 5
check_equal R01 "not one packet of all that was denied arrived" 0 "$(lab_packets "$DENIED_IP" all)"
check_equal R01 "nor one query" 0 "$(lab_queries denied.example)"
inside_stop
check_equal - "the run ended well" 0 "$RUN_STATUS"
check_equal R01 "the log is whole" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"
left_check R04 "nothing is left" 0

# Both at once, while each is still being told of the other.
mkdir "$LAB/work/parts"
printf 'include parts/more.rules\n%s:53/udp\n' "$RESOLVER_IP" >"$LAB/work/including.rules"
printf 'allowed.example\n' >"$LAB/work/parts/more.rules"
inside_start --policy "$LAB/work/including.rules" || exit 1
for _ in 1 2 3 4 5 6 7 8; do
    proxy=$(run_pid proxy) packet=$(run_pid packet)
    kill -s KILL "$proxy" "$packet"
    { wait_for 10 new_one proxy "$proxy" && wait_for 10 new_one packet "$packet"; } ||
        not_ok R01 "both are back every time" "$(cat "$LAB/log/run.log")"
done
check_equal R01 "with an included policy, after eight deaths of both at once, a connection succeeds" 200 \
    "$(inside "$fetch https://allowed.example/small")"
judged "and datagrams are judged"
inside_stop
check_equal R01 "and the run ends well" 0 "$RUN_STATUS"

# killed NAME ID CGROUPS STATUS SIGNAL WHO…: a run that is ended from outside during a transfer.
killed()
{
    local name=$1 id=$2 cgroups=$3 status=$4 signal=$5 who pids=() all init
    shift 5
    inside_start --policy "$policy" || return
    inside "sleep $LEFT_MARK & setsid sleep $LEFT_MARK & unshare -Urnm sleep $LEFT_MARK & true"
    transfer_start
    init=$(pgrep -P "$KEEPER" | grep -vxF -e "$(run_pid proxy)" -e "$(run_pid packet)")
    mapfile -t all < <(left_processes)
    left_namespaces "${all[@]}" >"$LAB/work/namespaces"
    check - "$name: it has namespaces of its own" test "$(wc -l <"$LAB/work/namespaces")" -ge 5
    for who; do
        case $who in
        keeper) pids+=("$KEEPER") ;;
        init) pids+=("$init") ;;
        *) pids+=("$(run_pid "$who")") ;;
        esac
    done
    kill -s "$signal" "${pids[@]}"
    check "$id" "$name: the run ends" wait_for 10 lab_gone "$KEEPER"
    RUN_STATUS=0
    { wait "$KEEPER" || RUN_STATUS=$?; } 2>/dev/null
    unset 'LAB_PIDS[run]'
    exec {INSIDE_FD}>&-
    check_equal "$id" "$name: with status $status" "$status" "$RUN_STATUS"
    check "$id" "$name: its namespaces are gone" wait_for 10 left_no_holders
    left_check "$id" "$name: nothing is left but $cgroups cgroup" "$cgroups"
}

killed "kill -9 of the keeper" R02 1 137 KILL keeper
check_equal R02 "the log without an end is good as far as it goes" 3 \
    "$("$EGRESS" verify --quiet "$LOG"; echo $?)"
run_once --policy "$policy" -- true >"$LAB/log/next.log"
left_check R02 "the next run sweeps what was left" 0
killed "kill -9 of everything at once" R02 1 137 KILL keeper proxy packet init
killed "kill -9 of both roles and the command" R02 0 137 KILL proxy packet init
killed "kill -9 of the command's first process" R02 0 137 KILL init
killed "SIGTERM" R04 0 143 TERM keeper

# A role that cannot act on the end of its channel is ended by the kernel all the same.
inside_start --policy "$policy" || exit 1
wait_for 10 run_ready proxy && wait_for 10 run_ready packet
roles=("$(run_pid proxy)" "$(run_pid packet)")
kill -s STOP "${roles[@]}"
kill -s KILL "$KEEPER"
for role in "${roles[@]}"; do
    check R02 "a stopped role ends with its keeper" wait_for 10 lab_gone "$role"
done
{ wait "$KEEPER"; } 2>/dev/null
unset 'LAB_PIDS[run]'
exec {INSIDE_FD}>&-
