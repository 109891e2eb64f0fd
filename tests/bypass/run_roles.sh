#!/bin/bash
# SPDX-License-Identifier: MIT
# What a role of the filter could do if it were taken over: calls are put into the running proxy and
# packet processes, and the kernel has to refuse them. What they hold is looked at from outside.
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

policy=$LAB/work/policy.rules
printf '%s:53/udp\nallowed.example\n' "$RESOLVER_IP" >"$policy"
inside_start --policy "$policy" --host-port 8107 || exit 1
fetch='curl -sS -m 20 -o /dev/null -w %{http_code} https://allowed.example/small'
check_equal - "the filter works" 200 "$(inside "$fetch")"
wait_for 5 run_ready proxy && wait_for 5 run_ready packet
proxy=$(run_pid proxy)
packet=$(run_pid packet)

status_of() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
# The names that it was given, and what each descriptor is.
given() { tr '\0' '\n' <"/proc/$1/cmdline" | sed -n "s/^fd:\([^=]*\)=\(.*\)/\2 \1/p" | sort -n; }
kinds()
{
    local fd
    for fd in "/proc/$1/fd"/*; do
        printf '%s %s %s\n' "${fd##*/}" "$(sed -n 's/^flags:\t0*//p' "/proc/$1/fdinfo/${fd##*/}")" \
            "$(readlink "$fd")"
    done
}

for role in proxy packet; do
    id=R12
    [ $role = proxy ] || id=R13
    pid=${!role}
    none=0000000000000000
    cap=$none
    [ $role = proxy ] || cap=0000000000001000 # CAP_NET_ADMIN
    uid=$(status_of "$pid" Uid | cut -f1)
    check $id "the $role has a user of its own, not root's and not the command's" \
        test "$uid" -ne 0 -a "$uid" -ne $TESTER_UID
    check_equal $id "the $role is that user in every respect" "$uid $uid $uid $uid" \
        "$(status_of "$pid" Uid | tr '\t' ' ')"
    check_equal $id "the $role is in no group" "$uid $uid $uid $uid" \
        "$({ status_of "$pid" Gid && status_of "$pid" Groups; } | paste -sd' ' | tr -s '\t ' ' ' | sed 's/ $//')"
    check_equal $id "the $role's capabilities" "$none $cap $cap $none $none" \
        "$(for set in Inh Prm Eff Bnd Amb; do status_of "$pid" Cap$set; done | paste -sd' ')"
    check_equal $id "the $role: no_new_privs, seccomp filter" "1 2" \
        "$(status_of "$pid" NoNewPrivs) $(status_of "$pid" Seccomp)"
    check_equal $id "the $role's environment is empty" 0 "$(wc -c <"/proc/$pid/environ")"
    # A process that is not dumpable belongs to root in /proc.
    check_equal $id "the $role is not dumpable, and cannot be traced by its own user" "0 EPERM" \
        "$(stat -c %u "/proc/$pid/mem") $(setpriv --reuid "$uid" --regid "$uid" --clear-groups \
            --inh-caps=-all "$LAB/bin/reach" ptrace "$pid")"
    check_equal $id "the $role may write no file of any size" "0 0" \
        "$(awk '/^Max file size/ { print $4, $5 }' "/proc/$pid/limits")"
    check_equal $id "the $role leaves no core" "0 0" \
        "$(awk '/^Max core file size/ { print $5, $6 }' "/proc/$pid/limits")"
    check_equal $id "the $role is the program executed anew" "$EGRESS role $role" \
        "$(readlink "/proc/$pid/exe") $(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -d' ' -f2,3)"
done
check - "the roles are not one user" test "$(status_of "$proxy" Uid)" != "$(status_of "$packet" Uid)"
check_equal R13 "the packet process is not in the host's network" no \
    "$([ "$(readlink "/proc/$packet/ns/net")" = "$(readlink /proc/self/ns/net)" ] && echo yes || echo no)"
check_equal R12 "the keeper alone is root" 0 "$(status_of "$KEEPER" Uid | cut -f1)"

# Each of these would be of use to who has taken it over, and nothing of the proxy's needs them.
refused()
{
    check_equal "$1" "$2: $4 is refused" "$4: EPERM" "$(inject "$3" "${@:4}" 2>&1)"
}
for call in open create socket-raw socket-packet socket-netlink socket-unix setuid nft bpf-update execve ptrace \
    mount unshare; do
    refused R12 proxy "$proxy" "$call"
    refused R13 packet "$packet" "$call"
done
check_equal R12 "proxy: writing the log is refused" "create: EPERM" "$(inject "$proxy" create "$LOG")"
check_equal R12 "proxy: reading a policy is refused" "open: EPERM" "$(inject "$proxy" open "$policy")"
check_equal R12 "proxy: its own user is all it can be" "setuid: EPERM" \
    "$(inject "$proxy" setuid "$(status_of "$proxy" Uid | cut -f1)")"
check_equal R12 "proxy: the keeper cannot be traced" "ptrace: EPERM" "$(inject "$proxy" ptrace "$KEEPER")"
flows=$(given "$proxy" | awk '$2 == "flows" { print $1 }')
check_equal R12 "proxy: the map that it reads cannot be written" "bpf-update: EPERM" \
    "$(inject "$proxy" bpf-update "$flows")"
# The packet process speaks netlink of netfilter on the socket that it has: the queue's.
queue=$(given "$packet"; kinds "$packet" | awk '$3 ~ /^socket:/ { print $1 }' | sort -n | tail -n 1)
queue=${queue##*$'\n'}
rules() { nsenter --net="/proc/$packet/ns/net" iptables-save | grep -v '^#' | sed 's/\[[0-9:]*\]//'; }
before=$(rules)
host=$(iptables-save | grep -v '^#'; nft list tables 2>/dev/null)
answer=$(inject "$packet" nft "$queue" 2>&1)
check_equal R13 "packet: a table through its own socket ($answer) leaves the host's rules alone" "$host" \
    "$(iptables-save | grep -v '^#'; nft list tables 2>/dev/null)"
check_equal R13 "and the gate's own chains" "$before" "$(rules)"
check_equal - "after all that the filter works" 200 "$(inside "$fetch")"
check_equal - "and they are the same processes" "$proxy $packet" "$(run_pid proxy) $(run_pid packet)"

# Descriptors: those that stand in its arguments, what its event loop makes, and nothing else.
names=$(given "$proxy" | awk '{ sub(/-[0-9]+$/, "", $2); print $2 }' | sort -u | paste -sd' ')
check_equal R12 "the proxy was given just these" \
    "client-dns-tcp client-dns-udp control dns-udp flows host-port peer policy shared tcp" "$names"
check_equal R13 "the packet process was given just these" "control peer" \
    "$(given "$packet" | awk '{ print $2 }' | sort | paste -sd' ')"
for role in proxy packet; do
    check_equal R12 "the $role has no other but /dev/null, sockets, pipes and its event loop's" "" \
        "$(kinds "${!role}" | grep -vxF -f <(kinds "${!role}" | grep -E "^($(given "${!role}" |
            awk '{ print $1 }' | paste -sd'|')) ") |
            grep -vE ' (/dev/null|socket:\[[0-9]*\]|pipe:\[[0-9]*\]|anon_inode:\[(eventpoll|eventfd|signalfd|timerfd)\])$')"
    check_equal R12 "the $role has no file of a file system open" "" \
        "$(kinds "${!role}" | awk '$3 ~ /^\// && $3 != "/dev/null" && $3 !~ /^\/memfd:/')"
    check_equal R12 "the $role has mapped no file to write but what proxies share" "" \
        "$(awk '$2 ~ /w.s/ && $6 != "/memfd:shared" { print $6 }' "/proc/${!role}/maps")"
done

# What they may not say, or not any more: each is ended for it, and another takes its place.
new_one()
{
    local pid
    pid=$(run_pid "$1") && [ "$pid" != "$2" ] && run_ready "$1"
}
says()
{
    local id=$1 role=$2 type=$3 name=$4 old=${!2}
    inject "$old" say "$(given "$old" | awk '$2 == "control" { print $1 }'):$type" >"$LAB/log/say.log" 2>&1
    check "$id" "the $role is ended when it says $name" wait_for 10 new_one "$role" "$old"
    printf -v "$role" %s "$(run_pid "$role")"
    check_equal "$id" "and the run goes on" 200 "$(inside "$fetch")"
}
says R12 proxy 3 "that the start failed, long after it"
says R12 proxy 7 "that it wants a file"
says R12 proxy 8 "that all is done, before it was asked"
says R13 packet 6 "a record"
says R13 packet 8 "that all is done"
says R13 packet 99 "what there is no word for"
check_equal R12 "which stands in the log" "3 3" "$(for role in proxy packet; do
    jq -r 'select(.event == "gap") | .detail' "$LOG" | grep -c "^$role ended .* for breaking the rules; started again"
done | paste -sd' ')"

# The command's side: it cannot see the roles at all.
check_equal R12 "the command sees none of the filter's processes but its own first" 0 \
    "$(inside 'grep -al "role.prox[y]\|role.packe[t]" /proc/[0-9]*/cmdline | wc -l')"
check R12 "and cannot signal them" ! inside "kill -0 $proxy || kill -0 $packet || kill -0 $KEEPER"
inside_stop
check_equal - "the run ended well" 0 "$RUN_STATUS"

# Users that the package made: their groups have numbers of their own, and others' must stay others'.
printf '%s:x:%d:%d::/nonexistent:/bin/false\n' egress-proxy 61341 61351 egress-packet 61342 61352 \
    >>/etc/passwd
inside_start --policy "$policy" || exit 1
wait_for 5 run_ready proxy && wait_for 5 run_ready packet
for role in "proxy 61341 61351" "packet 61342 61352"; do
    read -r name uid gid <<<"$role"
    pid=$(run_pid "$name")
    check_equal R12 "the $name has the package's user, and that one's group" "$uid $gid" \
        "$(status_of "$pid" Uid | cut -f1) $(status_of "$pid" Gid | cut -f1)"
done
inside_stop
