#!/bin/bash
# SPDX-License-Identifier: MIT
# What is no ordinary request: other protocols, which never leave, and streams that are half-closed,
# large, many, slow, or begun by the server, which arrive whole where their rule allows them.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

# UDP other than DNS: an answer at once, not a time-out.
policy "$THIRD_IP:7"
before=$(lab_packets any all)
behind -- connect_once -u -r "$THIRD_IP" 7 5
check_equal - "UDP of no rule is answered with ICMP port unreachable" ECONNREFUSED "$(cat "$OUT")"
check_equal - "and recorded, with the process" "udp udp no-rule $THIRD_IP 7 $LAB/bin/connect_once" \
    "$(record_field '.event == "datagram" and .outcome == "denied"' \
        '[.type, .proto, .reason, .dst_ip, .dst_port, .exe] | join(" ")')"
check_equal - "and nothing arrives" "$before" "$(lab_packets any all)"

# Other protocols. Inside nobody gets such a socket, not even root.
all='for p in 1 4 47 132 136 253; do talk packet $p "$1"; done; exit 0'
behind -- sh -c "$all" - "$THIRD_IP"
check_equal B05 "raw sockets are refused to an ordinary user" "6 talk: socket: EPERM" \
    "$(grep -c '^talk:' "$ERR") $(grep '^talk:' "$ERR" | sort -u)"
behind --allow-privileges --user root -- sh -c "$all" - "$THIRD_IP"
check_equal B05 "and to root" "6 talk: socket: EPERM" \
    "$(grep -c '^talk:' "$ERR") $(grep '^talk:' "$ERR" | sort -u)"
behind -- talk packet ping "$THIRD_IP"
check_equal B05 "ping sockets are closed" "talk: socket: EACCES" "$(grep '^talk:' "$ERR")"

# The network itself, with that guard out of the way: packets sent from outside its cgroup, and a
# ping socket of the command's, opened for the test.
mkfifo "$LAB/tmp/go"
chmod 666 "$LAB/tmp/go"
behind_start guarded -- sh -c 'echo ready; read -r go <"$TMPDIR/go"; talk packet ping "$1"' - \
    "$THIRD_IP"
wait_for 10 grep -q ready "$OUT"
for inside in $(pgrep -P "${LAB_PIDS[guarded]}"); do
    grep -qz '^role' "/proc/$inside/cmdline" || break
done
in_command() { nsenter --net="/proc/$inside/ns/net" -- "$@"; }
check_equal B05 "packets of six protocols are sent from the command's network" 6 \
    "$(in_command sh -c "$all" - "$THIRD_IP" | grep -c sent)"
recorded() { [ "$(records '.event == "datagram"')" -ge "$1" ]; }
check B05 "and each is recorded" wait_for 10 recorded 6
for proto in "1 icmp" "4 socket" "47 socket" "132 socket" "136 socket" "253 socket"; do
    read -r number type <<<"$proto"
    check_equal B05 "protocol $number is denied" "$type deny denied $THIRD_IP" "$(record_field \
        ".event == \"datagram\" and .proto == \"$number\"" \
        '[.type, .policy, .outcome, .dst_ip] | join(" ")')"
done
in_command sysctl -q -w net.ipv4.ping_group_range="0 2147483647"
echo go >"$LAB/tmp/go"
behind_wait guarded
check_equal B05 "an echo by a ping socket is sent, denied and recorded" "sent 2" \
    "$(grep sent "$OUT") $(records '.type == "icmp" and .outcome == "denied"')"
check_equal B05 "and nothing of all that arrives" "$before" "$(lab_packets any all)"

# Streams, whole, both ways. The servers keep what came in files of their own.
head -c $((64 << 20)) /dev/urandom >"$LAB/www/random"
head -c $((1 << 20)) "$LAB/www/random" >"$LAB/www/part"
digest=$(sha256sum <"$LAB/www/random")
part=$(sha256sum <"$LAB/www/part")
# start_sink NAME PORT [GREETING]
start_sink()
{
    lab_start "$1" nsenter --net="$LAB/net" -- sh -c 'exec talk serve "$@" >"$0"' \
        "$LAB/work/$1" "${@:2}"
}
same_size() { [ "$(stat -c %s "$1")" -eq "$(stat -c %s "$2")" ]; }
start_sink sink 9000
start_sink brief 9001 "that is all"
in_net_answers() { in_net connect_once 127.0.0.1 "$1"; }
wait_for 10 in_net_answers 9000
wait_for 10 in_net_answers 9001
policy allowed.example "$THIRD_IP:9000|9001"
behind -- sh -c 'curl -sS -m 60 https://allowed.example/random | sha256sum'
check_equal - "64 MiB come down unchanged" "$digest" "$(cat "$OUT")"
check - "and are counted in the record of the close" test "$(record_field '.event == "close"' \
    .bytes_down)" -gt $((64 << 20))
behind -- sh -c "talk send $THIRD_IP 9000 <$LAB/www/random"
check_equal - "64 MiB go up, and what the server says after our end comes down" $((64 << 20)) \
    "$(cat "$OUT")"
check_equal - "unchanged" "$digest" "$(sha256sum <"$LAB/work/sink")"
check_equal - "and are counted too" $((64 << 20)) "$(record_field '.event == "close"' .bytes_up)"
behind -- sh -c "talk listen $THIRD_IP 9001 <$LAB/www/part"
check_equal - "a server that ends its side first is heard" "that is all" "$(cat "$OUT")"
wait_for 10 same_size "$LAB/work/brief" "$LAB/www/part"
check_equal - "and goes on hearing" "$part" "$(sha256sum <"$LAB/work/brief")"
behind -- sh -c 'cd "$TMPDIR" && curl -sS -m 60 -Z --parallel-immediate --parallel-max 100 \
    -o "part.#1" "https://allowed.example/part?[1-100]" && cat part.* | wc -c &&
    sha256sum <part.7 && sha256sum part.* | cut -d" " -f1 | sort -u | wc -l; rm -f part.*'
check_equal - "100 transfers at once are whole" "$((100 << 20)) $part 1" "$(paste -sd' ' "$OUT")"

# A server that speaks first.
lab_start banner nsenter --net="$LAB/net" -- "$LAB/bin/echo_server" 2222 $'220 lab ready\r\n'
wait_for 10 in_net_answers 2222
cat >"$LAB/bin/greeted" <<'SCRIPT'
#!/bin/bash
# greeted IP PORT [FILE]: the greeting; and how many bytes of an answer to the file came back.
exec 3<>/dev/tcp/"$1"/"$2" || exit 1
read -r -t 10 line <&3 && echo "${line%$'\r'}"
[ -z "${3:-}" ] || { cat "$3" >&3; timeout 5 head -c 64 <&3 | wc -c; }
SCRIPT
chmod +x "$LAB/bin/greeted"
head -c 64 /dev/zero | tr '\0' y >"$LAB/www/words"
cp "$LAB_ROOT/tests/fuzz/corpus/client_hello/curl" "$LAB/www/hello"
policy "$THIRD_IP:2222"
behind -- greeted "$THIRD_IP" 2222 "$LAB/www/words"
check_equal T13 "a server that speaks first, by address" "220 lab ready 64" "$(paste -sd' ' "$OUT")"
policy third.example:2222
behind -- sh -c "getent ahostsv4 third.example >/dev/null; greeted $THIRD_IP 2222 $LAB/www/words"
check_equal T13 "a server that speaks first, by learnt name" "220 lab ready 64" \
    "$(paste -sd' ' "$OUT")"
check_equal T13 "which is in the record" "third.example dns" \
    "$(record_field '.event == "connect"' '"\(.host) \(.name_from)"')"
behind -- sh -c "getent ahostsv4 third.example >/dev/null; greeted $THIRD_IP 2222 $LAB/www/hello"
check_equal T13 "a ClientHello for another name, after the greeting, hears an alert, and no echo" \
    "220 lab ready 7" "$(paste -sd' ' "$OUT")"
check_equal T13 "and is recorded" 1 "$(records '.event == "connect" and .outcome == "denied" and
    .name_from == "sni"')"
syns=$(lab_syns "$THIRD_IP")
behind -- greeted "$THIRD_IP" 2222
check_equal T13 "a server that speaks first, by a name that was not looked up" " 0" \
    "$(cat "$OUT") $(($(lab_syns "$THIRD_IP") - syns))"

# A client that is slow: one byte a segment.
cat >"$LAB/bin/slowly" <<'SCRIPT'
#!/bin/bash
# slowly NAME IP: HTTPS with the first bytes one by one.
exec 3< <(talk trickle "$2" 443)
read -r port <&3
curl -sS -m 20 -w '%{http_code}\n' -o /dev/null --connect-to "$1:443:127.0.0.1:$port" "https://$1/"
SCRIPT
chmod +x "$LAB/bin/slowly"
policy allowed.example
behind -- slowly allowed.example "$ALLOWED_IP"
check_equal T03 "a ClientHello byte by byte is read whole" "200 allowed.example sni" \
    "$(cat "$OUT") $(record_field '.event == "connect"' '"\(.host) \(.name_from)"')"
syns=$(lab_syns "$DENIED_IP")
behind -- slowly denied.example "$DENIED_IP"
check_equal T03 "and denied, where its name is" "denied.example denied 0" \
    "$(record_field '.event == "connect"' '"\(.host) \(.outcome)"') $(($(lab_syns "$DENIED_IP") - \
    syns))"

replayed
