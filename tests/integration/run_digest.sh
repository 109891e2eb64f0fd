#!/bin/bash
# SPDX-License-Identifier: MIT
# sha256= selectors: the digest of what the kernel ran, whatever lies at its path by now; known also
# of processes that are gone at once, and nobody's where it cannot be proven.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
# shellcheck source=tests/lab/inside.sh
. "$LAB_DIR/inside.sh"

# A directory on a disk, where every change of a file is dated; $LAB is a tmpfs, where not.
DISK=$(mktemp -d /var/tmp/egress-digest.XXXXXX) || lab_fail "no directory in /var/tmp"
disk_end()
{
    local status=$?
    rm -rf "$DISK"
    (exit "$status")
    lab_end
}
trap disk_end EXIT
chown "$TESTER_UID" "$DISK"
chmod 755 "$DISK"

sum() { sha256sum "$1" | cut -d ' ' -f 1; }
# make FILE TOOL TEXT: a program that the unprivileged user owns, with something behind its end.
make()
{
    { cat "$LAB/bin/$2" && printf '%s' "$3"; } >"$1.new"
    chmod 755 "$1.new" && chown "$TESTER_UID" "$1.new" && mv "$1.new" "$1"
}
# A file that was changed a moment ago might change again under the same time.
settled() { awk -v then="$(stat -c %.9Z "$1")" -v now="$EPOCHREALTIME" 'BEGIN { exit !(now > then + 0.3) }'; }
is_disk() { case $(stat -f -c %T "$DISK") in ext2/ext3 | xfs | f2fs) ;; *) return 1 ;; esac; }
# decided: outcome and digest of each decision.
decided() { jq -r 'select(.event == "connect") | "\(.outcome) \(.sha256)"' "$AUDIT" | paste -sd ' '; }
# arrived COMMAND…: how many SYNs came meanwhile.
arrived()
{
    local before
    before=$(lab_syns "$THIRD_IP")
    "$@"
    ARRIVED=$(($(lab_syns "$THIRD_IP") - before))
}

# A program, and its copy with one byte changed.
make "$LAB/tmp/one" connect_once A
make "$LAB/tmp/two" connect_once B
one=$(sum "$LAB/tmp/one") two=$(sum "$LAB/tmp/two")
policy "$THIRD_IP:7 sha256=$one"
arrived behind -- "$LAB/tmp/one" -r "$THIRD_IP" 7 5
check_equal P04 "a program with that digest is allowed" "allowed $one 1" "$(decided) $ARRIVED"
arrived behind -- "$LAB/tmp/two" -r "$THIRD_IP" 7 5
check_equal P04 "its copy with one byte changed is not" "denied $two 0" "$(decided) $ARRIVED"
policy "$THIRD_IP:7 sha256=${one^^}"
arrived behind -- "$LAB/tmp/one" -r "$THIRD_IP" 7 5
check_equal - "digits of either case" "allowed $one 1" "$(decided) $ARRIVED"
policy "$THIRD_IP:7" "deny $THIRD_IP sha256=$two"
arrived behind -- sh -c "$LAB/tmp/one -r $THIRD_IP 7 5; $LAB/tmp/two -r $THIRD_IP 7 5; true"
check_equal P04 "a veto by digest denies that program alone" "allowed $one denied $two 1" \
    "$(decided) $ARRIVED"
policy "$THIRD_IP:7"
behind -- "$LAB/tmp/one" -r "$THIRD_IP" 7 5
check_equal - "no digest is taken where no rule asks" "allowed null" "$(decided)"

# What is done to a file while a process runs it, before that connects.
mkfifo "$LAB/tmp/go"
chmod 666 "$LAB/tmp/go"
ways=$LAB/tmp/ways
# while_it_runs ID NAME COMMAND…: the digest is that of what ran, not of what lies there now.
while_it_runs()
{
    local id=$1 name="while it runs, $2" run=lives-$RUNS ran
    shift 2
    make "$ways" connect_ways A
    ran=$(sum "$ways")
    policy "$THIRD_IP:7 sha256=$ran"
    behind_start "$run" -- "$ways" later "$THIRD_IP" 7 "$LAB/tmp/go"
    wait_for 10 pgrep -x ways >/dev/null
    "$@" >"$LAB/log/$run.done" 2>&1
    arrived tell "$run"
    check_equal "$id" "$name: judged as what ran" "allowed $ran 1" "$(decided) $ARRIVED"
}
tell()
{
    echo go >"$LAB/tmp/go"
    behind_wait "$1"
    replay --
}
make "$LAB/tmp/other" connect_ways B
while_it_runs P04 "another is renamed over it" mv "$LAB/tmp/other" "$ways"
check P04 "which lies there now" ! test "$(sum "$ways")" = "$(jq -r 'select(.sha256) | .sha256' \
    "$AUDIT" | head -n 1)"
while_it_runs P04 "it is unlinked" rm "$ways"
while_it_runs P04 "it is renamed" mv "$ways" "$ways.away"
through_a_link() { ln "$ways" "$ways.link" && printf B >>"$ways.link"; }
while_it_runs P04 "it is written to through another link" through_a_link
check P04 "which the kernel refuses" grep -q 'Text file busy' "$LAB/log/lives-$((RUNS - 1)).done"

# One that is gone at once, and a file that is made to look like another before anybody reads it.
make "$LAB/tmp/want" swap_exe B
want=$(sum "$LAB/tmp/want")
policy "$THIRD_IP:7 sha256=$want"
# swapped NAME DIRECTORY WAY: 6 times, each with a fresh file that was not changed lately.
swapped()
{
    local name="gone at once, $1" i
    for i in {1..6}; do
        make "$2/swap$i" swap_exe A
        make "$2/want$i" swap_exe B
    done
    wait_for 10 settled "$2/want6"
    arrived behind -- bash -c 'for i in {1..6}; do
        [ "$3" = rename ] && how=$2/want$i || how=B
        swap_exe swap "$1" 7 "$2/swap$i" "$3" "$how"; done; exit 0' - "$THIRD_IP" "$2" "$3"
    check_equal P04 "$name: the file passes for the other afterwards" 6 \
        "$(sha256sum "$2"/swap* | grep -c "$want")"
    check_equal P04 "$name: never judged as the other, and nothing arrives" "6 0 0" \
        "$(records '.event == "connect" and .outcome == "denied"') $(records \
        ".event == \"connect\" and .sha256 == \"$want\"") $ARRIVED"
    rm -f "$2"/swap* "$2"/want?*
}
make "$LAB/tmp/dated" swap_exe A
before=$(stat -c %z "$LAB/tmp/dated")
swap_exe change "$LAB/tmp/dated" memory B >/dev/null
check_equal - "on a tmpfs a write through memory is not dated" "$before $want" \
    "$(stat -c %z "$LAB/tmp/dated") $(sum "$LAB/tmp/dated")"
swapped "written through memory on a tmpfs" "$LAB/tmp" memory
swapped "written to on a tmpfs" "$LAB/tmp" write
swapped "renamed over on a tmpfs" "$LAB/tmp" rename
if is_disk; then
    swapped "written through memory on a disk" "$DISK" memory
    swapped "written to on a disk" "$DISK" write
    swapped "renamed over on a disk" "$DISK" rename
    # A change that has no time: remembered or read anew, the digest is not that of before.
    for file in whole other; do
        cp "$LAB/bin/connect_once" "$DISK/$file" && truncate -s %4096 "$DISK/$file"
        head -c 4096 /dev/zero | tr '\0' A >>"$DISK/$file"
        chmod 755 "$DISK/$file" && chown "$TESTER_UID" "$DISK/$file"
    done
    whole=$(sum "$DISK/whole")
    wait_for 10 settled "$DISK/other"
    dated=$(stat -c %z "$DISK/whole")
    policy "$THIRD_IP:7 sha256=$whole"
    arrived behind -- bash -c '"$1/whole" -r "$2" 7 5
        swap_exe change "$1/whole" blocks "$1/other" >"$3"
        "$1/whole" -r "$2" 7 5; exit 0' - "$DISK" "$THIRD_IP" "$LAB/tmp/moved"
    if grep -q OK "$LAB/tmp/moved"; then
        check_equal P04 "blocks are moved out of a file: it is another, of the same time" \
            "$dated other" "$(stat -c %z "$DISK/whole") $([ "$(sum "$DISK/whole")" = "$whole" ] ||
                echo other)"
        check_equal P04 "and is judged as another" \
            "allowed $whole denied $(sum "$DISK/whole") 1" "$(decided) $ARRIVED"
    else
        skip P04 "blocks are moved out of a file" "not on $(stat -f -c %T "$DISK") of this kernel"
    fi
    # 200 at once, each gone before anybody could look at it, of a file that only root may change.
    make "$DISK/one" connect_once A
    chown 0:0 "$DISK/one"
    wait_for 10 settled "$DISK/one"
    policy "$THIRD_IP:80 sha256=$one"
    arrived behind -- "$DISK/one" --many 200 "$THIRD_IP" 80
    check_equal P01 "200 processes of a millisecond at once: all by their digest" "200 200" \
        "$(records ".outcome == \"allowed\" and .sha256 == \"$one\"") $ARRIVED"
    make "$DISK/two" connect_once B
    chown 0:0 "$DISK/two"
    arrived behind -- "$DISK/two" --many 200 "$THIRD_IP" 80
    check_equal P01 "and none of 200 by another" 0 "$ARRIVED"
else
    skip P01 "200 processes of a millisecond at once" "/var/tmp is on $(stat -f -c %T "$DISK")"
fi
check_equal P04 "what /proc says of a process is not its to change" "EPERM OK" \
    "$(run_once --quiet --policy "$POLICY" -- swap_exe set-mm) $(swap_exe set-mm)"

# Not known: no allow rule matches, every veto does.
# not_known NAME COMMAND…
not_known()
{
    local name=$1
    shift
    policy "$THIRD_IP:7 sha256=$one"
    arrived behind -- "$@"
    check_equal P04 "$name: not known, and allowed nothing" "denied null 0" "$(decided) $ARRIVED"
    policy "$THIRD_IP:7" "deny $THIRD_IP sha256=$two"
    arrived behind -- "$@"
    check_equal P04 "$name: not known, and denied by any veto" "denied null 0" \
        "$(decided) $ARRIVED"
}
not_known "run by a descriptor after it was unlinked" bash -c 'cp "$1" "$1.gone"; exec 9<"$1.gone"
    rm "$1.gone"; /proc/self/fd/9 -r "$2" 7 5; exit 0' - "$LAB/tmp/one" "$THIRD_IP"
if as_tester unshare -Urm true 2>/dev/null; then
    not_known "in mounts of its own making" unshare -Urm "$LAB/tmp/one" -r "$THIRD_IP" 7 5
else
    skip P04 "mounts of its own making" "no user namespaces here"
fi

# A large one is read beside everything else, by a process with hardly a right.
make "$LAB/tmp/large" connect_once A
truncate -s 900M "$LAB/tmp/large"
policy "$THIRD_IP:7 sha256=$(sum "$LAB/tmp/large")" "$THIRD_IP:7 sha256=$one"
reader() { pgrep -P "$KEEPER" -x egress-digest; }
is_confined() { grep -q '^Seccomp:\s*2' "/proc/$1/status"; }
AUDIT=$LOG
for end in CONT KILL; do
    inside_start --policy "$POLICY"
    id=$(inside_ask "$LAB/tmp/large -r -t 60000 $THIRD_IP 7 5 & large=\$!
        $LAB/tmp/one -r -t 60000 $THIRD_IP 7 5 >\$TMPDIR/beside.$end; wait \$large")
    wait_for 20 reader >/dev/null
    pid=$(reader | head -n 1)
    wait_for 20 is_confined "$pid"
    kill -STOP "$pid"
    if [ "$end" = CONT ]; then
        check_equal - "who reads has a user of its own, and one capability" "2113929219 80000" \
            "$(awk '/^Uid:/ { u = $2 } /^CapPrm:/ { sub(/^0*/, "", $2); print u, $2 }' \
                "/proc/$pid/status")"
        check P04 "while it is read, another program goes on" \
            wait_for 20 grep -q OK "$LAB/tmp/beside.$end"
        check_equal P04 "and of the large one nothing is decided" "$LAB/tmp/one" \
            "$(jq -r 'select(.event == "connect") | .exe' "$AUDIT" | paste -sd ' ')"
    fi
    kill -s "$end" "$pid"
    result=$(inside_answer "$id")
    [ "$end" = CONT ] && want=OK || want=ECONNRESET
    check_equal P04 "a large one whose reader got SIG$end" "$want" "$result"
    inside_stop
done
replayed
