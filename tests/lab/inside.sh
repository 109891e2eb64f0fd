# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A command behind the filter that a test can talk to: it does one thing after another as the
# unprivileged user while the test looks on from outside. Sourced after lab.sh.
#
#     inside_start --policy FILE          the filter, and a shell behind it; KEEPER is its pid
#     inside 'curl -sS https://…'         runs there; output and status are the command's
#     inside_stop                         ends it as its user would; RUN_STATUS is the run's

# A copy, because the unprivileged user may not be able to look where it was built; and one whose
# inode is this test's alone, so that its processes can be told from any other's.
cp "$EGRESS" "$LAB/bin/egress-filter" 2>/dev/null || lab_fail "the program is not built: $EGRESS"
EGRESS=$LAB/bin/egress-filter
LOG=$LAB/log/egress.jsonl
KEEPER=
RUN_STATUS=
INSIDE=
INSIDE_FD=

cat >"$LAB/bin/inside-loop" <<'LOOP'
cd "$1"
: >ready
while read -r id; do
    [ "$id" != quit ] || exit 0
    bash "$id.cmd" >"$id.out" 2>&1 </dev/null
    echo $? >"$id.new"
    mv "$id.new" "$id.status"
done <in
LOOP

# inside_start OPTION…: run's options beside --user and --log, which is $LOG.
inside_start()
{
    INSIDE=$(mktemp -d "$LAB/work/inside.XXXXXX") && mkfifo "$INSIDE/in" || return 1
    chown -R "$TESTER_UID" "$INSIDE"
    chmod 755 "$INSIDE"
    # Both ends, so that neither side ever waits for the other to open it.
    exec {INSIDE_FD}<>"$INSIDE/in"
    lab_start run "$EGRESS" run "${RUN_OPTIONS[@]}" --user "$TESTER" --log "$LOG" "$@" -- \
        bash "$LAB/bin/inside-loop" "$INSIDE"
    KEEPER=${LAB_PIDS[run]}
    wait_for 10 test -e "$INSIDE/ready" && return 0
    not_ok - "$LAB_NAME: the filter starts" "$(cat "$LAB/log/run.log")"
    return 1
}

# inside_ask TEXT: starts it there, and says by which id its answer will be known.
inside_ask()
{
    local id=$BASHPID.$RANDOM$RANDOM
    printf '%s\n' "$1" >"$INSIDE/$id.cmd"
    printf '%s\n' "$id" >&"$INSIDE_FD"
    echo "$id"
}

# inside_answer ID
inside_answer()
{
    if ! wait_for 60 test -e "$INSIDE/$1.status"; then
        echo "no answer from inside"
        return 124
    fi
    cat "$INSIDE/$1.out"
    return "$(cat "$INSIDE/$1.status")"
}

inside()
{
    inside_answer "$(inside_ask "$1")"
}

inside_stop()
{
    printf 'quit\n' >&"$INSIDE_FD"
    wait_for 10 lab_gone "$KEEPER"
    RUN_STATUS=0
    { wait "$KEEPER" || RUN_STATUS=$?; } 2>/dev/null
    unset "LAB_PIDS[run]"
    exec {INSIDE_FD}>&-
    KEEPER=
}

# run_pid proxy|packet: of the keeper's children; nothing while there is none.
run_pid()
{
    pgrep -P "$KEEPER" -x "egress-$1"
}

# run_ready proxy|packet: it is there and has told so: it has given up its rights.
run_ready()
{
    local pid
    pid=$(run_pid "$1") && grep -q '^Seccomp:\s*2' "/proc/$pid/status"
}

# run_once OPTION… -- COMMAND…: one command to its end; what it and the filter printed.
run_once()
{
    "$EGRESS" run "${RUN_OPTIONS[@]}" --user "$TESTER" --log "$LOG" "$@" 2>&1 </dev/null
}
