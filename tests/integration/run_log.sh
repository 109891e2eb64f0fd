#!/bin/bash
# SPDX-License-Identifier: MIT
# The log of real runs: its place, its modes, its fields as docs/audit-log.md promises them, no
# traffic without a record when the disk is full, and denials that come by the thousand.
# shellcheck disable=SC2016 # what runs behind the filter is expanded there
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

policy=$LAB/work/policy.rules
cat >"$policy" <<POLICY
$RESOLVER_IP:53/udp
allowed.example
$THIRD_IP:7
deny third.example expected
POLICY
chmod 644 "$policy"
fetch='curl -sS -m 10 -o /dev/null -w %{http_code}'
verify() { "$EGRESS" verify --quiet "$@"; echo $?; }
# all FILTER [FILE]: of how many records it is not true.
not_true() { jq -c "select(($1) | not)" "${2:-$LOG}"; }

# Fields, by one record of each kind.
secret=token=hunter2hunter2
inside_start --policy "$policy" || exit 1
inside "$fetch https://allowed.example/small?$secret" >/dev/null
inside "$fetch --resolve denied.example:443:$DENIED_IP https://denied.example/; dig denied.example; dig third.example
    connect_once -r $THIRD_IP 7 5; connect_once -r $DENIED_IP 81 5; connect_once -u $DENIED_IP 82 5
    connect_once -r $THIRD_IP 9 5; curl -sS -m 5 --password $secret 'http://user:$secret@$DENIED_IP:83/'
    connect_once $ALLOWED_IP6 80; curl -sS -m 9 http://[$ALLOWED_IP6]/; true" >/dev/null
inside_stop
expect_fields()
{
    local name=$1 pick=$2 has=$3
    check_equal - "$name" true "$(jq -cs "[.[] | select($pick)] | length > 0 and all($has)" "$LOG")"
}
check_equal - "every line is an object with ts, seq, event, and hash at its end" "0 0" \
    "$(not_true '(.ts | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{6}Z$")) and (.seq | type) == "number"
        and (.event | type) == "string" and (.hash | test("^[0-9a-f]{64}$"))' | wc -l) $(grep -vc ',"hash":"[0-9a-f]*"}$' "$LOG")"
check_equal - "seq counts from 1 without a gap" true "$(jq -cs '[.[].seq] == [range(1; length + 1)]' "$LOG")"
check_equal - "only fields that are documented" "" "$(jq -r 'keys[]' "$LOG" | sort -u |
    grep -vxF -f <(grep -oE '`[a-z0-9_]+`' "$LAB_ROOT/docs/audit-log.md" 2>/dev/null | tr -d '\140' | sort -u) | paste -sd' ')"
expect_fields "start says who, where and by which policy" '.event == "start"' \
    '.seq == 1 and .schema == 1 and .mode == "enforce" and .prev == ("0" * 64) and (.policy_sha256 | length) == 64
     and ([.version, .run_id, .host_name, .boot_id, .kernel, .attach] | all(type == "string" and . != ""))'
check_equal - "its policy is the digest of the file" "$(sha256sum <"$policy" | cut -d' ' -f1)" \
    "$(jq -r 'select(.event == "start") | .policy_sha256' "$LOG")"
expect_fields "stop has totals" '.event == "stop"' '.records == .seq and .allowed > 0 and .denied > 0'
expect_fields "an allowed connection" '.event == "connect" and .host == "allowed.example"' \
    ".type == \"https\" and .policy == \"allow\" and .outcome == \"allowed\" and .name_from == \"sni\" and .opened == false
     and .dst_ip == \"$ALLOWED_IP\" and .dst_port == 443 and .proto == \"tcp\" and .rule == \"allowed.example\"
     and .line == 2 and (.file | endswith(\"policy.rules\")) and (has(\"reason\") | not) and .src_port > 0"
expect_fields "its close" '.event == "close" and .host == "allowed.example"' \
    '.bytes_up > 0 and .bytes_down > 1024 and .duration_ms >= 0 and (.conn | type) == "number"'
check_equal - "connect and close are joined by conn" true \
    "$(jq -cs '[.[] | select(.host == "allowed.example" and (.event == "connect" or .event == "close")) | .conn] |
        length == 2 and .[0] == .[1]' "$LOG")"
expect_fields "a denied connection says why" '.event == "connect" and .host == "denied.example"' \
    '.policy == "deny" and .outcome == "denied" and .reason == "no-rule" and (has("rule") | not)'
expect_fields "who it was, in full" '.dst_port == 81' \
    ".pid > 0 and .start_ns > 0 and .ns_pid != .pid and .exe == \"$LAB/bin/connect_once\" and .uid == $TESTER_UID
     and .cmdline == [\"connect_once\", \"-r\", \"$DENIED_IP\", \"81\", \"5\"] and .user == \"$TESTER\"
     and (.cwd | startswith(\"$LAB/work/\")) and (.cgroup | test(\"/egress-filter-\")) and .mntns > 0 and .netns > 0
     and (.ancestors | length) >= 3 and (.ancestors[0] | .pid > 0 and (.exe | endswith(\"bash\")))"
expect_fields "a query that was denied" '.event == "query" and .name == "denied.example"' \
    '.type == "dns" and .policy == "deny" and .outcome == "denied" and .qtype == "A" and .rcode == "NXDOMAIN"'
expect_fields "an answer" '.event == "answer" and .name == "allowed.example" and .qtype == "A"' \
    ".policy == \"allow\" and .rcode == \"NOERROR\" and .answers == [{\"ip\":\"$ALLOWED_IP\",\"ttl\":300}] and .resolver == \"self\""
expect_fields "a veto that was expected" '.name == "third.example"' \
    '.policy == "deny" and .reason == "veto" and .expected == true and .line == 4'
expect_fields "a datagram" '.dst_port == 82' '.event == "datagram" and .type == "udp" and .proto == "udp" and .policy == "deny"'
expect_fields "a server that refuses" '.dst_port == 9' '.policy == "deny" or (.outcome == "failed" and .error == "upstream-refused")'
if [ -d /proc/sys/net/ipv6 ]; then
    expect_fields "real IPv6" '.type == "ipv6"' ".policy == \"deny\" and .reason == \"ipv6\" and .dst_ip == \"$ALLOWED_IP6\" and .pid > 0"
else
    skip - "real IPv6" "the kernel has none"
fi
check_equal - "no secret of a URL or an option, anywhere" 0 "$(grep -c hunter2hunter2 "$LOG")"
check_equal - "mode, owner and group" "640 0 $TESTER_UID" "$(stat -c '%a %u %g' "$LOG")"
check_equal - "what was said at the end is the newest record" \
    "$(tail -n 1 "$LOG" | jq -r '"\(.seq):\(.hash)"')" "$(sed -n 's/.*--head //p' "$LAB/log/run.log")"
check_equal - "and verify agrees" 0 "$(verify "$LOG" --head "$(sed -n 's/.*--head //p' "$LAB/log/run.log")")"
first=$(wc -l <"$LOG")
run_once --policy "$policy" -- true >"$LAB/log/second.log"
check_equal - "a second run goes on in the same file" "true 2" \
    "$(jq -cs ".[$first] | .event == \"start\" and .seq == $((first + 1))" "$LOG") $(jq -r 'select(.event == "start") | .run_id' "$LOG" | sort -u | wc -l)"
check_equal - "with the chain going on" "0 true" "$(verify "$LOG") $(jq -cs ".[$first].prev == .[$first - 1].hash" "$LOG")"

# Thousands of identical denials: few lines, and the counts add up to what was tried.
inside_start --policy "$policy" || exit 1
before=$(wc -l <"$LOG")
cat >"$INSIDE/knock.sh" <<KNOCK
for _ in {1..2000}; do : 2>/dev/null <>/dev/tcp/$DENIED_IP/84 && head -c 1 </dev/null; done
true
KNOCK
inside 'exec bash knock.sh' >/dev/null
syns=$(lab_syns "$DENIED_IP")
inside_stop
tried=$(tail -n +$((before + 1)) "$LOG" | jq -s '[.[] | select(.dst_port == 84) | .count // 1] | add')
lines=$(tail -n +$((before + 1)) "$LOG" | jq -c 'select(.dst_port == 84)' | wc -l)
check_equal R06 "of 2000 knocks each is counted" 2000 "$tried"
check R06 "in few records ($lines)" test "$lines" -lt 200
check_equal R06 "all of one process, with its name" 1 \
    "$(tail -n +$((before + 1)) "$LOG" | jq -r 'select(.dst_port == 84) | "\(.pid) \(.exe)"' | sort -u | wc -l)"
check_equal R06 "and none arrived" 0 "$syns"

# Two at once in one directory: the second takes a log of its own and says so.
together=$LAB/home/together
mkdir "$together" && cp "$policy" "$together/egress.rules" && chown -R $TESTER_UID:$TESTER_UID "$together"
(cd "$together" && exec "$EGRESS" run --user $TESTER -- sh -c "$fetch https://allowed.example/small >one.out
    until [ -e go ]; do sleep 0.05; done") >"$LAB/log/one.log" 2>&1 </dev/null &
LAB_PIDS[one]=$!
wait_for 10 test -s "$together/one.out"
check_equal - "a second run at once works too" 200 \
    "$(cd "$together" && "$EGRESS" run --user $TESTER -- sh -c "$fetch https://allowed.example/small" 2>"$LAB/log/two.log")"
other=$(cd "$together" && ls egress-*.jsonl)
check - "it names the log that it writes instead" grep -q "$other" "$LAB/log/two.log"
check_equal - "an open log is not broken, it has no end" 3 "$(verify "$together/egress.jsonl")"
touch "$together/go"
wait_for 10 lab_gone "${LAB_PIDS[one]}"
check_equal - "both logs are whole" "0 0" "$(verify "$together/egress.jsonl") $(verify "$together/$other")"
check_equal - "and a log named by both is refused to the second" 125 "$(
    inside_start --policy "$policy" >&2; run_once --policy "$policy" -- true >/dev/null; echo $?; inside_stop)"
