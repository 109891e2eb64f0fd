#!/bin/bash
# SPDX-License-Identifier: MIT
# What `run` says and how it ends: exit statuses, where policies come from, what a policy with
# errors does, the log and the table. The command is in place of a build, its status is what counts.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

get=(curl -sS -m 10 -o /dev/null)
policy allowed.example

# Exit statuses.
ends()
{
    local name=$1 want=$2
    shift 2
    behind "$@"
    check_equal - "exit status: $name" "$want" "$STATUS"
}
ends "the command's own" 0 -- true
ends "the command's own, a failure" 42 -- sh -c 'exit 42'
ends "a command that does not exist" 127 -- no-such-command
check - "and it is said which" grep -q no-such-command "$ERR"
printf 'no program\n' >"$LAB/tmp/plain"
ends "a file that cannot be executed" 126 -- "$LAB/tmp/plain"
ends "a signal" $((128 + 9)) -- sh -c 'kill -KILL $$'
ends "another signal" $((128 + 15)) -- sh -c 'kill -TERM $$'
ends "an option that does not exist" 125 --no-such-option -- true
ends "no command" 125
ends "a value that is none" 125 --host-port 0 -- true
ends "a user who does not exist" 125 --user no-such-user -- true

denied=("${get[@]}" --resolve "denied.example:443:$DENIED_IP" https://denied.example/)
ends "a denial alone is none" 0 -- sh -c '"$@"; exit 0' - "${denied[@]}"
ends "--fail-on-deny, with a denial" 77 --fail-on-deny -- sh -c '"$@"; exit 0' - "${denied[@]}"
ends "--fail-on-deny, without one" 0 --fail-on-deny -- "${get[@]}" https://allowed.example/
ends "--fail-on-deny, the command's own failure" 3 --fail-on-deny -- \
    sh -c '"$@"; exit 3' - "${denied[@]}"
policy allowed.example 'deny denied.example expected'
ends "--fail-on-deny, an expected denial" 0 --fail-on-deny -- sh -c '"$@"; exit 0' - "${denied[@]}"

# The streams are the command's.
echo from outside | "$EGRESS" run --policy "$POLICY" --user "$TESTER" --log "$LAB/log/cat.jsonl" \
    --quiet -- cat >"$LAB/log/cat.out" 2>&1
check_equal - "standard input and output are passed through" "from outside" \
    "$(cat "$LAB/log/cat.out")"

# Without --policy.
mkdir "$LAB/work/with" "$LAB/work/without"
policy allowed.example
cp "$POLICY" "$LAB/work/with/egress.rules"
# in_directory DIRECTORY ARGUMENT…: no policy and no log named.
in_directory()
{
    behind_begin
    STATUS=0
    (cd "$1" && "$EGRESS" run --user "$TESTER" "${@:2}") >"$OUT" 2>"$ERR" </dev/null || STATUS=$?
}
in_directory "$LAB/work/with" -- "${get[@]}" https://allowed.example/
check_equal - "./egress.rules is the policy where none is named" 0 "$STATUS"
check - "./egress.jsonl is the log where none is named" \
    grep -q '"host":"allowed.example"' "$LAB/work/with/egress.jsonl"
in_directory "$LAB/work/without" -- touch "$LAB/home/ran"
check_equal - "no policy: nothing is run" "125 no" \
    "$STATUS $([ -e "$LAB/home/ran" ] && echo yes || echo no)"
check - "and it is shown how to begin without one" grep -q -- 'egress-filter run --audit -- touch' \
    "$ERR"
in_directory "$LAB/work/without" --audit -- "${get[@]}" https://denied.example/
check_equal - "--audit needs no policy" 0 "$STATUS"

# A policy with errors: every one is printed, and nothing is run.
policy allowed.example 'github.*' '   *' 'allowed.example nonsense=1' '8.8.8.300'
behind -- touch "$LAB/home/ran"
check_equal - "a policy with errors: nothing is run" "125 no" \
    "$STATUS $([ -e "$LAB/home/ran" ] && echo yes || echo no)"
check_equal - "all of its errors are printed, each at its place" "2 3 4 5" \
    "$(sed -n "s|^$POLICY:\([0-9]*\):[0-9]*: error: .*|\1|p" "$ERR" | paste -sd' ')"
check_equal - "at its column too" 1 "$(grep -c "^$POLICY:3:4: error:" "$ERR")"
policy allowed.example 'github.*'
ends "--lenient skips a bad line" 0 --lenient -- "${get[@]}" https://allowed.example/
check - "with a warning" grep -q "^$POLICY:2:[0-9]*: warning:" "$ERR"
ends "a policy that cannot be read" 125 --policy "$LAB/work/none.rules" -- true
check - "is named" grep -q "$LAB/work/none.rules" "$ERR"

# Two policies count as one, and an include is relative to the file that holds it.
mkdir "$LAB/work/more"
policy allowed.example
printf 'include deeper.rules\n' >"$LAB/work/more/second.rules"
printf '\nwww.allowed.example\n' >"$LAB/work/more/deeper.rules"
behind --policy "$LAB/work/more/second.rules" -- sh -c '"$@" &&
    "$1" -sS -m 10 -o /dev/null https://www.allowed.example/' - "${get[@]}" https://allowed.example/
check_equal - "two policies count as one" 0 "$STATUS"
check_equal - "an included rule is named by its own file and line" \
    "$LAB/work/more/deeper.rules 2" \
    "$(record_field '.event == "connect" and .host == "www.allowed.example"' \
        '"\(.file) \(.line)"')"
check_equal - "the digest is that of all three" \
    "$(sha256sum "$POLICY" "$LAB/work/more/"{second,deeper}.rules | sha256sum | cut -d' ' -f1)" \
    "$(record_field '.event == "start"' .policy_sha256)"
chown $TESTER_UID "$LAB/work/more/deeper.rules"
ends "an included policy cannot be written" 2 --policy "$LAB/work/more/second.rules" -- \
    sh -c "echo '$DENIED_IP' >>$LAB/work/more/deeper.rules"
mkfifo "$LAB/work/more/pipe.rules"
printf 'include pipe.rules\n' >"$LAB/work/more/third.rules"
check_equal - "an include that is a pipe is refused, and not waited for" 125 \
    "$(timeout -k 1 20 "$EGRESS" run --policy "$LAB/work/more/third.rules" --user "$TESTER" \
        --log "$LAB/log/pipe.jsonl" -- true >"$LAB/log/pipe.log" 2>&1; echo $?)"
printf 'include missing.rules\n' >"$LAB/work/more/second.rules"
ends "an include that is missing" 125 --policy "$LAB/work/more/second.rules" -- true
check - "is named at its line" grep -q "second.rules:1:[0-9]*: error:.*missing.rules" "$ERR"

# The start context and placeholders.
policy allowed.example
ends "--context narrows every rule" 6 --context '[exe=/usr/bin/other]' -- \
    "${get[@]}" https://allowed.example/
ends "--context that fits" 0 --context "[exe=$CURL]" -- "${get[@]}" https://allowed.example/
policy '{owner}.example'
ends "--repo fills placeholders" 0 --repo allowed/project -- "${get[@]}" https://allowed.example/
ends "a placeholder without a value" 125 -- true

# The table at the end.
policy allowed.example
both='"$@" https://allowed.example/; "$@" --resolve denied.example:443:'$DENIED_IP'
    https://denied.example/; exit 0'
both=${both//$'\n'/ }
behind -- sh -c "$both" - "${get[@]}"
check - "the table counts what was allowed and denied" grep -q '^1 allowed, 1 denied$' "$ERR"
check - "and shows the line that would allow it" grep -qxF "    denied.example exe=$CURL  # seen once" "$ERR"
head=$(sed -n 's/.*verify with --head //p' "$ERR")
check - "and the head of the chain, by which the log is verified" \
    "$EGRESS" verify --head "$head" "$AUDIT"
behind --quiet -- sh -c "$both" - "${get[@]}"
check_equal - "--quiet prints no table" 0 "$(grep -vc '^curl: ' "$ERR")"
check_equal - "but records all the same" 2 "$(records '.event == "connect"')"
behind --quiet --json -- true
check_equal - "--quiet goes before --json" "" "$(cat "$ERR")"
behind --json -- sh -c "$both" - "${get[@]}"
check_equal - "--json prints the table as one JSON object" object \
    "$(grep -v '^curl: ' "$ERR" | jq -r type)"
check - "with what was denied in it" grep -q '"denied.example"' "$ERR"
check_equal - "and the command's output is its own" "" "$(cat "$OUT")"

# The log.
behind -- true
check_equal - "the log is not for everybody" 640 "$(stat -c %a "$AUDIT")"
cp "$AUDIT" "$LAB/work/log"
AUDIT=$LAB/work/log
"$EGRESS" run --policy "$POLICY" --user "$TESTER" --log "$AUDIT" --quiet -- true
check - "another run goes on with the chain" "$EGRESS" verify "$AUDIT"
check_equal - "of the same file" 2 "$(records '.event == "start"')"
ln -s "$LAB/work/log" "$LAB/work/link"
"$EGRESS" run --policy "$POLICY" --user "$TESTER" --log "$LAB/work/link" -- true \
    >"$LAB/log/link.out" 2>&1
check_equal - "a symbolic link is no log" 125 $?

replayed
