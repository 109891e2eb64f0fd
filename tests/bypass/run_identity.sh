#!/bin/bash
# SPDX-License-Identifier: MIT
# Whom the command runs as and how it feels: identity from sudo, --user or the caller, terminal,
# signals, standard input, directory and environment, and that its end is the end of all it began.
# shellcheck disable=SC2016 # what runs behind the filter is expanded there
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

policy=$LAB/work/policy.rules
printf '%s:53/udp\nallowed.example\n' "$RESOLVER_IP" >"$policy"
export SHELL=/bin/sh
unset SUDO_UID SUDO_USER SUDO_GID SUDO_COMMAND
# Of the tester's own, as every ordinary call is.
project=$LAB/home/project
mkdir "$project" && cp "$policy" "$project/egress.rules" && chown -R $TESTER_UID:$TESTER_UID "$project"
mark=617.$$

run() { (cd "$project" && "$EGRESS" run "${RUN_OPTIONS[@]}" --quiet "$@"); }
status_of()
{
    local status=0
    "$@" >"$LAB/log/last.log" 2>&1 </dev/null || status=$?
    echo $status
}
left()
{
    pgrep -f "sleep $mark" | grep -cvx $$
}

check_equal B18 "as root without a user it refuses" 125 "$(status_of run -- touch "$LAB/work/ran")"
check B18 "says what to write" grep -q -- '--user' "$LAB/log/last.log"
check B18 "and has run nothing" test ! -e "$LAB/work/ran"
check_equal B18 "SUDO_UID of root is no user either" 125 "$(SUDO_UID=0 status_of run -- true)"
check_equal - "--user takes a name" "$TESTER_UID $TESTER_UID" "$(run --user $TESTER -- sh -c 'echo $(id -u) $(id -g)')"
check_equal - "and a number" $TESTER_UID "$(run --user $TESTER_UID -- id -u)"
check_equal - "a user that is not there is an error" 125 "$(status_of run --user nobody-at-all -- true)"
check_equal - "called by sudo, it is who called sudo" $TESTER_UID "$(SUDO_UID=$TESTER_UID run -- id -u)"
check_equal B18 "no group of root's stays" $TESTER_UID "$(run --user $TESTER -- id -G)"
check_equal B18 "--user root keeps no capability" "CapEff: 0000000000000000" \
    "$(run --user root -- grep CapEff /proc/self/status 2>/dev/null | tr '\t' ' ')"

cp "$LAB/bin/reach" "$LAB/bin/reach-setuid" && chmod 4755 "$LAB/bin/reach-setuid"
check_equal B18 "without --allow-privileges a setuid program gains nothing" "$TESTER_UID $TESTER_UID" \
    "$(run --user $TESTER -- reach-setuid ids)"
check_equal - "with it, it does" "$TESTER_UID 0" \
    "$(run --user $TESTER --allow-privileges -- reach-setuid ids 2>"$LAB/log/privileges.log")"
check - "and what that means is said" grep -q 'take the filter down' "$LAB/log/privileges.log"

# The command's own exit status, and those of a shell.
check_equal - "exit status of the command" 42 "$(status_of run --user $TESTER -- sh -c 'exit 42')"
check_equal - "not found" 127 "$(status_of run --user $TESTER -- no-such-program)"
check_equal - "not executable" 126 "$(status_of run --user $TESTER -- ./egress.rules)"
check_equal - "ended by a signal" 137 "$(status_of run --user $TESTER -- sh -c 'kill -9 $$')"
check_equal - "the directory is the caller's" "$project" "$(run --user $TESTER -- pwd)"
check_equal - "standard input is the caller's" "5000" "$(head -c 5000 /dev/zero | run --user $TESTER -- wc -c)"

# By an ordinary user: through sudo, and the environment comes along.
printf '%s ALL=(root) NOPASSWD: %s\n' $TESTER "$EGRESS" >/etc/sudoers.d/lab 2>/dev/null
chmod 440 /etc/sudoers.d/lab 2>/dev/null
printf '127.0.0.1 %s\n' "$(hostname)" >>/etc/hosts # sudo asks for it
printf '%s:*:19000:0:99999:7:::\n' $TESTER >>/etc/shadow
user()
{
    (cd "$project" && setpriv --reuid $TESTER_UID --regid $TESTER_UID --clear-groups \
        --inh-caps=-all -- env HOME="$LAB/home" "$@")
}
if ! command -v sudo >/dev/null; then
    skip - "an ordinary user calls" "sudo is not installed"
else
    check_equal - "an ordinary user calls, and it is him" $TESTER_UID \
        "$(user "$EGRESS" run "${RUN_OPTIONS[@]}" --quiet -- id -u 2>"$LAB/log/sudo.log")"
    mkdir "$LAB/home/tools" && printf '#!/bin/sh\necho "$COLOUR in $PWD, home $HOME, $SUDO_UID."\n' \
        >"$LAB/home/tools/own-tool"
    chmod 755 "$LAB/home/tools/own-tool"
    check_equal - "his PATH and variables are carried along" "deep blue in $project, home $LAB/home, ." \
        "$(user COLOUR='deep blue' PATH="$LAB/home/tools:/usr/bin:/bin" "$EGRESS" run --quiet \
            -- own-tool 2>>"$LAB/log/sudo.log")"
    printf '{owner}.example\n' >"$LAB/home/owner.rules"
    check_equal - "what {owner} is stands in them" 0 "$(status_of user GITHUB_REPOSITORY=allowed/project \
        "$EGRESS" run --quiet --policy "$LAB/home/owner.rules" -- true)"
    check_equal - "its exit status comes back" 9 "$(status_of user "$EGRESS" run --quiet -- sh -c 'exit 9')"
    check_equal B18 "his environment alone: another's process is refused" 125 \
        "$(status_of user sudo -n -- "$EGRESS" run --environment-of $$ -- env)"
fi

# A terminal of its own for each question: script(1) makes it.
cat >"$LAB/work/tty.sh" <<'TTY'
test -t 0 && test -t 1 && test -t 2 && stty size >/dev/null && echo all-tty
TTY
cat >"$LAB/work/wait.sh" <<TTY
setsid sleep $mark &
trap 'echo interrupted; exit 130' INT
echo waiting
sleep $mark
TTY
chmod 755 "$LAB"/work/*.sh
terminal() { (cd "$project" && script -qec "$*" /dev/null) | tr -d '\r'; }
check_equal - "all three are the caller's terminal" all-tty \
    "$(terminal "$EGRESS run --quiet --user $TESTER -- sh $LAB/work/tty.sh" </dev/null)"
mkfifo "$LAB/work/keys"
exec {keys}<>"$LAB/work/keys"
(
    status=0
    cd "$project" && script -qec "$EGRESS run --quiet --user $TESTER -- sh $LAB/work/wait.sh" \
        /dev/null <"$LAB/work/keys" >"$LAB/log/terminal.log" || status=$?
    echo "$status" >"$LAB/work/terminal.status"
) &
LAB_PIDS[terminal]=$!
check - "a command waits on a terminal" wait_for 10 grep -q waiting "$LAB/log/terminal.log"
printf '\003' >&"$keys"
check - "Ctrl-C reaches it and ends the run" wait_for 10 test -s "$LAB/work/terminal.status"
check_equal - "with 130, the command's own trap run" "130 1" \
    "$(cat "$LAB/work/terminal.status") $(grep -c interrupted "$LAB/log/terminal.log")"
check_equal B18 "and what it left in the background is gone" 0 "$(left)"
lab_stop terminal
exec {keys}>&-

# Signals to the keeper are for the command.
cat >"$LAB/work/signals.sh" <<'SH'
for s in TERM INT HUP USR1 USR2; do trap "echo $s" $s; done
trap 'echo QUIT; exit 7' QUIT
echo waiting
while :; do sleep 0.05; done
SH
lab_start signals "$EGRESS" run "${RUN_OPTIONS[@]}" --quiet --user $TESTER --policy "$policy" --log "$LOG" -- \
    bash "$LAB/work/signals.sh"
wait_for 10 grep -q waiting "$LAB/log/signals.log"
for signal in TERM HUP USR1 USR2; do
    kill -s $signal "${LAB_PIDS[signals]}"
    check - "$signal to the filter is passed on" wait_for 5 grep -qx $signal "$LAB/log/signals.log"
done
kill -s QUIT "${LAB_PIDS[signals]}"
status=0
wait "${LAB_PIDS[signals]}" || status=$?
check_equal - "QUIT too, and the status is what its handler says" "7 QUIT" \
    "$status $(tail -n 1 "$LAB/log/signals.log")"
unset 'LAB_PIDS[signals]'

run --user $TESTER -- sh -c "setsid sleep $mark >/dev/null 2>&1 & (sleep $mark &) ; sleep $mark >/dev/null & exit 3"
check_equal B18 "background children end with the command" "3 0" "$? $(left)"
check_equal - "each run wrote to the one log in the directory" 0 \
    "$("$EGRESS" verify --quiet "$project/egress.jsonl"; echo $?)"
