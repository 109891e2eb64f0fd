#!/bin/bash
# SPDX-License-Identifier: MIT
# The disk of the log fills up, the log is moved or taken away, from outside and from inside: what
# cannot be recorded must not pass, and what was recorded must show every change.
# shellcheck disable=SC2016 # what runs behind the filter is expanded there
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

policy=$LAB/home/policy.rules
printf '%s:53/udp\nallowed.example\n%s:7|80\n*.wild.example\n' "$RESOLVER_IP" "$THIRD_IP" >"$policy"
fetch='curl -sS -m 10 -o /dev/null -w %{http_code} https://allowed.example/small'
disk=$LAB/home/disk
mkdir "$disk" && mount -t tmpfs -o size=256k,mode=0755 disk "$disk"
chown $TESTER_UID:$TESTER_UID "$disk" "$policy" "$LAB/home"
LOG=$disk/egress.jsonl
verify() { "$EGRESS" verify --quiet "$@"; echo $?; }

inside_start --policy "$policy" || exit 1
check_equal - "while there is room, it works" "200 OK" "$(inside "$fetch") $(inside "connect_once -r $THIRD_IP 7 5")"
dd if=/dev/zero of="$disk/full" bs=1k 2>/dev/null
# The rest of the log's own last page.
lines=0
until grep -q 'cannot write the log' "$LAB/log/run.log" || [ $((lines += 1)) -gt 60 ]; do
    inside "connect_once -r $DENIED_IP 90 5" >/dev/null
done
check R06 "stderr says that the log cannot be written, and what follows" \
    grep -q "cannot write the log '$LOG': No space left on device; what cannot be recorded is denied" "$LAB/log/run.log"
requests=$(lab_requests allowed.example)
check R06 "no connection by name without a record" ! inside "${fetch/curl/curl --resolve allowed.example:443:$ALLOWED_IP}"
check R06 "nor by address" ! inside "connect_once -q -r $THIRD_IP 7 5"
check R06 "nor a denied one" ! inside "connect_once -q -r $DENIED_IP 80 5"
check_equal R06 "no byte of a request arrived" "$requests" "$(lab_requests allowed.example)"
# A server that may be reached can see a handshake, since the record tells how that went; no more.
check R06 "nor a request by address" ! inside "curl -sS -m 10 http://$THIRD_IP/small"
check_equal R06 "which did not arrive either" 0 "$(lab_requests "$THIRD_IP")"
check_equal R06 "and nothing at all for the denied server" 0 "$(lab_packets "$DENIED_IP" all)"
# Names under a wildcard carry data: a question that nobody recorded would take it out.
answer=$(inside 'for i in 1 2 3 4 5; do dig +short +tries=1 +time=1 $i.wild.example; done')
check R06 "no answer to a question that could not be recorded" ! grep -q "$ALLOWED_IP" <<<"$answer"
check_equal R06 "and no such question reached the resolver" "0 0 0 0 0" \
    "$(for i in 1 2 3 4 5; do lab_queries $i.wild.example; done | paste -sd' ')"
check_equal R06 "no half record was left" 0 "$(tail -c 1 "$LOG" | tr -d '\n' | wc -c)"
rm "$disk/full"
check_equal R06 "with room again it works again" "200 OK 200" "$(inside "$fetch") $(inside "connect_once -r $THIRD_IP 7 5"
    ) $(inside "${fetch/https:\/\/allowed.example/http:\/\/$THIRD_IP}")"
check_equal R06 "and names are found" "$ALLOWED_IP" "$(inside 'dig +short +tries=1 6.wild.example')"
check_equal R06 "each question with its record" 1 \
    "$(jq -c 'select(.name == "6.wild.example" and .event == "answer")' "$LOG" | wc -l)"
check R06 "and says so" grep -q 'can be written again' "$LAB/log/run.log"
inside_stop
check_equal R06 "the log is whole" 0 "$(verify "$LOG")"
check_equal R06 "records at the disk's end are complete or not there" 0 "$(jq -c . "$LOG" >/dev/null; echo $?)"

# From inside, by the owner of the directory. The first thing that anybody would try.
inside_start --policy "$policy" || exit 1
inside "$fetch" >/dev/null
for try in "rm -f $LOG" "mv $LOG $disk/other" "echo x >>$LOG" ": >$LOG" "ln -f $policy $LOG" "mv -f $policy $LOG" \
    "chmod 666 $LOG" "echo '$DENIED_IP' >>$policy" "rm -f $policy" "mv $LAB/bin/inside-loop $policy"; do
    check B18 "inside: ${try//$LAB/} is refused" ! inside "$try"
done
check R06 "inside: nor in a user namespace, as root of its own" ! inside \
    "unshare -Urm sh -c 'umount -l $LOG; umount -l $LOG; rm -f $LOG'"
check B18 "log and policy are where they were" test -s "$LOG" -a -s "$policy"
inside_stop
check_equal B18 "and the log is whole" 0 "$(verify "$LOG")"

# What is protected cannot be touched, but where it lies can be moved, and another laid there.
own=$LAB/home/own
mkdir "$own" && cp "$policy" "$own/policy.rules"
kept=$LOG LOG=$own/egress.jsonl
inside_start --policy "$own/policy.rules" || exit 1
chown -R $TESTER_UID:$TESTER_UID "$own/policy.rules"
chown $TESTER_UID:$TESTER_UID "$own"
check - "the directory can be moved from inside" inside "mv $own $own.true && mkdir $own && cp $own.true/* $own/"
inside_stop
check_equal B18 "which ends the run with an error" 125 "$RUN_STATUS"
check B18 "that names the log" grep -q "error: '$LOG' was moved or replaced" "$LAB/log/run.log"
check_equal B18 "and stands in the true one" "0 1" "$(verify "$own.true/egress.jsonl") $(
    jq -c 'select(.event == "gap" and (.detail | test("was moved or replaced")))' "$own.true/egress.jsonl" | wc -l)"
LOG=$own.true/egress.jsonl
mkdir "$own/rules" && cp "$policy" "$own/rules/policy.rules" && chown -R $TESTER_UID:$TESTER_UID "$own"
inside_start --policy "$own/rules/policy.rules" || exit 1
inside "mv $own/rules $own/old && mkdir $own/rules && echo $DENIED_IP >$own/rules/policy.rules"
inside_stop
check_equal B18 "so it is with a policy" "125 1" "$RUN_STATUS $(
    grep -c "error: '$own/rules/policy.rules' was moved or replaced" "$LAB/log/run.log")"
LOG=$kept

# From outside, while it runs.
inside_start --policy "$policy" || exit 1
inside "$fetch" >/dev/null
mv "$LOG" "$disk/moved"
check_equal R06 "moved away, it is still written" 200 "$(inside "$fetch")"
inside_stop
head=$(sed -n 's/.*--head //p' "$LAB/log/run.log")
check_equal R06 "to the end" 0 "$(verify "$disk/moved" --head "$head")"
cp "$disk/moved" "$LOG"

inside_start --policy "$policy" || exit 1
inside "$fetch" >/dev/null
rm "$LOG"
syns=$(lab_requests allowed.example)
check R06 "taken away, nothing passes" ! inside "$fetch"
check_equal R06 "and nothing arrived" "$syns" "$(lab_requests allowed.example)"
check R06 "and stderr says so" grep -q "cannot write the log" "$LAB/log/run.log"
inside_stop

# Somebody edits it afterwards.
LOG=$LAB/work/edited.jsonl
run_once --policy "$policy" -- sh -c "$fetch; connect_once -r $DENIED_IP 80 1; true" >"$LAB/log/last.log"
head=$(sed -n 's/.*--head //p' "$LAB/log/last.log")
edited=$LAB/work/edited
# found NAME STATUS LINE EDIT [OPTION…]: after the edit, verify ends so, and names that line.
found()
{
    local name=$1 status=$2 line=$3 edit=$4 output got=0
    shift 4
    sed "$edit" "$LOG" >"$edited"
    output=$("$EGRESS" verify "$edited" "$@" 2>&1) || got=$?
    check_equal - "$name" "$status yes" "$got $([ -z "$line" ] || grep -q "edited:$line:" <<<"$output" && echo yes)"
}
found "untouched, it is good" 0 "" '' --head "$head"
found "a changed record is found" 1 3 '3s/allowed/Allowed/'
found "a removed one" 1 3 3d
found "two that were exchanged" 1 3 '3{h;d};4{G}'
found "a tail that was cut is no stop" 3 "" '$d'
found "and with --head it is found" 1 "" '$d' --head "$head"
# By somebody who knows how: the record left out, and every hash after it made anew.
prev=$(jq -r 'select(.event == "start") | .prev' "$LOG")
hash_of() { { printf '%s' "$1" | sed 's/../\\x&/g' | xargs -0 printf '%b'; printf '%s' "$2"; } | sha256sum | cut -d' ' -f1; }
: >"$edited.forged"
n=0
while IFS= read -r line; do
    [[ $line != *'"event":"connect"'* ]] || continue
    body=${line%,\"hash\":*}
    n=$((n + 1))
    body=$(sed "s/\"seq\":[0-9]*/\"seq\":$n/; s/\"records\":[0-9]*/\"records\":$n/" <<<"$body")
    prev=$(hash_of "$prev" "$body")
    printf '%s,"hash":"%s"}\n' "$body" "$prev" >>"$edited.forged"
done <"$LOG"
check - "a chain made anew is good by itself" "$EGRESS" verify "$edited.forged"
check_equal - "but not with --head" 1 "$(verify "$edited.forged" --head "$head")"
umount -l "$disk"
