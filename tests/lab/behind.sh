# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Running commands behind the filter, in the lab: a policy written on the spot, a log of its own
# for each run, and what each run printed kept where a failing suite shows it.

POLICY=$LAB/work/policy.rules
CURL=$(realpath "$(command -v curl)")
RUNS=0
# Of the newest run: its log, what it printed, its exit status.
AUDIT='' OUT='' ERR='' STATUS=0

# policy LINE…
policy()
{
    printf '%s\n' "$@" >"$POLICY"
}

# behind_begin: names for the files of another run.
behind_begin()
{
    RUNS=$((RUNS + 1))
    AUDIT=$LAB/log/run-$RUNS.jsonl OUT=$LAB/log/run-$RUNS.out ERR=$LAB/log/run-$RUNS.err
}

# behind [OPTION…] -- COMMAND…: one run as the unprivileged user, by $POLICY.
behind()
{
    behind_begin
    STATUS=0
    "$EGRESS" run --policy "$POLICY" --user "$TESTER" --log "$AUDIT" "$@" \
        >"$OUT" 2>"$ERR" </dev/null || STATUS=$?
}

# behind_start NAME [OPTION…] -- COMMAND…: the same in the background, by lab_start.
behind_start()
{
    local name=$1
    shift
    behind_begin
    OUT=$LAB/log/$name.log ERR=$OUT
    lab_start "$name" "$EGRESS" run --policy "$POLICY" --user "$TESTER" --log "$AUDIT" "$@"
}

# behind_wait NAME: its end, however long it takes; the exit status in STATUS.
behind_wait()
{
    STATUS=0
    wait "${LAB_PIDS[$1]}" || STATUS=$?
    unset "LAB_PIDS[$1]"
}

# records FILTER: how many records of the newest run match a jq condition.
records()
{
    jq -c "select($1)" "$AUDIT" | wc -l
}

# record_field FILTER FIELD: that field of the first record that matches.
record_field()
{
    jq -r "select($1) | $2" "$AUDIT" | head -n 1
}
