#!/bin/bash
# SPDX-License-Identifier: MIT
# Every record says who: processes that are gone at once, thousands of connections at once, programs
# that fork, thread, vanish or become others, two runs with the same inner addresses.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

tool=$LAB/bin/connect_once
ways=$LAB/bin/connect_ways
# How many processes are a swarm; fewer where the processor is emulated (tests/vm).
swarm=${EGRESS_SWARM:-1000} few=$((${EGRESS_SWARM:-1000} / 5))

# no_strangers ID NAME: nothing of the newest run is without its process.
no_strangers()
{
    check_equal "$1" "$2" 0 "$(records '.event != "start" and .event != "stop" and
        (.exe == null or .cmdline == null or .pid == null or .reason == "unattributed")')"
}

# told ADDRESS OUTCOME N: the N command lines of one `--many N`, sorted, as they should be, against
# those in the records.
told()
{
    local i want
    want=$(for ((i = 0; i < $3; i++)); do
        printf '%s connect_once --tag tag-%d -r -q %s 80 1\n' "$tool" "$i" "$1"
    done | sort)
    diff <(printf '%s\n' "$want") <(jq -r "select(.event == \"connect\" and .dst_ip == \"$1\" and
        .outcome == \"$2\") | .exe + \" \" + (.cmdline | join(\" \"))" "$AUDIT" | sort)
}

# P01, with /proc hidden from the keeper: what it knows of a process, the kernel told it.
policy "$THIRD_IP:80 exe=$tool"
mkfifo "$LAB/tmp/go"
chmod 666 "$LAB/tmp/go"
behind_begin
syns=$(lab_syns "$THIRD_IP")
many="connect_once --many $few -r -q"
lab_start hidden unshare --mount --propagation private -- "$EGRESS" run \
    "${RUN_OPTIONS[@]}" --policy "$POLICY" --user "$TESTER" --log "$AUDIT" -- sh -c "echo ready; read -r go <\"\$TMPDIR/go\"
    $many $THIRD_IP 80 1; $many $DENIED_IP 80 1; exit 0"
wait_for 10 grep -q ready "$LAB/log/hidden.log"
keeper=${LAB_PIDS[hidden]}
in_keeper() { nsenter --mount="/proc/$keeper/ns/mnt" -- "$@"; }
in_keeper mount -t tmpfs none /proc
check P01 "the command waits" grep -q ready "$LAB/log/hidden.log"
check_equal P01 "/proc is hidden from the keeper" "" "$(in_keeper ls -A /proc)"
check P01 "and from nobody else" test -e "/proc/$keeper/ns/mnt"
echo go >"$LAB/tmp/go"
behind_wait hidden
check P01 "$few processes at once, allowed: exe and full argv of each" told "$THIRD_IP" allowed "$few"
check P01 "$few processes at once, denied: exe and full argv of each" told "$DENIED_IP" denied "$few"
check_equal P01 "the allowed ones arrived, and no other" "$few 0" \
    "$(($(lab_syns "$THIRD_IP") - syns)) $(lab_syns "$DENIED_IP")"
check_equal P01 "each with its ancestors, user and cgroup" $((2 * few)) "$(records '.event == "connect" and
    (.ancestors | length) >= 2 and .ancestors[0].exe == .exe and .uid == '"$TESTER_UID"' and
    (.cgroup | startswith("/egress-filter-"))')"
no_strangers P01 "nobody was unattributed"

# More at once, with /proc as it is.
syns=$(lab_syns "$THIRD_IP")
behind -- connect_once --many "$swarm" -r -q "$THIRD_IP" 80 1
check P01 "$swarm processes at once: exe and full argv of each" told "$THIRD_IP" allowed "$swarm"
check_equal P01 "and all of them arrived" "$swarm" $(($(lab_syns "$THIRD_IP") - syns))
no_strangers P01 "nobody was unattributed, of $swarm"

# The ways of one program.
policy "$THIRD_IP:7"
# by_way WAY EXE: who the record names.
by_way()
{
    local id=$1 name=$2 exe=$3
    shift 3
    behind -- "$@"
    check_equal "$id" "$name" "OK allowed $exe" "$(tail -n 1 "$OUT") $(record_field \
        '.event == "connect"' '"\(.outcome) \(.exe)"')"
}
by_way - "a fork that executes nothing" "$ways" connect_ways fork "$THIRD_IP" 7
check_equal - "is a process of its own, with its parent" "true $ways" "$(record_field \
    '.event == "connect"' '"\(.pid != .ancestors[0].pid) \(.ancestors[0].exe)"')"
by_way B14 "a thread" "$ways" connect_ways thread "$THIRD_IP" 7
cp "$ways" "$LAB/tmp/gone"
chmod 777 "$LAB/tmp/gone"
chown "$TESTER_UID" "$LAB/tmp/gone"
by_way P04 "an executable that is deleted while it runs" "$LAB/tmp/gone" \
    "$LAB/tmp/gone" deleted "$THIRD_IP" 7
check P04 "which is deleted indeed" ! test -e "$LAB/tmp/gone"
ln -s "$ways" "$LAB/tmp/link"
by_way P04 "a symbolic link to it" "$ways" "$LAB/tmp/link" fork "$THIRD_IP" 7
behind -- connect_ways exec "$THIRD_IP" 7 "$(command -v sh)" -c \
    'echo hi; read -r answer; [ "$answer" = hi ]'
check_equal B14 "exec after connect: who connected" "0 allowed $ways" \
    "$STATUS $(record_field '.event == "connect"' '"\(.outcome) \(.exe)"')"

# The end of the command ends what it left behind; what that asked for is recorded all the same.
# Where the machine is so slow that the first is denied before the last is there, all are over.
behind -- bash -c 'for i in {1..20}; do connect_once --tag "$i" -r "$1" 80 & done
    until [ "$(grep -c " 01 " /proc/net/tcp)" -ge 20 ] || [ -z "$(jobs -r)" ]; do :; done; exit 0' - "$DENIED_IP"
check_equal - "connections still open at the end are recorded, with their processes" 20 "$(records \
    ".event == \"connect\" and .outcome == \"denied\" and .exe == \"$tool\"")"

# IPv6 and its forms.
policy "$THIRD_IP:7"
syns=$(lab_syns "$THIRD_IP") packets=$(lab_packets "$DENIED_IP" all)
behind -- sh -c 'connect_once -4 -r "$1" 7 5; connect_once -4 -r "$2" 7 5
    connect_once -4 -u "$2" 7 5; exit 0' - "$THIRD_IP" "$DENIED_IP"
check_equal B01 "an IPv4-mapped address is judged as IPv4" \
    "OK ECONNRESET 1 0" "$(sed -n 1,2p "$OUT" | paste -sd' ') $(($(lab_syns "$THIRD_IP") - \
    syns)) $(($(lab_packets "$DENIED_IP" all) - packets))"
check_equal B01 "and recorded as IPv4, by process" "tcp allowed $THIRD_IP, tcp denied $DENIED_IP, \
udp denied $DENIED_IP, " "$(jq -rj "select((.event == \"connect\" or .event == \"datagram\") and
    .exe == \"$tool\") | \"\(.proto) \(.outcome) \(.dst_ip), \"" "$AUDIT")"
no_strangers B01 "with its process"
if [ -d /proc/sys/net/ipv6 ]; then
    before=$(lab_ipv6)
    behind -- sh -c 'for a in "$1" 2002:5db8:d822::1 fe80::1 ff02::1; do
        connect_once "$a" 80; connect_once -u "$a" 80; done; exit 0' - "$ALLOWED_IP6"
    check_equal B01 "real IPv6 is refused at once: TCP, UDP, 6to4, link-local, multicast" \
        "8 EPERM" "$(grep -c . "$OUT") $(sort -u "$OUT")"
    check_equal B01 "and recorded, with the process" 8 "$(records ".type == \"ipv6\" and
        .outcome == \"denied\" and .reason == \"ipv6\" and .exe == \"$tool\"")"
    check_equal B01 "and nothing arrives" "$before" "$(lab_ipv6)"
else
    skip B01 "real IPv6 is refused" "the kernel has none"
fi

# Two runs at once, of two directories, with the same addresses inside: each its own log and names.
mkdir "$LAB/work/one" "$LAB/work/two"
mkfifo "$LAB/tmp/both"
chmod 666 "$LAB/tmp/both"
syns="$(lab_syns "$THIRD_IP") $(lab_syns "$DENIED_IP")"
for run in one two; do
    [ $run = one ] && mine=$THIRD_IP || mine=$DENIED_IP
    printf '%s:7\n' "$mine" >"$LAB/work/$run/egress.rules"
    (cd "$LAB/work/$run" && exec setpriv --pdeathsig KILL -- "$EGRESS" run "${RUN_OPTIONS[@]}" --user "$TESTER" -- sh -c \
        "echo ready; read -r go <\"\$TMPDIR/both\"; connect_once --many 40 --tag $run -r $THIRD_IP 7 5
        connect_once --many 40 --tag $run -r $DENIED_IP 7 5; exit 0") \
        >"$LAB/log/$run.log" 2>&1 </dev/null &
    LAB_PIDS["$run"]=$!
done
wait_for 10 grep -q ready "$LAB/log/one.log"
wait_for 10 grep -q ready "$LAB/log/two.log"
printf 'go\ngo\n' >"$LAB/tmp/both"
for run in one two; do
    behind_wait $run
    [ $run = one ] && mine=$THIRD_IP other=$DENIED_IP || mine=$DENIED_IP other=$THIRD_IP
    AUDIT=$LAB/work/$run/egress.jsonl
    check_equal P03 "run $run of two at once: its own processes and its own policy" "0 40 40 80" \
        "$STATUS $(records ".event == \"connect\" and .outcome == \"allowed\" and
        .dst_ip == \"$mine\"") $(records ".event == \"connect\" and .outcome == \"denied\" and
        .dst_ip == \"$other\"") $(records ".event == \"connect\" and
        (.cmdline | index(\"$run\")) and .src_ip == \"192.0.0.2\"")"
    no_strangers P03 "run $run of two at once: nobody was unattributed"
    check P03 "run $run of two at once: a chain of its own" "$EGRESS" verify --quiet "$AUDIT"
done
check_equal P03 "what both allowed arrived" "40 40" \
    "$(($(lab_syns "$THIRD_IP") - ${syns% *})) $(($(lab_syns "$DENIED_IP") - ${syns#* }))"
