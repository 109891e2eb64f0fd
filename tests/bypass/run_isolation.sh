#!/bin/bash
# SPDX-License-Identifier: MIT
# Helpers outside that could do the work for a command behind the filter: sockets of engines and
# agents, other processes, shared memory, inherited descriptors. Whoever listens counts who came.
# shellcheck disable=SC2016 # what runs behind the filter is expanded there
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

# Places of the machine's, empty ones of ours in their stead.
if ! mount -t tmpfs -o mode=0755 run /run || ! mount -t tmpfs -o mode=1777 tmp /tmp; then
    lab_fail "cannot lay private directories on /run and /tmp"
fi
cd "$LAB/work" || exit 1 # the tree under test may lie in /tmp
mkdir -p /run/user/$TESTER_UID /run/systemd /run/dbus /run/containerd /run/quiet \
    "/tmp/tmux-$TESTER_UID" /tmp/ssh-XXab12 /tmp/elsewhere "$LAB/home/.agent"
echo harmless >/run/quiet/file
ln -s /run/docker.sock /run/other-name
chown -R $TESTER_UID:$TESTER_UID /run/user/$TESTER_UID "/tmp/tmux-$TESTER_UID" /tmp/ssh-XXab12 \
    "$LAB/home/.agent"
chmod 777 /run/quiet

sockets=(
    /run/docker.sock /run/containerd/containerd.sock /run/systemd/private /run/dbus/system_bus_socket
    "/run/user/$TESTER_UID/bus" "/run/user/$TESTER_UID/podman.sock" "/tmp/tmux-$TESTER_UID/default"
    /tmp/ssh-XXab12/agent.4711 "$LAB/home/.agent/socket"
)
abstract=@egress-lab-$$
shared=/tmp/elsewhere/shared.sock
foreign=/tmp/elsewhere/foreign.sock

lab_start helpers reach serve "${sockets[@]}" "$abstract" "$shared"
# Bound under a passing name and linked to its own, as ssh does: the list has the first.
mkdir "$LAB/home/.keys" && : >"$LAB/home/.keys/known"
linked=$LAB/home/.keys/master
lab_start linked reach serve "$linked.passing"
wait_for 5 grep -q ready "$LAB/log/linked.log" || lab_fail "the linked helper does not listen"
ln "$linked.passing" "$linked" && rm "$linked.passing"
# As a chroot has it.
mkdir /tmp/elsewhere/proc && mount -t proc proc /tmp/elsewhere/proc
# One that the list of this network namespace does not name.
lab_start foreign nsenter --net="$LAB/net" -- reach serve "$foreign"
wait_for 5 grep -q ready "$LAB/log/helpers.log" || lab_fail "the helpers do not listen"
wait_for 5 grep -q ready "$LAB/log/foreign.log" || lab_fail "the foreign helper does not listen"

reached()
{
    cat "$LAB/log/helpers.log" "$LAB/log/foreign.log" | grep -cxF "reached $1"
}

# Somebody of the same user, whom the command may not touch.
lab_start victim setpriv --reuid $TESTER_UID --regid $TESTER_UID --clear-groups --inh-caps=-all \
    sleep 600.125
victim=${LAB_PIDS[victim]}
wait_for 5 grep -q ^sleep "/proc/$victim/comm"
key=$((0x65670000 + $$ % 65536))
queue=/egress-lab-$$
memory=$(reach shm-make $key 2>&1 >/dev/null)
reach mq-make $queue >/dev/null
cleanup_ipc()
{
    local status=$?
    ipcrm -m "$memory" 2>/dev/null
    reach mq-remove $queue >/dev/null 2>&1
    (exit $status)
    lab_end
}
trap cleanup_ipc EXIT

# The ways must be open outside, or that they are closed inside would say nothing.
for name in "${sockets[@]}" "$abstract" "$shared" "$foreign"; do
    [ "$(as_tester reach unix "$name")" = OK ] || blocked+=" $name"
done
check_equal - "outside, every helper can be reached" "" "${blocked:-}"
check_equal - "outside, memory and queue are found" "OK OK" \
    "$(as_tester reach shm $key) $(as_tester reach mq $queue)"
check_equal - "outside, the other process can be signalled and traced" "OK OK" \
    "$(as_tester reach kill "$victim") $(as_tester reach ptrace "$victim")"

cp "$LAB/bin/reach" "$LAB/bin/reach-setuid" && chmod 4755 "$LAB/bin/reach-setuid"
plain() { setpriv --reuid $TESTER_UID --regid $TESTER_UID --clear-groups --inh-caps=-all "$@"; }
check_equal - "outside, a setuid program gains rights" "$TESTER_UID 0" "$(plain reach-setuid ids)"

check_equal - "outside, the linked helper and the other process can be found" "OK /tmp/elsewhere/proc/$victim/cmdline" \
    "$(as_tester reach unix "$linked") $(grep -alz "^600[.]125" /tmp/elsewhere/proc/[0-9]*/cmdline)"

policy=$LAB/work/policy.rules
printf '%s:53/udp\nallowed.example\n' "$RESOLVER_IP" >"$policy"
lab_start kept_port echo_server 8107
lab_start other_port echo_server 8108
# Counted here, because they are services of this machine and not of the internet.
iptables-restore --noflush <<RULES
*filter
-A INPUT -i lo -p tcp --syn --dport 8107 -m comment --comment kept
-A INPUT -i lo -p tcp --syn --dport 8108 -m comment --comment other
COMMIT
RULES
host_syns() { iptables-save -c -t filter | awk -v l="$1" '$NF == l { sub(/^\[/, ""); print $1 + 0 }'; }
wait_for 5 connect_once -r 127.0.0.1 8107 1
wait_for 5 connect_once -r 127.0.0.1 8108 1

# An open connection to a server that the policy does not know, as a careless caller leaves one.
exec 5<>"/dev/tcp/$DENIED_IP/80"
inside_start --policy "$policy" --share "$shared" --host-port 8107 || exit 1
exec 5>&-

for name in "${sockets[@]}" "$foreign" "$abstract"; do
    before=$(reached "$name")
    answer=$(inside "reach unix $name")
    now=$(reached "$name")
    check_equal B18 "${name#"$LAB"} is out of reach ($answer)" "yes, $before came" \
        "$([ "$answer" = OK ] && echo no || echo yes), $now came"
done
check_equal B18 "a socket under another name than it was bound by is out of reach" "0 1" \
    "$(inside "reach unix $linked" | grep -c OK) $(grep -c ^reached "$LAB/log/linked.log")"
check_equal B18 "a link to a hidden socket leads nowhere" "0" \
    "$(inside 'reach unix /run/other-name' | grep -c OK)"
check_equal B18 "what --share names can be reached" "OK 2" \
    "$(inside "reach unix $shared") $(wait_for 5 test "$(reached "$shared")" -ge 2; reached "$shared")"
check_equal B18 "/run keeps what is harmless" harmless "$(inside 'cat /run/quiet/file')"
check B18 "/run/user is not there, or empty" inside 'test -z "$(ls -A /run/user 2>/dev/null)"'

check_equal B18 "a port named by --host-port can be reached" OK "$(inside 'connect_once -r 127.0.0.1 8107 3')"
before=$(host_syns other)
check B18 "another of the host's loopback cannot" ! inside 'connect_once -r 127.0.0.1 8108 3'
check B18 "nor by the host's own address" ! inside "connect_once -r $HOST_IP 8108 3"
check_equal B18 "and nothing came for it" "$before" "$(host_syns other)"

check_equal B18 "inherited descriptors are closed" "0 1 2" "$(inside 'reach fds')"
check B18 "so the caller's open connection cannot be used" ! \
    inside "printf 'GET /smuggled HTTP/1.0\r\nHost: smuggled.example\r\n\r\n' >&5"
check_equal B18 "and nothing was asked through it" 0 "$(lab_requests smuggled.example)"

check_equal B18 "a process of the same user cannot be signalled" ESRCH "$(inside "reach kill $victim")"
check_equal B18 "nor traced" ESRCH "$(inside "reach ptrace $victim")"
check_equal B18 "nor seen" "" "$(inside 'grep -alz "^600[.]125" /proc/[0-9]*/cmdline')"
check_equal B18 "nor in another mount of /proc" "" "$(inside 'ls /tmp/elsewhere/proc')"
check B18 "/proc has no process but the command's own" inside \
    'for p in /proc/[0-9]*; do [ "$(readlink $p/ns/pid)" = "$(readlink /proc/self/ns/pid)" ] ||
        [ ! -r $p/ns/pid ] || exit 1; done; [ "$(ls -d /proc/[0-9]* | wc -l)" -lt 12 ]'
run_once --policy "$policy" -- sh -c 'kill -9 -1' >"$LAB/log/kill.log"
check B18 "a signal to everyone reaches nobody outside" kill -0 "$victim"
check_equal B18 "SysV memory of outside is not there" ENOENT "$(inside "reach shm $key")"
check_equal B18 "nor is a message queue" ENOENT "$(inside "reach mq $queue")"

facts()
{
    inside 'sed -n "s/^\(NoNewPrivs\|CapInh\|CapPrm\|CapEff\|CapBnd\|CapAmb\):\t0*/\1=/p" \
        /proc/self/status' | paste -sd' '
}
check_equal B18 "no capability and no_new_privs" "CapInh= CapPrm= CapEff= CapBnd= CapAmb= NoNewPrivs=1" "$(facts)"
check_equal B18 "a setuid program gains nothing, so neither at, cron nor sudo" \
    "$TESTER_UID $TESTER_UID" "$(inside reach-setuid\ ids)"
check_equal B18 "AF_VSOCK is refused" EAFNOSUPPORT "$(inside 'reach socket 40')"
check_equal B18 "io_uring is refused" ENOSYS "$(inside 'reach io_uring')"
check_equal B18 "keys, for which the kernel would start a helper outside, are refused" "ENOSYS ENOSYS ENOSYS" \
    "$(inside 'reach request-key; reach add-key; reach keyctl' | paste -sd' ')"
check_equal B18 "typing into the terminal is refused" "EPERM EPERM" \
    "$(inside 'reach tiocsti; reach tiocsti high' | paste -sd' ')"

# With a user namespace a process is root among its own: what is hidden must stay so.
if as_tester unshare -Urnm true 2>/dev/null; then
    before=$(reached /run/docker.sock)
    check - "a user namespace can be made inside" inside "unshare -Urnm true"
    check B18 "the cover of /run cannot be taken off in a user namespace" ! \
        inside "unshare -Urm sh -c 'umount /run; umount -l /run; reach unix /run/docker.sock'"
    check B18 "nor that of a socket in /tmp" ! inside \
        "unshare -Urm sh -c 'umount -l /tmp/tmux-$TESTER_UID; reach unix /tmp/tmux-$TESTER_UID/default'"
    check B18 "nor those of a socket alone" ! \
        inside "unshare -Urm sh -c 'umount -l $foreign; reach unix $foreign'"
    check_equal B18 "and nobody came" "$before" "$(reached /run/docker.sock)"
    syns=$(lab_syns any)
    check B18 "a network namespace of its own leads nowhere" ! \
        inside "unshare -Urn sh -c 'ip link set lo up; connect_once $DENIED_IP 80'"
    check_equal B18 "and nothing came" "$syns" "$(lab_syns any)"
    check B18 "a new /proc shows no more" ! inside \
        "unshare -Urpf --mount-proc sh -c 'grep -alz \"^600[.]125\" /proc/[0-9]*/cmdline'"
    check B18 "the kernel's settings stay read-only" ! \
        inside "unshare -Urm sh -c 'mount -o remount,bind,rw /sys'"
else
    skip B18 "user namespaces" "the kernel lets no ordinary user make one"
fi
groups=$(awk '$9 == "cgroup2" || / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
check B18 "the command cannot leave its cgroup" ! inside "echo \$\$ >$groups/cgroup.procs"
check_equal B18 "not for a child either: outside it could have one there, inside it cannot" "OK ENOSYS" \
    "$(reach clone3 "$groups") $(inside "reach clone3 $groups")"

inside_stop
check_equal - "the run ended well" 0 "$RUN_STATUS"
check_equal - "verify of its log" 0 "$("$EGRESS" verify --quiet "$LOG"; echo $?)"
