#!/bin/bash
# SPDX-License-Identifier: MIT
# One process takes all that it can get: connections that say nothing, messages that it never ends,
# answers that it never reads. Another one must be served all the while, every time, and what the
# proxy holds must stay bounded.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

files=8192 many=5000 times=20
pipes_all=$((files * 15 / 16 / 8)) # ends of those that may hold something
memory_max=$((192 * 1024)) # KiB: 64 MiB of bytes, 2 KiB for each connection, and the program
if ! ulimit -n $files 2>/dev/null; then
    skip R07 "hogs" "only $(ulimit -Hn) descriptors may be open"
    exit 0
fi
lab_stop echo
lab_start echo nsenter --net="$LAB/net" -- "$LAB/bin/echo_server" 7
in_net_answers() { in_net connect_once 127.0.0.1 "$1"; }
wait_for 10 in_net_answers 7
# As long as a hello may be, but for its last bytes.
hello --name allowed.example --fill 61000 >"$LAB/www/hello"
head -c -10 "$LAB/www/hello" >"$LAB/www/half"
printf 'GET /big HTTP/1.0\r\n\r\n' >"$LAB/www/get"

printf '%s\n' allowed.example "$THIRD_IP:7|80" >"$LAB/work/policy.rules"
inside_start --policy "$LAB/work/policy.rules" || exit 1
wait_for 10 run_ready proxy
proxy=$(run_pid proxy)

memory() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$proxy/status"; }
descriptors() { find "/proc/$proxy/fd" -mindepth 1 | wc -l; }
small() { [ "$(descriptors)" -lt 300 ]; }
limited() { jq -r 'select(.reason == "limit") | .exe' "$LOG" | sort -u | paste -sd' '; }

# hog NAME PORT COUNT FILE: it has begun with all of them, and goes on until hog_end.
hog()
{
    HOG=$(inside_ask "hog $2 $3 $4 $INSIDE/$1 $5 >$INSIDE/$1.out 2>&1 & true")
    inside_answer "$HOG" >/dev/null
    check - "$1: all $4 have been tried" wait_for 60 test -e "$INSIDE/$1.open"
}
hog_end()
{
    : >"$INSIDE/$1"
    wait_for 20 test -s "$INSIDE/$1.out"
    read -r open closed <"$INSIDE/$1.out"
}
# served NAME: somebody else gets what he asks for, every time.
served()
{
    check_equal R07 "$1: meanwhile another process connects, $times times of $times" "$times OK" \
        "$(inside "for ((i = 0; i < $times; i++)); do connect_once -r $THIRD_IP 7 20; done |
            sort | uniq -c | xargs")"
    check_equal R07 "$1: and has TLS spoken, $times times of $times" "$times 200" \
        "$(inside "for ((i = 0; i < $times; i++)); do curl -sS -m 20 -o /dev/null -w '%{http_code}\n' \
            https://allowed.example/small; done | sort | uniq -c | xargs")"
    check R07 "$1: the proxy's memory is bounded ($(memory) KiB, $(descriptors) descriptors)" \
        test "$(memory)" -lt $memory_max -a "$(descriptors)" -lt $files
}

# Connections that say nothing, to where a silent client may go.
hog silent "$THIRD_IP" 7 $many ''
served silent
hog_end silent
check R07 "silent: it had many ($open), but not all that it wanted ($closed refused)" \
    test "$open" -gt 0 -a "$closed" -gt 0
check_equal R07 "silent: the log names it, and nobody else, as who had too much" \
    "$LAB/bin/hog" "$(limited)"
check R07 "silent: what it was refused did not pass" test \
    "$(jq -c 'select(.reason == "limit" and .outcome != "denied")' "$LOG" | wc -l)" -eq 0
check - "silent: everything is given back" wait_for 20 small

# Hellos that lack their end: five thousand would be 300 MB.
hog half "$DENIED_IP" 443 $many "$LAB/www/half"
served half
hog_end half
check_equal R07 "half: of all that was never said to its end nothing arrived" 0 \
    "$(lab_packets "$DENIED_IP" all)"
check_equal R07 "half: the log names it, and nobody else" "$LAB/bin/hog" "$(limited)"
check - "half: everything is given back" wait_for 20 small

# Answers that nobody reads fill pipes, of which there are fewer still.
truncate -s 4M "$LAB/www/big"
hog deaf "$THIRD_IP" 80 800 "$LAB/www/get"
pipes() { find "/proc/$proxy/fd" -mindepth 1 -lname 'pipe:*' | wc -l; }
full() { [ "$(pipes)" -ge $((pipes_all / 3)) ]; }
check - "deaf: it holds pipes" wait_for 20 full
served deaf
check R07 "deaf: it has not all of the pipes ($(pipes) of $pipes_all ends)" \
    test "$(pipes)" -lt $pipes_all
check_equal R07 "deaf: somebody else's answer of four mebibytes comes whole" $((4 << 20)) \
    "$(inside "curl -sS -m 30 https://allowed.example/big | wc -c")"
hog_end deaf
check - "deaf: everything is given back" wait_for 20 small

# Several at once, each with all that it can get, and one more.
for i in 1 2 3; do
    hog "one-of-three-$i" "$THIRD_IP" 7 2000 ''
done
served "three hogs"
for i in 1 2 3; do
    hog_end "one-of-three-$i"
    check R07 "three hogs: number $i got something ($open)" test "$open" -gt 100
done

inside_stop
check_equal - "the run ends well" 0 "$RUN_STATUS"
check_equal R07 "and the log is whole" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"
