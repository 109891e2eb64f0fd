#!/bin/bash
# SPDX-License-Identifier: MIT
# What a process changes without executing anything: its user, its mount namespace, its cgroup. Each
# connection is judged by what its process was when it connected, and recorded so. And the container
# that a cgroup's path tells.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

ways=$LAB/bin/connect_ways
root_ways=$LAB/bin/connect_ways_root
cp "$ways" "$root_ways" && chmod 4755 "$root_ways"
mount_point=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)

# connects FIELD: outcome and that field of each decision, on one line.
connects()
{
    jq -r "select(.event == \"connect\") | \"\\(.outcome) \\($1)\"" "$AUDIT" | paste -sd ' '
}

# A setuid program of root's, called by the user: it becomes root altogether between two connections.
for who in "$TESTER_UID" 0; do
    policy "$THIRD_IP:7 user=$who"
    syns=$(lab_syns "$THIRD_IP")
    behind --allow-privileges -- "$root_ways" setuid "$THIRD_IP" 7 0
    [ "$who" = 0 ] && want="denied $TESTER_UID allowed 0" || want="allowed $TESTER_UID denied 0"
    check_equal P07 "user=$who: judged by the user at the time of connect" "$want" \
        "$(connects .uid)"
    check_equal P07 "user=$who: one of the two arrived" 1 $(($(lab_syns "$THIRD_IP") - syns))
    check_equal P07 "user=$who: and the names go with it" "$TESTER root" \
        "$(jq -r 'select(.event == "connect") | .user' "$AUDIT" | paste -sd ' ')"
done

# A mount namespace of its own, without an exec.
policy "$THIRD_IP:7 exe=$root_ways"
behind --allow-privileges -- "$root_ways" unshare "$THIRD_IP" 7
check_equal P07 "another mount namespace: both are its own, and the executable stays known" \
    "allowed $root_ways allowed $root_ways" "$(connects .exe)"
check_equal P07 "another mount namespace: each connection in that of its time" 2 \
    "$(jq 'select(.event == "connect") | .mntns' "$AUDIT" | sort -u | wc -l)"
first=$(record_field '.event == "connect"' .mntns)
policy "$THIRD_IP:7" "deny $THIRD_IP mntns=$first"
check_equal P07 "another mount namespace: and match judges so" "deny allow" "$("$EGRESS" match \
    --policy "$POLICY" "$AUDIT" | jq -r .verdict | paste -sd ' ')"

# Moved by root to a cgroup that is named as an engine names its containers.
id=$(printf '%064d' 0 | tr 0 c)
mkfifo "$LAB/tmp/moved"
chmod 666 "$LAB/tmp/moved"
# by_cgroup DIRECTORY SELECTOR BEFORE AFTER: the outcomes before and after the move to a directory
# below the run's own.
by_cgroup()
{
    local directory=$1 name="$2 in $1" run=moves-$RUNS cgroup pid told syns
    policy "$THIRD_IP:7 $2"
    syns=$(lab_syns "$THIRD_IP")
    behind_start "$run" -- connect_ways wait "$THIRD_IP" 7 "$LAB/tmp/moved"
    wait_for 10 grep -qE '^(OK|E)' "$LAB/log/$run.log"
    cgroup=$(record_field '.event == "connect"' .cgroup)
    pid=$(record_field '.event == "connect"' .pid)
    mkdir -p "$mount_point$cgroup/$directory"
    echo "$pid" >"$mount_point$cgroup/$directory/cgroup.procs"
    echo go >"$LAB/tmp/moved"
    behind_wait "$run"
    replay --
    # Not a name that any user could have chosen, nor one that only looks alike.
    case $directory in
    user@* | my-*) told=null ;;
    *) told=$id ;;
    esac
    check_equal P07 "$name: judged by the cgroup at the time of connect" \
        "$3 $cgroup null $4 $cgroup/$directory $told" "$(connects '.cgroup) \(.container_id')"
    check_equal P07 "$name: what was allowed arrived, and no more" \
        "$(grep -c allowed <<<"$3
$4")" $(($(lab_syns "$THIRD_IP") - syns))
}
if [ -z "$mount_point" ]; then
    skip P07 "a process moves to another cgroup" "cgroup2 is not mounted here"
else
    by_cgroup "docker-$id.scope" cgroup=@docker denied allowed
    by_cgroup "docker-$id.scope" cgroup=@host allowed denied
    by_cgroup "docker-$id.scope" "container=${id:0:12}" denied allowed
    by_cgroup "machine.slice/libpod-$id.scope/container" "container=$id" denied allowed
    by_cgroup "docker/$id" 'cgroup=*/docker/*' denied allowed
    # What engines alone can tell is not known: no allow rule matches, and a veto would.
    by_cgroup "docker-$id.scope" container=build denied denied
    by_cgroup "docker-$id.scope" 'image=node:22' denied denied
    by_cgroup "user@1000.service/docker-$id.scope" 'cgroup=@docker' denied denied
    by_cgroup "my-docker-$id.scope" 'cgroup=@host' allowed allowed
fi
replayed
