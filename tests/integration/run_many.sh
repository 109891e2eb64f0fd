#!/bin/bash
# SPDX-License-Identifier: MIT
# Ten thousand connections to forty hosts at once: the interception must not mix up who asked for
# what, although all come from one address and many share a source port.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

ways=$LAB/bin/connect_ways
processes=10 each=1000

servers=()
for ((i = 1; i <= 20; i++)); do
    # The even half is allowed, the odd half is not.
    servers+=("198.18.0.$i" "198.18.1.$i")
    in_net ip address add "198.18.0.$i/32" dev lo
    in_net ip address add "198.18.1.$i/32" dev lo
done
lab_count even -d 198.18.0.0/24
lab_count odd -d 198.18.1.0/24

# The proxy holds two descriptors a connection.
ulimit -Hn 65536 && ulimit -n 65536
policy "198.18.0.0/24:80 exe=$ways"
behind --quiet -- bash -c 'port=80; for ((i = 0; i < $1; i++)); do
    connect_ways many "$port" "tag-$i" "${@:2}" & done; wait' - "$processes" "$each" "${servers[@]}"
total=$((processes * each))

# What the clients say that they did, against what the records say.
sort "$OUT" >"$LAB/work/said"
recorded()
{
    jq -r "select(.event == \"connect\" and .outcome == \"$1\" and .exe == \"$ways\") |
        \"\(.cmdline[3]) \(.src_port) \(.dst_ip)\"" "$AUDIT" | sort
}
check_equal P09 "every connection was made" "$total" "$(wc -l <"$LAB/work/said")"
check P09 "every allowed one is recorded: process, source port and host" \
    diff <(grep ' 198\.18\.0\.' "$LAB/work/said") <(recorded allowed)
# Identical denials of one process are folded: counted, and never more than were made.
check_equal P09 "every denied one is counted, by process and host" "" "$(diff <(grep ' 198\.18\.1\.' \
    "$LAB/work/said" | awk '{ n[$1 " " $3]++ } END { for (k in n) print k, n[k] }' | sort) \
    <(jq -r 'select(.event == "connect" and .outcome == "denied") |
        "\(.cmdline[3]) \(.dst_ip) \(.count // 1)"' "$AUDIT" |
        awk '{ n[$1 " " $2] += $3 } END { for (k in n) print k, n[k] }' | sort))"
check_equal P09 "with source ports that were its own" "" \
    "$(comm -13 "$LAB/work/said" <(recorded denied | sort -u))"
check_equal P09 "none is without its process" 0 \
    "$(records '.event == "connect" and (.exe == null or .reason == "unattributed")')"
check P09 "many share a source port" test "$(awk '{ print $2 }' "$LAB/work/said" | sort | uniq -d |
    wc -l)" -gt 0
check_equal P09 "the allowed half arrived" $((total / 2)) "$(lab_syns even)"
check_equal P09 "the other half did not" 0 "$(lab_packets odd all)"
lab_settle
check_equal P09 "each request came to the server that it was meant for" $((total / 2)) \
    "$(jq -r 'select((.uri | startswith("/tag-")) and (.server as $s | .uri | endswith("/" + $s))) |
        .uri' "$LAB/log/requests.jsonl" | sort -u | wc -l)"
