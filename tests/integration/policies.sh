#!/bin/bash
# SPDX-License-Identifier: MIT
# What a writer of policies has at hand, as a person would call it: presets, tests within a policy,
# formatting, differences; and presets at work in a run.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
cd "$LAB/work" || exit 1

# status ARGUMENT…: the exit status of the program; what it said is in $said_out and $said_err.
said_out=$LAB/log/status.out said_err=$LAB/log/status.err
status()
{
    "$EGRESS" "$@" >"$said_out" 2>"$said_err"
    echo $?
}

# Presets.
check_equal - "presets are listed" 0 "$(status presets)"
check_equal - "sixteen of them" 16 "$(grep -c '^@' "$said_out")"
check_equal - "one is printed, whole" 0 "$(status presets npm)"
check - "as a policy that check accepts" "$EGRESS" check --strict "$said_out"
check_equal - "one that is not there is 2" 2 "$(status presets nosuch)"
policy 'include @npm' 'include @system-resolver' "deny $RESOLVER_IP"
behind -- sh -c 'dig +tries=1 registry.npmjs.org; dig +tries=1 pypi.org'
check - "what a preset allows leaves" test "$(lab_queries registry.npmjs.org)" -gt 0
check_equal D01 "what it does not stays" 0 "$(lab_queries pypi.org)"
check_equal - "the record names the preset and its line" "@npm registry.npmjs.org" \
    "$(record_field '.event == "query" and .name == "registry.npmjs.org"' '"\(.file) \(.rule)"')"
check - "@system-resolver is what the keeper read" \
    grep -q '^@system-resolver:3:1: warning: the veto at .* covers this rule' "$ERR"
policy 'include @nosuch'
behind -- true
check_equal - "a preset that is not there keeps the command from running" 125 "$STATUS"
