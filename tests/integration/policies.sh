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

# Tests within a policy.
for preset in $("$EGRESS" presets | awk '/^@/ && $1 != "@system-resolver" { print $1 }'); do
    check_equal - "the tests of $preset pass" 0 "$(status test "$preset")"
done
cat >own.rules <<'RULES'
registry.npmjs.org exe=/usr/bin/node
10.0.0.0/8:5432
deny *.ngrok.example

#? allow https://registry.npmjs.org/left-pad exe=/usr/bin/node
#? deny  https://registry.npmjs.org/left-pad exe=/usr/bin/curl
#? allow tcp 10.1.2.3:5432
#? deny  udp 10.1.2.3:5432
#? deny  dns x.ngrok.example
RULES
check_equal - "a policy that keeps its tests" 0 "$(status test own.rules)"
check_equal - "in TAP" "TAP version 13;5;1..5" "$(head -n 1 "$said_out");$(grep -c '^ok [1-5] - own.rules:' \
    "$said_out");$(tail -n 1 "$said_out")"
sed -i 's/^10.*/10.0.0.0\/8:22/' own.rules
check_equal - "one that does not" 1 "$(status test own.rules)"
check_equal - "fails at the line of the test" "not ok 3 - own.rules:7 allow tcp 10.1.2.3:5432" \
    "$(grep '^not' "$said_out")"
check_equal - "where CI is seen, in its words too" \
    "::error file=own.rules,line=7,col=4::wanted allow, got deny: no rule allows it" \
    "$(GITHUB_ACTIONS=true "$EGRESS" test own.rules | grep '^::')"
check_equal - "a policy without tests is 2" 2 "$(status test - <<<'a.org')"

# Formatting.
printf '%s\n' '  a.example    exe=/usr/bin/curl  # why' '' '' 'bb.example:80   private' >odd.rules
cp odd.rules kept.rules
"$EGRESS" check --dump-rules odd.rules | jq -c 'del(.line)' >before
chmod 640 odd.rules
chown "$TESTER" odd.rules
check_equal - "fmt --check finds what is not formatted" "1 odd.rules" \
    "$(status fmt --check odd.rules) $(cat "$said_out")"
"$EGRESS" fmt --diff odd.rules >odd.diff
check_equal - "fmt writes it" "0 odd.rules" "$(status fmt odd.rules) $(cat "$said_out")"
if command -v patch >/dev/null; then
    check - "fmt --diff prints what patch understands" patch -s kept.rules odd.diff
    check - "and does what fmt does" cmp odd.rules kept.rules
else
    skip - "fmt --diff prints what patch understands" "patch is not installed"
fi
check_equal - "keeping mode and owner" "640 $TESTER" "$(stat -c '%a %U' odd.rules)"
check - "and every rule" diff before <("$EGRESS" check --dump-rules odd.rules | jq -c 'del(.line)')
check_equal - "and is content with it" 0 "$(status fmt --check odd.rules)"
check - "no file is left beside it" test "$(find . -name 'odd.rules*' | wc -l)" -eq 1
echo 'github.*  exe=/a' >bad.rules
check_equal - "a file with errors is left alone" "2 github.*  exe=/a" \
    "$(status fmt bad.rules) $(cat bad.rules)"

# Differences.
printf '%s\n' 'a.example' '10.0.0.0/8:5432' 'c.example' >old.rules
printf '%s\n' '[exe=/usr/bin/curl]' 'a.example' '[]' '10.0.0.0/8:5432|22' 'c.example' >new.rules
check_equal - "policies that say the same" "0 no difference" \
    "$(printf '%s\n' '# another form' 'c.example' 'a.example' '[:5432]' '10.0.0.0/8' >same.rules
        status diff old.rules same.rules) $(cat "$said_out")"
check_equal - "policies that do not" 1 "$(status diff old.rules new.rules)"
check_equal - "in words" "- denied now: TLS, TCP to a.example:443, by anyone but exe=/usr/bin/curl" \
    "$(grep -F 'a.example:443,' "$said_out")"
check_equal - "and as JSON" 1 "$(status diff --json old.rules new.rules)"
jq -r '.changes[] | [.before.verdict, .after.verdict, .example] | @tsv' "$said_out" >told
check_equal - "with each difference" 3 "$(wc -l <told)"
# The examples, as tests of either policy.
for side in 1:old 2:new; do
    {
        cat "${side#*:}.rules"
        while IFS=$'\t' read -r -a words; do
            printf '#? %s %s\n' "${words[${side%:*} - 1]}" "${words[2]}"
        done <told
    } >"shown-${side#*:}.rules"
    check_equal - "its examples are judged so by the ${side#*:} policy" 0 \
        "$(status test "shown-${side#*:}.rules")"
done
check_equal - "a policy that cannot be read is 2" 2 "$(status diff old.rules bad.rules)"
