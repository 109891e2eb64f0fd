#!/bin/bash
# SPDX-License-Identifier: MIT
# What a connection is, whenever its bytes come: before the server's or after them, late, in pieces,
# or behind a command that turns plaintext into TLS. What the servers heard is the proof.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
# shellcheck source=tests/lab/converse.sh
. "$LAB_DIR/converse.sh"

W=$LAB/www # the unprivileged user reads what is to be sent there
hello --name allowed.example >"$W/allowed"
hello --name denied.example >"$W/denied"
size() { stat -c %s "$W/$1"; }
# looked_up NAME COMMAND…: behind the filter, after a look-up of the name.
looked_up() { behind -- sh -c 'getent ahostsv4 "$0" >/dev/null; exec "$@"' "$@"; }
first() { record_field '.event == "connect"' "$1"; }
closed() { record_field '.event == "close"' "$1"; }
last() { jq -r "select(.event == \"connect\") | $1" "$AUDIT" | tail -n 1; }

# A server that speaks first, and whose client says something else than that protocol.
serve greets 2600 'send:hello, who is there\r\n' rest
policy third.example:2600
for what in denied allowed; do
    from_here greets
    looked_up third.example converse client "$THIRD_IP" 2600 'wait:there' "file:$W/$what" rest
    wait_for 10 heard_lines greets 1
    check_equal T13 "a ClientHello for $what.example, after the greeting, is not heard" \
        "0 $what.example no-rule denied" \
        "$(heard greets) $(last '"\(.host) \(.reason) \(.outcome)"')"
done
policy third.example:2600 allowed.example:2600
from_here greets
looked_up third.example converse client "$THIRD_IP" 2600 'wait:there' "file:$W/allowed" rest
wait_for 10 heard_lines greets 1
check_equal T13 "nor is one for an allowed name that lies elsewhere" "0 dst-mismatch denied" \
    "$(heard greets) $(last '"\(.reason) \(.outcome)"')"
policy "$THIRD_IP:2600" 'deny denied.example'
from_here greets
behind -- converse client "$THIRD_IP" 2600 'wait:there' "file:$W/denied" rest
wait_for 10 heard_lines greets 1
check_equal T13 "nor one that is vetoed where the address is allowed" "0 veto" \
    "$(heard greets) $(last .reason)"
policy third.example:2600 'http://third.example:2600/x'
from_here greets
looked_up third.example converse client "$THIRD_IP" 2600 'wait:there' \
    'send:GET /y HTTP/1.1\r\n\r\n' end rest
wait_for 10 heard_lines greets 1
check_equal T13 "an HTTP request after the greeting is judged as one, and recorded" "19 http" \
    "$(heard greets) $(closed .first_bytes)"
from_here greets
looked_up third.example converse client "$THIRD_IP" 2600 'wait:there' 'send:\x05\x01\0xyz' rest
wait_for 10 heard_lines greets 1
check_equal T13 "what is no protocol we know goes by address only, where URLs are named" \
    "0 unknown no-rule" "$(heard greets) $(last '"\(.first_bytes) \(.reason)"')"

# A name in a hello to a server that speaks no TLS opens nothing for what is spoken then.
serve no_tls 2602 "bytes:$(size allowed)" 'send:what is that?\r\n' rest
policy allowed.example:2602 'http://allowed.example:2602/x'
from_here no_tls
behind -- converse client "$ALLOWED_IP" 2602 "file:$W/allowed" 'wait:that?' 'send:abc 12\r\n' rest
wait_for 10 heard_lines no_tls 1
check_equal T13 "behind a hello that was no use, other bytes are judged as what they are" \
    "$(size allowed) unknown no-rule denied" \
    "$(heard no_tls) $(last '"\(.first_bytes) \(.reason) \(.outcome)"')"
from_here no_tls
behind -- converse client "$ALLOWED_IP" 2602 "file:$W/allowed" 'wait:that?' end rest
wait_for 10 heard_lines no_tls 1
check_equal T13 "and an end is just an end" "$(size allowed) 1 1" \
    "$(heard no_tls) $(records '.event == "connect"') $(records '.event == "close"')"

# A client that waits until it is connected, to a server that waits too.
serve silent 2601 rest
# late NAME STEP… -- STEP…: the steps behind -- when the server's side has been dialled.
late()
{
    local name=$1 before=() syns
    shift
    while [ "$1" != -- ]; do
        before+=("$1")
        shift
    done
    shift
    rm -f "$LAB/tmp/go"
    syns=$(lab_syns "$THIRD_IP")
    from_here silent
    behind_start "$name" -- converse client "$THIRD_IP" 2601 "${before[@]}" "when:$LAB/tmp/go" "$@"
    dialled() { [ "$(lab_syns "$THIRD_IP")" -gt "$syns" ]; }
    wait_for 10 dialled
    : >"$LAB/tmp/go"
    behind_wait "$name"
    wait_for 10 heard_lines silent 1
}
policy "$THIRD_IP:2601" 'deny denied.example'
late late_hello -- "file:$W/denied" rest
check_equal T13 "a ClientHello that waits until it is connected is judged all the same" \
    "0 denied.example veto" "$(heard silent) $(last '"\(.host) \(.reason)"')"
late late_http -- 'send:GET / HTTP/1.0\r\n\r\n' end rest
check_equal T13 "and so is an HTTP request" "18 http" "$(heard silent) $(closed .first_bytes)"
late half_method 'send:GE' -- 'send:T / HTTP/1.0\r\n\r\n' end rest
check_equal T13 "of which a part came early, and was taken for something else" "18 unknown http" \
    "$(heard silent) $(jq -r '.first_bytes | values' "$AUDIT" | paste -sd' ')"
from_here silent
behind -- converse client "$THIRD_IP" 2601 "file:$W/denied@0+1" settle "file:$W/denied@1" rest
check_equal T13 "one byte of a ClientHello is one already" "veto 0" \
    "$(last .reason) $(jq -s 'map(select(.event == "connect" and .outcome == "allowed")) | length' \
        "$AUDIT")"

# Words of no protocol we know, from a server that plays along, change nothing in that.
printf '%b' '\x00\x20\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06denied\x07example\x00\x00\x01\x00\x01' \
    >"$W/question"
serve words 2603 bytes:1 'send:one\r\n' bytes:1 'send:two\r\n' rest
policy "$THIRD_IP:2603"
from_here words
behind -- converse client "$THIRD_IP" 2603 "file:$W/question@0+1" wait:one "file:$W/question@1+1" \
    wait:two "file:$W/question@2" rest
wait_for 10 heard_lines words 1
check_equal T13 "a question in parts, with unknown words of the server between them, is closed" \
    "2 malformed" "$(heard words) $(last .reason)"
from_here words
behind -- converse client "$THIRD_IP" 2603 send:G wait:one send:E wait:two \
    'send:T / HTTP/1.0\r\n\r\n' end rest
wait_for 10 heard_lines words 1
check_equal T13 "and a request in such parts is recorded as one" "18 http" \
    "$(heard words) $(closed .first_bytes)"

# What is recorded of clients that speak first.
policy "$THIRD_IP:2601"
for case in 'http GET / HTTP/1.1\r\n\r\n' 'ssh SSH-2.0-x\r\n' 'unknown abc 12\r\n' \
    'h2c PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'; do
    from_here silent
    behind -- converse client "$THIRD_IP" 2601 "send:${case#* }" end rest
    wait_for 10 heard_lines silent 1
    check_equal T13 "${case%% *} is recorded as such" "${case%% *} true" \
        "$(first .first_bytes) $([ "$(heard silent)" -gt 0 ] && echo true)"
done

# SOCKS in TCP, TLS in CONNECT.
serve proxy 1080 'wait:\x05\x01\0' 'send:\x05\0' rest
policy third.example:1080 'http://denied.example:1080/x'
looked_up third.example converse client "$THIRD_IP" 1080 'send:\x05\x01\0' rest
check_equal T13 "SOCKS goes by address rules only, where URLs are named" "0 reset denied unknown" \
    "$(cut -d' ' -f1-2 "$OUT") $(first '"\(.outcome) \(.first_bytes)"')"
policy "$THIRD_IP:1080"
behind -- converse client "$THIRD_IP" 1080 'send:\x05\x01\0' bytes:2 end rest
check_equal T13 "where they allow it, it works" "2 end" "$(cut -d' ' -f1-2 "$OUT")"
serve connect 3128 'wait:\r\n\r\n' 'send:HTTP/1.1 200 OK\r\n\r\n' relay:443
policy third.example:3128
curl_proxy=(curl -sS -m 10 -o /dev/null -w '%{http_code} %{http_connect}\n')
looked_up third.example "${curl_proxy[@]}" -x "http://$THIRD_IP:3128" https://allowed.example/
check_equal T13 "TLS in CONNECT is HTTP to a proxy that its own rule allows" \
    "200 200 third.example http" "$(cat "$OUT") $(first '"\(.host) \(.first_bytes)"')"
policy allowed.example:3128
syns=$(lab_syns "$THIRD_IP")
looked_up third.example "${curl_proxy[@]}" -x "http://$THIRD_IP:3128" https://allowed.example/
check_equal T13 "and no other: the name inside opens nothing" "0 denied" \
    "$(($(lab_syns "$THIRD_IP") - syns)) $(first .outcome)"

# DNS over TCP on a port of its own (the lab's resolver listens on 5353 too).
policy "$RESOLVER_IP:5353" dns:allowed.example
behind -- dig +tcp +tries=1 +time=5 +short -p 5353 "@$RESOLVER_IP" allowed.example
check_equal D04 "DNS over TCP on another port is judged as DNS" "$ALLOWED_IP query allowed" \
    "$(cat "$OUT") $(record_field '.type == "dns"' '"\(.event) \(.outcome)"')"
queries=$(lab_queries denied.example)
behind -- dig +tcp +tries=1 +time=5 -p 5353 "@$RESOLVER_IP" denied.example
check_equal D04 "and a denied name is not asked for" "NXDOMAIN 0" \
    "$(grep -o 'status: [A-Z]*' "$OUT" | cut -d' ' -f2) $(($(lab_queries denied.example) - queries))"
query='\0\x20\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06denied\x07example\0\0\x01\0\x01'
printf '%b' "${query//\\0/\\x00}" >"$W/query"
behind -- converse client "$RESOLVER_IP" 5353 "drip:$W/query" bytes:2 end rest
check_equal D04 "nor in any other cut" "denied 0" "$(record_field '.event == "query"' .outcome) $(($(\
    lab_queries denied.example) - queries))"
policy "$THIRD_IP:2601"
late slow_dns "file:$W/query@0+3" -- "file:$W/query@3" rest
check_equal D04 "a question whose beginning was taken for something else is closed" "3 malformed" \
    "$(heard silent) $(last .reason)"
late late_dns -- "file:$W/query" end rest
check_equal D04 "one that waits until it is connected is judged as DNS" "0 query denied" \
    "$(heard silent) $(record_field '.type == "dns"' '"\(.event) \(.outcome)"')"
replayed
