#!/bin/bash
# SPDX-License-Identifier: MIT
# DNS behind the filter: who may ask what at whom, by every way to a resolver. Queries that may not
# leave are counted where they would have arrived.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

# dug ARGUMENT…: the status of the answer, its Extended DNS Error, and its records, on one line.
cat >"$LAB/bin/dug" <<'SCRIPT'
#!/bin/bash
dig +tries=1 +time=10 "$@" |
    awk '/status: / { sub(/,$/, "", $6); s = $6 } /; EDE: / { s = s " EDE" $3 }
         /^[^;]/ && NF > 4 && $4 != "SOA" { s = s " " $NF } END { print s == "" ? "silence" : s }'
SCRIPT
chmod +x "$LAB/bin/dug"

# asked ID NAME EXPECTED QUERIES ARGUMENT…: one query of dig's; % is a name of its own below
# wild.example. QUERIES of it must have come to a resolver.
asked()
{
    local id=$1 name=$2 want=$3 queries=$4 mark answer arrived
    shift 4
    mark=q$((RUNS + 1)).wild.example
    behind -- dug "${@//%/$mark}"
    answer=$(cat "$OUT")
    arrived=$(lab_queries "$mark")
    if [ "$answer" = "$want" ] && [ "$arrived" -eq "$queries" ]; then
        ok "$id" "$name"
    else
        not_ok "$id" "$name" "answer: $answer" "wanted: $want" "queries: $arrived of $queries" \
            "$(jq -c 'del(.ancestors)' "$AUDIT")" "$(cat "$ERR")"
    fi
}
allowed="NOERROR $ALLOWED_IP"
denied="NXDOMAIN EDE15"

# The name alone counts where the filter is the configured resolver.
policy '*.wild.example'
asked - "an allowed name at the configured resolver, UDP" "$allowed" 1 %
asked - "an allowed name at the configured resolver, TCP" "$allowed" 1 +tcp %
asked - "by its address" "$allowed" 1 "@$RESOLVER_IP" %
asked - "through 127.0.0.53" "$allowed" 1 @127.0.0.53 %
asked - "through 127.0.0.53, TCP" "$allowed" 1 +tcp @127.0.0.53 %
asked - "through 127.0.0.1" "$allowed" 1 @127.0.0.1 %
policy allowed.example
asked D01 "a denied name, UDP" "$denied" 0 %
check_equal D01 "is recorded with its name, type and resolver" "$(basename "$OUT" .out | \
    sed 's/run-/q/').wild.example A self NXDOMAIN /usr/bin/dig" \
    "$(record_field '.event == "query" and .policy == "deny" and .outcome == "denied"' \
        '[.name, .qtype, .resolver, .rcode, .exe] | join(" ")')"
asked D01 "a denied name, TCP" "$denied" 0 +tcp %
asked D01 "a denied name through 127.0.0.53" "$denied" 0 @127.0.0.53 %
asked D01 "a denied name through 127.0.0.1, TCP" "$denied" 0 +tcp @127.0.0.1 %
asked D01 "a denied name, TXT" "$denied" 0 TXT %
asked D01 "a denied name, AAAA" "$denied" 0 AAAA %

# At another resolver, name and address must both be allowed.
policy '*.wild.example'
before=$(lab_packets "$OTHER_RESOLVER_IP" all)
asked D02 "an allowed name at another resolver, UDP" "$denied" 0 "@$OTHER_RESOLVER_IP" %
asked D02 "an allowed name at another resolver, TCP" "$denied" 0 +tcp "@$OTHER_RESOLVER_IP" %
check_equal D02 "where not one packet came" "$before" "$(lab_packets "$OTHER_RESOLVER_IP" all)"
policy '*.wild.example' "$OTHER_RESOLVER_IP:53/udp"
asked - "with a rule for its address" "$allowed" 1 "@$OTHER_RESOLVER_IP" %
check - "the query went there" test "$(lab_packets "$OTHER_RESOLVER_IP" udp)" -gt 0
asked - "which covers TCP too" "$allowed" 1 +tcp "@$OTHER_RESOLVER_IP" %
policy "$OTHER_RESOLVER_IP:53/udp"
asked D01 "a rule for the resolver alone allows no name" "$denied" 0 "@$OTHER_RESOLVER_IP" %
before=$(lab_packets "$RESOLVER_IP" all)
asked D04 "DNS at a port of no rule" "silence" 0 -p 5353 "@$RESOLVER_IP" %
check_equal D04 "where not one packet came" "$before" "$(lab_packets "$RESOLVER_IP" all)"

# What an answer may hold.
policy dual.example ech.example dns:long.example alias.example nowhere.example v6.example
behind -- sh -c 'dug AAAA dual.example; dug AAAA v6.example; dug HTTPS ech.example
    dug A DUAL.Example; dug nowhere.example; dug alias.example'
mapfile -t lines <"$OUT"
check_equal D09 "AAAA is empty" "NOERROR NOERROR" "${lines[0]:-} ${lines[1]:-}"
check_equal D09 "HTTPS is empty" NOERROR "${lines[2]:-}"
check_equal - "A of the same name, in other letters, is not" "$allowed" "${lines[3]:-}"
check_equal - "an allowed name that does not exist" NXDOMAIN "${lines[4]:-}"
check_equal - "an alias is followed by the resolver" "NOERROR allowed.example. $ALLOWED_IP" \
    "${lines[5]:-}"
behind -- sh -c 'dig +notcp +ignore +bufsize=1232 TXT long.example; echo; dig TXT long.example'
check - "a long answer by UDP is cut" grep -q '^;; flags:[^;]* tc' "$OUT"
check_equal - "and whole by TCP" 8 "$(grep -c '^long.example\..*TXT' "$OUT")"

# Messages that are none: no answer, a record, and nothing leaves.
cat >"$LAB/bin/say_dns" <<'SCRIPT'
#!/bin/bash
# say_dns HEX: one datagram to the resolver, then a question that is good and is answered.
printf "$(sed 's/../\\x&/g' <<<"$1")" >"$TMPDIR/message.$$"
cat "$TMPDIR/message.$$" >/dev/udp/"$RESOLVER_IP"/53
rm "$TMPDIR/message.$$"
dug q.wild.example
SCRIPT
chmod +x "$LAB/bin/say_dns"
export RESOLVER_IP
policy '*.wild.example'
name=01620477696c64076578616d706c6500 # b.wild.example
before=$(lab_queries b.wild.example)
while read -r what hex; do
    behind -- say_dns "$hex"
    check_equal D03 "malformed: ${what//_/ }" "1 $allowed" \
        "$(records '.type == "dns" and .reason == "malformed" and .outcome == "denied"') $(cat "$OUT")"
done <<MESSAGES
a_header_alone 123401000001000000000000
cut_in_the_name 123401000001000000000000016204
two_questions 123401000002000000000000${name}00010001${name}00010001
a_pointer_to_itself 123401000001000000000000c00c00010001
a_label_of_64 12340100000100000000000040${name}00010001
bytes_behind_the_end 123401000001000000000000${name}00010001ffff
an_answer 123481000001000000000000${name}00010001
an_opcode_that_is_no_query 123428000001000000000000${name}00060001
more_bytes_than_any_query 123401000001000000000000${name}00010001$(printf '00%.0s' {1..4096})
MESSAGES
check_equal D03 "none of them left" "$before" "$(lab_queries b.wild.example)"

# Two messages in one segment, and one in many.
cat >"$LAB/bin/say_stream" <<'SCRIPT'
#!/bin/bash
# say_stream HEX…: each argument is one write; prints how many bytes of answers came.
exec 3<>/dev/tcp/"$RESOLVER_IP"/53
for hex; do
    printf "$(sed 's/../\\x&/g' <<<"$hex")" >"$TMPDIR/part.$$"
    cat "$TMPDIR/part.$$" >&3
done
rm "$TMPDIR/part.$$"
timeout 5 head -c "$WANT" <&3 | wc -c
SCRIPT
chmod +x "$LAB/bin/say_stream"
query=00201234010000010000000000000162${name:4}00010001
other=00201235010000010000000000000664656e696564${name:14}00010001 # denied.example
export WANT=40
before=$(lab_queries b.wild.example)
behind -- say_stream "$query$other"
check_equal D03 "two messages in one segment are both judged" "1 1" \
    "$(records '.event == "query" and .name == "b.wild.example" and .outcome == "allowed"') $(records \
        '.name == "denied.example" and .outcome == "denied"')"
mapfile -t bytes < <(fold -w 2 <<<"$query")
behind -- say_stream "${bytes[@]}"
check_equal D03 "one message in many segments is judged" 1 \
    "$(records '.event == "query" and .name == "b.wild.example" and .outcome == "allowed"')"
check_equal D03 "what was allowed of them left, and no more" "2 0" \
    "$(($(lab_queries b.wild.example) - before)) $(lab_queries denied.example)"

# Resolvers that fail.
in_net iptables -t raw -A LAB -d "$THIRD_IP" -p udp --dport 53 -j DROP
behind --resolver "$THIRD_IP" -- dug a.wild.example
check_equal - "a resolver that does not answer" "SERVFAIL failed resolver-timeout" \
    "$(cat "$OUT") $(record_field '.event == "answer"' '"\(.outcome) \(.error)"')"
check - "although it was asked" test "$(lab_packets "$THIRD_IP" udp)" -gt 0
in_net iptables -t raw -D LAB -d "$THIRD_IP" -p udp --dport 53 -j DROP
behind --resolver "$THIRD_IP" -- dug a.wild.example
check_equal - "a resolver that refuses" "SERVFAIL failed resolver-refused" \
    "$(cat "$OUT") $(record_field '.event == "answer"' '"\(.outcome) \(.error)"')"
behind --resolver "$THIRD_IP" --resolver "$RESOLVER_IP:5353" -- dug a.wild.example
check_equal - "the next one is asked, at its own port" "$allowed" "$(cat "$OUT")"

# resolv.conf names a resolver that is not there.
unreachable=192.0.2.53
lab_watch "$unreachable"
sed -i "s/^nameserver .*/nameserver $unreachable/" /etc/resolv.conf
behind --resolver "$RESOLVER_IP" -- getent ahostsv4 one.wild.example
check_equal - "the filter asks the resolver that was given" "$ALLOWED_IP" \
    "$(awk 'NR == 1 { print $1 }' "$OUT")"
check_equal - "and nothing came to the one in resolv.conf" 0 "$(lab_packets "$unreachable" all)"

# What was learnt outlives the process that learnt it: a connection without a name of its own is
# judged by names looked up before the proxy was killed.
sed -i "s/^nameserver .*/nameserver $RESOLVER_IP/" /etc/resolv.conf
policy third.example:7
mkfifo "$LAB/tmp/go"
chmod 666 "$LAB/tmp/go"
behind_start learnt -- sh -c 'dug third.example; connect_once -r '"$THIRD_IP"' 7 5
    read -r go <"$TMPDIR/go"; connect_once -r '"$THIRD_IP"' 7 5'
wait_for 10 grep -q '^OK' "$OUT"
proxy_of()
{
    local pid
    for pid in $(pgrep -P "$1"); do
        grep -qz '^proxy' "/proc/$pid/cmdline" && echo "$pid"
    done
}
old=$(proxy_of "${LAB_PIDS[learnt]}")
check - "the proxy is found" test -n "$old"
kill -KILL "$old"
echo go >"$LAB/tmp/go"
behind_wait learnt
check_equal R01 "names learnt before kill -9 of the proxy still count" \
    "NOERROR $THIRD_IP OK OK 0" "$(sed -n 1,3p "$OUT" | grep -v ^egress | paste -sd' ') $STATUS"
check_equal R01 "with no look-up in between" 1 "$(records '.event == "answer"')"

replayed
