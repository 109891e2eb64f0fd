#!/bin/bash
# SPDX-License-Identifier: MIT
# What was denied, as lines of a policy: `run --suggest` and `suggest` on the logs of real runs. The
# lines let through what they were made of and nothing else, whatever programs are called; the file
# is its user's, new, and whole.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

made=$LAB/home/made.rules
# lines FILE: what it allows, without a word of comment.
lines()
{
    grep -vE '^(#|$|\[\])' "$1" | sort
}
# suggest ARGUMENT…: output in $LAB/log/said, what was wrong in $LAB/log/said.err.
suggest()
{
    STATUS=0
    "$EGRESS" suggest "$@" >"$LAB/log/said" 2>"$LAB/log/said.err" || STATUS=$?
}

# Programs of the watched, under names that are meant to become lines of their own.
hostile=("a \"b" $'x\n*.net' 'y # *.net' '*' '{owner}' 'z exe=sh')
mkdir "$LAB/tmp/p"
for name in "${hostile[@]}"; do
    cp "$LAB/bin/connect_once" "$LAB/tmp/p/$name"
done
get='curl -sS -m 10 -o /dev/null'
# By address first: once a name was seen to lie there, it is what counts.
job="$LAB/bin/connect_once -r $THIRD_IP 7 5; $LAB/bin/connect_once -u $THIRD_IP 7 5
    for p in $LAB/tmp/p/*; do \"\$p\" -r $DENIED_IP 7 5; done
    $get https://allowed.example/; $get https://third.example/; $get https://denied.example/
    $get http://allowed.example/; $get -g http://[$ALLOWED_IP6]/; dig +tries=1 one.wild.example srv
    exit 0"
policy allowed.example 'deny denied.example'
behind --audit --suggest "$made" -- sh -c "$job"
check_equal - "a run writes what it would have denied" 0 "$STATUS"
check_equal - "to a file of the user's" "$TESTER_UID 644" "$(stat -c '%u %a' "$made")"
check_equal - "and nothing beside it" made.rules "$(ls -A "$LAB/home")"
check - "a policy without an error or a warning" "$EGRESS" check --strict "$made"
tool="exe=$LAB/bin/connect_once"
check_equal - "the narrowest lines, each with the program" "$(sort <<LINES
third.example exe=$CURL
allowed.example:80 exe=$CURL
dns:one.wild.example exe=$(realpath "$(command -v dig)")
$THIRD_IP:7 $tool
$THIRD_IP:7/udp $tool
$DENIED_IP:7 exe="$LAB/tmp/p/*"
$DENIED_IP:7 exe="$LAB/tmp/p/y # *.net"
$DENIED_IP:7 exe="$LAB/tmp/p/z exe=sh"
LINES
)" "$(lines "$made")"
check - "what a veto denies is said with its line" \
    grep -q "^# denied.example.*$POLICY:2 denies it, .deny denied.example.;" "$made"
check_equal - "programs that no rule can name have no line" 3 \
    "$(grep -c '^# .*the path of its program cannot stand in a rule' "$made")"
check - "and what no rule opens says so" grep -q "^# $ALLOWED_IP6 port 80, .*IPv6 is closed" "$made"
check - "who asked only once is told" grep -q "^# seen once, by $LAB/bin/connect_once, 20" "$made"
audited=$AUDIT

# The same from the log, without rights.
cp "$EGRESS" "$LAB/bin/egress-filter"
as_tester "$LAB/bin/egress-filter" suggest "$audited" >"$LAB/log/said"
check_equal - "suggest says the same of the log, to anyone who may read it" \
    "$(lines "$made")" "$(lines "$LAB/log/said")"
suggest - <"$audited"
check_equal - "and of standard input" "$(lines "$made")" "$(lines "$LAB/log/said")"

# With these lines the same job runs, and another program does not.
cp "$POLICY" "$LAB/work/before.rules"
cat "$made" >>"$POLICY"
lab_syns "$DENIED_IP" >"$LAB/work/syns"
behind -- sh -c "$job"
check_equal - "with the lines only what has none is denied" \
    "$(printf '%s\n' "$ALLOWED_IP6" "$DENIED_IP" denied.example | sort)" \
    "$(jq -r 'select(.policy == "deny") | .host // .name // .dst_ip' "$AUDIT" | sort -u)"
check_equal - "three programs reach what they asked for" "$(($(cat "$LAB/work/syns") + 3))" \
    "$(lab_syns "$DENIED_IP")"
cp "$LAB/bin/connect_once" "$LAB/tmp/other"
syns=$(lab_syns "$THIRD_IP")
behind -- sh -c "$LAB/tmp/other -r $THIRD_IP 7 5; $LAB/tmp/other -u $THIRD_IP 7 5
    $LAB/bin/connect_once -r $THIRD_IP 8 5; exit 0"
check_equal N01 "another program, and another port, reach nothing" "$syns" "$(lab_syns "$THIRD_IP")"
check_equal - "what was denied to them" 3 "$(records '.policy == "deny"')"
other=$AUDIT

# Enforced: the look-up is all that was seen, so the language's own port is meant.
policy allowed.example
behind --suggest "$LAB/home/enforced.rules" -- sh -c "$get https://third.example/; exit 0"
check_equal - "a denied look-up becomes the line of its connection" "third.example exe=$CURL" \
    "$(lines "$LAB/home/enforced.rules")"
check - "and the comment says what was seen" grep -q '^# only looked up: ' "$LAB/home/enforced.rules"

# Several logs, and a policy that allows some of it already.
suggest "$audited" "$other"
check - "several logs are merged" grep -qxF "$THIRD_IP:7 exe=$LAB/tmp/other" "$LAB/log/said"
suggest "$audited" "$audited"
check - "and counted" grep -q "^# 2 times, by $LAB/bin/connect_once" "$LAB/log/said"
suggest --policy "$LAB/work/before.rules" --policy "$made" "$audited"
check_equal - "what a policy allows is left out" "" "$(lines "$LAB/log/said")"
check - "what it vetoes is told" grep -q "before.rules:2 denies it" "$LAB/log/said"
printf '# nothing\n' >"$LAB/work/empty.rules"
suggest --policy "$LAB/work/empty.rules" "$audited"
check - "what the log allowed and the policy does not is there" \
    grep -qxF "allowed.example exe=$CURL" "$LAB/log/said"
suggest --json "$audited"
check_equal - "as JSON it is one object" "8 6" \
    "$(jq -r '"\(.lines | length) \(.without | length)"' "$LAB/log/said")"
suggest --output "$LAB/work/out.rules" "$audited"
check_equal - "or a new file" "$(lines "$made")" "$(lines "$LAB/work/out.rules")"
suggest --output "$LAB/work/out.rules" "$audited"
check_equal - "never over one that is there" 2 "$STATUS"
{ head -n 3 "$audited" && echo '{"event":"connect",' && cat "$audited"; } >"$LAB/work/broken.jsonl"
suggest "$LAB/work/broken.jsonl"
check_equal - "a broken log makes no policy" "2 0" "$STATUS $(wc -c <"$LAB/log/said")"
check - "and its line is named" grep -q 'broken.jsonl:4: error: ' "$LAB/log/said.err"
for wrong in "" "--nonsense x" "$LAB/work/nosuch" "--policy $LAB/work/nosuch $audited"; do
    # shellcheck disable=SC2086 # words
    suggest $wrong
    check_equal - "suggest '${wrong%% *}' is a mistake" 2 "$STATUS"
done

# The file of --suggest: the user's rights, nothing followed, nothing replaced.
touch "$LAB/work/victim"
ln -s "$LAB/work/victim" "$LAB/home/link"
ln -s "$LAB/work/nothing-yet" "$LAB/home/dangling"
ln -s "$LAB/work" "$LAB/home/way"
mkdir "$LAB/home/directory"
for bad in "$made" "$LAB/home/link" "$LAB/home/dangling" "$LAB/home/way/new" "$LAB/work/new" \
    "$LAB/home/directory" "$LAB/home/directory/" "$LAB/home/none/new"; do
    behind --suggest "$bad" -- touch "$LAB/home/ran"
    check_equal - "--suggest ${bad#"$LAB"/} is refused before anything runs" "125 no" \
        "$STATUS $([ -e "$LAB/home/ran" ] && echo yes || echo no)"
done
check_equal - "and nothing was made or written" "0 no no" "$(stat -c %s "$LAB/work/victim") \
$([ -e "$LAB/work/nothing-yet" ] && echo yes || echo no) $([ -e "$LAB/work/new" ] && echo yes || echo no)"
behind --suggest "$LAB/home/late" -- sh -c "echo mine >$LAB/home/late; exit 3"
check_equal - "what the command makes there meanwhile stays" "125 mine" \
    "$STATUS $(cat "$LAB/home/late")"
behind --suggest "$LAB/home/moved/new" -- true
mkdir "$LAB/home/dir" && chown "$TESTER_UID" "$LAB/home/dir"
behind --suggest "$LAB/home/dir/new" -- \
    sh -c "mv $LAB/home/dir $LAB/home/gone; ln -s $LAB/work $LAB/home/dir"
check_equal - "a directory that became a way elsewhere leads nowhere" "0 yes no" "$STATUS \
$([ -s "$LAB/home/gone/new" ] && echo yes || echo no) $([ -e "$LAB/work/new" ] && echo yes || echo no)"
check_equal - "no temporary file is left" "" "$(find "$LAB/home" "$LAB/work" -name '.new-*')"

# Colours are for terminals.
# coloured VARIABLE=VALUE…: whether the table has any, on a terminal.
coloured()
{
    env TERM=xterm "$@" script -qec "$EGRESS run ${RUN_OPTIONS[*]} --policy $POLICY --user $TESTER \
        --log $LAB/log/tty.jsonl -- dig +tries=1 nowhere.example" /dev/null </dev/null >"$LAB/work/tty"
    if grep -q $'\e\\[' "$LAB/work/tty"; then echo yes; else echo no; fi
}
if command -v script >/dev/null; then
    check_equal - "colours on a terminal, unless NO_COLOR or a dumb one" "yes no no" \
        "$(coloured A=1) $(coloured NO_COLOR=1) $(coloured TERM=dumb)"
else
    skip - "colours on a terminal" "script(1) is not installed"
fi
