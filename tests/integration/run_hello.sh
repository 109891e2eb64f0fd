#!/bin/bash
# SPDX-License-Identifier: MIT
# A ClientHello in every form that somebody could hope to be misread in: what the server heard is
# the proof.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
# shellcheck source=tests/lab/converse.sh
. "$LAB_DIR/converse.sh"

H=$LAB/www # the unprivileged user reads the hellos there
# One hello, in forms that two readers could read differently. A server of its own hears it or not.
serve hears 8445 bytes:1 'send:no TLS here' rest
cat >"$LAB/bin/one" <<'SCRIPT'
#!/bin/sh
# one IP FILE [STEP]: that hello, and the end.
exec converse client "$1" 8445 "${3:-file:}$2" end rest
SCRIPT
chmod +x "$LAB/bin/one"
# reads ID NAME BYTES FILTER IP FILE [STEP]: what the server hears, and one record.
reads()
{
    local id=$1 name=$2 want=$3 filter=$4
    shift 4
    from_here hears
    behind -- one "$@"
    # A connection of ours behind it: what came before has been counted by then.
    in_net connect_once 127.0.0.1 8445 >/dev/null
    wait_for 10 heard_lines hears $(((want > 0) + 1))
    check_equal "$id" "$name" "$([ "$want" -eq 0 ] || echo "$want ")0 1" \
        "$(heard hears) $(records ".event == \"connect\" and ($filter)")"
}
denied() { reads "$1" "$2" 0 '.outcome == "denied" and '"$3" "${@:4}"; }
passes() { reads "$1" "$2" "$(stat -c %s "$5")" '.outcome == "allowed" and '"$3" "${@:4}"; }
make_hello() { hello "${@:2}" >"$H/$1"; }

policy allowed.example:8445
a50=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
make_hello upper --name ALLOWED.Example
make_hello address --name "$ALLOWED_IP"
make_hello dot --name allowed.example.
make_hello nul --name 'allowed.example\x00.denied.example'
make_hello space --name 'allowed.example '
make_hello utf8 --name 'allowed\xe3\x80\x82example'
make_hello long --name "$a50.$a50.$a50.$a50.$a50.$a50.example"
make_hello two_names --name allowed.example --name denied.example
make_hello two_extensions --name allowed.example --again denied.example
make_hello empty --name ''
make_hello none --alpn h2
for case in "address malformed" "nul malformed" "space malformed" "utf8 malformed" "long malformed" \
    "empty malformed" "two_names malformed" "two_extensions malformed" "none no-rule"; do
    read -r name reason <<<"$case"
    denied T02 "closed: a hello with $name" ".reason == \"$reason\"" "$ALLOWED_IP" "$H/$name"
done
passes T02 "upper case is the same name" '.host == "allowed.example" and .name_from == "sni"' \
    "$ALLOWED_IP" "$H/upper"
passes T02 "and so is a trailing dot" '.host == "allowed.example"' "$ALLOWED_IP" "$H/dot"
policy 'deny allowed.example' '93.184.216.0/24:8445'
for name in upper dot; do
    denied T02 "a deny rule holds for $name as well" '.reason == "veto"' "$ALLOWED_IP" "$H/$name"
done
denied T02 "closed: two names, also where an address rule allows" '.reason == "malformed"' \
    "$ALLOWED_IP" "$H/two_names"
passes T02 "no name, where an address rule allows" '.type == "https" and .host == null' \
    "$ALLOWED_IP" "$H/none"

policy allowed.example:8445
make_hello ones --name allowed.example --record 1
make_hello fill --name allowed.example --fill 61440
make_hello fill_cut --name allowed.example --fill 61440 --record 100
make_hello post_quantum --name allowed.example --fill 1216 --grease
make_hello ech --name allowed.example --ech
make_hello ech_denied --name denied.example --ech
make_hello denied --name denied.example --fill 61440 --record 100
for name in ones fill fill_cut post_quantum; do
    passes T03 "passes: a hello with $name" '.host == "allowed.example"' "$ALLOWED_IP" "$H/$name"
done
passes T03 "passes: a hello byte by byte" '.host == "allowed.example"' "$ALLOWED_IP" "$H/upper" drip:
denied T03 "denied: 60 KiB in records of 100 bytes" '.host == "denied.example"' "$ALLOWED_IP" \
    "$H/denied"
denied T03 "denied: half a hello, and the end" '.reason == "malformed"' "$ALLOWED_IP" "$H/fill@0+900"
passes T05 "the outer name is judged, and recorded as ech" \
    '.host == "allowed.example" and .reason == "ech"' "$ALLOWED_IP" "$H/ech"
denied T05 "denied by the outer name" '.host == "denied.example" and .reason == "no-rule"' \
    "$ALLOWED_IP" "$H/ech_denied"
policy allowed.example:8445 'deny dns:allowed.example'
denied T05 "denied, though the hello has ECH: a foreign address, and a name nobody may look up" \
    '.host == "allowed.example" and .reason == "dst-mismatch"' "$DENIED_IP" "$H/ech"
check_equal - "the look-up of ours that was denied is in the log" "deny denied veto self" \
    "$(record_field '.event == "query"' '[.policy, .outcome, .reason, .resolver] | join(" ")')"

# T01: the right name at the wrong address, where a server would answer.
policy allowed.example:8445
syns=$(lab_syns "$DENIED_IP")
passes T01 "the allowed name at a foreign address reaches its own machine" \
    ".reason == \"dst-mismatch\" and .dst_ip == \"$DENIED_IP\" and .dialed_ip == \"$ALLOWED_IP\"" \
    "$DENIED_IP" "$H/upper"
check_equal T01 "and the foreign one hears nothing" "$syns" "$(lab_syns "$DENIED_IP")"
replayed
