#!/bin/bash
# SPDX-License-Identifier: MIT
# `explain` on the logs of real runs: each denial is explained by what was denied, and of every
# decision it says what the filter did.
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

get=(curl -sS -m 10 -o /dev/null)
policy '# who may' 'allowed.example' 'denied.example exe=/usr/bin/no-such' 'third.example:8443'
behind -- sh -c '"$@"; exit 0' - "${get[@]}" \
    --resolve "denied.example:443:$DENIED_IP" https://denied.example/ https://allowed.example/
check_equal - "the server that was denied saw nothing" 0 "$(lab_syns "$DENIED_IP")"

explain()
{
    "$EGRESS" explain --policy "$POLICY" --log "$AUDIT" "$@"
}

conn=$(record_field '.event == "connect" and .host == "denied.example"' .conn)
explain --conn "$conn" >"$LAB/log/denied.txt"
check - "it says by which line the program is not the one" \
    grep -qF "$POLICY:3: denied.example exe=/usr/bin/no-such" "$LAB/log/denied.txt"
check - "and which one it was" grep -qF "the program is $CURL, not /usr/bin/no-such" \
    "$LAB/log/denied.txt"
check - "with the same policy the log does not differ" ! grep -q 'The log differs' \
    "$LAB/log/denied.txt"

allowed=$(record_field '.event == "connect" and .host == "allowed.example"' .conn)
check - "what was allowed has its line" grep -qF "$POLICY:2: allowed.example" \
    <<<"$(explain --conn "$allowed")"

# Of every decision of the run.
agrees=0 decisions=0
while read -r seq; do
    decisions=$((decisions + 1))
    said=$(explain --json --seq "$seq" | jq -r '.record.agrees')
    [ "$said" = same ] && agrees=$((agrees + 1))
done < <(jq -r 'select(.event == "connect" or .event == "query") | .seq' "$AUDIT")
check_equal - "of every decision it says what the filter did" "$decisions" "$agrees"
check - "of which there are some" test "$decisions" -ge 3

newest=$(jq -r 'select(.policy == "deny" or .outcome == "denied") | .seq' "$AUDIT" | tail -n 1)
check - "a log alone tells its newest denial" \
    test -n "$newest" -a "$(explain)" = "$(explain --seq "$newest")"
check_equal - "also where it can be read only once" "$(explain)" \
    "$("$EGRESS" explain --policy "$POLICY" --log - <"$AUDIT")"

# The same log under another policy.
sed -i 's/^denied.example.*/denied.example/' "$POLICY"
check - "mended, the policy allows it, and the log is told to be of another" \
    grep -qzE 'allowed: tls denied.*digest in the log differs' <<<"$(explain --conn "$conn")"
check - "a record by itself is enough" grep -q '^allowed: tls denied.example' \
    <<<"$(jq -c "select(.conn == $conn and .event == \"connect\")" "$AUDIT" |
        "$EGRESS" explain --policy "$POLICY")"
behind -- "${get[@]}" --resolve "denied.example:443:$DENIED_IP" -k https://denied.example/
check - "and what it foretold is so: now the server is reached" \
    test "$(lab_syns "$DENIED_IP")" -gt 0
replayed
