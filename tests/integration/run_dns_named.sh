#!/bin/bash
# SPDX-License-Identifier: MIT
# A server that a rule allows, and which says of other names that they lie elsewhere: on the port of
# DNS it was allowed as a resolver; on any other what it says binds nothing, and no connection goes
# where no rule leads. What a rule for TCP allows to be asked goes over TCP alone.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

cat >"$LAB/conf/liar.conf" <<CONF
server:
    directory: "$LAB"
    chroot: ""
    username: ""
    pidfile: ""
    do-daemonize: no
    use-syslog: no
    logfile: "$LAB/log/liar.log"
    log-queries: yes
    num-threads: 1
    interface: $THIRD_IP@9000
    interface: $THIRD_IP@53
    access-control: 0.0.0.0/0 allow
    local-zone: "." static
    local-data: "allowed.example. 300 A $DENIED_IP"
remote-control:
    control-enable: no
CONF
lab_start liar nsenter --net="$LAB/net" -- "$LAB/bin/lab-unbound" -d -c "$LAB/conf/liar.conf"
lies() { in_net dig +short +tries=1 +time=1 -p 9000 "@$THIRD_IP" allowed.example | grep -q "$DENIED_IP"; }
check - "the liar answers" wait_for 10 lies

# lied PORT WAY: asks the liar, then connects to where it says that the allowed name lies.
lied()
{
    behind -- sh -c 'dig +short +tries=1 +time=5 "$2" -p "$1" @"$3" allowed.example
        curl -sS -m 10 -o /dev/null -w "%{http_code}\n" --resolve "allowed.example:443:$4" \
            https://allowed.example/small
        curl -sS -m 5 -o /dev/null -w "%{http_code}\n" "http://$4/small"' - "$1" "$2" "$THIRD_IP" \
        "$DENIED_IP"
}
for case in '9000/udp +notcp' '9000 +tcp'; do
    read -r service way <<<"$case"
    policy allowed.example allowed.example:80 "$THIRD_IP:$service"
    syns=$(lab_syns "$DENIED_IP") udp=$(lab_packets "$THIRD_IP" udp)
    lied 9000 "$way"
    check_equal D07 "what a server on another port says binds no name ($service)" \
        "$DENIED_IP 200 000 0" "$(paste -sd' ' "$OUT") $(($(lab_syns "$DENIED_IP") - syns))"
    check_equal T01 "the name's own machine was dialled instead ($service)" \
        "dst-mismatch $ALLOWED_IP" "$(record_field '.event == "connect" and .type == "https"' \
            '"\(.reason) \(.dialed_ip)"')"
done
check_equal D02 "what is asked over TCP by a rule for TCP sends no datagram there" 0 \
    "$(($(lab_packets "$THIRD_IP" udp) - udp))"
policy allowed.example "$THIRD_IP:53/udp"
syns=$(lab_syns "$DENIED_IP")
lied 53 +notcp
check - "a server that is allowed as a resolver is believed" \
    test "$(($(lab_syns "$DENIED_IP") - syns))" -gt 0
replayed
