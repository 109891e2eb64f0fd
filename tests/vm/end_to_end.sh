#!/bin/bash
# SPDX-License-Identifier: MIT
# The whole way once, on whatever kernel this is: what a policy allows arrives, what it does not
# never leaves, by name and by address, and the log says who it was and can be verified.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

policy "allowed.example exe=$CURL" "$THIRD_IP:7" "$THIRD_IP:7/udp"
behind -- sh -c 'curl -sS -m 60 https://allowed.example/small -o /dev/null -w "%{http_code}\n"
    curl -sS -m 60 https://denied.example/small
    curl -sS -m 60 "http://$1/small"
    for ip in "$1" "$2"; do connect_once -t 30000 -r -u "$ip" 7 5; connect_once -t 30000 -r "$ip" 7 5; done
    exit 0' - "$DENIED_IP" "$THIRD_IP"
check_equal - "what is allowed is answered, and nothing else" "200 ECONNREFUSED ECONNRESET OK OK" \
    "$(paste -sd' ' "$OUT")"
check_equal - "and arrived" 1 "$(lab_requests allowed.example)"
check_equal - "what is denied did not arrive, by name or by address" "0 0 0" \
    "$(lab_queries denied.example) $(lab_requests denied.example) $(lab_packets "$DENIED_IP" all)"
check_equal P01 "each is recorded with its program, arguments and ancestors" "allowed denied" \
    "$(jq -r "select(.event == \"connect\" and .exe == \"$CURL\" and .cmdline[0] == \"curl\" and
        (.ancestors | length) >= 2) | .outcome" "$AUDIT" | sort -u | paste -sd' ')"
for type in 'B02 udp' 'B03 tcp'; do
    id=${type% *} type=${type#* }
    check_equal "$id" "$type by address, denied and allowed, with its program" \
        "denied $DENIED_IP, allowed $THIRD_IP, " "$(jq -rj "select(.proto == \"$type\" and
            .dst_port == 7 and .exe == \"$LAB/bin/connect_once\" and .event != \"close\") |
            \"\(.outcome) \(.dst_ip), \"" "$AUDIT")"
done
check - "the log can be verified" "$EGRESS" verify --quiet "$AUDIT"
if [ -n "${EGRESS_ATTACH:-}" ]; then
    check_equal - "hooks are attached as was asked" "$EGRESS_ATTACH" \
        "$(record_field '.event == "start"' .attach)"
fi
