# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Servers that say what they are told to, and how many bytes each connection brought them: the proof
# where no HTTP or DNS server listens. Sourced after lab.sh.

in_net_answers() { in_net connect_once 127.0.0.1 "$1"; }
# serve NAME PORT STEP…: among the servers; what each connection said is a line of its log.
serve()
{
    lab_start "$1" nsenter --net="$LAB/net" -- "$LAB/bin/converse" server "${@:2}"
    wait_for 10 in_net_answers "$2"
    FROM=0
    wait_for 10 heard_lines "$1" 1
    from_here "$1"
}
# heard NAME: how many bytes each connection to that server brought, since from_here, in order.
from_here() { FROM=$(wc -l <"$LAB/log/$1.log"); }
heard() { tail -n "+$((FROM + 1))" "$LAB/log/$1.log" | cut -d' ' -f1 | paste -sd' '; }
heard_lines() { [ "$(wc -l <"$LAB/log/$1.log")" -ge $((FROM + $2)) ]; }
