#!/bin/bash
# SPDX-License-Identifier: MIT
# The second ClientHello after a HelloRetryRequest: it arrives where it says what the first one did,
# and otherwise no byte of it does. What the servers heard is the proof.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
# shellcheck source=tests/lab/converse.sh
. "$LAB_DIR/converse.sh"

H=$LAB/www # the unprivileged user reads the hellos there
# A second ClientHello.
lab_start retry nsenter --net="$LAB/net" -- openssl s_server -accept 8443 -groups P-256 -www -msg \
    -cert "$LAB/ca/good.crt" -key "$LAB/ca/good.key"
wait_for 10 in_net_answers 8443
policy allowed.example:8443
for groups in X25519:P-256 P-256; do
    hellos=$(grep -c 'ClientHello' "$LAB/log/retry.log")
    behind -- curl -sS -m 10 -o /dev/null -w '%{http_code}' --curves "$groups" \
        https://allowed.example:8443/
    hellos=$(($(grep -c 'ClientHello' "$LAB/log/retry.log") - hellos))
    [ "$groups" = P-256 ] && want=1 || want=2
    check_equal T04 "curl with $groups reaches a server of P-256 with $want hellos" "200 $want" \
        "$(cat "$OUT") $hellos"
done
printf 'GET / HTTP/1.0\r\n\r\n' >"$H/request"
cat >"$LAB/bin/ask_tls" <<'SCRIPT'
#!/bin/bash
# ask_tls IP PORT OPTION…: a request by openssl s_client, and the status line of the answer.
exec 3< <(openssl s_client -connect "$1:$2" -quiet "${@:3}" 2>&1 < <(cat /srv/www/request; cat))
timeout 10 grep -m 1 -o 'HTTP/1.[01] [0-9]*' <&3
SCRIPT
chmod +x "$LAB/bin/ask_tls"
behind -- ask_tls "$ALLOWED_IP" 8443 -servername allowed.example -groups X25519:P-256 -no_middlebox
check_equal T04 "so does a client that sends no change_cipher_spec" "HTTP/1.0 200" "$(cat "$OUT")"
check_equal T04 "one decision is recorded, and one end" "1 1" \
    "$(records '.event == "connect"') $(records '.event == "close"')"
behind -- ask_tls "$ALLOWED_IP" 8443 -servername allowed.example -groups X25519:P-256 -tls1_2
check_equal - "TLS 1.2 is spliced at once" "HTTP/1.0 200" "$(cat "$OUT")"

# The same by hand: two hellos that a server would take.
hello --name allowed.example --alpn h2 --share x25519 >"$H/first"
hello --name allowed.example --alpn h2 --share p256 --front ccs >"$H/second"
hello --name denied.example --alpn h2 --share p256 --front ccs >"$H/other_name"
hello --name denied.example --alpn h2 --share p256 >"$H/other_name_at_once"
hello --name denied.example --alpn h2 --share p256 --front early >"$H/other_name_behind_data"
hello --name third.example --alpn h2 --share p256 --record 20 >"$H/other_name_in_records"
hello --alpn h2 --share p256 >"$H/no_name"
hello --name allowed.example --alpn http/1.1 --share p256 --front ccs >"$H/other_alpn"
hello --name allowed.example --share p256 >"$H/no_alpn"
hello --name allowed.example --name denied.example --alpn h2 --share p256 >"$H/two_names"
hello --name allowed.example --again denied.example --alpn h2 >"$H/two_extensions"
hello --retry >"$H/retry"
size() { stat -c %s "$H/$1"; }
first=$(size first) retry=$(size retry) second=$(size second) other=$(size other_name)
serve asks_again 8444 "bytes:$first" "file:$H/retry" rest
cat >"$LAB/bin/twice" <<'SCRIPT'
#!/bin/sh
# twice IP PORT FIRST RETRY_SIZE SECOND…: a conversation each.
ip=$1 port=$2 first=$3 retry=$4
shift 4
for second; do
    converse client "$ip" "$port" "file:$first" "bytes:$retry" "file:$second" rest
done
SCRIPT
chmod +x "$LAB/bin/twice"
policy allowed.example:8443-8444 third.example:8443-8444
behind -- converse client "$ALLOWED_IP" 8443 "file:$H/first" bytes:5 "file:$H/second" bytes:400 end
check T04 "a real server answers the hand-made second hello" \
    test "$(cut -d' ' -f1 "$OUT")" -gt 1000
behind -- converse client "$ALLOWED_IP" 8444 "file:$H/first" "bytes:$retry" "file:$H/second" end rest
check T04 "the second hello that says the same arrives" wait_for 10 heard_lines asks_again 1
check_equal T04 "whole, with what stood before it" $((first + second)) "$(heard asks_again)"
from_here asks_again
for said in other_name other_name_at_once other_name_behind_data other_name_in_records no_name \
    other_alpn no_alpn; do
    behind -- twice "$ALLOWED_IP" 8444 "$H/first" "$retry" "$H/$said"
    check_equal T04 "closed: a second hello with $said" \
        "$((retry + 7)) end $ALLOWED_IP denied" \
        "$(cut -d' ' -f1-2 "$OUT") $(record_field \
            '.event == "connect" and .reason == "hello-changed"' '"\(.dst_ip) \(.outcome)"')"
    check T04 "with an alert" grep -q '\\x15\\x03\\x03\\x00\\x02\\x021$' "$OUT"
done
for said in two_names two_extensions request; do
    behind -- twice "$ALLOWED_IP" 8444 "$H/first" "$retry" "$H/$said"
    check_equal T04 "closed: $said in place of a second hello" 1 "$(records '.event == "connect" and
        .outcome == "denied" and (.reason == "hello-changed" or .reason == "malformed")')"
done
wait_for 10 heard_lines asks_again 10
check_equal T04 "and of none of them the server heard a byte" "$first" \
    "$(heard asks_again | tr ' ' '\n' | sort -u)"

# The second hello cut at every byte; its name is another one.
from_here asks_again
cat >"$LAB/bin/cuts" <<'SCRIPT'
#!/bin/bash
# cuts IP FIRST RETRY_SIZE SECOND SIZE STEP…: the second hello in two segments, cut everywhere.
for ((i = 1; i < $5; i++)); do
    converse client "$1" 8444 "file:$2" "bytes:$3" "file:$4@0+$i" settle "file:$4@$i" "${@:6}" &
    ((i % 32)) || wait
done
wait
SCRIPT
chmod +x "$LAB/bin/cuts"
behind --quiet -- cuts "$ALLOWED_IP" "$H/first" "$retry" "$H/other_name" "$other" rest
check T04 "another name in a second hello, cut at each of $other bytes" \
    wait_for 10 heard_lines asks_again $((other - 1))
check_equal T04 "is closed each time" $((other - 1)) "$(jq -r 'select(.event == "connect" and
    .reason == "hello-changed" and .outcome == "denied") | .count // 1' "$AUDIT" |
    awk '{ n += $1 } END { print n }')"
check_equal T04 "and nothing of it was heard" "$first" \
    "$(heard asks_again | tr ' ' '\n' | sort -u)"
from_here asks_again
behind --quiet -- cuts "$ALLOWED_IP" "$H/first" "$retry" "$H/second" "$second" end rest
wait_for 10 heard_lines asks_again $((second - 1))
check_equal T04 "the right one, cut the same way, arrives each time" "$((first + second))" "$(heard asks_again | tr ' ' '\n' | sort -u)"

# What is policy's own affair: --audit lets pass, and says so.
from_here asks_again
behind --audit -- converse client "$ALLOWED_IP" 8444 "file:$H/first" "bytes:$retry" \
    "file:$H/other_name" end rest
wait_for 10 heard_lines asks_again 1
check_equal T04 "--audit lets a changed hello pass, and records it" \
    "$((first + other)) denied.example deny allowed" "$(heard asks_again) $(record_field \
        '.event == "connect" and .reason == "hello-changed"' '"\(.host) \(.policy) \(.outcome)"')"
lab_stop retry
replayed
