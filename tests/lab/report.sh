# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# How a test script says what it found: the lines that tests/run counts, `ok ID name`,
# `not ok ID name`, `skip ID name: reason`, and the polling that stands in for every sleep.
# ID is a row of the threat model that the test proves, or "-".

LAB_FAILED=0
LAB_REPORTED=0

# ok ID NAME
ok()
{
    LAB_REPORTED=$((LAB_REPORTED + 1))
    printf 'ok %s %s\n' "$1" "$2"
}

# not_ok ID NAME [DETAIL…]
not_ok()
{
    LAB_REPORTED=$((LAB_REPORTED + 1))
    LAB_FAILED=$((LAB_FAILED + 1))
    printf 'not ok %s %s\n' "$1" "$2"
    # Indented, so that what a command printed is never taken for a test's own line.
    [ $# -lt 3 ] || printf '%s\n' "${@:3}" | sed 's/^/    /'
}

# skip ID NAME REASON
skip()
{
    LAB_REPORTED=$((LAB_REPORTED + 1))
    printf 'skip %s %s: %s\n' "$1" "$2" "$3"
}

# check ID NAME [!] COMMAND…: the command's status is the test's; its output is shown on failure.
check()
{
    local id=$1 name=$2 want=0 status=0 output
    shift 2
    if [ "$1" = '!' ]; then
        want=1
        shift
    fi
    output=$("$@" 2>&1) || status=$?
    if [ $((status != 0)) -eq "$want" ]; then
        ok "$id" "$name"
    else
        not_ok "$id" "$name" "$*" "exit status $status" "$output"
    fi
}

# check_equal ID NAME EXPECTED ACTUAL
check_equal()
{
    if [ "$3" = "$4" ]; then
        ok "$1" "$2"
    else
        not_ok "$1" "$2" "expected: $3" "     got: $4"
    fi
}

# wait_for SECONDS COMMAND…: polls until the command succeeds; fails when the time is up. Where the
# processor itself is emulated, EGRESS_PATIENCE says how many times slower that is.
wait_for()
{
    local end
    end=$((${EPOCHREALTIME//[.,]/} + $1 * ${EGRESS_PATIENCE:-1} * 1000000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "${EPOCHREALTIME//[.,]/}" -lt "$end" ] || return 1
        sleep 0.02
    done
}
