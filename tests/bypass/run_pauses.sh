#!/bin/bash
# SPDX-License-Identifier: MIT
# Parts of a run stand still, or the world around it changes: a stopped role, Ctrl-Z and fg, a
# terminal that goes away, Ctrl-C twice, a wall clock that is set, a run started within a run.
# shellcheck disable=SC2016 # what stands in single quotes is for another shell
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"
# shellcheck source=tests/lab/left.sh
. "$LAB_DIR/left.sh"

policy=$LAB/work/policy.rules
printf '%s:53/udp\nallowed.example\nthird.example:7\n%s:7/udp\n' "$RESOLVER_IP" "$ALLOWED_IP" >"$policy"
chmod 644 "$policy"
left_before
fetch='curl -sS -m 20 -o /dev/null -w %{http_code} https://allowed.example/small'
state_of() { sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status"; }
stopped() { [ "$(state_of "$1")" = T ]; }
going_on() { [[ $(state_of "$1") == [SR] ]]; }

# A role that stands still: what needs it waits, and nothing passes it by.
inside_start --policy "$policy" || exit 1
wait_for 10 run_ready proxy && wait_for 10 run_ready packet
inside 'dig +short third.example' >/dev/null
proxy=$(run_pid proxy) packet=$(run_pid packet)
for who in proxy packet keeper; do
    case $who in
    proxy) pid=$proxy ;;
    packet) pid=$packet ;;
    keeper) pid=$KEEPER ;;
    esac
    kill -s STOP "$pid"
    check - "the $who stands still" wait_for 5 stopped "$pid"
    before="$(lab_syns any) $(lab_packets any udp)"
    if [ "$who" = packet ]; then
        id=$(inside_ask "connect_once -u -r -t 300 $DENIED_IP 9; connect_once -u -r -t 300 $ALLOWED_IP 7
            connect_once -q -u -r -t 15000 $ALLOWED_IP 7 5")
    else
        id=$(inside_ask "connect_once -r $THIRD_IP 7 20; $fetch; echo
            connect_once -r -t 300 $DENIED_IP 80")
    fi
    begun() { pgrep -f "connect_once .*( $THIRD_IP 7 20| $ALLOWED_IP 7 5)"; }
    wait_for 10 begun
    check_equal R01 "while the $who stands still nothing that it must see leaves" "$before" \
        "$(lab_syns any) $(lab_packets any udp)"
    kill -s CONT "$pid"
    answer=$(inside_answer "$id" | xargs)
    if [ "$who" = packet ]; then
        check R01 "when the $who goes on, so do datagrams ($answer)" inside \
            "connect_once -q -u -r -t 5000 $ALLOWED_IP 7 5"
    else
        check_equal R01 "when the $who goes on, what waited succeeds, and what is denied does not" \
            "OK 200 ECONNRESET" "$answer"
    fi
done
check_equal R01 "nothing denied arrived" 0 "$(lab_packets "$DENIED_IP" all)"
check_equal R01 "all are who they were" "$proxy $packet" "$(run_pid proxy) $(run_pid packet)"

# All of it at once, as when the machine sleeps; who wakes first is the command.
inside "crowd $THIRD_IP 7 3 $INSIDE/woken >woken.out 2>&1 &"
check - "connections are open before all stand still" wait_for 10 test -e "$INSIDE/woken.open"
filter=("$KEEPER" "$proxy" "$packet")
mapfile -t command < <(pgrep -f "inside-loop $INSIDE|crowd $THIRD_IP" | grep -vx "$KEEPER")
check - "the command's processes are found" test ${#command[@]} -ge 2
for pid in "${command[@]}" "${filter[@]}"; do
    kill -s STOP "$pid"
    wait_for 5 stopped "$pid" || not_ok R01 "all stand still"
done
before="$(lab_syns any) $(lab_packets any udp)"
id=$(inside_ask "connect_once -r $THIRD_IP 7 20; $fetch; echo; connect_once -r -t 300 $DENIED_IP 80
    connect_once -u -r -t 300 $DENIED_IP 9")
kill -s CONT "${command[@]}"
wait_for 10 begun
check_equal R01 "while only the command is awake nothing leaves" "$before" "$(lab_syns any) $(lab_packets any udp)"
kill -s CONT "${filter[@]}"
check_equal R01 "when all are awake, what waited succeeds, and what is denied does not" \
    "OK 200 ECONNRESET ECONNREFUSED" "$(inside_answer "$id" | xargs)"
: >"$INSIDE/woken"
check R01 "connections from before go on" wait_for 20 grep -qx '3 3' "$INSIDE/woken.out"
check_equal R01 "and nothing denied arrived" 0 "$(lab_packets "$DENIED_IP" all)"
check_equal R01 "nobody was ended for having slept" "$proxy $packet" "$(run_pid proxy) $(run_pid packet)"

# A run within a run, by whoever.
mkdir "$LAB/work/nested" && chmod 777 "$LAB/work/nested"
nested="cd $LAB/work/nested && egress-filter run --log $LAB/work/nested/log --policy $policy --user $TESTER -- touch $LAB/work/nested/ran"
says='this is inside of a run already ([0-9a-f]*), whose policy holds'
answer=$(inside "$nested") status=$?
check_equal - "a run within a run is refused" 125 "$status"
check - "and told why" grep -q "$says" <<<"$answer"
inside_stop
for options in '--user root' '--user root --allow-privileges' '--allow-privileges'; do
    # shellcheck disable=SC2086 # options are words
    answer=$(timeout 20 "$EGRESS" run $options --user root --log "$LOG" --policy "$policy" -- \
        bash -c "$nested" 2>&1 </dev/null)
    check_equal - "also with $options" "125 1" "$? $(grep -c "$says" <<<"$answer")"
done
check - "nothing was run there, and no log begun" test ! -e "$LAB/work/nested/ran" -a ! -e "$LAB/work/nested/log"
left_check - "nothing is left of it" 0

# The wall clock is set ten years ahead, then behind, while connections come.
CLOCK_SHIFT=$LAB/work/shift LD_PRELOAD=$LAB/bin/clock_shift
echo 0 >"$CLOCK_SHIFT"
export CLOCK_SHIFT LD_PRELOAD
for name in mine other; do
    { cat "$LAB/bin/connect_once" && echo $name; } >"$LAB/tmp/$name"
    chmod 755 "$LAB/tmp/$name"
done
echo "$ALLOWED_IP:7 sha256=$(sha256sum "$LAB/tmp/mine" | cut -d ' ' -f 1)" >>"$policy"
LOG=$LAB/log/clock.jsonl
inside_start --policy "$policy" || exit 1
unset LD_PRELOAD
# is_then SHIFT: the newest record's time is less than a minute from that.
is_then()
{
    local off
    off=$(($(date -d "$(jq -r .ts "$LOG" | tail -n 1)" +%s) - $(date +%s) - $1))
    [ "${off#-}" -lt 60 ]
}
inside 'dig +short third.example' >/dev/null
inside "crowd $THIRD_IP 7 3 $INSIDE/go >crowd.out 2>&1 &"
check - "connections are open" wait_for 10 test -e "$INSIDE/go.open"
for shift in 3600 -3600 315576000 -315576000 -1; do
    echo "$shift" >"$CLOCK_SHIFT"
    check_equal - "with the clock off by $shift s connections succeed" "OK 200" \
        "$(inside "connect_once -r $THIRD_IP 7 20; $fetch" | xargs)"
    check_equal P04 "a program is known by its digest, and another is not" "OK ECONNRESET" \
        "$(inside "$LAB/tmp/mine -r $ALLOWED_IP 7 20; $LAB/tmp/other -r $ALLOWED_IP 7 20" | xargs)"
    check_equal - "a name that was learnt before still counts, and what is denied is denied" ECONNRESET \
        "$(inside "connect_once -r $DENIED_IP 7 5")"
    wait_for 5 grep -q "\"dst_ip\":\"$DENIED_IP\"" "$LOG"
    check - "and records have the time of then" is_then "$shift"
done
: >"$INSIDE/go"
check - "open connections go on" wait_for 20 grep -qx '3 3' "$INSIDE/crowd.out"
check_equal - "none was closed before its time" 0 \
    "$(jq -c 'select(.event == "close" and .error != null)' "$LOG" | wc -l)"
check_equal - "durations are those of a clock that does not jump" 0 \
    "$(jq -c 'select(.duration_ms != null and .duration_ms > 600000)' "$LOG" | wc -l)"
inside_stop
check_equal R06 "and the log is whole" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"

# On a terminal.
cat >"$LAB/work/waits.sh" <<SH
trap 'echo interrupted; n=\$((n + 1)); [ \$n -lt 2 ] || exit 9' INT
echo waiting
while [ ! -e $LAB/work/go ]; do sleep 0.05; done
connect_once -r $THIRD_IP 7 5 || true
$fetch
SH
chmod 755 "$LAB/work/waits.sh"
LOG=$LAB/log/terminal.jsonl
run="$EGRESS run --quiet --user $TESTER --log $LOG --policy $policy -- bash $LAB/work/waits.sh"
# terminal NAME COMMAND…: on one, whose keys are the descriptor `keys`.
terminal()
{
    local name=$1
    shift
    rm -f "$LAB/work/go" "$LAB/work/keys"
    mkfifo "$LAB/work/keys"
    exec {keys}<>"$LAB/work/keys"
    lab_start "$name" bash -c 'script -qec "$1" /dev/null <"$2"; echo "ended with $?"' - "$*" "$LAB/work/keys"
    check - "$name: a command waits" wait_for 10 grep -q waiting "$LAB/log/$name.log"
    KEEPER=$(pgrep -of "^$EGRESS run --quiet --user $TESTER --log $LOG")
}
times() { grep -c "$1" "$LAB/log/$2.log"; }
heard() { [ "$(times interrupted "$1")" -ge "$2" ]; }
ended() { grep -q "ended with" "$LAB/log/$1.log"; }
terminal twice "$run"
printf '\003' >&"$keys"
check - "Ctrl-C is the command's" wait_for 10 heard twice 1
check - "one that goes on goes on" going_on "$KEEPER"
printf '\003' >&"$keys"
check - "a second one ends it" wait_for 10 ended twice
check_equal - "each was heard once, and the status is the command's" "2 1" "$(times interrupted twice) $(times 'ended with 9' twice)"
left_check R04 "Ctrl-C twice: nothing is left" 0

# A shell with job control, which the keys are typed into.
cat >"$LAB/work/shell.sh" <<SH
set -m
$run
echo "stopped with \$?"
read -r
fg >/dev/null
echo "job ended with \$?"
SH
terminal suspended "bash $LAB/work/shell.sh"
printf '\032' >&"$keys"
check - "Ctrl-Z stops it, and the shell has the terminal" wait_for 10 grep -q 'stopped with 148' "$LAB/log/suspended.log"
check - "the keeper is stopped" stopped "$KEEPER"
check - "and so is the command" stopped "$(pgrep -f "^bash $LAB/work/waits.sh")"
printf '\n' >&"$keys"
check - "fg lets it go on" wait_for 10 going_on "$KEEPER"
: >"$LAB/work/go"
check - "to its end" wait_for 20 ended suspended
check_equal R01 "and its connections succeed" "200" "$(tr -d '\r' <"$LAB/log/suspended.log" | grep -oE '^200' )"
check - "with its own status" grep -q 'job ended with 0' "$LAB/log/suspended.log"
left_check R04 "Ctrl-Z and fg: nothing is left" 0

terminal gone "$run"
keeper=$KEEPER
pkill -KILL -P "${LAB_PIDS[gone]}" -x script
check R02 "when its terminal goes away, the run ends" wait_for 10 lab_gone "$keeper"
left_check R04 "and nothing is left" 0
sed "s/^trap .*/trap '' HUP/" "$LAB/work/waits.sh" >"$LAB/work/stays.sh"
terminal stays "${run/waits.sh/stays.sh} 2>$LAB/log/stays.err"
keeper=$KEEPER
pkill -KILL -P "${LAB_PIDS[stays]}" -x script
lab_stop stays
: >"$LAB/work/go"
check - "a command that does not mind goes on without, and ends" wait_for 20 lab_gone "$keeper"
check_equal R01 "with its connection made and recorded" 1 \
    "$(jq -s 'map(select(.host == "allowed.example" and .outcome == "allowed")) | length | . / 2 | ceil' "$LOG")"
check_equal R06 "the log of all that is whole" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"
left_check R04 "after a terminal that went away: nothing is left" 0
