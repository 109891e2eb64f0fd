#!/bin/bash
# SPDX-License-Identifier: MIT
# What `doctor` foretells, beside what `run` then does: well where all is there, and with one thing
# really taken away after the other, in namespaces of this test alone.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"

policy allowed.example
TOLD=$LAB/log/doctor.json
DENY=$LAB_BUILD/tools/deny_call

# asks WRAPPER…: doctor as that leaves the machine, for a run as `behind` makes it.
asks()
{
    SAID=0
    "$@" "$EGRESS" doctor --json --user "$TESTER" --log "$LAB/log/asked.jsonl" >"$TOLD" \
        2>"$LAB/log/doctor.err" || SAID=$?
}

# found CHECK FIELD
found()
{
    jq -r --arg check "$1" ".checks[] | select(.check == \$check) | .$2" "$TOLD"
}

bad()
{
    jq -r '[.checks[] | select(.level == "bad") | .check] | join(" ")' "$TOLD"
}

# runs WRAPPER…: a run in the same place; whether the command ran is told by the file it makes.
runs()
{
    behind_begin
    rm -f "$LAB/home/ran"
    STATUS=0
    "$@" "$EGRESS" run --policy "$POLICY" --user "$TESTER" --log "$LAB/log/asked.jsonl" -- \
        touch "$LAB/home/ran" >"$OUT" 2>"$ERR" </dev/null || STATUS=$?
}

# foretells NAME CHECK WRAPPER…: doctor calls it bad, in the words with which run fails.
foretells()
{
    local name=$1 part=$2 sentence
    shift 2
    asks "$@"
    check_equal - "$name: doctor says so" "1 bad" "$SAID $(found "$part" level)"
    sentence=$(found "$part" seen)
    sentence=${sentence%% \[refused alone*}
    runs "$@"
    check_equal - "$name: run fails" "125 no" \
        "$STATUS $([ -e "$LAB/home/ran" ] && echo yes || echo no)"
    check - "$name: in the same words" grep -qF -- "${sentence:-nothing was foretold}" "$ERR"
    check_equal - "$name: the rehearsal as well" bad "$(found run level)"
    check - "$name: there is something to do" grep -qvx null <<<"$(found "$part" todo | grep .)"
}

# Everything is there.
before=$(compgen -G '/tmp/egress-doctor-*')
asks env
check_equal - "all is there: doctor finds nothing bad" "0 " "$SAID $(bad)"
runs env
check_equal - "all is there: run works" "0 yes" \
    "$STATUS $([ -e "$LAB/home/ran" ] && echo yes || echo no)"
check_equal - "every check has an answer" 14 "$(jq '[.checks[] | select(.seen != "")] | length' "$TOLD")"
check_equal - "nothing stays in /tmp" "$before" "$(compgen -G '/tmp/egress-doctor-*')"
check - "nor in a cgroup" test -z "$(find "$(found cgroup seen | sed 's/^v2 at \([^,]*\),.*/\1/')" \
    -maxdepth 3 -name 'egress-filter-doctor-*' 2>/dev/null)"
rm -f "$LAB/log/asked.jsonl"
asks env
check - "and no log is made" test ! -e "$LAB/log/asked.jsonl"

# interrupts: ended by a signal while the rehearsal has its directory. Prints what stayed of it.
rehearses()
{
    compgen -G '/tmp/egress-doctor-*' | grep -vxF -- "${before:-none}" >"$LAB/log/rehearsing"
}
interrupts()
{
    local pid status=0
    for _ in 1 2 3 4 5; do
        "$EGRESS" doctor --user "$TESTER" --log "$LAB/log/asked.jsonl" >"$TOLD" 2>&1 &
        pid=$!
        wait_for 20 rehearses
        kill -s "$1" "$pid" 2>/dev/null
        status=0
        wait "$pid" || status=$?
        [ "$status" = 0 ] || break # else it was done before
    done
    echo "$status $(compgen -G '/tmp/egress-doctor-*' | grep -vxF -- "${before:-none}")"
}
check_equal - "ended in the midst of it, nothing stays" "143 " "$(interrupts TERM)"

# in_mounts SCRIPT COMMAND…: the command in mounts that the script changed.
in_mounts()
{
    unshare --mount --propagation private -- bash -c "set -e; $1; exec \"\$@\"" "$@"
}

foretells "no iptables" iptables in_mounts '
    for f in /usr/sbin/iptables-restore /sbin/iptables-restore /usr/local/sbin/iptables-restore; do
        [ ! -e "$f" ] || mount --bind /dev/null "$f"
    done'
foretells "no cgroup v2" cgroup in_mounts '
    awk "/ - cgroup2 / { print \$5 }" /proc/self/mountinfo | tac | while read -r at; do
        umount "$at"
    done'
foretells "bpf is refused" hooks "$DENY" bpf
foretells "no network namespaces" gate "$DENY" unshare

# A kernel without the module: what loads the rules is told so, and says so.
cat >"$LAB/work/iptables-restore" <<'END'
#!/bin/sh
input=$(cat)
case "$*$input" in
*TPROXY*) echo "iptables-restore: unable to initialize TPROXY" >&2; exit 1 ;;
esac
printf '%s\n' "$input" | exec -a "$0" XTABLES "$@"
END
sed -i "s|exec -a \"\$0\" XTABLES|exec $LAB/work/real/iptables-restore|" "$LAB/work/iptables-restore"
chmod 755 "$LAB/work/iptables-restore"
mkdir "$LAB/work/real"
cp "$(realpath /usr/sbin/iptables-restore)" "$LAB/work/real/xtables"
ln -s xtables "$LAB/work/real/iptables-restore"
foretells "no TPROXY" gate in_mounts \
    "mount --bind $LAB/work/iptables-restore \$(realpath /usr/sbin/iptables-restore)"
asks in_mounts "mount --bind $LAB/work/iptables-restore \$(realpath /usr/sbin/iptables-restore)"
check - "no TPROXY: that piece alone is named" \
    grep -qF '[refused alone: TPROXY]' <<<"$(found gate seen)"

printf 'nameserver 2001:db8::1\n' >"$LAB/work/resolv.conf"
foretells "no resolver" resolver in_mounts "mount --bind $LAB/work/resolv.conf /etc/resolv.conf"
printf 'nameserver 127.0.0.99\n' >"$LAB/work/resolv.conf"
asks in_mounts "mount --bind $LAB/work/resolv.conf /etc/resolv.conf"
check_equal - "a stub that nobody serves is a warning" "0 warn" "$SAID $(found resolver level)"

# The log: not in the rehearsal, which has one of its own.
# log_foretells NAME: as foretells, without it.
log_foretells()
{
    asks "${@:2}"
    check_equal - "$1: doctor says so" "1 log" "$SAID $(bad)"
    runs "${@:2}"
    check_equal - "$1: run fails" "125 no" \
        "$STATUS $([ -e "$LAB/home/ran" ] && echo yes || echo no)"
    check - "$1: in the same words" grep -qF -- "$(found log seen)" "$ERR"
}
rm -f "$LAB/log/asked.jsonl"
ln -s elsewhere "$LAB/log/asked.jsonl"
log_foretells "the log is a link" env
rm "$LAB/log/asked.jsonl"
echo "nothing of ours" >"$LAB/log/asked.jsonl"
log_foretells "the log is another file" env
check_equal - "and it is as it was" "nothing of ours" "$(cat "$LAB/log/asked.jsonl")"
rm "$LAB/log/asked.jsonl"
log_foretells "the log's file system cannot be written" in_mounts \
    "mount --bind $LAB/log $LAB/log; mount -o remount,bind,ro $LAB/log"
log_foretells "the log's disk is full" in_mounts \
    "mount -t tmpfs -o size=4k,nr_inodes=2 full $LAB/log; echo x >$LAB/log/filled"

# Without root: what cannot be seen is said to be so.
SAID=0
setpriv --reuid "$TESTER_UID" --clear-groups "$EGRESS" doctor --json >"$TOLD" 2>&1 || SAID=$?
check_equal - "without root nothing is guessed" "3 hooks frames gate namespaces log run" \
    "$SAID $(jq -r '[.checks[] | select(.level == "unseen") | .check] | join(" ")' "$TOLD")"
check - "and it is said what is left out" grep -q 'without root is lacking' \
    <<<"$(setpriv --reuid "$TESTER_UID" --clear-groups "$EGRESS" doctor)"
in_mounts 'for f in /usr/bin/sudo /bin/sudo /usr/local/bin/sudo; do
        [ ! -e "$f" ] || mount --bind /dev/null "$f"
    done' setpriv --reuid "$TESTER_UID" --clear-groups "$EGRESS" doctor --json >"$TOLD" 2>&1
check_equal - "without root and without sudo it cannot" rights "$(bad)"

# The command line.
SAID=0
"$EGRESS" doctor --attach nonsense >/dev/null 2>&1 || SAID=$?
check_equal - "a way that is none" 2 "$SAID"
SAID=0
"$EGRESS" doctor --resolver nonsense >/dev/null 2>&1 || SAID=$?
check_equal - "a resolver that is none" 2 "$SAID"
SAID=0
"$EGRESS" doctor extra >/dev/null 2>&1 || SAID=$?
check_equal - "an argument" 2 "$SAID"
check - "without --user root is told that run needs it" \
    grep -q '^warn  *rights .*--user' <<<"$(env -u SUDO_UID "$EGRESS" doctor)"
check - "and that is not forgotten at the end" test "$(env -u SUDO_UID "$EGRESS" doctor | tail -n 1)" = \
    '`run` works here; mind what is marked warn.'
for as in env "setpriv --reuid $TESTER_UID --clear-groups"; do
    # shellcheck disable=SC2086 # words
    $as "$EGRESS" doctor --json --user no-such-user >"$TOLD"
    check - "a user that is not there is found out, and what to do (${as%% *})" test "$(found rights level) $(found rights todo)" = \
        "bad name a user of this machine with --user NAME"
done
