#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/guides/first-hour.md is what really happens: the script that makes it is run, and its page is
# the one that is kept.
. "$(dirname "$0")/../lab/report.sh"
cd "$(dirname "$0")/../.." || exit 1
made=$(mktemp) || exit 1
trap 'rm -f "$made" "$made.err"' EXIT

status=0
timeout 120 tests/first-hour >"$made" 2>"$made.err" || status=$?
if [ "$status" -eq 77 ] || grep -q '^skip ' "$made"; then
    skip - "a first hour" "$(sed -n 's/^skip - [^:]*: //p' "$made")"
    exit 0
fi
if [ "$status" -ne 0 ]; then
    not_ok - "a first hour goes as its page says" "exit status $status" "$(cat "$made.err")"
else
    ok - "a first hour goes as its page says"
fi
check - "and prints what docs/guides/first-hour.md shows" diff -u docs/guides/first-hour.md "$made"
exit "$((LAB_FAILED > 0))"
