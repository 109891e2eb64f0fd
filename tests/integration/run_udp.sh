#!/bin/bash
# SPDX-License-Identifier: MIT
# UDP other than DNS: what a rule allows is relayed, judged once, whole, both ways; what none allows
# never arrives; and DNS is seen wherever it goes.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

TOOL=$LAB/bin/udp_ways
# echoed PATTERN: how many datagrams the echo has seen that match.
echoed() { grep -c "^udp $1" "$LAB/log/echo.log"; }
# opened [FILTER]: connect records of UDP that were allowed.
opened() { records ".event == \"connect\" and .type == \"udp\" and .outcome == \"allowed\" and (${1:-true})"; }
closed() { records '.event == "close" and .type == "udp"'; }
# proxy_of RUN, packet_of RUN: of a run in the background.
role_of()
{
    local pid
    for pid in $(pgrep -P "${LAB_PIDS[$2]}"); do
        grep -qz "^$1" "/proc/$pid/cmdline" && echo "$pid"
    done
}
# judged RUN: packets that were ever put into the queue of its gate.
judged()
{
    nsenter --net="/proc/$(role_of packet "$1")/ns/net" -- \
        awk '{ print $8 }' /proc/net/netfilter/nfnetlink_queue
}
mkfifo "$LAB/tmp/go"
chmod 666 "$LAB/tmp/go"

# Allowed, and what is told of it.
policy "$THIRD_IP:7/udp"
before=$(lab_packets "$THIRD_IP" udp)
behind -- connect_once -u -r "$THIRD_IP" 7 5
check_equal - "an allowed datagram is answered, from the address that was asked" OK "$(cat "$OUT")"
check_equal - "by one datagram to the server" 1 $(($(lab_packets "$THIRD_IP" udp) - before))
check_equal - "recorded as a connection, with the process" \
    "connect allow allowed $THIRD_IP 7 $LAB/bin/connect_once" "$(record_field '.type == "udp"' \
        '[.event, .policy, .outcome, .dst_ip, .dst_port, .exe] | join(" ")')"
check_equal - "and its end with the bytes of both ways" "5 5 number null" "$(record_field \
    '.event == "close"' '"\(.bytes_up) \(.bytes_down) \(.duration_ms | type) \(.error)"')"
check_equal - "under one number" 1 "$(jq -r 'select(.type == "udp") | .conn' "$AUDIT" | sort -u |
    wc -l)"

# Every call that sends, allowed and denied; the denied at once.
for way in sendto sendmsg sendmmsg connected mapped; do
    policy "$THIRD_IP:7/udp"
    before=$(lab_packets "$DENIED_IP" all)
    behind -- sh -c "udp_ways by $way $THIRD_IP 7; udp_ways by $way $DENIED_IP 7"
    check_equal B02 "$way: one passes, one is refused" "OK ECONNREFUSED" "$(paste -sd' ' "$OUT")"
    check_equal B02 "$way: both are recorded with the process" "connect $TOOL, datagram $TOOL, " \
        "$(jq -rj 'select(.event == "connect" or .event == "datagram") |
            "\(.event) \(.exe), "' "$AUDIT")"
    check_equal B02 "$way: the denied one never arrives" "$before" "$(lab_packets "$DENIED_IP" all)"
done

# A flow is judged once; the largest datagrams go both ways.
behind_start long -- sh -c 'udp_ways run "$1" 7 1000 100; read -r go <"$TMPDIR/go"
    udp_ways run "$1" 7 20 65507' - "$THIRD_IP"
wait_for 30 grep -q 1000 "$OUT"
check_equal - "1,000 datagrams of one flow take one verdict" "1000 1" "$(cat "$OUT") $(judged long)"
echo go >"$LAB/tmp/go"
behind_wait long
check_equal B13 "20 datagrams of 65,507 bytes come back whole" 20 "$(grep -v ^1000 "$OUT" | head -n1)"
check_equal - "and every byte is counted" "$((20 * 65507)) $((20 * 65507))" \
    "$(jq -r 'select(.event == "close") | "\(.bytes_up) \(.bytes_down)"' "$AUDIT" | tail -n 1)"

# Many at once.
behind -- udp_ways many "$THIRD_IP" 7 1000
check_equal - "1,000 flows at once are answered" 1000 "$(cat "$OUT")"
check_equal - "recorded and closed one by one" "1000 1000" "$(opened) $(closed)"
behind -- udp_ways many "$THIRD_IP" 7 4500
check_equal R07 "more than there may be make room for each other" 0 "$STATUS"
check_equal R07 "those that had to go say so" true "$(jq -n --argjson n \
    "$(records '.event == "close" and .error == "limit"')" '$n > 0')"
check_equal R07 "and each has its end" "$(opened)" "$(closed)"

# A server that is not there, a place that no datagram reaches, no rule that opens it.
policy "$DENIED_IP:9/udp" "192.0.0.0/30:*/udp" "224.0.0.0/4:*/udp" "$GATEWAY_IP/32:*/udp"
behind -- udp_ways talk recverr=1 to="$DENIED_IP:9" wait=1000 one wait=9000 two
check_equal - "the client hears of the refusal with its next datagram" "silence ECONNREFUSED" \
    "$(paste -sd' ' "$OUT")"
check_equal - "which is in the log" "upstream-refused upstream-refused" \
    "$(jq -r 'select(.error) | .error' "$AUDIT" | paste -sd' ')"
before=$(lab_packets any all)
behind -- sh -c 'for to in 192.0.0.1:7 192.0.0.1:9999 192.0.0.3:7 224.0.0.1:7 239.1.2.3:5353; do
    udp_ways talk recverr=1 wait=300 to=$to x; done'
check_equal B09 "the gate itself and groups are no servers, whatever a rule says" 0 \
    "$(opened)"
check_equal B09 "recorded so" "unsupported" "$(jq -r 'select(.event == "datagram") | .reason' \
    "$AUDIT" | sort -u)"
check_equal B09 "and nothing leaves" "$before" "$(lab_packets any all)"

# A name opens no UDP, wherever it lies, and whatever its rule says.
policy 'private.example:7/udp private' 'metadata.example:7/udp private' 'third.example:7/udp'
before=$(lab_packets any all)
asked=$(lab_packets "$RESOLVER_IP" all)
behind -- sh -c 'for name in private metadata third; do
    to=$(dig +short "$name.example")
    udp_ways talk recverr=1 to="$to:7" "$name"; done'
check_equal B17 "UDP to what was looked up, private or not, is refused" \
    "ECONNREFUSED ECONNREFUSED ECONNREFUSED" "$(paste -sd' ' "$OUT")"
check_equal B17 "recorded so, with the name" "private.example metadata.example third.example" \
    "$(jq -r 'select(.event == "datagram" and .outcome == "denied") | .host' "$AUDIT" | paste -sd' ')"
check_equal B17 "and nothing but the three questions leaves" "3 3" \
    "$(($(lab_packets any all) - before)) $(($(lab_packets "$RESOLVER_IP" all) - asked))"

# The relay's own sockets hear their server alone.
policy "$THIRD_IP:7/udp"
behind_start standing -- sh -c 'udp_ways talk to='"$THIRD_IP"':7 hello read again <"$TMPDIR/go"'
exec {go}<>"$LAB/tmp/go"
wait_for 10 grep -q hello "$OUT"
upstream=$(sed -n "s/^udp $HOST_IP:\([0-9]*\) 5$/\1/p" "$LAB/log/echo.log" | tail -n 1)
udp_ways talk wait=200 to="$HOST_IP:$upstream" forged >"$LAB/work/forged"
in_net udp_ways talk wait=200 to="$HOST_IP:$upstream" forged >>"$LAB/work/forged"
echo go >&"$go"
behind_wait standing
check_equal B09 "a stranger's datagram to the relay's port goes nowhere" "hello again 10 10" \
    "$(grep -v : "$OUT" | head -n 2 | paste -sd' ') $(record_field '.event == "close"' \
        '"\(.bytes_up) \(.bytes_down)"')"

# Sockets with options; who sends is who is named.
behind -- sh -c 'for option in tos=184 port=4444 from=192.0.0.2 freebind=1; do
        udp_ways talk $option to="$1":7 ok; udp_ways talk recverr=1 $option to="$2":7 no; done' \
    - "$THIRD_IP" "$DENIED_IP"
check_equal B16 "a bound port, an address, TOS change nothing" \
    "ok ECONNREFUSED ok ECONNREFUSED ok ECONNREFUSED ok ECONNREFUSED" \
    "$(grep -v ^egress "$OUT" | paste -sd' ')"
behind --allow-privileges --user root -- sh -c '
    for option in mark=2 mark=1 device=egress0 transparent=1 port=80; do
        udp_ways talk $option to="$1":7 ok; udp_ways talk recverr=1 $option to="$2":7 no; done' \
    - "$THIRD_IP" "$DENIED_IP"
check_equal B10 "root's marks and devices neither" 5 "$(opened "$(printf '.dst_ip == "%s"' \
    "$THIRD_IP")")"
check_equal B10 "what no rule allows is denied" "5 $DENIED_IP" "$(jq -s 'map(select(.event ==
    "datagram" and .outcome == "denied") | .count // 1) | add' "$AUDIT") $DENIED_IP"
check_equal B16 "and never arrives" 0 "$(lab_packets "$DENIED_IP" all | awk -v n="$(lab_packets \
    "$DENIED_IP" icmp)" '{ print n }')"

# A port that another program uses again, and a socket that it inherits.
cp "$TOOL" "$LAB/bin/one"
cp "$TOOL" "$LAB/bin/two"
policy "$THIRD_IP:7/udp exe=$LAB/bin/one"
before=$(lab_packets "$THIRD_IP" udp)
behind -- sh -c 'one talk port=4567 to="$1":7 mine; two talk port=4567 recverr=1 \
    to="$1":7 wait=500 stolen wait=9000 stolen' - "$THIRD_IP"
check_equal B16 "a port that is used again is not its first user's flow" "mine silence ECONNREFUSED" \
    "$(paste -sd' ' "$OUT")"
check_equal B16 "what the second sends is recorded as his and denied" "$LAB/bin/two no-rule" \
    "$(record_field '.event == "datagram"' '"\(.exe) \(.reason)"')"
check_equal B16 "the first one's flow ends with it" owner-changed \
    "$(record_field '.event == "close"' .error)"
check_equal B16 "and the server sees the first one's alone" 1 \
    $(($(lab_packets "$THIRD_IP" udp) - before))
before=$(lab_packets "$THIRD_IP" udp)
behind -- one share "$THIRD_IP" 7 "$LAB/bin/two"
check_equal B14 "nor is a socket that another program inherits" "1 $LAB/bin/two" \
    "$(($(lab_packets "$THIRD_IP" udp) - before)) $(record_field '.event == "datagram"' .exe)"
policy "$THIRD_IP:7/udp"
behind -- sh -c 'one talk port=4568 to="$1":7 mine; two talk port=4568 to="$1":7 yours' - \
    "$THIRD_IP"
check_equal B16 "where both may, each is named for what is his" \
    "mine yours $LAB/bin/one 4 $LAB/bin/two 5" "$(paste -sd' ' "$OUT") $(jq -r \
        'select(.event == "close") | "\(.exe) \(.bytes_up)"' "$AUDIT" | paste -sd' ')"

# One socket, DNS and something else, in both orders. The resolver listens at two ports.
policy "$RESOLVER_IP:5353/udp" "$RESOLVER_IP:53/udp" "$THIRD_IP:7/udp" '*.wild.example'
queries=$(lab_queries secret.denied.example)
behind -- udp_ways talk to="$THIRD_IP:7" hello dns:secret.denied.example \
    to="$RESOLVER_IP:5353" wait=500 no-dns wait=9000 dns:b11.wild.example \
    dns:secret.denied.example wait=500 again
check_equal B11 "a flow that begins as another is judged when DNS goes through it" \
    "hello rcode 3 silence rcode 0 $ALLOWED_IP rcode 3 silence" \
    "$(paste -sd' ' "$OUT")"
check_equal B11 "each question is recorded" "denied allowed denied" \
    "$(jq -r 'select(.event == "query") | .outcome' "$AUDIT" | paste -sd' ')"
check_equal B11 "the echo never saw the one to it" 0 "$(echoed '.* 39$')"
behind -- udp_ways talk to="$RESOLVER_IP:53" dns:b11.wild.example wait=500 no-dns wait=9000 \
    dns:secret.denied.example to="$THIRD_IP:7" hello to="$RESOLVER_IP:53" wait=500 no-dns
check_equal B11 "and one that begins as DNS carries nothing else" \
    "rcode 0 $ALLOWED_IP silence rcode 3 hello silence" "$(paste -sd' ' "$OUT")"
check_equal B11 "what is no DNS is dropped and recorded" true \
    "$(jq -s 'map(select(.reason == "malformed")) | length > 0' "$AUDIT")"
check_equal B11 "no denied question arrived" "$queries" "$(lab_queries secret.denied.example)"
check_equal B11 "and the allowed ones did" 2 "$(lab_queries b11.wild.example)"
behind -- sh -c 'dig +short +tries=1 -p 5353 @"$1" d04.wild.example
    dig +tries=1 +time=2 -p 5353 @"$1" denied.example | grep -o "status: [A-Z]*"' - "$RESOLVER_IP"
check_equal D04 "DNS at another port of an allowed resolver is DNS" \
    "$ALLOWED_IP status: NXDOMAIN" "$(paste -sd' ' "$OUT")"
check_equal D04 "answered by that resolver, recorded so" "d04.wild.example $RESOLVER_IP 5353" \
    "$(record_field '.event == "answer"' '"\(.name) \(.resolver) \(.dst_port)"')"
policy "$THIRD_IP:7/udp" '*.wild.example'
before=$(lab_packets "$RESOLVER_IP" all)
behind -- sh -c 'udp_ways talk recverr=1 to="$1":853 dns:x.wild.example quic' - \
    "$RESOLVER_IP"
check_equal D05 "DNS over QUIC or DTLS at a resolver of no rule" "ECONNREFUSED ECONNREFUSED" \
    "$(paste -sd' ' "$OUT")"
check_equal D05 "never leaves" "$before" "$(lab_packets "$RESOLVER_IP" all)"

# Raw packets in the command's own network, sent by root from outside its cgroup.
behind_start guarded -- sh -c 'echo ready; read -r go <"$TMPDIR/go"'
wait_for 10 grep -q ready "$OUT"
for inside in $(pgrep -P "${LAB_PIDS[guarded]}"); do
    grep -qz '^role' "/proc/$inside/cmdline" || break
done
in_command() { nsenter --net="/proc/$inside/ns/net" -- "$@"; }
port=5000
raw() { in_command udp_ways raw "$1" "${3:-192.0.0.2}" $((port += 1)) "$2" 7; }
arrived() { [ "$(echoed '.* 40$')" -ge "$1" ]; }
before=$(lab_packets "$DENIED_IP" all)
sent=0
for how in whole tiny backwards options; do
    raw "$how" "$THIRD_IP" >/dev/null
    raw "$how" "$DENIED_IP" >/dev/null
    sent=$((sent + 1))
    check B13 "$how: put together, judged, and passed where a rule allows" \
        wait_for 5 arrived "$sent"
done
for how in overlap endless source-route; do
    raw "$how" "$THIRD_IP" >/dev/null
    raw "$how" "$DENIED_IP" >/dev/null
done
raw whole "$THIRD_IP" 192.0.0.1 >/dev/null
raw whole "$THIRD_IP" 93.184.216.34 >/dev/null
raw whole "$THIRD_IP" >/dev/null # the last: what came before it would be there
check B13 "an honest one afterwards arrives" wait_for 5 arrived $((sent + 1))
check_equal B13 "overlapping, endless, routed and forged ones do not" $((sent + 1)) \
    "$(echoed '.* 40$')"
check_equal B13 "and none of all reaches where no rule leads" "$before" \
    "$(lab_packets "$DENIED_IP" all)"
echo go >&"$go"
behind_wait guarded

# The proxy dies in mid-flow.
behind_start killed -- udp_ways pump "$THIRD_IP" 7 "$LAB/tmp/enough"
pumped_more() { [ "$(echoed '.* 33$')" -gt $((pumped + 3)) ]; }
pumped=0
check R01 "a flow is under way" wait_for 10 pumped_more
old=$(role_of proxy killed)
kill -STOP "${LAB_PIDS[killed]}"
kill -KILL "$old"
wait_for 5 lab_gone "$old"
pumped=$(echoed '.* 33$')
before=$(lab_packets "$THIRD_IP" udp)
# The pump goes on meanwhile: at least one datagram more is sent and waits for nobody.
queued() { [ "$(judged killed)" -gt 1 ]; }
check R01 "with the proxy its flow is gone: what is sent is queued again" wait_for 5 queued
check_equal R01 "and goes nowhere" "$before" "$(lab_packets "$THIRD_IP" udp)"
kill -CONT "${LAB_PIDS[killed]}"
check R01 "with another proxy the flow goes on" wait_for 10 pumped_more
touch "$LAB/tmp/enough"
behind_wait killed
check_equal R01 "judged anew, with a gap in the log" "2 1" "$(opened) $(records '.event == "gap"')"
check_equal R01 "by as many sockets as there are records" 2 \
    "$(sed -n 's/^udp .*:\([0-9]*\) 33$/\1/p' "$LAB/log/echo.log" | sort -u | wc -l)"

# A real protocol: DTLS, with certificates and a handshake of its own.
mkfifo "$LAB/tmp/dtls"
exec {dtls}<>"$LAB/tmp/dtls"
echo welcome >&"$dtls"
lab_start dtls nsenter --net="$LAB/net" -- sh -c 'exec openssl s_server -dtls -quiet -accept "$1" \
    -cert "$2.crt" -key "$2.key" <"$3"' - "$THIRD_IP:4433" "$LAB/ca/good" "$LAB/tmp/dtls"
listens() { in_net ss -Hlun "sport = :4433" | grep -q .; }
wait_for 5 listens
policy "$THIRD_IP:4433/udp"
behind_start dtls-client -- sh -c '{ echo hello; read -r go <"$TMPDIR/go"; } | openssl s_client \
    -dtls -brief -verify_return_error -CAfile "$SSL_CERT_FILE" -connect "$1":4433' - "$THIRD_IP"
check - "DTLS: the client verifies the server and hears it" wait_for 10 grep -qx welcome "$OUT"
check - "and the server hears the client" wait_for 10 grep -qx hello "$LAB/log/dtls.log"
echo go >&"$go"
behind_wait dtls-client
check_equal - "in one flow" "1 1" "$(opened) $(closed)"

# In audit mode everything passes and says what it would have been.
policy allowed.example
behind --audit -- connect_once -u -r "$THIRD_IP" 7 5
check_equal - "audit mode lets it pass" "OK deny allowed no-rule" "$(cat "$OUT") $(record_field \
    '.event == "connect"' '[.policy, .outcome, .reason] | join(" ")')"

replayed
