#!/bin/bash
# SPDX-License-Identifier: MIT
# What `match` says of a log is what the filter said when it wrote it, record by record; and
# `match` and `check` on files, on standard input and on a workflow, as a person would call them.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside, or for jq
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

# The reasons that are a policy's own. Others are told by what came later: a machine that was not
# the name's, a message that could not be read.
OF_POLICY='[null, "no-rule", "veto", "private-address", "inspect", "resolver", "unattributed"]'
# Of every decision that was recorded: what the filter said. One line a record, as match prints.
SAID='select(.event == "connect" or .event == "request" or .event == "query" or
    .event == "datagram") | [.policy, .file, .line, .rule, .reason, .passthrough // false,
    .insecure // false]'

# replays NAME DECISIONS: the newest run's log through match, by the newest policy. At least so many
# decisions of the policy must be in it.
replays()
{
    local said told compared
    said=$(jq -c "$SAID" "$AUDIT")
    "$EGRESS" match --policy "$POLICY" "$AUDIT" >"$LAB/log/match-$RUNS.jsonl" \
        2>"$LAB/log/match-$RUNS.err" || {
        not_ok - "match replays $1" "exit status $?" "$(cat "$LAB/log/match-$RUNS.err")"
        return
    }
    told=$(jq -c '[.policy, .file, .line, .rule, .reason, .passthrough, .insecure]' \
        "$LAB/log/match-$RUNS.jsonl")
    # Side by side. What the policy allowed and the filter stopped, or sent elsewhere, has the
    # filter's reason; the policy's word and its rule are compared all the same.
    compared=$(paste -d '\t' <(printf '%s\n' "$said") <(printf '%s\n' "$told") |
        jq -R -c --argjson of_policy "$OF_POLICY" 'split("\t") | map(fromjson) |
            . as [$said, $told] | if $said[0] == "allow" then
                {own: true, same: ($said[:4] + $said[5:] == $told[:4] + $told[5:])}
            elif $of_policy | index([$said[4]]) then {own: true, same: ($said == $told)}
            else {own: false, same: true} end + {said: $said, told: $told}')
    if [ "$(wc -l <<<"$said")" -eq "$(wc -l <<<"$told")" ] &&
        [ "$(jq -s 'map(select(.own)) | length' <<<"$compared")" -ge "$2" ] &&
        [ "$(jq -s 'all(.same)' <<<"$compared")" = true ]; then
        ok - "match replays $1"
    else
        not_ok - "match replays $1" "$(wc -l <<<"$said") decisions, $(wc -l <<<"$told") verdicts" \
            "$(jq -c 'select(.own and (.same | not))' <<<"$compared")" \
            "$(jq -c 'del(.ancestors, .hash)' "$AUDIT")"
    fi
}

get='curl -sS -m 10 -o /dev/null'

# Names, wildcards, vetoes, keywords, addresses, ports; allowed and denied.
policy 'allowed.example' '*.wild.example:80|443' 'third.example passthrough' 'deny denied.example' \
    "$THIRD_IP:80" 'private.example' 'alias.example insecure' 'http://dual.example/only'
behind -- sh -c "for u in https://allowed.example/ http://allowed.example/ https://a.wild.example/ \
    http://b.wild.example/ https://third.example/ https://denied.example/ http://$THIRD_IP/ \
    http://$DENIED_IP/ https://private.example/ https://alias.example/ https://nowhere.example/ \
    http://dual.example/only; do $get -k \$u; done
    $get --resolve third.example:443:$DENIED_IP https://third.example/
    $get --resolve denied.example:443:$DENIED_IP https://denied.example/
    $get -k https://$ALLOWED_IP/"
replays "names and addresses" 8

# The same by an address that two names go by: whichever was resolved decides.
policy 'www.allowed.example:80' 'deny allowed.example'
behind -- sh -c "$get http://www.allowed.example/; dig +short allowed.example
    $get http://www.allowed.example/; $get http://$ALLOWED_IP/"
replays "an address with names" 2

# What the client said first counts where it is not TLS.
policy 'allowed.example:80' 'http://third.example/only' 'deny http://allowed.example/evil/*'
behind -- bash -c "$get http://allowed.example/; $get http://third.example/only
    exec 3<>/dev/tcp/$ALLOWED_IP/80; printf '\001\002\003' >&3; cat <&3"
check_equal - "first bytes are told" "http unknown" \
    "$(jq -r '.first_bytes | values' "$AUDIT" | sort -u | paste -sd ' ')"
replays "first bytes" 3

# Programs, arguments, ancestors, users, cgroups: known ones and others, in allow rules and vetoes.
policy "[:80|443 exe=$CURL]" "$ALLOWED_IP" '[]' 'deny third.example exe=/usr/bin/other' \
    "third.example parent=$(realpath /bin/sh)" "denied.example:80|443 user=root" \
    "deny $DENIED_IP cgroup=@docker" "$THIRD_IP:80 arg=-sS arg=\"-m\"" \
    "$DENIED_IP:80 arg[1]=-x" "[cgroup=@host]" 'dns:*.example' 'allowed.example'
behind -- sh -c "$get http://$ALLOWED_IP/; $get https://third.example/; $get http://$THIRD_IP/
    $get http://$DENIED_IP/; $get https://denied.example/; $get https://allowed.example/
    connect_once $ALLOWED_IP 80"
replays "selectors" 5
policy "$THIRD_IP:80 user=$TESTER_UID" "$ALLOWED_IP:80 user=$TESTER" "$DENIED_IP:80 cgroup=/no/*" \
    "deny *.example parent=/nowhere"
behind -- sh -c "$get http://$THIRD_IP/; $get http://$ALLOWED_IP/; $get http://$DENIED_IP/
    $get http://allowed.example/"
replays "users and cgroups" 4

# DNS: by name, at another resolver, over TCP, names that are no hosts.
policy '*.wild.example' 'dns:allowed.example' "$OTHER_RESOLVER_IP:53/udp" 'deny third.example'
behind -- sh -c "dig +tries=1 a.wild.example; dig +tries=1 denied.example
    dig +tries=1 +tcp denied.example; dig +tries=1 third.example TXT; dig +tries=1 denied.example AAAA
    dig +tries=1 @$OTHER_RESOLVER_IP a.wild.example; dig +tries=1 @$OTHER_RESOLVER_IP third.example
    dig +tries=1 '@$RESOLVER_IP' 'x\\000y.wild.example'; dig +tries=1 _a._b.wild.example
    dig +tries=1 wild.example; $get https://allowed.example/"
replays "look-ups" 5
check - "an answer that was logged prints nothing" test \
    "$(jq -c 'select(.event == "answer")' "$AUDIT" | wc -l)" -gt 0

# UDP, and audit mode, where the policy's word is recorded and something else is done.
policy "$THIRD_IP:7/udp" "$ALLOWED_IP:7"
behind -- sh -c "connect_once -u -r $THIRD_IP 7 1; connect_once -u -r $ALLOWED_IP 7 1
    connect_once $ALLOWED_IP 7; connect_once $THIRD_IP 7"
replays "datagrams" 2
policy 'allowed.example' "deny $THIRD_IP expected"
behind --audit -- sh -c "$get https://allowed.example/; $get https://denied.example/
    $get http://$THIRD_IP/; dig +tries=1 third.example"
replays "audit mode" 3

# Two runs in one log: what the first resolved is nothing to the second.
policy 'allowed.example:80'
behind -- sh -c "$get http://allowed.example/"
"$EGRESS" run --policy "$POLICY" --user "$TESTER" --log "$AUDIT" --quiet -- \
    sh -c "$get http://$ALLOWED_IP/" >>"$OUT" 2>>"$ERR" </dev/null
replays "two runs in one log" 2
check_equal - "the second of which knows no name" "deny no-rule" "$("$EGRESS" match \
    --policy "$POLICY" "$AUDIT" | tail -n 1 | jq -r '"\(.verdict) \(.reason)"')"

# By hand.
cd "$LAB/work" || exit 1
policy 'allowed.example' 'https://api.example/{owner}/{repo}/*' 'deny evil.example' \
    'deny loud.example expected'
# said ARGUMENT…: the verdicts of events on standard input, on one line.
said()
{
    "$EGRESS" match --policy "$POLICY" --repo me/it "$@" 2>>"$LAB/log/by-hand.err" |
        jq -r '"\(.verdict) \(.line)"' | paste -sd ' '
}
check_equal - "events by hand, on standard input" "allow 1 deny null allow 2 inspect 2 deny 3" "$(
    said <<'EVENTS'
{"type":"https","host":"allowed.example"}
{"type":"https","host":"other.example"}
{"url":"https://api.example/me/it/x"}
{"type":"https","host":"api.example","dst_ip":"93.184.216.34","dst_port":443}

{"type":"dns","name":"evil.example","resolver":"self"}
EVENTS
)"
echo '{"type":"https","host":"allowed.example"}' >events.jsonl
check_equal - "events in files, and - among them" "allow 1 deny 3 allow 1" \
    "$(echo '{"type":"https","host":"evil.example"}' | said events.jsonl - events.jsonl)"
# A reader that waits for each verdict before it asks again.
mkfifo asked
exec {asked}<>asked
lab_start match-reader sh -c 'exec "$@" <"$0"' asked "$EGRESS" match --policy "$POLICY" --repo me/it
echo '{"type":"https","host":"allowed.example"}' >&"$asked"
check - "a verdict comes before the next event is asked for" \
    wait_for 20 grep -q '"verdict":"allow"' "$LAB/log/match-reader.log"
lab_stop match-reader
exec {asked}>&-
# status ARGUMENT…: the exit status of the program.
status()
{
    "$EGRESS" "$@" >"$LAB/log/status.out" 2>"$LAB/log/status.err"
    echo $?
}
judge=(match --policy "$POLICY" --repo me/it)
check_equal - "match exits with 0 whatever is denied" 0 \
    "$(status "${judge[@]}" <<<'{"type":"https","host":"evil.example"}')"
check_equal - "with 1 under --exit-code" 1 \
    "$(status "${judge[@]}" --exit-code <<<'{"type":"https","host":"evil.example"}')"
check_equal - "but not for what is expected" 0 \
    "$(status "${judge[@]}" --exit-code <<<'{"type":"https","host":"loud.example"}')"
check_equal - "with 2 for an event that is none" 2 "$(status "${judge[@]}" <<<'{"type":"x"}')"
check - "naming its line" grep -q '^<stdin>:1: error: ' "$LAB/log/status.err"
check_equal - "with 2 for a placeholder without a value" 2 \
    "$(GITHUB_REPOSITORY='' status match --policy "$POLICY" <<<'{}')"
check_equal - "with 2 without a policy" 2 "$(status match </dev/null)"
cp "$POLICY" egress.rules
check_equal - "./egress.rules is taken where no policy is named" 0 \
    "$(status match --repo me/it events.jsonl)"
rm egress.rules

# check, as its author would use it.
printf 'allowed.example\n\n  github.*\n10.0.0.1/8\ninclude more.rules exe=/bin/a\n' >bad.rules
printf 'third.example\ninclude ./more.rules\n' >more.rules
check_equal - "check exits with 2 for errors" 2 "$(status check bad.rules)"
check_equal - "which it tells with line and column, those of included files too" \
    "bad.rules:3:10:error bad.rules:4:1:warning more.rules:2:9:error" \
    "$(sed -nE 's/^([^:]+:[0-9]+:[0-9]+): ([a-z]+): .*/\1:\2/p' "$LAB/log/status.err" |
        paste -sd ' ')"
printf 'third.example\n' >more.rules
sed -i '/github/d' bad.rules
check_equal - "with 0 for warnings" 0 "$(status check bad.rules)"
check_equal - "with 1 for them under --strict" 1 "$(status check --strict bad.rules)"
check_equal - "with 0 for good ones under --strict" 0 "$(status validate --strict more.rules)"
check_equal - "with 2 for a file that is not there" 2 "$(status check nosuch.rules)"
check_equal - "and 2 without one" 2 "$(status check)"
check_equal - "standard input" 2 "$(status check - <<<'github.*')"
check_equal - "--dump-rules prints what include lines add" '["third.example","/bin/a","more.rules"]' \
    "$("$EGRESS" check --dump-rules bad.rules 2>/dev/null | jq -c 'select(.target ==
        "third.example") | [.target, .attrs.exe.value, .file]')"
cat >ci.yml <<'WORKFLOW'
on: push
jobs:
  build:
    steps:
      - uses: actions/checkout@v4
      - uses: example/egress-filter@v1
        with:
          policy: |
            allowed.example

            github.*
            include other.rules
      - uses: ./
        with:
          policy: "third.example\nb..org"
WORKFLOW
check_equal - "a workflow's policies" 2 "$(status check ci.yml)"
check_equal - "by the workflow's own lines" "ci.yml:11:20 ci.yml:12:21 ci.yml:15:37" \
    "$(sed -nE 's/^([^:]+:[0-9]+:[0-9]+): error: .*/\1/p' "$LAB/log/status.err" | paste -sd ' ')"
check_equal - "and its rules" "9 13" "$(sed -i -e '/github/d' -e '/include/d' -e 's/b\.\.org/b.org/' \
    ci.yml && "$EGRESS" check --dump-rules ci.yml | jq .line | sort -nu | paste -sd ' ')"
