#!/bin/bash
# SPDX-License-Identifier: MIT
# The frame of `make bench`: a short run of cheap work comes to its end with a table, lines of results
# and a plot; what others do alone has a row of ours that says so; and whoever interrupts it finds
# nothing left. No figure is looked at.
# shellcheck source=tests/lab/lab.sh
. "$(dirname "$0")/../lab/lab.sh"

BENCH=$LAB_ROOT/tests/bench
# The run's own lab hides this one's directory.
OUT=/tmp/out
mount -t tmpfs tmp /tmp || lab_fail "cannot make a private /tmp"
CGROUP_ROOT=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
CGROUP=$CGROUP_ROOT$(sed -n 's/^0:://p' /proc/self/cgroup)/bench-$$

for program in load origin bench_match bench_record bench_owner bench_hooks; do
    if [ ! -x "$LAB_BUILD/bench/$program" ]; then
        skip - "the frame of make bench" "$program is not built: make bench-programs"
        exit 0
    fi
done

# rows FILTER: how many lines of results match.
rows()
{
    jq -c "select($1)" "$OUT/results.jsonl" | wc -l
}

# table_has LINE…: the table has each, as a regular expression for a whole line.
table_has()
{
    local line
    for line; do
        grep -qxE "$line" "$LAB/tmp/table.md" || { echo "no line: $line" && return 1; }
    done
}

# ---- a short run ----

status=0
env BUILD="$LAB_BUILD" BENCH_OUT="$OUT" BENCH_QUICK=1 BENCH_ROUNDS=1 BENCH_PEERS='' \
    BENCH_WORKS='^(tcp-new|start|record|owner)$' "$BENCH/run" >"$LAB/log/bench.log" 2>&1 || status=$?
cp "$OUT/table.md" "$LAB/tmp/" 2>/dev/null
check_equal - "a short run comes to its end" 0 "$status"
check - "every line of results is JSON" jq -se 'length > 5 and all(type == "object")' "$OUT/results.jsonl"
check_equal - "the machine is described once" 1 "$(rows '.machine.cpu and .machine.kernel')"
check_equal - "the work was done, directly and through the filter" 2 \
    "$(rows '.work == "tcp-new" and .units == 500 and .failed == 0')"
check_equal - "the filter's processor time and its peak of memory are there" 1 \
    "$(rows '.work == "tcp-new" and .peer == "egress" and .cpu_ns > 0 and .peak_kib > 0')"
check_equal - "the start was measured" 1 "$(rows '.work == "start" and .begun_us > 0')"
check - "each step of a record was measured" test "$(rows '.work == "record" and .ns > 0')" -ge 6
if grep -q '^not measured' "$LAB/log/bench.log"; then
    skip - "each step from a flow to its owner" "$(grep -m 1 '^not measured' "$LAB/log/bench.log")"
else
    check_equal - "each step from a flow to its owner was measured" 4 "$(rows '.work == "owner"')"
fi
check - "the table shows what was measured" table_has '\*\*raw TCP, a new connection with one line\*\*' \
    '\| \*\*egress-filter\*\* \| [0-9.]+ \| .* \| 1 \| .* \| 0 \|' '\| direct \| .* \| 0 \|' \
    '\*\*start\*\*: the command begins after .*' '\| packed \| [0-9.]+ \|.*'
if command -v gnuplot >/dev/null; then
    check - "and so does the plot" grep -q 'egress-filter' "$OUT/plot.svg"
else
    skip - "the plot" "no gnuplot"
fi

# ---- the table of what is not there ----

cat >"$LAB/tmp/kept.jsonl" <<'LINES'
{"machine":{"date":"2026-11-01","cpu":"a processor","cores":"2","virtual":"none","memory":"4 GiB","system":"Debian","kernel":"6.1","load":"0.1"}}
{"round":0,"work":"version","peer":"haproxy","version":"2.6"}
{"round":1,"work":"open-name","peer":"haproxy","units":10,"failed":0,"again":10,"seconds":1,"cpu_ns":20000000,"machine_ns":0,"peak_kib":2048}
{"round":2,"work":"open-name","peer":"haproxy","units":10,"failed":0,"again":10,"seconds":1,"cpu_ns":40000000,"machine_ns":0,"peak_kib":1024}
{"round":1,"work":"open-name","peer":"squid","units":0,"failed":1,"seconds":0,"cpu_ns":0,"machine_ns":0,"peak_kib":0}
{"round":1,"work":"memory-9000","peer":"egress","units":9000,"failed":0,"kib":18000}
{"round":1,"work":"judge","peer":"egress","part":"mixed-10000","ns":300,"p99_ns":900,"load_ms":7,"bytes_a_rule":379}
LINES
jq -rs -L "$BENCH" -f "$BENCH/report.jq" "$LAB/tmp/kept.jsonl" >"$LAB/tmp/table.md"
check - "what is not opened says so beside those that do; what failed is not hidden" table_has \
    'Taken on 2026-11-01 on 2 cores of a processor .*, 2 rounds\. Peers: haproxy 2\.6\.' \
    '\| \*\*egress-filter\*\* \| not opened in this release \|.*' \
    '\| haproxy \| 3000 \| 2000–4000 \| – \| – \| 10 \| 2 \| 0, 20 at a second try \|' \
    '\| squid \| – \|.*\| 1 \|'
check - "memory, and judging beside its goal" table_has \
    '\| \*\*egress-filter\*\* \| 2 \| 2–2 \| 9000 \|' \
    '\| mixed-10000 \| 300 \| 300–300 \| 900 \| 1000 \| 7 \| 379 \|'
jq -rs -L "$BENCH" -f "$BENCH/plot.jq" "$LAB/tmp/kept.jsonl" >"$LAB/tmp/plot"
check - "the plot has both, and the goal's line" grep -q 'not opened in this release' "$LAB/tmp/plot"
check - "in multiples of the goal" grep -qF ' 3 2 4 0 "haproxy" "3000 µs"' "$LAB/tmp/plot"

# ---- interrupted ----

# interrupted NAME WAITS COMMAND…: begins in a cgroup of its own; when WAITS succeeds, everybody in
# its group gets what Ctrl-C sends. A shell's background command would ignore that.
interrupted()
{
    local name=$1 waits=$2 pid status=0
    shift 2
    # shellcheck disable=SC2016 # of the inner shell
    env --default-signal=INT setsid bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$CGROUP" "$@" \
        >"$LAB/log/$name.log" 2>&1 </dev/null &
    pid=$!
    if ! wait_for 30 "$waits" "$pid" || ! kill -INT -- "-$pid"; then
        kill -KILL -- "-$pid"
        wait "$pid"
        not_ok - "$name is interrupted" "it did not get so far"
        return
    fi
    wait "$pid" || status=$?
    check_equal - "$name ends when it is interrupted" 130 "$status"
    check - "$name leaves no process and no cgroup of its own" wait_for 10 nothing_left
}

nothing_left()
{
    [ -z "$(cat "$CGROUP/cgroup.procs")" ] && [ -z "$(find "$CGROUP" -mindepth 1 -type d)" ]
}

run_begun()
{
    [ "$(rows '.work == "tcp-new"')" -ge 2 ]
}

hooks_begun()
{
    HOOKS_AT=$CGROUP_ROOT/hooks-test-$1
    [ -n "$(cat "$HOOKS_AT/cgroup.procs")" ]
}

if [ -z "$CGROUP_ROOT" ] || ! mkdir "$CGROUP"; then
    skip - "what an interrupted run leaves" "no cgroup v2 in which to make a directory"
    exit 0
fi
# What did not end by itself keeps the directory: it must not outlive the test.
bench_end()
{
    [ ! -e "$CGROUP/cgroup.kill" ] || echo 1 >"$CGROUP/cgroup.kill"
    wait_for 10 nothing_left
    rmdir "$CGROUP"
    (exit "$1")
    lab_end
}
trap 'bench_end $?' EXIT

rm "$OUT/results.jsonl"
interrupted run run_begun env BUILD="$LAB_BUILD" BENCH_OUT="$OUT" BENCH_QUICK=1 BENCH_ROUNDS=99 \
    BENCH_PEERS='' BENCH_WORKS='^tcp-new$' "$BENCH/run"
if "$LAB_BUILD/bench/bench_hooks" 1 1 1 | grep '^not measured' >"$LAB/tmp/why"; then
    skip - "what interrupted measuring of hooks leaves" "$(cat "$LAB/tmp/why")"
else
    interrupted bench_hooks hooks_begun "$LAB_BUILD/bench/bench_hooks" 99 50000 50000
    check - "nor its directories" test ! -e "$HOOKS_AT" -a "$(ls -d /tmp/*)" = /tmp/out
fi
