#!/bin/bash
# SPDX-License-Identifier: MIT
# The start is interrupted at one step after the other, by an error of the kernel and by a kill: it
# must end with a sentence and leave nothing, or the whole filter must be in force; never half.
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"
# shellcheck source=tests/lab/left.sh
. "$LAB_DIR/left.sh"

policy=$LAB/work/policy.rules
printf '%s:53/udp\nallowed.example\n' "$RESOLVER_IP" >"$policy"
chmod 644 "$policy"
mkdir "$LAB/work/ran.d" && chown $TESTER_UID "$LAB/work/ran.d"
ran=$LAB/work/ran.d/ran
command="connect_once -q -t 500 $DENIED_IP 80; connect_once -q -u $DENIED_IP 9; : >$ran; exit 0"
left_before

# Which call of a name, in each process, is interrupted: samples that touch every step of the start.
# With START_EVERY it is each one of all these names (tests/long).
fails='getrandom:1 openat:20,44 flock:1 mkdirat:1 unshare:1,2 setns:2 socket:1,6 bind:2 sendto:3,9
clone:1,3 memfd_create:2,4 bpf:20,57 signalfd4:1 socketpair:1,3 execveat:1 setgroups:1 capset:1
seccomp:4 pipe2:2 clone3:1 mount:1 fsopen:1 move_mount:5 chdir:1 write:1'
kills='flock:1 mkdirat:1 unshare:2 setns:2 sendto:9 clone:1,3 memfd_create:4 bpf:20,57 socketpair:3
execveat:1 capset:1 clone3:1 mount:1 move_mount:5 write:1'
if [ -n "${START_EVERY:-}" ]; then
    for call in getrandom getcwd openat flock mkdirat unshare setns socket bind listen setsockopt \
        getsockname sendto recvmsg clone memfd_create bpf signalfd4 epoll_create1 epoll_ctl \
        ftruncate socketpair execve execveat prctl prlimit64 setgroups setresgid setresuid capset \
        seccomp pipe2 clone3 mount umount2 fsopen fsconfig fsmount open_tree openat2 move_mount \
        mount_setattr fcntl dup2 close_range poll chdir write pwrite64 pread64 readlinkat \
        symlinkat fchownat fchmodat sendmsg unlinkat; do
        every+=" $call:every"
    done
    fails=$every kills=$every
fi

# attempt CALL N INJECTION: leaves STATUS, and what was said in $LAB/log/attempt.log.
attempt()
{
    STATUS=0
    rm -f "$ran"
    timeout -k 5 30 strace --seccomp-bpf -q -f -o "$LAB/work/trace" -e "trace=$1" -e signal=none \
        -e "inject=$1:$3:when=$2" -- "$EGRESS" run --quiet --user $TESTER --log "$LOG" \
        --policy "$policy" -- sh -c "$command" >"$LAB/log/attempt.log" 2>&1 </dev/null || STATUS=$?
}

# A sentence is no sentence where it says nothing but the kernel's words.
said()
{
    grep -E '^egress-filter: (error: )?[a-z].{15,}' "$LAB/log/attempt.log" ||
        grep 'error while loading shared libraries' "$LAB/log/attempt.log"
}

# What is wrong about how this attempt ended; empty where nothing is.
fault()
{
    local cgroups=$1
    case $STATUS in
    125 | 126 | 127)
        said >>"$LAB/log/sentences.log" || echo "status $STATUS without a sentence"
        [ ! -e "$ran" ] || echo "status $STATUS, but the command ran"
        ;;
    137) [ "$cgroups" -gt 0 ] || [ -e "$ran" ] || said >/dev/null || echo "killed" ;;
    124) echo "not over in time" ;;
    0) [ -e "$ran" ] || echo "status 0, but the command did not run" ;;
    *) [ -e "$ran" ] || said >/dev/null || echo "status $STATUS" ;;
    esac
    wait_for 5 left_no_processes || echo "processes are left: $(left_processes | paste -sd' ')"
    [ "$(left_cgroups)" -le "$cgroups" ] || echo "$(left_cgroups) cgroups are left"
    [ "$(lab_packets "$DENIED_IP" all)" -eq 0 ] || echo "something denied left"
}

left_no_processes()
{
    [ -z "$(left_processes)" ]
}

# reached CALL N: some process came as far as the N-th call of that name.
reached()
{
    awk -v call="$1(" -v n="$2" 'index($2, call) == 1 && ++count[$1] >= n { found = 1 }
                                 END { exit !found }' "$LAB/work/trace"
}

# each NAME INJECTION CGROUPS CALL:N,M…: one test for each call, over all its turns.
each()
{
    local step call turns turn n faults why
    for step in $4; do
        call=${step%%:*}
        turns=${step#*:}
        [ "$turns" != every ] || turns=$(seq -s, 2000)
        faults=() n=0
        for turn in ${turns//,/ }; do
            attempt "$call" "$turn" "$2"
            reached "$call" "$turn" || break
            n=$((n + 1))
            why=$(fault "$3")
            [ -z "$why" ] || faults+=("$call $turn: $why" "$(tail -n 3 "$LAB/log/attempt.log")")
        done
        if [ "$n" -eq 0 ]; then
            skip R03 "$call $1" "the program makes no such call here"
        elif [ ${#faults[@]} -eq 0 ]; then
            ok R03 "$call $1, $n times: all or nothing"
        else
            not_ok R03 "$call $1, $n times: all or nothing" "${faults[@]}"
        fi
    done
    left_check R03 "nothing is left after every call that $1" "$3"
}

if ! command -v strace >/dev/null; then
    skip R03 "start interrupted" "strace is not installed"
else
    each fails error=ENOMEM 0 "$fails"
    each "is the last" signal=KILL 1 "$kills"
    run_once --policy "$policy" -- true >"$LAB/log/next.log"
    left_check R03 "the next run sweeps what the kills left" 0
fi

# A proxy that cannot start, and a firewall that is not there or says no. Private to this test.
printf 'not a rule at all\n' >"$LAB/work/bad.rules"
refused()
{
    local id=$1 name=$2 sentence=$3 status=0
    shift 3
    rm -f "$ran"
    "$EGRESS" run --user $TESTER --log "$LOG" "$@" -- sh -c "$command" >"$LAB/log/attempt.log" 2>&1 || status=$?
    check_equal "$id" "$name: status, sentence, nothing run" "125 1 no" \
        "$status $(grep -cE "$sentence" "$LAB/log/attempt.log") $([ -e "$ran" ] && echo yes || echo no)"
    left_check "$id" "$name: nothing is left" 0
}
refused R03 "a policy with an error" 'the policy has [0-9]+ error' --policy "$LAB/work/bad.rules"
refused R03 "a log in no directory" "cannot make the log '/nonexistent/" --policy "$policy" --log /nonexistent/x

cat >"$LAB/work/refuse" <<'SH'
#!/bin/sh
echo "iptables-restore: line 7 failed: no chain for you" >&2
exit 1
SH
chmod 755 "$LAB/work/refuse"
link=/etc/alternatives/iptables-restore
if [ "$(readlink /usr/sbin/iptables-restore)" = "$link" ]; then
    real=$(readlink "$link")
    ln -sf "$LAB/work/refuse" "$link"
    refused R03 "iptables-restore refuses" 'iptables-restore refused .*no chain for you' --policy "$policy"
    ln -sf "$LAB/work/nothing" "$link"
    refused R03 "there is no iptables-restore" 'there is no iptables-restore' --policy "$policy"
    ln -sf "$real" "$link"
else
    skip R03 "iptables-restore refuses" "it is no link into /etc that could be another one"
fi
check_equal R03 "with it back, all is well" 0 "$(run_once --policy "$policy" -- true >"$LAB/log/next.log"; echo $?)"
left_check R03 "and nothing is left" 0
