#!/bin/bash
# SPDX-License-Identifier: MIT
# Much, slow and many: a gibibyte that the proxy never touches, peers that take their time, and
# thousands of connections at once in one loop.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

ulimit -n "$(ulimit -Hn)"
crowd=4000
truncate -s 1G "$LAB/www/gib"
# An echo that was started with the limit of today.
lab_stop echo
lab_start echo nsenter --net="$LAB/net" -- "$LAB/bin/echo_server" 7
in_net_answers() { in_net connect_once 127.0.0.1 "$1"; }
wait_for 10 in_net_answers 7
printf '%s\n' allowed.example "$THIRD_IP:7|80" >"$LAB/work/policy.rules"
inside_start --policy "$LAB/work/policy.rules" || exit 1
wait_for 10 run_ready proxy
proxy=$(run_pid proxy)

# A gibibyte through passthrough, with everything counted that the proxy reads and writes itself.
strace -f -s 0 -p "$proxy" -o "$LAB/work/calls" \
    -e trace=read,write,readv,writev,recvfrom,sendto,recvmsg,sendmsg 2>"$LAB/work/strace" &
tracer=$!
attached() { grep -q attached "$LAB/work/strace"; }
if wait_for 10 attached; then
    check_equal - "a gibibyte comes through passthrough" "$((1 << 30))" \
        "$(inside 'curl -sS -m 120 https://allowed.example/gib | wc -c')"
    check_equal - "and 64 MiB of an answer in plain HTTP" "$((64 << 20))" \
        "$(inside "curl -sS -m 120 http://$THIRD_IP/big | wc -c")"
    kill "$tracer"
    wait "$tracer" 2>/dev/null
    touched=$(awk '$NF ~ /^[0-9]+$/ && $(NF - 1) == "=" { n += $NF } END { print n + 0 }' \
        "$LAB/work/calls")
    check - "the proxy saw some of it" test "$touched" -gt 1000
    check - "of both it read and wrote under one hundredth itself ($touched bytes)" \
        test "$touched" -lt $(((1 << 30) / 100))
else
    skip - "a gibibyte, seldom touched" "strace cannot attach: $(tail -n 1 "$LAB/work/strace")"
fi

# Byte for byte, each waiting for the one before; and a reader that stops in the middle.
cat >"$LAB/bin/byte_for_byte" <<'SCRIPT'
#!/bin/bash
steps=()
for i in {1..300}; do
    steps+=(send:x bytes:1)
done
exec converse client "$1" 7 "${steps[@]}" end rest
SCRIPT
chmod +x "$LAB/bin/byte_for_byte"
check_equal R07 "300 bytes that wait for each other" "300 end" \
    "$(inside "byte_for_byte $THIRD_IP" | cut -d' ' -f1-2)"
slow=$(inside_ask "converse client $THIRD_IP 80 'send:GET /big HTTP/1.0\r\n\r\n' bytes:1 \
    when:$LAB/tmp/go rest")
big_begun() { [ "$(ss -tnH "src $HOST_IP and dst $THIRD_IP:80" | wc -l)" -ge 1 ]; }
wait_for 10 big_begun
memory=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$proxy/status")
check - "its memory stays small while a reader does not read (${memory} KiB)" test "$memory" -lt 65536
: >"$LAB/tmp/go"
check_equal R07 "and when it does, it gets everything" "end yes" \
    "$(inside_answer "$slow" | awk '{ print $2, ($1 > 67108864 ? "yes" : "no") }')"

# The shell inside does one thing at a time; so much at once is one process.
if [ "$(ulimit -Hn)" -lt $((crowd * 5)) ]; then
    skip R07 "$crowd connections at once" "only $(ulimit -Hn) descriptors may be open"
    inside_stop
    exit 0
fi
check_equal R07 "$crowd connections at once, each heard twice" "$crowd $crowd" \
    "$(inside "crowd $THIRD_IP 7 $crowd")"
closed() {
    [ "$(jq -c 'select(.event == "close" and .dst_port == 7)' "$LOG" | wc -l)" -ge $((crowd + 1)) ]
}
check R07 "and each closed in the log" wait_for 20 closed
check - "with all their descriptors given back" test \
    "$(find "/proc/$proxy/fd" -mindepth 1 | wc -l)" -lt 300
inside_stop
