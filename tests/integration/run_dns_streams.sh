#!/bin/bash
# SPDX-License-Identifier: MIT
# DNS over TCP as nobody should speak it, resolvers of zones, and questions that are still open when
# the command has ended.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
export RESOLVER_IP OTHER_RESOLVER_IP

total()
{
    jq -s "map(select($1) | .count // 1) | add // 0" "$AUDIT"
}

policy '*.wild.example' third.example
behind -- dns_stream "$RESOLVER_IP" cuts a.wild.example
check_equal D03 "a message cut in two at every byte" "33 of 33" "$(cat "$OUT")"
check_equal D03 "is one question each time" 33 "$(records '.event == "query"')"
behind -- dns_stream "$RESOLVER_IP" many 500 b.wild.example
check_equal D03 "500 connections at once" "500 500" "$(cat "$OUT") $(records \
    '.event == "query" and .outcome == "allowed"')"
behind -- dns_stream "$RESOLVER_IP" many 1500 b.wild.example
check D03 "of more than there may be, those that are served are served whole" \
    test "$(cat "$OUT")" -ge 1000 -a "$(records '.event == "query" and .outcome == "allowed"')" \
    -ge "$(cat "$OUT")"
before=$(lab_packets "$RESOLVER_IP" all)
for length in 0 1 12 31 4097 65535; do
    behind -- dns_stream "$RESOLVER_IP" lie "$length" c.wild.example
    check_equal D03 "a length that lies, $length for 32: nothing is answered" "closed 0" \
        "$(cat "$OUT") $(total '.event == "query" and .outcome == "allowed"')"
done
behind -- dns_stream "$RESOLVER_IP" lie 33 c.wild.example
check_equal D03 "a length that is one too much: nothing is answered, and the end is recorded" \
    "closed 1 denied malformed" "$(cat "$OUT") $(total '.event == "query"') $(record_field \
        '.event == "query"' '"\(.outcome) \(.reason)"')"
behind -- dns_stream "$RESOLVER_IP" half c.wild.example
check_equal D03 "a message whose last byte does not come is not waited for for ever" \
    "closed 1 denied limit" "$(cat "$OUT") $(total '.event == "query"') $(record_field \
        '.event == "query"' '"\(.outcome) \(.reason)"')"
check_equal D03 "of all these not one packet left" "$before" "$(lab_packets "$RESOLVER_IP" all)"
behind -- dns_stream "$RESOLVER_IP" flood denied.example d.wild.example
check_equal D10 "one that asks without end what is denied: others are answered meanwhile" answered \
    "$(cat "$OUT")"

# A resolver of a zone: asked for its names alone, and nobody else for them.
in_net iptables -t raw -A LAB -d "$THIRD_IP" -p udp --dport 53 -j DROP
slow()
{
    lab_packets "$THIRD_IP" udp
}
silent=$(slow)
policy '*.wild.example' third.example
behind --resolver "slow.wild.example=$THIRD_IP" -- dns_stream "$RESOLVER_IP" order \
    x.slow.wild.example d.wild.example
check_equal - "answers on one connection leave as they come, not as they were asked for" "2 1" \
    "$(cat "$OUT")"
check - "the zone's resolver was asked" test "$(slow)" -gt "$silent"
check_equal - "and nobody else for its names" 0 "$(lab_queries x.slow.wild.example)"
check_equal - "who does not answer: SERVFAIL, recorded" "failed SERVFAIL resolver-timeout" \
    "$(record_field '.event == "answer" and .name == "x.slow.wild.example"' \
        '"\(.outcome) \(.rcode) \(.error)"')"
silent=$(slow)
behind --resolver "wild.example=$THIRD_IP" --resolver "e.wild.example=$RESOLVER_IP:5353" \
    --resolver "$RESOLVER_IP" -- sh -c 'dig +short e.wild.example; dig +short a.E.wild.example
    dig +short third.example'
check_equal - "the longest zone counts, in any letters, and what is in none has the plain one" \
    "$ALLOWED_IP $ALLOWED_IP $THIRD_IP" "$(paste -sd' ' "$OUT")"
check_equal - "and nobody asked the shorter one" "$silent" "$(slow)"
behind --resolver "corp.example=$THIRD_IP" -- dig +short third.example
check_equal - "where all are for zones the host's own is asked for the rest" "$THIRD_IP" \
    "$(cat "$OUT")"
while IFS='|' read -r value words; do
    behind --resolver "$value" -- true
    check_equal - "--resolver $value" \
        "125 egress-filter: option '--resolver' cannot be '$value': $words" "$STATUS $(head -n 1 "$ERR")"
done <<'VALUES'
corp.example=nobody|a DNS server is an IPv4 address, such as 192.0.2.1, perhaps with a port
corp.example|a DNS server is an IPv4 address, such as 192.0.2.1, perhaps with a port
corp..example=192.0.2.1|before '=' stands a zone, such as corp.example
=192.0.2.1|before '=' stands a zone, such as corp.example
*.corp.example=192.0.2.1|a zone stands for all names below it; write it without '*.'
corp.example=192.0.2.1:0|a port is a number from 1 to 65535
corp.example=192.0.2.1:65536|a port is a number from 1 to 65535
corp.example=2001:db8::1|DNS servers are asked over IPv4 only; write an address such as 192.0.2.1
0.0.0.0|0.0.0.0 is nobody's address
VALUES

# The same question, asked by many at a time, leaves once; each is answered and recorded.
policy '*.wild.example'
silent=$(slow)
behind --resolver "$THIRD_IP" -- sh -c 'for i in 1 2 3 4 5 6 7 8; do
    dig +tries=1 +time=20 j.wild.example | grep -o "status: [A-Z]*" & done; wait'
check_equal - "one question of eight who wait at once: as many packets as one needs" \
    "8 status: SERVFAIL 8 3" "$(sort "$OUT" | uniq -c | sed 's/^ *//') $(records \
        '.event == "answer" and .error == "resolver-timeout"') $(($(slow) - silent))"

# Questions that are open when the command has ended: nobody waits for their answers any more.
mkfifo "$LAB/tmp/go"
chmod 666 "$LAB/tmp/go"
silent=$(slow)
behind_start open --resolver "$THIRD_IP" -- sh -c 'for i in 1 2 3; do
    dig +tries=1 +time=20 k$i.wild.example >/dev/null & done; read -r go <"$TMPDIR/go"'
three_came()
{
    [ "$(slow)" -ge $((silent + 3)) ]
}
check - "three questions are on their way" wait_for 10 three_came
echo go >"$LAB/tmp/go"
behind_wait open
check_equal - "open questions end with the command, each with its record" "0 3 3 0" \
    "$STATUS $(records '.event == "query" and .outcome == "allowed"') $(records \
        '.event == "answer" and .outcome == "failed" and .error == "interrupted"') $(records \
        '.policy == "deny"')"
in_net iptables -t raw -D LAB -d "$THIRD_IP" -p udp --dport 53 -j DROP

# More addresses than one record holds: all of them are learnt, and all are in the log.
zone=$LAB/conf/example.zone
for ((i = 1; i <= 60; i++)); do
    echo "crowd A 93.184.217.$i"
done >>"$zone"
lab_stop unbound
lab_start unbound nsenter --net="$LAB/net" -- "$LAB/bin/lab-unbound" -d -c "$LAB/conf/unbound.conf"
wait_for 10 lab_answers
for i in 1 33 60; do
    in_net ip address add "93.184.217.$i/32" dev lo
done
policy crowd.example:7
behind -- sh -c 'dig +tcp crowd.example >/dev/null
    for i in 1 33 60; do connect_once -r 93.184.217.$i 7 5; done'
check_equal - "60 addresses of a name are learnt" "OK OK OK 60" "$(grep -o '^OK' "$OUT" |
    paste -sd' ') $(jq -r 'select(.event == "answer") | .answers[].ip' "$AUDIT" | sort -u | wc -l)"
check_equal - "in as many records as they need" 2 "$(records '.event == "answer"')"

replayed
