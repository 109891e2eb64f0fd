#!/bin/bash
# SPDX-License-Identifier: MIT
# A flood of distinct names, denied ones and such as a wildcard allows: the proxy's memory stays
# what it was, and what is allowed is still answered. tests/long has the one of a million names.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"
export RESOLVER_IP
names=${FLOOD_NAMES:-20000}
# What it may grow by, in KiB: tables of bounded size that fill, and messages that wait.
growth=$((64 * 1024))

resident()
{
    sed -n 's/^VmRSS:\s*\([0-9]*\) kB/\1/p' "/proc/$(run_pid proxy)/status"
}
highest()
{
    sed -n 's/^VmHWM:\s*\([0-9]*\) kB/\1/p' "/proc/$(run_pid proxy)/status"
}

policy allowed.example '*.wild.example'
inside_start --policy "$POLICY" || exit 1
check D10 "allowed names are answered before" test "$(inside \
    "dns_names $RESOLVER_IP 0 20 allowed.example")" = "NOERROR 20"
before=$(resident)
# An answer between the two says that what the first left waiting has been read: else the second
# could be dropped as a whole, by the kernel, at a socket that is still full.
flood=$(inside_ask "for part in 1 2 3 4; do
    dns_names $RESOLVER_IP \$((part * 10000000)) +$((names / 4)) '%s.n%n.denied.example' & done; wait
    dns_names $RESOLVER_IP 0 1 allowed.example
    dns_names $RESOLVER_IP 0 +$((names / 4)) '%s.n%n.wild.example'")
inside_answer "$flood" >/dev/null
check_equal D10 "allowed names are answered still, each of them" "NOERROR 50" \
    "$(inside "dns_names $RESOLVER_IP 0 50 allowed.example")"
echo "# resident before $before KiB, at most $(highest) KiB"
check D10 "the proxy is the one that it was, and needs no more than it may" test "$(($(highest) - \
    before))" -lt "$growth"
judged=$(grep -c "denied.example" "$LOG")
check D10 "the flood was judged, as far as it was not dropped" test "$judged" -gt 1000
inside_stop
lab_settle
check D10 "of the denied names none left" ! grep -q 'denied\.example\. A IN$' "$LAB/log/queries.log"
left=$(awk '$(NF - 2) ~ /\.wild\.example\.$/' "$LAB/log/queries.log" | wc -l)
check D06 "of the others as many as a process may ask for" test "$left" -gt 0 -a "$left" -lt 200
check_equal D10 "and the run ends well" 0 "$RUN_STATUS"
check D10 "with a log that holds" "$EGRESS" verify --quiet "$LOG"
