#!/bin/bash
# SPDX-License-Identifier: MIT
# What the policy allows arrives, and what it does not never does: every selector and form of rule
# on real traffic, each shown by the SYNs and requests that the servers counted.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

# How many requests whose path is /MARK came to any server.
requests_marked()
{
    lab_settle || return 1
    jq -r --arg uri "/$1" 'select(.uri == $uri) | .uri' "$LAB/log/requests.jsonl" | wc -l
}

# judged ID NAME ADDRESS SYNS REQUESTS FILTER COMMAND…: one run; % in the command is a path of its
# own. What arrived at ADDRESS, and that the log holds a connect record as described.
judged()
{
    local id=$1 name=$2 address=$3 syns=$4 requests=$5 filter=$6 before mark
    shift 6
    mark=m$((RUNS + 1))
    before=$(lab_syns "$address")
    behind -- "${@//%/$mark}"
    local got=$(($(lab_syns "$address") - before))
    if [ "$got" -eq "$syns" ] && [ "$(requests_marked "$mark")" -eq "$requests" ] &&
        [ "$(records ".event == \"connect\" and ($filter)")" -ge 1 ]; then
        ok "$id" "$name"
    else
        not_ok "$id" "$name" "SYNs: $got of $syns, requests: $(requests_marked "$mark") of $requests" \
            "no record with $filter, or:" "$(jq -c 'del(.ancestors)' "$AUDIT")" "$(cat "$ERR")"
    fi
}

arrives()
{
    local name=$1 address=$2 line=$3
    shift 3
    judged - "arrives: $name" "$address" 1 1 \
        ".policy == \"allow\" and .outcome == \"allowed\" and .line == $line" "$@"
}

# refused NAME ADDRESS REASON COMMAND…
refused()
{
    local name=$1 address=$2 reason=$3
    shift 3
    judged - "refused: $name" "$address" 0 0 \
        ".policy == \"deny\" and .outcome == \"denied\" and .reason == \"$reason\"" "$@"
}

get=(curl -sS -m 10 -o /dev/null)
to_denied=(--resolve "denied.example:443:$DENIED_IP" --resolve "denied.example:80:$DENIED_IP")

policy allowed.example
arrives "by name" "$ALLOWED_IP" 1 "${get[@]}" https://allowed.example/%
arrives "by name, in upper case" "$ALLOWED_IP" 1 "${get[@]}" https://ALLOWED.Example/%
refused "a name below it" "$ALLOWED_IP" no-rule \
    "${get[@]}" --resolve "www.allowed.example:443:$ALLOWED_IP" https://www.allowed.example/%
refused "another name" "$DENIED_IP" no-rule "${get[@]}" "${to_denied[@]}" https://denied.example/%
refused "another port" "$ALLOWED_IP" no-rule "${get[@]}" http://allowed.example/%
refused "an address" "$DENIED_IP" no-rule "${get[@]}" "http://$DENIED_IP/%"
policy '*.wild.example'
arrives "by wildcard" "$ALLOWED_IP" 1 "${get[@]}" -k https://a.b.wild.example/%
refused "the wildcard's own name" "$ALLOWED_IP" no-rule \
    "${get[@]}" --resolve "wild.example:443:$ALLOWED_IP" -k https://wild.example/%
policy 'allowed.example:80'
arrives "by learnt name, without TLS" "$ALLOWED_IP" 1 "${get[@]}" http://allowed.example/%
policy "$DENIED_IP"
arrives "by address" "$DENIED_IP" 1 "${get[@]}" "${to_denied[@]}" https://denied.example/%
refused "the address at another port" "$DENIED_IP" no-rule \
    "${get[@]}" "${to_denied[@]}" http://denied.example/%
refused "its neighbour" "$THIRD_IP" no-rule "${get[@]}" -k "https://$THIRD_IP/%"
policy '93.184.216.32/29:80|443'
arrives "by block" "$DENIED_IP" 1 "${get[@]}" "http://$DENIED_IP/%"
refused "outside the block" "$BAD_TLS_IP" no-rule "${get[@]}" "http://$BAD_TLS_IP/%"
policy "$DENIED_IP:80-90"
arrives "by a range of ports" "$DENIED_IP" 1 "${get[@]}" "http://$DENIED_IP/%"

policy "allowed.example exe=$CURL"
arrives "by exe=" "$ALLOWED_IP" 1 "${get[@]}" https://allowed.example/%
policy "$DENIED_IP:80 exe=/usr/bin/other"
refused "by exe=" "$DENIED_IP" no-rule "${get[@]}" "http://$DENIED_IP/%"
policy "$DENIED_IP:80 arg=-sS arg[0]=curl"
arrives "by arg=" "$DENIED_IP" 1 "${get[@]}" "http://$DENIED_IP/%"
policy "$DENIED_IP:80 cgroup=/egress-filter-*"
arrives "by cgroup=" "$DENIED_IP" 1 "${get[@]}" "http://$DENIED_IP/%"
policy "$DENIED_IP:80 cgroup=@docker"
refused "by cgroup=" "$DENIED_IP" no-rule "${get[@]}" "http://$DENIED_IP/%"
policy "$DENIED_IP:80 user=$TESTER"
arrives "by user=, a name" "$DENIED_IP" 1 "${get[@]}" "http://$DENIED_IP/%"
policy "$DENIED_IP:80 user=$TESTER_UID"
arrives "by user=, a number" "$DENIED_IP" 1 "${get[@]}" "http://$DENIED_IP/%"
policy "$DENIED_IP:80 user=root"
refused "by user=" "$DENIED_IP" no-rule "${get[@]}" "http://$DENIED_IP/%"
policy "$DENIED_IP:80 parent=$(realpath "$(command -v bash)")"
arrives "by parent=" "$DENIED_IP" 1 bash -c 'curl -sS -m 10 -o /dev/null "$1"; exit' - \
    "http://$DENIED_IP/%"
policy allowed.example 'deny allowed.example'
refused "by a deny rule" "$ALLOWED_IP" veto \
    "${get[@]}" --resolve "allowed.example:443:$ALLOWED_IP" https://allowed.example/%
policy "$DENIED_IP:80" "deny $DENIED_IP exe=$CURL"
refused "by a deny rule for one program" "$DENIED_IP" veto "${get[@]}" "http://$DENIED_IP/%"
policy "$DENIED_IP:80" "deny $DENIED_IP exe=/usr/bin/other"
arrives "past a deny rule for another program" "$DENIED_IP" 1 "${get[@]}" "http://$DENIED_IP/%"
policy '[:80 exe=/usr/bin/other]' "$DENIED_IP" '[]' "$THIRD_IP:80"
refused "by a header's scope" "$DENIED_IP" no-rule "${get[@]}" "http://$DENIED_IP/%"
arrives "past the end of a header's scope" "$THIRD_IP" 4 "${get[@]}" "http://$THIRD_IP/%"
policy "[:80 exe=$CURL]" "$DENIED_IP"
arrives "by a header's scope" "$DENIED_IP" 2 "${get[@]}" "http://$DENIED_IP/%"

# What the client hears.
policy allowed.example
behind -- "${get[@]}" "${to_denied[@]}" https://denied.example/
check - "denied TLS hears an alert" grep -qi 'alert access denied' "$ERR"
behind -- connect_once -r "$DENIED_IP" 80 5
check_equal - "what is not TLS is reset" ECONNRESET "$(cat "$OUT")"

# Names without a label: what was looked up counts, and only for bytes that are a protocol we know.
looked_up() { judged "$1" "$2" "$3" "$4" "$5" "$6" sh -c 'getent ahostsv4 "$0" >/dev/null; "$@"' "${@:7}"; }
policy allowed.example third.example:80
refused "TLS without a name, to an address nobody looked up" "$ALLOWED_IP" no-rule \
    "${get[@]}" -k "https://$ALLOWED_IP/%"
looked_up T02 "arrives: TLS without a name, after a look-up" "$ALLOWED_IP" 1 1 \
    '.outcome == "allowed" and .host == "allowed.example" and .name_from == "dns"' \
    allowed.example "${get[@]}" -k "https://$ALLOWED_IP/%"
looked_up - "refused: no protocol we know, to port 80 of a learnt name" "$THIRD_IP" 0 0 \
    '.outcome == "denied" and .reason == "no-rule"' third.example connect_once -r "$THIRD_IP" 80 5
looked_up - "arrives: HTTP, to port 80 of a learnt name" "$THIRD_IP" 1 1 \
    '.outcome == "allowed" and .host == "third.example" and .name_from == "dns"' \
    third.example "${get[@]}" "http://$THIRD_IP/%"
policy dns:allowed.example
looked_up - "refused: a name that may be looked up only" "$ALLOWED_IP" 0 0 \
    '.outcome == "denied" and .reason == "no-rule"' \
    allowed.example "${get[@]}" https://allowed.example/%
policy 'allowed.example passthrough'
judged - "arrives: passthrough, and recorded as such" "$ALLOWED_IP" 1 1 \
    '.outcome == "allowed" and .passthrough and .opened == false' \
    "${get[@]}" https://allowed.example/%

# A label is not a machine.
policy allowed.example
judged T01 "an allowed name at a foreign address goes to its own machine" "$DENIED_IP" 0 1 \
    ".reason == \"dst-mismatch\" and .dst_ip == \"$DENIED_IP\" and .dialed_ip == \"$ALLOWED_IP\"
     and .outcome == \"allowed\"" \
    "${get[@]}" --resolve "allowed.example:443:$DENIED_IP" https://allowed.example/%

# Names that lie at addresses which no name may open. What listens there must hear nothing.
lab_start loopback "$LAB/bin/echo_server" 443
wait_for 5 connect_once 127.0.0.1 443
heard() { grep -c ^tcp "$LAB/log/loopback.log"; }
heard_us() { [ "$(heard)" -ge 1 ]; }
wait_for 5 heard_us
before=$(heard)
policy private.example metadata.example loopback.example
for case in "private $GATEWAY_IP" "metadata $METADATA_IP"; do
    read -r name address <<<"$case"
    judged B17 "refused: an allowed name at a $name address" "$address" 0 0 \
        '.outcome == "denied" and .reason == "private-address"' \
        "${get[@]}" "https://$name.example/%"
done
judged B17 "refused: an allowed name at a loopback address" "$DENIED_IP" 0 0 \
    '.outcome == "denied" and .reason == "loopback"' \
    "${get[@]}" --resolve "loopback.example:443:$DENIED_IP" https://loopback.example/%
policy 'loopback.example private'
judged B17 "refused: the host's loopback, though its rule says private" "$DENIED_IP" 0 0 \
    '.outcome == "denied" and .reason == "loopback"' \
    "${get[@]}" --resolve "loopback.example:443:$DENIED_IP" https://loopback.example/%
policy loopback.example
behind --audit -- "${get[@]}" --resolve "loopback.example:443:$DENIED_IP" https://loopback.example/
check_equal B17 "refused: the host's loopback, though --audit lets pass" 1 "$(records \
    '.event == "connect" and .outcome == "denied" and .reason == "loopback"')"
check_equal B17 "and nothing came to the host's loopback" "$before" \
    "$(heard)"
lab_stop loopback
policy private.example:80 metadata.example:80
for case in "private $GATEWAY_IP" "metadata $METADATA_IP"; do
    read -r name address <<<"$case"
    looked_up B17 "refused: a $name address of a learnt name" "$address" 0 0 \
        '.outcome == "denied" and .reason == "private-address"' \
        "$name.example" "${get[@]}" "http://$address/%"
done
policy 'private.example private' 'metadata.example private'
arrives "a private address whose rule says so" "$GATEWAY_IP" 1 \
    "${get[@]}" https://private.example/%
judged B17 "refused: a metadata address though its rule says private" "$METADATA_IP" 0 0 \
    '.outcome == "denied" and .reason == "private-address"' "${get[@]}" https://metadata.example/%
policy private.example 'private.example private'
judged B17 "the rule that says private is the one that is named, wherever the client went" \
    "$GATEWAY_IP" 1 1 '.outcome == "allowed" and .reason == "dst-mismatch" and .line == 2' \
    "${get[@]}" --resolve "private.example:443:$DENIED_IP" https://private.example/%
policy "$METADATA_IP:80"
arrives "a metadata address by its own rule" "$METADATA_IP" 1 "${get[@]}" "http://$METADATA_IP/%"

# A URL rule needs TLS opened, which this release does not: closed, and said so.
policy 'https://allowed.example/small'
judged - "closed: what only a URL rule could allow" "$ALLOWED_IP" 0 0 \
    '.outcome == "denied" and .reason == "inspect"' "${get[@]}" https://allowed.example/small?%

# Audit mode: the policy's word is recorded, and everything passes.
policy allowed.example
before=$(lab_syns "$DENIED_IP")
behind --audit -- "${get[@]}" https://denied.example/audited
check_equal - "--audit lets pass" "0 1 1" \
    "$STATUS $(($(lab_syns "$DENIED_IP") - before)) $(requests_marked audited)"
check_equal - "--audit records what the policy says" 1 "$(records '.event == "connect" and
    .policy == "deny" and .outcome == "allowed" and .reason == "no-rule"')"
check_equal - "--audit lets look-ups pass" "1 1" \
    "$(lab_queries denied.example A) $(records '.event == "query" and .qtype == "A" and
        .policy == "deny" and .outcome == "allowed"')"

replayed
