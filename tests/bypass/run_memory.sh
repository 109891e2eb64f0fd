#!/bin/bash
# SPDX-License-Identifier: MIT
# A run in a control group with little more memory than it needs, and a command that makes it hold as
# much as it can: whomever the kernel ends for want of memory, nothing passes that should not, the log
# is good, and nothing is left behind.
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"
# shellcheck source=tests/lab/left.sh
. "$LAB_DIR/left.sh"

# Of version 1 a group of its own, for the run alone; of version 2 that of this test, where its parent
# hands the controller on or lets itself be told to.
ONE=$(awk '/ - cgroup / && $NF ~ /(^|,)memory(,|$)/ { print $5; exit }' /proc/self/mountinfo)
ONE=${ONE:+$ONE$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)/lab-$LAB_NAME-$$}
TOLD=
if [ -n "$ONE" ] && mkdir "$ONE" 2>/dev/null; then
    M=$ONE LIMIT=memory.limit_in_bytes USED=memory.usage_in_bytes KILLS=memory.oom_control NONE=-1
elif [ -e "$LEFT_CGROUP/memory.max" ] || { echo +memory >"$LEFT_HOME/cgroup.subtree_control"; } 2>/dev/null; then
    [ -e "$LEFT_CGROUP/memory.max" ] && TOLD=$LEFT_HOME/cgroup.subtree_control
    M=$LEFT_CGROUP LIMIT=memory.max USED=memory.current KILLS=memory.events NONE=max
else
    skip R06 "a run with little memory" "no control group whose memory could be limited"
    exit 0
fi
memory_end()
{
    local status=$?
    [ ! -e "$M/$LIMIT" ] || echo $NONE >"$M/$LIMIT"
    lab_stop run KILL
    [ "$M" = "$LEFT_CGROUP" ] || wait_for 5 rmdir "$M"
    [ -z "$TOLD" ] || echo -memory >"$TOLD"
    (exit "$status")
    left_end
}
trap memory_end EXIT

# memory MIB|none: so much more than is used now.
memory()
{
    if [ "$1" = none ]; then
        echo $NONE >"$M/$LIMIT"
    else
        echo "$(($(cat "$M/$USED") + $1 * 1048576))" >"$M/$LIMIT"
    fi
}
kills() { awk '$1 == "oom_kill" { print $2 }' "$M/$KILLS"; }

filter=$EGRESS
EGRESS=$LAB/bin/limited
printf '#!/bin/sh\necho $$ >%s/cgroup.procs && exec %s "$@"\n' "$M" "$filter" >"$EGRESS"
chmod 755 "$EGRESS"
policy=$LAB/work/policy.rules
printf '%s:53/udp\nallowed.example\n%s:7\n' "$RESOLVER_IP" "$THIRD_IP" >"$policy"
chmod 644 "$policy"
head -c -10 <(hello --name denied.example --fill 60000) >"$LAB/www/half"
left_before

# start LOG: the run, and somebody in it who tries what is denied, all the while.
start()
{
    LOG=$LAB/log/$1.jsonl
    inside_start --policy "$policy" || exit 1
    wait_for 10 run_ready proxy && wait_for 10 run_ready packet
    proxy=$(run_pid proxy) packet=$(run_pid packet)
    cat >"$INSIDE/knock.sh" <<KNOCK
while [ ! -e stop ]; do
    connect_once -q -r -t 300 $DENIED_IP 7 5
    connect_once -q -u -r -t 100 $DENIED_IP 7 5
    getent ahostsv4 denied.example
    echo round >>rounds
done
KNOCK
    inside 'bash knock.sh >/dev/null 2>&1 &'
    check - "$1: somebody knocks" wait_for 10 test -s "$INSIDE/rounds"
}
# hogs: three processes that each make the filter hold what it will hold for one.
hogs()
{
    local i
    for i in 1 2 3; do
        inside_ask "hog $DENIED_IP 443 600 $INSIDE/go $LAB/www/half >hog$i.out 2>&1 &" >/dev/null
    done
}
works()
{
    check_equal R07 "$1" "OK 200" "$(inside "connect_once -r -t 20000 $THIRD_IP 7 20
        curl -sS -m 20 -o /dev/null -w %{http_code} https://allowed.example/small" | xargs)"
}
closed()
{
    check_equal R06 "$1: not a packet of what is denied arrives, by TCP or UDP" 0 "$(lab_packets "$DENIED_IP" all)"
    check_equal R06 "$1: nor a query" 0 "$(lab_queries denied.example)"
}

# What the command takes for itself it pays for itself.
start greedy
memory 64
before=$(kills)
inside 'head -c 400M /dev/zero | tail | wc -c' >/dev/null
check R07 "the kernel has ended somebody" test "$(kills)" -gt "$before"
check_equal R07 "none of the filter, where the command takes the memory" "$proxy $packet" \
    "$(run_pid proxy) $(run_pid packet)"
works "and that goes on"
closed "while the command takes all memory"

# What the filter is made to hold: the proxy is ended, and is back.
memory 56
hogs
gap() { grep -q '"event":"gap"' "$LOG"; }
check R01 "the proxy is ended for want of memory, and that is recorded" wait_for 30 gap
memory none
: >"$INSIDE/go"
check R01 "it is back" wait_for 10 run_ready proxy
check_equal - "by the kernel's hand" "proxy ended by signal 9; started again" \
    "$(jq -r 'select(.event == "gap") | .detail' "$LOG" | sort -u)"
closed "while the proxy has no memory"
works "with memory again it works"
: >"$INSIDE/stop"
inside_stop
check_equal R01 "the run ends well" 0 "$RUN_STATUS"
check_equal R06 "and its log is whole" 0 "$("$filter" verify --quiet "$LOG"; echo $?)"
left_check R04 "nothing is left" 0

# So little that the keeper is what takes most of it.
start keeper
memory 4
hogs
check R02 "without memory for the keeper the run ends" wait_for 60 lab_gone "$KEEPER"
RUN_STATUS=0
{ wait "$KEEPER" || RUN_STATUS=$?; } 2>/dev/null
unset 'LAB_PIDS[run]'
exec {INSIDE_FD}>&-
memory none
check R02 "and not as if it had gone well: $RUN_STATUS" test "$RUN_STATUS" -ge 125
closed "when the keeper has no memory"
verdict=$("$filter" verify --quiet "$LOG"; echo $?)
check R06 "the log is good as far as it goes ($verdict)" [ "$verdict" = 0 -o "$verdict" = 3 ]
left_check R02 "nothing is left but one cgroup" 1
