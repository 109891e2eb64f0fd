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

# What `match` says differently of the logs of this suite, and how many decisions it was asked about.
REPLAY_DIFF=$LAB/work/replay.diff
REPLAYED=0

# replay [OPTION…]: asks match about each decision of the newest run, by the policy of that run. A
# verdict is the policy's word alone; reasons that came later are not its business.
replay()
{
    local options=() said told
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        case $1 in
        --context | --repo | --policy)
            options+=("$1" "$2")
            shift
            ;;
        --context=* | --repo=* | --lenient) options+=("$1") ;;
        esac
        shift
    done
    [ -s "$AUDIT" ] || return 0
    said=$(jq -c 'select(.event == "connect" or .event == "query" or .event == "datagram") |
        .policy' "$AUDIT")
    [ -n "$said" ] || return 0
    told=$("$EGRESS" match --policy "$POLICY" "${options[@]}" "$AUDIT" 2>/dev/null |
        jq -c .policy)
    REPLAYED=$((REPLAYED + $(wc -l <<<"$said")))
    diff <(printf '%s\n' "$said") <(printf '%s\n' "$told") >"$LAB/work/replay.one" ||
        { echo "run $RUNS:" && cat "$LAB/work/replay.one"; } >>"$REPLAY_DIFF"
}

# replayed: the check with which a suite ends.
replayed()
{
    check - "match was asked about decisions of these runs" test "$REPLAYED" -gt 0
    check_equal - "and says of all what the filter said" "" "$(cat "$REPLAY_DIFF" 2>/dev/null)"
}

# behind [OPTION…] -- COMMAND…: one run as the unprivileged user, by $POLICY.
behind()
{
    behind_begin
    STATUS=0
    "$EGRESS" run "${RUN_OPTIONS[@]}" --policy "$POLICY" --user "$TESTER" --log "$AUDIT" "$@" \
        >"$OUT" 2>"$ERR" </dev/null || STATUS=$?
    replay "$@"
}

# behind_start NAME [OPTION…] -- COMMAND…: the same in the background, by lab_start.
behind_start()
{
    local name=$1
    shift
    behind_begin
    OUT=$LAB/log/$name.log ERR=$OUT
    lab_start "$name" "$EGRESS" run "${RUN_OPTIONS[@]}" --policy "$POLICY" --user "$TESTER" --log "$AUDIT" "$@"
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
