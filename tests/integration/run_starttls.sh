#!/bin/bash
# SPDX-License-Identifier: MIT
# Plaintext that turns into TLS: a real client and a real TLS server with the words of each protocol
# in between. The ClientHello is judged by its name, and cannot be hidden behind a command.
# shellcheck disable=SC2016 # what stands in single quotes is for the shell inside
. "$(dirname "$0")/../lab/lab.sh"
# shellcheck source=tests/lab/behind.sh
. "$LAB_DIR/behind.sh"
# shellcheck source=tests/lab/converse.sh
. "$LAB_DIR/converse.sh"

lab_start tls nsenter --net="$LAB/net" -- openssl s_server -accept 127.0.0.1:9443 -quiet -msg \
    -cert "$LAB/ca/good.crt" -key "$LAB/ca/good.key"
wait_for 10 in_net_answers 9443
hellos() { grep -c 'ClientHello' "$LAB/log/tls.log"; }
last() { jq -r "select(.event == \"connect\") | $1" "$AUDIT" | tail -n 1; }

# The answers of each protocol, as far as openssl's client needs them.
mysql_greeting='\x4a\0\0\0\x0a8.0.36\0\x08\0\0\0AAAAAAAA\0\xff\xff\xff\x02\0\xff\xdf\x15'
mysql_greeting+='\0\0\0\0\0\0\0\0\0\0BBBBBBBBBBBB\0mysql_native_password\0'
ldap_answer='\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\0\x04\0\x04\0'
stream="<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx."
stream+="jabber.org/streams' version='1.0'><stream:features><starttls xmlns='urn:ietf:params:xml:"
stream+="ns:xmpp-tls'/></stream:features>"
serve smtp 2525 'send:220 mx ESMTP\r\n' 'wait:\r\n' 'send:250-mx\r\n250 STARTTLS\r\n' \
    'wait:STARTTLS\r\n' 'send:220 go on\r\n' relay:9443
serve lmtp 2424 'send:220 mx LMTP\r\n' 'wait:\r\n' 'send:250-mx\r\n250 STARTTLS\r\n' \
    'wait:STARTTLS\r\n' 'send:220 go on\r\n' relay:9443
serve ftp 2121 'send:220-two\r\n220 lines\r\n' 'wait:AUTH TLS\r\n' 'send:234 go on\r\n' relay:9443
serve pop3 2110 'send:+OK ready\r\n' 'wait:STLS\r\n' 'send:+OK go on\r\n' relay:9443
serve imap 2143 'send:* OK ready\r\n' 'wait:CAPABILITY\r\n' \
    'send:* CAPABILITY IMAP4rev1 STARTTLS\r\n. OK done\r\n' 'wait:STARTTLS\r\n' \
    'send:. OK go on\r\n' relay:9443
serve sieve 4190 'send:"IMPLEMENTATION" "lab"\r\n"STARTTLS"\r\nOK\r\n' 'wait:STARTTLS\r\n' \
    'send:OK go on\r\n' relay:9443
serve xmpp 5222 'wait:>' "send:$stream" 'wait:/>' \
    "send:<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>" relay:9443
serve ldap 3389 bytes:31 "send:$ldap_answer" relay:9443
serve postgres 5432 bytes:8 send:S relay:9443
serve mysql 3306 "send:$mysql_greeting" bytes:36 relay:9443

# with PROTOCOL PORT NAME: a TLS handshake by way of it; what was negotiated, and the newest record.
with()
{
    local before
    before=$(hellos)
    behind -- sh -c 'getent ahostsv4 allowed.example >/dev/null
        openssl s_client -connect "$0:$1" -starttls "$2" -servername "$3" -brief </dev/null' \
        "$ALLOWED_IP" "$2" "$1" "$3"
    SEEN="$(grep -o 'TLSv1.3' "$ERR" | head -n 1) $(($(hellos) - before))"
}
for case in "smtp 2525" "lmtp 2424" "ftp 2121" "pop3 2110" "imap 2143" "sieve 4190" "xmpp 5222" \
    "ldap 3389" "postgres 5432" "mysql 3306"; do
    read -r protocol port <<<"$case"
    policy "allowed.example:$port"
    with "$protocol" "$port" allowed.example
    check_equal T13 "$protocol: TLS by the name that allows the plaintext" \
        "TLSv1.3 1 https allowed.example allowed" \
        "$SEEN $(last '"\(.type) \(.host) \(.outcome)"')"
    with "$protocol" "$port" denied.example
    check_equal T13 "$protocol: another name is denied, and not heard" \
        " 0 denied.example no-rule denied" \
        "$SEEN $(last '"\(.host) \(.reason) \(.outcome)"')"
done
policy "$ALLOWED_IP:2525" 'deny denied.example'
with smtp 2525 denied.example
check_equal T13 "a veto by name holds where the address is allowed" " 0 veto denied" \
    "$SEEN $(last '"\(.reason) \(.outcome)"')"
with smtp 2525 allowed.example
check_equal T13 "and no other name is concerned" "TLSv1.3 1" "$SEEN"
policy third.example:2525 allowed.example:2525
lab_stop smtp
serve smtp 2525 'send:220 mx ESMTP\r\n' 'wait:\r\n' 'send:250-mx\r\n250 STARTTLS\r\n' \
    'wait:STARTTLS\r\n' 'send:220 go on\r\n' rest
behind -- sh -c 'getent ahostsv4 third.example >/dev/null; openssl s_client -connect "$0:2525" \
    -starttls smtp -servername allowed.example </dev/null' "$THIRD_IP"
check_equal T01 "an allowed name that does not lie at this server is a mismatch" \
    "dst-mismatch denied" "$(last '"\(.reason) \(.outcome)"')"

# Hiding it. The server hears what came before, and nothing of the hello.
W=$LAB/www
hello --name denied.example >"$W/denied"
# hides NAME MOST PORT STEP…: the server there heard no more than so many bytes; how many of those
# before the hello were on their way yet when it was seen does not matter.
hides()
{
    local name=$1 most=$2 port=$3
    shift 3
    from_here hidden
    behind -- converse client "$ALLOWED_IP" "$port" "$@"
    wait_for 10 heard_lines hidden 1
    check T13 "not hidden: $name" test "$(heard hidden)" -le "$most"
    check_equal T13 "and recorded" 1 "$(records \
        '.outcome == "denied" and (.reason == "malformed" or .reason == "veto")')"
}
policy "$ALLOWED_IP:2600-2610" 'deny denied.example'
serve hidden 2600 'send:220 mx ESMTP\r\n' 'wait:STARTTLS\r\n' 'send:220 go on\r\n' rest
printf 'STARTTLS\r\n' | cat - "$W/denied" >"$W/behind"
printf 'NOOP' | cat - "$W/denied" >"$W/noop"
hides "a hello in one segment with the command" 0 2600 'wait:ESMTP' "file:$W/behind" rest
hides "a hello before the answer" 10 2600 'wait:ESMTP' 'send:STARTTLS\r\n' "file:$W/denied" rest
hides "a hello after the answer" 10 2600 'wait:ESMTP' 'send:STARTTLS\r\n' 'wait:go on' \
    "file:$W/denied" rest
hides "a hello behind half a command, in one segment" 10 2600 'wait:ESMTP' 'send:STARTTLS\r\n' \
    'wait:go on' "file:$W/noop" rest
hides "a hello byte by byte" 10 2600 'wait:ESMTP' 'send:STARTTLS\r\n' 'wait:go on' \
    "drip:$W/denied" rest
lab_stop hidden
serve hidden 2601 'wait:STARTTLS\r\n' 'send:220 mx ESMTP\r\n220 go on\r\n' rest
hides "a hello before the greeting" 10 2601 "file:$W/behind" rest
hides "half a hello before the greeting" 11 2601 'send:STARTTLS\r\n\x16' 'wait:go on' \
    "file:$W/denied@1" rest
lab_stop hidden
hello --name allowed.example >"$W/allowed"
allowed=$(stat -c %s "$W/allowed")
serve hidden 2604 "bytes:$allowed" 'send:220 mx ESMTP\r\n' 'wait:STARTTLS\r\n' \
    'send:220 go on\r\n' rest
hides "a hello for a name that is allowed, and then the command" $((allowed + 10)) 2604 \
    "file:$W/allowed" 'wait:ESMTP' 'send:STARTTLS\r\n' 'wait:go on' "file:$W/denied" rest
lab_stop hidden
serve hidden 2602 bytes:8 send:S rest
hides "PostgreSQL: a hello in one segment with the request" 0 2602 \
    'send:\0\0\0\x08\x04\xd2\x16\x2f\x16\x03\x01' rest
hides "PostgreSQL: a hello before the answer" 8 2602 'send:\0\0\0\x08\x04\xd2\x16\x2f' settle \
    "file:$W/denied" rest
lab_stop hidden
serve hidden 2603 "send:$mysql_greeting" rest
printf '\4\0\0\1\0\10\0\0' | cat - "$W/denied" >"$W/mysql"
hides "MySQL: a hello in one segment with the request" 8 2603 'wait:8.0' "file:$W/mysql" rest
lab_stop tls
replayed
