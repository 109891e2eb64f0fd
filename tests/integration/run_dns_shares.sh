#!/bin/bash
# SPDX-License-Identifier: MIT
# A process that has as many questions under way as there may be, at a resolver that never answers:
# others are answered meanwhile, every time, over UDP and TCP, and who had to give way is recorded.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"
export RESOLVER_IP
ulimit -n "$(ulimit -Hn)"

in_net iptables -t raw -A LAB -d "$THIRD_IP" -p udp --dport 53 -j DROP
gave_way()
{
    jq -r 'select(.event == "answer" and .error == "limit") | .name' "$LOG" | wc -l
}
crowded_out() { [ "$(gave_way)" -gt "${1:-0}" ]; }
streams() { find "/proc/$(run_pid proxy)/fd" -lname 'socket:*' | wc -l; }
many_streams() { [ "$(streams)" -gt 1000 ]; }
# answered WAY: twenty look-ups of another process, one after the other, each asked once.
answered()
{
    inside "for ((i = 0; i < 20; i++)); do
        dig $1 +tries=1 +time=5 +short allowed.example @$RESOLVER_IP; done | sort | uniq -c | xargs"
}

policy allowed.example slow.wild.example
inside_start --policy "$POLICY" --resolver "slow.wild.example=$THIRD_IP" || exit 1
check_equal - "before, each is answered" "20 $ALLOWED_IP" "$(answered +notcp)"

# hog_start COUNT: processes that ask on and on, COUNT questions each; an answer between two of them
# says that what was asked has been read, so that nothing is lost at a socket that is full.
hog_start()
{
    rm -f "$INSIDE"/stop*
    inside "(while [ ! -e stop ]; do dns_names $RESOLVER_IP 0 +$1 slow.wild.example
        dns_names $RESOLVER_IP 0 1 allowed.example; done; : >stopped) >/dev/null 2>&1 &"
}
hog_stop()
{
    : >"$INSIDE/stop"
    check - "the greedy have ended" wait_for 30 test -e "$INSIDE/stopped"
}
hog_start 200
check D10 "over UDP all places are taken" wait_for 40 crowded_out
check_equal D10 "another is answered, every time" "20 $ALLOWED_IP" "$(answered +notcp)"
check_equal D10 "over TCP too" "20 $ALLOWED_IP" "$(answered +tcp)"
hog_stop
hog_start 50
before=$(gave_way)
check D10 "by processes of which none has many, too" wait_for 40 crowded_out "$before"
check_equal D10 "another is answered, every time" "20 $ALLOWED_IP" "$(answered +notcp)"
hog_stop

if [ "$(ulimit -Hn)" -lt 8192 ]; then
    skip D10 "as many streams as there may be" "only $(ulimit -Hn) descriptors may be open"
else
    inside "dns_stream $RESOLVER_IP many 1500 slow.wild.example >many.out 2>&1 &"
    check - "one process has all streams, a question on each" wait_for 20 many_streams
    check_equal D10 "another is answered on streams of its own, every time" "20 $ALLOWED_IP" \
        "$(answered +tcp)"
    check_equal D10 "and over UDP" "20 $ALLOWED_IP" "$(answered +notcp)"
fi
inside_stop
check_equal - "the run ends well" 0 "$RUN_STATUS"
check_equal D10 "who gave way is recorded as failed" "failed SERVFAIL" "$(jq -r \
    'select(.event == "answer" and .error == "limit") | "\(.outcome) \(.rcode)"' "$LOG" | sort -u)"
check D10 "with a log that holds" "$EGRESS" verify --quiet "$LOG"
