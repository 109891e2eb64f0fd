# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What arrived among the servers: packets counted by rules in the namespace `net`, requests and
# queries by the servers' own logs. A client's error alone proves nothing; these numbers do.

# lab_watch ADDRESS: the address answers among the servers, and what comes for it is counted.
lab_watch()
{
    case $1 in
    "$GATEWAY_IP") ;;
    *) in_net ip address add "$1/32" dev lo || return 1 ;;
    esac
    lab_count "$1" -d "$1"
}

# One rule a protocol, found again by its comment. Fragments count as packets of their protocol.
lab_count()
{
    local label=$1
    shift
    in_net iptables-restore --noflush <<RULES
*raw
-A LAB $* -p tcp --syn -m comment --comment $label/syn
-A LAB $* -p tcp -m comment --comment $label/tcp
-A LAB $* -p udp -m comment --comment $label/udp
-A LAB $* -p icmp -m comment --comment $label/icmp
-A LAB $* -m comment --comment $label/all
COMMIT
RULES
}

lab_counters()
{
    local address
    in_net iptables-restore --noflush <<RULES || return 1
*raw
:LAB - [0:0]
-A PREROUTING -i transit -j LAB
COMMIT
RULES
    lab_count any || return 1
    for address in "$ALLOWED_IP" "$DENIED_IP" "$THIRD_IP" "$BAD_TLS_IP" "$RESOLVER_IP" \
        "$OTHER_RESOLVER_IP" "$METADATA_IP" "$GATEWAY_IP"; do
        lab_watch "$address" || return 1
    done
    [ -d /proc/sys/net/ipv6 ] || return 0
    # The kernel's own neighbour discovery and group reports are nobody's traffic.
    {
        printf '*raw\n:LAB - [0:0]\n-A PREROUTING -i transit -j LAB\n'
        printf -- '-A LAB -p ipv6-icmp --icmpv6-type %s -j RETURN\n' \
            130 131 132 133 134 135 136 137 143
        printf -- '-A LAB -m comment --comment ipv6/all\nCOMMIT\n'
    } | in_net ip6tables-restore --noflush
}

lab_read()
{
    in_net "${2:-iptables}-save" -c -t raw |
        awk -v label="$1" '{ gsub(/"/, "") } $NF == label { sub(/^\[/, ""); s += $1 + 0 }
                           END { print s + 0 }'
}

# lab_syns ADDRESS|any
lab_syns()
{
    lab_read "$1/syn"
}

# lab_packets ADDRESS|any tcp|udp|icmp|other|all
lab_packets()
{
    if [ "$2" = other ]; then
        echo $(($(lab_read "$1/all") - $(lab_read "$1/tcp") - $(lab_read "$1/udp") - \
            $(lab_read "$1/icmp")))
    else
        lab_read "$1/$2"
    fi
}

# lab_ipv6: packets of IPv6, without what the kernel sends by itself.
lab_ipv6()
{
    [ -d /proc/sys/net/ipv6 ] || {
        echo 0
        return
    }
    lab_read ipv6/all ip6tables
}

# lab_frames: everything that came over the wire, also what is no IP at all (ARP among it).
lab_frames()
{
    in_net ip -j -s link show dev transit | jq '.[0].stats64.rx.packets'
}

LAB_SETTLED=0

# Both servers are single threads that log in order: once a question of ours is in the log, so is
# all that came before it. This stands in for waiting a while and hoping.
lab_settle()
{
    # Found in a subshell too, where a counter would be lost.
    local mark="settle-$BASHPID-$((LAB_SETTLED += 1))-$RANDOM"
    in_net curl -s -o /dev/null -H "Host: $mark" http://127.0.0.1/ || return 1
    wait_for 5 grep -q "\"$mark\"" "$LAB/log/requests.jsonl" || return 1
    in_net dig +short +tries=1 @"$RESOLVER_IP" "$mark.example" >/dev/null || return 1
    wait_for 5 grep -q " $mark\.example\. " "$LAB/log/queries.log"
}

# lab_requests NAME: HTTP requests whose host or SNI was NAME. One line a request, with client and
# server address, is in $LAB/log/requests.jsonl.
lab_requests()
{
    lab_settle || return 1
    jq -r --arg name "$1" \
        'select((.host | sub(":[0-9]+$"; "")) == $name or .sni == $name) | .uri' \
        "$LAB/log/requests.jsonl" | wc -l
}

# lab_queries NAME [TYPE]: DNS queries that reached a resolver.
lab_queries()
{
    lab_settle || return 1
    awk -v name="${1%.}." -v type="${2:-}" \
        '$(NF - 2) == name && (type == "" || $(NF - 1) == type) { n++ } END { print n + 0 }' \
        "$LAB/log/queries.log"
}
