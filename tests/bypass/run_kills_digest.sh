#!/bin/bash
# SPDX-License-Identifier: MIT
# Who digests a file is killed at any moment, or stands still: whatever needs that digest is denied and
# recorded, a veto by digest holds, nobody waits for ever, and all others go on.
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"
# shellcheck source=tests/lab/left.sh
. "$LAB_DIR/left.sh"

# make NAME TEXT SIZE: a program of the user's that ends with TEXT, and takes a while to read.
make()
{
    { cat "$LAB/bin/connect_once" && printf '%s' "$2"; } >"$LAB/tmp/$1"
    truncate -s "$3" "$LAB/tmp/$1"
    chmod 755 "$LAB/tmp/$1" && chown "$TESTER_UID" "$LAB/tmp/$1"
}
sum() { sha256sum "$LAB/tmp/$1" | cut -d ' ' -f 1; }
make mine A 150M
make other B 150M
make still C 900M
policy=$LAB/work/policy.rules
cat >"$policy" <<POLICY
allowed.example
$THIRD_IP:7|80 sha256=$(sum mine)
$THIRD_IP:7 sha256=$(sum still)
$DENIED_IP:7 sha256=$(sum mine) user=0
$BAD_TLS_IP:7
deny $BAD_TLS_IP:7 sha256=$(sum other)
POLICY
chmod 644 "$policy"
left_before
inside_start --policy "$policy" || exit 1
wait_for 10 run_ready proxy
proxy=$(run_pid proxy) packet=$(run_pid packet)

# readers: those that there are, as soon as they are the program executed anew.
readers() { pgrep -P "$KEEPER" -f '^egress-filter role digest ' || pgrep -P "$KEEPER" -x egress-digest; }
first_reader() { readers | head -n 1 | grep .; }
decisions() { jq -c "select(.event == \"connect\" and ($1))" "$LOG" | wc -l; }

# One stands still all the while; it is given up after half a minute.
inside_ask "$LAB/tmp/still -r -t 60000 $THIRD_IP 7 5 >still.out 2>&1 &" >/dev/null
reader_stopped() { STOPPED=$(first_reader) && kill -s STOP "$STOPPED"; }
wait_for 10 reader_stopped || not_ok - "a reader stands still"
stopped=$STOPPED

# knock FILE COMMAND: again and again until `stop` is there; what it says, a line each.
knock() { inside "while [ ! -e stop ]; do $2; done >$1 2>&1 &"; }
knock mine "$LAB/tmp/mine -r -t 25000 $THIRD_IP 7 5"
knock other "$LAB/tmp/other -r -t 25000 $BAD_TLS_IP 7 5; $LAB/tmp/other -r -t 25000 $THIRD_IP 7 5"
knock denied "$LAB/tmp/mine -r -t 25000 $DENIED_IP 7 5"
fetch='curl -sS -m 20 -o /dev/null -w %{http_code} https://allowed.example/small'
knock fetched "$fetch; echo; sleep 0.2"

signals=(KILL KILL SEGV ABRT)
# kill_one: one that works, at whichever moment of its life that is.
kill_one()
{
    local pid
    pid=$(readers | grep -vx "$stopped" | head -n 1 | grep .) || return 1
    # The random moment is what is tested.
    sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
    kill -s "${signals[RANDOM % 4]}" "$pid" 2>/dev/null
}
killed=0
for ((i = 0; i < 40; i++)); do
    wait_for 20 kill_one || break
    killed=$((killed + 1))
done
check_equal R01 "40 times who digests a file is killed" 40 "$killed"
check_equal R01 "those who need no digest are served meanwhile" 200 \
    "$(inside "sort -u fetched" | xargs)"
inside ': >stop'
ended() { ! pgrep -f "^$LAB/tmp/(mine|other) " >/dev/null; }
check R01 "nobody waits for ever" wait_for 30 ended
check - "programs whose reader was killed were denied ($(grep -c ECONNRESET "$INSIDE/mine") times)" \
    grep -q ECONNRESET "$INSIDE/mine"
check - "and told nothing else than that or success: $(sort "$INSIDE/mine" | uniq -c | xargs)" \
    test -z "$(grep -vxE 'OK|ECONNRESET' "$INSIDE/mine")"
check_equal R01 "each denial of theirs is recorded, with no digest" "$(grep -c ECONNRESET "$INSIDE/mine")" \
    "$(decisions ".exe == \"$LAB/tmp/mine\" and .dst_ip == \"$THIRD_IP\" and .outcome == \"denied\" and
        .sha256 == null")"
check_equal R01 "and nothing was allowed by less than its digest" 0 "$(decisions ".outcome == \"allowed\" and
    .dst_ip == \"$THIRD_IP\" and .sha256 != \"$(sum mine)\"")"
check_equal R01 "what a veto keeps from a program never arrives, digested or not" "0 ECONNRESET" \
    "$(lab_packets "$BAD_TLS_IP" all) $(sort -u "$INSIDE/other" | xargs)"
check_equal R01 "nor what no rule allows" "0 ECONNRESET" \
    "$(lab_packets "$DENIED_IP" all) $(sort -u "$INSIDE/denied" | xargs)"
check_equal R01 "undisturbed, the program is allowed again" OK \
    "$(inside "$LAB/tmp/mine -r -t 25000 $THIRD_IP 7 5")"
check_equal R01 "all others are who they were" "$proxy $packet" "$(run_pid proxy) $(run_pid packet)"

# The one that stands still; beside it, the place of another was enough for all of that.
check R07 "one that stands still is given up, and what waits for it denied" \
    wait_for 45 grep -qx ECONNRESET "$INSIDE/still.out"
check R07 "and is no more" wait_for 5 lab_gone "$stopped"
check_equal - "no process of the dead is left" 0 "$(pgrep -P "$KEEPER" -r Z | wc -l)"
inside_stop
check_equal R01 "the run ends well" 0 "$RUN_STATUS"
check_equal R01 "and the log is whole" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"
left_check R04 "and nothing is left" 0

# The keeper is killed while a file is read: who reads it ends with the run.
LOG=$LAB/log/keeper.jsonl
inside_start --policy "$policy" || exit 1
syns=$(lab_syns "$THIRD_IP")
inside_ask "$LAB/tmp/still -r -t 60000 $THIRD_IP 7 5" >/dev/null
check - "somebody reads a file for the keeper" wait_for 10 reader_stopped
reader=$STOPPED
kill -s KILL "$KEEPER"
check R02 "when the keeper is killed, who reads for it ends" wait_for 10 lab_gone "$reader"
{ wait "$KEEPER"; } 2>/dev/null
unset 'LAB_PIDS[run]'
exec {INSIDE_FD}>&-
left_check R02 "and nothing is left but one cgroup" 1
check_equal R02 "nothing of what waited for it arrived" "$syns" "$(lab_syns "$THIRD_IP")"
