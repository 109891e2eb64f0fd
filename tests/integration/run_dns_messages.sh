#!/bin/bash
# SPDX-License-Identifier: MIT
# A table of DNS messages, good and bad (tests/tools/dns_messages.h), said over UDP and TCP behind
# the filter: each has its verdict, and the resolver's own log says which of them left.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

policy '*.wild.example'
for proto in udp tcp; do
    before=$(lab_packets "$RESOLVER_IP" all)
    queries=$(wc -l <"$LAB/log/queries.log")
    behind -- dns_say "$RESOLVER_IP" "$proto"
    table=$LAB/work/said-$proto
    cp "$OUT" "$table"
    packets=$(($(lab_packets "$RESOLVER_IP" all) - before))
    lab_settle
    # How often each mark came to the resolver, in whatever name.
    tail -n "+$((queries + 1))" "$LAB/log/queries.log" | grep -v settle- |
        awk -v of="-$proto" '{ n = split($(NF - 2), l, ".")
            for (i = 1; i <= n; i++) if (l[i] ~ "^m[0-9]+" of "$") seen[l[i]]++ }
            END { for (k in seen) print k, seen[k] }' >"$LAB/work/seen"
    declare -A seen=() count=()
    while read -r mark n; do
        seen[$mark]=$n
    done <"$LAB/work/seen"
    while read -r want got mark what; do
        count[$want]=$((${count[$want]:-0} + 1))
        left=0
        if [ "$want" = forwarded ]; then
            left=1
            # Whatever the resolver has for that type.
            case $got in records | empty | nxdomain | servfail | refused | other) got=forwarded ;; esac
        fi
        if [ "$got" = "$want" ] && [ "${seen[$mark]:-0}" -eq "$left" ]; then
            ok D03 "$proto: $what: $want"
        else
            not_ok D03 "$proto: $what: $want" "got: $got" "at the resolver: ${seen[$mark]:-0} of $left"
        fi
    done <"$table"
    check D03 "$proto: more than 120 messages" test "$(wc -l <"$table")" -ge 120
    check_equal D03 "$proto: nothing else came to the resolver" "${count[forwarded]}" \
        "$(tail -n "+$((queries + 1))" "$LAB/log/queries.log" | grep -vc settle-)"
    # Each question leaves over UDP, whichever way it came; none is cut here.
    check_equal D03 "$proto: by packets, too" "${count[forwarded]}" "$packets"
    total()
    {
        jq -s "map(select(.event == \"query\" and ($1)) | .count // 1) | add // 0" "$AUDIT"
    }
    after=0
    [ "$proto" = tcp ] || after=${count[dropped]} # the denied ones behind the dropped
    check_equal D03 "$proto: every dropped one is recorded as malformed" "${count[dropped]}" \
        "$(total '.reason == "malformed" and .outcome == "denied"')"
    check_equal D03 "$proto: every denied one as denied" "$((count[nxdomain] + after))" \
        "$(total '.rcode == "NXDOMAIN" and .outcome == "denied"')"
    check_equal D03 "$proto: every refused one as refused" "${count[refused]}" \
        "$(total '.rcode == "REFUSED" and .outcome == "denied"')"
    check_equal D03 "$proto: every other as allowed" "$((count[forwarded] + count[empty]))" \
        "$(total '.outcome == "allowed"')"
    check_equal D03 "$proto: none without its process" 0 "$(total '.exe == null')"
done

replayed
