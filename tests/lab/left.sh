# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What a run leaves behind when it ends, however it ends: compared with what was there before.
# Sourced after inside.sh. Everything that is looked at is this test's alone (its network and mounts
# are private, its cgroup is its own, its program is a copy), so other runs do not disturb it.

LEFT_ROOT=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
LEFT_HOME=$LEFT_ROOT$(sed -n 's/^0:://p' /proc/self/cgroup)
LEFT_CGROUP=$LEFT_HOME/lab-$LAB_NAME-$$
# In the arguments of commands, so that they are found wherever they are.
LEFT_MARK=823.$$

left_end()
{
    local status=$? name
    for name in "${!LAB_PIDS[@]}"; do
        lab_stop "$name"
    done
    echo $$ >"$LEFT_HOME/cgroup.procs"
    wait_for 5 left_remove
    (exit "$status")
    lab_end
}

left_remove()
{
    find "$LEFT_CGROUP" -depth -type d -exec rmdir {} +
}

if [ -z "$LEFT_ROOT" ] || ! mkdir "$LEFT_CGROUP" || ! echo $$ >"$LEFT_CGROUP/cgroup.procs"; then
    skip R02 "$LAB_NAME: what is left behind" "no cgroup v2 in which to make a directory"
    exit 0
fi
trap left_end EXIT

# The filter's processes and the commands', by the file that they run or by the mark.
left_processes()
{
    local ours
    ours=$(stat -L -c %d:%i "$EGRESS")
    {
        stat -L -c '%d:%i %n' /proc/[0-9]*/exe 2>/dev/null |
            awk -v ours="$ours" '$1 == ours { split($2, p, "/"); print p[3] }'
        pgrep -f "sleep $LEFT_MARK\$"
    } | sort -un
}

# BPF objects that no process holds, or one of ours does. Those of strangers have a holder.
left_bpf()
{
    local kind
    for kind in prog map link; do
        bpftool -j "$kind" list 2>/dev/null | jq -r --arg kind "$kind" \
            --argjson ours "[$(left_processes | paste -sd,)]" \
            '.[] | select([.pids[]?.pid] | length == 0 or any(IN($ours[]))) | "\($kind) \(.id)"'
    done
}

# Directories of runs below our cgroup: all, and those with a process in them.
left_cgroups()
{
    find "$LEFT_CGROUP" -mindepth 1 -maxdepth 1 -type d | wc -l
}

left_populated()
{
    find "$LEFT_CGROUP" -mindepth 2 -maxdepth 2 -name cgroup.events -exec cat {} + |
        grep -c '^populated 1'
}

left_state()
{
    ip -o link | sed 's/ qdisc .*//'
    ip -o address
    ip rule
    ip route show table all
    iptables-save | grep -v '^#' | sed 's/\[[0-9:]*\]//'
    sysctl -a 2>/dev/null | grep -E '^net\.ipv[46]\.(ip_forward|conf\.(all|default)\.)'
    cat /proc/self/mountinfo
    left_bpf
    left_processes | sed 's/^/process /'
    echo "cgroups with processes: $(left_populated)"
}

# The kernel tries its own addresses out for a moment.
left_settled()
{
    [ -z "$(ip -o -6 address show tentative)" ]
}

# left_before: what is there now is what must be there again.
left_before()
{
    wait_for 10 left_settled
    left_state >"$LAB/work/before"
}

left_same()
{
    left_state >"$LAB/work/after"
    # An object of a stranger's that was on its way out before may have gone since.
    ! diff "$LAB/work/before" "$LAB/work/after" | grep -v '^< \(prog\|map\|link\) ' | grep -q '^[<>]'
}

# left_namespaces PID…: the namespaces of these, and not ours, as names of links.
left_namespaces()
{
    local pid
    for pid; do
        readlink "/proc/$pid/ns/"{net,mnt,pid,ipc} 2>/dev/null
    done | sort -u | grep -vxF -f <(readlink /proc/self/ns/{net,mnt,pid,ipc})
}

# left_holders: who is still in one of the namespaces that stand in $LAB/work/namespaces.
left_holders()
{
    local names
    mapfile -t names <"$LAB/work/namespaces"
    find /proc/[0-9]*/ns /proc/[0-9]*/fd -type l -printf '%p %l\n' 2>/dev/null |
        grep -F "$(printf '%s\n' "${names[@]}")"
    cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -F "$(printf '%s\n' "${names[@]}")"
}

left_no_holders()
{
    [ -z "$(left_holders)" ]
}

# left_check ID NAME CGROUPS: nothing is left but at most so many empty cgroup directories.
left_check()
{
    if wait_for 10 left_same && [ "$(left_cgroups)" -le "$3" ]; then
        ok "$1" "$2"
    else
        not_ok "$1" "$2" "cgroups: $(left_cgroups), at most $3" \
            "$(diff "$LAB/work/before" "$LAB/work/after")"
    fi
}
